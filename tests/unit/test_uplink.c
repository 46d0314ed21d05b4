/* SPDX-License-Identifier: Apache-2.0 */
/* One link at a time to several hubs. */
#include "proto/uplink.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/stations.h"

static int
say(sc_uplink *u, uint64_t number)
{
    sc_message message = {.type = SC_MSG_RESULTS, .results.number = number};

    return sc_uplink_send(u, &message);
}

Test(uplink, from_one_to_the_next_and_round)
{
    world w;
    world_init(&w);
    station *first = station_listen(&w, 0, "tcp://127.0.0.1:0");
    station *second = station_listen(&w, 1, "tcp://127.0.0.1:0");
    station *peer = &w.stations[2];
    sc_link_events events = station_events(peer);
    char text[SC_ENDPOINTS_TEXT_MAX + 1];
    sc_uplink *u;

    snprintf(text, sizeof text, "%s,%s", sc_link_endpoint(first->link),
             sc_link_endpoint(second->link));
    cr_assert_eq(sc_uplink_open(&w.loop, text, &events, &u, NULL), 0);
    cr_expect_eq(sc_uplink_count(u), 2);
    cr_expect_str_eq(sc_uplink_endpoints(u), text);
    cr_expect_str_eq(sc_uplink_endpoint(u), sc_link_endpoint(first->link));
    RUN_UNTIL(&w, "the first", say(u, 7) == 0);
    RUN_UNTIL(&w, "the first", first->n_messages == 1);
    sc_uplink_next(u);
    cr_expect_str_eq(sc_uplink_endpoint(u), sc_link_endpoint(second->link));
    RUN_UNTIL(&w, "the second", say(u, 8) == 0);
    RUN_UNTIL(&w, "the second", second->n_messages == 1);
    station_send(first, first->peer, 1); // to a link that is no more
    station_send(second, second->peer, 2);
    RUN_UNTIL(&w, "the second answers", peer->n_messages == 1);
    cr_expect_eq(peer->last_number, 2);
    sc_uplink_next(u);
    RUN_UNTIL(&w, "the first again", say(u, 9) == 0);
    RUN_UNTIL(&w, "the first again", first->last_number == 9);
    sc_uplink_close(&u, station_closed, peer);
    cr_expect_null(u);
    RUN_UNTIL(&w, "closed", peer->n_closed == 1);
    world_fini(&w);
}

Test(uplink, refused)
{
    static const struct {
        const char *endpoints, *names;
    } rows[] = {
        {"", "\"\""},
        {"tcp://127.0.0.1:1,here", "here"},
        {"tcp://127.0.0.1:1,tcp://127.0.0.1:1", "tcp://127.0.0.1:1"},
        {"tcp://127.0.0.1:*", "tcp://127.0.0.1:*"},
        {"tcp://127.0.0.1:1,tcp://127.0.0.1:0", "tcp://127.0.0.1:0"},
    };
    world w;
    world_init(&w);
    sc_link_events events = station_events(&w.stations[0]);

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_uplink *u = NULL;
        sc_error err = {0};

        cr_expect_eq(sc_uplink_open(&w.loop, rows[i].endpoints, &events, &u, &err), SC_EBADARG);
        cr_expect(strstr(err.text, rows[i].names), "%s: %s", rows[i].endpoints, err.text);
        cr_expect_null(u);
    }
    sc_uplink_close(&(sc_uplink *){NULL}, NULL, NULL);
    world_fini(&w);
}
