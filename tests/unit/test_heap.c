/* SPDX-License-Identifier: Apache-2.0 */
/* The deadline heap: earliest first, equal ones in the order they were set, against a plain list.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/error.h"
#include "base/fault.h"
#include "base/heap.h"
#include "base/random.h"

enum { MAX_NODES = 8 };

Test(heap, order_out)
{
    static const struct {
        const char *name;
        size_t n;
        int64_t deadlines[MAX_NODES];
        const char *want; // letters of the nodes, 'a' is the first
    } rows[] = {
        {"none", 0, {0}, ""},
        {"one", 1, {5}, "a"},
        {"rising", 4, {1, 2, 3, 4}, "abcd"},
        {"falling", 4, {4, 3, 2, 1}, "dcba"},
        {"all equal", 8, {7, 7, 7, 7, 7, 7, 7, 7}, "abcdefgh"},
        {"pairs", 6, {2, 1, 2, 1, 2, 1}, "bdface"},
        {"extremes", 5, {INT64_MAX, INT64_MIN, 0, INT64_MAX, INT64_MIN}, "becad"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sc_heap_node nodes[MAX_NODES] = {0};
        char got[MAX_NODES + 1] = "";
        sc_heap_node *node;
        sc_heap heap;

        sc_heap_init(&heap);
        for (size_t k = 0; k < rows[i].n; k++)
            cr_assert_eq(sc_heap_set(&heap, &nodes[k], rows[i].deadlines[k]), 0);
        cr_expect(sc_heap_check(&heap), "%s", rows[i].name);
        for (size_t k = 0; (node = sc_heap_pop_due(&heap, INT64_MAX)) != NULL; k++) {
            got[k] = (char)('a' + (node - nodes));
            cr_expect_eq(node->position, 0, "%s", rows[i].name);
        }
        cr_expect_str_eq(got, rows[i].want, "%s: %s", rows[i].name, got);
        cr_expect_null(sc_heap_top(&heap), "%s", rows[i].name);
        sc_heap_fini(&heap);
    }
}

Test(heap, due_or_not)
{
    static const struct {
        const char *name;
        int64_t now_ms;
        int want; // nodes that come out
    } rows[] = {
        {"before the first", 9, 0}, {"at the first", 10, 1}, {"between", 15, 1},
        {"at the second", 20, 3},   {"after all", 21, 3},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sc_heap_node nodes[3] = {0};
        sc_heap heap;
        int n = 0;

        sc_heap_init(&heap);
        cr_assert_eq(sc_heap_set(&heap, &nodes[0], 20), 0);
        cr_assert_eq(sc_heap_set(&heap, &nodes[1], 10), 0);
        cr_assert_eq(sc_heap_set(&heap, &nodes[2], 20), 0);
        while (sc_heap_pop_due(&heap, rows[i].now_ms))
            n++;
        cr_expect_eq(n, rows[i].want, "%s: %d", rows[i].name, n);
        cr_expect_eq(heap.n_nodes, (size_t)(3 - n), "%s", rows[i].name);
        sc_heap_fini(&heap);
    }
}

Test(heap, a_node_set_again_queues_behind_its_equals)
{
    sc_heap_node a = {0}, b = {0};
    sc_heap heap;

    sc_heap_init(&heap);
    cr_assert_eq(sc_heap_set(&heap, &a, 5), 0);
    cr_assert_eq(sc_heap_set(&heap, &b, 5), 0);
    cr_expect_eq(sc_heap_top(&heap), &a);
    cr_assert_eq(sc_heap_set(&heap, &a, 5), 0);
    cr_expect_eq(heap.n_nodes, 2);
    cr_expect_eq(sc_heap_top(&heap), &b);
    sc_heap_fini(&heap);
}

Test(heap, removing_what_is_in_no_heap_does_nothing)
{
    sc_heap_node inside = {0}, outside = {0};
    sc_heap heap;

    sc_heap_init(&heap);
    cr_assert_eq(sc_heap_set(&heap, &inside, 1), 0);
    sc_heap_remove(&heap, &outside);
    cr_expect_eq(heap.n_nodes, 1);
    sc_heap_remove(&heap, &inside);
    sc_heap_remove(&heap, &inside);
    cr_expect_eq(heap.n_nodes, 0);
    sc_heap_fini(&heap);
}

Test(heap, check_sees_what_is_wrong)
{
    sc_heap_node nodes[4] = {0};
    sc_heap heap;

    sc_heap_init(&heap);
    cr_expect(sc_heap_check(&heap));
    for (int i = 0; i < 4; i++)
        cr_assert_eq(sc_heap_set(&heap, &nodes[i], i), 0);
    cr_assert(sc_heap_check(&heap));
    nodes[3].deadline_ms = -1;
    cr_expect_not(sc_heap_check(&heap), "a child before its parent");
    nodes[3].deadline_ms = 3;
    nodes[2].position = 2;
    cr_expect_not(sc_heap_check(&heap), "a wrong position");
    nodes[2].position = 3;
    cr_expect(sc_heap_check(&heap));
    sc_heap_fini(&heap);
}

/* The node that a list without any order would say is first. */
static sc_heap_node *
first_of(sc_heap_node *nodes, size_t n)
{
    sc_heap_node *first = NULL;

    for (size_t i = 0; i < n; i++) {
        sc_heap_node *node = &nodes[i];

        if (node->position == 0)
            continue;
        if (!first || node->deadline_ms < first->deadline_ms ||
            (node->deadline_ms == first->deadline_ms && node->order < first->order))
            first = node;
    }
    return first;
}

