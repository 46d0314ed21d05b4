/* SPDX-License-Identifier: Apache-2.0 */
/* The session of a client against scripts. Each row is what happens, word by word, and all that the
 * session says and reports because of it. Whatever it says goes through the real encoder and
 * decoder. */
#include "client/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/limits.h"

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
        .welcome = {1, x->a, {"1", 1}, {"h", 1}, 1, w->heartbeat_ms, w->lease_ms, 1 << 24}};
    sc_message refused = {.type = SC_MSG_REFUSED, .refused = {.request = x->a}};

    refused.refused.code = sc_error_from_name(x->code, strlen(x->code));
    if (!strcmp(x->verb, "welcome"))
        receive(w, welcome);
    else if (!strcmp(x->verb, "refused"))
        receive(w, refused);
    else if (!strcmp(x->verb, "who"))
        receive(w, (sc_message){.type = SC_MSG_WHO});
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
        .arg = w,
        .endpoint = "tcp://h:1",
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
run_rows(const row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        world *w = calloc(1, sizeof *w);

        w->now_ms = 1000;
        w->name = rows[i].name;
        run_script(w, rows[i].script, 1000);
        cr_expect_str_eq(w->log, rows[i].want, "%s:\n  is     %s\n  wanted %s", rows[i].name,
                         w->log, rows[i].want);
        free(w);
    }
}
#define RUN(rows) run_rows(rows, sizeof rows / sizeof *rows)

static const row sessions[] = {
    {"HELLO at once, and nothing else before WELCOME", "ask t:0", "HELLO"},
    {"a request waits for the session", "ask t:0 welcome:7 cluster:1", "HELLO up ASK1 end1=ok"},
    {"requests are said in their order", "ask call read t:0 welcome:7",
     "HELLO up ASK1 CALL2 READ3"},
    {"HELLO again every heartbeat", "t:650", "HELLO HELLO HELLO HELLO"},
    {"heartbeats when there is nothing to say", "t:0 welcome:7 t:500",
     "HELLO up HEARTBEAT HEARTBEAT"},
    {"none where something was said", "t:0 welcome:7 t:150 ask t:150", "HELLO up ASK1"},
    {"a second WELCOME is no news", "t:0 ask welcome:7 welcome:7", "HELLO up ASK1"},
    {"a heartbeat finds the link full", "t:0 welcome:7 full t:300 free t:200",
     "HELLO up HEARTBEAT"},
    {"silence", "t:0 welcome:7 t:801",
     "HELLO up HEARTBEAT HEARTBEAT HEARTBEAT HEARTBEAT down HELLO"},
    {"no silence where it speaks", "t:0 welcome:7 full t:500 alive t:500 alive t:500", "HELLO up"},
    {"this process stood still", "t:0 welcome:7 jump:60000 t:100", "HELLO up HEARTBEAT"},
    {"it is looked for without limit", "t:0 welcome:7 full t:900 t:9000 free t:200 ask welcome:7",
     "HELLO up down HELLO up ASK1"},
    {"asked who, same coordinator: the same requests, no news",
     "t:0 ask welcome:7 who welcome:7 cluster:1", "HELLO up ASK1 HELLO ASK1 end1=ok"},
    {"asked who again before WELCOME", "t:0 welcome:7 who who who welcome:7", "HELLO up HELLO"},
    {"another coordinator is news", "t:0 welcome:7 who welcome:8", "HELLO up HELLO up"},
    {"a WELCOME of another coordinator, unasked", "t:0 ask welcome:7 welcome:8",
     "HELLO up ASK1 up ASK1"},
    {"answers are taken without a session too", "t:0 ask welcome:7 who cluster:1",
     "HELLO up ASK1 HELLO end1=ok"},
    {"HELLO as soon as the link is connected", "full t:0 free t:10 room room welcome:7",
     "HELLO up"},
    {"a coordinator without heartbeat and lease", "beat:0:0 t:0 welcome:7 t:30",
     "HELLO up HEARTBEAT HEARTBEAT down HELLO"},
    {"close", "t:0 ask call welcome:7 close", "HELLO up ASK1 CALL2 end1=closed end2=closed BYE"},
    {"close twice, and nothing after it", "t:0 close close welcome:7 ask t:9000",
     "HELLO BYE no:closed"},
};

