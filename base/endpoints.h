/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints as a person gives them: one, or several separated by commas where a coordinator may be
 * at any of them. Text only; what ZeroMQ makes of one is proto/endpoint.h. */
#ifndef SC_ENDPOINTS_H
#define SC_ENDPOINTS_H

#include <stdbool.h>

#include "base/error.h"
#include "base/limits.h"

typedef struct sc_endpoints {
    unsigned n;
    char items[SC_MAX_ENDPOINTS][SC_ENDPOINT_TEXT_MAX + 1];
} sc_endpoints;

/** "tcp://HOST:PORT,ipc://PATH,...": 1 to SC_MAX_ENDPOINTS of them, in the order given, none twice.
 *  PORT is 0..65535 or `*`.
 *  @return 0, or SC_EBADARG with the wrong one in `err`; `out` is then of no use */
SC_MUST_USE int sc_endpoints_parse(const char *text, sc_endpoints *out, sc_error *err);
/** Does the text name more than one? For what can listen, or be listened to, at one place only. */
bool sc_endpoints_are_many(const char *text);

#endif
