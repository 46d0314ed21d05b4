/* SPDX-License-Identifier: Apache-2.0 */
/* See journal_page.h. By index the rows come by their lowest place, so everything below the place
 * of the row at hand has been seen: there a page that is long enough ends. */
#include "coordinator/journal_page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"

enum {
    PAGE_TASKS = 4096,
    PAGE_ROWS = 8192, // looked at for one page: of many all may be undone
    MAX_TRIES = 100,  // of a task: those before are of little use to anybody
};

struct sc_page_entry {
    uint64_t place, position; // position: as they ended
    size_t value_at;          // in values
    sc_record record;
    bool is_there;
};

// By index, an entry has its place in the page; else they are listed one after the other.
static bool
has_places(const sc_journal_page *p)
{
    return p->read.order != SC_READ_ENDED && p->read.order != SC_READ_TRIES;
}

sc_journal_page *
sc_journal_page_new(const sc_store_read *read)
{
    sc_journal_page *p = SC_FAULT("journal.page") ? NULL : calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->read = *read;
    bool is_by_index = has_places(p);
    uint64_t n = read->until > read->from ? read->until - read->from : 0;
    p->n_entries = is_by_index && n < PAGE_TASKS ? n : is_by_index ? PAGE_TASKS : 0;
    p->until = read->order == SC_READ_TRIES ? read->until : read->from + p->n_entries;
    p->entries = SC_FAULT("journal.page") ? NULL : calloc(PAGE_TASKS, sizeof *p->entries);
    if (!p->entries) {
        free(p);
        return NULL;
    }
    return p;
}

void
sc_journal_page_free(sc_journal_page **at)
{
    sc_journal_page *p = *at;
    if (!p)
        return;
    free(p->entries);
    sc_buffer_fini(&p->values);
    sc_buffer_fini(&p->names);
    sc_buffer_fini(&p->table);
    sc_buffer_fini(&p->bytes);
    free(p);
    *at = NULL;
}

/* ---- what entries share ---- */

// The number of a worker's name in the page. @return false where it has no room for another
static bool
worker_number(sc_journal_page *p, sc_text name, uint16_t *number)
{
    size_t at = 0;
    for (uint32_t i = 0; i < p->n_workers; at += p->workers[i++].name.len)
        if (p->workers[i].name.len == name.len &&
            (name.len == 0 || memcmp(p->names.data + at, name.data, name.len) == 0)) {
            *number = (uint16_t)i;
            return true;
        }
    if (p->n_workers == sizeof p->workers / sizeof *p->workers)
        return false;
    if (sc_buffer_add(&p->names, name.data ? name.data : "", name.len) < 0)
        p->has_failed = true;
    *number = (uint16_t)p->n_workers;
    p->workers[p->n_workers++].name.len = name.len; // where it lies: once all are there
    return !p->has_failed;
}

static bool
keep_value(sc_journal_page *p, const void *value, size_t len, size_t *at)
{
    *at = p->values.len;
    p->has_failed |= len && sc_buffer_add(&p->values, value, len) < 0;
    return !p->has_failed;
}

static bool
is_long_enough(const sc_journal_page *p)
{
    return p->values.len >= p->read.max_bytes;
}

// It is tried again, or is not of the outcome that is asked for.
static bool
is_left_out(const sc_journal_page *p, const sc_ended_row *row, uint32_t outcome)
{
    return sc_undone_has(&p->read.undone, outcome, row->position) ||
           (p->read.order == SC_READ_DEAD && outcome != SC_DEAD);
}

static sc_record
range_record(const sc_ended_row *row, uint16_t worker)
{
    return (sc_record){.len = (uint32_t)row->bytes.len,
                       .attempt = (uint16_t)row->attempt,
                       .worker = worker,
                       .outcome = (uint8_t)row->outcome};
}

static sc_record
page_record(sc_record record, uint16_t worker)
{
    record.worker = worker;
    record.flags = 0;
    return record;
}

/* ---- by index ---- */

static uint64_t
from_place(const sc_journal_page *p)
{
    return p->read.from - p->read.first_index;
}

// Nothing was found so far and nothing lies before this place: the page begins there.
static void
skip_gap(sc_journal_page *p, uint64_t place)
{
    if (p->n_found > 0 || place <= from_place(p))
        return;
    p->read.from = p->read.first_index + place;
    uint64_t left = p->read.until - p->read.from;
    p->n_entries = left < PAGE_TASKS ? left : PAGE_TASKS;
    p->until = p->read.from + p->n_entries;
}

