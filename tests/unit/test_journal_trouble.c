/* SPDX-License-Identifier: Apache-2.0 */
/* While a group of the journal cannot be written (coordinator/journal_thread.c), and what it may
 * not survive: a back end that does as it is told. */
#include "tests/unit/test_journal_script.h"

#define FULL "because of -28" // -ENOSPC

// Uploads are refused with the reason, all else is tried again, in order, with what came meanwhile.
Test(journal_trouble, refuses_uploads_and_keeps_the_rest, .timeout = 120)
{
    static const enum call at[] = {BEGIN, PUT, COMMIT};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        world w;
        memset(&the_script, 0, sizeof the_script);
        begin(&w, 0);
        set_code(at[i], -ENOSPC, 0);
        act(&w, SC_ACTION_PUT_OPEN, 1, 0); // 1
        act_state(&w, 2, 0);               // 2
        act(&w, SC_ACTION_PUT_CHUNK, 3, 4);
        act_results(&w, 2, 10); // 4
        act(&w, SC_ACTION_PUT_COMMIT, 5, 0);
        act(&w, SC_ACTION_DROP_CHUNK, 6, 0);
        await(&w, "written");
        cr_expect_str_eq(w.said,
                         "trouble:" FULL " stored:open1.0:-28:" FULL " stored:chunk3.4:-28:" FULL
                         " stored:commit5.0:-28:" FULL " written:1 ",
                         "%s", w.said);
        w.said[0] = 0;
        await_calls(BEGIN, 3); // it is tried again, and fails again
        act(&w, SC_ACTION_PUT_OPEN, 7, 0);
        act(&w, SC_ACTION_DROP_JOB, 1, 0); // 8
        await(&w, "stored");
        cr_expect_str_eq(w.said, "stored:open7.0:-28:" FULL " ", "%s", w.said);
        cr_expect_str_eq(the_script.disk, "");
        set_code(at[i], 0, 0);
        await(&w, "works");
        cr_expect_str_eq(w.said, "stored:open7.0:-28:" FULL " written:8 works ", "%s", w.said);
        cr_expect_str_eq(the_script.disk, "state2 results2 drop-chunk6 drop-job1 ; ", "%s",
                         the_script.disk);
        act(&w, SC_ACTION_PUT_OPEN, 9, 0);
        await(&w, "written:9");
        cr_expect_eq(occurrences(w.said, "stored:open9.0 "), 1);
        end(&w);
    }
}

// A COMMIT that was on its way when a chunk of its job was refused is refused, too, though the
// trouble is over by then; until the core has dropped the job.
Test(journal_trouble, an_upload_with_a_hole_is_never_whole, .timeout = 60)
{
    world w;
    begin(&w, 0);
    act(&w, SC_ACTION_PUT_OPEN, 1, 0); // 1
    await(&w, "written:1");
    set_code(COMMIT, -ENOSPC, 0);
    act(&w, SC_ACTION_PUT_CHUNK, 1, 0); // 2
    await(&w, "stored:chunk1.0:-28");
    set_code(COMMIT, 0, 0);
    await(&w, "works");
    w.said[0] = 0;
    act(&w, SC_ACTION_PUT_COMMIT, 1, 0); // 3
    act(&w, SC_ACTION_PUT_OPEN, 2, 0);   // 4
    await(&w, "written:4");
    cr_expect_eq(occurrences(w.said, "stored:commit1.0:-28"), 1, "%s", w.said);
    cr_expect_eq(occurrences(the_script.disk, "commit1"), 0, "%s", the_script.disk);
    act(&w, SC_ACTION_DROP_JOB, 1, 0); // 5
    await(&w, "written:5");
    end(&w);
}

// It is not known whether the group is there: it is the next that is written, as it was, and no
// upload of it is refused.
Test(journal_trouble, writes_again_what_may_be_there, .timeout = 60)
{
    world w;
    begin(&w, 0);
    set_code(COMMIT, SC_EUNKNOWN, 3);
    act(&w, SC_ACTION_PUT_OPEN, 1, 0);
    act_state(&w, 2, 0);
    await(&w, "trouble");
    act(&w, SC_ACTION_DROP_JOB, 3, 0);
    await(&w, "written:3 ");
    cr_expect_eq(occurrences(w.said, "stored:open1.0 "), 1, "%s", w.said);
    cr_expect_eq(occurrences(w.said, "stored:open1.0:"), 0, "%s", w.said);
    cr_expect_str_eq(the_script.disk, "open1 state2 ; drop-job3 , ", "%s", the_script.disk);
    end(&w);
}

