/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks that may not be repeated and had started: each has a slot, by which the shared page names
 * it, from its start until its result is acknowledged, so that a death in between cannot pass it
 * off as never started. A bounded number: without a free slot none starts. Pure; the session's. */
#ifndef SC_ONCE_H
#define SC_ONCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/limits.h"
#include "proto/message.h"

typedef struct sc_once_slot {
    LIST_ENTRY(sc_once_slot) node;
    sc_token token;
    uint64_t index;
} sc_once_slot;

typedef struct sc_once {
    void (*on_release)(void *arg, uint32_t slot); /* may be NULL */
    void *arg;
    LIST_HEAD(sc_once_slots, sc_once_slot) free;
    struct sc_once_slots buckets[SC_ONCE_MAX]; /* by index: those of a run are spread evenly */
    sc_once_slot slots[SC_ONCE_MAX];
    uint32_t n_used;
} sc_once;

/** All slots are free. @param on_release  told of each slot that becomes free; may be NULL */
void sc_once_init(sc_once *o, void (*on_release)(void *arg, uint32_t slot), void *arg);
bool sc_once_has_room(const sc_once *o);
/** Give a task a slot; there must be room. @return its number, below SC_ONCE_MAX */
uint32_t sc_once_add(sc_once *o, sc_token token, uint64_t index);
/** The result of a task is safe, or unwanted. Nothing where it has no slot. */
void sc_once_remove(sc_once *o, sc_token token, uint64_t index);

#endif
