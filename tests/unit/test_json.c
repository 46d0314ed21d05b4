/* SPDX-License-Identifier: Apache-2.0 */
/* JSON text: what RFC 8259 allows is accepted whatever its size, all else is refused at its column.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/fault.h"
#include "base/json.h"

#define TEXT(s) s, sizeof(s) - 1 // with zeros inside

Test(json, accepted)
{
    static const struct {
        const char *name, *text;
        size_t len;
    } rows[] = {
        {"number", TEXT("1")},
        {"negative zero", TEXT("-0")},
        {"fraction and exponent", TEXT("-12.5e-3")},
        {"literals", TEXT("[true,false,null]")},
        {"empty string", TEXT("\"\"")},
        {"empty array", TEXT("[]")},
        {"empty object", TEXT("{}")},
        {"white space", TEXT(" \t\r\n{ \"a\" : [ 1 , 2 ] } \n")},
        {"escapes", TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\"")},
        {"surrogate pair", TEXT("\"\\ud83d\\ude00\"")},
        {"UTF-8", TEXT("\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"")},
        {"delete", TEXT("\"\x7f\"")},
        {"escaped zero", TEXT("\"a\\u0000b\"")},
        {"escaped zero in a key", TEXT("{\"a\\u0000b\":1}")},
        {"same key twice", TEXT("{\"a\":1,\"a\":2}")},
        {"large integer", TEXT("123456789012345678901234567890")},
        {"beyond a double", TEXT("1e999")},
        {"negative, beyond a double", TEXT("{\"a\":[-1.5E+4000,2],\"b\":\"1e999\"}")},
        {"close to nothing", TEXT("1e-999")},
        {"exponent of many digits", TEXT("1e00000000000000000000000001")},
        {"both kinds of too much", TEXT("{\"\\u0000\":1e999,\"\\\\u0000\":[1e999]}")},
        {"quotes near too much", TEXT("[1e999,\"\\\"1e999\",\"\\\\\",1e999]")},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sc_error err = {0};

        cr_expect_eq(sc_json_check(rows[i].text, rows[i].len, &err), 0, "%s: %s", rows[i].name,
                     err.text);
        cr_expect_eq(err.code, 0, "%s", rows[i].name);
    }
}

struct refused {
    const char *name, *text;
    size_t len;
    const char *want; // start of the error text
};

static void
expect_refused(const struct refused *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        sc_error err = {0};
        size_t want_len = strlen(rows[i].want);

        cr_expect_eq(sc_json_check(rows[i].text, rows[i].len, &err), SC_EMALFORMED, "%s",
                     rows[i].name);
        cr_expect_eq(err.code, SC_EMALFORMED, "%s", rows[i].name);
        cr_expect_eq(strncmp(err.text, rows[i].want, want_len), 0, "%s: %s", rows[i].name,
                     err.text);
        cr_expect_gt(strlen(err.text), want_len, "%s: %s", rows[i].name, err.text);
        cr_expect_eq(sc_json_check(rows[i].text, rows[i].len, NULL), SC_EMALFORMED, "%s",
                     rows[i].name);
    }
}
#define EXPECT_REFUSED(rows) expect_refused(rows, sizeof(rows) / sizeof((rows)[0]))

Test(json, refused)
{
    static const struct refused rows[] = {
        {"empty", TEXT(""), "column 1: "},
        {"white space", TEXT("  "), "column 2: "},
        {"two values", TEXT("1 2"), "column 3: "},
        {"comma at the end of an array", TEXT("[1,]"), "column 4: "},
        {"comma at the end of an object", TEXT("{\"a\":1,}"), "column 8: "},
        {"open array", TEXT("[1"), "column 2: "},
        {"open string", TEXT("\"abc"), "column 4: "},
        {"key without quotes", TEXT("{a:1}"), "column 2: "},
        {"single quotes", TEXT("'a'"), "column 1: "},
        {"comment", TEXT("//\n1"), "column 1: "},
        {"NaN", TEXT("NaN"), "column 3: "},
        {"infinity", TEXT("-Infinity"), "column 1: "},
        {"wrong case", TEXT("True"), "column 4: "},
        {"leading zero", TEXT("01"), "column 1: "},
        {"leading plus", TEXT("+1"), "column 1: "},
        {"only a sign", TEXT("-"), "column 1: "},
        {"no digits behind the point", TEXT("1."), "column 2: "},
        {"no digits before the point", TEXT(".5"), "column 1: "},
        {"no digits in the exponent", TEXT("1e"), "column 2: "},
        {"hexadecimal", TEXT("0x10"), "column "},
    };

    EXPECT_REFUSED(rows);
}

Test(json, bytes_refused)
{
    static const struct refused rows[] = {
        {"control character", TEXT("\"a\nb\""), "column "},
        {"zero byte", TEXT("\"a\0b\""), "column "},
        {"zero byte behind", TEXT("1\0"), "column 2: "},
        {"zero byte and more behind", TEXT("[1]\0[2"), "column 4: "},
        {"only a zero byte", TEXT("\0"), "column 1: "},
        {"unknown escape", TEXT("\"\\x41\""), "column "},
        {"short escape", TEXT("\"\\u12\""), "column "},
        {"half a pair", TEXT("\"\\ud800\""), "column "},
        {"second half first", TEXT("\"\\udc00\\ud800\""), "column "},
        {"no UTF-8", TEXT("\"\xff\""), "column "},
        {"Latin-1", TEXT("\"\xe4 \""), "column "},
        {"overlong", TEXT("\"\xc0\xaf\""), "column "},
        {"surrogate in UTF-8", TEXT("\"\xed\xa0\x80\""), "column "},
        {"beyond U+10FFFF", TEXT("\"\xf4\x90\x80\x80\""), "column "},
        {"cut UTF-8", TEXT("\"\xe2\x82\""), "column "},
        {"byte order mark",
         TEXT("\xef\xbb\xbf"
              "1"),
         "column "},
        {"form feed", TEXT("\f1"), "column "},
        {"zero in a key, no value", TEXT("{\"\\u0000\"}"), "column "},
    };

    EXPECT_REFUSED(rows);
}

/* The parser ends at such a number; what is wrong behind it is found all the same. */
Test(json, refused_behind_a_number_beyond_a_double)
{
    static const struct refused rows[] = {
        {"beyond a double, open", TEXT("[1e999,"), "column 7: "},
        {"beyond a double, something behind", TEXT("1e999 1"), "column 7: "},
        {"beyond a double, leading zero", TEXT("[1e999,01]"), "column "},
        {"beyond a double, cut number", TEXT("[1e999,1.]"), "column "},
        {"beyond a double, cut exponent", TEXT("[1e999,1e+]"), "column "},
        {"beyond a double, two in a row", TEXT("[1e999-1]"), "column "},
        {"beyond a double, letters behind", TEXT("[1e999x]"), "column "},
        {"beyond a double, open string", TEXT("[1e999,\"\\"), "column "},
        {"beyond a double, no UTF-8", TEXT("[1e999,\"\xff\"]"), "column "},
    };

    EXPECT_REFUSED(rows);
}

