/* SPDX-License-Identifier: Apache-2.0 */
/* The supervisor of all worker processes: it finds dead ones and tells so with what their pages
 * say, kills those whose loop stands still, starts new ones. */
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "tests/sim/world.h"

enum {
    TICK_MS = 50,
    TASK_LEASE_MS = 5000,
    MAX_REFS = 2000,
};

static const int64_t for_ever_us = INT64_MAX / 4;

static int
say(void *arg, const sc_message *m)
{
    return sc_net_say(arg, m);
}

static void
next(void *arg)
{
    sc_net_next(arg);
}

/* ---- deaths ---- */

static bool
workers_are_gone(const world *w)
{
    for (uint32_t i = 0; i < w->shape.n_workers; i++)
        if (w->workers[i] && !w->workers[i]->is_dead)
            return false;
    return true;
}

// Says what it has to say, as far as it can.
void
sc_supervisor_tell(process *p)
{
    for (report *r; (r = STAILQ_FIRST(&p->reports));) {
        sc_message m = {.type = SC_MSG_DIED};
        m.died = (sc_died){
            sc_text_of(r->worker->name), r->worker->instance, r->death, 0, {r->refs, r->n_refs}};
        if (sc_member_send(&p->member, &m, sc_sim_ms(p->world)) != 0)
            return;
        STAILQ_REMOVE_HEAD(&p->reports, node);
    }
    if (p->is_draining && workers_are_gone(p->world))
        sc_member_leave(&p->member, "stopped", sc_sim_ms(p->world));
}

// What the supervisor finds in the page: tasks that had started, and of those that may not be
// repeated also the ones that have ended, as far as the session has not released them.
static uint32_t
read_page(process *p, sc_task_ref *refs)
{
    uint32_t n = 0;
    running *t;
    LIST_FOREACH(t, &p->running, node)
        if (n < MAX_REFS)
            refs[n++] = t->ref;
    for (uint32_t i = 0; i < SC_ONCE_MAX && n < MAX_REFS; i++) {
        if (!p->once[i] || !p->once[i]->has_ended)
            continue;
        refs[n] = p->once[i]->ref;
        refs[n].is_executing = refs[n].is_on_loop = false;
        n++;
    }
    return n;
}

static void
found_dead(world *w, event *e)
{
    report *r = e->object;
    process *p = r->worker->supervisor;
    (void)w;
    STAILQ_INSERT_TAIL(&p->reports, r, node);
    sc_supervisor_tell(p); // unless it is dead too
}

// Another process comes to its place, once the supervisor has found it dead.
static void
bury(process *p, sc_death death)
{
    world *w = p->world;
    report *r = &p->report;
    r->refs = calloc(MAX_REFS, sizeof *r->refs);
    SC_ASSERT(r->refs);
    r->worker = p;
    r->death = death;
    r->n_refs = read_page(p, r->refs);
    w->n_crashes++;
    sc_trace(w, TRACE_DIE, p->number, death, r->n_refs);
    sc_worker_end(p);
    // Mostly at once; sometimes after the silence has told.
    uint64_t most_us = sc_sim_random(w, 5) ? 20000 : 2000000;
    sc_sim_after(w, 1000 + (int64_t)sc_sim_random(w, most_us), found_dead, r, 0);
    sc_sim_after(w, 5000 + (int64_t)sc_sim_random(w, 300000), sc_worker_start_again, NULL,
                 p->number);
}

void
sc_worker_kill(process *p, sc_death death)
{
    sc_sim_trouble(p, for_ever_us);
    bury(p, death);
    sc_net_cut(p, sc_sim_random(p->world, 2));
}

void
sc_worker_ended(process *p)
{
    sc_sim_trouble(p, for_ever_us); // for who speaks to it before its BYE has arrived
    bury(p, SC_DEATH_STOPPED);
}

// The next one starts all workers anew.
static void
start_next(world *w, event *e)
{
    (void)e;
    if (w->is_stopping)
        return;
    sc_supervisor_start(w);
    for (uint32_t i = 0; i < w->shape.n_workers; i++)
        sc_worker_start(w, i);
}