static bool
is_wanted(const sc_journal_page *p, uint64_t place)
{
    return place >= from_place(p) && place - from_place(p) < p->n_entries;
}

static void
put_entry(sc_journal_page *p, uint64_t place, sc_record record, size_t value_at)
{
    p->entries[place - from_place(p)] = (sc_page_entry){place, 0, value_at, record, true};
    p->n_found++;
}

static void
place_range(sc_journal_page *p, const sc_ended_row *row, uint16_t worker)
{
    size_t at;
    uint64_t from = from_place(p), end = row->place + row->count;
    if (is_left_out(p, row, row->outcome) || !keep_value(p, row->bytes.data, row->bytes.len, &at))
        return;
    for (uint64_t place = row->place > from ? row->place : from; place < end && is_wanted(p, place);
         place++)
        put_entry(p, place, range_record(row, worker), at);
}

static void
place_records(sc_journal_page *p, const sc_ended_row *row, uint16_t worker)
{
    size_t value = 0;
    for (uint32_t i = 0, n = sc_records_count(row->table); i < n && !p->has_failed; i++) {
        sc_record r = sc_records_get(row->table, i);
        uint64_t place = row->place + r.offset - row->lowest;
        size_t at;
        bool is_out = !is_wanted(p, place) || is_left_out(p, row, r.outcome);
        if (!is_out && keep_value(p, row->bytes.data + value, r.len, &at))
            put_entry(p, place, page_record(r, worker), at);
        value += r.len;
    }
}

bool
sc_journal_page_by_index(void *page, const sc_ended_row *row)
{
    sc_journal_page *p = page;
    uint16_t worker;
    bool is_over = row->is_range && row->place + row->count <= from_place(p);
    if (is_over)
        return true;
    skip_gap(p, row->place);
    p->is_cut = ++p->n_rows > PAGE_ROWS && p->n_found == 0 && row->place >= from_place(p);
    bool is_past = row->place >= from_place(p) + p->n_entries;
    bool is_full = is_long_enough(p) && row->place > from_place(p);
    if (p->is_cut || is_past || is_full || !worker_number(p, row->worker, &worker)) {
        uint64_t seen = p->read.first_index + row->place;
        p->until = seen < p->until ? seen : p->until;
        return false;
    }
    if (row->is_range)
        place_range(p, row, worker);
    else
        place_records(p, row, worker);
    return !p->has_failed;
}

/* ---- as they ended ---- */

static bool
append_entry(sc_journal_page *p, uint64_t place, sc_record record, const uint8_t *value)
{
    size_t at;
    bool is_full = p->n_entries == PAGE_TASKS || (p->n_entries > 0 && is_long_enough(p));
    if (is_full || !keep_value(p, value, record.len, &at))
        return false;
    p->entries[p->n_entries++] = (sc_page_entry){place, p->until++, at, record, true};
    return true;
}

bool
sc_journal_page_as_ended(void *page, const sc_ended_row *row)
{
    sc_journal_page *p = page;
    uint16_t worker;
    if (row->position + row->count <= p->until)
        return true; // before the first that is wanted
    if (row->position > p->until)
        p->until = row->position; // nothing has the positions between
    bool is_end = p->until >= p->read.until || ++p->n_rows > PAGE_ROWS;
    if (is_end || !worker_number(p, row->worker, &worker))
        return false;
    uint64_t skip = p->until - row->position;
    if (row->is_range && is_left_out(p, row, row->outcome)) {
        p->until = row->position + row->count;
        return true;
    }
    if (row->is_range) {
        for (; skip < row->count; skip++)
            if (!append_entry(p, row->place + skip, range_record(row, worker), row->bytes.data))
                return false;
        return true;
    }
    size_t value = 0;
    for (uint32_t i = 0, n = sc_records_count(row->table); i < n; i++) {
        sc_record r = sc_records_get(row->table, i);
        if (i >= skip && is_left_out(p, row, r.outcome))
            p->until++;
        else if (i >= skip && !append_entry(p, row->place + r.offset - row->lowest,
                                            page_record(r, worker), row->bytes.data + value))
            return false;
        value += r.len;
    }
    return true;
}

/* ---- failed tries ---- */

// One that was not the last of its task, in this life of the job.
static bool
has_failed_then(const sc_journal_page *p, const sc_attempt_row *row)
{
    return row->position >= p->read.undone.dead_before && row->next.due_at >= 0 &&
           (row->error.len > 0 || row->next.blame > 0);
}

