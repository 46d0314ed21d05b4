/* SPDX-License-Identifier: Apache-2.0 */
/* An array of one dimension in PostgreSQL's binary form, built value by value: one column of rows
 * that are sent with one statement (unnest). Keeps its memory when cleared. */
#ifndef SC_POSTGRES_ARRAY_H
#define SC_POSTGRES_ARRAY_H

#include "base/buffer.h"
#include "coordinator/postgres.h"

/* Numbers of types, pg_type.dat; they never change. */
typedef enum sc_postgres_type {
    SC_POSTGRES_BYTEA = 17,
    SC_POSTGRES_BIGINT = 20,
    SC_POSTGRES_TEXT = 25,
} sc_postgres_type;

typedef struct sc_postgres_array {
    sc_buffer bytes;
    sc_postgres_type type;
    uint32_t n;
    bool has_nulls;
} sc_postgres_array;

void sc_postgres_array_init(sc_postgres_array *a, sc_postgres_type type);
void sc_postgres_array_fini(sc_postgres_array *a);
void sc_postgres_array_clear(sc_postgres_array *a);
/** One more value. @return 0, SC_ENOMEM */
SC_MUST_USE int sc_postgres_array_number(sc_postgres_array *a, int64_t number);
SC_MUST_USE int sc_postgres_array_bytes(sc_postgres_array *a, const void *data, size_t len);
SC_MUST_USE int sc_postgres_array_null(sc_postgres_array *a);
/** The next parameter; points into the array, which is not empty. */
void sc_postgres_array_bind(sc_postgres_array *a, sc_postgres_params *p);

#endif
