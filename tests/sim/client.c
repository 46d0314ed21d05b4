/* SPDX-License-Identifier: Apache-2.0 */
/* Clients around the real session: they upload jobs, cancel some, have workers drain, leave, and at
 * last end the cluster. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/args.h"
#include "proto/run.h"
#include "tests/sim/client.h"

static void client_tick(world *w, event *e);
static void submit_again_later(world *w, plan *j);
static void submit_now(world *w, event *e);

void
sc_client_set_tick(process *p)
{
    world *w = p->world;
    int64_t next_ms = sc_client_session_next_ms(p->client);
    if (next_ms == INT64_MAX) {
        sc_heap_remove(&w->events, &p->tick.node);
        return;
    }
    int64_t at_us = next_ms * US_A_MS > w->now_us ? next_ms * US_A_MS : w->now_us + 1;
    if (p->tick.node.position == 0 || p->tick.node.deadline_ms != at_us)
        sc_sim_set(w, &p->tick, at_us);
}

act *
sc_act_new(process *p, plan *j, sc_message_type type,
           void (*on_end)(sc_client_request *, const sc_message *, const sc_failure *))
{
    act *a = calloc(1, sizeof *a);
    SC_ASSERT(a);
    a->client = p;
    a->plan = j;
    a->n_retries = j ? j->n_retries : 0;
    a->request.message.type = type;
    a->request.on_end = on_end;
    LIST_INSERT_HEAD(&p->acts, a, node);
    p->n_acts++;
    return a;
}

void
sc_act_done(act *a)
{
    if (!a->is_done)
        a->client->n_acts--;
    a->is_done = true;
}

void
sc_act_start(act *a)
{
    process *p = a->client;
    int rc = sc_client_session_start(p->client, &a->request, sc_sim_ms(p->world));
    if (rc < 0)
        sc_sim_fail(p->world, "%s: a request cannot be started: %s", p->name, sc_error_text(rc));
}

// Failures that a client must live with here; everything else is a bug.
void
sc_act_check_failure(const act *a, const sc_failure *why, const char *const *allowed)
{
    for (; *allowed; allowed++)
        if (strcmp(*allowed, why->code) == 0)
            return;
    sc_sim_fail(a->client->world, "%s is refused %s: %s: %s", a->client->name,
                sc_message_name(a->request.message.type), why->code, why->text);
}

/* ---- cancelling ---- */

static void
on_cancelled(sc_client_request *r, const sc_message *answer, const sc_failure *why)
{
    static const char *const usual[] = {"closed", "wrong_state", "busy", NULL};
    static const char *const after_loss[] = {"closed", "wrong_state", "busy",
                                             "lost",   "unknown_job", NULL};
    act *a = SC_CONTAINER(r, act, request);
    plan *j = a->plan;
    sc_act_done(a);
    if (!answer)
        sc_act_check_failure(a, why, j->n_losses ? after_loss : usual);
    else if (memcmp(&r->message.cancel.job, &j->id, sizeof j->id) == 0)
        j->is_unwanted |= a->n_retries == j->n_retries; // else it was of a life that is over
}

// All of it or a part: the same in each of its lives, for what is said in one may come in another.
static void
choose_cancelled(world *w, plan *j)
{
    bool is_all = sc_sim_random(w, 2);
    j->cancelled_from = is_all ? 0 : sc_sim_random(w, j->n_tasks);
    j->cancelled_until =
        is_all ? j->n_tasks
               : j->cancelled_from + 1 + sc_sim_random(w, j->n_tasks - j->cancelled_from);
}

static void
cancel_now(world *w, event *e)
{
    plan *j = e->object;
    process *p = w->clients[e->number];
    if (p->is_dead || !j->is_accepted)
        return;
    act *a = sc_act_new(p, j, SC_MSG_CANCEL, on_cancelled);
    if (j->cancelled_until == 0)
        choose_cancelled(w, j);
    a->request.message.cancel = (sc_cancel){.job = j->id, .first = j->first + j->cancelled_from};
    if (j->cancelled_until - j->cancelled_from < j->n_tasks)
        a->request.message.cancel.count = j->cancelled_until - j->cancelled_from;
    sc_act_start(a);
    sc_client_set_tick(p);
}

void
sc_client_cancel_later(process *p, plan *j)
{
    sc_sim_after(p->world, (int64_t)sc_sim_random(p->world, 400 * US_A_MS), cancel_now, j,
                 p->number);
}

/* ---- draining ---- */

