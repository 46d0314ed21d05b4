/* SPDX-License-Identifier: Apache-2.0 */
/* An intrusive doubly linked ring: the node lies in its owner, so an object enters and leaves a
 * list in O(1) without memory. A node that is in no list points to itself. */
#ifndef SC_LIST_H
#define SC_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct sc_list {
    struct sc_list *next, *prev;
} sc_list;

/** An empty list, or a node that is in no list. */
static inline void
sc_list_init(sc_list *l)
{
    l->next = l->prev = l;
}

static inline bool
sc_list_is_empty(const sc_list *l)
{
    return l->next == l;
}

/** Put a node that is in no list behind `at`; with the list's head for `at` it becomes the first.
 */
static inline void
sc_list_insert(sc_list *at, sc_list *node)
{
    node->prev = at;
    node->next = at->next;
    at->next->prev = node;
    at->next = node;
}

/** Put a node that is in no list at the end. */
static inline void
sc_list_append(sc_list *l, sc_list *node)
{
    sc_list_insert(l->prev, node);
}

/** Take a node out; nothing happens when it is in no list. */
static inline void
sc_list_remove(sc_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    sc_list_init(node);
}

#endif
