/* SPDX-License-Identifier: Apache-2.0 */
/* A client and a coordinator that says what the bytes want: right, half right and wrong answers to
 * uploads, calls, reads and questions, while sends fail, time passes and callbacks call back into
 * the client. The link and the clock are this file's. Each request ends once and never before it
 * was started, what the client says can be sent and suits its session, an upload holds what its
 * window allows, the timer is set in time, nothing is due for ever, and everything is released. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "client/client_int.h"
#include "client/session_int.h"
#include "tests/fuzz/answers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    N_UPLOADS = 2,
    LARGE_BYTES = SC_CHUNK_MAX_BYTES + 1, // a task that has a chunk of its own
    FLOOD = SC_CLIENT_MAX_CALLS + 8,
    MAX_TICKS = 100,
    MAX_LOOKED_AT = 64, // requests that are looked at one by one after each event
};

typedef struct world world;

/* What was asked of the client, until it has ended. */
typedef struct asked {
    world *world;
    bool has_started;  // the call that asked has returned
    bool wants_room;   // of an upload: it has said -EAGAIN
    uint8_t reaction;  // in its callbacks
    sc_upload *upload; // NULL: none
} asked;

struct sc_link {
    sc_link_events events;
    world *world;
    bool is_full;
    int send_error; // other than that
    bool needs_turn;
    void (*on_closed)(void *arg); // once it is closed
    void *closed_arg;
};

struct world {
    uv_loop_t loop;
    sc_link link;
    sc_client *client; // NULL: closed
    sc_client *self;   // the same, until its memory is gone
    sc_speech speech;
    sc_answers coordinator;
    asked *uploads[N_UPLOADS];
    uint32_t n_open;
    uint64_t max_window;
    uint8_t reaction; // in on_event
    bool is_connected, is_refused, is_flooded, is_flooding;
};

/* ---- the clocks ---- */

static int64_t clock_ms;

int64_t
sc_clock_ms(void)
{
    return clock_ms;
}

int64_t
sc_clock_unix_ms(void)
{
    return clock_ms;
}

/* ---- the link ---- */

int
sc_link_connect(uv_loop_t *loop, const char *endpoint, const sc_link_events *events, sc_link **out,
                sc_error *err)
{
    world *w = loop->data;
    (void)endpoint;
    (void)err;
    w->link = (sc_link){.events = *events, .world = w};
    *out = &w->link;
    return 0;
}

void
sc_link_close(sc_link **link, void (*on_closed)(void *arg), void *arg)
{
    SC_ASSERT(on_closed && !(*link)->on_closed);
    (*link)->on_closed = on_closed;
    (*link)->closed_arg = arg;
    *link = NULL;
}

void
sc_link_drain(sc_link *link)
{
    SC_ASSERT(link);
}

const char *
sc_link_endpoint(const sc_link *link)
{
    SC_ASSERT(link);
    return "here";
}

// What may be said depends on the session.
static bool
may_say(enum sc_client_state state, sc_message_type type)
{
    if (type == SC_MSG_HELLO)
        return state == SC_SEEKING || state == SC_UNREACHABLE;
    return state == (type == SC_MSG_BYE ? SC_CLOSED : SC_UP);
}

int
sc_link_send(sc_link *link, uint64_t peer, const sc_message *m)
{
    world *w = link->world;
    SC_ASSERT(peer == 0 && !link->on_closed);
    SC_ASSERT(may_say(w->self->session->state, m->type));
    if (!w->is_flooding)
        sc_speech_check(&w->speech, m);
    if (link->is_full)
        return -EAGAIN;
    if (link->send_error)
        return link->send_error;
    sc_answers_hear(&w->coordinator, m);
    return 0;
}

/* ---- what the caller is told ---- */

static void event(world *w, uint8_t what);

// Inside a callback everything may be called.
static void
react(world *w, uint8_t *reaction)
{
    uint8_t what = *reaction;
    *reaction = 0;
    if (what > 0)
        event(w, what);
}

static void
touch(const void *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ((volatile const uint8_t *)data)[i];
}

static void
check_failure(const sc_failure *why)
{
    SC_ASSERT(!why || (why->number < 0 && strlen(why->code) > 0 && strlen(why->text) > 0));
}

static void
end(asked *a, const sc_failure *why)
{
    SC_ASSERT(a->has_started && a->world->n_open > 0);
    check_failure(why);
    a->world->n_open--;
    react(a->world, &a->reaction);
    free(a);
}

