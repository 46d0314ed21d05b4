/* SPDX-License-Identifier: Apache-2.0 */
/* Slots, tasks and measuring: see executor.h. A task whose handler ends it inside run() costs no
 * allocation, a few stores to the shared page and a share of a reading of the clock; everything
 * else follows from that. */
#include "worker/executor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slab.h"
#include "worker/task.h"
#include "worker/threads.h"

enum {
    TURN_TASKS = 2000, // then heartbeats and calls are looked after
    TURN_NS = 1000 * 1000,
    NS_A_MS = 1000 * 1000,
    QUICK_NS = 2000, // tasks that take less share a reading of the clock,
    QUICK_GROUP = 8, // so many of them
    QUEUE_NS =
        1000 * 1000,  // measured work that may lie in front of the threads, so that they need not
    QUEUE_TASKS = 64, // wait for the loop; what lies there cannot be recalled
    KEEP_BYTES = 64 * 1024, // buffers of a free task that are larger are given back
    JOINED_MAX = SC_TASK_MAX_BYTES,
};

struct sc_executor {
    sc_executor_config config;
    sc_session *session;
    sc_threads *threads;
    sc_slab slab;
    sc_heap limits; // of tasks that have some
    char text[128]; // of an ending that names a limit
    STAILQ_HEAD(, sc_task) free_tasks;
    uint32_t n_waiting;          // asynchronous tasks that wait,
    uint32_t n_queued;           // and tasks in threads or in front of them
    _Atomic(sc_task *) reported; // stack of those that said how far they are (next_reported)
    sc_task *entered; // the one that waited and whose callback is running, as far as it said so
    uint32_t slots[]; // free slots of the page for waiting tasks: n_async - n_waiting of them
};

static void run_in_thread(sc_task *task, uint32_t thread);
static void on_thread_ended(void *arg, sc_task *task);

static void
wake(void *arg)
{
    sc_executor *e = arg;

    e->config.on_wake(e->config.arg);
}

int
sc_executor_new(const sc_executor_config *config, sc_executor **out)
{
    sc_executor *e = calloc(1, sizeof *e + config->n_async * sizeof *e->slots);
    sc_threads_config threads = {.loop = config->loop,
                                 .n_threads = config->n_threads,
                                 .run = run_in_thread,
                                 .on_ended = on_thread_ended,
                                 .on_turn = wake,
                                 .arg = e};
    int rc = e ? sc_threads_new(&threads, &e->threads) : SC_ENOMEM;

    if (rc != 0) {
        free(e);
        return rc;
    }
    e->config = *config;
    STAILQ_INIT(&e->free_tasks);
    sc_slab_init(&e->slab, sizeof(sc_task), 0); // bounded by the slots and the queue
    sc_heap_init(&e->limits);
    for (uint32_t i = 0; i < config->n_async; i++)
        e->slots[i] = 1 + config->n_threads + i;
    *out = e;
    return 0;
}

void
sc_executor_set_session(sc_executor *e, sc_session *session)
{
    e->session = session;
}

void
sc_executor_close(sc_executor **executor)
{
    sc_executor *e = *executor;
    sc_task *task;

    if (!e)
        return;
    SC_ASSERT(sc_executor_n_running(e) == 0);
    sc_threads_close(&e->threads);
    for (task = STAILQ_FIRST(&e->free_tasks); task; task = STAILQ_NEXT(task, node)) {
        sc_buffer_fini(&task->joined);
        sc_buffer_fini(&task->value);
    }
    sc_slab_fini(&e->slab);
    sc_heap_fini(&e->limits);
    free(e);
    *executor = NULL;
}

/* ---- tasks ---- */

static sc_task *
new_task(sc_executor *e)
{
    sc_task *task = STAILQ_FIRST(&e->free_tasks);

    if (task) {
        STAILQ_REMOVE_HEAD(&e->free_tasks, node);
        return task;
    }
    task = sc_slab_new(&e->slab);
    if (!task)
        return NULL;
    task->executor = e;
    sc_buffer_init(&task->joined, JOINED_MAX);
    sc_buffer_init(&task->value, 0);
    return task;
}

