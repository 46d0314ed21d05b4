/* SPDX-License-Identifier: Apache-2.0 */
/* See journal_tasks.h. */
#include "coordinator/journal_tasks.h"

#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
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
    uint64_t prefix; // what lies below is left out
    sc_undone undone;
    sc_saved_tasks *to;
    uint64_t ended_max, attempts_max;
    uint64_t from;       // rows that begin below have been added
    uint64_t last_place; // of the last row
    uint64_t n_rows, max_rows;
    bool is_cut; // after max_rows: those from `from` on are to come
    int status;  // of what was added
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

// All of it, or none of it, has ended well?
static bool
is_uniform(const sc_saved_stretch *s)
{
    return s->dead == s->count || s->cancelled == s->count || s->dead + s->cancelled == 0;
}

// Of one outcome and one after the other: one stretch is enough.
static bool
goes_on(const sc_saved_stretch *last, const sc_saved_stretch *next)
{
    return last->place + last->count == next->place && is_uniform(last) && is_uniform(next) &&
           !last->dead == !next->dead && !last->cancelled == !next->cancelled;
}

static void
count(sc_saved_tasks *to, const sc_saved_stretch *s)
{
    to->dead += s->dead;
    to->cancelled += s->cancelled;
    to->done += s->count - s->dead - s->cancelled;
}