Test(session, sessions)
{
    RUN(sessions);
}

static const row refusals[] = {
    {"no coordinator", "ask t:1000 ask",
     "HELLO HELLO HELLO HELLO HELLO HELLO end1=no_coordinator unreachable=no_coordinator "
     "no:no_coordinator"},
    {"it comes after all", "t:1050 welcome:7 ask",
     "HELLO HELLO HELLO HELLO HELLO HELLO unreachable=no_coordinator up ASK1"},
    {"more time", "timeout:400 t:400 timeout:100 ask t:100",
     "HELLO HELLO HELLO unreachable=no_coordinator end1=no_coordinator unreachable=no_coordinator"},
    {"more time than there is", "timeout:9223372036854775807 ask t:200 ask welcome:7",
     "HELLO HELLO up ASK1 ASK2"},
    {"no time at all", "timeout:0 ask t:0", "HELLO end1=no_coordinator unreachable=no_coordinator"},
    {"version", "t:0 ask refused:0:version ask welcome:7 t:9000",
     "HELLO end1=version refused=version no:version"},
    {"a name for one lease", "t:0 refused:0:name_taken t:200 refused:0:name_taken welcome:7",
     "HELLO HELLO up"},
    {"a name for longer",
     "timeout:9000 t:0 ask refused:0:name_taken t:799 refused:0:name_taken t:2 "
     "refused:0:name_taken",
     "HELLO HELLO HELLO HELLO HELLO end1=name_taken refused=name_taken"},
    {"no room, first session", "t:0 refused:0:limit", "HELLO refused=limit"},
    {"it is ending, first session", "t:0 refused:0:shutting_down", "HELLO refused=shutting_down"},
    {"no room, later", "t:0 welcome:7 ask refused:0:limit t:200 refused:0:limit t:200 welcome:7",
     "HELLO up ASK1 down HELLO HELLO up ASK1"},
    {"it is ending, later",
     "t:0 welcome:7 ask refused:0:shutting_down t:200 refused:0:shutting_down t:200 welcome:8",
     "HELLO up ASK1 down HELLO HELLO up ASK1"},
    {"what we said was malformed", "t:0 welcome:7 ask refused:0:malformed",
     "HELLO up ASK1 end1=malformed refused=malformed"},
    {"one request", "t:0 welcome:7 ask call refused:1:limit", "HELLO up ASK1 CALL2 end1=limit"},
    {"one that nobody made", "t:0 welcome:7 refused:9:limit", "HELLO up"},
    {"one with a code that is none", "t:0 welcome:7 ask refused:1", "HELLO up ASK1 end1=failed"},
};

Test(session, refusals)
{
    RUN(refusals);
}

