/* SPDX-License-Identifier: Apache-2.0 */
/* The clocks: they go forward, agree with each other, and the text is the date that it should be.
 */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include <criterion/criterion.h>

#include "base/clock.h"

Test(clock, goes_forward)
{
    int64_t before_ns = sc_clock_ns();
    int64_t before_ms = sc_clock_ms();

    for (int i = 0; i < 1000; i++) {
        int64_t ns = sc_clock_ns();
        int64_t ms = sc_clock_ms();

        cr_assert_geq(ns, before_ns);
        cr_assert_geq(ms, before_ms);
        cr_assert_geq(ms, ns / 1000000, "both read one clock");
        before_ns = ns;
        before_ms = ms;
    }
}

Test(clock, unix_time_is_that_of_the_system)
{
    int64_t before = (int64_t)time(NULL) - 1; // time() may be a tick behind
    int64_t ms = sc_clock_unix_ms();
    int64_t after = (int64_t)time(NULL) + 1;

    cr_expect_geq(ms, before * 1000);
    cr_expect_leq(ms, after * 1000 + 999);
}

Test(clock, format)
{
    static const struct {
        const char *name;
        int64_t unix_ms;
        const char *want;
    } rows[] = {
        {"the beginning", 0, "1970-01-01T00:00:00.000Z"},
        {"one ms later", 1, "1970-01-01T00:00:00.001Z"},
        {"one ms earlier", -1, "1969-12-31T23:59:59.999Z"},
        {"one second earlier", -1000, "1969-12-31T23:59:59.000Z"},
        {"leap day", 1709164800000, "2024-02-29T00:00:00.000Z"},
        {"end of a year", 1798761599999, "2026-12-31T23:59:59.999Z"},
        {"as in the header", 1795421462123, "2026-11-23T08:11:02.123Z"},
        {"latest", INT64_MAX, "292278994-08-17T07:12:55.807Z"},
        {"earliest", INT64_MIN, "-292275055-05-16T16:47:04.192Z"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[SC_CLOCK_TEXT];

        cr_expect_eq(sc_clock_format(rows[i].unix_ms, text), text, "%s", rows[i].name);
        cr_expect_str_eq(text, rows[i].want, "%s: %s", rows[i].name, text);
    }
}
