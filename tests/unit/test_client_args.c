/* SPDX-License-Identifier: Apache-2.0 */
/* Where the arguments of an array are cut. Each row lies just before an unreadable page. */
#include "client/args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <criterion/criterion.h>

#include "base/fault.h"
#include "base/limits.h"
#include "proto/run.h"

static const struct {
    const char *name, *text;
    const char *want; // pieces, joined by |
} rows[] = {
    {"no index", "{\"a\":1}", "{\"a\":1}"},
    {"alone", "\"$index\"", "|"},
    {"a value", "{\"i\":\"$index\"}", "{\"i\":|}"},
    {"two values", "[\"$index\", \"$index\"]", "[|, |]"},
    {"next to each other", "\"$index\"\"$index\"", "||"},
    {"a key stays", "{\"$index\":1}", "{\"$index\":1}"},
    {"a key with blanks stays", "{\"$index\" \t\r\n: \"$index\"}", "{\"$index\" \t\r\n: |}"},
    {"part of a string", "[\"$index \",\" $index\",\"$inde\"]",
     "[\"$index \",\" $index\",\"$inde\"]"},
    {"inside a string", "[\"\\\"$index\\\"\"]", "[\"\\\"$index\\\"\"]"},
    {"behind an escaped backslash", "[\"\\\\\",\"$index\"]", "[\"\\\\\",|]"},
    {"an escaped spelling stays", "[\"\\u0024index\"]", "[\"\\u0024index\"]"},
    {"without quotes", "$index", "$index"},
    {"not closed", "[\"$index", "[\"$index"},
    {"ends in a backslash", "[\"$index\", \"\\", "[|, \"\\"},
    {"empty", "", ""},
};
enum { N_ROWS = sizeof rows / sizeof *rows, PAGE = 4096 };

// The text at the end of a page, the next page unreadable.
static const char *
at_edge(char *page, const char *text, size_t len)
{
    return memcpy(page + PAGE - len, text, len);
}

static void
join(const sc_message *m, char *out)
{
    size_t at = 0;

    for (uint32_t i = 0; i < sc_tasks_count(m->table); i++) {
        uint32_t len = sc_tasks_len(m->table, i);

        if (i)
            *out++ = '|';
        memcpy(out, m->bytes.data + at, len);
        out += len;
        at += len;
    }
    *out = '\0';
    cr_assert_eq(at, m->bytes.len);
}

Test(args, cut)
{
    char *page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    mprotect(page + PAGE, PAGE, PROT_NONE);
    for (size_t i = 0; i < N_ROWS; i++) {
        for (size_t len = 0; len <= strlen(rows[i].text); len++) {
            sc_message m = {0};
            char got[256];
            int rc = sc_args_cut(at_edge(page, rows[i].text, len), len, &m);

            cr_assert_eq(rc, 0, "%s", rows[i].name);
            join(&m, got);
            if (len == strlen(rows[i].text))
                cr_assert_str_eq(got, rows[i].want, "%s: %s", rows[i].name, got);
            sc_args_drop(&m);
        }
    }
    munmap(page, 2 * PAGE);
}

static const struct {
    const char *name;
    uint32_t n_marks;
    int want;
} counts[] = {
    {"as many as may be", SC_MAX_ARRAY_PIECES - 1, 0},
    {"one too many", SC_MAX_ARRAY_PIECES, -EINVAL},
};

Test(args, count)
{
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        sc_message m = {0};
        char *text = calloc(SC_MAX_ARRAY_PIECES, 9);

        for (uint32_t k = 0; k < counts[i].n_marks; k++)
            strcat(text, "\"$index\"");
        cr_assert_eq(sc_args_cut(text, strlen(text), &m), counts[i].want, "%s", counts[i].name);
        if (counts[i].want == 0)
            cr_assert_eq(sc_tasks_count(m.table), counts[i].n_marks + 1, "%s", counts[i].name);
        else
            cr_assert_null(m.bytes.owner, "%s", counts[i].name);
        sc_args_drop(&m);
        free(text);
    }
}

Test(args, bounds)
{
    sc_message m = {0};
    char *text = calloc(1, SC_TASK_MAX_BYTES + 1);

    cr_assert_eq(sc_args_whole(text, SC_TASK_MAX_BYTES, &m), 0);
    cr_assert_eq(sc_tasks_len(m.table, 0), SC_TASK_MAX_BYTES);
    sc_args_drop(&m);
    cr_assert_eq(sc_args_whole(text, SC_TASK_MAX_BYTES + 1, &m), -EMSGSIZE);
    cr_assert_eq(sc_args_cut(text, SC_TASK_MAX_BYTES + 1, &m), -EMSGSIZE);
    if (sc_fault_set("blob.new", 1))
        cr_assert(sc_args_cut("1", 1, &m) == -ENOMEM || sc_fault_count("blob.new") == 0);
    sc_fault_reset();
    sc_args_drop(&m);
    free(text);
}

static const struct {
    const char *name, *text;
    const char *want; // what stands there and the job, each row joined by |
} results[] = {
    {"none", "{\"a\":[1,\"$results\"]}", ""},
    {"one", "{\"$results\":\"01ab\"}", "{\"$results\":\"01ab\"}=01ab"},
    {"with blanks", "[{ \"$results\"\t:\n\"01\" }]", "{ \"$results\"\t:\n\"01\" }=01"},
    {"two", "[{\"$results\":\"1\"},{\"$results\":\"2\"}]",
     "{\"$results\":\"1\"}=1|{\"$results\":\"2\"}=2"},
    {"empty", "{\"$results\":\"\"}", "{\"$results\":\"\"}="},
    {"one of several members", "{\"$results\":\"1\",\"a\":2}", ""},
    {"not the first member", "{\"a\":2,\"$results\":\"1\"}", ""},
    {"a number", "{\"$results\":1}", ""},
    {"an object", "{\"$results\":{\"$results\":\"1\"}}", "{\"$results\":\"1\"}=1"},
    {"an escape in the job", "{\"$results\":\"\\u0031\"}", ""},
    {"in a string", "\"{\\\"$results\\\":\\\"1\\\"}\"", ""},
    {"a string that ends like it", "[\"{\",\"$results\"]", ""},
    {"cut off", "{\"$results\":\"1\"", ""},
    {"cut off before", "{\"$results\":", ""},
    {"no closing quote", "{\"$results\":\"1}", ""},
};

Test(client_args, results)
{
    char *page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    cr_assert_eq(mprotect(page + PAGE, PAGE, PROT_NONE), 0);
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
        size_t len = strlen(results[i].text);
        const char *text = at_edge(page, results[i].text, len);
        char got[200] = "";
        int n = 0;
        sc_args_results found = {0};

        while (sc_args_next_results(text, len, found.to, &found))
            n += snprintf(got + n, sizeof got - (size_t)n, "%s%.*s=%.*s", n ? "|" : "",
                          (int)(found.to - found.from), text + found.from, (int)found.job.len,
                          found.job.data);
        cr_expect_str_eq(got, results[i].want, "%s", results[i].name);
    }
    munmap(page, 2 * PAGE);
}
