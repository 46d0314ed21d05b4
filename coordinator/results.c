/* SPDX-License-Identifier: Apache-2.0 */
/* What ended, and who reads it. A record counts when its token and index are in the table of open
 * runs; a whole message of such records goes to the store as it came. Readers pull; one that must
 * wait is a watch and costs nothing. Part of the core. */
#include "coordinator/core_int.h"

#include <stdlib.h>
#include <string.h>

enum { COST_FULL_WEIGHT = 16 }; // results in one message from which on its cost counts for half

static const uint64_t cost_max_ns = 3600ull * 1000000000; // what a worker may claim: an hour

/* ---- acknowledging ---- */

static void
must_ack(sc_core *core, worker *w)
{
    if (w->must_ack)
        return;
    w->must_ack = true;
    w->ack_next = core->to_ack;
    core->to_ack = w;
}

static void
ack(sc_core *core, worker *w, uint64_t number)
{
    sc_message m = {.type = SC_MSG_RESULTS_ACK, .results_ack = {number}};
    sc_core_send(core, w->peer, &m);
}

// Results are acknowledged once what they caused is safe. Of those that are not, a worker waits for
// the last one at the time, then looks again: so a write is waited for by a worker, not by a
// message.
void
sc_results_flush_acks(sc_core *core)
{
    for (worker *w; (w = core->to_ack);) {
        core->to_ack = w->ack_next;
        w->must_ack = false;
        if (w->ack_write)
            continue;
        if (w->last_write <= core->written) {
            ack(core, w, w->results_number);
            continue;
        }
        w->ack_write = w->last_write;
        w->ack_number = w->results_number;
        DL_APPEND2(core->unsafe, w, unsafe_prev, unsafe_next);
    }
}

// More writes are safe.
void
sc_results_written(sc_core *core)
{
    for (worker *w; (w = core->unsafe) && w->ack_write <= core->written;) {
        DL_DELETE2(core->unsafe, w, unsafe_prev, unsafe_next);
        w->ack_write = 0;
        ack(core, w, w->ack_number);
        if (w->results_number > w->ack_number)
            must_ack(core, w);
    }
}

// Its session is over, or begins anew: nothing is acknowledged any more.
void
sc_results_leave(sc_core *core, worker *w)
{
    if (w->ack_write)
        DL_DELETE2(core->unsafe, w, unsafe_prev, unsafe_next);
    w->ack_write = 0;
    if (!w->must_ack)
        return;
    worker **at = &core->to_ack;
    while (*at != w)
        at = &(*at)->ack_next;
    *at = w->ack_next;
    w->must_ack = false;
}

/* ---- taking ---- */

// `n` results took about so much each.
void
sc_results_learn_cost(handler *h, uint64_t cost_ns, uint32_t n)
{
    if (cost_ns == 0)
        return;
    double said = (double)(cost_ns < cost_max_ns ? cost_ns : cost_max_ns),
           known = (double)h->cost_ns;
    double weight = n < COST_FULL_WEIGHT ? n / (2.0 * COST_FULL_WEIGHT) : 0.5;
    h->cost_ns = h->cost_ns ? (uint64_t)(known + (said - known) * weight) : (uint64_t)said;
    if (h->cost_ns == 0)
        h->cost_ns = 1;
}

// What became of the records of one message.
typedef struct verdict {
    outcomes ended;                   // to be stored
    uint32_t n_retry;                 // to be tried again
    uint32_t n_unknown;               // not in the table of open runs
    uint8_t keep[SC_CHUNK_MAX_TASKS]; // by record: goes to the store
} verdict;

// Is this record's task open in this run? Then it is no longer.
static bool
close_bit(run *r, uint64_t index, uint64_t run_base)
{
    uint64_t offset = index - run_base;
    if (index < run_base || offset >= r->count || !bit_get(&r->left, (uint32_t)offset))
        return false;
    bit_clear(&r->left, (uint32_t)offset);
    return true;
}

