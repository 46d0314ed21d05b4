/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets which task, and what happens when the one that has it is lost. */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/limits.h"
#include "tests/support/fake_core.h"

static sc_fake f;
static sc_message m;

static void
start(void)
{
    memset(&f, 0, sizeof f);
    sc_fake_start(&f);
    sc_fake_client(&f, 1);
    sc_fake_forget_sent(&f);
}

static void
stop(void)
{
    sc_fake_stop(&f);
}

TestSuite(schedule, .init = start, .fini = stop);

// Tasks of all runs that a link was told and that were not taken; they are taken.
static uint64_t
tasks_told(uint64_t link)
{
    uint64_t n = 0;
    while (sc_fake_take(&f, link, SC_MSG_RUN, &m))
        n += m.run.count;
    return n;
}

Test(schedule, a_handler_nobody_has_measured_gets_one_task_a_free_slot)
{
    sc_fake_worker_ready(&f, 2, &(sc_fake_worker){.slots_async = 3});
    sc_fake_worker_ready(&f, 3, &(sc_fake_worker){.slots_async = 5});
    sc_fake_array(&f, 1, 1, 0, 100, &(sc_open){0});
    cr_assert_eq(tasks_told(2), 3);
    cr_assert_eq(tasks_told(3), 5);
}

