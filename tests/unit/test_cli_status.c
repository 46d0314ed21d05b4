/* SPDX-License-Identifier: Apache-2.0 */
/* What `status` says of a job and its tasks, and how it is drawn in place. */
#include <string.h>

#include <criterion/criterion.h>

#include "client/cli/frame.h"
#include "client/cli/job.h"
#include "client/cli/status_text.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static const char *
text_of(sc_out *o)
{
    sc_out_add(o, "", 1);
    cr_assert_eq(o->error, 0);
    return (const char *)o->buffer.data;
}

static const sc_task_report reports[] = {{7, 40, 100}, {9, 12, 0}, {10, 0, 3},
                                         {11, 1, 4},   {12, 1, 4}, {13, 1, 4},
                                         {14, 1, 4},   {15, 1, 4}, {16, 4, 4}};

static sc_job_status
job_of(uint64_t n_reporting, size_t n_reports)
{
    return (sc_job_status){.id = "01a2",
                           .name = "",
                           .handler = "a",
                           .key = "",
                           .state = "running",
                           .total = 40,
                           .running = 28,
                           .done = 12,
                           .submitted_at = 1000,
                           .n_reporting = n_reporting,
                           .reports = reports,
                           .n_reports = n_reports};
}

Test(cli_status, line_of_a_job)
{
    static const struct {
        const char *name;
        uint64_t n_reporting;
        size_t n_reports;
        const char *want;
    } rows[] = {
        {"no reports", 0, 0, "running: 12 tasks done, 28 running, in 2.0 s\n"},
        {"one", 1, 1, "running: 12 tasks done, 28 running, in 2.0 s; task 7: 40/100\n"},
        {"of nobody knows what", 2, 2,
         "running: 12 tasks done, 28 running, in 2.0 s; task 7: 40/100, task 9: 12\n"},
        {"more than are told", 5, 1,
         "running: 12 tasks done, 28 running, in 2.0 s; task 7: 40/100 and 4 more\n"},
        {"more than a line takes", 9, 9,
         "running: 12 tasks done, 28 running, in 2.0 s; task 7: 40/100, task 9: 12, task 10: 0/3, "
         "task 11: 1/4, task 12: 1/4, task 13: 1/4, task 14: 1/4, task 15: 1/4 and 1 more\n"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        sc_job_status job = job_of(rows[i].n_reporting, rows[i].n_reports);
        sc_out o;

        sc_out_init(&o);
        sc_status_job_line(&job, 3000, &o);
        cr_expect_str_eq(text_of(&o), rows[i].want, "%s: %s", rows[i].name, text_of(&o));
        sc_out_fini(&o);
    }
}

/* What it took cannot be told: when it was retried is not kept. */
Test(cli_status, a_job_that_was_retried)
{
    static const struct {
        bool is_retried;
        const char *line, *row;
    } rows[] = {
        {false, "running: 12 tasks done, 28 running, in 2.0 s\n", "  2.0 s\n"},
        {true, "running: 12 tasks done, 28 running, 2.0 s after it was submitted, retried since\n",
         "  2.0 s, retried\n"},
    };
    sc_term term = {.columns = 120, .table_columns = 120, .rows = 24};
    sc_progress progress = {.label = ""};

    for (size_t i = 0; i < COUNT(rows); i++) {
        sc_job_status job = job_of(0, 0);
        sc_out o, line, row;
        sc_status_view view = {&term, &o};
        sc_table table;

        job.is_retried = rows[i].is_retried;
        sc_out_init(&o);
        sc_out_init(&line);
        sc_out_init(&row);
        sc_status_job(&view, &job, &progress);
        cr_expect_eq(strstr(text_of(&o), " ago), retried since\n") != NULL, rows[i].is_retried,
                     "%s", text_of(&o));
        sc_status_job_line(&job, 3000, &line);
        cr_expect_str_eq(text_of(&line), rows[i].line, "%s", text_of(&line));
        sc_table_init(&table, sc_job_columns, SC_JOB_COLUMNS, &term);
        sc_job_row(&job, 3000, &table);
        sc_table_write(&table, &row);
        cr_expect(strstr(text_of(&row), rows[i].row), "%s", text_of(&row));
        sc_table_fini(&table);
        sc_out_fini(&o);
        sc_out_fini(&line);
        sc_out_fini(&row);
    }
}

/* Said where something waits, and not where all of it runs or has ended. */
Test(cli_status, nobody_offers_its_handler)
{
    static const struct {
        const char *name;
        bool is_unoffered;
        uint64_t queued, delayed;
        bool is_said;
    } rows[] = {
        {"it is offered", false, 3, 0, false},
        {"it is not, and some are queued", true, 3, 0, true},
        {"or wait for another attempt", true, 0, 3, true},
        {"the rest runs", true, 0, 0, false},
    };
    sc_term term = {.columns = 80, .rows = 24};
    sc_progress progress = {.label = ""};

    for (size_t i = 0; i < COUNT(rows); i++) {
        sc_job_status job = job_of(0, 0);
        sc_out o, line, json;
        sc_status_view view = {&term, &o};

        job.is_unoffered = rows[i].is_unoffered;
        job.queued = rows[i].queued;
        job.delayed = rows[i].delayed;
        sc_out_init(&o);
        sc_out_init(&line);
        sc_out_init(&json);
        sc_status_job(&view, &job, &progress);
        sc_status_job_line(&job, 3000, &line);
        sc_job_json(&job, &json);
        cr_expect_eq(strstr(text_of(&o), "\nwaiting      no worker offers a now\n") != NULL,
                     rows[i].is_said, "%s: %s", rows[i].name, text_of(&o));
        cr_expect_eq(strstr(text_of(&line), "; no worker offers a now\n") != NULL, rows[i].is_said,
                     "%s: %s", rows[i].name, text_of(&line));
        cr_expect_not_null(strstr(text_of(&json), rows[i].is_unoffered ? ",\"offered\":false"
                                                                       : ",\"offered\":true"),
                           "%s: %s", rows[i].name, text_of(&json));
        sc_out_fini(&o);
        sc_out_fini(&line);
        sc_out_fini(&json);
    }
}

Test(cli_status, json_of_a_job)
{
    sc_job_status job = job_of(3, 2), kept = sc_job_keep(&job);
    sc_out o, without;

    sc_out_init(&o);
    sc_out_init(&without);
    sc_job_progress_json(&job, &o);
    cr_expect(strstr(text_of(&o),
                     ",\"reporting\":3,\"progress\":[{\"index\":7,\"n\":40,\"of\":100},"
                     "{\"index\":9,\"n\":12,\"of\":null}]}\n"),
              "%s", text_of(&o));
    sc_job_json(&job, &without);
    cr_expect_null(strstr(text_of(&without), "progress"), "%s", text_of(&without));
    cr_expect_eq(kept.n_reports, 0, "they are gone when the answer is");
    sc_job_release(&kept);
    sc_out_fini(&o);
    sc_out_fini(&without);
}

/* The lines of tasks. */
Test(cli_status, lines_of_tasks)
{
    static const struct {
        const char *name;
        int columns, rows;
        uint64_t n_reporting;
        size_t n_reports;
        const char *want;
    } cases[] = {
        {"none", 80, 24, 0, 0, ""},
        {"two", 80, 24, 2, 2,
         "task 7       ##....  40 %  40/100\n"
         "task 9       12\n"},
        {"more than are told", 80, 24, 3, 1,
         "task 7       ##....  40 %  40/100\n"
         "             and 2 more\n"},
        {"more than the window has room for", 80, 13, 9, 9,
         "task 7       ##....  40 %  40/100\n"
         "task 9       12\n"
         "             and 7 more\n"},
        {"a window of nothing", 80, 1, 9, 9,
         "task 7       ##....  40 %  40/100\n"
         "             and 8 more\n"},
        {"wide", 200, 24, 1, 1, "task 7       ############..................  40 %  40/100\n"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        sc_term term = {.is_terminal = true, .columns = cases[i].columns, .rows = cases[i].rows};
        sc_job_status job = job_of(cases[i].n_reporting, cases[i].n_reports);
        sc_progress progress = {.label = ""};
        sc_out o;
        sc_status_view view = {&term, &o};
        const char *tasks;

        sc_out_init(&o);
        sc_progress_add(&progress, 12, 0);
        sc_status_job(&view, &job, &progress);
        tasks = strstr(text_of(&o), "submitted");
        tasks = strchr(tasks, '\n') + 1;
        cr_expect_str_eq(tasks, cases[i].want, "%s:\n%s", cases[i].name, tasks);
        sc_out_fini(&o);
    }
}

Test(cli_status, line_of_the_cluster)
{
    sc_cluster_status c = {.workers = 1, .jobs_open = 2, .queued = 1234, .running = 3};
    sc_out o;

    sc_out_init(&o);
    sc_status_cluster_line(&c, &o);
    cr_expect_str_eq(text_of(&o),
                     "1 worker, 2 jobs open; tasks: 1,234 queued, 3 running; calls: 0 running\n",
                     "%s", text_of(&o));
    sc_out_fini(&o);
}

/* ---- in place ---- */

static void
draw(sc_frame *f, const char *lines, bool is_last, const char *want)
{
    sc_out text, *o = &f->cli->out;

    sc_out_init(&text);
    sc_out_text(&text, lines);
    sc_buffer_clear(&o->buffer);
    sc_frame_draw(f, &text, is_last);
    cr_expect_str_eq(text_of(o), want, "%s", text_of(o));
    sc_out_fini(&text);
}

#define ON  "\033[?7l"
#define OFF "\033[J\033[?7h"

Test(cli_status, frame)
{
    static sc_cli cli;
    sc_frame f;

    sc_out_init(&cli.out);
    cli.term.rows = 4;
    sc_frame_init(&f, &cli);
    draw(&f, "a\nb\n", false, ON "a\033[K\nb\033[K\n" OFF);
    draw(&f, "c\n", false, ON "\033[2Ac\033[K\n" OFF);
    draw(&f, "1\n2\n3\n4\n5\n", false, ON "\033[1A1\033[K\n2\033[K\n3\033[K\n" OFF);
    draw(&f, "", false, ON "\033[3A" OFF);
    draw(&f, "x\n", false, ON "x\033[K\n" OFF);
    cli.n_said++; // something stands below it now
    draw(&f, "y\n", false, ON "y\033[K\n" OFF);
    draw(&f, "1\n2\n3\n4\n5", true, ON "\033[1A1\033[K\n2\033[K\n3\033[K\n4\033[K\n5\033[K\n" OFF);
    sc_out_fini(&cli.out);
}