static void
end_task(sc_core *core, chunk *c, uint32_t offset)
{
    bit_set(&c->ended, offset);
    exception *e = c->n_exceptions ? sc_exceptions_find(c, offset) : NULL;
    if (e)
        sc_exceptions_drop(core, e);
}

static void
retry(sc_core *core, const run *r, uint32_t offset, sc_text error)
{
    failure why = {r->attempt, sc_text_of(r->worker->peer->name), error};
    sc_tasks_retry(core, r->chunk, offset, &why);
}

static void
judge(sc_core *core, run *r, const sc_message *m, verdict *v)
{
    chunk *c = r->chunk;
    job *j = c->job;
    uint64_t run_base = sc_runs_base(r);
    size_t at = 0; // of the value behind that of the record
    for (uint32_t i = 0, n = sc_records_count(m->table); i < n; i++) {
        sc_record record = sc_records_get(m->table, i);
        uint64_t index = m->results.base + record.offset;
        at += record.len;
        if (!close_bit(r, index, run_base)) {
            v->n_unknown++;
            continue;
        }
        uint32_t offset = r->first + (uint32_t)(index - run_base);
        if (record.outcome == SC_DEAD && record.flags & SC_RECORD_RETRY &&
            r->attempt <= j->retries && !sc_tasks_is_unwanted(c, offset)) {
            const char *error = (const char *)m->bytes.data + at - record.len;
            v->n_retry++;
            retry(core, r, offset, (sc_text){error, record.len});
            continue;
        }
        v->keep[i] = 1;
        end_task(core, c, offset);
        v->ended.done += record.outcome == SC_DONE;
        v->ended.dead += record.outcome == SC_DEAD;
        v->ended.cancelled += record.outcome == SC_CANCELLED;
    }
}

// The records to keep and their values, copied together; the rare case that some are not kept.
static bool
filter(const sc_message *m, const verdict *v, sc_slice *table, sc_slice *bytes)
{
    uint32_t n = sc_records_count(m->table), n_kept = 0;
    size_t at = 0, kept_bytes = 0;
    sc_blob *records = sc_blob_new(m->table.len), *values = sc_blob_new(m->bytes.len);
    if (!records || !values) {
        sc_blob_unref(records);
        sc_blob_unref(values);
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        sc_record record = sc_records_get(m->table, i);
        if (v->keep[i]) {
            memcpy(records->data + n_kept++ * sizeof record, &record, sizeof record);
            if (record.len)
                memcpy(values->data + kept_bytes, m->bytes.data + at, record.len);
            kept_bytes += record.len;
        }
        at += record.len;
    }
    records->len = n_kept * sizeof(sc_record);
    values->len = kept_bytes;
    *table = sc_slice_of(records);
    *bytes = sc_slice_of(values);
    return true;
}

static uint32_t
n_ended_of(const verdict *v)
{
    return v->ended.done + v->ended.dead + v->ended.cancelled;
}

static void
store(sc_core *core, job *j, const worker *w, const sc_message *m, const verdict *v)
{
    uint32_t n_kept = n_ended_of(v);
    sc_slice table = m->table, bytes = m->bytes;
    bool is_filtered = n_kept < sc_records_count(m->table);
    if (n_kept == 0)
        return;
    SC_ASSERT(!is_filtered || filter(m, v, &table, &bytes)); // a result must not be lost
    sc_action a = {.type = SC_ACTION_PUT_RESULTS};
    a.results.job = j->id;
    a.results.worker = sc_text_of(w->peer->name);
    a.results.base = m->results.base;
    a.results.table = table;
    a.results.bytes = bytes;
    a.results.first_index = j->first_index;
    a.results.position = j->position;
    j->position += n_kept;
    sc_core_write(core, j, &a);
    sc_jobs_stored(core, j, table.len + bytes.len);
    if (is_filtered) {
        sc_slice_drop(&table);
        sc_slice_drop(&bytes);
    }
}