static void
on_drained(sc_client_request *r, const sc_message *answer, const sc_failure *why)
{
    static const char *const allowed[] = {"closed", "not_found", "wrong_state", "lost", NULL};
    act *a = SC_CONTAINER(r, act, request);
    sc_act_done(a);
    if (!answer)
        sc_act_check_failure(a, why, allowed);
    else if (answer->draining.n_processes > 1 ||
             (answer->draining.n_processes == 0 && a->client->world->n_restarts == 0))
        sc_sim_fail(a->client->world, "one worker drains, %u are said to",
                    answer->draining.n_processes);
}

void
sc_client_ask_to_leave(process *p, const process *worker)
{
    act *a = sc_act_new(p, NULL, SC_MSG_DRAIN, on_drained);
    a->request.message.drain.name = sc_text_of(worker->name); // lives as long as the world
    sc_act_start(a);
    sc_client_set_tick(p);
}

/* ---- submitting ---- */

static void
start_reading(act *a)
{
    process *p = a->client;
    if (a->plan->key[0] && sc_sim_random(p->world, 2))
        submit_again_later(p->world, a->plan);
    if (!p->world->shape.is_restarts_only && sc_sim_random(p->world, 5) == 0)
        sc_client_cancel_later(p, a->plan);
    if (a->plan->is_durable && sc_sim_random(p->world, 2))
        sc_retry_later(p->world, a->plan);
    for (int order = SC_READ_INDEX; order <= SC_READ_ENDED; order++)
        if (sc_sim_random(p->world, 3) == 0)
            sc_client_read_all(p, a->plan, (sc_read_order)order);
    if (sc_sim_random(p->world, 3) == 0)
        sc_client_ask(p, a->plan, sc_sim_random(p->world, 2));
}

static void
on_submitted(sc_client_request *r, const sc_message *answer, const sc_failure *why)
{
    static const char *const allowed[] = {"closed", "unknown_handler", "limit",   "store_full",
                                          "lost",   "unknown_job",     "journal", NULL};
    act *a = SC_CONTAINER(r, act, request);
    world *w = a->client->world;
    sc_args_drop(&r->message);
    sc_act_done(a);
    if (answer) {
        bool is_same = memcmp(&answer->ack.job, &r->message.open.job, sizeof(sc_uuid)) == 0;
        if (!is_same && (!a->plan->key[0] || sc_plan_find(w, &answer->ack.job) != a->plan))
            sc_sim_fail(w, "job %u is taken for another", a->plan->number);
        if (memcmp(&answer->ack.job, &a->plan->id, sizeof(sc_uuid)) != 0)
            sc_plan_take_id(a->plan, &answer->ack.job);
        sc_told_accepted(w, a->plan);
        start_reading(a);
        return;
    }
    sc_act_check_failure(a, why, allowed);
    if ((strcmp(why->code, "limit") == 0 && !w->shape.is_store_small) ||
        (strcmp(why->code, "store_full") == 0 && !w->shape.is_store_small && !w->was_limited &&
         !w->shape.is_store_failing))
        sc_sim_fail(w, "job %u is refused, and there is room", a->plan->number);
    bool is_lost = strcmp(why->code, "lost") == 0 && w->n_restarts > 0 && !a->plan->is_durable;
    bool is_trouble = strcmp(why->code, "journal") == 0 && w->shape.is_journal_failing;
    if (strcmp(why->code, "unknown_handler") == 0 || is_lost || is_trouble) {
        a->client->n_acts++; // until it has submitted again, as another job
        sc_plan_rename(w, a->plan);
        sc_sim_after(w, 200 * US_A_MS, submit_now, a->plan, a->client->number);
    }
}

// The coordinator may take so long to learn that nobody wants an upload: each side may stand still,
// and each HELLO gives it its time anew.
static void
expect_staged(world *w)
{
    w->staged_until_us = w->now_us + 6 * STAGED_MS * US_A_MS;
}

static sc_uuid
digest_of(const plan *j)
{
    sc_uuid digest = {{0}};
    if (j->key[0])
        digest.bytes[0] = (uint8_t)(1 + j->number);
    return digest;
}

static void
commit(act *a)
{
    a->request.message.open.digest = digest_of(a->plan);
    sc_client_session_commit(a->client->client, &a->request, sc_sim_ms(a->client->world));
}

// An upload that is whole is committed after all, or given up.
static void
decide(world *w, event *e)
{
    act *a = e->object;
    process *p = a->client;
    if (p->is_dead || a->is_done || a->request.has_commit)
        return;
    if (sc_sim_random(w, 2)) {
        commit(a);
    } else {
        sc_client_session_drop(p->client, &a->request);
        expect_staged(w);
        sc_act_done(a);
    }
    sc_client_set_tick(p);
}