static void
free_task(sc_executor *e, sc_task *task)
{
    if (task->joined.capacity > KEEP_BYTES)
        sc_buffer_fini(&task->joined);
    if (task->value.capacity > KEEP_BYTES)
        sc_buffer_fini(&task->value);
    task->state = SC_TASK_FREE;
    sc_heap_remove(&e->limits, &task->limit);
    STAILQ_INSERT_HEAD(&e->free_tasks, task, node);
}

static sc_task_ref
reference(const sc_task *task, bool is_executing)
{
    const sc_assignment *a = task->started.assignment;

    return (sc_task_ref){.job = a->job,
                         .token = a->token,
                         .index = sc_started_index(&task->started),
                         .is_executing = is_executing};
}

/* Its code is about to run. */
static void
begin(sc_task *task, uint32_t slot)
{
    sc_shared_page *page = task->executor->config.page;
    sc_task_ref ref = reference(task, false);

    if (task->started.assignment->is_once) // until the session releases it
        sc_page_begin(page, sc_page_once(page, task->started.once), &ref);
    ref.is_executing = true;
    sc_page_begin(page, slot, &ref);
}

static const char cancelled_text[] = "{\"code\":\"cancelled\",\"message\":\"cancelled\"}";
static const char too_large_text[] =
    "{\"code\":\"too_large\",\"message\":\"the arguments are larger than allowed\"}";
static const char no_memory_text[] =
    "{\"code\":\"system\",\"message\":\"the worker has no memory for this task\"}";

static const sc_ending cancelled = {
    .outcome = SC_CANCELLED, .data = cancelled_text, .len = sizeof cancelled_text - 1};
static const sc_ending too_large = {
    .outcome = SC_DEAD, .data = too_large_text, .len = sizeof too_large_text - 1};
static const sc_ending no_memory = {.outcome = SC_DEAD,
                                    .is_retryable = true,
                                    .data = no_memory_text,
                                    .len = sizeof no_memory_text - 1};

static int64_t
now_ms(const sc_executor *e)
{
    return (int64_t)uv_now(e->config.loop);
}

/* The failure of a task that ran for longer than it may; one that may not be repeated is over with
 * it. @return `out`, valid until the next */
static const sc_ending *
overrun(sc_executor *e, const sc_task *task, int code, sc_ending *out)
{
    const sc_assignment *a = task->started.assignment;
    int64_t limit_ms = code == SC_EKILLED ? a->kill_after_ms : a->timeout_ms;
    int n = snprintf(e->text, sizeof e->text,
                     "{\"code\":\"%s\",\"message\":\"it ran for longer than %" PRId64 " ms\"}",
                     sc_error_name(code), limit_ms);

    *out = (sc_ending){
        .outcome = SC_DEAD, .is_retryable = !a->is_once, .data = e->text, .len = (size_t)n};
    return out;
}

/* Ends a task in the session. Reading its assignment is over with this. */
static void
end(sc_executor *e, sc_task *task, const sc_ending *ending)
{
    sc_ending late;

    if (task->fate == SC_FATE_CANCELLED)
        ending = &cancelled;
    else if (task->fate == SC_FATE_TIMED_OUT)
        ending = overrun(e, task, SC_ETIMEOUT, &late);
    sc_session_end(e->session, &task->started, ending, now_ms(e));
}