static void
on_event(void *arg, sc_client_event what, const sc_failure *why)
{
    world *w = arg;
    SC_ASSERT(!w->is_refused);
    SC_ASSERT((why != NULL) == (what == SC_CLIENT_REFUSED || what == SC_CLIENT_UNREACHABLE));
    check_failure(why);
    SC_ASSERT(what != SC_CLIENT_DISCONNECTED || w->is_connected);
    w->is_connected = what == SC_CLIENT_CONNECTED;
    w->is_refused = what == SC_CLIENT_REFUSED;
    react(w, &w->reaction);
}

static void
on_submitted(void *arg, const char *job, const sc_failure *why)
{
    asked *a = arg;
    world *w = a->world;
    SC_ASSERT(strlen(job) == SC_JOB_ID_TEXT - 1);
    if (a->upload) {
        SC_ASSERT(sc_upload_add(a->upload, "1", 1) == -EINVAL);
        SC_ASSERT(sc_upload_commit(a->upload) == -EINVAL);
    }
    for (int i = 0; i < N_UPLOADS; i++)
        if (w->uploads[i] == a)
            w->uploads[i] = NULL;
    end(a, why);
}

static void
on_room(void *arg)
{
    asked *a = arg;
    SC_ASSERT(a->has_started && a->wants_room);
    a->wants_room = false;
    SC_ASSERT(sc_upload_add(a->upload, "1", 1) != -EAGAIN);
    react(a->world, &a->reaction);
}

static void
check_row(const sc_result_row *row)
{
    SC_ASSERT(row->status <= SC_RESULT_CANCELLED && strlen(row->worker) <= SC_NAME_MAX);
    touch(row->value, row->value_len);
}

static void
on_page(void *arg, const sc_result_page *page, const sc_failure *why)
{
    SC_ASSERT((page == NULL) == (why != NULL));
    for (size_t i = 0; page && i < page->n_rows; i++)
        check_row(&page->rows[i]);
    end(arg, why);
}

static void
on_result(void *arg, const sc_result_row *row, const sc_failure *why)
{
    SC_ASSERT((row == NULL) == (why != NULL));
    if (row)
        check_row(row);
    end(arg, why);
}

static void
on_job(void *arg, const sc_job_status *job, const sc_failure *why)
{
    SC_ASSERT((job == NULL) == (why != NULL));
    if (job)
        SC_ASSERT(strlen(job->id) == SC_JOB_ID_TEXT - 1 && strlen(job->state) > 0);
    end(arg, why);
}

// An item of a list, or its end.
static void
on_item(asked *a, bool is_item, const sc_failure *why)
{
    SC_ASSERT(a->has_started && !(is_item && why));
    if (is_item)
        react(a->world, &a->reaction);
    else
        end(a, why);
}

static void
on_jobs(void *arg, const sc_job_status *job, const sc_failure *why)
{
    on_item(arg, job, why);
}

static void
on_worker(void *arg, const sc_worker_status *worker, const sc_failure *why)
{
    on_item(arg, worker, why);
}

static void
on_handler(void *arg, const sc_handler_status *handler, const sc_failure *why)
{
    on_item(arg, handler, why);
}

static void
on_cluster(void *arg, const sc_cluster_status *cluster, const sc_failure *why)
{
    SC_ASSERT((cluster == NULL) == (why != NULL));
    end(arg, why);
}

static void
on_stopping(void *arg, const char *host, const uint64_t *pids, size_t n_pids, const sc_failure *why)
{
    SC_ASSERT((host == NULL) == (why != NULL) && n_pids <= SC_MAX_PEERS);
    touch(pids, n_pids * sizeof *pids);
    end(arg, why);
}

/* ---- what the caller asks ---- */

static const char job_text[] = "01020304-0506-7708-890a-0b0c0d0e0f10";

static int
ask_call(sc_client *c, asked *a, uint8_t how)
{
    return sc_client_call(c, "a", "[1]", 3, how & 1 ? how : 0, on_result, a);
}

static int
ask_read(sc_client *c, asked *a, uint8_t how)
{
    return sc_client_read(c, job_text, how, how % 3, how & 4 ? 100 : 0, how & 8, on_page, a);
}

static int
ask_job(sc_client *c, asked *a, uint8_t how)
{
    return sc_client_job(c, how & 1 ? job_text : "0102", how & 2, on_job, a);
}

static int
ask_jobs(sc_client *c, asked *a, uint8_t how)
{
    return sc_client_jobs(c, how & 1 ? "running" : NULL, how / 2 % 4, on_jobs, a);
}

static int
ask_other(sc_client *c, asked *a, uint8_t how)
{
    switch (how % 4) {
    case 0:
        return sc_client_workers(c, on_worker, a);
    case 1:
        return sc_client_handlers(c, how & 4, on_handler, a);
    case 2:
        return sc_client_cluster(c, on_cluster, a);
    default:
        return sc_client_stop(c, on_stopping, a);
    }
}

