/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs that wait for others: when they are handed out, when they are cancelled, and that what they
 * need is kept. */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/limits.h"
#include "tests/support/fake_core.h"

enum { CLIENT = 1, WORKER = 2 };

static void
join(sc_fake *f)
{
    sc_fake_client(f, CLIENT);
    sc_fake_worker_ready(f, WORKER, &(sc_fake_worker){.handlers = "a"});
    sc_fake_forget_sent(f);
}

static void
begin(sc_fake *f)
{
    sc_fake_init(f);
    f->options.retention_ms = 1000;
    f->options.max_jobs = 16;
    sc_fake_start(f);
    f->holds_writes = true;
    join(f);
}

static void
safe(sc_fake *f)
{
    sc_fake_written(f, f->n_writes);
    sc_core_turn(f->core, f->now_ms);
}

// An array of two tasks that waits for others. `parents` "12": jobs 1 and 2.
static void
submit(sc_fake *f, uint32_t job, const char *parents, bool on_any, bool is_durable)
{
    sc_parent after[SC_MAX_PARENTS] = {0};
    sc_open o = {.is_durable = is_durable, .on_any = on_any, .after = {after, 0}};
    for (; *parents; parents++)
        after[o.after.n++].job = sc_fake_job((uint32_t)(*parents - '0'));
    sc_fake_array(f, CLIENT, job, 0, 2, &o);
}

static void
end_as(sc_fake *f, uint32_t job, sc_outcome outcome)
{
    sc_message m;
    sc_uuid id = sc_fake_job(job);
    for (int n = 0; n < 2;) {
        cr_assert(sc_fake_take(f, WORKER, SC_MSG_RUN, &m), "job %u is handed out", job);
        cr_assert_eq(memcmp(&m.run.job, &id, sizeof id), 0);
        n += (int)m.run.count;
        sc_run run = m.run;
        sc_fake_results(f, WORKER, &run, 0, run.count, outcome, 0, 1000);
    }
}

static void
cancel(sc_fake *f, uint32_t job)
{
    sc_message m = {.type = SC_MSG_CANCEL, .cancel = {.request = 7, .job = sc_fake_job(job)}};
    sc_fake_say(f, CLIENT, &m);
    cr_assert(sc_fake_take(f, CLIENT, SC_MSG_JOBS, &m) || f->n_written < f->n_writes);
}

// How the first parent of a job is.
static uint32_t
parent_state(sc_fake *f, uint32_t job)
{
    sc_message m = {.type = SC_MSG_ASK};
    m.ask = (sc_ask){5, SC_ASK_JOB, sc_fake_job(job), 32, false, 0, 0};
    sc_fake_say(f, CLIENT, &m);
    cr_assert(sc_fake_take(f, CLIENT, SC_MSG_JOBS, &m) && m.jobs.after.n >= 1);
    return ((const sc_parent *)m.jobs.after.items)->state;
}

// How a parent ends, and what becomes of a job that waits for it.
static const struct {
    const char *name;
    int outcome; // of the parent's tasks; -1: it is cancelled
    bool on_any;
    sc_job_state want; // SC_JOB_OPEN: it is handed out
} ends[] = {
    {"success", SC_DONE, false, SC_JOB_OPEN},     {"failure", SC_DEAD, false, SC_JOB_CANCELLED},
    {"cancelled", -1, false, SC_JOB_CANCELLED},   {"any, success", SC_DONE, true, SC_JOB_OPEN},
    {"any, failure", SC_DEAD, true, SC_JOB_OPEN}, {"any, cancelled", -1, true, SC_JOB_OPEN},
};

static void
end_parent(sc_fake *f, int outcome)
{
    sc_message m;
    sc_run runs[2];
    uint32_t n = 0, n_tasks = 0;
    if (outcome >= 0) {
        end_as(f, 1, (sc_outcome)outcome);
        return;
    }
    while (n_tasks < 2 && sc_fake_take(f, WORKER, SC_MSG_RUN, &m))
        n_tasks += (runs[n++] = m.run).count;
    cr_assert_eq(n_tasks, 2);
    cancel(f, 1);
    for (uint32_t i = 0; i < n; i++)
        sc_fake_results(f, WORKER, &runs[i], 0, runs[i].count, SC_CANCELLED, 0, 1000);
}

