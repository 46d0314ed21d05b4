/* SPDX-License-Identifier: Apache-2.0 */
/* Which line of a log says why a program did not come up. */
#include "client/cli/log_tail.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#define STAMP "2026-11-23T08:11:02.123Z "

static const struct {
    const char *name, *old, *text, *want;
} rows[] = {
    {"empty", "", "", ""},
    {"its last line", "", "one\ntwo\n", "two"},
    {"without time, level and program", "", STAMP "info seedcore-worker[12] joined epoch=1\n",
     "joined epoch=1"},
    {"an error before other lines", "",
     STAMP "error seedcore-worker[1] cannot load x.so\n" STAMP "info seedcore-worker[1] ending\n",
     "cannot load x.so"},
    {"the last of several", "",
     STAMP "warn seedcore-worker[1] worker w-1 died\n" STAMP
           "warn seedcore-worker[1] worker w-2 died\n" STAMP
           "info seedcore-worker[1] worker w-2 started\n",
     "worker w-2 died"},
    {"older ones do not count", STAMP "error seedcore-worker[1] of an older run\n",
     STAMP "info seedcore-worker[2] started\n", "started"},
    {"a line of something else", "", "error: no log line\nit goes on", "it goes on"},
    {"no line break at the end", "", STAMP "error a[1] cut", "cut"},
    {"the word alone is no level", "", "a warn b c\nlast\n", "last"},
};

Test(cli_log_tail, lines)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        FILE *file = tmpfile();
        char out[100];

        cr_assert_not_null(file);
        fprintf(file, "%s%s", rows[i].old, rows[i].text);
        fflush(file);
        cr_expect_str_eq(sc_log_tail(fileno(file), (off_t)strlen(rows[i].old), out, sizeof out),
                         rows[i].want, "%s: %s", rows[i].name, out);
        fclose(file);
    }
}

Test(cli_log_tail, a_long_log)
{
    FILE *file = tmpfile();
    char out[20];

    cr_assert_not_null(file);
    for (int i = 0; i < 2000; i++)
        fprintf(file, STAMP "%s seedcore-worker[1] line number %d is cut where there is no room\n",
                i == 1990 ? "warn" : "info", i);
    fflush(file);
    cr_expect_str_eq(sc_log_tail(fileno(file), 0, out, sizeof out), "line number 1990 is");
    fclose(file);
}
