/* SPDX-License-Identifier: Apache-2.0 */
/* A worker that was taken as gone comes back with what it had started: it keeps what has not ended,
 * wherever that is by now, and is told to forget the rest. */
#include <string.h>

#include <criterion/criterion.h>

#include "base/limits.h"
#include "tests/support/fake_core.h"

enum { CLIENT = 1, FIRST = 2, SECOND = 3, N = 4, MS = 1000000 };

static sc_fake f;
static const sc_fake_worker able = {.slots_async = N, .handlers = "a b!"};

static void
start(void)
{
    memset(&f, 0, sizeof f);
    sc_fake_start(&f);
    sc_fake_client(&f, CLIENT);
}

static void
stop(void)
{
    sc_fake_stop(&f);
}

TestSuite(adopt, .init = start, .fini = stop);

// A job of N tasks of a handler goes to the first worker, which then is silent for its lease.
static sc_run
lose(const char *handler)
{
    sc_open spec = {.handler = sc_text_of(handler)};
    sc_fake_worker_ready(&f, FIRST, &able);
    sc_fake_array(&f, CLIENT, 1, 10, N, &spec);
    sc_run run = sc_fake_take_run(&f, FIRST);
    cr_assert_eq(run.count, N);
    sc_fake_pass(&f, 900, FIRST);
    cr_assert_eq(sc_fake_ask(&f, CLIENT, 1).running, 0);
    return run;
}

// The second worker is given what it can hold. @return its last run
static sc_run
give_to_second(void)
{
    sc_message m = {0};
    sc_fake_worker_ready(&f, SECOND, &able);
    sc_fake_take(&f, SECOND, SC_MSG_RUN, &m);
    return m.run;
}

static void
come_back(const sc_held_run *held, uint32_t n)
{
    sc_fake_come_back(&f, FIRST, &able, held, n);
}

static uint64_t
forgotten(uint64_t link)
{
    return sc_fake_n_recalled(&f, link, SC_RECALL_FORGET);
}