// Adds tasks until there is no room.
static void
feed(act *a)
{
    process *p = a->client;
    world *w = p->world;
    plan *j = a->plan;
    char payload[256];
    while (a->next < j->n_tasks) {
        uint32_t n = sc_plan_payload(w, j, j->first + a->next, payload, sizeof payload);
        int rc = sc_chunks_add(&a->chunks, payload, n);
        if (rc < 0 && rc != -EAGAIN)
            sc_sim_fail(w, "a task cannot be added: %s", sc_error_text(rc));
        if (rc < 0)
            break;
        a->next++;
        if (!w->shape.is_large && sc_sim_random(w, 8) == 0)
            sc_chunks_seal(&a->chunks);
    }
    if (a->next < j->n_tasks)
        sc_client_session_push(p->client, &a->request, sc_sim_ms(w));
    else if (sc_sim_chance(w, 50))
        sc_sim_after(w, (int64_t)sc_sim_random(w, 500 * US_A_MS), decide, a, 0);
    else if (!a->request.has_commit)
        commit(a);
}

static void
on_room(sc_client_request *r)
{
    feed(SC_CONTAINER(r, act, request));
}

static void
cut_args(act *a)
{
    char text[256];
    int n = snprintf(text, sizeof text, "{\"job\":%" PRIu32 ",\"index\":\"$index\",\"pad\":\"\"}",
                     a->plan->number);
    if (sc_args_cut(text, (size_t)n, &a->request.message) < 0)
        sc_sim_fail(a->client->world, "arguments cannot be cut");
}

static void
submit(process *p, plan *j, sc_uuid id,
       void (*on_end)(sc_client_request *, const sc_message *, const sc_failure *))
{
    act *a = sc_act_new(p, j, SC_MSG_OPEN, on_end);
    if (j->after && !j->after->is_accepted && !j->is_accepted)
        j->after = NULL; // nobody knows of that one
    a->parent.job = j->after ? j->after->id : (sc_uuid){{0}};
    a->request.message.open = (sc_open){
        .job = id,
        .name = sc_text_of("sim"),
        .handler = sc_text_of(sc_plan_handlers[j->handler]),
        .priority = j->priority,
        .is_array = j->is_array,
        .first_index = j->first,
        .n_tasks = j->is_array ? j->n_tasks : 0,
        .retries = j->retries,
        .backoff_base_ms = j->backoff_ms,
        .backoff_max_ms = 4 * j->backoff_ms,
        .is_durable = j->is_durable,
        .expires_ms = j->expires_ms,
        .timeout_ms = j->timeout_ms,
        .kill_after_ms = j->kill_after_ms,
        .key = sc_text_of(j->key),
        .after = {&a->parent, j->after != NULL},
        .on_any = j->on_any,
    };
    if (j->is_array) {
        cut_args(a);
        a->request.message.open.digest = digest_of(j);
        sc_act_start(a);
    } else {
        sc_chunks_init(&a->chunks);
        a->request.chunks = &a->chunks;
        a->request.on_room = on_room;
        sc_act_start(a);
        feed(a);
    }
    sc_client_set_tick(p);
}

static void
submit_now(world *w, event *e)
{
    plan *j = e->object;
    process *p = w->clients[e->number];
    if (p->is_dead)
        return;
    p->n_acts--;
    submit(p, j, j->id, on_submitted);
}

static void
on_submitted_again(sc_client_request *r, const sc_message *answer, const sc_failure *why)
{
    static const char *const allowed[] = {"closed", "unknown_handler", "limit", "journal", NULL};
    act *a = SC_CONTAINER(r, act, request);
    sc_args_drop(&r->message);
    sc_act_done(a);
    if (!answer)
        sc_act_check_failure(a, why, allowed);
    else if (memcmp(&answer->ack.job, &a->plan->id, sizeof answer->ack.job) != 0)
        sc_sim_fail(a->client->world, "job %u is there twice, and has a key", a->plan->number);
}

// The same content as another job: its key finds the first.
static void
submit_again(world *w, event *e)
{
    plan *j = e->object;
    process *p = w->clients[e->number];
    if (p->is_dead)
        return;
    p->n_acts--;
    submit(p, j, sc_plan_new_id(w, ++j->n_again), on_submitted_again);
}

static void
submit_again_later(world *w, plan *j)
{
    process *p = w->clients[sc_sim_random(w, w->shape.n_clients)];
    if (!p || p->is_dead)
        return;
    p->n_acts++; // until it has submitted
    sc_sim_after(w, (int64_t)sc_sim_random(w, 2000 * US_A_MS), submit_again, j, p->number);
}