static const row requests[] = {
    {"an answer counts once", "t:0 welcome:7 ask cluster:1 cluster:1", "HELLO up ASK1 end1=ok"},
    {"not an answer to this question", "t:0 welcome:7 ask page:1", "HELLO up ASK1 end1=malformed"},
    {"each kind", "t:0 welcome:7 job read stop call jobs:1 page:2 stopping:3 reply:4",
     "HELLO up ASK1 READ2 STOP3 CALL4 end1=ok end2=ok end3=ok end4=ok"},
    {"same coordinator: a call is said again", "t:0 welcome:7 call who welcome:7",
     "HELLO up CALL1 HELLO CALL1"},
    {"another coordinator: a call is lost", "t:0 welcome:7 call ask who welcome:8",
     "HELLO up CALL1 ASK2 HELLO up end1=lost ASK2"},
    {"one that was never said is not", "t:0 call welcome:8", "HELLO up CALL1"},
    {"a new coordinator was not meant by STOP", "t:0 welcome:7 stop who welcome:8",
     "HELLO up STOP1 HELLO up end1=lost"},
    {"its job is lost with a coordinator", "t:0 welcome:7 job who welcome:8 refused:1:unknown_job",
     "HELLO up ASK1 HELLO up ASK1 end1=lost"},
    {"it never knew the job", "t:0 welcome:7 job who welcome:7 refused:1:unknown_job",
     "HELLO up ASK1 HELLO ASK1 end1=unknown_job"},
    {"an array may be said to both", "t:0 welcome:7 array who welcome:8 opened:1",
     "HELLO up OPEN1 HELLO up OPEN1 end1=ok"},
    {"a call's time", "t:0 welcome:7 call:150 t:160 reply:1", "HELLO up CALL1(150) end1=timeout"},
    {"also without a coordinator", "t:0 call:150 t:160", "HELLO end1=timeout"},
    {"what is left of it", "t:0 call:150 t:100 welcome:7 t:10 who welcome:7",
     "HELLO up CALL1(50) HELLO CALL1(40)"},
    {"answered in time", "t:0 welcome:7 call:150 reply:1 t:190", "HELLO up CALL1(150) end1=ok"},
    {"a full link", "t:0 welcome:7 full ask t:20 free t:5", "HELLO up ASK1"},
    {"a full link keeps the order", "t:0 welcome:7 full ask free call t:5", "HELLO up ASK1 CALL2"},
    {"a full link has room", "t:0 welcome:7 full ask room free room", "HELLO up ASK1"},
    {"what cannot be said fails, later", "t:0 welcome:7 broken ask t:5", "HELLO up end1=too_large"},
    {"close from a callback", "reaction:c t:0 ask ask welcome:7 cluster:1",
     "HELLO up ASK1 ASK2 end1=ok end2=closed BYE"},
    {"close while all fail", "reaction:c t:0 ask ask refused:0:version",
     "HELLO end1=version end2=closed BYE"},
    {"close while one is lost", "t:0 welcome:7 reaction:c call call who welcome:8",
     "HELLO up CALL1 CALL2 HELLO up end1=lost end2=closed BYE"},
    {"ask from a callback", "reaction:a t:0 ask welcome:7 cluster:1", "HELLO up ASK1 end1=ok ASK2"},
    {"ask from a callback while all fail", "reaction:a ask refused:0:version",
     "end1=version no:version refused=version"},
    {"the same again from its callback", "reaction:r t:0 ask welcome:7 cluster:1 cluster:2",
     "HELLO up ASK1 end1=ok ASK2 end1=ok"},
};

Test(session, requests)
{
    RUN(requests);
}

