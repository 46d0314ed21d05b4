/* SPDX-License-Identifier: Apache-2.0 */
/* Cancelling: what waits ends at once, what runs when its worker says so or is lost, and nothing of
 * it begins again. */
#include <string.h>

#include <criterion/criterion.h>

#include "base/limits.h"
#include "tests/support/fake_core.h"

enum { CLIENT = 1, WORKER = 2, OTHER = 3, MS = 1000000 };

static sc_fake f;

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

TestSuite(core_cancel, .init = start, .fini = stop);

// @return the code of the refusal, 1 where it was answered, 0 where nothing was said
static int64_t
cancel(uint32_t job, uint64_t first, uint64_t count, sc_job_info *info)
{
    sc_message m = {.type = SC_MSG_CANCEL};
    m.cancel = (sc_cancel){7, sc_fake_job(job), first, count};
    sc_fake_say(&f, CLIENT, &m);
    if (sc_fake_take(&f, CLIENT, SC_MSG_REFUSED, &m))
        return m.refused.code;
    if (!sc_fake_take(&f, CLIENT, SC_MSG_JOBS, &m))
        return 0;
    if (info)
        *info = *(const sc_job_info *)m.jobs.jobs.items;
    return 1;
}

// How many tasks of a worker were asked to end.
static uint64_t
asked(uint64_t link)
{
    return sc_fake_n_recalled(&f, link, SC_RECALL_CANCEL);
}

Test(core_cancel, refused)
{
    sc_fake_worker_ready(&f, WORKER, NULL);
    sc_fake_array(&f, CLIENT, 1, 10, 5, NULL);
    sc_fake_array(&f, CLIENT, 2, 0, 1, &(sc_open){.handler = sc_text_of("a")});
    sc_fake_open(&f, CLIENT, 3, &(sc_open){.handler = sc_text_of("a")});
    sc_fake_work(&f, WORKER, MS);
    static const struct {
        const char *name;
        uint32_t job;
        uint64_t first, count;
        int64_t want;
    } rows[] = {
        {"no such job", 9, 0, 0, SC_ENOJOB},
        {"not whole yet", 3, 0, 0, SC_ENOJOB},
        {"before it", 1, 9, 2, SC_EBADARG},
        {"behind it", 1, 14, 2, SC_EBADARG},
        {"far behind it", 1, UINT64_MAX, 2, SC_EBADARG},
        {"too many", 1, 11, UINT64_MAX, SC_EBADARG},
        {"it has succeeded", 2, 0, 0, SC_ESTATE},
    };
    sc_fake_forget_sent(&f);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_expect_eq(cancel(rows[i].job, rows[i].first, rows[i].count, NULL), rows[i].want, "%s",
                     rows[i].name);
}

// Nothing has been handed out.
Test(core_cancel, what_waits_ends_at_once)
{
    static const struct {
        const char *name;
        uint64_t n_tasks, first, count, want;
    } rows[] = {
        {"all", 10, 0, 0, 10},
        {"all of many", 200000, 0, 0, 200000},
        {"all, named", 10, 0, 10, 10},
        {"the first", 10, 0, 1, 1},
        {"the last", 3000, 2999, 1, 1},
        {"from the middle on", 5000, 1500, 3500, 3500},
        {"in the middle", 5000, 1500, 2000, 2000},
        {"whole chunks", 5000, SC_CHUNK_MAX_TASKS, 2 * SC_CHUNK_MAX_TASKS, 2 * SC_CHUNK_MAX_TASKS},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_job_info info;
        uint64_t n_done = 0;
        stop();
        start();
        sc_fake_worker_ready(&f, OTHER, NULL); // so that the handler is known
        sc_fake_say(&f, OTHER, &(sc_message){.type = SC_MSG_BYE});
        sc_fake_array(&f, CLIENT, 1, 0, rows[i].n_tasks, NULL);
        cr_assert_eq(cancel(1, rows[i].first, rows[i].count, &info), 1, "%s", rows[i].name);
        cr_expect_eq(info.cancelled, rows[i].want, "%s: %d", rows[i].name, (int)info.cancelled);
        cr_assert_eq(cancel(1, rows[i].first, rows[i].count, &info), 1, "%s", rows[i].name);
        cr_expect_eq(info.cancelled, rows[i].want, "%s, again", rows[i].name);
        sc_fake_worker_ready(&f, WORKER, &(sc_fake_worker){.credit_tasks = 700});
        for (uint64_t n; (n = sc_fake_work(&f, WORKER, 1000)) > 0;)
            n_done += n;
        info = sc_fake_ask(&f, CLIENT, 1);
        cr_expect_eq(n_done, rows[i].n_tasks - rows[i].want, "%s: the others", rows[i].name);
        cr_expect_eq(info.state, SC_JOB_CANCELLED, "%s", rows[i].name);
    }
}

