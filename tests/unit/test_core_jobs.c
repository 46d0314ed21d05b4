/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs in the core: upload and its repetitions, bounds, arrays, results in each order, what the
 * store has no room for, calls. */
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
    sc_fake_worker_ready(&f, 2, &(sc_fake_worker){0});
    sc_fake_forget_sent(&f);
}

static void
stop(void)
{
    sc_fake_stop(&f);
}

TestSuite(jobs, .init = start, .fini = stop);

static int64_t
refusal(uint64_t link)
{
    return sc_fake_take(&f, link, SC_MSG_REFUSED, &m) ? m.refused.code : 0;
}

static void
upload(uint32_t job, uint32_t n_chunks, uint32_t count, uint32_t task_bytes)
{
    sc_fake_open(&f, 1, job, &(sc_open){.priority = 4});
    for (uint32_t k = 0; k < n_chunks; k++)
        sc_fake_chunk(&f, 1, job,
                      &(sc_chunk){.number = k, .first = (uint64_t)k * count, .count = count},
                      task_bytes);
    sc_fake_commit(&f, 1, job, n_chunks, (uint64_t)n_chunks * count);
}

Test(jobs, upload_said_twice_is_done_once)
{
    upload(1, 2, 10, 8);
    uint32_t n_acks = sc_fake_count(&f, 1, SC_MSG_ACK);
    cr_assert_eq(n_acks, 4);
    upload(1, 2, 10, 8);
    cr_assert_eq(sc_fake_count(&f, 1, SC_MSG_ACK), 8, "each answered again");
    cr_assert_eq(refusal(1), 0);
    cr_assert_eq(f.n_actions[SC_ACTION_PUT_CHUNK], 2);
    cr_assert_eq(sc_fake_ask(&f, 1, 1).total, 20);
    uint64_t n = 0, more;
    while ((more = sc_fake_work(&f, 2, 1000)) > 0)
        n += more;
    cr_assert_eq(n, 20);
    sc_job_info info = sc_fake_ask(&f, 1, 1);
    cr_assert(info.state == SC_JOB_SUCCEEDED && info.done == 20);
}

Test(jobs, nothing_runs_before_commit)
{
    sc_fake_open(&f, 1, 1, &(sc_open){.priority = 4});
    sc_fake_chunk(&f, 1, 1, &(sc_chunk){.count = 5}, 8);
    cr_assert_eq(sc_fake_count(&f, 2, SC_MSG_RUN), 0);
    sc_fake_commit(&f, 1, 1, 1, 5);
    cr_assert_gt(sc_fake_count(&f, 2, SC_MSG_RUN), 0);
}

