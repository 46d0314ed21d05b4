/* SPDX-License-Identifier: Apache-2.0 */
/* The session of a client against scripts. Each row is what happens, word by word, and all that the
 * session says and reports because of it. Whatever it says goes through the real encoder and
 * decoder. Included by one file of a test program. */
#ifndef SC_TEST_CLIENT_SCRIPT_H
#define SC_TEST_CLIENT_SCRIPT_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/limits.h"
#include "client/session.h"

enum { MAX_REQUESTS = 8, LOG_BYTES = 2000 };

typedef struct world world;

typedef struct request {
    sc_client_request base;
    sc_chunks chunks;
    world *world;
    int number;    // from 1, in the order of their making
    char reaction; // in on_end: 'c' closes the session, 'a' asks, 'r' starts itself again, 'd'
                   // drops request 1
} request;

struct world {
    sc_client_session *session;
    int64_t now_ms;
    sc_decoder *decoder;
    sc_buffer header;
    bool is_full;                    // of the link
    int send_error;                  // other than that
    uint64_t heartbeat_ms, lease_ms; // said in WELCOME
    char reaction;                   // of the next requests
    request requests[MAX_REQUESTS];
    int n_requests;
    unsigned n_endpoints;
    const char *name; // of the row
    char log[LOG_BYTES];
};

static void SC_PRINTF(2, 3) note(world *w, const char *format, ...)
{
    size_t len = strlen(w->log);
    va_list args;

    va_start(args, format);
    vsnprintf(w->log + len, LOG_BYTES - len, format, args);
    va_end(args);
}

static void
note_message(world *w, const sc_message *m)
{
    switch (m->type) {
    case SC_MSG_CHUNK:
        note(w, "CHUNK%" PRIu64 ".%u(%u) ", m->chunk.request, m->chunk.number, m->chunk.count);
        break;
    case SC_MSG_COMMIT:
        note(w, "COMMIT%" PRIu64 "(%u,%" PRIu64 ") ", m->commit.request, m->commit.n_chunks,
             m->commit.n_tasks);
        break;
    case SC_MSG_CALL:
        note(w, m->call.timeout_ms ? "CALL%" PRIu64 "(%" PRIu64 ") " : "CALL%" PRIu64 " ",
             m->call.request, m->call.timeout_ms);
        break;
    case SC_MSG_HELLO:
    case SC_MSG_BYE:
    case SC_MSG_DROP:
    case SC_MSG_HEARTBEAT:
        note(w, "%s ", sc_message_name(m->type));
        break;
    default:
        note(w, "%s%" PRIu64 " ", sc_message_name(m->type), m->stop.request);
        break;
    }
}

static int
on_send(void *arg, const sc_message *message)
{
    world *w = arg;
    sc_message decoded;

    if (w->is_full)
        return -EAGAIN;
    if (w->send_error && message->type != SC_MSG_HEARTBEAT)
        return w->send_error;
    sc_buffer_clear(&w->header);
    cr_assert_eq(sc_message_encode(message, &w->header), 0, "%s", w->name);
    cr_assert_eq(sc_message_decode(w->decoder, w->header.data, w->header.len, &decoded, NULL), 0,
                 "%s: %s is not well-formed", w->name, sc_message_name(message->type));
    note_message(w, &decoded);
    return 0;
}

static void
on_event(void *arg, sc_client_event event, const sc_failure *why)
{
    static const char *const names[] = {"up", "down", "refused", "unreachable"};
    world *w = arg;

    cr_assert_eq(why != NULL, event == SC_CLIENT_REFUSED || event == SC_CLIENT_UNREACHABLE);
    note(w, why ? "%s=%s " : "%s ", names[event], why ? why->code : "");
}

static void
on_next(void *arg)
{
    note(arg, "next ");
}

static request *start(world *w, sc_message message);

static void
on_end(sc_client_request *base, const sc_message *answer, const sc_failure *why)
{
    request *r = SC_CONTAINER(base, request, base);
    world *w = r->world;
    char reaction = r->reaction;

    cr_assert_eq(answer == NULL, why != NULL, "%s", w->name);
    cr_assert(!why || (why->number < 0 && strlen(why->text) > 0), "%s", w->name);
    note(w, "end%d=%s ", r->number, why ? why->code : "ok");
    r->reaction = 0;
    if (reaction == 'c')
        sc_client_session_close(w->session);
    else if (reaction == 'a')
        start(w, (sc_message){.type = SC_MSG_ASK, .ask = {.what = SC_ASK_CLUSTER}});
    else if (reaction == 'r')
        cr_assert_eq(sc_client_session_start(w->session, base, w->now_ms), 0, "%s", w->name);
    else if (reaction == 'd')
        sc_client_session_drop(w->session, &w->requests[0].base);
}

static void
on_room(sc_client_request *base)
{
    request *r = SC_CONTAINER(base, request, base);

    note(r->world, "room%d ", r->number);
}

