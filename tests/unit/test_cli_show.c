/* SPDX-License-Identifier: Apache-2.0 */
/* Tables, plots and progress bars: what they look like, and that they never are wider than the
 * terminal. */
#include <limits.h>
#include <locale.h>
#include <math.h>
#include <string.h>

#include <criterion/criterion.h>

#include "client/cli/plot.h"
#include "client/cli/progress.h"
#include "client/cli/table.h"
#include "client/cli/text.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static sc_term
term_of(int columns, bool is_utf8)
{
    return (sc_term){.is_utf8 = is_utf8, .columns = columns, .table_columns = columns};
}

static const char *
text_of(sc_out *o)
{
    sc_out_add(o, "", 1);
    cr_assert_eq(o->error, 0);
    return (const char *)o->buffer.data;
}

/* Columns of the widest line. */
static int
widest(const char *text, bool is_utf8)
{
    int most = 0;

    while (*text) {
        size_t len = strcspn(text, "\n");
        int width = sc_text_width(text, len, is_utf8);

        most = width > most ? width : most;
        text += len + (text[len] == '\n');
    }
    return most;
}

static void
use_utf8(void)
{
    cr_assert_not_null(setlocale(LC_CTYPE, "C.UTF-8"));
}

static const sc_table_column columns[] = {{"JOB", false, SC_TABLE_PREFIX},
                                          {"NAME", false, SC_TABLE_CUT},
                                          {"DONE", true, SC_TABLE_KEEP},
                                          {"TIME", true, SC_TABLE_DROP}};

