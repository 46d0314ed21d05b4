/* SPDX-License-Identifier: Apache-2.0 */
/* Is there a coordinator, and does it want us: HELLO, liveness, refusals. Called by the session's
 * owner with messages and the time; what is asked of the coordinator lies in requests.c. */
#include "client/session_int.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"

enum {
    LATE_MS = 100,         // a tick that comes this much later means that the process stood still
    HEARTBEAT_MIN_MS = 10, // whatever a coordinator says
    TEXT_BYTES = 8 * SC_MESSAGE_TEXT_MAX + 1, // the longest text of a refusal
};

int
sc_client_session_send(sc_client_session *s, const sc_message *message, int64_t now_ms)
{
    int rc = s->options.send(s->options.arg, message);

    if (rc == 0)
        sc_liveness_said(&s->liveness, now_ms);
    return rc;
}

sc_failure
sc_client_failure(int code)
{
    return (sc_failure){code, sc_error_name(code), sc_error_text(code)};
}

static void
say_hello(sc_client_session *s, int64_t now_ms)
{
    const sc_client_session_options *o = &s->options;
    sc_message hello = {
        .type = SC_MSG_HELLO,
        .hello =
            {
                .role = SC_ROLE_CLIENT,
                .name = sc_text_of(o->name),
                .instance = o->instance,
                .protocol_min = SC_PROTOCOL_MIN,
                .protocol_max = SC_PROTOCOL_MAX,
                .version = sc_text_of(SC_VERSION),
                .host = sc_text_of(o->host),
                .pid = o->pid,
                .number = ++s->n_hellos,
            },
    };

    s->is_hello_unsaid = sc_client_session_send(s, &hello, now_ms) == -EAGAIN;
    s->hello_ms = now_ms + s->liveness.heartbeat_ms;
}

static void
on_welcome(sc_client_session *s, const sc_welcome *welcome, int64_t now_ms)
{
    int64_t heartbeat_ms = (int64_t)welcome->heartbeat_ms, lease_ms = (int64_t)welcome->lease_ms;
    bool is_news = !s->is_told || s->epoch != welcome->epoch;

    if (s->state == SC_UP && s->epoch == welcome->epoch)
        return; // the answer to a HELLO that was repeated
    // It is from before we were out of touch, and so may be answers behind it: what is said again
    // now would be taken for answered by them.
    if (welcome->hello != 0 && welcome->hello < s->first_hello)
        return;
    heartbeat_ms = heartbeat_ms < HEARTBEAT_MIN_MS ? HEARTBEAT_MIN_MS : heartbeat_ms;
    lease_ms = lease_ms < 2 * heartbeat_ms ? 2 * heartbeat_ms : lease_ms;
    sc_liveness_init(&s->liveness, heartbeat_ms, lease_ms, now_ms);
    s->state = SC_UP;
    s->has_been_up = true;
    s->taken_ms = INT64_MAX;
    s->epoch = welcome->epoch;
    sc_search_found(&s->search, welcome->epoch);
    sc_client_requests_repeat(s);
    s->retry_ms = now_ms;
    s->is_told = true;
    if (is_news)
        s->options.on_event(s->options.arg, SC_CLIENT_CONNECTED, NULL);
    sc_client_requests_flush(s, now_ms);
}

// The owner believes that the coordinator is there.
static void
tell_lost(sc_client_session *s)
{
    if (!s->is_told)
        return;
    s->is_told = false;
    s->options.on_event(s->options.arg, SC_CLIENT_DISCONNECTED, NULL);
}

static void
begin_search(sc_client_session *s, int64_t now_ms)
{
    s->state = SC_SEEKING;
    s->first_hello = s->n_hellos + 1;
    sc_search_begin(&s->search, false, now_ms);
}

static void
seek(sc_client_session *s, int64_t now_ms, int64_t hello_ms)
{
    begin_search(s, now_ms);
    s->hello_ms = hello_ms;
    tell_lost(s);
}

// No request is left and none is taken any more; `state` is SC_REFUSED_FOR_GOOD or SC_UNREACHABLE.
static void
give_up(sc_client_session *s, enum sc_client_state state, int code, const char *text)
{
    sc_failure why = {code, sc_error_name(code), text};

    s->state = state;
    s->refusal = code;
    sc_client_requests_fail_all(s, code, text);
    if (s->state == state)
        s->options.on_event(
            s->options.arg,
            state == SC_REFUSED_FOR_GOOD ? SC_CLIENT_REFUSED : SC_CLIENT_UNREACHABLE, &why);
}

