/* SPDX-License-Identifier: Apache-2.0 */
/* Chunks, and the tasks that leave the straight path: handed out again, delayed, blamed, ended
 * without a worker's word. On the straight path a task is a bit of its chunk and nothing else. Part
 * of the core. */
#include "coordinator/core_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool
sc_bits_next(const bits *b, uint32_t from, uint32_t end, uint32_t *first, uint32_t *count)
{
    uint32_t i = from;
    while (i < end && !bit_get(b, i)) {
        uint64_t rest = b->words[i / 64] >> (i % 64);
        i += rest ? (uint32_t)__builtin_ctzll(rest) : 64 - i % 64;
    }
    if (i >= end)
        return false;
    uint32_t j = i;
    while (j < end && bit_get(b, j)) {
        uint64_t rest = ~(b->words[j / 64] >> (j % 64));
        uint32_t step = rest ? (uint32_t)__builtin_ctzll(rest) : 64;
        j += step < 64 - j % 64 ? step : 64 - j % 64;
    }
    *first = i;
    *count = (j < end ? j : end) - i;
    return true;
}

void
sc_bits_set(bits *b, uint32_t first, uint32_t count)
{
    for (uint32_t i = first, end = first + count, n; i < end; i += n) {
        n = end - i < 64 - i % 64 ? end - i : 64 - i % 64;
        b->words[i / 64] |= UINT64_MAX >> (64 - n) << (i % 64);
    }
}

/* ---- chunks ---- */

uint32_t
sc_tasks_chunk_of(const job *j, uint64_t place)
{
    if (j->is_array)
        return (uint32_t)(place / SC_CHUNK_MAX_TASKS);
    uint32_t low = 0, high = j->n_chunks; // the last chunk whose first place is not above
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;
        if (j->chunk_infos[mid].first <= place)
            low = mid;
        else
            high = mid;
    }
    return low;
}

uint64_t
sc_tasks_chunk_first(const job *j, uint32_t number)
{
    return j->is_array ? (uint64_t)number * SC_CHUNK_MAX_TASKS : j->chunk_infos[number].first;
}

uint32_t
sc_tasks_chunk_count(const job *j, uint32_t number)
{
    uint64_t first = sc_tasks_chunk_first(j, number);
    uint64_t next = j->is_array                ? first + SC_CHUNK_MAX_TASKS
                    : number + 1 < j->n_chunks ? j->chunk_infos[number + 1].first
                                               : j->n_tasks;
    return (uint32_t)((next < j->n_tasks ? next : j->n_tasks) - first);
}

chunk *
sc_tasks_find_chunk(job *j, uint32_t number)
{
    chunk *c = NULL;
    HASH_FIND(hh, j->chunks, &number, sizeof number, c);
    return c;
}

chunk *
sc_tasks_touch(sc_core *core, job *j, uint32_t number)
{
    chunk *c = sc_tasks_find_chunk(j, number);
    if (c || !(c = sc_slab_new(&core->chunk_slab)))
        return c;
    c->job = j;
    c->number = number;
    c->first = sc_tasks_chunk_first(j, number);
    c->count = sc_tasks_chunk_count(j, number);
    HASH_ADD(hh, j->chunks, number, sizeof c->number, c);
    if (!c->hh.tbl) {
        sc_slab_free(&core->chunk_slab, c);
        return NULL;
    }
    return c;
}

void
sc_tasks_drop_payload(chunk *c)
{
    sc_slice_drop(&c->table);
    sc_slice_drop(&c->bytes);
}

static void
free_chunk(sc_core *core, chunk *c)
{
    for (exception *e; (e = sc_exceptions_next(c, 0));)
        sc_exceptions_drop(core, e);
    sc_tasks_drop_payload(c);
    sc_core_timer_stop(core, &c->unread_timer);
    free(c->unwanted);
    HASH_DEL(c->job->chunks, c);
    if (c->is_fetching) // nobody is told when it comes
        c->job->is_next_fetching = false;
    sc_schedule_lane(core, c->job);
    sc_slab_free(&core->chunk_slab, c);
}

