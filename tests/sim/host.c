/* SPDX-License-Identifier: Apache-2.0 */
/* The coordinator's process: what its shell does with the core's actions, on the simulated network
 * and the model store. The store answers later and in any order. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/world.h"

// After a turn the store is within its bound; what is over it is payload that is being uploaded.
static void
run_turn(world *w)
{
    sc_cluster c;
    sc_core_turn(w->core, sc_sim_ms(w));
    sc_core_counters(w->core, &c);
    if (c.memory_bytes > w->store_limit &&
        (sc_plan_is_volatile_open(w) || sc_model_store_result_bytes(w->store) > 0))
        sc_sim_fail(w, "the store holds %" PRIu64 " of %" PRIu64 " bytes", c.memory_bytes,
                    w->store_limit);
}

static void
turn(world *w, event *e)
{
    (void)e;
    if (w->core_stalled_until_us > w->now_us)
        sc_sim_set(w, &w->core_turn, w->core_stalled_until_us + 1);
    else
        run_turn(w);
}

static void
set_tick(world *w)
{
    int64_t next_ms = sc_core_next_ms(w->core);
    if (next_ms == INT64_MAX) {
        sc_heap_remove(&w->events, &w->core_tick.node);
        return;
    }
    int64_t at_us = next_ms * US_A_MS > w->now_us ? next_ms * US_A_MS : w->now_us + 1;
    if (w->core_tick.node.position == 0 || w->core_tick.node.deadline_ms != at_us)
        sc_sim_set(w, &w->core_tick, at_us);
}

// Something was said to the core: its turn comes at once or a little later, with more.
void
sc_host_after_event(world *w)
{
    if (sc_sim_random(w, 2))
        run_turn(w);
    else if (w->core_turn.node.position == 0)
        sc_sim_set(w, &w->core_turn, w->now_us + 1 + (int64_t)sc_sim_random(w, 200));
    set_tick(w);
    if (!w->shape.is_large || w->n_events - w->n_checked >= 1000) {
        w->n_checked = w->n_events;
        sc_core_check(w->core);
    }
}

static void
tick(world *w, event *e)
{
    (void)e;
    if (w->core_stalled_until_us > w->now_us) { // what has arrived by then is handed in first
        sc_sim_set(w, &w->core_tick, w->core_stalled_until_us + 2);
        return;
    }
    sc_trace(w, TRACE_TICK, 0, 0, 0);
    sc_core_tick(w->core, sc_sim_ms(w));
    sc_host_after_event(w);
}

typedef struct pending {
    sc_model_question question;
    int status;
    uint32_t epoch; // of the coordinator that asked
    bool is_late;   // waited for what it rests on
} pending;

static void
store_answers(world *w, event *e)
{
    pending *p = e->object;
    if (w->core_stalled_until_us > w->now_us) {
        e->owns_object = false;
        sc_sim_after(w, w->core_stalled_until_us - w->now_us, store_answers, p, e->number)
            ->owns_object = true;
        return;
    }
    if (p->epoch != w->n_restarts)
        return;
    plan *j = sc_plan_find(w, p->question.type == SC_ASKED_RESULTS ? &p->question.read.job
                                                                   : &p->question.job);
    bool is_durable = p->question.type != SC_ASKED_STORED && j && j->is_durable;
    if (is_durable && p->question.type == SC_ASKED_RESULTS &&
        p->question.read.after > w->n_written) {
        e->owns_object = false;
        sc_sim_after(w, US_A_MS, store_answers, p, e->number)->owns_object = true;
        return;
    }
    sc_trace(w, TRACE_STORE, p->question.type, e->number, (uint64_t)-p->status);
    if (p->question.type == SC_ASKED_CHUNK && p->status < 0)
        sc_plan_find(w, &p->question.job)->is_unreadable = true;
    sc_model_store_answer(is_durable ? w->kept : w->store, &p->question, p->status, w->core,
                          sc_sim_ms(w));
    sc_host_after_event(w);
}

static void
ask(world *w, const sc_model_question *question)
{
    pending *p = malloc(sizeof *p);
    SC_ASSERT(p);
    *p = (pending){*question, 0, w->n_restarts, false};
    if (w->shape.is_store_failing && sc_sim_chance(w, 50))
        p->status = question->type == SC_ASKED_STORED ? SC_ESTOREFULL : -EIO;
    int64_t us = (int64_t)sc_sim_random(w, (uint64_t)w->shape.store_us);
    if (sc_sim_chance(w, 5))
        us *= 100;
    sc_sim_after(w, us, store_answers, p, w->n_events)->owns_object = true;
}

// A worker forgets what is acknowledged: what came of it is safe.
static void
check_ack(world *w, uint64_t link, uint64_t number)
{
    const process *p = w->conns[link - 1]->peer;
    if (p->kind == A_WORKER && p->results[number % N_RESULTS].number == number &&
        p->results[number % N_RESULTS].write > w->n_written)
        sc_sim_fail(w, "results %" PRIu64 " of %s are acknowledged before they are safe", number,
                    p->name);
}

static void
emit(void *arg, const sc_action *action)
{
    world *w = arg;
    sc_model_question question;
    if (action->type == SC_ACTION_SEND) {
        if (action->send.message->type == SC_MSG_RESULTS_ACK)
            check_ack(w, action->send.link, action->send.message->results_ack.number);
        sc_net_tell(w, action->send.link, action->send.message);
    } else if (action->type == SC_ACTION_EXIT) {
        w->has_exited = true;
    } else if (!sc_journal_write(w, action) &&
               sc_model_store_act(action->number ? w->kept : w->store, action, &question)) {
        ask(w, &question);
    }
}

static void
on_end(void *arg, const sc_uuid *job, const sc_model_result *result)
{
    sc_plan_ended(arg, job, result);
}

// Nothing comes to it before that time.
static void
start_core(world *w, int64_t at_ms)
{
    w->store_limit = w->options.store_max_bytes;
    w->store = sc_model_store_new(on_end, w);
    w->kept = sc_model_store_new(on_end, w);
    SC_ASSERT(sc_core_new(&w->options, emit, w, at_ms, &w->core) == 0);
}

void
sc_host_start(world *w)
{
    w->options = (sc_core_options){
        .epoch = 1 + w->seed,
        .seed = w->seed,
        .pid = 1,
        .host = "sim",
        .started_unix_ms = 1700000000000,
        .heartbeat_ms = 200,
        .lease_ms = LEASE_MS,
        .staged_timeout_ms = STAGED_MS,
        .waiting_ms = 50,
        .drain_timeout_ms = 60000,
        .cancel_grace_ms = 2000,
        .queue_max_bytes = w->shape.is_store_small ? 64 << 10 : 64 << 20,
        .store_max_bytes = w->shape.is_store_small ? 32 << 10 : 64 << 20,
        .max_jobs = 100,
        .retention_ms = 7 * 86400000,
    };
    w->core_tick = (event){.run = tick, .is_kept = true};
    w->core_turn = (event){.run = turn, .is_kept = true};
    sc_journal_start(w);
    start_core(w, sc_sim_ms(w));
}

// The wall clock goes on between two starts, or jumps.
static int64_t
wall_clock_ms(world *w)
{
    int64_t jump_ms = sc_sim_random(w, 4) ? 0 : (int64_t)sc_sim_random(w, 20000) - 10000;
    return 1700000000000 + sc_sim_ms(w) + jump_ms;
}

void
sc_host_restart(world *w)
{
    sc_trace(w, TRACE_RESTART, w->options.epoch, 0, 0);
    sc_journal_crash(w);
    sc_host_free(w);
    sc_heap_remove(&w->events, &w->core_tick.node);
    sc_heap_remove(&w->events, &w->core_turn.node);
    for (uint32_t i = 0; i < w->n_processes; i++)
        if (!w->processes[i]->is_dead) {
            sc_net_cut(w->processes[i], !w->shape.is_restarts_only && sc_sim_random(w, 2));
            memset(w->processes[i]->results, 0, sizeof w->processes[i]->results);
        }
    w->n_restarts++;
    w->options.epoch += 1 + sc_sim_random(w, 1000);
    sc_plan_lose(w);
    w->options.started_unix_ms = wall_clock_ms(w);
    // what is said to it until it has started waits
    int64_t at_ms = sc_sim_ms(w) + 1 + (int64_t)sc_sim_random(w, 1500);
    w->core_stalled_until_us = at_ms * US_A_MS;
    start_core(w, at_ms);
    sc_journal_restore(w, at_ms);
}

void
sc_host_store_limit(world *w, uint64_t max_bytes)
{
    uint64_t most = w->options.store_max_bytes;
    w->store_limit = max_bytes < most ? max_bytes : most;
    w->was_limited |= max_bytes < most;
    sc_trace(w, TRACE_DISK, w->store_limit, sc_model_store_bytes(w->store), 0);
    sc_core_store_limit(w->core, max_bytes, sc_sim_ms(w));
    sc_host_after_event(w);
}

// What must be safe before RESULTS are acknowledged, whether they or others before them said it;
// with HELLO their numbers begin anew.
static void
note_results(world *w, process *p, const sc_message *m, uint64_t n_writes_before)
{
    uint64_t n_writes = sc_model_journal_n_writes(w->journal), number = m->results.number;
    if (m->type == SC_MSG_HELLO)
        memset(p->results, 0, sizeof p->results);
    if (m->type != SC_MSG_RESULTS || p->results[number % N_RESULTS].number == number)
        return; // said twice: the first time counts
    p->results[number % N_RESULTS].number = number;
    p->results[number % N_RESULTS].write =
        n_writes > n_writes_before ? n_writes : sc_journal_last_write(w, m);
}

void
sc_host_message(world *w, conn *c, const sc_message *m)
{
    w->who_link = 0;
    w->dying = m->type == SC_MSG_DIED ? &m->died : NULL;
    w->leaving = m->type == SC_MSG_BYE ? c->peer : NULL;
    if (w->dying)
        sc_plan_blame(w, &m->died, 1);
    uint64_t n_writes = sc_model_journal_n_writes(w->journal);
    sc_core_message(w->core, c->link, m, sc_sim_ms(w));
    note_results(w, c->peer, m, n_writes);
    w->dying = NULL;
    w->leaving = NULL;
    if (m->type == SC_MSG_DIED && w->who_link != 0) // it was not heard
        sc_plan_blame(w, &m->died, -1);
    sc_host_after_event(w);
}

// What the core knows of jobs and calls.
static bool
is_same(const sc_cluster *a, const sc_cluster *b)
{
    return a->jobs == b->jobs && a->jobs_open == b->jobs_open && a->queued == b->queued &&
           a->delayed == b->delayed && a->running == b->running && a->done == b->done &&
           a->dead == b->dead && a->cancelled == b->cancelled &&
           a->calls_running == b->calls_running && a->calls_done == b->calls_done &&
           a->memory_bytes == b->memory_bytes;
}

void
sc_host_nonsense(world *w, conn *c, const sc_message *m, const sc_error *err)
{
    sc_cluster before, after;
    sc_core_counters(w->core, &before);
    if (m)
        sc_core_message(w->core, c->link, m, sc_sim_ms(w));
    else
        sc_core_malformed(w->core, c->link, err, sc_sim_ms(w));
    sc_core_counters(w->core, &after);
    if (!is_same(&before, &after) && before.memory_bytes <= w->store_limit)
        sc_sim_fail(w, "%s of %s changes jobs or calls of others",
                    m ? sc_message_name(m->type) : "nonsense", c->peer->name);
    sc_host_after_event(w);
}

void
sc_host_lost(world *w, uint64_t link)
{
    sc_trace(w, TRACE_LOST, link, 0, 0);
    sc_core_send_failed(w->core, link, sc_sim_ms(w));
    sc_host_after_event(w);
}

void
sc_host_free(world *w)
{
    sc_core_free(&w->core);
    sc_model_store_free(&w->store);
    sc_model_store_free(&w->kept);
}
