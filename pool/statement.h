/* SPDX-License-Identifier: Apache-2.0 */
/* What goes to a database and what comes back: values, statements, results; the same for all
 * drivers. Handlers fill statements and read results, drivers do the reverse. Nothing here touches
 * a loop or a connection. */
#ifndef SC_STATEMENT_H
#define SC_STATEMENT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"

enum {
    /* SQLite's bound, the lowest of the drivers. */
    SC_STATEMENT_MAX_PARAMS = 32766,
    /* Of one request with all its values: four times the largest task. */
    SC_STATEMENT_MAX_BYTES = 64 * 1024 * 1024,
    /* Where a statement does not say; the bytes are those of the largest task result. */
    SC_RESULT_MAX_ROWS = 100000,
    SC_RESULT_MAX_BYTES = 16 * 1024 * 1024,
};

typedef enum sc_value_type {
    SC_VALUE_NULL,
    SC_VALUE_INT,
    SC_VALUE_DOUBLE,
    SC_VALUE_TEXT,
    SC_VALUE_BLOB,
} sc_value_type;

/* A parameter or a cell: a view, it owns nothing. 16 bytes. */
typedef struct sc_value {
    sc_value_type type;
    uint32_t len; /* bytes of a text or blob, else 0 */
    union {
        int64_t integer;
        double real;
        const char *text; /* UTF-8; terminated in results, need not be in parameters */
        const void *blob;
    };
} sc_value;

static inline sc_value
sc_value_null(void)
{
    return (sc_value){.type = SC_VALUE_NULL};
}

static inline sc_value
sc_value_int(int64_t integer)
{
    return (sc_value){.type = SC_VALUE_INT, .integer = integer};
}

static inline sc_value
sc_value_double(double real)
{
    return (sc_value){.type = SC_VALUE_DOUBLE, .real = real};
}

static inline sc_value
sc_value_text(const char *text)
{
    return (sc_value){.type = SC_VALUE_TEXT, .len = (uint32_t)strlen(text), .text = text};
}

static inline sc_value
sc_value_blob(const void *blob, uint32_t len)
{
    return (sc_value){.type = SC_VALUE_BLOB, .len = len, .blob = blob};
}

/* What the pool may conclude about a statement. */
enum sc_statement_flags {
    SC_STATEMENT_READ_ONLY = 1,  /* changes nothing: may share a connection, may be repeated */
    SC_STATEMENT_IDEMPOTENT = 2, /* doing it twice is as good as once: may be repeated */
};

/* One SQL statement with its parameters. All fields but `sql` may be zero. */
typedef struct sc_statement {
    const char *sql;
    const sc_value *params; /* n_rows times n_params, row after row */
    unsigned n_params;      /* parameters of one run */
    size_t n_rows;          /* the statement runs once for each row of parameters; 0 = once */
    unsigned flags;         /* sc_statement_flags */
    size_t max_rows;        /* of the result; 0 = SC_RESULT_MAX_ROWS */
    size_t max_bytes;       /* of the result; 0 = SC_RESULT_MAX_BYTES */
} sc_statement;

/* Memory of a result; texts never move once they are in. */
typedef struct sc_result_block sc_result_block;

/* Rows of one statement. Read the first five fields, by sc_result_get(); the rest is the builder's.
 */
typedef struct sc_result {
    size_t n_rows;
    unsigned n_columns;
    int64_t n_affected;    /* rows inserted, updated or deleted; the sum over a batch */
    const char **columns;  /* n_columns names, terminated */
    const sc_value *cells; /* n_rows times n_columns, row after row; as valid as the result */

    sc_value *cells_memory;
    size_t n_cells, cells_capacity;
    unsigned columns_capacity;
    size_t n_bytes, max_bytes, max_rows;
    sc_result_block *blocks;
} sc_result;

/** The cell of a row and a column, both inside their bounds. */
static inline const sc_value *
sc_result_get(const sc_result *r, size_t row, unsigned column)
{
    return &r->cells[row * r->n_columns + column];
}

/** An empty result for a driver to fill. @param max_rows, max_bytes  0 = the constants above
 *  @return 0, SC_ENOMEM. Ownership: the caller's, sc_result_free() */
int sc_result_new(size_t max_rows, size_t max_bytes, sc_result **out);
/** Add a column; all of them before the first cell. @return 0, SC_ENOMEM, SC_ETOOLARGE */
SC_MUST_USE int sc_result_add_column(sc_result *r, const char *name);
/** Add the next cell, row after row; texts and blobs are copied.
 *  @return 0, SC_ENOMEM, SC_ETOOLARGE past max_rows or max_bytes */
SC_MUST_USE int sc_result_add(sc_result *r, const sc_value *value);
/** Accepts NULL, sets NULL. */
void sc_result_free(sc_result **r);

#endif
