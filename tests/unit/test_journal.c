/* SPDX-License-Identifier: Apache-2.0 */
/* The journal's thread (coordinator/journal_thread.c) and the loop's side of it over a back end
 * that does as it is told: start, groups, reads, what is kept in memory, end. What is not to be
 * written for a while: test_journal_trouble.c. */
#include "coordinator/journal_cache.h"
#include "tests/unit/test_journal_script.h"

/* ---- start ---- */

Test(journal, leads_once_its_epoch_is_kept, .timeout = 60)
{
    static const uint32_t jobs[] = {SC_JOB_STAGED,    SC_JOB_OPEN,   SC_JOB_RUNNING,
                                    SC_JOB_SUCCEEDED, SC_JOB_FAILED, SC_JOB_CANCELLED};
    world w;
    prepare();
    the_script.jobs = jobs;
    the_script.n_jobs = sizeof jobs / sizeof *jobs;
    cr_assert_eq(start(&w, 0), 0);
    await(&w, "leading");
    cr_expect_str_eq(w.said, "leading:7,42,-,tasks,tasks,-,-,- ");
    cr_expect_str_eq(w.disk_at_leading, "; ", "the epoch was told before it was safe");
    end(&w);
    cr_expect_eq(the_script.n[CLOSE], 1);
}

Test(journal, waits_to_lead, .timeout = 60)
{
    world w;
    prepare();
    set_code(LEAD, SC_EBUSY, 2);
    cr_assert_eq(start(&w, 0), 0);
    await(&w, "leading");
    cr_expect_str_eq(w.said, "waiting:because of -5004 leading:7,42 ");
    cr_expect_eq(the_script.n[LEAD], 3);
    end(&w);
}

Test(journal, may_be_closed_before_it_leads, .timeout = 60)
{
    static const enum call at[] = {OPEN, LEAD, JOBS, COMMIT};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        world w;
        memset(&the_script, 0, sizeof the_script);
        prepare();
        the_script.closing_at = at[i];
        set_code(LEAD, at[i] == LEAD ? SC_EBUSY : 0, 0);
        cr_assert_eq(start(&w, 0), 0);
        end(&w);
        cr_expect_eq(the_script.n[CLOSE], 1);
        cr_expect_str_eq(w.said, "");
    }
}

Test(journal, cannot_begin, .timeout = 60)
{
    static const uint32_t jobs[] = {SC_JOB_OPEN};
    static const struct {
        const char *name;
        enum call fails;
        int code;
        int n_closed;
    } rows[] = {
        {"open", OPEN, SC_EVERSION, 0},    {"lead", LEAD, SC_EVERSION, 1},
        {"jobs", JOBS, SC_EMALFORMED, 1},  {"tasks", TASKS, SC_EMALFORMED, 1},
        {"begin", BEGIN, -ENOSPC, 1},      {"commit", COMMIT, -ENOSPC, 1},
        {"lead again", LEAD, SC_EBUSY, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        world w;
        char want[100];
        memset(&the_script, 0, sizeof the_script);
        prepare();
        the_script.jobs = jobs;
        the_script.n_jobs = 1;
        set_code(rows[i].fails, rows[i].code, 0);
        cr_assert_eq(start(&w, 0), 0);
        snprintf(want, sizeof want, "failed:%d:because of %d ", rows[i].code, rows[i].code);
        if (rows[i].code == SC_EBUSY) {
            await(&w, "waiting");
            set_code(LEAD, SC_ELOST, 0); // away: it may come back
            await_calls(LEAD, count_of(LEAD) + 2);
            set_code(LEAD, SC_EVERSION, 0);
            snprintf(want, sizeof want, "waiting:because of %d failed:%d:because of %d ", SC_EBUSY,
                     SC_EVERSION, SC_EVERSION);
        }
        await(&w, "failed");
        act(&w, SC_ACTION_DROP_JOB, 1, 0);
        cr_expect_str_eq(w.said, want, "%s: %s", rows[i].name, w.said);
        end(&w);
        cr_expect_eq(the_script.n[CLOSE], rows[i].n_closed, "%s", rows[i].name);
        cr_expect_str_eq(the_script.disk, "", "%s", rows[i].name);
    }
}

Test(journal, location_says_which)
{
    static const struct {
        const char *location;
        int code;
    } rows[] = {{"", SC_EBADARG},
                {"sqlite", SC_EBADARG},
                {"sqlit:x", SC_EBADARG},
                {"sqlite3:x", SC_EBADARG},
                {"/x", SC_EBADARG}};
    uv_loop_t loop;
    uv_loop_init(&loop);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_journal *j = NULL;
        sc_error err = {0};
        sc_journal_options options = {.location = rows[i].location};
        cr_expect_eq(sc_journal_new(&loop, &options, &(sc_journal_events){0}, &j, &err),
                     rows[i].code, "%s", rows[i].location);
        cr_expect(!j && strstr(err.text, "sqlite:PATH"), "%s: %s", rows[i].location, err.text);
    }
    sc_journal *none = NULL;
    sc_journal_close(&none, NULL, NULL);
    cr_expect_eq(uv_loop_close(&loop), 0);
}

