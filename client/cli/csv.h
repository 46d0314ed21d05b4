/* SPDX-License-Identifier: Apache-2.0 */
/* A file of comma-separated values (RFC 4180) in memory: the wanted columns by the names in its
 * first line, wherever they stand. Fields may be quoted; CRLF and a byte order mark are accepted,
 * blank lines skipped. */
#ifndef SC_CLI_CSV_H
#define SC_CLI_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { SC_CSV_MAX_COLUMNS = 64 };

typedef struct sc_csv_field {
    const char *text; /* not terminated */
    uint32_t len;
} sc_csv_field;

typedef struct sc_csv {
    char *text;
    sc_csv_field
        *fields;     /* n_rows times n_columns, in the order in which the columns were asked for */
    uint64_t *lines; /* where each row begins */
    size_t n_rows, n_columns;
    size_t capacity; /* rows that there is memory for */
    uint64_t line;   /* of an error */
} sc_csv;

/** Takes over `text` (malloc'd, len bytes; changed in place), also on errors: call sc_csv_fini in
 * any case.
 *  @param columns  names wanted; n_columns 1..SC_CSV_MAX_COLUMNS
 *  @return 0; SC_EMALFORMED or SC_ENOMEM with the reason in `err`, for csv->line (0: the file as a
 * whole) */
int sc_csv_parse(sc_csv *csv, char *text, size_t len, const char *const *columns, size_t n_columns,
                 sc_error *err);
/** Reads a whole file (at most 1 GiB), then as above; system errors too. */
int sc_csv_read(sc_csv *csv, const char *path, const char *const *columns, size_t n_columns,
                sc_error *err);
void sc_csv_fini(sc_csv *csv);
/** The fields of a row. */
const sc_csv_field *sc_csv_row(const sc_csv *csv, size_t row);
/** Is it a number as JSON writes them? */
bool sc_csv_is_number(const sc_csv_field *field);
/** A whole number >= 0. @return false where it is none */
bool sc_csv_count(const sc_csv_field *field, uint64_t *count);

#endif
