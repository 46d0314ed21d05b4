/* SPDX-License-Identifier: Apache-2.0 */
/* See history.h. An array of tasks a job, which grows to both sides: results may be seen before the
 * acceptance is (its answer is on the way), so a job is made by whatever names it first. */
#include "tests/support/history.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "base/error.h"

typedef struct past_task {
    uint64_t value;
    uint32_t attempt; // the last that is known
    uint32_t reading; // the last in which it was seen; 0: it has no result
    sc_outcome outcome;
} past_task;

typedef struct past_job {
    sc_uuid id;
    bool is_accepted, has_end;
    uint64_t first, count; // once accepted
    sc_seen_end end;       // once it has ended
    uint32_t reading;      // from 1
    uint64_t lowest;       // index of tasks[0]
    past_task *tasks;
    size_t n_tasks;
    UT_hash_handle hh;
} past_job;

struct sc_history {
    past_job *jobs; // in the order in which they were heard of
    sc_offence first;
    uint64_t n[SC_N_OFFENCES];
};

static const char *const names[SC_N_OFFENCES] = {"lost",    "twice",     "strange",
                                                 "changed", "backwards", "counts"};

static void *
must(void *memory)
{
    SC_ASSERT(memory);
    return memory;
}

sc_history *
sc_history_new(void)
{
    return must(calloc(1, sizeof(sc_history)));
}

void
sc_history_free(sc_history **history)
{
    if (!*history)
        return;
    while ((*history)->jobs)
        sc_history_forget(*history, &(*history)->jobs->id);
    free(*history);
    *history = NULL;
}

/* ---- offences ---- */

SC_PRINTF(5, 6)
static bool
offend(sc_history *h, sc_offence_kind kind, const past_job *j, uint64_t index, const char *format,
       ...)
{
    va_list args;
    bool is_first = sc_history_first(h) == NULL;
    h->n[kind]++;
    if (!is_first)
        return false;
    h->first = (sc_offence){.kind = kind, .job = j->id, .index = index};
    va_start(args, format);
    vsnprintf(h->first.text, sizeof h->first.text, format, args);
    va_end(args);
    return false;
}

uint64_t
sc_history_n(const sc_history *h, sc_offence_kind kind)
{
    return h->n[kind];
}

const sc_offence *
sc_history_first(const sc_history *h)
{
    for (int kind = 0; kind < SC_N_OFFENCES; kind++)
        if (h->n[kind] > 0)
            return &h->first;
    return NULL;
}

const char *
sc_offence_name(sc_offence_kind kind)
{
    return names[kind];
}

/* ---- jobs and tasks ---- */

static past_job *
find_job(const sc_history *h, const sc_uuid *id)
{
    past_job *j = NULL;
    HASH_FIND(hh, h->jobs, id, sizeof *id, j);
    return j;
}

static past_job *
get_job(sc_history *h, const sc_uuid *id)
{
    past_job *j = find_job(h, id);
    if (j)
        return j;
    j = must(calloc(1, sizeof *j));
    j->id = *id;
    j->reading = 1;
    HASH_ADD(hh, h->jobs, id, sizeof j->id, j);
    return j;
}

void
sc_history_forget(sc_history *h, const sc_uuid *job)
{
    past_job *j = find_job(h, job);
    if (!j)
        return;
    HASH_DEL(h->jobs, j);
    free(j->tasks);
    free(j);
}

static past_task *
find_task(const past_job *j, uint64_t index)
{
    return index >= j->lowest && index - j->lowest < j->n_tasks ? &j->tasks[index - j->lowest]
                                                                : NULL;
}

// At least doubles, so that indexes that come one after the other cost little each.
static void
grow(past_job *j, uint64_t index)
{
    uint64_t lowest = index, above = index + 1;
    if (j->n_tasks > 0 && index < j->lowest) {
        lowest = j->lowest > j->n_tasks ? j->lowest - j->n_tasks : 0;
        lowest = index < lowest ? index : lowest;
        above = j->lowest + j->n_tasks;
    } else if (j->n_tasks > 0) {
        lowest = j->lowest;
        above = j->lowest + 2 * j->n_tasks;
        above = index < above ? above : index + 1;
    }
    past_task *grown = must(calloc(above - lowest, sizeof *grown));
    if (j->n_tasks > 0)
        memcpy(grown + (j->lowest - lowest), j->tasks, j->n_tasks * sizeof *grown);
    free(j->tasks);
    j->tasks = grown;
    j->n_tasks = (size_t)(above - lowest);
    j->lowest = lowest;
}

