/* SPDX-License-Identifier: Apache-2.0 */
/* Keeping results: the segments of a job and where an index or a position is found in them. Part of
 * the store; they are read in pages.c. */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "coordinator/store_int.h"

enum {
    // Smaller messages are copied together: below this, what it takes to find one is dear beside
    // it.
    GATHER_BELOW = 16 * 1024,
    // Together they are this long: what is loaded for one result of them, and still one write.
    GATHER_MAX = 64 * 1024,
    // What all jobs gather at a time: 64 that are busy. Beyond it the one whose last result is the
    // oldest has gathered enough.
    GATHERING_MAX = 64 * GATHER_MAX,
    // Up to this many tasks an outcome for each takes less than a range.
    SMALL_RANGE = 2,
};

// Room for one more item in an array that doubles.
static bool
grow(void *array_at, uint32_t *max, uint32_t n, size_t item_bytes)
{
    if (n < *max)
        return true;
    uint32_t more = *max ? *max * 2 : 8;
    void *grown = realloc(*(void **)array_at, more * item_bytes);
    if (!grown)
        return false;
    *(void **)array_at = grown;
    *max = more;
    return true;
}

static kept_name *
new_name(kept_job *j, sc_text text)
{
    size_t bytes = sizeof(kept_name) + text.len;
    kept_name *name = malloc(bytes);
    if (!name || !grow(&j->names, &j->names_max, j->n_names, sizeof *j->names)) {
        free(name);
        return NULL;
    }
    name->number = j->n_names;
    name->len = text.len;
    name->page = 0;
    memcpy(name->text, text.data, text.len);
    HASH_ADD(hh, j->names_by_text, text, text.len, name);
    if (!name->hh.tbl) {
        free(name);
        return NULL;
    }
    j->text_bytes += bytes + MALLOC_BYTES + sizeof(UT_hash_bucket);
    return j->names[j->n_names++] = name;
}

static bool
name_number(kept_job *j, sc_text text, uint32_t *number)
{
    text.data = text.len ? text.data : ""; // what ended without a worker
    kept_name *name = j->last_name;
    if (!name || name->len != text.len || memcmp(name->text, text.data, text.len) != 0) {
        HASH_FIND(hh, j->names_by_text, text.data, text.len, name);
        if (!name && !(name = new_name(j, text)))
            return false;
        j->last_name = name;
    }
    *number = name->number;
    return true;
}

/* Results with the number of their worker's name. */
typedef struct results {
    uint64_t base;
    sc_slice table, bytes;
    uint32_t worker;
} results;

static segment *
new_segment(kept_job *j, uint64_t base, uint64_t count)
{
    if (!grow(&j->segments, &j->segments_max, j->n_segments, sizeof *j->segments))
        return NULL;
    segment *g = &j->segments[j->n_segments++];
    *g = (segment){.position = j->n_ended, .base = base, .count = count};
    j->n_ended += count;
    return g;
}

// Where the records of the newest segment are found. Most messages are one stretch of indexes, in
// whatever order.
static bool
add_to_index(kept_job *j, uint64_t base, sc_slice table)
{
    uint32_t n = sc_records_count(table), lowest = UINT32_MAX, highest = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t offset = sc_records_get(table, i).offset;
        lowest = offset < lowest ? offset : lowest;
        highest = offset > highest ? offset : highest;
    }
    if (base + lowest < j->lowest)
        j->lowest = base + lowest;
    if (highest - lowest == n - 1)
        return sc_index_add(&j->index, base + lowest, n, j->n_segments - 1);
    for (uint32_t i = 0; i < n; i++)
        if (!sc_index_add(&j->index, base + sc_records_get(table, i).offset, 1, j->n_segments - 1))
            return false;
    return true;
}

// The arrays of a job and what hangs on them, counted as memory.
static void
count_memory(sc_store *s, kept_job *j)
{
    uint64_t bytes = j->segments_max * sizeof *j->segments + j->names_max * sizeof *j->names +
                     j->index.bytes + j->text_bytes;
    s->memory_bytes += bytes - j->memory;
    j->memory = bytes;
}

/* ---- gathering small results ---- */

static void
stop_gathering(sc_store *s, kept_job *j)
{
    extent *r = j->gathering;
    if (!r)
        return;
    DL_DELETE2(s->gathering, j, gathering_prev, gathering_next);
    j->gathering = NULL;
    sc_extent_close(r);
}

// The segment that a small message is appended to, with room for it; it moves to the end of the
// list.
static segment *
gather_in(sc_store *s, kept_job *j, uint64_t index, size_t len)
{
    extent *r = j->gathering;
    if (r && r->table_len + r->bytes_len + len > GATHER_MAX)
        stop_gathering(s, j);
    if (j->gathering) {
        DL_DELETE2(s->gathering, j, gathering_prev, gathering_next);
    } else {
        // 32 bits hold every index of the job from here
        uint64_t base = index > SC_JOB_MAX_TASKS ? index - SC_JOB_MAX_TASKS : 0;
        segment *g = (r = sc_extent_gather(s)) ? new_segment(j, base, 0) : NULL;
        if (!g)
            return NULL;
        g->records = j->gathering = r;
        g->is_gathered = true;
    }
    DL_APPEND2(s->gathering, j, gathering_prev, gathering_next);
    return &j->segments[j->n_segments - 1];
}