/* The next task of a kind, ready to be run; NULL where there is none. */
static sc_task *
take(sc_executor *e, sc_slot_kind kind)
{
    sc_task *task = new_task(e);
    int rc;

    if (!task)
        return NULL;
    while (sc_session_take(e->session, kind, &task->started)) {
        task->handler_number = task->started.assignment->handler;
        task->handler = sc_registry_get(e->config.registry, task->handler_number);
        task->is_checked = sc_registry_is_plugin(e->config.registry, task->handler_number);
        task->is_ended = false;
        task->fate = SC_FATE_OWN;
        task->give_up_ms = 0;
        task->data = NULL;
        atomic_store_explicit(&task->begun_ms, 0, memory_order_relaxed);
        atomic_store_explicit(&task->is_cancelled, false, memory_order_relaxed);
        atomic_store_explicit(&task->progress, 0, memory_order_relaxed);
        atomic_store_explicit(&task->progress_of, 0, memory_order_relaxed);
        rc = sc_started_args(&task->started, &task->joined, &task->args);
        if (rc == 0)
            return task;
        end(e, task, rc == SC_ELIMIT ? &too_large : &no_memory);
    }
    free_task(e, task);
    return NULL;
}

void
sc_executor_enter(sc_executor *e, sc_task *task)
{
    if (task->state != SC_TASK_WAITING)
        return; // inside run() it is known
    e->entered = task;
    begin(task, SC_PAGE_LOOP);
}

void
sc_executor_leave(sc_executor *e, sc_task *task)
{
    if (e->entered != task)
        return;
    e->entered = NULL;
    sc_page_end(e->config.page, SC_PAGE_LOOP);
}

void
sc_executor_end(sc_executor *e, sc_task *task, const sc_ending *ending)
{
    SC_ASSERT(!task->is_ended);
    task->is_ended = true;
    if (task->state == SC_TASK_QUEUED) { // in a thread: the loop does the rest
        sc_buffer_clear(&task->value);
        task->ending = no_memory;
        if (sc_buffer_add(&task->value, ending->data, ending->len) == 0) {
            task->ending = *ending;
            task->ending.data = task->value.data;
        }
        return;
    }
    end(e, task, ending);
    if (task->state == SC_TASK_CALLED)
        return; // run_async does the rest
    sc_session_measure(e->session, task->handler_number, sc_clock_ns() - task->started_ns);
    sc_executor_leave(e, task);
    sc_page_end(e->config.page, task->slot);
    e->n_waiting--;
    e->slots[e->config.n_async - e->n_waiting - 1] = task->slot;
    free_task(e, task);
    wake(e);
}

/* ---- limits ---- */

static int64_t
earlier(int64_t at_ms, int64_t other_ms)
{
    return other_ms < at_ms ? other_ms : at_ms;
}

/* Sets when its limits are looked at. One that has not begun has all of its time; a millisecond may
 * have begun long before it did. */
static void
arm(sc_executor *e, sc_task *task)
{
    const sc_assignment *a = task->started.assignment;
    int64_t begun_ms = atomic_load(&task->begun_ms), at_ms = INT64_MAX;

    begun_ms = begun_ms > 0 ? begun_ms : now_ms(e);
    if (a->timeout_ms > 0 && task->fate == SC_FATE_OWN)
        at_ms = earlier(at_ms, begun_ms + a->timeout_ms + 1);
    if (a->kill_after_ms > 0)
        at_ms = earlier(at_ms, begun_ms + a->kill_after_ms + 1);
    if (task->give_up_ms > 0)
        at_ms = earlier(at_ms, task->give_up_ms);
    if (at_ms < INT64_MAX && sc_heap_set(&e->limits, &task->limit, at_ms) != 0)
        sc_log_warn("no memory: a task runs without its time limit");
}

/* Its handler sees that it is to end; it may do so before this returns. */
static void
tell(sc_executor *e, sc_task *task)
{
    if (atomic_exchange(&task->is_cancelled, true) || task->state != SC_TASK_WAITING ||
        !task->handler->cancel)
        return;
    sc_executor_enter(e, task);
    task->handler->cancel(task, task->handler->state);
    sc_executor_leave(e, task); // does nothing where it has ended
}

/* ---- on the loop ---- */

