/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 (RFC 3629), one character at a time: what is text, and what may be shown. */
#ifndef SC_UTF8_H
#define SC_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The character at the start of `text`. @return bytes it takes (1..4), or 0 where it is no valid
 * UTF-8 (overlong forms, surrogates and cut sequences included) or len is 0; `code_point` may be
 * NULL */
size_t sc_utf8_next(const char *text, size_t len, uint32_t *code_point);
/** Valid UTF-8 as a whole. */
bool sc_utf8_valid(const char *text, size_t len);
/** Valid UTF-8 without control characters (below 0x20, 0x7f, 0x80..0x9f). */
bool sc_utf8_printable(const char *text, size_t len);

#endif
