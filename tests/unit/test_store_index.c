/* SPDX-License-Identifier: Apache-2.0 */
/* The index of a job's results against the simplest one: an array with a segment for each index. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "coordinator/store_index.h"

enum { N = 20000 };

static const struct order {
    const char *name;
    uint64_t first_index;
    uint32_t count, per_segment; // indexes added at once, additions for each segment
    bool is_shuffled, is_reversed;
    uint32_t gap; // every gap-th addition is left out; 0: none
    uint64_t bytes_max;
} orders[] = {
    {"in order, one by one", 0, 1, N, false, false, 0, 200},
    {"in order, each its own segment", 5, 1, 1, false, false, 0, 16 * N},
    {"in order, runs", 1ull << 40, 100, 1, false, false, 0, 8000},
    {"last first", 7, 1, 1, false, true, 0, 32 * N},
    {"shuffled, one segment", 3ull << 31, 1, N, true, false, 0, 16 * N},
    {"shuffled, many segments", 0, 1, 7, true, false, 0, 32 * N},
    {"shuffled with gaps", 0, 3, 2, true, false, 5, 32 * N},
    {"at the largest index", UINT64_MAX - N, 1, 3, true, false, 4, 32 * N},
};

static void
shuffle(uint32_t *items, uint32_t n)
{
    sc_random random;
    sc_random_init(&random, 7);
    for (uint32_t i = n; i > 1; i--) {
        uint32_t k = (uint32_t)sc_random_below(&random, i), t = items[i - 1];
        items[i - 1] = items[k];
        items[k] = t;
    }
}

// What is found from each index on is what the array says.
static void
check(const struct order *o, const sc_index *x, const uint32_t *segments)
{
    for (uint64_t i = 0, next = 0; i < N; i++) {
        sc_stretch s = {0};
        for (next = next < i ? i : next; next < N && segments[next] == UINT32_MAX;)
            next++;
        bool is_found = sc_index_find(x, o->first_index + i, &s);
        cr_assert_eq(is_found, next < N, "%s: from %llu", o->name, (unsigned long long)i);
        if (!is_found)
            continue;
        uint64_t first = s.first - o->first_index;
        cr_assert(first <= next && next < first + s.count && (first >= i || first + s.count > i),
                  "%s: from %llu: %llu+%llu, want %llu", o->name, (unsigned long long)i,
                  (unsigned long long)first, (unsigned long long)s.count, (unsigned long long)next);
        for (uint64_t k = first; k < first + s.count; k++)
            cr_assert_eq(segments[k], s.segment, "%s: index %llu", o->name, (unsigned long long)k);
        next = i + 1 < first + s.count ? i + 1 : first + s.count;
    }
}

Test(store_index, every_order)
{
    uint32_t *segments = malloc(N * sizeof *segments), *turns = malloc(N * sizeof *turns);
    for (size_t r = 0; r < sizeof orders / sizeof *orders; r++) {
        const struct order *o = &orders[r];
        uint32_t n = N / o->count;
        sc_index x;
        sc_index_init(&x);
        memset(segments, 0xff, N * sizeof *segments);
        for (uint32_t i = 0; i < n; i++)
            turns[i] = o->is_reversed ? n - 1 - i : i;
        if (o->is_shuffled)
            shuffle(turns, n);
        for (uint32_t i = 0; i < n; i++) {
            if (o->gap && turns[i] % o->gap == 0)
                continue;
            cr_assert(sc_index_add(&x, o->first_index + (uint64_t)turns[i] * o->count, o->count,
                                   i / o->per_segment),
                      "%s", o->name);
            for (uint32_t k = 0; k < o->count; k++)
                segments[turns[i] * o->count + k] = i / o->per_segment;
        }
        check(o, &x, segments);
        cr_assert_leq(x.bytes, o->bytes_max, "%s: %llu bytes", o->name,
                      (unsigned long long)x.bytes);
        sc_index_fini(&x);
    }
    free(segments);
    free(turns);
}

Test(store_index, nothing_is_found_where_nothing_is)
{
    sc_index x;
    sc_stretch s;
    sc_index_init(&x);
    cr_assert_not(sc_index_find(&x, 0, &s));
    cr_assert(sc_index_add(&x, 10, 5, 1));
    cr_assert(sc_index_find(&x, 0, &s) && s.first == 10 && s.count == 5);
    cr_assert(sc_index_find(&x, 14, &s) && s.first == 10);
    cr_assert_not(sc_index_find(&x, 15, &s));
    cr_assert_not(sc_index_find(&x, UINT64_MAX, &s));
    sc_index_fini(&x);
}