static void
take(sc_core *core, worker *w, run *r, const sc_message *m)
{
    verdict v;
    memset(&v, 0, sizeof v);
    chunk *c = r->chunk;
    job *j = c->job;
    judge(core, r, m, &v);
    uint32_t n_ended = n_ended_of(&v);
    core->totals.unknown_results += v.n_unknown;
    sc_results_learn_cost(r->handler, m->results.cost_ns, n_ended);
    j->running -= n_ended;
    j->done += v.ended.done;
    j->dead += v.ended.dead;
    j->cancelled += v.ended.cancelled;
    w->n_done += v.ended.done;
    sc_core_count_rate(core, 0, n_ended);
    store(core, j, w, m, &v);
    if (n_ended + v.n_retry > 0)
        sc_runs_ended(core, r, n_ended + v.n_retry);
    if (n_ended == 0)
        return;
    sc_tasks_count_ended(core, c, &v.ended);
    sc_tasks_progress(core, j);
}

void
sc_results_take(sc_core *core, worker *w, const sc_message *m)
{
    uint32_t n = sc_records_count(m->table);
    must_ack(core, w);
    if (m->results.number <= w->results_number)
        return; // said before
    if (n > SC_CHUNK_MAX_TASKS || sc_records_check(m->table, m->bytes, SC_TASK_MAX_BYTES) < 0) {
        core->totals.malformed++;
        sc_core_refuse(core, w->peer, 0, SC_EMALFORMED,
                       "RESULTS whose table does not fit its bytes");
        sc_peers_gone(core, w->peer, "sent malformed results");
        return;
    }
    w->results_number = m->results.number;
    w->is_recalling = false; // it goes on: asking again may bring something
    uint64_t n_writes = core->n_writes, n_unknown = core->totals.unknown_results;
    run *r = sc_runs_find(core, &m->results.token);
    if (!r || r->worker != w)
        core->totals.unknown_results += n;
    else if (r->call)
        sc_calls_result(core, r, m);
    else
        take(core, w, r, m);
    // what is unknown may have counted when it was said in an earlier session, and not be safe yet
    if (core->n_writes > n_writes || core->totals.unknown_results > n_unknown)
        w->last_write = core->n_writes;
}

/* ---- reading ---- */

// The end of what may be read: an index, or with SC_READ_ENDED a position.
static uint64_t
read_until(const job *j, uint32_t order)
{
    if (order == SC_READ_ENDED)
        return j->position;
    return j->first_index + (order == SC_READ_INDEX ? j->prefix : j->n_tasks);
}

// Is there something to read, or will there never be?
static bool
can_answer(const job *j, const sc_read *read)
{
    uint64_t n_ended = j->done + j->dead + j->cancelled;
    return !read->wait || sc_job_has_ended(j->state) ||
           (n_ended > 0 && read->from < read_until(j, read->order));
}

static void
answer_read(sc_core *core, const peer *p, const job *j, const sc_read *read)
{
    uint64_t first = read->order == SC_READ_ENDED ? 0 : j->first_index;
    uint64_t until = read_until(j, read->order);
    sc_action a = {.type = SC_ACTION_GET_RESULTS};
    a.read = (sc_store_read){
        .job = j->id,
        .client = p->instance,
        .request = read->request,
        .from = read->from < first ? first : read->from,
        .order = j->number || read->order <= SC_READ_ENDED ? read->order : SC_READ_INDEX_ENDED,
        .max_bytes = read->max_bytes,
        .first_index = j->first_index,
        .after = j->last_write,
        .undone = j->undone};
    a.number = j->number;
    a.read.until = until < a.read.from ? a.read.from : until;
    if (a.read.max_bytes > PAGE_MAX_BYTES)
        a.read.max_bytes = PAGE_MAX_BYTES;
    core->emit(core->arg, &a);
}

