/* SPDX-License-Identifier: Apache-2.0 */
/* Slots of tasks that may not be repeated: given, found again, bounded. */
#include <inttypes.h>

#include <criterion/criterion.h>

#include "worker/once.h"

struct heard {
    uint32_t n, last;
};

static void
on_release(void *arg, uint32_t slot)
{
    struct heard *heard = arg;

    heard->n++;
    heard->last = slot;
}

Test(once, slots)
{
    struct heard heard = {0};
    sc_once o;
    uint32_t slot;

    sc_once_init(&o, on_release, &heard);
    for (uint32_t i = 0; i < SC_ONCE_MAX; i++) {
        cr_assert(sc_once_has_room(&o), "%u", i);
        slot = sc_once_add(&o, (sc_token){1, i % 3}, i / 2); // buckets with more than one
        cr_assert_eq(slot, i);
    }
    cr_expect(!sc_once_has_room(&o));
    sc_once_remove(&o, (sc_token){1, 9}, 3);
    sc_once_remove(&o, (sc_token){2, 0}, 3);
    sc_once_remove(&o, (sc_token){1, 6 % 3}, 99999);
    cr_expect_eq(heard.n, 0, "nobody has these");
    sc_once_remove(&o, (sc_token){1, 6 % 3}, 3);
    cr_expect_eq(heard.n, 1);
    cr_expect_eq(heard.last, 6);
    sc_once_remove(&o, (sc_token){1, 6 % 3}, 3);
    cr_expect_eq(heard.n, 1, "it is gone already");
    cr_expect_eq(sc_once_add(&o, (sc_token){8, 8}, UINT64_MAX), 6, "the free one");
    cr_expect(!sc_once_has_room(&o));
    for (uint32_t i = 0; i < SC_ONCE_MAX; i++)
        if (i != 6)
            sc_once_remove(&o, (sc_token){1, i % 3}, i / 2);
    cr_expect_eq(heard.n, SC_ONCE_MAX);
    cr_expect_eq(o.n_used, 1);
}

Test(once, nobody_is_told)
{
    sc_once o;

    sc_once_init(&o, NULL, NULL);
    sc_once_add(&o, (sc_token){1, 2}, 3);
    sc_once_remove(&o, (sc_token){1, 2}, 3);
    cr_expect_eq(o.n_used, 0);
}
