/* SPDX-License-Identifier: Apache-2.0 */
/* Coordinators' processes: what their shell does with the core's actions, on the simulated network
 * and the model store. The store answers later and in any order. Where there is a standby, one may
 * go on for a while after another leads: what it does then is its own affair, but for what it tells
 * to others. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/world.h"

enum {
    FAREWELL_MS = 100, // from the last word to the end
};

// After a turn the store is within its bound; what is over it is payload that is being uploaded.
static void
run_turn(host *h)
{
    world *w = h->world;
    sc_cluster c;
    sc_core_turn(h->core, sc_sim_ms(w));
    sc_core_counters(h->core, &c);
    if (c.memory_bytes > h->store_limit && !h->is_deposed &&
        (sc_plan_is_volatile_open(w) || sc_model_store_result_bytes(h->store) > 0))
        sc_sim_fail(w, "the store holds %" PRIu64 " of %" PRIu64 " bytes", c.memory_bytes,
                    h->store_limit);
}

static void
turn(world *w, event *e)
{
    host *h = e->object;
    if (h->stalled_until_us > w->now_us)
        sc_sim_set(w, &h->turn, h->stalled_until_us + 1);
    else
        run_turn(h);
}

static void
set_tick(host *h)
{
    world *w = h->world;
    int64_t next_ms = sc_core_next_ms(h->core);
    if (next_ms == INT64_MAX) {
        sc_heap_remove(&w->events, &h->tick.node);
        return;
    }
    int64_t at_us = next_ms * US_A_MS > w->now_us ? next_ms * US_A_MS : w->now_us + 1;
    if (h->tick.node.position == 0 || h->tick.node.deadline_ms != at_us)
        sc_sim_set(w, &h->tick, at_us);
}

// Something was said to the core: its turn comes at once or a little later, with more.
void
sc_host_after_event(host *h)
{
    world *w = h->world;
    if (sc_sim_random(w, 2))
        run_turn(h);
    else if (h->turn.node.position == 0)
        sc_sim_set(w, &h->turn, w->now_us + 1 + (int64_t)sc_sim_random(w, 200));
    set_tick(h);
    if (!w->shape.is_large || w->n_events - w->n_checked >= 1000) {
        w->n_checked = w->n_events;
        sc_core_check(h->core);
    }
}

static void
tick(world *w, event *e)
{
    host *h = e->object;
    if (h->stalled_until_us > w->now_us) { // what has arrived by then is handed in first
        sc_sim_set(w, &h->tick, h->stalled_until_us + 2);
        return;
    }
    sc_trace(w, TRACE_TICK, h->endpoint, 0, 0);
    sc_core_tick(h->core, sc_sim_ms(w));
    sc_host_after_event(h);
}

typedef struct pending {
    sc_model_question question;
    int status;
    host *host; // that asked
} pending;

static void
answer_later(world *w, event *e, int64_t us)
{
    e->owns_object = false;
    sc_sim_after(w, us, e->run, e->object, e->number)->owns_object = true;
}

static void
store_answers(world *w, event *e)
{
    pending *p = e->object;
    host *h = p->host;
    if (h->is_dead || (h->is_deposed && p->question.type == SC_ASKED_TASKS))
        return;
    if (h->stalled_until_us > w->now_us) {
        answer_later(w, e, h->stalled_until_us - w->now_us);
        return;
    }
    plan *j = sc_plan_find(w, p->question.type == SC_ASKED_RESULTS ? &p->question.read.job
                                                                   : &p->question.job);
    bool is_durable = p->question.type != SC_ASKED_STORED && j && j->is_durable;
    uint64_t after = p->question.type == SC_ASKED_RESULTS ? p->question.read.after
                     : p->question.type == SC_ASKED_TASKS ? p->question.after
                                                          : 0;
    if (is_durable && after > h->n_written) { // it waits for what it rests on
        answer_later(w, e, US_A_MS);
        return;
    }
    sc_trace(w, TRACE_STORE, p->question.type, e->number, (uint64_t)-p->status);
    if (p->question.type == SC_ASKED_CHUNK && p->status == SC_EMALFORMED)
        sc_plan_find(w, &p->question.job)->is_unreadable = true;
    sc_model_store_show(h->kept, h->n_written); // of what may be lost with it nobody hears
    if (p->question.type == SC_ASKED_TASKS)
        sc_model_journal_answer(w->journal, &p->question, p->status, h->core, sc_sim_ms(w));
    else
        sc_model_store_answer(is_durable ? h->kept : h->store, &p->question, p->status, h->core,
                              sc_sim_ms(w));
    sc_host_after_event(h);
}

static void
ask(host *h, const sc_model_question *question)
{
    world *w = h->world;
    pending *p = malloc(sizeof *p);
    SC_ASSERT(p);
    *p = (pending){*question, 0, h};
    if (w->shape.is_store_failing && sc_sim_chance(w, 50))
        p->status = question->type == SC_ASKED_STORED                           ? SC_ESTOREFULL
                    : question->type == SC_ASKED_CHUNK && sc_sim_chance(w, 200) ? SC_EMALFORMED
                                                                                : -EIO;
    int64_t us = (int64_t)sc_sim_random(w, (uint64_t)w->shape.store_us);
    if (sc_sim_chance(w, 5))
        us *= 100;
    sc_sim_after(w, us, store_answers, p, w->n_events)->owns_object = true;
}

// A worker forgets what is acknowledged: what came of it is safe.
static void
check_ack(const host *h, uint64_t link, uint64_t number)
{
    const world *w = h->world;
    const process *p = w->conns[link - 1]->peer;
    if (p->kind == A_WORKER && p->results[number % N_RESULTS].host == h &&
        p->results[number % N_RESULTS].number == number &&
        p->results[number % N_RESULTS].write > h->n_written)
        sc_sim_fail(w, "results %" PRIu64 " of %s are acknowledged before they are safe", number,
                    p->name);
}

static void
emit(void *arg, const sc_action *action)
{
    host *h = arg;
    sc_model_question question;
    if (action->type == SC_ACTION_SEND) {
        if (action->send.message->type == SC_MSG_RESULTS_ACK)
            check_ack(h, action->send.link, action->send.message->results_ack.number);
        sc_net_tell(h, action->send.link, action->send.message);
    } else if (action->type == SC_ACTION_EXIT) {
        h->world->has_exited = true;
    } else if (!sc_journal_write(h, action) &&
               sc_model_store_act(action->number ? h->kept : h->store, action, &question)) {
        ask(h, &question);
    }
}

// One who was deposed shows to nobody what ended after that.
static void
on_end(void *arg, const sc_uuid *job, const sc_model_result *result)
{
    const host *h = arg;
    if (!h->is_deposed)
        sc_plan_ended(h->world, job, result);
}

// Nothing comes to it before that time.
static void
start_host(world *w, uint32_t endpoint, int64_t at_ms)
{
    host *h = calloc(1, sizeof *h);
    SC_ASSERT(h);
    *h = (host){.world = w,
                .before = w->host,
                .endpoint = endpoint,
                .stalled_until_us = at_ms * US_A_MS,
                .store_limit = w->options.store_max_bytes,
                .tick = {.run = tick, .object = h, .is_kept = true},
                .turn = {.run = turn, .object = h, .is_kept = true}};
    w->host = h;
    sc_journal_start(h);
    h->store = sc_model_store_new(on_end, h);
    h->kept = sc_model_store_new(on_end, h);
    SC_ASSERT(sc_core_new(&w->options, emit, h, at_ms, &h->core) == 0);
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
        .is_shared = w->shape.has_standby,
    };
    w->journal = sc_model_journal_new();
    start_host(w, 0, sc_sim_ms(w));
}

// The wall clock goes on between two starts, or jumps, to and fro.
static int64_t
wall_clock_ms(world *w)
{
    static const int64_t most_ms[] = {0, 0, 10000, 3 * 86400000};
    int64_t most = most_ms[sc_sim_random(w, 4)];
    return 1700000000000 + sc_sim_ms(w) + (int64_t)sc_sim_random(w, 2 * (uint64_t)most + 1) - most;
}

// Its process is gone: what is to come of it does not.
static void
stop_host(host *h)
{
    h->is_dead = true;
    sc_net_host_gone(h);
    sc_core_free(&h->core);
    sc_heap_remove(&h->world->events, &h->tick.node);
    sc_heap_remove(&h->world->events, &h->turn.node);
    sc_heap_remove(&h->world->events, &h->group.node);
}

// The next coordinator starts with what the journal has; what is said to it until then waits.
static void
start_next(world *w, uint32_t endpoint)
{
    w->n_restarts++;
    w->options.epoch += 1 + sc_sim_random(w, 1000);
    sc_plan_lose(w);
    w->options.started_unix_ms = wall_clock_ms(w);
    int64_t at_ms = sc_sim_ms(w) + 1 + (int64_t)sc_sim_random(w, 1500);
    start_host(w, endpoint, at_ms);
    w->host->is_replaying = true;
    sc_journal_restore(w->host, at_ms);
    w->host->is_replaying = false;
}

void
sc_host_restart(world *w)
{
    host *h = w->host;
    sc_trace(w, TRACE_RESTART, w->options.epoch, 0, 0);
    sc_journal_crash(h);
    stop_host(h);
    bool may_move = w->shape.has_standby && sc_host_is_alone(w);
    start_next(w, may_move ? (uint32_t)sc_sim_random(w, N_ENDPOINTS) : h->endpoint);
}

static void
ends(world *w, event *e)
{
    (void)w;
    host *h = e->object;
    if (!h->is_dead)
        stop_host(h);
}

void
sc_host_deposed(host *h)
{
    sc_trace(h->world, TRACE_DEPOSED, h->endpoint, 0, 0);
    sc_core_deposed(h->core, sc_sim_ms(h->world));
    sc_sim_after(h->world, FAREWELL_MS * US_A_MS, ends, h, 0);
}

// It asks its journal now and then whether it leads.
static void
finds_out(world *w, event *e)
{
    host *h = e->object;
    if (h->is_dead)
        return;
    if (h->stalled_until_us > w->now_us)
        sc_sim_after(w, h->stalled_until_us - w->now_us + (int64_t)sc_sim_random(w, 1000 * US_A_MS),
                     finds_out, h, 0);
    else
        sc_host_deposed(h);
}

void
sc_host_take_over(world *w)
{
    host *h = w->host;
    sc_trace(w, TRACE_TAKEOVER, w->options.epoch, h->endpoint, 0);
    w->n_takeovers++;
    sc_journal_crash(h);
    h->is_deposed = true;
    sc_sim_after(w, (int64_t)sc_sim_random(w, 3000 * US_A_MS), finds_out, h, 0);
    for (uint32_t i = 0; i < w->n_processes; i++)
        sc_sim_trouble(w->processes[i], 0);
    start_next(w, 1 - h->endpoint);
}

host *
sc_host_at(const world *w, uint32_t endpoint)
{
    host *h = w->host;
    while (h && (h->is_dead || h->endpoint != endpoint))
        h = h->before;
    return h;
}

bool
sc_host_is_alone(const world *w)
{
    const host *h = w->host->before;
    while (h && h->is_dead)
        h = h->before;
    return h == NULL;
}

void
sc_host_store_limit(world *w, uint64_t max_bytes)
{
    uint64_t most = w->options.store_max_bytes;
    host *h = w->host;
    h->store_limit = max_bytes < most ? max_bytes : most;
    w->was_limited |= max_bytes < most;
    sc_trace(w, TRACE_DISK, h->store_limit, sc_model_store_bytes(h->store), 0);
    sc_core_store_limit(h->core, max_bytes, sc_sim_ms(w));
    sc_host_after_event(h);
}

// What must be safe before RESULTS are acknowledged, whether they or others before them said it;
// with HELLO their numbers begin anew.
static void
note_results(host *h, process *p, const sc_message *m, uint64_t n_writes_before)
{
    uint64_t number = m->results.number;
    if (m->type == SC_MSG_HELLO)
        memset(p->results, 0, sizeof p->results);
    if (m->type != SC_MSG_RESULTS || (p->results[number % N_RESULTS].host == h &&
                                      p->results[number % N_RESULTS].number == number))
        return; // said twice: the first time counts
    p->results[number % N_RESULTS].host = h;
    p->results[number % N_RESULTS].number = number;
    p->results[number % N_RESULTS].write = h->n_writes > n_writes_before ? h->n_writes
                                           : h->is_deposed               ? 0
                                                           : sc_journal_last_write(h->world, m);
}

void
sc_host_message(conn *c, const sc_message *m)
{
    host *h = c->host;
    world *w = h->world;
    h->who_link = 0;
    h->dying = m->type == SC_MSG_DIED ? &m->died : NULL;
    h->leaving = m->type == SC_MSG_BYE ? c->peer : NULL;
    if (h->dying && !h->is_deposed)
        sc_plan_blame(w, &m->died, 1);
    plan *cancelled = m->type == SC_MSG_CANCEL ? sc_plan_find(w, &m->cancel.job) : NULL;
    if (cancelled) // one who was deposed, too, asks its workers to end what runs
        cancelled->is_cancelled = true;
    uint64_t n_writes = h->n_writes;
    sc_core_message(h->core, c->link, m, sc_sim_ms(w));
    note_results(h, c->peer, m, n_writes);
    h->dying = NULL;
    h->leaving = NULL;
    if (m->type == SC_MSG_DIED && h->who_link != 0 && !h->is_deposed) // it was not heard
        sc_plan_blame(w, &m->died, -1);
    sc_host_after_event(h);
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
sc_host_nonsense(conn *c, const sc_message *m, const sc_error *err)
{
    sc_cluster before, after;
    host *h = c->host;
    world *w = h->world;
    sc_core_counters(h->core, &before);
    if (m)
        sc_core_message(h->core, c->link, m, sc_sim_ms(w));
    else
        sc_core_malformed(h->core, c->link, err, sc_sim_ms(w));
    sc_core_counters(h->core, &after);
    if (!is_same(&before, &after) && before.memory_bytes <= h->store_limit)
        sc_sim_fail(w, "%s of %s changes jobs or calls of others",
                    m ? sc_message_name(m->type) : "nonsense", c->peer->name);
    sc_host_after_event(h);
}

void
sc_host_lost(host *h, uint64_t link)
{
    sc_trace(h->world, TRACE_LOST, link, 0, 0);
    sc_core_send_failed(h->core, link, sc_sim_ms(h->world));
    sc_host_after_event(h);
}

void
sc_host_connection_ended(host *h)
{
    sc_core_connection_ended(h->core, sc_sim_ms(h->world));
    sc_host_after_event(h);
}

void
sc_host_free(world *w)
{
    for (host *h; (h = w->host);) {
        w->host = h->before;
        sc_core_free(&h->core);
        sc_model_store_free(&h->store);
        sc_model_store_free(&h->kept);
        free(h);
    }
}
