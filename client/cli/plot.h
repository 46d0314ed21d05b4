/* SPDX-License-Identifier: Apache-2.0 */
/* A line plot in text: braille dots in UTF-8 (2 by 4 a character), stars in ASCII. Pure. */
#ifndef SC_CLI_PLOT_H
#define SC_CLI_PLOT_H

#include <stddef.h>

#include "client/cli/out.h"
#include "client/cli/term.h"

typedef struct sc_plot {
    const char *title;
    const double *values; /* finite ones only are drawn; at least one must be */
    const char *const
        *labels; /* of the x axis, one a value; the first, the last and some between are shown */
    size_t n_values;
    int rows; /* lines of the area, 4..40 */
} sc_plot;

/** Writes title, area and axes, term->columns wide at most; nothing where there is nothing to draw.
 */
void sc_plot_write(const sc_plot *plot, const sc_term *term, sc_out *o);

#endif
