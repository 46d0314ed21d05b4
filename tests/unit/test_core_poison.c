/* SPDX-License-Identifier: Apache-2.0 */
/* Blame for deaths: who is counted for which kind of death, that a counted task runs alone, and
 * that the third count ends it and nothing else. */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/limits.h"
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

TestSuite(poison, .init = start, .fini = stop);

static sc_run
take_run(uint64_t link)
{
    sc_message m = {0};
    cr_assert(sc_fake_take(&f, link, SC_MSG_RUN, &m));
    return m.run;
}

// The tasks of a run that had started, by offset: 'x' executing on the loop, 't' in a thread, 's'
// started, '-' not started.
static void
die(uint64_t instance, const sc_run *run, const char *tasks, sc_death death)
{
    sc_task_ref refs[16];
    uint32_t n = 0;
    for (uint32_t i = 0; tasks[i]; i++)
        if (tasks[i] != '-')
            refs[n++] = (sc_task_ref){run->job, run->token, run->first + i, tasks[i] != 's',
                                      tasks[i] == 'x'};
    sc_message m = {.type = SC_MSG_DIED};
    m.died = (sc_died){sc_text_of("w"), instance, death, 0, {refs, n}};
    sc_fake_say(&f, 9, &m);
}

// Blamed tasks run alone, so the next worker gets all others at once.
Test(poison, who_is_blamed)
{
    static const struct {
        const char *name, *tasks;
        sc_death death;
        const char *want; // 'b' blamed
    } rows[] = {
        {"fault: who executed", "xtss", SC_DEATH_FAULT, "bb--"},
        {"fault, nobody executed: all started", "ss--", SC_DEATH_FAULT, "bb--"},
        {"stalled: the loop's task", "xts-", SC_DEATH_STALLED, "b---"},
        {"stalled in a callback: who waited", "tts-", SC_DEATH_STALLED, "--b-"},
        {"killed: the only one started", "-s--", SC_DEATH_KILLED, "-b--"},
        {"killed: nobody of several", "xt--", SC_DEATH_KILLED, "----"},
        {"stopped", "xtss", SC_DEATH_STOPPED, "----"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_fake_worker w = {.slots_async = 4}, next = {.slots_async = 4};
        char got[5] = "bbbb";
        sc_message m;
        stop();
        start();
        sc_fake_worker_ready(&f, 2, &w);
        sc_fake_array(&f, 1, 1, 10, 4, NULL);
        sc_run run = take_run(2);
        die(102, &run, rows[i].tasks, rows[i].death);
        // one worker is kept for the suspects, the other gets the rest
        sc_fake_worker_ready(&f, 3, &next);
        sc_fake_worker_ready(&f, 4, &next);
        bool has_suspects = strchr(rows[i].want, 'b') != NULL;
        while (sc_fake_take(&f, has_suspects ? 4 : 3, SC_MSG_RUN, &m))
            memset(got + m.run.first - 10, '-', m.run.count);
        cr_expect_str_eq(got, rows[i].want, "%s: %s", rows[i].name, got);
    }
}

// What a dead worker lists and has ended already is not what was running when it was killed.
Test(poison, killed_with_one_task_that_had_not_ended)
{
    sc_fake_worker w = {.slots_async = 2, .handlers = "a b!"};
    sc_open once = {.handler = sc_text_of("b")};
    sc_fake_worker_ready(&f, 10, &w);
    sc_fake_array(&f, 1, 1, 0, 1, &once);
    sc_run ended = take_run(10);
    sc_fake_results(&f, 10, &ended, 0, 1, SC_DONE, 0, 1000);
    sc_fake_array(&f, 1, 2, 0, 1, NULL);
    for (uint64_t i = 0; i < SC_POISON_COUNT; i++) {
        cr_assert_eq(sc_fake_ask(&f, 1, 2).dead, 0, "death %d", (int)i);
        sc_run run = take_run(10 + i);
        sc_task_ref refs[] = {{ended.job, ended.token, 0, false, false},
                              {run.job, run.token, 0, false, false}};
        sc_message m = {.type = SC_MSG_DIED};
        m.died = (sc_died){sc_text_of("w"), 110 + i, SC_DEATH_KILLED, 9, {refs, 2}};
        sc_fake_say(&f, 9, &m);
        sc_fake_worker_ready(&f, 11 + i, &w);
    }
    cr_expect_eq(sc_fake_ask(&f, 1, 2).dead, 1);
}

// The report of a call's worker comes after its silence, as it does where the loop stands still.
Test(poison, call_whose_worker_was_silent_first)
{
    for (uint64_t i = 0; i < SC_POISON_COUNT; i++) {
        sc_message m;
        sc_fake_worker_ready(&f, 10 + i, NULL);
        if (i == 0)
            sc_fake_call(&f, 1, 5, "a", 0);
        sc_run run = take_run(10 + i);
        cr_expect_eq(sc_fake_count(&f, 1, SC_MSG_REFUSED), 0, "death %d", (int)i);
        sc_core_send_failed(f.core, 10 + i, f.now_ms);
        sc_task_ref ref = {run.job, run.token, 0, true, true};
        m = (sc_message){.type = SC_MSG_DIED};
        m.died = (sc_died){sc_text_of("w"), 110 + i, SC_DEATH_STALLED, 9, {&ref, 1}};
        sc_fake_say(&f, 9, &m);
        sc_fake_say(&f, 9, &m); // a death counts once
    }
    cr_expect_eq(sc_fake_count(&f, 1, SC_MSG_REFUSED), 1);
}

// A suspect does not wait for a worker that is busy while another has nothing to do.
Test(poison, idle_worker_rather_than_busy_one)
{
    sc_fake_worker one = {.slots_async = 1};
    sc_message m;
    sc_fake_worker_ready(&f, 2, &one);
    sc_fake_worker_ready(&f, 3, &one);
    sc_fake_array(&f, 1, 1, 0, 2, NULL); // one task in each
    take_run(2);
    sc_run run = take_run(3);
    die(103, &run, "x", SC_DEATH_FAULT);
    cr_expect_eq(sc_fake_count(&f, 2, SC_MSG_RUN), 0, "it has something else");
    sc_fake_worker_ready(&f, 4, &one);
    cr_assert(sc_fake_take(&f, 4, SC_MSG_RUN, &m), "idle, and so given it at once");
    sc_fake_array(&f, 1, 2, 0, 1, NULL);
    cr_expect_eq(sc_fake_count(&f, 4, SC_MSG_RUN), 0, "it runs alone");
}

// Three deaths, alone in its worker from the second on; its neighbours do not suffer.
Test(poison, third_death)
{
    sc_uuid job = sc_fake_job(1);
    for (uint64_t i = 0; i < SC_POISON_COUNT; i++) {
        char name[8];
        snprintf(name, sizeof name, "w%d", (int)i);
        sc_fake_worker w = {.slots_async = 3, .name = name, .instance = 200 + i};
        sc_fake_worker_ready(&f, 10 + i, &w);
        if (i == 0)
            sc_fake_array(&f, 1, 1, 10, 3, NULL);
        sc_run run = take_run(10 + i);
        cr_expect_eq(sc_fake_ask(&f, 1, 1).dead, 0, "death %d", (int)i);
        cr_expect_eq(sc_fake_count(&f, 10 + i, SC_MSG_RUN), 0, "nothing beside it");
        cr_expect_eq(run.count, i == 0 ? 3 : 1);
        cr_expect_eq(run.attempt, 1, "a death is no attempt");
        die(200 + i, &run, i == 0 ? "-x-" : "x", SC_DEATH_FAULT);
    }
    sc_job_info info = sc_fake_ask(&f, 1, 1);
    cr_expect(info.dead == 1 && info.queued == 2);
    const sc_model_result *r = sc_model_store_find(f.store, &job, 11);
    cr_assert(r);
    cr_expect(memmem(r->value, r->len, "\"poison\"", 8));
    sc_fake_worker_ready(&f, 20, NULL);
    cr_expect_eq(sc_fake_work(&f, 20, 1000), 2);
    cr_expect_eq(sc_fake_ask(&f, 1, 1).state, SC_JOB_FAILED);
}

// A task that has failed before keeps its attempt through the deaths, up to its end.
Test(poison, attempts_survive_deaths)
{
    static const struct {
        const char *name;
        bool is_late; // the report comes when the task waits again
    } rows[] = {{"reported", false}, {"reported late", true}};
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        sc_open spec = {.retries = 9};
        sc_uuid job = sc_fake_job(1);
        stop();
        start();
        for (uint64_t i = 0; i < SC_POISON_COUNT; i++) {
            sc_fake_worker_ready(&f, 10 + i, NULL);
            if (i == 0) {
                sc_fake_array(&f, 1, 1, 0, 1, &spec);
                sc_run first = take_run(10);
                sc_fake_results(&f, 10, &first, 0, 1, SC_DEAD, SC_RECORD_RETRY, 1000);
            }
            sc_run run = take_run(10 + i);
            cr_expect_eq(run.attempt, 2, "%s: death %d: %u", rows[k].name, (int)i, run.attempt);
            if (rows[k].is_late)
                sc_core_send_failed(f.core, 10 + i, f.now_ms);
            die(110 + i, &run, "x", SC_DEATH_FAULT);
        }
        const sc_model_result *r = sc_model_store_find(f.store, &job, 0);
        cr_assert(r, "%s", rows[k].name);
        cr_expect_eq(r->attempt, 2, "%s", rows[k].name);
    }
}

