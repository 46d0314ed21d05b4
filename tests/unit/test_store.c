/* SPDX-License-Identifier: Apache-2.0 */
/* The store of volatile jobs, in memory and in the spill file: payloads, and what the disk does to
 * them. */
#include "tests/unit/test_spill_support.h"
#include "tests/unit/test_store_support.h"

Test(store, chunks)
{
    for (int m = 0; m < 2; m++) {
        struct world *w = malloc(sizeof *w);
        begin(w, memories[m]);
        char *big = malloc(300000);
        memset(big, 'x', 300000);
        put_chunk(w, 1, 0, "hello", 5);
        put_chunk(w, 1, 1, big, 300000);
        settle(w);
        cr_assert_eq(w->n_stored, 2);
        cr_assert_eq(w->stored_status, 0);
        act_chunk(w, SC_ACTION_GET_CHUNK, 1, 0);
        settle(w);
        cr_assert_eq(w->chunk_status, 0);
        cr_assert(w->bytes.len == 5 && memcmp(w->bytes.data, "hello", 5) == 0 && w->table.len == 4);
        act_chunk(w, SC_ACTION_GET_CHUNK, 1, 1);
        settle(w);
        cr_assert(w->bytes.len == 300000 && memcmp(w->bytes.data, big, 300000) == 0);
        uint64_t memory, spill;
        sc_store_bytes(w->store, &memory, &spill);
        cr_assert_eq(spill, m == 0 ? 0 : 300000 + 4); // a few bytes take no less memory in the file
        uint64_t least = m == 0 ? 300000 + 5 + 8 : 5 + 4;
        cr_assert(memory > least && memory < least + 1000, "memory %llu",
                  (unsigned long long)memory);
        act_chunk(w, SC_ACTION_DROP_CHUNK, 1, 1);
        act_chunk(w, SC_ACTION_GET_CHUNK, 1, 1);
        settle(w);
        cr_assert_eq(w->chunk_status, SC_ENOTFOUND);
        act_chunk(w, SC_ACTION_DROP_CHUNK, 1, 0);
        settle(w);
        sc_store_bytes(w->store, &memory, &spill);
        cr_assert(memory == 0 && spill == 0, "memory %llu spill %llu", (unsigned long long)memory,
                  (unsigned long long)spill);
        end(w);
        free(big);
        free(w);
    }
}

// What does not fit into memory goes to the file, and no more than that.
Test(store, memory_bound)
{
    static const struct {
        const char *name;
        uint32_t sizes[3]; // of chunks, their tables included, put one after the other
        uint64_t want_memory, want_spill;
    } rows[] = {
        {"room for all", {60000, 40000}, 100000, 0},
        {"not for the second", {60000, 42000}, 60000, 42000},
        {"what is on its way to the file takes no room", {60000, 60000, 40000}, 100000, 60000},
    };
    static const char text[60000];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world *w = malloc(sizeof *w);
        begin(w, 101000);
        for (uint32_t k = 0; k < 3 && rows[i].sizes[k]; k++)
            put_chunk(w, 1, k, text, rows[i].sizes[k] - (uint32_t)sizeof(uint32_t));
        settle(w);
        expect_bytes(w, rows[i].name, rows[i].want_memory, rows[i].want_spill);
        end(w);
        free(w);
    }
}

Test(store, dropped_while_being_written_or_read)
{
    struct world *w = malloc(sizeof *w);
    char text[4][1000];
    static const char *const names[] = {"hello", "other", "again", "third"};
    for (int i = 0; i < 4; i++)
        strcpy(memset(text[i], 0, sizeof text[i]), names[i]);
    begin(w, 0);
    put_chunk(w, 1, 0, text[0], 1000);
    act_chunk(w, SC_ACTION_DROP_CHUNK, 1, 0); // the write is on its way
    put_chunk(w, 2, 0, text[1], 1000);
    settle(w);
    expect_bytes(w, "one of two dropped", 0, 1004);
    act_chunk(w, SC_ACTION_GET_CHUNK, 2, 0);
    sc_store_act(w->store, &(sc_action){.type = SC_ACTION_DROP_JOB,
                                        .job = job_id(2)}); // the read is on its way
    put_chunk(w, 2, 0, text[2],
              1000); // another job that has its id must not get what was the first's
    settle(w);
    cr_assert_eq(w->n_chunks, 0);
    act_chunk(w, SC_ACTION_GET_CHUNK, 2, 0);
    settle(w);
    cr_assert(w->chunk_status == 0 && memcmp(w->bytes.data, "again", 5) == 0);
    expect_bytes(w, "one again", 0, 1004);
    put_chunk(w, 3, 0, text[3], 1000);
    act_chunk(w, SC_ACTION_GET_CHUNK, 3, 0); // written and not yet read: comes from memory
    end(w);                                  // and the store closes with all of it on its way
    free(w);
}