/* Every shorter prefix of a text is refused, read from memory that ends where it ends. */
Test(json, prefixes)
{
    static const struct {
        const char *name, *text;
    } rows[] = {
        {"object", "{\"system\":123,\"name\":\"a\\u00e4\xc3\xa4\",\"values\":[1,-2.5e3,null]}"},
        {"zero in a key", "{\"\\u0000\\\\\":[1e999,\"\\u0000\",true]}"},
        {"beyond a double", "[1e999,-0.5E+999,\"\\\"\",false]"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t whole = strlen(rows[i].text);

        for (size_t len = 0; len <= whole; len++) {
            char *copy = malloc(len ? len : 1);
            int want = len == whole ? 0 : SC_EMALFORMED;

            memcpy(copy, rows[i].text, len);
            cr_expect_eq(sc_json_check(copy, len, NULL), want, "%s: %zu bytes", rows[i].name, len);
            free(copy);
        }
    }
}

Test(json, depth_is_bounded)
{
    static const struct {
        const char *name;
        size_t depth;
        int want;
    } rows[] = {
        {"some", 100, 0},
        {"as documented", 2048, 0},
        {"one more", 2049, SC_EMALFORMED},
        {"very many", 1000000, SC_EMALFORMED},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t n = rows[i].depth;
        char *text = malloc(2 * n);

        memset(text, '[', n);
        memset(text + n, ']', n);
        cr_expect_eq(sc_json_check(text, 2 * n, NULL), rows[i].want, "%s", rows[i].name);
        free(text);
    }
}

Test(json, long_numbers)
{
    static const struct {
        const char *name, *before, *after;
        int want;
    } rows[] = {
        {"integer", "", "", 0},
        {"fraction", "0.", "", 0},
        {"exponent", "1e", "", 0},
        {"integer with all behind it", "-", ".5e-7", 0},
        {"leading zero", "0", "", SC_EMALFORMED},
        {"two points", "1.", ".5", SC_EMALFORMED},
    };
    enum { N = 5000 };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[N + 32];
        int start = snprintf(text, sizeof(text), "[1e999,%s", rows[i].before);

        memset(text + start, '7', N);
        snprintf(text + start + N, sizeof(text) - N - (size_t)start, "%s]", rows[i].after);
        cr_expect_eq(sc_json_check(text, strlen(text), NULL), rows[i].want, "%s", rows[i].name);
    }
}

