/* SPDX-License-Identifier: Apache-2.0 */
/* The open requests of a session: said, said again to the next coordinator, answered, failed.
 * Called by session.c and by the session's owner. Callbacks may start, drop and close, so no loop
 * here goes on from a request that it has called back for: each looks at the head of its list
 * again. */
#define HASH_NONFATAL_OOM         1
#define uthash_nonfatal_oom(elem) ((elem)->id = 0) // tells a failed add; ids start at 1

#include "client/session_int.h"

#include <stdio.h>

#include <utlist.h>

#include "base/limits.h"
#include "base/uuid.h"

enum { RETRY_MS = 5 }; // after a send found its queue full

static bool
is_call(const sc_client_request *r)
{
    return r->message.type == SC_MSG_CALL;
}

// Puts a request at the end of a list, NULL: in none, out of the one that it is in.
static void
move(sc_client_request *r, sc_client_request **list)
{
    if (r->list)
        DL_DELETE(*r->list, r);
    r->list = list;
    if (list)
        DL_APPEND(*list, r);
}

static void
let_go(sc_client_session *s, sc_client_request *r)
{
    HASH_DEL(s->requests, r);
    sc_heap_remove(&s->deadlines, &r->deadline);
    move(r, NULL);
    s->n_calls -= is_call(r) && r->is_said;
}

static void
answer(sc_client_session *s, sc_client_request *r, const sc_message *message)
{
    let_go(s, r);
    r->on_end(r, message, NULL);
}

// The job that a request is about, or NULL.
static const sc_uuid *
job_of(const sc_client_request *r)
{
    const sc_message *m = &r->message;

    if (m->type == SC_MSG_OPEN)
        return &m->open.job;
    if (m->type == SC_MSG_READ)
        return &m->read.job;
    if (m->type == SC_MSG_CANCEL)
        return &m->cancel.job;
    if (m->type == SC_MSG_RETRY)
        return &m->retry.job;
    return m->type == SC_MSG_ASK && m->ask.what == SC_ASK_JOB ? &m->ask.job : NULL;
}

// Ends a request without an answer; `text` NULL: what the code means.
static void
fail(sc_client_session *s, sc_client_request *r, int code, const char *text)
{
    char line[128], id[SC_UUID_TEXT];
    sc_failure why = sc_client_failure(code);
    const sc_uuid *job = job_of(r);

    if (text) {
        why.text = text;
    } else if (code == SC_ELOST) {
        snprintf(line, sizeof line, "%s%s was lost with the coordinator that held it",
                 job          ? "job "
                 : is_call(r) ? "the call"
                              : "the question",
                 job ? sc_uuid_format(job, id) : "");
        why.text = line;
    }
    let_go(s, r);
    r->on_end(r, NULL, &why);
}

void
sc_client_requests_fail_all(sc_client_session *s, int code, const char *text)
{
    while (s->requests)
        fail(s, s->requests, code, text);
}

// A call would run twice; a new coordinator was not meant by STOP; of a volatile upload what was
// acknowledged is gone on both sides.
static bool
is_lost(const sc_client_session *s, const sc_client_request *r)
{
    if (r->epoch == 0 || r->epoch == s->epoch)
        return false;
    return r->message.type == SC_MSG_CALL || r->message.type == SC_MSG_STOP ||
           (r->chunks && r->chunks->n_acked > 0 && !r->message.open.is_durable);
}

static int
say_upload(sc_client_session *s, sc_client_request *r, int64_t now_ms)
{
    sc_message message;
    int rc;

    if (!r->is_open)
        return 0; // goes on with the ACK of OPEN
    while (sc_chunks_next(r->chunks, &message)) {
        message.chunk.request = r->id;
        message.chunk.job = r->message.open.job;
        rc = sc_client_session_send(s, &message, now_ms);
        if (rc)
            return rc;
        sc_chunks_sent(r->chunks);
    }
    if (!r->has_commit || r->is_committed || r->chunks->n_sent < r->chunks->n_sealed)
        return 0;
    message = (sc_message){
        .type = SC_MSG_COMMIT,
        .commit = {r->id, r->message.open.job, r->chunks->n_sealed, r->chunks->n_tasks,
                   r->message.open.digest},
    };
    rc = sc_client_session_send(s, &message, now_ms);
    r->is_committed = rc == 0;
    return rc;
}

