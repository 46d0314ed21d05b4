/* SPDX-License-Identifier: Apache-2.0 */
/* See journal_cache.h: a table of jobs, each with a table of its chunks. */
#include "coordinator/journal_cache.h"

#include <stdlib.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/fault.h"

typedef struct cached {
    uint64_t chunk;
    sc_slice table, bytes;
    UT_hash_handle hh;
} cached;

struct sc_cached_job {
    uint64_t number;
    cached *chunks;
    UT_hash_handle hh;
};

// What a chunk takes beside its payload; a job's table is counted with its chunks.
enum { CACHED_BYTES = sizeof(cached) + 64 };

static uint64_t
size_of(const cached *c)
{
    return c->table.len + c->bytes.len + CACHED_BYTES;
}

static sc_cached_job *
find_job(const sc_journal_cache *c, uint64_t number)
{
    sc_cached_job *job = NULL;
    HASH_FIND(hh, c->jobs, &number, sizeof number, job);
    return job;
}

static cached *
find_chunk(const sc_cached_job *job, uint64_t chunk)
{
    cached *at = NULL;
    if (job)
        HASH_FIND(hh, job->chunks, &chunk, sizeof chunk, at);
    return at;
}

static sc_cached_job *
get_job(sc_journal_cache *c, uint64_t number)
{
    sc_cached_job *job = find_job(c, number);
    if (job || SC_FAULT("journal.cache") || !(job = calloc(1, sizeof *job)))
        return job;
    job->number = number;
    HASH_ADD(hh, c->jobs, number, sizeof job->number, job);
    if (job->hh.tbl)
        return job;
    free(job);
    return NULL;
}

static void
free_job_without_chunks(sc_journal_cache *c, sc_cached_job *job)
{
    if (job->chunks)
        return;
    HASH_DEL(c->jobs, job);
    free(job);
}

static void
free_chunk(cached *at)
{
    sc_slice_drop(&at->table);
    sc_slice_drop(&at->bytes);
    free(at);
}

void
sc_journal_cache_keep(sc_journal_cache *c, const uint64_t key[2], sc_slice table, sc_slice bytes,
                      uint64_t max_bytes)
{
    if (c->bytes + table.len + bytes.len + CACHED_BYTES > max_bytes)
        return;
    sc_cached_job *job = get_job(c, key[0]);
    if (!job || find_chunk(job, key[1]))
        return;
    cached *at = SC_FAULT("journal.cache") ? NULL : calloc(1, sizeof *at);
    if (at) {
        at->chunk = key[1];
        at->table = table;
        at->bytes = bytes;
        int no_table = sc_slice_retain(&at->table), no_bytes = sc_slice_retain(&at->bytes);
        if (no_table == 0 && no_bytes == 0)
            HASH_ADD(hh, job->chunks, chunk, sizeof at->chunk, at);
        if (at->hh.tbl)
            c->bytes += size_of(at);
        else
            free_chunk(at);
    }
    free_job_without_chunks(c, job);
}

bool
sc_journal_cache_take(sc_journal_cache *c, const uint64_t key[2], sc_slice *table, sc_slice *bytes)
{
    sc_cached_job *job = find_job(c, key[0]);
    cached *at = find_chunk(job, key[1]);
    if (!at)
        return false;
    *table = at->table;
    *bytes = at->bytes;
    c->bytes -= size_of(at);
    HASH_DEL(job->chunks, at);
    free(at);
    free_job_without_chunks(c, job);
    return true;
}

void
sc_journal_cache_drop_job(sc_journal_cache *c, uint64_t number)
{
    sc_cached_job *job = find_job(c, number);
    if (!job)
        return;
    for (cached *at; (at = job->chunks);) {
        c->bytes -= size_of(at);
        HASH_DEL(job->chunks, at);
        free_chunk(at);
    }
    free_job_without_chunks(c, job);
}

void
sc_journal_cache_fini(sc_journal_cache *c)
{
    while (c->jobs)
        sc_journal_cache_drop_job(c, c->jobs->number);
}
