/* SPDX-License-Identifier: Apache-2.0 */
/* The byte buffer: what is appended stays, the bound holds exactly, an error changes nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/buffer.h"
#include "base/fault.h"

Test(buffer, bound_is_exact)
{
    static const struct {
        const char *name;
        size_t max_bytes, first, second;
        int want; // of the second append
    } rows[] = {
        {"no bound", 0, 1000, 100000, 0},
        {"below", 100, 50, 49, 0},
        {"at the bound", 100, 50, 50, 0},
        {"one past it", 100, 50, 51, SC_ELIMIT},
        {"bound below the first allocation", 3, 1, 2, 0},
        {"past a small bound", 3, 1, 3, SC_ELIMIT},
        {"nothing at the bound", 100, 100, 0, 0},
        {"one byte at the bound", 100, 100, 1, SC_ELIMIT},
    };
    static const char bytes[100000];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sc_buffer b;
        size_t want_len = rows[i].first + (rows[i].want ? 0 : rows[i].second);

        sc_buffer_init(&b, rows[i].max_bytes);
        cr_assert_eq(sc_buffer_add(&b, bytes, rows[i].first), 0, "%s", rows[i].name);
        cr_expect_eq(sc_buffer_add(&b, bytes, rows[i].second), rows[i].want, "%s", rows[i].name);
        cr_expect_eq(b.len, want_len, "%s: %zu bytes", rows[i].name, b.len);
        cr_expect(b.max_bytes == 0 || b.capacity <= b.max_bytes, "%s", rows[i].name);
        sc_buffer_fini(&b);
    }
}

Test(buffer, reserve_refuses_what_wraps)
{
    static const struct {
        const char *name;
        size_t max_bytes, more;
        int want;
    } rows[] = {
        {"all of memory", 0, SIZE_MAX, SC_ELIMIT},
        {"half of it and one", 0, SIZE_MAX / 2 + 1, SC_ELIMIT},
        {"all of memory, bounded", 100, SIZE_MAX, SC_ELIMIT},
        {"as much as would wrap behind 5", 0, SIZE_MAX - 4, SC_ELIMIT},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sc_buffer b;

        sc_buffer_init(&b, rows[i].max_bytes);
        cr_assert_eq(sc_buffer_add(&b, "hello", 5), 0);
        cr_expect_eq(sc_buffer_reserve(&b, rows[i].more), rows[i].want, "%s", rows[i].name);
        cr_expect(b.len == 5 && memcmp(b.data, "hello", 5) == 0, "%s", rows[i].name);
        sc_buffer_fini(&b);
    }
}

Test(buffer, what_is_reserved_may_be_written)
{
    sc_buffer b;

    sc_buffer_init(&b, 0);
    for (size_t more = 1; more < 5000; more = more * 3 + 1) {
        cr_assert_eq(sc_buffer_reserve(&b, more), 0);
        cr_assert_geq(b.capacity - b.len, more);
        memset(b.data + b.len, (int)(more & 0x7f), more);
        b.len += more;
    }
    sc_buffer_fini(&b);
    cr_expect_null(b.data);
}

Test(buffer, printf_appends_text)
{
    static const struct {
        const char *name;
        size_t max_bytes;
        const char *before, *text;
        int want;
    } rows[] = {
        {"empty text", 0, "", "", 0},
        {"behind another", 0, "ab", "cd", 0},
        {"longer than the first allocation", 0, "",
         "0123456789012345678901234567890123456789012345678901234567890123456789", 0},
        {"exactly the first allocation", 0, "01234567890123456789012345678901",
         "01234567890123456789012345678901", 0},
        {"fills the bound, zero and all", 4, "ab", "cd", 0},
        {"one past the bound", 4, "ab", "cde", SC_ELIMIT},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sc_buffer b;
        char want[256];

        snprintf(want, sizeof(want), "%s%s", rows[i].before, rows[i].want ? "" : rows[i].text);
        sc_buffer_init(&b, rows[i].max_bytes);
        cr_assert_eq(sc_buffer_add(&b, rows[i].before, strlen(rows[i].before)), 0);
        cr_expect_eq(sc_buffer_printf(&b, "%s", rows[i].text), rows[i].want, "%s", rows[i].name);
        cr_expect(b.len == strlen(want), "%s: %zu bytes", rows[i].name, b.len);
        cr_expect(b.len == 0 || memcmp(b.data, want, b.len) == 0, "%s", rows[i].name);
        sc_buffer_fini(&b);
    }
}

Test(buffer, clear_keeps_the_memory)
{
    sc_buffer b;
    uint8_t *data;

    sc_buffer_init(&b, 10);
    cr_assert_eq(sc_buffer_add(&b, "0123456789", 10), 0);
    data = b.data;
    sc_buffer_clear(&b);
    cr_expect_eq(b.len, 0);
    cr_assert_eq(sc_buffer_add(&b, "abcdefghij", 10), 0);
    cr_expect_eq(b.data, data);
    sc_buffer_fini(&b);
    cr_expect_eq(sc_buffer_add(&b, "abcdefghijk", 11), SC_ELIMIT, "the bound outlives fini");
}

Test(buffer, take_hands_over)
{
    sc_buffer b;
    size_t len = 99;
    uint8_t *data;

    sc_buffer_init(&b, 8);
    cr_expect_null(sc_buffer_take(&b, &len));
    cr_expect_eq(len, 0);
    cr_assert_eq(sc_buffer_add(&b, "abc", 3), 0);
    data = sc_buffer_take(&b, &len);
    cr_assert(len == 3 && memcmp(data, "abc", 3) == 0);
    free(data);
    cr_expect(b.len == 0 && b.capacity == 0 && b.data == NULL);
    cr_expect_eq(sc_buffer_add(&b, "123456789", 9), SC_ELIMIT, "the bound stays");
    cr_expect_eq(sc_buffer_add(&b, "12345678", 8), 0);
    sc_buffer_fini(&b);
}

Test(buffer, without_memory_nothing_changes)
{
    sc_buffer b;

    if (!SC_FAULT("test.compiled_in") && sc_fault_count("test.compiled_in") == 0)
        cr_skip_test("the fault points are not compiled in");
    sc_buffer_init(&b, 0);
    cr_assert_eq(sc_buffer_add(&b, "abc", 3), 0);
    sc_fault_set("buffer.grow", 1);
    cr_expect_eq(sc_buffer_reserve(&b, 1000), SC_ENOMEM);
    sc_fault_set("buffer.grow", 1);
    cr_expect_eq(sc_buffer_printf(&b, "%1000d", 5), SC_ENOMEM);
    cr_expect(b.len == 3 && memcmp(b.data, "abc", 3) == 0);
    cr_expect_eq(sc_buffer_printf(&b, "%1000d", 5), 0);
    cr_expect_eq(b.len, 1003);
    sc_buffer_fini(&b);
}
