/* SPDX-License-Identifier: Apache-2.0 */
/* The log: one line per fact, one write(2) a line, to stderr. Called by every folder that is not
 * pure; must never fail its caller, allocate, or change errno. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8.h"

enum {
    LINE_BYTES = 1000, // a line with its newline; below PIPE_BUF, so lines never mix
    ESCAPE_BYTES = 4,  // "\x1b"; the longest character has as many
    REPEAT_MS = 1000,
};

/* One of the two exceptions from "no globals". Written once, before there are threads. */
static sc_log_level log_level = SC_LOG_INFO;
static const char *log_program = "seedcore";

static const char *const level_names[] = {"error", "warn", "info", "debug"};

/* Copies as much of `text` as fits, control characters and what is no UTF-8 as \xNN; returns the
 * bytes written. */
static size_t
escape(const char *text, size_t len, char *out, size_t room)
{
    size_t n = 0;
    size_t step;

    for (size_t i = 0; i < len && n + ESCAPE_BYTES <= room; i += step) {
        step = sc_utf8_next(text + i, len - i, NULL);
        if (step > 0 && sc_utf8_printable(text + i, step)) {
            memcpy(out + n, text + i, step);
            n += step;
            continue;
        }
        out[n++] = '\\';
        out[n++] = 'x';
        out[n++] = "0123456789abcdef"[(unsigned char)text[i] >> 4];
        out[n++] = "0123456789abcdef"[text[i] & 15];
        step = 1;
    }
    return n;
}

void
sc_log_init(sc_log_level level, const char *program)
{
    log_level = level;
    log_program = program;
}

int
sc_log_enabled(sc_log_level level)
{
    return level <= log_level;
}

void
sc_log_write(sc_log_level level, const char *format, ...)
{
    int saved_errno = errno;
    char time[SC_CLOCK_TEXT];
    char text[LINE_BYTES];
    char line[LINE_BYTES];
    va_list args;
    int len;

    if (!sc_log_enabled(level))
        return;
    va_start(args, format);
    if (vsnprintf(text, sizeof(text), format, args) < 0)
        text[0] = '\0';
    va_end(args);
    len = snprintf(line, sizeof(line) / 2, "%s %s %.100s[%d] ",
                   sc_clock_format(sc_clock_unix_ms(), time), level_names[level], log_program,
                   (int)getpid());
    len += (int)escape(text, strlen(text), line + len, sizeof(line) - 1 - (size_t)len);
    line[len++] = '\n';
    // A log that cannot be written has nowhere to say so.
    while (write(STDERR_FILENO, line, (size_t)len) < 0 && errno == EINTR)
        ;
    errno = saved_errno;
}

int
sc_log_may_repeat(sc_log_limit *limit, int64_t now_ms, uint64_t *left_out)
{
    if (now_ms < limit->next_ms) {
        limit->n_left_out++;
        return 0;
    }
    *left_out = limit->n_left_out;
    *limit = (sc_log_limit){.next_ms = now_ms + REPEAT_MS};
    return 1;
}
