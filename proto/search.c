/* SPDX-License-Identifier: Apache-2.0 */
/* Looking for the coordinator that leads: see search.h. */
#include "proto/search.h"

enum {
    UNSAID_HEARTBEATS = 2, // a connection and its handshake: a few round trips
    PATIENT_ROUND = 4,     // every so many rounds
    PATIENCE = 4,          // times as long
};

void
sc_search_init(sc_search *s, unsigned n_endpoints, int64_t now_ms)
{
    *s = (sc_search){.n_endpoints = n_endpoints, .since_ms = now_ms};
}

bool
sc_search_believes(const sc_search *s, uint64_t epoch)
{
    return s->n_endpoints <= 1 || epoch >= s->epoch;
}

void
sc_search_found(sc_search *s, uint64_t epoch)
{
    s->epoch = epoch;
    s->n_left = 0;
}

void
sc_search_begin(sc_search *s, bool is_silent, int64_t now_ms)
{
    s->since_ms = now_ms;
    s->is_silent = is_silent;
    s->will_not_lead = false;
}

void
sc_search_reject(sc_search *s)
{
    s->will_not_lead = true;
}

int64_t
sc_search_leave_ms(const sc_search *s, bool is_said, const sc_liveness *times)
{
    unsigned round = s->n_endpoints <= 1 ? 0 : s->n_left / s->n_endpoints;
    int64_t wait_ms;

    if (s->n_endpoints <= 1)
        return INT64_MAX;
    if (s->is_silent)
        return s->since_ms;
    if (s->will_not_lead)
        return s->since_ms + times->heartbeat_ms;
    wait_ms = is_said ? times->lease_ms : UNSAID_HEARTBEATS * times->heartbeat_ms;
    return s->since_ms + (round % PATIENT_ROUND == PATIENT_ROUND - 1 ? PATIENCE : 1) * wait_ms;
}

void
sc_search_left(sc_search *s, int64_t now_ms)
{
    sc_search_begin(s, false, now_ms);
    s->n_left++;
}

void
sc_search_shift(sc_search *s, int64_t late_ms)
{
    s->since_ms += late_ms;
}