Test(core_cancel, what_runs_is_asked)
{
    static const struct {
        const char *name;
        sc_outcome outcome;
        uint8_t flags;
        uint64_t want_done, want_dead, want_cancelled;
    } rows[] = {
        {"it ends so", SC_CANCELLED, 0, 0, 0, 4},
        {"it was faster", SC_DONE, 0, 2, 0, 2},
        {"it fails, and is not tried again", SC_DEAD, SC_RECORD_RETRY, 0, 2, 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_open spec = {.handler = sc_text_of("a"), .retries = 5};
        sc_job_info info;
        stop();
        start();
        sc_fake_worker_ready(&f, WORKER, &(sc_fake_worker){.credit_tasks = 2});
        sc_fake_array(&f, CLIENT, 1, 0, 4, &spec);
        sc_run run = sc_fake_take_run(&f, WORKER);
        cr_assert_eq(run.count, 2);
        cr_assert_eq(cancel(1, 0, 0, &info), 1);
        cr_expect(info.state == SC_JOB_RUNNING && info.running == 2 && info.cancelled == 2, "%s",
                  rows[i].name);
        cr_expect_eq(asked(WORKER), 2, "%s", rows[i].name);
        sc_fake_results(&f, WORKER, &run, 0, 2, rows[i].outcome, rows[i].flags, MS);
        info = sc_fake_ask(&f, CLIENT, 1);
        cr_expect_eq(info.state, SC_JOB_CANCELLED, "%s", rows[i].name);
        cr_expect(info.done == rows[i].want_done && info.dead == rows[i].want_dead &&
                      info.cancelled == rows[i].want_cancelled,
                  "%s: %d done, %d dead, %d cancelled", rows[i].name, (int)info.done,
                  (int)info.dead, (int)info.cancelled);
    }
}

// Its worker is lost, gives it back or comes back: it does not begin again.
Test(core_cancel, what_was_asked_does_not_begin_again)
{
    static const struct {
        const char *name;
        enum { LOST, GIVEN_BACK, BACK } how;
    } rows[] = {{"lost", LOST}, {"given back", GIVEN_BACK}, {"it comes back", BACK}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stop();
        start();
        sc_fake_worker_ready(&f, WORKER, NULL);
        sc_fake_array(&f, CLIENT, 1, 0, 2, NULL);
        sc_run run = sc_fake_take_run(&f, WORKER);
        cr_assert_eq(cancel(1, 0, 1, NULL), 1);
        cr_expect_eq(asked(WORKER), 1);
        if (rows[i].how == LOST) {
            sc_core_send_failed(f.core, WORKER, f.now_ms);
            sc_core_turn(f.core, f.now_ms);
        } else if (rows[i].how == GIVEN_BACK) {
            sc_fake_recalled(&f, WORKER, &run.token, &run.job, 0, 1);
        } else { // the question was lost with its connection
            sc_held_run held = {run.job, run.token, 0, 2, true, 1, 0, false};
            sc_fake_come_back(&f, WORKER, NULL, &held, 1);
            cr_expect_eq(asked(WORKER), 1, "it is asked again");
            sc_fake_results(&f, WORKER, &run, 0, 1, SC_CANCELLED, 0, MS);
        }
        sc_fake_worker_ready(&f, OTHER, NULL);
        sc_job_info info = sc_fake_ask(&f, CLIENT, 1);
        cr_expect_eq(info.cancelled, 1, "%s", rows[i].name);
        cr_expect_eq(info.running, 1, "%s: the other one", rows[i].name);
    }
}

Test(core_cancel, delayed_and_blamed)
{
    sc_open spec = {
        .handler = sc_text_of("a"), .retries = 5, .backoff_base_ms = 5000, .backoff_max_ms = 5000};
    sc_job_info info;
    sc_fake_supervisor(&f, 9);
    sc_fake_worker_ready(&f, WORKER, NULL);
    sc_fake_array(&f, CLIENT, 1, 0, 3, &spec);
    sc_run run = sc_fake_take_run(&f, WORKER);
    sc_fake_results(&f, WORKER, &run, 0, 1, SC_DEAD, SC_RECORD_RETRY, MS);
    sc_fake_died(&f, 9, 100 + WORKER, &run, 1, 1, true, SC_DEATH_FAULT);
    info = sc_fake_ask(&f, CLIENT, 1);
    cr_assert(info.delayed == 1 && info.queued == 2);
    cr_assert_eq(cancel(1, 0, 2, &info), 1);
    cr_expect(info.cancelled == 2 && info.queued == 1 && info.delayed == 0);
    sc_fake_worker_ready(&f, OTHER, NULL);
    cr_expect_eq(sc_fake_work(&f, OTHER, MS), 1);
    cr_expect_eq(sc_fake_ask(&f, CLIENT, 1).state, SC_JOB_CANCELLED);
}

/* ---- durable jobs ---- */

static const sc_open durable = {.is_durable = true};

Test(core_cancel, is_answered_once_it_is_safe)
{
    sc_message m;
    sc_fake_worker_ready(&f, WORKER, &(sc_fake_worker){.credit_tasks = 2});
    sc_fake_array(&f, CLIENT, 1, 0, 4, &durable);
    sc_fake_written(&f, f.n_writes);
    sc_fake_take_run(&f, WORKER);
    f.holds_writes = true;
    cr_expect_eq(cancel(1, 0, 0, NULL), 0, "not yet");
    sc_fake_written(&f, f.n_writes);
    cr_expect(sc_fake_take(&f, CLIENT, SC_MSG_JOBS, &m));
}

// A coordinator that starts again knows what was cancelled while it ran, whether its worker comes
// back with it or not.
Test(core_cancel, survives_a_restart)
{
    static const struct {
        const char *name, *handler;
        bool comes_back;
    } rows[] = {{"lost", "a", false},
                {"comes back", "a", true},
                {"not to be repeated", "a!", false},
                {"not to be repeated, comes back", "a!", true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_fake_worker w = {.handlers = rows[i].handler, .credit_tasks = 2};
        uint64_t n_forgotten = 0;
        stop();
        start();
        sc_fake_worker_ready(&f, WORKER, &w);
        sc_fake_array(&f, CLIENT, 1, 0, 4, &durable);
        sc_fake_written(&f, f.n_writes);
        sc_run run = sc_fake_take_run(&f, WORKER);
        cr_assert_eq(cancel(1, 0, 0, NULL), 1);
        sc_fake_restart(&f, f.n_writes);
        sc_fake_client(&f, CLIENT);
        if (rows[i].comes_back) {
            sc_held_run held = {run.job, run.token, 0, 2, true, 1, 0, false};
            sc_fake_come_back(&f, WORKER, &w, &held, 1);
            n_forgotten = sc_fake_n_recalled(&f, WORKER, SC_RECALL_FORGET);
        } else {
            sc_fake_worker_ready(&f, OTHER, &w);
        }
        sc_fake_pass(&f, 3000, 5);
        sc_job_info info = sc_fake_ask(&f, CLIENT, 1);
        cr_expect_eq(n_forgotten, rows[i].comes_back ? 2 : 0, "%s", rows[i].name);
        cr_expect(info.state == SC_JOB_CANCELLED && info.cancelled == 4, "%s: %d cancelled",
                  rows[i].name, (int)info.cancelled);
        cr_expect_eq(sc_fake_count(&f, WORKER, SC_MSG_RUN) + sc_fake_count(&f, OTHER, SC_MSG_RUN),
                     0, "%s", rows[i].name);
    }
}

/* ---- what has not begun in time ---- */

Test(core_cancel, expiry)
{
    static const struct {
        const char *name;
        uint64_t n_tasks;
        bool is_durable, restarts;
        uint64_t want_asked; // to be given back; of what came back it is unknown which those are
        uint64_t want;       // expired
    } rows[] = {
        {"behind the first", 5, false, false, 3, 3},
        {"many", 100000, false, false, 3, 99998},
        {"durable", 5, true, false, 3, 3},
        {"it comes back", 5, true, true, 5, 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_open spec = {
            .handler = sc_text_of("a"), .is_durable = rows[i].is_durable, .expires_ms = 3000};
        sc_fake_worker w = {.credit_tasks = 3, .slots_async = 3};
        stop();
        start();
        sc_fake_worker_ready(&f, WORKER, &w);
        sc_fake_array(&f, CLIENT, 1, 0, rows[i].n_tasks, &spec);
        sc_run run = sc_fake_take_run(&f, WORKER);
        cr_assert_eq(run.count, 3);
        if (rows[i].restarts) {
            sc_held_run held = {run.job, run.token, 0, run.count, true, 1, 0, false};
            sc_fake_restart(&f, f.n_writes);
            sc_fake_client(&f, CLIENT);
            sc_fake_come_back(&f, WORKER, &w, &held, 1);
        }
        sc_fake_pass(&f, 2500, 5);
        cr_expect_eq(sc_fake_ask(&f, CLIENT, 1).dead, 0, "%s: in time", rows[i].name);
        sc_fake_pass(&f, 600, 5);
        uint64_t n_asked = sc_fake_n_recalled(&f, WORKER, SC_RECALL_WAITING);
        cr_expect_eq(n_asked, rows[i].want_asked, "%s: what it has not begun", rows[i].name);
        sc_fake_recalled(&f, WORKER, &run.token, &run.job, 2, 1);
        sc_job_info info = sc_fake_ask(&f, CLIENT, 1);
        cr_expect_eq(info.dead, rows[i].want, "%s: %d", rows[i].name, (int)info.dead);
        sc_fake_results(&f, WORKER, &run, 0, 2, SC_DONE, 0, MS);
        info = sc_fake_ask(&f, CLIENT, 1);
        cr_expect(info.state == SC_JOB_FAILED && info.done == 2, "%s: %d done", rows[i].name,
                  (int)info.done);
    }
}

// What has begun, and whose worker is lost, runs again.
Test(core_cancel, what_has_begun_does_not_expire)
{
    sc_open spec = {.handler = sc_text_of("a"),
                    .retries = 1,
                    .expires_ms = 1000,
                    .backoff_base_ms = 1,
                    .backoff_max_ms = 1};
    sc_fake_worker_ready(&f, WORKER, NULL);
    sc_fake_array(&f, CLIENT, 1, 0, 2, &spec);
    sc_run run = sc_fake_take_run(&f, WORKER);
    sc_fake_pass(&f, 1200, 5);
    sc_fake_results(&f, WORKER, &run, 0, 1, SC_DEAD, SC_RECORD_RETRY, MS);
    sc_core_send_failed(f.core, WORKER, f.now_ms);
    sc_fake_pass(&f, 200, 2);
    sc_fake_worker_ready(&f, OTHER, NULL);
    cr_expect_eq(sc_fake_work(&f, OTHER, MS), 2);
    cr_expect_eq(sc_fake_ask(&f, CLIENT, 1).state, SC_JOB_SUCCEEDED);
}