// Until it is time to try again an upload is refused at once. It may be time just then: five times
// it is not.
Test(journal_trouble, refuses_at_once, .timeout = 60)
{
    world w;
    begin(&w, 0);
    set_code(COMMIT, -ENOSPC, 0);
    act_state(&w, 1, 0);
    await(&w, "trouble");
    bool is_at_once = false;
    for (int i = 0; i < 5 && !is_at_once; i++) {
        int n = count_of(BEGIN);
        w.said[0] = 0;
        act(&w, SC_ACTION_PUT_OPEN, 2, 0);
        await(&w, "stored:open2.0:-28:" FULL " ");
        is_at_once = count_of(BEGIN) == n;
    }
    cr_expect(is_at_once);
    end(&w);
}

// Tried again after 100 ms, then twice that, up to a second; the next trouble begins anew.
Test(journal_trouble, tries_less_and_less_often, .timeout = 60)
{
    static const int64_t least_ms[] = {100, 200, 400, 800, 1000};
    world w;
    int64_t shortest_ms = INT64_MAX;
    begin(&w, 0);
    set_code(COMMIT, -ENOSPC, 5);
    act_state(&w, 1, 0);
    await(&w, "works");
    const int64_t *begun_ms = the_script.begun_ms + 1;
    for (int i = 0; i < 5; i++)
        cr_expect_geq(begun_ms[i + 1] - begun_ms[i], least_ms[i], "try %d after %d ms", i + 2,
                      (int)(begun_ms[i + 1] - begun_ms[i]));
    for (int i = 0; i < 3; i++) { // one of them is not held up by others
        w.said[0] = 0;
        the_script.n[BEGIN] = 0;
        set_code(COMMIT, -ENOSPC, 1);
        act_state(&w, 1, 0);
        await(&w, "works");
        int64_t ms = begun_ms[1] - begun_ms[0];
        shortest_ms = ms < shortest_ms ? ms : shortest_ms;
    }
    cr_expect(shortest_ms >= 100 && shortest_ms < 800, "%d ms", (int)shortest_ms);
    end(&w);
}

// The next is told anew.
Test(journal_trouble, comes_and_goes, .timeout = 60)
{
    world w;
    begin(&w, 0);
    for (int i = 0; i < 3; i++) {
        char want[200];
        w.said[0] = 0;
        set_code(COMMIT, i == 1 ? SC_ELOST : -ENOSPC, 2);
        act_state(&w, 1, 0);
        await(&w, "works");
        snprintf(want, sizeof want, "trouble:because of %d written:%d works ",
                 i == 1 ? SC_ELOST : -ENOSPC, i + 1);
        cr_expect_str_eq(w.said, want, "%s", w.said);
    }
    cr_expect_str_eq(the_script.disk, "state1 ; state1 ; state1 ; ");
    end(&w);
}

// With nothing to be written an empty group tells whether it is over, and it is safe: one that may
// wait for the next could seem to work.
Test(journal_trouble, is_over_without_writes, .timeout = 60)
{
    world w;
    begin(&w, 0);
    set_code(COMMIT, -ENOSPC, 3);
    act(&w, SC_ACTION_PUT_CHUNK, 1, 0);
    await(&w, "works");
    cr_expect_str_eq(w.said, "trouble:" FULL " stored:chunk1.0:-28:" FULL " written:1 works ", "%s",
                     w.said);
    cr_expect_str_eq(the_script.disk, "; ");
    cr_expect_eq(the_script.n[COMMIT], 4);
    end(&w);
}

// What may wait for the next group is safe in the first that is tried.
Test(journal_trouble, is_over_once_a_group_is_safe, .timeout = 60)
{
    world w;
    begin(&w, 0);
    set_code(COMMIT, -ENOSPC, 1);
    act(&w, SC_ACTION_DROP_JOB, 1, 0);
    await(&w, "works");
    cr_expect_str_eq(the_script.disk, "drop-job1 ; ");
    end(&w);
}

// All that was acted up to an upload that is refused is safe or refused, also where it is the last
// and something before it had to wait.
Test(journal_trouble, counts_what_is_refused, .timeout = 60)
{
    world w;
    begin(&w, 0);
    set_code(COMMIT, -ENOSPC, 2);
    act_state(&w, 1, 0);
    act(&w, SC_ACTION_PUT_CHUNK, 2, 0);
    act(&w, SC_ACTION_PUT_CHUNK, 2, 1);
    ask_results(&w, 1, SC_READ_ENDED, 3);
    await(&w, "works");
    cr_expect_str_eq(w.said,
                     "trouble:" FULL " stored:chunk2.0:-28:" FULL " stored:chunk2.1:-28:" FULL
                     " written:3 results:1:0:2 works ",
                     "%s", w.said);
    end(&w);
}

