/* SPDX-License-Identifier: Apache-2.0 */
/* Results in the store: what goes in comes out, in each order, and nothing that was dropped takes
 * room. Each test runs with memory for everything and with memory for nothing. */
#include "tests/unit/test_store_support.h"

Test(store_results, results_by_index)
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
Test(store_results, reads_load_what_they_give)
{
    static const struct {
        const char *name;
        uint32_t max_bytes, n_loads_max, n_rows_min;
    } rows[] = {{"the least", 1, 1, 1}, {"two", 2 * 22000, 2, 1000}, {"all", 1 << 20, 5, 4000}};
    struct world *w = malloc(sizeof *w);
    begin(w, 0);
    for (uint64_t i = 10; i-- > 0;)
        put_results(w, 1, "w-1", i * 1000, 1000, 1);
    settle(w);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        sc_action a = {.type = SC_ACTION_GET_RESULTS};
        a.read = (sc_store_read){.job = job_id(1),
                                 .until = 10000,
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
Test(store_results, dropped_and_put_again_while_a_read_is_loading)
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

Test(store_results, gaps_are_skipped)
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

Test(store_results, long_range)
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
Test(store_results, page_bytes)
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

Test(store_results, results_as_ended)
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

// A worker that is lost may end thousands of tasks one by one: they are no more to a reader than
// the results of thousands.
Test(store_results, many_ranges)
{
    static const struct {
        const char *name;
        uint64_t step;
        uint32_t order;
    } rows[] = {{"apart, by index", 2, SC_READ_INDEX_ENDED},
                {"apart, as ended", 2, SC_READ_ENDED},
                {"side by side, by index", 1, SC_READ_INDEX_ENDED},
                {"side by side, as ended", 1, SC_READ_ENDED}};
    enum { N = 12000 };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct world *w = malloc(sizeof *w);
        begin(w, 1 << 30);
        for (uint64_t i = 0; i < N; i++)
            put_range(w, 1, i * rows[r].step, 1);
        uint64_t until = rows[r].order == SC_READ_ENDED ? N : N * rows[r].step;
        unsigned n_pages = read_all(w, 1, rows[r].order, 0, until, 1 << 20);
        cr_assert_leq(n_pages, 8, "%s: %u pages", rows[r].name, n_pages);
        cr_assert_eq(w->n_rows, N, "%s: %u rows", rows[r].name, w->n_rows);
        for (uint32_t i = 0; i < N; i++)
            cr_assert(w->rows[i].index == i * rows[r].step && w->rows[i].outcome == SC_DEAD,
                      "%s: row %u", rows[r].name, i);
        end(w);
        free(w);
    }
}

// Results that come one by one are gathered: in the file there are few pieces, in memory little is
// left, what is left is counted, and all of it goes with the job.
Test(store_results, results_one_by_one)
{
    enum { N = 15000, JOBS = 3 };
    static const struct {
        const char *name;
        uint64_t memory, step; // indexes between one result and the next
        uint64_t memory_max;   // counted afterwards, for JOBS * N results
        uint64_t spill_min;
    } rows[] = {
        {"all in memory", 1 << 30, 1, 3 << 20, 0},
        {"none", 0, 1, 600 << 10, 600 << 10},
        {"none, far apart", 0, 977, 2 << 20, 600 << 10},
    };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct world *w = malloc(sizeof *w);
        uint64_t memory, spill;
        begin(w, rows[r].memory);
        for (uint64_t i = 0; i < N; i++)
            for (uint8_t job = 1; job <= JOBS; job++)
                put_results(w, job, i % 3 ? "w-1" : "w-2", i * rows[r].step % N, 1, 1);
        settle(w);
        sc_store_bytes(w->store, &memory, &spill);
        cr_assert_leq(memory, rows[r].memory_max, "%s: memory %llu", rows[r].name,
                      (unsigned long long)memory);
        cr_assert_geq(spill, rows[r].spill_min, "%s: in the file %llu", rows[r].name,
                      (unsigned long long)spill);
        for (uint8_t job = 1; job <= JOBS; job++) {
            unsigned n_pages = read_all(w, job, SC_READ_INDEX, 0, N, 1 << 20);
            cr_assert(w->n_rows == N && n_pages < 20, "%s: %u pages", rows[r].name, n_pages);
            read_all(w, job, SC_READ_ENDED, 0, N, 1 << 20);
            cr_assert_eq(w->n_rows, N, "%s", rows[r].name);
            for (uint64_t i = 0; i < N; i++) {
                char value[32];
                sprintf(value, "v%llu", (unsigned long long)(i * rows[r].step % N));
                cr_assert_str_eq(w->rows[i].value, value, "%s: %llu", rows[r].name,
                                 (unsigned long long)i);
                cr_assert_str_eq(w->rows[i].worker, i % 3 ? "w-1" : "w-2", "%s", rows[r].name);
            }
            sc_store_act(w->store, &(sc_action){.type = SC_ACTION_DROP_JOB, .job = job_id(job)});
        }
        settle(w);
        sc_store_bytes(w->store, &memory, &spill);
        cr_assert(memory == 0 && spill == 0, "%s: memory %llu, in the file %llu", rows[r].name,
                  (unsigned long long)memory, (unsigned long long)spill);
        end(w);
        free(w);
    }
}

