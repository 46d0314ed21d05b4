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

/* ---- chunks ---- */

/* The places of a chunk, found by going through them in order. */
typedef struct chunk_at {
    uint64_t first, end; // places first..end-1
    uint64_t next;       // number of the chunk behind it
} chunk_at;

// On to the chunk that a place lies in. Those of an array are full.
static void
seek(const sc_saved_job *job, chunk_at *c, uint64_t place)
{
    if (job->chunks.len == 0) {
        c->next = place / SC_CHUNK_MAX_TASKS + 1;
        c->end = c->next * SC_CHUNK_MAX_TASKS;
        c->first = c->end - SC_CHUNK_MAX_TASKS;
        return;
    }
    while (c->end <= place) {
        sc_saved_chunk info;
        c->first = c->end;
        if (c->next == job->chunks.len / sizeof info) {
            c->end = UINT64_MAX; // behind the last one
            return;
        }
        memcpy(&info, job->chunks.data + c->next++ * sizeof info, sizeof info);
        c->end += info.count;
    }
}

/* ---- what is known of a job's tasks ---- */

enum {
    // Places of records that rows to come may lie between: of one row they lie in one chunk.
    WINDOW = 1024,
    RECORDS_A_ROW = 128, // so many take as long to read as a row without any
};
_Static_assert((int)WINDOW >= (int)SC_CHUNK_MAX_TASKS && (WINDOW & (WINDOW - 1)) == 0,
               "a ring of them");