// Tasks that are dead or cancelled may be tried again later: the journal keeps their payload.
static void
drop_stored(sc_core *core, job *j, uint32_t number, bool has_failed)
{
    sc_action a = {.type = SC_ACTION_DROP_CHUNK, .chunk = {j->id, number}};
    if (!j->number || !has_failed)
        sc_core_write(core, j, &a);
    sc_jobs_unqueued(core, j, j->chunk_infos[number].bytes);
}

// All tasks of a chunk have ended: its payload is of no more use here.
static void
chunk_ended(sc_core *core, chunk *c)
{
    job *j = c->job;
    sc_tasks_drop_payload(c);
    if (j->is_array)
        return;
    drop_stored(core, j, c->number, c->n_dead + c->n_cancelled > 0);
}

// More tasks of a chunk have ended; their bits are set.
void
sc_tasks_count_ended(sc_core *core, chunk *c, const outcomes *ended)
{
    c->n_ended += ended->done + ended->dead + ended->cancelled;
    c->n_dead += ended->dead;
    c->n_cancelled += ended->cancelled;
    if (c->n_ended == c->count)
        chunk_ended(core, c);
}

// Where the ended tasks at the start of a chunk stop.
static uint32_t
ended_prefix(const chunk *c)
{
    uint32_t i = 0;
    while (i < c->count && c->ended.words[i / 64] == UINT64_MAX)
        i += 64;
    while (i < c->count && bit_get(&c->ended, i))
        i++;
    return i < c->count ? i : c->count;
}

// After tasks have ended: move the prefix, let go of chunks behind it, end the job where it is
// complete.
void
sc_tasks_progress(sc_core *core, job *j)
{
    while (j->prefix < j->stop) {
        chunk *c = sc_tasks_find_chunk(j, sc_tasks_chunk_of(j, j->prefix));
        if (!c)
            break;
        j->prefix = c->first + ended_prefix(c);
        if (c->n_ended < c->count)
            break;
        SC_ASSERT(!c->runs);
        j->behind.prefix = j->prefix;
        j->behind.done += c->count - c->n_dead - c->n_cancelled;
        j->behind.dead += c->n_dead;
        j->behind.cancelled += c->n_cancelled;
        free_chunk(core, c);
    }
    if (j->prefix == j->stop)
        j->prefix = j->next = j->stop = j->n_tasks;
    sc_core_news(core, j);
    sc_jobs_maybe_end(core, j);
    sc_saved_progress(core, j);
}

// It was cancelled while it runs, and is not tried again. @return false without memory
bool
sc_tasks_unwant(chunk *c, uint32_t offset)
{
    if (!c->unwanted && !(c->unwanted = sc_core_alloc(1, sizeof *c->unwanted)))
        return false;
    bit_set(c->unwanted, offset);
    return true;
}

/* ---- handed out again ---- */

// Neighbours that come one after the other wait, and travel, as one stretch. All of a chunk waits
// together: its payload is fetched once for all of it, however scattered they are.
static void
append(sc_core *core, const range *from)
{
    chunk *c = from->chunk;
    range *last = c->last_again;
    if (last && last->attempt == from->attempt && last->is_unsure == from->is_unsure &&
        last->first + last->count == from->first) {
        last->count += from->count;
        return;
    }
    range *r = sc_slab_new(&core->range_slab);
    SC_ASSERT(r); // losing a task would be worse than ending
    *r = *from;
    if (last)
        DL_APPEND_ELEM(c->job->again, last, r);
    else
        DL_APPEND(c->job->again, r);
    c->last_again = r;
    sc_schedule_lane(core, c->job);
}

// The range of the same chunk before this one, or NULL.
static range *
range_before(const range *r)
{
    const range *head = r->chunk->job->again; // DL: its prev is the tail
    return r != head && r->prev->chunk == r->chunk ? r->prev : NULL;
}

void
sc_tasks_again(sc_core *core, chunk *c, uint32_t first, uint32_t count, uint32_t attempt)
{
    append(core, &(range){.chunk = c, .first = first, .count = count, .attempt = attempt});
}

// One that may not be begun twice and may have been begun.
void
sc_tasks_again_unsure(sc_core *core, chunk *c, uint32_t offset, uint32_t attempt)
{
    append(core, &(range){c, offset, 1, attempt, true, NULL, NULL});
}