/* It did not end inside run(): from now on it waits in a slot. */
static void
keep_waiting(sc_executor *e, sc_task *task)
{
    sc_task_ref ref = reference(task, false);

    task->slot = e->slots[e->config.n_async - e->n_waiting - 1];
    task->state = SC_TASK_WAITING;
    e->n_waiting++;
    atomic_store_explicit(&task->begun_ms, now_ms(e), memory_order_relaxed);
    arm(e, task);
    sc_page_begin(e->config.page, task->slot, &ref);
}

/* Calls one handler. @return true where the task ended in it */
static bool
call(sc_executor *e, sc_task *task, int64_t now_ns)
{
    task->state = SC_TASK_CALLED;
    task->started_ns = now_ns;
    begin(task, SC_PAGE_LOOP);
    task->handler->run(task, task->handler->state);
    if (!task->is_ended) {
        keep_waiting(e, task);
        return false;
    }
    free_task(e, task);
    return true;
}

static bool
turn_async(sc_executor *e)
{
    int64_t start_ns = sc_clock_ns();
    int64_t now_ns = start_ns, last_ns = start_ns;
    unsigned group = 1, n_since = 0; // tasks a reading of the clock, and since the last one
    sc_task *task = NULL;

    for (int i = 0; i < TURN_TASKS && now_ns - start_ns < TURN_NS; i++) {
        uint32_t handler;
        int64_t one_ns;
        bool is_ended;

        task = e->n_waiting < e->config.n_async ? take(e, SC_SLOT_ASYNC) : NULL;
        if (!task)
            break;
        handler = task->handler_number;
        is_ended = call(e, task, now_ns);
        if (++n_since < group && is_ended)
            continue;
        now_ns = sc_clock_ns();
        one_ns = (now_ns - last_ns) / n_since;
        last_ns = now_ns;
        if (is_ended)
            sc_session_measure(e->session, handler, one_ns);
        group = one_ns < QUICK_NS ? QUICK_GROUP : 1;
        n_since = 0;
    }
    sc_page_end(e->config.page, SC_PAGE_LOOP);
    return task != NULL;
}

/* ---- in threads ---- */

static void
run_in_thread(sc_task *task, uint32_t thread)
{
    task->started_ns = sc_clock_ns();
    atomic_store_explicit(&task->begun_ms, sc_clock_ms(), memory_order_relaxed);
    if (!sc_task_is_cancelled(task)) {
        begin(task, 1 + thread);
        task->handler->run(task, task->handler->state);
        if (!task->is_ended)
            sc_task_fail(task, "internal", false, "the handler returned without ending its task");
    }
    sc_page_end(task->executor->config.page, 1 + thread);
    task->took_ns = sc_clock_ns() - task->started_ns;
}

static void
on_thread_ended(void *arg, sc_task *task)
{
    sc_executor *e = arg;

    if (task->fate == SC_FATE_TIMED_OUT &&
        task->took_ns < task->started.assignment->timeout_ms * NS_A_MS)
        task->fate = SC_FATE_OWN; // it was in time, and we are late
    if (task->is_ended)           // otherwise it was cancelled before its turn came
        sc_session_measure(e->session, task->handler_number, task->took_ns);
    end(e, task, &task->ending);
    e->n_queued--;
    free_task(e, task);
}

/* One task a thread, and behind them as many as are done before the loop could bring the next. */
static uint32_t
room_in_threads(const sc_executor *e)
{
    uint64_t cost_ns = sc_session_next_cost_ns(e->session, SC_SLOT_THREAD);
    uint64_t n_ahead = cost_ns > 0 ? QUEUE_NS / cost_ns : 0;

    return e->config.n_threads + (uint32_t)(n_ahead < QUEUE_TASKS ? n_ahead : QUEUE_TASKS);
}

static void
turn_threads(sc_executor *e)
{
    sc_task *task;

    while (e->n_queued < room_in_threads(e) && (task = take(e, SC_SLOT_THREAD))) {
        task->state = SC_TASK_QUEUED;
        e->n_queued++;
        arm(e, task);
        sc_threads_add(e->threads, task);
    }
}

