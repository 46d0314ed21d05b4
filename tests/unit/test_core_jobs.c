/* SPDX-License-Identifier: Apache-2.0 */
/* Upload and the bounds of jobs: what may be said again, what is refused with which numbers, who is
 * forgotten when there is no more room. */
#include <stdlib.h>
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
    sc_fake_worker_ready(&f, 2, NULL);
}

static void
stop(void)
{
    sc_fake_stop(&f);
}

// The same with other options.
static void
start_with(uint64_t queue_max_bytes, uint64_t store_max_bytes, uint64_t max_jobs)
{
    memset(&f, 0, sizeof f);
    sc_fake_init(&f);
    f.options.queue_max_bytes = queue_max_bytes;
    f.options.store_max_bytes = store_max_bytes;
    f.options.max_jobs = max_jobs;
    sc_fake_start(&f);
    sc_fake_client(&f, 1);
}

TestSuite(jobs, .init = start, .fini = stop);

static int64_t
refusal(uint64_t link)
{
    sc_message m;
    return sc_fake_take(&f, link, SC_MSG_REFUSED, &m) ? m.refused.code : 0;
}

// The number in the next ACK of a kind, or -1.
static int64_t
acked(uint32_t of)
{
    sc_message m;
    while (sc_fake_take(&f, 1, SC_MSG_ACK, &m))
        if (m.ack.of == of)
            return m.ack.number;
    return -1;
}

static void
chunk(uint32_t job, uint32_t number, uint64_t first, uint32_t count, uint32_t task_bytes)
{
    sc_chunk c = {.number = number, .first = first, .count = count};
    sc_fake_chunk(&f, 1, job, &c, task_bytes);
}

Test(jobs, upload)
{
    sc_fake_open(&f, 1, 1, NULL);
    cr_expect_eq(acked(SC_MSG_OPEN), 0);
    chunk(1, 0, 0, 3, 4);
    cr_expect_eq(acked(SC_MSG_CHUNK), 0);
    chunk(1, 1, 3, 2, 4);
    cr_expect_eq(acked(SC_MSG_CHUNK), 1);
    cr_expect_eq(sc_fake_count(&f, 2, SC_MSG_RUN), 0, "nothing runs before COMMIT");
    sc_fake_commit(&f, 1, 1, 2, 5);
    cr_expect_eq(acked(SC_MSG_COMMIT), 0);
    cr_expect_eq(sc_fake_work(&f, 2, 1000), 5);
    cr_expect_eq(sc_fake_ask(&f, 1, 1).state, SC_JOB_SUCCEEDED);
    cr_expect_eq(sc_model_store_n_chunks(f.store), 0, "payloads are dropped");
}

// Everything said twice has the same answer and changes nothing.
Test(jobs, said_again)
{
    for (int i = 0; i < 2; i++) {
        sc_fake_open(&f, 1, 1, NULL);
        cr_expect_eq(acked(SC_MSG_OPEN), 0, "time %d", i);
    }
    for (int i = 0; i < 2; i++) {
        chunk(1, 0, 0, 3, 4);
        cr_expect_eq(acked(SC_MSG_CHUNK), 0, "time %d", i);
    }
    sc_fake_open(&f, 1, 1, NULL);
    cr_expect_eq(acked(SC_MSG_OPEN), 1, "the next chunk");
    for (int i = 0; i < 2; i++) {
        sc_fake_commit(&f, 1, 1, 1, 3);
        cr_expect_eq(acked(SC_MSG_COMMIT), 0, "time %d", i);
    }
    sc_fake_open(&f, 1, 1, NULL);
    chunk(1, 0, 0, 3, 4);
    cr_expect_eq(acked(SC_MSG_CHUNK), 0, "of an open job");
    cr_expect_eq(sc_fake_work(&f, 2, 1000), 3);
    sc_fake_commit(&f, 1, 1, 1, 3);
    cr_expect_eq(acked(SC_MSG_COMMIT), 0, "of an ended job");
    cr_expect_eq(sc_fake_ask(&f, 1, 1).done, 3);
    for (int i = 0; i < 2; i++) {
        sc_fake_array(&f, 1, 2, 0, 2, NULL);
        cr_expect_eq(acked(SC_MSG_OPEN), 0, "array, time %d", i);
    }
    cr_expect_eq(sc_fake_work(&f, 2, 1000), 2);
}