// `when`: 0 while the child waits, 1 before it is submitted, 4 likewise, and not safe yet, 2 and a
// restart between the end and its consequence, 3 and a restart after that.
static void
check_end(size_t i, int when, bool is_durable)
{
    sc_fake f;
    begin(&f);
    submit(&f, 1, "", false, is_durable);
    safe(&f);
    if (when != 1 && when != 4) {
        submit(&f, 2, "1", ends[i].on_any, is_durable);
        safe(&f);
        cr_expect_eq(sc_fake_ask(&f, CLIENT, 2).state, SC_JOB_OPEN);
    }
    end_parent(&f, ends[i].outcome);
    if (when == 4)
        submit(&f, 2, "1", ends[i].on_any, is_durable);
    cr_expect(!is_durable || when == 1 || when == 4 || sc_fake_ask(&f, CLIENT, 2).queued == 2,
              "%s: nothing happens before the end is safe", ends[i].name);
    uint64_t n_writes = f.n_writes;
    safe(&f);
    if (when == 1)
        submit(&f, 2, "1", ends[i].on_any, is_durable);
    safe(&f);
    if (when == 2 || when == 3) {
        sc_fake_restart(&f, when == 2 ? n_writes : f.n_writes);
        join(&f);
        sc_fake_pass(&f, 600, 3);
        safe(&f);
    }
    if (ends[i].want == SC_JOB_OPEN)
        end_as(&f, 2, SC_DONE);
    safe(&f);
    sc_fake_forget_sent(&f);
    sc_job_info info = sc_fake_ask(&f, CLIENT, 2);
    cr_expect_eq(info.state, ends[i].want == SC_JOB_OPEN ? SC_JOB_SUCCEEDED : SC_JOB_CANCELLED,
                 "%s, %d, %d: %s", ends[i].name, when, is_durable, sc_job_state_name(info.state));
    sc_fake_stop(&f);
}

Test(core_parents, ends)
{
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        for (int when = 0; when < 5; when++)
            for (int is_durable = when > 1; is_durable < 2; is_durable++)
                check_end(i, when, is_durable);
}

// A volatile job of a durable one: its own record is not kept, so nothing orders it behind the end.
Test(core_parents, an_end_that_is_not_safe)
{
    sc_fake f;
    sc_message m;
    begin(&f);
    submit(&f, 1, "", false, true);
    safe(&f);
    end_as(&f, 1, SC_DONE);
    submit(&f, 2, "1", false, false);
    cr_expect_null(sc_fake_take(&f, WORKER, SC_MSG_RUN, &m), "the end may still be lost");
    safe(&f);
    end_as(&f, 2, SC_DONE);
    sc_fake_stop(&f);
}

Test(core_parents, says_why)
{
    sc_fake f;
    sc_message m, read = {.type = SC_MSG_READ};
    begin(&f);
    submit(&f, 1, "", false, false);
    submit(&f, 2, "1", false, false);
    cr_expect_eq(parent_state(&f, 2), SC_JOB_RUNNING);
    end_as(&f, 1, SC_DEAD);
    read.read = (sc_read){.request = 5, .job = sc_fake_job(2), .max_bytes = 1000};
    sc_fake_say(&f, CLIENT, &read);
    cr_assert(sc_fake_take(&f, CLIENT, SC_MSG_PAGE, &m));
    char want[200], id[SC_UUID_TEXT];
    sc_uuid parent = sc_fake_job(1);
    snprintf(want, sizeof want,
             "{\"code\":\"parent_failed\",\"message\":\"job %s, which it waited for, failed\"}",
             sc_uuid_format(&parent, id));
    cr_expect(memmem(m.bytes.data, m.bytes.len, want, strlen(want)), "%.*s", (int)m.bytes.len,
              m.bytes.data);
    sc_fake_stop(&f);
}

