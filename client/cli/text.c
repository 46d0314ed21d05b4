/* SPDX-License-Identifier: Apache-2.0 */
/* Text and numbers for people, see text.h. Called by everything that prints for them. */
#include "client/cli/text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#include <jansson.h>

#include "base/utf8.h"

enum { DISTANCE_BYTES = 64 };

/* Columns of one character of `n` bytes; broken UTF-8 takes one a byte. */
static int
character_width(const char *text, size_t len, bool is_utf8, size_t *n)
{
    uint32_t point;
    int width;

    *n = is_utf8 ? sc_utf8_next(text, len, &point) : 0;
    if (*n == 0) {
        *n = 1;
        return 1;
    }
    width = wcwidth((wchar_t)point);
    return width < 0 ? 1 : width;
}

int
sc_text_width(const char *text, size_t len, bool is_utf8)
{
    int width = 0;

    for (size_t i = 0, n; i < len; i += n)
        width += character_width(text + i, len - i, is_utf8, &n);
    return width;
}

void
sc_text_add(sc_out *o, const char *text, size_t len, bool is_utf8)
{
    uint32_t point;

    for (size_t i = 0, n; i < len; i += n) {
        n = sc_utf8_next(text + i, len - i, &point);
        if (n == 0)
            sc_out_printf(o, "\\x%02x", (unsigned char)text[i]);
        else if (point == '\n')
            sc_out_text(o, "\\n");
        else if (point < 0x20 || point == 0x7f)
            sc_out_printf(o, "\\x%02x", point);
        else if ((point >= 0x80 && point <= 0x9f) || (point > 0x7f && !is_utf8))
            sc_out_printf(o, "\\u%04x", point);
        else
            sc_out_add(o, text + i, n);
        n += n == 0;
    }
}

void
sc_text_error(sc_out *o, const char *json, size_t len)
{
    json_t *error = json_loadb(json, len, JSON_ALLOW_NUL, NULL);
    const char *code = json_string_value(json_object_get(error, "code"));
    const char *message = json_string_value(json_object_get(error, "message"));

    if (code && message)
        sc_out_printf(o, "%s: %s", code, message);
    else
        sc_out_add(o, json, len);
    json_decref(error);
}

void
sc_text_cut(sc_out *o, const char *text, int columns, bool is_utf8)
{
    const char *ellipsis = is_utf8 ? "\xe2\x80\xa6" : "..";
    int room = columns - (is_utf8 ? 1 : 2);
    size_t len = strlen(text), i = 0, n;

    if (sc_text_width(text, len, is_utf8) <= columns) {
        sc_out_add(o, text, len);
        return;
    }
    for (; i < len; i += n) {
        int width = character_width(text + i, len - i, is_utf8, &n);

        if (width > room)
            break;
        room -= width;
    }
    sc_out_add(o, text, i);
    sc_out_text(o, ellipsis);
}

/* One paragraph, which ends at a line break. */
static void
wrap_line(sc_out *o, const char *line, size_t len, int indent, int columns)
{
    int used = 0; // columns of this line behind the indent

    while (len > 0) {
        const char *space = memchr(line, ' ', len);
        size_t word = space ? (size_t)(space - line) : len;
        int width = sc_text_width(line, word, true);

        if (used > 0 && indent + used + 1 + width > columns) {
            sc_out_text(o, "\n");
            used = 0;
        }
        if (used == 0)
            sc_out_repeat(o, " ", indent);
        else
            sc_out_text(o, " ");
        sc_out_add(o, line, word);
        used += width + (used > 0);
        line += word + (space != NULL);
        len -= word + (space != NULL);
    }
    sc_out_text(o, "\n");
}

void
sc_text_wrap(sc_out *o, const char *text, int indent, int columns)
{
    while (*text) {
        size_t len = strcspn(text, "\n");

        if (*text != ' ' && *text != '\n') {
            wrap_line(o, text, len, indent, columns);
        } else {
            sc_out_repeat(o, " ", *text == ' ' ? indent : 0);
            sc_out_add(o, text, len);
            sc_out_text(o, "\n");
        }
        text += len + (text[len] == '\n');
    }
}

