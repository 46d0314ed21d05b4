/* SPDX-License-Identifier: Apache-2.0 */
/* Which task goes where: order of priorities and jobs, how much a worker is given, what is taken
 * back for one that is idle. */
#include <string.h>

#include <criterion/criterion.h>

#include "base/limits.h"
#include "tests/support/fake_core.h"

enum { MS = 1000000 };

static sc_fake f;

static void
start(void)
{
    memset(&f, 0, sizeof f);
    sc_fake_start(&f);
    sc_fake_client(&f, 1);
}

static void
stop(void)
{
    sc_fake_stop(&f);
}

TestSuite(schedule, .init = start, .fini = stop);

// The core learns what a task of handler "a" takes.
static void
teach(uint64_t link, uint64_t cost_ns)
{
    sc_fake_array(&f, 1, 90, 0, 1, NULL);
    cr_assert_eq(sc_fake_work(&f, link, cost_ns), 1);
    sc_fake_forget_sent(&f);
}

// Tasks in RUNs to a worker that were not taken yet.
static uint64_t
given(uint64_t link)
{
    sc_message m;
    uint64_t n = 0;
    while (sc_fake_take(&f, link, SC_MSG_RUN, &m))
        n += m.run.count;
    return n;
}

// However small its runs are, a worker is sent no more of them than its link can queue.
Test(schedule, open_runs_of_a_worker_are_bounded)
{
    enum { N = 1400 };
    sc_fake_worker w = {.slots_async = 2, .credit_tasks = 10000};
    sc_open spec = {.retries = 3, .backoff_base_ms = 100, .backoff_max_ms = 100};
    sc_message m;
    sc_fake_worker_ready(&f, 2, &w);
    teach(2, 100);
    sc_fake_array(&f, 1, 1, 0, N, &spec);
    while (sc_fake_take(&f, 2, SC_MSG_RUN, &m)) {
        sc_run run = m.run;
        sc_fake_results(&f, 2, &run, 0, run.count, SC_DEAD, SC_RECORD_RETRY, 100);
    }
    cr_expect_eq(sc_fake_ask(&f, 1, 1).running + sc_fake_ask(&f, 1, 1).queued +
                     sc_fake_ask(&f, 1, 1).delayed,
                 N);
    sc_fake_pass(&f, 200, 3); // each task comes back in its own time
    uint32_t n = sc_fake_count(&f, 2, SC_MSG_RUN);
    cr_expect(n > 500 && n <= 1024, "%u runs", n);
    while (sc_fake_work(&f, 2, 100))
        ;
    cr_expect_eq(sc_fake_ask(&f, 1, 1).done, N);
}

// Tasks that fail one after the other and wait for nothing go out again as one run.
Test(schedule, neighbours_travel_together)
{
    sc_fake_worker w = {.slots_async = 2, .credit_tasks = 10000};
    sc_open spec = {.retries = 1};
    sc_message m;
    sc_fake_worker_ready(&f, 2, &w);
    teach(2, 100);
    sc_fake_array(&f, 1, 1, 0, 500, &spec);
    cr_assert(sc_fake_take(&f, 2, SC_MSG_RUN, &m));
    sc_run run = m.run;
    cr_assert_eq(run.count, 500);
    sc_fake_results(&f, 2, &run, 0, 500, SC_DEAD, SC_RECORD_RETRY, 100);
    cr_assert(sc_fake_take(&f, 2, SC_MSG_RUN, &m));
    cr_expect_eq(m.run.count, 500);
    cr_expect_eq(m.run.attempt, 2);
}

// What a handler is may change while nobody offers it: a plugin in a new version.
Test(schedule, handler_in_a_new_version)
{
    sc_fake_worker threads = {.slots_async = 1, .slots_thread = 1, .handlers = "a#"};
    sc_fake_worker_ready(&f, 2, NULL);
    sc_fake_array(&f, 1, 1, 0, 1, NULL);
    cr_assert_eq(sc_fake_work(&f, 2, 100), 1);
    sc_fake_say(&f, 2, &(sc_message){.type = SC_MSG_BYE});
    threads.slots_async = 0;
    sc_fake_worker_ready(&f, 3, &threads);
    sc_fake_array(&f, 1, 2, 0, 1, NULL);
    cr_expect_eq(sc_fake_work(&f, 3, 100), 1, "in its thread");
}

