/* SPDX-License-Identifier: Apache-2.0 */
/* See monitor.h. ZeroMQ's thread says what happens to connections over a pair of sockets, of which
 * this is our end. */
#include "proto/monitor.h"

#include <inttypes.h>
#include <stdlib.h>

#include <czmq.h>

struct sc_monitor {
    void *watched;
    zsock_t *events;
    uv_poll_t poll;
    void (*on_ended)(void *arg);
    void *arg;
    void (*on_closed)(void *arg);
    void *closed_arg;
};

// What it says is looked at by nobody: only what ends is asked for.
static bool
has_said(sc_monitor *m)
{
    char frame[1]; // the rest is cut off
    bool is_any = false;
    while (zmq_recv(zsock_resolve(m->events), frame, sizeof frame, ZMQ_DONTWAIT) >= 0 ||
           errno == EINTR)
        is_any = true;
    return is_any;
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
    sc_monitor *m = poll->data;
    (void)status;
    (void)events;
    if (has_said(m))
        m->on_ended(m->arg);
}

static int
watch(sc_monitor *m, uv_loop_t *loop)
{
    char endpoint[64];
    int fd;
    size_t size = sizeof fd;
    snprintf(endpoint, sizeof endpoint, "inproc://monitor-%" PRIxPTR, (uintptr_t)m);
    m->events = zsock_new(ZMQ_PAIR);
    if (!m->events)
        return SC_ENOMEM;
    zsock_set_rcvhwm(m->events, 0); // its thread must never wait for us
    if (zmq_socket_monitor(m->watched, endpoint, ZMQ_EVENT_DISCONNECTED) < 0 ||
        zmq_connect(zsock_resolve(m->events), endpoint) < 0 ||
        zmq_getsockopt(zsock_resolve(m->events), ZMQ_FD, &fd, &size) < 0)
        return -errno;
    return uv_poll_init(loop, &m->poll, fd);
}

static void
free_monitor(sc_monitor *m)
{
    if (m->events)
        zmq_socket_monitor(m->watched, NULL, 0);
    zsock_destroy(&m->events);
    free(m);
}

int
sc_monitor_open(uv_loop_t *loop, void *socket, void (*on_ended)(void *arg), void *arg,
                sc_monitor **out)
{
    sc_monitor *m = calloc(1, sizeof *m);
    if (!m)
        return SC_ENOMEM;
    m->watched = socket;
    m->on_ended = on_ended;
    m->arg = arg;
    int rc = watch(m, loop);
    if (rc < 0) {
        free_monitor(m);
        return rc;
    }
    m->poll.data = m;
    (void)has_said(m); // the descriptor tells of what comes after a look that found nothing
    uv_poll_start(&m->poll, UV_READABLE, on_readable);
    *out = m;
    return 0;
}

static void
on_poll_closed(uv_handle_t *handle)
{
    sc_monitor *m = handle->data;
    void (*on_closed)(void *arg) = m->on_closed;
    void *arg = m->closed_arg;
    free_monitor(m);
    on_closed(arg);
}

void
sc_monitor_close(sc_monitor **monitor, void (*on_closed)(void *arg), void *arg)
{
    sc_monitor *m = *monitor;
    *monitor = NULL;
    m->on_closed = on_closed;
    m->closed_arg = arg;
    uv_close((uv_handle_t *)&m->poll, on_poll_closed);
}