static request *
start(world *w, sc_message message)
{
    request *r = &w->requests[w->n_requests];
    int rc;

    cr_assert(w->n_requests < MAX_REQUESTS);
    *r = (request){.world = w, .number = w->n_requests + 1, .reaction = w->reaction};
    r->base.message = message;
    r->base.on_end = on_end;
    r->base.on_room = on_room;
    if (message.type == SC_MSG_OPEN && !message.open.is_array) {
        sc_chunks_init(&r->chunks);
        r->base.chunks = &r->chunks;
    }
    rc = sc_client_session_start(w->session, &r->base, w->now_ms);
    if (rc)
        note(w, "no:%s ", sc_error_name(rc));
    else
        w->n_requests++;
    return r;
}

/* ---- the words of a script ---- */

typedef struct word {
    char verb[16];
    unsigned long long a, b; // numbers behind it
    char code[32];           // or a name behind them
} word;

static void
receive(world *w, sc_message message)
{
    sc_client_session_message(w->session, &message, w->now_ms);
}

static bool
do_requests(world *w, const word *x)
{
    const char *v = x->verb;

    if (!strcmp(v, "ask"))
        start(w, (sc_message){.type = SC_MSG_ASK, .ask = {.what = SC_ASK_CLUSTER}});
    else if (!strcmp(v, "job"))
        start(w, (sc_message){.type = SC_MSG_ASK, .ask = {.what = SC_ASK_JOB, .n_digits = 32}});
    else if (!strcmp(v, "read"))
        start(w, (sc_message){.type = SC_MSG_READ});
    else if (!strcmp(v, "stop"))
        start(w, (sc_message){.type = SC_MSG_STOP});
    else if (!strcmp(v, "call"))
        start(w, (sc_message){.type = SC_MSG_CALL, .call = {.timeout_ms = x->a}});
    else if (!strcmp(v, "array"))
        start(w, (sc_message){.type = SC_MSG_OPEN, .open = {.is_array = true, .n_tasks = 9}});
    else if (!strcmp(v, "upload"))
        start(w, (sc_message){.type = SC_MSG_OPEN});
    else if (!strcmp(v, "reaction"))
        w->reaction = x->code[0];
    else
        return false;
    return true;
}

// add:N:LEN, seal, commit, drop are about request 1.
static bool
do_upload(world *w, const word *x)
{
    static uint8_t payload[SC_CHUNK_MAX_BYTES + 1];
    request *r = &w->requests[0];
    int rc = 0;

    if (!strcmp(x->verb, "add")) {
        for (unsigned i = 0; i < x->a && rc == 0; i++) {
            rc = sc_chunks_add(&r->chunks, payload, x->b);
            sc_client_session_push(w->session, &r->base, w->now_ms);
        }
        if (rc)
            note(w, rc == -EAGAIN ? "again " : "bad ");
    } else if (!strcmp(x->verb, "seal")) {
        sc_chunks_seal(&r->chunks);
        sc_client_session_push(w->session, &r->base, w->now_ms);
    } else if (!strcmp(x->verb, "commit")) {
        sc_client_session_commit(w->session, &r->base, w->now_ms);
    } else if (!strcmp(x->verb, "drop")) {
        sc_client_session_drop(w->session, &r->base);
    } else {
        return false;
    }
    return true;
}

static sc_ack
make_ack(sc_message_type of, const word *x)
{
    return (sc_ack){
        .request = x->a, .of = of, .number = (uint32_t)x->b, .window_bytes = 600 * 1024};
}

static bool
do_answers(world *w, const word *x)
{
    static const struct {
        const char *verb;
        sc_message_type type;
    } answers[] = {
        {"cluster", SC_MSG_CLUSTER}, {"jobs", SC_MSG_JOBS},         {"page", SC_MSG_PAGE},
        {"reply", SC_MSG_REPLY},     {"stopping", SC_MSG_STOPPING},
    };

    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        if (!strcmp(x->verb, answers[i].verb)) {
            receive(w, (sc_message){.type = answers[i].type, .stop = {x->a}});
            return true;
        }
    }
    if (!strcmp(x->verb, "opened"))
        receive(w, (sc_message){.type = SC_MSG_ACK, .ack = make_ack(SC_MSG_OPEN, x)});
    else if (!strcmp(x->verb, "ack"))
        receive(w, (sc_message){.type = SC_MSG_ACK, .ack = make_ack(SC_MSG_CHUNK, x)});
    else if (!strcmp(x->verb, "committed"))
        receive(w, (sc_message){.type = SC_MSG_ACK, .ack = make_ack(SC_MSG_COMMIT, x)});
    else
        return false;
    return true;
}