static past_task *
get_task(past_job *j, uint64_t index)
{
    past_task *t = find_task(j, index);
    if (t)
        return t;
    grow(j, index);
    return find_task(j, index);
}

static bool
is_outside(const past_job *j, uint64_t index)
{
    return j->is_accepted && (index < j->first || index - j->first >= j->count);
}

/* ---- what is said ---- */

bool
sc_history_accept(sc_history *h, const sc_uuid *job, uint64_t first, uint64_t count)
{
    past_job *j = get_job(h, job);
    if (j->is_accepted && (j->first != first || j->count != count))
        return offend(h, SC_OFFENCE_CHANGED, j, first,
                      "a job of %" PRIu64 " tasks was accepted as one of %" PRIu64, j->count,
                      count);
    j->is_accepted = true;
    j->first = first;
    j->count = count;
    return true;
}

bool
sc_history_attempt(sc_history *h, const sc_uuid *job, uint64_t index, uint32_t attempt)
{
    past_job *j = get_job(h, job);
    if (is_outside(j, index))
        return offend(h, SC_OFFENCE_STRANGE, j, index, "it is tried, and is outside of its job");
    past_task *t = get_task(j, index);
    if (attempt < t->attempt)
        return offend(h, SC_OFFENCE_BACKWARDS, j, index, "attempt %u begins after attempt %u",
                      attempt, t->attempt);
    t->attempt = attempt;
    return true;
}

void
sc_history_read(sc_history *h, const sc_uuid *job)
{
    get_job(h, job)->reading++;
}

static bool
is_same(const past_task *t, const sc_seen_result *r)
{
    return t->outcome == r->outcome && t->attempt == r->attempt && t->value == r->value;
}

bool
sc_history_result(sc_history *h, const sc_uuid *job, const sc_seen_result *r)
{
    past_job *j = get_job(h, job);
    if (is_outside(j, r->index))
        return offend(h, SC_OFFENCE_STRANGE, j, r->index, "it ended, and is outside of its job");
    past_task *t = get_task(j, r->index);
    if (t->reading == j->reading)
        return offend(h, SC_OFFENCE_TWICE, j, r->index, "it has two results");
    if (t->reading > 0 && !is_same(t, r))
        return offend(h, SC_OFFENCE_CHANGED, j, r->index,
                      "it was %s at attempt %u, and now is %s at attempt %u%s",
                      sc_outcome_name(t->outcome), t->attempt, sc_outcome_name(r->outcome),
                      r->attempt, t->value == r->value ? "" : ", with another value");
    if (r->attempt > 0 && r->attempt < t->attempt)
        return offend(h, SC_OFFENCE_BACKWARDS, j, r->index, "it ended at attempt %u after %u",
                      r->attempt, t->attempt);
    *t = (past_task){r->value, r->attempt, j->reading, r->outcome};
    return true;
}

// A job is failed where a task is dead, unless it was cancelled.
static bool
state_fits(const sc_seen_end *e)
{
    return e->state == SC_JOB_CANCELLED || (e->state == SC_JOB_FAILED && e->dead > 0) ||
           (e->state == SC_JOB_SUCCEEDED && e->dead == 0);
}

static bool
is_same_end(const sc_seen_end *a, const sc_seen_end *b)
{
    return a->state == b->state && a->done == b->done && a->dead == b->dead &&
           a->cancelled == b->cancelled;
}

