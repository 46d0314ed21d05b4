/* SPDX-License-Identifier: Apache-2.0 */
/* CSV: quotes, line ends, columns by name, and the line of what is wrong. */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "client/cli/csv.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static const char *const columns[] = {"b", "a"};

Test(cli_csv, parse)
{
    static const struct {
        const char *name, *text;
        const char *want; // fields b and a of all rows, each with a bar behind it; NULL: refused
        uint64_t line;
    } rows[] = {
        {"plain", "a,b\n1,2\n", "2|1|", 0},
        {"no break at the end", "a,b\n1,2", "2|1|", 0},
        {"CRLF", "a,b\r\n1,2\r\n", "2|1|", 0},
        {"byte order mark",
         "\xef\xbb\xbf"
         "a,b\n1,2\n",
         "2|1|", 0},
        {"further columns", "x,a,y,b\n0,1,0,2\n", "2|1|", 0},
        {"blank lines", "a,b\n\n1,2\r\n\r\n3,4\n", "2|1|4|3|", 0},
        {"quotes", "a,b\n\"1\",\"2\"\n", "2|1|", 0},
        {"comma in quotes", "a,b\n\"1,5\",2\n", "2|1,5|", 0},
        {"quote in quotes", "a,b\n\"1\"\"5\",2\n", "2|1\"5|", 0},
        {"line break in quotes", "a,b\n\"1\n5\",2\nx,y\n", "2|1\n5|y|x|", 0},
        {"quoted, CRLF", "a,b\r\n1,\"2\"\r\n", "2|1|", 0},
        {"empty fields", "a,b\n,\n", "||", 0},
        {"quoted empty field", "a,b\n\"\",2\n", "2||", 0},
        {"no rows", "a,b\n", "", 0},
        {"nothing", "", NULL, 0},
        {"missing column", "a,c\n1,2\n", NULL, 1},
        {"too few fields", "a,b\n1,2\n3\n", NULL, 3},
        {"too many fields", "a,b\n1,2,3\n", NULL, 2},
        {"open quote", "a,b\n1,\"2\n", NULL, 2},
        {"quote inside", "a,b\n1,2\"3\n", NULL, 2},
        {"text behind a quote", "a,b\n\"1\"5,2\n", NULL, 2},
        {"line after a quoted break", "a,b\n\"1\n5\",2\n3\n", NULL, 4},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        sc_error err = {0};
        char out[256] = "";
        sc_csv csv;
        int rc = sc_csv_parse(&csv, strdup(rows[i].text), strlen(rows[i].text), columns, 2, &err);

        cr_expect_eq(rc, rows[i].want ? 0 : SC_EMALFORMED, "%s: %s", rows[i].name, err.text);
        for (size_t k = 0; rc == 0 && k < csv.n_rows * 2; k++) {
            strncat(out, csv.fields[k].text, csv.fields[k].len);
            strcat(out, "|");
        }
        if (rc == 0)
            cr_expect_str_eq(out, rows[i].want, "%s: %s", rows[i].name, out);
        else
            cr_expect_eq(csv.line, rows[i].line, "%s: line %llu", rows[i].name,
                         (unsigned long long)csv.line);
        sc_csv_fini(&csv);
    }
}

// Only the end of the text ends a record without a line break.
Test(cli_csv, nul_behind_a_quote)
{
    static const char text[] = "a,b\n1,\"2\"\0003,4\n";
    size_t len = sizeof text - 1;
    sc_error err = {0};
    sc_csv csv;

    cr_expect_eq(sc_csv_parse(&csv, memcpy(malloc(len), text, len), len, columns, 2, &err),
                 SC_EMALFORMED);
    cr_expect_eq(csv.line, 2);
    sc_csv_fini(&csv);
}

Test(cli_csv, files)
{
    static const struct {
        const char *name, *path;
        int want;
    } rows[] = {
        {"missing", "/nonexistent/file.csv", -ENOENT},
        {"folder", "/tmp", -EISDIR},
        {"empty", "/dev/null", SC_EMALFORMED},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        sc_error err = {0};
        sc_csv csv;

        cr_expect_eq(sc_csv_read(&csv, rows[i].path, columns, 2, &err), rows[i].want, "%s",
                     rows[i].name);
        cr_expect_neq(err.text[0], '\0', "%s", rows[i].name);
        sc_csv_fini(&csv);
    }
}

Test(cli_csv, numbers)
{
    static const struct {
        const char *text;
        bool is_number, is_count;
    } rows[] = {
        {"0", true, true},
        {"17", true, true},
        {"-1", true, false},
        {"1.5", true, false},
        {"1e5", true, false},
        {"-0.5E-3", true, false},
        {"", false, false},
        {"-", false, false},
        {".5", false, false},
        {"1.", false, false},
        {"+1", false, false},
        {"01", false, true},
        {"1e", false, false},
        {"nan", false, false},
        {"1 ", false, false},
        {"0x1", false, false},
        {"1234567890123456789", true, false},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        sc_csv_field field = {rows[i].text, (uint32_t)strlen(rows[i].text)};
        uint64_t count;

        cr_expect_eq(sc_csv_is_number(&field), rows[i].is_number, "\"%s\"", rows[i].text);
        cr_expect_eq(sc_csv_count(&field, &count), rows[i].is_count, "\"%s\"", rows[i].text);
    }
}
