/* SPDX-License-Identifier: Apache-2.0 */
/* See postgres_array.h. The form is that of array_send in PostgreSQL's
 * src/backend/utils/adt/arrayfuncs.c: a header of five words (dimensions, has NULLs, type, length,
 * lowest index), then for each value its length (-1: NULL) and its bytes, all in network order. */
#include "coordinator/postgres_array.h"

#include <endian.h>
#include <string.h>

enum { HEADER_WORDS = 5, HEADER_BYTES = HEADER_WORDS * 4 };

void
sc_postgres_array_init(sc_postgres_array *a, sc_postgres_type type)
{
    *a = (sc_postgres_array){.type = type};
    sc_buffer_init(&a->bytes, 0);
}

void
sc_postgres_array_fini(sc_postgres_array *a)
{
    sc_buffer_fini(&a->bytes);
}

void
sc_postgres_array_clear(sc_postgres_array *a)
{
    sc_buffer_clear(&a->bytes);
    a->n = 0;
    a->has_nulls = false;
}

static int
add(sc_postgres_array *a, uint32_t length, const void *data, size_t len)
{
    size_t header = a->n == 0 ? HEADER_BYTES : 0;
    uint32_t word = htobe32(length);
    int rc = sc_buffer_reserve(&a->bytes, header + sizeof word + len);
    if (rc < 0)
        return rc;
    uint8_t *at = a->bytes.data + a->bytes.len + header;
    memcpy(at, &word, sizeof word);
    if (len)
        memcpy(at + sizeof word, data, len);
    a->bytes.len += header + sizeof word + len;
    a->n++;
    return 0;
}

int
sc_postgres_array_number(sc_postgres_array *a, int64_t number)
{
    uint64_t word = htobe64((uint64_t)number);
    return add(a, sizeof word, &word, sizeof word);
}

int
sc_postgres_array_bytes(sc_postgres_array *a, const void *data, size_t len)
{
    return add(a, (uint32_t)len, data, len);
}

int
sc_postgres_array_null(sc_postgres_array *a)
{
    a->has_nulls = true;
    return add(a, UINT32_MAX, NULL, 0);
}

void
sc_postgres_array_bind(sc_postgres_array *a, sc_postgres_params *p)
{
    const uint32_t header[HEADER_WORDS] = {htobe32(1), htobe32(a->has_nulls), htobe32(a->type),
                                           htobe32(a->n), htobe32(1)};
    memcpy(a->bytes.data, header, sizeof header);
    sc_postgres_add_bytes(p, a->bytes.data, a->bytes.len);
}