/* Filled by rows of `ended`, by place, then rows of `attempts`. */
typedef struct tasks {
    const sc_saved_job *job; // its number and chunks
    uint64_t prefix;         // what lies below is left out
    sc_undone undone;
    sc_saved_tasks *to;
    uint64_t ended_max, attempts_max;
    chunk_at last;                     // that the last stretch begins in
    uint64_t window_first, window_end; // places; what lies below is in stretches
    uint8_t window[WINDOW];            // by place: 0 open, else 1 + sc_outcome
    uint64_t from;                     // rows that begin below have been added
    uint64_t last_place;               // of the last row
    uint64_t n_read, max_read;         // rows
    bool is_cut;                       // after max_read: those from `from` on are to come
    int status;                        // of what was added
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

static bool
is_alike(const sc_saved_stretch *a, const sc_saved_stretch *b)
{
    return is_uniform(a) && is_uniform(b) && !a->dead == !b->dead && !a->cancelled == !b->cancelled;
}

static void
count(sc_saved_tasks *to, const sc_saved_stretch *s)
{
    to->dead += s->dead;
    to->cancelled += s->cancelled;
    to->done += s->count - s->dead - s->cancelled;
}

// The next by place. Neighbours become one in a chunk, and over chunks where they have one outcome.
static int
add_stretch(tasks *t, const sc_saved_stretch *from)
{
    sc_saved_tasks *to = t->to;
    sc_saved_stretch *last = to->n_ended ? &to->ended[to->n_ended - 1] : NULL;
    count(to, from);
    if (last && last->place + last->count == from->place &&
        (from->place + from->count <= t->last.end || is_alike(last, from))) {
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
    seek(t->job, &t->last, from->place);
    return 0;
}

// Places of one outcome that lie in the window.
static void
mark(tasks *t, uint64_t place, uint64_t n, uint32_t outcome)
{
    for (uint64_t i = place; i < place + n; i++)
        t->window[i % WINDOW] = (uint8_t)(1 + outcome);
    t->window_end = place + n > t->window_end ? place + n : t->window_end;
}

// What lies below a place becomes stretches: no row to come begins there.
static int
leave(tasks *t, uint64_t place)
{
    uint64_t i = t->window_first, end = place < t->window_end ? place : t->window_end;
    int rc = 0;
    while (i < end && rc == 0) {
        uint8_t is = t->window[i % WINDOW];
        sc_saved_stretch s = {.place = i};
        for (; i < end && t->window[i % WINDOW] == is; i++)
            t->window[i % WINDOW] = 0;
        s.count = i - s.place;
        s.dead = is == 1 + SC_DEAD ? s.count : 0;
        s.cancelled = is == 1 + SC_CANCELLED ? s.count : 0;
        rc = is ? add_stretch(t, &s) : 0;
    }
    t->window_first = place > t->window_first ? place : t->window_first;
    return rc;
}

// Those that have not been undone.
static int
add_records(tasks *t, const sc_ended_row *row)
{
    uint32_t n = sc_records_count(row->table);
    if (n != row->count || row->span > SC_CHUNK_MAX_TASKS)
        return SC_EMALFORMED;
    for (uint32_t i = 0; i < n; i++) {
        sc_record r = sc_records_get(row->table, i);
        uint32_t at = r.offset - row->lowest;
        if (at >= row->span || r.outcome > SC_CANCELLED)
            return SC_EMALFORMED;
        if (row->place + at >= t->prefix && !sc_undone_has(&t->undone, r.outcome, row->position))
            mark(t, row->place + at, 1, r.outcome);
    }
    return 0;
}

static int
add_row(tasks *t, const sc_ended_row *row)
{
    uint64_t undone = (row->position < t->undone.dead_before ? row->dead : 0) +
                      (row->position < t->undone.cancelled_before ? row->cancelled : 0);
    sc_saved_stretch at = {row->place, row->count, row->dead, row->cancelled};
    if (row->place + row->span <= t->prefix || undone == row->count)
        return 0;
    int rc = leave(t, row->place);
    if (rc < 0)
        return rc;
    if (row->span != row->count || !is_uniform(&at))
        return add_records(t, row);
    if (at.place < t->prefix) { // a range that begins below
        uint64_t below = t->prefix - at.place;
        at.place += below;
        at.count -= below;
        at.dead -= at.dead ? below : 0;
        at.cancelled -= at.cancelled ? below : 0;
    }
    if (at.place >= t->window_end)
        return add_stretch(t, &at);
    if (at.place + at.count > t->window_first + WINDOW)
        return SC_EMALFORMED;
    mark(t, at.place, at.count, at.dead ? SC_DEAD : at.cancelled ? SC_CANCELLED : SC_DONE);
    return 0;
}

static bool
on_row(void *arg, const sc_ended_row *row)
{
    tasks *t = arg;
    if (row->place < t->from && t->from > t->prefix)
        return true; // again: it was added before the cut
    // several rows may have one place: it is not cut there
    t->is_cut = t->n_read >= t->max_read && row->place > t->last_place;
    if (t->is_cut) {
        t->from = row->place;
        t->status = leave(t, row->place);
        return false;
    }
    t->n_read += 1 + sc_records_count(row->table) / RECORDS_A_ROW;
    t->last_place = row->place;
    t->status = add_row(t, row);
    return t->status == 0;
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

// So many rows, or all that are left.
static int
read_ended(const sc_journal_backend *b, void *backend, tasks *t, sc_error *err)
{
    const sc_ended_query query = {t->job->number, t->from, UINT32_MAX, SC_ENDED_BARE};
    t->n_read = 0;
    t->is_cut = false;
    int rc = b->ended_between(backend, &query, on_row, t, err);
    if (rc == 0 && t->status == 0 && !t->is_cut)
        t->status = leave(t, UINT64_MAX);
    if (rc == 0 && t->status < 0)
        rc = sc_error_set(err, t->status, "job number %llu: %s (reading what has ended)",
                          (unsigned long long)t->job->number, sc_error_text(t->status));
    return rc;
}

int
sc_journal_tasks(const sc_journal_backend *b, void *backend, const sc_saved_job *job,
                 sc_saved_tasks **out, sc_error *err)
{
    tasks t = {.job = job,
               .prefix = job->state.prefix,
               .window_first = job->state.prefix,
               .from = job->state.prefix,
               .undone = job->state.undone,
               .max_read = UINT64_MAX};
    *out = NULL;
    if (!(t.to = calloc(1, sizeof *t.to)))
        return sc_error_set(err, SC_ENOMEM, "out of memory");
    int rc = read_ended(b, backend, &t, err);
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
    sc_tasks_bounds bounds;
    tasks tasks;
    sc_saved_job job; // its own; number 0: it has not been read
    chunk_at open;    // where the first open task lies, as far as it is known
    bool has_open;    // it is known: more than that chunk has been read
};

sc_tasks_reader *
sc_tasks_reader_new(uint64_t number, const sc_undone *undone, const sc_tasks_bounds *bounds)
{
    sc_tasks_reader *r = SC_FAULT("journal.tasks") ? NULL : calloc(1, sizeof *r);
    if (!r || !(r->tasks.to = calloc(1, sizeof *r->tasks.to))) {
        free(r);
        return NULL;
    }
    r->number = number;
    r->bounds = *bounds;
    r->tasks.job = &r->job;
    r->tasks.undone = *undone;
    r->tasks.max_read = bounds->max_rows;
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
    sc_saved_state *s = &r->job.state;
    bool is_kept = sc_saved_job_keep(&r->job, job);
    s->prefix = s->done = s->dead = s->cancelled = 0;
    return is_kept ? 0 : SC_ENOMEM;
}

static int
read_job(sc_tasks_reader *r, const sc_journal_backend *b, void *backend, sc_error *err)
{
    int rc = b->jobs(backend, r->number, on_job, r, err);
    if (rc == 0 && r->job.number == 0)
        rc = sc_error_set(err, SC_ENOTFOUND, "job number %llu is missing",
                          (unsigned long long)r->number);
    return rc;
}

// A stretch below the prefix, or its part: what goes over several chunks has one outcome.
static sc_saved_stretch
cut_below(sc_saved_stretch *s, uint64_t prefix)
{
    sc_saved_stretch part = *s;
    part.count = prefix - s->place < s->count ? prefix - s->place : s->count;
    if (part.count < s->count) {
        part.dead = s->dead ? part.count : 0;
        part.cancelled = s->cancelled ? part.count : 0;
    }
    *s = (sc_saved_stretch){s->place + part.count, s->count - part.count, s->dead - part.dead,
                            s->cancelled - part.cancelled};
    return part;
}

// All chunks before the first open task become the prefix.
static void
skip_prefix(sc_tasks_reader *r)
{
    sc_saved_tasks *t = r->tasks.to, below = {0};
    sc_saved_state *state = &r->job.state;
    uint64_t open = state->prefix, n = 0;
    if (r->has_open)
        return;
    for (; n < t->n_ended && t->ended[n].place == open; n++)
        open += t->ended[n].count;
    r->has_open = n < t->n_ended;
    seek(&r->job, &r->open, open);
    state->prefix = r->open.first;
    for (n = 0; n < t->n_ended && t->ended[n].place < state->prefix; n++) {
        sc_saved_stretch part = cut_below(&t->ended[n], state->prefix);
        count(&below, &part);
        if (t->ended[n].count > 0)
            break;
    }
    if (n > 0)
        memmove(t->ended, t->ended + n, (t->n_ended - n) * sizeof *t->ended);
    t->n_ended -= n;
    t->done -= below.done;
    t->dead -= below.dead;
    t->cancelled -= below.cancelled;
    state->done += below.done;
    state->dead += below.dead;
    state->cancelled += below.cancelled;
}

static int
check_bounds(const sc_tasks_reader *r, sc_error *err)
{
    const sc_saved_tasks *t = r->tasks.to;
    if (t->n_ended == 0)
        return 0;
    const sc_saved_stretch *last = &t->ended[t->n_ended - 1];
    chunk_at end = r->tasks.last;
    seek(&r->job, &end, last->place + last->count - 1);
    if (t->n_ended <= r->bounds.max_stretches && end.next - r->open.next < r->bounds.max_chunks)
        return 0;
    return sc_error_set(err, SC_ELIMIT, "job number %llu: too scattered to be tried again",
                        (unsigned long long)r->number);
}

// No attempt is read: those that were written are of an earlier life.
int
sc_tasks_reader_step(sc_tasks_reader *r, const sc_journal_backend *b, void *backend, sc_error *err)
{
    int rc = r->job.number == 0 ? read_job(r, b, backend, err) : 0;
    if (rc == 0)
        rc = read_ended(b, backend, &r->tasks, err);
    if (rc < 0)
        return rc;
    skip_prefix(r);
    rc = check_bounds(r, err);
    if (rc == 0 && r->tasks.is_cut)
        return 1;
    return rc < 0 ? rc : b->position(backend, r->number, &r->tasks.to->position, err);
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
