/* SPDX-License-Identifier: Apache-2.0 */
/* The slab: objects that do not touch each other, are zero, come back, and end at the bound. */
#include <stdint.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/fault.h"
#include "base/slab.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define __asan_region_is_poisoned(p, n) ((void)(p), (void)(n), NULL)
#endif

enum { MAX_OBJECTS = 5000 };

static bool
is_filled_with(const void *object, int byte, size_t len)
{
    const unsigned char *p = object;

    for (size_t i = 0; i < len; i++)
        if (p[i] != (unsigned char)byte)
            return false;
    return true;
}

Test(slab, objects_are_their_own)
{
    static const struct {
        const char *name;
        size_t object_bytes, n, max_objects, want_bytes;
    } rows[] = {
        {"a byte", 1, MAX_OBJECTS, 0, 16},
        {"sixteen", 16, MAX_OBJECTS, 0, 16},
        {"seventeen", 17, MAX_OBJECTS, 0, 32},
        {"several pages", 200, MAX_OBJECTS, MAX_OBJECTS, 208},
        {"larger than a page", 100000, 20, 0, 100000},
        {"bound below a page", 48, 3, 3, 48},
    };
    static unsigned char *objects[MAX_OBJECTS];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t n = rows[i].n, len = rows[i].object_bytes;
        sc_slab s;

        sc_slab_init(&s, len, rows[i].max_objects);
        cr_expect_eq(s.object_bytes, rows[i].want_bytes, "%s", rows[i].name);
        for (size_t k = 0; k < n; k++) {
            objects[k] = sc_slab_new(&s);
            cr_assert_not_null(objects[k], "%s: %zu", rows[i].name, k);
            cr_assert_eq((uintptr_t)objects[k] % 16, 0, "%s: %zu", rows[i].name, k);
            cr_assert(is_filled_with(objects[k], 0, len), "%s: %zu", rows[i].name, k);
            memset(objects[k], (int)(k % 251) + 1, len);
        }
        for (size_t k = 0; k < n; k++)
            cr_assert(is_filled_with(objects[k], (int)(k % 251) + 1, len), "%s: %zu", rows[i].name,
                      k);
        cr_expect_eq(s.n_used, n, "%s", rows[i].name);
        sc_slab_fini(&s);
    }
}

Test(slab, the_bound_holds)
{
    sc_slab s;
    void *a, *b;

    sc_slab_init(&s, 8, 2);
    a = sc_slab_new(&s);
    b = sc_slab_new(&s);
    cr_assert(a && b);
    cr_expect_null(sc_slab_new(&s));
    sc_slab_free(&s, a);
    cr_expect_eq(s.n_used, 1);
    cr_expect_eq(sc_slab_new(&s), a);
    cr_expect_null(sc_slab_new(&s));
    sc_slab_fini(&s);
}

Test(slab, what_comes_back_is_used_again_and_zero)
{
    enum { N = 100 };
    void *objects[N];
    void *pages;
    sc_slab s;

    sc_slab_init(&s, 2000, 0);
    for (int i = 0; i < N; i++)
        cr_assert_not_null(objects[i] = sc_slab_new(&s));
    pages = s.pages;
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < N; i++) {
            memset(objects[i], 0xee, 2000);
            sc_slab_free(&s, objects[i]);
        }
        for (int i = 0; i < N; i++) {
            objects[i] = sc_slab_new(&s);
            cr_assert(is_filled_with(objects[i], 0, 2000), "round %d, object %d", round, i);
        }
    }
    cr_expect_eq(s.pages, pages, "a steady user makes it grow no more");
    sc_slab_free(&s, NULL);
    cr_expect_eq(s.n_used, N);
    sc_slab_fini(&s);
    cr_expect_null(s.pages);
}

Test(slab, what_was_given_back_is_out_of_reach)
{
    sc_slab s;
    char *object;

#ifndef __SANITIZE_ADDRESS__
    cr_skip_test("AddressSanitizer is not compiled in");
#endif
    sc_slab_init(&s, 64, 0);
    object = sc_slab_new(&s);
    cr_expect_null(__asan_region_is_poisoned(object, 64));
    cr_expect_not_null(__asan_region_is_poisoned(object + 64, 64), "the next, never handed out");
    sc_slab_free(&s, object);
    cr_expect_not_null(__asan_region_is_poisoned(object, 64));
    sc_slab_fini(&s);
}

Test(slab, without_memory_there_is_no_object)
{
    sc_slab s;
    void *object;

    if (!SC_FAULT("test.compiled_in") && sc_fault_count("test.compiled_in") == 0)
        cr_skip_test("the fault points are not compiled in");
    sc_slab_init(&s, 64, 0);
    sc_fault_set("slab.page", 1);
    cr_expect_null(sc_slab_new(&s));
    cr_expect_eq(s.n_used, 0);
    object = sc_slab_new(&s);
    cr_expect_not_null(object);
    sc_slab_free(&s, object);
    sc_slab_fini(&s);
}