// A session that was up once waits for a coordinator that has no room or is ending, as for one that
// is away; a name may be ours from before, until its lease is over.
static bool
may_try_again(sc_client_session *s, int64_t code, int64_t now_ms)
{
    if (code == SC_ENAMETAKEN) {
        s->taken_ms = s->taken_ms < now_ms ? s->taken_ms : now_ms;
        return now_ms - s->taken_ms <= s->liveness.lease_ms;
    }
    if (code == SC_ESHUTDOWN && s->options.n_endpoints > 1)
        return true; // another leads, or will
    return s->has_been_up && (code == SC_ELIMIT || code == SC_ESHUTDOWN);
}

// Both sides of a refusal for the version are named: the coordinator may be too old to name ours.
static void
version_text(const sc_refused *refused, char *text, size_t size)
{
    snprintf(text, size,
             "this program is version %s (protocol %d to %d), the coordinator is version %.*s "
             "(protocol %u to %u); use programs of one version",
             SC_VERSION, SC_PROTOCOL_MIN, SC_PROTOCOL_MAX, (int)refused->version.len,
             refused->version.data ? refused->version.data : "", refused->protocol_min,
             refused->protocol_max);
}

static void
on_refused(sc_client_session *s, const sc_refused *refused, int64_t now_ms)
{
    char text[TEXT_BYTES];
    int code = refused->code < 0 && refused->code > INT32_MIN ? (int)refused->code : SC_EMALFORMED;

    if (code == SC_EVERSION)
        version_text(refused, text, sizeof text);
    else
        sc_text_copy(refused->text.len > 0 ? refused->text : sc_text_of(sc_error_text(code)), text,
                     sizeof text);
    if (refused->request > 0) {
        sc_client_requests_refuse(s, refused->request, code, text);
    } else if (may_try_again(s, code, now_ms)) {
        if (s->state == SC_UP)
            seek(s, now_ms, now_ms + s->liveness.heartbeat_ms);
        tell_lost(s); // it had asked who we are
        if (code == SC_ESHUTDOWN)
            sc_search_reject(&s->search);
    } else {
        give_up(s, SC_REFUSED_FOR_GOOD, code, text);
    }
}

// A coordinator that was deposed and does not know it yet. Nothing was asked of it.
static bool
is_deposed(sc_client_session *s, const sc_message *message, int64_t now_ms)
{
    uint64_t epoch = message->type == SC_MSG_WELCOME ? message->welcome.epoch
                     : message->type == SC_MSG_WHO   ? message->who.epoch
                                                     : 0;

    if (epoch == 0 || sc_search_believes(&s->search, epoch))
        return false;
    if (s->state == SC_UP)
        seek(s, now_ms, now_ms + s->liveness.heartbeat_ms);
    sc_search_reject(&s->search);
    return true;
}

void
sc_client_session_message(sc_client_session *s, const sc_message *message, int64_t now_ms)
{
    if (s->state == SC_REFUSED_FOR_GOOD || s->state == SC_CLOSED || is_deposed(s, message, now_ms))
        return;
    sc_liveness_heard(&s->liveness, now_ms);
    switch (message->type) {
    case SC_MSG_WHO:
        if (s->state == SC_UP) {
            begin_search(s, now_ms);
            say_hello(s, now_ms);
        }
        break;
    case SC_MSG_WELCOME:
        on_welcome(s, &message->welcome, now_ms);
        break;
    case SC_MSG_REFUSED:
        on_refused(s, &message->refused, now_ms);
        break;
    case SC_MSG_ACK:
        sc_client_requests_acknowledge(s, message, now_ms);
        break;
    case SC_MSG_REPLY:
    case SC_MSG_CLUSTER:
    case SC_MSG_JOBS:
    case SC_MSG_WORKERS:
    case SC_MSG_HANDLERS:
    case SC_MSG_PAGE:
    case SC_MSG_STOPPING:
    case SC_MSG_DRAINING:
        sc_client_requests_answer(s, message);
        break;
    default: // HEARTBEAT says no more than any message; the rest is not for clients
        break;
    }
}

void
sc_client_session_room(sc_client_session *s, int64_t now_ms)
{
    if ((s->state == SC_SEEKING || s->state == SC_UNREACHABLE) && s->is_hello_unsaid)
        say_hello(s, now_ms);
    sc_client_requests_flush(s, now_ms);
}

static int64_t
leave_ms(const sc_client_session *s)
{
    return sc_search_leave_ms(&s->search, !s->is_hello_unsaid, &s->liveness);
}