// What could not be written stays in memory, and the core is told how much there is room for.
Test(store, full_disk)
{
    struct world *w = malloc(sizeof *w);
    char *big = calloc(1, 10000);
    begin(w, 0);
    limit_files(9000);
    put_chunk(w, 1, 0, big, 1000);
    settle(w);
    put_chunk(w, 1, 1, big, 10000);
    settle(w);
    expect_bytes(w, "the second did not fit", 10004, 1004);
    cr_expect_eq(w->limit, 10004 + 1004);
    act_chunk(w, SC_ACTION_GET_CHUNK, 1, 1);
    settle(w);
    cr_expect(w->chunk_status == 0 && w->bytes.len == 10000);
    limit_files(RLIM_INFINITY);
    end(w);
    free(big);
    free(w);
}

// What cannot be read is an error, not a page or payload of something else.
Test(store, short_file)
{
    static const char text[1000];
    struct world *w = malloc(sizeof *w);
    sc_action a = {.type = SC_ACTION_GET_RESULTS};
    begin(w, 0);
    put_results(w, 1, "w-1", 0, 1000, 1);
    put_chunk(w, 1, 0, text, sizeof text);
    settle(w);
    cr_assert_eq(ftruncate(spill_fd(w->dir), 1), 0);
    a.read = (sc_store_read){.job = job_id(1), .until = 3, .max_bytes = 1000};
    sc_store_act(w->store, &a);
    act_chunk(w, SC_ACTION_GET_CHUNK, 1, 0);
    settle(w);
    cr_expect(w->page_status < 0 && w->n_rows == 0, "%d", w->page_status);
    cr_expect_lt(w->chunk_status, 0);
    end(w);
    free(w);
}

// A full disk: what could not be written stays in memory, the core is told, once, what fits; with
// the next write that succeeds, that there is room again.
Test(store, disk_full_and_room_again)
{
    static const struct {
        const char *name;
        bool is_failing;
        unsigned n_limits; // so far
        uint64_t limit;
    } rows[] = {{"room", false, 0, 0},
                {"full", true, 1, 2 * 304},
                {"still full", true, 1, 2 * 304},
                {"room again", false, 2, UINT64_MAX},
                {"more of it", false, 2, UINT64_MAX},
                {"full again", true, 3, 6 * 304}};
    char text[301] = {0};
    memset(text, 'x', 300);
    struct world *w = malloc(sizeof *w);
    begin(w, 0);
    for (uint32_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        limit_files(rows[i].is_failing ? 1 : RLIM_INFINITY);
        put_chunk(w, 1, i, text, 300);
        settle(w);
        cr_assert_eq(w->n_limits, rows[i].n_limits, "%s: said %u times", rows[i].name, w->n_limits);
        cr_assert_eq(w->limit, rows[i].limit, "%s: %llu", rows[i].name,
                     (unsigned long long)w->limit);
        act_chunk(w, SC_ACTION_GET_CHUNK, 1, i);
        settle(w);
        cr_assert(w->chunk_status == 0 && w->bytes.len == 300, "%s", rows[i].name);
    }
    limit_files(RLIM_INFINITY);
    end(w);
    free(w);
}

// While a disk is full the core may refuse whatever would have to be written, so we try by
// ourselves.
Test(store, disk_with_room_again_is_noticed)
{
    static const char text[1000];
    struct world *w = malloc(sizeof *w);
    begin(w, 0);
    sc_fault_set("spill.written", 1); // one write fails
    put_chunk(w, 1, 0, text, sizeof text);
    settle(w);
    cr_assert_eq(w->limit, 1004);
    settle(w);
    cr_assert_eq(w->limit, UINT64_MAX);
    act_chunk(w, SC_ACTION_DROP_CHUNK, 1, 0);
    settle(w);
    expect_bytes(w, "nothing of the trial is left", 0, 0);
    sc_fault_reset();
    end(w);
    free(w);
}

Test(store, folder_that_cannot_be_written)
{
    uv_loop_t loop;
    sc_store *store = NULL;
    sc_store_events events = {0};
    sc_error err = {0};
    cr_assert_eq(uv_loop_init(&loop), 0);
    cr_assert_lt(sc_store_new(&loop, "/nowhere/at/all", 0, &events, &store, &err), 0);
    cr_assert(strstr(err.text, "/nowhere/at/all"), "%s", err.text);
    cr_assert_eq(uv_loop_close(&loop), 0);
}

