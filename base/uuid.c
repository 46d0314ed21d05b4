/* SPDX-License-Identifier: Apache-2.0 */
/* UUIDv7 (RFC 9562): made from a time and random bits that the caller gives, written, and read back
 * whole or as a prefix. Pure. */
#include "base/uuid.h"

#include <string.h>

enum { N_DIGITS = 32, TEXT_LEN = SC_UUID_TEXT - 1 };

/* Where the text of a whole id has its hyphens. */
static bool
is_hyphen_place(size_t i)
{
    return i == 8 || i == 13 || i == 18 || i == 23;
}

/* Value of a hexadecimal digit, or -1. */
static int
digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static unsigned
nibble(const sc_uuid *id, unsigned i)
{
    return i % 2 ? id->bytes[i / 2] & 15 : id->bytes[i / 2] >> 4;
}

sc_uuid
sc_uuid_v7(int64_t unix_ms, const uint64_t random[2])
{
    uint64_t high = (uint64_t)unix_ms << 16 | 0x7000 | (random[0] & 0xfff); // time, version, rand_a
    uint64_t low = UINT64_C(2) << 62 | random[1] >> 2;                      // variant, rand_b
    sc_uuid id;

    for (unsigned i = 0; i < 8; i++) {
        id.bytes[i] = (uint8_t)(high >> (56 - 8 * i));
        id.bytes[8 + i] = (uint8_t)(low >> (56 - 8 * i));
    }
    return id;
}

char *
sc_uuid_format(const sc_uuid *id, char out[SC_UUID_TEXT])
{
    unsigned digit = 0;

    for (size_t i = 0; i < TEXT_LEN; i++)
        out[i] = is_hyphen_place(i) ? '-' : "0123456789abcdef"[nibble(id, digit++)];
    out[TEXT_LEN] = '\0';
    return out;
}

bool
sc_uuid_parse(const char *text, size_t len, sc_uuid *out)
{
    unsigned n_digits;
    sc_uuid id;

    if (len != N_DIGITS && len != TEXT_LEN)
        return false;
    for (size_t i = 0; i < len; i++)
        if ((text[i] == '-') != (len == TEXT_LEN && is_hyphen_place(i)))
            return false;
    if (!sc_uuid_parse_prefix(text, len, &id, &n_digits))
        return false;
    *out = id;
    return true;
}

bool
sc_uuid_parse_prefix(const char *text, size_t len, sc_uuid *out, unsigned *n_digits)
{
    sc_uuid id = {{0}};
    unsigned n = 0;

    for (size_t i = 0; i < len; i++) {
        int value = digit_value(text[i]);

        if (text[i] == '-')
            continue;
        if (value < 0 || n == N_DIGITS)
            return false;
        id.bytes[n / 2] |= (uint8_t)(n % 2 ? value : value << 4);
        n++;
    }
    if (n == 0)
        return false;
    *out = id;
    *n_digits = n;
    return true;
}

bool
sc_uuid_has_prefix(const sc_uuid *id, const sc_uuid *prefix, unsigned n_digits)
{
    if (n_digits > N_DIGITS || memcmp(id->bytes, prefix->bytes, n_digits / 2) != 0)
        return false;
    return n_digits % 2 == 0 || nibble(id, n_digits - 1) == nibble(prefix, n_digits - 1);
}