/* ---- groups ---- */

// Nothing is said of a write before it is committed; then each upload is answered, in order, and
// what was written counts on.
Test(journal, answers_what_is_committed, .timeout = 60)
{
    static const enum call at[] = {BEGIN, PUT, COMMIT};
    world w;
    begin(&w, 0);
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        char want[200];
        int n = (int)i * 5;
        w.said[0] = the_script.disk[0] = 0; // the thread waits for news
        set_stop(at[i]);
        act(&w, SC_ACTION_PUT_OPEN, 1, 0);
        act(&w, SC_ACTION_PUT_CHUNK, 1, 3);
        act_state(&w, 2, 0);
        act(&w, SC_ACTION_PUT_COMMIT, 1, 0);
        act(&w, SC_ACTION_DROP_JOB, 4, 0);
        cr_expect_eq(sc_journal_deliver(w.journal), 0);
        await_stop();
        cr_expect_eq(sc_journal_deliver(w.journal), 0, "said before it was safe: %s", w.said);
        set_stop(NOWHERE);
        await(&w, "written");
        snprintf(want, sizeof want, "stored:open1.0 stored:chunk1.3 stored:commit1.0 written:%d ",
                 n + 5);
        cr_expect_str_eq(w.said, want, "%s", w.said);
        cr_expect_str_eq(the_script.disk, "open1 chunk1 state2 commit1 drop-job4 ; ");
        uv_run(&w.loop, UV_RUN_NOWAIT);
    }
    end(&w);
}

// What waits must not be lost with the power; but for chunks, which need their COMMIT, and for what
// is dropped.
Test(journal, safe_where_somebody_counts_on_it, .timeout = 60)
{
    static const struct {
        sc_action_type type, other;
        bool is_safe;
    } rows[] = {
        {SC_ACTION_PUT_OPEN, 0, true},
        {SC_ACTION_PUT_CHUNK, 0, false},
        {SC_ACTION_PUT_COMMIT, 0, true},
        {SC_ACTION_PUT_RESULTS, 0, true},
        {SC_ACTION_PUT_RANGE, 0, true},
        {SC_ACTION_PUT_ATTEMPT, 0, true},
        {SC_ACTION_PUT_STATE, 0, true},
        {SC_ACTION_DROP_CHUNK, 0, false},
        {SC_ACTION_DROP_JOB, 0, false},
        {SC_ACTION_DROP_JOB, SC_ACTION_PUT_CHUNK, false},
        {SC_ACTION_PUT_COMMIT, SC_ACTION_PUT_CHUNK, true},
        {SC_ACTION_PUT_CHUNK, SC_ACTION_PUT_STATE, true},
    };
    world w;
    begin(&w, 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        w.said[0] = the_script.disk[0] = 0;
        act(&w, rows[i].type, 1, 0);
        if (rows[i].other)
            act(&w, rows[i].other, 1, 0);
        await(&w, "written");
        cr_expect_eq(occurrences(the_script.disk, ";"), rows[i].is_safe, "%d: %s", (int)i,
                     the_script.disk);
        cr_expect_eq(occurrences(the_script.disk, ",") + rows[i].is_safe, 1);
    }
    end(&w);
}