// What has not ended and has no history in a chunk behind those handed out waits there as if it had
// been handed out and had come back.
static void
pass_over(sc_core *core, chunk *c, uint32_t from, uint32_t until, bool is_unsure)
{
    bits open;
    for (int i = 0; i < BIT_WORDS; i++)
        open.words[i] = ~c->ended.words[i];
    for (const exception *e = sc_exceptions_next(c, 0); e; e = sc_exceptions_next(c, e->offset + 1))
        bit_clear(&open, e->offset);
    for (uint32_t at = from, first, n; sc_bits_next(&open, at, until, &first, &n); at = first + n) {
        append(core, &(range){c, first, n, 1, is_unsure, NULL, NULL});
    }
}

// Moves `next` beyond a place, to the end of its chunk; of a handler that may not be repeated what
// lies below `handed` may have begun. @return false without memory
bool
sc_tasks_reach(sc_core *core, job *j, uint64_t until)
{
    while (j->next < until && j->next < j->stop) {
        chunk *c = sc_tasks_touch(core, j, sc_tasks_chunk_of(j, j->next));
        if (!c)
            return false;
        uint32_t from = (uint32_t)(j->next - c->first), sure = from;
        if (j->handed > j->next)
            sure = j->handed - c->first < c->count ? (uint32_t)(j->handed - c->first) : c->count;
        j->next = c->first + c->count;
        pass_over(core, c, from, sure, true);
        pass_over(core, c, sure, c->count, false);
    }
    sc_schedule_lane(core, j);
    return true;
}

void
sc_tasks_drop_range(sc_core *core, range *r)
{
    job *j = r->chunk->job;
    if (r->chunk->last_again == r)
        r->chunk->last_again = range_before(r);
    DL_DELETE(j->again, r);
    sc_slab_free(&core->range_slab, r);
    sc_schedule_lane(core, j);
}

// Takes a stretch out of a range, of which one piece stays and one may become the last of
// its chunk.
void
sc_tasks_cut(sc_core *core, range *r, uint32_t first, uint32_t count)
{
    uint32_t at = first + count, behind = r->first + r->count - at;
    if (behind)
        append(core, &(range){r->chunk, at, behind, r->attempt, r->is_unsure, NULL, NULL});
    r->count = first - r->first;
    if (r->count == 0)
        sc_tasks_drop_range(core, r);
}

// Take one task out of the ranges that wait to be handed out again, where its attempt is this one
// (0: any). @return false where it is not there
bool
sc_tasks_take_queued(sc_core *core, chunk *c, uint32_t offset, uint32_t wanted, range *taken)
{
    for (range *r = c->last_again; r; r = range_before(r)) {
        if (offset < r->first || offset >= r->first + r->count)
            continue;
        if (wanted && r->attempt != wanted)
            return false;
        *taken = (range){c, offset, 1, r->attempt, r->is_unsure, NULL, NULL};
        sc_tasks_cut(core, r, offset, 1);
        return true;
    }
    return false;
}

static void
end_part(sc_core *core, const run *r, uint32_t first, uint32_t count, int code)
{
    range ended = {r->chunk, r->first + first, count, r->attempt, false, NULL, NULL};
    sc_tasks_end_range(core, &ended, code);
}

// A stretch of lost or returned tasks, none with a history.
static void
requeue_plain(sc_core *core, run *r, uint32_t first, uint32_t count, bool is_over)
{
    if (is_over)
        end_part(core, r, first, count, SC_EUNKNOWN);
    else
        sc_tasks_again(core, r->chunk, r->first + first, count, r->attempt);
}

// One task with a history: blamed ones run alone from now on.
static void
requeue_exception(sc_core *core, run *r, exception *e, uint32_t offset, bool is_over)
{
    if (is_over || e->blame == 0) {
        requeue_plain(core, r, offset, 1, is_over);
        return;
    }
    e->attempt = r->attempt;
    sc_exceptions_suspect(core, e);
}

