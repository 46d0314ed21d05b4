/* SPDX-License-Identifier: Apache-2.0 */
/* One world: its events in order; once it is calm everything ends, everything is read again, the
 * cluster is stopped. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/world.h"

enum {
    LOOK_MS = 100,               // how often it is asked whether all is done
    LIMIT_MS_SMALL = 900 * 1000, // of virtual time: some 50 tasks may block, one at a time
    LIMIT_MS_LARGE = 1200 * 1000,
    LIMIT_EVENTS_SMALL = 3 * 1000 * 1000,
    LIMIT_EVENTS_LARGE = 20 * 1000 * 1000,
};

static const world *current;

const world *
sc_sim_current(void)
{
    return current;
}

uint64_t
sc_sim_random(world *w, uint64_t below)
{
    return sc_random_below(&w->random, below);
}

bool
sc_sim_chance(world *w, uint32_t p)
{
    return !w->is_calm && p > 0 && sc_random_below(&w->random, 1000) < p;
}

int64_t
sc_sim_ms(const world *w)
{
    return w->now_us / US_A_MS;
}

/* ---- events ---- */

void
sc_sim_set(world *w, event *e, int64_t at_us)
{
    SC_ASSERT(at_us >= w->now_us);
    SC_ASSERT(sc_heap_set(&w->events, &e->node, at_us) == 0);
}

event *
sc_sim_after(world *w, int64_t us, event_run run, void *object, uint64_t number)
{
    event *e = calloc(1, sizeof *e);
    SC_ASSERT(e);
    *e = (event){.run = run, .object = object, .number = number};
    sc_sim_set(w, e, w->now_us + us);
    return e;
}

static void
drop_event(event *e)
{
    if (e->is_kept)
        return;
    if (e->owns_object)
        free(e->object);
    free(e);
}

void
sc_sim_trouble(process *p, int64_t us)
{
    int64_t until_us = p->world->now_us + us + LEASE_MS * US_A_MS;
    if (until_us > p->trouble_until_us)
        p->trouble_until_us = until_us;
}

process *
sc_sim_process(world *w, process_kind kind, const char *name, uint32_t number)
{
    process *p = calloc(1, sizeof *p);
    if (w->n_processes == w->max_processes) {
        w->max_processes = w->max_processes ? 2 * w->max_processes : 16;
        w->processes = realloc(w->processes, w->max_processes * sizeof(process *));
    }
    SC_ASSERT(p && w->processes);
    w->processes[w->n_processes++] = p;
    p->kind = kind;
    p->world = w;
    p->number = number;
    p->endpoint = w->shape.has_standby ? (uint32_t)sc_sim_random(w, N_ENDPOINTS) : 0;
    p->instance = 1 + sc_sim_random(w, UINT64_MAX - 1);
    snprintf(p->name, sizeof p->name, "%s", name);
    sc_trace(w, TRACE_START, number, kind, 0);
    return p;
}

/* ---- start ---- */

static void
start_worker(world *w, event *e)
{
    sc_worker_start(w, (uint32_t)e->number);
}

static void
start_client(world *w, event *e)
{
    uint32_t place = (uint32_t)e->number;
    char name[16];
    snprintf(name, sizeof name, "c%u", place);
    process *p = w->clients[place] = sc_client_start(w, place, name);
    for (uint32_t i = 0; i < w->n_plans; i++)
        if (i % w->shape.n_clients == place)
            sc_client_submit_later(p, &w->plans[i]);
    sc_client_call_many(p, w->shape.n_calls);
}

static void look(world *w, event *e);

static void
begin_chaos(world *w, event *e)
{
    (void)e;
    sc_chaos_start(w);
}

static void
start(world *w)
{
    uint64_t within_us = 300 * US_A_MS;
    sc_host_start(w);
    sc_supervisor_start(w);
    for (uint32_t i = 0; i < w->shape.n_workers; i++)
        sc_sim_after(w, (int64_t)sc_sim_random(w, within_us), start_worker, NULL, i);
    for (uint32_t i = 0; i < w->shape.n_clients; i++)
        sc_sim_after(w, (int64_t)sc_sim_random(w, within_us), start_client, NULL, i);
    sc_sim_after(w, (int64_t)sc_sim_random(w, within_us), begin_chaos, NULL, 0);
    sc_sim_after(w, LOOK_MS * US_A_MS, look, NULL, 0);
}

/* ---- end ---- */

static bool
is_idle(const world *w)
{
    sc_cluster counters;
    for (uint32_t i = 0; i < w->shape.n_clients; i++)
        if (!w->clients[i])
            return false;
    for (uint32_t i = 0; i < w->n_processes; i++)
        if (w->processes[i]->kind == A_CLIENT && w->processes[i]->n_acts > 0)
            return false;
    sc_core_counters(w->host->core, &counters);
    return counters.jobs_open == 0 && sc_journal_is_idle(w->host) && sc_host_is_alone(w) &&
           w->now_us >= w->staged_until_us;
}

