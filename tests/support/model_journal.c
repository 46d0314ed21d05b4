/* SPDX-License-Identifier: Apache-2.0 */
/* See model_journal.h. */
#include "tests/support/model_journal.h"

#include <stdlib.h>
#include <string.h>

#define uthash_fatal(text) SC_ASSERT(!text)
#include <uthash.h>

#include "coordinator/action.h"
#include "proto/run.h"

typedef struct write {
    sc_kept_action kept;
    bool is_refused;
} write;

struct sc_model_journal {
    write **writes;
    size_t n_writes, max_writes;
    size_t n_before; // of earlier cores
    uint64_t epoch;
};

static void *
must(void *memory)
{
    SC_ASSERT(memory);
    return memory;
}

sc_model_journal *
sc_model_journal_new(void)
{
    return must(calloc(1, sizeof(sc_model_journal)));
}

static void
free_write(write *w)
{
    sc_action_drop(&w->kept);
    free(w);
}

void
sc_model_journal_free(sc_model_journal **at)
{
    sc_model_journal *j = *at;
    if (!j)
        return;
    for (size_t i = 0; i < j->n_writes; i++)
        free_write(j->writes[i]);
    free(j->writes);
    free(j);
    *at = NULL;
}

/* ---- writing ---- */

bool
sc_model_journal_is_write(const sc_action *a)
{
    return a->number > 0 && a->type != SC_ACTION_GET_CHUNK && a->type != SC_ACTION_GET_RESULTS &&
           a->type != SC_ACTION_GET_TASKS;
}

bool
sc_model_journal_act(sc_model_journal *j, const sc_action *a)
{
    if (!sc_model_journal_is_write(a))
        return false;
    if (j->n_writes == j->max_writes) {
        j->max_writes = j->max_writes ? j->max_writes * 2 : 64;
        j->writes = must(realloc(j->writes, j->max_writes * sizeof(write *)));
    }
    write *w = must(calloc(1, sizeof *w));
    sc_action_keep(a, &w->kept);
    j->writes[j->n_writes++] = w;
    return true;
}

uint64_t
sc_model_journal_n_writes(const sc_model_journal *j)
{
    return j->n_writes - j->n_before;
}

const sc_ticket *
sc_model_journal_upload(const sc_model_journal *j, uint64_t n)
{
    SC_ASSERT(n > 0 && j->n_before + n <= j->n_writes);
    const write *w = j->writes[j->n_before + n - 1];
    bool is_upload = w->kept.action.type == SC_ACTION_PUT_OPEN ||
                     w->kept.action.type == SC_ACTION_PUT_CHUNK ||
                     w->kept.action.type == SC_ACTION_PUT_COMMIT;
    return is_upload && !w->is_refused ? &w->kept.action.put.ticket : NULL;
}

void
sc_model_journal_refuse(sc_model_journal *j, uint64_t n)
{
    SC_ASSERT(sc_model_journal_upload(j, n));
    j->writes[j->n_before + n - 1]->is_refused = true;
}

void
sc_model_journal_each(const sc_model_journal *j, void (*see)(void *arg, const sc_action *action),
                      void *arg)
{
    for (size_t i = 0; i < j->n_writes; i++)
        if (!j->writes[i]->is_refused)
            see(arg, &j->writes[i]->kept.action);
}

void
sc_model_journal_crash(sc_model_journal *j, uint64_t n_safe)
{
    SC_ASSERT(j->n_before + n_safe <= j->n_writes);
    while (j->n_writes > j->n_before + n_safe)
        free_write(j->writes[--j->n_writes]);
    j->n_before = j->n_writes;
}

uint64_t
sc_model_journal_epoch(sc_model_journal *j)
{
    return ++j->epoch;
}

/* ---- reading it all ---- */

