/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong in a world, how often and for how long: its shape from the seed, then one evil
 * after the other, then calm. */
#include "tests/sim/world.h"

// One that lives, or NULL; workers, of whose deaths there is most to know, come most often.
static process *
any_process(world *w)
{
    process *worker = w->workers[sc_sim_random(w, w->shape.n_workers)];
    if (worker && sc_sim_random(w, 2))
        return worker->is_dead ? NULL : worker;
    process *p = w->processes[sc_sim_random(w, w->n_processes)];
    return p->is_dead ? NULL : p;
}

static void
stall(world *w, process *p)
{
    static const int64_t lengths_ms[] = {50, 300, 900, 3000, 9000};
    int64_t ms = 1 + (int64_t)sc_sim_random(w, (uint64_t)lengths_ms[sc_sim_random(w, 5)]);
    if (p->kind == A_WORKER && sc_sim_random(w, 4) == 0)
        ms += 5000;            // its supervisor kills it
    if (p->kind == A_WORKER) { // in a task, also in a callback of one that waits, or in none
        sc_worker_stall(p, sc_sim_random(w, 2) ? sc_worker_any_on_loop(p) : NULL, ms * US_A_MS);
        return;
    }
    p->stalled_until_us = w->now_us + ms * US_A_MS;
    sc_sim_trouble(p, ms * US_A_MS);
    w->n_stalls++;
    sc_trace(w, TRACE_STALL, p->number, p->kind, (uint64_t)ms);
}

// A stop of one that is stopped may be longer, never shorter: what it put off comes at its end.
static void
stall_host(world *w, int64_t us)
{
    host *h = w->host;
    if (h->stalled_until_us < w->now_us + us)
        h->stalled_until_us = w->now_us + us;
}

static void
stall_core(world *w)
{
    int64_t ms = 1 + (int64_t)sc_sim_random(w, sc_sim_random(w, 3) ? 300 : 5000);
    stall_host(w, ms * US_A_MS);
    w->n_stalls++;
    sc_trace(w, TRACE_LATE, (uint64_t)ms, 0, 0);
}

// The one that leads stands still for too long, or cannot reach its journal any more.
static void
take_over(world *w)
{
    host *h = w->host;
    if (sc_sim_random(w, 2))
        stall_host(w, 1 + (int64_t)sc_sim_random(w, 5000 * US_A_MS));
    sc_host_take_over(w);
    if (sc_sim_random(w, 2))
        sc_client_visit(w, h->endpoint);
}

// SIGTERM, or at the request of a client that is there.
static void
drain(world *w, process *p)
{
    process *client = w->clients[sc_sim_random(w, w->shape.n_clients)];
    if (client && !client->is_dead && sc_sim_random(w, 2))
        sc_client_ask_to_leave(client, p);
    else if (p->stalled_until_us <= w->now_us)
        sc_worker_drain(p);
}

static void
free_disk(world *w, event *e)
{
    (void)e;
    if (w->host->stalled_until_us > w->now_us)
        sc_sim_after(w, w->host->stalled_until_us - w->now_us, free_disk, NULL, 0);
    else
        sc_host_store_limit(w, UINT64_MAX);
}

// Others fill the disk, and later there is room again.
static void
fill_disk(world *w)
{
    uint64_t bytes = sc_model_store_bytes(w->host->store);
    if (w->host->stalled_until_us > w->now_us)
        return;
    sc_host_store_limit(w, sc_sim_random(w, bytes + bytes / 4 + 100));
    sc_sim_after(w, 1 + (int64_t)sc_sim_random(w, 1500 * US_A_MS), free_disk, NULL, 0);
}

// Killed from elsewhere, or by a fault: of a task on the loop, of those in threads, of nobody's.
static void
crash(world *w, process *p)
{
    bool is_fault = sc_sim_random(w, 3) == 0;
    running *t = is_fault && sc_sim_random(w, 2) ? sc_worker_any_on_loop(p) : NULL;
    if (t)
        t->ref.is_executing = t->ref.is_on_loop = true;
    sc_worker_kill(p, is_fault ? SC_DEATH_FAULT : SC_DEATH_KILLED);
}