// Tasks of a run that did not end there (`which`, offsets in the run) are queued again; a task that
// may not be repeated and may have started when its worker was lost is dead, one that was cancelled
// meanwhile is not begun again, nor one that is given back too late to begin. The caller takes them
// from the run, then calls sc_tasks_progress.
void
sc_tasks_requeue_run(sc_core *core, run *r, const bits *which, bool was_lost)
{
    chunk *c = r->chunk;
    bool may_be_over = was_lost && r->handler->is_once;
    bool is_too_late = !was_lost && c->job->has_expired && r->attempt == 1;
    for (uint32_t at = 0, first, n; sc_bits_next(which, at, r->count, &first, &n); at = first + n) {
        c->job->running -= n;
        c->job->queued += n;
        if (!may_be_over && !is_too_late && !c->n_exceptions && !c->unwanted) {
            requeue_plain(core, r, first, n, false);
            continue;
        }
        for (uint32_t i = first; i < first + n; i++) {
            bool is_over = may_be_over && sc_workers_may_have_started(r, i);
            exception *e = sc_exceptions_find(c, r->first + i);
            if (sc_tasks_is_unwanted(c, r->first + i))
                end_part(core, r, i, 1, SC_ECANCELLED);
            else if (is_too_late && !(e && e->blame))
                end_part(core, r, i, 1, SC_EEXPIRED);
            else if (e)
                requeue_exception(core, r, e, i, is_over);
            else
                requeue_plain(core, r, i, 1, is_over);
        }
    }
}

static uint64_t
backoff_ms(sc_core *core, const job *j, uint32_t attempt)
{
    uint64_t cap = j->backoff_base_ms;
    for (uint32_t i = 1; i < attempt && cap < j->backoff_max_ms; i++)
        cap *= 2;
    if (cap > j->backoff_max_ms)
        cap = j->backoff_max_ms;
    return sc_random_below(&core->random, cap + 1); // full jitter
}

// A failed task (counted as running) that has attempts left: `why` says the one that failed.
void
sc_tasks_retry(sc_core *core, chunk *c, uint32_t offset, const failure *why)
{
    job *j = c->job;
    j->running--;
    uint32_t attempt = why->attempt;
    uint64_t wait_ms = backoff_ms(core, j, attempt);
    exception *e = sc_exceptions_get(core, c, offset);
    if (e)
        e->attempt = attempt + 1;
    sc_saved_attempt next = {.attempt = attempt + 1,
                             .blame = e ? e->blame : 0,
                             .due_at = sc_core_unix_ms(core) + (int64_t)wait_ms};
    bool is_now = !e || core->n_delayed >= MAX_DELAYED || wait_ms == 0;
    if (is_now)
        next.due_at = 0;
    sc_saved_put_attempt(core, c, offset, &next, why);
    if (is_now) {
        j->queued++;
        if (e && e->blame) {
            sc_exceptions_suspect(core, e);
            return;
        }
        if (e)
            sc_exceptions_drop(core, e);
        sc_tasks_again(core, c, offset, 1, attempt + 1);
        return;
    }
    j->delayed++;
    core->n_delayed++;
    e->is_delayed = true;
    sc_core_timer_set(core, &e->timer, TIMER_DELAYED, core->now_ms + (int64_t)wait_ms);
}

void
sc_tasks_undelay(sc_core *core, exception *e)
{
    sc_core_timer_stop(core, &e->timer);
    e->is_delayed = false;
    core->n_delayed--;
    e->chunk->job->delayed--;
    e->chunk->job->queued++;
}

// The time of its next attempt has come: it waits alone, or with all others.
void
sc_tasks_due(sc_core *core, exception *e)
{
    sc_saved_put_due(core, e);
    if (e->blame) {
        sc_exceptions_suspect(core, e);
        return;
    }
    sc_tasks_again(core, e->chunk, e->offset, 1, e->attempt);
    sc_exceptions_drop(core, e);
}

void
sc_tasks_timer(sc_core *core, exception *e)
{
    sc_tasks_undelay(core, e);
    sc_tasks_due(core, e);
}

/* ---- ended without a worker's word ---- */

static sc_outcome
outcome_of(int code)
{
    return code == SC_ECANCELLED || code == SC_EPARENT ? SC_CANCELLED : SC_DEAD;
}