/* A task of which something was written. */
typedef struct known {
    uint64_t place;
    bool has_ended;
    uint32_t outcome;
    uint64_t position; // of its end
    sc_saved_attempt next;
    UT_hash_handle hh;
} known;

typedef struct found {
    sc_saved_job job;
    sc_uuid id;
    sc_saved_chunk *chunks;
    uint32_t n_chunks;
    known *tasks;
    uint64_t position;
    sc_saved_tasks result;
    UT_hash_handle hh;
} found;

static known *
get_known(found *f, uint64_t place)
{
    known *k = NULL;
    HASH_FIND(hh, f->tasks, &place, sizeof place, k);
    if (k)
        return k;
    k = must(calloc(1, sizeof *k));
    k->place = place;
    HASH_ADD(hh, f->tasks, place, sizeof place, k);
    return k;
}

static void
note_end(found *f, uint64_t place, uint32_t outcome)
{
    known *k = get_known(f, place);
    SC_ASSERT(!k->has_ended); // a task ends once
    k->has_ended = true;
    k->position = f->position++;
    k->outcome = outcome;
}

static void
note_results(found *f, const sc_action *a)
{
    uint32_t n = sc_records_count(a->results.table);
    SC_ASSERT(a->results.position == f->position);
    for (uint32_t i = 0; i < n; i++) {
        sc_record r = sc_records_get(a->results.table, i);
        note_end(f, a->results.base + r.offset - a->results.first_index, r.outcome);
    }
}

static void
note_range(found *f, const sc_action *a)
{
    SC_ASSERT(a->range.position == f->position);
    for (uint64_t i = 0; i < a->range.count; i++)
        note_end(f, a->range.first + i - a->range.first_index, a->range.outcome);
}

// Nothing is known of what has failed: it begins again.
static void
undo(found *f, const sc_undone *undone)
{
    for (known *k = f->tasks, *next; k; k = next) {
        next = k->hh.next;
        if (!k->has_ended || !sc_undone_has(undone, k->outcome, k->position))
            continue;
        HASH_DEL(f->tasks, k);
        free(k);
    }
}

static void
free_found(found **all, found *f)
{
    for (known *k = f->tasks, *next; k; k = next) {
        next = k->hh.next;
        HASH_DEL(f->tasks, k);
        free(k);
    }
    HASH_DEL(*all, f);
    free(f->chunks);
    free(f->result.ended);
    free(f->result.attempts);
    free(f);
}

static void
note_chunk(found *f, const sc_action *a)
{
    SC_ASSERT(a->put.ticket.number == f->n_chunks);
    f->chunks = must(realloc(f->chunks, (f->n_chunks + 1) * sizeof *f->chunks));
    f->chunks[f->n_chunks++] = (sc_saved_chunk){sc_tasks_count(a->put.table),
                                                (uint32_t)(a->put.table.len + a->put.bytes.len)};
    f->job.chunks = sc_slice_borrow(f->chunks, f->n_chunks * sizeof *f->chunks);
}

static void
note(found **all, const sc_action *a)
{
    found *f = NULL;
    HASH_FIND(hh, *all, &a->number, sizeof a->number, f);
    if (a->type == SC_ACTION_PUT_OPEN) {
        SC_ASSERT(!f);
        f = must(calloc(1, sizeof *f));
        f->job = *a->put.saved;
        f->id = a->put.ticket.job;
        HASH_ADD(hh, *all, job.number, sizeof f->job.number, f);
        return;
    }
    if (!f)
        return; // of a job that was refused
    if (a->type == SC_ACTION_PUT_CHUNK) {
        note_chunk(f, a);
    } else if (a->type == SC_ACTION_PUT_COMMIT) {
        SC_ASSERT(a->put.saved->chunks.len == f->job.chunks.len);
        f->job.state = a->put.saved->state;
    } else if (a->type == SC_ACTION_PUT_STATE) {
        f->job.state = a->state.state;
        undo(f, &a->state.state.undone);
    } else if (a->type == SC_ACTION_PUT_RESULTS) {
        note_results(f, a);
    } else if (a->type == SC_ACTION_PUT_RANGE) {
        note_range(f, a);
    } else if (a->type == SC_ACTION_PUT_ATTEMPT) {
        get_known(f, a->attempt.next.place)->next = a->attempt.next;
    } else if (a->type == SC_ACTION_DROP_JOB) {
        free_found(all, f);
    }
}

