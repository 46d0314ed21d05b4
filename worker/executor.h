/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the tasks that the session holds: asynchronous handlers on the loop, others in threads. It
 * takes tasks as slots are free, calls the handlers, measures them and ends their tasks in the
 * session; what is executing is written to the shared page. On the loop's thread, but for what
 * threads.c does. */
#ifndef SC_EXECUTOR_H
#define SC_EXECUTOR_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "worker/database.h"
#include "worker/page.h"
#include "worker/registry.h"
#include "worker/session.h"

typedef struct sc_executor sc_executor;

typedef struct sc_executor_config {
    uv_loop_t *loop;
    const sc_registry *registry; /* handlers in the order of HELLO */
    sc_shared_page *page;
    sc_database *database;       /* for handlers; may be NULL */
    uint32_t n_threads, n_async; /* slots of each kind, as in HELLO */
    void (*on_wake)(void *arg);  /* something ended outside a turn: call sc_executor_turn soon */
    void *arg;
} sc_executor_config;

/** Everything but the page is borrowed and must outlive it. @return 0, SC_ENOMEM, a system error
 * (threads) */
int sc_executor_new(const sc_executor_config *config, sc_executor **out);
/** The session whose tasks are run; before the first turn. */
void sc_executor_set_session(sc_executor *e, sc_session *session);
/** Start what there is room for and work on it, for 1 ms or 2,000 tasks; then others get their
 * turn.
 *  @return true where more could be done at once */
bool sc_executor_turn(sc_executor *e);
/** Nobody wants this task any more. It may end before this returns. @param grace_ms  how long it
 * may run on before it is given up; 0: as long as it likes */
void sc_executor_cancel(sc_executor *e, sc_started *started, int64_t grace_ms);
/** What tasks have said of how far they are goes to the session. Tasks whose time is over are given
 * up: they end as far as the session is concerned, while their
 * code runs on, so the process has to end soon. Every few milliseconds to 100 ms.
 *  @return true where one was */
bool sc_executor_tick(sc_executor *e);
/** Tasks that have started and not ended; those in threads and queued for them too. */
uint32_t sc_executor_n_running(const sc_executor *e);
/** Nothing may be running. Threads are joined; the memory is released from the loop, later. Sets
 * NULL; NULL is accepted. */
void sc_executor_close(sc_executor **e);

#endif
