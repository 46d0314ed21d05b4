/* SPDX-License-Identifier: Apache-2.0 */
/* Frames in and out: see frames.h. ZeroMQ hands out all frames of a message or none, and takes them
 * one by one; what is begun must be ended, whatever happens to the connection. */
#include "proto/frames.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/limits.h"

enum {
    ROUTING_ID_BYTES = 5, // a zero and the number that the ROUTER gave
    // Sending: below this a copy costs less than a reference.
    COPY_MAX_BYTES = 1024,
    // Receiving: smaller frames share ZeroMQ's receive buffer of this size, and keeping one would
    // keep all of it. They are borrowed, so that sc_slice_keep copies just their bytes.
    BORROW_MAX_BYTES = 8192,
};

/* A received frame that is shared without a copy. */
typedef struct frame_blob {
    sc_blob blob;
    zmq_msg_t frame;
} frame_blob;

void
sc_frames_init(sc_frames *f)
{
    f->n = 0;
    f->bytes = 0;
}

void
sc_frames_fini(sc_frames *f)
{
    for (unsigned i = 0; i < f->n && i < SC_FRAMES_MAX; i++)
        zmq_msg_close(&f->parts[i]);
}

/* ---- in ---- */

static int
receive_frame(void *socket, zmq_msg_t *frame)
{
    zmq_msg_init(frame);
    while (zmq_msg_recv(frame, socket, ZMQ_DONTWAIT) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

// The number in the routing id that a ROUTER gives a peer which has none, marked so that it is not
// 0.
static uint64_t
peer_of(zmq_msg_t *frame)
{
    const uint8_t *id = zmq_msg_data(frame);
    uint32_t number;
    if (zmq_msg_size(frame) != ROUTING_ID_BYTES || id[0] != 0)
        return 0;
    memcpy(&number, id + 1, sizeof number);
    return (uint64_t)1 << 32 | ntohl(number);
}

int
sc_frames_receive(sc_frames *f, void *socket, uint64_t *peer)
{
    zmq_msg_t spare;
    if (peer) {
        int rc = receive_frame(socket, &spare);
        if (rc < 0)
            return rc;
        *peer = peer_of(&spare);
        zmq_msg_close(&spare);
    }
    bool has_more;
    do {
        zmq_msg_t *frame = f->n < SC_FRAMES_MAX ? &f->parts[f->n] : &spare;
        int rc = receive_frame(socket, frame);
        if (rc < 0)
            return rc;
        f->n++;
        f->bytes += zmq_msg_size(frame);
        has_more = zmq_msg_more(frame);
        if (frame == &spare)
            zmq_msg_close(frame);
    } while (has_more);
    return 0;
}

int
sc_frames_check(const sc_frames *f, sc_error *err)
{
    if (f->n != 1 && f->n != SC_FRAMES_MAX)
        return sc_error_set(err, SC_EMALFORMED, "message of %u frames", f->n);
    if (f->bytes > SC_MESSAGE_MAX_BYTES)
        return sc_error_set(err, SC_EMALFORMED, "message of %zu bytes", f->bytes);
    return 0;
}

static void
release_received(sc_blob *self)
{
    frame_blob *shared = SC_CONTAINER(self, frame_blob, blob);
    zmq_msg_close(&shared->frame);
    free(shared);
}

int
sc_frames_slice(sc_frames *f, unsigned i, sc_slice *out)
{
    zmq_msg_t *frame = &f->parts[i];
    size_t len = zmq_msg_size(frame);
    if (len <= BORROW_MAX_BYTES) {
        *out = sc_slice_borrow(zmq_msg_data(frame), len);
        return 0;
    }
    frame_blob *shared = SC_FAULT("frames.blob") ? NULL : malloc(sizeof *shared);
    if (!shared)
        return SC_ENOMEM;
    zmq_msg_init(&shared->frame);
    zmq_msg_move(&shared->frame, frame);
    atomic_init(&shared->blob.refs, 1);
    shared->blob.data = zmq_msg_data(&shared->frame);
    shared->blob.len = len;
    shared->blob.release = release_received;
    *out = sc_slice_of(&shared->blob);
    return 0;
}

/* ---- out ---- */

int
sc_frames_add(sc_frames *f, const void *data, size_t len)
{
    zmq_msg_t *frame = &f->parts[f->n];
    if (SC_FAULT("frames.add") || zmq_msg_init_size(frame, len) < 0)
        return SC_ENOMEM;
    if (len > 0)
        memcpy(zmq_msg_data(frame), data, len);
    f->n++;
    f->bytes += len;
    return 0;
}

// Runs in ZeroMQ's thread when the bytes are out.
static void
release_sent(void *data, void *owner)
{
    (void)data;
    sc_blob_unref(owner);
}

int
sc_frames_add_slice(sc_frames *f, const sc_slice *slice)
{
    if (!slice->owner || slice->len <= COPY_MAX_BYTES)
        return sc_frames_add(f, slice->data, slice->len);
    if (SC_FAULT("frames.add") || zmq_msg_init_data(&f->parts[f->n], (void *)slice->data,
                                                    slice->len, release_sent, slice->owner) < 0)
        return SC_ENOMEM;
    sc_blob_ref(slice->owner);
    f->n++;
    f->bytes += slice->len;
    return 0;
}

static int
send_frame(void *socket, zmq_msg_t *frame, bool has_more)
{
    while (zmq_msg_send(frame, socket, ZMQ_DONTWAIT | (has_more ? ZMQ_SNDMORE : 0)) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

static int
send_peer(void *socket, uint64_t peer)
{
    uint8_t id[ROUTING_ID_BYTES] = {0};
    uint32_t number = htonl((uint32_t)peer);
    zmq_msg_t frame;
    if (peer >> 32 != 1)
        return -EHOSTUNREACH;
    memcpy(id + 1, &number, sizeof number);
    if (zmq_msg_init_size(&frame, sizeof id) < 0)
        return SC_ENOMEM;
    memcpy(zmq_msg_data(&frame), id, sizeof id);
    int rc = send_frame(socket, &frame, true);
    zmq_msg_close(&frame);
    return rc;
}

// The first frame decides. If the connection breaks behind it ZeroMQ drops the message, but waits
// for its last frame all the same.
int
sc_frames_send(sc_frames *f, void *socket, const uint64_t *peer)
{
    int rc = peer ? send_peer(socket, *peer) : send_frame(socket, &f->parts[0], f->n > 1);
    if (rc < 0)
        return rc;
    for (unsigned i = peer ? 0 : 1; i < f->n; i++) {
        int sent = send_frame(socket, &f->parts[i], i + 1 < f->n);
        rc = sent < 0 ? sent : rc;
    }
    return rc;
}
