/* SPDX-License-Identifier: Apache-2.0 */
/* What the terminal (or the file) behind a descriptor can show: colour, UTF-8, how wide. Asked once
 * per descriptor; what prints is given the answer, so that tests can choose it. */
#ifndef SC_CLI_TERM_H
#define SC_CLI_TERM_H

#include <stdbool.h>

typedef struct sc_term {
    bool is_terminal;  /* can redraw a line: a terminal that is not "dumb" */
    bool has_colour;   /* a terminal, and NO_COLOR is empty */
    bool is_utf8;      /* else ASCII */
    int columns;       /* for plots, bars and text; 20..1000: COLUMNS, else the window's, else 80 */
    int table_columns; /* for tables: as `columns`, but 40 at least: an id and what is said of it;
                          INT_MAX off a terminal where COLUMNS is not set */
    int rows;          /* of the window; 24 where nobody knows */
} sc_term;

typedef enum sc_colour {
    SC_COLOUR_NONE,
    SC_COLOUR_BOLD,
    SC_COLOUR_DIM,
    SC_COLOUR_RED,
    SC_COLOUR_GREEN,
    SC_COLOUR_YELLOW,
    SC_COLOUR_BLUE,
} sc_colour;

/** What holds for `fd` in this environment and locale (setlocale was called in main). */
void sc_term_init(sc_term *term, int fd);
/** The sequence that starts a colour, or ends it (SC_COLOUR_NONE); "" where there is none to be
 * shown. */
const char *sc_term_colour(const sc_term *term, sc_colour colour);

#endif
