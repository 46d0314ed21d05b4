/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the store: a page of results by index or in the order in which they ended. A page
 * needs only the segments from which it is filled: they are taken from the first index or position
 * on until their bytes fill it, and what lies in the file is loaded. Part of the store. */
#include "coordinator/store_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

enum {
    // Records that one read by index looks at: a millisecond of the loop. Where tasks ended in no
    // order, a page of 4,096 may lie among many more.
    LOOK_MAX = 64 * PAGE_TASKS,
};

/* One result of a page, pointing into its segment. */
typedef struct entry {
    const uint8_t *value;
    uint32_t worker; // in the job's names
    sc_record record;
    bool is_there;
} entry;

/* A page in the making. */
typedef struct page {
    kept_job *job;
    const answer *answer;
    sc_blob *table, *bytes;
    size_t n_records, max_records, n_bytes, max_bytes; // in the blobs
    uint64_t number;                                   // of the page, for names
    sc_worker_name workers[SC_CHUNK_MAX_TASKS]; // its names, in the order of their numbers in it
    uint32_t n_workers;
    uint64_t next;
} page;

/* ---- which segments ---- */

static bool
add_load(answer *a, uint32_t segment_number)
{
    if ((a->n_loads & (a->n_loads - 1)) == 0) { // full at every power of two
        load *grown = realloc(a->loads, (a->n_loads ? 2ul * a->n_loads : 1) * sizeof *grown);
        if (!grown)
            return false;
        a->loads = grown;
    }
    a->loads[a->n_loads++] = (load){.segment = segment_number};
    return true;
}

static size_t
segment_bytes(const segment *g)
{
    return g->records ? g->records->table_len + g->records->bytes_len : 0;
}

/* What a read by index costs. */
typedef struct cost {
    uint64_t given;  // bytes of its results, about: a segment's are taken as equally long
    uint64_t loaded; // bytes from the file
    uint64_t looked; // records that are looked at
} cost;

// Of some results of a segment.
static cost
cost_of(const segment *g, uint64_t count, bool is_new)
{
    uint64_t bytes = segment_bytes(g);
    if (!g->records)
        return (cost){.given = g->record.len * count};
    return (cost){.given = bytes / g->count * count,
                  .loaded = is_new && !g->records->table.data ? bytes : 0,
                  .looked = is_new ? g->count : 0};
}

static bool
is_affordable(const cost *sum, const cost *more, uint64_t max_bytes)
{
    return sum->given < max_bytes && sum->loaded + more->loaded <= max_bytes &&
           sum->looked + more->looked <= LOOK_MAX;
}

// From the first index on, what it and those after it lie in, until it is as much as the reader
// takes or as a read may cost; the read ends there.
static bool
choose_by_index(sc_store *s, const kept_job *j, answer *a)
{
    sc_store_read *read = &a->read;
    sc_stretch at;
    cost sum = {0};
    uint64_t number = ++s->n_reads;
    if (!sc_index_find(&j->index, read->from, &at) || at.first >= read->until) {
        read->from = read->until; // nothing any more
        return true;
    }
    if (read->from < at.first)
        read->from = at.first;
    if (read->until - read->from > PAGE_TASKS)
        read->until = read->from + PAGE_TASKS;
    do {
        segment *g = &j->segments[at.segment];
        bool is_new = g->last_read != number;
        uint64_t first = at.first > read->from ? at.first : read->from;
        cost more = cost_of(g, at.first + at.count - first, is_new);
        if (a->n_loads > 0 && !is_affordable(&sum, &more, read->max_bytes)) {
            read->until = at.first;
            break;
        }
        sum = (cost){sum.given + more.given, sum.loaded + more.loaded, sum.looked + more.looked};
        g->last_read = number;
        if (is_new && !add_load(a, at.segment))
            return false;
    } while (sc_index_find(&j->index, at.first + at.count, &at) && at.first < read->until);
    return true;
}

// The last segment whose position is not above `position`.
static uint32_t
find_position(const kept_job *j, uint64_t position)
{
    uint32_t low = 0, high = j->n_segments;
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;
        if (j->segments[mid].position <= position)
            low = mid;
        else
            high = mid;
    }
    return low;
}