static int
least(int a, int b, int c)
{
    int ab = a < b ? a : b;

    return ab < c ? ab : c;
}

/* Optimal string alignment, a row of the matrix for each character of a. */
int
sc_text_distance(const char *a, const char *b)
{
    int rows[3][DISTANCE_BYTES];
    int *before = rows[0], *last = rows[1], *now = rows[2], *next;
    size_t n_a = strlen(a), n_b = strlen(b);

    if (n_a >= DISTANCE_BYTES || n_b >= DISTANCE_BYTES)
        return DISTANCE_BYTES;
    memset(rows, 0, sizeof(rows));
    for (size_t j = 0; j <= n_b; j++)
        now[j] = (int)j;
    for (size_t i = 1; i <= n_a; i++) {
        next = before, before = last, last = now, now = next;
        now[0] = (int)i;
        for (size_t j = 1; j <= n_b; j++) {
            int exchange = last[j - 1] + (a[i - 1] != b[j - 1]);

            now[j] = least(last[j] + 1, now[j - 1] + 1, exchange);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], before[j - 2] + 1, now[j]);
        }
    }
    return now[n_b];
}

char *
sc_format_count(uint64_t count, char out[SC_FORMAT_BYTES])
{
    char digits[SC_FORMAT_BYTES];
    int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)count);
    int at = 0;

    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

char *
sc_format_rate(double per_s, char out[SC_FORMAT_BYTES])
{
    if (per_s < 9.95)
        snprintf(out, SC_FORMAT_BYTES, "%.1f/s", per_s);
    else if (per_s < 999.5)
        snprintf(out, SC_FORMAT_BYTES, "%.0f/s", per_s);
    else if (per_s < 999.95e3)
        snprintf(out, SC_FORMAT_BYTES, "%.1f k/s", per_s / 1e3);
    else
        snprintf(out, SC_FORMAT_BYTES, "%.1f M/s", per_s / 1e6);
    return out;
}

char *
sc_format_duration(int64_t ms, char out[SC_FORMAT_BYTES])
{
    static const struct {
        int64_t ms;
        const char *name;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "min"}, {1000, "s"}};
    size_t i = 0;

    if (ms < 1000)
        snprintf(out, SC_FORMAT_BYTES, "%lld ms", (long long)(ms > 0 ? ms : 0));
    else if (ms < 10000)
        snprintf(out, SC_FORMAT_BYTES, "%lld.%lld s", (long long)(ms / 1000),
                 (long long)(ms / 100 % 10));
    else if (ms < 60000)
        snprintf(out, SC_FORMAT_BYTES, "%lld s", (long long)(ms / 1000));
    if (ms < 60000)
        return out;
    while (ms < units[i].ms)
        i++;
    snprintf(out, SC_FORMAT_BYTES, "%lld %s %lld %s", (long long)(ms / units[i].ms), units[i].name,
             (long long)(ms % units[i].ms / units[i + 1].ms), units[i + 1].name);
    return out;
}

char *
sc_format_bytes(uint64_t bytes, char out[SC_FORMAT_BYTES])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    size_t i = 0;

    for (; value >= 1023.95; i++)
        value /= 1024;
    snprintf(out, SC_FORMAT_BYTES, i == 0 || value >= 99.95 ? "%.0f %s" : "%.1f %s", value,
             units[i]);
    return out;
}

char *
sc_format_time(int64_t unix_ms, char out[SC_FORMAT_BYTES])
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm parts;

    if (unix_ms == 0 || !localtime_r(&seconds, &parts) ||
        strftime(out, SC_FORMAT_BYTES, "%Y-%m-%d %H:%M:%S", &parts) == 0)
        snprintf(out, SC_FORMAT_BYTES, "-");
    return out;
}
