/* SPDX-License-Identifier: Apache-2.0 */
/* When a session leaves an endpoint, to the millisecond, and whom it believes. */
#include "proto/search.h"

#include <string.h>

#include <criterion/criterion.h>

enum { HEARTBEAT = 200, LEASE = 800, START = 10000 };

Test(search, when_it_leaves)
{
    static const struct {
        const char *name;
        unsigned n_endpoints, n_left;
        const char *what; // s: lost in silence, r: rejected, l: 50 ms late
        bool is_said;
        int64_t want; // after the start; -1: never
    } rows[] = {
        {"one endpoint", 1, 0, "", true, -1},
        {"one, however it went", 1, 9, "sr", false, -1},
        {"none counts as one", 0, 0, "s", false, -1},
        {"nobody listens", 2, 0, "", false, 2 * HEARTBEAT},
        {"no answer", 2, 0, "", true, LEASE},
        {"silent in a session", 2, 0, "s", true, 0},
        {"it will not lead", 2, 0, "r", true, HEARTBEAT},
        {"another round", 2, 3, "", true, LEASE},
        {"the third round ends", 2, 5, "", false, 2 * HEARTBEAT},
        {"a patient round", 2, 6, "", false, 8 * HEARTBEAT},
        {"a patient round, no answer", 2, 7, "", true, 4 * LEASE},
        {"a patient round is no reason to wait for those that will not lead", 2, 7, "r", true,
         HEARTBEAT},
        {"after a patient round", 2, 8, "", true, LEASE},
        {"eight endpoints", 8, 23, "", false, 2 * HEARTBEAT},
        {"eight, a patient round", 8, 24, "", false, 8 * HEARTBEAT},
        {"this process stood still", 2, 0, "l", false, 2 * HEARTBEAT + 50},
    };
    sc_liveness times;

    sc_liveness_init(&times, HEARTBEAT, LEASE, 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_search s;
        int64_t want = rows[i].want < 0 ? INT64_MAX : START + rows[i].want, got;

        sc_search_init(&s, rows[i].n_endpoints, 0);
        for (unsigned n = 0; n < rows[i].n_left; n++)
            sc_search_left(&s, START);
        sc_search_begin(&s, strchr(rows[i].what, 's'), START);
        if (strchr(rows[i].what, 'r'))
            sc_search_reject(&s);
        if (strchr(rows[i].what, 'l'))
            sc_search_shift(&s, 50);
        got = sc_search_leave_ms(&s, rows[i].is_said, &times);
        cr_expect_eq(got, want, "%s: %ld, not %ld", rows[i].name, (long)got, (long)want);
    }
}

// What was wrong with one endpoint is not held against the next.
Test(search, the_next_one_has_its_own_time)
{
    sc_liveness times;
    sc_search s;

    sc_liveness_init(&times, HEARTBEAT, LEASE, 0);
    sc_search_init(&s, 3, 0);
    sc_search_begin(&s, true, START);
    sc_search_reject(&s);
    sc_search_left(&s, START + 5);
    cr_expect_eq(sc_search_leave_ms(&s, false, &times), START + 5 + 2 * HEARTBEAT);
    for (int i = 0; i < 9; i++)
        sc_search_left(&s, START);
    sc_search_found(&s, 1);
    sc_search_begin(&s, false, START);
    cr_expect_eq(sc_search_leave_ms(&s, true, &times), START + LEASE,
                 "a new search is not patient");
}

Test(search, whom_it_believes)
{
    static const struct {
        const char *name;
        unsigned n_endpoints;
        uint64_t found, said;
        bool want;
    } rows[] = {
        {"the first", 2, 0, 1, true},
        {"the same again", 2, 5, 5, true},
        {"its successor", 2, 5, 6, true},
        {"one that was deposed", 2, 5, 4, false},
        {"one endpoint, its journal made anew", 1, 5, 1, true},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_search s;

        sc_search_init(&s, rows[i].n_endpoints, 0);
        if (rows[i].found > 0)
            sc_search_found(&s, rows[i].found);
        sc_search_left(&s, 1);
        cr_expect_eq(sc_search_believes(&s, rows[i].said), rows[i].want, "%s", rows[i].name);
    }
}
