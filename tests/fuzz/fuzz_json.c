/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as JSON text: sc_json_check agrees with jansson but for what jansson cannot hold. The
 * same bytes as a text, and the first eight as a double: what is written reads back. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/json.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char replacement[] = "\xef\xbf\xbd";
enum { REPLACEMENT_BYTES = sizeof replacement - 1 };

static void
check_text(const char *text, size_t len)
{
    json_error_t error;
    json_t *value = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    sc_error err = {0};
    int rc = sc_json_check(text, len, &err);
    if (value) {
        SC_ASSERT(rc == 0 || memchr(text, '\0', len));
    } else if (rc == 0) {
        enum json_error_code code = json_error_code(&error);
        SC_ASSERT(code == json_error_numeric_overflow || code == json_error_null_byte_in_key);
    }
    SC_ASSERT((rc == 0) == (err.text[0] == '\0'));
    json_decref(value);
}

// The text as a string must hold it: bytes that are no UTF-8 become U+FFFD.
static void
expect(const char *text, size_t len, const char *got, size_t got_len)
{
    size_t at = 0;
    for (size_t i = 0; i < len;) {
        size_t n = sc_utf8_next(text + i, len - i, NULL);
        const char *want = n ? text + i : replacement;
        size_t want_len = n ? n : REPLACEMENT_BYTES;
        SC_ASSERT(at + want_len <= got_len && memcmp(got + at, want, want_len) == 0);
        at += want_len;
        i += n ? n : 1;
    }
    SC_ASSERT(at == got_len);
}

static void
write_string(const char *text, size_t len)
{
    sc_buffer out;
    sc_buffer_init(&out, 0);
    SC_ASSERT(sc_json_add_string(&out, text, len) == 0);
    SC_ASSERT(sc_json_check((const char *)out.data, out.len, NULL) == 0);
    json_t *value =
        json_loadb((const char *)out.data, out.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    SC_ASSERT(json_is_string(value));
    expect(text, len, json_string_value(value), json_string_length(value));
    json_decref(value);
    sc_buffer_fini(&out);
}

static void
write_double(const uint8_t *data)
{
    double number;
    sc_buffer out;
    memcpy(&number, data, sizeof number);
    sc_buffer_init(&out, 0);
    SC_ASSERT(sc_json_add_double(&out, number) == 0);
    SC_ASSERT(sc_json_check((const char *)out.data, out.len, NULL) == 0);
    SC_ASSERT(sc_buffer_add(&out, "", 1) == 0);
    SC_ASSERT(isfinite(number) ? strtod((const char *)out.data, NULL) == number
                               : strcmp((const char *)out.data, "null") == 0);
    sc_buffer_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_text((const char *)data, size);
    write_string((const char *)data, size);
    if (size >= sizeof(double))
        write_double(data);
    return 0;
}
