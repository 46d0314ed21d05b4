/* SPDX-License-Identifier: Apache-2.0 */
/* Uploads: OPEN, CHUNK, COMMIT, DROP, and what the store says to them. Each may come again and
 * changes nothing the second time. Part of the core. */
#include "coordinator/core_int.h"

#include <stdlib.h>
#include <string.h>

/* ---- OPEN ---- */

static bool
is_nil(const sc_uuid *id)
{
    static const sc_uuid nil;
    return memcmp(id, &nil, sizeof nil) == 0;
}

static const char no_digest[] = "a job with a key needs a digest of its content";

// What is wrong with an OPEN, or NULL.
static const char *
wrong_with(const sc_message *m)
{
    const sc_open *o = &m->open;
    if (is_nil(&o->job))
        return "a job needs an id";
    if (o->key.len && o->is_array && is_nil(&o->digest))
        return no_digest;
    if (!o->is_array)
        return m->table.len || m->bytes.len ? "OPEN of an upload has no payload" : NULL;
    if (o->n_tasks == 0 || o->first_index > UINT64_MAX - o->n_tasks)
        return "an array has 1 to 2147483648 tasks, indexes below 2^64";
    uint32_t n_pieces = sc_tasks_count(m->table);
    if (n_pieces == 0 || n_pieces > SC_MAX_ARRAY_PIECES || m->bytes.len > SC_TASK_MAX_BYTES ||
        sc_tasks_check(m->table, m->bytes, n_pieces, SC_TASK_MAX_BYTES) < 0)
        return "the arguments of an array are 1 to 256 pieces, 16 MiB in all";
    return NULL;
}

static bool
is_named(const sc_open *o, const job *j)
{
    const sc_parent *after = o->after.items;
    for (uint32_t i = 0; i < o->after.n; i++)
        if (memcmp(&after[i].job, &j->id, sizeof j->id) == 0)
            return true;
    return j->key && sc_text_equal(o->key, j->key);
}

// Room for one more job, by forgetting the one that ended first: not what this one names, nor what
// somebody is still to be told of.
static bool
make_place(sc_core *core, const sc_open *o)
{
    if (core->n_jobs < core->options.max_jobs)
        return true;
    for (job *j = core->jobs_ended; j; j = j->ended_next)
        if (sc_jobs_may_forget(core, j) && !is_named(o, j)) {
            sc_jobs_remove(core, j);
            return true;
        }
    return false;
}

// What a job's OPEN says of it, but for its tasks.
void
sc_uploads_set_policy(job *j, handler *h, const sc_open *o)
{
    j->id = o->job;
    j->handler = h;
    j->priority = o->priority;
    j->retries = o->retries;
    j->backoff_base_ms = o->backoff_base_ms;
    j->backoff_max_ms = o->backoff_max_ms;
    j->timeout_ms = o->timeout_ms;
    j->kill_after_ms = o->kill_after_ms;
    j->expires_ms = o->expires_ms;
    j->is_array = o->is_array;
    j->first_index = o->is_array ? o->first_index : 0;
    sc_text_copy(o->name, j->name, sizeof j->name);
}

static job *
new_job(sc_core *core, peer *p, const sc_message *m, handler *h)
{
    const sc_open *o = &m->open;
    job *j = sc_core_alloc(1, sizeof *j);
    if (!j)
        return NULL;
    sc_uploads_set_policy(j, h, o);
    j->client = p->instance;
    j->opening = ++core->n_openings;
    if (o->is_array) {
        j->n_tasks = o->n_tasks;
        j->pieces_table = sc_slice_keep(m->table);
        j->pieces_bytes = sc_slice_keep(m->bytes);
    }
    HASH_ADD(hh, core->jobs, id, sizeof j->id, j);
    if (!j->hh.tbl || sc_keys_set(j, o->key) < 0 || sc_parents_set(j, o) < 0 ||
        (o->is_array && (!j->pieces_table.data || !j->pieces_bytes.data))) {
        if (j->hh.tbl)
            HASH_DEL(core->jobs, j);
        sc_slice_drop(&j->pieces_table);
        sc_slice_drop(&j->pieces_bytes);
        free(j->key);
        free(j->parents);
        free(j);
        return NULL;
    }
    if (o->is_array)
        sc_keys_take(core, j, &o->digest);
    sc_parents_link(core, j);
    core->n_jobs++;
    core->n_staged++;
    DL_APPEND2(core->staged, j, order_prev, order_next);
    j->number = o->is_durable ? core->next_number++ : 0;
    j->queued_bytes = m->table.len + m->bytes.len;
    core->queue_bytes += j->queued_bytes;
    sc_jobs_stored(core, j, j->queued_bytes);
    sc_jobs_set_staged_timer(core, j);
    return j;
}

