/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8: see utf8.h. */
#include "base/utf8.h"

size_t
sc_utf8_next(const char *text, size_t len, uint32_t *code_point)
{
    static const uint32_t smallest[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (len == 0)
        return 0;
    const unsigned char *s = (const unsigned char *)text;
    size_t n = s[0] < 0x80         ? 1
               : (s[0] >> 5) == 6  ? 2
               : (s[0] >> 4) == 14 ? 3
               : (s[0] >> 3) == 30 ? 4
                                   : 0;
    if (n == 0 || n > len)
        return 0;
    uint32_t point = n == 1 ? s[0] : s[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (s[i] & 0x3f);
    }
    if (point < smallest[n] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return 0;
    if (code_point)
        *code_point = point;
    return n;
}

bool
sc_utf8_valid(const char *text, size_t len)
{
    for (size_t i = 0, n; i < len; i += n)
        if ((n = sc_utf8_next(text + i, len - i, NULL)) == 0)
            return false;
    return true;
}

bool
sc_utf8_printable(const char *text, size_t len)
{
    uint32_t point = 0;
    for (size_t i = 0, n; i < len; i += n) {
        if ((n = sc_utf8_next(text + i, len - i, &point)) == 0)
            return false;
        if (point < 0x20 || (point >= 0x7f && point <= 0x9f))
            return false;
    }
    return true;
}
