/* SPDX-License-Identifier: Apache-2.0 */
/* Durable jobs in the core: nothing is said before what it rests on is safe, and what was kept
 * comes back. */
#include <string.h>

#include <criterion/criterion.h>

#include "tests/support/fake_core.h"

enum { CLIENT = 1, WORKER = 2 };

static const sc_open durable = {
    .is_durable = true, .retries = 2, .backoff_base_ms = 100, .backoff_max_ms = 100};

static void
begin(sc_fake *f, const char *handlers)
{
    sc_fake_init(f);
    sc_fake_start(f);
    f->holds_writes = true;
    sc_fake_client(f, CLIENT);
    sc_fake_worker_ready(f, WORKER, &(sc_fake_worker){.handlers = handlers});
    sc_fake_forget_sent(f);
}

static void
come_back(sc_fake *f, uint64_t n_safe, const char *handlers)
{
    sc_fake_restart(f, n_safe);
    sc_fake_client(f, CLIENT);
    sc_fake_hello_worker(f, WORKER, &(sc_fake_worker){.handlers = handlers});
}

static void
held(sc_fake *f, const sc_run *run, uint64_t first, uint64_t count, bool is_started)
{
    sc_held_run one = {run->job,   run->token,   first,     count,
                       is_started, run->attempt, run->life, false};
    sc_message m = {.type = SC_MSG_HELD, .held = {{&one, 1}}};
    sc_fake_say(f, WORKER, &m);
}

static void
ready(sc_fake *f)
{
    sc_fake_say(f, WORKER, &(sc_message){.type = SC_MSG_READY});
    sc_fake_pass(f, 600, 3);
}

Test(core_durable, nothing_is_said_before_it_is_safe)
{
    sc_fake f;
    sc_message m;
    begin(&f, "a");
    sc_fake_array(&f, CLIENT, 1, 0, 2, &durable);
    cr_expect_eq(sc_fake_count(&f, CLIENT, SC_MSG_ACK), 0, "not accepted yet");
    cr_expect_eq(sc_fake_count(&f, WORKER, SC_MSG_RUN), 0);
    sc_fake_written(&f, f.n_writes);
    cr_expect_eq(sc_fake_count(&f, CLIENT, SC_MSG_ACK), 1);
    cr_assert(sc_fake_take(&f, WORKER, SC_MSG_RUN, &m));
    sc_message ask = {.type = SC_MSG_ASK};
    ask.ask = (sc_ask){5, SC_ASK_JOB, sc_fake_job(1), 32, true, 0, 0};
    sc_fake_say(&f, CLIENT, &ask);
    sc_run run = m.run;
    sc_fake_results(&f, WORKER, &run, 0, 2, SC_DONE, 0, 1000);
    cr_expect_eq(sc_fake_count(&f, WORKER, SC_MSG_RESULTS_ACK), 0, "the results are not safe");
    cr_expect_eq(sc_fake_count(&f, CLIENT, SC_MSG_JOBS), 0, "nor is the end of the job");
    cr_expect_eq(sc_fake_ask(&f, CLIENT, 1).state, SC_JOB_RUNNING);
    sc_fake_written(&f, f.n_writes);
    cr_expect_eq(sc_fake_count(&f, WORKER, SC_MSG_RESULTS_ACK), 1);
    cr_assert(sc_fake_take(&f, CLIENT, SC_MSG_JOBS, &m));
    cr_expect_eq(sc_fake_ask(&f, CLIENT, 1).state, SC_JOB_SUCCEEDED);
    sc_fake_stop(&f);
}

Test(core_durable, trouble_refuses_durable_jobs_alone)
{
    sc_fake f;
    sc_message m;
    begin(&f, "a");
    sc_core_trouble(f.core, "the disk is full", f.now_ms);
    sc_fake_array(&f, CLIENT, 1, 0, 2, &durable);
    cr_assert(sc_fake_take(&f, CLIENT, SC_MSG_REFUSED, &m));
    cr_expect_eq(m.refused.code, SC_EJOURNAL);
    cr_expect(memmem(m.refused.text.data, m.refused.text.len, "the disk is full", 16));
    sc_fake_array(&f, CLIENT, 2, 0, 2, NULL);
    cr_expect_eq(sc_fake_count(&f, CLIENT, SC_MSG_ACK), 1, "volatile ones go on");
    sc_core_trouble(f.core, NULL, f.now_ms);
    sc_fake_array(&f, CLIENT, 3, 0, 2, &durable);
    sc_fake_written(&f, f.n_writes);
    cr_expect_eq(sc_fake_count(&f, CLIENT, SC_MSG_ACK), 2);
    sc_fake_stop(&f);
}

