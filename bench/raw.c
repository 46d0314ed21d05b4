/* SPDX-License-Identifier: Apache-2.0 */
/* Raw ZeroMQ: DEALER - ROUTER [zmq_proxy] DEALER - DEALER. Each worker writes its number into the
 * first byte of what it sends back, so that the client sees when all of them are there. */
#include "bench/raw.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <zmq.h>

enum {
    ENDPOINT_BYTES = 64,
    /* Outstanding at most. Fewer small messages cost more wake-ups for each; more large ones fall
     * out of the caches. */
    WINDOW_MESSAGES = 10000,
    WINDOW_BYTES = 4 << 20,
};

/* The two ends of a broker, as it tells them to its parent. */
typedef struct endpoints {
    char clients[ENDPOINT_BYTES], workers[ENDPOINT_BYTES];
} endpoints;

static void
check(int result, const char *what)
{
    if (result < 0)
        sc_bench_fail("raw ZeroMQ, %s: %s", what, zmq_strerror(zmq_errno()));
}

static void *
open_socket(void *context, int type)
{
    void *socket = context == NULL ? NULL : zmq_socket(context, type);
    if (socket == NULL)
        sc_bench_fail("raw ZeroMQ, socket: %s", zmq_strerror(zmq_errno()));
    const int linger = 0, high_water = 2 * WINDOW_MESSAGES;
    zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
    zmq_setsockopt(socket, ZMQ_SNDHWM, &high_water, sizeof high_water);
    zmq_setsockopt(socket, ZMQ_RCVHWM, &high_water, sizeof high_water);
    return socket;
}

static void *
bind_socket(void *context, int type, char endpoint[ENDPOINT_BYTES])
{
    size_t size = ENDPOINT_BYTES;
    void *socket = open_socket(context, type);
    check(zmq_bind(socket, "tcp://127.0.0.1:*"), "bind");
    check(zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &size), "endpoint");
    return socket;
}

static _Noreturn void
run_broker(int told)
{
    endpoints at = {0};
    void *context = zmq_ctx_new();
    void *clients = bind_socket(context, ZMQ_ROUTER, at.clients);
    void *workers = bind_socket(context, ZMQ_DEALER, at.workers);
    if (write(told, &at, sizeof at) == sizeof at)
        zmq_proxy(clients, workers, NULL);
    _exit(1);
}

static _Noreturn void
run_worker(const char *endpoint, uint8_t number)
{
    zmq_msg_t from, task;
    zmq_msg_init(&from);
    zmq_msg_init(&task);
    void *socket = open_socket(zmq_ctx_new(), ZMQ_DEALER);
    check(zmq_connect(socket, endpoint), "connect");
    for (;;) {
        check(zmq_msg_recv(&from, socket, 0), "receive");
        check(zmq_msg_recv(&task, socket, 0), "receive");
        *(uint8_t *)zmq_msg_data(&task) = number;
        check(zmq_msg_send(&from, socket, ZMQ_SNDMORE), "send");
        check(zmq_msg_send(&task, socket, 0), "send");
    }
}

static endpoints
start_broker(sc_raw *raw)
{
    int pipe_fds[2];
    endpoints at;
    if (pipe(pipe_fds) != 0)
        sc_bench_fail("pipe: %s", strerror(errno));
    raw->broker = sc_bench_fork();
    if (raw->broker == 0)
        run_broker(pipe_fds[1]);
    close(pipe_fds[1]);
    if (read(pipe_fds[0], &at, sizeof at) != sizeof at)
        sc_bench_fail("raw ZeroMQ: the broker did not start");
    close(pipe_fds[0]);
    return at;
}

/* One message of tasks that were made before; what is sent is copied, as an application would. */
static void
send_tasks(const sc_raw *raw, const char *tasks, size_t len)
{
    zmq_msg_t message;
    check(zmq_msg_init_size(&message, len), "memory");
    memcpy(zmq_msg_data(&message), tasks, len);
    check(zmq_msg_send(&message, raw->client, 0), "send");
}

/* Wait for an answer, then take all that are there. Returns how many. */
static size_t
receive_tasks(const sc_raw *raw, size_t len)
{
    size_t n = 0;
    zmq_msg_t message;
    zmq_msg_init(&message);
    while (zmq_msg_recv(&message, raw->client, n == 0 ? 0 : ZMQ_DONTWAIT) >= 0) {
        if (zmq_msg_size(&message) != len)
            sc_bench_fail("raw ZeroMQ: an answer of %zu bytes", zmq_msg_size(&message));
        n++;
    }
    if (zmq_errno() != EAGAIN)
        check(-1, "receive");
    zmq_msg_close(&message);
    return n;
}

static void
wait_for_workers(const sc_raw *raw)
{
    char task[SC_BENCH_TASK_BYTES] = {0};
    for (unsigned seen = 0; seen != (1U << SC_BENCH_WORKERS) - 1; seen |= 1U << task[0]) {
        check(zmq_send(raw->client, task, sizeof task, 0), "send");
        check(zmq_recv(raw->client, task, sizeof task, 0), "receive");
    }
}

void
sc_raw_start(sc_raw *raw)
{
    endpoints at = start_broker(raw);
    for (int i = 0; i < SC_BENCH_WORKERS; i++) {
        raw->workers[i] = sc_bench_fork();
        if (raw->workers[i] == 0)
            run_worker(at.workers, (uint8_t)i);
    }
    raw->context = zmq_ctx_new();
    raw->client = open_socket(raw->context, ZMQ_DEALER);
    check(zmq_connect(raw->client, at.clients), "connect");
    wait_for_workers(raw);
}

double
sc_raw_rate(const sc_raw *raw, const char *tasks, size_t n_tasks, size_t a_message)
{
    const size_t n = n_tasks / a_message, len = a_message * SC_BENCH_TASK_BYTES;
    size_t window = WINDOW_BYTES / len;
    window = window < WINDOW_MESSAGES ? window : WINDOW_MESSAGES;
    size_t n_sent = 0, n_received = 0;
    double start = sc_bench_now_s();
    while (n_received < n) {
        for (; n_sent < n && n_sent - n_received < window; n_sent++)
            send_tasks(raw, tasks + n_sent * len, len);
        n_received += receive_tasks(raw, len);
    }
    double seconds = sc_bench_now_s() - start;
    return (double)n_tasks / seconds;
}

void
sc_raw_round_trips(const sc_raw *raw, double *seconds, size_t n)
{
    char task[SC_BENCH_TASK_BYTES] = {0};
    for (size_t i = 0; i < n; i++) {
        double start = sc_bench_now_s();
        check(zmq_send(raw->client, task, sizeof task, 0), "send");
        check(zmq_recv(raw->client, task, sizeof task, 0), "receive");
        seconds[i] = sc_bench_now_s() - start;
    }
}

void
sc_raw_stop(sc_raw *raw)
{
    zmq_close(raw->client);
    zmq_ctx_term(raw->context);
    sc_bench_kill(&raw->broker);
    for (int i = 0; i < SC_BENCH_WORKERS; i++)
        sc_bench_kill(&raw->workers[i]);
}
