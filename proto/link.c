/* SPDX-License-Identifier: Apache-2.0 */
/* The socket of link.h: frames in, messages out, and the reverse. ZeroMQ's descriptor only says
 * that something may have changed, and any call on the socket may swallow that hint; so before the
 * loop sleeps (prepare) the socket itself is asked, an idle handle keeps the loop awake while it
 * has messages, and they are read after polling (check), a bounded number a turn. Nobody else may
 * send in a prepare step: that send would come after the last look. */
#include "proto/link.h"

#include <stdlib.h>
#include <string.h>

#include <czmq.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/limits.h"
#include "proto/frames.h"
#include "proto/monitor.h"

enum {
    MAGIC = 0x5c11bc04,
    SPIN_MAX_US = 1000,
    DRAIN_MESSAGES = 4 * SC_MAX_PEERS, // ZeroMQ takes from its peers in turn: each is heard

    // Messages a peer. Credits, windows and pulled results keep what is on its way to one peer
    // below this but for bursts; what is refused here is sent again later by its owner.
    SEND_QUEUE = 4096,
    RECEIVE_QUEUE = 1024,
    LINGER_MS = 1000,
    HANDSHAKE_MS = 5000, // a connection that does not speak ZMTP is dropped after this
    // ZMTP heartbeats find dead TCP connections; they say nothing of the process behind, so
    // sessions have heartbeats of their own.
    PING_MS = 1000,
    PING_TIMEOUT_MS = 5000,
    BACKLOG = 1024,
    RECONNECT_MS = 20,
    CONNECT_TIMEOUT_MS = 2000,
};

struct sc_link {
    uint32_t magic;
    zsock_t *zsock;
    void *socket; // of zsock
    sc_link_events events;
    sc_decoder *decoder;
    sc_buffer header; // of the message being sent
    uv_poll_t poll;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    sc_monitor *monitor; // NULL: none
    unsigned n_handles;  // open ones
    unsigned spin_us;    // asked for, not yet done
    bool is_router, is_reading, is_closing;
    // The last look found nothing and nobody used the socket since: its descriptor will tell.
    bool is_drained;
    // A connecting link that could not send, or never did: on_turn tells when it can.
    bool is_full;
    void (*on_closed)(void *arg);
    void *closed_arg;
    char endpoint[SC_ENDPOINT_MAX];
};

static sc_link *
link_of(void *data)
{
    sc_link *link = data;
    SC_ASSERT(link && link->magic == MAGIC);
    return link;
}

/* ---- receiving ---- */

static int
decode(sc_link *link, sc_frames *in, sc_message *message, sc_error *err)
{
    int rc = sc_frames_check(in, err);
    if (rc == 0)
        rc = sc_message_decode(link->decoder, zmq_msg_data(&in->parts[0]),
                               zmq_msg_size(&in->parts[0]), message, err);
    if (rc < 0)
        return rc;
    message->table = message->bytes = (sc_slice){0};
    if (in->n == 1)
        return 0;
    rc = sc_frames_slice(in, 1, &message->table);
    if (rc == 0)
        rc = sc_frames_slice(in, 2, &message->bytes);
    if (rc < 0)
        sc_slice_drop(&message->table);
    return rc;
}

static void
dispatch(sc_link *link, uint64_t peer, sc_frames *in)
{
    sc_message message;
    sc_error err = {0};
    int rc = link->is_router && peer == 0
                 ? sc_error_set(&err, SC_EMALFORMED, "the peer has a routing id of its own")
                 : decode(link, in, &message, &err);
    if (rc < 0) {
        if (err.code == 0)
            sc_error_set(&err, rc, "message dropped: %s", sc_error_text(rc));
        link->events.on_malformed(link->events.arg, peer, &err);
        return;
    }
    link->events.on_message(link->events.arg, peer, &message);
    sc_slice_drop(&message.table);
    sc_slice_drop(&message.bytes);
}

// False where the socket is empty.
static bool
read_message(sc_link *link)
{
    sc_frames in;
    uint64_t peer = 0;
    sc_frames_init(&in);
    link->is_drained = sc_frames_receive(&in, link->socket, link->is_router ? &peer : NULL) < 0;
    if (!link->is_drained)
        dispatch(link, peer, &in);
    sc_frames_fini(&in);
    return !link->is_drained;
}

