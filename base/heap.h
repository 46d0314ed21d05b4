/* SPDX-License-Identifier: Apache-2.0 */
/* An intrusive binary min-heap of deadlines: one a process, one timer on top of it. The node lies
 * in its owner and knows its place, so removal is O(log n). Equal deadlines come out in the order
 * in which they were set (the simulation replays by that). */
#ifndef SC_HEAP_H
#define SC_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sc_heap_node {
    int64_t deadline_ms; /* read it freely; change it only through the heap */
    uint64_t order;      /* the heap's: ties by age */
    size_t position;     /* the heap's: 1-based place, 0 = in no heap. Zero-initialise. */
} sc_heap_node;

typedef struct sc_heap {
    sc_heap_node **nodes;
    size_t n_nodes, capacity;
    uint64_t next_order;
} sc_heap;

/** An empty heap; allocates nothing. */
void sc_heap_init(sc_heap *heap);
/** Releases the array, not the nodes. */
void sc_heap_fini(sc_heap *heap);
/** Add a node that is in no heap, or move one that is in this heap, behind its equals.
 *  @return 0 or SC_ENOMEM (only when adding) */
int sc_heap_set(sc_heap *heap, sc_heap_node *node, int64_t deadline_ms);
/** Take a node out; nothing happens when it is in no heap. */
void sc_heap_remove(sc_heap *heap, sc_heap_node *node);
/** The node with the earliest deadline, or NULL. */
sc_heap_node *sc_heap_top(const sc_heap *heap);
/** Take out and return the top if its deadline is at or before `now_ms`, else NULL. */
sc_heap_node *sc_heap_pop_due(sc_heap *heap, int64_t now_ms);
/** True where every parent is not later than its children and every position is right. */
bool sc_heap_check(const sc_heap *heap);

#endif
