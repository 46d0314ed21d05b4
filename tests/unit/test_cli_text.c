/* SPDX-License-Identifier: Apache-2.0 */
/* Text for people: widths, escapes, cuts, breaks, distances, numbers. */
#include <locale.h>
#include <string.h>

#include <criterion/criterion.h>

#include "client/cli/text.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* What was written, terminated. */
static const char *
text_of(sc_out *o)
{
    sc_out_add(o, "", 1);
    cr_assert_eq(o->error, 0);
    return (const char *)o->buffer.data;
}

static void
use_utf8(void)
{
    cr_assert_not_null(setlocale(LC_CTYPE, "C.UTF-8"));
}

Test(cli_text, width, .init = use_utf8)
{
    static const struct {
        const char *name, *text;
        bool is_utf8;
        int want;
    } rows[] = {
        {"empty", "", true, 0},
        {"ASCII", "abc", true, 3},
        {"two bytes", "\xc3\xa4\xc3\xb6", true, 2},
        {"wide", "\xe6\x97\xa5\xe6\x9c\xac", true, 4},
        {"combining", "e\xcc\x81", true, 1},
        {"broken", "\xc3(", true, 2},
        {"bytes in ASCII", "\xc3\xa4", false, 2},
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        cr_expect_eq(sc_text_width(rows[i].text, strlen(rows[i].text), rows[i].is_utf8),
                     rows[i].want, "%s", rows[i].name);
}

Test(cli_text, add)
{
    static const struct {
        const char *name, *text;
        bool is_utf8;
        const char *want;
    } rows[] = {
        {"plain", "a b", true, "a b"},
        {"escape sequence", "\033[31mred", true, "\\x1b[31mred"},
        {"line break", "a\nb", true, "a\\nb"},
        {"tab", "a\tb", true, "a\\x09b"},
        {"delete", "\x7f", true, "\\x7f"},
        {"C1",
         "\xc2\x9b"
         "31m",
         true, "\\u009b31m"},
        {"UTF-8", "\xc3\xa4", true, "\xc3\xa4"},
        {"UTF-8 in ASCII", "\xc3\xa4", false, "\\u00e4"},
        {"broken",
         "a\xff"
         "b",
         true, "a\\xffb"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        sc_out o;

        sc_out_init(&o);
        sc_text_add(&o, rows[i].text, strlen(rows[i].text), rows[i].is_utf8);
        cr_expect_str_eq(text_of(&o), rows[i].want, "%s", rows[i].name);
        sc_out_fini(&o);
    }
}

Test(cli_text, cut, .init = use_utf8)
{
    static const struct {
        const char *name, *text;
        int columns;
        bool is_utf8;
        const char *want;
    } rows[] = {
        {"fits", "abc", 3, true, "abc"},
        {"cut", "abcd", 3, true, "ab\xe2\x80\xa6"},
        {"cut in ASCII", "abcdef", 5, false, "abc.."},
        {"wide character does not fit", "\xe6\x97\xa5\xe6\x9c\xac", 3, true,
         "\xe6\x97\xa5\xe2\x80\xa6"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        sc_out o;

        sc_out_init(&o);
        sc_text_cut(&o, rows[i].text, rows[i].columns, rows[i].is_utf8);
        cr_expect_str_eq(text_of(&o), rows[i].want, "%s", rows[i].name);
        sc_out_fini(&o);
    }
}

Test(cli_text, wrap)
{
    static const struct {
        const char *name, *text;
        int indent, columns;
        const char *want;
    } rows[] = {
        {"short", "a b", 0, 10, "a b\n"},
        {"broken", "aa bb cc", 0, 5, "aa bb\ncc\n"},
        {"indented", "aa bb", 2, 5, "  aa\n  bb\n"},
        {"long word", "aaaaaaaa b", 0, 4, "aaaaaaaa\nb\n"},
        {"paragraphs", "a\n\nb", 0, 9, "a\n\nb\n"},
        {"kept as it is", "  aa bb cc dd", 0, 5, "  aa bb cc dd\n"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        sc_out o;

        sc_out_init(&o);
        sc_text_wrap(&o, rows[i].text, rows[i].indent, rows[i].columns);
        cr_expect_str_eq(text_of(&o), rows[i].want, "%s", rows[i].name);
        sc_out_fini(&o);
    }
}

Test(cli_text, distance)
{
    static const struct {
        const char *a, *b;
        int want;
    } rows[] = {
        {"", "", 0},
        {"abc", "", 3},
        {"submit", "submit", 0},
        {"submti", "submit", 1},
        {"worker", "workers", 1},
        {"satus", "status", 1},
        {"jbos", "jobs", 1},
        {"kitten", "sitting", 3},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        cr_expect_eq(sc_text_distance(rows[i].a, rows[i].b), rows[i].want, "%s %s", rows[i].a,
                     rows[i].b);
        cr_expect_eq(sc_text_distance(rows[i].b, rows[i].a), rows[i].want, "%s %s", rows[i].b,
                     rows[i].a);
    }
}

Test(cli_text, count)
{
    static const struct {
        uint64_t count;
        const char *want;
    } rows[] = {
        {0, "0"},
        {999, "999"},
        {1000, "1,000"},
        {1234567, "1,234,567"},
        {UINT64_MAX, "18,446,744,073,709,551,615"},
    };
    char text[SC_FORMAT_BYTES];

    for (size_t i = 0; i < COUNT(rows); i++)
        cr_expect_str_eq(sc_format_count(rows[i].count, text), rows[i].want, "%s", rows[i].want);
}

Test(cli_text, duration)
{
    static const struct {
        int64_t ms;
        const char *want;
    } rows[] = {
        {-5, "0 ms"},
        {0, "0 ms"},
        {999, "999 ms"},
        {1000, "1.0 s"},
        {3250, "3.2 s"},
        {9999, "9.9 s"},
        {10000, "10 s"},
        {59999, "59 s"},
        {60000, "1 min 0 s"},
        {125000, "2 min 5 s"},
        {11520000, "3 h 12 min"},
        {439200000, "5 d 2 h"},
    };
    char text[SC_FORMAT_BYTES];

    for (size_t i = 0; i < COUNT(rows); i++)
        cr_expect_str_eq(sc_format_duration(rows[i].ms, text), rows[i].want, "%s", rows[i].want);
}

Test(cli_text, rate_and_bytes)
{
    static const struct {
        double number;
        const char *rate, *bytes;
    } rows[] = {
        {0, "0.0/s", "0 B"},
        {512, "512/s", "512 B"},
        {1536, "1.5 k/s", "1.5 KiB"},
        {1048576, "1.0 M/s", "1.0 MiB"},
        {8589934592.0, "8589.9 M/s", "8.0 GiB"},
    };
    char text[SC_FORMAT_BYTES];

    for (size_t i = 0; i < COUNT(rows); i++) {
        cr_expect_str_eq(sc_format_rate(rows[i].number, text), rows[i].rate, "%s", rows[i].rate);
        cr_expect_str_eq(sc_format_bytes((uint64_t)rows[i].number, text), rows[i].bytes, "%s",
                         rows[i].bytes);
    }
}

Test(cli_text, errors_in_words)
{
    static const struct {
        const char *name, *json, *want;
    } rows[] = {
        {"code and message", "{\"code\":\"odd\",\"message\":\"it is\"}", "odd: it is"},
        {"fields in any order", "{\"message\":\"it is\",\"x\":1,\"code\":\"odd\"}", "odd: it is"},
        {"no message", "{\"code\":\"odd\"}", "{\"code\":\"odd\"}"},
        {"a message that is no text", "{\"code\":\"a\",\"message\":1}",
         "{\"code\":\"a\",\"message\":1}"},
        {"no object", "[1]", "[1]"},
        {"no JSON", "{", "{"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        sc_out o;

        sc_out_init(&o);
        sc_text_error(&o, rows[i].json, strlen(rows[i].json));
        sc_out_add(&o, "", 1);
        cr_expect_str_eq((const char *)o.buffer.data, rows[i].want, "%s", rows[i].name);
        sc_out_fini(&o);
    }
}
