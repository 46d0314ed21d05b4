/* SPDX-License-Identifier: Apache-2.0 */
/* Two peers that mean no good: a client, and a worker whose handler nobody wants. They say again
 * what they have overheard, as it was or with a byte changed, and speak of tokens and jobs that are
 * not theirs. What the core knows of jobs and calls must not change by any of it. */
#include <stdio.h>
#include <string.h>

#include "proto/run.h"
#include "tests/sim/world.h"

enum { PAUSE_US = 40 * US_A_MS };

static int
say(process *p, const sc_message *m)
{
    return sc_net_say(p, m);
}

static void
say_hello(process *p)
{
    say(p, &(sc_message){.type = SC_MSG_HELLO, .hello = p->hello});
    if (p->hello.role == SC_ROLE_WORKER)
        say(p, &(sc_message){.type = SC_MSG_READY});
}

void
sc_bystander_message(process *p, const sc_message *m)
{
    if (m->type == SC_MSG_WHO && sc_sim_random(p->world, 4) > 0)
        say_hello(p);
}

// A task that somebody was given, with its token.
static bool
overhear(world *w, sc_held_run *out)
{
    plan *j = &w->plans[sc_sim_random(w, w->n_plans)];
    uint64_t i = sc_sim_random(w, j->n_tasks);
    *out =
        (sc_held_run){.job = j->id,
                      .token = {w->options.epoch - sc_sim_random(w, 2), j->handings[i].token.run},
                      .first = j->first + i,
                      .count = 1,
                      .is_started = true,
                      .attempt = 1};
    return j->handings[i].token.run != 0;
}

static void
claim(process *p)
{
    world *w = p->world;
    sc_held_run held;
    sc_message m = {.type = SC_MSG_RESULTS};
    sc_record record = {.outcome = SC_DONE, .attempt = 1, .len = 4};
    if (!overhear(w, &held))
        return;
    sc_range range = {held.first, 1};
    sc_task_ref ref = {held.job, held.token, held.first, true, true};
    switch (sc_sim_random(w, 6)) {
    case 0:
        m.type = SC_MSG_HELD;
        m.held.runs = (sc_list){&held, 1};
        break;
    case 1:
        m.type = SC_MSG_RECALLED;
        m.recalled = (sc_recalled){held.job, held.token, {&range, 1}};
        break;
    case 2:
        m.type = SC_MSG_DROP;
        m.drop.job = held.job;
        break;
    case 3:
        m.type = SC_MSG_COMMIT;
        m.commit = (sc_commit){.request = 1, .job = held.job, .n_chunks = 1, .n_tasks = 1};
        break;
    case 4: // of a supervisor it would be heard
        m.type = SC_MSG_DIED;
        m.died = (sc_died){sc_text_of("w0"), 1, SC_DEATH_FAULT, 0, {&ref, 1}};
        break;
    default:
        m.results = (sc_results){1 + sc_sim_random(w, 99), held.job, held.token, held.first, 1};
        m.table = sc_slice_of(sc_blob_copy(&record, sizeof record));
        m.bytes = sc_slice_of(sc_blob_copy("null", record.len));
    }
    say(p, &m);
    sc_slice_drop(&m.table);
    sc_slice_drop(&m.bytes);
}

static void
bystander_tick(world *w, event *e)
{
    process *p = e->object;
    if (w->is_calm) { // it goes without a word
        p->is_dead = true;
        sc_net_cut(p, true);
        return;
    }
    if (sc_sim_random(w, 2))
        sc_net_replay(p);
    else
        claim(p);
    sc_sim_set(w, &p->tick, w->now_us + 1 + (int64_t)sc_sim_random(w, PAUSE_US));
}

static void
start(world *w, const char *name, sc_role role)
{
    process *p = sc_sim_process(w, A_BYSTANDER, name, 0);
    p->handlers[0] = (sc_hello_handler){.name = sc_text_of("evil")};
    p->hello = (sc_hello){.role = role,
                          .name = sc_text_of(p->name),
                          .instance = p->instance,
                          .protocol_min = 1,
                          .protocol_max = 1,
                          .version = sc_text_of("sim"),
                          .host = sc_text_of("sim"),
                          .slots_async = 1,
                          .credit_tasks = 10,
                          .credit_bytes = 1000,
                          .handlers = {p->handlers, role == SC_ROLE_WORKER}};
    say_hello(p);
    p->tick = (event){.run = bystander_tick, .object = p, .is_kept = true};
    sc_sim_set(w, &p->tick, w->now_us + PAUSE_US);
}

void
sc_bystanders_start(world *w)
{
    start(w, "xclient", SC_ROLE_CLIENT);
    start(w, "xworker", SC_ROLE_WORKER);
}
