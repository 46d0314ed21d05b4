/* SPDX-License-Identifier: Apache-2.0 */
/* Each piece of memory that a client's session and an upload ask for is refused once: what was
 * refused may be asked again, and every request ends once. */
#include <errno.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/limits.h"
#include "client/session.h"
#include "tests/support/memory.h"

enum { TRIES = 3, N_TASKS = 3000, ROUNDS = 20, MAX_SAID = 64 };

typedef struct request {
    sc_client_request base;
    unsigned n_ends;
    bool is_answered;
} request;

static struct world {
    sc_client_session *session;
    int64_t now_ms;
    sc_message said[MAX_SAID]; // since it was answered last
    int n_said;
    request ask, call, upload;
    sc_chunks chunks;
} w;

static int
on_send(void *arg, const sc_message *m)
{
    (void)arg;
    if (w.n_said == MAX_SAID)
        return -EAGAIN;
    w.said[w.n_said++] = *m;
    return 0;
}

static void
on_event(void *arg, sc_client_event event, const sc_failure *why)
{
    (void)arg;
    (void)event;
    (void)why;
}

static void
on_next(void *arg)
{
    (void)arg;
}

static void
on_end(sc_client_request *self, const sc_message *answer, const sc_failure *why)
{
    request *r = (request *)self;
    (void)why;
    r->n_ends++;
    r->is_answered = answer != NULL;
}

static void
on_room(sc_client_request *self)
{
    (void)self;
}

static sc_message
ack(uint64_t to, sc_message_type of, uint32_t number)
{
    return (sc_message){
        .type = SC_MSG_ACK,
        .ack = {.request = to, .of = of, .number = number, .window_bytes = 1 << 20}};
}

static sc_message
answer_to(const sc_message *m)
{
    switch (m->type) {
    case SC_MSG_HELLO:
        return (sc_message){.type = SC_MSG_WELCOME,
                            .welcome = {.protocol = 1,
                                        .epoch = 5,
                                        .heartbeat_ms = 200,
                                        .lease_ms = 800,
                                        .task_max_bytes = SC_TASK_MAX_BYTES,
                                        .hello = m->hello.number}};
    case SC_MSG_ASK:
        return (sc_message){.type = SC_MSG_CLUSTER, .stop.request = m->ask.request};
    case SC_MSG_CALL:
        return (sc_message){.type = SC_MSG_REPLY, .stop.request = m->call.request};
    case SC_MSG_OPEN:
        return ack(m->open.request, SC_MSG_OPEN, 0);
    case SC_MSG_CHUNK:
        return ack(m->chunk.request, SC_MSG_CHUNK, m->chunk.number);
    case SC_MSG_COMMIT:
        return ack(m->commit.request, SC_MSG_COMMIT, 0);
    default:
        return (sc_message){.type = SC_MSG_HEARTBEAT};
    }
}

// Time passes, and what was said is answered.
static void
pass(void)
{
    sc_message said[MAX_SAID];
    int n = w.n_said;
    memcpy(said, w.said, sizeof said);
    w.n_said = 0;
    for (int i = 0; i < n; i++) {
        sc_message m = answer_to(&said[i]);
        sc_client_session_message(w.session, &m, w.now_ms);
    }
    w.now_ms += 50;
    sc_client_session_tick(w.session, w.now_ms);
}

static bool
has_begun(void)
{
    sc_client_session_options options = {.send = on_send,
                                         .on_event = on_event,
                                         .next = on_next,
                                         .endpoints = "ipc:///here",
                                         .name = "c",
                                         .host = "h",
                                         .instance = 1,
                                         .heartbeat_ms = 200,
                                         .lease_ms = 800,
                                         .connect_timeout_ms = -1};
    memset(&w, 0, sizeof w);
    for (int i = 0; i < TRIES; i++)
        if (sc_client_session_new(&options, 0, &w.session) == 0)
            return true;
    return false;
}

static bool
is_started(request *r, sc_message message)
{
    r->base.message = message;
    r->base.on_end = on_end;
    r->base.on_room = on_room;
    for (int i = 0; i < TRIES; i++)
        if (sc_client_session_start(w.session, &r->base, w.now_ms) == 0)
            return true;
    return false;
}

static bool
is_added(const char *payload, size_t len)
{
    int rc = -ENOMEM;
    for (int i = 0; rc != 0 && i < ROUNDS; i++) {
        if (rc == -EAGAIN)
            pass();
        rc = sc_chunks_add(&w.chunks, payload, len);
    }
    return rc == 0;
}

static bool
live(void)
{
    static const char payload[1000];
    if (!has_begun())
        return false;
    sc_chunks_init(&w.chunks);
    w.upload.base.chunks = &w.chunks;
    bool is_good =
        is_started(&w.ask, (sc_message){.type = SC_MSG_ASK, .ask.what = SC_ASK_CLUSTER}) &&
        is_started(&w.call, (sc_message){.type = SC_MSG_CALL, .call.timeout_ms = 60000}) &&
        is_started(&w.upload, (sc_message){.type = SC_MSG_OPEN});
    for (int i = 0; is_good && i < N_TASKS; i++) {
        is_good = is_added(payload, sizeof payload);
        sc_client_session_push(w.session, &w.upload.base, w.now_ms);
    }
    sc_client_session_commit(w.session, &w.upload.base, w.now_ms);
    for (int i = 0; i < ROUNDS; i++)
        pass();
    is_good &= w.ask.is_answered && w.call.is_answered && w.upload.is_answered;
    is_good &= w.ask.n_ends == 1 && w.call.n_ends == 1 && w.upload.n_ends == 1;
    sc_client_session_free(&w.session);
    sc_chunks_fini(&w.chunks);
    return is_good;
}

Test(client_memory, each_request_is_refused_once)
{
    cr_expect_gt(sc_memory_refuse_each("memory", live, SC_MEMORY_WENT_ON), 4);
}