Test(schedule, measured_work_waits_for_as_long_as_it_may)
{
    static const struct {
        const char *name;
        uint64_t cost_ns;
        uint64_t least, most; // tasks in a worker of one slot that may keep 50 ms waiting
    } rows[] = {
        {"10 ms", 10000000, 6, 6},
        {"1 s", 1000000000, 1, 1},
        {"1 us: a chunk at a time", 1000, 1000, 100000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stop();
        start();
        sc_fake_worker_ready(&f, 2, &(sc_fake_worker){.slots_async = 1});
        sc_fake_array(&f, 1, 1, 0, 100000, &(sc_open){0});
        cr_assert(sc_fake_take(&f, 2, SC_MSG_RUN, &m) && m.run.count == 1);
        sc_run r = m.run;
        sc_fake_results(&f, 2, &r, 0, 1, SC_DONE, 0, rows[i].cost_ns);
        uint64_t n = tasks_told(2);
        cr_expect(n >= rows[i].least && n <= rows[i].most, "%s: %llu", rows[i].name,
                  (unsigned long long)n);
    }
}

Test(schedule, credit_is_never_passed)
{
    sc_fake_worker_ready(&f, 2, &(sc_fake_worker){.slots_async = 100, .credit_tasks = 7});
    sc_fake_array(&f, 1, 1, 0, 100, &(sc_open){0});
    cr_assert_eq(tasks_told(2), 7);
}

Test(schedule, higher_priority_goes_first_and_equals_by_age)
{
    static const uint32_t priorities[] = {4, 2, 9, 4};
    static const uint32_t want[] = {3, 1, 4, 2};
    sc_fake_worker_ready(&f, 2, &(sc_fake_worker){.slots_async = 1});
    sc_fake_array(&f, 1, 99, 0, 1, &(sc_open){.priority = 9}); // takes the slot: the others wait
    cr_assert(sc_fake_take(&f, 2, SC_MSG_RUN, &m));
    sc_run first = m.run;
    for (uint32_t i = 0; i < 4; i++)
        sc_fake_array(&f, 1, i + 1, 0, 1, &(sc_open){.priority = priorities[i]});
    for (uint32_t i = 0; i < 4; i++) {
        sc_fake_results(&f, 2, &first, 0, 1, SC_DONE, 0, 1000000000);
        cr_assert(sc_fake_take(&f, 2, SC_MSG_RUN, &m), "no run %u", i);
        sc_uuid id = sc_fake_job(want[i]);
        cr_assert_eq(memcmp(&m.run.job, &id, sizeof id), 0, "place %u", i);
        first = m.run;
    }
}

Test(schedule, tasks_of_a_lost_worker_run_again_with_a_new_token_and_the_same_attempt)
{
    sc_fake_worker_ready(&f, 2, &(sc_fake_worker){.slots_async = 4});
    sc_fake_array(&f, 1, 1, 10, 4, &(sc_open){0});
    cr_assert(sc_fake_take(&f, 2, SC_MSG_RUN, &m) && m.run.count == 4);
    sc_run old = m.run;
    sc_fake_results(&f, 2, &old, 1, 1, SC_DONE, 0, 0);
    sc_fake_worker_ready(&f, 3, &(sc_fake_worker){.slots_async = 4});
    sc_fake_pass(&f, 100, 4);
    sc_core_send_failed(f.core, 2, f.now_ms);
    sc_core_turn(f.core, f.now_ms);
    uint64_t n = 0;
    while (sc_fake_take(&f, 3, SC_MSG_RUN, &m)) {
        cr_assert_gt(m.run.token.run, old.token.run);
        cr_assert_eq(m.run.attempt, 1);
        cr_assert(m.run.first != 11, "it has ended");
        n += m.run.count;
    }
    cr_assert_eq(n, 3);
    cr_assert_eq(sc_fake_ask(&f, 1, 1).running, 3);
}

Test(schedule, a_silent_worker_is_lost_after_its_lease)
{
    sc_fake_worker_ready(&f, 2, &(sc_fake_worker){0});
    sc_fake_array(&f, 1, 1, 0, 1, &(sc_open){0});
    cr_assert_eq(sc_fake_ask(&f, 1, 1).running, 1);
    sc_fake_pass(&f, f.options.lease_ms + 200, 2); // only the client is heard
    cr_assert_eq(sc_fake_ask(&f, 1, 1).queued, 1);
}

Test(schedule, nobody_is_lost_while_the_coordinator_was_stopped)
{
    sc_fake_worker_ready(&f, 2, &(sc_fake_worker){0});
    sc_fake_array(&f, 1, 1, 0, 1, &(sc_open){0});
    sc_fake_late_tick(&f, 10000);
    cr_assert_eq(sc_fake_ask(&f, 1, 1).running, 1);
}

Test(schedule, what_may_not_be_repeated)
{
    static const struct {
        const char *name;
        bool is_reported; // its supervisor says that only the first task had started
        uint64_t dead, queued;
    } rows[] = {{"nobody can tell", false, 3, 0}, {"reported", true, 1, 2}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stop();
        start();
        sc_fake_supervisor(&f, 9);
        sc_fake_worker_ready(&f, 2,
                             &(sc_fake_worker){.slots_async = 3, .handlers = "a!", .instance = 50});
        sc_fake_array(&f, 1, 1, 0, 3, &(sc_open){0});
        cr_assert(sc_fake_take(&f, 2, SC_MSG_RUN, &m) && m.run.count == 3, "%s", rows[i].name);
        sc_run r = m.run;
        if (rows[i].is_reported)
            sc_fake_died(&f, 9, 50, &r, 0, 1, true, SC_DEATH_KILLED);
        else
            sc_core_send_failed(f.core, 2, f.now_ms);
        sc_job_info info = sc_fake_ask(&f, 1, 1);
        cr_expect(info.dead == rows[i].dead && info.queued == rows[i].queued,
                  "%s: %llu dead, %llu queued", rows[i].name, (unsigned long long)info.dead,
                  (unsigned long long)info.queued);
    }
}

Test(schedule, poison_is_dead_after_three_deaths_and_runs_alone_before)
{
    sc_fake_supervisor(&f, 9);
    for (uint64_t i = 0; i < 3; i++) {
        uint64_t link = 10 + i;
        sc_fake_worker_ready(&f, link, &(sc_fake_worker){.slots_async = 4, .instance = 60 + i});
        if (i == 0)
            sc_fake_array(&f, 1, 2, 0, 1, &(sc_open){0});
        cr_assert(sc_fake_take(&f, link, SC_MSG_RUN, &m), "death %d", (int)i);
        sc_run r = m.run;
        sc_fake_array(&f, 1, 20 + (uint32_t)i, 0, 1, &(sc_open){0});
        if (i > 0)
            cr_assert_eq(sc_fake_count(&f, link, SC_MSG_RUN), 0, "it runs alone");
        sc_fake_died(&f, 9, 60 + i, &r, 0, 1, true, SC_DEATH_FAULT);
    }
    sc_job_info info = sc_fake_ask(&f, 1, 2);
    cr_assert(info.state == SC_JOB_FAILED && info.dead == 1);
    sc_fake_worker_ready(&f, 20, &(sc_fake_worker){.slots_async = 10});
    cr_assert_eq(tasks_told(20), 3, "its neighbours are alive");
}

Test(schedule, an_idle_worker_gets_some_of_what_waits_elsewhere)
{
    sc_fake_worker_ready(&f, 2, &(sc_fake_worker){.slots_async = 1});
    sc_fake_array(&f, 1, 1, 0, 7, &(sc_open){0});
    cr_assert(sc_fake_take(&f, 2, SC_MSG_RUN, &m));
    sc_run r = m.run;
    sc_fake_results(&f, 2, &r, 0, 1, SC_DONE, 0, 10000000);
    cr_assert_eq(tasks_told(2), 6);
    sc_fake_worker_ready(&f, 3, &(sc_fake_worker){.slots_async = 1});
    cr_assert(sc_fake_take(&f, 2, SC_MSG_RECALL, &m), "it is asked for some");
    sc_recall recall = m.recall;
    cr_assert_eq(recall.mode, SC_RECALL_WAITING);
    sc_fake_recalled(&f, 2, &recall.token, &recall.job, recall.first, recall.count);
    cr_assert_gt(tasks_told(3), 0);
    cr_assert_eq(sc_fake_ask(&f, 1, 1).running, 6);
}

Test(schedule, workers_that_offer_different_handlers_take_turns)
{
    sc_fake_worker_ready(&f, 2, &(sc_fake_worker){.handlers = "a"});
    sc_fake_worker_ready(&f, 3, &(sc_fake_worker){.handlers = "a b"});
    uint64_t n[2] = {0};
    for (uint32_t i = 0; i < 10; i++) {
        sc_fake_array(&f, 1, i + 1, 0, 1, &(sc_open){0});
        n[0] += sc_fake_work(&f, 2, 1000);
        n[1] += sc_fake_work(&f, 3, 1000);
    }
    cr_assert(n[0] == 5 && n[1] == 5, "%llu and %llu", (unsigned long long)n[0],
              (unsigned long long)n[1]);
}
