/* SPDX-License-Identifier: Apache-2.0 */
/* The generator: the published numbers for a seed, bounds that hold, no remainder preferred. */
#include <inttypes.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/random.h"

/* The first outputs of xoshiro256** for the state {1, 2, 3, 4}, worked out by hand from the
 * algorithm (5 rotated by 7 times 9 for the first), so that a change of it is seen. */
Test(random, first_numbers_of_a_state)
{
    static const uint64_t want[] = {11520, 0, 1509978240, 1215971899390074240};
    sc_random r = {{1, 2, 3, 4}};

    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        uint64_t got = sc_random_u64(&r);

        cr_expect_eq(got, want[i], "number %zu: %" PRIu64, i, got);
    }
}

/* SplitMix64 spreads the seed: its first output for 0 is known from the literature. */
Test(random, seed_is_spread)
{
    sc_random r;

    sc_random_init(&r, 0);
    cr_expect_eq(r.s[0], UINT64_C(0xe220a8397b1dcdaf));
    cr_expect_eq(r.s[1], UINT64_C(0x6e789e6aa1b965f4));
}

Test(random, same_seed_same_numbers)
{
    sc_random a, b, c;
    int n_equal = 0;

    sc_random_init(&a, 7);
    sc_random_init(&b, 7);
    sc_random_init(&c, 8);
    for (int i = 0; i < 1000; i++) {
        uint64_t x = sc_random_u64(&a);

        cr_assert_eq(x, sc_random_u64(&b), "number %d", i);
        n_equal += x == sc_random_u64(&c);
    }
    cr_expect_eq(n_equal, 0, "another seed gives others");
}

Test(random, below_its_bound)
{
    static const struct {
        const char *name;
        uint64_t bound;
    } rows[] = {
        {"one", 1},
        {"two", 2},
        {"seven", 7},
        {"power of two", UINT64_C(1) << 40},
        {"beyond the half", (UINT64_C(1) << 63) + 1},
        {"largest", UINT64_MAX},
    };
    sc_random r;

    sc_random_init(&r, 1);
    cr_expect_eq(sc_random_below(&r, 0), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (int k = 0; k < 1000; k++)
            cr_assert_lt(sc_random_below(&r, rows[i].bound), rows[i].bound, "%s", rows[i].name);
}

Test(random, below_is_even)
{
    enum { BOUND = 6, N = 60000 };
    int counts[BOUND] = {0};
    int n_upper = 0;
    sc_random r;

    sc_random_init(&r, 3);
    for (int i = 0; i < N; i++)
        counts[sc_random_below(&r, BOUND)]++;
    for (int i = 0; i < BOUND; i++) // 10000 expected, deviation 91
        cr_expect(counts[i] > 9500 && counts[i] < 10500, "%d came %d times", i, counts[i]);
    // Where 2^64 is no multiple of the bound by far, a bare remainder would come below 2^62 in half
    // of all cases.
    for (int i = 0; i < N; i++)
        n_upper += sc_random_below(&r, UINT64_C(3) << 62) >= UINT64_C(1) << 62;
    cr_expect(n_upper > 39000 && n_upper < 41000, "%d of %d above a third", n_upper, N);
}

Test(random, double_fills_the_unit_interval)
{
    enum { N = 100000 };
    double sum = 0, smallest = 1, largest = 0;
    sc_random r;

    sc_random_init(&r, 9);
    for (int i = 0; i < N; i++) {
        double x = sc_random_double(&r);

        cr_assert(x >= 0 && x < 1, "number %d: %g", i, x);
        sum += x;
        smallest = x < smallest ? x : smallest;
        largest = x > largest ? x : largest;
    }
    cr_expect(sum / N > 0.49 && sum / N < 0.51, "mean %g", sum / N);
    cr_expect(smallest < 0.001 && largest > 0.999, "%g to %g", smallest, largest);
}

Test(random, double_never_reaches_one)
{
    // The one value of s[1] that is scrambled into 2^64 - 1.
    sc_random r = {{0, UINT64_C(0x4fc71c71c71c71c7), 0, 0}};
    sc_random same = r;

    cr_assert_eq(sc_random_u64(&same), UINT64_MAX);
    cr_expect_lt(sc_random_double(&r), 1.0);
}

Test(random, entropy_differs)
{
    uint64_t seen[64];

    for (size_t i = 0; i < 64; i++) {
        seen[i] = sc_random_entropy();
        cr_assert_neq(seen[i], 0);
        for (size_t k = 0; k < i; k++)
            cr_assert_neq(seen[i], seen[k]);
    }
}
