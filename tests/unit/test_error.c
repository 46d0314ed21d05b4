/* SPDX-License-Identifier: Apache-2.0 */
/* Names and texts of the codes: each has its own, they read back, and a long text is cut well. */
#include <signal.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/error.h"
#include "base/utf8.h"

Test(error, names_and_texts)
{
    static const struct {
        const char *name;
        int code;
        const char *want_name, *want_text;
    } rows[] = {
        {"first of ours", SC_EMALFORMED, "malformed", "malformed message or value"},
        {"last of ours", SC_EINTERNAL, "internal", "a bug of ours"},
        {"one in between", SC_EPOISON, "poison",
         "its worker process died three times while running it"},
        {"memory", SC_ENOMEM, "system", "Cannot allocate memory"},
        {"refused", -ECONNREFUSED, "system", "Connection refused"},
        {"no error", 0, "unknown", "no error"},
        {"positive", ENOENT, "unknown", "unknown error"},
        {"a hole among ours", -5050, "unknown", "unknown error"},
        {"no such system error", -4000, "unknown", "unknown error"},
        {"smallest", INT32_MIN, "unknown", "unknown error"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_expect_str_eq(sc_error_name(rows[i].code), rows[i].want_name, "%s", rows[i].name);
        cr_expect_str_eq(sc_error_text(rows[i].code), rows[i].want_text, "%s", rows[i].name);
    }
}

Test(error, every_name_reads_back)
{
    static const struct {
        const char *name;
        int code;
    } rows[] = {
#define ROW(symbol, number, name, text) {name, number},
        SC_ERRORS(ROW)
#undef ROW
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *name = sc_error_name(rows[i].code);

        cr_expect_str_eq(name, rows[i].name, "%s: two codes have one number", rows[i].name);
        cr_expect_eq(sc_error_from_name(name, strlen(name)), rows[i].code, "%s", rows[i].name);
    }
}

Test(error, foreign_names_are_of_the_handler)
{
    static const struct {
        const char *name;
        size_t len;
        int want;
    } rows[] = {
        {"busy", 4, SC_EBUSY},         {"busy", 3, SC_EHANDLER},       {"busy-body", 4, SC_EBUSY},
        {"busy-body", 9, SC_EHANDLER}, {"BUSY", 4, SC_EHANDLER},       {"", 0, SC_EHANDLER},
        {"diverged", 8, SC_EHANDLER},  {"system", 6, SC_EHANDLER},     {"failed", 6, SC_EHANDLER},
        {"unknown", 7, SC_EHANDLER},   {"timeout\0x", 9, SC_EHANDLER},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        cr_expect_eq(sc_error_from_name(rows[i].name, rows[i].len), rows[i].want, "%s, %zu bytes",
                     rows[i].name, rows[i].len);
}

Test(error, set_fills_and_returns)
{
    sc_error err = {.code = 5, .sqlstate = "23505", .text = "old"};

    cr_expect_eq(sc_error_set(&err, SC_EBUSY, "queue %s holds %d", "day", 7), SC_EBUSY);
    cr_expect_eq(err.code, SC_EBUSY);
    cr_expect_str_eq(err.sqlstate, "");
    cr_expect_str_eq(err.text, "queue day holds 7");
    cr_expect_eq(sc_error_set(NULL, SC_EBUSY, "nobody reads %s", "this"), SC_EBUSY);
}

Test(error, a_long_text_is_cut_between_characters)
{
    static const struct {
        const char *name;
        int n_before;      // ASCII bytes in front
        const char *after; // then this, twice
        size_t want_len;
    } rows[] = {
        {"fits exactly", 477, "a", 479},
        {"one too long", 478, "a", 479},
        {"two bytes fit", 477, "\xc3\xa4", 479},
        {"one of two bytes", 478, "\xc3\xa4", 478},
        {"three bytes fit", 476, "\xe2\x82\xac", 479},
        {"two of three", 477, "\xe2\x82\xac", 477},
        {"one of three", 478, "\xe2\x82\xac", 478},
        {"four bytes fit", 475, "\xf0\x9f\x98\x80", 479},
        {"three of four", 476, "\xf0\x9f\x98\x80", 476},
        {"one of four", 478, "\xf0\x9f\x98\x80", 478},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sc_error err;

        sc_error_set(&err, SC_EBUSY, "%0*d%s%s", rows[i].n_before, 0, rows[i].after, rows[i].after);
        cr_expect_eq(strlen(err.text), rows[i].want_len, "%s: %zu", rows[i].name, strlen(err.text));
        cr_expect(sc_utf8_valid(err.text, strlen(err.text)), "%s", rows[i].name);
    }
}

Test(error, assert_passes_over_what_is_true)
{
    int n_evaluated = 0;

    SC_ASSERT(++n_evaluated == 1);
    cr_expect_eq(n_evaluated, 1);
}

Test(error, assert_ends_the_process, .signal = SIGABRT)
{
    SC_ASSERT(1 + 1 == 3);
}
