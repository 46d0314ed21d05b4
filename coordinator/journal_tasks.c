/* SPDX-License-Identifier: Apache-2.0 */
/* See journal_tasks.h. */
#include "coordinator/journal_tasks.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

/* ---- a job's record ---- */

void
sc_journal_state_put(const sc_saved_state *s, int64_t numbers[SC_STATE_NUMBERS])
{
    const int64_t values[SC_STATE_NUMBERS] = {s->state,
                                              (int64_t)s->n_tasks,
                                              s->submitted_at,
                                              s->ended_at,
                                              (int64_t)s->prefix,
                                              (int64_t)s->done,
                                              (int64_t)s->dead,
                                              (int64_t)s->cancelled,
                                              (int64_t)s->position,
                                              (int64_t)s->handed,
                                              (int64_t)s->undone.dead_before,
                                              (int64_t)s->undone.cancelled_before};
    memcpy(numbers, values, sizeof values);
}

void
sc_journal_state_get(sc_saved_state *s, const int64_t numbers[SC_STATE_NUMBERS])
{
    *s = (sc_saved_state){.state = (uint32_t)numbers[0],
                          .n_tasks = (uint64_t)numbers[1],
                          .submitted_at = numbers[2],
                          .ended_at = numbers[3],
                          .prefix = (uint64_t)numbers[4],
                          .done = (uint64_t)numbers[5],
                          .dead = (uint64_t)numbers[6],
                          .cancelled = (uint64_t)numbers[7],
                          .position = (uint64_t)numbers[8],
                          .handed = (uint64_t)numbers[9],
                          .undone = {(uint64_t)numbers[10], (uint64_t)numbers[11]}};
}

/* ---- where the tasks of a row lie ---- */

static sc_ended_extent
extent_of_records(uint64_t base, sc_slice table)
{
    uint32_t lowest = UINT32_MAX, highest = 0;
    sc_ended_extent e = {.count = sc_records_count(table)};
    for (uint32_t i = 0; i < e.count; i++) {
        sc_record r = sc_records_get(table, i);
        lowest = r.offset < lowest ? r.offset : lowest;
        highest = r.offset > highest ? r.offset : highest;
        e.dead += r.outcome == SC_DEAD;
        e.cancelled += r.outcome == SC_CANCELLED;
    }
    e.lowest = lowest;
    e.place = base + lowest;
    e.span = (uint64_t)highest - lowest + 1;
    return e;
}

sc_ended_extent
sc_ended_extent_of(const sc_action *a)
{
    if (a->type == SC_ACTION_PUT_RESULTS)
        return extent_of_records(a->results.base - a->results.first_index, a->results.table);
    uint64_t n = a->range.count;
    return (sc_ended_extent){.place = a->range.first - a->range.first_index,
                             .count = n,
                             .span = n,
                             .dead = a->range.outcome == SC_DEAD ? n : 0,
                             .cancelled = a->range.outcome == SC_CANCELLED ? n : 0};
}

/* ---- what is known of a job's tasks ---- */

/* Filled by rows of `ended`, then rows of `attempts`. */
typedef struct tasks {
    uint64_t prefix; // of the job: what lies below is left out
    sc_undone undone;
    sc_saved_tasks *to;
    uint64_t ended_max, attempts_max;
    int status; // of what was added
} tasks;

// Room for one more of an array that doubles.
static bool
has_room(void **array, uint64_t n, uint64_t *max, size_t size)
{
    if (n < *max)
        return true;
    uint64_t more = *max ? *max * 2 : 64;
    void *grown = realloc(*array, more * size);
    if (!grown)
        return false;
    *array = grown;
    *max = more;
    return true;
}

static int
add_stretch(tasks *t, const sc_saved_stretch *from)
{
    sc_saved_tasks *to = t->to;
    void *ended = to->ended;
    bool has = has_room(&ended, to->n_ended, &t->ended_max, sizeof *to->ended);
    to->ended = ended;
    if (!has)
        return SC_ENOMEM;
    to->ended[to->n_ended++] = *from;
    to->dead += from->dead;
    to->cancelled += from->cancelled;
    to->done += from->count - from->dead - from->cancelled;
    return 0;
}

