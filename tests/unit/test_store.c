/* SPDX-License-Identifier: Apache-2.0 */
/* The store of volatile jobs, in memory and in the spill file: what goes in comes out, in each
 * order, and nothing that was dropped takes room. Each test runs with memory for everything and
 * with memory for nothing. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "coordinator/store.h"
#include "proto/run.h"
#include "tests/unit/test_spill_support.h"

enum { MAX_ROWS = 20000 };

struct world {
    uv_loop_t loop;
    sc_store *store;
    char dir[64];
    bool must_deliver;
    // the last answers
    int stored_status, chunk_status, page_status;
    unsigned n_stored, n_chunks, n_pages;
    sc_slice table, bytes; // of the chunk; kept
    uint64_t next, limit;
    uint32_t n_rows;
    struct row {
        uint64_t index;
        uint32_t outcome, attempt;
        char worker[16];
        char value[80];
    } rows[MAX_ROWS]; // of all pages since n_rows was set to 0
};

static void
on_stored(void *arg, const sc_ticket *ticket, int status)
{
    struct world *w = arg;
    (void)ticket;
    w->n_stored++;
    w->stored_status = status;
}

static void
on_chunk(void *arg, const sc_uuid *job, uint32_t number, int status, sc_slice table, sc_slice bytes)
{
    struct world *w = arg;
    (void)job;
    (void)number;
    w->n_chunks++;
    w->chunk_status = status;
    sc_slice_drop(&w->table);
    sc_slice_drop(&w->bytes);
    if (status == 0) {
        w->table = sc_slice_keep(table);
        w->bytes = sc_slice_keep(bytes);
    }
}

static void
on_results(void *arg, const sc_store_read *read, int status, const sc_message *page)
{
    struct world *w = arg;
    (void)read;
    w->n_pages++;
    w->page_status = status;
    w->next = page->page.next;
    const sc_worker_name *names = page->page.workers.items;
    size_t at = 0;
    cr_assert(page->table.len == 0 || sc_records_check(page->table, page->bytes, 1 << 24) == 0);
    for (uint32_t i = 0; i < sc_records_count(page->table); i++) {
        sc_record r = sc_records_get(page->table, i);
        struct row *row = &w->rows[w->n_rows++];
        cr_assert(w->n_rows < MAX_ROWS && r.worker < page->page.workers.n);
        row->index = page->page.base + r.offset;
        row->outcome = r.outcome;
        row->attempt = r.attempt;
        cr_assert_eq(r.flags, 0);
        sc_text_copy(names[r.worker].name, row->worker, sizeof row->worker);
        sc_text_copy((sc_text){(const char *)page->bytes.data + at, r.len}, row->value,
                     sizeof row->value);
        at += r.len;
    }
}

static void
on_limit(void *arg, uint64_t max_bytes)
{
    struct world *w = arg;
    w->limit = max_bytes;
}

static void
on_ready(void *arg)
{
    struct world *w = arg;
    w->must_deliver = true;
}

static void
begin(struct world *w, uint64_t memory)
{
    sc_store_events events = {on_stored, on_chunk, on_results, on_limit, on_ready, w};
    sc_error err;
    memset(w, 0, sizeof *w);
    strcpy(w->dir, "/tmp/sc-store-XXXXXX");
    cr_assert(mkdtemp(w->dir));
    cr_assert_eq(uv_loop_init(&w->loop), 0);
    cr_assert_eq(sc_store_new(&w->loop, w->dir, memory, &events, &w->store, &err), 0, "%s",
                 err.text);
}

// Until everything that is on its way has been answered.
static void
settle(struct world *w)
{
    do {
        w->must_deliver = false;
        while (sc_store_deliver(w->store) > 0)
            ;
        uv_run(&w->loop, UV_RUN_DEFAULT);
    } while (w->must_deliver);
}

static void
end(struct world *w)
{
    sc_slice_drop(&w->table);
    sc_slice_drop(&w->bytes);
    uint64_t memory, spill;
    sc_store_bytes(w->store, &memory, &spill);
    sc_store_close(&w->store, NULL, NULL);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&w->loop), 0);
    cr_assert_eq(rmdir(w->dir), 0, "something was left in %s", w->dir);
}

static void
expect_bytes(const struct world *w, const char *name, uint64_t want_memory, uint64_t want_spill)
{
    uint64_t memory, spill;
    sc_store_bytes(w->store, &memory, &spill);
    cr_expect(memory == want_memory && spill == want_spill, "%s: memory %llu spill %llu", name,
              (unsigned long long)memory, (unsigned long long)spill);
}

static sc_uuid
job_id(uint8_t n)
{
    sc_uuid id = {{0}};
    id.bytes[15] = n;
    return id;
}

static void
put_chunk(struct world *w, uint8_t job, uint32_t number, const char *text, uint32_t len)
{
    sc_action a = {.type = SC_ACTION_PUT_CHUNK};
    a.put.ticket = (sc_ticket){.job = job_id(job), .of = SC_MSG_CHUNK, .number = number};
    a.put.table = sc_slice_borrow(&len, sizeof len);
    a.put.bytes = sc_slice_borrow(text, len);
    sc_store_act(w->store, &a);
}

static void
act_chunk(struct world *w, sc_action_type type, uint8_t job, uint32_t number)
{
    sc_store_act(w->store, &(sc_action){.type = type, .chunk = {job_id(job), number}});
}

// Results of `count` tasks from `first` in steps; their value says their index.
static void
put_results(struct world *w, uint8_t job, const char *worker, uint64_t first, uint32_t count,
            uint32_t step)
{
    sc_record records[1000] = {{0}};
    char values[1000 * 24];
    size_t len = 0;
    for (uint32_t i = 0; i < count; i++) {
        records[i].offset = i * step;
        records[i].attempt = 1;
        records[i].flags = SC_RECORD_RETRY; // for the core alone
        records[i].len =
            (uint32_t)sprintf(values + len, "v%llu", (unsigned long long)(first + i * step));
        len += records[i].len;
    }
    sc_action a = {.type = SC_ACTION_PUT_RESULTS};
    a.results.job = job_id(job);
    a.results.worker = sc_text_of(worker);
    a.results.base = first;
    a.results.table = sc_slice_borrow(records, count * sizeof *records);
    a.results.bytes = sc_slice_borrow(values, len);
    sc_store_act(w->store, &a);
}

static void
put_range(struct world *w, uint8_t job, uint64_t first, uint64_t count)
{
    sc_action a = {.type = SC_ACTION_PUT_RANGE};
    a.range.job = job_id(job);
    a.range.first = first;
    a.range.count = count;
    a.range.outcome = SC_DEAD;
    a.range.attempt = 2;
    a.range.error = sc_text_of("{\"code\":\"poison\",\"message\":\"x\"}");
    sc_store_act(w->store, &a);
}

// All pages from `from` on; @return how many
static unsigned
read_all(struct world *w, uint8_t job, uint32_t order, uint64_t from, uint64_t until,
         uint32_t max_bytes)
{
    unsigned n = 0;
    w->n_rows = 0;
    w->next = from;
    while (w->next < until) {
        sc_action a = {.type = SC_ACTION_GET_RESULTS};
        uint64_t before = w->next;
        a.read = (sc_store_read){.job = job_id(job),
                                 .from = w->next,
                                 .until = until,
                                 .order = order,
                                 .max_bytes = max_bytes};
        sc_store_act(w->store, &a);
        settle(w);
        n++;
        cr_assert_eq(w->page_status, 0);
        if (w->next == before)
            break;
    }
    return n;
}

static const uint64_t memories[] = {1 << 30, 0};

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
        cr_assert_eq(m == 0 ? memory : spill, 300000 + 5 + 8);
        cr_assert_eq(m == 0 ? spill : memory, 0);
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
        {"exactly full", {60, 40}, 100, 0},
        {"one byte more", {60, 41}, 60, 41},
        {"what is on its way to the file takes no room", {60, 60, 40}, 100, 60},
    };
    static const char text[100];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world *w = malloc(sizeof *w);
        begin(w, 100);
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
    begin(w, 0);
    put_chunk(w, 1, 0, "hello", 5);
    act_chunk(w, SC_ACTION_DROP_CHUNK, 1, 0); // the write is on its way
    put_chunk(w, 2, 0, "other", 5);
    settle(w);
    expect_bytes(w, "one of two dropped", 0, 9);
    act_chunk(w, SC_ACTION_GET_CHUNK, 2, 0);
    sc_store_act(w->store, &(sc_action){.type = SC_ACTION_DROP_JOB,
                                        .job = job_id(2)}); // the read is on its way
    put_chunk(w, 2, 0, "again", 5); // another job that has its id must not get what was the first's
    settle(w);
    cr_assert_eq(w->n_chunks, 0);
    act_chunk(w, SC_ACTION_GET_CHUNK, 2, 0);
    settle(w);
    cr_assert(w->chunk_status == 0 && memcmp(w->bytes.data, "again", 5) == 0);
    expect_bytes(w, "one again", 0, 9);
    put_chunk(w, 3, 0, "third", 5);
    act_chunk(w, SC_ACTION_GET_CHUNK, 3, 0); // written and not yet read: comes from memory
    end(w);                                  // and the store closes with all of it on its way
    free(w);
}

Test(store, results_by_index)
{
    static const struct {
        const char *name;
        uint32_t max_bytes, n_pages_min;
    } rows[] = {
        {"large pages", 1 << 20, 3}, {"small pages", 1000, 200}, {"one at a time", 1, 9000}};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        for (int m = 0; m < 2; m++) {
            struct world *w = malloc(sizeof *w);
            begin(w, memories[m]);
            for (uint64_t i = 9; i-- > 0;) { // last first, odd and even apart
                put_results(w, 1, "w-1", 5 + i * 1000, 500, 2);
                put_results(w, 1, "w-2", 6 + i * 1000, 500, 2);
            }
            put_range(w, 1, 9005, 3000);
            settle(w);
            unsigned n_pages = read_all(w, 1, SC_READ_INDEX, 5, 12005, rows[r].max_bytes);
            cr_assert(n_pages >= rows[r].n_pages_min, "%s: %u pages", rows[r].name, n_pages);
            cr_assert_eq(w->n_rows, 12000, "%s: %u rows", rows[r].name, w->n_rows);
            for (uint32_t i = 0; i < w->n_rows; i++) {
                char value[32];
                const struct row *row = &w->rows[i];
                sprintf(value, "v%u", 5 + i);
                cr_assert_eq(row->index, 5 + i, "%s: row %u has index %llu", rows[r].name, i,
                             (unsigned long long)row->index);
                cr_assert_str_eq(row->value,
                                 i < 9000 ? value : "{\"code\":\"poison\",\"message\":\"x\"}", "%s",
                                 rows[r].name);
                cr_assert_str_eq(row->worker,
                                 i >= 9000 ? ""
                                 : i % 2   ? "w-2"
                                           : "w-1",
                                 "%s: row %u", rows[r].name, i);
                cr_assert_eq(row->outcome, i < 9000 ? SC_DONE : SC_DEAD);
                cr_assert_eq(row->attempt, i < 9000 ? 1 : 2);
            }
            end(w);
            free(w);
        }
}

// A read takes from the file what it gives, not all that lies near it.
Test(store, reads_load_what_they_give)
{
    static const struct {
        const char *name;
        uint32_t max_bytes, n_loads_max, n_rows_min;
    } rows[] = {
        {"the least", 1, 1, 1}, {"ten", 10 * 100 * 20, 10, 900}, {"all", 1 << 20, 40, 4000}};
    struct world *w = malloc(sizeof *w);
    begin(w, 0);
    for (uint64_t i = 40; i-- > 0;)
        put_results(w, 1, "w-1", i * 100, 100, 1);
    settle(w);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        sc_action a = {.type = SC_ACTION_GET_RESULTS};
        a.read = (sc_store_read){.job = job_id(1),
                                 .until = 4000,
                                 .order = SC_READ_INDEX,
                                 .max_bytes = rows[r].max_bytes};
        sc_fault_set("spill.read", 0);
        w->n_rows = 0;
        sc_store_act(w->store, &a);
        settle(w);
        cr_assert_leq(sc_fault_count("spill.read"), rows[r].n_loads_max, "%s: %llu loads",
                      rows[r].name, (unsigned long long)sc_fault_count("spill.read"));
        cr_assert_geq(w->n_rows, rows[r].n_rows_min, "%s: %u rows", rows[r].name, w->n_rows);
    }
    sc_fault_reset();
    end(w);
    free(w);
}

// What a read found does not fit the results that are there when it has been loaded: those of a job
// that has got the id of one that was dropped, or none.
Test(store, dropped_and_put_again_while_a_read_is_loading)
{
    static const struct {
        const char *name;
        sc_action_type drop;
        uint32_t order, n_again;
    } rows[] = {{"by index, the id again", SC_ACTION_DROP_JOB, SC_READ_INDEX_ENDED, 1},
                {"as ended, the id again", SC_ACTION_DROP_JOB, SC_READ_ENDED, 1},
                {"by index, results alone", SC_ACTION_DROP_RESULTS, SC_READ_INDEX_ENDED, 0},
                {"as ended, gone", SC_ACTION_DROP_JOB, SC_READ_ENDED, 0}};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct world *w = malloc(sizeof *w);
        begin(w, 0);
        for (uint64_t i = 0; i < 50; i++)
            put_results(w, 1, "w-1", i * 1000, 1000, 1);
        settle(w);
        sc_action a = {.type = SC_ACTION_GET_RESULTS};
        a.read = (sc_store_read){.job = job_id(1),
                                 .from = 45000,
                                 .until = 50000,
                                 .order = rows[r].order,
                                 .max_bytes = 1 << 20};
        sc_store_act(w->store, &a);
        sc_store_act(w->store, &(sc_action){.type = rows[r].drop, .job = job_id(1)});
        for (uint32_t i = 0; i < rows[r].n_again; i++)
            put_results(w, 1, "w-2", 45000, 10, 1);
        settle(w);
        cr_assert_eq(w->n_pages, 1, "%s", rows[r].name);
        cr_assert_eq(w->page_status, 0, "%s", rows[r].name);
        cr_assert_eq(w->n_rows, 0, "%s: %u rows", rows[r].name, w->n_rows);
        cr_assert_eq(w->next, 45000, "%s: next %llu", rows[r].name, (unsigned long long)w->next);
        end(w);
        free(w);
    }
}

Test(store, gaps_are_skipped)
{
    struct world *w = malloc(sizeof *w);
    begin(w, 1 << 20);
    put_results(w, 1, "w-1", 10, 5, 1);
    put_results(w, 1, "w-1", 100000, 5, 3);
    put_range(w, 1, 2000000, 1);
    put_range(w, 1, 2000001, 1);
    read_all(w, 1, SC_READ_INDEX_ENDED, 0, 3000000, 1 << 20);
    cr_assert_eq(w->n_rows, 12);
    cr_assert_eq(w->next, 3000000);
    static const uint64_t want[] = {10,     11,     12,     13,     14,      100000,
                                    100003, 100006, 100009, 100012, 2000000, 2000001};
    for (uint32_t i = 0; i < 12; i++)
        cr_assert_eq(w->rows[i].index, want[i], "row %u", i);
    read_all(w, 1, SC_READ_INDEX_ENDED, 100007, 3000000, 1 << 20);
    cr_assert(w->n_rows == 4 && w->rows[0].index == 100009);
    read_all(w, 1, SC_READ_INDEX, 10, 12, 1 << 20);
    cr_assert(w->n_rows == 2 && w->next == 12, "no further than asked");
    read_all(w, 9, SC_READ_INDEX_ENDED, 0, 10, 1 << 20); // a job without results
    cr_assert_eq(w->n_rows, 0);
    cr_assert_eq(w->next, 10);
    end(w);
    free(w);
}

Test(store, long_range)
{
    struct world *w = malloc(sizeof *w);
    begin(w, 1 << 20);
    put_range(w, 1, 100, 15000);
    read_all(w, 1, SC_READ_INDEX, 100, 15100, 1 << 20);
    cr_assert_eq(w->n_rows, 15000, "%u", w->n_rows);
    for (uint32_t i = 0; i < w->n_rows; i++)
        cr_assert_eq(w->rows[i].index, 100 + i);
    end(w);
    free(w);
}

// A page has at most the bytes that were asked for, or one result.
Test(store, page_bytes)
{
    static const struct {
        const char *name;
        uint32_t max_bytes, want;
    } rows[] = {
        {"exactly three", 93, 3},
        {"a byte short", 92, 2},
        {"exactly one", 31, 1},
        {"less than one", 30, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (uint32_t order = SC_READ_INDEX; order <= SC_READ_ENDED; order++) {
            struct world *w = malloc(sizeof *w);
            sc_action a = {.type = SC_ACTION_GET_RESULTS};
            begin(w, 1 << 20);
            put_range(w, 1, 0, 3); // 31 bytes each
            a.read = (sc_store_read){
                .job = job_id(1), .until = 3, .order = order, .max_bytes = rows[i].max_bytes};
            sc_store_act(w->store, &a);
            settle(w);
            cr_expect_eq(w->n_rows, rows[i].want, "%s, order %u: %u", rows[i].name, order,
                         w->n_rows);
            cr_expect_eq(w->next, rows[i].want, "%s, order %u", rows[i].name, order);
            end(w);
            free(w);
        }
}

/* ---- when the disk does not do it ---- */

