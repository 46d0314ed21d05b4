/* SPDX-License-Identifier: Apache-2.0 */
/* Is the other side of a link alive, and does it know that we are? Pure: given the time. Any
 * message counts as a sign of life, so a busy link needs no heartbeats. A clock that jumped (this
 * process was stopped) is not the peer's silence. */
#ifndef SC_LIVENESS_H
#define SC_LIVENESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct sc_liveness {
    int64_t heartbeat_ms, lease_ms;
    int64_t heard_ms; /* last message from the peer, moved by the lateness of late ticks */
    int64_t said_ms;  /* last message to the peer */
} sc_liveness;

/** Start with both sides fresh. */
void sc_liveness_init(sc_liveness *l, int64_t heartbeat_ms, int64_t lease_ms, int64_t now_ms);
void sc_liveness_heard(sc_liveness *l, int64_t now_ms);
void sc_liveness_said(sc_liveness *l, int64_t now_ms);
/** A tick came `late_ms` after its time: the peer is given that much longer. */
void sc_liveness_shift(sc_liveness *l, int64_t late_ms);
/** A heartbeat is due: nothing was said for heartbeat_ms. */
bool sc_liveness_must_say(const sc_liveness *l, int64_t now_ms);
/** Silent for longer than its lease. */
bool sc_liveness_is_gone(const sc_liveness *l, int64_t now_ms);
/** When one of the two will next be true. */
int64_t sc_liveness_next_ms(const sc_liveness *l);

#endif