Test(journal, groups_are_bounded, .timeout = 120)
{
    static const struct {
        const char *name;
        size_t n, bytes, last; // writes, each of these bytes; one more of those
        size_t groups[4];
    } rows[] = {
        {"one", 1, 0, 0, {2}},
        {"as many as it may hold", 4095, 0, 0, {4096}},
        {"one more", 4096, 0, 0, {4096, 1}},
        {"twice", 8192, 0, 0, {4096, 4096, 1}},
        {"as many bytes as it may hold", 7, 1 << 20, 1 << 20, {8}},
        {"a byte more", 7, 1 << 20, (1 << 20) + 1, {7, 1}},
        {"larger ones", 4, 3 << 20, 0, {2, 3}},
        {"too large for any", 1, (8 << 20) + 1, 0, {1, 1}},
        {"too large behind others", 2, 100, 9 << 20, {2, 1}},
    };
    world w;
    uint64_t n = 0;
    begin(&w, 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char want[200] = "";
        w.said[0] = 0;
        the_script.n_groups = 0;
        for (size_t k = 0; k < rows[i].n; k++)
            act_results(&w, 1, rows[i].bytes);
        act_results(&w, 1, rows[i].last);
        for (size_t k = 0; k < 4 && rows[i].groups[k]; k++) {
            n += rows[i].groups[k];
            snprintf(want + strlen(want), sizeof want - strlen(want), "written:%d ", (int)n);
        }
        await(&w, strrchr(want, 'w'));
        cr_expect_str_eq(w.said, want, "%s: %s", rows[i].name, w.said);
        for (size_t k = 0; k < 4; k++)
            cr_expect_eq(k < the_script.n_groups ? the_script.groups[k] : 0, rows[i].groups[k],
                         "%s, group %d", rows[i].name, (int)k);
    }
    end(&w);
}

/* ---- reads ---- */

Test(journal, results, .timeout = 60)
{
    world w;
    begin(&w, 0);
    ask_results(&w, 1, SC_READ_ENDED, 0);
    ask_results(&w, 2, SC_READ_INDEX, 0);
    ask_results(&w, 3, SC_READ_INDEX_ENDED, 0);
    await(&w, "results:3");
    cr_expect_str_eq(w.said, "results:1:0:2 results:2:0:2 results:3:0:2 ");
    set_code(ENDED, -EIO, 2);
    w.said[0] = 0;
    ask_results(&w, 4, SC_READ_ENDED, 0);
    ask_results(&w, 5, SC_READ_INDEX, 0);
    ask_results(&w, 6, SC_READ_INDEX, 0);
    await(&w, "results:6");
    cr_expect_str_eq(w.said, "results:4:-5:-1 results:5:-5:-1 results:6:0:2 ");
    end(&w);
}

// The tasks of a job wait for the write that they rest on; a database that is away is asked again.
Test(journal, tasks)
{
    world w;
    begin(&w, 0);
    ask_tasks(&w, 1);
    act_state(&w, 1, 17);
    await(&w, "tasks");
    cr_expect_str_eq(w.said, "written:1 tasks:1:0:0 ");
    w.said[0] = 0;
    set_code(TASKS, -5, 1);
    ask_tasks(&w, 0);
    await(&w, "tasks");
    cr_expect_str_eq(w.said, "tasks:1:-5:-1 ");
    w.said[0] = 0;
    set_code(JOBS, SC_ELOST, 2);
    ask_tasks(&w, 0);
    await(&w, "tasks");
    cr_expect(strstr(w.said, "tasks:1:0:0 "), "%s", w.said);
    end(&w);
}