// Several groups wait: those that can be written are, the rest waits for the next time.
Test(journal_trouble, begins_in_a_later_group, .timeout = 60)
{
    world w;
    begin(&w, 0);
    set_stop(BEGIN);
    for (uint64_t i = 1; i <= 3; i++)
        act_results(&w, i, 5 << 20);
    act(&w, SC_ACTION_PUT_OPEN, 4, 0);
    sc_journal_deliver(w.journal);
    await_stop();
    set_stop(COMMIT);
    await_stop();
    set_stop(PUT); // of the second
    await_stop();
    set_code(PUT, -ENOSPC, 1);
    set_stop(NOWHERE);
    await(&w, "works");
    cr_expect_str_eq(
        w.said, "written:1 trouble:" FULL " stored:open4.0:-28:" FULL " written:2 written:4 works ",
        "%s", w.said);
    cr_expect_str_eq(the_script.disk, "results1 ; results2 ; results3 ; ", "%s", the_script.disk);
    end(&w);
}

Test(journal_trouble, reads_go_on, .timeout = 60)
{
    world w;
    begin(&w, 0);
    the_script.n_chunks = 1;
    set_code(COMMIT, -ENOSPC, 0);
    act_state(&w, 1, 0);
    await(&w, "trouble");
    w.said[0] = 0;
    ask_results(&w, 1, SC_READ_ENDED, 1); // what it rests on is not safe
    ask_results(&w, 2, SC_READ_ENDED, 0);
    act(&w, SC_ACTION_GET_CHUNK, 1, 0);
    await(&w, "chunk");
    cr_expect_str_eq(w.said, "results:2:0:2 chunk:1.0:read:1.0 ");
    set_code(COMMIT, 0, 0);
    await(&w, "works");
    cr_expect_str_eq(w.said, "results:2:0:2 chunk:1.0:read:1.0 written:1 results:1:0:2 works ");
    end(&w);
}

// The housekeeping after the group that has been acted.
static void
fail_after_commit(world *w, int code)
{
    set_stop(COMMIT);
    sc_journal_deliver(w->journal);
    await_stop();
    set_code(TEND, code, 0);
    set_stop(NOWHERE);
}

// Housekeeping that fails is trouble too, and it lasts until that works again.
Test(journal_trouble, of_housekeeping, .timeout = 60)
{
    world w;
    begin(&w, 0);
    act_state(&w, 1, 0);
    fail_after_commit(&w, -ENOSPC);
    await(&w, "trouble");
    cr_expect_str_eq(w.said, "written:1 trouble:" FULL " ");
    await_calls(TEND, count_of(TEND) + 3); // groups are written meanwhile
    cr_expect_eq(sc_journal_deliver(w.journal), 0, "%s", w.said);
    cr_expect(occurrences(the_script.disk, ";") >= 3);
    set_code(TEND, 0, 0);
    await(&w, "works");
    cr_expect_str_eq(w.said, "written:1 trouble:" FULL " works ");
    end(&w);
}

// More of it is left: the next slice comes at once, reads and writes between them.
Test(journal_trouble, housekeeping_goes_on, .timeout = 60)
{
    world w;
    begin(&w, 0);
    the_script.n_chunks = 1;
    set_code(TEND, 1, 200);
    act_state(&w, 1, 0);
    await(&w, "written:1");
    act(&w, SC_ACTION_GET_CHUNK, 1, 0);
    await(&w, "chunk");
    await_calls(TEND, 200);
    end(&w);
}

// A session was lost: it is tried at once whether that is all, and nobody is told; or another
// leads, and nobody is refused by who does not.
Test(journal_trouble, a_session_that_was_lost, .timeout = 60)
{
    static const struct {
        int then; // what the next try comes to
        const char *want;
    } rows[] = {{0, "stored:open1.0 written:1 "}, {SC_ESTATE, "failed:-5021:because of -5021 "}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        world w;
        memset(&the_script, 0, sizeof the_script);
        begin(&w, 0);
        set_code(PUT, SC_ELOST, 1);
        set_code(COMMIT, rows[i].then, 0);
        act(&w, SC_ACTION_PUT_OPEN, 1, 0);
        await(&w, rows[i].then ? "failed" : "written");
        cr_expect_str_eq(w.said, rows[i].want, "%s", w.said);
        end(&w);
    }
}