static void
tick_seeking(sc_client_session *s, int64_t now_ms)
{
    char text[SC_ENDPOINTS_TEXT_MAX + 40];

    if (now_ms >= leave_ms(s)) {
        s->options.next(s->options.arg);
        sc_search_left(&s->search, now_ms);
        s->hello_ms = now_ms;
    }
    if (now_ms >= s->hello_ms)
        say_hello(s, now_ms);
    if (s->state == SC_SEEKING && !s->has_been_up && now_ms >= s->connect_ms) {
        snprintf(text, sizeof text, "no coordinator answers at %s", s->options.endpoints);
        give_up(s, SC_UNREACHABLE, SC_ENOCOORD, text);
    } else if (sc_liveness_is_gone(&s->liveness, now_ms)) {
        tell_lost(s); // it asked who we are, and has said no more
    }
}

static void
tick_up(sc_client_session *s, int64_t now_ms)
{
    static const sc_message heartbeat = {.type = SC_MSG_HEARTBEAT};

    if (sc_liveness_is_gone(&s->liveness, now_ms)) {
        seek(s, now_ms, now_ms);
        sc_search_begin(&s->search, true, now_ms);
        return;
    }
    if (sc_liveness_must_say(&s->liveness, now_ms)) {
        s->options.send(s->options.arg, &heartbeat);
        sc_liveness_said(&s->liveness, now_ms); // a full queue: what waits in it speaks for us
    }
    sc_client_requests_flush(s, now_ms);
}

void
sc_client_session_tick(sc_client_session *s, int64_t now_ms)
{
    int64_t due_ms = sc_client_session_next_ms(s);

    if (now_ms > due_ms && now_ms - due_ms > LATE_MS) {
        sc_liveness_shift(&s->liveness, now_ms - due_ms);
        sc_search_shift(&s->search, now_ms - due_ms);
    }
    sc_client_requests_expire(s, now_ms);
    if (s->state == SC_UP)
        tick_up(s, now_ms);
    if (s->state == SC_SEEKING || s->state == SC_UNREACHABLE)
        tick_seeking(s, now_ms);
}

int64_t
sc_client_session_next_ms(const sc_client_session *s)
{
    const sc_heap_node *top = sc_heap_top(&s->deadlines);
    int64_t next_ms = top ? top->deadline_ms : INT64_MAX;
    int64_t own_ms = INT64_MAX;

    if (s->state == SC_UP) {
        own_ms = sc_liveness_next_ms(&s->liveness);
        if (s->waiting && s->retry_ms < own_ms)
            own_ms = s->retry_ms;
    } else if (s->state == SC_SEEKING || s->state == SC_UNREACHABLE) {
        own_ms = s->hello_ms < leave_ms(s) ? s->hello_ms : leave_ms(s);
        if (s->state == SC_SEEKING && !s->has_been_up && s->connect_ms < own_ms)
            own_ms = s->connect_ms;
    }
    return next_ms < own_ms ? next_ms : own_ms;
}

void
sc_client_session_set_timeout(sc_client_session *s, int64_t timeout_ms, int64_t now_ms)
{
    bool is_ever = timeout_ms < 0 || timeout_ms > INT64_MAX - now_ms;

    s->connect_ms = is_ever ? INT64_MAX : now_ms + timeout_ms;
    if (s->state == SC_UNREACHABLE)
        s->state = SC_SEEKING;
}

int
sc_client_session_new(const sc_client_session_options *options, int64_t now_ms,
                      sc_client_session **out)
{
    sc_client_session *s = calloc(1, sizeof *s);

    if (!s)
        return SC_ENOMEM;
    s->options = *options;
    s->hello_ms = now_ms;
    s->taken_ms = INT64_MAX;
    sc_liveness_init(&s->liveness, options->heartbeat_ms, options->lease_ms, now_ms);
    sc_search_init(&s->search, options->n_endpoints, now_ms);
    sc_heap_init(&s->deadlines);
    sc_client_session_set_timeout(s, options->connect_timeout_ms, now_ms);
    *out = s;
    return 0;
}

void
sc_client_session_free(sc_client_session **session)
{
    if (!*session)
        return;
    HASH_CLEAR(hh, (*session)->requests);
    sc_heap_fini(&(*session)->deadlines);
    free(*session);
    *session = NULL;
}

void
sc_client_session_close(sc_client_session *s)
{
    static const sc_message bye = {.type = SC_MSG_BYE};

    if (s->state == SC_CLOSED)
        return;
    s->state = SC_CLOSED;
    sc_client_requests_fail_all(s, SC_ECLOSED, NULL);
    s->options.send(s->options.arg, &bye);
}
