/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded database of a worker process: a pool on the loop, opened at its first use, and the
 * desk where handlers that run in threads hand their statements over and wait for the rows, since
 * connections belong to the loop. */
#ifndef SC_DATABASE_H
#define SC_DATABASE_H

#include <uv.h>

#include "base/settings.h"
#include "pool/pool.h"

typedef struct sc_database sc_database;

/** @param settings  DATA and SQLITE_...; borrowed, must outlive it. @return 0, or a code with the
 * reason in `err` */
int sc_database_new(uv_loop_t *loop, const sc_settings *settings, sc_database **out, sc_error *err);
/** For code on the loop. */
sc_pool *sc_database_pool(const sc_database *d);
/** From a thread, not the loop's: run statements in one transaction (one alone: as it is) and wait.
 *  @return 0 with the rows (the caller's) in `out`, or what the pool says, with the text in `err`
 */
int sc_database_run(sc_database *d, const sc_statement *statements, size_t n_statements,
                    sc_result **out, sc_error *err);
/** No thread may wait. Released from the loop, later. Sets NULL; NULL is accepted. */
void sc_database_close(sc_database **d);

#endif
