/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of tasks and results: what is let through, how it is cut, how arguments of an array are
 * joined. */
#include "proto/run.h"

#include <string.h>

#include <criterion/criterion.h>

#include "base/fault.h"

enum { MAX = 100 };

static sc_slice
table_of(const uint32_t *lens, size_t n)
{
    return sc_slice_borrow(lens, n * sizeof *lens);
}

Test(run, tasks_check)
{
    static const struct {
        const char *name;
        uint32_t lens[4];
        size_t table_bytes, bytes;
        uint32_t count;
        int want;
    } rows[] = {
        {"empty", {0}, 0, 0, 0, 0},
        {"one without bytes", {0}, 4, 0, 1, 0},
        {"three", {1, 0, 2}, 12, 3, 3, 0},
        {"as large as allowed", {100}, 4, 100, 1, 0},
        {"one over it", {101}, 4, 101, 1, SC_ETOOLARGE},
        {"bytes missing", {1, 2}, 8, 2, 2, SC_EMALFORMED},
        {"bytes left", {1, 2}, 8, 4, 2, SC_EMALFORMED},
        {"table short", {1, 2}, 4, 3, 2, SC_EMALFORMED},
        {"table long", {1, 2}, 8, 1, 1, SC_EMALFORMED},
        {"half a length", {1, 2}, 6, 1, 1, SC_EMALFORMED},
        {"no table", {0}, 0, 5, 0, SC_EMALFORMED},
        {"sum wraps at 32 bits", {0xffffffff, 1}, 8, 0, 2, SC_ETOOLARGE},
        {"count of another world", {1}, 4, 1, 0x40000001, SC_EMALFORMED},
    };
    static const uint8_t bytes[MAX + 10];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int rc = sc_tasks_check(sc_slice_borrow(rows[i].lens, rows[i].table_bytes),
                                sc_slice_borrow(bytes, rows[i].bytes), rows[i].count, MAX);
        cr_expect_eq(rc, rows[i].want, "%s: got %d", rows[i].name, rc);
    }
    static const uint32_t wrapping[] = {0xffffffff, 1};
    cr_expect_eq(sc_tasks_check(table_of(wrapping, 2), (sc_slice){0}, 2, UINT32_MAX), SC_EMALFORMED,
                 "the sum is taken in 64 bits");
}

Test(run, tasks_slice)
{
    static const uint32_t lens[] = {1, 0, 3, 2};
    static const struct {
        const char *name;
        uint32_t first, count;
        const char *want;
    } rows[] = {
        {"all", 0, 4, "abbbcc"}, {"front", 0, 2, "a"},     {"middle", 1, 2, "bbb"},
        {"end", 3, 1, "cc"},     {"empty task", 1, 1, ""}, {"none", 2, 0, ""},
    };
    char shifted[1 + sizeof lens]; // tables need not be aligned
    memcpy(shifted + 1, lens, sizeof lens);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_slice table = sc_slice_borrow(shifted + 1, sizeof lens);
        sc_slice bytes = sc_slice_borrow("abbbcc", 6);
        sc_tasks_slice(&table, &bytes, rows[i].first, rows[i].count);
        cr_expect_eq(sc_tasks_count(table), rows[i].count, "%s", rows[i].name);
        cr_expect_eq(bytes.len, strlen(rows[i].want), "%s", rows[i].name);
        cr_expect_eq(memcmp(bytes.data, rows[i].want, bytes.len), 0, "%s", rows[i].name);
        cr_expect_eq(sc_tasks_check(table, bytes, rows[i].count, MAX), 0, "%s", rows[i].name);
        for (uint32_t k = 0; k < rows[i].count; k++)
            cr_expect_eq(sc_tasks_len(table, k), lens[rows[i].first + k], "%s", rows[i].name);
    }
}