// Results rest on the writes that were acted before they were asked for, whenever those are safe.
Test(journal, results_wait_for_what_they_rest_on, .timeout = 60)
{
    world w;
    begin(&w, 0);
    act_state(&w, 1, 0); // 1
    act_state(&w, 1, 0); // 2
    await(&w, "written:2");
    w.said[0] = 0;
    ask_results(&w, 1, SC_READ_ENDED, 4);
    ask_results(&w, 2, SC_READ_ENDED, 3);
    ask_results(&w, 3, SC_READ_ENDED, 2);
    ask_results(&w, 4, SC_READ_ENDED, 5);
    await(&w, "results:3");
    cr_expect_str_eq(w.said, "results:3:0:2 ");
    act_state(&w, 1, 0); // 3
    await(&w, "results:2");
    act_state(&w, 1, 0); // 4
    act_state(&w, 1, 0); // 5
    await(&w, "results:4");
    cr_expect_str_eq(w.said, "results:3:0:2 written:3 results:2:0:2 written:5 results:1:0:2 "
                             "results:4:0:2 ");
    ask_results(&w, 5, SC_READ_ENDED, 99); // it is never answered, and freed
    sc_journal_deliver(w.journal);
    end(&w);
}

/* ---- chunks in memory ---- */

// A chunk's payload, and how often the back end has read for it.
static void
expect_chunk(world *w, uint64_t number, uint32_t chunk, const char *payload, int n_reads)
{
    char want[100];
    int before = count_of(CHUNK);
    snprintf(want, sizeof want, "chunk:%d.%u:%s ", (int)number, chunk, payload);
    w->said[0] = 0;
    act(w, SC_ACTION_GET_CHUNK, number, chunk);
    await(w, "chunk:");
    cr_expect_str_eq(w->said, want, "%s instead of %s", w->said, want);
    cr_expect_eq(count_of(CHUNK) - before, n_reads, "%s: read %d times", want,
                 count_of(CHUNK) - before);
}

// A chunk that was put is handed out once without reading; then nobody is expected to ask again.
Test(journal, new_chunks_are_kept, .timeout = 60)
{
    world w;
    begin(&w, ROOMY);
    the_script.n_chunks = 3;
    for (uint32_t i = 0; i < 3; i++)
        act(&w, SC_ACTION_PUT_CHUNK, 1, i);
    act(&w, SC_ACTION_PUT_CHUNK, 2, 1);
    await(&w, "written:4");
    expect_chunk(&w, 1, 2, "put:payload", 0);
    expect_chunk(&w, 1, 0, "put:payload", 0);
    expect_chunk(&w, 1, 2, "read:1.2", 2); // and the one behind it, which is not there
    expect_chunk(&w, 1, 1, "put:payload", 0);
    expect_chunk(&w, 2, 1, "put:payload", 0);
    expect_chunk(&w, 3, 1, "read:3.1", 3);
    expect_chunk(&w, 3, 2, "read:3.2", 0);
    expect_chunk(&w, 1, 3, "-5013", 1);
    end(&w);
}

Test(journal, dropped_chunks_are_not_kept, .timeout = 60)
{
    static const struct {
        const char *name;
        sc_action_type type;
        uint32_t chunk;
        int64_t ended_at;
        bool is_read[2]; // chunks 0 and 1
        int n_reads[2];  // for each, with those behind it: 2 is not there
    } rows[] = {
        {"nothing", SC_ACTION_PUT_ATTEMPT, 0, 0, {false, false}, {0, 0}},
        {"a chunk", SC_ACTION_DROP_CHUNK, 0, 0, {true, false}, {3, 0}},
        {"the other", SC_ACTION_DROP_CHUNK, 1, 0, {false, true}, {0, 2}},
        {"one that is not there", SC_ACTION_DROP_CHUNK, 2, 0, {false, false}, {0, 0}},
        {"the job", SC_ACTION_DROP_JOB, 0, 0, {true, true}, {3, 0}},
        {"state", SC_ACTION_PUT_STATE, 0, 0, {false, false}, {0, 0}},
        {"the end", SC_ACTION_PUT_STATE, 0, 1700000000000, {true, true}, {3, 0}},
    };
    world w;
    begin(&w, ROOMY);
    the_script.n_chunks = 2;
    for (uint32_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        w.said[0] = 0;
        act(&w, SC_ACTION_PUT_CHUNK, i + 1, 0);
        act(&w, SC_ACTION_PUT_CHUNK, i + 1, 1);
        act(&w, SC_ACTION_PUT_CHUNK, 100, i); // of another job
        if (rows[i].type == SC_ACTION_PUT_STATE)
            act_state(&w, i + 1, rows[i].ended_at);
        else
            act(&w, rows[i].type, i + 1, rows[i].chunk);
        await(&w, "written");
        cr_log_info("%s", rows[i].name);
        for (uint32_t k = 0; k < 2; k++) {
            char read[20];
            snprintf(read, sizeof read, "read:%u.%u", i + 1, k);
            expect_chunk(&w, i + 1, k, rows[i].is_read[k] ? read : "put:payload",
                         rows[i].n_reads[k]);
        }
        expect_chunk(&w, 100, i, "put:payload", 0);
    }
    end(&w);
}

