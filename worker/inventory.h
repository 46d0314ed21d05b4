/* SPDX-License-Identifier: Apache-2.0 */
/* The list of what a worker holds, for a coordinator that has just welcomed it: all that waits,
 * runs or is not acknowledged, in as many HELD messages as it takes. Pure; the session's. */
#ifndef SC_INVENTORY_H
#define SC_INVENTORY_H

#include "worker/backlog.h"
#include "worker/member.h"
#include "worker/outbox.h"

enum {
    SC_INVENTORY_ITEMS = 800
}; /* in a message: about 60 bytes each, below SC_HELD_MAX_BYTES and
      SC_HEADER_MAX_OBJECTS */

typedef struct sc_inventory {
    sc_held_run items[SC_INVENTORY_ITEMS]; /* of the next message */
    uint32_t n;
} sc_inventory;

/** @return 0, or that of a message which could not be sent: the list has a hole */
SC_MUST_USE int sc_inventory_send(sc_inventory *i, const sc_backlog *backlog,
                                  const sc_outbox *outbox, sc_member *member, int64_t now_ms);

#endif