Test(jobs, open_is_refused)
{
    static const struct {
        const char *name;
        const char *handler, *queue;
        uint64_t first, n_tasks;
        int64_t want;
    } rows[] = {
        {"good", "a", "", 0, 1, 0},
        {"good, named queue", "a", "default", 0, 1, 0},
        {"largest", "a", "", 5, (uint64_t)1 << 31, 0},
        {"no handler", "b", "", 0, 1, SC_ENOHANDLER},
        {"no queue", "a", "other", 0, 1, SC_EQUEUE},
        {"no tasks", "a", "", 0, 0, SC_EBADARG},
        {"up to 64 bits", "a", "", UINT64_MAX - 5, 5, 0},
        {"beyond 64 bits", "a", "", UINT64_MAX - 3, 5, SC_EBADARG},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_open spec = {.handler = sc_text_of(rows[i].handler), .queue = sc_text_of(rows[i].queue)};
        stop();
        start();
        sc_fake_array(&f, 1, 1, rows[i].first, rows[i].n_tasks, &spec);
        int64_t code = refusal(1);
        cr_expect_eq(code, rows[i].want, "%s: %lld", rows[i].name, (long long)code);
        cr_expect_eq(acked(SC_MSG_OPEN) == 0, rows[i].want == 0, "%s", rows[i].name);
    }
}

// With those that are offered: of other workers too, and no more once these have left.
Test(jobs, unknown_handler_is_refused_with_those_that_exist)
{
    static const char *const wants[] = {": a, c", ": a", "with `seedcore-worker`"};
    sc_open spec = {.handler = sc_text_of("b")};
    sc_fake_worker_ready(&f, 3, &(sc_fake_worker){.handlers = "c"});
    for (uint32_t i = 0; i < 3; i++) {
        char text[300];
        sc_message m;
        sc_fake_array(&f, 1, 1 + i, 0, 5, &spec);
        cr_assert(sc_fake_take(&f, 1, SC_MSG_REFUSED, &m));
        sc_text_copy(m.refused.text, text, sizeof text);
        cr_expect_str_eq(text + strlen(text) - strlen(wants[i]), wants[i], "%s", text);
        sc_fake_say(&f, 3 - i, &(sc_message){.type = SC_MSG_BYE});
    }
}

// A run carries all pieces at once, and must fit a message.
Test(jobs, pieces_of_an_array_fit_a_message)
{
    static const struct {
        const char *name;
        uint32_t lens[2];
        int64_t want;
    } rows[] = {
        {"one task's worth", {SC_TASK_MAX_BYTES - 1, 1}, 0},
        {"a byte more", {SC_TASK_MAX_BYTES, 1}, SC_EBADARG},
    };
    char *bytes = calloc(1, SC_TASK_MAX_BYTES + 1);
    stop();
    start_with(1 << 26, 1 << 26, 10);
    sc_fake_worker_ready(&f, 2, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_message m = {.type = SC_MSG_OPEN,
                        .table = sc_slice_borrow(rows[i].lens, sizeof rows[i].lens),
                        .bytes = sc_slice_borrow(bytes, rows[i].lens[0] + rows[i].lens[1])};
        m.open = (sc_open){.job = sc_fake_job((uint32_t)i + 1),
                           .handler = sc_text_of("a"),
                           .is_array = true,
                           .n_tasks = 1};
        sc_fake_say(&f, 1, &m);
        cr_expect_eq(refusal(1), rows[i].want, "%s", rows[i].name);
    }
    free(bytes);
}

