/* SPDX-License-Identifier: Apache-2.0 */
/* Payload of a journal's chunks, in memory from their coming until they are handed out. The loop's;
 * nothing here costs more the more is kept. */
#ifndef SC_JOURNAL_CACHE_H
#define SC_JOURNAL_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/blob.h"

typedef struct sc_cached_job sc_cached_job;

/* Zeroed: empty. */
typedef struct sc_journal_cache {
    sc_cached_job *jobs;
    uint64_t bytes; /* payload, and what it takes to find it */
} sc_journal_cache;

/** Keep a reference to a chunk's payload where there is room and memory; else it is read when it is
 * asked for. @param max_bytes  what the cache may hold then */
void sc_journal_cache_keep(sc_journal_cache *c, const uint64_t key[2], sc_slice table,
                           sc_slice bytes, uint64_t max_bytes);
/** Take a chunk out. @param key  number of the job, of the chunk @return false where it is not
 * there; else the slices are the caller's */
bool sc_journal_cache_take(sc_journal_cache *c, const uint64_t key[2], sc_slice *table,
                           sc_slice *bytes);
/** Forget a job's chunks. */
void sc_journal_cache_drop_job(sc_journal_cache *c, uint64_t number);
void sc_journal_cache_fini(sc_journal_cache *c);

#endif
