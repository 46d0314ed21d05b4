/* SPDX-License-Identifier: Apache-2.0 */
/* Each piece of memory that the core asks for is refused once: it refuses in its turn and goes on,
 * and whoever was refused says it again; or, where a task would be lost, the process ends by its
 * own assertion, and the next one has what is durable. It never goes astray. */
#include <string.h>

#include <criterion/criterion.h>

#include "tests/support/fake_core.h"
#include "tests/support/memory.h"

enum { CLIENT = 1, FIRST = 2, SECOND = 3, SUPERVISOR = 9, N_JOBS = 3, UPLOADED = 3, ROUNDS = 12 };

static sc_fake f;

/* ---- what peers do: they say again what was refused, as sessions do ---- */

static void
join(uint64_t link, uint64_t instance)
{
    sc_fake_worker w = {.handlers = "a b!", .instance = instance, .supervisor = 100 + SUPERVISOR};
    for (int tries = 0; tries < 3 && sc_fake_count(&f, link, SC_MSG_WELCOME) == 0; tries++)
        sc_fake_worker_ready(&f, link, &w);
}

static void
join_all(void)
{
    for (int tries = 0; tries < 3 && sc_fake_count(&f, CLIENT, SC_MSG_WELCOME) == 0; tries++)
        sc_fake_client(&f, CLIENT);
    for (int tries = 0; tries < 3 && sc_fake_count(&f, SUPERVISOR, SC_MSG_WELCOME) == 0; tries++)
        sc_fake_supervisor(&f, SUPERVISOR);
    join(FIRST, 102);
    join(SECOND, 103);
}

// Two arrays and an upload; each part may be said again and changes nothing the second time.
static void
submit_all(void)
{
    static const sc_open once = {
        .is_durable = true, .handler = {"b", 1}, .key = {"k", 1}, .digest = {{1}}};
    static const sc_open spec = {
        .is_durable = true, .retries = 3, .backoff_base_ms = 1, .backoff_max_ms = 1};
    sc_chunk chunk = {.number = 0, .count = 5};
    for (int tries = 0; tries < 2; tries++) {
        sc_fake_array(&f, CLIENT, 1, 0, 2500, &spec);
        sc_fake_array(&f, CLIENT, 2, 0, 3, &once);
        sc_fake_open(&f, CLIENT, UPLOADED, &spec);
        sc_fake_chunk(&f, CLIENT, UPLOADED, &chunk, 16);
        sc_fake_commit(&f, CLIENT, UPLOADED, 1, 5);
    }
    sc_fake_call(&f, CLIENT, 77, "a", 0);
    sc_message ask = {.type = SC_MSG_ASK};
    ask.ask = (sc_ask){78, SC_ASK_JOB, sc_fake_job(1), 32, true, 0, 0};
    sc_fake_say(&f, CLIENT, &ask);
}

// The first tasks fail and are tried again, some are cancelled, one process dies of a task.
static void
have_trouble(void)
{
    sc_message m, cancel = {.type = SC_MSG_CANCEL};
    if (sc_fake_take(&f, FIRST, SC_MSG_RUN, &m)) {
        sc_run run = m.run;
        sc_fake_results(&f, FIRST, &run, 0, run.count > 3 ? 3 : run.count, SC_DEAD, SC_RECORD_RETRY,
                        1000);
    }
    cancel.cancel = (sc_cancel){79, sc_fake_job(1), 2000, 400};
    sc_fake_say(&f, CLIENT, &cancel);
    if (sc_fake_take(&f, SECOND, SC_MSG_RUN, &m)) {
        sc_run run = m.run;
        sc_fake_died(&f, SUPERVISOR, 103, &run, run.first, 1, true, SC_DEATH_FAULT);
        sc_fake_forget_sent(&f);
        join(SECOND, 104);
    }
}

static bool
has_ended(uint32_t job)
{
    sc_job_info info = sc_fake_ask(&f, CLIENT, job);
    return info.state < SC_N_JOB_STATES && sc_job_has_ended(info.state) &&
           info.done + info.dead + info.cancelled == info.total;
}

static void
work(void)
{
    sc_message m;
    for (int i = 0; i < ROUNDS; i++) {
        sc_fake_work(&f, FIRST, 1000);
        sc_fake_work(&f, SECOND, 1000);
        while (sc_fake_take(&f, FIRST, SC_MSG_RECALL, &m))
            sc_fake_recalled(&f, FIRST, &m.recall.token, &m.recall.job, 0, 0);
        sc_fake_pass(&f, 20, SUPERVISOR + 1);
        sc_fake_forget_sent(&f);
        if (i == 0)
            have_trouble();
        if (i == ROUNDS / 2) { // whatever is still at a worker was lost on the way
            join(FIRST, 102);
            join(SECOND, 104);
        }
    }
}

// Everybody has to say HELLO again, and what was accepted ends.
static bool
live(void)
{
    memset(&f, 0, sizeof f);
    sc_fake_start(&f);
    join_all();
    submit_all();
    work();
    sc_fake_restart(&f, f.n_writes);
    join_all();
    sc_fake_pass(&f, 3000, SUPERVISOR + 1);
    work();
    bool is_good = true;
    for (uint32_t job = 1; job <= N_JOBS; job++)
        is_good &= has_ended(job) || has_ended(job);
    sc_fake_stop(&f);
    return is_good;
}

Test(core_memory, each_request_is_refused_once)
{
    static const char *const points[] = {"core.alloc", "core.hash", "slab.page", "heap.grow"};
    for (size_t i = 0; i < sizeof points / sizeof *points; i++)
        cr_expect_gt(sc_memory_refuse_each(points[i], live, SC_MEMORY_GAVE_UP), 0, "%s", points[i]);
}

/* ---- at a restart ---- */

static bool
live_again(void)
{
    sc_memory_spare();
    memset(&f, 0, sizeof f);
    sc_fake_start(&f);
    join_all();
    submit_all();
    have_trouble();
    sc_memory_count();
    sc_fake_restart(&f, f.n_writes);
    sc_memory_spare();
    sc_fake_client(&f, CLIENT);
    bool is_good = true;
    for (uint32_t job = 1; job <= N_JOBS; job++)
        is_good &= sc_fake_ask(&f, CLIENT, job).total > 0;
    sc_fake_stop(&f);
    return is_good;
}

// A journal that there is no memory to read back is not led with.
Test(core_memory, a_restart_without_memory)
{
    cr_expect_gt(sc_memory_refuse_each("memory", live_again, SC_MEMORY_GAVE_UP), 19);
}
