/* SPDX-License-Identifier: Apache-2.0 */
/* The link of a client, a worker or a supervisor to the coordinator, which may be at any of several
 * endpoints: one link at a time, to one of them. When to go to the next the session decides
 * (proto/search.h). What was not read or sent when a link ends is gone; a new session repeats what
 * matters. */
#ifndef SC_UPLINK_H
#define SC_UPLINK_H

#include "base/endpoints.h"
#include "proto/link.h"

typedef struct sc_uplink sc_uplink;

/** Connect to the first of `endpoints` (as sc_endpoints_parse reads them). The events are those of
 * whatever link there is.
 *  @return 0, or as sc_endpoints_parse and, for any of them, sc_link_connect; `err` names the one
 */
SC_MUST_USE int sc_uplink_open(uv_loop_t *loop, const char *endpoints, const sc_link_events *events,
                               sc_uplink **out, sc_error *err);
/** Leave for the next endpoint; behind the last comes the first. May be called wherever a link may
 * be closed. Where no link can be made, the old one stays until this is called again. */
void sc_uplink_next(sc_uplink *u);

/** As sc_link_send, sc_link_drain and sc_link_close. */
int sc_uplink_send(sc_uplink *u, const sc_message *message);
void sc_uplink_drain(sc_uplink *u);
void sc_uplink_close(sc_uplink **u, void (*on_closed)(void *arg), void *arg);

/** The one that it is with now. */
const char *sc_uplink_endpoint(const sc_uplink *u);
/** All of them, as they were given; lives as long as the uplink. */
const char *sc_uplink_endpoints(const sc_uplink *u);
unsigned sc_uplink_count(const sc_uplink *u);

#endif
