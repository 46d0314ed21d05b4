/* SPDX-License-Identifier: Apache-2.0 */
/* Keeping results: the segments of a job and where an index or a position is found in them. Part of
 * the store; they are read in pages.c. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/store_int.h"

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

static bool
name_number(kept_job *j, sc_text name, uint32_t *number)
{
    for (uint32_t i = j->n_names;
         i-- > 0;) // the newest first: runs of one worker follow each other
        if (j->names[i].len == name.len &&
            (name.len == 0 || memcmp(j->names[i].data, name.data, name.len) == 0)) {
            *number = i;
            return true;
        }
    char *copy = malloc(name.len + 1u);
    if (!copy || !grow(&j->names, &j->names_max, j->n_names, sizeof *j->names)) {
        free(copy);
        return false;
    }
    memcpy(copy, name.len ? name.data : "", name.len);
    *number = j->n_names;
    j->names[j->n_names++] = (sc_text){copy, name.len};
    return true;
}

static segment *
new_segment(kept_job *j, uint64_t base, uint64_t count)
{
    if (!grow(&j->segments, &j->segments_max, j->n_segments, sizeof *j->segments))
        return NULL;
    segment *g = &j->segments[j->n_segments++];
    *g = (segment){.position = j->n_ended, .base = base, .count = count};
    j->n_ended += count;
    if (base < j->lowest)
        j->lowest = base;
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
    if (highest - lowest == n - 1)
        return sc_index_add(&j->index, base + lowest, n, j->n_segments - 1);
    for (uint32_t i = 0; i < n; i++)
        if (!sc_index_add(&j->index, base + sc_records_get(table, i).offset, 1, j->n_segments - 1))
            return false;
    return true;
}

bool
sc_kept_results(sc_store *s, kept_job *j, const sc_action *action)
{
    uint32_t worker = 0, n = sc_records_count(action->results.table);
    if (!name_number(j, action->results.worker, &worker))
        return false;
    extent *r = sc_extent_new(s, action->results.table, action->results.bytes);
    segment *g = r ? new_segment(j, action->results.base, n) : NULL;
    if (!g)
        return false;
    g->records = r;
    g->worker = worker;
    return add_to_index(j, action->results.base, action->results.table);
}

// Does this range go on where the newest segment ends, with the same outcome? Tasks of a job that
// is cancelled end chunk by chunk.
static bool
goes_on(const segment *g, const sc_action *action, uint32_t worker)
{
    return !g->records && g->base + g->count == action->range.first &&
           g->outcome == action->range.outcome && g->attempt == action->range.attempt &&
           g->worker == worker && sc_text_equal(action->range.error, g->error);
}

bool
sc_kept_range(kept_job *j, const sc_action *action)
{
    uint32_t worker = 0;
    uint64_t count = action->range.count;
    if (!name_number(j, action->range.worker, &worker))
        return false;
    segment *last = j->n_segments > 0 ? &j->segments[j->n_segments - 1] : NULL;
    if (last && goes_on(last, action, worker)) {
        last->count += count;
        j->n_ended += count;
        return sc_index_add(&j->index, action->range.first, count, j->n_segments - 1);
    }
    segment *g = new_segment(j, action->range.first, action->range.count);
    if (!g)
        return false;
    g->worker = worker;
    g->outcome = action->range.outcome;
    g->attempt = action->range.attempt;
    g->error = strndup(action->range.error.data, action->range.error.len);
    return g->error && sc_index_add(&j->index, g->base, g->count, j->n_segments - 1);
}

void
sc_kept_drop(sc_store *s, kept_job *j)
{
    j->generation = ++s->n_numbers;
    for (uint32_t i = 0; i < j->n_segments; i++) {
        if (j->segments[i].records)
            sc_extent_free(j->segments[i].records);
        free(j->segments[i].error);
    }
    sc_index_fini(&j->index);
    for (uint32_t i = 0; i < j->n_names; i++)
        free((char *)(uintptr_t)j->names[i].data);
    free(j->segments);
    free(j->names);
    j->segments = NULL;
    j->names = NULL;
    j->n_segments = j->segments_max = j->n_names = j->names_max = 0;
    j->n_ended = 0;
}