static bool
gather(sc_store *s, kept_job *j, const results *m)
{
    uint64_t index = m->base + sc_records_get(m->table, 0).offset;
    segment *g = gather_in(s, j, index, m->table.len + m->bytes.len);
    uint8_t *at = g ? sc_extent_append(g->records, m->table, m->bytes) : NULL;
    uint32_t n = sc_records_count(m->table);
    if (!at)
        return false;
    for (uint32_t i = 0; i < n; i++, at += sizeof(sc_record)) {
        sc_record record = sc_records_get(m->table, i);
        record.offset = (uint32_t)(m->base + record.offset - g->base);
        record.worker = (uint16_t)m->worker;
        memcpy(at, &record, sizeof record);
    }
    g->count += n;
    j->n_ended += n;
    bool is_added = add_to_index(j, m->base, m->table);
    while (s->gathering_bytes > GATHERING_MAX && s->gathering != j)
        stop_gathering(s, s->gathering);
    return is_added;
}

/* ---- putting ---- */

static bool
keep(sc_store *s, kept_job *j, const results *m)
{
    if (m->table.len + m->bytes.len < GATHER_BELOW && m->worker <= UINT16_MAX)
        return gather(s, j, m);
    stop_gathering(s, j); // or the positions of what follows would not be in order
    extent *r = sc_extent_new(s, m->table, m->bytes, true);
    segment *g = r ? new_segment(j, m->base, sc_records_count(m->table)) : NULL;
    if (!g)
        return false;
    g->records = r;
    g->worker = m->worker;
    return add_to_index(j, m->base, m->table);
}

bool
sc_kept_results(sc_store *s, kept_job *j, const sc_action *action)
{
    results m = {action->results.base, action->results.table, action->results.bytes, 0};
    bool is_kept = name_number(j, action->results.worker, &m.worker) && keep(s, j, &m);
    count_memory(s, j);
    return is_kept;
}

static sc_record
range_record(const sc_action *action)
{
    uint32_t attempt = action->range.attempt;
    return (sc_record){.len = action->range.error.len,
                       .attempt = (uint16_t)(attempt < UINT16_MAX ? attempt : UINT16_MAX),
                       .outcome = (uint8_t)action->range.outcome};
}

// Does this range go on where the newest segment ends, with the same outcome? Tasks of a job that
// is cancelled end chunk by chunk.
static bool
goes_on(const segment *g, const sc_action *action, uint32_t worker)
{
    sc_record record = range_record(action);
    return !g->records && g->base + g->count == action->range.first &&
           memcmp(&g->record, &record, sizeof record) == 0 && g->worker == worker &&
           sc_text_equal(action->range.error, g->error);
}

// An outcome for each of a few tasks.
static bool
keep_each(sc_store *s, kept_job *j, const sc_action *action, uint32_t worker)
{
    sc_record records[SMALL_RANGE] = {{0}};
    uint32_t n = (uint32_t)action->range.count, len = action->range.error.len;
    sc_blob *errors = sc_blob_new((size_t)n * len);
    if (!errors)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        records[i] = range_record(action);
        records[i].offset = i;
        memcpy(errors->data + (size_t)i * len, action->range.error.data, len);
    }
    bool is_kept =
        keep(s, j,
             &(results){action->range.first, sc_slice_borrow(records, n * sizeof *records),
                        sc_slice_of(errors), worker});
    sc_blob_unref(errors);
    return is_kept;
}

static bool
keep_range(sc_store *s, kept_job *j, const sc_action *action, uint32_t worker)
{
    uint64_t first = action->range.first, count = action->range.count;
    segment *g = j->n_segments > 0 ? &j->segments[j->n_segments - 1] : NULL;
    if (g && goes_on(g, action, worker)) {
        g->count += count;
        j->n_ended += count;
        return sc_index_add(&j->index, first, count, j->n_segments - 1);
    }
    if (count <= SMALL_RANGE)
        return keep_each(s, j, action, worker);
    stop_gathering(s, j);
    if (first < j->lowest)
        j->lowest = first;
    if (!(g = new_segment(j, first, count)))
        return false;
    g->worker = worker;
    g->record = range_record(action);
    g->error = strndup(action->range.error.data, action->range.error.len);
    j->text_bytes += action->range.error.len + 1 + MALLOC_BYTES;
    return g->error && sc_index_add(&j->index, first, count, j->n_segments - 1);
}

bool
sc_kept_range(sc_store *s, kept_job *j, const sc_action *action)
{
    uint32_t worker = 0;
    bool is_kept =
        name_number(j, action->range.worker, &worker) && keep_range(s, j, action, worker);
    count_memory(s, j);
    return is_kept;
}

void
sc_kept_drop(sc_store *s, kept_job *j)
{
    if (j->gathering) {
        DL_DELETE2(s->gathering, j, gathering_prev, gathering_next);
        j->gathering = NULL;
    }
    j->generation = ++s->n_numbers;
    for (uint32_t i = 0; i < j->n_segments; i++) {
        if (j->segments[i].records)
            sc_extent_free(j->segments[i].records);
        free(j->segments[i].error);
    }
    sc_index_fini(&j->index);
    HASH_CLEAR(hh, j->names_by_text);
    for (uint32_t i = 0; i < j->n_names; i++)
        free(j->names[i]);
    free(j->segments);
    free(j->names);
    j->segments = NULL;
    j->names = NULL;
    j->last_name = NULL;
    j->n_segments = j->segments_max = j->n_names = j->names_max = 0;
    j->n_ended = j->text_bytes = 0;
    count_memory(s, j);
}
