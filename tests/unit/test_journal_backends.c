/* SPDX-License-Identifier: Apache-2.0 */
/* What every back end of the journal must do (coordinator/journal_backend.h): a scripted history is
 * written, closed, opened again and read; with each call of it failing in turn. */
#include "tests/unit/test_journal_support.h"

FOR_EACH_BACKEND(what_was_committed_is_there)
{
    struct world w;
    begin(&w, backend);
    cr_assert_eq(reopen(&w), 0, "%s", w.err.text);
    for (int i = 0; i <= N_STEPS; i++) {
        uint64_t epoch = w.epoch;
        check(&w, backend->scheme, i);
        cr_assert_eq(reopen(&w), 0, "%s", w.err.text);
        cr_expect(i == 0 || w.epoch == epoch + 1, "each start takes the next epoch");
        check(&w, backend->scheme, i);
        if (i < N_STEPS)
            cr_assert_eq(step(&w, i), 0, "%s", w.err.text);
    }
    check_chunks(&w, backend->scheme);
    static const uint32_t sizes[] = {1, 100, 3000, 1 << 20};
    for (size_t i = 0; i < 4; i++)
        for (uint32_t order = SC_READ_INDEX; order <= SC_READ_ENDED; order++)
            check_pages(&w, order, sizes[i], 1000);
    end(&w);
}

