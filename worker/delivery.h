/* SPDX-License-Identifier: Apache-2.0 */
/* From the end of a task to the acknowledgement of its result: results are collected for each run
 * during a turn, become messages in the outbox, and are sent as the member is joined and the link
 * has room. No message is larger than the link takes. Pure; the session's. */
#ifndef SC_DELIVERY_H
#define SC_DELIVERY_H

#include "worker/backlog.h"
#include "worker/cost.h"
#include "worker/member.h"
#include "worker/outbox.h"

typedef struct sc_delivery_config {
    sc_backlog *backlog;
    sc_member *member;
    const sc_cost *costs; /* a handler each */
    sc_once *once;
} sc_delivery_config;

typedef struct sc_delivery {
    sc_delivery_config config;
    struct sc_assignments dirty; /* those with results not yet in the outbox, */
    size_t dirty_bytes;          /* and the bytes of these */
    sc_outbox outbox;
} sc_delivery;

/** What the config points to is borrowed. */
void sc_delivery_init(sc_delivery *d, const sc_delivery_config *config);
void sc_delivery_fini(sc_delivery *d);
/** Keep how a task ended, which is not answered yet. What was collected before it may become a
 * message.  @param ending  at most SC_TASK_MAX_BYTES  @return 0, SC_ENOMEM */
SC_MUST_USE int sc_delivery_collect(sc_delivery *d, sc_assignment *a, uint32_t offset,
                                    const sc_ending *ending);
/** What was collected of one run becomes a message; the run may be released with that. Without
 * memory it stays collected. */
void sc_delivery_flush(sc_delivery *d, sc_assignment *a);
void sc_delivery_flush_all(sc_delivery *d);
/** Send what can be sent now. */
void sc_delivery_send(sc_delivery *d, int64_t now_ms);
/** Of all results that are not acknowledged. */
size_t sc_delivery_n_bytes(const sc_delivery *d);
/** True where the counts agree with the lists. */
bool sc_delivery_check(const sc_delivery *d);

#endif
