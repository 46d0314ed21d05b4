/* SPDX-License-Identifier: Apache-2.0 */
/* Worker processes around the real session: an executor that ends each task as its plan says, and
 * crashes where it says so. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "tests/sim/world.h"

enum {
    TICK_MS = 50,
    DRAIN_TIMEOUT_MS = 30000,
};

static void step(process *p);

/* ---- tasks ---- */

// What is said of a task, in a buffer of its own.
typedef struct last_words {
    char text[128];
    sc_ending ending;
} last_words;

static const sc_ending *
fail(last_words *l, sc_outcome outcome, const char *code, bool is_retryable)
{
    int n = snprintf(l->text, sizeof l->text, "{\"code\":\"%s\",\"message\":\"m\"}", code);
    l->ending = (sc_ending){
        .outcome = outcome, .is_retryable = is_retryable, .data = l->text, .len = (size_t)n};
    return &l->ending;
}

static const sc_ending *
ending_of(const running *t, last_words *l)
{
    bool is_once = t->started.assignment->is_once;
    if (t->is_cancelled)
        return fail(l, SC_CANCELLED, "cancelled", false);
    if (t->is_overdue)
        return fail(l, SC_DEAD, sc_error_name(SC_ETIMEOUT), !is_once);
    if (t->behaviour.does == DOES_FAIL)
        return fail(l, SC_DEAD, "final", false);
    if (t->behaviour.does == DOES_RETRY)
        return fail(l, SC_DEAD, "flaky", true);
    l->ending = (sc_ending){.outcome = SC_DONE, .data = l->text};
    l->ending.len = sc_plan_value(t->call_hash, l->text, sizeof l->text);
    return &l->ending;
}

static void
end_task(running *t, int64_t now_ms)
{
    process *p = t->worker;
    last_words l;
    t->has_ended = true;
    LIST_REMOVE(t, node);
    STAILQ_INSERT_TAIL(&p->finished, t, ended);
    p->busy[t->kind]--;
    sc_session_measure(p->session, t->handler, (p->world->now_us - t->started_us) * 1000 + 1);
    sc_session_end(p->session, &t->started, ending_of(t, &l), now_ms);
}

running *
sc_worker_any_on_loop(process *p)
{
    running *t, *any = NULL;
    uint64_t n = 0;
    LIST_FOREACH(t, &p->running, node)
        if (t->kind == SC_SLOT_ASYNC && sc_sim_random(p->world, ++n) == 0)
            any = t;
    return any;
}

static void
go_on(world *w, event *e)
{
    process *p = e->object;
    running *t = p->on_loop;
    if (p->stalled_until_us > w->now_us || !t)
        return;
    t->ref.is_executing = t->ref.is_on_loop = false;
    p->on_loop = NULL;
}

void
sc_worker_stall(process *p, running *t, int64_t us)
{
    world *w = p->world;
    p->stalled_until_us = w->now_us + us;
    sc_sim_trouble(p, us);
    p->on_loop = t;
    if (t)
        t->ref.is_executing = t->ref.is_on_loop = true;
    w->n_stalls++;
    sc_trace(w, TRACE_STALL, p->number, p->kind, (uint64_t)us / US_A_MS);
    sc_sim_after(w, us, go_on, p, 0);
}

static void
task_due(world *w, event *e)
{
    running *t = e->object;
    process *p = t->worker;
    if (p->is_dead || t->has_ended)
        return;
    if (p->stalled_until_us > w->now_us) {
        sc_sim_after(w, p->stalled_until_us + 3 - w->now_us, task_due, t, 0);
        return;
    }
    if (t->kind == SC_SLOT_ASYNC && t->n_blocks < t->behaviour.n_blocks) {
        t->n_blocks++;
        sc_worker_stall(p, t, t->behaviour.block_us);
        int64_t pause_us = (int64_t)sc_sim_random(w, sc_sim_random(w, 2) ? 5000 : 500000);
        sc_sim_after(w, t->behaviour.block_us + 3 + pause_us, task_due, t, 0);
        return;
    }
    sc_trace(w, TRACE_END, p->number, t->index, t->plan ? t->plan->number : UINT64_MAX);
    if (t->behaviour.does == DOES_CRASH) {
        t->ref.is_executing = t->ref.is_on_loop = true;
        sc_worker_kill(p, SC_DEATH_FAULT);
        return;
    }
    end_task(t, sc_sim_ms(w));
    step(p);
}