Test(jobs, ids)
{
    sc_message m = {.type = SC_MSG_OPEN, .open = {.request = 9, .handler = sc_text_of("a")}};
    sc_fake_say(&f, 1, &m);
    cr_expect_eq(refusal(1), SC_EBADARG, "the nil id");
    sc_fake_client(&f, 3);
    sc_fake_open(&f, 1, 1, NULL);
    sc_fake_open(&f, 3, 1, NULL);
    cr_expect_eq(refusal(3), SC_ESTATE, "another client's");
    sc_chunk c = {.count = 1};
    sc_fake_chunk(&f, 3, 1, &c, 1);
    cr_expect_eq(refusal(3), SC_ENOJOB, "another client's");
    sc_fake_commit(&f, 3, 1, 0, 0);
    cr_expect_eq(refusal(3), SC_ENOJOB, "another client's");
}

// An upload that breaks the rules is gone, and so is what it held.
Test(jobs, chunk_is_refused)
{
    static const struct {
        const char *name;
        uint32_t number;
        uint64_t first;
        uint32_t count, task_bytes;
        int64_t want;
    } rows[] = {
        {"good", 1, 2, 1, 1, 0},
        {"a gap in the numbers", 2, 2, 1, 1, SC_ESTATE},
        {"a gap in the indexes", 1, 3, 1, 1, SC_ESTATE},
        {"no tasks", 1, 2, 0, 1, SC_EMALFORMED},
        {"several tasks of too many bytes", 1, 2, 2, 140000, SC_ETOOLARGE},
        {"one large task", 1, 2, 1, 300000, 0},
        {"beyond the bound", 1, 2, 1, 1 << 20, SC_ELIMIT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stop();
        start();
        sc_fake_open(&f, 1, 1, NULL);
        chunk(1, 0, 0, 2, 1);
        sc_fake_forget_sent(&f);
        chunk(1, rows[i].number, rows[i].first, rows[i].count, rows[i].task_bytes);
        int64_t code = refusal(1);
        cr_expect_eq(code, rows[i].want, "%s: %lld", rows[i].name, (long long)code);
        cr_expect_eq(sc_model_store_n_chunks(f.store), rows[i].want ? 0 : 2, "%s", rows[i].name);
        sc_cluster c;
        sc_core_counters(f.core, &c);
        cr_expect_eq(c.memory_bytes > 0, rows[i].want == 0, "%s", rows[i].name);
    }
}

Test(jobs, commit_is_refused)
{
    static const struct {
        const char *name;
        uint32_t n_chunks;
        uint64_t n_tasks;
        bool is_empty;
        int64_t want;
    } rows[] = {
        {"good", 1, 3, false, 0},
        {"fewer chunks are here", 2, 3, false, SC_ESTATE},
        {"fewer tasks", 1, 4, false, SC_ESTATE},
        {"nothing at all", 0, 0, true, SC_ESTATE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stop();
        start();
        sc_fake_open(&f, 1, 1, NULL);
        if (!rows[i].is_empty)
            chunk(1, 0, 0, 3, 1);
        sc_fake_commit(&f, 1, 1, rows[i].n_chunks, rows[i].n_tasks);
        int64_t code = refusal(1);
        cr_expect_eq(code, rows[i].want, "%s: %lld", rows[i].name, (long long)code);
    }
    sc_fake_commit(&f, 1, 77, 1, 1);
    cr_expect_eq(refusal(1), SC_ENOJOB);
}

Test(jobs, bound_is_named)
{
    stop();
    start_with(1000, 1 << 20, 8);
    sc_fake_worker_ready(&f, 2, NULL);
    sc_fake_open(&f, 1, 1, NULL);
    chunk(1, 0, 0, 1, 900);
    sc_fake_open(&f, 1, 2, NULL);
    chunk(2, 0, 0, 1, 200);
    sc_message m;
    cr_assert(sc_fake_take(&f, 1, SC_MSG_REFUSED, &m));
    cr_expect_eq(m.refused.code, SC_ELIMIT);
    char text[500];
    sc_text_copy(m.refused.text, text, sizeof text);
    cr_expect(strstr(text, "904") && strstr(text, "1000") && strstr(text, "204"), "%s", text);
    sc_fake_array(&f, 1, 3, 0, 1, NULL);
    cr_expect_eq(refusal(1), 0, "small ones still fit");
    sc_fake_open(&f, 1, 4, NULL);
    chunk(4, 0, 0, 1, 81); // 904 + 11 + 85
    cr_expect_eq(refusal(1), 0, "up to the bound");
    sc_fake_array(&f, 1, 5, 0, 1, NULL);
    cr_expect_eq(refusal(1), SC_ELIMIT, "and arguments of arrays no further");
}

// What the store has no room for is not taken, rather than taken and given up; results of ended
// jobs make room. A disk that was full and has room again leaves what the options allow.
Test(jobs, store_is_full)
{
    static const struct {
        const char *name;
        uint32_t task_bytes; // of the chunk that is offered
        bool has_ended;      // the job whose payload or result is there
        int64_t want;
    } rows[] = {
        {"room beside an open job", 300, false, 0},
        {"no room beside an open job", 900, false, SC_ESTOREFULL},
        {"room instead of results", 900, true, 0},
        {"more than there is", 1100, true, SC_ESTOREFULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stop();
        start_with(1 << 20, 1000, 10);
        sc_core_store_limit(f.core, 10, f.now_ms);
        sc_core_store_limit(f.core, UINT64_MAX, f.now_ms);
        sc_fake_worker_ready(&f, 2, NULL);
        sc_fake_say(&f, 2, &(sc_message){.type = SC_MSG_BYE});
        sc_fake_open(&f, 1, 1, NULL);
        chunk(1, 0, 0, 1, 300);
        sc_fake_commit(&f, 1, 1, 1, 1);
        if (rows[i].has_ended) {
            sc_fake_worker_ready(&f, 2, NULL);
            cr_assert_eq(sc_fake_work(&f, 2, 100), 1);
        }
        sc_fake_open(&f, 1, 2, NULL);
        sc_fake_forget_sent(&f);
        chunk(2, 0, 0, 1, rows[i].task_bytes);
        cr_expect_eq(refusal(1), rows[i].want, "%s", rows[i].name);
        cr_expect_eq(acked(SC_MSG_CHUNK) == 0, rows[i].want == 0, "%s", rows[i].name);
        sc_job_info first = sc_fake_ask(&f, 1, 1);
        cr_expect_eq(first.dead, 0, "%s", rows[i].name);
    }
}

Test(jobs, client_leaves)
{
    static const struct {
        const char *name;
        sc_message_type says; // 0: nothing
        uint64_t from;        // link
        int64_t pass_ms;
        bool want_gone;
    } rows[] = {
        {"BYE", SC_MSG_BYE, 1, 0, true},
        {"DROP", SC_MSG_DROP, 1, 0, true},
        {"BYE of another", SC_MSG_BYE, 3, 0, false},
        {"DROP of another", SC_MSG_DROP, 3, 0, false},
        {"silent, not yet", 0, 1, 59000, false},
        {"silent", 0, 1, 61000, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stop();
        start();
        sc_fake_open(&f, 1, 1, NULL);
        chunk(1, 0, 0, 2, 1);
        sc_fake_client(&f, 3);
        sc_message m = {.type = rows[i].says};
        if (rows[i].says == SC_MSG_DROP)
            m.drop.job = sc_fake_job(1);
        if (rows[i].says)
            sc_fake_say(&f, rows[i].from, &m);
        sc_fake_pass(&f, rows[i].pass_ms, 0);
        cr_expect_eq(sc_model_store_n_chunks(f.store), rows[i].want_gone ? 0 : 1, "%s",
                     rows[i].name);
    }
}

Test(jobs, silence_counts_from_the_last_chunk)
{
    sc_fake_open(&f, 1, 1, NULL);
    sc_fake_pass(&f, 40000, 3);
    chunk(1, 0, 0, 2, 1);
    sc_fake_pass(&f, 50000, 0);
    cr_expect_eq(sc_model_store_n_chunks(f.store), 1);
    sc_fake_pass(&f, 11000, 0);
    cr_expect_eq(sc_model_store_n_chunks(f.store), 0);
}

// And from when the silence began, not from whatever was said last before.
Test(jobs, idle_upload_survives_a_short_silence)
{
    sc_fake_open(&f, 1, 1, NULL);
    chunk(1, 0, 0, 1, 1);
    sc_fake_pass(&f, 59000, 3);
    sc_fake_pass(&f, 5000, 0);
    sc_fake_forget_sent(&f);
    sc_fake_client(&f, 1);
    chunk(1, 1, 1, 1, 1);
    cr_expect_eq(acked(SC_MSG_CHUNK), 1);
}

Test(jobs, slow_client_is_not_silent)
{
    sc_fake_open(&f, 1, 1, NULL);
    sc_fake_pass(&f, 130000, 3);
    chunk(1, 0, 0, 1, 1);
    cr_expect_eq(acked(SC_MSG_CHUNK), 0);
}

/* ---- a store that answers in any order ---- */

Test(jobs, chunks_stored_in_another_order)
{
    sc_fake_open(&f, 1, 1, NULL);
    sc_fake_forget_sent(&f);
    f.holds_answers = true;
    chunk(1, 0, 0, 1, 1);
    chunk(1, 1, 1, 1, 1);
    chunk(1, 1, 1, 1, 1);
    sc_fake_commit(&f, 1, 1, 2, 2);
    sc_fake_answer(&f, 1);
    cr_expect_eq(sc_fake_count(&f, 1, SC_MSG_ACK), 0, "an ACK is for all before it too");
    sc_fake_answer(&f, 1);
    cr_expect_eq(sc_fake_count(&f, 1, SC_MSG_ACK), 0, "not before its chunks are stored");
    cr_expect_eq(sc_fake_ask(&f, 1, 1).state, SC_N_JOB_STATES, "still staged");
    sc_fake_answer(&f, 0);
    cr_expect_eq(acked(SC_MSG_CHUNK), 1);
    cr_expect_eq(acked(SC_MSG_COMMIT), 0);
}

Test(jobs, chunk_behind_its_commit)
{
    sc_fake_open(&f, 1, 1, NULL);
    f.holds_answers = true;
    chunk(1, 0, 0, 1, 1);
    sc_fake_commit(&f, 1, 1, 1, 1);
    chunk(1, 1, 1, 1, 1);
    cr_expect_eq(refusal(1), SC_ESTATE);
}

Test(jobs, store_fails)
{
    static const struct {
        const char *name;
        int which; // OPEN, CHUNK, COMMIT
    } rows[] = {{"OPEN", 0}, {"CHUNK", 1}, {"COMMIT", 2}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stop();
        start();
        f.store_status = rows[i].which == 0 ? SC_ESTOREFULL : 0;
        sc_fake_open(&f, 1, 1, NULL);
        f.store_status = rows[i].which == 1 ? SC_ESTOREFULL : 0;
        if (rows[i].which >= 1)
            chunk(1, 0, 0, 1, 1);
        f.store_status = rows[i].which == 2 ? SC_ESTOREFULL : 0;
        if (rows[i].which >= 2)
            sc_fake_commit(&f, 1, 1, 1, 1);
        cr_expect_eq(refusal(1), SC_ESTOREFULL, "%s", rows[i].name);
        cr_expect_eq(sc_model_store_bytes(f.store), 0, "%s", rows[i].name);
        cr_expect_eq(sc_fake_count(&f, 2, SC_MSG_RUN), 0, "%s", rows[i].name);
    }
}

// An answer for an upload that was dropped must not touch the next one of the same id.
Test(jobs, late_answer_of_a_dropped_upload)
{
    sc_message drop = {.type = SC_MSG_DROP, .drop = {sc_fake_job(1)}};
    sc_fake_open(&f, 1, 1, NULL);
    f.holds_answers = true;
    chunk(1, 0, 0, 2, 1);
    sc_fake_commit(&f, 1, 1, 1, 2);
    sc_fake_say(&f, 1, &drop);
    sc_fake_open(&f, 1, 1, NULL);
    sc_fake_answer(&f, 2);
    sc_fake_forget_sent(&f);
    sc_fake_answer(&f, 0);
    sc_fake_answer(&f, 0);
    cr_expect_eq(sc_fake_count(&f, 1, SC_MSG_ACK), 0);
    cr_expect_eq(sc_fake_ask(&f, 1, 1).state, SC_N_JOB_STATES, "it is not open");
}

/* ---- forgetting ---- */

Test(jobs, the_first_ended_is_forgotten)
{
    stop();
    start_with(1 << 20, 1 << 20, 3);
    sc_fake_worker_ready(&f, 2, NULL);
    for (uint32_t i = 1; i <= 3; i++)
        sc_fake_array(&f, 1, i, 0, 1, NULL);
    sc_fake_array(&f, 1, 4, 0, 1, NULL);
    cr_expect_eq(refusal(1), SC_ELIMIT, "all are open");
    sc_message m;
    cr_assert(sc_fake_take(&f, 2, SC_MSG_RUN, &m));
    sc_run first = m.run;
    cr_assert(sc_fake_take(&f, 2, SC_MSG_RUN, &m));
    sc_run second = m.run;
    sc_fake_results(&f, 2, &second, 0, 1, SC_DONE, 0, 1000);
    sc_fake_results(&f, 2, &first, 0, 1, SC_DONE, 0, 1000);
    sc_fake_array(&f, 1, 4, 0, 1, NULL);
    cr_expect_eq(sc_fake_ask(&f, 1, 2).state, SC_N_JOB_STATES, "the second ended first");
    cr_expect_eq(sc_fake_ask(&f, 1, 1).state, SC_JOB_SUCCEEDED);
    sc_core_store_limit(f.core, 1, f.now_ms);
    sc_core_check(f.core);
    sc_uuid kept = sc_fake_job(1);
    cr_expect_null(sc_model_store_find(f.store, &kept, 0), "the next whose results go");
}

Test(jobs, results_are_dropped_in_the_order_of_ends)
{
    stop();
    start_with(1 << 20, 250, 8);
    sc_fake_worker_ready(&f, 2, NULL);
    for (uint32_t i = 1; i <= 3; i++) {
        sc_fake_array(&f, 1, i, 0, 4, NULL); // results of 4 tasks: 80 bytes; arguments: 11
        sc_fake_work(&f, 2, 1000);
    }
    cr_expect_eq(f.n_actions[SC_ACTION_DROP_RESULTS], 0);
    sc_fake_array(&f, 1, 4, 0, 4, NULL);
    cr_expect_eq(f.n_actions[SC_ACTION_DROP_RESULTS], 1);
    sc_uuid first = sc_fake_job(1), second = sc_fake_job(2);
    cr_expect_null(sc_model_store_find(f.store, &first, 0));
    cr_expect_not_null(sc_model_store_find(f.store, &second, 0));
}

Test(jobs, the_largest_open_job_gives_up)
{
    stop();
    start_with(1 << 20, 1000, 8);
    sc_fake_worker one = {.slots_async = 6, .handlers = "a b"};
    sc_fake_worker_ready(&f, 2, &one);
    sc_open b = {.handler = sc_text_of("b")};
    sc_fake_open(&f, 1, 1, NULL);
    chunk(1, 0, 0, 4, 50);
    sc_fake_commit(&f, 1, 1, 1, 4);
    sc_fake_open(&f, 1, 2, &b);
    chunk(2, 0, 0, 5, 100);
    sc_fake_commit(&f, 1, 2, 1, 5);
    sc_fake_forget_sent(&f);
    sc_core_store_limit(f.core, 600, f.now_ms);
    sc_core_check(f.core);
    sc_job_info small = sc_fake_ask(&f, 1, 1), large = sc_fake_ask(&f, 1, 2);
    cr_expect_eq(small.state, SC_JOB_RUNNING);
    cr_expect_eq(large.state, SC_JOB_FAILED);
    cr_expect_eq(large.dead, 5);
    cr_expect_geq(sc_fake_count(&f, 2, SC_MSG_RECALL), 1, "its worker is told");
    cr_expect_eq(sc_model_store_n_chunks(f.store), 1, "payloads that were never handed out go too");
}

// Whatever its tasks were doing: running, delayed, never handed out.
Test(jobs, a_job_that_gives_up_ends_whole)
{
    sc_open spec = {.retries = 9, .backoff_base_ms = 1000, .backoff_max_ms = 1000};
    sc_message m;
    sc_fake_array(&f, 1, 1, 0, 5, &spec);
    cr_assert(sc_fake_take(&f, 2, SC_MSG_RUN, &m));
    sc_run run = m.run;
    sc_fake_results(&f, 2, &run, 1, 1, SC_DEAD, SC_RECORD_RETRY, 1000);
    cr_assert_eq(sc_fake_ask(&f, 1, 1).delayed, 1);
    sc_fake_forget_sent(&f);
    sc_core_store_limit(f.core, 1, f.now_ms);
    sc_core_check(f.core);
    sc_job_info info = sc_fake_ask(&f, 1, 1);
    cr_expect(info.state == SC_JOB_FAILED && info.dead == 5, "%d dead", (int)info.dead);
    cr_expect(info.delayed == 0 && info.queued == 0 && info.running == 0);
    sc_fake_pass(&f, 1100, 3);
    cr_expect_eq(sc_fake_count(&f, 2, SC_MSG_RUN), 0, "nothing of it runs again");
}

// Who waits for a job that is forgotten gets an answer.
Test(jobs, forgotten_under_a_reader)
{
    stop();
    start_with(1 << 20, 1 << 20, 1);
    sc_fake_worker_ready(&f, 2, NULL);
    sc_fake_array(&f, 1, 1, 0, 1, NULL);
    sc_message m = {.type = SC_MSG_READ};
    m.read = (sc_read){.request = 5, .job = sc_fake_job(1), .order = SC_READ_ENDED, .wait = true};
    sc_fake_say(&f, 1, &m);
    // the result, the end of the job and the OPEN that makes it go, all in one turn
    static const uint32_t lens[] = {1, 1};
    sc_message run;
    cr_assert(sc_fake_take(&f, 2, SC_MSG_RUN, &run));
    sc_record record = {.attempt = 1};
    m = (sc_message){.type = SC_MSG_RESULTS};
    m.results = (sc_results){.number = 1, .job = run.run.job, .token = run.run.token};
    m.table = sc_slice_borrow(&record, sizeof record);
    sc_core_message(f.core, 2, &m, f.now_ms);
    m = (sc_message){.type = SC_MSG_OPEN};
    m.open = (sc_open){.request = 6,
                       .job = sc_fake_job(2),
                       .handler = sc_text_of("a"),
                       .is_array = true,
                       .n_tasks = 1};
    m.table = sc_slice_borrow(lens, sizeof lens);
    m.bytes = sc_slice_borrow("ab", 2);
    sc_core_message(f.core, 1, &m, f.now_ms);
    sc_core_turn(f.core, f.now_ms);
    cr_expect_eq(refusal(1), SC_ENOJOB);
}
