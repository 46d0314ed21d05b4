/* SPDX-License-Identifier: Apache-2.0 */
/* A client on a loop: a link and a timer around a session. It decides nothing; session.c does. The
 * requests of client/seedcore.h are made in jobs.c, results.c and questions.c. */
#include "client/client_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "client/args.h"

static const char default_endpoint[] = "tcp://127.0.0.1:5570";
enum { HEARTBEAT_MS = 200, LEASE_MS = 800 }; // until the coordinator says its own

/* ---- link, timer, session ---- */

static int
send_message(void *arg, const sc_message *message)
{
    sc_client *c = arg;

    return sc_uplink_send(c->link, message);
}

static void
on_next(void *arg)
{
    sc_client *c = arg;

    sc_uplink_next(c->link);
}

static void
on_event(void *arg, sc_client_event event, const sc_failure *why)
{
    sc_client *c = arg;

    if (c->on_event)
        c->on_event(c->arg, event, why);
}

static void
on_message(void *arg, uint64_t peer, const sc_message *message)
{
    sc_client *c = arg;

    (void)peer;
    sc_client_session_message(c->session, message, sc_clock_ms());
}

// The link has dropped it; a coordinator that says nothing else will be missed.
static void
on_malformed(void *arg, uint64_t peer, const sc_error *err)
{
    (void)arg;
    (void)peer;
    (void)err;
}

static void
on_turn(void *arg)
{
    sc_client *c = arg;

    sc_client_session_room(c->session, sc_clock_ms());
    sc_client_arm(c);
}

static void
on_timer(uv_timer_t *timer)
{
    sc_client *c = timer->data;

    c->armed_ms = INT64_MAX;
    sc_uplink_drain(c->link); // silence is judged on what was really sent
    if (c->is_closing)
        return;
    sc_client_session_tick(c->session, sc_clock_ms());
    sc_client_arm(c);
}

// A timer that fires early costs a look; so it is only ever brought forward.
void
sc_client_arm(sc_client *c)
{
    int64_t next_ms = sc_client_session_next_ms(c->session);
    int64_t now_ms = sc_clock_ms();

    if (c->is_closing || next_ms >= c->armed_ms)
        return;
    c->armed_ms = next_ms;
    uv_timer_start(&c->timer, on_timer, next_ms > now_ms ? (uint64_t)(next_ms - now_ms) : 0, 0);
}

/* ---- requests ---- */

sc_client_ask *
sc_client_ask_new(sc_client *client, void *arg, size_t text_bytes)
{
    sc_client_ask *ask = calloc(1, sizeof *ask + text_bytes);

    if (!ask)
        return NULL;
    ask->client = client;
    ask->arg = arg;
    return ask;
}

int
sc_client_ask_start(sc_client_ask *ask)
{
    sc_client *client = ask->client;
    int rc = sc_client_session_start(client->session, &ask->base, sc_clock_ms());

    if (rc)
        sc_client_ask_free(ask);
    sc_client_arm(client);
    return rc;
}

void
sc_client_ask_free(sc_client_ask *ask)
{
    sc_args_drop(&ask->base.message);
    free(ask);
}

sc_client_ask *
sc_client_ask_of(sc_client_request *base)
{
    return SC_CONTAINER(base, sc_client_ask, base);
}

/* ---- beginning and end ---- */

static int
set_names(sc_client *c, const char *name)
{
    char host[UV_MAXHOSTNAMESIZE];
    size_t size = sizeof host;

    if (uv_os_gethostname(host, &size) || !sc_utf8_printable(host, strlen(host)))
        strcpy(host, "host");
    snprintf(c->host, sizeof c->host, "%s", host);
    if (!name) {
        snprintf(c->name, sizeof c->name, "%.48s-%d", host, (int)uv_os_getpid());
        return 0;
    }
    if (*name == '\0' || strlen(name) > SC_NAME_MAX || !sc_utf8_printable(name, strlen(name)))
        return -EINVAL;
    strcpy(c->name, name);
    return 0;
}

static int
start_session(sc_client *c, int64_t connect_timeout_ms)
{
    sc_client_session_options options = {
        .send = send_message,
        .on_event = on_event,
        .next = on_next,
        .arg = c,
        .endpoints = sc_uplink_endpoints(c->link),
        .n_endpoints = sc_uplink_count(c->link),
        .name = c->name,
        .host = c->host,
        .instance = sc_random_entropy(),
        .pid = (uint64_t)uv_os_getpid(),
        .heartbeat_ms = HEARTBEAT_MS,
        .lease_ms = LEASE_MS,
        .connect_timeout_ms = connect_timeout_ms,
    };

    return sc_client_session_new(&options, sc_clock_ms(), &c->session);
}

int
sc_client_new(uv_loop_t *loop, const sc_client_options *options, sc_client **out)
{
    const char *endpoint = options->endpoint ? options->endpoint : default_endpoint;
    sc_client *c = calloc(1, sizeof *c);
    sc_link_events events = {on_message, on_malformed, on_turn, NULL, c};
    int rc;

    if (!c)
        return -ENOMEM;
    rc = set_names(c, options->name);
    if (rc)
        goto fail_client;
    rc = sc_uplink_open(loop, endpoint, &events, &c->link, NULL);
    if (rc)
        goto fail_client;
    rc = start_session(c, options->connect_timeout_ms);
    if (rc)
        goto fail_link;
    sc_random_init(&c->random, sc_random_entropy());
    c->on_event = options->on_event;
    c->arg = options->arg;
    uv_timer_init(loop, &c->timer);
    c->timer.data = c;
    c->n_handles = 2;
    c->armed_ms = INT64_MAX;
    sc_client_arm(c);
    *out = c;
    return 0;

fail_link:
    sc_uplink_close(&c->link, NULL, NULL);
fail_client:
    free(c);
    return rc == SC_EBADARG ? -EINVAL : rc;
}

static void
on_handle_closed(void *arg)
{
    sc_client *c = arg;
    void (*on_closed)(void *) = c->on_closed;
    void *closed_arg = c->closed_arg;

    if (--c->n_handles > 0)
        return;
    sc_client_session_free(&c->session);
    free(c->rows);
    free(c->workers);
    free(c);
    if (on_closed)
        on_closed(closed_arg);
}

static void
on_timer_closed(uv_handle_t *timer)
{
    on_handle_closed(timer->data);
}

void
sc_client_close(sc_client **client, void (*on_closed)(void *arg), void *arg)
{
    sc_client *c = *client;

    if (!c)
        return;
    *client = NULL;
    if (c->is_closing)
        return;
    c->is_closing = true;
    c->on_closed = on_closed;
    c->closed_arg = arg;
    sc_client_list_close(c);
    sc_client_session_close(c->session);
    uv_close((uv_handle_t *)&c->timer, on_timer_closed);
    sc_uplink_close(&c->link, on_handle_closed, c);
}

const char *
sc_client_endpoint(const sc_client *client)
{
    return sc_uplink_endpoint(client->link);
}

void
sc_client_set_timeout(sc_client *client, int64_t connect_timeout_ms)
{
    sc_client_session_set_timeout(client->session, connect_timeout_ms, sc_clock_ms());
    sc_client_arm(client);
}
