/* SPDX-License-Identifier: Apache-2.0 */
/* The coordinator around its core: loop, socket, store, clock. It carries actions out and brings
 * events in, and decides nothing. */
#ifndef SC_SHELL_H
#define SC_SHELL_H

#include <uv.h>

#include "base/error.h"
#include "base/settings.h"

typedef struct sc_shell sc_shell;

/** Listen and serve. `err` says what a person should know. @param parent_pid  of `seedcore up`, 0 =
 * none */
SC_MUST_USE int sc_shell_new(uv_loop_t *loop, const sc_settings *settings, uint64_t parent_pid,
                             sc_shell **out, sc_error *err);

/** Where it listens, port filled in. */
const char *sc_shell_endpoint(const sc_shell *shell);

/** Take leave of those who wait for the end, then end; the loop comes to its end after that. */
void sc_shell_leave(sc_shell *shell);

/** End at once: the loop comes to its end once all is closed. May be called again. */
void sc_shell_stop(sc_shell *shell);

/** After the loop has ended. NULL is accepted. */
void sc_shell_free(sc_shell **at);

#endif