Test(jobs, chunks_out_of_order)
{
    static const struct {
        const char *name;
        sc_chunk chunk;
        int64_t want;
    } rows[] = {
        {"a number too far", {.number = 1, .first = 0, .count = 5}, SC_ESTATE},
        {"a gap in the tasks", {.number = 0, .first = 5, .count = 5}, SC_ESTATE},
        {"no tasks", {.number = 0, .first = 0, .count = 0}, SC_EMALFORMED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_fake_open(&f, 1, (uint32_t)i + 1, &(sc_open){.priority = 4});
        sc_fake_chunk(&f, 1, (uint32_t)i + 1, &rows[i].chunk, 8);
        int64_t code = refusal(1);
        cr_expect_eq(code, rows[i].want, "%s: %lld", rows[i].name, (long long)code);
    }
    sc_fake_commit(&f, 1, 1, 1, 5); // gone with its wrong chunk
    cr_expect_eq(refusal(1), SC_ENOJOB);
    sc_fake_open(&f, 1, 9, &(sc_open){.priority = 4});
    sc_fake_commit(&f, 1, 9, 1, 5); // nothing of it is here
    cr_expect_eq(refusal(1), SC_ESTATE);
}

Test(jobs, unknown_names_are_refused_with_those_that_exist)
{
    sc_fake_array(&f, 1, 1, 0, 5, &(sc_open){.handler = sc_text_of("b")});
    cr_assert(sc_fake_take(&f, 1, SC_MSG_REFUSED, &m));
    char text[300];
    sc_text_copy(m.refused.text, text, sizeof text);
    cr_assert(m.refused.code == SC_ENOHANDLER && strstr(text, "there are: a"), "%s", text);
    sc_fake_array(&f, 1, 1, 0, 5, &(sc_open){.queue = sc_text_of("other")});
    cr_assert_eq(refusal(1), SC_EQUEUE);
}

Test(jobs, arrays)
{
    static const struct {
        const char *name;
        uint64_t first, n_tasks;
        int64_t want;
    } rows[] = {
        {"one", 0, 1, 0},
        {"as many as may be", 0, SC_JOB_MAX_TASKS, 0},
        {"none", 0, 0, SC_EBADARG},
        {"beyond 64 bits", UINT64_MAX - 3, 5, SC_EBADARG},
        {"up to 64 bits", UINT64_MAX - 5, 5, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_fake_array(&f, 1, (uint32_t)i + 1, rows[i].first, rows[i].n_tasks, &(sc_open){0});
        int64_t code = refusal(1);
        cr_expect_eq(code, rows[i].want, "%s: %lld", rows[i].name, (long long)code);
    }
}

Test(jobs, upload_of_a_client_that_leaves_is_dropped)
{
    sc_fake_open(&f, 1, 1, &(sc_open){.priority = 4});
    sc_fake_chunk(&f, 1, 1, &(sc_chunk){.count = 5}, 8);
    m = (sc_message){.type = SC_MSG_BYE};
    sc_fake_say(&f, 1, &m);
    cr_assert_eq(f.n_actions[SC_ACTION_DROP_JOB], 1);
}

Test(jobs, upload_of_a_client_that_falls_silent_is_dropped_later)
{
    sc_fake_open(&f, 1, 1, &(sc_open){.priority = 4});
    sc_fake_pass(&f, f.options.staged_timeout_ms - 1000, 2); // slow, but there
    sc_fake_pass(&f, f.options.staged_timeout_ms, 2);
    cr_assert_eq(f.n_actions[SC_ACTION_DROP_JOB], 0);
    sc_fake_pass(&f, 2 * f.options.staged_timeout_ms, 0);
    cr_assert_eq(f.n_actions[SC_ACTION_DROP_JOB], 1);
}

Test(jobs, a_store_that_refuses_refuses_the_upload)
{
    f.store_status = -28;
    sc_fake_open(&f, 1, 1, &(sc_open){.priority = 4});
    cr_assert_eq(refusal(1), -28);
    cr_assert_eq(f.n_actions[SC_ACTION_DROP_JOB], 1);
}

static uint64_t
read_page(uint32_t order, uint64_t from, bool wait)
{
    sc_message say = {.type = SC_MSG_READ};
    say.read = (sc_read){77, sc_fake_job(1), from, order, 1 << 20, wait};
    sc_fake_say(&f, 1, &say);
    return sc_fake_count(&f, 1, SC_MSG_PAGE);
}

Test(jobs, readers_wait_at_the_first_gap)
{
    sc_message run;
    sc_fake_array(&f, 1, 1, 0, 2, &(sc_open){0});
    cr_assert(sc_fake_take(&f, 2, SC_MSG_RUN, &run) && run.run.count == 2);
    sc_run r = run.run;
    sc_fake_results(&f, 2, &r, 1, 1, SC_DONE, 0, 0); // the second first
    cr_assert_eq(read_page(SC_READ_INDEX, 0, true), 0);
    cr_assert_eq(read_page(SC_READ_INDEX, 0, false), 1);
    cr_assert(sc_fake_take(&f, 1, SC_MSG_PAGE, &m) && m.table.len == 0 && !m.page.is_end);
    cr_assert_eq(read_page(SC_READ_ENDED, 0, true), 1);
    cr_assert(sc_fake_take(&f, 1, SC_MSG_PAGE, &m) && sc_records_count(m.table) == 1);
    sc_fake_results(&f, 2, &r, 0, 1, SC_DONE, 0, 0);
    cr_assert(sc_fake_take(&f, 1, SC_MSG_PAGE, &m), "the one that waited");
    cr_assert(sc_records_count(m.table) == 2 && m.page.is_end && m.page.next == 2);
}

Test(jobs, results_count_once)
{
    sc_message run;
    sc_fake_array(&f, 1, 1, 0, 2, &(sc_open){0});
    cr_assert(sc_fake_take(&f, 2, SC_MSG_RUN, &run));
    sc_run r = run.run, wrong = run.run;
    wrong.token.run++;
    sc_fake_results(&f, 2, &r, 0, 1, SC_DONE, 0, 0);
    sc_fake_results(&f, 2, &r, 0, 1, SC_DONE, 0, 0);
    sc_fake_results(&f, 2, &wrong, 1, 1, SC_DONE, 0, 0);
    sc_cluster counters;
    sc_core_counters(f.core, &counters);
    cr_assert_eq(counters.unknown_results, 2);
    sc_job_info info = sc_fake_ask(&f, 1, 1);
    cr_assert(info.done == 1 && info.running == 1);
}

Test(jobs, failed_attempts)
{
    sc_message run;
    sc_fake_array(&f, 1, 1, 0, 1,
                  &(sc_open){.retries = 2, .backoff_base_ms = 100, .backoff_max_ms = 1000});
    for (uint32_t attempt = 1; attempt <= 3; attempt++) {
        cr_assert(sc_fake_take(&f, 2, SC_MSG_RUN, &run), "attempt %u", attempt);
        cr_assert_eq(run.run.attempt, attempt);
        sc_run r = run.run;
        sc_fake_results(&f, 2, &r, 0, 1, SC_DEAD, SC_RECORD_RETRY, 0);
        sc_fake_pass(&f, 1000, 3);
    }
    cr_assert_eq(sc_fake_count(&f, 2, SC_MSG_RUN), 0);
    sc_job_info info = sc_fake_ask(&f, 1, 1);
    cr_assert(info.state == SC_JOB_FAILED && info.dead == 1);
}

Test(jobs, a_failure_that_is_final_is_not_repeated)
{
    sc_message run;
    sc_fake_array(&f, 1, 1, 0, 1,
                  &(sc_open){.retries = 2, .backoff_base_ms = 1, .backoff_max_ms = 1});
    cr_assert(sc_fake_take(&f, 2, SC_MSG_RUN, &run));
    sc_run r = run.run;
    sc_fake_results(&f, 2, &r, 0, 1, SC_DEAD, 0, 0);
    cr_assert_eq(sc_fake_ask(&f, 1, 1).state, SC_JOB_FAILED);
}

Test(jobs, a_full_store_drops_the_results_of_the_job_that_ended_first)
{
    for (uint32_t job = 1; job <= 3; job++) {
        upload(job, 1, 100, 8);
        while (sc_fake_work(&f, 2, 1000) > 0)
            ;
    }
    sc_cluster counters;
    sc_core_counters(f.core, &counters);
    sc_core_store_limit(f.core, counters.memory_bytes - 1, f.now_ms);
    cr_assert_eq(f.n_actions[SC_ACTION_DROP_RESULTS], 1);
    sc_fake_forget_sent(&f);
    read_page(SC_READ_INDEX, 0, true); // of job 1
    cr_assert(sc_fake_take(&f, 1, SC_MSG_PAGE, &m) && m.page.n_dropped == 100 && m.page.is_end);
}

Test(jobs, a_store_full_of_open_jobs_ends_the_largest)
{
    upload(1, 1, 10, 8);
    upload(2, 3, 100, 100);
    sc_core_store_limit(f.core, 1000, f.now_ms);
    sc_core_turn(f.core, f.now_ms);
    cr_assert_eq(sc_fake_ask(&f, 1, 2).state, SC_JOB_FAILED);
    cr_assert_eq(sc_fake_ask(&f, 1, 2).dead, 300);
    cr_assert_neq(sc_fake_ask(&f, 1, 1).state, SC_JOB_FAILED);
}

Test(jobs, calls)
{
    sc_message run;
    sc_fake_call(&f, 1, 5, "a", 0);
    sc_fake_call(&f, 1, 5, "a", 0); // said again while it runs
    cr_assert_eq(sc_fake_count(&f, 2, SC_MSG_RUN), 1);
    cr_assert(sc_fake_take(&f, 2, SC_MSG_RUN, &run) && run.run.class == SC_CLASS_CALL);
    sc_run r = run.run;
    sc_fake_results(&f, 2, &r, 0, 1, SC_DONE, 0, 0);
    cr_assert(sc_fake_take(&f, 1, SC_MSG_REPLY, &m) && m.reply.request == 5);
    sc_fake_call(&f, 1, 6, "b", 0);
    cr_assert_eq(refusal(1), SC_ENOHANDLER);
    sc_fake_call(&f, 1, 7, "a", 300);
    sc_fake_pass(&f, 400, 3);
    cr_assert_eq(refusal(1), SC_ETIMEOUT);
    cr_assert_eq(sc_fake_count(&f, 2, SC_MSG_RECALL), 1, "its worker is told");
}