Test(run, records_check)
{
    static const struct {
        const char *name;
        sc_record records[2];
        size_t table_bytes, bytes;
        int want;
    } rows[] = {
        {"one", {{.len = 3, .attempt = 1}}, 16, 3, 0},
        {"two", {{.len = 3, .outcome = SC_DEAD}, {.len = 0, .outcome = SC_CANCELLED}}, 32, 3, 0},
        {"as large as allowed", {{.len = MAX}}, 16, MAX, 0},
        {"one over it", {{.len = MAX + 1}}, 16, MAX + 1, SC_ETOOLARGE},
        {"none", {{0}}, 0, 0, SC_EMALFORMED},
        {"half", {{0}}, 8, 0, SC_EMALFORMED},
        {"one and a half", {{0}}, 24, 0, SC_EMALFORMED},
        {"unknown outcome", {{.outcome = SC_N_OUTCOMES}}, 16, 0, SC_EMALFORMED},
        {"bytes missing", {{.len = 3}, {.len = 1}}, 32, 3, SC_EMALFORMED},
        {"bytes left", {{.len = 3}}, 16, 4, SC_EMALFORMED},
    };
    static const uint8_t bytes[MAX + 10];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char shifted[1 + sizeof rows[i].records];
        memcpy(shifted + 1, rows[i].records, sizeof rows[i].records);
        sc_slice table = sc_slice_borrow(shifted + 1, rows[i].table_bytes);
        int rc = sc_records_check(table, sc_slice_borrow(bytes, rows[i].bytes), MAX);
        cr_expect_eq(rc, rows[i].want, "%s: got %d", rows[i].name, rc);
        for (uint32_t k = 0; rc == 0 && k < sc_records_count(table); k++) {
            sc_record got = sc_records_get(table, k);
            cr_expect_eq(memcmp(&got, &rows[i].records[k], sizeof got), 0, "%s: %d", rows[i].name,
                         (int)k);
        }
    }
}

Test(run, record_on_the_wire)
{
    static const uint8_t wire[] = {4, 3, 2, 1, 8, 7, 6, 5, 10, 9, 12, 11, 1, 1, 0, 0};
    sc_record want = {0x01020304, 0x05060708, 0x090a, 0x0b0c, SC_DEAD, SC_RECORD_RETRY, {0, 0}};
    sc_record got = sc_records_get(sc_slice_borrow(wire, sizeof wire), 0);
    cr_expect_eq(memcmp(&got, &want, sizeof got), 0, "little-endian, in this order");
}

Test(run, array_join)
{
    static const struct {
        const char *name;
        uint32_t lens[4], n_pieces;
        const char *bytes;
        uint64_t index;
        const char *want;
    } rows[] = {
        {"no piece", {0}, 0, "", 7, ""},
        {"index nowhere", {2}, 1, "{}", 7, "{}"},
        {"index once", {5, 1}, 2, "{\"i\":}", 7, "{\"i\":7}"},
        {"index twice", {1, 1, 1}, 3, "[,]", 10, "[10,10]"},
        {"index alone", {0, 0}, 2, "", 0, "0"},
        {"index three times in a row", {0, 0, 0, 0}, 4, "", 12, "121212"},
        {"largest index", {1, 1}, 2, "[]", UINT64_MAX, "[18446744073709551615]"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_slice table = table_of(rows[i].lens, rows[i].n_pieces);
        sc_slice bytes = sc_slice_borrow(rows[i].bytes, strlen(rows[i].bytes));
        size_t len = strlen(rows[i].want);
        sc_buffer out;
        sc_buffer_init(&out, 0);
        cr_assert_eq(sc_buffer_add(&out, "x", 1), 0);
        cr_assert_eq(sc_array_join(table, bytes, rows[i].index, &out), 0, "%s", rows[i].name);
        cr_expect_eq(out.len, 1 + len, "%s: length %d", rows[i].name, (int)out.len);
        cr_expect_eq(memcmp(out.data + 1, rows[i].want, len), 0, "%s", rows[i].name);
        sc_buffer_fini(&out);
    }
    sc_buffer out;
    sc_buffer_init(&out, 0);
    cr_expect_eq(sc_array_join((sc_slice){0}, (sc_slice){0}, 1, &out), 0, "nothing at all");
    sc_buffer_fini(&out);
}

Test(run, array_join_fails_whole)
{
    static const uint32_t lens[] = {40, 60, 30};
    static const char bytes[130];
    static const struct {
        const char *name;
        size_t max_bytes;
        uint64_t fault;
        int want;
    } rows[] = {
        {"bound in the first piece", 20, 0, SC_ELIMIT},
        {"bound in the index", 42, 0, SC_ELIMIT},
        {"bound in the second piece", 100, 0, SC_ELIMIT},
        {"one byte over", 136, 0, SC_ELIMIT},
        {"just enough", 137, 0, 0},
        {"no memory", 0, 1, SC_ENOMEM},
        {"no memory later", 0, 2, SC_ENOMEM},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_buffer out;
        sc_buffer_init(&out, rows[i].max_bytes);
        cr_assert_eq(sc_buffer_add(&out, "x", 1), 0);
        sc_fault_set("buffer.grow", rows[i].fault);
        int rc = sc_array_join(table_of(lens, 3), sc_slice_borrow(bytes, 130), 123, &out);
        sc_fault_set("buffer.grow", 0);
        cr_expect_eq(rc, rows[i].want, "%s: got %d", rows[i].name, rc);
        cr_expect_eq(out.len, rc == 0 ? 137u : 1u, "%s: left as it was", rows[i].name);
        sc_buffer_fini(&out);
    }
}
