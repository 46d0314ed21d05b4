/* SPDX-License-Identifier: Apache-2.0 */
/* The rules for one worker process: when it is started again, whether it stalls, how it died. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "worker/child.h"

static void
make(sc_child *c, bool is_ready)
{
    memset(c, 0, sizeof *c);
    cr_assert_eq(sc_page_create(1, 1, 1, &c->page), 0);
    if (is_ready)
        sc_page_set_ready(&c->page);
}

Test(child, waits_longer_while_it_is_never_ready)
{
    static const int64_t want[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000};
    sc_starts starts = {0};
    sc_child c;

    make(&c, false);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        sc_child_wait(&c, &starts, 1000);
        cr_expect_eq(c.start_ms, 1000 + want[i], "death %zu: %" PRId64, i, c.start_ms);
    }
    sc_page_set_ready(&c.page);
    sc_child_wait(&c, &starts, 1000);
    cr_expect_eq(c.start_ms, 1000, "at once after it was ready");
    atomic_store(&c.page.head->is_ready, false);
    sc_child_wait(&c, &starts, 1000);
    cr_expect_eq(c.start_ms, 1100, "from the beginning again");
    sc_page_close(&c.page);
}

Test(child, at_most_ten_starts_a_second)
{
    sc_starts starts = {0};
    int64_t at_ms = 0;

    for (int i = 0; i < 10; i++)
        cr_expect_eq(sc_starts_next(&starts, 5000 + i), 5000 + i, "%d", i);
    for (int i = 0; i < 10; i++)
        cr_expect_eq(at_ms = sc_starts_next(&starts, 5010), 6000 + i, "%d: %" PRId64, i, at_ms);
    cr_expect_eq(sc_starts_next(&starts, 5010), 7000);
    cr_expect_eq(sc_starts_next(&starts, 20000), 20000);
}

Test(child, stalls)
{
    static const struct {
        const char *name;
        const char *ticks; // of the supervisor, 100 ms each; t: the loop has turned since the last;
                           // b: this one of 60 s, as long as a start may take
        bool want;
    } rows[] = {
        {"turning", "tttttttt", false},
        {"starting", "........", false},
        {"starting as long as it may", "b", false},
        {"never begins", "b.", true},
        {"a long start, then it turns", "bt....", false},
        {"stands still", "t.....", true},
        {"for the lease, no longer", "t.....t", false},
        {"turns now and then", "t....t....t....t", false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool got = false;
        sc_child c;

        make(&c, true);
        for (const char *t = rows[i].ticks; *t; t++) {
            if (*t == 't')
                sc_page_tick(&c.page);
            got = sc_child_has_stalled(&c, *t == 'b' ? SC_CHILD_START_MS : 100, 450);
        }
        cr_expect_eq(got, rows[i].want, "%s", rows[i].name);
        sc_page_close(&c.page);
    }
}

Test(child, deaths)
{
    static const struct {
        const char *name;
        bool is_leaving, is_stalled, is_killed;
        int status, signal;
        sc_death want;
        uint32_t detail;
    } rows[] = {
        {"segv", false, false, false, 0, SIGSEGV, SC_DEATH_FAULT, SIGSEGV},
        {"abort", false, false, false, 0, SIGABRT, SC_DEATH_FAULT, SIGABRT},
        {"bus", false, false, false, 0, SIGBUS, SC_DEATH_FAULT, SIGBUS},
        {"fpe", false, false, false, 0, SIGFPE, SC_DEATH_FAULT, SIGFPE},
        {"ill", false, false, false, 0, SIGILL, SC_DEATH_FAULT, SIGILL},
        {"exit of its own", false, false, false, 3, 0, SC_DEATH_FAULT, 3},
        {"exit 0 of its own", false, false, false, 0, 0, SC_DEATH_FAULT, 0},
        {"out of memory", false, false, false, 0, SIGKILL, SC_DEATH_KILLED, SIGKILL},
        {"terminated", false, false, false, 0, SIGTERM, SC_DEATH_KILLED, SIGTERM},
        {"drained", true, false, false, 0, 0, SC_DEATH_STOPPED, 0},
        {"refused", true, false, false, 1, 0, SC_DEATH_STOPPED, 1},
        {"fault while leaving", true, false, false, 0, SIGSEGV, SC_DEATH_FAULT, SIGSEGV},
        {"stalled", false, true, false, 0, SIGKILL, SC_DEATH_STALLED, SIGKILL},
        {"killed by us", false, false, true, 0, SIGKILL, SC_DEATH_STOPPED, SIGKILL},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t detail;
        sc_child c;

        make(&c, true);
        if (rows[i].is_leaving)
            sc_page_set_leaving(&c.page);
        c.is_stalled = rows[i].is_stalled;
        c.is_killed = rows[i].is_killed;
        cr_expect_eq(sc_child_death(&c, rows[i].status, rows[i].signal, &detail), rows[i].want,
                     "%s", rows[i].name);
        cr_expect_eq(detail, rows[i].detail, "%s", rows[i].name);
        sc_page_close(&c.page);
    }
}
