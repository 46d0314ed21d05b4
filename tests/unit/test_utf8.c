/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8: every character of the code space reads back, every other sequence is refused. */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/utf8.h"

/* Writes a code point as RFC 3629 says, without asking whether it may be; returns its length. */
static size_t
encode(uint32_t point, unsigned char *out)
{
    static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t n = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;

    for (size_t i = n; i-- > 1; point >>= 6)
        out[i] = (unsigned char)(0x80 | (point & 0x3f));
    out[0] = (unsigned char)(leads[n] | point);
    return n;
}

Test(utf8, every_code_point)
{
    for (uint32_t point = 0; point < 0x120000; point++) {
        bool is_surrogate = point >= 0xd800 && point <= 0xdfff;
        unsigned char bytes[4];
        size_t n = encode(point, bytes);
        size_t want = is_surrogate || point > 0x10ffff ? 0 : n;
        uint32_t back = 0;

        cr_assert_eq(sc_utf8_next((char *)bytes, n, &back), want, "U+%X", (unsigned)point);
        cr_assert(want == 0 || back == point, "U+%X", (unsigned)point);
        cr_assert_eq(sc_utf8_next((char *)bytes, n - 1, NULL), 0, "U+%X, cut", (unsigned)point);
    }
}

Test(utf8, sequences)
{
    static const struct {
        const char *name, *text;
        size_t len;
        bool want_valid, want_printable;
    } rows[] = {
        {"empty", "", 0, true, true},
        {"letters", "abc", 3, true, true},
        {"mixed", "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z", 11, true, true},
        {"zero byte", "a\0b", 3, true, false},
        {"newline", "a\n", 2, true, false},
        {"last control character", "\x1f", 1, true, false},
        {"space", " ", 1, true, true},
        {"tilde", "~", 1, true, true},
        {"delete", "\x7f", 1, true, false},
        {"first of C1", "\xc2\x80", 2, true, false},
        {"last of C1", "\xc2\x9f", 2, true, false},
        {"behind C1", "\xc2\xa0", 2, true, true},
        {"overlong of two", "\xc0\x80", 2, false, false},
        {"overlong of two, largest", "\xc1\xbf", 2, false, false},
        {"overlong of three", "\xe0\x9f\xbf", 3, false, false},
        {"overlong of four", "\xf0\x8f\xbf\xbf", 4, false, false},
        {"lone continuation", "\x80", 1, false, false},
        {"five bytes", "\xf8\x88\x80\x80\x80", 5, false, false},
        {"0xff", "\xff", 1, false, false},
        {"letter for a continuation", "\xe2\x82z", 3, false, false},
        {"lead for a continuation", "\xc3\xc3", 2, false, false},
        {"good, then cut", "abc\xe2\x82", 5, false, false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *copy = malloc(rows[i].len ? rows[i].len : 1); // ends where the text ends

        memcpy(copy, rows[i].text, rows[i].len);
        cr_expect_eq(sc_utf8_valid(copy, rows[i].len), rows[i].want_valid, "%s", rows[i].name);
        cr_expect_eq(sc_utf8_printable(copy, rows[i].len), rows[i].want_printable, "%s",
                     rows[i].name);
        free(copy);
    }
}