// What could not be written stays in memory, and the core is told how much there is room for.
Test(store, full_disk)
{
    struct world *w = malloc(sizeof *w);
    char *big = calloc(1, 10000);
    begin(w, 0);
    limit_files(9000);
    put_chunk(w, 1, 0, "hello", 5);
    settle(w);
    put_chunk(w, 1, 1, big, 10000);
    settle(w);
    expect_bytes(w, "the second did not fit", 10004, 9);
    cr_expect_eq(w->limit, 10004 + 9);
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
    struct world *w = malloc(sizeof *w);
    sc_action a = {.type = SC_ACTION_GET_RESULTS};
    begin(w, 0);
    put_results(w, 1, "w-1", 0, 3, 1);
    put_chunk(w, 1, 0, "hello", 5);
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

Test(store, results_as_ended)
{
    for (int m = 0; m < 2; m++) {
        struct world *w = malloc(sizeof *w);
        begin(w, memories[m]);
        put_results(w, 1, "w-2", 500, 100, 1);
        put_range(w, 1, 0, 250);
        put_results(w, 1, "w-1", 400, 100, 1);
        settle(w);
        read_all(w, 1, SC_READ_ENDED, 0, 450, 700);
        cr_assert_eq(w->n_rows, 450);
        for (uint32_t i = 0; i < 450; i++) {
            uint64_t want = i < 100 ? 500 + i : i < 350 ? i - 100 : 400 + i - 350;
            cr_assert_eq(w->rows[i].index, want, "row %u: %llu", i,
                         (unsigned long long)w->rows[i].index);
        }
        read_all(w, 1, SC_READ_ENDED, 349, 450, 1 << 20);
        cr_assert(w->n_rows == 101 && w->rows[0].index == 249 && w->rows[1].index == 400);
        sc_store_act(w->store, &(sc_action){.type = SC_ACTION_DROP_RESULTS, .job = job_id(1)});
        settle(w);
        uint64_t memory, spill;
        sc_store_bytes(w->store, &memory, &spill);
        cr_assert(memory == 0 && spill == 0);
        end(w);
        free(w);
    }
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