// Of very many the first make room.
static void
forget_first_try(sc_journal_page *p)
{
    sc_page_entry *first = p->entries + p->n_entries - p->n_tries;
    memmove(first, first + 1, --p->n_tries * sizeof *first);
    p->n_entries--;
}

// The value: when, and the error. A death has none, and is tried at the same attempt again.
static void
add_try(sc_journal_page *p, const sc_attempt_row *row, uint16_t worker)
{
    static const char death[] = "{\"code\":\"died\",\"message\":\"its worker process died\"}";
    bool is_death = row->error.len == 0;
    char head[48];
    size_t at, more;
    int n = snprintf(head, sizeof head, "{\"at\":%lld,\"error\":", (long long)row->at);
    if (!keep_value(p, head, (size_t)n, &at) ||
        !keep_value(p, is_death ? death : row->error.data,
                    is_death ? sizeof death - 1 : row->error.len, &more) ||
        !keep_value(p, "}", 1, &more))
        return;
    sc_record record = {.len = (uint32_t)(p->values.len - at),
                        .attempt = (uint16_t)(row->next.attempt - !is_death),
                        .worker = worker,
                        .outcome = SC_DEAD};
    p->entries[p->n_entries++] = (sc_page_entry){row->next.place, 0, at, record, true};
    p->n_tries++;
}

int
sc_journal_page_tries(void *page, const sc_attempt_row *row)
{
    sc_journal_page *p = page;
    uint16_t worker;
    bool is_first = p->n_rows == 0 || row->next.place != p->last_place;
    bool is_full = p->n_entries > PAGE_TASKS - MAX_TRIES || is_long_enough(p) ||
                   p->n_workers == sizeof p->workers / sizeof *p->workers;
    if (is_first && p->n_rows > 0 && (is_full || p->n_rows > PAGE_ROWS)) { // between two tasks
        p->until = p->read.first_index + row->next.place;
        return 1;
    }
    p->n_rows++;
    p->last_place = row->next.place;
    p->n_tries = is_first ? 0 : p->n_tries;
    if (!has_failed_then(p, row))
        return 0;
    if (p->n_tries == MAX_TRIES)
        forget_first_try(p);
    if (!worker_number(p, row->worker, &worker))
        worker = 0; // more than a thousand workers tried this task alone
    add_try(p, row, worker);
    return p->has_failed ? SC_ENOMEM : 0;
}

/* ---- the page ---- */

// @return false where the page is full
static bool
add(sc_journal_page *p, const sc_page_entry *e)
{
    sc_record record = e->record;
    size_t len = p->table.len + p->bytes.len + sizeof record + record.len;
    // tries of a task come together: there it was cut before
    if (p->table.len > 0 && len > p->read.max_bytes && p->read.order != SC_READ_TRIES)
        return false;
    record.offset = (uint32_t)e->place;
    p->has_failed |=
        sc_buffer_add(&p->table, &record, sizeof record) < 0 ||
        (record.len && sc_buffer_add(&p->bytes, p->values.data + e->value_at, record.len) < 0);
    return !p->has_failed;
}

static uint64_t
fill(sc_journal_page *p)
{
    bool is_by_index = has_places(p);
    uint64_t n = is_by_index ? p->until - p->read.from : p->n_entries;
    for (uint64_t i = 0; i < n; i++)
        if (p->entries[i].is_there && !add(p, &p->entries[i]))
            return is_by_index ? p->read.from + i : p->entries[i].position;
    // by index, where nothing was found and all was looked at: there is nothing at all
    bool is_empty = is_by_index && p->n_found == 0 && !p->is_cut;
    return is_empty && p->read.until > p->until ? p->read.until : p->until;
}

int
sc_journal_page_finish(sc_journal_page *p)
{
    uint64_t next = fill(p);
    size_t at = 0;
    if (p->has_failed)
        return SC_ENOMEM;
    for (uint32_t i = 0; i < p->n_workers; at += p->workers[i++].name.len)
        p->workers[i].name.data = p->names.data ? (const char *)p->names.data + at : "";
    p->message = (sc_message){.type = SC_MSG_PAGE};
    p->message.page.job = p->read.job;
    p->message.page.base = p->read.first_index;
    p->message.page.next = next;
    p->message.page.workers = (sc_list){p->workers, p->n_workers};
    p->message.table = sc_slice_borrow(p->table.data, p->table.len);
    p->message.bytes = sc_slice_borrow(p->bytes.data, p->bytes.len);
    return 0;
}