// A durable job while the journal cannot be written?
static bool
refuse_trouble(sc_core *core, peer *p, uint64_t request, bool is_durable)
{
    if (!is_durable || !core->is_in_trouble)
        return false;
    sc_core_refuse(core, p, request, SC_EJOURNAL,
                   "the journal cannot be written now: %s; try again later", core->trouble);
    return true;
}

// Would this much more payload pass what the store can take, after dropping all that it may drop?
static bool
refuse_full(sc_core *core, peer *p, uint64_t request, uint64_t bytes)
{
    uint64_t kept = core->stored_bytes - core->ended_bytes;
    if (kept + bytes <= core->store_max_bytes)
        return false;
    sc_core_refuse(core, p, request, SC_ESTOREFULL,
                   "the store is full: jobs that have not ended hold %llu of the %llu bytes that "
                   "RESULT_MEMORY, SPILL_MAX and the disk under --dir have room for, and %llu more "
                   "were offered; try again when jobs have ended",
                   (unsigned long long)kept, (unsigned long long)core->store_max_bytes,
                   (unsigned long long)bytes);
    return true;
}

void
sc_uploads_ack(sc_core *core, peer *p, uint64_t request, const job *j, uint32_t of, uint32_t number)
{
    sc_message m = {.type = SC_MSG_ACK};
    m.ack = (sc_ack){request, j->id, of, number, WINDOW_BYTES};
    sc_core_send(core, p, &m);
}

// Said before? Then the same answer. @return true where there is nothing more to do
static bool
open_again(sc_core *core, peer *p, const sc_open *o)
{
    job *j = sc_jobs_find(core, &o->job);
    if (!j)
        return false;
    if (j->client != p->instance)
        sc_core_refuse(core, p, o->request, SC_ESTATE, "a job of this id exists already");
    else if (j->is_opened)
        sc_uploads_ack(core, p, o->request, j, SC_MSG_OPEN, j->n_stored_chunks);
    if (j->client == p->instance)
        j->is_unsaid = false;
    return true; // not opened yet: the store's answer will answer both
}

// All of its content is known, and a job of its key is there.
static bool
is_of_key(sc_core *core, peer *p, const sc_open *o)
{
    return !is_nil(&o->digest) &&
           sc_keys_answer(core, p, o->request, SC_MSG_OPEN, o->key, &o->digest);
}

void
sc_uploads_open(sc_core *core, peer *p, const sc_message *m)
{
    const sc_open *o = &m->open;
    const char *wrong = wrong_with(m);
    handler *h = sc_jobs_find_handler(core, o->handler);
    if (core->is_stopping) {
        sc_core_refuse(core, p, o->request, SC_ESHUTDOWN, "the cluster is ending");
    } else if (wrong) {
        sc_core_refuse(core, p, o->request, SC_EBADARG, "%s", wrong);
    } else if (o->queue.len && !sc_text_equal(o->queue, "default")) {
        sc_core_refuse(core, p, o->request, SC_EQUEUE, "unknown queue %.*s; there is: default",
                       (int)o->queue.len, o->queue.data);
    } else if (open_again(core, p, o) || is_of_key(core, p, o)) {
        return;
    } else if (!h) {
        sc_jobs_refuse_handler(core, p, o->request, o->handler);
    } else if (sc_jobs_refuse_bytes(core, p, o->request, m->table.len + m->bytes.len) ||
               (!o->is_durable && refuse_full(core, p, o->request, m->table.len + m->bytes.len)) ||
               refuse_trouble(core, p, o->request, o->is_durable)) {
        return;
    } else if (!sc_parents_check(core, p, o)) {
        return;
    } else if (!make_place(core, o)) {
        sc_core_refuse(core, p, o->request, SC_ELIMIT,
                       "%llu jobs are open already; try again when some have ended",
                       (unsigned long long)core->n_jobs);
    } else {
        job *j = new_job(core, p, m, h);
        if (!j) {
            sc_core_refuse(core, p, o->request, SC_ENOMEM, "out of memory");
            return;
        }
        sc_ticket t = {j->id, p->instance, o->request, SC_MSG_OPEN, 0, j->opening};
        sc_saved_put_open(core, j, &t, m);
    }
}

