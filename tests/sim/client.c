/* SPDX-License-Identifier: Apache-2.0 */
/* Clients around the real session: they upload jobs, read results in every order while and after
 * they run, leave, and at last end the cluster. What they are told is checked row by row against
 * the store. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/args.h"
#include "proto/run.h"
#include "tests/sim/client.h"

static void client_tick(world *w, event *e);
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
    static const char *const usual[] = {"closed", "wrong_state", NULL};
    static const char *const after_loss[] = {"closed", "wrong_state", "lost", "unknown_job", NULL};
    act *a = SC_CONTAINER(r, act, request);
    plan *j = a->plan;
    sc_act_done(a);
    if (!answer)
        sc_act_check_failure(a, why, j->n_losses ? after_loss : usual);
    else if (memcmp(&r->message.cancel.job, &j->id, sizeof j->id) == 0)
        j->is_unwanted = true;
}

static void
cancel_now(world *w, event *e)
{
    plan *j = e->object;
    process *p = w->clients[e->number];
    if (p->is_dead || !j->is_accepted || j->is_cancelled)
        return;
    act *a = sc_act_new(p, j, SC_MSG_CANCEL, on_cancelled);
    bool is_all = sc_sim_random(w, 2);
    j->is_cancelled = true;
    j->cancelled_from = is_all ? 0 : sc_sim_random(w, j->n_tasks);
    j->cancelled_until =
        is_all ? j->n_tasks
               : j->cancelled_from + 1 + sc_sim_random(w, j->n_tasks - j->cancelled_from);
    a->request.message.cancel = (sc_cancel){.job = j->id, .first = j->first + j->cancelled_from};
    if (!is_all)
        a->request.message.cancel.count = j->cancelled_until - j->cancelled_from;
    sc_act_start(a);
    sc_client_set_tick(p);
}

/* ---- submitting ---- */

