/* SPDX-License-Identifier: Apache-2.0 */
/* A client on a real loop and link, and the coordinator that a test scripts for it. Nothing waits
 * by the clock: what does not come lets the deadline of the test fire. */
#ifndef SC_TEST_CLIENT_SUPPORT_H
#define SC_TEST_CLIENT_SUPPORT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/limits.h"
#include "client/seedcore.h"
#include "proto/link.h"
#include "proto/run.h"

enum { WAIT_MS = 20000, MAX_TASKS = 20000 };
#define JOB_ID "0193a5e0-0000-7000-8000-000000000001"

static const char long_name[SC_LABEL_MAX + 2] =
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    "xxxxxx"
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    "xxxxxxx";

typedef struct world {
    uv_loop_t loop;
    uv_timer_t deadline;
    bool is_late;
    char endpoint[100];
    sc_client *client;
    bool is_client_closed;
    // the coordinator
    sc_link *link;
    uint64_t epoch, peer;
    uint64_t known; // the connection that has said HELLO
    void (*react)(struct world *w, const sc_message *m);
    uint64_t n_questions, n_tasks, n_chunks;
    char text[256]; // what it noticed
    // the client's callbacks
    char log[2000];
    int n_ends;      // callbacks that ended something
    int n_wanted;    // after so many the loop stops
    bool must_close; // the next callback closes the client
    sc_upload *upload;
    uint64_t n_added, n_to_add;
    int n_rooms;
} world;

static void SC_PRINTF(2, 3) note(world *w, const char *format, ...)
{
    size_t len = strlen(w->log);
    va_list args;

    va_start(args, format);
    vsnprintf(w->log + len, sizeof w->log - len, format, args);
    va_end(args);
}

static void
say(world *w, sc_message message)
{
    cr_assert_eq(sc_link_send(w->link, w->peer, &message), 0);
}

static void
on_message(void *arg, uint64_t peer, const sc_message *m)
{
    world *w = arg;

    w->peer = peer;
    if (m->type != SC_MSG_HELLO && peer != w->known) {
        say(w, (sc_message){.type = SC_MSG_WHO});
        return;
    }
    switch (m->type) {
    case SC_MSG_HELLO:
        w->known = peer;
        say(w, (sc_message){
                   .type = SC_MSG_WELCOME,
                   .welcome = {1, w->epoch, {"1", 1}, {"h", 1}, 1, 200, 800, SC_TASK_MAX_BYTES}});
        break;
    case SC_MSG_HEARTBEAT:
        say(w, *m);
        break;
    case SC_MSG_BYE:
        break;
    default:
        w->n_questions++;
        if (w->react)
            w->react(w, m);
        break;
    }
}

static void
on_malformed(void *arg, uint64_t peer, const sc_error *err)
{
    (void)arg;
    (void)peer;
    cr_assert_fail("the client said something malformed: %s", err->text);
}

static void
listen_at(world *w, const char *endpoint)
{
    sc_link_events events = {on_message, on_malformed, NULL, NULL, w};
    sc_error err = {0};

    cr_assert_eq(sc_link_listen(&w->loop, endpoint, &events, &w->link, &err), 0, "%s", err.text);
    snprintf(w->endpoint, sizeof w->endpoint, "%s", sc_link_endpoint(w->link));
}

static void
on_deadline(uv_timer_t *timer)
{
    world *w = timer->data;

    w->is_late = true;
    uv_stop(&w->loop);
}

static void
on_client_event(void *arg, sc_client_event event, const sc_failure *why)
{
    static const char *const names[] = {"up", "down", "refused", "unreachable"};
    world *w = arg;

    note(w, why ? "%s=%s " : "%s ", names[event], why ? why->code : "");
}

static world *
begin(void (*react)(world *w, const sc_message *m))
{
    world *w = calloc(1, sizeof *w);
    sc_client_options options = {.connect_timeout_ms = -1, .on_event = on_client_event, .arg = w};

    cr_assert_eq(uv_loop_init(&w->loop), 0);
    uv_timer_init(&w->loop, &w->deadline);
    w->deadline.data = w;
    uv_timer_start(&w->deadline, on_deadline, WAIT_MS, 0);
    w->epoch = 7;
    w->react = react;
    listen_at(w, "tcp://127.0.0.1:*");
    options.endpoint = w->endpoint;
    cr_assert_eq(sc_client_new(&w->loop, &options, &w->client), 0);
    return w;
}

// Runs until n callbacks in all have ended something.
static void
run_until(world *w, int n)
{
    w->n_wanted = n;
    if (w->n_ends < n && !w->is_late)
        uv_run(&w->loop, UV_RUN_DEFAULT);
    cr_assert_not(w->is_late, "waited too long; %s", w->log);
    cr_assert_eq(w->n_ends, n, "%d; %s", w->n_ends, w->log);
}

static void
on_client_closed(void *arg)
{
    ((world *)arg)->is_client_closed = true;
}

static void
end(world *w)
{
    bool is_open = w->client != NULL;

    uv_close((uv_handle_t *)&w->deadline, NULL);
    sc_client_close(&w->client, on_client_closed, w);
    cr_assert_null(w->client);
    cr_assert_not(is_open && w->is_client_closed, "closed only from the loop");
    sc_link_close(&w->link, NULL, NULL);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    cr_assert(w->is_client_closed);
    cr_assert_eq(uv_loop_close(&w->loop), 0);
    free(w);
}

// What every callback does at its end.
static void
ended(world *w, const sc_failure *why)
{
    note(w, why ? "(%s) " : "ok ", why ? why->code : "");
    cr_assert(!why || strlen(why->text) > 0);
    if (++w->n_ends == w->n_wanted)
        uv_stop(&w->loop);
    if (w->must_close) {
        w->must_close = false;
        sc_client_close(&w->client, on_client_closed, w);
    }
}

static void
on_submitted(void *arg, const char *job, const sc_failure *why)
{
    world *w = arg;
    sc_uuid id;

    cr_assert(sc_uuid_parse(job, strlen(job), &id), "%s", job);
    ended(w, why);
}

#endif
