/* SPDX-License-Identifier: Apache-2.0 */
/* The checker of histories: it must find what it is there to find. */
#include <string.h>

#include <criterion/criterion.h>

#include "tests/support/history.h"

Test(history, finds_what_is_wrong)
{
    static const struct {
        const char *name;
        uint64_t first, count; // accepted; 0: not
        uint64_t ends[4];
        uint32_t n_ends;
        const char *want; // of the last end
        bool want_open;
        uint64_t want_index;
    } rows[] = {
        {"all ended", 5, 3, {7, 5, 6}, 3, NULL, false, 0},
        {"one is open", 5, 3, {7, 5}, 2, NULL, true, 6},
        {"twice", 5, 3, {7, 7}, 2, "ended twice", true, 5},
        {"outside", 5, 3, {8}, 1, "outside of its job", true, 5},
        {"below", 5, 3, {4}, 1, "outside of its job", true, 5},
        {"never accepted", 0, 0, {1}, 1, NULL, false, 0},
        {"far apart", 0, 1000, {999, 0, 500}, 3, NULL, true, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_history *h = sc_history_new();
        sc_uuid job = {{1}}, open;
        uint64_t index = 0;
        const char *wrong = NULL;
        if (rows[i].count)
            sc_history_accept(h, &job, rows[i].first, rows[i].count);
        for (uint32_t k = 0; k < rows[i].n_ends; k++)
            wrong = sc_history_end(h, &job, rows[i].ends[k]);
        cr_expect((wrong == NULL) == (rows[i].want == NULL), "%s", rows[i].name);
        if (wrong && rows[i].want)
            cr_expect_str_eq(wrong, rows[i].want, "%s", rows[i].name);
        cr_expect_eq(sc_history_next_open(h, &open, &index), rows[i].want_open, "%s", rows[i].name);
        cr_expect_eq(index, rows[i].want_index, "%s: %d", rows[i].name, (int)index);
        cr_expect_eq(sc_history_n_accepted(h), rows[i].count, "%s", rows[i].name);
        sc_history_free(&h);
    }
}

// Ends may be heard of before the acceptance, from high to low.
Test(history, ends_come_first)
{
    sc_history *h = sc_history_new();
    sc_uuid job = {{1}}, open;
    uint64_t index;
    for (uint64_t i = 300; i-- > 100;)
        cr_assert_null(sc_history_end(h, &job, i));
    cr_expect_eq(sc_history_n_ended(h), 0);
    sc_history_accept(h, &job, 100, 200);
    cr_expect_eq(sc_history_n_ended(h), 200);
    cr_expect(!sc_history_next_open(h, &open, &index));
    cr_expect(sc_history_has_ended(h, &job, 100) && !sc_history_has_ended(h, &job, 99));
    cr_expect_str_eq(sc_history_end(h, &job, 299), "ended twice");
    sc_history_free(&h);
}
