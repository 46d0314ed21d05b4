/* SPDX-License-Identifier: Apache-2.0 */
/* The growing byte buffer. Called wherever a row, a message or a page is put together; it never
 * grows past its bound and never changes its contents on an error. */
#include "base/buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"

enum { FIRST_BYTES = 64 };

void
sc_buffer_init(sc_buffer *b, size_t max_bytes)
{
    *b = (sc_buffer){.max_bytes = max_bytes};
}

void
sc_buffer_fini(sc_buffer *b)
{
    free(b->data);
    *b = (sc_buffer){.max_bytes = b->max_bytes};
}

void
sc_buffer_clear(sc_buffer *b)
{
    b->len = 0;
}

int
sc_buffer_reserve(sc_buffer *b, size_t more)
{
    size_t bound = b->max_bytes ? b->max_bytes : SIZE_MAX / 2;
    size_t capacity = b->capacity ? b->capacity : FIRST_BYTES;
    uint8_t *data;

    if (b->len > bound || more > bound - b->len)
        return SC_ELIMIT;
    if (more <= b->capacity - b->len)
        return 0;
    while (capacity - b->len < more)
        capacity *= 2; // cannot wrap: len + more <= SIZE_MAX / 2
    if (capacity > bound)
        capacity = bound;
    // One byte more than is counted, for the zero that vsnprintf writes behind its text.
    if (SC_FAULT("buffer.grow") || !(data = realloc(b->data, capacity + 1)))
        return SC_ENOMEM;
    b->data = data;
    b->capacity = capacity;
    return 0;
}

int
sc_buffer_add(sc_buffer *b, const void *data, size_t len)
{
    int rc = sc_buffer_reserve(b, len);

    if (rc || len == 0)
        return rc;
    memcpy(b->data + b->len, data, len);
    b->len += len;
    return 0;
}

int
sc_buffer_printf(sc_buffer *b, const char *format, ...)
{
    va_list args;
    int len;
    int rc;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0)
        return SC_EMALFORMED;
    rc = sc_buffer_reserve(b, (size_t)len);
    if (rc || len == 0)
        return rc;
    va_start(args, format);
    vsnprintf((char *)b->data + b->len, (size_t)len + 1, format, args);
    va_end(args);
    b->len += (size_t)len;
    return 0;
}

uint8_t *
sc_buffer_take(sc_buffer *b, size_t *len)
{
    uint8_t *data = b->data;

    *len = b->len;
    *b = (sc_buffer){.max_bytes = b->max_bytes};
    return data;
}
