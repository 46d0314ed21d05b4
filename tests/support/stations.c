/* SPDX-License-Identifier: Apache-2.0 */
/* Links that count: see stations.h. */
#include "tests/support/stations.h"

#include <stdio.h>
#include <string.h>

static void
on_message(void *arg, uint64_t peer, const sc_message *message)
{
    station *s = arg;
    s->n_messages++;
    s->peer = peer;
    if (message->type == SC_MSG_RESULTS) {
        s->last_number = message->results.number;
        s->sum += message->results.number;
    }
    if (message->table.len > 0) {
        sc_slice_drop(&s->table);
        sc_slice_drop(&s->bytes);
        s->table = sc_slice_keep(message->table);
        s->bytes = sc_slice_keep(message->bytes);
    }
    if (s->react)
        s->react(s, peer, message);
}

static void
on_malformed(void *arg, uint64_t peer, const sc_error *err)
{
    station *s = arg;
    s->n_malformed++;
    s->peer = peer;
    snprintf(s->reason, sizeof s->reason, "%s", err->text);
}

static void
on_turn(void *arg)
{
    ((station *)arg)->n_turns++;
}

static void
on_ended(void *arg)
{
    ((station *)arg)->n_ended++;
}

void
station_closed(void *arg)
{
    ((station *)arg)->n_closed++;
}

static void
on_deadline(uv_timer_t *timer)
{
    ((world *)timer->data)->is_late = true;
}

void
world_init(world *w)
{
    memset(w, 0, sizeof *w);
    uv_loop_init(&w->loop);
    uv_timer_init(&w->loop, &w->timer);
    uv_timer_init(&w->loop, &w->deadline);
    w->timer.data = w->deadline.data = w;
}

void
world_fini(world *w)
{
    for (int i = 0; i < MAX_STATIONS; i++) {
        station *s = &w->stations[i];
        sc_link_close(&s->link, station_closed, s);
        sc_slice_drop(&s->table);
        sc_slice_drop(&s->bytes);
    }
    uv_close((uv_handle_t *)&w->timer, NULL);
    uv_close((uv_handle_t *)&w->deadline, NULL);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&w->loop), 0, "the loop is empty at the end");
}

void
world_turn(world *w, const char *name, const char *awaited)
{
    uv_timer_start(&w->deadline, on_deadline, WAIT_MS, 0);
    uv_run(&w->loop, UV_RUN_ONCE);
    cr_assert_not(w->is_late, "%s: waited in vain for %s", name, awaited);
}

sc_link_events
station_events(station *s)
{
    return (sc_link_events){on_message, on_malformed, on_turn, on_ended, s};
}

station *
station_listen(world *w, int i, const char *endpoint)
{
    station *s = &w->stations[i];
    sc_link_events events = station_events(s);
    sc_error err = {0};
    int rc = sc_link_listen(&w->loop, endpoint, &events, &s->link, &err);
    cr_assert_eq(rc, 0, "listen at %s: %s", endpoint, err.text);
    return s;
}

station *
station_connect(world *w, int i, const char *endpoint)
{
    station *s = &w->stations[i];
    sc_link_events events = station_events(s);
    sc_error err = {0};
    int rc = sc_link_connect(&w->loop, endpoint, &events, &s->link, &err);
    cr_assert_eq(rc, 0, "connect to %s: %s", endpoint, err.text);
    return s;
}

int
station_send(station *s, uint64_t peer, uint64_t number)
{
    sc_message m = {.type = SC_MSG_RESULTS, .results.number = number};
    return sc_link_send(s->link, peer, &m);
}

// A connecting link says on_turn once it is connected, and not before.
void
station_introduce(world *w, station *hub, station *peer)
{
    uint64_t before = hub->n_messages;
    RUN_UNTIL(w, "introduce", peer->n_turns > 0);
    cr_assert_eq(station_send(peer, 0, 0), 0, "connected");
    RUN_UNTIL(w, "introduce", hub->n_messages > before);
}