// What is read ahead of a job that ends meanwhile would stay: nobody asks for it, or drops it.
Test(journal, what_comes_too_late_is_not_kept, .timeout = 60)
{
    static const struct {
        const char *name;
        bool is_dropped;
    } rows[] = {{"it is dropped", true}, {"it ends", false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        world w;
        memset(&the_script, 0, sizeof the_script);
        begin(&w, 1 << 20);
        the_script.n_chunks = 3;
        act(&w, SC_ACTION_GET_CHUNK, 9, 0);
        if (rows[i].is_dropped)
            act(&w, SC_ACTION_DROP_JOB, 9, 0);
        else
            act_state(&w, 9, 1);
        await(&w, "chunk:");
        expect_chunk(&w, 9, 1, "read:9.1", 3); // and the one that is not there
        end(&w);
    }
}

// Up to three quarters of the room are for what comes, the rest for what is read ahead.
Test(journal, room_for_chunks, .timeout = 60)
{
    world w;
    begin(&w, 4000);
    the_script.n_chunks = 100;
    int n_kept = 0;
    for (uint32_t i = 0; i < 100; i++)
        act(&w, SC_ACTION_PUT_CHUNK, 1, i);
    await(&w, "written:100");
    for (uint32_t i = 0; i < 100; i++) {
        int before = count_of(CHUNK);
        w.said[0] = 0;
        act(&w, SC_ACTION_GET_CHUNK, 1, i);
        await(&w, "chunk:");
        if (count_of(CHUNK) > before)
            break;
        n_kept++;
    }
    sc_journal_cache one = {0};
    sc_action put = action_of(SC_ACTION_PUT_CHUNK, 1, 0);
    sc_journal_cache_keep(&one, (uint64_t[]){1, 0}, put.put.table, put.put.bytes, ROOMY);
    cr_expect_eq(n_kept, 3000 / (int)one.bytes, "%d kept", n_kept);
    sc_journal_cache_fini(&one);
    end(&w);
}

Test(journal, reads_ahead, .timeout = 60)
{
    static const struct {
        const char *name;
        uint64_t cache_bytes;
        uint32_t n_chunks;
        size_t bytes;
        int n_reads[5]; // when chunks 0, 1, .. are asked for in turn
    } rows[] = {
        {"as many as it may", 64 << 20, 40, 100, {16, 0, 0, 0, 0}},
        {"as many as there are", 64 << 20, 3, 100, {4, 0, 0, 1, 1}},
        {"one more than fills it", 64 << 20, 40, 400 << 10, {3, 0, 0, 3, 0}},
        {"the first fills it", 64 << 20, 40, 1 << 20, {1, 1, 1, 1, 1}},
        {"no room to keep it", 0, 40, 100, {16, 16, 16, 16, 16}},
        {"room for one", 500 << 10, 40, 400 << 10, {3, 0, 3, 0, 3}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        world w;
        memset(&the_script, 0, sizeof the_script);
        begin(&w, rows[i].cache_bytes);
        the_script.n_chunks = rows[i].n_chunks;
        the_script.chunk_bytes = rows[i].bytes;
        cr_log_info("%s", rows[i].name);
        for (uint32_t k = 0; k < 5; k++) {
            char payload[20];
            snprintf(payload, sizeof payload, k < rows[i].n_chunks ? "read:9.%u" : "-5013", k);
            expect_chunk(&w, 9, k, payload, rows[i].n_reads[k]);
        }
        end(&w);
    }
}

// What was asked for may be there though what is behind it cannot be read.
Test(journal, chunks_that_cannot_be_read, .timeout = 60)
{
    world w;
    begin(&w, ROOMY);
    the_script.n_chunks = 40;
    set_code(CHUNK, -EIO, 1);
    expect_chunk(&w, 9, 0, "-5", 1);
    expect_chunk(&w, 9, 0, "read:9.0", 16);
    expect_chunk(&w, 9, 15, "read:9.15", 0);
    expect_chunk(&w, 9, 16, "read:9.16", 16);
    end(&w);
}

/* ---- end ---- */

Test(journal, closing_writes_what_waits_once, .timeout = 60)
{
    static const struct {
        const char *name;
        enum call fails; // with -ENOSPC
        bool is_given;   // the thread may have it before
        int n_begun, n_tried;
        const char *disk;
    } rows[] = {
        {"acted in this turn", N_CALLS, false, 1, 1, "open1 state1 results2 ; "},
        {"handed over", N_CALLS, true, 1, 1, "open1 state1 results2 ; "},
        {"cannot begin", BEGIN, false, 1, 0, ""},
        {"cannot be put", PUT, false, 1, 0, ""},
        {"cannot be committed", COMMIT, false, 1, 1, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        world w;
        memset(&the_script, 0, sizeof the_script);
        begin(&w, 0);
        if (rows[i].fails != N_CALLS)
            set_code(rows[i].fails, -ENOSPC, 0);
        act(&w, SC_ACTION_PUT_OPEN, 1, 0);
        act_state(&w, 1, 0);
        act_results(&w, 2, 10);
        if (rows[i].is_given)
            sc_journal_deliver(w.journal);
        end(&w);
        cr_expect_str_eq(the_script.disk, rows[i].disk, "%s: %s", rows[i].name, the_script.disk);
        cr_expect_eq(the_script.n[BEGIN], rows[i].n_begun, "%s", rows[i].name);
        cr_expect_eq(the_script.n[COMMIT], rows[i].n_tried, "%s", rows[i].name);
        cr_expect_eq(the_script.n[CLOSE], 1, "%s", rows[i].name);
    }
}

// Groups of a kind that may wait for the next are made safe: there is no next.
Test(journal, closing_leaves_nothing_unsafe, .timeout = 60)
{
    world w;
    begin(&w, 0);
    act(&w, SC_ACTION_PUT_CHUNK, 1, 0);
    act(&w, SC_ACTION_DROP_JOB, 2, 0);
    end(&w);
    cr_expect_str_eq(the_script.disk, "chunk1 drop-job2 ; ");
}

// A group is being written: that one first, then what was acted since, each once.
Test(journal, closing_in_the_middle_of_a_group, .timeout = 60)
{
    world w;
    begin(&w, 0);
    set_closing(COMMIT);
    act_state(&w, 1, 0);
    sc_journal_deliver(w.journal);
    await_calls(COMMIT, 1);
    act_state(&w, 2, 0);
    ask_results(&w, 1, SC_READ_ENDED, 0); // nobody will hear the answer
    sc_journal_deliver(w.journal);
    act_state(&w, 3, 0);
    end(&w);
    cr_expect_str_eq(the_script.disk, "state1 ; state2 state3 ; ");
    cr_expect_eq(the_script.n[ENDED], 0);
    cr_expect_str_eq(w.said, "");
}

// Several groups wait: the first that fails is the last that is tried.
Test(journal, closing_gives_up, .timeout = 60)
{
    world w;
    begin(&w, 0);
    for (int i = 0; i < 4; i++)
        act_results(&w, 1, 5 << 20);
    the_script.n[PUT] = 0;
    set_stop(BEGIN);
    sc_journal_deliver(w.journal);
    await_stop(); // in the first; the other three are tried at the end
    set_stop(NOWHERE);
    await(&w, "written:4");
    for (int i = 0; i < 4; i++)
        act_results(&w, 2, 5 << 20);
    set_code(COMMIT, -ENOSPC, 1);
    end(&w);
    cr_expect_str_eq(the_script.disk, "results1 ; results1 ; results1 ; results1 ; ");
    cr_expect_eq(the_script.n[BEGIN], 5);
}