// 2 waits for 1, 3 for 2, and so on: a chain ends in one turn; of two parents both are waited for.
Test(core_parents, chains_and_several)
{
    sc_fake f;
    begin(&f);
    submit(&f, 1, "", false, false);
    for (uint32_t k = 2; k < 8; k++) {
        char parent[2] = {(char)('0' + k - 1), '\0'};
        submit(&f, k, parent, false, false);
    }
    submit(&f, 8, "11", false, false);
    submit(&f, 9, "18", false, false);
    cancel(&f, 2); // it waits, so it ends at once, and with it all that wait for it
    for (uint32_t k = 3; k < 8; k++)
        cr_expect_eq(sc_fake_ask(&f, CLIENT, k).cancelled, 2, "%u", k);
    end_as(&f, 1, SC_DONE);
    cr_expect_eq(sc_fake_ask(&f, CLIENT, 9).queued, 2, "8 has not ended");
    end_as(&f, 8, SC_DONE);
    end_as(&f, 9, SC_DONE);
    sc_fake_stop(&f);
}

Test(core_parents, refused)
{
    static const struct {
        const char *name, *parents;
        bool is_durable;
        int want;
    } rows[] = {
        {"unknown", "9", false, SC_ENOJOB},
        {"itself", "5", false, SC_ENOJOB},
        {"still being uploaded", "2", false, SC_ENOJOB},
        {"a durable one of a volatile one", "1", true, SC_EBADARG},
        {"one of several", "19", false, SC_ENOJOB},
    };
    sc_fake f;
    sc_message m;
    begin(&f);
    submit(&f, 1, "", false, false);
    sc_fake_open(&f, CLIENT, 2, &(sc_open){0});
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        submit(&f, 5, rows[i].parents, false, rows[i].is_durable);
        cr_assert(sc_fake_take(&f, CLIENT, SC_MSG_REFUSED, &m), "%s", rows[i].name);
        cr_expect_eq(m.refused.code, rows[i].want, "%s: %.*s", rows[i].name,
                     (int)m.refused.text.len, m.refused.text.data);
    }
    sc_fake_stop(&f);
}

// What a job needs is kept until it has ended, and for JOB_RETENTION from then on.
Test(core_parents, retention)
{
    sc_fake f;
    sc_message ask = {.type = SC_MSG_ASK}, m;
    begin(&f);
    submit(&f, 1, "", false, false);
    end_as(&f, 1, SC_DONE);
    submit(&f, 2, "1", false, false);
    sc_message run;
    cr_assert(sc_fake_take(&f, WORKER, SC_MSG_RUN, &run));
    sc_fake_pass(&f, 3000, 3);
    cr_expect_eq(sc_fake_ask(&f, CLIENT, 1).state, SC_JOB_SUCCEEDED, "2 still runs");
    cancel(&f, 2);
    sc_run first = run.run;
    sc_fake_results(&f, WORKER, &first, 0, first.count, SC_CANCELLED, 0, 1000);
    while (sc_fake_take(&f, WORKER, SC_MSG_RUN, &run)) {
        first = run.run;
        sc_fake_results(&f, WORKER, &first, 0, first.count, SC_CANCELLED, 0, 1000);
    }
    sc_fake_pass(&f, 500, 3);
    cr_expect_eq(sc_fake_ask(&f, CLIENT, 2).state, SC_JOB_CANCELLED);
    cr_expect_eq(parent_state(&f, 2), SC_JOB_SUCCEEDED);
    sc_fake_pass(&f, 1000, 3);
    sc_fake_forget_sent(&f);
    ask.ask = (sc_ask){5, SC_ASK_JOB, sc_fake_job(1), 32, false, 0, 0};
    sc_fake_say(&f, CLIENT, &ask);
    cr_assert(sc_fake_take(&f, CLIENT, SC_MSG_REFUSED, &m));
    cr_expect_eq(m.refused.code, SC_ENOJOB);
    sc_fake_stop(&f);
}
