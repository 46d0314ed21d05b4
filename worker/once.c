/* SPDX-License-Identifier: Apache-2.0 */
/* Slots of tasks that may not be repeated: see once.h. Called by the session and its outbox. */
#include "worker/once.h"

#include "base/error.h"

void
sc_once_init(sc_once *o, void (*on_release)(void *arg, uint32_t slot), void *arg)
{
    o->on_release = on_release;
    o->arg = arg;
    o->n_used = 0;
    LIST_INIT(&o->free);
    for (uint32_t i = 0; i < SC_ONCE_MAX; i++) {
        LIST_INIT(&o->buckets[i]);
        LIST_INSERT_HEAD(&o->free, &o->slots[SC_ONCE_MAX - 1 - i], node);
    }
}

bool
sc_once_has_room(const sc_once *o)
{
    return !LIST_EMPTY(&o->free);
}

uint32_t
sc_once_add(sc_once *o, sc_token token, uint64_t index)
{
    sc_once_slot *slot = LIST_FIRST(&o->free);

    SC_ASSERT(slot);
    LIST_REMOVE(slot, node);
    slot->token = token;
    slot->index = index;
    LIST_INSERT_HEAD(&o->buckets[index % SC_ONCE_MAX], slot, node);
    o->n_used++;
    return (uint32_t)(slot - o->slots);
}

void
sc_once_remove(sc_once *o, sc_token token, uint64_t index)
{
    sc_once_slot *slot;

    if (o->n_used == 0)
        return; // most workers never have one
    LIST_FOREACH(slot, &o->buckets[index % SC_ONCE_MAX], node)
        if (slot->index == index && slot->token.run == token.run &&
            slot->token.epoch == token.epoch)
            break;
    if (!slot)
        return;
    LIST_REMOVE(slot, node);
    LIST_INSERT_HEAD(&o->free, slot, node);
    o->n_used--;
    if (o->on_release)
        o->on_release(o->arg, (uint32_t)(slot - o->slots));
}
