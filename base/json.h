/* SPDX-License-Identifier: Apache-2.0 */
/* The few things about JSON text that several folders need; parsing proper is jansson's. Payloads
 * and results travel as the text itself, so what a task is given reaches its handler unchanged,
 * large integers too. */
#ifndef SC_JSON_H
#define SC_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

/** Is this one well-formed JSON value (RFC 8259) in valid UTF-8, nothing behind it? Any type at the
 *  top, numbers of any size, \u0000 anywhere in strings; nesting up to 2,048. An escape for half a
 *  surrogate pair is refused: it stands for no character.
 *  @return 0, SC_ENOMEM, or SC_EMALFORMED with column and reason in `err` */
int sc_json_check(const char *text, size_t len, sc_error *err);
/** Appends a JSON string with quotes: control characters, quote and backslash escaped; bytes that
 *  are no UTF-8 as U+FFFD.
 *  @return as sc_buffer_reserve; on error nothing is appended */
SC_MUST_USE int sc_json_add_string(sc_buffer *out, const char *text, size_t len);
/** Appends a number that reads back as the same double; null for NaN and infinities.
 *  @return as above */
SC_MUST_USE int sc_json_add_double(sc_buffer *out, double value);

#endif
