/* SPDX-License-Identifier: Apache-2.0 */
/* What may stand in an endpoint: tcp://HOST:PORT (an IPv6 address in brackets) or ipc://PATH. */
#ifndef SC_ENDPOINT_H
#define SC_ENDPOINT_H

#include <stdbool.h>

#include "base/error.h"

enum { SC_ENDPOINT_MAX = 256 }; /* with its zero; longer than the setting allows */

/** As ZeroMQ takes it: it listens on addresses only, so `localhost` becomes 127.0.0.1.
 *  @return 0, or SC_EBADARG with the endpoint in `err` */
SC_MUST_USE int sc_endpoint_resolve(const char *endpoint, char out[SC_ENDPOINT_MAX], sc_error *err);
/** May somebody listen there? Only of an ipc path is this known beforehand: nothing is there, or a
 * socket whose process is dead. @return 0; UV_EADDRINUSE, UV_EEXIST (a file that is no socket), a
 * system error, with the endpoint in `err` */
SC_MUST_USE int sc_endpoint_check_free(const char *endpoint, sc_error *err);
/** ipc, or tcp on 127.0.0.0/8, [::1] or localhost: reachable from this machine alone. */
bool sc_endpoint_is_local(const char *endpoint);
/** Can it be told to others before anybody listens there? A tcp port that the system chooses (0, *)
 * cannot, nor one that is none. */
bool sc_endpoint_is_fixed(const char *endpoint);

#endif
