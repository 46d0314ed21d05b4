/* SPDX-License-Identifier: Apache-2.0 */
/* Names and texts of the error codes, and the end of a process that found a bug of its own. Called
 * by every folder; must never allocate, since it also reports that memory is gone. */
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

static const struct error_row {
    int code;
    const char *name;
    const char *text;
} error_rows[] = {
#define ERROR_ROW(symbol, number, name, text) {number, name, text},
    SC_ERRORS(ERROR_ROW)
#undef ERROR_ROW
};

enum { N_ERROR_ROWS = sizeof(error_rows) / sizeof(error_rows[0]) };

/* The row of one of our codes, or NULL. */
static const struct error_row *
find_row(int code)
{
    for (int i = 0; i < N_ERROR_ROWS; i++)
        if (error_rows[i].code == code)
            return &error_rows[i];
    return NULL;
}

// strerrordesc_np, unlike strerror, is a plain table: safe in threads, NULL for a number it does
// not know.
static const char *
system_text(int code)
{
    return code < 0 && code > -4096 ? strerrordesc_np(-code) : NULL;
}

/* A text that was cut may end in half a character, which is no text to whoever reads it next. */
static void
drop_half_character(char *text)
{
    size_t len = strlen(text);
    size_t first = len;

    while (first > 0 && len - first < 3 && (text[first - 1] & 0xc0) == 0x80)
        first--;
    if (first > 0 && sc_utf8_next(text + first - 1, len - first + 1, NULL) == 0)
        text[first - 1] = '\0';
}

const char *
sc_error_name(int code)
{
    const struct error_row *row = find_row(code);

    if (row)
        return row->name;
    return system_text(code) ? "system" : "unknown";
}

int
sc_error_from_name(const char *name, size_t len)
{
    for (int i = 0; i < N_ERROR_ROWS; i++)
        if (strlen(error_rows[i].name) == len && memcmp(error_rows[i].name, name, len) == 0)
            return error_rows[i].code;
    return SC_EHANDLER;
}

const char *
sc_error_text(int code)
{
    const struct error_row *row = find_row(code);
    const char *text = row ? row->text : system_text(code);

    if (code == 0)
        return "no error";
    return text ? text : "unknown error";
}

bool
sc_error_may_pass(int code)
{
    switch (code) {
    case SC_ELIMIT:
    case SC_EBUSY:
    case SC_ETIMEOUT:
    case SC_ELOST:
    case SC_EJOURNAL:
        return true;
    default:
        return code < 0 && !find_row(code); // the system's
    }
}

int
sc_error_set(sc_error *err, int code, const char *format, ...)
{
    va_list args;
    int len;

    if (!err)
        return code;
    err->code = code;
    err->sqlstate[0] = '\0';
    va_start(args, format);
    len = vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    if (len < 0)
        err->text[0] = '\0';
    else if (len >= SC_ERROR_TEXT)
        drop_half_character(err->text);
    return code;
}

void
sc_assert_failed(const char *expr, const char *file, int line, const char *function)
{
    fprintf(stderr, "bug: %s is false in %s (%s:%d)\n", expr, function, file, line);
    abort();
}