// What a worker has of a run after a restart: indexes 0, 1 held and started, 2 held, 3 not held.
Test(core_durable, what_a_worker_comes_back_with)
{
    static const struct {
        const char *name, *handlers;
        uint32_t want_runs; // handed out again: tasks
        uint64_t want_dead;
    } rows[] = {{"may be repeated", "a", 2, 0}, {"may not be repeated", "a!", 1, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_fake f;
        sc_message m;
        begin(&f, rows[i].handlers);
        sc_fake_array(&f, CLIENT, 1, 0, 4, &durable);
        sc_fake_written(&f, f.n_writes);
        sc_run runs[4];
        uint32_t n = 0, n_runs = 0;
        while (n < 2) { // a handler that nobody has measured gets a task a slot
            sc_fake_written(&f, f.n_writes);
            cr_assert(sc_fake_take(&f, WORKER, SC_MSG_RUN, &m), "%s", rows[i].name);
            runs[n_runs++] = m.run;
            n += m.run.count;
        }
        come_back(&f, f.n_writes, rows[i].handlers);
        held(&f, &runs[0], runs[0].first, 1, true);
        ready(&f);
        sc_fake_written(&f, f.n_writes);
        sc_job_info info = sc_fake_ask(&f, CLIENT, 1);
        cr_expect_eq(info.dead, rows[i].want_dead, "%s: %d dead, %u runs, %d..", rows[i].name,
                     (int)info.dead, n_runs, (int)runs[0].count);
        while (sc_fake_take(&f, WORKER, SC_MSG_RUN, &m))
            cr_expect(m.run.first != runs[0].first, "%s: begun twice", rows[i].name);
        sc_fake_results(&f, WORKER, &runs[0], 0, 1, SC_DONE, 0, 1000);
        cr_expect_eq(sc_fake_ask(&f, CLIENT, 1).done, 1, "%s: adopted", rows[i].name);
        sc_fake_stop(&f);
    }
}

// A list that has begun in time is waited for, two seconds from the start on and no longer.
Test(core_durable, a_list_that_has_begun)
{
    static const struct {
        int64_t listed_ms; // after the restart; its HELLO came after 400
        uint64_t want_adopted;
    } rows[] = {{1900, 1}, {2200, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_fake f;
        sc_message m;
        begin(&f, "a!");
        sc_fake_array(&f, CLIENT, 1, 0, 1, &durable);
        for (int k = 0; k < 3; k++)
            sc_fake_written(&f, f.n_writes);
        cr_assert(sc_fake_take(&f, WORKER, SC_MSG_RUN, &m));
        sc_run run = m.run;
        sc_fake_restart(&f, f.n_writes);
        sc_fake_client(&f, CLIENT);
        sc_fake_pass(&f, 400, WORKER);
        sc_fake_hello_worker(&f, WORKER, &(sc_fake_worker){.handlers = "a!"});
        sc_fake_pass(&f, rows[i].listed_ms - 400, WORKER + 1);
        held(&f, &run, run.first, 1, true);
        sc_fake_say(&f, WORKER, &(sc_message){.type = SC_MSG_READY});
        sc_job_info info = sc_fake_ask(&f, CLIENT, 1);
        cr_expect_eq(info.running, rows[i].want_adopted, "%d", (int)i);
        cr_expect_eq(info.dead, !rows[i].want_adopted, "%d", (int)i);
        sc_fake_stop(&f);
    }
}

// Who has several endpoints misses the one before for a lease, then looks for the next.
Test(core_durable, where_others_may_lead_workers_have_the_time_to_find_us)
{
    static const struct {
        const char *name;
        bool is_shared;
        int64_t away_ms;
        bool want_adopted;
    } rows[] = {
        {"alone, back in time", false, 400, true},
        {"alone, late", false, 700, false},
        {"shared, back after a search", true, 1150, true},
        {"shared, late", true, 1400, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_fake f;
        sc_message m;
        begin(&f, "a!"); // not to be repeated: dead where nobody comes back with it
        f.options.is_shared = rows[i].is_shared;
        sc_fake_array(&f, CLIENT, 1, 0, 1, &durable);
        for (int k = 0; k < 3; k++)
            sc_fake_written(&f, f.n_writes);
        cr_assert(sc_fake_take(&f, WORKER, SC_MSG_RUN, &m), "%s", rows[i].name);
        sc_run run = m.run;
        sc_fake_restart(&f, f.n_writes);
        sc_fake_client(&f, CLIENT);
        for (int64_t t = 0; t < rows[i].away_ms; t += 50)
            sc_fake_pass(&f, 50, WORKER);
        sc_fake_hello_worker(&f, WORKER, &(sc_fake_worker){.handlers = "a!"});
        held(&f, &run, run.first, 1, true);
        sc_fake_say(&f, WORKER, &(sc_message){.type = SC_MSG_READY});
        sc_job_info info = sc_fake_ask(&f, CLIENT, 1);
        cr_expect_eq(info.running, rows[i].want_adopted, "%s", rows[i].name);
        cr_expect_eq(info.dead, !rows[i].want_adopted, "%s", rows[i].name);
        sc_fake_stop(&f);
    }
}

// Who stood still may have been deposed meanwhile: a write that is safe says that it was not.
Test(core_durable, who_stood_still_hands_out_nothing_before_a_write_is_safe)
{
    static const struct {
        const char *name;
        bool is_shared, is_durable;
        int64_t still_ms;
        bool want_wait;
    } rows[] = {
        {"for a lease", true, true, 1000, true},
        {"nobody else may lead", false, true, 1000, false},
        {"for less", true, true, 500, false},
        {"volatile", true, false, 1000, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_fake f;
        sc_message m;
        sc_open spec = durable;
        sc_fake_init(&f);
        f.options.is_shared = rows[i].is_shared;
        sc_fake_start(&f);
        f.holds_writes = true;
        sc_fake_client(&f, CLIENT);
        sc_fake_worker_ready(&f, WORKER, &(sc_fake_worker){.handlers = "a", .credit_tasks = 1});
        spec.is_durable = rows[i].is_durable;
        sc_fake_array(&f, CLIENT, 1, 0, 4, &spec);
        sc_fake_written(&f, f.n_writes);
        cr_assert(sc_fake_take(&f, WORKER, SC_MSG_RUN, &m), "%s", rows[i].name);
        sc_run run = m.run;
        f.now_ms += rows[i].still_ms;
        sc_fake_results(&f, WORKER, &run, 0, 1, SC_DONE, 0, 1000);
        cr_expect_eq(sc_fake_count(&f, WORKER, SC_MSG_RUN), !rows[i].want_wait, "%s", rows[i].name);
        sc_fake_written(&f, f.n_writes);
        cr_expect_eq(sc_fake_count(&f, WORKER, SC_MSG_RUN), 1, "%s: then", rows[i].name);
        sc_fake_stop(&f);
    }
}

// Of the writes of a job some prefix is kept; whatever it is, the job comes back and ends.
Test(core_durable, any_prefix_comes_back)
{
    for (uint64_t n_safe = 1, n_all = 2; n_safe <= n_all; n_safe++) {
        sc_fake f;
        sc_message m;
        begin(&f, "a");
        sc_fake_open(&f, CLIENT, 1, &durable);
        for (uint32_t k = 0; k < 3; k++)
            sc_fake_chunk(&f, CLIENT, 1, &(sc_chunk){.number = k, .first = k, .count = 1}, 10);
        sc_fake_commit(&f, CLIENT, 1, 3, 3);
        for (int k = 0; k < 6; k++) {
            sc_fake_written(&f, f.n_writes);
            if (!sc_fake_take(&f, WORKER, SC_MSG_RUN, &m))
                continue;
            sc_run run = m.run;
            bool is_first = run.first == 0 && run.attempt == 1;
            sc_fake_results(&f, WORKER, &run, 0, run.count, is_first ? SC_DEAD : SC_DONE,
                            is_first ? SC_RECORD_RETRY : 0, 1000);
        }
        n_all = f.n_writes;
        come_back(&f, n_safe, "a");
        f.holds_writes = false;
        sc_fake_say(&f, WORKER, &(sc_message){.type = SC_MSG_READY});
        sc_fake_open(&f, CLIENT, 1, &durable); // its client says it all again
        for (uint32_t k = 0; k < 3; k++)
            sc_fake_chunk(&f, CLIENT, 1, &(sc_chunk){.number = k, .first = k, .count = 1}, 10);
        sc_fake_commit(&f, CLIENT, 1, 3, 3);
        for (int k = 0; k < 10; k++) {
            sc_fake_pass(&f, 200, 3);
            sc_fake_work(&f, WORKER, 1000);
        }
        sc_job_info info = sc_fake_ask(&f, CLIENT, 1);
        cr_expect(info.state == SC_JOB_SUCCEEDED && info.done == 3, "%d of %d writes: %d done",
                  (int)n_safe, (int)n_all, (int)info.done);
        sc_fake_stop(&f);
    }
}

Test(core_durable, ended_jobs_come_back_until_they_are_forgotten)
{
    sc_fake f;
    begin(&f, "a");
    sc_fake_array(&f, CLIENT, 1, 0, 2, &durable);
    sc_fake_written(&f, f.n_writes);
    while (sc_fake_work(&f, WORKER, 1000) > 0)
        sc_fake_written(&f, f.n_writes);
    come_back(&f, f.n_writes, "a");
    sc_job_info info = sc_fake_ask(&f, CLIENT, 1);
    cr_expect(info.state == SC_JOB_SUCCEEDED && info.done == 2 && info.ended_at > 0);
    f.now_ms += f.options.retention_ms;
    sc_fake_late_tick(&f, 1);
    cr_expect_eq(sc_fake_ask(&f, CLIENT, 1).state, SC_N_JOB_STATES, "forgotten");
    sc_fake_stop(&f);
}

// A worker whose session was lost says its results again. They are known by then, but no safer.
Test(core_durable, results_said_again_are_no_safer)
{
    sc_fake f;
    sc_message m;
    begin(&f, "a");
    sc_fake_array(&f, CLIENT, 1, 0, 2, &durable);
    sc_fake_written(&f, f.n_writes);
    cr_assert(sc_fake_take(&f, WORKER, SC_MSG_RUN, &m));
    sc_run run = m.run;
    sc_fake_results(&f, WORKER, &run, 0, 2, SC_DONE, 0, 1000);
    sc_core_send_failed(f.core, WORKER, f.now_ms);
    sc_fake_worker_ready(&f, WORKER, NULL);
    sc_fake_results(&f, WORKER, &run, 0, 2, SC_DONE, 0, 1000);
    cr_expect_eq(sc_fake_count(&f, WORKER, SC_MSG_RESULTS_ACK), 0);
    sc_fake_written(&f, f.n_writes);
    cr_expect_eq(sc_fake_count(&f, WORKER, SC_MSG_RESULTS_ACK), 1);
    sc_fake_stop(&f);
}

// Its COMMIT was kept, the answer lost, and by now the job has ended: the client is told that all
// of it is here.
// A worker whose session was lost lists a result that has counted. As long as that is not safe the
// worker keeps it: we may be followed by one that never heard of it.
Test(core_durable, a_result_that_is_not_safe_is_not_forgotten)
{
    for (int n_results = 1; n_results <= 2; n_results++) // of two: the job goes on, or has ended
        for (int is_safe = 0; is_safe < 2; is_safe++) {
            sc_fake f;
            sc_message m;
            begin(&f, "a");
            sc_fake_array(&f, CLIENT, 1, 0, 2, &durable);
            sc_fake_written(&f, f.n_writes);
            cr_assert(sc_fake_take(&f, WORKER, SC_MSG_RUN, &m));
            sc_run run = m.run;
            cr_assert_eq(run.count, 2);
            sc_fake_results(&f, WORKER, &run, 0, (uint32_t)n_results, SC_DONE, 0, 1000);
            if (is_safe)
                sc_fake_written(&f, f.n_writes);
            sc_core_send_failed(f.core, WORKER, f.now_ms);
            sc_fake_forget_sent(&f);
            sc_held_run one = {run.job, run.token, 0, (uint64_t)n_results, true, 1, run.life, true};
            sc_fake_come_back(&f, WORKER, &(sc_fake_worker){.handlers = "a"}, &one, 1);
            cr_expect_eq(sc_fake_n_recalled(&f, WORKER, SC_RECALL_FORGET),
                         is_safe ? (uint64_t)n_results : 0, "%d, %d", n_results, is_safe);
            sc_fake_stop(&f);
        }
}

Test(core_durable, an_upload_that_has_ended_is_said_again)
{
    sc_fake f;
    sc_message m;
    begin(&f, "a");
    sc_fake_open(&f, CLIENT, 1, &durable);
    for (uint32_t k = 0; k < 2; k++)
        sc_fake_chunk(&f, CLIENT, 1, &(sc_chunk){.number = k, .first = k, .count = 1}, 10);
    sc_fake_commit(&f, CLIENT, 1, 2, 2);
    for (int k = 0; k < 5; k++) {
        sc_fake_written(&f, f.n_writes);
        sc_fake_work(&f, WORKER, 1000);
    }
    cr_assert_eq(sc_fake_ask(&f, CLIENT, 1).state, SC_JOB_SUCCEEDED);
    come_back(&f, f.n_writes, "a");
    sc_fake_open(&f, CLIENT, 1, &durable);
    cr_assert(sc_fake_take(&f, CLIENT, SC_MSG_ACK, &m));
    cr_expect(m.ack.of == SC_MSG_OPEN && m.ack.number == 2, "go on from %u", m.ack.number);
    sc_fake_chunk(&f, CLIENT, 1, &(sc_chunk){.number = 1, .first = 1, .count = 1}, 10);
    sc_fake_commit(&f, CLIENT, 1, 2, 2);
    cr_expect_eq(sc_fake_count(&f, CLIENT, SC_MSG_REFUSED), 0);
    cr_expect_eq(sc_fake_count(&f, CLIENT, SC_MSG_ACK), 2);
    sc_fake_stop(&f);
}

// A job that cannot be understood keeps its number.
Test(core_durable, numbers_are_never_used_again)
{
    sc_fake f;
    sc_saved_tasks *none = NULL;
    sc_saved_job job = {.number = 5, .open = sc_slice_borrow("?", 1)};
    sc_fake_init(&f);
    sc_fake_start(&f);
    cr_assert_eq(sc_core_restore(f.core, &job, &none, 1, f.now_ms), 0);
    sc_fake_client(&f, CLIENT);
    sc_fake_worker_ready(&f, WORKER, NULL);
    sc_fake_array(&f, CLIENT, 1, 0, 1, &durable);
    cr_expect_eq(f.last_number, 6);
    sc_fake_stop(&f);
}

/* ---- blamed, and not to be repeated ---- */

enum { SUPERVISOR = 3, OTHER = 4 };

// The only task of a job has failed, waits for its second attempt, and is blamed for the death of
// its worker process: the report names it, since its result was not acknowledged.
static sc_run
delay_and_blame(sc_fake *f)
{
    sc_fake_worker first = {.handlers = "a!", .supervisor = 100 + SUPERVISOR};
    sc_message m;
    sc_fake_init(f);
    sc_fake_start(f);
    sc_fake_client(f, CLIENT);
    sc_fake_supervisor(f, SUPERVISOR);
    sc_fake_worker_ready(f, WORKER, &first);
    sc_fake_array(f, CLIENT, 1, 0, 1, &durable);
    cr_assert(sc_fake_take(f, WORKER, SC_MSG_RUN, &m));
    sc_run run = m.run;
    sc_fake_results(f, WORKER, &run, 0, 1, SC_DEAD, SC_RECORD_RETRY, 1000);
    cr_assert_eq(sc_fake_ask(f, CLIENT, 1).delayed, 1);
    sc_fake_died(f, SUPERVISOR, 100 + WORKER, &run, 0, 1, false, SC_DEATH_FAULT);
    cr_assert_eq(sc_fake_ask(f, CLIENT, 1).delayed, 1);
    return run;
}

Test(core_durable, a_blamed_task_that_waits_has_not_begun)
{
    sc_fake f;
    sc_message m;
    delay_and_blame(&f);
    come_back(&f, f.n_writes, "a!");
    ready(&f);
    cr_expect_eq(sc_fake_ask(&f, CLIENT, 1).dead, 0);
    cr_assert(sc_fake_take(&f, WORKER, SC_MSG_RUN, &m));
    cr_expect_eq(m.run.attempt, 2);
    sc_fake_stop(&f);
}

Test(core_durable, a_blamed_task_is_not_handed_out_before_that_is_written)
{
    sc_fake f;
    delay_and_blame(&f);
    f.holds_writes = true;
    sc_fake_worker_ready(&f, OTHER, &(sc_fake_worker){.handlers = "a!"});
    sc_fake_pass(&f, 300, 5);
    cr_expect_eq(sc_fake_count(&f, OTHER, SC_MSG_RUN), 0);
    sc_fake_written(&f, f.n_writes);
    cr_expect_eq(sc_fake_count(&f, OTHER, SC_MSG_RUN), 1);
    come_back(&f, f.n_writes, "a!");
    ready(&f);
    cr_expect_eq(sc_fake_ask(&f, CLIENT, 1).dead, 1, "it may have begun");
    sc_fake_stop(&f);
}

// Its worker process died with the coordinator, and the report comes to the next one.
Test(core_durable, one_that_may_have_begun_is_not_begun_again_for_its_blame)
{
    sc_fake f;
    sc_message m;
    begin(&f, "a!");
    f.holds_writes = false;
    sc_fake_array(&f, CLIENT, 1, 0, 2, &durable);
    sc_fake_written(&f, f.n_writes);
    cr_assert(sc_fake_take(&f, WORKER, SC_MSG_RUN, &m));
    sc_run run = m.run;
    sc_fake_restart(&f, f.n_writes);
    sc_fake_client(&f, CLIENT);
    sc_fake_supervisor(&f, SUPERVISOR);
    sc_fake_worker_ready(&f, OTHER, &(sc_fake_worker){.handlers = "a!"});
    sc_fake_died(&f, SUPERVISOR, 100 + WORKER, &run, 0, 1, true, SC_DEATH_FAULT);
    cr_expect_eq(sc_fake_ask(&f, CLIENT, 1).dead, 1, "the one that is blamed");
    sc_fake_pass(&f, 700, OTHER);
    cr_expect_eq(sc_fake_count(&f, OTHER, SC_MSG_RUN), 0);
    cr_expect_eq(sc_fake_ask(&f, CLIENT, 1).dead, 2);
    sc_fake_stop(&f);
}

// Its delay is over before a worker has come back and said what may not be repeated.
Test(core_durable, a_delay_may_end_before_a_worker_comes_back)
{
    static const struct {
        const char *name;
        int64_t away_ms; // by the wall clock
    } rows[] = {{"after the restart", 1}, {"before", 5000}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_fake f;
        sc_message m;
        begin(&f, "a!");
        sc_fake_array(&f, CLIENT, 1, 0, 1, &durable);
        sc_fake_written(&f, f.n_writes);
        sc_fake_written(&f, f.n_writes);
        cr_assert(sc_fake_take(&f, WORKER, SC_MSG_RUN, &m));
        sc_run run = m.run;
        sc_fake_results(&f, WORKER, &run, 0, 1, SC_DEAD, SC_RECORD_RETRY, 1000);
        f.options.started_unix_ms += rows[i].away_ms;
        sc_fake_restart(&f, f.n_writes);
        sc_fake_client(&f, CLIENT);
        sc_fake_pass(&f, 700, 2);
        sc_fake_worker_ready(&f, WORKER, &(sc_fake_worker){.handlers = "a!"});
        cr_expect_eq(sc_fake_count(&f, WORKER, SC_MSG_RUN), 0, "%s: it is not written",
                     rows[i].name);
        sc_fake_written(&f, f.n_writes);
        cr_expect_eq(sc_fake_count(&f, WORKER, SC_MSG_RUN), 1, "%s", rows[i].name);
        sc_fake_stop(&f);
    }
}

// We were stopped during the wait for workers: what they said meanwhile is still to come.
Test(core_durable, the_wait_for_workers_is_ours)
{
    sc_fake f;
    begin(&f, "a");
    sc_fake_array(&f, CLIENT, 1, 0, 4, &durable);
    sc_fake_written(&f, f.n_writes);
    sc_fake_restart(&f, f.n_writes);
    sc_fake_late_tick(&f, 3000);
    sc_fake_client(&f, CLIENT);
    sc_fake_worker_ready(&f, WORKER, NULL);
    sc_fake_pass(&f, 400, 3);
    cr_expect_eq(sc_fake_count(&f, WORKER, SC_MSG_RUN), 0, "others may list");
    sc_fake_pass(&f, 200, 3);
    cr_expect(sc_fake_count(&f, WORKER, SC_MSG_RUN) > 0);
    sc_fake_stop(&f);
}