// The window is 600 KiB: two chunks of one task of 250 KiB, the third waits. Request 1 is the
// upload.
static const row uploads[] = {
    {"a small one", "t:0 welcome:7 upload add:3:10 commit opened:1:0 ack:1:0 committed:1",
     "HELLO up OPEN1 CHUNK1.0(3) COMMIT1(1,3) end1=ok"},
    {"committed after it was opened", "t:0 welcome:7 upload opened:1:0 add:3:10 commit committed:1",
     "HELLO up OPEN1 CHUNK1.0(3) COMMIT1(1,3) end1=ok"},
    {"filled before there is a session", "t:0 upload add:1001:10 commit welcome:7 opened:1:0",
     "HELLO up OPEN1 CHUNK1.0(1000) CHUNK1.1(1) COMMIT1(2,1001)"},
    {"chunks go as they are full", "t:0 welcome:7 upload opened:1:0 add:1500:10",
     "HELLO up OPEN1 CHUNK1.0(1000)"},
    {"window", "t:0 welcome:7 upload opened:1:0 add:9:256000 ack:1:0 ack:1:1",
     "HELLO up OPEN1 CHUNK1.0(1) CHUNK1.1(1) again CHUNK1.2(1) room1"},
    {"adding on after there was room",
     "t:0 welcome:7 upload opened:1:0 add:9:256000 ack:1:1 add:9:256000",
     "HELLO up OPEN1 CHUNK1.0(1) CHUNK1.1(1) again CHUNK1.2(1) room1 CHUNK1.3(1) again"},
    {"the same coordinator knows where to go on",
     "t:0 welcome:7 upload opened:1:0 add:3:256000 commit who welcome:7 opened:1:1",
     "HELLO up OPEN1 CHUNK1.0(1) CHUNK1.1(1) HELLO OPEN1 CHUNK1.1(1) CHUNK1.2(1) COMMIT1(3,3)"},
    {"it has all, and the commit",
     "t:0 welcome:7 upload add:1:10 commit opened:1:0 who welcome:7 opened:1:1 committed:1",
     "HELLO up OPEN1 CHUNK1.0(1) COMMIT1(1,1) HELLO OPEN1 COMMIT1(1,1) end1=ok"},
    {"ACKs of the session before",
     "t:0 welcome:7 upload add:1:10 commit opened:1:0 who committed:1 ack:1:0",
     "HELLO up OPEN1 CHUNK1.0(1) COMMIT1(1,1) HELLO end1=ok"},
    {"a late ACK of what is not said again yet",
     "t:0 welcome:7 upload opened:1:0 add:2:256000 commit who welcome:7 full opened:1:0 ack:1:1 "
     "free t:5",
     "HELLO up OPEN1 CHUNK1.0(1) CHUNK1.1(1) COMMIT1(2,2) HELLO OPEN1 COMMIT1(2,2)"},
    {"it has forgotten what it acknowledged",
     "t:0 welcome:7 upload opened:1:0 add:9:256000 ack:1:0 who welcome:7 opened:1:0",
     "HELLO up OPEN1 CHUNK1.0(1) CHUNK1.1(1) again CHUNK1.2(1) room1 HELLO OPEN1 end1=lost"},
    {"another coordinator: what was acknowledged is lost",
     "t:0 welcome:7 upload opened:1:0 add:1:10 seal ack:1:0 who welcome:8",
     "HELLO up OPEN1 CHUNK1.0(1) HELLO up end1=lost"},
    {"another coordinator: nothing was, all is said again",
     "t:0 welcome:7 upload opened:1:0 add:1:10 seal who welcome:8 opened:1:0 ack:1:0 commit "
     "committed:1",
     "HELLO up OPEN1 CHUNK1.0(1) HELLO up OPEN1 CHUNK1.0(1) COMMIT1(1,1) end1=ok"},
    {"an ACK of what was never said", "t:0 welcome:7 upload opened:1:0 ack:1:0",
     "HELLO up OPEN1 end1=malformed"},
    {"an OPEN acknowledged beyond the end", "t:0 welcome:7 upload opened:1:5",
     "HELLO up OPEN1 end1=malformed"},
    {"a commit acknowledged before it was said", "t:0 welcome:7 upload opened:1:0 committed:1",
     "HELLO up OPEN1"},
    {"OPEN acknowledged twice", "t:0 welcome:7 upload opened:1:0 add:1:10 seal opened:1:0",
     "HELLO up OPEN1 CHUNK1.0(1)"},
    {"a chunk is refused",
     "t:0 welcome:7 upload opened:1:0 add:1:10 commit refused:1:limit refused:1:wrong_state",
     "HELLO up OPEN1 CHUNK1.0(1) COMMIT1(1,1) end1=limit"},
    {"a full link in the middle",
     "t:0 welcome:7 upload opened:1:0 full add:2:256000 commit free t:5",
     "HELLO up OPEN1 CHUNK1.0(1) CHUNK1.1(1) COMMIT1(2,2)"},
    {"dropped", "t:0 welcome:7 upload opened:1:0 add:1:10 drop t:100", "HELLO up OPEN1 DROP"},
    {"dropped while the link is full",
     "t:0 welcome:7 upload opened:1:0 add:1:10 full drop free room", "HELLO up OPEN1 DROP"},
    {"dropped between two sessions", "t:0 welcome:7 upload opened:1:0 who drop welcome:7",
     "HELLO up OPEN1 HELLO DROP"},
    {"dropped before it was said", "t:0 upload drop welcome:7", "HELLO up"},
    {"dropped while it waits to speak", "t:0 welcome:7 full upload drop free t:10", "HELLO up"},
    {"dropped from the callback of another", "t:0 upload reaction:d ask welcome:7 cluster:2",
     "HELLO up OPEN1 ASK2 end2=ok DROP"},
    {"closed", "t:0 welcome:7 upload opened:1:0 add:1:10 close", "HELLO up OPEN1 end1=closed BYE"},
};

Test(session, uploads)
{
    RUN(uploads);
}

Test(session, for_ever)
{
    world *w = calloc(1, sizeof *w);

    run_script(w, "ask t:20000 welcome:7", -1);
    cr_assert_str_eq(w->log + strlen(w->log) - 7, "up ASK1", "%s", w->log + strlen(w->log) - 20);
    free(w);
}