static bool
choose_as_ended(const kept_job *j, answer *a)
{
    uint64_t bytes = 0, n = 0;
    if (a->read.from >= j->n_ended)
        return true;
    uint64_t skip = a->read.from - j->segments[find_position(j, a->read.from)].position;
    for (uint32_t i = find_position(j, a->read.from);
         i < j->n_segments && n < PAGE_TASKS && bytes <= a->read.max_bytes; i++, skip = 0) {
        const segment *g = &j->segments[i];
        if (!add_load(a, i))
            return false;
        n += g->count - skip;
        bytes += g->records ? segment_bytes(g) : (g->count - skip) * g->record.len;
    }
    return true;
}

/* ---- loading ---- */

typedef struct loading {
    answer *answer;
    uint32_t at; // in answer.loads
    extent *records;
} loading;

static void
on_loaded(void *arg, int status, sc_blob *blob)
{
    loading *l = arg;
    answer *a = l->answer;
    load *to = &a->loads[l->at];
    sc_extent_loaded(l->records, blob, &to->table, &to->bytes);
    if (status < 0)
        a->status = status;
    free(l);
    if (--a->n_waiting == 0)
        sc_store_loaded(a->store, a);
}

static void
start_loading(answer *a, uint32_t at, extent *r)
{
    loading *l = malloc(sizeof *l);
    int rc = SC_ENOMEM;
    if (l) {
        *l = (loading){a, at, r};
        rc = sc_extent_load(r, on_loaded, l);
    }
    if (rc == 0) {
        a->n_waiting++;
        return;
    }
    free(l);
    a->status = rc;
}

bool
sc_pages_prepare(sc_store *s, kept_job *j, answer *a)
{
    bool is_by_index = a->read.order != SC_READ_ENDED;
    if (!(is_by_index ? choose_by_index(s, j, a) : choose_as_ended(j, a))) {
        a->status = SC_ENOMEM;
        return true;
    }
    for (uint32_t i = 0; i < a->n_loads; i++) {
        extent *r = j->segments[a->loads[i].segment].records;
        if (r && r->table.data) {
            a->loads[i].table = sc_slice_keep(r->table);
            a->loads[i].bytes = sc_slice_keep(r->bytes);
        } else if (r) {
            start_loading(a, i, r);
        }
    }
    return a->n_waiting == 0;
}

/* ---- making the page ---- */

// Number of a worker's name in the page, or -1 where it has no room for another.
static int
page_worker(page *p, uint32_t job_number)
{
    kept_name *name = p->job->names[job_number];
    if (name->page == p->number)
        return (int)name->in_page;
    if (p->n_workers == SC_CHUNK_MAX_TASKS)
        return -1;
    name->page = p->number;
    name->in_page = p->n_workers;
    p->workers[p->n_workers].name = (sc_text){name->text, name->len};
    return (int)p->n_workers++;
}

static bool
make_room(page *p, uint32_t len)
{
    if (p->n_records < p->max_records && p->n_bytes + len <= p->max_bytes)
        return true;
    if (p->n_records > 0)
        return false;
    // the first result comes however large it is
    sc_blob_unref(p->bytes);
    p->bytes = sc_blob_new(len);
    p->max_bytes = len;
    return p->bytes != NULL;
}

// @return false where the page is full
static bool
add_entry(page *p, uint64_t index, const entry *e)
{
    int worker = page_worker(p, e->worker);
    if (worker < 0 || !make_room(p, e->record.len))
        return false;
    sc_record record = e->record;
    record.offset = (uint32_t)(index - p->job->lowest);
    record.worker = (uint16_t)worker;
    record.flags = 0;
    memcpy(p->table->data + p->n_records++ * sizeof record, &record, sizeof record);
    memcpy(p->bytes->data + p->n_bytes, e->value, record.len);
    p->n_bytes += record.len;
    return true;
}

static entry
range_entry(const segment *g)
{
    return (entry){(const uint8_t *)g->error, g->worker, g->record, true};
}

static entry
record_entry(const segment *g, const uint8_t *value, sc_record record)
{
    return (entry){value, g->is_gathered ? record.worker : g->worker, record, true};
}

// Spread the records of a segment over the indexes of a page, of which entries[0] is the first.
static void
place_segment(const kept_job *j, const load *l, const sc_store_read *read, entry *entries)
{
    const segment *g = &j->segments[l->segment];
    size_t at = 0;
    for (uint32_t i = 0, n = sc_records_count(l->table); i < n; i++) {
        sc_record record = sc_records_get(l->table, i);
        uint64_t index = g->base + record.offset;
        if (index >= read->from && index < read->until)
            entries[index - read->from] = record_entry(g, l->bytes.data + at, record);
        at += record.len;
    }
}

