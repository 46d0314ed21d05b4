/* SPDX-License-Identifier: Apache-2.0 */
/* Where data goes: stdout, a file that appears whole, or memory. The first error sticks and
 * everything after it is ignored, so callers write on and look once, at the end. Also writes JSON
 * objects and text from other processes. */
#ifndef SC_CLI_OUT_H
#define SC_CLI_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

typedef struct sc_out {
    sc_buffer buffer;
    size_t written; /* of it, by sc_out_drain */
    bool
        is_held; /* set by the owner: written by flush, drain and close alone, however much it is */
    int fd;      /* -1: memory, nothing is ever flushed */
    int error;   /* the first one; 0 or negative */
    char *path;  /* of the file to be replaced; NULL: `fd` is not ours */
    char *temporary; /* beside it; NULL: `path` is written directly (a device, a pipe) */
    bool has_field;  /* inside an object: a comma comes first */
} sc_out;

/** Collects in memory (`buffer`). */
void sc_out_init(sc_out *o);
/** Writes to a descriptor that stays the caller's. */
void sc_out_init_fd(sc_out *o, int fd);
/** Writes beside `path`, which is replaced by sc_out_close and keeps its mode. "-", and whatever
 * stdout or stderr already is, is written where these stand.
 *  @return 0, or a system error with its text in `err`; `o` is then as after sc_out_init */
int sc_out_open(sc_out *o, const char *path, sc_error *err);
/** Writes out what is left and puts the file in its place.
 *  @return 0, -EPIPE (the reader went away: end in silence), or an error with its text in `err` */
int sc_out_close(sc_out *o, sc_error *err);
/** Releases everything; a file not closed is removed. */
void sc_out_fini(sc_out *o);

void sc_out_add(sc_out *o, const void *data, size_t len);
void sc_out_text(sc_out *o, const char *text);
void sc_out_printf(sc_out *o, const char *format, ...) SC_PRINTF(2, 3);
/** `n` times `text`. */
void sc_out_repeat(sc_out *o, const char *text, int n);
/** Hand over what is buffered, now. */
void sc_out_flush(sc_out *o);
/** Hands over what a reader takes now, without waiting for it.
 *  @return false where some is left: again when `fd` is writable */
bool sc_out_drain(sc_out *o);

/** JSON text of another process on one line: line breaks between tokens become spaces, control
 * characters that JSON allows in strings (U+007F..U+009F) are escaped. The value stays the same. */
void sc_out_json(sc_out *o, const char *text, size_t len);

/* An object on one line: begin, fields, end. `name` needs no escape. */
void sc_out_begin(sc_out *o);
void sc_out_field(sc_out *o, const char *name); /* the value is written by the caller */
void sc_out_field_text(sc_out *o, const char *name, const char *text); /* NULL: null */
void sc_out_field_number(sc_out *o, const char *name, uint64_t number);
void sc_out_field_double(sc_out *o, const char *name, double number);
void sc_out_field_time(sc_out *o, const char *name,
                       int64_t unix_ms); /* ISO 8601 in UTC; null for 0 */
void sc_out_end(sc_out *o);              /* with the line break */

#endif