// Small results, large ones and ranges of one job in turn: each order still holds.
Test(store_results, small_and_large_in_turn)
{
    enum { ROUNDS = 10 };
    for (int m = 0; m < 2; m++) {
        struct world *w = malloc(sizeof *w);
        begin(w, memories[m]);
        uint64_t n = 0;
        for (int i = 0; i < ROUNDS; i++) {
            put_results(w, 1, "w-1", n, 3, 1);
            put_results(w, 1, "w-2", n + 3, 900, 1);
            put_range(w, 1, n + 903, 20);
            put_range(w, 1, n + 923, 1); // goes on
            put_results(w, 1, "w-3", n + 924, 1, 1);
            put_range(w, 1, n + 925, 2);
            n += 927;
        }
        for (uint32_t order = 0; order < 3; order++) {
            read_all(w, 1, order, 0, n, 5000);
            cr_assert_eq(w->n_rows, n, "order %u", order);
            for (uint64_t i = 0; i < n; i++) {
                uint64_t at = i % 927;
                cr_assert_eq(w->rows[i].index, i, "order %u", order);
                cr_assert_eq(w->rows[i].outcome,
                             (at >= 903 && at < 924) || at >= 925 ? SC_DEAD : SC_DONE);
                cr_assert_str_eq(w->rows[i].worker, at < 3      ? "w-1"
                                                    : at < 903  ? "w-2"
                                                    : at == 924 ? "w-3"
                                                                : "");
            }
        }
        end(w);
        free(w);
    }
}

// A page names at most 1,000 workers; a job may have had any number of them.
Test(store_results, many_workers)
{
    enum { N = 12000, WORKERS = 2500 };
    for (int m = 0; m < 2; m++) {
        struct world *w = malloc(sizeof *w);
        char name[16];
        begin(w, memories[m]);
        for (uint32_t i = 0; i < N; i++) {
            sprintf(name, "w-%u", i % WORKERS);
            put_results(w, 1, i % WORKERS ? name : "", i, 1, 1);
        }
        for (uint32_t order = 0; order < 3; order++) {
            unsigned n_pages = read_all(w, 1, order, 0, N, 1 << 20);
            cr_assert(n_pages >= N / 1000 && n_pages <= 2 * N / 1000, "%u pages", n_pages);
            cr_assert_eq(w->n_rows, N, "order %u: %u rows", order, w->n_rows);
            for (uint32_t i = 0; i < N; i++) {
                sprintf(name, "w-%u", i % WORKERS);
                cr_assert_str_eq(w->rows[i].worker, i % WORKERS ? name : "", "row %u", i);
            }
        }
        end(w);
        free(w);
    }
}
