/* SPDX-License-Identifier: Apache-2.0 */
/* The executor with a real loop and real threads, on a session that is fed by hand: what a handler
 * can do, on the loop and in a thread, and that nothing is left at the end. */
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/test_worker_world.h"

/* ---- handlers ---- */

static void
echo(sc_task *task, void *state)
{
    size_t len;
    const char *args = sc_task_args(task, &len);

    cr_assert_str_eq(state, "mine");
    sc_task_done(task, args, len);
}

static void
describe(sc_task *task, void *state)
{
    char text[80];
    int len = snprintf(text, sizeof text, "[%d,%d,%d]", (int)sc_task_index(task),
                       (int)sc_task_attempt(task), sc_task_job(task)[0]);

    (void)state;
    sc_task_done(task, text, (size_t)len);
}

static void
fail(sc_task *task, void *state)
{
    (void)state;
    sc_task_fail(task, "odd", true, "say \"%s\"", "hi");
}

static void
on_closed(uv_handle_t *handle)
{
    sc_task *task = handle->data;

    free(handle);
    sc_task_done(task, "\"later\"", 7);
}

static void
on_timer(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, on_closed);
}

/* Ends after the arguments' number of milliseconds. */
static void
later(sc_task *task, void *state)
{
    uv_timer_t *timer = malloc(sizeof *timer);
    size_t len;

    (void)state;
    uv_timer_init(sc_task_loop(task), timer);
    timer->data = task;
    sc_task_set_data(task, timer);
    uv_timer_start(timer, on_timer, strtoull(sc_task_args(task, &len), NULL, 10), 0);
}

static void
cancel_later(sc_task *task, void *state)
{
    (void)state;
    on_timer(sc_task_data(task));
}

/* What the page says of tasks that wait while their callbacks run. */
static struct {
    const sc_shared_page *page;
    char text[100];
} seen;

static void
look(const char *where)
{
    size_t at = strlen(seen.text);
    sc_task_ref refs[8];
    uint32_t n = sc_page_read(seen.page, refs, 8);

    at += (size_t)snprintf(seen.text + at, sizeof seen.text - at, "%s=", where);
    for (uint32_t i = 0; i < n; i++)
        at += (size_t)snprintf(seen.text + at, sizeof seen.text - at, "%d%s%s", (int)refs[i].index,
                               refs[i].is_executing ? "x" : "", refs[i].is_on_loop ? "l" : "");
    snprintf(seen.text + at, sizeof seen.text - at, " ");
}

static void
on_watched_closed(uv_handle_t *handle)
{
    sc_task *task = handle->data;

    look("silent");
    sc_task_enter(task);
    look("entered");
    sc_task_leave(task);
    look("left");
    sc_task_enter(task);
    free(handle);
    sc_task_done(task, "1", 1);
    look("ended");
}

static void
on_watched_timer(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, on_watched_closed);
}

static void
watched(sc_task *task, void *state)
{
    uv_timer_t *timer = malloc(sizeof *timer);

    (void)state;
    sc_task_enter(task); // is known
    uv_timer_init(sc_task_loop(task), timer);
    timer->data = task;
    sc_task_set_data(task, timer);
    uv_timer_start(timer, on_watched_timer, sc_task_index(task) == 0 ? 1 : 600000, 0);
}

static void
cancel_watched(sc_task *task, void *state)
{
    (void)state;
    look("cancel");
    on_watched_timer(sc_task_data(task));
}

static void
forgetful(sc_task *task, void *state)
{
    (void)task;
    (void)state;
}

/* Until it is cancelled. */
static void
stubborn(sc_task *task, void *state)
{
    (void)state;
    while (!sc_task_is_cancelled(task))
        usleep(100);
    sc_task_done(task, "1", 1);
}

/* Does not look whether anybody wants it. */
static atomic_bool has_begun, is_let_go;

static void
deaf(sc_task *task, void *state)
{
    (void)state;
    atomic_store(&has_begun, true);
    while (!atomic_load(&is_let_go))
        usleep(100);
    sc_task_done(task, "1", 1);
}

/* Waits for the test to end it. */
static sc_task *kept;

static void
keep(sc_task *task, void *state)
{
    (void)state;
    kept = task;
}

