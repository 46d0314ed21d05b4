/* SPDX-License-Identifier: Apache-2.0 */
/* Clients that look: they read results in every order while and after jobs run, and ask how jobs
 * are. What they are told is checked row by row against the store, and against what anybody was
 * told before. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "proto/run.h"
#include "tests/sim/client.h"

/* ---- reading ---- */

// Of a task that was tried again its readers see each end.
static bool
in_order_of_ends(const act *a)
{
    return a->request.message.read.order == SC_READ_ENDED;
}

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
    if (a->seen[index - j->first]++ && (sc_told_is_sure(w, j) || !in_order_of_ends(a)))
        sc_sim_fail(w, "result %" PRIu64 " of job %u comes twice", index, j->number);
    const char *value = (const char *)m->bytes.data + at;
    sc_told_result(w, j, &(sc_model_result){index, r.outcome, r.attempt, r.len, value, NULL});
    if (r.worker >= m->page.workers.n)
        sc_sim_fail(w, "result %" PRIu64 " of job %u names no worker", index, j->number);
    if (kept && sc_told_is_sure(w, j) &&
        (kept->len != r.len || memcmp(kept->value, m->bytes.data + at, r.len) != 0 ||
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
    if (a->n_rows != j->n_tasks && (sc_told_is_sure(w, j) || !in_order_of_ends(a)))
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
    if (n == 0 && m->page.next == r->message.read.from && !m->page.is_end &&
        sc_told_is_sure(w, a->plan))
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

// Whether it waited for the end of the job or not.
static void
on_status(sc_client_request *r, const sc_message *m, const sc_failure *why)
{
    static const char *const usual[] = {"closed", NULL};
    static const char *const after_loss[] = {"closed", "lost", "unknown_job", NULL};
    act *a = SC_CONTAINER(r, act, request);
    world *w = a->client->world;
    plan *j = a->plan;
    const sc_job_info *info = m ? m->jobs.jobs.items : NULL;
    bool is_same = memcmp(&r->message.ask.job, &j->id, sizeof j->id) == 0; // it was not lost since
    sc_act_done(a);
    if (!m) {
        sc_act_check_failure(a, why, j->n_losses ? after_loss : usual);
        return;
    }
    if (m->jobs.jobs.n != 1 || info->total != j->n_tasks ||
        info->queued + info->delayed + info->running + info->done + info->dead + info->cancelled !=
            info->total)
        sc_sim_fail(w, "what is said of job %u does not add up", j->number);
    if (is_same)
        sc_told_state(w, j, info);
    if (is_same && !sc_job_has_ended(info->state) && (r->message.ask.wait || w->is_auditing))
        sc_sim_fail(w, "job %u is %s, and should have ended", j->number,
                    sc_job_state_name(info->state));
}

void
sc_client_ask(process *p, plan *j, bool wait)
{
    act *a = sc_act_new(p, j, SC_MSG_ASK, on_status);
    a->request.message.ask =
        (sc_ask){.what = SC_ASK_JOB, .job = j->id, .n_digits = 32, .wait = wait};
    sc_act_start(a);
    sc_client_set_tick(p);
}

/* ---- visiting ---- */

void
sc_client_visit(world *w, uint32_t endpoint)
{
    process *p = sc_client_start(w, MAX_CLIENTS + 1 + w->n_visitors++, "visitor");
    p->endpoint = endpoint;
    for (uint32_t i = 0; i < w->n_plans; i++) {
        if (!w->plans[i].is_accepted)
            continue;
        sc_client_ask(p, &w->plans[i], sc_sim_random(w, 2));
        sc_client_read_all(p, &w->plans[i], SC_READ_INDEX_ENDED);
    }
}
