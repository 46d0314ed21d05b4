/* SPDX-License-Identifier: Apache-2.0 */
/* Places of the spill file: none overlaps another, all that is given back is found again, and the
 * file stays small. Each operation is followed by a full check. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "coordinator/store_places.h"

enum { UNIT = 512, MAX_LIVE = 1000, FILE_UNITS = 1 << 20, MAX_OUT = 16 };

typedef struct world {
    sc_places *places;
    uint8_t is_taken[FILE_UNITS]; // by unit of the file
    sc_place live[MAX_LIVE];
    uint32_t n_live, live_max;
    uint64_t live_bytes, live_bytes_max; // in whole units
    sc_place out[MAX_OUT];
    uint32_t n_out;
} world;

static int64_t
in_units(const sc_place *p)
{
    int64_t step = p->len < SC_PLACES_PAGE_BYTES ? UNIT : SC_PLACES_PAGE_BYTES;
    return (p->len + step - 1) / step * step / UNIT;
}

static void
mark(world *w, const char *name, const sc_place *p, bool is_taken)
{
    for (int64_t i = p->offset / UNIT, end = i + in_units(p); i < end; i++) {
        cr_assert(i < FILE_UNITS, "%s: the file grows to %lld", name, (long long)i * UNIT);
        cr_assert_neq(w->is_taken[i], is_taken, "%s: unit %lld", name, (long long)i);
        w->is_taken[i] = is_taken;
    }
    w->live_bytes += (uint64_t)(is_taken ? in_units(p) : -in_units(p)) * UNIT;
    w->live_bytes_max = w->live_bytes > w->live_bytes_max ? w->live_bytes : w->live_bytes_max;
}

static void
take(world *w, const char *name, size_t len)
{
    sc_place *p = &w->live[w->n_live++];
    *p = (sc_place){sc_places_take(w->places, len), (int64_t)len};
    cr_assert(p->offset >= 0 && p->offset % UNIT == 0, "%s", name);
    cr_assert(len < SC_PLACES_PAGE_BYTES || p->offset % SC_PLACES_PAGE_BYTES == 0, "%s", name);
    mark(w, name, p, true);
}

static void
give(world *w, const char *name, uint32_t i)
{
    sc_place p = w->live[i];
    w->live[i] = w->live[--w->n_live];
    mark(w, name, &p, false);
    sc_places_give(w->places, p.offset, (size_t)p.len);
}

// Takes places out to be punched, or puts them back; taken ones must be free meanwhile.
static void
punch(world *w, const char *name, bool is_punched)
{
    if (w->n_out == 0)
        w->n_out = sc_places_take_out(w->places, w->out, MAX_OUT);
    else {
        for (uint32_t i = 0; i < w->n_out; i++)
            mark(w, name, &w->out[i], false);
        sc_places_put_back(w->places, w->out, w->n_out, is_punched);
        w->n_out = 0;
        return;
    }
    for (uint32_t i = 0; i < w->n_out; i++)
        mark(w, name, &w->out[i], true);
}

static const struct shape {
    const char *name;
    uint32_t min_bytes, max_bytes, live_max, steps;
    bool can_punch;
} shapes[] = {
    {"tiny", 1, 600, 1000, 20000, true},
    {"below a page", 300, 5000, 1000, 20000, true},
    {"a page and more", 4096, 300000, 300, 20000, true},
    {"all sizes", 1, 2000000, 60, 10000, true},
    {"cannot punch", 1, 100000, 300, 20000, false},
    {"the largest", 16 << 20, 32 << 20, 4, 500, true},
};

Test(store_places, nothing_overlaps_and_nothing_is_lost)
{
    world *w = malloc(sizeof *w);
    for (size_t r = 0; r < sizeof shapes / sizeof *shapes; r++) {
        const struct shape *s = &shapes[r];
        sc_random random;
        sc_random_init(&random, r + 1);
        memset(w, 0, sizeof *w);
        cr_assert_eq(sc_places_new(&w->places), 0);
        for (uint32_t i = 0; i < s->steps; i++) {
            uint64_t dice = sc_random_below(&random, 20);
            if (dice == 0)
                punch(w, s->name, s->can_punch);
            else if (w->n_live > 0 && (dice < 10 || w->n_live == s->live_max))
                give(w, s->name, (uint32_t)sc_random_below(&random, w->n_live));
            else
                take(w, s->name,
                     s->min_bytes + sc_random_below(&random, s->max_bytes - s->min_bytes + 1));
            if (i % 16 == 0)
                cr_assert_eq(sc_places_check(w->places) + w->live_bytes,
                             (uint64_t)sc_places_end(w->places), "%s: step %u", s->name, i);
        }
        if (w->n_out > 0)
            punch(w, s->name, s->can_punch);
        while (w->n_live > 0)
            give(w, s->name, 0);
        cr_assert_eq(sc_places_check(w->places), (uint64_t)sc_places_end(w->places), "%s", s->name);
        cr_assert_leq((uint64_t)sc_places_end(w->places),
                      4 * w->live_bytes_max + 2ul * SC_PLACES_MAX_BYTES, "%s: %lld for %llu",
                      s->name, (long long)sc_places_end(w->places),
                      (unsigned long long)w->live_bytes_max);
        sc_places_free(&w->places);
    }
    free(w);
}

Test(store_places, what_was_punched_is_not_punched_again)
{
    sc_places *p;
    sc_place out[4];
    cr_assert_eq(sc_places_new(&p), 0);
    int64_t first = sc_places_take(p, 100000), second = sc_places_take(p, 100000);
    cr_assert_eq(sc_places_unpunched(p), 0);
    sc_places_give(p, first, 100000);
    cr_assert_geq(sc_places_unpunched(p), 100000);
    uint64_t bytes = 0;
    for (uint32_t n; (n = sc_places_take_out(p, out, 4)) > 0;) {
        for (uint32_t i = 0; i < n; i++)
            bytes += (uint64_t)out[i].len;
        sc_places_put_back(p, out, n, true);
    }
    cr_assert_geq(bytes, 100000);
    cr_assert_eq(sc_places_unpunched(p), 0);
    cr_assert_eq(sc_places_take_out(p, out, 4), 0);
    sc_places_give(p, second, 100000);
    cr_assert_geq(sc_places_unpunched(p), 100000);
    sc_places_free(&p);
}
