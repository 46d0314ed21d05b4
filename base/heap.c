/* SPDX-License-Identifier: Apache-2.0 */
/* The deadline heap. Called by loops for their one timer and by the pure cores for what is due; it
 * never looks at the time itself and never owns a node. */
#include "base/heap.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/fault.h"

enum { FIRST_NODES = 16 };

// Orders are unique, so no two nodes are equal and the order out depends on nothing else.
static bool
is_before(const sc_heap_node *a, const sc_heap_node *b)
{
    if (a->deadline_ms != b->deadline_ms)
        return a->deadline_ms < b->deadline_ms;
    return a->order < b->order;
}

/* Places are 1-based: the parent of i is i / 2, its children are 2i and 2i + 1. */
static sc_heap_node *
at(const sc_heap *heap, size_t position)
{
    return heap->nodes[position - 1];
}

static void
put(sc_heap *heap, size_t position, sc_heap_node *node)
{
    heap->nodes[position - 1] = node;
    node->position = position;
}

/* Moves a node up, then down, until it stands right; one of the two does nothing. */
static void
settle(sc_heap *heap, sc_heap_node *node)
{
    size_t i = node->position;
    size_t child;

    for (; i > 1 && is_before(node, at(heap, i / 2)); i /= 2)
        put(heap, i, at(heap, i / 2));
    for (; (child = 2 * i) <= heap->n_nodes; i = child) {
        if (child < heap->n_nodes && is_before(at(heap, child + 1), at(heap, child)))
            child++;
        if (is_before(node, at(heap, child)))
            break;
        put(heap, i, at(heap, child));
    }
    put(heap, i, node);
}

static int
grow(sc_heap *heap)
{
    size_t capacity = heap->capacity ? 2 * heap->capacity : FIRST_NODES;
    sc_heap_node **nodes;

    if (SC_FAULT("heap.grow"))
        return SC_ENOMEM;
    nodes = reallocarray(heap->nodes, capacity, sizeof(*nodes));
    if (!nodes)
        return SC_ENOMEM;
    heap->nodes = nodes;
    heap->capacity = capacity;
    return 0;
}

void
sc_heap_init(sc_heap *heap)
{
    *heap = (sc_heap){0};
}

void
sc_heap_fini(sc_heap *heap)
{
    free(heap->nodes);
    *heap = (sc_heap){0};
}

int
sc_heap_set(sc_heap *heap, sc_heap_node *node, int64_t deadline_ms)
{
    if (node->position == 0) {
        int rc = heap->n_nodes == heap->capacity ? grow(heap) : 0;

        if (rc)
            return rc;
        put(heap, ++heap->n_nodes, node);
    }
    node->deadline_ms = deadline_ms;
    node->order = heap->next_order++;
    settle(heap, node);
    return 0;
}

void
sc_heap_remove(sc_heap *heap, sc_heap_node *node)
{
    size_t position = node->position;
    sc_heap_node *last;

    if (position == 0)
        return;
    SC_ASSERT(position <= heap->n_nodes && at(heap, position) == node);
    last = at(heap, heap->n_nodes--);
    node->position = 0;
    if (last == node)
        return;
    put(heap, position, last);
    settle(heap, last);
}

sc_heap_node *
sc_heap_top(const sc_heap *heap)
{
    return heap->n_nodes > 0 ? at(heap, 1) : NULL;
}

sc_heap_node *
sc_heap_pop_due(sc_heap *heap, int64_t now_ms)
{
    sc_heap_node *top = sc_heap_top(heap);

    if (!top || top->deadline_ms > now_ms)
        return NULL;
    sc_heap_remove(heap, top);
    return top;
}

bool
sc_heap_check(const sc_heap *heap)
{
    if (heap->n_nodes > heap->capacity)
        return false;
    for (size_t i = 1; i <= heap->n_nodes; i++) {
        if (at(heap, i)->position != i)
            return false;
        if (i > 1 && is_before(at(heap, i), at(heap, i / 2)))
            return false;
    }
    return true;
}
