/* SPDX-License-Identifier: Apache-2.0 */
/* Checking and writing JSON text. Called by the programs for the payloads they are given and by
 * whatever prints; keeps nothing of what it reads. */
#include "base/json.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/utf8.h"

enum { DOUBLE_BYTES = 32 }; // "-1.7976931348623157e+308"

/* The place behind the digits at `p`; `p` itself where there are none. */
static char *
skip_digits(char *p, const char *end)
{
    while (p < end && isdigit((unsigned char)*p))
        p++;
    return p;
}

/* The place behind the JSON number at `p` (RFC 8259, section 6); `p` itself where there is none. */
static char *
skip_number(char *p, const char *end)
{
    char *digits = p < end && *p == '-' ? p + 1 : p;
    char *last = digits < end && *digits == '0' ? digits + 1 : skip_digits(digits, end);
    char *tail;

    if (last == digits)
        return p;
    if (last < end && *last == '.' && (tail = skip_digits(last + 1, end)) > last + 1)
        last = tail;
    if (last < end && (*last == 'e' || *last == 'E')) {
        digits = last + 1 < end && (last[1] == '+' || last[1] == '-') ? last + 2 : last + 1;
        if ((tail = skip_digits(digits, end)) > digits)
            last = tail;
    }
    return last;
}

/* The place behind the string that opens at `p`; each \u0000 in it becomes \u0001. */
static char *
tame_string(char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++) {
        if (*p != '\\')
            continue;
        if (end - p >= 6 && memcmp(p, "\\u0000", 6) == 0)
            p[5] = '1';
        if (p + 1 < end)
            p++; // what is escaped, perhaps a quote
    }
    return p < end ? p + 1 : p;
}

/* Rewrites in place what is good JSON but more than jansson can hold: numbers beyond a double and
 * zeros in keys. Every number becomes 0 and spaces. What is no JSON stays none, every byte has its
 * place. */
static void
tame(char *text, size_t len)
{
    const char *end = text + len;
    char *next;

    for (char *p = text; p < end; p = next) {
        next = *p == '"' ? tame_string(p, end) : skip_number(p, end);
        if (next == p)
            next++;
        else if (*p != '"')
            *(char *)memset(p, ' ', (size_t)(next - p)) = '0';
    }
}

/* What stands for a byte that cannot stand in a string as it is; 0xff: no UTF-8. */
static int
add_escaped(sc_buffer *out, unsigned char c)
{
    switch (c) {
    case '"':
        return sc_buffer_add(out, "\\\"", 2);
    case '\\':
        return sc_buffer_add(out, "\\\\", 2);
    case '\n':
        return sc_buffer_add(out, "\\n", 2);
    case '\r':
        return sc_buffer_add(out, "\\r", 2);
    case '\t':
        return sc_buffer_add(out, "\\t", 2);
    case 0xff:
        return sc_buffer_add(out, "\xef\xbf\xbd", 3);
    default:
        return sc_buffer_printf(out, "\\u%04x", c);
    }
}

static int
parse(const char *text, size_t len, json_error_t *error)
{
    const size_t flags = JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL;
    json_t *value = json_loadb(text, len, flags, error);

    json_decref(value);
    if (value)
        return 0;
    return error->text[0] ? SC_EMALFORMED : SC_ENOMEM; // jansson is silent where memory is gone
}

static int
parse_tamed(const char *text, size_t len, json_error_t *error)
{
    char *copy = malloc(len);
    int rc;

    if (!copy)
        return SC_ENOMEM;
    memcpy(copy, text, len);
    tame(copy, len);
    rc = parse(copy, len, error);
    free(copy);
    return rc;
}

int
sc_json_check(const char *text, size_t len, sc_error *err)
{
    enum json_error_code code;
    json_error_t error;
    const char *zero;
    int rc;

    if (len == 0)
        return sc_error_set(err, SC_EMALFORMED, "column 1: empty text");
    zero = memchr(text, '\0', len);
    if (zero) // jansson would take it for the end
        return sc_error_set(err, SC_EMALFORMED, "column %zu: zero byte", (size_t)(zero - text) + 1);
    rc = parse(text, len, &error);
    code = rc == SC_EMALFORMED ? json_error_code(&error) : json_error_unknown;
    if (code == json_error_numeric_overflow || code == json_error_null_byte_in_key)
        rc = parse_tamed(text, len, &error);
    if (rc == SC_ENOMEM)
        return sc_error_set(err, rc, "%s", sc_error_text(rc));
    return rc ? sc_error_set(err, rc, "column %d: %s", error.column, error.text) : 0;
}

int
sc_json_add_string(sc_buffer *out, const char *text, size_t len)
{
    size_t start = out->len;
    size_t n_plain = 0; // bytes before i that are copied as they are
    int rc = sc_buffer_add(out, "\"", 1);

    for (size_t i = 0; i < len && rc == 0;) {
        unsigned char c = (unsigned char)text[i];
        size_t n = sc_utf8_next(text + i, len - i, NULL);

        if (n > 0 && c >= 0x20 && c != '"' && c != '\\') {
            n_plain += n;
            i += n;
            continue;
        }
        rc = sc_buffer_add(out, text + i - n_plain, n_plain);
        if (rc == 0)
            rc = add_escaped(out, n > 0 ? c : 0xff);
        n_plain = 0;
        i++;
    }
    if (rc == 0)
        rc = sc_buffer_add(out, text + len - n_plain, n_plain);
    if (rc == 0)
        rc = sc_buffer_add(out, "\"", 1);
    if (rc)
        out->len = start;
    return rc;
}

int
sc_json_add_double(sc_buffer *out, double value)
{
    char text[DOUBLE_BYTES];

    if (!isfinite(value))
        return sc_buffer_add(out, "null", 4);
    // 15 digits survive the way from text to double and back; 17 the way from double to text and
    // back.
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    return sc_buffer_add(out, text, strlen(text));
}
