/* SPDX-License-Identifier: Apache-2.0 */
/* JSON lines: what is a line, what is none, and that pieces of any size give the same lines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/limits.h"
#include "client/cli/lines.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* Hands `text` over in pieces, and joins the lines with "|"; at an error "!LINE". */
static void
read_all(const char *text, size_t len, size_t piece, char *out)
{
    sc_lines lines;
    const char *line;
    size_t n, at = 0;
    int rc;

    out[0] = '\0';
    sc_lines_init(&lines);
    for (;;) {
        sc_error err = {0};

        while ((rc = sc_lines_next(&lines, &line, &n, &err)) == 1) {
            strncat(out, line, n);
            strcat(out, "|");
        }
        if (rc < 0)
            sprintf(out + strlen(out), "!%llu", (unsigned long long)lines.line);
        if (rc < 0 || lines.is_ended)
            break;
        char *room;

        cr_assert_eq(sc_lines_room(&lines, &room, &n), 0);
        n = len - at < piece ? len - at : piece;
        memcpy(room, text + at, n);
        sc_lines_added(&lines, n);
        at += n;
    }
    sc_lines_fini(&lines);
}

Test(cli_lines, pieces)
{
    static const struct {
        const char *name, *text, *want;
    } rows[] = {
        {"empty", "", ""},
        {"one", "1\n", "1|"},
        {"no break at the end", "1\n2", "1|2|"},
        {"CRLF", "1\r\n2\r\n", "1|2|"},
        {"CR at the very end", "1\r", "1|"},
        {"blank lines", "\n \t\n1\n\r\n2\n\n", "1|2|"},
        {"spaces around", " 1 \n", " 1 |"},
        {"bad second line", "1\n{\n3\n", "1|!2"},
        {"blank lines count", "\n\n1\n\nx\n", "1|!5"},
        {"bad UTF-8", "\"\xff\"\n", "!1"},
        {"two values", "1 2\n", "!1"},
        {"bad line without break", "1\n{", "1|!2"},
        {"large integers", "123456789012345678901234567890\n", "123456789012345678901234567890|"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t piece = 1; piece < 12; piece++) {
            char out[256];

            read_all(rows[i].text, strlen(rows[i].text), piece, out);
            cr_expect_str_eq(out, rows[i].want, "%s in pieces of %zu: %s", rows[i].name, piece,
                             out);
        }
    }
}

Test(cli_lines, what_is_wrong)
{
    static const char open[] = "the JSON goes on behind the line; a task is one line";
    static const struct {
        const char *text, *want; // NULL: it is another reason
    } rows[] = {
        {"[\n1]\n", open},
        {" {\r\n", open},
        {"{\"a\": [1, 2],\n", open},
        {"{\"a\" 1}\n", NULL},
        {"1 2\n", NULL},
        {"\xef\xbb\xbf{}\n", "it begins with a byte order mark; leave it out"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        sc_lines lines;
        sc_error err = {0};
        const char *line;
        char *room;
        size_t n;

        sc_lines_init(&lines);
        cr_assert_eq(sc_lines_room(&lines, &room, &n), 0);
        memcpy(room, rows[i].text, strlen(rows[i].text));
        sc_lines_added(&lines, strlen(rows[i].text));
        cr_expect_eq(sc_lines_next(&lines, &line, &n, &err), SC_EMALFORMED, "%s", rows[i].text);
        cr_expect_eq(strcmp(err.text, rows[i].want ? rows[i].want : open) == 0,
                     rows[i].want != NULL, "%s: %s", rows[i].text, err.text);
        sc_lines_fini(&lines);
    }
}

Test(cli_lines, too_long)
{
    static const struct {
        const char *name;
        size_t len; // of a string with its quotes
        int want;
    } rows[] = {
        {"largest", SC_TASK_MAX_BYTES, 1},
        {"one more", (size_t)SC_TASK_MAX_BYTES + 1, SC_ETOOLARGE},
        {"far more", (size_t)SC_TASK_MAX_BYTES * 2, SC_ETOOLARGE},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        sc_lines lines;
        const char *line;
        size_t at = 0, n, len;
        sc_error err = {0};
        int rc;

        sc_lines_init(&lines);
        while ((rc = sc_lines_next(&lines, &line, &len, &err)) == 0) {
            char *room;

            cr_assert_eq(sc_lines_room(&lines, &room, &n), 0);
            n = n < rows[i].len - at ? n : rows[i].len - at;
            memset(room, 'x', n);
            if (at == 0)
                room[0] = '"';
            if (at + n == rows[i].len && n > 0)
                room[n - 1] = '"';
            sc_lines_added(&lines, n);
            at += n;
        }
        cr_expect_eq(rc, rows[i].want, "%s: %d %s", rows[i].name, rc, err.text);
        cr_expect_eq(lines.line, 1, "%s", rows[i].name);
        cr_expect_leq(lines.capacity, (size_t)64 << 20, "%s", rows[i].name);
        sc_lines_fini(&lines);
    }
}
