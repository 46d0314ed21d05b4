/* SPDX-License-Identifier: Apache-2.0 */
/* A loop with a few links on it that count what comes: the ground that the tests of links stand on.
 * Nothing here waits by the clock: a wake-up that is lost lets the one deadline of a test pass, and
 * that fails it. */
#ifndef SC_TEST_STATIONS_H
#define SC_TEST_STATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include <criterion/criterion.h>
#include <uv.h>

#include "proto/link.h"

enum { WAIT_MS = 20000, MAX_STATIONS = 4 };

typedef struct station station;
struct station {
    sc_link *link;
    uint64_t n_messages, n_malformed, n_turns, n_ended, n_closed;
    uint64_t peer;         /* of the last message */
    uint64_t last_number;  /* RESULTS carry one each */
    uint64_t sum;          /* of all those */
    sc_slice table, bytes; /* kept from the last message with a payload */
    char reason[SC_ERROR_TEXT];
    void (*react)(station *s, uint64_t peer, const sc_message *message);
};

typedef struct world {
    uv_loop_t loop;
    uv_timer_t timer; /* the test's */
    uv_timer_t deadline;
    bool is_late;
    station stations[MAX_STATIONS];
} world;

void world_init(world *w);
/** Closes what is open and asserts that the loop is empty then. */
void world_fini(world *w);
/** One event of the loop; fails the test when none comes. */
void world_turn(world *w, const char *name, const char *awaited);

#define RUN_UNTIL(w, name, condition)                                                              \
    while (!(condition))                                                                           \
    world_turn(w, name, #condition)

sc_link_events station_events(station *s);
/** Station i listens or connects; the test fails where it cannot. */
station *station_listen(world *w, int i, const char *endpoint);
station *station_connect(world *w, int i, const char *endpoint);
int station_send(station *s, uint64_t peer, uint64_t number);
/** Until one message of the connecting side has come through. */
void station_introduce(world *w, station *hub, station *peer);
/** The on_closed of every station: counts. */
void station_closed(void *arg);

#endif