// A task that was blamed and then fails is tried again alone, after a delay or at once.
Test(poison, alone_after_a_failure)
{
    static const struct {
        const char *name;
        uint64_t backoff_ms;
    } rows[] = {{"at once", 0}, {"later", 100}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_fake_worker w = {.slots_async = 4};
        sc_open spec = {.retries = 9,
                        .backoff_base_ms = rows[i].backoff_ms,
                        .backoff_max_ms = rows[i].backoff_ms};
        stop();
        start();
        sc_fake_worker_ready(&f, 2, &w);
        sc_fake_array(&f, 1, 1, 0, 1, &spec);
        sc_run run = take_run(2);
        die(102, &run, "x", SC_DEATH_FAULT);
        sc_fake_worker_ready(&f, 3, &w);
        run = take_run(3);
        sc_fake_results(&f, 3, &run, 0, 1, SC_DEAD, SC_RECORD_RETRY, 1000);
        sc_fake_pass(&f, 110, 10);
        run = take_run(3);
        cr_expect_eq(run.attempt, 2, "%s", rows[i].name);
        sc_fake_array(&f, 1, 2, 0, 1, NULL);
        cr_expect_eq(sc_fake_count(&f, 3, SC_MSG_RUN), 0, "%s: alone", rows[i].name);
    }
}

