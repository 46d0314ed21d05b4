/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks that leave the straight path: lost with a worker, late or unknown results, failed and tried
 * again, not to be repeated. */
#include <string.h>

#include <criterion/criterion.h>

#include "tests/support/fake_core.h"

static sc_fake f;

static void
start(void)
{
    memset(&f, 0, sizeof f);
    sc_fake_start(&f);
    sc_fake_client(&f, 1);
    sc_fake_supervisor(&f, 9);
}

static void
stop(void)
{
    sc_fake_stop(&f);
}

TestSuite(tasks, .init = start, .fini = stop);

static sc_run
take_run(uint64_t link)
{
    sc_message m = {0};
    cr_assert(sc_fake_take(&f, link, SC_MSG_RUN, &m));
    return m.run;
}

static uint64_t
n_unknown(void)
{
    sc_cluster c;
    sc_core_counters(f.core, &c);
    return c.unknown_results;
}

// However a worker goes, its tasks run elsewhere: same attempt, new token.
Test(tasks, requeued)
{
    static const struct {
        const char *name;
        int how; // 0 silence, 1 BYE, 2 send failed, 3 DIED, 4 malformed
    } rows[] = {{"silence", 0}, {"BYE", 1}, {"send failed", 2}, {"DIED", 3}, {"malformed", 4}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_fake_worker w = {.slots_async = 4};
        stop();
        start();
        sc_fake_worker_ready(&f, 2, &w);
        sc_fake_array(&f, 1, 1, 10, 4, NULL);
        sc_run run = take_run(2), none = {0};
        sc_fake_results(&f, 2, &run, 1, 1, SC_DONE, 0, 1000);
        if (rows[i].how == 0)
            sc_fake_pass(&f, 900, 2);
        else if (rows[i].how == 1)
            sc_fake_say(&f, 2, &(sc_message){.type = SC_MSG_BYE});
        else if (rows[i].how == 2)
            sc_core_send_failed(f.core, 2, f.now_ms);
        else if (rows[i].how == 3)
            sc_fake_died(&f, 9, 102, &none, 0, 0, false, SC_DEATH_KILLED);
        else
            sc_fake_say(&f, 2, &(sc_message){.type = SC_MSG_OPEN});
        sc_job_info info = sc_fake_ask(&f, 1, 1);
        cr_expect(info.queued == 3 && info.done == 1, "%s", rows[i].name);
        sc_fake_worker_ready(&f, 3, &w);
        sc_run again = take_run(3);
        cr_expect(again.first == 10 && again.count == 1 && again.attempt == 1, "%s", rows[i].name);
        cr_expect_gt(again.token.run, run.token.run, "%s", rows[i].name);
        again = take_run(3);
        cr_expect(again.first == 12 && again.count == 2, "%s: around the ended one", rows[i].name);
    }
}