static int
ask_array(sc_client *c, asked *a, uint8_t how)
{
    static const char args[] = "[\"$index\",1]";
    sc_job_spec spec = {.handler = "a", .name = how & 1 ? "name" : NULL, .priority = how % 11 - 1};
    return sc_client_submit_array(c, &spec, how, 1 + how, args, sizeof args - 1, on_submitted, a);
}

static int
ask_upload(sc_client *c, asked *a, uint8_t how)
{
    world *w = a->world;
    sc_job_spec spec = {.handler = "a", .retries = how};
    asked **place = &w->uploads[how % N_UPLOADS];
    if (*place)
        return -EBUSY;
    int rc = sc_client_upload(c, &spec, on_room, on_submitted, a, &a->upload);
    if (rc == 0)
        *place = a;
    return rc;
}

static int (*const questions[])(sc_client *c, asked *a, uint8_t how) = {
    ask_call, ask_read, ask_job, ask_jobs, ask_other, ask_array, ask_upload,
};
enum { N_QUESTIONS = sizeof questions / sizeof *questions };

static void
ask(world *w, uint8_t question, uint8_t reaction, uint8_t how)
{
    asked *a = calloc(1, sizeof *a);
    SC_ASSERT(a);
    a->world = w;
    a->reaction = reaction;
    int rc = questions[question](w->client, a, how);
    SC_ASSERT(rc <= 0);
    a->has_started = true;
    w->n_open += rc == 0;
    if (rc < 0)
        free(a);
}

// More calls than may be on their way at once.
static void
flood(world *w)
{
    if (w->is_flooded || sc_speech_byte(&w->speech) != 1)
        return;
    w->is_flooded = w->is_flooding = true;
    for (int i = 0; i < FLOOD; i++)
        ask(w, 0, 0, 0);
    w->is_flooding = false;
}

// One task, a chunk of them, or the commit.
static void
add_tasks(world *w)
{
    static const uint8_t payload[LARGE_BYTES];
    static const size_t lens[] = {1, 1, 3, 16, LARGE_BYTES, 0, SC_TASK_MAX_BYTES + 1, 200};
    uint8_t how = sc_speech_byte(&w->speech);
    asked *a = w->uploads[how % N_UPLOADS];
    size_t len = lens[how / 2 % 8];
    int n = how & 16 && len < LARGE_BYTES ? SC_CHUNK_MAX_TASKS : 1, rc = 0;
    if (a && how >= 240)
        rc = sc_upload_commit(a->upload);
    for (int i = 0; a && how < 240 && i < n && rc == 0; i++)
        rc = sc_upload_add(a->upload, payload, len);
    SC_ASSERT(rc == 0 || rc == -EAGAIN || rc == -EMSGSIZE || rc == -EINVAL);
    if (rc == -EAGAIN)
        a->wants_room = true;
}

static void
drop(world *w)
{
    uint8_t how = sc_speech_byte(&w->speech);
    asked *a = w->uploads[how % N_UPLOADS];
    if (!a)
        return;
    w->uploads[how % N_UPLOADS] = NULL;
    sc_upload_drop(&a->upload);
    SC_ASSERT(!a->upload);
    w->n_open--;
    free(a);
}

static void
on_closed(void *arg)
{
    world *w = arg;
    w->self = NULL;
}

// All has ended before this returns.
static void
close_client(world *w)
{
    sc_client_close(&w->client, on_closed, w);
    SC_ASSERT(!w->client && w->n_open == 0);
}

/* ---- events ---- */

static void
hear(world *w, const sc_message *m)
{
    if (m->type == SC_MSG_ACK && m->ack.window_bytes > w->max_window)
        w->max_window = m->ack.window_bytes;
    w->link.events.on_message(w->link.events.arg, 0, m);
    w->link.needs_turn = true;
}

static void
turn(world *w)
{
    w->link.needs_turn = false;
    w->link.events.on_turn(w->link.events.arg);
}

static void
bend_link(world *w)
{
    static const int errors[] = {0, 0, SC_ETOOLARGE, UV_EHOSTUNREACH};
    uint8_t how = sc_speech_byte(&w->speech);
    w->link.is_full = how & 1;
    w->link.send_error = errors[how / 2 % 4];
}

static void
set_timeout(world *w)
{
    static const int64_t timeouts_ms[] = {-1, 0, 500, INT64_MAX};
    uint8_t how = sc_speech_byte(&w->speech);
    w->reaction = how / 4;
    sc_client_set_timeout(w->client, timeouts_ms[how % 4]);
}