Test(adopt, where_its_tasks_are)
{
    static const struct {
        const char *name, *handler;
        bool is_elsewhere; // the second worker was given them,
        uint32_t n_ended;  // and has ended so many of them
        bool is_started;
        uint64_t first, count;            // listed
        uint64_t want_first, want_second; // forgotten
        uint64_t want_running;            // in all
    } rows[] = {
        {"still queued", "a", false, 0, true, 10, 2, 0, 0, 4},
        {"all of them", "a", false, 0, true, 10, 4, 0, 0, 4},
        {"elsewhere", "a", true, 0, true, 11, 2, 0, 2, 4},
        {"ended elsewhere", "a", true, 4, true, 10, 4, 4, 0, 0},
        {"some ended elsewhere", "a", true, 2, true, 10, 4, 2, 2, 2},
        {"not started", "a", false, 0, false, 10, 2, 2, 0, 4},
        {"beyond the job", "a", false, 0, true, 13, 3, 2, 0, 4},
        {"before the job", "a", false, 0, true, 8, 3, 2, 0, 4},
        {"may not be repeated", "b", false, 0, true, 10, 4, 4, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stop();
        start();
        sc_run run = lose(rows[i].handler);
        sc_run other = rows[i].is_elsewhere ? give_to_second() : run;
        if (rows[i].n_ended)
            sc_fake_results(&f, SECOND, &other, 0, rows[i].n_ended, SC_DONE, 0, MS);
        sc_held_run held = {run.job, run.token, rows[i].first, rows[i].count, rows[i].is_started,
                            1,       0,         false};
        sc_fake_forget_sent(&f);
        come_back(&held, 1);
        cr_expect_eq(forgotten(FIRST), rows[i].want_first, "%s: by itself", rows[i].name);
        cr_expect_eq(forgotten(SECOND), rows[i].want_second, "%s: by the other", rows[i].name);
        sc_job_info info = sc_fake_ask(&f, CLIENT, 1);
        cr_expect_eq(info.running, rows[i].want_running, "%s: %llu run", rows[i].name,
                     (unsigned long long)info.running);
    }
}

// Its results count, with the old token; those of the other no longer do.
Test(adopt, results)
{
    sc_run run = lose("a"), other = give_to_second();
    sc_held_run held = {run.job, run.token, 10, 2, true, 1, 0, false};
    come_back(&held, 1);
    sc_fake_results(&f, SECOND, &other, 0, N, SC_DONE, 0, MS);
    sc_job_info info = sc_fake_ask(&f, CLIENT, 1);
    cr_expect_eq(info.done, 2);
    cr_expect_eq(info.running, 2);
    sc_fake_results(&f, FIRST, &run, 0, 2, SC_DONE, 0, MS);
    cr_expect_eq(sc_fake_ask(&f, CLIENT, 1).state, SC_JOB_SUCCEEDED);
}

// Several entries of one run, said again after a second HELLO; what is not said again is queued.
Test(adopt, entries_of_one_run)
{
    sc_run run = lose("a");
    sc_held_run held[] = {{run.job, run.token, 10, 1, true, 1, 0, false},
                          {run.job, run.token, 12, 2, true, 1, 0, false}};
    come_back(held, 2);
    cr_expect_eq(sc_fake_ask(&f, CLIENT, 1).running, 4, "three kept, one handed out again");
    sc_fake_forget_sent(&f);
    come_back(held, 1);
    cr_expect_eq(forgotten(FIRST), 0);
    sc_message m;
    uint64_t n = 0;
    while (sc_fake_take(&f, FIRST, SC_MSG_RUN, &m))
        n += m.run.count;
    cr_expect_eq(n, 3, "of the first run two, and the one that was handed out again");
}

// It may be silent again and again.
Test(adopt, again)
{
    sc_run run = lose("a");
    sc_held_run held = {run.job, run.token, 10, N, true, 1, 0, false};
    for (int i = 0; i < 3; i++) {
        come_back(&held, 1);
        cr_expect_eq(sc_fake_ask(&f, CLIENT, 1).running, N);
        sc_fake_pass(&f, 900, FIRST);
        cr_expect_eq(sc_fake_ask(&f, CLIENT, 1).queued, N);
    }
}

// A try that was given up is over once the task has failed elsewhere.
Test(adopt, next_attempt)
{
    sc_open spec = {.handler = sc_text_of("a"), .retries = 3};
    sc_fake_worker_ready(&f, FIRST, &able);
    sc_fake_array(&f, CLIENT, 1, 10, N, &spec);
    sc_run run = sc_fake_take_run(&f, FIRST);
    sc_fake_pass(&f, 900, FIRST);
    sc_run other = give_to_second();
    sc_fake_results(&f, SECOND, &other, 0, 2, SC_DEAD, SC_RECORD_RETRY, MS);
    sc_held_run held = {run.job, run.token, 10, N, true, 1, 0, false};
    come_back(&held, 1);
    cr_expect_eq(forgotten(FIRST), 2, "those that failed");
    cr_expect_eq(forgotten(SECOND), 2, "the others");
}

// No more than the worker said that it can hold.
Test(adopt, within_its_credit)
{
    sc_fake_worker small = {.slots_async = N, .credit_tasks = 2, .handlers = "a b!"};
    sc_run run = lose("a");
    sc_held_run held = {run.job, run.token, 10, N, true, 1, 0, false};
    sc_fake_hello_worker(&f, FIRST, &small);
    sc_fake_say(&f, FIRST, &(sc_message){.type = SC_MSG_HELD, .held = {{&held, 1}}});
    cr_expect_eq(sc_fake_ask(&f, CLIENT, 1).running, 2);
    cr_expect_eq(forgotten(FIRST), 2);
}

Test(adopt, unknown)
{
    sc_run run = lose("a");
    const struct {
        const char *name;
        sc_held_run held;
    } rows[] = {
        {"another coordinator's",
         {run.job, {run.token.epoch - 1, run.token.run}, 10, 2, true, 1, 0, false}},
        {"a number not given yet",
         {run.job, {run.token.epoch, run.token.run + 9}, 10, 2, true, 1, 0, false}},
        {"no such job", {sc_fake_job(7), run.token, 10, 2, true, 1, 0, false}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_fake_hello_worker(&f, FIRST, &able);
        sc_fake_say(&f, FIRST, &(sc_message){.type = SC_MSG_HELD, .held = {{&rows[i].held, 1}}});
        cr_expect_eq(forgotten(FIRST), 2, "%s", rows[i].name);
        cr_expect_eq(sc_fake_ask(&f, CLIENT, 1).running, 0, "%s", rows[i].name);
    }
}

Test(adopt, call)
{
    static const struct {
        const char *name;
        bool is_elsewhere;
    } rows[] = {{"still waiting", false}, {"elsewhere", true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stop();
        start();
        sc_fake_worker_ready(&f, FIRST, NULL);
        sc_fake_call(&f, CLIENT, 7, "a", 0);
        sc_run run = sc_fake_take_run(&f, FIRST);
        sc_fake_pass(&f, 900, FIRST);
        if (rows[i].is_elsewhere)
            sc_fake_worker_ready(&f, SECOND, NULL);
        cr_expect_eq(sc_fake_count(&f, SECOND, SC_MSG_RUN), rows[i].is_elsewhere);
        sc_held_run held = {run.job, run.token, 0, 1, true, 1, 0, false};
        sc_fake_come_back(&f, FIRST, NULL, &held, 1);
        cr_expect_eq(forgotten(FIRST), 0, "%s", rows[i].name);
        cr_expect_eq(forgotten(SECOND), rows[i].is_elsewhere, "%s", rows[i].name);
        sc_fake_results(&f, FIRST, &run, 0, 1, SC_DONE, 0, MS);
        cr_expect_eq(sc_fake_count(&f, CLIENT, SC_MSG_REPLY), 1, "%s", rows[i].name);
    }
}

// One that was adopted and is listed again, after a second HELLO, stays too.
Test(adopt, call_again)
{
    sc_fake_worker_ready(&f, FIRST, NULL);
    sc_fake_call(&f, CLIENT, 7, "a", 0);
    sc_run run = sc_fake_take_run(&f, FIRST);
    sc_fake_pass(&f, 900, FIRST);
    sc_held_run held = {run.job, run.token, 0, 1, true, 1, 0, false};
    for (int i = 0; i < 2; i++) {
        sc_fake_come_back(&f, FIRST, NULL, &held, 1);
        cr_expect_eq(forgotten(FIRST), 0, "HELLO %d", i);
    }
    sc_fake_results(&f, FIRST, &run, 0, 1, SC_DONE, 0, MS);
    cr_expect_eq(sc_fake_count(&f, CLIENT, SC_MSG_REPLY), 1);
}