// What the worker was given must be what the client gave.
static void
check_args(running *t)
{
    world *w = t->worker->world;
    sc_buffer scratch;
    sc_slice args;
    char want[256];
    sc_buffer_init(&scratch, 0);
    if (sc_started_args(&t->started, &scratch, &args) < 0)
        sc_sim_fail(w, "arguments of task %" PRIu64 " cannot be joined", t->index);
    t->call_hash = sc_plan_hash(args.data, args.len);
    if (t->plan) {
        uint32_t n = sc_plan_payload(w, t->plan, t->index, want, sizeof want);
        if (n != args.len || memcmp(want, args.data, n) != 0)
            sc_sim_fail(w, "task %" PRIu64 " of job %u was given %.*s", t->index, t->plan->number,
                        (int)args.len, (const char *)args.data);
    }
    sc_buffer_fini(&scratch);
}

/* ---- limits ---- */

// An event of a task that is still to come, or (true) is put off: its process stands still.
static bool
is_put_off(world *w, event *e)
{
    const process *p = ((running *)e->object)->worker;
    if (p->stalled_until_us <= w->now_us)
        return false;
    sc_sim_after(w, p->stalled_until_us + 3 - w->now_us, e->run, e->object, 0);
    return true;
}

// Some handlers look whether their time is over, most do not.
static void
over_timeout(world *w, event *e)
{
    running *t = e->object;
    process *p = t->worker;
    if (p->is_dead || t->has_ended || t->is_cancelled || is_put_off(w, e))
        return;
    t->is_overdue = true;
    if (sc_sim_random(w, 2))
        return;
    end_task(t, sc_sim_ms(w));
    step(p);
}

// It runs on: it is answered for, and its process ends after that.
static void
give_up(world *w, event *e)
{
    running *t = e->object;
    process *p = t->worker;
    last_words l;
    if (p->is_dead || t->has_ended || t->is_given_up || is_put_off(w, e))
        return;
    t->is_given_up = true;
    sc_session_give_up(p->session, &t->started,
                       t->is_cancelled ? ending_of(t, &l)
                                       : fail(&l, SC_DEAD, sc_error_name(SC_EKILLED),
                                              !t->started.assignment->is_once),
                       sc_sim_ms(w));
    if (p->replaced_by_us == 0) {
        p->replaced_by_us = w->now_us + LEASE_MS * US_A_MS;
        p->leaves_by_us = w->now_us + DRAIN_TIMEOUT_MS * US_A_MS;
    }
    sc_worker_drain(p);
}

static void
set_limits(running *t)
{
    world *w = t->worker->world;
    const sc_assignment *a = t->started.assignment;
    if (a->timeout_ms > 0)
        sc_sim_after(w, (a->timeout_ms + 1) * US_A_MS, over_timeout, t, 0);
    if (a->kill_after_ms > 0)
        sc_sim_after(w, (a->kill_after_ms + 1) * US_A_MS, give_up, t, 0);
}

static void
start_task(process *p, sc_slot_kind kind, running *t)
{
    world *w = p->world;
    const sc_assignment *a = t->started.assignment;
    t->worker = p;
    t->kind = kind;
    t->plan = sc_plan_find(w, &a->job);
    t->index = sc_started_index(&t->started);
    t->attempt = a->attempt;
    t->handler = a->handler;
    t->started_us = w->now_us;
    t->ref = (sc_task_ref){a->job, a->token, t->index, kind == SC_SLOT_THREAD, false};
    if (a->is_once)
        p->once[t->started.once] = t;
    p->busy[kind]++;
    w->n_started++;
    check_args(t);
    if (t->plan)
        sc_plan_started(t);
    else
        sc_calls_started(w, t->call_hash);
    LIST_INSERT_HEAD(&p->running, t, node);
    if (t->plan)
        t->behaviour = sc_plan_behaviour(w, t->plan, t->index, t->attempt);
    else
        t->behaviour =
            (behaviour){.takes_us = (int64_t)(t->call_hash % (t->call_hash % 16 ? 5000 : 400000)),
                        .does = DOES_END};
    sc_sim_after(w, t->behaviour.takes_us, task_due, t, 0);
    set_limits(t);
}