Test(json, add_string)
{
    static const struct {
        const char *name, *text;
        size_t len;
        const char *want;
    } rows[] = {
        {"empty", TEXT(""), "\"\""},
        {"plain", TEXT("abc"), "\"abc\""},
        {"quote and backslash", TEXT("a\"b\\c"), "\"a\\\"b\\\\c\""},
        {"white space", TEXT("\n\r\t"), "\"\\n\\r\\t\""},
        {"control characters", TEXT("\x01\x1f"), "\"\\u0001\\u001f\""},
        {"zero", TEXT("a\0b"), "\"a\\u0000b\""},
        {"slash and delete stay", TEXT("/\x7f"), "\"/\x7f\""},
        {"UTF-8 stays", TEXT("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
         "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {"no UTF-8",
         TEXT("a\xff"
              "b"),
         "\"a\xef\xbf\xbd"
         "b\""},
        {"cut UTF-8", TEXT("a\xe2\x82"), "\"a\xef\xbf\xbd\xef\xbf\xbd\""},
        {"surrogate", TEXT("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sc_buffer b;

        sc_buffer_init(&b, 0);
        cr_assert_eq(sc_json_add_string(&b, rows[i].text, rows[i].len), 0, "%s", rows[i].name);
        cr_expect(b.len == strlen(rows[i].want) && memcmp(b.data, rows[i].want, b.len) == 0,
                  "%s: %.*s", rows[i].name, (int)b.len, (char *)b.data);
        cr_expect_eq(sc_json_check((char *)b.data, b.len, NULL), 0, "%s", rows[i].name);
        sc_buffer_fini(&b);
    }
}

Test(json, add_string_changes_nothing_at_the_bound)
{
    static const char text[] = "ab\ncd\xff"
                               "ef";
    sc_buffer b;
    int rc = SC_ELIMIT;

    for (size_t max = 3; rc; max++) {
        sc_buffer_init(&b, max);
        cr_assert_eq(sc_buffer_add(&b, "[1,", 3), 0);
        rc = sc_json_add_string(&b, text, sizeof(text) - 1);
        cr_expect(rc == 0 || (rc == SC_ELIMIT && b.len == 3), "bound %zu", max);
        cr_expect(rc || b.len == max, "bound %zu", max);
        sc_buffer_fini(&b);
    }
}

Test(json, add_double)
{
    static const struct {
        const char *name;
        double value;
        const char *want;
    } rows[] = {
        {"zero", 0, "0"},
        {"negative zero", -0.0, "-0"},
        {"whole", 42, "42"},
        {"a tenth", 0.1, "0.1"},
        {"three tenths, as computed", 0.1 + 0.2, "0.30000000000000004"},
        {"a third", 1.0 / 3, "0.3333333333333333"},
        {"largest whole", 9007199254740992, "9007199254740992"},
        {"large", 1e22, "1e+22"},
        {"largest", DBL_MAX, "1.7976931348623157e+308"},
        {"smallest normal", DBL_MIN, "2.2250738585072014e-308"},
        {"smallest", 4.9406564584124654e-324, "4.94065645841247e-324"},
        {"NaN", NAN, "null"},
        {"infinity", INFINITY, "null"},
        {"negative infinity", -INFINITY, "null"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sc_buffer b;

        sc_buffer_init(&b, 0);
        cr_assert_eq(sc_json_add_double(&b, rows[i].value), 0, "%s", rows[i].name);
        cr_expect(b.len == strlen(rows[i].want) && memcmp(b.data, rows[i].want, b.len) == 0,
                  "%s: %.*s", rows[i].name, (int)b.len, (char *)b.data);
        cr_expect_eq(sc_json_check((char *)b.data, b.len, NULL), 0, "%s", rows[i].name);
        sc_buffer_fini(&b);
    }
}