static int
add_stretch(tasks *t, const sc_saved_stretch *from)
{
    sc_saved_tasks *to = t->to;
    sc_saved_stretch *last = to->n_ended ? &to->ended[to->n_ended - 1] : NULL;
    count(to, from);
    if (last && goes_on(last, from)) {
        last->count += from->count;
        last->dead += from->dead;
        last->cancelled += from->cancelled;
        return 0;
    }
    void *ended = to->ended;
    bool has = has_room(&ended, to->n_ended, &t->ended_max, sizeof *to->ended);
    to->ended = ended;
    if (!has)
        return SC_ENOMEM;
    to->ended[to->n_ended++] = *from;
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
    if (row->place < t->from && t->from > t->prefix)
        return true; // again: it was added before the cut
    // several rows may have one place: it is not cut there
    t->is_cut = t->n_rows >= t->max_rows && row->place > t->last_place;
    if (t->is_cut) {
        t->from = row->place;
        return false;
    }
    t->n_rows++;
    t->last_place = row->place;
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

// Rows up to max_rows.
static int
read_ended(const sc_journal_backend *b, void *backend, uint64_t number, tasks *t, sc_error *err)
{
    const sc_ended_query query = {number, t->from, UINT32_MAX, SC_ENDED_BARE};
    t->n_rows = 0;
    t->is_cut = false;
    int rc = b->ended_between(backend, &query, on_row, t, err);
    if (rc == 0 && t->status < 0)
        rc = sc_error_set(err, t->status, "job number %llu: %s (reading what has ended)",
                          (unsigned long long)number, sc_error_text(t->status));
    if (rc == 0 && !t->is_cut && t->to->n_ended > 0)
        qsort(t->to->ended, t->to->n_ended, sizeof *t->to->ended, by_place);
    return rc;
}

int
sc_journal_tasks(const sc_journal_backend *b, void *backend, const sc_saved_job *job,
                 sc_saved_tasks **out, sc_error *err)
{
    tasks t = {.prefix = job->state.prefix,
               .from = job->state.prefix,
               .undone = job->state.undone,
               .max_rows = UINT64_MAX};
    *out = NULL;
    if (!(t.to = calloc(1, sizeof *t.to)))
        return sc_error_set(err, SC_ENOMEM, "out of memory");
    int rc = read_ended(b, backend, job->number, &t, err);
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

/* ---- the tasks of a job that is retried ---- */

struct sc_tasks_reader {
    uint64_t number;
    tasks tasks;
    sc_saved_job job; // its own
};

sc_tasks_reader *
sc_tasks_reader_new(uint64_t number, const sc_undone *undone, uint64_t max_rows)
{
    sc_tasks_reader *r = SC_FAULT("journal.tasks") ? NULL : calloc(1, sizeof *r);
    if (!r || !(r->tasks.to = calloc(1, sizeof *r->tasks.to))) {
        free(r);
        return NULL;
    }
    r->number = number;
    r->tasks.undone = *undone;
    r->tasks.max_rows = max_rows;
    return r;
}

void
sc_tasks_reader_free(sc_tasks_reader **at)
{
    sc_tasks_reader *r = *at;
    if (!r)
        return;
    sc_saved_tasks_free(&r->tasks.to);
    sc_saved_job_drop(&r->job);
    free(r);
    *at = NULL;
}

const sc_saved_job *
sc_tasks_reader_job(const sc_tasks_reader *r)
{
    return &r->job;
}

const sc_saved_tasks *
sc_tasks_reader_tasks(const sc_tasks_reader *r)
{
    return r->tasks.to;
}

static int
on_job(void *arg, const sc_saved_job *job)
{
    sc_tasks_reader *r = arg;
    return sc_saved_job_keep(&r->job, job) ? 0 : SC_ENOMEM;
}

// The first place of the chunk that a place lies in.
static uint64_t
first_of_chunk(const sc_saved_job *job, uint64_t place)
{
    uint64_t first = 0;
    if (job->chunks.len == 0)
        return place - place % SC_CHUNK_MAX_TASKS;
    for (size_t at = 0; at < job->chunks.len; at += sizeof(sc_saved_chunk)) {
        sc_saved_chunk c;
        memcpy(&c, job->chunks.data + at, sizeof c);
        if (first + c.count > place)
            break;
        first += c.count;
    }
    return first;
}

// All chunks before the first open task become the prefix.
static void
skip_prefix(sc_saved_job *job, sc_saved_tasks *t)
{
    sc_saved_tasks below = {0};
    uint64_t open = 0, n = 0;
    for (uint64_t i = 0; i < t->n_ended && t->ended[i].place == open; i++)
        open += t->ended[i].count;
    uint64_t prefix = first_of_chunk(job, open);
    for (; n < t->n_ended && t->ended[n].place < prefix; n++) {
        sc_saved_stretch *s = &t->ended[n], part = *s;
        if (s->place + s->count > prefix) { // over several chunks: of one outcome
            part.count = prefix - s->place;
            part.dead = s->dead ? part.count : 0;
            part.cancelled = s->cancelled ? part.count : 0;
            *s = (sc_saved_stretch){prefix, s->count - part.count, s->dead - part.dead,
                                    s->cancelled - part.cancelled};
            count(&below, &part);
            break;
        }
        count(&below, &part);
    }
    if (n > 0)
        memmove(t->ended, t->ended + n, (t->n_ended - n) * sizeof *t->ended);
    t->n_ended -= n;
    t->done -= below.done;
    t->dead -= below.dead;
    t->cancelled -= below.cancelled;
    job->state.prefix = prefix;
    job->state.done = below.done;
    job->state.dead = below.dead;
    job->state.cancelled = below.cancelled;
}

// No attempt is read: those that were written are of an earlier life.
int
sc_tasks_reader_step(sc_tasks_reader *r, const sc_journal_backend *b, void *backend, sc_error *err)
{
    tasks *t = &r->tasks;
    int rc = read_ended(b, backend, r->number, t, err);
    if (rc < 0 || t->is_cut)
        return rc < 0 ? rc : 1;
    rc = b->position(backend, r->number, &t->to->position, err);
    if (rc == 0)
        rc = b->jobs(backend, r->number, on_job, r, err);
    if (rc == 0 && r->job.number == 0)
        rc = sc_error_set(err, SC_ENOTFOUND, "job number %llu is missing",
                          (unsigned long long)r->number);
    if (rc == 0)
        skip_prefix(&r->job, t->to);
    return rc;
}

/* ---- keeping ---- */

bool
sc_saved_job_keep(sc_saved_job *to, const sc_saved_job *from)
{
    *to = *from;
    // all four, so that none is left to be what the database owns
    int open = sc_slice_retain(&to->open), table = sc_slice_retain(&to->table);
    int bytes = sc_slice_retain(&to->bytes), chunks = sc_slice_retain(&to->chunks);
    return open == 0 && table == 0 && bytes == 0 && chunks == 0;
}

void
sc_saved_job_drop(sc_saved_job *job)
{
    sc_slice_drop(&job->open);
    sc_slice_drop(&job->table);
    sc_slice_drop(&job->bytes);
    sc_slice_drop(&job->chunks);
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