static void
audit(world *w)
{
    sc_trace(w, TRACE_PHASE, 2, 0, 0);
    w->is_auditing = true;
    w->auditor = sc_client_start(w, MAX_CLIENTS, "audit");
    for (uint32_t i = 0; i < w->n_plans; i++) {
        if (!w->plans[i].is_accepted)
            continue;
        sc_told_audit(w, &w->plans[i]);
        for (int order = SC_READ_INDEX; order <= SC_READ_ENDED; order++)
            sc_client_read_all(w->auditor, &w->plans[i], (sc_read_order)order);
        sc_client_ask(w->auditor, &w->plans[i], false);
    }
}

// Calm, then idle, then read again, then stopped.
static void
look(world *w, event *e)
{
    (void)e;
    if (w->is_calm && !w->auditor && is_idle(w)) {
        audit(w);
    } else if (w->auditor && !w->is_stopping && w->auditor->n_acts == 0) {
        sc_plan_check_end(w);
        sc_trace(w, TRACE_PHASE, 3, 0, 0);
        w->is_stopping = true;
        sc_client_stop_cluster(w->auditor);
    }
    sc_sim_after(w, LOOK_MS * US_A_MS, look, NULL, 0);
}

static void
check_limits(const world *w)
{
    uint64_t most = w->shape.is_large ? LIMIT_EVENTS_LARGE : LIMIT_EVENTS_SMALL;
    int64_t most_ms = w->shape.is_large ? LIMIT_MS_LARGE : LIMIT_MS_SMALL;
    sc_cluster c;
    uint32_t n_acts = 0;
    if (w->n_events <= most && sc_sim_ms(w) <= most_ms)
        return;
    for (uint32_t i = 0; i < w->n_processes; i++)
        if (w->processes[i]->kind == A_CLIENT)
            n_acts += sc_client_print(w->processes[i]);
    sc_core_counters(w->host->core, &c);
    sc_sim_fail(w,
                "it does not end: %" PRIu64 " workers, %" PRIu64 " jobs open, %" PRIu64
                " tasks queued, %" PRIu64 " delayed, %" PRIu64 " running, %" PRIu64
                " calls, clients wait for %u things",
                c.workers, c.jobs_open, c.queued, c.delayed, c.running, c.calls_running, n_acts);
}

static void
run(world *w)
{
    while (!w->has_exited) {
        sc_heap_node *node = sc_heap_top(&w->events);
        event *e = SC_CONTAINER(node, event, node);
        SC_ASSERT(node);
        sc_heap_remove(&w->events, node);
        w->now_us = node->deadline_ms;
        w->n_events++;
        check_limits(w);
        e->run(w, e);
        drop_event(e);
    }
}

static void
finish(world *w)
{
    for (sc_heap_node *node; (node = sc_heap_top(&w->events));) {
        sc_heap_remove(&w->events, node);
        drop_event(SC_CONTAINER(node, event, node));
    }
    for (uint32_t i = 0; i < w->n_processes; i++) {
        if (w->processes[i]->kind == A_WORKER)
            sc_worker_free(w->processes[i]);
        else if (w->processes[i]->kind == A_CLIENT)
            sc_client_free_process(w->processes[i]);
        free(w->processes[i]);
    }
    free(w->processes);
    sc_host_free(w);
    sc_model_journal_free(&w->journal);
    sc_net_free(w);
    sc_plan_free(w);
    sc_history_free(&w->history);
    sc_history_free(&w->shown);
    sc_decoder_free(&w->decoder);
    sc_buffer_fini(&w->encoded);
    sc_heap_fini(&w->events);
}

static void
print_summary(const world *w)
{
    printf("seed %" PRIu64 ": %s, %u workers, %u jobs, %" PRIu64 " tasks, %" PRIu64
           " starts (%" PRIu64 " again), %" PRIu64 " deaths, %" PRIu64 " cuts, %" PRIu64
           " stalls, ",
           w->seed, w->shape.is_large ? "large" : "small", w->shape.n_workers, w->n_plans,
           sc_history_n_accepted(w->shown), w->n_started, w->n_started_again, w->n_crashes,
           w->n_cuts, w->n_stalls);
    printf("%u restarts (%u taken over), %" PRIu64 " retries, %" PRIu64 "+%" PRIu64
           " calls, %" PRIu64 " rows, %" PRIu64 " events, %" PRId64 " ms\n",
           w->n_restarts, w->n_takeovers, w->n_retries, w->n_calls_done, w->n_calls_failed,
           w->n_rows_read, w->n_events, sc_sim_ms(w));
}

uint64_t
sc_sim_world(uint64_t seed, bool is_verbose)
{
    world *w = calloc(1, sizeof *w);
    SC_ASSERT(w && sc_decoder_new(&w->decoder) == 0);
    w->seed = seed;
    w->is_verbose = is_verbose;
    w->hash = 0xcbf29ce484222325;
    w->now_us = 1000 * US_A_MS;
    sc_random_init(&w->random, seed);
    sc_heap_init(&w->events);
    sc_buffer_init(&w->encoded, 0);
    w->history = sc_history_new();
    w->shown = sc_history_new();
    current = w;
    sc_chaos_choose(w);
    sc_plan_make(w);
    start(w);
    run(w);
    if (is_verbose)
        print_summary(w);
    uint64_t hash = w->hash;
    finish(w);
    current = NULL;
    free(w);
    return hash;
}
