/* SPDX-License-Identifier: Apache-2.0 */
/* A worker without a cluster, for tests: a real loop, real threads and the executor, on a session
 * that is fed by hand and keeps what it is told. Included by one file of a test program. */
#ifndef SC_TEST_WORKER_WORLD_H
#define SC_TEST_WORKER_WORLD_H

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/log.h"
#include "proto/run.h"
#include "worker/executor.h"

enum { N_THREADS = 2, N_ASYNC = 3, MAX_RESULTS = 5000 };

struct world {
    uv_loop_t loop;
    uv_idle_t turn;
    uv_timer_t timeout;
    sc_registry *registry;
    sc_hello hello;
    sc_hello_handler handlers[SC_MAX_HANDLERS_A_WORKER];
    sc_shared_page page;
    sc_session *session;
    sc_executor *executor;
    sc_database *database;              // of the test; may be NULL
    uint64_t timeout_ms, kill_after_ms; // of the next run
    uint32_t n_want;                    // results to wait for
    uint32_t n_ended;
    uint32_t n_rows;     // of PROGRESS,
    sc_progress_row row; // the last one
    uint8_t outcome[MAX_RESULTS];
    char value[MAX_RESULTS][500];
};

static int64_t
now_ms(const struct world *w)
{
    return (int64_t)uv_now(&w->loop);
}

static int
on_send(void *arg, const sc_message *m)
{
    struct world *w = arg;
    size_t at = 0;

    for (uint32_t i = 0; m->type == SC_MSG_RESULTS && i < sc_records_count(m->table); i++) {
        sc_record r = sc_records_get(m->table, i);

        w->outcome[r.offset] = (uint8_t)(10 * r.outcome + r.flags);
        snprintf(w->value[r.offset], sizeof w->value[0], "%.*s", (int)r.len, m->bytes.data + at);
        at += r.len;
        w->n_ended++;
    }
    for (uint32_t i = 0; m->type == SC_MSG_PROGRESS && i < m->progress.tasks.n; i++, w->n_rows++)
        w->row = ((const sc_progress_row *)m->progress.tasks.items)[i];
    return 0;
}

static void
on_cancel(void *arg, sc_started *task, int64_t grace_ms)
{
    struct world *w = arg;

    sc_executor_cancel(w->executor, task, grace_ms);
}

static void
on_release(void *arg, uint32_t slot)
{
    struct world *w = arg;

    sc_page_end(&w->page, sc_page_once(&w->page, slot));
}

static void
on_turn(uv_idle_t *turn)
{
    struct world *w = turn->data;

    if (!sc_executor_turn(w->executor))
        uv_idle_stop(turn);
    sc_session_flush(w->session, now_ms(w));
    if (w->n_ended >= w->n_want)
        uv_stop(&w->loop);
}

static void
on_wake(void *arg)
{
    struct world *w = arg;

    uv_idle_start(&w->turn, on_turn);
}

static void
on_timeout(uv_timer_t *timer)
{
    (void)timer;
    cr_assert_fail("nothing ends");
}

static void
set_up(struct world *w)
{
    memset(w, 0, sizeof *w);
    sc_log_init(SC_LOG_ERROR, "test");
    cr_assert_eq(uv_loop_init(&w->loop), 0);
    cr_assert_eq(sc_registry_new(&w->registry), 0);
}

/* After the handlers are in the registry. */
static void
start(struct world *w)
{
    sc_message welcome = {.type = SC_MSG_WELCOME, .welcome.epoch = 1};
    sc_session_config session = {.hello = &w->hello,
                                 .heartbeat_ms = 100,
                                 .lease_ms = 400,
                                 .result_max_bytes = 1 << 24,
                                 .actions = {on_send, on_cancel, on_release, w}};
    sc_executor_config executor = {.loop = &w->loop,
                                   .registry = w->registry,
                                   .database = w->database,
                                   .page = &w->page,
                                   .n_threads = N_THREADS,
                                   .n_async = N_ASYNC,
                                   .on_wake = on_wake,
                                   .arg = w};

    for (uint32_t i = 0; i < sc_registry_count(w->registry); i++) {
        const sc_handler *handler = sc_registry_get(w->registry, i);

        w->handlers[i] = (sc_hello_handler){.name = sc_text_of(handler->name),
                                            .kind = (uint32_t)handler->kind,
                                            .is_once = handler->flags & SC_HANDLER_ONCE};
    }
    w->hello = (sc_hello){.credit_tasks = MAX_RESULTS,
                          .credit_bytes = 1 << 24,
                          .handlers = {w->handlers, sc_registry_count(w->registry)}};
    cr_assert_eq(sc_page_create(N_THREADS, N_ASYNC, 1, &w->page), 0);
    cr_assert_eq(sc_session_new(&session, now_ms(w), &w->session), 0);
    sc_session_message(w->session, &welcome, now_ms(w));
    cr_assert_eq(sc_executor_new(&executor, &w->executor), 0);
    sc_executor_set_session(w->executor, w->session);
    uv_idle_init(&w->loop, &w->turn);
    uv_timer_init(&w->loop, &w->timeout);
    w->turn.data = w;
    uv_timer_start(&w->timeout, on_timeout, 20000, 0);
}

static void
tear_down(struct world *w)
{
    sc_task_ref ref;

    cr_expect_eq(sc_executor_n_running(w->executor), 0);
    cr_expect_eq(sc_page_read(&w->page, &ref, 1), 0, "no task is left in the page");
    cr_expect(sc_session_check(w->session));
    sc_executor_close(&w->executor);
    sc_database_close(&w->database);
    uv_close((uv_handle_t *)&w->turn, NULL);
    uv_close((uv_handle_t *)&w->timeout, NULL);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    cr_expect_eq(uv_loop_close(&w->loop), 0);
    sc_session_free(&w->session);
    sc_registry_free(&w->registry);
    sc_page_close(&w->page);
}

/* A run of `count` tasks (array: the pieces are the same for all) from index 0. */
static void
add_run(struct world *w, const char *handler, const char *args, uint32_t count)
{
    uint32_t len = (uint32_t)strlen(args);
    sc_message m = {.type = SC_MSG_RUN,
                    .run = {.handler = sc_text_of(handler),
                            .token = {1, 1},
                            .timeout_ms = w->timeout_ms,
                            .kill_after_ms = w->kill_after_ms,
                            .count = count,
                            .class = 4,
                            .attempt = 3,
                            .is_array = true},
                    .table = sc_slice_borrow(&len, sizeof len),
                    .bytes = sc_slice_borrow(args, len)};

    m.run.job.bytes[0] = 77;
    sc_session_message(w->session, &m, now_ms(w));
    w->n_want = w->n_ended + count;
    on_wake(w);
}

#endif