Test(poison, a_report_counts_once)
{
    sc_fake_worker w = {.slots_async = 1};
    sc_fake_worker_ready(&f, 2, &w);
    sc_fake_array(&f, 1, 1, 0, 1, NULL);
    sc_run run = take_run(2);
    for (int i = 0; i < 5; i++)
        die(102, &run, "x", SC_DEATH_FAULT);
    cr_expect_eq(sc_fake_ask(&f, 1, 1).dead, 0);
}

// It was silent, came back, was given the task again, and has not forgotten the first time.
Test(poison, a_death_counts_once_for_several_runs)
{
    sc_fake_worker w = {.slots_async = 2};
    sc_fake_worker_ready(&f, 2, &w);
    sc_fake_array(&f, 1, 1, 0, 1, NULL);
    sc_run first = take_run(2);
    sc_fake_pass(&f, 900, 2);
    sc_fake_supervisor(&f, 9);
    sc_fake_worker_ready(&f, 2, &w);
    sc_run second = take_run(2);
    sc_task_ref refs[] = {{first.job, first.token, 0, true, false},
                          {second.job, second.token, 0, true, false}};
    sc_message m = {.type = SC_MSG_DIED};
    m.died = (sc_died){sc_text_of("w"), 102, SC_DEATH_FAULT, 0, {refs, 2}};
    sc_fake_say(&f, 9, &m);
    sc_fake_worker_ready(&f, 3, &w);
    sc_run third = take_run(3);
    die(103, &third, "x", SC_DEATH_FAULT);
    cr_expect_eq(sc_fake_ask(&f, 1, 1).dead, 0, "two deaths");
}