// Of volatile jobs only the last try of a task is known.
static void
answer_none(sc_core *core, peer *p, const job *j, const sc_read *read)
{
    sc_message m = {.type = SC_MSG_PAGE};
    m.page.request = read->request;
    m.page.job = j->id;
    m.page.next = j->first_index + j->n_tasks;
    sc_core_send(core, p, &m);
}

void
sc_results_read(sc_core *core, peer *p, const sc_read *read)
{
    job *j = sc_jobs_find(core, &read->job);
    if (!j || j->state == SC_JOB_STAGED) {
        sc_core_refuse(core, p, read->request, SC_ENOJOB, "no such job");
        return;
    }
    if (read->order == SC_READ_TRIES && !j->number) {
        answer_none(core, p, j, read);
        return;
    }
    if (can_answer(j, read)) {
        answer_read(core, p, j, read);
        return;
    }
    watch *w = sc_watch_new(core, p, j, read->request);
    if (!w)
        return;
    w->is_read = true;
    w->read = *read;
}

void
sc_core_results(sc_core *core, const sc_store_read *read, int status, const sc_message *page,
                int64_t now_ms)
{
    core->now_ms = now_ms;
    peer *p = sc_peers_find_instance(core, read->client);
    job *j = sc_jobs_find(core, &read->job);
    if (!p)
        return;
    if (!j || status < 0) {
        sc_core_refuse(core, p, read->request, j ? status : SC_ENOJOB,
                       "the results cannot be read: %s",
                       j ? sc_error_text(status) : "the job has been forgotten");
        return;
    }
    sc_message m = *page;
    uint64_t end = read->order == SC_READ_ENDED ? j->position : j->first_index + j->n_tasks;
    m.page.request = read->request;
    m.page.n_dropped = j->n_dropped;
    m.page.is_end = sc_job_has_ended(j->state) && sc_job_is_safe(core, j) &&
                    (m.page.next >= end || j->n_dropped > 0);
    sc_core_send(core, p, &m);
}

static bool
is_due(const sc_core *core, const job *j, const watch *w)
{
    if (w->is_read)
        return can_answer(j, &w->read);
    if (w->is_retry)
        return false;
    if (w->after)
        return w->after <= core->written;
    if (w->of)
        return j->state != SC_JOB_STAGED;
    return sc_job_has_ended(j->state) && sc_job_is_safe(core, j);
}

// @return true where somebody waits for a write
static bool
tell_watches(sc_core *core, job *j)
{
    bool waits = false;
    for (watch *w = j->watches, *next; w; w = next) {
        next = w->job_next;
        if (!is_due(core, j, w)) {
            waits |= w->after > 0 || w->of > 0 || sc_job_has_ended(j->state);
            continue;
        }
        if (w->is_read)
            answer_read(core, w->peer, j, &w->read);
        else if (w->of)
            sc_uploads_ack(core, w->peer, w->request, j, w->of, 0);
        else
            sc_ask_job(core, w->peer, w->request, j);
        sc_watch_free(core, w);
    }
    return waits;
}

// Jobs in which something changed this turn: answer those who waited for it, and hand out those
// that waited for its end. The end of a durable job is told once it is safe; until then it stays in
// the list.
// @return true where jobs can be handed out that could not before
bool
sc_results_news(sc_core *core)
{
    job *later = NULL;
    bool is_met = false;
    for (job *j; (j = core->news);) {
        core->news = j->news_next;
        j->has_news = false;
        bool waits = tell_watches(core, j);
        if (j->children && sc_job_has_ended(j->state)) {
            is_met |= sc_job_is_safe(core, j);
            waits |= !sc_job_is_safe(core, j);
            if (sc_job_is_safe(core, j))
                sc_parents_moved(core, j);
        }
        if (!waits || j->has_news)
            continue;
        j->has_news = true;
        j->news_next = later;
        later = j;
    }
    core->news = later;
    return is_met;
}