/* ---- CHUNK, COMMIT, DROP ---- */

static int
check_chunk(const job *j, const sc_message *m)
{
    const sc_chunk *c = &m->chunk;
    if (c->count == 0 || sc_tasks_check(m->table, m->bytes, c->count, SC_TASK_MAX_BYTES) < 0)
        return SC_EMALFORMED;
    if (c->count > 1 && m->bytes.len > SC_CHUNK_MAX_BYTES)
        return SC_ETOOLARGE;
    if (c->number != j->n_chunks || c->first != j->n_tasks || j->is_committing)
        return SC_ESTATE;
    return j->n_tasks + c->count > SC_JOB_MAX_TASKS ? SC_ELIMIT : 0;
}

static bool
grow_infos(job *j)
{
    if (j->n_chunks < j->chunk_infos_max)
        return true;
    uint32_t max = j->chunk_infos_max ? j->chunk_infos_max * 2 : 16;
    void *grown =
        SC_FAULT("core.alloc") ? NULL : realloc(j->chunk_infos, max * sizeof *j->chunk_infos);
    if (!grown)
        return false;
    j->chunk_infos = grown;
    j->chunk_infos_max = max;
    return true;
}

static void
take_chunk(sc_core *core, peer *p, job *j, const sc_message *m)
{
    uint64_t bytes = m->table.len + m->bytes.len, place = j->n_tasks;
    sc_ticket t = {j->id, p->instance, m->chunk.request, SC_MSG_CHUNK, j->n_chunks, j->opening};
    j->chunk_infos[j->n_chunks].first = j->n_tasks;
    j->chunk_infos[j->n_chunks].bytes = bytes;
    j->chunk_infos[j->n_chunks].is_stored = false;
    j->n_chunks++;
    j->n_tasks += m->chunk.count;
    j->queued_bytes += bytes;
    core->queue_bytes += bytes;
    sc_jobs_stored(core, j, bytes);
    sc_jobs_set_staged_timer(core, j);
    sc_action a = {.type = SC_ACTION_PUT_CHUNK, .put = {t, m->table, m->bytes, NULL, place}};
    sc_core_write(core, j, &a);
}

void
sc_uploads_chunk(sc_core *core, peer *p, const sc_message *m)
{
    const sc_chunk *c = &m->chunk;
    job *j = sc_jobs_find(core, &c->job);
    if (!j || j->client != p->instance || j->is_array) {
        sc_core_refuse(core, p, c->request, SC_ENOJOB, "no such upload; it may have been dropped");
        return;
    }
    if (c->number < j->n_stored_chunks) {
        sc_uploads_ack(core, p, c->request, j, SC_MSG_CHUNK, c->number);
        return;
    }
    if (c->number < j->n_chunks)
        return; // the store will answer
    if (j->state != SC_JOB_STAGED) {
        sc_core_refuse(core, p, c->request, SC_ESTATE, "the upload is complete already");
        return;
    }
    int rc = check_chunk(j, m);
    if (rc == 0 && !grow_infos(j))
        rc = SC_ENOMEM;
    if (rc < 0)
        sc_core_refuse(core, p, c->request, rc, "chunk %u of the upload: %s", c->number,
                       sc_error_text(rc));
    if (rc < 0 || sc_jobs_refuse_bytes(core, p, c->request, m->table.len + m->bytes.len) ||
        (!j->number && refuse_full(core, p, c->request, m->table.len + m->bytes.len)))
        sc_jobs_remove(core, j); // its client cannot go on
    else
        take_chunk(core, p, j, m);
}