void
sc_supervisor_kill(process *p)
{
    world *w = p->world;
    sc_trace(w, TRACE_DIE, UINT64_MAX, SC_DEATH_KILLED, 0);
    p->is_dead = true;
    sc_net_cut(p, sc_sim_random(w, 2));
    for (uint32_t i = 0; i < w->shape.n_workers; i++) {
        process *worker = w->workers[i];
        if (!worker || worker->is_dead)
            continue;
        sc_sim_trouble(worker, for_ever_us);
        sc_worker_end(worker);
        sc_net_cut(worker, sc_sim_random(w, 2));
    }
    sc_sim_after(w, 5000 + (int64_t)sc_sim_random(w, 2000000), start_next, NULL, 0);
}

/* ---- its loop ---- */

static void
sigterm(world *w, event *e)
{
    process *p = e->object;
    (void)w;
    if (!p->is_dead)
        sc_worker_drain(p);
}

// SIGTERM to one of them. In its place another one comes: somebody has started it.
static void
drain_one(world *w, sc_text name)
{
    for (uint32_t i = 0; i < w->shape.n_workers; i++) {
        process *p = w->workers[i];
        if (p && !p->is_dead && sc_text_equal(name, p->name))
            sc_sim_after(w, p->stalled_until_us > w->now_us ? p->stalled_until_us - w->now_us : 0,
                         sigterm, p, 0);
    }
}

void
sc_supervisor_message(process *p, const sc_message *m)
{
    world *w = p->world;
    (void)sc_member_message(&p->member, m, sc_sim_ms(w));
    if (m->type == SC_MSG_STOP && !p->is_draining) {
        p->is_draining = true;
        for (uint32_t i = 0; i < w->shape.n_workers; i++)
            if (w->workers[i] && !w->workers[i]->is_dead)
                sc_session_drain(w->workers[i]->session, sc_sim_ms(w));
    }
    if (m->type == SC_MSG_DRAIN)
        drain_one(w, m->drain.name);
    sc_supervisor_tell(p);
}

static void
kill_stalled(world *w)
{
    for (uint32_t i = 0; i < w->shape.n_workers; i++) {
        process *p = w->workers[i];
        if (p && !p->is_dead && w->now_us - p->tick_wanted_us > TASK_LEASE_MS * US_A_MS)
            sc_worker_kill(p, SC_DEATH_STALLED);
    }
}

static void
supervisor_tick(world *w, event *e)
{
    process *p = e->object;
    int64_t late_us = w->now_us - p->tick_wanted_us;
    if (p->is_dead)
        return;
    if (p->stalled_until_us > w->now_us) {
        sc_sim_set(w, &p->tick, p->stalled_until_us + 1);
        return;
    }
    kill_stalled(w);
    sc_member_tick(&p->member, sc_sim_ms(w), late_us > 100 * US_A_MS ? late_us / US_A_MS : 0);
    if (sc_member_must_say(&p->member, sc_sim_ms(w)))
        (void)sc_member_send(&p->member, &(sc_message){.type = SC_MSG_HEARTBEAT}, sc_sim_ms(w));
    sc_supervisor_tell(p);
    if (p->member.state == SC_MEMBER_ENDED && p->member.code != 0) {
        // the coordinator still believes in the one before it
        if (p->member.code != SC_ENAMETAKEN)
            sc_sim_fail(w, "the supervisor was %s", p->member.text);
        sc_supervisor_kill(p);
        return;
    }
    p->tick_wanted_us = w->now_us + TICK_MS * US_A_MS;
    sc_sim_set(w, &p->tick, p->tick_wanted_us);
}

void
sc_supervisor_start(world *w)
{
    process *p = sc_sim_process(w, A_SUPERVISOR, "sup", 0);
    w->supervisor = p;
    p->hello = (sc_hello){.role = SC_ROLE_SUPERVISOR,
                          .name = sc_text_of(p->name),
                          .instance = p->instance,
                          .protocol_min = 1,
                          .protocol_max = 1,
                          .version = sc_text_of("sim"),
                          .host = sc_text_of("sim")};
    sc_member_config config = {.hello = &p->hello,
                               .heartbeat_ms = 200,
                               .lease_ms = LEASE_MS,
                               .task_max_bytes = SC_TASK_MAX_BYTES,
                               .n_endpoints = w->shape.has_standby ? N_ENDPOINTS : 1,
                               .next = next,
                               .send = say,
                               .arg = p};
    STAILQ_INIT(&p->reports);
    sc_member_init(&p->member, &config, sc_sim_ms(w));
    p->tick = (event){.run = supervisor_tick, .object = p, .is_kept = true};
    p->tick_wanted_us = w->now_us + TICK_MS * US_A_MS;
    sc_sim_set(w, &p->tick, p->tick_wanted_us);
}
