/* SPDX-License-Identifier: Apache-2.0 */
/* Which segment holds the result of which index: stretches of indexes in order, neighbours of one
 * segment joined. Pure; used by the store, one for each job. */
#ifndef SC_STORE_INDEX_H
#define SC_STORE_INDEX_H

#include <stdbool.h>
#include <stdint.h>

typedef struct sc_stretch {
    uint64_t first, count;
    uint32_t segment;
} sc_stretch;

typedef struct sc_index_leaf sc_index_leaf;

typedef struct sc_index {
    uint64_t base;         /* no index lies below it; set by the first */
    sc_index_leaf *leaves; /* in order; none is empty */
    uint32_t n_leaves, max_leaves;
    uint64_t bytes; /* of memory */
} sc_index;

/** An empty index; allocates nothing. */
void sc_index_init(sc_index *x);
void sc_index_fini(sc_index *x);
/** Indexes first..first+count-1, of which none is in the index yet and which lie less than
 * SC_JOB_MAX_TASKS from those that are, are in this segment. @return false without memory */
bool sc_index_add(sc_index *x, uint64_t first, uint64_t count, uint32_t segment);
/** The stretch that holds the index `from`, or the first one after it.
 *  @return false where there is none */
bool sc_index_find(const sc_index *x, uint64_t from, sc_stretch *out);

#endif
