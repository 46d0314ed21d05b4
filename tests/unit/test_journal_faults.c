/* SPDX-License-Identifier: Apache-2.0 */
/* The journal without memory: each allocation that it can do without fails in turn; those that it
 * cannot end the program, with nothing half kept. */
#include <signal.h>

#include "tests/unit/test_journal_script.h"

// Each fails in turn until none does. What cannot be read whole is not led with.
Test(journal_faults, at_the_start, .timeout = 60)
{
    static const char *const points[] = {"blob.new", "journal.load"};
    static const uint32_t jobs[] = {SC_JOB_OPEN, SC_JOB_STAGED};
    for (size_t p = 0; p < sizeof points / sizeof *points; p++) {
        bool has_failed = true;
        int nth = 1;
        for (; has_failed; nth++) {
            world w;
            char want[100];
            memset(&the_script, 0, sizeof the_script);
            prepare();
            the_script.jobs = jobs;
            the_script.n_jobs = 2;
            sc_fault_set(points[p], (uint64_t)nth);
            cr_assert_eq(start(&w, 0), 0);
            await(&w, ":"); // leading, or failed
            has_failed = sc_fault_count(points[p]) >= (uint64_t)nth;
            snprintf(want, sizeof want, "failed:%d:the journal cannot be read: %s ", SC_ENOMEM,
                     sc_error_text(SC_ENOMEM));
            cr_expect_str_eq(w.said, has_failed ? want : "leading:7,42,tasks,- ", "%s, %d: %s",
                             points[p], nth, w.said);
            sc_fault_reset();
            end(&w);
        }
        cr_expect(nth > 2, "%s was never passed", points[p]);
    }
}

Test(journal_faults, new, .timeout = 60)
{
    world w;
    sc_error err = {0};
    sc_journal_options options = {.location = "script:", .backend = &scripted};
    uv_loop_init(&w.loop);
    w.journal = NULL;
    sc_fault_set("journal.new", 1);
    cr_expect_eq(sc_journal_new(&w.loop, &options, &(sc_journal_events){0}, &w.journal, &err),
                 SC_ENOMEM);
    cr_expect(!w.journal && err.text[0]);
    cr_expect_eq(uv_loop_close(&w.loop), 0);
}

// A question is answered, with a code; the next one is whole again.
Test(journal_faults, results, .timeout = 60)
{
    static const char *const points[] = {"journal.page", "buffer.grow"};
    static const uint32_t orders[] = {SC_READ_ENDED, SC_READ_INDEX};
    world w;
    begin(&w, 0);
    for (size_t i = 0; i < 4; i++) {
        const char *point = points[i / 2];
        bool has_failed = true;
        int nth = 1;
        for (; has_failed; nth++) {
            w.said[0] = 0;
            sc_fault_set(point, (uint64_t)nth);
            ask_results(&w, 1, orders[i % 2], 0);
            await(&w, "results");
            has_failed = sc_fault_count(point) >= (uint64_t)nth;
            cr_expect_str_eq(w.said, has_failed ? "results:1:-12:-1 " : "results:1:0:2 ",
                             "%s, %d: %s", point, nth, w.said);
            sc_fault_reset();
        }
        cr_expect(nth > 2, "%s was never passed", point);
    }
    end(&w);
}

Test(journal_faults, tasks, .timeout = 60)
{
    static const char *const points[] = {"journal.tasks", "blob.new"};
    world w;
    begin(&w, 0);
    for (size_t i = 0; i < 2; i++)
        for (int nth = 1; nth <= 2; nth++) {
            w.said[0] = 0;
            sc_fault_set(points[i], (uint64_t)nth);
            ask_tasks(&w, 0);
            await(&w, "tasks");
            bool has_failed = sc_fault_count(points[i]) >= (uint64_t)nth;
            cr_expect_str_eq(w.said, has_failed ? "tasks:1:-12:-1 " : "tasks:1:0:0 ", "%s, %d: %s",
                             points[i], nth, w.said);
            cr_expect(has_failed == (nth == 1), "%s, %d", points[i], nth);
            sc_fault_reset();
        }
    end(&w);
}

// A chunk for which there is no memory is read when it is asked for.
Test(journal_faults, chunks, .timeout = 60)
{
    static const char *const points[] = {"blob.new", "blob.new", "journal.cache", "journal.cache"};
    world w;
    begin(&w, ROOMY);
    the_script.n_chunks = 1;
    for (uint64_t i = 0; i < 4; i++) {
        char want[40];
        w.said[0] = 0;
        sc_fault_set(points[i], i % 2 + 1); // its table, its payload; its job, itself
        act(&w, SC_ACTION_PUT_CHUNK, i + 1, 0);
        cr_expect(sc_fault_count(points[i]) > i % 2);
        sc_fault_reset();
        await(&w, "written");
        w.said[0] = 0;
        act(&w, SC_ACTION_GET_CHUNK, i + 1, 0);
        await(&w, "chunk");
        snprintf(want, sizeof want, "chunk:%d.0:read:%d.0 ", (int)i + 1, (int)i + 1);
        cr_expect_str_eq(w.said, want, "%s", w.said);
    }
    end(&w);
}

// An action must not be lost, nor lose its payload.
Test(journal_faults, a_write_is_not_emptied, .timeout = 60, .signal = SIGABRT)
{
    world w;
    begin(&w, 0);
    sc_fault_set("blob.new", 2);
    act(&w, SC_ACTION_PUT_OPEN, 1, 0);
    await(&w, "written");
    end(&w);
}