static void
start_reading(act *a)
{
    process *p = a->client;
    if (!p->world->shape.is_restarts_only && sc_sim_random(p->world, 5) == 0)
        sc_sim_after(p->world, (int64_t)sc_sim_random(p->world, 400 * US_A_MS), cancel_now, a->plan,
                     p->number);
    for (int order = SC_READ_INDEX; order <= SC_READ_ENDED; order++)
        if (sc_sim_random(p->world, 3) == 0)
            sc_client_read_all(p, a->plan, (sc_read_order)order);
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
        a->client->n_acts++; // until it has submitted again
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

// An upload that is whole is committed after all, or given up.
static void
decide(world *w, event *e)
{
    act *a = e->object;
    process *p = a->client;
    if (p->is_dead || a->is_done || a->request.has_commit)
        return;
    if (sc_sim_random(w, 2)) {
        sc_client_session_commit(p->client, &a->request, sc_sim_ms(w));
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
        sc_client_session_commit(p->client, &a->request, sc_sim_ms(w));
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
submit(process *p, plan *j)
{
    act *a = sc_act_new(p, j, SC_MSG_OPEN, on_submitted);
    a->request.message.open = (sc_open){
        .job = j->id,
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
    };
    if (j->is_array) {
        cut_args(a);
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
    submit(p, j);
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

/* ---- reading ---- */

static void
check_row(act *a, const sc_message *m, uint32_t i, size_t at)
{
    world *w = a->client->world;
    plan *j = a->plan;
    sc_record r = sc_records_get(m->table, i);
    uint64_t index = m->page.base + r.offset;
    const sc_worker_name *names = m->page.workers.items;
    const sc_model_result *kept = sc_model_store_find(sc_plan_store(w, j), &j->id, index);
    uint64_t from = a->request.message.read.from;
    if (index < j->first || index - j->first >= j->n_tasks)
        sc_sim_fail(w, "a page of job %u has index %" PRIu64, j->number, index);
    if (a->request.message.read.order == SC_READ_INDEX && index != from + i)
        sc_sim_fail(w, "a page of job %u jumps to %" PRIu64, j->number, index);
    if (a->seen[index - j->first]++)
        sc_sim_fail(w, "result %" PRIu64 " of job %u comes twice", index, j->number);
    const char *value = (const char *)m->bytes.data + at;
    sc_told_result(w, j, &(sc_model_result){index, r.outcome, r.attempt, r.len, value, NULL});
    if (r.worker >= m->page.workers.n)
        sc_sim_fail(w, "result %" PRIu64 " of job %u names no worker", index, j->number);
    if (kept && (kept->len != r.len || memcmp(kept->value, m->bytes.data + at, r.len) != 0 ||
                 kept->outcome != r.outcome || kept->attempt != r.attempt ||
                 !sc_text_equal(names[r.worker].name, kept->worker)))
        sc_sim_fail(w, "result %" PRIu64 " of job %u is not what is kept", index, j->number);
}

static void
check_end(const act *a, const sc_message *m)
{
    world *w = a->client->world;
    plan *j = a->plan;
    const sc_read *read = &a->request.message.read;
    bool is_live = !w->is_auditing;
    if (m->page.n_dropped > 0 && !w->shape.is_store_small && !w->was_limited)
        sc_sim_fail(w, "results of job %u were dropped", j->number);
    a->plan->is_dropped |= m->page.n_dropped > 0;
    if (m->page.n_dropped > 0 || (read->order == SC_READ_INDEX_ENDED && is_live))
        return;
    if (a->n_rows != j->n_tasks)
        sc_sim_fail(w, "reading job %u in order %u gave %" PRIu64 " of %" PRIu64 " results",
                    j->number, read->order, a->n_rows, j->n_tasks);
}

static void
read_again(world *w, event *e)
{
    act *a = e->object;
    (void)w;
    if (a->client->is_dead)
        return;
    sc_act_start(a);
    sc_client_set_tick(a->client);
}

static void
on_page(sc_client_request *r, const sc_message *m, const sc_failure *why)
{
    static const char *const usual[] = {"closed", NULL};
    static const char *const after_loss[] = {"closed", "lost", "unknown_job", NULL};
    act *a = SC_CONTAINER(r, act, request);
    const char *const *allowed = a->plan->n_losses ? after_loss : usual;
    world *w = a->client->world;
    size_t at = 0;
    if (!m && w->shape.is_store_failing && strcmp(why->code, sc_error_name(-EIO)) == 0) {
        sc_sim_after(w, 50 * US_A_MS, read_again, a, 0);
        return;
    }
    if (!m) {
        sc_act_check_failure(a, why, allowed);
        if (strcmp(why->code, "unknown_job") == 0 && r->epoch && r->epoch != w->options.epoch)
            sc_sim_fail(w, "job %u is unknown, but should be lost", a->plan->number);
        sc_act_done(a);
        return;
    }
    uint32_t n = sc_records_count(m->table);
    sc_history_read(w->shown, &a->plan->id); // others read, too: each page by itself
    for (uint32_t i = 0; i < n; i++) {
        check_row(a, m, i, at);
        at += sc_records_get(m->table, i).len;
    }
    a->n_rows += n;
    w->n_rows_read += n;
    if (m->page.next < r->message.read.from || (n > 0 && m->page.next == r->message.read.from))
        sc_sim_fail(w, "reading job %u does not get on", a->plan->number);
    if (n == 0 && m->page.next == r->message.read.from && !m->page.is_end)
        sc_sim_fail(w, "a page of job %u has nothing in it, order %u from %" PRIu64,
                    a->plan->number, r->message.read.order, r->message.read.from);
    if (m->page.is_end) {
        check_end(a, m);
        sc_act_done(a);
        return;
    }
    r->message.read.from = m->page.next;
    sc_act_start(a);
}

void
sc_client_read_all(process *p, plan *j, sc_read_order order)
{
    act *a = sc_act_new(p, j, SC_MSG_READ, on_page);
    a->seen = calloc(j->n_tasks, 1);
    SC_ASSERT(a->seen);
    a->request.message.read = (sc_read){
        .job = j->id,
        .from = order == SC_READ_ENDED ? 0 : j->first,
        .order = order,
        .max_bytes =
            1 + (uint32_t)sc_sim_random(p->world, p->world->shape.is_large ? 1 << 20 : 2000),
        .wait = true,
    };
    sc_act_start(a);
    sc_client_set_tick(p);
}

/* ---- asking ---- */

static void
on_status(sc_client_request *r, const sc_message *m, const sc_failure *why)
{
    act *a = SC_CONTAINER(r, act, request);
    world *w = a->client->world;
    const sc_job_info *info = m ? m->jobs.jobs.items : NULL;
    if (!m || m->jobs.jobs.n != 1)
        sc_sim_fail(w, "job %u is not known: %s", a->plan->number, why ? why->text : "none");
    if (!sc_job_has_ended(info->state) || info->total != a->plan->n_tasks)
        sc_sim_fail(w, "job %u of %" PRIu64 " tasks is %s and has %" PRIu64, a->plan->number,
                    a->plan->n_tasks, sc_job_state_name(info->state), info->total);
    sc_told_end(w, a->plan, info);
    sc_act_done(a);
}

void
sc_client_ask(process *p, plan *j)
{
    act *a = sc_act_new(p, j, SC_MSG_ASK, on_status);
    a->request.message.ask = (sc_ask){.what = SC_ASK_JOB, .job = j->id, .n_digits = 32};
    sc_act_start(a);
    sc_client_set_tick(p);
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
        .endpoints = "sim",
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