static void
put_range(sc_core *core, job *j, uint64_t place, uint64_t count, uint32_t attempt, int code)
{
    char error[300], why[150];
    int n =
        snprintf(error, sizeof error, "{\"code\":\"%s\",\"message\":\"%s\"}", sc_error_name(code),
                 code == SC_EPARENT ? sc_parents_why(j, why, sizeof why) : sc_error_text(code));
    sc_action a = {.type = SC_ACTION_PUT_RANGE};
    a.range.job = j->id;
    a.range.first = j->first_index + place;
    a.range.count = count;
    a.range.outcome = outcome_of(code);
    a.range.attempt = attempt;
    a.range.error = (sc_text){error, (uint32_t)n};
    a.range.first_index = j->first_index;
    a.range.position = j->position;
    j->position += count;
    sc_core_write(core, j, &a);
    sc_jobs_stored(core, j, (uint64_t)n);
    j->queued -= count;
    *(a.range.outcome == SC_DEAD ? &j->dead : &j->cancelled) += count;
    sc_core_count_rate(core, 0, count);
}

// Tasks counted as queued, in no list any more. The caller calls sc_tasks_progress.
void
sc_tasks_end_range(sc_core *core, const range *r, int code)
{
    chunk *c = r->chunk;
    put_range(core, c->job, c->first + r->first, r->count, r->attempt, code);
    sc_bits_set(&c->ended, r->first, r->count);
    for (exception *e; (e = sc_exceptions_next(c, r->first)) && e->offset < r->first + r->count;)
        sc_exceptions_drop(core, e);
    outcomes ended = {0};
    *(outcome_of(code) == SC_CANCELLED ? &ended.cancelled : &ended.dead) = r->count;
    sc_tasks_count_ended(core, c, &ended);
}

// Its runs are closed; what was left of them ends.
static void
end_runs(sc_core *core, chunk *c, int code)
{
    for (run *r; (r = c->runs);) {
        run was = *r;
        sc_runs_forget(core, r, 0, r->count);
        c->job->running -= r->n_left;
        c->job->queued += r->n_left;
        sc_runs_close(core, r);
        for (uint32_t at = 0, n; sc_bits_next(&was.left, at, was.count, &at, &n); at += n)
            end_part(core, &was, at, n, code);
    }
}

// What is left of a chunk is delayed, or waits to run alone.
static void
end_exceptions(sc_core *core, chunk *c, int code)
{
    for (exception *e; (e = sc_exceptions_next(c, 0));) {
        if (e->is_delayed)
            sc_tasks_undelay(core, e);
        sc_tasks_end_range(core, &(range){c, e->offset, 1, e->attempt, false, NULL, NULL}, code);
    }
}

// The tasks that were never handed out, of chunks that nothing is known of, and their payload.
void
sc_tasks_end_untouched(sc_core *core, job *j, int code)
{
    put_range(core, j, j->next, j->stop - j->next, 1, code);
    for (uint32_t k = sc_tasks_chunk_of(j, j->next); k < j->n_chunks; k++)
        drop_stored(core, j, k, true);
    j->stop = j->next;
    sc_schedule_lane(core, j);
}

// Give up every open task of a job that has been committed.
void
sc_tasks_end_all(sc_core *core, job *j, int code)
{
    for (chunk *c = j->chunks; c; c = c->hh.next)
        end_runs(core, c, code);
    while (j->again) {
        range r = *j->again;
        sc_tasks_drop_range(core, j->again);
        sc_tasks_end_range(core, &r, code);
    }
    for (chunk *c = j->chunks; c; c = c->hh.next)
        end_exceptions(core, c, code);
    SC_ASSERT(j->queued == j->stop - j->next && j->delayed == 0 && j->running == 0);
    if (j->next < j->stop)
        sc_tasks_end_untouched(core, j, code);
    j->next = j->stop = j->prefix = j->n_tasks;
    sc_tasks_forget(core, j);
    sc_core_news(core, j);
    sc_jobs_maybe_end(core, j);
}

// Nothing of its tasks matters any more: chunks, ranges, exceptions. No run of it is open.
void
sc_tasks_forget(sc_core *core, job *j)
{
    j->next = j->stop = j->n_tasks;
    while (j->again)
        sc_tasks_drop_range(core, j->again);
    sc_schedule_lane(core, j);
    while (j->chunks)
        free_chunk(core, j->chunks);
}