void
sc_client_submit_later(process *p, plan *j)
{
    world *w = p->world;
    p->n_acts++; // until it has submitted
    uint64_t most_us = sc_sim_random(w, 2) ? 1 : (uint64_t)w->shape.chaos_ms * US_A_MS;
    sc_sim_after(w, (int64_t)sc_sim_random(w, most_us), submit_now, j, p->number);
}

// An upload is given up half-way.
static void
maybe_drop(process *p)
{
    act *a;
    LIST_FOREACH(a, &p->acts, node)
        if (!a->is_done && a->request.chunks && !a->request.has_commit) {
            sc_client_session_drop(p->client, &a->request);
            expect_staged(p->world);
            sc_act_done(a);
            return;
        }
}

/* ---- the end ---- */

static void
on_stopping(sc_client_request *r, const sc_message *m, const sc_failure *why)
{
    act *a = SC_CONTAINER(r, act, request);
    if (!m)
        sc_sim_fail(a->client->world, "STOP is refused: %s", why->text);
    sc_act_done(a);
}

void
sc_client_stop_cluster(process *p)
{
    sc_act_start(sc_act_new(p, NULL, SC_MSG_STOP, on_stopping));
    sc_client_set_tick(p);
}

/* ---- the process ---- */

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

static void
on_event(void *arg, sc_client_event what, const sc_failure *why)
{
    process *p = arg;
    if (what == SC_CLIENT_REFUSED || what == SC_CLIENT_UNREACHABLE)
        sc_sim_fail(p->world, "%s cannot join: %s", p->name, why->text);
}

void
sc_client_room(process *p)
{
    sc_client_session_room(p->client, sc_sim_ms(p->world));
    sc_client_set_tick(p);
}

static void
client_tick(world *w, event *e)
{
    process *p = e->object;
    if (p->is_dead)
        return;
    if (p->stalled_until_us > w->now_us) {
        sc_sim_set(w, &p->tick, p->stalled_until_us + 1);
        return;
    }
    if (sc_sim_chance(w, 5))
        maybe_drop(p);
    sc_client_session_tick(p->client, sc_sim_ms(w));
    sc_client_set_tick(p);
}

process *
sc_client_start(world *w, uint32_t place, const char *name)
{
    process *p = sc_sim_process(w, A_CLIENT, name, place);
    sc_client_session_options options = {
        .send = say,
        .on_event = on_event,
        .arg = p,
        .next = next,
        .endpoints = "sim",
        .n_endpoints = w->shape.has_standby ? N_ENDPOINTS : 1,
        .name = p->name,
        .host = "sim",
        .instance = p->instance,
        .pid = 100 + place,
        .heartbeat_ms = 200,
        .lease_ms = LEASE_MS,
        .connect_timeout_ms = -1,
    };
    LIST_INIT(&p->acts);
    SC_ASSERT(sc_client_session_new(&options, sc_sim_ms(w), &p->client) == 0);
    p->tick = (event){.run = client_tick, .object = p, .is_kept = true};
    sc_client_set_tick(p);
    return p;
}

void
sc_client_message(process *p, const sc_message *m)
{
    sc_client_session_message(p->client, m, sc_sim_ms(p->world));
    sc_client_set_tick(p);
}

void
sc_client_leave(process *p, bool says_bye)
{
    sc_trace(p->world, TRACE_LEAVE, p->number, says_bye, 0);
    if (says_bye)
        sc_client_session_close(p->client);
    p->is_dead = true;
    p->n_acts = 0;
    expect_staged(p->world);
    sc_heap_remove(&p->world->events, &p->tick.node);
    sc_net_cut(p, says_bye);
}

uint32_t
sc_client_print(const process *p)
{
    const act *a;
    LIST_FOREACH(a, &p->acts, node)
        if (!a->is_done && !p->is_dead)
            fprintf(stderr, "%s waits for %s of job %d\n", p->name,
                    sc_message_name(a->request.message.type), a->plan ? (int)a->plan->number : -1);
    return p->n_acts;
}

void
sc_client_free_process(process *p)
{
    sc_client_session_free(&p->client);
    for (act *a; (a = LIST_FIRST(&p->acts));) {
        LIST_REMOVE(a, node);
        sc_args_drop(&a->request.message);
        if (a->request.chunks)
            sc_chunks_fini(&a->chunks);
        free(a->seen);
        free(a);
    }
}