// Says what the request has to say. @return 0; -EAGAIN: not all of it, later; another code: it has
// failed
static int
say(sc_client_session *s, sc_client_request *r, int64_t now_ms)
{
    int rc = 0;

    if (is_lost(s, r))
        return SC_ELOST;
    if (r->is_said)
        return r->chunks ? say_upload(s, r, now_ms) : 0;
    if (r->deadline.position > 0) { // the coordinator is told what is left
        int64_t left_ms = r->deadline.deadline_ms - now_ms;
        r->message.call.timeout_ms = left_ms > 0 ? (uint64_t)left_ms : 1;
    }
    rc = sc_client_session_send(s, &r->message, now_ms);
    if (rc)
        return rc;
    r->is_said = true;
    s->n_calls += is_call(r);
    if (r->epoch == 0 || r->chunks) // an upload begins anew, a question knows whom it asked first
        r->epoch = s->epoch;
    return 0;
}

static bool
may_call(const sc_client_session *s)
{
    return s->n_calls < SC_CLIENT_MAX_CALLS;
}

void
sc_client_requests_repeat(sc_client_session *s)
{
    s->n_calls = 0;
    for (sc_client_request *r = s->requests; r; r = r->hh.next) {
        r->is_said = r->is_open = r->is_committed = false;
        move(r, &s->waiting);
    }
}

// The first that may speak, or NULL. Calls that may not stand aside, so that nothing else waits for
// their turn; what is held has smaller ids than the calls that still wait.
static sc_client_request *
next_to_say(sc_client_session *s)
{
    while (s->waiting && is_call(s->waiting) && !may_call(s))
        move(s->waiting, &s->held);
    if (s->held && may_call(s) && (!s->waiting || s->held->id < s->waiting->id))
        return s->held;
    return s->waiting;
}

// Tells of uploads that were given up. @return false where the link is full
static bool
say_drops(sc_client_session *s, int64_t now_ms)
{
    while (s->state == SC_UP && s->n_drops > 0) {
        sc_message drop = {.type = SC_MSG_DROP, .drop = {s->drops[s->n_drops - 1]}};

        if (sc_client_session_send(s, &drop, now_ms) == -EAGAIN)
            return false;
        s->n_drops--;
    }
    return true;
}

void
sc_client_requests_flush(sc_client_session *s, int64_t now_ms)
{
    sc_client_request *r;

    if (!say_drops(s, now_ms)) {
        s->retry_ms = now_ms + RETRY_MS;
        return;
    }
    while (s->state == SC_UP && (r = next_to_say(s))) {
        int rc = say(s, r, now_ms);

        if (rc == -EAGAIN) {
            s->retry_ms = now_ms + RETRY_MS;
            return;
        }
        move(r, NULL);
        if (rc)
            fail(s, r, rc, NULL);
    }
}

void
sc_client_requests_expire(sc_client_session *s, int64_t now_ms)
{
    sc_heap_node *node;

    while ((node = sc_heap_pop_due(&s->deadlines, now_ms)))
        fail(s, SC_CONTAINER(node, sc_client_request, deadline), SC_ETIMEOUT, NULL);
}

static int
add(sc_client_session *s, sc_client_request *r, int64_t now_ms)
{
    const sc_message *m = &r->message;

    if (HASH_COUNT(s->requests) >= SC_CLIENT_MAX_REQUESTS)
        return SC_EBUSY;
    if (m->type == SC_MSG_CALL && m->call.timeout_ms > 0 &&
        sc_heap_set(&s->deadlines, &r->deadline, now_ms + (int64_t)m->call.timeout_ms))
        return SC_ENOMEM;
    r->id = ++s->last_id;
    HASH_ADD(hh, s->requests, id, sizeof r->id, r);
    if (r->id == 0) {
        sc_heap_remove(&s->deadlines, &r->deadline);
        return SC_ENOMEM;
    }
    // Each of these structs begins with the request's number (6.5.2.3: a common initial sequence).
    r->message.stop.request = r->id;
    return 0;
}

int
sc_client_session_start(sc_client_session *s, sc_client_request *r, int64_t now_ms)
{
    static const int codes[] = {[SC_UNREACHABLE] = SC_ENOCOORD, [SC_CLOSED] = SC_ECLOSED};
    int code = s->state == SC_REFUSED_FOR_GOOD ? s->refusal : codes[s->state];
    int rc = code ? code : add(s, r, now_ms);

    if (rc)
        return rc;
    r->epoch = 0;
    r->list = NULL;
    r->is_said = r->is_open = r->is_committed = r->has_commit = false;
    sc_client_session_push(s, r, now_ms);
    return 0;
}