static void
chaos(world *w, event *e)
{
    const shape *s = &w->shape;
    process *p = any_process(w);
    (void)e;
    if (w->is_calm)
        return;
    if (p && p->kind == A_WORKER && sc_sim_chance(w, s->p_crash))
        crash(w, p);
    else if (p && p->kind == A_WORKER && sc_sim_chance(w, s->p_drain))
        drain(w, p);
    else if (p && p->kind == A_SUPERVISOR && sc_sim_chance(w, s->p_orphan))
        sc_supervisor_kill(p);
    else if (p && p->stalled_until_us <= w->now_us && sc_sim_chance(w, s->p_stall))
        stall(w, p);
    else if (p && sc_sim_chance(w, s->p_cut))
        sc_net_cut(p, sc_sim_random(w, 2));
    else if (p && sc_sim_chance(w, s->p_cut))
        sc_net_delay(p, (int64_t)sc_sim_random(w, 2000 * US_A_MS));
    else if (p && p->kind == A_CLIENT && sc_sim_chance(w, s->p_leave))
        sc_client_leave(p, sc_sim_random(w, 2));
    else if (sc_sim_chance(w, s->p_core_stall))
        stall_core(w);
    else if (sc_sim_chance(w, s->p_disk))
        fill_disk(w);
    else if (sc_sim_chance(w, s->p_takeover) && sc_host_is_alone(w))
        take_over(w);
    else if (sc_sim_chance(w, s->p_restart))
        sc_host_restart(w);
    sc_sim_after(w, 1 + (int64_t)sc_sim_random(w, 100 * US_A_MS), chaos, NULL, 0);
}

static void
calm_down(world *w, event *e)
{
    (void)e;
    sc_trace(w, TRACE_PHASE, 1, 0, 0);
    w->is_calm = true;
}

// From now on things go wrong, for a while.
void
sc_chaos_start(world *w)
{
    sc_sim_after(w, 0, chaos, NULL, 0);
    if (w->shape.has_bystanders)
        sc_bystanders_start(w);
    sc_sim_after(w, w->shape.chaos_ms * US_A_MS, calm_down, NULL, 0);
}

/* ---- a world's shape ---- */

static uint32_t
up_to(world *w, uint32_t most)
{
    return (uint32_t)sc_sim_random(w, most + 1);
}

void
sc_chaos_choose(world *w)
{
    shape *s = &w->shape;
    s->is_large = w->seed % 10 == 9;
    s->n_workers = 1 + up_to(w, s->is_large ? 5 : 3);
    s->n_clients = 1 + up_to(w, 2);
    s->n_plans = 1 + up_to(w, s->is_large ? 2 : 3);
    s->n_calls = up_to(w, 1) * up_to(w, 10);
    s->chaos_ms = 500 + (int64_t)sc_sim_random(w, 4000);
    s->delay_us = 100 + (int64_t)sc_sim_random(w, up_to(w, 3) ? 2000 : 60000);
    s->store_us = 1 + (int64_t)sc_sim_random(w, up_to(w, 3) ? 1000 : 30000);
    s->has_bystanders = up_to(w, 5) == 0;
    s->has_standby = up_to(w, 3) == 0;
    if (up_to(w, 4) == 0)
        return; // a world without trouble
    if ((s->is_restarts_only = up_to(w, 9) == 0)) {
        s->p_restart = 20 + up_to(w, 60);
        return;
    }
    s->p_crash = up_to(w, 1) * up_to(w, 150);
    s->p_stall = up_to(w, 1) * up_to(w, 150);
    s->p_cut = up_to(w, 1) * up_to(w, 150);
    s->p_core_stall = up_to(w, 1) * up_to(w, 40);
    s->p_leave = up_to(w, 1) * up_to(w, 40);
    s->p_drain = up_to(w, 1) * up_to(w, 150);
    s->p_orphan = up_to(w, 1) * up_to(w, 300);
    s->p_disk = up_to(w, 4) == 0 ? up_to(w, 100) : 0;
    s->p_restart = up_to(w, 2) == 0 ? up_to(w, 60) : 0;
    s->p_takeover = s->has_standby ? 20 + up_to(w, 60) : 0;
    s->p_duplicate = up_to(w, 1) * up_to(w, 100);
    s->p_full = up_to(w, 1) * up_to(w, 60);
    s->p_core_full = up_to(w, 1) * up_to(w, 60);
    s->is_store_small = up_to(w, 20) == 0;
    s->is_store_failing = up_to(w, 20) == 0;
    s->is_journal_failing = up_to(w, 5) == 0;
}
