/* SPDX-License-Identifier: Apache-2.0 */
/* What workers say of how far their tasks are: whose word is kept, for how long, and how much of it
 * is told. */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/limits.h"
#include "tests/support/fake_core.h"

enum { CLIENT = 1, WORKER = 2, OTHER = 3 };

static sc_fake f;
static sc_run given; // what WORKER has, of job 1: indexes 10 to 14

static void
start(void)
{
    memset(&f, 0, sizeof f);
    sc_fake_start(&f);
    sc_fake_client(&f, CLIENT);
    sc_fake_worker_ready(&f, WORKER, &(sc_fake_worker){.slots_async = 200});
    sc_fake_array(&f, CLIENT, 1, 10, 5, &(sc_open){.retries = 1});
    given = sc_fake_take_run(&f, WORKER);
    cr_assert_eq(given.count, 5);
}

static void
stop(void)
{
    sc_fake_stop(&f);
}

TestSuite(progress, .init = start, .fini = stop);

static void
say(uint64_t link, sc_token token, uint64_t index, uint64_t n, uint64_t of)
{
    sc_progress_row row = {token, index, n, of};
    sc_fake_say(&f, link, &(sc_message){.type = SC_MSG_PROGRESS, .progress.tasks = {&row, 1}});
}

// "2: 10=1/4 12=3/4": how many, and what is told of them.
static const char *
told(uint32_t job)
{
    static char text[2000];
    sc_message m = {.type = SC_MSG_ASK};
    m.ask = (sc_ask){.request = 5, .what = SC_ASK_JOB, .job = sc_fake_job(job), .n_digits = 32};
    sc_fake_say(&f, CLIENT, &m);
    cr_assert(sc_fake_take(&f, CLIENT, SC_MSG_JOBS, &m));
    const sc_job_info *info = m.jobs.jobs.items;
    const sc_progress_row *rows = m.jobs.progress.items;
    size_t at = (size_t)snprintf(text, sizeof text, "%d:", (int)info->n_reporting);
    for (uint32_t i = 0; i < m.jobs.progress.n; i++) {
        cr_expect_eq(rows[i].token.run, 0, "no business of a client");
        at += (size_t)snprintf(text + at, sizeof text - at, " %d=%d/%d", (int)rows[i].index,
                               (int)rows[i].n, (int)rows[i].of);
    }
    return text;
}

#define EXPECT_TOLD(want) cr_expect_str_eq(told(1), want, "%s, not %s", told(1), want)

Test(progress, the_latest_word)
{
    EXPECT_TOLD("0:");
    say(WORKER, given.token, 13, 1, 4);
    EXPECT_TOLD("1: 13=1/4");
    say(WORKER, given.token, 11, 0, 9);
    say(WORKER, given.token, 13, 2, 4);
    EXPECT_TOLD("2: 11=0/9 13=2/4");
    say(WORKER, given.token, 13, 1, 0);
    EXPECT_TOLD("2: 11=0/9 13=1/0");
}

