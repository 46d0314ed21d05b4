/* SPDX-License-Identifier: Apache-2.0 */
/* Links against each other: bursts, full queues, broken connections, ends. */
#include "proto/link.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/limits.h"
#include "tests/support/stations.h"

enum { BURST = 5000, ROUNDS = 4 };

// Bursts larger than a turn, sent from a timer: on neither side does a message come by an event of
// its own.
static void
on_burst(uv_timer_t *timer)
{
    world *w = timer->data;
    for (uint64_t i = 1; i <= BURST / ROUNDS; i++) {
        cr_assert_eq(station_send(&w->stations[1], 0, i), 0);
        cr_assert_eq(station_send(&w->stations[0], w->stations[0].peer, i), 0);
    }
}

Test(link, nothing_is_lost_or_left_lying)
{
    world w;
    world_init(&w);
    station *hub = station_listen(&w, 0, "tcp://127.0.0.1:0");
    station *peer = station_connect(&w, 1, sc_link_endpoint(hub->link));
    station_introduce(&w, hub, peer);
    uint64_t each = BURST / ROUNDS;
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        uv_timer_start(&w.timer, on_burst, 0, 0);
        RUN_UNTIL(&w, "burst",
                  hub->n_messages == 1 + round * each && peer->n_messages == round * each);
        cr_expect_eq(hub->sum, round * each * (each + 1) / 2, "every number once");
        cr_expect_eq(peer->sum, round * each * (each + 1) / 2, "every number once");
    }
    cr_expect_geq(hub->n_turns, BURST / SC_LINK_TURN_MESSAGES, "no turn takes more than its bound");
    world_fini(&w);
}

// Sends from inside callbacks: the socket becomes readable while it is being written.
static void
pass_on(station *s, uint64_t peer, const sc_message *message)
{
    if (message->results.number > 0)
        station_send(s, peer, message->results.number - 1);
}

Test(link, ping_pong)
{
    static const struct {
        const char *name;
        unsigned spin_us, n_balls;
    } rows[] = {
        {"one", 0, 1}, {"many", 0, 300}, {"one, spinning", 100, 1}, {"many, spinning", 1001, 300}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        world w;
        world_init(&w);
        station *hub = station_listen(&w, 0, "tcp://127.0.0.1:0");
        station *peer = station_connect(&w, 1, sc_link_endpoint(hub->link));
        station_introduce(&w, hub, peer);
        hub->react = peer->react = pass_on;
        sc_link_spin(hub->link, rows[i].spin_us);
        for (unsigned ball = 0; ball < rows[i].n_balls; ball++)
            cr_assert_eq(station_send(peer, 0, 99), 0, "%s", rows[i].name);
        RUN_UNTIL(&w, rows[i].name,
                  hub->n_messages == 1 + 50 * rows[i].n_balls &&
                      peer->n_messages == 50 * rows[i].n_balls);
        world_fini(&w);
    }
}

Test(link, full_queue_refuses_and_recovers)
{
    enum { MAX_SENT = 1000000 };
    world w;
    world_init(&w);
    station *hub = station_listen(&w, 0, "tcp://127.0.0.1:0");
    station *peer = station_connect(&w, 1, sc_link_endpoint(hub->link));
    station_introduce(&w, hub, peer);
    uint64_t n_turns = peer->n_turns, n = 0;
    int rc = 0;
    sc_blob *blob = sc_blob_new(4000);
    memset(blob->data, 1, blob->len);
    sc_message m = {.type = SC_MSG_RESULTS, .bytes = sc_slice_of(blob)};
    while (n < MAX_SENT && (m.results.number = n + 1, rc = sc_link_send(peer->link, 0, &m)) == 0)
        n++;
    cr_assert_eq(rc, UV_EAGAIN, "full after %d", (int)n);
    RUN_UNTIL(&w, "room", peer->n_turns > n_turns);
    m.results.number = n + 1;
    cr_expect_eq(sc_link_send(peer->link, 0, &m), 0, "on_turn came, so there is room");
    RUN_UNTIL(&w, "all", hub->last_number == n + 1);
    cr_expect_eq(hub->sum, (n + 1) * (n + 2) / 2, "every number once");
    uint64_t to = hub->peer;
    for (n = 0; n < MAX_SENT && (rc = sc_link_send(hub->link, to, &m)) == 0;)
        n++;
    cr_assert_eq(rc, UV_EAGAIN, "the other way too");
    RUN_UNTIL(&w, "all back", peer->n_messages == n);
    sc_blob_unref(blob);
    world_fini(&w);
}

