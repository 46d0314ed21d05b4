/* SPDX-License-Identifier: Apache-2.0 */
/* UUIDv7 (RFC 9562, section 5.7): job ids, made by the client; ordered by the millisecond they were
 * made in. */
#ifndef SC_UUID_H
#define SC_UUID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SC_UUID_TEXT = 37 }; /* 36 characters and the zero */

typedef struct sc_uuid {
    uint8_t bytes[16];
} sc_uuid;

/** @param random  two numbers of 64 random bits; 74 of them are used */
sc_uuid sc_uuid_v7(int64_t unix_ms, const uint64_t random[2]);
/** Lower-case text with hyphens. Returns `out`. */
char *sc_uuid_format(const sc_uuid *id, char out[SC_UUID_TEXT]);
/** A whole id in text, hyphens optional, either case. */
bool sc_uuid_parse(const char *text, size_t len, sc_uuid *out);
/** A prefix in text (1 to 32 hexadecimal digits, hyphens ignored): `out` zero-filled, `n_digits`
 *  how many were given. */
bool sc_uuid_parse_prefix(const char *text, size_t len, sc_uuid *out, unsigned *n_digits);
/** True where the first n_digits hexadecimal digits are equal. */
bool sc_uuid_has_prefix(const sc_uuid *id, const sc_uuid *prefix, unsigned n_digits);

#endif