// The report comes after the silence, when the task waits again or runs elsewhere.
Test(poison, late_report)
{
    static const struct {
        const char *name;
        bool is_elsewhere;
    } rows[] = {{"it waits", false}, {"it runs elsewhere", true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_fake_worker w = {.slots_async = 2};
        stop();
        start();
        sc_fake_worker_ready(&f, 2, &w);
        sc_fake_array(&f, 1, 1, 0, 2, NULL);
        sc_run run = take_run(2), again;
        sc_core_send_failed(f.core, 2, f.now_ms);
        if (rows[i].is_elsewhere) {
            sc_fake_worker_ready(&f, 3, &w);
            again = take_run(3);
            cr_expect_eq(again.count, 2, "%s", rows[i].name);
            die(102, &run, "x-", SC_DEATH_FAULT);
            sc_core_send_failed(f.core, 3, f.now_ms);
        } else {
            die(102, &run, "x-", SC_DEATH_FAULT);
        }
        sc_fake_worker_ready(&f, 4, &w);
        again = take_run(4);
        cr_expect(again.count == 1 && again.first == 0, "%s: alone", rows[i].name);
        cr_expect_eq(sc_fake_count(&f, 4, SC_MSG_RUN), 0, "%s: alone", rows[i].name);
        sc_fake_results(&f, 4, &again, 0, 1, SC_DONE, 0, 1000);
        cr_expect_eq(sc_fake_work(&f, 4, 1000), 1, "%s: then the other", rows[i].name);
    }
}

// The third report comes while the task runs in a fourth worker, which is told to forget it and
// nothing else.
Test(poison, ends_while_it_runs)
{
    sc_run runs[3];
    sc_message m;
    sc_fake_worker w = {.slots_async = 3};
    for (uint64_t i = 0; i < 3; i++) {
        sc_fake_worker_ready(&f, 10 + i, &w);
        if (i == 0)
            sc_fake_array(&f, 1, 1, 10, 3, NULL);
        runs[i] = take_run(10 + i);
        sc_core_send_failed(f.core, 10 + i, f.now_ms);
    }
    sc_fake_worker_ready(&f, 13, &w);
    sc_run last = take_run(13);
    for (uint64_t i = 0; i < 3; i++)
        die(110 + i, &runs[i], "-x-", SC_DEATH_FAULT);
    cr_expect_eq(sc_fake_ask(&f, 1, 1).dead, 1);
    cr_assert(sc_fake_take(&f, 13, SC_MSG_RECALL, &m));
    cr_expect(m.recall.mode == SC_RECALL_FORGET && m.recall.first == 11 && m.recall.count == 1);
    sc_fake_results(&f, 13, &last, 0, 3, SC_DONE, 0, 1000);
    sc_job_info info = sc_fake_ask(&f, 1, 1);
    cr_expect(info.done == 2 && info.dead == 1, "its neighbours go on");
}

// The third report comes while the task, which failed in a fourth worker, waits for its next
// attempt.
Test(poison, ends_while_it_is_delayed)
{
    sc_run runs[4];
    sc_open spec = {.retries = 9, .backoff_base_ms = 1000, .backoff_max_ms = 1000};
    for (uint64_t i = 0; i < 4; i++) {
        sc_fake_worker_ready(&f, 10 + i, NULL);
        if (i == 0)
            sc_fake_array(&f, 1, 1, 0, 1, &spec);
        runs[i] = take_run(10 + i);
        if (i < 3)
            sc_core_send_failed(f.core, 10 + i, f.now_ms);
    }
    sc_fake_results(&f, 13, &runs[3], 0, 1, SC_DEAD, SC_RECORD_RETRY, 1000);
    for (uint64_t i = 0; i < 3; i++)
        die(110 + i, &runs[i], "x", SC_DEATH_FAULT);
    sc_job_info info = sc_fake_ask(&f, 1, 1);
    cr_expect(info.dead == 1 && info.delayed == 0 && info.state == SC_JOB_FAILED);
    sc_fake_pass(&f, 1100, 20);
    cr_expect_eq(sc_fake_count(&f, 13, SC_MSG_RUN), 0, "it is not tried again");
}

// The third report comes while the payload is fetched for the fourth try. It is of no use then, and
// that the store does not have it any more is nobody's trouble.
Test(poison, ends_while_its_payload_is_fetched)
{
    sc_run runs[3];
    sc_fake_worker one = {.slots_async = 1};
    sc_chunk c = {.count = 1};
    sc_fake_worker_ready(&f, 2, &one);
    sc_fake_open(&f, 1, 1, NULL);
    sc_fake_chunk(&f, 1, 1, &c, 1);
    c = (sc_chunk){.number = 1, .first = 1, .count = 1};
    sc_fake_chunk(&f, 1, 1, &c, 1);
    sc_fake_commit(&f, 1, 1, 2, 2);
    take_run(2); // the first task runs on
    for (uint64_t i = 0; i < 3; i++) {
        sc_fake_worker_ready(&f, 10 + i, &one);
        runs[i] = take_run(10 + i);
        sc_core_send_failed(f.core, 10 + i, f.now_ms);
    }
    f.holds_answers = true;
    sc_fake_worker_ready(&f, 13, &one);
    cr_assert_eq(f.n_questions, 1, "the payload is asked for");
    for (uint64_t i = 0; i < 3; i++)
        die(110 + i, &runs[i], "x", SC_DEATH_FAULT);
    f.store_status = SC_ENOTFOUND;
    sc_fake_answer(&f, 0);
    sc_job_info info = sc_fake_ask(&f, 1, 1);
    cr_expect(info.dead == 1 && info.running == 1, "%d dead, %d running", (int)info.dead,
              (int)info.running);
}

Test(poison, reports_about_what_has_ended)
{
    sc_fake_worker w = {.slots_async = 2};
    sc_chunk c = {.count = 1};
    sc_fake_worker_ready(&f, 2, &w);
    sc_fake_open(&f, 1, 1, NULL);
    sc_fake_chunk(&f, 1, 1, &c, 1);
    c = (sc_chunk){.number = 1, .first = 1, .count = 1};
    sc_fake_chunk(&f, 1, 1, &c, 1);
    sc_fake_commit(&f, 1, 1, 2, 2);
    sc_run run = take_run(2);
    sc_fake_results(&f, 2, &run, 0, 1, SC_DONE, 0, 1000);
    die(102, &run, "x", SC_DEATH_FAULT); // a task that has ended
    sc_fake_worker_ready(&f, 3, &w);
    cr_expect_eq(sc_fake_work(&f, 3, 1000), 1);
    die(103, &run, "x", SC_DEATH_FAULT); // of a job that has ended
    run.job = sc_fake_job(77);
    die(104, &run, "x", SC_DEATH_FAULT); // of no job
    run.job = sc_fake_job(1);
    run.first = 99;
    die(105, &run, "x", SC_DEATH_FAULT); // no such task
    cr_expect_eq(sc_fake_ask(&f, 1, 1).state, SC_JOB_SUCCEEDED);
}

// Nobody is blamed for what another coordinator handed out, or once it has ended.
Test(poison, reports_that_do_not_count)
{
    static const struct {
        const char *name;
        uint64_t epoch; // added
        bool has_ended;
    } rows[] = {{"of another epoch", 1, false}, {"it has ended", 0, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_fake_worker w = {.slots_async = 2};
        stop();
        start();
        sc_fake_worker_ready(&f, 2, &w);
        sc_fake_array(&f, 1, 1, 0, 2, NULL);
        sc_run run = take_run(2), other = run;
        if (rows[i].has_ended) // not the first, so that its chunk is not let go of
            sc_fake_results(&f, 2, &run, 1, 1, SC_DONE, 0, 1000);
        other.token.epoch += rows[i].epoch;
        for (int k = 0; k < SC_POISON_COUNT; k++) {
            other.token.run++;
            die(999, &other, "-x", SC_DEATH_FAULT);
        }
        sc_job_info info = sc_fake_ask(&f, 1, 1);
        cr_expect(info.dead == 0 && info.done == rows[i].has_ended, "%s", rows[i].name);
    }
}

// However many suspects there are, one busy worker at a time is kept from other work for them.
Test(poison, one_worker_is_kept)
{
    enum { N_WORKERS = 8 };
    sc_fake_worker one = {.slots_async = 1}, three = {.slots_async = 3};
    sc_open high = {.priority = 9};
    uint32_t n = 0;
    for (uint64_t i = 0; i < N_WORKERS; i++)
        sc_fake_worker_ready(&f, 10 + i, &one);
    sc_fake_array(&f, 1, 1, 0, N_WORKERS, NULL);
    sc_fake_worker_ready(&f, 2, &three);
    sc_fake_array(&f, 1, 2, 0, 3, NULL);
    sc_run run = take_run(2);
    sc_fake_forget_sent(&f);
    die(102, &run, "xxx", SC_DEATH_FAULT);
    sc_fake_array(&f, 1, 3, 0, 2 * N_WORKERS, &high);
    for (uint64_t i = 0; i < N_WORKERS; i++)
        n += sc_fake_count(&f, 10 + i, SC_MSG_RUN);
    cr_expect_eq(n, N_WORKERS - 1, "%u workers go on", n);
}

// The worker that is kept for a suspect is one that can run it; others are not kept in vain.
Test(poison, kept_workers_fit)
{
    sc_fake_worker a = {.slots_async = 1, .handlers = "a"}, b = {.slots_async = 1, .handlers = "b"};
    sc_open of_b = {.handler = sc_text_of("b")};
    sc_fake_worker_ready(&f, 2, &a);
    sc_fake_worker_ready(&f, 3, &b);
    sc_fake_array(&f, 1, 1, 0, 1, NULL);
    sc_fake_array(&f, 1, 2, 0, 1, &of_b);
    sc_run run_a = take_run(2), run_b = take_run(3);
    die(102, &run_a, "x", SC_DEATH_FAULT);
    die(103, &run_b, "x", SC_DEATH_FAULT);
    sc_fake_worker_ready(&f, 5, &b); // nobody runs "a" any more
    run_b = take_run(5);
    sc_fake_results(&f, 5, &run_b, 0, 1, SC_DONE, 0, 1000);
    cr_expect_eq(sc_fake_ask(&f, 1, 2).done, 1);
    sc_fake_array(&f, 1, 3, 0, 1, &of_b);
    cr_expect_eq(sc_fake_work(&f, 5, 1000), 1, "it is free again");
    sc_fake_worker_ready(&f, 6, &a);
    cr_expect_eq(sc_fake_work(&f, 6, 1000), 1);
}

static void
come_back(uint64_t link, const sc_run *run, uint64_t count)
{
    sc_held_run held = {run->job, run->token, run->first, count, true, 1, 0, false};
    sc_fake_forget_sent(&f);
    sc_fake_hello_worker(&f, link, NULL);
    sc_fake_say(&f, link, &(sc_message){.type = SC_MSG_HELD, .held = {{&held, 1}}});
    sc_fake_say(&f, link, &(sc_message){.type = SC_MSG_READY});
}

// A suspect that makes its worker silent for longer than its lease gets on too, and alone.
Test(poison, silent_worker_keeps_its_suspect)
{
    static const struct {
        const char *name;
        bool is_elsewhere; // another worker has it meanwhile
    } rows[] = {{"it waits", false}, {"elsewhere", true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stop();
        start();
        sc_fake_worker_ready(&f, 2, NULL);
        sc_fake_array(&f, 1, 1, 0, 1, NULL);
        sc_run run = take_run(2);
        die(102, &run, "x", SC_DEATH_FAULT);
        sc_fake_worker_ready(&f, 3, NULL);
        run = take_run(3);
        sc_fake_pass(&f, 900, 2);
        if (rows[i].is_elsewhere) {
            sc_fake_worker_ready(&f, 4, NULL);
            take_run(4);
        }
        come_back(3, &run, 1);
        cr_expect_eq(sc_fake_count(&f, 3, SC_MSG_RECALL), 0, "%s: it keeps it", rows[i].name);
        cr_expect_eq(sc_fake_count(&f, 4, SC_MSG_RECALL), rows[i].is_elsewhere, "%s: the other",
                     rows[i].name);
        sc_fake_array(&f, 1, 2, 0, 8, NULL);
        cr_expect_eq(sc_fake_count(&f, 3, SC_MSG_RUN), 0, "%s: nothing beside it", rows[i].name);
        sc_fake_results(&f, 3, &run, 0, 1, SC_DONE, 0, 1000);
        cr_expect_eq(sc_fake_ask(&f, 1, 1).done, 1, "%s: its result counts", rows[i].name);
        cr_expect(sc_fake_count(&f, 3, SC_MSG_RUN) || rows[i].is_elsewhere, "%s: then other work",
                  rows[i].name);
    }
}

// Who comes back with a task that is blamed by now, and others, keeps the one or the others.
Test(poison, silent_worker_keeps_nothing_beside_a_suspect)
{
    static const struct {
        const char *name, *blamed;
        uint64_t want_running;
    } rows[] = {{"the first is blamed", "x-", 1}, {"the second is blamed", "-x", 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stop();
        start();
        sc_fake_worker_ready(&f, 2, NULL);
        sc_fake_array(&f, 1, 1, 0, 2, NULL);
        sc_run run = take_run(2);
        sc_fake_pass(&f, 900, 2);
        sc_fake_worker_ready(&f, 3, NULL);
        sc_run other = take_run(3);
        sc_fake_supervisor(&f, 9);
        die(103, &other, rows[i].blamed, SC_DEATH_FAULT);
        come_back(2, &run, 2);
        sc_message m;
        cr_assert(sc_fake_take(&f, 2, SC_MSG_RECALL, &m), "%s", rows[i].name);
        cr_expect_eq(m.recall.first, 1, "%s", rows[i].name);
        cr_expect_eq(m.recall.count, 1, "%s", rows[i].name);
        cr_expect_eq(sc_fake_ask(&f, 1, 1).running, rows[i].want_running, "%s", rows[i].name);
    }
}

// Nor a call.
Test(poison, silent_worker_keeps_no_call_beside_a_suspect)
{
    sc_fake_worker both = {.handlers = "a b"};
    sc_fake_worker_ready(&f, 2, &both);
    sc_fake_array(&f, 1, 1, 0, 1, NULL);
    sc_run run = take_run(2);
    sc_fake_call(&f, 1, 7, "b", 0);
    sc_run call = take_run(2);
    sc_fake_pass(&f, 900, 2);
    sc_fake_worker_ready(&f, 3, NULL);
    sc_run elsewhere = take_run(3); // the call waits
    sc_fake_supervisor(&f, 9);
    die(103, &elsewhere, "x", SC_DEATH_FAULT);
    sc_held_run held[] = {{run.job, run.token, 0, 1, true, 1, 0, false},
                          {call.job, call.token, 0, 1, true, 1, 0, false}};
    sc_fake_hello_worker(&f, 2, &both);
    sc_fake_say(&f, 2, &(sc_message){.type = SC_MSG_HELD, .held = {{held, 2}}});
    sc_message m;
    cr_assert(sc_fake_take(&f, 2, SC_MSG_RECALL, &m));
    cr_expect_eq(m.recall.token.run, call.token.run);
    sc_core_check(f.core);
}

// A worker that runs a suspect alone and says HELLO again goes on alone.
Test(poison, alone_after_hello)
{
    sc_fake_worker w = {.slots_async = 4};
    sc_message m;
    sc_fake_worker_ready(&f, 2, &w);
    sc_fake_array(&f, 1, 1, 0, 1, NULL);
    sc_run run = take_run(2);
    die(102, &run, "x", SC_DEATH_FAULT);
    sc_fake_worker_ready(&f, 3, &w);
    run = take_run(3);
    sc_fake_hello_worker(&f, 3, &w);
    sc_held_run held = {run.job, run.token, 0, 1, true, 1, 0, false};
    m = (sc_message){.type = SC_MSG_HELD, .held = {{&held, 1}}};
    sc_fake_say(&f, 3, &m);
    sc_fake_say(&f, 3, &(sc_message){.type = SC_MSG_READY});
    sc_fake_array(&f, 1, 2, 0, 1, NULL);
    cr_expect_eq(sc_fake_count(&f, 3, SC_MSG_RUN), 0);
    sc_fake_results(&f, 3, &run, 0, 1, SC_DONE, 0, 1000);
    cr_expect_eq(sc_fake_work(&f, 3, 1000), 1);
}
