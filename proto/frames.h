/* SPDX-License-Identifier: Apache-2.0 */
/* The frames of one message on a ZeroMQ socket, whole: a header alone, or header, table and bytes.
 * link.c alone uses this. On a ROUTER one more frame in front names the peer; it shows here as a
 * number. */
#ifndef SC_FRAMES_H
#define SC_FRAMES_H

#include <zmq.h>

#include "base/error.h"
#include "proto/blob.h"

enum { SC_FRAMES_MAX = 3 };

typedef struct sc_frames {
    zmq_msg_t parts[SC_FRAMES_MAX];
    unsigned n;   /* as received it may be more than SC_FRAMES_MAX: the others are dropped */
    size_t bytes; /* of all of them */
} sc_frames;

void sc_frames_init(sc_frames *f);
void sc_frames_fini(sc_frames *f);

/** Take one whole message off the socket, if there is one. @param f  initialised, empty
 *  @param peer  NULL for a DEALER; of a ROUTER: never 0 but for a peer that chose its own routing
 * id
 *  @return 0, UV_EAGAIN */
SC_MUST_USE int sc_frames_receive(sc_frames *f, void *socket, uint64_t *peer);
/** One frame, or three, and not too large in all? @return 0, or SC_EMALFORMED with the reason in
 * `err` */
SC_MUST_USE int sc_frames_check(const sc_frames *f, sc_error *err);
/** A received frame as a slice. A small one is borrowed and lives as long as `f`; a large one moves
 * into a blob without a copy: drop that slice. @return 0, SC_ENOMEM */
SC_MUST_USE int sc_frames_slice(sc_frames *f, unsigned i, sc_slice *out);

/** Append a frame that holds a copy. @return 0, SC_ENOMEM */
SC_MUST_USE int sc_frames_add(sc_frames *f, const void *data, size_t len);
/** Append a slice; a large one with an owner is not copied but holds a reference until it is out.
 * @return 0, SC_ENOMEM */
SC_MUST_USE int sc_frames_add_slice(sc_frames *f, const sc_slice *slice);
/** Send all of it or nothing. @param peer  NULL for a DEALER  @return 0, UV_EAGAIN,
 * UV_EHOSTUNREACH, SC_ENOMEM */
SC_MUST_USE int sc_frames_send(sc_frames *f, void *socket, const uint64_t *peer);

#endif
