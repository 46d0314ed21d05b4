/* SPDX-License-Identifier: Apache-2.0 */
/* Ended jobs that are tried again: what comes back, what is refused, and what is there when the
 * coordinator dies in between. */
#include <string.h>

#include <criterion/criterion.h>

#include "tests/support/fake_core.h"

enum { CLIENT = 1, WORKER = 2, OTHER = 3, N = 6 };
static const int64_t MS = 1000000;

static const sc_open durable = {.is_durable = true, .priority = 5};

static void
begin(sc_fake *f, const char *handlers)
{
    sc_fake_init(f);
    sc_fake_start(f);
    sc_fake_client(f, CLIENT);
    sc_fake_worker_ready(f, WORKER, &(sc_fake_worker){.handlers = handlers, .slots_async = 64});
    sc_fake_forget_sent(f);
}

static void
retry(sc_fake *f, uint64_t request, uint32_t job, bool is_dead_only)
{
    sc_message m = {.type = SC_MSG_RETRY};
    m.retry = (sc_retry){request, sc_fake_job(job), is_dead_only};
    sc_fake_say(f, CLIENT, &m);
}

static void
cancel(sc_fake *f, uint64_t first, uint64_t count)
{
    sc_message m = {.type = SC_MSG_CANCEL};
    m.cancel = (sc_cancel){99, sc_fake_job(1), first, count};
    sc_fake_say(f, CLIENT, &m);
}

// All that the worker gets: those of these places end dead, the others done.
static uint64_t
work(sc_fake *f, uint64_t dead_from, uint64_t dead_until)
{
    sc_message m;
    uint64_t n = 0;
    while (sc_fake_take(f, WORKER, SC_MSG_RUN, &m)) {
        sc_run run = m.run;
        cr_expect_eq(run.attempt, 1);
        for (uint32_t i = 0; i < run.count; i++, n++) {
            bool is_dead = run.first + i >= dead_from && run.first + i < dead_until;
            sc_fake_results(f, WORKER, &run, i, 1, is_dead ? SC_DEAD : SC_DONE, 0, MS);
        }
    }
    return n;
}

// Places 0 and 1 are done, 2 and 3 dead, the others cancelled.
static void
fail_some(sc_fake *f)
{
    sc_message m;
    cancel(f, 4, 2);
    while (sc_fake_take(f, WORKER, SC_MSG_RUN, &m)) {
        sc_run run = m.run;
        for (uint32_t i = 0; i < run.count; i++) {
            uint64_t place = run.first + i;
            sc_outcome outcome = place < 2 ? SC_DONE : place < 4 ? SC_DEAD : SC_CANCELLED;
            sc_fake_results(f, WORKER, &run, i, 1, outcome, 0, MS);
        }
    }
}

// An upload of six in chunks of two: 0 and 1 done, 2 and 3 dead, 4 and 5 cancelled.
static void
failed_upload(sc_fake *f, const sc_open *spec)
{
    sc_fake_open(f, CLIENT, 1, spec);
    for (uint32_t k = 0; k < 3; k++)
        sc_fake_chunk(f, CLIENT, 1, &(sc_chunk){.number = k, .first = k * 2ul, .count = 2}, 10);
    sc_fake_forget_sent(f);
    sc_fake_commit(f, CLIENT, 1, 3, N);
    fail_some(f);
    sc_fake_forget_sent(f);
    if (f->holds_writes)
        sc_fake_written(f, f->n_writes);
}

static void
expect_counts(sc_fake *f, const char *name, sc_job_state state, uint64_t done, uint64_t dead,
              uint64_t cancelled)
{
    sc_message m;
    while (sc_fake_take(f, CLIENT, SC_MSG_JOBS, &m)) // answers to others
        continue;
    sc_job_info info = sc_fake_ask(f, CLIENT, 1);
    cr_expect(info.state == (uint32_t)state && info.done == done && info.dead == dead &&
                  info.cancelled == cancelled && info.total == N,
              "%s: state %d, %d done, %d dead, %d cancelled", name, (int)info.state, (int)info.done,
              (int)info.dead, (int)info.cancelled);
}