FOR_EACH_BACKEND(what_lies_below_the_prefix_is_not_read)
{
    struct world w;
    begin(&w, backend);
    cr_assert_eq(reopen(&w), 0, "%s", w.err.text);
    for (int i = 0; i < N_STEPS; i++)
        cr_assert_eq(step(&w, i), 0, "%s", w.err.text);
    sc_saved_job job = {.number = 1, .state = {.state = SC_JOB_RUNNING}};
    static const struct {
        uint64_t prefix, ended, attempts;
    } rows[] = {{0, 1000, 1}, {1000, 900, 0}, {2000, 400, 0}, {2100, 300, 0}, {2400, 0, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_saved_tasks *t = NULL;
        job.state.prefix = rows[i].prefix;
        cr_assert_eq(sc_journal_tasks(w.b, w.journal, &job, &t, &w.err), 0);
        uint64_t n = t->done + t->dead + t->cancelled;
        cr_expect(n == rows[i].ended && t->n_attempts == rows[i].attempts, "prefix %d: %d, %d",
                  (int)rows[i].prefix, (int)n, (int)t->n_attempts);
        sc_saved_tasks_free(&t);
    }
    end(&w);
}

FOR_EACH_BACKEND(a_retry_undoes_what_has_failed)
{
    struct world w;
    begin(&w, backend);
    cr_assert_eq(reopen(&w), 0, "%s", w.err.text);
    for (int i = 0; i < N_STEPS; i++)
        cr_assert_eq(step(&w, i), 0, "%s", w.err.text);
    check_undoing(&w, backend->scheme);
    end(&w);
}

FOR_EACH_BACKEND(what_is_dropped_goes)
{
    struct world w;
    sc_blob *table, *payload;
    begin(&w, backend);
    cr_assert_eq(reopen(&w), 0, "%s", w.err.text);
    for (int i = 0; i < N_STEPS; i++)
        cr_assert_eq(step(&w, i), 0, "%s", w.err.text);
    sc_action drop = {.type = SC_ACTION_DROP_CHUNK, .number = 1};
    drop.chunk.number = 1;
    cr_assert_eq(group(&w, &drop, 1), 0);
    cr_expect_eq(w.b->chunk(w.journal, 1, 1, &table, &payload, &w.err), SC_ENOTFOUND);
    drop = (sc_action){.type = SC_ACTION_DROP_JOB, .number = 1};
    cr_assert_eq(group(&w, &drop, 1), 0);
    cr_assert_eq(reopen(&w), 0); // what is left of it goes later, also after a restart
    seen s = {0};
    cr_assert_eq(w.b->jobs(w.journal, 0, see_job, &s, &w.err), 0);
    cr_expect(s.n_jobs == 1 && s.jobs[0].number == 2);
    int n_slices = 0, rc;
    while ((rc = w.b->tend(w.journal, &w.err)) == 1)
        n_slices++;
    cr_expect(rc == 0 && n_slices > 2);
    cr_expect_eq(w.b->chunk(w.journal, 1, 0, &table, &payload, &w.err), SC_ENOTFOUND);
    check_pages(&w, SC_READ_INDEX_ENDED, 1000, 0);
    end(&w);
}

// A slice is a few rows, so that no commit waits long.
FOR_EACH_BACKEND(what_is_dropped_goes_in_slices)
{
    enum { ROWS = 1000, A_GROUP = 100, A_SLICE = 32 };
    struct world w;
    sc_saved_job saved;
    sc_action actions[A_GROUP];
    begin(&w, backend);
    cr_assert_eq(reopen(&w), 0, "%s", w.err.text);
    actions[0] = open_action(2, &saved, SC_JOB_OPEN);
    cr_assert_eq(group(&w, actions, 1), 0, "%s", w.err.text);
    for (uint64_t place = 0; place < ROWS; place += A_GROUP) {
        for (uint64_t i = 0; i < A_GROUP; i++) {
            actions[i] = results_action(place + i, 1, 1, place + i);
            actions[i].number = 2;
        }
        cr_assert_eq(group(&w, actions, A_GROUP), 0, "%s", w.err.text);
    }
    actions[0] = (sc_action){.type = SC_ACTION_DROP_JOB, .number = 2};
    cr_assert_eq(group(&w, actions, 1), 0, "%s", w.err.text);
    int n_slices = 0, rc;
    while ((rc = w.b->tend(w.journal, &w.err)) == 1)
        n_slices++;
    cr_expect_eq(rc, 0, "%s", w.err.text);
    cr_expect_geq(n_slices, ROWS / A_SLICE, "in %d slices", n_slices);
    end(&w);
}

// The number of a dropped job of which rows are left is not given to the next one: its rows would
// be deleted with those.
FOR_EACH_BACKEND(numbers_are_not_used_again)
{
    struct world w;
    sc_saved_job saved;
    begin(&w, backend);
    cr_assert_eq(reopen(&w), 0, "%s", w.err.text);
    cr_expect_eq(w.next_number, 1);
    for (int i = 0; i < N_STEPS; i++)
        cr_assert_eq(step(&w, i), 0, "%s", w.err.text);
    cr_assert_eq(reopen(&w), 0);
    cr_expect_eq(w.next_number, 3);
    sc_action a = open_action(7, &saved, SC_JOB_STAGED);
    cr_assert_eq(group(&w, &a, 1), 0, "%s", w.err.text);
    a = (sc_action){.type = SC_ACTION_DROP_JOB, .number = 7};
    cr_assert_eq(group(&w, &a, 1), 0, "%s", w.err.text);
    cr_assert_eq(reopen(&w), 0);
    cr_expect_eq(w.next_number, 8);
    end(&w);
}

// Two may have it open; one leads. The other does when that one is gone, with the next epoch.
FOR_EACH_BACKEND(one_leads)
{
    struct world w;
    void *other = NULL;
    uint64_t epoch, next_number;
    begin(&w, backend);
    cr_assert_eq(reopen(&w), 0, "%s", w.err.text);
    cr_assert_eq(w.b->open(w.location, &goes_on, &other, &w.err), 0, "%s", w.err.text);
    char pid[32];
    snprintf(pid, sizeof pid, "pid %d", (int)getpid());
    for (int i = 0; i < 2; i++) {
        cr_expect_eq(w.b->lead(other, &epoch, &next_number, &w.err), SC_EBUSY);
        cr_expect(strstr(w.err.text, pid), "who leads is not said: %s", w.err.text);
    }
    cr_assert_eq(step(&w, 0), 0, "%s", w.err.text);
    w.b->close(w.journal);
    w.journal = other;
    epoch = w.epoch;
    cr_assert_eq(lead(&w, other), 0, "%s", w.err.text);
    cr_expect(w.epoch == epoch + 1 && w.next_number == 3);
    check(&w, backend->scheme, 1);
    end(&w);
}

// The n-th passing of a point fails, for each n until none does: a group that failed left nothing,
// and what was committed before it is there.
static void
fail_at(const sc_journal_backend *backend, const char *point)
{
    bool has_failed = true;
    uint64_t nth = 1;
    for (; has_failed; nth++) {
        struct world w;
        int i = 0;
        begin(&w, backend);
        sc_fault_set(point, nth);
        int rc = reopen(&w);
        while (rc == 0 && i < N_STEPS && (rc = step(&w, i)) == 0)
            i++;
        seen s = {0};
        sc_saved_tasks *t = NULL;
        if (rc == 0 && (rc = w.b->jobs(w.journal, 0, see_job, &s, &w.err)) == 0)
            rc = sc_journal_tasks(w.b, w.journal, &s.jobs[0], &t, &w.err);
        sc_saved_tasks_free(&t);
        has_failed = sc_fault_count(point) >= nth;
        cr_expect(!has_failed || rc < 0, "%s, %d: nobody was told", point, (int)nth);
        cr_expect(rc == 0 || w.err.text[0], "%s, %d: no reason", point, (int)nth);
        sc_fault_reset();
        cr_assert_eq(reopen(&w), 0, "%s, %d: %s", point, (int)nth, w.err.text);
        check(&w, point, i);
        end(&w);
    }
    cr_expect_gt(nth, 2, "%s is not passed", point);
}

FOR_EACH_BACKEND(without_memory)
{
    fail_at(backend, "memory");
}

Test(journal_backends, sqlite_faults)
{
    static const char *const points[] = {"journal.create", "journal.open",   "journal.prepare",
                                         "journal.step",   "journal.commit", "journal.read"};
    for (size_t p = 0; p < sizeof points / sizeof *points; p++)
        fail_at(&sc_journal_sqlite, points[p]);
}

// What cannot be copied out of the -wal stays there, and is copied the next time.
Test(journal_backends, sqlite_checkpoint_fails)
{
    struct world w;
    uint32_t len = 40 << 20; // more than is let lie in the -wal
    begin(&w, &sc_journal_sqlite);
    cr_assert_eq(reopen(&w), 0, "%s", w.err.text);
    for (int i = 0; i < N_STEPS; i++)
        cr_assert_eq(step(&w, i), 0, "%s", w.err.text);
    sc_action a = {.type = SC_ACTION_PUT_CHUNK, .number = 1};
    a.put.ticket.number = 3;
    a.put.place = N_TASKS;
    a.put.table = sc_slice_borrow(&len, sizeof len);
    void *payload = calloc(1, len);
    a.put.bytes = sc_slice_borrow(payload, len);
    cr_assert_eq(group(&w, &a, 1), 0, "%s", w.err.text);
    sc_fault_set("journal.checkpoint", 1);
    cr_expect_lt(w.b->tend(w.journal, &w.err), 0);
    cr_expect(w.err.text[0]);
    sc_fault_reset();
    cr_assert_eq(group(&w, &a, 1) < 0, true, "the same chunk twice");
    a.put.ticket.number = 4;
    a.put.place = N_TASKS + 1;
    cr_assert_eq(group(&w, &a, 1), 0, "%s", w.err.text);
    cr_expect_eq(w.b->tend(w.journal, &w.err), 0, "%s", w.err.text);
    check(&w, "after it", N_STEPS);
    free(payload);
    end(&w);
}