bool
sc_history_end(sc_history *h, const sc_uuid *job, const sc_seen_end *end)
{
    past_job *j = get_job(h, job);
    if (j->has_end && !is_same_end(&j->end, end))
        return offend(h, SC_OFFENCE_CHANGED, j, j->first,
                      "it was %s, and now is %s: %" PRIu64 " done, %" PRIu64 " dead, %" PRIu64
                      " cancelled",
                      sc_job_state_name(j->end.state), sc_job_state_name(end->state), end->done,
                      end->dead, end->cancelled);
    if (!state_fits(end))
        return offend(h, SC_OFFENCE_COUNTS, j, j->first, "it is %s with %" PRIu64 " dead tasks",
                      sc_job_state_name(end->state), end->dead);
    j->has_end = true;
    j->end = *end;
    return true;
}

void
sc_history_retry(sc_history *h, const sc_uuid *job, bool is_dead_only)
{
    past_job *j = get_job(h, job);
    j->has_end = false;
    for (size_t i = 0; i < j->n_tasks; i++) {
        past_task *t = &j->tasks[i];
        if (t->reading > 0 &&
            (t->outcome == SC_DEAD || (t->outcome == SC_CANCELLED && !is_dead_only)))
            *t = (past_task){0};
    }
}

/* ---- the end ---- */

bool
sc_history_has_result(const sc_history *h, const sc_uuid *job, uint64_t index)
{
    const past_job *j = find_job(h, job);
    const past_task *t = j ? find_task(j, index) : NULL;
    return t && t->reading > 0;
}

static uint64_t
sum(const sc_seen_end *e)
{
    return e->done + e->dead + e->cancelled;
}

// Results before the acceptance was known could not be judged then.
static void
finish_tasks(sc_history *h, const past_job *j, uint64_t n_of[SC_N_OUTCOMES])
{
    for (size_t i = 0; i < j->n_tasks; i++) {
        const past_task *t = &j->tasks[i];
        if (t->reading == 0)
            continue;
        n_of[t->outcome]++;
        if (!j->is_accepted || is_outside(j, j->lowest + i))
            offend(h, SC_OFFENCE_STRANGE, j, j->lowest + i, "it ended, and was never accepted");
    }
}

// One offence, which counts as so many.
static void
offend_times(sc_history *h, sc_offence_kind kind, const past_job *j, uint64_t n)
{
    if (n == 0)
        return;
    offend(h, kind, j, j->first, "of %" PRIu64 " tasks %" PRIu64 " are said to have ended",
           j->count, sum(&j->end));
    h->n[kind] += n - 1;
}

// What its counts say beyond what its results do.
static void
finish_counts(sc_history *h, const past_job *j, uint64_t n_missing,
              const uint64_t n_of[SC_N_OUTCOMES])
{
    uint64_t n = sum(&j->end);
    if (n > j->count)
        offend_times(h, SC_OFFENCE_TWICE, j, n - j->count);
    else if (j->count - n > n_missing)
        offend_times(h, SC_OFFENCE_LOST, j, j->count - n - n_missing);
    else if (n_missing == 0 && (n_of[SC_DONE] != j->end.done || n_of[SC_DEAD] != j->end.dead))
        offend(h, SC_OFFENCE_COUNTS, j, j->first,
               "%" PRIu64 " results are done and %" PRIu64 " dead; its counts are %" PRIu64
               " and %" PRIu64,
               n_of[SC_DONE], n_of[SC_DEAD], j->end.done, j->end.dead);
}

static void
finish_job(sc_history *h, const past_job *j)
{
    uint64_t n_of[SC_N_OUTCOMES] = {0}, n_missing = 0;
    finish_tasks(h, j, n_of);
    for (uint64_t i = 0; j->is_accepted && i < j->count; i++) {
        const past_task *t = find_task(j, j->first + i);
        if (t && t->reading > 0)
            continue;
        n_missing++;
        offend(h, SC_OFFENCE_LOST, j, j->first + i, "it has no result");
    }
    if (j->has_end && j->is_accepted)
        finish_counts(h, j, n_missing, n_of);
}

void
sc_history_finish(sc_history *h)
{
    for (const past_job *j = h->jobs; j; j = j->hh.next)
        finish_job(h, j);
}

uint64_t
sc_history_n_accepted(const sc_history *h)
{
    uint64_t n = 0;
    for (const past_job *j = h->jobs; j; j = j->hh.next)
        n += j->is_accepted ? j->count : 0;
    return n;
}