static found *
note_all(const sc_model_journal *j)
{
    found *all = NULL;
    for (size_t i = 0; i < j->n_writes; i++)
        if (!j->writes[i]->is_refused)
            note(&all, &j->writes[i]->kept.action);
    return all;
}

static int
by_place(const known *a, const known *b)
{
    return a->place < b->place ? -1 : a->place > b->place;
}

// Neighbours of one outcome are one stretch.
static void
add_ended(sc_saved_tasks *t, const known *k)
{
    sc_saved_stretch one = {k->place, 1, k->outcome == SC_DEAD, k->outcome == SC_CANCELLED};
    sc_saved_stretch *last = t->n_ended ? &t->ended[t->n_ended - 1] : NULL;
    if (!last || last->place + last->count != one.place || !last->dead != !one.dead ||
        !last->cancelled != !one.cancelled) {
        t->ended[t->n_ended++] = one;
        return;
    }
    last->count++;
    last->dead += one.dead;
    last->cancelled += one.cancelled;
}

// What sc_saved_tasks says of a job, from what is known of each task.
static void
conclude(found *f)
{
    sc_saved_tasks *t = &f->result;
    uint64_t n = HASH_COUNT(f->tasks);
    HASH_SORT(f->tasks, by_place);
    t->ended = must(calloc(n + 1, sizeof *t->ended));
    t->attempts = must(calloc(n + 1, sizeof *t->attempts));
    t->position = f->position;
    for (const known *k = f->tasks; k; k = k->hh.next) {
        if (!k->has_ended) {
            t->attempts[t->n_attempts++] = k->next;
            continue;
        }
        if (k->place < f->job.state.prefix)
            continue;
        add_ended(t, k);
        t->done += k->outcome == SC_DONE;
        t->dead += k->outcome == SC_DEAD;
        t->cancelled += k->outcome == SC_CANCELLED;
    }
}

void
sc_model_journal_answer(sc_model_journal *j, const sc_model_question *q, int status, sc_core *core,
                        int64_t now_ms)
{
    found *all = note_all(j), *f = NULL;
    HASH_FIND(hh, all, &q->durable, sizeof q->durable, f);
    if (!f && status == 0)
        status = SC_ENOTFOUND; // dropped meanwhile
    if (status == 0) {
        undo(f, &q->undone);
        f->job.state.prefix = f->job.state.done = f->job.state.dead = f->job.state.cancelled = 0;
        conclude(f);
    }
    sc_core_tasks(core, &q->job, status, status == 0 ? &f->job : NULL,
                  status == 0 ? &f->result : NULL, now_ms);
    while (all)
        free_found(&all, all);
}

void
sc_model_journal_restore(sc_model_journal *j, sc_core *core, int64_t now_ms)
{
    found *all = note_all(j);
    size_t n = HASH_COUNT(all), at = 0;
    sc_saved_job *jobs = must(calloc(n + 1, sizeof *jobs));
    sc_saved_tasks **tasks = must(calloc(n + 1, sizeof(sc_saved_tasks *)));
    for (found *f = all; f; f = f->hh.next, at++) {
        jobs[at] = f->job;
        if (sc_job_has_ended(f->job.state.state))
            continue;
        conclude(f);
        tasks[at] = &f->result;
    }
    SC_ASSERT(sc_core_restore(core, jobs, tasks, n, now_ms) == 0);
    free(jobs);
    free(tasks);
    while (all)
        free_found(&all, all);
}
