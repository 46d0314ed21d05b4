/* SPDX-License-Identifier: Apache-2.0 */
/* The log: which levels come through, what a line looks like, that no line breaks or mixes. */
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/log.h"
#include "base/utf8.h"

/* Stderr goes into a pipe for the time of one call. A line is smaller than the pipe. */
struct capture {
    int saved, read_end;
};

static void
capture_start(struct capture *c)
{
    int ends[2];

    cr_assert_eq(pipe2(ends, O_NONBLOCK), 0);
    c->saved = dup(STDERR_FILENO);
    c->read_end = ends[0];
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
}

static size_t
capture_stop(struct capture *c, char *out, size_t size)
{
    ssize_t n = read(c->read_end, out, size - 1);
    size_t len = n > 0 ? (size_t)n : 0;

    dup2(c->saved, STDERR_FILENO);
    close(c->saved);
    close(c->read_end);
    out[len] = '\0';
    return len;
}

static size_t
capture_line(sc_log_level level, const char *text, char *out, size_t size)
{
    struct capture c;

    capture_start(&c);
    sc_log_write(level, "%s", text);
    return capture_stop(&c, out, size);
}

/* What stands behind "TIME LEVEL PROGRAM[PID] ". */
static const char *
text_of(const char *line)
{
    const char *end = strstr(line, "] ");

    return end ? end + 2 : "(no line)";
}

Test(log, levels)
{
    static const struct {
        sc_log_level level;
        const char *name;
        const char *want; // of error, warn, info, debug: x is written
    } rows[] = {
        {SC_LOG_ERROR, "error", "x..."},
        {SC_LOG_WARN, "warn", "xx.."},
        {SC_LOG_INFO, "info", "xxx."},
        {SC_LOG_DEBUG, "debug", "xxxx"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sc_log_init(rows[i].level, "test");
        for (int level = SC_LOG_ERROR; level <= SC_LOG_DEBUG; level++) {
            char line[1200];
            size_t len = capture_line((sc_log_level)level, "text", line, sizeof(line));

            cr_expect_eq(len > 0, rows[i].want[level] == 'x', "%s: level %d", rows[i].name, level);
            cr_expect_eq(sc_log_enabled((sc_log_level)level) != 0, len > 0, "%s: level %d",
                         rows[i].name, level);
        }
    }
}

Test(log, form_of_a_line)
{
    static const struct {
        const char *name;
        sc_log_level level;
        const char *pattern;
    } rows[] = {
        {"error", SC_LOG_ERROR, " error a-program[[][0-9]+] job 7 ended\n$"},
        {"warn", SC_LOG_WARN, " warn a-program[[][0-9]+] job 7 ended\n$"},
        {"info", SC_LOG_INFO, " info a-program[[][0-9]+] job 7 ended\n$"},
        {"debug", SC_LOG_DEBUG, " debug a-program[[][0-9]+] job 7 ended\n$"},
        {"time", SC_LOG_INFO,
         "^20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9][.][0-9]{3}Z info "},
    };
    char line[1200], pid[32];

    sc_log_init(SC_LOG_DEBUG, "a-program");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        regex_t regex;

        cr_assert_eq(regcomp(&regex, rows[i].pattern, REG_EXTENDED | REG_NOSUB), 0);
        capture_line(rows[i].level, "job 7 ended", line, sizeof(line));
        cr_expect_eq(regexec(&regex, line, 0, NULL, 0), 0, "%s: %s", rows[i].name, line);
        regfree(&regex);
    }
    snprintf(pid, sizeof(pid), "a-program[%d] ", (int)getpid());
    cr_expect_not_null(strstr(line, pid), "%s", line);
}

Test(log, what_could_break_a_line_is_escaped)
{
    static const struct {
        const char *name, *text, *want;
    } rows[] = {
        {"plain", "peer w1 gone", "peer w1 gone\n"},
        {"empty", "", "\n"},
        {"newline", "a\nb", "a\\x0ab\n"},
        {"several", "\r\n\t\x7f", "\\x0d\\x0a\\x09\\x7f\n"},
        {"colours of a terminal", "\x1b[31mred", "\\x1b[31mred\n"},
        {"UTF-8 stays", "f\xc3\xbcr 5 \xe2\x82\xac \xf0\x9f\x98\x80",
         "f\xc3\xbcr 5 \xe2\x82\xac \xf0\x9f\x98\x80\n"},
        {"no UTF-8", "a\xff\x80z", "a\\xff\\x80z\n"},
        {"cut UTF-8", "a\xe2\x82", "a\\xe2\\x82\n"},
        {"control character of two bytes", "a\xc2\x9bz", "a\\xc2\\x9bz\n"},
        {"percent", "100%s", "100%s\n"},
    };

    sc_log_init(SC_LOG_INFO, "test");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char line[1200];

        capture_line(SC_LOG_INFO, rows[i].text, line, sizeof(line));
        cr_expect_str_eq(text_of(line), rows[i].want, "%s: %s", rows[i].name, text_of(line));
    }
}

Test(log, a_line_is_cut)
{
    static const struct {
        const char *name, *unit;
        size_t min_len;
    } rows[] = {
        {"letters", "x", 996},
        {"escapes", "\n", 996},
        {"characters of three bytes", "\xe2\x82\xac", 990},
        {"no UTF-8", "\xff", 996},
    };

    sc_log_init(SC_LOG_INFO, "a-program-with-a-very-long-name");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[5001] = "", line[3000];
        size_t unit_len = strlen(rows[i].unit), len;

        for (size_t k = 0; k + unit_len < sizeof(text); k += unit_len)
            memcpy(text + k, rows[i].unit, unit_len + 1);
        len = capture_line(SC_LOG_INFO, text, line, sizeof(line));
        cr_expect(len >= rows[i].min_len - 4 && len <= 1000, "%s: %zu", rows[i].name, len);
        cr_expect_eq(line[len - 1], '\n', "%s", rows[i].name);
        cr_expect_eq(strchr(line, '\n'), line + len - 1, "%s: one line", rows[i].name);
        cr_expect(sc_utf8_valid(line, len), "%s", rows[i].name);
    }
}

Test(log, errno_stays)
{
    int saved = dup(STDERR_FILENO);

    sc_log_init(SC_LOG_INFO, "test");
    close(STDERR_FILENO);
    errno = ENOENT;
    sc_log_info("nobody reads %d", 1);
    cr_expect_eq(errno, ENOENT);
    dup2(saved, STDERR_FILENO);
    close(saved);
}

static int
count(int *n)
{
    return ++*n;
}

Test(log, debug_arguments_cost_nothing_where_it_is_off)
{
    int n = 0;

    sc_log_init(SC_LOG_INFO, "test");
    sc_log_debug("%d", count(&n));
    cr_expect_eq(n, 0);
}

Test(log, repeats_are_limited)
{
    static const struct {
        const char *name;
        int64_t now_ms;
        int want;
        uint64_t want_left_out;
    } rows[] = {
        // one after another
        {"the first", 5000, 1, 0},         {"at once", 5000, 0, 0},
        {"just before", 5999, 0, 0},       {"a second later", 6000, 1, 2},
        {"at once again", 6001, 0, 0},     {"much later", 100000, 1, 1},
        {"nothing between", 101000, 1, 0},
    };
    sc_log_limit limit = {0};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t left_out = 0;

        cr_expect_eq(sc_log_may_repeat(&limit, rows[i].now_ms, &left_out), rows[i].want, "%s",
                     rows[i].name);
        cr_expect_eq(left_out, rows[i].want_left_out, "%s: %d", rows[i].name, (int)left_out);
    }
}