static void
step(process *p)
{
    world *w = p->world;
    const uint32_t slots[] = {p->hello.slots_async, p->hello.slots_thread};
    for (int kind = 0; kind < SC_N_SLOT_KINDS; kind++)
        while (p->busy[kind] < slots[kind]) {
            running *t = calloc(1, sizeof *t);
            SC_ASSERT(t);
            if (!sc_session_take(p->session, (sc_slot_kind)kind, &t->started)) {
                free(t);
                break;
            }
            start_task(p, (sc_slot_kind)kind, t);
        }
    sc_session_flush(p->session, sc_sim_ms(w));
    if (!sc_session_check(p->session))
        sc_sim_fail(w, "the session of worker %u does not agree with itself", p->number);
    if (sc_session_n_waiting(p->session) + sc_session_n_running(p->session) > p->hello.credit_tasks)
        sc_sim_fail(w, "worker %u holds more than its credit", p->number);
}

/* ---- what the session asks for ---- */

static int
say(void *arg, const sc_message *m)
{
    return sc_net_say(arg, m);
}

static void
cancel(void *arg, sc_started *task, int64_t grace_ms)
{
    running *t = SC_CONTAINER(task, running, started);
    process *p = arg;
    bool was_cancelled = t->is_cancelled;
    t->is_cancelled = true;
    // Some handlers look whether they are wanted, most do not.
    if (sc_sim_random(p->world, 2))
        end_task(t, sc_sim_ms(p->world));
    else if (grace_ms > 0 && !was_cancelled)
        sc_sim_after(p->world, grace_ms * US_A_MS, give_up, t, 0);
}

static void
next(void *arg)
{
    sc_net_next(arg);
}

static void
release(void *arg, uint32_t slot)
{
    process *p = arg;
    p->once[slot] = NULL;
}

// The session wants no task executing; nothing of this is said any more.
void
sc_worker_end(process *p)
{
    p->is_dead = true;
    for (running *t; (t = LIST_FIRST(&p->running));)
        end_task(t, sc_sim_ms(p->world));
    sc_session_free(&p->session);
}

// It has ended by its own will: drained, or refused because the coordinator still believes in the
// one before it, and then its supervisor tries again.
static void
leave(process *p)
{
    const sc_member *m = sc_session_member(p->session);
    if (m->code != 0 && m->code != SC_ENAMETAKEN)
        sc_sim_fail(p->world, "worker %u was %s", p->number, m->text);
    sc_worker_ended(p);
    sc_supervisor_tell(p->supervisor);
}

void
sc_worker_drain(process *p)
{
    sc_trace(p->world, TRACE_DRAIN, p->number, sc_session_n_waiting(p->session),
             sc_session_n_running(p->session));
    sc_session_drain(p->session, sc_sim_ms(p->world));
    step(p);
}

void
sc_worker_message(process *p, const sc_message *m)
{
    if (m->type == SC_MSG_STOP)
        sc_session_drain(p->session, sc_sim_ms(p->world));
    sc_session_message(p->session, m, sc_sim_ms(p->world));
    step(p);
}

// Some of what runs says how far it is: n of a whole that is smaller, larger, or not known.
static void
say_progress(process *p)
{
    world *w = p->world;
    running *t;
    LIST_FOREACH(t, &p->running, node)
        if (t->index % 3 == 0)
            sc_session_progress(p->session, &t->started, (uint64_t)(w->now_us - t->started_us),
                                t->index % 2 ? (uint64_t)t->behaviour.takes_us : 0);
}

