/* SPDX-License-Identifier: Apache-2.0 */
/* Which of several endpoints the coordinator that leads is at: when a session leaves the one it is
 * at for the next, and whom it believes. Part of the sessions of clients, workers and supervisors;
 * pure. The owner connects (proto/uplink.h), says HELLO and tells what came of it.
 *
 * Only a session that is looking leaves. An endpoint that HELLO cannot be said to (nobody listens,
 * or a process that was stopped) is left after two heartbeats, one that does not answer it after a
 * lease, one that will not lead (deposed, ending) after a heartbeat; one whose session ended in
 * silence at once, since that took a lease. Every fourth round gives each four times as long, so
 * that a coordinator that is slow is found too. Where there is one endpoint it is never left, and
 * whoever answers there is believed. */
#ifndef SC_SEARCH_H
#define SC_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/liveness.h"

typedef struct sc_search {
    unsigned n_endpoints;
    unsigned n_left;  /* endpoints left since a coordinator was found last */
    int64_t since_ms; /* looking at this one */
    uint64_t epoch;   /* the greatest that was believed */
    bool is_silent;   /* its lease passed in a session */
    bool will_not_lead;
} sc_search;

/** @param n_endpoints  0 counts as 1 */
void sc_search_init(sc_search *s, unsigned n_endpoints, int64_t now_ms);

/** False: a coordinator of this epoch was deposed; HELLO to it, or an answer, would be for one that
 * leads no more. The owner then calls sc_search_reject. */
bool sc_search_believes(const sc_search *s, uint64_t epoch);
/** It said WELCOME, and it was believed. */
void sc_search_found(sc_search *s, uint64_t epoch);
/** The session is over and the search begins, at the endpoint it was with. @param is_silent  its
 * lease has passed without a word */
void sc_search_begin(sc_search *s, bool is_silent, int64_t now_ms);
/** The coordinator at this endpoint will not serve us. */
void sc_search_reject(sc_search *s);

/** When this endpoint is to be left. @param is_said  HELLO could be sent
 *  @return INT64_MAX: never */
int64_t sc_search_leave_ms(const sc_search *s, bool is_said, const sc_liveness *times);
/** It was left for the next one. */
void sc_search_left(sc_search *s, int64_t now_ms);
/** This process itself stood still for so long. */
void sc_search_shift(sc_search *s, int64_t late_ms);

#endif
