/* SPDX-License-Identifier: Apache-2.0 */
/* See inventory.h. */
#include "worker/inventory.h"

static int
flush(sc_inventory *i, sc_member *member, int64_t now_ms)
{
    sc_message message = {.type = SC_MSG_HELD, .held.runs = {i->items, i->n}};
    int rc = i->n > 0 ? sc_member_send(member, &message, now_ms) : 0;

    i->n = 0;
    return rc;
}

static int
add(sc_inventory *i, const sc_held_run *item, sc_member *member, int64_t now_ms)
{
    i->items[i->n++] = *item;
    return i->n == SC_INVENTORY_ITEMS ? flush(i, member, now_ms) : 0;
}

int
sc_inventory_send(sc_inventory *i, const sc_backlog *backlog, const sc_outbox *outbox,
                  sc_member *member, int64_t now_ms)
{
    int rc = 0;
    sc_held_run item;
    const sc_assignment *a;
    const sc_parcel *p;

    i->n = 0;
    for (a = TAILQ_FIRST(&backlog->all); a; a = TAILQ_NEXT(a, node))
        for (uint32_t at = 0; rc == 0 && sc_assignment_list(a, &at, &item);)
            rc = add(i, &item, member, now_ms);
    for (p = TAILQ_FIRST(&outbox->parcels); p; p = TAILQ_NEXT(p, node))
        for (uint32_t at = 0; rc == 0 && sc_parcel_list(p, &at, &item);)
            rc = add(i, &item, member, now_ms);
    return rc == 0 ? flush(i, member, now_ms) : rc;
}