// One that is lost whenever something is read is no reason to read again and again without a pause.
Test(journal_trouble, a_session_that_is_lost_again_and_again, .timeout = 60)
{
    world w;
    memset(&the_script, 0, sizeof the_script);
    begin(&w, 0);
    set_code(CHUNK, SC_ELOST, 0);
    act(&w, SC_ACTION_GET_CHUNK, 1, 0);
    await(&w, "trouble");
    cr_expect_leq(count_of(CHUNK), 3, "%d times", count_of(CHUNK));
    end(&w);
}

/* ---- what it does not survive ---- */

// Another leads, or it is damaged: nothing is written and nothing is said after that.
Test(journal_trouble, ends_where_it_cannot_go_on, .timeout = 120)
{
    static const enum call at[] = {BEGIN, PUT, COMMIT, TEND};
    static const int codes[] = {SC_ESTATE, SC_EMALFORMED};
    for (size_t i = 0; i < 2 * sizeof at / sizeof *at; i++) {
        world w;
        char want[100];
        int code = codes[i % 2];
        memset(&the_script, 0, sizeof the_script);
        begin(&w, ROOMY);
        act_state(&w, 1, 0);
        act(&w, SC_ACTION_PUT_CHUNK, 1, 0);
        ask_results(&w, 1, SC_READ_ENDED, 9);
        if (at[i / 2] == TEND)
            fail_after_commit(&w, code);
        else
            set_code(at[i / 2], code, 1);
        await(&w, "failed");
        snprintf(want, sizeof want, "%sfailed:%d:because of %d ",
                 at[i / 2] == TEND ? "stored:chunk1.0 written:2 " : "", code, code);
        cr_expect_str_eq(w.said, want, "%d: %s", (int)i, w.said);
        int n = count_of(BEGIN);
        act(&w, SC_ACTION_PUT_OPEN, 1, 0);
        act(&w, SC_ACTION_GET_CHUNK, 1, 0); // it is in memory
        sc_journal_deliver(w.journal);
        cr_expect_str_eq(w.said, want, "%d: %s", (int)i, w.said);
        act_state(&w, 1, 0);
        end(&w);
        cr_expect_eq(the_script.n[BEGIN], n);
        cr_expect_str_eq(the_script.disk, at[i / 2] == TEND ? "state1 chunk1 ; " : "", "%d: %s",
                         (int)i, the_script.disk);
        cr_expect_eq(the_script.n[CLOSE], 1);
    }
}

// What is read does not fit together: no answer says so, for that would end the tasks of a job.
Test(journal_trouble, damage_that_is_found_by_reading, .timeout = 60)
{
    static const enum call calls[] = {CHUNK, ENDED, TASKS};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        world w;
        memset(&the_script, 0, sizeof the_script);
        begin(&w, 0);
        act_state(&w, 1, 0);
        await(&w, "written");
        w.said[0] = 0;
        set_code(calls[i], SC_EMALFORMED, 1);
        if (calls[i] == CHUNK)
            act(&w, SC_ACTION_GET_CHUNK, 1, 0);
        else if (calls[i] == ENDED)
            ask_results(&w, 1, SC_READ_ENDED, 0);
        else
            ask_tasks(&w, 0);
        await(&w, ":");
        cr_expect_eq(strncmp(w.said, "failed:", 7), 0, "%d: %s", (int)i, w.said);
        end(&w);
    }
}

// In trouble too, though what waits has been refused or tried often.
Test(journal_trouble, ends_in_trouble, .timeout = 60)
{
    world w;
    begin(&w, 0);
    set_code(COMMIT, -ENOSPC, 0);
    act_state(&w, 1, 0);
    await(&w, "trouble");
    set_code(COMMIT, SC_ESTATE, 0);
    await(&w, "failed");
    cr_expect_str_eq(w.said, "trouble:" FULL " failed:-5021:because of -5021 ");
    end(&w);
    cr_expect_str_eq(the_script.disk, "");
}

// Closed in trouble, what waits is tried once more, without waiting for its time.
Test(journal_trouble, closing_tries_once, .timeout = 60)
{
    for (int works = 0; works < 2; works++) {
        world w;
        memset(&the_script, 0, sizeof the_script);
        begin(&w, 0);
        set_code(COMMIT, -ENOSPC, works);
        act_state(&w, 1, 0);
        await(&w, "trouble");
        set_closing(BEGIN); // a trial that begins now goes on when the journal is being closed
        act_state(&w, 2, 0);
        end(&w);
        cr_expect_eq(occurrences(the_script.disk, "state1"), works, "%s", the_script.disk);
        cr_expect_eq(occurrences(the_script.disk, "state2"), works, "%s", the_script.disk);
        cr_expect(the_script.n[BEGIN] >= 2 && the_script.n[BEGIN] <= 3);
    }
}
