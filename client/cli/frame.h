/* SPDX-License-Identifier: Apache-2.0 */
/* Some lines at the end of a terminal that are drawn again and again in the same place. For stdout
 * where it is a terminal; nothing else of stdout may come between. */
#ifndef SC_CLI_FRAME_H
#define SC_CLI_FRAME_H

#include <stdbool.h>

#include "client/cli/cli.h"

typedef struct sc_frame {
    sc_cli *cli;
    int n_lines;     /* where it stands: so many above the cursor */
    unsigned n_said; /* by then: what is said on stderr moves it away, and the next is below that */
} sc_frame;

/** Starts with nothing drawn. */
void sc_frame_init(sc_frame *f, sc_cli *cli);
/** Puts the lines of `text` into stdout in place of those before. The terminal cuts them at its
 * width. @param is_last  all of them, however many; else only as many as the window has room for */
void sc_frame_draw(sc_frame *f, const sc_out *text, bool is_last);

#endif