Test(cli_show, table, .init = use_utf8)
{
    static const struct {
        const char *name;
        int columns;
        const char *want;
    } rows[] = {
        {"unbounded", INT_MAX,
         "JOB                     NAME                  DONE  TIME\n"
         "0123456789abcdefghijkl  a name that is long  1,234   1 s\n"
         "2e                      -                        5     -\n"},
        {"id and name are cut", 42,
         "JOB            NAME             DONE  TIME\n"
         "0123456789abc  a name that i\xe2\x80\xa6  1,234   1 s\n"
         "2e             -                   5     -\n"},
        {"time is left out", 33,
         "JOB            NAME          DONE\n"
         "0123456789abc  a name tha\xe2\x80\xa6  1,234\n"
         "2e             -                5\n"},
        {"what is to be kept, too", 24,
         "JOB            NAME\n"
         "0123456789abc  a name t\xe2\x80\xa6\n"
         "2e             -\n"},
        {"hopeless", 10,
         "JOB\n"
         "0123456789abc\n"
         "2e\n"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        sc_term term = term_of(rows[i].columns, true);
        sc_table table;
        sc_out o;

        sc_out_init(&o);
        sc_table_init(&table, columns, COUNT(columns), &term);
        sc_table_text(&table, "0123456789abcdefghijkl", SC_COLOUR_NONE);
        sc_table_text(&table, "a name that is long", SC_COLOUR_RED);
        sc_table_number(&table, 1234);
        sc_table_text(&table, "1 s", SC_COLOUR_NONE);
        sc_table_text(&table, "2e", SC_COLOUR_NONE);
        sc_table_text(&table, NULL, SC_COLOUR_NONE);
        sc_table_number(&table, 5);
        sc_table_text(&table, "", SC_COLOUR_NONE);
        sc_table_write(&table, &o);
        cr_expect_str_eq(text_of(&o), rows[i].want, "%s:\n%s", rows[i].name, text_of(&o));
        sc_table_fini(&table);
        sc_out_fini(&o);
    }
}

Test(cli_show, ids_stay_different)
{
    static const struct {
        const char *name, *ids[3];
        int want; // what is shown of them
    } rows[] = {
        {"they differ soon", {"0193a5e0-1111-7000", "0193a5e1-1111-7000", "1193"}, 13},
        {"at the last place", {"0193a5e0-1111-7001", "0193a5e0-1111-7002", "0"}, 18},
        {"one is there twice", {"0193a5e0-1111-7001", "0193a5e0-1111-7001", "0"}, 13},
        {"not neighbours", {"0193a5e0-1111-7001", "1", "0193a5e0-1111-7101"}, 16},
    };
    static const sc_table_column only[] = {{"JOB", false, SC_TABLE_PREFIX}};
    sc_term term = term_of(10, true);

    for (size_t i = 0; i < COUNT(rows); i++) {
        sc_table table;
        sc_out o;

        sc_out_init(&o);
        sc_table_init(&table, only, 1, &term);
        for (int k = 0; k < 3; k++)
            sc_table_text(&table, rows[i].ids[k], SC_COLOUR_NONE);
        sc_table_write(&table, &o);
        cr_expect_eq(widest(text_of(&o), true), rows[i].want, "%s:\n%s", rows[i].name, text_of(&o));
        sc_table_fini(&table);
        sc_out_fini(&o);
    }
}

Test(cli_show, table_without_rows_is_nothing)
{
    sc_term term = term_of(80, true);
    sc_table table;
    sc_out o;

    sc_out_init(&o);
    sc_table_init(&table, columns, COUNT(columns), &term);
    sc_table_write(&table, &o);
    cr_expect_eq(o.buffer.len, 0);
    sc_table_fini(&table);
}

Test(cli_show, plot_fits)
{
    static const double values[] = {-1, -4, NAN, -2, 0, -100, -3, 1e-3};
    static const char *const labels[] = {"2009-01", "2009-02", "2009-03", "2009-04",
                                         "2009-05", "2009-06", "2009-07", "2009-08"};
    static const struct {
        const char *name;
        size_t n_values;
        int columns;
        bool is_utf8;
    } rows[] = {
        {"UTF-8", 8, 80, true}, {"ASCII", 8, 80, false},    {"narrow", 8, 20, true},
        {"wide", 8, 200, true}, {"one value", 1, 80, true}, {"narrow ASCII", 8, 20, false},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        sc_plot plot = {"Title", values, labels, rows[i].n_values, 8};
        sc_term term = term_of(rows[i].columns, rows[i].is_utf8);
        const char *text;
        sc_out o;

        sc_out_init(&o);
        sc_plot_write(&plot, &term, &o);
        text = text_of(&o);
        cr_expect_leq(widest(text, true), rows[i].columns, "%s:\n%s", rows[i].name, text);
        cr_expect_not_null(strstr(text, "2009-01"), "%s:\n%s", rows[i].name, text);
        for (const char *p = text; *p && !rows[i].is_utf8; p++)
            cr_expect_lt((unsigned char)*p, 0x80, "%s", rows[i].name);
        sc_out_fini(&o);
    }
}

Test(cli_show, plot_in_ascii)
{
    static const double values[] = {0, 1, 2, 3};
    static const char *const labels[] = {"a", "b", "c", "d"};
    sc_plot plot = {"Title", values, labels, 4, 4};
    sc_term term = term_of(20, false);
    sc_out o;

    sc_out_init(&o);
    sc_plot_write(&plot, &term, &o);
    cr_expect_str_eq(text_of(&o),
                     "Title\n"
                     "  |              ***\n"
                     "2 +        ******   \n"
                     "  |   *****         \n"
                     "0 +***              \n"
                     "  +-----------------\n"
                     "   a    b     c    d\n",
                     "\n%s", text_of(&o));
    sc_out_fini(&o);
}

Test(cli_show, plot_of_nothing)
{
    static const double values[] = {NAN, INFINITY};
    static const char *const labels[] = {"a", "b"};
    sc_plot plot = {"Title", values, labels, 2, 8};
    sc_term term = term_of(80, true);
    sc_out o;

    sc_out_init(&o);
    sc_plot_write(&plot, &term, &o);
    cr_expect_eq(o.buffer.len, 0);
}

Test(cli_show, progress, .init = use_utf8)
{
    static const struct {
        const char *name;
        uint64_t done, total;
        int columns;
        bool is_utf8;
        const char *want;
    } rows[] = {
        {"half in ASCII", 500, 1000, 100, false,
         "run ###############...............  50 %  500/1,000 tasks  500/s  1.0 s left"},
        {"all", 1000, 1000, 100, false,
         "run ############################## 100 %  1,000/1,000 tasks  1.0 k/s"},
        {"more than all", 2000, 1000, 100, false,
         "run ############################## 100 %  1,000/1,000 tasks  2.0 k/s"},
        {"total not known", 500, 0, 100, false, "run 500 tasks  500/s"},
        {"one of an unknown total", 1, 0, 100, false, "run 1 task  1.0/s"},
        {"one of one", 1, 1, 100, false,
         "run ############################## 100 %  1/1 task  1.0/s"},
        {"eighths", 500, 1000, 65, true,
         "run \xe2\x96\x88\xe2\x96\x88\xe2\x96\x8c\xc2\xb7\xc2\xb7  50 %  500/1,000 tasks  500/s  "
         "1.0 s left"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        sc_term term = term_of(rows[i].columns, rows[i].is_utf8);
        sc_progress p = {.label = "run"};
        sc_out o;

        sc_out_init(&o);
        sc_progress_add(&p, 0, 1000);
        sc_progress_add(&p, rows[i].done, 2000);
        sc_progress_draw(&p, "task", rows[i].total, &term, &o);
        cr_expect_str_eq(text_of(&o), rows[i].want, "%s: %s", rows[i].name, text_of(&o));
        sc_out_fini(&o);
    }
}

Test(cli_show, progress_fits, .init = use_utf8)
{
    for (int width = 30; width <= 200; width++) {
        sc_term term = term_of(width, true);
        sc_progress p = {.label = "running"};
        sc_out o;

        sc_out_init(&o);
        sc_progress_add(&p, 0, 0);
        sc_progress_add(&p, 123456789, 100000000);
        sc_progress_draw(&p, "task", 2147483648u, &term, &o);
        cr_expect_lt(widest(text_of(&o), true), width, "%d: %s", width, text_of(&o));
        sc_out_fini(&o);
    }
}

Test(cli_show, progress_rate_is_of_the_last_samples)
{
    sc_progress p = {.label = ""};

    cr_expect_eq(sc_progress_rate(&p), 0);
    for (int i = 0; i <= 100; i++)
        sc_progress_add(&p, i < 50 ? 0 : (uint64_t)(i - 50) * 100, i * 100);
    cr_expect_float_eq(sc_progress_rate(&p), 1000, 1e-9, "%f", sc_progress_rate(&p));
}
