/* SPDX-License-Identifier: Apache-2.0 */
/* A session with more calls than may be on their way at once. */
#include <stdlib.h>

#include <criterion/criterion.h>

#include "base/limits.h"
#include "client/session.h"

enum { N_CALLS = SC_CLIENT_MAX_CALLS + 10 };

typedef struct crowd crowd;

typedef struct one {
    sc_client_request base;
    crowd *crowd;
} one;

struct crowd {
    sc_client_session *session;
    one calls[N_CALLS], question;
    uint64_t last_call; // id of the call that was said last
    unsigned n_said, n_ended;
    bool is_asked;
};

static int
crowd_send(void *arg, const sc_message *message)
{
    crowd *c = arg;

    if (message->type == SC_MSG_CALL) {
        cr_expect_eq(message->call.request, c->last_call + 1, "calls are said in their order");
        c->last_call = message->call.request;
        c->n_said++;
    }
    c->is_asked |= message->type == SC_MSG_ASK;
    return 0;
}

static void
crowd_event(void *arg, sc_client_event event, const sc_failure *why)
{
    (void)arg;
    (void)event;
    (void)why;
}

static void
crowd_end(sc_client_request *base, const sc_message *answer, const sc_failure *why)
{
    one *o = SC_CONTAINER(base, one, base);

    (void)answer;
    (void)why;
    o->crowd->n_ended++;
}

static void
crowd_start(crowd *c, one *o, sc_message message)
{
    *o = (one){.base = {.message = message, .on_end = crowd_end}, .crowd = c};
    cr_assert_eq(sc_client_session_start(c->session, &o->base, 0), 0);
}

static void
crowd_receive(crowd *c, sc_message message)
{
    sc_client_session_message(c->session, &message, 0);
    sc_client_session_room(c->session, 0);
}

static crowd *
crowd_begin(void)
{
    crowd *c = calloc(1, sizeof *c);
    sc_client_session_options options = {.send = crowd_send,
                                         .on_event = crowd_event,
                                         .arg = c,
                                         .endpoints = "tcp://h:1",
                                         .name = "test",
                                         .host = "h",
                                         .heartbeat_ms = 200,
                                         .lease_ms = 800,
                                         .connect_timeout_ms = -1};

    cr_assert_eq(sc_client_session_new(&options, 0, &c->session), 0);
    return c;
}

// The answers of all that are on their way must fit the coordinator's queue; a question does not
// wait for them.
Test(client_calls, calls_on_their_way_are_bounded)
{
    static const sc_message welcome = {.type = SC_MSG_WELCOME,
                                       .welcome = {1, 7, {"1", 1}, {"h", 1}, 1, 200, 800, 1 << 24}};
    crowd *c = crowd_begin();

    crowd_receive(c, welcome);
    for (int i = 0; i < N_CALLS; i++) // some time for the last
        crowd_start(
            c, &c->calls[i],
            (sc_message){.type = SC_MSG_CALL, .call = {.timeout_ms = i == N_CALLS - 1 ? 50 : 0}});
    crowd_start(c, &c->question, (sc_message){.type = SC_MSG_ASK});
    sc_client_session_room(c->session, 0);
    cr_expect_eq(c->n_said, SC_CLIENT_MAX_CALLS, "%u", c->n_said);
    cr_expect(c->is_asked);
    for (uint64_t id = 1; id <= 5; id++)
        crowd_receive(c, (sc_message){.type = SC_MSG_REPLY, .reply = {.request = id}});
    cr_expect_eq(c->n_said, SC_CLIENT_MAX_CALLS + 5, "each that ends lets one out: %u", c->n_said);

    c->n_said = 0; // a new session says again what is open
    c->last_call = 5;
    crowd_receive(c, (sc_message){.type = SC_MSG_WHO});
    crowd_receive(c, welcome);
    cr_expect_eq(c->n_said, SC_CLIENT_MAX_CALLS, "%u", c->n_said);
    sc_client_session_tick(c->session, 60);
    cr_expect_eq(c->n_ended, 6, "the time of one that is held back is over: %u", c->n_ended);
    sc_client_session_close(c->session);
    cr_expect_eq(c->n_ended, N_CALLS + 1);
    sc_client_session_free(&c->session);
    free(c);
}
