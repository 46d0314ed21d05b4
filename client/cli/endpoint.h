/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints of this machine: what they are reached by, and whether something listens there. */
#ifndef SC_CLI_ENDPOINT_H
#define SC_CLI_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>

/** What a process of this machine connects to: tcp://127.0.0.1:PORT for all addresses (*, 0.0.0.0),
 * else the same. Returns `out`. */
char *sc_endpoint_local(const char *endpoint, char *out, size_t size);
/** tcp://HOST:PORT or ipc://PATH. Takes at most 200 ms. @return false where nothing does, or nobody
 * can tell */
bool sc_endpoint_answers(const char *endpoint);
/** Why the host of tcp://HOST:PORT has no address; NULL where it has one. May take as long as the
 * name service does. */
const char *sc_endpoint_unknown_host(const char *endpoint);

#endif
