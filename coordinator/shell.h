/* SPDX-License-Identifier: Apache-2.0 */
/* The coordinator around its core: loop, socket, store, journal, clock. It carries actions out and
 * brings events in, and decides nothing. */
#ifndef SC_SHELL_H
#define SC_SHELL_H

#include <uv.h>

#include "base/error.h"
#include "base/settings.h"

typedef struct sc_shell sc_shell;

/** Begin: open the journal; once we lead, restore what it has, listen and serve, and log that we
 * are ready. What goes wrong after this returned is logged, and the loop comes to its end with
 * sc_shell_status. @param settings  lives as long as the shell @param parent_pid  of `seedcore up`,
 * 0 = none @return 0, or a code with what a person should know in `err` */
SC_MUST_USE int sc_shell_new(uv_loop_t *loop, const sc_settings *settings, uint64_t parent_pid,
                             sc_shell **out, sc_error *err);

/** Take leave of those who wait for the end, then end; the loop comes to its end after that. */
void sc_shell_leave(sc_shell *shell);

/** End at once: the loop comes to its end once all is closed. May be called again. */
void sc_shell_stop(sc_shell *shell);

/** Exit status: 1 where it ended for a reason that was logged as an error. */
int sc_shell_status(const sc_shell *shell);

/** After the loop has ended. NULL is accepted. */
void sc_shell_free(sc_shell **at);

#endif