/* Says a million times how far it is, and more than the whole at the end. */
static void
count_fast(sc_task *task, void *state)
{
    (void)state;
    for (uint64_t n = 1; n <= 1000001; n++)
        sc_task_progress(task, n, 1000000);
    atomic_store(&has_begun, true);
    while (!atomic_load(&is_let_go))
        usleep(100);
    sc_task_done(task, "1", 1);
}

/* Says it on the loop, then waits. */
static void
count_later(sc_task *task, void *state)
{
    sc_task_progress(task, sc_task_index(task), 100);
    later(task, state);
}

static void
query(sc_task *task, void *state)
{
    struct sc_result *rows;
    sc_error err = {0};

    (void)state;
    sc_task_query(task, NULL, 0, &rows, &err);
    sc_task_fail(task, sc_error_name(err.code), sc_task_may_retry(task, &err), "%s", err.text);
}

static char mine[] = "mine";
static const sc_handler handlers[] = {
    {.name = "echo", .run = echo, .state = mine},
    {.name = "describe", .run = describe},
    {.name = "fail", .run = fail},
    {.name = "later", .run = later, .cancel = cancel_later},
    {.name = "watched", .run = watched, .cancel = cancel_watched},
    {.name = "t.echo", .kind = SC_HANDLER_THREAD, .run = echo, .state = mine},
    {.name = "t.describe", .kind = SC_HANDLER_THREAD, .run = describe},
    {.name = "t.fail", .kind = SC_HANDLER_THREAD, .run = fail},
    {.name = "t.forgetful", .kind = SC_HANDLER_THREAD, .run = forgetful},
    {.name = "kept", .run = keep},
    {.name = "t.deaf", .kind = SC_HANDLER_THREAD, .run = deaf},
    {.name = "t.stubborn", .kind = SC_HANDLER_THREAD, .run = stubborn},
    {.name = "once", .run = echo, .state = mine, .flags = SC_HANDLER_ONCE},
    {.name = "once.later", .run = later, .flags = SC_HANDLER_ONCE},
    {.name = "once.t",
     .kind = SC_HANDLER_THREAD,
     .run = echo,
     .state = mine,
     .flags = SC_HANDLER_ONCE},
    {.name = "t.count", .kind = SC_HANDLER_THREAD, .run = count_fast},
    {.name = "count.later", .run = count_later, .cancel = cancel_later},
    {.name = "t.query", .kind = SC_HANDLER_THREAD, .run = query},
    {.name = "once.stubborn", .kind = SC_HANDLER_THREAD, .run = stubborn, .flags = SC_HANDLER_ONCE},
};
enum { N_HANDLERS = sizeof handlers / sizeof *handlers };

static void
begin(struct world *w)
{
    set_up(w);
    for (int i = 0; i < N_HANDLERS; i++)
        cr_assert_eq(sc_registry_add(w->registry, &handlers[i]), 0);
    start(w);
}