static int
by_offset(const void *a, const void *b)
{
    const sc_record *x = a, *y = b;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

// Those that have not been undone, in order.
static uint32_t
take_records(const tasks *t, const sc_ended_row *row, sc_record *records)
{
    uint32_t n = 0;
    for (uint32_t i = 0, end = sc_records_count(row->table); i < end; i++) {
        records[n] = sc_records_get(row->table, i);
        n += !sc_undone_has(&t->undone, records[n].outcome, row->position);
    }
    qsort(records, n, sizeof *records, by_offset);
    return n;
}

// Records with gaps between them: a stretch for each piece without one.
static int
add_records(tasks *t, const sc_ended_row *row)
{
    sc_record records[SC_CHUNK_MAX_TASKS];
    uint32_t n = sc_records_count(row->table);
    if (n != row->count || n > SC_CHUNK_MAX_TASKS)
        return SC_EMALFORMED;
    n = take_records(t, row, records);
    for (uint32_t i = 0, end; i < n; i = end) {
        sc_saved_stretch s = {.place = row->place + records[i].offset - row->lowest};
        for (end = i; end < n && records[end].offset == records[i].offset + (end - i); end++) {
            s.count++;
            s.dead += records[end].outcome == SC_DEAD;
            s.cancelled += records[end].outcome == SC_CANCELLED;
        }
        if (add_stretch(t, &s) < 0)
            return SC_ENOMEM;
    }
    return 0;
}

static int
add_row(tasks *t, const sc_ended_row *row)
{
    uint64_t undone = (row->position < t->undone.dead_before ? row->dead : 0) +
                      (row->position < t->undone.cancelled_before ? row->cancelled : 0);
    if (row->place + row->span <= t->prefix || undone == row->count)
        return 0;
    if (row->span != row->count || undone > 0)
        return add_records(t, row);
    sc_saved_stretch at = {row->place, row->count, row->dead, row->cancelled};
    if (at.place < t->prefix) { // a range that begins below: all of one outcome
        uint64_t below = t->prefix - at.place;
        at.place += below;
        at.count -= below;
        at.dead -= at.dead ? below : 0;
        at.cancelled -= at.cancelled ? below : 0;
    }
    return add_stretch(t, &at);
}

static bool
on_row(void *arg, const sc_ended_row *row)
{
    tasks *t = arg;
    t->status = add_row(t, row);
    return t->status == 0;
}

static int
by_place(const void *a, const void *b)
{
    const sc_saved_stretch *x = a, *y = b;
    return x->place < y->place ? -1 : x->place > y->place;
}

static bool
has_ended(const sc_saved_tasks *t, uint64_t place)
{
    uint64_t low = 0, high = t->n_ended;
    while (low < high) {
        uint64_t mid = low + (high - low) / 2;
        if (t->ended[mid].place + t->ended[mid].count <= place)
            low = mid + 1;
        else
            high = mid;
    }
    return low < t->n_ended && t->ended[low].place <= place;
}

static int
on_attempt(void *arg, const sc_attempt_row *row)
{
    tasks *t = arg;
    sc_saved_tasks *to = t->to;
    if (row->position < t->undone.dead_before || has_ended(to, row->next.place))
        return 0;
    void *attempts = to->attempts;
    bool has = has_room(&attempts, to->n_attempts, &t->attempts_max, sizeof *to->attempts);
    to->attempts = attempts;
    if (!has)
        return SC_ENOMEM;
    to->attempts[to->n_attempts++] = row->next;
    return 0;
}

static int
read_ended(const sc_journal_backend *b, void *backend, const sc_saved_job *job, tasks *t,
           sc_error *err)
{
    const sc_ended_query query = {job->number, t->prefix, UINT32_MAX, SC_ENDED_BARE};
    int rc = b->ended_between(backend, &query, on_row, t, err);
    if (rc == 0 && t->status < 0)
        rc = sc_error_set(err, t->status, "job number %llu: %s (reading what has ended)",
                          (unsigned long long)job->number, sc_error_text(t->status));
    if (rc == 0 && t->to->n_ended > 0)
        qsort(t->to->ended, t->to->n_ended, sizeof *t->to->ended, by_place);
    return rc;
}

int
sc_journal_tasks(const sc_journal_backend *b, void *backend, const sc_saved_job *job,
                 sc_saved_tasks **out, sc_error *err)
{
    tasks t = {.prefix = job->state.prefix, .undone = job->state.undone};
    *out = NULL;
    if (!(t.to = calloc(1, sizeof *t.to)))
        return sc_error_set(err, SC_ENOMEM, "out of memory");
    int rc = read_ended(b, backend, job, &t, err);
    if (rc == 0)
        rc = b->attempts(backend, job->number, t.prefix, on_attempt, &t, err);
    if (rc == 0)
        rc = b->position(backend, job->number, &t.to->position, err);
    if (rc == 0)
        *out = t.to;
    else
        sc_saved_tasks_free(&t.to);
    return rc;
}

void
sc_saved_tasks_free(sc_saved_tasks **at)
{
    if (!*at)
        return;
    free((*at)->ended);
    free((*at)->attempts);
    free(*at);
    *at = NULL;
}
