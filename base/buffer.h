/* SPDX-License-Identifier: Apache-2.0 */
/* A growing byte buffer with a bound. Used for building rows, messages and pages; keeps its memory
 * when cleared. */
#ifndef SC_BUFFER_H
#define SC_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct sc_buffer {
    uint8_t *data;
    size_t len, capacity;
    size_t max_bytes; /* 0 = no bound but memory */
} sc_buffer;

/** An empty buffer; allocates nothing. @param max_bytes  0 = no bound but memory */
void sc_buffer_init(sc_buffer *b, size_t max_bytes);
void sc_buffer_fini(sc_buffer *b);
/** Empties it and keeps the memory. */
void sc_buffer_clear(sc_buffer *b);
/** Makes room for `more` bytes behind `len`. @return 0, SC_ELIMIT past max_bytes, SC_ENOMEM;
 *  contents stay */
SC_MUST_USE int sc_buffer_reserve(sc_buffer *b, size_t more);
/** Appends bytes. @return as sc_buffer_reserve; on error nothing is appended */
SC_MUST_USE int sc_buffer_add(sc_buffer *b, const void *data, size_t len);
/** Appends formatted text without its terminating zero. @return as sc_buffer_reserve */
SC_MUST_USE int sc_buffer_printf(sc_buffer *b, const char *format, ...) SC_PRINTF(2, 3);
/** Hands the memory to the caller (free() it) and leaves the buffer empty. NULL when it never held
 *  a byte. */
uint8_t *sc_buffer_take(sc_buffer *b, size_t *len);

#endif