static void
worker_tick(world *w, event *e)
{
    process *p = e->object;
    if (p->is_dead)
        return;
    if (p->stalled_until_us > w->now_us) {
        sc_sim_set(w, &p->tick, p->stalled_until_us + 1);
        return;
    }
    int64_t late_us = w->now_us - p->tick_wanted_us;
    say_progress(p);
    sc_session_tick(p->session, sc_sim_ms(w), late_us / US_A_MS);
    if (p->replaced_by_us > 0) // while it stands still it cannot deliver
        p->replaced_by_us += late_us;
    step(p);
    if (sc_session_member(p->session)->state == SC_MEMBER_ENDED) {
        leave(p);
        return;
    }
    if (p->replaced_by_us > 0 && (sc_session_has_delivered(p->session) ||
                                  w->now_us >= p->replaced_by_us || w->now_us >= p->leaves_by_us)) {
        sc_worker_kill(p, SC_DEATH_STOPPED);
        return;
    }
    p->tick_wanted_us = w->now_us + TICK_MS * US_A_MS;
    sc_sim_set(w, &p->tick, p->tick_wanted_us);
}

/* ---- start and death ---- */

static void
offer(process *p)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < N_HANDLERS; i++) {
        if (p->number > 0 && sc_sim_random(p->world, 5) == 0)
            continue; // the worker at place 0 can do everything
        p->handlers[n++] = (sc_hello_handler){
            .name = sc_text_of(sc_plan_handlers[i]),
            .kind = i % 2 ? SC_SLOT_THREAD : SC_SLOT_ASYNC,
            .is_once = i >= HANDLER_ONCE,
        };
    }
    if (n == 0)
        p->handlers[n++] = (sc_hello_handler){.name = sc_text_of(sc_plan_handlers[0])};
    p->hello.handlers = (sc_list){p->handlers, n};
}

void
sc_worker_start(world *w, uint32_t place)
{
    char name[16];
    if (w->supervisor->is_dead) // the next one will start it
        return;
    snprintf(name, sizeof name, "w%u", place);
    process *p = sc_sim_process(w, A_WORKER, name, place);
    w->workers[place] = p;
    p->supervisor = w->supervisor;
    p->hello = (sc_hello){
        .role = SC_ROLE_WORKER,
        .name = sc_text_of(p->name),
        .instance = p->instance,
        .protocol_min = 1,
        .protocol_max = 1,
        .version = sc_text_of("sim"),
        .host = sc_text_of("sim"),
        .supervisor = w->supervisor->instance,
        .slots_async = 1 + (uint32_t)sc_sim_random(w, 8),
        .slots_thread = 1 + (uint32_t)sc_sim_random(w, 3),
        .credit_tasks = 1 + (uint32_t)sc_sim_random(w, w->shape.is_large ? 4000 : 40),
        .credit_bytes = 500 + sc_sim_random(w, w->shape.is_large ? 500000 : 5000),
    };
    offer(p);
    sc_session_config config = {
        .hello = &p->hello,
        .heartbeat_ms = 200,
        .lease_ms = LEASE_MS,
        .result_max_bytes = 2000 + sc_sim_random(w, 1 << 20),
        .n_endpoints = w->shape.has_standby ? N_ENDPOINTS : 1,
        .next = next,
        .actions = {say, cancel, release, p},
    };
    LIST_INIT(&p->running);
    STAILQ_INIT(&p->finished);
    SC_ASSERT(sc_session_new(&config, sc_sim_ms(w), &p->session) == 0);
    p->tick = (event){.run = worker_tick, .object = p, .is_kept = true};
    p->tick_wanted_us = w->now_us + TICK_MS * US_A_MS;
    sc_sim_set(w, &p->tick, p->tick_wanted_us);
}

void
sc_worker_start_again(world *w, event *e)
{
    process *p = w->workers[e->number];
    if (!w->is_stopping && (!p || p->is_dead))
        sc_worker_start(w, (uint32_t)e->number);
}

void
sc_worker_free(process *p)
{
    sc_worker_end(p);
    for (running *t; (t = STAILQ_FIRST(&p->finished));) {
        STAILQ_REMOVE_HEAD(&p->finished, ended);
        free(t);
    }
    free(p->report.refs);
}