Test(progress, what_is_no_progress)
{
    static const struct {
        const char *name;
        uint64_t link, epoch, run, index, n, of;
        const char *want;
    } rows[] = {
        {"more than the whole", WORKER, 0, 0, 10, 9, 4, "1: 10=4/4"},
        {"no whole", WORKER, 0, 0, 10, 9, 0, "1: 10=9/0"},
        {"nothing", WORKER, 0, 0, 10, 0, 0, "1: 10=0/0"},
        {"an index before the run", WORKER, 0, 0, 9, 1, 4, "0:"},
        {"behind it", WORKER, 0, 0, 15, 1, 4, "0:"},
        {"far behind it", WORKER, 0, 0, UINT64_MAX, 1, 4, "0:"},
        {"of another epoch", WORKER, 1, 0, 10, 1, 4, "0:"},
        {"of another run", WORKER, 0, 1, 10, 1, 4, "0:"},
        {"of another worker", OTHER, 0, 0, 10, 1, 4, "0:"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stop();
        start();
        sc_fake_worker_ready(&f, OTHER, NULL);
        sc_token token = {given.token.epoch + rows[i].epoch, given.token.run + rows[i].run};
        say(rows[i].link, token, rows[i].index, rows[i].n, rows[i].of);
        cr_expect_str_eq(told(1), rows[i].want, "%s: %s", rows[i].name, told(1));
        cr_expect_eq(sc_fake_count(&f, rows[i].link, SC_MSG_REFUSED), 0, "%s", rows[i].name);
    }
}

Test(progress, thousands_of_entries)
{
    static sc_progress_row rows[SC_PROGRESS_A_MESSAGE + 1];
    sc_message m = {.type = SC_MSG_PROGRESS, .progress.tasks = {rows, SC_PROGRESS_A_MESSAGE}};
    for (int i = 0; i <= SC_PROGRESS_A_MESSAGE; i++)
        rows[i] = (sc_progress_row){given.token, 10 + (uint64_t)i % 5, (uint64_t)i, 4000};
    for (int i = 0; i < 100; i++)
        sc_fake_say(&f, WORKER, &m);
    EXPECT_TOLD("5: 10=60/4000 11=61/4000 12=62/4000 13=63/4000 14=59/4000");
    sc_buffer header;
    sc_buffer_init(&header, 0);
    m.progress.tasks.n++;
    cr_expect_eq(sc_message_encode(&m, &header), SC_EBADARG, "a longer list is no message");
    sc_buffer_fini(&header);
}

// It is for workers to say, and of tasks of jobs.
Test(progress, from_others)
{
    sc_message m;
    say(CLIENT, given.token, 10, 1, 4);
    cr_expect(sc_fake_take(&f, CLIENT, SC_MSG_REFUSED, &m) && m.refused.code == SC_EMALFORMED);
    sc_fake_client(&f, CLIENT);
    sc_fake_call(&f, CLIENT, 9, "a", 0);
    cr_assert(sc_fake_take(&f, WORKER, SC_MSG_RUN, &m));
    say(WORKER, m.run.token, 0, 1, 4);
    EXPECT_TOLD("0:");
}

Test(progress, ends_with_the_attempt)
{
    sc_message m;
    for (uint64_t i = 0; i < 5; i++)
        say(WORKER, given.token, 10 + i, i, 9);
    sc_fake_results(&f, WORKER, &given, 0, 1, SC_DONE, 0, 0);
    EXPECT_TOLD("4: 11=1/9 12=2/9 13=3/9 14=4/9");
    say(WORKER, given.token, 10, 9, 9);
    EXPECT_TOLD("4: 11=1/9 12=2/9 13=3/9 14=4/9");
    sc_fake_results(&f, WORKER, &given, 1, 1, SC_DEAD, SC_RECORD_RETRY, 0); // it is tried again
    EXPECT_TOLD("3: 12=2/9 13=3/9 14=4/9");
    sc_fake_recalled(&f, WORKER, &given.token, &given.job, 12, 1);
    EXPECT_TOLD("2: 13=3/9 14=4/9");
    sc_fake_say(&f, WORKER, &(sc_message){.type = SC_MSG_BYE});
    EXPECT_TOLD("0:");
    sc_fake_worker_ready(&f, OTHER, NULL);
    cr_assert(sc_fake_take(&f, OTHER, SC_MSG_RUN, &m));
    say(OTHER, given.token, 13, 8, 9);
    EXPECT_TOLD("0:");
}

// What a worker lists it has still; what it does not list was lost; so is all when it falls silent.
Test(progress, of_a_worker_that_comes_back)
{
    sc_held_run held = {given.job, given.token, 10, 2, true, 1, 0, false};
    say(WORKER, given.token, 10, 1, 4);
    say(WORKER, given.token, 14, 2, 4);
    sc_fake_hello_worker(&f, WORKER, &(sc_fake_worker){.slots_async = 200});
    sc_fake_say(&f, WORKER, &(sc_message){.type = SC_MSG_HELD, .held.runs = {&held, 1}});
    EXPECT_TOLD("2: 10=1/4 14=2/4");
    sc_fake_say(&f, WORKER, &(sc_message){.type = SC_MSG_READY});
    EXPECT_TOLD("1: 10=1/4");
    sc_fake_pass(&f, 2000, WORKER);
    EXPECT_TOLD("0:");
}

// What is told is bounded, and what is looked at stays in its place.
Test(progress, of_many_tasks)
{
    uint64_t n = 0;
    sc_fake_array(&f, CLIENT, 2, 0, 100, NULL);
    while (n < 100) {
        sc_run run = sc_fake_take_run(&f, WORKER);
        for (uint64_t i = run.first + run.count; i-- > run.first; n++)
            say(WORKER, run.token, i, i, 100);
    }
    const char *text = told(2);
    cr_expect_eq(strncmp(text, "100: 68=68/100 69=69/100 ", 25), 0, "%s", text);
    cr_expect(strstr(text, " 99=99/100"), "%s", text);
}

Test(progress, of_a_job_that_is_cancelled)
{
    sc_message m = {.type = SC_MSG_CANCEL, .cancel = {.request = 3, .job = sc_fake_job(1)}};
    say(WORKER, given.token, 10, 1, 4);
    sc_fake_say(&f, CLIENT, &m);
    cr_expect(sc_fake_take(&f, CLIENT, SC_MSG_JOBS, &m) && m.jobs.progress.n == 1);
    EXPECT_TOLD("1: 10=1/4");
    sc_fake_results(&f, WORKER, &given, 0, 5, SC_CANCELLED, 0, 0);
    EXPECT_TOLD("0:");
}
