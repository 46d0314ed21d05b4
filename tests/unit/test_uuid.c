/* SPDX-License-Identifier: Apache-2.0 */
/* Job ids: the example of RFC 9562, the order of time, and what text is an id or a prefix of one.
 */
#include <string.h>

#include <criterion/criterion.h>

#include "base/uuid.h"

static const char example[] = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"; // RFC 9562, appendix A.6

Test(uuid, example_of_the_rfc)
{
    // rand_a is 0xcc3; rand_b is 0x18c4dc0c0c07398f, taken from the upper 62 bits of the second
    // number.
    const uint64_t random[2] = {0xcc3, UINT64_C(0x18c4dc0c0c07398f) << 2};
    sc_uuid id = sc_uuid_v7(1645557742000, random);
    char text[SC_UUID_TEXT];

    cr_expect_eq(sc_uuid_format(&id, text), text);
    cr_expect_str_eq(text, example, "%s", text);
}

Test(uuid, version_and_variant_whatever_the_bits)
{
    static const struct {
        const char *name;
        int64_t unix_ms;
        uint64_t random[2];
        const char *want;
    } rows[] = {
        {"all zero", 0, {0, 0}, "00000000-0000-7000-8000-000000000000"},
        {"all ones",
         ((int64_t)1 << 48) - 1,
         {UINT64_MAX, UINT64_MAX},
         "ffffffff-ffff-7fff-bfff-ffffffffffff"},
        {"only time", 0x123456789abc, {0, 0}, "12345678-9abc-7000-8000-000000000000"},
        {"unused bits", 0, {~UINT64_C(0xfff), 3}, "00000000-0000-7000-8000-000000000000"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sc_uuid id = sc_uuid_v7(rows[i].unix_ms, rows[i].random);
        char text[SC_UUID_TEXT];

        cr_expect_str_eq(sc_uuid_format(&id, text), rows[i].want, "%s: %s", rows[i].name, text);
    }
}

Test(uuid, order_is_that_of_time)
{
    const uint64_t high[2] = {UINT64_MAX, UINT64_MAX}, low[2] = {0, 0};

    for (int64_t ms = 1; ms < (int64_t)1 << 47; ms *= 3) {
        sc_uuid before = sc_uuid_v7(ms, high);
        sc_uuid after = sc_uuid_v7(ms + 1, low);

        cr_expect_lt(memcmp(before.bytes, after.bytes, 16), 0, "%lld ms", (long long)ms);
    }
}

Test(uuid, parse)
{
    static const struct {
        const char *name, *text;
        bool want;
    } rows[] = {
        {"as written", "017f22e2-79b0-7cc3-98c4-dc0c0c07398f", true},
        {"no hyphens", "017f22e279b07cc398c4dc0c0c07398f", true},
        {"upper case", "017F22E2-79B0-7CC3-98C4-DC0C0C07398F", true},
        {"empty", "", false},
        {"one digit short", "017f22e2-79b0-7cc3-98c4-dc0c0c07398", false},
        {"one digit more", "017f22e2-79b0-7cc3-98c4-dc0c0c07398f0", false},
        {"33 digits", "017f22e279b07cc398c4dc0c0c07398f0", false},
        {"no digit", "017f22e2-79b0-7cc3-98c4-dc0c0c07398g", false},
        {"some hyphens", "017f22e2-79b07cc398c4dc0c0c07398f", false},
        {"hyphens elsewhere", "017f22e27-9b0-7cc3-98c4-dc0c0c07398f", false},
        {"hyphens among 32", "017f22e2-79b0-7cc3-98c4-dc0c0c07", false},
        {"36 digits", "017f22e279b07cc398c4dc0c0c07398f0000", false},
        {"spaces for hyphens", "017f22e2 79b0 7cc3 98c4 dc0c0c07398f", false},
        {"braces", "{017f22e279b07cc398c4dc0c0c07398f}", false},
        {"space in front", " 017f22e279b07cc398c4dc0c0c07398", false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sc_uuid id = {{0xaa}};
        char text[SC_UUID_TEXT];
        bool got = sc_uuid_parse(rows[i].text, strlen(rows[i].text), &id);

        cr_expect_eq(got, rows[i].want, "%s", rows[i].name);
        if (got)
            cr_expect_str_eq(sc_uuid_format(&id, text), example, "%s: %s", rows[i].name, text);
        else
            cr_expect_eq(id.bytes[0], 0xaa, "%s: nothing is written", rows[i].name);
    }
}

Test(uuid, prefixes)
{
    static const struct {
        const char *name, *text;
        unsigned want_digits; // 0: refused
        bool want_match;      // with the example
    } rows[] = {
        {"one digit", "0", 1, true},
        {"another digit", "1", 1, false},
        {"two digits", "01", 2, true},
        {"odd, last one differs", "018", 3, false},
        {"odd, last one matches", "017", 3, true},
        {"even, last one differs", "017e", 4, false},
        {"hyphen behind", "017f22e2-", 8, true},
        {"hyphens anywhere", "0-1-7f2-2e2", 8, true},
        {"upper case", "017F22E279", 10, true},
        {"whole", "017f22e2-79b0-7cc3-98c4-dc0c0c07398f", 32, true},
        {"whole but the last", "017f22e2-79b0-7cc3-98c4-dc0c0c07398e", 32, false},
        {"33 digits", "017f22e2-79b0-7cc3-98c4-dc0c0c07398f0", 0, false},
        {"empty", "", 0, false},
        {"only a hyphen", "-", 0, false},
        {"no digit", "017x", 0, false},
        {"g", "g", 0, false},
    };
    sc_uuid id;

    cr_assert(sc_uuid_parse(example, strlen(example), &id));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sc_uuid prefix = {{0}};
        unsigned n_digits = 0;
        bool got = sc_uuid_parse_prefix(rows[i].text, strlen(rows[i].text), &prefix, &n_digits);

        cr_expect_eq(got, rows[i].want_digits > 0, "%s", rows[i].name);
        cr_expect_eq(n_digits, rows[i].want_digits, "%s: %u digits", rows[i].name, n_digits);
        if (got)
            cr_expect_eq(sc_uuid_has_prefix(&id, &prefix, n_digits), rows[i].want_match, "%s",
                         rows[i].name);
    }
    cr_expect_not(sc_uuid_has_prefix(&id, &id, 33));
}

Test(uuid, a_prefix_is_filled_with_zeros)
{
    sc_uuid prefix;
    unsigned n_digits;
    char text[SC_UUID_TEXT];

    memset(&prefix, 0xff, sizeof(prefix));
    cr_assert(sc_uuid_parse_prefix("abc", 3, &prefix, &n_digits));
    cr_expect_str_eq(sc_uuid_format(&prefix, text), "abc00000-0000-0000-0000-000000000000");
}

Test(uuid, text_reads_back)
{
    for (unsigned bit = 0; bit < 128; bit++) {
        sc_uuid id = {{0}}, back;
        char text[SC_UUID_TEXT];

        id.bytes[bit / 8] = (uint8_t)(1 << bit % 8);
        cr_assert(sc_uuid_parse(sc_uuid_format(&id, text), SC_UUID_TEXT - 1, &back), "bit %u", bit);
        cr_expect_eq(memcmp(&id, &back, sizeof(id)), 0, "bit %u: %s", bit, text);
    }
}