Test(schedule, order)
{
    static const struct {
        const char *name;
        uint32_t priorities[4]; // of jobs 1.., 99 ends them
        uint32_t want[4];       // jobs in the order in which they are handed out
        const char *handlers[4];
    } rows[] = {
        {"first in, first out", {4, 4, 4, 99}, {1, 2, 3}, {0}},
        {"higher first", {0, 9, 5, 99}, {2, 3, 1}, {0}},
        {"both", {5, 9, 5, 9}, {2, 4, 1, 3}, {0}},
        {"over handlers too", {4, 4, 4, 99}, {1, 2, 3}, {"b", "a", "b"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_fake_worker one = {.slots_async = 1, .credit_tasks = 1, .handlers = "a b"};
        stop();
        start();
        sc_fake_worker_ready(&f, 2, &one);
        sc_fake_array(&f, 1, 50, 0, 1, NULL); // fills the worker
        for (uint32_t k = 0; k < 4 && rows[i].priorities[k] != 99; k++) {
            sc_open spec = {.priority = rows[i].priorities[k],
                            .handler = sc_text_of(rows[i].handlers[k])};
            sc_fake_array(&f, 1, k + 1, 0, 1, &spec);
        }
        sc_message m;
        cr_assert(sc_fake_take(&f, 2, SC_MSG_RUN, &m));
        for (uint32_t k = 0; k < 4 && rows[i].want[k]; k++) {
            sc_run run = m.run;
            sc_uuid want = sc_fake_job(rows[i].want[k]);
            sc_fake_results(&f, 2, &run, 0, 1, SC_DONE, 0, MS);
            cr_assert(sc_fake_take(&f, 2, SC_MSG_RUN, &m), "%s", rows[i].name);
            cr_expect(memcmp(&m.run.job, &want, sizeof want) == 0, "%s: at %u", rows[i].name, k);
        }
    }
}

Test(schedule, how_much)
{
    static const struct {
        const char *name;
        uint64_t cost_ns; // 0: not measured
        uint32_t slots, credit;
        uint64_t n_tasks, want;
    } rows[] = {
        {"not measured: one a slot", 0, 4, 1000, 100, 4},
        {"fewer than slots", 0, 4, 1000, 3, 3},
        {"50 ms waiting beside what runs", 10 * MS, 1, 1000, 100, 6},
        {"the same for each slot", 10 * MS, 4, 1000, 100, 24},
        {"longer than that: one a slot and one more", 200 * MS, 2, 1000, 100, 2},
        {"credit is a bound", 1000, 4, 17, 100, 17},
        {"credit below the slots", 0, 8, 5, 100, 5},
        {"several runs of a chunk each", 1000, 2, 100000, 2500, 2500},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_fake_worker w = {.slots_async = rows[i].slots, .credit_tasks = rows[i].credit};
        stop();
        start();
        sc_fake_worker_ready(&f, 2, &w);
        if (rows[i].cost_ns)
            teach(2, rows[i].cost_ns);
        sc_fake_array(&f, 1, 1, 0, rows[i].n_tasks, NULL);
        uint64_t n = given(2);
        cr_expect_eq(n, rows[i].want, "%s: %llu", rows[i].name, (unsigned long long)n);
    }
}

// What workers say of the time that tasks take is learnt slowly from single ones and quickly from
// many; nothing that they say is believed beyond an hour. Seen by how much a worker of 16 slots
// gets.
Test(schedule, costs)
{
    static const struct {
        const char *name;
        uint64_t first_ns; // from one task
        uint64_t then_ns;  // from all of these messages
        uint32_t n_messages, n_tasks;
        uint64_t want;
    } rows[] = {
        {"one slow task", 1 * MS, 100 * MS, 1, 1, 211},   // taken for 4.1 ms
        {"many slow tasks", 1 * MS, 100 * MS, 1, 16, 31}, // for 50.5 ms
        {"a wild claim, then the truth", UINT64_MAX, 1 * MS, 30, 16, 813},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_fake_worker w = {.slots_async = 16};
        stop();
        start();
        sc_fake_worker_ready(&f, 2, &w);
        teach(2, rows[i].first_ns);
        for (uint32_t k = 0; k < rows[i].n_messages; k++) {
            sc_fake_array(&f, 1, 100 + k, 0, rows[i].n_tasks, NULL);
            cr_assert_eq(sc_fake_work(&f, 2, rows[i].then_ns), rows[i].n_tasks);
        }
        sc_fake_array(&f, 1, 1, 0, 1000, NULL);
        uint64_t n = given(2);
        cr_expect_eq(n, rows[i].want, "%s: %d", rows[i].name, (int)n);
    }
}

// A call says what a task takes as any one result does.
Test(schedule, costs_of_calls)
{
    static const struct {
        const char *name;
        uint64_t known_ns, call_ns; // 0: not known
        uint64_t want;
    } rows[] = {
        {"not known before", 0, 10 * MS, 6},
        {"known before", 10 * MS, 1000 * MS, 2}, // taken for 41 ms
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_fake_worker w = {.slots_async = 1};
        stop();
        start();
        sc_fake_worker_ready(&f, 2, &w);
        if (rows[i].known_ns)
            teach(2, rows[i].known_ns);
        sc_fake_call(&f, 1, 77, "a", 0);
        cr_assert_eq(sc_fake_work(&f, 2, rows[i].call_ns), 1);
        sc_fake_array(&f, 1, 1, 0, 100, NULL);
        uint64_t n = given(2);
        cr_expect_eq(n, rows[i].want, "%s: %d", rows[i].name, (int)n);
    }
}

Test(schedule, bytes)
{
    static const struct {
        const char *name;
        uint64_t credit_bytes;
        uint32_t task_bytes;
        uint64_t want;
    } rows[] = {
        {"all fit", 1000, 96, 8},
        {"some fit", 350, 96, 3},
        {"exactly", 300, 96, 3},
        {"one that is larger than all credit", 50, 96, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_fake_worker w = {.slots_async = 100, .credit_bytes = rows[i].credit_bytes};
        sc_chunk c = {.count = 8};
        stop();
        start();
        sc_fake_worker_ready(&f, 2, &w);
        sc_fake_open(&f, 1, 1, NULL);
        sc_fake_chunk(&f, 1, 1, &c, rows[i].task_bytes);
        sc_fake_commit(&f, 1, 1, 1, 8);
        uint64_t n = given(2);
        cr_expect_eq(n, rows[i].want, "%s: %llu", rows[i].name, (unsigned long long)n);
    }
}

// A worker whose bytes are used up does not keep the others from theirs.
Test(schedule, bytes_of_one_do_not_block_others)
{
    sc_fake_worker small = {.slots_async = 9, .credit_bytes = 120},
                   large = {.slots_async = 4, .credit_bytes = 5000};
    sc_chunk c = {.count = 8};
    sc_fake_worker_ready(&f, 2, &small);
    sc_fake_worker_ready(&f, 3, &large);
    sc_fake_open(&f, 1, 1, NULL);
    sc_fake_chunk(&f, 1, 1, &c, 96);
    sc_fake_commit(&f, 1, 1, 1, 8);
    cr_expect_eq(given(2), 1);
    cr_expect_eq(given(3), 4);
}

// The arguments of an array go out with every run, so each run costs their bytes.
Test(schedule, bytes_of_an_array)
{
    static const struct {
        const char *name;
        uint64_t credit_bytes; // 11 bytes a run
        uint64_t want;
    } rows[] = {{"a byte short", 21, 1}, {"exactly", 22, 2}, {"some left", 25, 2}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_fake_worker w = {.slots_async = 9, .credit_bytes = rows[i].credit_bytes};
        stop();
        start();
        sc_fake_worker_ready(&f, 2, &w);
        for (uint32_t k = 1; k <= 3; k++)
            sc_fake_array(&f, 1, k, 0, 1, NULL);
        cr_expect_eq(given(2), rows[i].want, "%s", rows[i].name);
    }
}

// A slot that has nothing gets something, however long the other's task takes.
Test(schedule, free_slots_beside_long_tasks)
{
    sc_fake_worker_ready(&f, 2, NULL);
    teach(2, 200 * MS);
    for (uint32_t i = 1; i <= 3; i++) {
        sc_fake_array(&f, 1, i, 0, 1, NULL);
        cr_expect_eq(given(2), i <= 2, "task %u", i);
    }
}

Test(schedule, all_workers_get_their_turn)
{
    for (uint64_t link = 2; link <= 21; link++)
        sc_fake_worker_ready(&f, link, NULL);
    sc_fake_array(&f, 1, 1, 0, 40, NULL);
    for (uint64_t link = 2; link <= 21; link++)
        cr_expect_eq(given(link), 2, "link %d", (int)link);
}

// Also those that offer different handlers.
Test(schedule, all_offers_get_their_turn)
{
    sc_fake_worker a = {.handlers = "a"}, ab = {.handlers = "a b"};
    uint64_t n[2] = {0};
    sc_fake_worker_ready(&f, 2, &a);
    sc_fake_worker_ready(&f, 3, &ab);
    for (uint32_t i = 0; i < 10; i++) {
        sc_fake_array(&f, 1, i + 1, 0, 1, NULL);
        n[0] += sc_fake_work(&f, 2, 1000);
        n[1] += sc_fake_work(&f, 3, 1000);
    }
    cr_expect(n[0] == 5 && n[1] == 5, "%d and %d", (int)n[0], (int)n[1]);
}

Test(schedule, offers)
{
    sc_fake_worker a = {.handlers = "a"}, b = {.handlers = "b"};
    sc_open of_b = {.handler = sc_text_of("b")};
    sc_fake_worker_ready(&f, 2, &a);
    sc_fake_worker_ready(&f, 3, &b);
    sc_fake_array(&f, 1, 1, 0, 2, &of_b);
    cr_expect_eq(given(2), 0);
    cr_expect_eq(given(3), 2);
    sc_fake_array(&f, 1, 2, 0, 1, NULL);
    cr_expect_eq(given(2), 1);
}

Test(schedule, kinds_have_slots_of_their_own)
{
    sc_fake_worker w = {.slots_async = 3, .slots_thread = 1, .handlers = "a t#"};
    sc_open of_t = {.handler = sc_text_of("t")};
    sc_fake_worker_ready(&f, 2, &w);
    sc_fake_array(&f, 1, 1, 0, 10, &of_t);
    cr_expect_eq(given(2), 1);
    sc_fake_array(&f, 1, 2, 0, 10, NULL);
    cr_expect_eq(given(2), 3);
}

// What waits in a lower class is no reason to wait.
Test(schedule, higher_classes_go_before_what_waits)
{
    sc_fake_worker w = {.slots_async = 1};
    sc_open high = {.priority = 9};
    sc_fake_worker_ready(&f, 2, &w);
    teach(2, 10 * MS);
    sc_fake_array(&f, 1, 1, 0, 100, NULL);
    cr_expect_eq(given(2), 6);
    sc_fake_array(&f, 1, 2, 0, 100, &high);
    cr_expect_eq(given(2), 6);
    sc_fake_call(&f, 1, 77, "a", 0);
    cr_expect_eq(given(2), 1);
}

Test(schedule, stealing)
{
    static const struct {
        const char *name;
        uint64_t cost_ns;
        uint64_t n_tasks;
        uint32_t slots;
        bool want;
    } rows[] = {
        {"several wait", 10 * MS, 6, 1, true},
        {"nothing waits", 10 * MS, 1, 1, false},
        {"nothing waits and slots are free", 10 * MS, 1, 2, false},
        {"less than a message is worth", 100000, 6, 1, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_fake_worker w = {.slots_async = rows[i].slots};
        sc_message m;
        stop();
        start();
        sc_fake_worker_ready(&f, 2, &w);
        teach(2, rows[i].cost_ns);
        sc_fake_array(&f, 1, 1, 0, rows[i].n_tasks, NULL);
        cr_assert_eq(sc_fake_count(&f, 2, SC_MSG_RUN), 1, "%s", rows[i].name);
        sc_fake_worker_ready(&f, 3, &w);
        cr_expect_eq(sc_fake_count(&f, 2, SC_MSG_RECALL), rows[i].want, "%s", rows[i].name);
        if (!sc_fake_take(&f, 2, SC_MSG_RECALL, &m))
            continue;
        cr_expect(m.recall.mode == SC_RECALL_WAITING && m.recall.first == 3 && m.recall.count == 3,
                  "%s: the later half", rows[i].name);
        sc_token token = m.recall.token;
        sc_uuid job = m.recall.job;
        sc_fake_recalled(&f, 2, &token, &job, 4, 2); // one of the three has started
        cr_expect_eq(given(2) + given(3), 6 + 2, "%s: it is handed out again", rows[i].name);
    }
}

// Of two jobs of three tasks in a worker, the one that it would start last is asked for.
Test(schedule, what_is_stolen)
{
    static const struct {
        const char *name;
        uint32_t priorities[2];
        const char *handlers[2];
        uint32_t want; // job
    } rows[] = {
        {"the later one", {0, 0}, {"a", "a"}, 2},
        {"the lower one, given later", {9, 0}, {"a", "a"}, 2},
        {"the lower one, given earlier", {0, 9}, {"a", "a"}, 1},
        {"of the kind that is idle", {0, 0}, {"a", "t"}, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_fake_worker w = {.slots_async = 1, .slots_thread = 1, .handlers = "a t#"};
        sc_open of_t = {.handler = sc_text_of("t")};
        sc_uuid want = sc_fake_job(rows[i].want);
        sc_message m;
        stop();
        start();
        sc_fake_worker_ready(&f, 2, &w);
        teach(2, 10 * MS);
        sc_fake_array(&f, 1, 91, 0, 1, &of_t);
        sc_fake_work(&f, 2, 10 * MS);
        for (uint32_t k = 0; k < 2; k++) {
            sc_open spec = {.priority = rows[i].priorities[k],
                            .handler = sc_text_of(rows[i].handlers[k])};
            sc_fake_array(&f, 1, k + 1, 0, 3, &spec);
            cr_expect_eq(given(2), 3, "%s", rows[i].name);
        }
        sc_fake_worker_ready(&f, 3, &w);
        cr_assert(sc_fake_take(&f, 2, SC_MSG_RECALL, &m), "%s", rows[i].name);
        cr_expect(memcmp(&m.recall.job, &want, sizeof want) == 0, "%s", rows[i].name);
    }
}

// The range that is asked for lies in the job, wherever the run and the job begin.
Test(schedule, stealing_from_a_later_run)
{
    sc_fake_worker w = {.slots_async = 1};
    sc_message m;
    sc_fake_worker_ready(&f, 2, &w);
    teach(2, 10 * MS);
    sc_fake_array(&f, 1, 1, 100, 12, NULL);
    cr_assert(sc_fake_take(&f, 2, SC_MSG_RUN, &m));
    sc_run run = m.run;
    sc_fake_results(&f, 2, &run, 0, 6, SC_DONE, 0, 10 * MS);
    cr_expect_eq(given(2), 6);
    sc_fake_worker_ready(&f, 3, &w);
    cr_assert(sc_fake_take(&f, 2, SC_MSG_RECALL, &m));
    cr_expect(m.recall.first == 109 && m.recall.count == 3, "%d+%d", (int)m.recall.first,
              (int)m.recall.count);
}

// A worker with nothing to give back is asked once, not again and again, until it goes on.
Test(schedule, nothing_to_give_back)
{
    sc_fake_worker w = {.slots_async = 1};
    sc_message m;
    sc_fake_worker_ready(&f, 2, &w);
    teach(2, 10 * MS);
    sc_fake_array(&f, 1, 1, 0, 6, NULL);
    cr_assert(sc_fake_take(&f, 2, SC_MSG_RUN, &m));
    sc_run run = m.run;
    sc_fake_worker_ready(&f, 3, &w);
    cr_expect_eq(sc_fake_count(&f, 2, SC_MSG_RECALL), 1);
    sc_fake_recalled(&f, 2, &run.token, &run.job, 0, 0);
    sc_core_turn(f.core, f.now_ms);
    cr_expect_eq(sc_fake_count(&f, 2, SC_MSG_RECALL), 1, "asked again for nothing");
    sc_fake_results(&f, 2, &run, 0, 1, SC_DONE, 0, 10 * MS);
    cr_expect_eq(sc_fake_count(&f, 2, SC_MSG_RECALL), 2, "it has ended something");
    sc_held_run held = {run.job, run.token, 1, 5, false, 1, 0, false};
    sc_fake_hello_worker(&f, 2, &w);
    m = (sc_message){.type = SC_MSG_HELD, .held = {{&held, 1}}};
    sc_fake_say(&f, 2, &m);
    sc_fake_say(&f, 2, &(sc_message){.type = SC_MSG_READY});
    cr_expect_eq(sc_fake_count(&f, 2, SC_MSG_RECALL), 3, "what was asked before HELLO is lost");
}

// A worker that drains gives back what waits; it goes elsewhere with a new token.
Test(schedule, given_back_unasked)
{
    sc_message m;
    sc_fake_worker w = {.slots_async = 4};
    sc_fake_worker_ready(&f, 2, &w);
    sc_fake_array(&f, 1, 1, 100, 4, NULL);
    cr_assert(sc_fake_take(&f, 2, SC_MSG_RUN, &m));
    sc_run run = m.run;
    m = (sc_message){.type = SC_MSG_HEARTBEAT, .heartbeat = {.is_draining = true}};
    sc_fake_say(&f, 2, &m);
    sc_fake_recalled(&f, 2, &run.token, &run.job, 101, 3);
    sc_fake_worker_ready(&f, 3, &w);
    cr_assert(sc_fake_take(&f, 3, SC_MSG_RUN, &m));
    cr_expect(m.run.first == 101 && m.run.count == 3 && m.run.attempt == 1);
    cr_expect_gt(m.run.token.run, run.token.run);
    sc_fake_recalled(&f, 2, &run.token, &run.job, 101, 3);
    cr_expect_eq(sc_fake_ask(&f, 1, 1).running, 4, "said twice: nothing");
    sc_token token = m.run.token;
    sc_fake_recalled(&f, 2, &token, &run.job, 101, 3);
    cr_expect_eq(sc_fake_count(&f, 3, SC_MSG_RUN), 0, "not its own to give back");
}

// A payload is kept as long as some of it is to be handed out, and no longer.
Test(schedule, payload_is_let_go)
{
    sc_fake_worker four = {.slots_async = 4}, one = {.slots_async = 1, .credit_tasks = 1};
    sc_chunk c = {.count = 4};
    sc_fake_worker_ready(&f, 2, &four);
    sc_fake_open(&f, 1, 1, NULL);
    sc_fake_chunk(&f, 1, 1, &c, 10);
    sc_fake_commit(&f, 1, 1, 1, 4);
    cr_expect_eq(given(2), 4);
    cr_expect_eq(f.n_actions[SC_ACTION_GET_CHUNK], 1);
    sc_core_send_failed(f.core, 2, f.now_ms);
    sc_fake_worker_ready(&f, 3, &one);
    cr_expect_eq(f.n_actions[SC_ACTION_GET_CHUNK], 2, "what came back is fetched again");
    cr_expect_eq(sc_fake_work(&f, 3, MS), 4);
    cr_expect_eq(f.n_actions[SC_ACTION_GET_CHUNK], 2, "and kept until all of it is out");
}

// Payloads of one job come and go while it is handed out piece by piece.
Test(schedule, many_chunks)
{
    sc_fake_worker w = {.slots_async = 3, .credit_tasks = 3};
    sc_fake_worker_ready(&f, 2, &w);
    sc_fake_open(&f, 1, 1, NULL);
    for (uint32_t i = 0; i < 20; i++) {
        sc_chunk c = {.number = i, .first = i * 7, .count = 7};
        sc_fake_chunk(&f, 1, 1, &c, 10);
    }
    sc_fake_commit(&f, 1, 1, 20, 140);
    cr_expect_eq(sc_fake_work(&f, 2, MS), 140);
    cr_expect_eq(sc_fake_ask(&f, 1, 1).state, SC_JOB_SUCCEEDED);
    cr_expect_eq(f.n_actions[SC_ACTION_GET_CHUNK], 20, "each is fetched once");
    cr_expect_eq(f.n_actions[SC_ACTION_DROP_CHUNK], 20);
}

static void
upload_two_chunks(void)
{
    sc_fake_open(&f, 1, 1, NULL);
    for (uint32_t i = 0; i < 2; i++) {
        sc_chunk c = {.number = i, .first = i * 4, .count = 4};
        sc_fake_chunk(&f, 1, 1, &c, 10);
    }
    sc_fake_commit(&f, 1, 1, 2, 8);
}

// However mixed tasks come back: those of one chunk are handed out together.
Test(schedule, what_comes_back_is_fetched_once_a_chunk)
{
    static const uint64_t back[] = {0, 4, 1, 5, 2};
    sc_fake_worker w = {.slots_async = 8, .credit_tasks = 8};
    sc_message m[2];
    sc_fake_worker_ready(&f, 2, &w);
    upload_two_chunks();
    for (int i = 0; i < 2; i++)
        cr_assert(sc_fake_take(&f, 2, SC_MSG_RUN, &m[i]));
    f.holds_answers = true;
    for (size_t i = 0; i < sizeof back / sizeof *back; i++)
        sc_fake_recalled(&f, 2, &m[back[i] / 4].run.token, &m[0].run.job, back[i], 1);
    while (f.n_questions > 0)
        sc_fake_answer(&f, 0);
    cr_expect_eq(given(2), 5);
    cr_expect_eq(f.n_actions[SC_ACTION_GET_CHUNK], 2 + 2);
}

// What was never handed out does not wait for the payload of what came back.
Test(schedule, new_tasks_do_not_wait_for_old_payload)
{
    sc_fake_worker w = {.slots_async = 4, .credit_tasks = 4};
    sc_message m;
    sc_fake_worker_ready(&f, 2, &w);
    upload_two_chunks();
    cr_assert(sc_fake_take(&f, 2, SC_MSG_RUN, &m));
    f.holds_answers = true;
    sc_fake_recalled(&f, 2, &m.run.token, &m.run.job, 0, 4);
    cr_assert_eq(f.n_questions, 2);
    sc_fake_answer(&f, 1);
    cr_assert(sc_fake_take(&f, 2, SC_MSG_RUN, &m));
    cr_expect(m.run.first == 4 && m.run.count == 4);
    sc_fake_answer(&f, 0);
    f.holds_answers = false;
    sc_fake_results(&f, 2, &m.run, 0, 4, SC_DONE, 0, MS);
    cr_expect_eq(sc_fake_work(&f, 2, MS), 4);
    cr_expect_eq(sc_fake_ask(&f, 1, 1).state, SC_JOB_SUCCEEDED);
}
