/* SPDX-License-Identifier: Apache-2.0 */
/* A table for people: collected row by row, written once the widths are known, so that it fits the
 * terminal: columns are cut or left out as they allow. */
#ifndef SC_CLI_TABLE_H
#define SC_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/cli/out.h"
#include "client/cli/term.h"

enum { SC_TABLE_MAX_COLUMNS = 16 };

/* What may happen to a column where the table is too wide. Where that is not enough, any column but
 * the first is left out, from the right. */
enum {
    SC_TABLE_KEEP = 0,
    SC_TABLE_CUT = 1,    /* cut to no less than 8 columns, with an ellipsis; the widest first */
    SC_TABLE_PREFIX = 2, /* ids: cut, without one, as far as they stay different prefixes to type,
                            of at least 13 characters (the time in an id, see base/uuid.h) */
    SC_TABLE_DROP = 4,   /* left out where cutting is not enough, from the right */
};

typedef struct sc_table_column {
    const char *title;
    bool is_right; /* numbers */
    unsigned fit;
} sc_table_column;

typedef struct sc_table {
    const sc_table_column *columns; /* the caller's */
    size_t n_columns;
    const sc_term *term;              /* the caller's */
    sc_out cells;                     /* each terminated; as they will be shown */
    sc_buffer colours;                /* a byte a cell */
    int widths[SC_TABLE_MAX_COLUMNS]; /* 0: left out */
    int prefix;                       /* what a column of ids needs; known where it is cut */
} sc_table;

/** `columns` and `term` are borrowed until sc_table_fini. @param n_columns  1..SC_TABLE_MAX_COLUMNS
 */
void sc_table_init(sc_table *t, const sc_table_column *columns, size_t n_columns,
                   const sc_term *term);
void sc_table_fini(sc_table *t);
/** The next cell, row by row; text from elsewhere is made safe. NULL: "-". */
void sc_table_text(sc_table *t, const char *text, sc_colour colour);
/** The next cell, with thousands separated. */
void sc_table_number(sc_table *t, uint64_t number);
/** Writes head and rows; nothing where there is no row. */
void sc_table_write(sc_table *t, sc_out *o);

#endif