// A disk slower than an upload: beyond so many bytes on their way a chunk counts as stored when
// they have become fewer, so the upload waits instead of the memory growing. What follows keeps its
// place.
Test(store, upload_faster_than_the_disk)
{
    enum { N = 60, LEN = 256 * 1024 };
    static const struct {
        const char *name;
        uint64_t memory;
        unsigned at_once_min, at_once_max, n_stored;
        bool is_dropped, is_closed;
    } rows[] = {
        {"room in memory", 1 << 30, N + 1, N + 1, N + 1, false, false},
        {"to the disk", 0, 16, N / 2 + 10, N + 1, false, false},
        {"dropped meanwhile", 0, 16, N / 2 + 10, N / 2 + 10, true, false},
        {"closed meanwhile", 0, 16, N / 2 + 10, N / 2 + 10, false, true},
    };
    char *text = malloc(LEN);
    memset(text, 'x', LEN);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct world *w = malloc(sizeof *w);
        begin(w, rows[r].memory);
        for (uint32_t i = 0; i < N; i++)
            put_chunk(w, 1, i, text, LEN);
        sc_store_act(w->store, &(sc_action){.type = SC_ACTION_PUT_COMMIT,
                                            .put.ticket = {.job = job_id(1), .of = SC_MSG_COMMIT}});
        while (sc_store_deliver(w->store) > 0)
            ;
        cr_assert(w->n_stored >= rows[r].at_once_min && w->n_stored <= rows[r].at_once_max,
                  "%s: %u at once", rows[r].name, w->n_stored);
        cr_assert_eq(w->stored_of == SC_MSG_COMMIT, rows[r].memory > 0, "%s", rows[r].name);
        if (rows[r].is_dropped)
            sc_store_act(w->store, &(sc_action){.type = SC_ACTION_DROP_JOB, .job = job_id(1)});
        if (!rows[r].is_closed)
            settle(w);
        cr_assert(w->n_stored <= rows[r].n_stored, "%s: %u", rows[r].name, w->n_stored);
        if (!rows[r].is_dropped && !rows[r].is_closed)
            cr_assert(w->n_stored == N + 1 && w->stored_of == SC_MSG_COMMIT, "%s: %u", rows[r].name,
                      w->n_stored);
        end(w);
        free(w);
    }
    free(text);
}

// Where memory is full the oldest results go to the file; chunks come after all results.
Test(store, the_oldest_results_go_first)
{
    static const struct {
        const char *name;
        uint32_t n_results, n_chunks;
        uint32_t in_file[6]; // of the results, then the chunks, in the order in which they came
    } rows[] = {
        {"two fit", 2, 0, {0, 0}},
        {"the oldest", 4, 0, {1, 1, 0, 0}},
        {"results before chunks", 2, 2, {1, 1, 0, 0}},
        {"the newest chunk", 2, 3, {1, 1, 0, 0, 1}},
    };
    enum { RECORDS = 1000 };
    char *text = malloc(1 << 20);
    memset(text, 'x', 1 << 20);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct world *w = malloc(sizeof *w);
        begin(w, 50000);
        uint32_t n = rows[r].n_results + rows[r].n_chunks;
        for (uint32_t i = 0; i < n; i++) {
            if (i < rows[r].n_results)
                put_results(w, (uint8_t)i, "w-1", 10000, RECORDS, 1); // 16,000 + 6,000 bytes
            else
                put_chunk(w, 9, i, text, 22000);
            settle(w);
        }
        for (uint32_t i = 0; i < n; i++) {
            sc_fault_set("spill.read", 0);
            if (i < rows[r].n_results)
                read_all(w, (uint8_t)i, SC_READ_INDEX, 10000, 10000 + RECORDS, 1 << 20);
            else
                act_chunk(w, SC_ACTION_GET_CHUNK, 9, i);
            settle(w);
            cr_assert_eq(sc_fault_count("spill.read"), rows[r].in_file[i], "%s: piece %u",
                         rows[r].name, i);
        }
        sc_fault_reset();
        end(w);
        free(w);
    }
    free(text);
}

// What could not be written is the first to be written when the disk has room again.
Test(store, results_that_a_full_disk_refused)
{
    struct world *w = malloc(sizeof *w);
    uint64_t memory, spill;
    begin(w, 0);
    for (int i = 0; i < 5; i++) {
        limit_files(i < 3 ? 1 : RLIM_INFINITY);
        put_results(w, 1, "w-1", (uint64_t)i * 1000, 1000, 1);
        settle(w);
    }
    cr_assert_eq(w->limit, UINT64_MAX);
    put_results(w, 1, "w-1", 5000, 1000, 1); // the disk takes all again, and so all goes there
    settle(w);
    sc_store_bytes(w->store, &memory, &spill);
    cr_assert(memory < 20000 && spill > 6 * 16000, "memory %llu, in the file %llu",
              (unsigned long long)memory, (unsigned long long)spill);
    read_all(w, 1, SC_READ_INDEX, 0, 6000, 1 << 20);
    cr_assert_eq(w->n_rows, 6000);
    end(w);
    free(w);
}