// Hands out at most `max` messages; returns how many. The owner may close the link in any of them.
static unsigned
read_messages(sc_link *link, unsigned max)
{
    unsigned n = 0;
    SC_ASSERT(!link->is_reading); // a decoded message lives until its callback returns
    link->is_reading = true;
    while (n < max && !link->is_closing && read_message(link))
        n++;
    link->is_reading = false;
    return n;
}

static void
end_turn(sc_link *link)
{
    if (!link->is_closing && link->events.on_turn)
        link->events.on_turn(link->events.arg);
}

/* ---- on the loop ---- */

// ZeroMQ's bits of what can be done without waiting.
static int
look(sc_link *link)
{
    int events = 0;
    size_t size = sizeof events;
    while (zmq_getsockopt(link->socket, ZMQ_EVENTS, &events, &size) < 0)
        SC_ASSERT(errno == EINTR);
    link->is_drained = !(events & ZMQ_POLLIN);
    return events;
}

static bool
has_work(sc_link *link)
{
    return look(link) & (link->is_full ? ZMQ_POLLIN | ZMQ_POLLOUT : ZMQ_POLLIN);
}

// The loop is about to sleep although somebody expects an answer at once.
static bool
spin(sc_link *link)
{
    int64_t until_ns = sc_clock_ns() + (int64_t)link->spin_us * 1000;
    bool is_found;
    link->spin_us = 0;
    do {
        is_found = has_work(link);
    } while (!is_found && sc_clock_ns() < until_ns);
    return is_found;
}

static void
on_idle(uv_idle_t *idle)
{
    (void)idle; // it only keeps the loop from sleeping
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    link_of(poll->data)->is_drained = false;
}

static void
on_prepare(uv_prepare_t *prepare)
{
    sc_link *link = link_of(prepare->data);
    bool must_wake = (!link->is_drained || link->is_full) && has_work(link);
    if (!must_wake && link->spin_us > 0 && uv_backend_timeout(prepare->loop) != 0)
        must_wake = spin(link);
    if (must_wake)
        uv_idle_start(&link->idle, on_idle);
}

static void
on_check(uv_check_t *check)
{
    sc_link *link = link_of(check->data);
    uv_idle_stop(&link->idle);
    bool has_room = link->is_full && look(link) & ZMQ_POLLOUT;
    if (has_room)
        link->is_full = false;
    unsigned n = link->is_drained ? 0 : read_messages(link, SC_LINK_TURN_MESSAGES);
    if (n > 0 || has_room)
        end_turn(link);
}

/* ---- opening ---- */

static int
set_options(sc_link *link)
{
    const struct {
        int option, value;
        bool is_set;
    } options[] = {
        {ZMQ_LINGER, LINGER_MS, true},
        {ZMQ_SNDHWM, SEND_QUEUE, true},
        {ZMQ_RCVHWM, RECEIVE_QUEUE, true},
        {ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS, true},
        {ZMQ_HEARTBEAT_IVL, PING_MS, true},
        {ZMQ_HEARTBEAT_TIMEOUT, PING_TIMEOUT_MS, true},
        {ZMQ_IPV6, 1, strncmp(link->endpoint, "tcp://[", 7) == 0},
        {ZMQ_ROUTER_MANDATORY, 1, link->is_router},
        {ZMQ_BACKLOG, BACKLOG, link->is_router},
        // Nothing is queued for a peer that is not there. The price: when a connection ends,
        // messages that have arrived over it and were not read yet are dropped (libzmq 4.3:
        // socket_base_t::hiccuped), as they would be had it ended a moment earlier.
        {ZMQ_IMMEDIATE, 1, !link->is_router},
        {ZMQ_RECONNECT_IVL, RECONNECT_MS, !link->is_router},
        {ZMQ_RECONNECT_IVL_MAX, 0, !link->is_router},
        {ZMQ_CONNECT_TIMEOUT, CONNECT_TIMEOUT_MS, !link->is_router},
    };
    int64_t max_bytes = SC_MESSAGE_MAX_BYTES;
    int rc = zmq_setsockopt(link->socket, ZMQ_MAXMSGSIZE, &max_bytes, sizeof max_bytes);
    for (size_t i = 0; rc == 0 && i < sizeof options / sizeof *options; i++)
        if (options[i].is_set)
            rc = zmq_setsockopt(link->socket, options[i].option, &options[i].value, sizeof(int));
    return rc < 0 ? -errno : 0;
}

