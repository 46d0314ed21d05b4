/* SPDX-License-Identifier: Apache-2.0 */
/* JSON lines from a stream of bytes in bounded memory: blank lines are skipped and counted, CRLF is
 * accepted, each line is checked. Pure: it is given the bytes. */
#ifndef SC_CLI_LINES_H
#define SC_CLI_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct sc_lines {
    char *data;
    size_t start, end, capacity; /* data[start..end) is not yet used */
    size_t scanned;              /* no line break in data[start..scanned) */
    uint64_t line;               /* number of the line that came last, from 1 */
    bool is_ended;
} sc_lines;

void sc_lines_init(sc_lines *lines);
void sc_lines_fini(sc_lines *lines);
/** Room for the next bytes: read them there, then call sc_lines_added. Lines got before are gone.
 * The capacity is bounded by the longest line, which is the largest task.
 *  @return 0, or SC_ENOMEM */
SC_MUST_USE int sc_lines_room(sc_lines *lines, char **room, size_t *len);
/** @param len  0: the stream has ended */
void sc_lines_added(sc_lines *lines, size_t len);
/** The next line that is not blank, without its line break; valid until sc_lines_room.
 *  @return 1 and the line; 0 (more bytes are needed; or, once ended, there is no more);
 * SC_ETOOLARGE, SC_EMALFORMED or SC_ENOMEM with the reason in `err`, for `lines->line` */
int sc_lines_next(sc_lines *lines, const char **line, size_t *len, sc_error *err);

#endif
