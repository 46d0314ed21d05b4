/* SPDX-License-Identifier: Apache-2.0 */
/* See journal_tasks.h. */
#include "coordinator/journal_tasks.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

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

static bool
has_tasks(sc_journal_tasks *t)
{
    if (!t->tasks)
        t->tasks = calloc(1, sizeof *t->tasks);
    return t->tasks;
}

static int
add_stretch(sc_journal_tasks *t, const sc_saved_stretch *from)
{
    sc_saved_tasks *to = t->tasks;
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

// Records with gaps between them: a stretch for each piece without one.
static int
add_records(sc_journal_tasks *t, const sc_ended_extent *row, sc_slice table)
{
    sc_record records[SC_CHUNK_MAX_TASKS];
    uint32_t n = sc_records_count(table);
    if (n != row->count || n > SC_CHUNK_MAX_TASKS)
        return SC_EMALFORMED;
    memcpy(records, table.data, n * sizeof *records);
    qsort(records, n, sizeof *records, by_offset);
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

int
sc_journal_tasks_ended(sc_journal_tasks *t, const sc_ended_extent *row, sc_slice table)
{
    SC_ASSERT(!t->is_sorted);
    if (!has_tasks(t))
        return SC_ENOMEM;
    if (row->span != row->count)
        return add_records(t, row, table);
    sc_saved_stretch at = {row->place, row->count, row->dead, row->cancelled};
    if (at.place < t->prefix) { // a range that begins below: all of one outcome
        uint64_t below = t->prefix - at.place < at.count ? t->prefix - at.place : at.count;
        at.place += below;
        at.count -= below;
        at.dead -= at.dead ? below : 0;
        at.cancelled -= at.cancelled ? below : 0;
    }
    return at.count > 0 ? add_stretch(t, &at) : 0;
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

int
sc_journal_tasks_attempt(sc_journal_tasks *t, const sc_saved_attempt *attempt)
{
    if (!has_tasks(t))
        return SC_ENOMEM;
    sc_saved_tasks *to = t->tasks;
    if (!t->is_sorted && to->n_ended > 0)
        qsort(to->ended, to->n_ended, sizeof *to->ended, by_place);
    t->is_sorted = true;
    if (has_ended(to, attempt->place))
        return 0;
    void *attempts = to->attempts;
    bool has = has_room(&attempts, to->n_attempts, &t->attempts_max, sizeof *to->attempts);
    to->attempts = attempts;
    if (!has)
        return SC_ENOMEM;
    to->attempts[to->n_attempts++] = *attempt;
    return 0;
}

sc_saved_tasks *
sc_journal_tasks_take(sc_journal_tasks *t, uint64_t position)
{
    if (!has_tasks(t))
        return NULL;
    sc_saved_tasks *tasks = t->tasks;
    tasks->position = position;
    *t = (sc_journal_tasks){0};
    return tasks;
}

void
sc_journal_tasks_fini(sc_journal_tasks *t)
{
    sc_saved_tasks_free(&t->tasks);
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
