/* SPDX-License-Identifier: Apache-2.0 */
/* The 90th percentile of times that grow, shrink and lie far out. */
#include <inttypes.h>

#include <criterion/criterion.h>

#include "worker/cost.h"

static void
add(sc_cost *c, int64_t ns, int n)
{
    while (n-- > 0)
        sc_cost_add(c, ns);
}

Test(cost, percentile)
{
    static const struct {
        const char *name;
        int64_t first_ns, second_ns;
        int n_first, n_second;
        uint64_t want; // the answer is this or up to a quarter more
    } rows[] = {
        {"nothing", 0, 0, 0, 0, 0},
        {"one", 1000, 0, 1, 0, 1000},
        {"zero", 0, 0, 3, 0, 4},
        {"negative", -5, 0, 3, 0, 4},
        {"equal", 123456, 0, 500, 0, 123456},
        {"a tenth is slow", 1000, 1000000, 91, 9, 1000},
        {"more than a tenth is slow", 1000, 1000000, 88, 12, 1000000},
        {"one slow", 1000, 1000000, 5, 1, 1000000},
        {"it forgets", 1000000, 1000, 1000, 3000, 1000},
        {"very long", INT64_MAX, 0, 1, 0, 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_cost c = {0};
        uint64_t got;

        add(&c, rows[i].first_ns, rows[i].n_first);
        add(&c, rows[i].second_ns, rows[i].n_second);
        got = sc_cost_p90(&c);
        if (rows[i].first_ns == INT64_MAX)
            cr_expect(got >= (uint64_t)1 << 43, "%s: %" PRIu64, rows[i].name, got);
        else
            cr_expect(got >= rows[i].want && got <= rows[i].want + rows[i].want / 4 + 1,
                      "%s: %" PRIu64, rows[i].name, got);
    }
}

// The share of slow ones stays what it is, however long it goes on.
Test(cost, steady)
{
    sc_cost c = {0};

    for (int i = 0; i < 1000; i++) {
        add(&c, 1000, 5);
        add(&c, 1000000, 1);
        cr_assert_geq(sc_cost_p90(&c), 1000000, "round %d: one in six is slow", i);
    }
}

Test(cost, monotonic)
{
    uint64_t last = 0;

    for (int64_t ns = 4; ns < (int64_t)1 << 42; ns += ns / 7 + 1) {
        sc_cost c = {0};
        uint64_t got;

        sc_cost_add(&c, ns);
        got = sc_cost_p90(&c);
        cr_assert(got > (uint64_t)ns && got <= (uint64_t)ns * 5 / 4 + 1 && got >= last,
                  "%" PRId64 ": %" PRIu64, ns, got);
        last = got;
    }
}
