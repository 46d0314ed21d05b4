/* SPDX-License-Identifier: Apache-2.0 */
/* A ZeroMQ socket on a libuv loop that speaks sc_message. A coordinator listens (ROUTER, many
 * peers), everything else connects (DEALER, peer 0). One thread only. It knows nothing of sessions:
 * who said HELLO is its owner's business. */
#ifndef SC_LINK_H
#define SC_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "base/error.h"
#include "proto/endpoint.h"
#include "proto/message.h"

typedef struct sc_link sc_link;

typedef struct sc_link_events {
    /* A well-formed message. It lives until this returns (keep its payload with sc_slice_keep).
     * Inside it the owner may send, and may close the link, but not drain it. */
    void (*on_message)(void *arg, uint64_t peer, const sc_message *message);
    /* Something else came: wrong frames or a header that does not decode (or SC_ENOMEM). It has
     * been dropped. `peer` is 0 on a listening link for one that chose its own routing id: it
     * cannot be answered. */
    void (*on_malformed)(void *arg, uint64_t peer, const sc_error *err);
    /* The socket is empty, or had its turn: the owner may now act on all that came. A connecting
     * link also says so once it is connected, and when it can send again after UV_EAGAIN. May be
     * NULL. */
    void (*on_turn)(void *arg);
    /* A listening link: a connection has ended, or several. Whose, sending tells: at the latest a
     * few milliseconds later it fails with UV_EHOSTUNREACH. May be NULL. */
    void (*on_ended)(void *arg);
    void *arg; /* the events are copied, what `arg` points to is not */
} sc_link_events;

/** Listen. tcp port 0 (or `*`) takes a free one: see sc_link_endpoint. An ipc path that a dead
 * process left is taken over, one that a live process listens on is not.
 *  @return 0, or UV_EADDRINUSE, SC_EBADARG (no such kind of endpoint), a system error; `err` names
 * the endpoint */
SC_MUST_USE int sc_link_listen(uv_loop_t *loop, const char *endpoint, const sc_link_events *events,
                               sc_link **out, sc_error *err);

/** Connect; ZeroMQ does so in the background and again whenever the connection breaks (every 20 ms
 * while it fails).
 *  @return 0, or SC_EBADARG (no such kind of endpoint), a system error; `err` names the endpoint */
SC_MUST_USE int sc_link_connect(uv_loop_t *loop, const char *endpoint, const sc_link_events *events,
                                sc_link **out, sc_error *err);

/** Send now or not at all. Payload slices with an owner are not copied when larger than 1 KiB: a
 * reference is held until they are out. @param peer  as in on_message; 0 on a connecting link
 *  @return 0; UV_EHOSTUNREACH: the peer is gone; UV_EAGAIN: its queue is full, or a connecting link
 * is not connected (nothing was sent); SC_ETOOLARGE; SC_EBADARG (a field out of its range);
 * SC_ENOMEM */
int sc_link_send(sc_link *link, uint64_t peer, const sc_message *message);

/** Before the loop next sleeps, look at the socket without sleeping for up to `us` microseconds
 * (0..1000), once. */
void sc_link_spin(sc_link *link, unsigned us);

/** Read what has arrived by now, beyond the bound of a turn (16,384 messages, peers in turn); so
 * that silence is judged on what was really sent. */
void sc_link_drain(sc_link *link);

/** Where it listens (port filled in) or connects. */
const char *sc_link_endpoint(const sc_link *link);

/** Ends in two steps: nothing is called back after this returns but on_closed, once, from the loop;
 * then the memory is gone. What was sent lingers for up to 1 s in the background while the process
 * lives. Sets *link NULL; NULL is accepted (then on_closed is not called). on_closed may be NULL.
 */
void sc_link_close(sc_link **link, void (*on_closed)(void *arg), void *arg);

#endif