static int
attach(sc_link *link, sc_error *err)
{
    const char *act = link->is_router ? "listen" : "connect";
    int rc = link->is_router ? zmq_bind(link->socket, link->endpoint)
                             : zmq_connect(link->socket, link->endpoint);
    if (rc < 0 && errno == EINVAL)
        return sc_error_set(err, SC_EBADARG, "%s: no address to %s", link->endpoint, act);
    if (rc < 0)
        return sc_error_set(err, -errno, "%s: cannot %s: %s", link->endpoint, act,
                            zmq_strerror(errno));
    size_t size = sizeof link->endpoint;
    if (link->is_router &&
        zmq_getsockopt(link->socket, ZMQ_LAST_ENDPOINT, link->endpoint, &size) < 0)
        return sc_error_set(err, -errno, "%s: %s", link->endpoint, zmq_strerror(errno));
    return 0;
}

static void
on_ended(void *arg)
{
    sc_link *link = link_of(arg);
    if (!link->is_closing)
        link->events.on_ended(link->events.arg);
}

// The handles of a loop cannot be taken back at once, so nothing may fail behind the first.
static int
start(sc_link *link, uv_loop_t *loop)
{
    int fd;
    size_t size = sizeof fd;
    if (zmq_getsockopt(link->socket, ZMQ_FD, &fd, &size) < 0)
        return -errno;
    int rc = uv_poll_init(loop, &link->poll, fd);
    if (rc < 0)
        return rc;
    if (link->is_router && link->events.on_ended &&
        sc_monitor_open(loop, link->socket, on_ended, link, &link->monitor) < 0)
        link->monitor = NULL; // who is gone is found by the next word to it
    uv_prepare_init(loop, &link->prepare);
    uv_check_init(loop, &link->check);
    uv_idle_init(loop, &link->idle);
    link->poll.data = link->prepare.data = link->check.data = link->idle.data = link;
    link->n_handles = link->monitor ? 5 : 4;
    uv_poll_start(&link->poll, UV_READABLE, on_readable);
    uv_prepare_start(&link->prepare, on_prepare);
    uv_check_start(&link->check, on_check);
    return 0;
}

static void
free_link(sc_link *link)
{
    zsock_destroy(&link->zsock);
    sc_decoder_free(&link->decoder);
    sc_buffer_fini(&link->header);
    link->magic = 0;
    free(link);
}

static int
open_socket(sc_link *link, uv_loop_t *loop, sc_error *err)
{
    zsys_handler_set(NULL); // signals are the loop's; said first, or for a moment they are czmq's
    zsys_init();
    link->zsock = zsock_new(link->is_router ? ZMQ_ROUTER : ZMQ_DEALER);
    if (!link->zsock)
        return sc_error_set(err, SC_ENOMEM, "%s: no more sockets", link->endpoint);
    link->socket = zsock_resolve(link->zsock);
    int rc = set_options(link);
    if (rc < 0)
        return sc_error_set(err, rc, "%s: option refused: %s", link->endpoint, sc_error_text(rc));
    rc = attach(link, err);
    if (rc < 0)
        return rc;
    rc = start(link, loop);
    if (rc < 0)
        return sc_error_set(err, rc, "%s: %s", link->endpoint, sc_error_text(rc));
    return 0;
}

static int
new_link(const sc_link_events *events, bool is_router, sc_link **out)
{
    sc_link *link = SC_FAULT("link.new") ? NULL : calloc(1, sizeof *link);
    if (!link)
        return SC_ENOMEM;
    link->magic = MAGIC;
    link->events = *events;
    link->is_router = is_router;
    link->is_full = !is_router; // until it is connected
    sc_buffer_init(&link->header, SC_HEADER_MAX_BYTES);
    int rc = sc_decoder_new(&link->decoder);
    if (rc < 0) {
        free_link(link);
        return rc;
    }
    *out = link;
    return 0;
}