Test(link, drain_reads_without_the_loop)
{
    enum { N = 10 * SC_LINK_TURN_MESSAGES };
    world w;
    world_init(&w);
    station *hub = station_listen(&w, 0, "tcp://127.0.0.1:0");
    station *peer = station_connect(&w, 1, sc_link_endpoint(hub->link));
    station_introduce(&w, hub, peer);
    for (uint64_t i = 1; i <= N; i++)
        cr_assert_eq(station_send(peer, 0, i), 0);
    for (int i = 0; i < 100000000 && hub->n_messages < 1 + N; i++)
        sc_link_drain(hub->link);
    cr_expect_eq(hub->n_messages, 1u + N);
    uint64_t n_turns = hub->n_turns;
    sc_link_drain(hub->link);
    cr_expect_eq(hub->n_turns, n_turns, "nothing came, nothing to act on");
    world_fini(&w);
}

/* ---- ends ---- */

static void
close_itself(station *s, uint64_t peer, const sc_message *message)
{
    (void)peer;
    (void)message;
    sc_link_close(&s->link, station_closed, s);
}

Test(link, close_inside_a_callback)
{
    world w;
    world_init(&w);
    station *hub = station_listen(&w, 0, "tcp://127.0.0.1:0");
    station *peer = station_connect(&w, 1, sc_link_endpoint(hub->link));
    station_introduce(&w, hub, peer);
    hub->react = close_itself;
    uint64_t n_turns = hub->n_turns;
    for (int i = 0; i < 10; i++)
        station_send(peer, 0, 1);
    RUN_UNTIL(&w, "close", hub->n_closed == 1);
    cr_expect_eq(hub->n_messages, 2u, "nothing is called back after it");
    cr_expect_eq(hub->n_turns, n_turns, "not even the turn");
    cr_expect_null(hub->link);
    sc_link_close(&hub->link, station_closed, hub);
    sc_link_close(&peer->link, NULL, NULL);
    cr_expect_null(peer->link);
    world_fini(&w);
    cr_expect_eq(hub->n_closed, 1u, "once");
}

Test(link, last_words_are_delivered)
{
    world w;
    world_init(&w);
    station *hub = station_listen(&w, 0, "tcp://127.0.0.1:0");
    station *peer = station_connect(&w, 1, sc_link_endpoint(hub->link));
    station_introduce(&w, hub, peer);
    for (uint64_t i = 1; i <= 100; i++)
        cr_assert_eq(station_send(peer, 0, i), 0);
    sc_link_close(&peer->link, NULL, NULL);
    RUN_UNTIL(&w, "last words", hub->last_number == 100);
    world_fini(&w);
}

static void
on_retry(uv_timer_t *timer)
{
    (void)timer; // it only wakes the loop
}

// To who listens; whose it was, the refused word says.
Test(link, an_end_is_told)
{
    world w;
    world_init(&w);
    station *hub = station_listen(&w, 0, "tcp://127.0.0.1:0");
    station *peer = station_connect(&w, 1, sc_link_endpoint(hub->link));
    station_introduce(&w, hub, peer);
    cr_expect_eq(hub->n_ended, 0u);
    sc_link_close(&peer->link, NULL, NULL);
    fprintf(stderr, "%d\n", (int)hub->n_ended);
    RUN_UNTIL(&w, "the end", hub->n_ended >= 1);
    fprintf(stderr, "%d\n", (int)hub->n_ended);
    uv_timer_start(&w.timer, on_retry, 1, 1);
    RUN_UNTIL(&w, "the refusal", station_send(hub, hub->peer, 1) == UV_EHOSTUNREACH);
    uv_timer_stop(&w.timer);
    world_fini(&w);
}

Test(link, connects_again)
{
    char path[64], endpoint[80];
    world w;
    world_init(&w);
    snprintf(path, sizeof path, "/tmp/sc_test_link_%d", (int)getpid());
    snprintf(endpoint, sizeof endpoint, "ipc://%s", path);
    station *first = station_listen(&w, 0, endpoint);
    station *peer = station_connect(&w, 1, endpoint);
    station_introduce(&w, first, peer);
    uint64_t gone = first->peer;
    sc_link_close(&first->link, station_closed, first);
    // A link does not tell of a loss, only a send that is refused does: try now and then.
    uv_timer_start(&w.timer, on_retry, 1, 1);
    RUN_UNTIL(&w, "the loss", station_send(peer, 0, 1) == UV_EAGAIN);
    uv_timer_stop(&w.timer);
    uint64_t n_turns = peer->n_turns;
    // The path is free when ZeroMQ's threads have let go of it.
    station *second = &w.stations[2];
    sc_link_events events = station_events(second);
    while (sc_link_listen(&w.loop, endpoint, &events, &second->link, NULL) == UV_EADDRINUSE)
        sched_yield();
    RUN_UNTIL(&w, "connection", peer->n_turns > n_turns);
    cr_expect_eq(station_send(peer, 0, 77), 0);
    RUN_UNTIL(&w, "message", second->last_number == 77);
    cr_expect_eq(station_send(second, second->peer, 1), 0);
    cr_expect_neq(second->peer, gone);
    cr_expect_eq(station_send(second, gone, 1), UV_EHOSTUNREACH);
    world_fini(&w);
    unlink(path);
}
