/* SPDX-License-Identifier: Apache-2.0 */
/* Tells that a connection of a listening ZeroMQ socket has ended. Whose it was ZeroMQ does not say
 * (https://libzmq.readthedocs.io, zmq_socket_monitor): sending to those in question does, a few
 * milliseconds later. Part of the link. */
#ifndef SC_MONITOR_H
#define SC_MONITOR_H

#include <uv.h>

#include "base/error.h"

typedef struct sc_monitor sc_monitor;

/** @param on_ended  called once for all that ended since; the monitor may be closed in it
 *  @return 0 or a system error, SC_ENOMEM */
SC_MUST_USE int sc_monitor_open(uv_loop_t *loop, void *socket, void (*on_ended)(void *arg),
                                void *arg, sc_monitor **out);

/** Before its socket closes. on_closed comes from the loop; then the memory is gone. */
void sc_monitor_close(sc_monitor **monitor, void (*on_closed)(void *arg), void *arg);

#endif