static void
place_range(const segment *g, const sc_store_read *read, entry *entries)
{
    uint64_t first = g->base > read->from ? g->base : read->from, end = g->base + g->count;
    entry e = range_entry(g);
    for (uint64_t index = first; index < end && index < read->until; index++)
        entries[index - read->from] = e;
}

static void
fill_by_index(page *p, entry *entries)
{
    const answer *a = p->answer;
    for (uint32_t i = 0; i < a->n_loads; i++) {
        const segment *g = &p->job->segments[a->loads[i].segment];
        if (g->records)
            place_segment(p->job, &a->loads[i], &a->read, entries);
        else
            place_range(g, &a->read, entries);
    }
    p->next = a->read.from;
    for (uint64_t index = a->read.from; index < a->read.until; index++) {
        const entry *e = &entries[index - a->read.from];
        if (e->is_there && !add_entry(p, index, e))
            return;
        p->next = index + 1;
    }
}

static bool
fill_from_records(page *p, const load *l, uint64_t skip)
{
    const segment *g = &p->job->segments[l->segment];
    size_t at = 0;
    for (uint32_t i = 0, n = sc_records_count(l->table); i < n; i++) {
        entry e = record_entry(g, l->bytes.data + at, sc_records_get(l->table, i));
        at += e.record.len;
        if (i < skip)
            continue;
        if (!add_entry(p, g->base + e.record.offset, &e))
            return false;
        p->next++;
    }
    return true;
}

static void
fill_as_ended(page *p)
{
    const answer *a = p->answer;
    p->next = a->read.from;
    for (uint32_t i = 0; i < a->n_loads; i++) {
        const segment *g = &p->job->segments[a->loads[i].segment];
        uint64_t skip = p->next - g->position;
        if (g->records) {
            if (!fill_from_records(p, &a->loads[i], skip))
                return;
            continue;
        }
        entry e = range_entry(g);
        for (; skip < g->count; skip++, p->next++)
            if (!add_entry(p, g->base + skip, &e))
                return;
    }
}

static void
give_empty(sc_store *s, const answer *a, int status, uint64_t next)
{
    sc_message m = {.type = SC_MSG_PAGE};
    m.page.job = a->read.job;
    m.page.next = next;
    s->events.on_results(s->events.arg, &a->read, status, &m);
}

static void
give_page(sc_store *s, page *p)
{
    sc_message m = {.type = SC_MSG_PAGE};
    m.page.job = p->job->id;
    m.page.base = p->job->lowest;
    m.page.next = p->next;
    m.page.workers = (sc_list){p->workers, p->n_workers};
    p->table->len = p->n_records * sizeof(sc_record);
    p->bytes->len = p->n_bytes;
    if (p->n_records) {
        m.table = sc_slice_of(p->table);
        m.bytes = sc_slice_of(p->bytes);
    }
    s->events.on_results(s->events.arg, &p->answer->read, 0, &m);
}

void
sc_pages_give(sc_store *s, answer *a)
{
    kept_job *j = sc_store_find(s, &a->read.job);
    if (a->job_number && (!j || j->generation != a->generation)) {
        give_empty(s, a, 0, a->from); // dropped meanwhile: its numbers mean nothing any more
        return;
    }
    if (a->status < 0 || a->n_loads == 0) {
        bool is_skipped = a->status == 0 && a->read.order == SC_READ_INDEX_ENDED;
        give_empty(s, a, a->status, is_skipped ? a->read.until : a->read.from);
        return;
    }
    uint32_t max = a->read.max_bytes;
    page p = {.job = j,
              .answer = a,
              .number = ++s->n_pages,
              .max_records = max / sizeof(sc_record) + 1,
              .max_bytes = max};
    if (p.max_records > PAGE_TASKS)
        p.max_records = PAGE_TASKS;
    p.table = sc_blob_new(p.max_records * sizeof(sc_record));
    p.bytes = sc_blob_new(p.max_bytes);
    bool is_by_index = a->read.order != SC_READ_ENDED;
    entry *entries = is_by_index ? calloc(a->read.until - a->read.from, sizeof *entries) : NULL;
    if (!p.table || !p.bytes || (is_by_index && !entries)) {
        give_empty(s, a, SC_ENOMEM, a->read.from);
    } else {
        if (entries)
            fill_by_index(&p, entries);
        else
            fill_as_ended(&p);
        if (p.bytes)
            give_page(s, &p);
        else
            give_empty(s, a, SC_ENOMEM, a->read.from);
    }
    free(entries);
    sc_blob_unref(p.table);
    sc_blob_unref(p.bytes);
}