// Gives the link to `out`, or frees it.
static int
open_link(sc_link *link, uv_loop_t *loop, const char *endpoint, sc_error *err)
{
    int rc = sc_endpoint_resolve(endpoint, link->endpoint, err);
    if (rc == 0 && link->is_router)
        rc = sc_endpoint_check_free(link->endpoint, err);
    if (rc == 0)
        rc = open_socket(link, loop, err);
    if (rc < 0)
        free_link(link);
    return rc;
}

int
sc_link_listen(uv_loop_t *loop, const char *endpoint, const sc_link_events *events, sc_link **out,
               sc_error *err)
{
    sc_link *link;
    int rc = new_link(events, true, &link);
    if (rc < 0)
        return sc_error_set(err, rc, "%s: %s", endpoint, sc_error_text(rc));
    rc = open_link(link, loop, endpoint, err);
    if (rc == 0)
        *out = link;
    return rc;
}

int
sc_link_connect(uv_loop_t *loop, const char *endpoint, const sc_link_events *events, sc_link **out,
                sc_error *err)
{
    sc_link *link;
    int rc = new_link(events, false, &link);
    if (rc < 0)
        return sc_error_set(err, rc, "%s: %s", endpoint, sc_error_text(rc));
    rc = open_link(link, loop, endpoint, err);
    if (rc == 0)
        *out = link;
    return rc;
}

/* ---- sending ---- */

static int
build(sc_link *link, const sc_message *message, sc_frames *out)
{
    sc_buffer_clear(&link->header);
    int rc = sc_message_encode(message, &link->header);
    if (rc < 0)
        return rc == SC_ELIMIT ? SC_ETOOLARGE : rc;
    if (message->table.len > SC_MESSAGE_MAX_BYTES || message->bytes.len > SC_MESSAGE_MAX_BYTES ||
        link->header.len + message->table.len + message->bytes.len > SC_MESSAGE_MAX_BYTES)
        return SC_ETOOLARGE;
    rc = sc_frames_add(out, link->header.data, link->header.len);
    if (rc < 0 || message->table.len + message->bytes.len == 0)
        return rc;
    rc = sc_frames_add_slice(out, &message->table);
    return rc < 0 ? rc : sc_frames_add_slice(out, &message->bytes);
}

int
sc_link_send(sc_link *link, uint64_t peer, const sc_message *message)
{
    sc_frames out;
    sc_frames_init(&out);
    int rc = build(link, message, &out);
    if (rc == 0) {
        rc = sc_frames_send(&out, link->socket, link->is_router ? &peer : NULL);
        link->is_drained = false;
        link->is_full |= rc == UV_EAGAIN && !link->is_router;
    }
    sc_frames_fini(&out); // a sent frame is empty
    return rc;
}

/* ---- the rest ---- */

void
sc_link_spin(sc_link *link, unsigned us)
{
    link->spin_us = us < SPIN_MAX_US ? us : SPIN_MAX_US;
}

void
sc_link_drain(sc_link *link)
{
    if (read_messages(link, DRAIN_MESSAGES) > 0)
        end_turn(link);
}

const char *
sc_link_endpoint(const sc_link *link)
{
    return link->endpoint;
}

static void
on_part_closed(void *data)
{
    sc_link *link = link_of(data);
    if (--link->n_handles > 0)
        return;
    void (*on_closed)(void *arg) = link->on_closed;
    void *arg = link->closed_arg;
    free_link(link);
    if (on_closed)
        on_closed(arg);
}

static void
on_handle_close(uv_handle_t *handle)
{
    on_part_closed(handle->data);
}

void
sc_link_close(sc_link **link_at, void (*on_closed)(void *arg), void *arg)
{
    sc_link *link = *link_at;
    if (!link)
        return;
    *link_at = NULL;
    link->is_closing = true;
    link->on_closed = on_closed;
    link->closed_arg = arg;
    uv_close((uv_handle_t *)&link->poll, on_handle_close);
    uv_close((uv_handle_t *)&link->prepare, on_handle_close);
    uv_close((uv_handle_t *)&link->check, on_handle_close);
    uv_close((uv_handle_t *)&link->idle, on_handle_close);
    if (link->monitor)
        sc_monitor_close(&link->monitor, on_part_closed, link);
}
