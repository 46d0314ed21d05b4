/* SPDX-License-Identifier: Apache-2.0 */
/* The fault points: which passing fails, what is counted, and what the environment may say. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/fault.h"

Test(fault, the_nth_passing_fails_once)
{
    static const struct {
        const char *name;
        uint64_t nth;
        const char *want; // one character a passing, x fails
    } rows[] = {
        {"never", 0, "......"}, {"first", 1, "x....."},     {"third", 3, "..x..."},
        {"last", 6, ".....x"},  {"after all", 7, "......"}, {"far away", UINT64_MAX, "......"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_assert(sc_fault_set("test.point", rows[i].nth), "%s", rows[i].name);
        for (size_t k = 0; rows[i].want[k]; k++)
            cr_expect_eq(sc_fault_hit("test.point"), rows[i].want[k] == 'x', "%s: passing %zu",
                         rows[i].name, k + 1);
        cr_expect_eq(sc_fault_count("test.point"), 6, "%s", rows[i].name);
    }
}

Test(fault, points_do_not_share)
{
    sc_fault_set("a.b", 1);
    cr_expect_not(sc_fault_hit("a"));
    cr_expect_not(sc_fault_hit("a.bc"));
    cr_expect_eq(sc_fault_count("a.b"), 0);
    cr_expect(sc_fault_hit("a.b"));
    cr_expect_eq(sc_fault_count("a"), 1);
    cr_expect_eq(sc_fault_count("never.passed"), 0);
    sc_fault_set("a.b", 0);
    cr_expect_eq(sc_fault_count("a.b"), 0, "setting it starts the count again");
}

Test(fault, reset_forgets)
{
    sc_fault_set("a", 2);
    sc_fault_hit("a");
    sc_fault_reset();
    cr_expect_eq(sc_fault_count("a"), 0);
    cr_expect_not(sc_fault_hit("a"));
    cr_expect_not(sc_fault_hit("a"));
}

Test(fault, the_table_is_bounded)
{
    static const char longest[] = "12345678901234567890123456789012345678901234567";
    static const char too_long[] = "123456789012345678901234567890123456789012345678";
    char name[16];

    cr_expect(sc_fault_set(longest, 1));
    cr_expect(sc_fault_hit(longest));
    cr_expect_not(sc_fault_set(too_long, 1));
    cr_expect_not(sc_fault_hit(too_long));
    cr_expect_not(sc_fault_set("", 1));
    sc_fault_reset();
    for (int i = 0; i < 64; i++) {
        snprintf(name, sizeof(name), "point.%d", i);
        cr_assert(sc_fault_set(name, 1), "%s", name);
    }
    cr_expect_not(sc_fault_set("one.more", 1));
    cr_expect_not(sc_fault_hit("one.more"));
    cr_expect_eq(sc_fault_count("one.more"), 0);
    cr_expect(sc_fault_hit("point.0"));
    cr_expect(sc_fault_hit("point.63"));
}

Test(fault, environment)
{
    static const struct {
        const char *name;
        const char *text;     // NULL: not set
        const char *want_bad; // NULL: accepted
        const char *want;     // passings of "a.x", then of "b", x fails
    } rows[] = {
        {"not set", NULL, NULL, "... ..."},
        {"empty", "", NULL, "... ..."},
        {"one point", "a.x:2", NULL, ".x. ..."},
        {"two points", "a.x:1,b:3", NULL, "x.. ..x"},
        {"comma at the end", "b:1,", NULL, "... x.."},
        {"no number", "a.x", "a.x", "... ..."},
        {"empty number", "a.x:", "a.x:", "... ..."},
        {"zero", "a.x:0", "a.x:0", "... ..."},
        {"negative", "a.x:-1", "a.x:-1", "... ..."},
        {"space", "a.x: 1", "a.x: 1", "... ..."},
        {"letters behind", "a.x:1x", "a.x:1x", "... ..."},
        {"no name", ":1", ":1", "... ..."},
        {"second word is wrong", "a.x:1,b", "b", "x.. ..."},
        {"two commas", "a.x:1,,b:1", ",b:1", "x.. ..."},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *bad = "untouched";
        char got[8] = "... ...";

        sc_fault_reset();
        unsetenv("SEEDCORE_FAULTS");
        if (rows[i].text)
            setenv("SEEDCORE_FAULTS", rows[i].text, 1);
        cr_expect_eq(sc_fault_from_environment(&bad), rows[i].want_bad == NULL, "%s", rows[i].name);
        if (rows[i].want_bad)
            cr_expect_str_eq(bad, rows[i].want_bad, "%s: %s", rows[i].name, bad);
        else
            cr_expect_null(bad, "%s", rows[i].name);
        for (int k = 0; k < 3; k++) {
            got[k] = sc_fault_hit("a.x") ? 'x' : '.';
            got[k + 4] = sc_fault_hit("b") ? 'x' : '.';
        }
        cr_expect_str_eq(got, rows[i].want, "%s: %s", rows[i].name, got);
    }
}

enum { N_THREADS = 4, N_HITS = 10000 };

static void *
hit_often(void *arg)
{
    int *n_failed = arg;

    for (int i = 0; i < N_HITS; i++)
        *n_failed += sc_fault_hit("shared");
    return NULL;
}

Test(fault, threads_count_together)
{
    pthread_t threads[N_THREADS];
    int n_failed[N_THREADS] = {0};
    int sum = 0;

    sc_fault_set("shared", N_THREADS * N_HITS / 2);
    for (int i = 0; i < N_THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, hit_often, &n_failed[i]), 0);
    for (int i = 0; i < N_THREADS; i++) {
        pthread_join(threads[i], NULL);
        sum += n_failed[i];
    }
    cr_expect_eq(sc_fault_count("shared"), N_THREADS * N_HITS);
    cr_expect_eq(sum, 1, "it fails once, in one thread");
}