Test(heap, agrees_with_a_list)
{
    enum { N = 100, N_STEPS = 20000 };
    static sc_heap_node nodes[N];
    sc_random random;
    sc_heap heap;

    sc_heap_init(&heap);
    sc_random_init(&random, 42);
    for (int step = 0; step < N_STEPS; step++) {
        sc_heap_node *node = &nodes[sc_random_below(&random, N)];

        switch (sc_random_below(&random, 4)) {
        case 0:
            sc_heap_remove(&heap, node);
            break;
        case 1:
            node = first_of(nodes, N);
            cr_assert_eq(sc_heap_pop_due(&heap, INT64_MAX), node, "step %d", step);
            break;
        default:
            cr_assert_eq(sc_heap_set(&heap, node, (int64_t)sc_random_below(&random, 50)), 0);
        }
        cr_assert(sc_heap_check(&heap), "step %d", step);
        cr_assert_eq(sc_heap_top(&heap), first_of(nodes, N), "step %d", step);
    }
    sc_heap_fini(&heap);
}

Test(heap, without_memory_nothing_changes)
{
    enum { N_FIRST = 16 };
    sc_heap_node nodes[N_FIRST + 1] = {0};
    sc_heap heap;

    if (!SC_FAULT("test.compiled_in") && sc_fault_count("test.compiled_in") == 0)
        cr_skip_test("the fault points are not compiled in");
    sc_heap_init(&heap);
    for (int i = 0; i < N_FIRST; i++)
        cr_assert_eq(sc_heap_set(&heap, &nodes[i], i), 0);
    sc_fault_set("heap.grow", 1);
    cr_expect_eq(sc_heap_set(&heap, &nodes[N_FIRST], 0), SC_ENOMEM);
    cr_expect_eq(nodes[N_FIRST].position, 0);
    cr_expect_eq(sc_heap_set(&heap, &nodes[5], 100), 0, "moving needs no memory");
    cr_expect(heap.n_nodes == N_FIRST && sc_heap_check(&heap));
    cr_expect_eq(sc_heap_set(&heap, &nodes[N_FIRST], 0), 0);
    cr_expect(sc_heap_check(&heap));
    sc_heap_fini(&heap);
}
