/* SPDX-License-Identifier: Apache-2.0 */
/* Calls: each ends once at its client, and one that may not be repeated starts once at most. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "client/args.h"
#include "proto/run.h"
#include "tests/sim/client.h"

static bool
is_once(const act *a)
{
    return a->handler >= HANDLER_ONCE;
}

// A failure that comes from what befell the cluster needs its cause.
static void
check_cause(const act *a, const sc_failure *why)
{
    static const char *const allowed[] = {
        "closed", "timeout", "unknown_handler", "unknown_outcome", "poison", "lost", NULL};
    world *w = a->client->world;
    const char *wrong = NULL;
    sc_act_check_failure(a, why, allowed);
    if (strcmp(why->code, "timeout") == 0 && a->request.message.call.timeout_ms == 0)
        wrong = "has all the time";
    else if (strcmp(why->code, "lost") == 0 && w->n_restarts == 0)
        wrong = "knows one coordinator only";
    else if (strcmp(why->code, "poison") == 0 && a->blames < SC_POISON_COUNT)
        wrong = "was not to blame three times";
    else if (strcmp(why->code, "unknown_outcome") == 0 && !is_once(a))
        wrong = "may be repeated";
    else if (strcmp(why->code, "unknown_outcome") == 0 && a->n_runs == 0)
        wrong = "was never handed out";
    else if (strcmp(why->code, "unknown_outcome") == 0 &&
             a->client->trouble_until_us < a->said_us && sc_handing_was_safe(&a->handing))
        wrong = "had no trouble";
    if (wrong)
        sc_sim_fail(w, "%s: a call ended with %s, but it %s", a->client->name, why->code, wrong);
}

static void
on_reply(sc_client_request *r, const sc_message *m, const sc_failure *why)
{
    act *a = SC_CONTAINER(r, act, request);
    world *w = a->client->world;
    char want[128];
    uint32_t n = sc_plan_value(a->payload_hash, want, sizeof want);
    if (a->is_done)
        sc_sim_fail(w, "%s: a call ends twice", a->client->name);
    sc_args_drop(&r->message);
    sc_act_done(a);
    if (!m) {
        check_cause(a, why);
        w->n_calls_failed++;
        return;
    }
    w->n_calls_done++;
    if (sc_records_count(m->table) != 1 || sc_records_get(m->table, 0).outcome != SC_DONE ||
        m->bytes.len != n || memcmp(m->bytes.data, want, n) != 0)
        sc_sim_fail(w, "%s: a call returns something else", a->client->name);
}

static void
call(world *w, event *e)
{
    process *p = e->object;
    char text[64];
    if (p->is_dead)
        return;
    p->n_acts--;
    act *a = sc_act_new(p, NULL, SC_MSG_CALL, on_reply);
    int n = snprintf(text, sizeof text, "{\"call\":%" PRIu64 "}", sc_random_u64(&w->random));
    a->payload_hash = sc_plan_hash(text, (size_t)n);
    if (sc_args_whole(text, (size_t)n, &a->request.message) < 0)
        sc_sim_fail(w, "arguments cannot be copied");
    a->handler = (handler_kind)sc_sim_random(w, N_HANDLERS);
    a->said_us = w->now_us;
    a->request.message.call = (sc_call){
        .handler = sc_text_of(sc_plan_handlers[a->handler]),
        .timeout_ms = sc_sim_random(w, 3) ? 50 + sc_sim_random(w, 3000) : 0,
    };
    sc_act_start(a);
    sc_client_set_tick(p);
}

void
sc_client_call_many(process *p, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        p->n_acts++; // until it has called
        sc_sim_after(p->world, (int64_t)sc_sim_random(p->world, 3000000), call, p, 0);
    }
}

/* ---- what becomes of them ---- */

static act *
find_call(world *w, uint64_t payload_hash)
{
    act *a;
    for (uint32_t i = 0; i < MAX_CLIENTS; i++)
        if (w->clients[i])
            LIST_FOREACH(a, &w->clients[i]->acts, node)
                if (a->request.message.type == SC_MSG_CALL && a->payload_hash == payload_hash)
                    return a;
    return NULL;
}

void
sc_calls_handed(world *w, process *p, const sc_message *run)
{
    act *a = find_call(w, sc_plan_hash(run->bytes.data, run->bytes.len));
    if (!a)
        sc_sim_fail(w, "a call is handed out that nobody made");
    a->runs[a->n_runs++ % MAX_CALL_RUNS] = run->run.token.run;
    a->handing = (handing){p, w->now_us, run->run.token, false};
}

void
sc_calls_started(world *w, uint64_t payload_hash)
{
    act *a = find_call(w, payload_hash);
    if (!a)
        sc_sim_fail(w, "a call starts that nobody made");
    if (++a->n_starts > 1 && is_once(a))
        sc_sim_fail(w, "%s: a call that may not be repeated starts again", a->client->name);
}

void
sc_calls_told(process *p, uint64_t request)
{
    act *a;
    LIST_FOREACH(a, &p->acts, node)
        if (a->request.message.type == SC_MSG_CALL && a->request.id == request &&
            ++a->n_replies > 1 && is_once(a))
            sc_sim_fail(p->world, "%s: a call that may not be repeated has two answers", p->name);
}

void
sc_calls_blame(world *w, uint64_t run, int by)
{
    act *a;
    for (uint32_t i = 0; i < MAX_CLIENTS; i++)
        if (w->clients[i])
            LIST_FOREACH(a, &w->clients[i]->acts, node)
                for (uint32_t k = 0; k < a->n_runs && k < MAX_CALL_RUNS; k++)
                    if (a->runs[k] == run)
                        a->blames += (uint32_t)by;
}