// What is wrong with a COMMIT: the code of its refusal and the reason.
static int
check_commit(const job *j, const sc_commit *c, sc_error *err)
{
    if (c->n_chunks != j->n_chunks || c->n_tasks != j->n_tasks || c->n_tasks == 0)
        return sc_error_set(err, SC_ESTATE,
                            "commit of %llu tasks in %u chunks, but %llu in %u are here",
                            (unsigned long long)c->n_tasks, c->n_chunks,
                            (unsigned long long)j->n_tasks, j->n_chunks);
    return j->key && is_nil(&c->digest) ? sc_error_set(err, SC_EBADARG, "%s", no_digest) : 0;
}

void
sc_uploads_commit(sc_core *core, peer *p, const sc_message *m)
{
    const sc_commit *c = &m->commit;
    job *j = sc_jobs_find(core, &c->job);
    sc_error err;
    int rc;
    if (!j || j->client != p->instance) {
        sc_core_refuse(core, p, c->request, SC_ENOJOB, "no such upload; it may have been dropped");
    } else if (j->state != SC_JOB_STAGED) {
        sc_uploads_ack(core, p, c->request, j, SC_MSG_COMMIT, 0);
    } else if (j->is_committing) {
        return; // the store will answer
    } else if ((rc = check_commit(j, c, &err)) < 0) {
        sc_core_refuse(core, p, c->request, rc, "%s", err.text);
        sc_jobs_remove(core, j);
    } else if (j->key &&
               sc_keys_answer(core, p, c->request, SC_MSG_COMMIT, sc_text_of(j->key), &c->digest)) {
        sc_jobs_remove(core, j);
    } else {
        j->is_committing = true;
        j->commit_request = c->request;
        sc_keys_take(core, j, &c->digest);
        sc_ticket t = {j->id, p->instance, c->request, SC_MSG_COMMIT, 0, j->opening};
        sc_saved_put_commit(core, j, &t);
    }
}

void
sc_uploads_drop(sc_core *core, peer *p, const sc_message *m)
{
    job *j = sc_jobs_find(core, &m->drop.job);
    if (j && j->state == SC_JOB_STAGED && j->client == p->instance)
        sc_jobs_remove(core, j);
}

/* ---- the store's answers ---- */

// Answers come in any order: a chunk counts when all before it are stored too, as its client takes
// an ACK for all of them; the job is open when everything is.
static void
stored(sc_core *core, peer *p, job *j, const sc_ticket *t)
{
    uint32_t before = j->n_stored_chunks;
    if (t->of == SC_MSG_OPEN)
        j->is_opened = true;
    else if (t->of == SC_MSG_COMMIT)
        j->is_committed = j->is_committing;
    else if (t->number < j->n_chunks)
        j->chunk_infos[t->number].is_stored = true;
    while (j->n_stored_chunks < j->n_chunks && j->chunk_infos[j->n_stored_chunks].is_stored)
        j->n_stored_chunks++;
    if (p && t->of == SC_MSG_OPEN)
        sc_uploads_ack(core, p, t->request, j, SC_MSG_OPEN, before);
    else if (p && j->n_stored_chunks > before)
        sc_uploads_ack(core, p, t->request, j, SC_MSG_CHUNK, j->n_stored_chunks - 1);
    bool is_whole = j->is_array || (j->is_committed && j->n_stored_chunks == j->n_chunks);
    if (!j->is_opened || !is_whole)
        return;
    sc_jobs_move(core, j, SC_JOB_OPEN);
    if (p && !j->is_array)
        sc_uploads_ack(core, p, j->commit_request, j, SC_MSG_COMMIT, 0);
}

void
sc_core_stored(sc_core *core, const sc_ticket *t, int status, const char *why, int64_t now_ms)
{
    core->now_ms = now_ms;
    job *j = sc_jobs_find(core, &t->job);
    peer *p = sc_peers_find_instance(core, t->client);
    if (!j || j->state != SC_JOB_STAGED || j->client != t->client || j->opening != t->opening)
        return; // of an upload that is gone
    if (status == 0) {
        stored(core, p, j, t);
        return;
    }
    if (p)
        sc_core_refuse(core, p, t->request, j->number ? SC_EJOURNAL : status,
                       "the job cannot be stored: %s", why ? why : sc_error_text(status));
    sc_jobs_remove(core, j);
}
