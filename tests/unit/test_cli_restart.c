/* SPDX-License-Identifier: Apache-2.0 */
/* When a child is started again. */
#include <criterion/criterion.h>

#include "client/cli/restart.h"

Test(cli_restart, backoff_doubles_until_it_was_ready)
{
    static const struct {
        bool was_ready;
        int64_t want_ms;
    } rows[] = {
        {false, 100},  {false, 200},  {false, 400},  {false, 800}, {false, 1600},
        {false, 3200}, {false, 5000}, {false, 5000}, {true, 0},    {false, 100},
    };
    int64_t now_ms = 1000;
    sc_restart r = {0};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t delay_ms;

        sc_restart_started(&r, now_ms);
        now_ms += 2000; // so that the bound of starts a second does not count
        delay_ms = sc_restart_delay(&r, rows[i].was_ready, now_ms);
        cr_expect_eq(delay_ms, rows[i].want_ms, "death %zu: %lld", i, (long long)delay_ms);
        now_ms += delay_ms;
    }
}

Test(cli_restart, at_most_ten_starts_a_second)
{
    int64_t now_ms = 5000, starts_ms[100];
    sc_restart r = {0};

    for (int i = 0; i < 100; i++) { // it dies a millisecond after each start
        starts_ms[i] = now_ms;
        sc_restart_started(&r, now_ms);
        now_ms++;
        now_ms += sc_restart_delay(&r, true, now_ms);
        if (i >= SC_RESTART_STARTS)
            cr_expect_geq(starts_ms[i] - starts_ms[i - SC_RESTART_STARTS], 1000, "start %d", i);
        else
            cr_expect_leq(starts_ms[i], 5010, "start %d", i);
    }
}