static bool
do_session(world *w, const word *x)
{
    sc_message welcome = {
        .type = SC_MSG_WELCOME,
        .welcome = {1, x->a, {"1", 1}, {"h", 1}, 1, w->heartbeat_ms, w->lease_ms, 1 << 24, x->b}};
    sc_message refused = {.type = SC_MSG_REFUSED, .refused = {.request = x->a}};

    refused.refused.code = sc_error_from_name(x->code, strlen(x->code));
    if (!strcmp(x->verb, "welcome"))
        receive(w, welcome);
    else if (!strcmp(x->verb, "refused"))
        receive(w, refused);
    else if (!strcmp(x->verb, "who"))
        receive(w, (sc_message){.type = SC_MSG_WHO, .who = {x->a}});
    else if (!strcmp(x->verb, "alive"))
        receive(w, (sc_message){.type = SC_MSG_HEARTBEAT});
    else if (!strcmp(x->verb, "room"))
        sc_client_session_room(w->session, w->now_ms);
    else if (!strcmp(x->verb, "close"))
        sc_client_session_close(w->session);
    else if (!strcmp(x->verb, "timeout"))
        sc_client_session_set_timeout(w->session, (int64_t)x->a, w->now_ms);
    else
        return false;
    return true;
}

// t:MS lets time pass and the timer fire when it is due; jump:MS lets it fire only then.
static void
do_time(world *w, const word *x)
{
    int64_t end_ms = w->now_ms + (int64_t)x->a;

    if (!strcmp(x->verb, "jump"))
        w->now_ms = end_ms;
    for (;;) {
        int64_t next_ms = sc_client_session_next_ms(w->session);

        if (next_ms > end_ms)
            break;
        w->now_ms = next_ms > w->now_ms ? next_ms : w->now_ms;
        sc_client_session_tick(w->session, w->now_ms);
        cr_assert(sc_client_session_next_ms(w->session) > w->now_ms, "%s: the timer spins",
                  w->name);
    }
    w->now_ms = end_ms;
}

static void
run_word(world *w, const char *text)
{
    word x = {0};

    sscanf(text, "%15[a-z]:%llu:%llu", x.verb, &x.a, &x.b);
    if (strrchr(text, ':'))
        snprintf(x.code, sizeof x.code, "%s", strrchr(text, ':') + 1);
    if (!strcmp(x.verb, "t") || !strcmp(x.verb, "jump"))
        do_time(w, &x);
    else if (!strcmp(x.verb, "full") || !strcmp(x.verb, "free"))
        w->is_full = x.verb[1] == 'u';
    else if (!strcmp(x.verb, "beat")) { // what WELCOME says from now on
        w->heartbeat_ms = x.a;
        w->lease_ms = x.b;
    } else if (!strcmp(x.verb, "broken"))
        w->send_error = SC_ETOOLARGE;
    else
        cr_assert(do_requests(w, &x) || do_upload(w, &x) || do_answers(w, &x) || do_session(w, &x),
                  "%s: what is %s?", w->name, text);
}

static void
run_script(world *w, const char *script, int64_t connect_timeout_ms)
{
    sc_client_session_options options = {
        .send = on_send,
        .on_event = on_event,
        .next = on_next,
        .arg = w,
        .endpoints = "tcp://h:1",
        .n_endpoints = w->n_endpoints,
        .name = "test",
        .host = "h",
        .instance = 1,
        .heartbeat_ms = 200,
        .lease_ms = 800,
        .connect_timeout_ms = connect_timeout_ms,
    };
    char copy[400], *rest, *text;

    w->heartbeat_ms = 200;
    w->lease_ms = 800;
    cr_assert_eq(sc_client_session_new(&options, w->now_ms, &w->session), 0);
    cr_assert_eq(sc_decoder_new(&w->decoder), 0);
    snprintf(copy, sizeof copy, "%s", script);
    for (text = strtok_r(copy, " ", &rest); text; text = strtok_r(NULL, " ", &rest))
        run_word(w, text);
    if (strlen(w->log) > 0)
        w->log[strlen(w->log) - 1] = '\0'; // the last blank
    sc_client_session_free(&w->session);
    sc_decoder_free(&w->decoder);
    sc_buffer_fini(&w->header);
    for (int i = 0; i < w->n_requests; i++)
        sc_chunks_fini(&w->requests[i].chunks);
}

typedef struct row {
    const char *name, *script, *want;
} row;

static void
run_rows(const row *rows, size_t n, unsigned n_endpoints)
{
    for (size_t i = 0; i < n; i++) {
        world *w = calloc(1, sizeof *w);

        w->now_ms = 1000;
        w->name = rows[i].name;
        w->n_endpoints = n_endpoints;
        run_script(w, rows[i].script, 1000);
        cr_expect_str_eq(w->log, rows[i].want, "%s:\n  is     %s\n  wanted %s", rows[i].name,
                         w->log, rows[i].want);
        free(w);
    }
}
#define RUN(rows) run_rows(rows, sizeof rows / sizeof *rows, 1)

#endif