Test(executor, handlers)
{
    static const struct {
        const char *handler, *args;
        uint32_t count;
        uint8_t outcome;   // ten times the outcome, plus flags
        const char *value; // of the last one
    } rows[] = {
        {"echo", "{\"a\":  1}", 3, 0, "{\"a\":  1}"},
        {"echo", "", 1, 0, "null"},
        {"describe", "null", 3, 0, "[2,3,77]"},
        {"fail", "null", 2, 11, "{\"code\":\"odd\",\"message\":\"say \\\"hi\\\"\"}"},
        {"later", "1", 10, 0, "\"later\""},
        {"t.echo", "[1]", 100, 0, "[1]"},
        {"t.describe", "null", 5, 0, "[4,3,77]"},
        {"t.fail", "null", 3, 11, "{\"code\":\"odd\",\"message\":\"say \\\"hi\\\"\"}"},
        {"t.forgetful", "null", 2, 10,
         "{\"code\":\"internal\",\"message\":\"the handler returned without ending its task\"}"},
        {"t.query", "null", 2, 10,
         "{\"code\":\"database\",\"message\":\"this worker has no database\"}"},
        {"echo", "0123456789", 1000, 0, "0123456789"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world *w = malloc(sizeof *w);
        uint32_t last = rows[i].count - 1;

        begin(w);
        add_run(w, rows[i].handler, rows[i].args, rows[i].count);
        uv_run(&w->loop, UV_RUN_DEFAULT);
        cr_expect_eq(w->n_ended, rows[i].count, "%s", rows[i].handler);
        cr_expect_eq(w->outcome[last], rows[i].outcome, "%s: %d", rows[i].handler,
                     w->outcome[last]);
        cr_expect_str_eq(w->value[last], rows[i].value, "%s: %s", rows[i].handler, w->value[last]);
        tear_down(w);
        free(w);
    }
}

static void
turn_until_running(struct world *w, uint32_t n)
{
    while (sc_executor_n_running(w->executor) < n)
        uv_run(&w->loop, UV_RUN_NOWAIT);
}

Test(executor, cancel)
{
    static const struct {
        const char *handler, *args;
        uint32_t count, n_running;
    } rows[] = {
        {"later", "600000", 3, 3},
        {"t.stubborn", "null", 2, 2},
    };
    static const sc_message cancel = {
        .type = SC_MSG_RECALL,
        .recall = {.job = {{77}}, .token = {1, 1}, .count = 100, .mode = SC_RECALL_CANCEL}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world *w = malloc(sizeof *w);
        sc_task_ref refs[8];

        begin(w);
        add_run(w, rows[i].handler, rows[i].args, rows[i].count);
        turn_until_running(w, rows[i].n_running);
        if (strcmp(rows[i].handler, "later") == 0)
            cr_expect_eq(sc_page_read(&w->page, refs, 8), rows[i].count, "%s", rows[i].handler);
        sc_session_message(w->session, &cancel, 0);
        uv_run(&w->loop, UV_RUN_DEFAULT);
        cr_expect_eq(w->n_ended, rows[i].count, "%s", rows[i].handler);
        cr_expect_eq(w->outcome[0], 20, "%s: %d", rows[i].handler, w->outcome[0]);
        cr_expect(strstr(w->value[0], "\"cancelled\""), "%s: %s", rows[i].handler, w->value[0]);
        tear_down(w);
        free(w);
    }
}

/* It ends in the session while its code runs on; what that says then is nothing. */
Test(executor, what_is_cancelled_and_runs_on_is_given_up)
{
    static const struct {
        const char *handler;
        bool is_thread;
    } rows[] = {{"t.deaf", true}, {"kept", false}};
    static const sc_message cancel = {
        .type = SC_MSG_RECALL,
        .recall = {
            .job = {{77}}, .token = {1, 1}, .count = 100, .mode = SC_RECALL_CANCEL, .grace_ms = 1}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world *w = malloc(sizeof *w);

        begin(w);
        atomic_store(&is_let_go, false);
        add_run(w, rows[i].handler, "null", 1);
        turn_until_running(w, 1);
        while (rows[i].is_thread && !atomic_load(&has_begun))
            uv_run(&w->loop, UV_RUN_NOWAIT);
        cr_expect_not(sc_executor_tick(w->executor), "%s: nobody has cancelled it",
                      rows[i].handler);
        sc_session_message(w->session, &cancel, 0);
        while (!sc_executor_tick(w->executor))
            uv_run(&w->loop, UV_RUN_NOWAIT);
        sc_session_flush(w->session, 0);
        cr_expect_eq(w->n_ended, 1, "%s", rows[i].handler);
        cr_expect_eq(w->outcome[0], 20, "%s: %d", rows[i].handler, w->outcome[0]);
        cr_expect_eq(sc_executor_n_running(w->executor), 1, "%s", rows[i].handler);
        atomic_store(&is_let_go, true);
        if (kept)
            sc_task_done(kept, "1", 1);
        while (sc_executor_n_running(w->executor) > 0)
            uv_run(&w->loop, UV_RUN_NOWAIT);
        sc_session_flush(w->session, 0);
        cr_expect_eq(w->n_ended, 1, "%s: once", rows[i].handler);
        kept = NULL;
        tear_down(w);
        free(w);
    }
}

/* A task that runs for longer than it may has failed, whatever it says then. */
Test(executor, limits)
{
    static const struct {
        const char *name, *handler, *args;
        uint64_t timeout_ms, kill_after_ms;
        int want; // as in the world
        const char *code;
        bool is_given_up;
    } rows[] = {
        {"it ends when it is told", "later", "600000", 1, 0, 11, "timeout", false},
        {"a thread, too", "t.stubborn", "null", 1, 0, 11, "timeout", false},
        {"it runs on", "t.deaf", "null", 1, 2, 11, "killed", true},
        {"on the loop", "kept", "null", 0, 1, 11, "killed", true},
        {"may not be repeated", "once.stubborn", "null", 1, 0, 10, "timeout", false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world *w = malloc(sizeof *w);
        bool is_given_up = false;

        begin(w);
        atomic_store(&is_let_go, false);
        w->timeout_ms = rows[i].timeout_ms;
        w->kill_after_ms = rows[i].kill_after_ms;
        add_run(w, rows[i].handler, rows[i].args, 1);
        turn_until_running(w, 1);
        while (w->n_ended == 0) {
            is_given_up |= sc_executor_tick(w->executor);
            uv_run(&w->loop, UV_RUN_NOWAIT);
            sc_session_flush(w->session, 0);
        }
        cr_expect_eq(w->outcome[0], rows[i].want, "%s: %d", rows[i].name, w->outcome[0]);
        cr_expect(strstr(w->value[0], rows[i].code), "%s: %s", rows[i].name, w->value[0]);
        cr_expect_eq(is_given_up, rows[i].is_given_up, "%s", rows[i].name);
        atomic_store(&is_let_go, true);
        if (kept)
            sc_task_done(kept, "1", 1);
        kept = NULL;
        while (sc_executor_n_running(w->executor) > 0)
            uv_run(&w->loop, UV_RUN_NOWAIT);
        sc_session_message(w->session,
                           &(sc_message){.type = SC_MSG_RESULTS_ACK, .results_ack.number = 1}, 0);
        tear_down(w);
        free(w);
    }
}

/* Slots bound what runs at once; the rest waits in the session. */
Test(executor, slots)
{
    static const struct {
        const char *handler;
        uint32_t want;
    } rows[] = {{"later", N_ASYNC}, {"t.stubborn", N_THREADS}};
    static const sc_message cancel = {
        .type = SC_MSG_RECALL,
        .recall = {.job = {{77}}, .token = {1, 1}, .count = 100, .mode = SC_RECALL_CANCEL}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world *w = malloc(sizeof *w);

        begin(w);
        add_run(w, rows[i].handler, "600000", 20);
        turn_until_running(w, rows[i].want);
        uv_run(&w->loop, UV_RUN_NOWAIT);
        cr_expect_eq(sc_session_n_running(w->session), rows[i].want, "%s", rows[i].handler);
        cr_expect_eq(sc_session_n_waiting(w->session), 20 - rows[i].want, "%s", rows[i].handler);
        w->n_want = rows[i].want;
        sc_session_message(w->session, &cancel, 0); // the others are given back
        uv_run(&w->loop, UV_RUN_DEFAULT);
        cr_expect_eq(w->n_ended, rows[i].want, "%s", rows[i].handler);
        tear_down(w);
        free(w);
    }
}

/* Tasks that may not be repeated stay in the page until their results are acknowledged. */
Test(executor, once)
{
    static const struct {
        const char *handler, *args;
    } rows[] = {{"once", "1"}, {"once.later", "1"}, {"once.t", "1"}};
    static const sc_message ack = {.type = SC_MSG_RESULTS_ACK, .results_ack.number = UINT64_MAX};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world *w = malloc(sizeof *w);
        bool is_there[4] = {false};
        sc_task_ref refs[8];

        begin(w);
        add_run(w, rows[i].handler, rows[i].args, 4);
        uv_run(&w->loop, UV_RUN_DEFAULT);
        cr_expect_eq(w->n_ended, 4, "%s", rows[i].handler);
        cr_expect_eq(sc_page_read(&w->page, refs, 8), 4, "%s", rows[i].handler);
        for (int k = 0; k < 4; k++) {
            cr_expect(!refs[k].is_executing && refs[k].job.bytes[0] == 77, "%s", rows[i].handler);
            is_there[refs[k].index % 4] = true;
        }
        cr_expect(is_there[0] && is_there[1] && is_there[2] && is_there[3], "%s", rows[i].handler);
        sc_session_message(w->session, &ack, 0);
        tear_down(w);
        free(w);
    }
}

/* What waits in front of the threads has not started. */
Test(executor, once_in_the_queue_of_threads)
{
    static const sc_message cancel = {
        .type = SC_MSG_RECALL,
        .recall = {.job = {{77}}, .token = {1, 1}, .count = 100, .mode = SC_RECALL_FORGET}};
    struct world *w = malloc(sizeof *w);
    sc_task_ref refs[8];

    begin(w);
    sc_session_measure(w->session, N_HANDLERS - 1, 1); // quick, so that some are queued
    add_run(w, "once.stubborn", "null", 20);
    turn_until_running(w, 20);
    while (sc_page_read(&w->page, refs, 8) < N_THREADS)
        uv_run(&w->loop, UV_RUN_NOWAIT);
    cr_expect_eq(sc_page_read(&w->page, refs, 8), N_THREADS);
    cr_expect(refs[0].is_executing && refs[1].is_executing);
    w->n_want = 1000; // forgotten: none comes
    sc_session_message(w->session, &cancel, 0);
    while (sc_executor_n_running(w->executor) > 0)
        uv_run(&w->loop, UV_RUN_ONCE);
    tear_down(w);
    free(w);
}

Test(executor, callbacks)
{
    static const sc_message cancel = {
        .type = SC_MSG_RECALL,
        .recall = {.job = {{77}}, .token = {1, 1}, .count = 100, .mode = SC_RECALL_CANCEL}};
    struct world *w = malloc(sizeof *w);

    begin(w);
    seen.page = &w->page;
    add_run(w, "watched", "null", 2);
    turn_until_running(w, 2);
    while (w->n_ended < 1)
        uv_run(&w->loop, UV_RUN_ONCE);
    cr_expect_str_eq(seen.text, "silent=10 entered=0xl1 left=10 ended=1 ", "%s", seen.text);
    seen.text[0] = '\0';
    sc_session_message(w->session, &cancel, 0);
    look("cancelled");
    uv_run(&w->loop, UV_RUN_DEFAULT);
    cr_expect_str_eq(seen.text, "cancel=1xl cancelled=1 silent=1 entered=1xl left=1 ended= ", "%s",
                     seen.text);
    tear_down(w);
    free(w);
}

/* ---- progress ---- */

Test(executor, progress_of_a_thread)
{
    struct world *w = malloc(sizeof *w);

    begin(w);
    add_run(w, "t.count", "null", 1);
    while (!atomic_load(&has_begun))
        uv_run(&w->loop, UV_RUN_NOWAIT);
    sc_executor_tick(w->executor);
    sc_executor_tick(w->executor);
    sc_session_tick(w->session, now_ms(w), 0);
    cr_expect_eq(w->row.n, 1000000, "%d", (int)w->row.n);
    cr_expect_eq(w->row.of, 1000000);
    cr_expect_eq(w->n_rows, 1, "a million words are one row");
    atomic_store(&is_let_go, true);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    tear_down(w);
    free(w);
}

/* The memory of tasks that have ended is used again, and still lies where the loop looks. */
Test(executor, progress_of_those_before)
{
    static const sc_message cancel = {
        .type = SC_MSG_RECALL,
        .recall = {.job = {{77}}, .token = {1, 1}, .count = 100, .mode = SC_RECALL_CANCEL}};
    struct world *w = malloc(sizeof *w);

    begin(w);
    add_run(w, "count.later", "1", 10);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    add_run(w, "later", "600000", 1);
    turn_until_running(w, 1);
    sc_executor_tick(w->executor);
    sc_session_tick(w->session, now_ms(w), 0);
    cr_expect_eq(w->n_rows, 0, "who runs now has said nothing");
    sc_session_message(w->session, &cancel, now_ms(w));
    uv_run(&w->loop, UV_RUN_DEFAULT);
    cr_expect_eq(w->n_ended, 11);
    tear_down(w);
    free(w);
}
