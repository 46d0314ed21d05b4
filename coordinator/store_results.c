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

static bool
put_in_bucket(kept_job *j, uint64_t number, uint32_t segment_number)
{
    bucket *b = NULL;
    HASH_FIND(hh, j->buckets, &number, sizeof number, b);
    if (!b) {
        if (!(b = calloc(1, sizeof *b)))
            return false;
        b->number = number;
        HASH_ADD(hh, j->buckets, number, sizeof b->number, b);
        if (!b->hh.tbl) {
            free(b);
            return false;
        }
    }
    if (!grow(&b->segments, &b->max, b->n_segments, sizeof *b->segments))
        return false;
    b->segments[b->n_segments++] = segment_number;
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
    uint32_t lowest = UINT32_MAX, highest = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t offset = sc_records_get(action->results.table, i).offset;
        lowest = offset < lowest ? offset : lowest;
        highest = offset > highest ? offset : highest;
    }
    uint64_t last = (action->results.base + highest) / BUCKET_TASKS;
    for (uint64_t b = (action->results.base + lowest) / BUCKET_TASKS; b <= last; b++)
        if (!put_in_bucket(j, b, j->n_segments - 1))
            return false;
    return true;
}

bool
sc_kept_range(kept_job *j, const sc_action *action)
{
    uint32_t worker = 0;
    if (!name_number(j, action->range.worker, &worker) ||
        !grow(&j->ranges, &j->ranges_max, j->n_ranges, sizeof *j->ranges))
        return false;
    segment *g = new_segment(j, action->range.first, action->range.count);
    if (!g)
        return false;
    g->worker = worker;
    g->outcome = action->range.outcome;
    g->attempt = action->range.attempt;
    g->error = strndup(action->range.error.data, action->range.error.len);
    j->ranges[j->n_ranges++] = j->n_segments - 1;
    return g->error != NULL;
}

void
sc_kept_drop(kept_job *j)
{
    for (uint32_t i = 0; i < j->n_segments; i++) {
        if (j->segments[i].records)
            sc_extent_free(j->segments[i].records);
        free(j->segments[i].error);
    }
    for (bucket *b; (b = j->buckets);) {
        HASH_DEL(j->buckets, b);
        free(b->segments);
        free(b);
    }
    for (uint32_t i = 0; i < j->n_names; i++)
        free((char *)(uintptr_t)j->names[i].data);
    free(j->segments);
    free(j->ranges);
    free(j->names);
    j->segments = NULL;
    j->ranges = NULL;
    j->names = NULL;
    j->n_segments = j->segments_max = j->n_ranges = j->ranges_max = j->n_names = j->names_max = 0;
    j->n_ended = 0;
}