/* ---- the rest ---- */

bool
sc_executor_turn(sc_executor *e)
{
    turn_threads(e);
    return turn_async(e);
}

void
sc_executor_cancel(sc_executor *e, sc_started *started, int64_t grace_ms)
{
    sc_task *task = SC_CONTAINER(started, sc_task, started);

    if (task->fate == SC_FATE_CANCELLED)
        return;
    task->fate = SC_FATE_CANCELLED;
    task->give_up_ms = grace_ms > 0 ? now_ms(e) + grace_ms : 0;
    arm(e, task);
    tell(e, task);
}

/* It still runs, and its process has to end for that. @return false where it has not begun: its
 * turn comes behind one that has */
static bool
give_up(sc_executor *e, sc_task *task, int64_t begun_ms)
{
    sc_ending late;
    const sc_ending *ending = &cancelled;

    if (task->fate != SC_FATE_CANCELLED)
        ending = overrun(e, task, SC_EKILLED, &late);
    if (begun_ms > 0)
        sc_log_warn("task %" PRIu64 " of handler %s is given up, it runs on after %s",
                    sc_started_index(&task->started), task->handler->name,
                    task->fate == SC_FATE_CANCELLED ? "it was cancelled" : "its hard time limit");
    sc_session_give_up(e->session, &task->started, ending, now_ms(e));
    return begun_ms > 0;
}

/* Once in the stack, a task that says more costs the loop nothing. The loop takes the stack as a
 * whole and then marks each as not in it before it reads: either it sees what is being said, or
 * that is put there again. */
void
sc_executor_report(sc_executor *e, sc_task *task)
{
    if (atomic_load(&task->is_reported) || atomic_exchange(&task->is_reported, true))
        return;
    task->next_reported = atomic_load(&e->reported);
    while (!atomic_compare_exchange_weak(&e->reported, &task->next_reported, task))
        ;
}

/* One that has ended since may run something else by now, which says nothing perhaps. */
static void
take_reports(sc_executor *e)
{
    sc_task *next;

    for (sc_task *task = atomic_exchange(&e->reported, NULL); task; task = next) {
        uint64_t n, of;

        next = task->next_reported;
        atomic_store(&task->is_reported, false);
        n = atomic_load(&task->progress);
        of = atomic_load(&task->progress_of);
        if (task->state != SC_TASK_FREE && (n > 0 || of > 0))
            sc_session_progress(e->session, &task->started, n, of);
    }
}

bool
sc_executor_tick(sc_executor *e)
{
    bool is_any = false;

    take_reports(e);
    for (sc_heap_node *node; (node = sc_heap_pop_due(&e->limits, now_ms(e)));) {
        sc_task *task = SC_CONTAINER(node, sc_task, limit);
        const sc_assignment *a = task->started.assignment;
        int64_t begun_ms = atomic_load(&task->begun_ms);
        int64_t ran_ms = begun_ms > 0 ? now_ms(e) - begun_ms : 0;

        if ((task->give_up_ms > 0 && now_ms(e) >= task->give_up_ms) ||
            (a->kill_after_ms > 0 && ran_ms > a->kill_after_ms)) {
            is_any |= give_up(e, task, begun_ms);
            continue;
        }
        if (task->fate == SC_FATE_OWN && a->timeout_ms > 0 && ran_ms > a->timeout_ms) {
            task->fate = SC_FATE_TIMED_OUT;
            tell(e, task);
        }
        if (task->state != SC_TASK_FREE)
            arm(e, task);
    }
    return is_any;
}

uint32_t
sc_executor_n_running(const sc_executor *e)
{
    return e->n_waiting + e->n_queued;
}

uv_loop_t *
sc_executor_loop(const sc_executor *e)
{
    return e->config.loop;
}

sc_database *
sc_executor_database(const sc_executor *e)
{
    return e->config.database;
}