// What a caller may do at any time.
static void
event(world *w, uint8_t what)
{
    if (!w->client)
        return;
    what %= N_QUESTIONS + 7;
    if (what < N_QUESTIONS) {
        uint8_t reaction = sc_speech_byte(&w->speech);
        ask(w, what, reaction, sc_speech_byte(&w->speech));
    } else if (what == N_QUESTIONS)
        drop(w);
    else if (what == N_QUESTIONS + 1)
        set_timeout(w);
    else if (what == N_QUESTIONS + 2)
        flood(w);
    else if (what == N_QUESTIONS + 3)
        close_client(w);
    else if (what == N_QUESTIONS + 4)
        bend_link(w);
    else
        add_tasks(w);
}

// The timer fires when it is due, or late; after that nothing is due.
static void
pass(world *w)
{
    static const int64_t steps_ms[] = {0, 1, 5, 50, 200, 299, 801, 100000};
    uv_timer_t *timer = &w->self->timer;
    clock_ms += steps_ms[sc_speech_byte(&w->speech) % 8];
    for (int i = 0; w->client && w->self->armed_ms <= clock_ms; i++) {
        SC_ASSERT(i < MAX_TICKS);
        uv_timer_stop(timer);
        timer->timer_cb(timer);
    }
}

static void
loop_event(world *w, uint8_t what)
{
    sc_message said;
    if (w->link.needs_turn && what >= SC_N_ANSWERS + 1)
        turn(w);
    if (!w->client)
        return;
    if (what < SC_N_ANSWERS && sc_answers_say(&w->coordinator, what, &said))
        hear(w, &said);
    else if (what == SC_N_ANSWERS && sc_speech_raw(&w->speech, &said))
        hear(w, &said);
    else if (what == SC_N_ANSWERS + 1)
        pass(w);
    else if (what == SC_N_ANSWERS + 2)
        turn(w);
    else if (what == SC_N_ANSWERS + 3)
        w->coordinator.epoch++; // another coordinator
    else if (what > SC_N_ANSWERS + 3)
        event(w, what - SC_N_ANSWERS - 4);
}

static void
look_at_requests(const world *w, const sc_client_session *s)
{
    uint64_t max_held = w->max_window + LARGE_BYTES + SC_CHUNK_MAX_TASKS * sizeof(uint32_t);
    unsigned n_calls = 0;
    for (const sc_client_request *r = s->requests; r; r = r->hh.next) {
        n_calls += r->message.type == SC_MSG_CALL && r->is_said;
        if (!r->chunks)
            continue;
        SC_ASSERT(sc_chunks_check(r->chunks));
        SC_ASSERT(r->chunks->held_bytes <= max_held || max_held < w->max_window);
    }
    SC_ASSERT(n_calls == s->n_calls);
}

static void
look(const world *w)
{
    const sc_client_session *s = w->self->session;
    SC_ASSERT(HASH_COUNT(s->requests) == w->n_open);
    SC_ASSERT(s->n_calls <= SC_CLIENT_MAX_CALLS);
    if (w->n_open <= MAX_LOOKED_AT)
        look_at_requests(w, s);
    SC_ASSERT(!w->client || w->link.needs_turn ||
              w->self->armed_ms <= sc_client_session_next_ms(s));
}

static void
start(world *w, const uint8_t *data, size_t size)
{
    sc_client_options options = {
        .name = "c", .connect_timeout_ms = 1000, .on_event = on_event, .arg = w};
    clock_ms = 1000;
    w->coordinator = (sc_answers){.speech = &w->speech, .epoch = 1};
    w->max_window = SC_UPLOAD_WINDOW_BYTES;
    sc_speech_init(&w->speech, data, size);
    SC_ASSERT(uv_loop_init(&w->loop) == 0);
    w->loop.data = w;
    SC_ASSERT(sc_client_new(&w->loop, &options, &w->client) == 0);
    w->self = w->client;
    sc_random_init(&w->self->random, 1);
}

static void
stop(world *w)
{
    close_client(w);
    SC_ASSERT(w->link.on_closed);
    w->link.on_closed(w->link.closed_arg);
    SC_ASSERT(uv_run(&w->loop, UV_RUN_DEFAULT) == 0);
    SC_ASSERT(!w->self && uv_loop_close(&w->loop) == 0);
    sc_speech_fini(&w->speech);
    free(w);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    world *w = calloc(1, sizeof *w);
    SC_ASSERT(w);
    start(w, data, size);
    while (!sc_speech_is_over(&w->speech) && w->client) {
        loop_event(w, sc_speech_byte(&w->speech) % (SC_N_ANSWERS + 4 + N_QUESTIONS + 7));
        look(w);
    }
    stop(w);
    return 0;
}