void
sc_client_session_push(sc_client_session *s, sc_client_request *r, int64_t now_ms)
{
    if (s->state != SC_UP || r->list)
        return;
    // Behind others it waits its turn; and a failure is told from the loop, not from here.
    bool is_next = !s->waiting && !(is_call(r) && (s->held || !may_call(s)));
    if (is_next && say(s, r, now_ms) == 0)
        return;
    if (!s->waiting)
        s->retry_ms = now_ms + RETRY_MS;
    move(r, &s->waiting);
}

void
sc_client_session_commit(sc_client_session *s, sc_client_request *r, int64_t now_ms)
{
    sc_chunks_seal(r->chunks);
    r->has_commit = true;
    sc_client_session_push(s, r, now_ms);
}

void
sc_client_session_drop(sc_client_session *s, sc_client_request *r)
{
    sc_message drop = {.type = SC_MSG_DROP, .drop = {r->message.open.job}};

    let_go(s, r);
    if (r->epoch == 0) // nobody has heard of it
        return;
    if (s->state == SC_UP && s->options.send(s->options.arg, &drop) != -EAGAIN)
        return;
    // While we live the coordinator would keep what it has of it: it is told with the next word.
    if (s->n_drops < SC_CLIENT_MAX_DROPS)
        s->drops[s->n_drops++] = r->message.open.job;
}

/* ---- answers ---- */

static sc_client_request *
find(sc_client_session *s, uint64_t id)
{
    sc_client_request *r;

    HASH_FIND(hh, s->requests, &id, sizeof id, r);
    return r;
}

void
sc_client_requests_refuse(sc_client_session *s, uint64_t id, int code, const char *text)
{
    sc_client_request *r = find(s, id);

    if (r && code == SC_ENOJOB && r->epoch != s->epoch)
        fail(s, r, SC_ELOST, NULL); // the coordinator that was asked first may have known it
    else if (r)
        fail(s, r, code, text);
}

static sc_message_type
wanted(const sc_message *question)
{
    static const sc_message_type asked[] = {
        [SC_ASK_CLUSTER] = SC_MSG_CLUSTER,   [SC_ASK_JOB] = SC_MSG_JOBS,
        [SC_ASK_JOBS] = SC_MSG_JOBS,         [SC_ASK_WORKERS] = SC_MSG_WORKERS,
        [SC_ASK_HANDLERS] = SC_MSG_HANDLERS,
    };

    switch (question->type) {
    case SC_MSG_ASK:
        return asked[question->ask.what];
    case SC_MSG_READ:
        return SC_MSG_PAGE;
    case SC_MSG_CALL:
        return SC_MSG_REPLY;
    case SC_MSG_STOP:
        return SC_MSG_STOPPING;
    case SC_MSG_DRAIN:
        return SC_MSG_DRAINING;
    case SC_MSG_CANCEL:
    case SC_MSG_RETRY:
        return SC_MSG_JOBS;
    default:
        return SC_MSG_ACK;
    }
}

void
sc_client_requests_answer(sc_client_session *s, const sc_message *message)
{
    sc_client_request *r = find(s, message->stop.request); // first in every answer, as in questions

    if (!r)
        return; // answered before, or dropped
    if (wanted(&r->message) == message->type)
        answer(s, r, message);
    else
        fail(s, r, SC_EMALFORMED, "the coordinator's answer is not one to the question");
}

void
sc_client_requests_acknowledge(sc_client_session *s, const sc_message *message, int64_t now_ms)
{
    const sc_ack *ack = &message->ack;
    sc_client_request *r = find(s, ack->request);
    int rc = 0;

    // COMMIT, or a job from before that has the key and the content of this one
    if (!r || !r->chunks || (ack->of == SC_MSG_COMMIT && r->is_committed) ||
        (r->message.open.key.len &&
         memcmp(&ack->job, &r->message.open.job, sizeof ack->job) != 0)) {
        sc_client_requests_answer(s, message);
        return;
    }
    if (ack->of == SC_MSG_OPEN && r->is_said && !r->is_open) {
        r->is_open = true;
        rc = sc_chunks_resume(r->chunks, ack->number);
    } else if (ack->of == SC_MSG_CHUNK && r->is_open) {
        rc = sc_chunks_acknowledge(r->chunks, ack->number);
    } else {
        return; // said twice, answered twice
    }
    if (rc) {
        fail(s, r, rc, NULL);
        return;
    }
    r->chunks->window_bytes = ack->window_bytes;
    sc_client_session_push(s, r, now_ms);
    if (sc_chunks_take_room(r->chunks))
        r->on_room(r);
}