static int64_t
refused(sc_fake *f, const char *part)
{
    sc_message m;
    if (!sc_fake_take(f, CLIENT, SC_MSG_REFUSED, &m))
        return 0;
    cr_expect(memmem(m.refused.text.data, m.refused.text.len, part, strlen(part)), "%.*s",
              (int)m.refused.text.len, m.refused.text.data);
    return m.refused.code;
}

Test(core_retry, what_has_failed_is_tried_again)
{
    static const struct {
        const char *name;
        bool is_dead_only;
        sc_job_state state;
        uint64_t n_again, cancelled, n_chunks;
    } rows[] = {{"all", false, SC_JOB_SUCCEEDED, 4, 0, 0},
                {"dead ones", true, SC_JOB_CANCELLED, 2, 2, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_fake f;
        sc_message m;
        begin(&f, "a");
        failed_upload(&f, &durable);
        expect_counts(&f, rows[i].name, SC_JOB_CANCELLED, 2, 2, 2);
        cr_expect_eq(sc_model_store_n_chunks(f.store), 2, "payload of failed tasks is kept");
        retry(&f, 5, 1, rows[i].is_dead_only);
        cr_assert(sc_fake_take(&f, CLIENT, SC_MSG_JOBS, &m), "%s", rows[i].name);
        const sc_job_info *info = m.jobs.jobs.items;
        cr_expect(info->state == SC_JOB_RUNNING && info->dead == 0 && info->ended_at == 0);
        sc_fake_pass(&f, 1, 3);
        uint64_t n = 0, some;
        while ((some = work(&f, 0, 0)) > 0)
            n += some;
        cr_expect_eq(n, rows[i].n_again, "%s: %d", rows[i].name, (int)n);
        expect_counts(&f, rows[i].name, rows[i].state, N - rows[i].cancelled, 0, rows[i].cancelled);
        cr_expect_eq(sc_model_store_n_chunks(f.store), rows[i].n_chunks, "%s", rows[i].name);
        cr_expect_eq(sc_model_store_n_twice(f.store), 0);
        sc_fake_stop(&f);
    }
}

// As `work`, with a message for what comes before, is dead and comes behind.
static uint64_t
work_much(sc_fake *f, uint64_t dead_from, uint64_t dead_until)
{
    sc_message m;
    uint64_t n = 0;
    while (sc_fake_take(f, WORKER, SC_MSG_RUN, &m)) {
        sc_run run = m.run;
        for (uint32_t i = 0, k; i < run.count; i += k) {
            uint64_t at = run.first + i;
            bool is_dead = at >= dead_from && at < dead_until;
            uint64_t until = is_dead ? dead_until : at < dead_from ? dead_from : UINT64_MAX;
            k = until - at < run.count - i ? (uint32_t)(until - at) : run.count - i;
            sc_fake_results(f, WORKER, &run, i, k, is_dead ? SC_DEAD : SC_DONE, 0, MS);
        }
        n += run.count;
    }
    return n;
}

// What has ended lies over several chunks, before and behind what is tried again.
Test(core_retry, over_chunks)
{
    static const struct {
        uint64_t n, from, until; // those are dead
    } rows[] = {{2500, 1063, 1065}, {2500, 64, 128},   {3000, 999, 1001}, {3000, 0, 1},
                {2100, 2099, 2100}, {4000, 500, 3500}, {2500, 1, 2499}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_fake f;
        uint64_t n = 0, some;
        begin(&f, "a");
        sc_fake_array(&f, CLIENT, 1, 0, rows[i].n, &durable);
        while (work_much(&f, rows[i].from, rows[i].until) > 0)
            continue;
        sc_fake_forget_sent(&f);
        retry(&f, 5, 1, false);
        while ((some = work_much(&f, 0, 0)) > 0)
            n += some;
        cr_expect_eq(n, rows[i].until - rows[i].from, "row %zu: %d again", i, (int)n);
        sc_fake_forget_sent(&f);
        sc_job_info info = sc_fake_ask(&f, CLIENT, 1);
        cr_expect(info.state == SC_JOB_SUCCEEDED && info.done == rows[i].n, "row %zu: %d", i,
                  (int)info.done);
        cr_expect_eq(sc_model_store_n_twice(f.store), 0);
        sc_fake_stop(&f);
    }
}

// Said again, it changes nothing: its answer may have been lost.
Test(core_retry, said_again)
{
    sc_fake f;
    begin(&f, "a");
    failed_upload(&f, &durable);
    retry(&f, 5, 1, false);
    retry(&f, 5, 1, false);
    cr_expect_eq(sc_fake_count(&f, CLIENT, SC_MSG_JOBS), 2);
    while (work(&f, 2, 3) > 0) // one of them dies again
        continue;
    expect_counts(&f, "again", SC_JOB_FAILED, 5, 1, 0);
    retry(&f, 5, 1, false);
    expect_counts(&f, "the same request", SC_JOB_FAILED, 5, 1, 0);
    retry(&f, 6, 1, false);
    expect_counts(&f, "another", SC_JOB_RUNNING, 5, 0, 0);
    while (work(&f, 0, 0) > 0)
        continue;
    expect_counts(&f, "at last", SC_JOB_SUCCEEDED, 6, 0, 0);
    sc_fake_forget_sent(&f);
    retry(&f, 7, 1, false);
    cr_expect_eq(sc_fake_count(&f, CLIENT, SC_MSG_JOBS), 1, "nothing is left of it to do");
    sc_fake_stop(&f);
}

Test(core_retry, two_at_once)
{
    sc_fake f;
    begin(&f, "a");
    failed_upload(&f, &durable);
    f.holds_answers = true;
    retry(&f, 5, 1, false);
    retry(&f, 6, 1, false);
    cr_expect_eq(f.n_actions[SC_ACTION_GET_TASKS], 1, "the journal is asked once");
    retry(&f, 7, 1, true);
    cr_expect_eq(refused(&f, "about to be tried again"), SC_ESTATE);
    f.holds_answers = false;
    sc_fake_answer(&f, 0);
    cr_expect_eq(sc_fake_count(&f, CLIENT, SC_MSG_JOBS), 2);
    sc_fake_stop(&f);
}

Test(core_retry, refusals)
{
    sc_fake f;
    begin(&f, "a");
    retry(&f, 1, 1, false);
    cr_expect_eq(refused(&f, "no such job"), SC_ENOJOB);
    sc_fake_array(&f, CLIENT, 2, 0, 4, NULL);
    retry(&f, 2, 2, false);
    cr_expect_eq(refused(&f, "not ended"), SC_ESTATE);
    while (work(&f, 0, 2) > 0)
        continue;
    retry(&f, 3, 2, false);
    cr_expect_eq(refused(&f, "volatile"), SC_ESTATE);
    sc_fake_array(&f, CLIENT, 3, 0, 2, &durable);
    while (work(&f, 9, 9) > 0)
        continue;
    retry(&f, 4, 3, false);
    cr_expect_eq(refused(&f, "nothing to try again"), SC_ESTATE);
    failed_upload(&f, &durable);
    sc_core_trouble(f.core, "the disk is full", f.now_ms);
    retry(&f, 5, 1, false);
    cr_expect_eq(refused(&f, "the disk is full"), SC_EJOURNAL);
    sc_core_trouble(f.core, NULL, f.now_ms);
    f.store_status = -5;
    retry(&f, 6, 1, false);
    cr_expect_eq(refused(&f, "cannot be tried again"), -5);
    expect_counts(&f, "refused", SC_JOB_CANCELLED, 2, 2, 2);
    f.store_status = 0;
    f.holds_answers = true;
    retry(&f, 7, 1, false);
    sc_core_trouble(f.core, "the disk is full", f.now_ms);
    f.holds_answers = false;
    sc_fake_answer(&f, 0);
    cr_expect_eq(refused(&f, "cannot be tried again"), SC_EJOURNAL);
    expect_counts(&f, "in trouble", SC_JOB_CANCELLED, 2, 2, 2);
    sc_fake_stop(&f);
}

// A bound is said with its number and with what to do; the job is as it was.
Test(core_retry, too_scattered)
{
    sc_fake f;
    begin(&f, "a");
    failed_upload(&f, &durable);
    f.store_status = SC_ELIMIT;
    retry(&f, 5, 1, false);
    cr_expect_eq(refused(&f, "too scattered among the others (at most 1048576 stretches of those, "
                             "over at most 65536 chunks of 1000 tasks); submit them again"),
                 SC_ELIMIT);
    expect_counts(&f, "refused", SC_JOB_CANCELLED, 2, 2, 2);
    f.store_status = 0;
    retry(&f, 6, 1, false);
    expect_counts(&f, "again", SC_JOB_RUNNING, 2, 0, 0);
    sc_fake_stop(&f);
}

Test(core_retry, no_room_in_the_queue)
{
    sc_fake f;
    sc_fake_init(&f);
    f.options.queue_max_bytes = 100;
    sc_fake_start(&f);
    sc_fake_client(&f, CLIENT);
    sc_fake_worker_ready(&f, WORKER, &(sc_fake_worker){.slots_async = 64});
    failed_upload(&f, &durable);
    sc_fake_say(&f, WORKER, &(sc_message){.type = SC_MSG_BYE});
    sc_fake_open(&f, CLIENT, 2, &durable);
    for (uint32_t k = 0; k < 2; k++)
        sc_fake_chunk(&f, CLIENT, 2, &(sc_chunk){.number = k, .first = k * 2ul, .count = 2}, 10);
    sc_fake_commit(&f, CLIENT, 2, 2, 4);
    sc_fake_forget_sent(&f);
    retry(&f, 5, 1, false);
    cr_expect_eq(refused(&f, "no room for its payload (56 of 100 bytes wait)"), SC_ELIMIT);
    expect_counts(&f, "refused", SC_JOB_CANCELLED, 2, 2, 2);
    sc_fake_stop(&f);
}

// Its time is over while the journal is asked: it is kept.
Test(core_retry, kept_meanwhile)
{
    sc_fake f;
    sc_fake_init(&f);
    f.options.retention_ms = 1000;
    sc_fake_start(&f);
    sc_fake_client(&f, CLIENT);
    sc_fake_worker_ready(&f, WORKER, &(sc_fake_worker){.slots_async = 64});
    failed_upload(&f, &durable);
    f.holds_answers = true;
    retry(&f, 5, 1, false);
    sc_fake_pass(&f, 1100, 3);
    cr_expect_eq(sc_fake_count(&f, CLIENT, SC_MSG_REFUSED), 0);
    f.holds_answers = false;
    sc_fake_answer(&f, 0);
    cr_expect_gt(sc_fake_count(&f, WORKER, SC_MSG_RUN), 0);
    sc_fake_stop(&f);
}

// The coordinator dies after so many of the writes: the job has ended, or is tried again, and then
// each task of it ends once.
Test(core_retry, restarts)
{
    for (int is_array = 0; is_array < 2; is_array++)
        for (uint64_t back = 0;; back++) {
            sc_fake f;
            begin(&f, "a");
            f.holds_writes = true;
            if (is_array) {
                sc_fake_array(&f, CLIENT, 1, 0, N, &durable);
                sc_fake_written(&f, f.n_writes);
                fail_some(&f);
                sc_fake_written(&f, f.n_writes);
            } else {
                failed_upload(&f, &durable);
            }
            uint64_t before = f.n_writes;
            sc_fake_forget_sent(&f);
            retry(&f, 5, 1, false);
            while (f.n_questions > 0)
                sc_fake_answer(&f, 0);
            cr_expect_eq(sc_fake_count(&f, CLIENT, SC_MSG_JOBS), 0, "not before it is safe");
            work(&f, 2, 3);
            bool is_over = f.n_writes < before + back;
            if (is_over) {
                sc_fake_stop(&f);
                break;
            }
            sc_fake_restart(&f, f.n_writes - back);
            f.holds_writes = false;
            sc_fake_client(&f, CLIENT);
            sc_fake_worker_ready(&f, WORKER, &(sc_fake_worker){.slots_async = 64});
            sc_fake_forget_sent(&f);
            retry(&f, 6, 1, false);
            sc_fake_pass(&f, 600, 3);
            while (work(&f, 0, 0) > 0)
                continue;
            sc_fake_forget_sent(&f);
            if (sc_fake_ask(&f, CLIENT, 1).state == SC_JOB_FAILED) { // one died before
                retry(&f, 7, 1, false);
                while (work(&f, 0, 0) > 0)
                    continue;
            }
            expect_counts(&f, is_array ? "array" : "upload", SC_JOB_SUCCEEDED, N, 0, 0);
            cr_expect_eq(sc_model_store_n_twice(f.store), 0, "%d writes lost", (int)back);
            sc_fake_stop(&f);
        }
}

// What may not be repeated and was not handed out since the retry may be begun after a restart.
Test(core_retry, not_to_be_repeated)
{
    sc_fake f;
    begin(&f, "a!");
    failed_upload(&f, &durable);
    sc_fake_say(&f, WORKER, &(sc_message){.type = SC_MSG_BYE});
    retry(&f, 5, 1, false);
    sc_fake_restart(&f, f.n_writes);
    sc_fake_client(&f, CLIENT);
    sc_fake_worker_ready(&f, WORKER, &(sc_fake_worker){.handlers = "a!", .slots_async = 64});
    sc_fake_pass(&f, 600, 3);
    while (work(&f, 0, 0) > 0)
        continue;
    expect_counts(&f, "none of them is dead", SC_JOB_SUCCEEDED, N, 0, 0);
    sc_fake_stop(&f);
}

static void
restart(sc_fake *f)
{
    sc_fake_restart(f, f->n_writes);
    sc_fake_client(f, CLIENT);
}

// A worker that was silent comes back with tasks that it was told to cancel: it is to forget them,
// and what it says of them does not count; also where another coordinator has followed meanwhile.
Test(core_retry, what_was_given_before)
{
    enum { NEVER, BEFORE_CANCEL, AFTER_RETRY };
    static const struct {
        const char *name;
        int restart;
    } rows[] = {{"no restart", NEVER},
                {"a restart before it is cancelled", BEFORE_CANCEL},
                {"a restart after it is tried again", AFTER_RETRY}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_fake f;
        begin(&f, "a");
        sc_fake_array(&f, CLIENT, 1, 0, N, &durable);
        sc_run run = sc_fake_take_run(&f, WORKER);
        cr_assert_eq(run.count, N);
        sc_held_run held = {run.job, run.token, run.first, N, true, run.attempt, run.life, false};
        if (rows[i].restart == BEFORE_CANCEL) {
            restart(&f);
            sc_fake_come_back(&f, WORKER, &(sc_fake_worker){.slots_async = 64}, &held, 1);
        }
        cancel(&f, 0, N);
        sc_fake_pass(&f, 900, WORKER);
        expect_counts(&f, rows[i].name, SC_JOB_CANCELLED, 0, 0, N);
        retry(&f, 5, 1, false);
        if (rows[i].restart == AFTER_RETRY)
            restart(&f);
        sc_fake_worker_ready(&f, OTHER, &(sc_fake_worker){.slots_async = 64});
        sc_fake_forget_sent(&f);
        sc_fake_come_back(&f, WORKER, &(sc_fake_worker){.slots_async = 64}, &held, 1);
        cr_expect_eq(sc_fake_n_recalled(&f, WORKER, SC_RECALL_FORGET), N, "%s", rows[i].name);
        cr_expect_eq(sc_fake_n_recalled(&f, OTHER, SC_RECALL_FORGET), 0, "%s", rows[i].name);
        sc_fake_results(&f, WORKER, &run, 0, N, SC_CANCELLED, 0, MS);
        sc_job_info info = sc_fake_ask(&f, CLIENT, 1);
        cr_expect(info.done + info.dead + info.cancelled == 0 && !sc_job_has_ended(info.state),
                  "%s: said of what is over", rows[i].name);
        sc_fake_stop(&f);
    }
}

// A death of before is reported while the job waits for another again: what is to run alone waits,
// too.
Test(core_retry, blamed_while_it_waits)
{
    sc_fake f;
    sc_parent after = {sc_fake_job(1), 0};
    sc_open spec = {.is_durable = true, .on_any = true, .after = {&after, 1}};
    begin(&f, "a");
    sc_fake_array(&f, CLIENT, 1, 0, N, &durable);
    cr_assert_eq(work(&f, 0, N), N);
    sc_fake_array(&f, CLIENT, 2, 0, N, &spec);
    sc_run run = sc_fake_take_run(&f, WORKER);
    cr_assert_eq(run.count, N);
    sc_fake_results(&f, WORKER, &run, 0, N - 1, SC_DEAD, 0, MS);
    sc_fake_results(&f, WORKER, &run, N - 1, 1, SC_DONE, 0, MS);
    cr_assert_eq(sc_fake_ask(&f, CLIENT, 2).state, SC_JOB_FAILED);
    retry(&f, 5, 1, false);
    sc_run first = sc_fake_take_run(&f, WORKER);
    cr_assert_eq(first.count, N, "the first runs");
    retry(&f, 6, 2, false);
    sc_fake_worker_ready(&f, OTHER, NULL);
    sc_fake_forget_sent(&f);
    sc_fake_supervisor(&f, 9);
    sc_fake_died(&f, 9, 4711, &run, 0, 1, true, SC_DEATH_FAULT);
    sc_fake_pass(&f, 100, OTHER + 1);
    cr_expect_eq(sc_fake_count(&f, OTHER, SC_MSG_RUN), 0, "the second waits");
    sc_fake_results(&f, WORKER, &first, 0, N, SC_DONE, 0, MS);
    sc_fake_pass(&f, 100, OTHER + 1);
    cr_expect_gt(sc_fake_count(&f, OTHER, SC_MSG_RUN) + sc_fake_count(&f, WORKER, SC_MSG_RUN), 0,
                 "until the first has ended");
    sc_fake_stop(&f);
}

// The time of a job that is retried is not over at once.
Test(core_retry, expired)
{
    sc_fake f;
    sc_open spec = durable;
    spec.expires_ms = 1000;
    begin(&f, "a");
    sc_fake_say(&f, WORKER, &(sc_message){.type = SC_MSG_BYE});
    sc_fake_array(&f, CLIENT, 1, 0, N, &spec);
    sc_fake_pass(&f, 1500, 2);
    expect_counts(&f, "expired", SC_JOB_FAILED, 0, N, 0);
    sc_fake_worker_ready(&f, WORKER, &(sc_fake_worker){.instance = 7, .slots_async = 64});
    retry(&f, 5, 1, false);
    sc_fake_pass(&f, 1500, 3);
    while (work(&f, 0, 0) > 0)
        continue;
    expect_counts(&f, "retried", SC_JOB_SUCCEEDED, N, 0, 0);
    sc_fake_stop(&f);
}

// A process that died in the life before is blamed on a task of this one, which then runs alone,
// before any other was handed out: after a restart it counts as begun all the same.
Test(core_retry, blamed_before_it_is_handed_out)
{
    enum { SUPERVISOR = 9, PLACE = 3 };
    sc_fake_worker later = {.handlers = "a!", .supervisor = 100 + SUPERVISOR, .slots_async = 1};
    sc_message m;
    sc_fake f;
    begin(&f, "a!");
    sc_fake_supervisor(&f, SUPERVISOR);
    sc_fake_array(&f, CLIENT, 1, 0, N, &durable);
    cr_assert(sc_fake_take(&f, WORKER, SC_MSG_RUN, &m));
    sc_run old = m.run;
    for (uint32_t i = 0; i < old.count; i++) // all but the last are dead
        sc_fake_results(&f, WORKER, &old, i, 1, i < N - 1 ? SC_DEAD : SC_DONE, 0, MS);
    sc_fake_say(&f, WORKER, &(sc_message){.type = SC_MSG_BYE});
    retry(&f, 7, 1, false);
    sc_fake_died(&f, SUPERVISOR, 77, &old, PLACE, 1, true, SC_DEATH_FAULT);
    sc_fake_worker_ready(&f, OTHER, &later);
    cr_assert(sc_fake_take(&f, OTHER, SC_MSG_RUN, &m));
    cr_assert(m.run.first == PLACE && m.run.count == 1, "%d+%d", (int)m.run.first,
              (int)m.run.count);
    sc_fake_restart(&f, f.n_writes);
    sc_fake_client(&f, CLIENT);
    sc_fake_pass(&f, 2000, 2);
    sc_fake_worker_ready(&f, WORKER, &(sc_fake_worker){.handlers = "a!", .slots_async = 64});
    while (sc_fake_take(&f, WORKER, SC_MSG_RUN, &m))
        cr_expect(m.run.first > PLACE || m.run.first + m.run.count <= PLACE, "it begins again");
    cr_expect_eq(sc_fake_ask(&f, CLIENT, 1).dead, 1, "nobody knows how it ended");
    sc_fake_stop(&f);
}