// A result counts once: when its token and index are open in the worker that says it.
Test(tasks, results_that_do_not_count)
{
    static const struct {
        const char *name;
        uint64_t token_run, token_epoch; // added
        uint32_t offset, count;
        uint32_t from; // link
        uint64_t want_unknown, want_done;
    } rows[] = {
        {"good", 0, 0, 0, 2, 2, 0, 2},
        {"unknown token", 50, 0, 0, 2, 2, 2, 0},
        {"another epoch", 0, 1, 0, 2, 2, 2, 0},
        {"beyond the run", 0, 0, 1, 3, 2, 2, 1},
        {"another worker's", 0, 0, 0, 2, 3, 2, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stop();
        start();
        sc_fake_worker_ready(&f, 2, NULL);
        sc_fake_array(&f, 1, 1, 10, 2, NULL);
        sc_fake_worker_ready(&f, 3, NULL);
        sc_run run = take_run(2);
        run.token.run += rows[i].token_run;
        run.token.epoch += rows[i].token_epoch;
        sc_fake_results(&f, rows[i].from, &run, rows[i].offset, rows[i].count, SC_DONE, 0, 1000);
        cr_expect_eq(n_unknown(), rows[i].want_unknown, "%s", rows[i].name);
        cr_expect_eq(sc_fake_ask(&f, 1, 1).done, rows[i].want_done, "%s", rows[i].name);
        cr_expect_eq(sc_fake_count(&f, rows[i].from, SC_MSG_RESULTS_ACK), 1, "%s: acknowledged",
                     rows[i].name);
    }
}

Test(tasks, results_said_again)
{
    sc_fake_worker_ready(&f, 2, NULL);
    sc_fake_array(&f, 1, 1, 0, 2, NULL);
    sc_run run = take_run(2);
    sc_fake_results(&f, 2, &run, 0, 1, SC_DONE, 0, 1000);
    f.numbers[2]--; // the same message
    sc_fake_results(&f, 2, &run, 0, 1, SC_DONE, 0, 1000);
    cr_expect_eq(n_unknown(), 0, "known by its number");
    cr_expect_eq(sc_fake_count(&f, 2, SC_MSG_RESULTS_ACK), 2, "and acknowledged again");
    sc_fake_results(&f, 2, &run, 0, 1, SC_DONE, 0, 1000);
    cr_expect_eq(n_unknown(), 1, "another message with the same task");
    cr_expect_eq(sc_fake_ask(&f, 1, 1).done, 1);
    cr_expect_eq(sc_model_store_n_twice(f.store), 0);
}

// The result of a worker that was given up, and whose tasks run elsewhere, is too late.
Test(tasks, late_result)
{
    sc_fake_worker_ready(&f, 2, NULL);
    sc_fake_array(&f, 1, 1, 0, 2, NULL);
    sc_run run = take_run(2);
    sc_fake_pass(&f, 900, 2);
    sc_fake_worker_ready(&f, 3, NULL);
    sc_fake_worker_ready(&f, 2, NULL);
    sc_fake_results(&f, 2, &run, 0, 2, SC_DONE, 0, 1000);
    cr_expect_eq(n_unknown(), 2);
    cr_expect_eq(sc_fake_work(&f, 3, 1000), 2);
    cr_expect_eq(sc_fake_ask(&f, 1, 1).done, 2);
}

Test(tasks, acknowledged_once_a_turn)
{
    sc_message m;
    sc_fake_worker_ready(&f, 2, NULL);
    sc_fake_array(&f, 1, 1, 0, 2, NULL);
    sc_run run = take_run(2);
    sc_fake_results(&f, 2, &run, 0, 1, SC_DONE, 0, 1000);
    sc_fake_results(&f, 2, &run, 1, 1, SC_DONE, 0, 1000);
    cr_assert(sc_fake_take(&f, 2, SC_MSG_RESULTS_ACK, &m));
    cr_expect_eq(m.results_ack.number, 1);
    cr_assert(sc_fake_take(&f, 2, SC_MSG_RESULTS_ACK, &m));
    cr_expect_eq(m.results_ack.number, 2);
}

Test(tasks, retries)
{
    static const struct {
        const char *name;
        uint32_t retries, n_failures;
        bool is_retryable;
        uint64_t want_done, want_dead;
        uint32_t want_attempt; // of the last run
    } rows[] = {
        {"none left", 0, 1, true, 0, 1, 1},     {"the second does it", 1, 1, true, 1, 0, 2},
        {"used up", 2, 3, true, 0, 1, 3},       {"the last does it", 3, 3, true, 1, 0, 4},
        {"not worth it", 5, 1, false, 0, 1, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_open spec = {.retries = rows[i].retries};
        sc_run run = {0};
        stop();
        start();
        sc_fake_worker_ready(&f, 2, NULL);
        sc_fake_array(&f, 1, 1, 0, 1, &spec);
        for (uint32_t k = 0; k < rows[i].n_failures; k++) {
            run = take_run(2);
            sc_fake_results(&f, 2, &run, 0, 1, SC_DEAD, rows[i].is_retryable ? SC_RECORD_RETRY : 0,
                            1000);
        }
        sc_message m;
        if (sc_fake_take(&f, 2, SC_MSG_RUN, &m)) {
            run = m.run;
            sc_fake_results(&f, 2, &run, 0, 1, SC_DONE, 0, 1000);
        }
        sc_job_info info = sc_fake_ask(&f, 1, 1);
        cr_expect(info.done == rows[i].want_done && info.dead == rows[i].want_dead, "%s",
                  rows[i].name);
        cr_expect_eq(run.attempt, rows[i].want_attempt, "%s: %u", rows[i].name, run.attempt);
        cr_expect_eq(info.state, rows[i].want_dead ? SC_JOB_FAILED : SC_JOB_SUCCEEDED, "%s",
                     rows[i].name);
    }
}

// The delay before attempt k+1 is anything up to base * 2^(k-1), at most the maximum.
Test(tasks, backoff)
{
    static const struct {
        const char *name;
        uint64_t base_ms, max_ms;
        int n_failures;
        int64_t most_ms;
    } rows[] = {
        {"first", 100, 10000, 1, 100},
        {"doubled", 100, 10000, 2, 200},
        {"and again", 100, 10000, 4, 800},
        {"at most", 100, 300, 6, 300},
        {"none", 0, 300, 2, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_open spec = {
            .retries = 9, .backoff_base_ms = rows[i].base_ms, .backoff_max_ms = rows[i].max_ms};
        sc_message m;
        int64_t from_ms = 0;
        stop();
        start();
        sc_fake_worker_ready(&f, 2, NULL);
        sc_fake_array(&f, 1, 1, 0, 1, &spec);
        for (int k = 0; k < rows[i].n_failures; k++) {
            while (!sc_fake_take(&f, 2, SC_MSG_RUN, &m))
                sc_fake_pass(&f, 1, 10);
            sc_run run = m.run;
            from_ms = f.now_ms;
            sc_fake_results(&f, 2, &run, 0, 1, SC_DEAD, SC_RECORD_RETRY, 1000);
            sc_job_info info = sc_fake_ask(&f, 1, 1);
            cr_expect_eq(info.delayed + info.running, 1, "%s", rows[i].name);
        }
        while (!sc_fake_take(&f, 2, SC_MSG_RUN, &m) && f.now_ms < from_ms + 20000)
            sc_fake_pass(&f, 1, 10);
        cr_expect_leq(f.now_ms - from_ms, rows[i].most_ms + 1, "%s: %d ms", rows[i].name,
                      (int)(f.now_ms - from_ms));
        cr_expect_eq(m.run.attempt, (uint32_t)rows[i].n_failures + 1, "%s", rows[i].name);
    }
}

// Tasks that fail together are not all tried again together.
Test(tasks, backoff_spreads)
{
    sc_open spec = {.retries = 1, .backoff_base_ms = 1000, .backoff_max_ms = 1000};
    sc_fake_worker w = {.slots_async = 20};
    sc_message m;
    uint64_t n = 0;
    sc_fake_worker_ready(&f, 2, &w);
    sc_fake_array(&f, 1, 1, 0, 20, &spec);
    sc_run run = take_run(2);
    sc_fake_results(&f, 2, &run, 0, 20, SC_DEAD, SC_RECORD_RETRY, 1000);
    sc_fake_pass(&f, 500, 10);
    while (sc_fake_take(&f, 2, SC_MSG_RUN, &m))
        n += m.run.count;
    cr_expect(n > 0 && n < 20, "%d of 20 in the first half", (int)n);
}

// A loss is no attempt, also of a task that has failed before.
Test(tasks, attempts_survive_a_loss)
{
    sc_open spec = {.retries = 9};
    sc_fake_worker_ready(&f, 2, NULL);
    sc_fake_array(&f, 1, 1, 0, 1, &spec);
    sc_run run = take_run(2);
    sc_fake_results(&f, 2, &run, 0, 1, SC_DEAD, SC_RECORD_RETRY, 1000);
    cr_expect_eq(take_run(2).attempt, 2);
    sc_fake_pass(&f, 900, 2);
    sc_fake_worker_ready(&f, 3, NULL);
    cr_expect_eq(take_run(3).attempt, 2);
}

// What ends without a word of its worker says in which attempt it was.
Test(tasks, attempts_survive_such_an_end)
{
    static const struct {
        const char *name, *handlers;
        sc_message_type then; // what happens in the second attempt
        sc_outcome want;
    } rows[] = {
        {"its worker is lost", "a!", 0, SC_DEAD},
        {"cancelled while it waits", "a", SC_MSG_BYE, SC_CANCELLED},
        {"cancelled, and its worker is lost", "a", SC_MSG_CANCEL, SC_CANCELLED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_open spec = {.retries = 9};
        sc_uuid job = sc_fake_job(1);
        sc_message cancel = {.type = SC_MSG_CANCEL, .cancel = {.job = job}};
        stop();
        start();
        sc_fake_worker_ready(&f, 2, &(sc_fake_worker){.handlers = rows[i].handlers});
        sc_fake_array(&f, 1, 1, 0, 1, &spec);
        sc_run run = take_run(2);
        sc_fake_results(&f, 2, &run, 0, 1, SC_DEAD, SC_RECORD_RETRY, 1000);
        cr_expect_eq(take_run(2).attempt, 2, "%s", rows[i].name);
        if (rows[i].then == SC_MSG_BYE)
            sc_fake_say(&f, 2, &(sc_message){.type = SC_MSG_BYE});
        if (rows[i].then)
            sc_fake_say(&f, 1, &cancel);
        sc_fake_pass(&f, 900, 2);
        const sc_model_result *r = sc_model_store_find(f.store, &job, 0);
        cr_assert(r, "%s", rows[i].name);
        cr_expect_eq(r->outcome, rows[i].want, "%s", rows[i].name);
        cr_expect_eq(r->attempt, 2, "%s: %u", rows[i].name, r->attempt);
    }
}

Test(tasks, not_to_be_repeated)
{
    static const struct {
        const char *name;
        bool is_reported; // by the supervisor, before the silence
        uint32_t n_started;
        bool says_bye;
        uint64_t want_dead, want_queued;
        bool lists; // says HELLO again before, and that it holds all of them
    } rows[] = {
        {"nobody can tell", false, 0, false, 4, 0, false},
        {"none had started", true, 0, false, 0, 4, false},
        {"two had started", true, 2, false, 2, 2, false},
        {"all had started", true, 4, false, 4, 0, false},
        {"it left by itself", false, 0, true, 0, 4, false},
        {"held and not started", true, 0, false, 0, 4, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_fake_worker w = {.slots_async = 4, .handlers = "a!", .supervisor = 109};
        stop();
        start();
        sc_fake_worker_ready(&f, 2, &w);
        sc_fake_array(&f, 1, 1, 10, 4, NULL);
        sc_run run = take_run(2);
        if (rows[i].lists) {
            sc_held_run held = {run.job, run.token, 10, 4, false, 1, 0, false};
            sc_message m = {.type = SC_MSG_HELD, .held = {{&held, 1}}};
            sc_fake_hello_worker(&f, 2, &w);
            sc_fake_say(&f, 2, &m);
            sc_fake_say(&f, 2, &(sc_message){.type = SC_MSG_READY});
        }
        if (rows[i].is_reported)
            sc_fake_died(&f, 9, 102, &run, 10, rows[i].n_started, false, SC_DEATH_STOPPED);
        else if (rows[i].says_bye)
            sc_fake_say(&f, 2, &(sc_message){.type = SC_MSG_BYE});
        else
            sc_fake_pass(&f, 900, 2);
        sc_job_info info = sc_fake_ask(&f, 1, 1);
        cr_expect(info.dead == rows[i].want_dead && info.queued == rows[i].want_queued,
                  "%s: %d dead, %d queued", rows[i].name, (int)info.dead, (int)info.queued);
        sc_uuid job = sc_fake_job(1);
        const sc_model_result *r = sc_model_store_find(f.store, &job, 10);
        if (rows[i].want_dead)
            cr_expect(r && memmem(r->value, r->len, "unknown_outcome", 15), "%s", rows[i].name);
    }
}

// What a worker never saw (it did not list it) has not started.
Test(tasks, not_to_be_repeated_but_never_seen)
{
    sc_fake_worker w = {.handlers = "a!"};
    sc_fake_worker_ready(&f, 2, &w);
    sc_fake_array(&f, 1, 1, 0, 2, NULL);
    take_run(2);
    sc_fake_worker_ready(&f, 3, &w); // another one, so that something can go elsewhere
    sc_fake_worker_ready(&f, 2, &w); // HELLO again, holding nothing
    cr_expect_eq(sc_fake_ask(&f, 1, 1).dead, 0);
    cr_expect_eq(sc_fake_work(&f, 2, 1000) + sc_fake_work(&f, 3, 1000), 2);
}

// Ends out of order: the prefix follows, chunks behind it are let go of.
Test(tasks, ends_in_any_order)
{
    sc_fake_worker w = {.slots_async = 2000};
    sc_run runs[4];
    sc_fake_worker_ready(&f, 2, &w);
    sc_fake_array(&f, 1, 1, 7, 3500, NULL);
    // not measured: one a slot, so three and a half chunks need two rounds
    runs[0] = take_run(2);
    runs[1] = take_run(2);
    sc_fake_results(&f, 2, &runs[1], 0, runs[1].count, SC_DONE, 0, 1000);
    sc_job_info info = sc_fake_ask(&f, 1, 1);
    cr_expect_eq(info.done, 1000);
    sc_fake_results(&f, 2, &runs[0], 500, 500, SC_DONE, 0, 1000);
    sc_fake_results(&f, 2, &runs[0], 0, 500, SC_DONE, 0, 1000);
    cr_expect_eq(sc_fake_work(&f, 2, 1000), 1500);
    cr_expect_eq(sc_fake_ask(&f, 1, 1).state, SC_JOB_SUCCEEDED);
}
