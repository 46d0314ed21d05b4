/* SPDX-License-Identifier: Apache-2.0 */
/* Reading: what each order gives while a job runs and after it, when a reader waits, and what is
 * kept of messages of which only a part counts. */
#include <string.h>

#include <criterion/criterion.h>

#include "tests/support/fake_core.h"

static sc_fake f;
static sc_run run;

// A job of the indexes 10 to 14 whose tasks are all handed out.
static void
start(void)
{
    sc_fake_worker w = {.slots_async = 5};
    sc_message m;
    memset(&f, 0, sizeof f);
    sc_fake_init(&f);
    f.options.store_max_bytes = 1 << 24;
    sc_fake_start(&f);
    sc_fake_client(&f, 1);
    sc_fake_worker_ready(&f, 2, &w);
    sc_fake_array(&f, 1, 1, 10, 5, NULL);
    cr_assert(sc_fake_take(&f, 2, SC_MSG_RUN, &m));
    run = m.run;
}

static void
stop(void)
{
    sc_fake_stop(&f);
}

TestSuite(results, .init = start, .fini = stop);

static void
end(uint32_t offset, uint32_t count)
{
    sc_fake_results(&f, 2, &run, offset, count, SC_DONE, 0, 1000);
}

static void
ask(uint64_t from, sc_read_order order, bool waits)
{
    sc_message m = {.type = SC_MSG_READ};
    m.read = (sc_read){.request = 5,
                       .job = sc_fake_job(1),
                       .from = from,
                       .order = order,
                       .max_bytes = 1000,
                       .wait = waits};
    sc_fake_say(&f, 1, &m);
}

Test(results, orders)
{
    static const struct {
        const char *name;
        const char *ends; // offsets, in their order
        sc_read_order order;
        uint64_t from;
        const char *want; // indexes - 10
        uint64_t want_next;
        bool want_end;
    } rows[] = {
        {"nothing yet", "", SC_READ_INDEX, 10, "", 10, false},
        {"index: a prefix", "01", SC_READ_INDEX, 10, "01", 12, false},
        {"index: up to the gap", "013", SC_READ_INDEX, 10, "01", 12, false},
        {"index: behind the gap", "12", SC_READ_INDEX, 10, "", 10, false},
        {"index: from below the job", "01", SC_READ_INDEX, 0, "01", 12, false},
        {"index: later", "0123", SC_READ_INDEX, 12, "23", 14, false},
        {"index: all", "43210", SC_READ_INDEX, 10, "01234", 15, true},
        {"index: from the end", "43210", SC_READ_INDEX, 15, "", 15, true},
        {"index: from beyond", "01", SC_READ_INDEX, 99, "", 99, false},
        {"ended by index", "31", SC_READ_INDEX_ENDED, 10, "13", 15, false},
        {"ended by index: all", "31204", SC_READ_INDEX_ENDED, 10, "01234", 15, true},
        {"as ended", "31", SC_READ_ENDED, 0, "31", 2, false},
        {"as ended: later", "314", SC_READ_ENDED, 1, "14", 3, false},
        {"as ended: all", "31402", SC_READ_ENDED, 0, "31402", 5, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char got[8] = "";
        sc_message m;
        stop();
        start();
        for (const char *at = rows[i].ends; *at; at++)
            end((uint32_t)(*at - '0'), 1);
        ask(rows[i].from, rows[i].order, false);
        cr_assert(sc_fake_take(&f, 1, SC_MSG_PAGE, &m), "%s", rows[i].name);
        for (uint32_t k = 0; k < sc_records_count(m.table) && k < 7; k++)
            got[k] = (char)('0' + m.page.base + sc_records_get(m.table, k).offset - 10);
        cr_expect_str_eq(got, rows[i].want, "%s: %s", rows[i].name, got);
        cr_expect_eq(m.page.next, rows[i].want_next, "%s: next %d", rows[i].name, (int)m.page.next);
        cr_expect_eq(m.page.is_end, rows[i].want_end, "%s", rows[i].name);
        cr_expect_eq(m.page.request, 5, "%s", rows[i].name);
    }
}

Test(results, waiting)
{
    static const struct {
        const char *name;
        sc_read_order order;
        uint64_t from;
        const char *before; // offsets that have ended before
        uint32_t at_once;   // answers at once
        const char *then;   // ends one by one; how many of them until the answer:
        uint32_t want;
    } rows[] = {
        {"something is there", SC_READ_INDEX, 10, "0", 1, "", 0},
        {"index: the next", SC_READ_INDEX, 11, "0", 0, "1", 1},
        {"index: not what is behind a gap", SC_READ_INDEX, 10, "", 0, "210", 3},
        {"as ended: any", SC_READ_ENDED, 0, "", 0, "3", 1},
        {"as ended: the second", SC_READ_ENDED, 1, "", 0, "34", 2},
        {"ended by index: any", SC_READ_INDEX_ENDED, 10, "", 0, "3", 1},
        {"ended by index: behind the last only the end", SC_READ_INDEX_ENDED, 15, "0", 0, "1234",
         4},
        {"from beyond: only the end", SC_READ_INDEX, 99, "", 0, "01234", 5},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t n = 0;
        stop();
        start();
        for (const char *at = rows[i].before; *at; at++)
            end((uint32_t)(*at - '0'), 1);
        ask(rows[i].from, rows[i].order, true);
        cr_expect_eq(sc_fake_count(&f, 1, SC_MSG_PAGE), rows[i].at_once, "%s", rows[i].name);
        for (const char *at = rows[i].then; *at && sc_fake_count(&f, 1, SC_MSG_PAGE) == 0; at++) {
            end((uint32_t)(*at - '0'), 1);
            n++;
        }
        cr_expect_eq(n, rows[i].want, "%s: after %u", rows[i].name, n);
        cr_expect_eq(sc_fake_count(&f, 1, SC_MSG_PAGE), 1, "%s: once", rows[i].name);
    }
}

Test(results, waiting_for_the_end)
{
    sc_message m = {.type = SC_MSG_ASK};
    m.ask = (sc_ask){
        .request = 8, .what = SC_ASK_JOB, .job = sc_fake_job(1), .n_digits = 32, .wait = true};
    sc_fake_say(&f, 1, &m);
    end(0, 4);
    cr_expect_eq(sc_fake_count(&f, 1, SC_MSG_JOBS), 0);
    end(4, 1);
    cr_assert(sc_fake_take(&f, 1, SC_MSG_JOBS, &m));
    const sc_job_info *info = m.jobs.jobs.items;
    cr_expect(m.jobs.request == 8 && info->state == SC_JOB_SUCCEEDED && info->ended_at > 0);
    m = (sc_message){.type = SC_MSG_ASK};
    m.ask = (sc_ask){
        .request = 9, .what = SC_ASK_JOB, .job = sc_fake_job(1), .n_digits = 32, .wait = true};
    sc_fake_say(&f, 1, &m);
    cr_expect_eq(sc_fake_count(&f, 1, SC_MSG_JOBS), 1, "it has ended: at once");
}

Test(results, reader_goes)
{
    ask(10, SC_READ_INDEX, true);
    sc_fake_say(&f, 1, &(sc_message){.type = SC_MSG_BYE});
    end(0, 5);
    cr_expect_eq(sc_fake_count(&f, 1, SC_MSG_PAGE), 0);
    sc_fake_client(&f, 3);
    cr_expect_eq(sc_fake_ask(&f, 3, 1).done, 5);
}

Test(results, no_such_job)
{
    sc_message m = {.type = SC_MSG_READ, .read = {.request = 5, .job = sc_fake_job(44)}};
    sc_fake_say(&f, 1, &m);
    cr_assert(sc_fake_take(&f, 1, SC_MSG_REFUSED, &m));
    cr_expect_eq(m.refused.code, SC_ENOJOB);
}

Test(results, store_cannot_read)
{
    sc_message m;
    end(0, 1);
    f.store_status = SC_EINTERNAL;
    ask(10, SC_READ_INDEX, false);
    cr_assert(sc_fake_take(&f, 1, SC_MSG_REFUSED, &m));
    cr_expect(m.refused.code == SC_EINTERNAL && m.refused.request == 5);
}

// Only the records that count are kept, each with its own value.
Test(results, parts_of_a_message)
{
    static const char values[] = "aabbcc";
    sc_open retry = {.retries = 1};
    sc_message m;
    sc_uuid job = sc_fake_job(2);
    sc_fake_array(&f, 1, 2, 0, 3, &retry);
    end(0, 5);
    cr_assert(sc_fake_take(&f, 2, SC_MSG_RUN, &m));
    sc_record records[] = {
        {.offset = 0, .len = 2, .attempt = 1},
        {.offset = 1, .len = 2, .attempt = 1, .outcome = SC_DEAD, .flags = SC_RECORD_RETRY},
        {.offset = 2, .len = 2, .attempt = 1},
    };
    cr_assert_eq(m.run.count, 3);
    sc_token token = m.run.token;
    m = (sc_message){.type = SC_MSG_RESULTS};
    m.results = (sc_results){.number = ++f.numbers[2], .job = job, .token = token};
    m.table = sc_slice_borrow(records, sizeof records);
    m.bytes = sc_slice_borrow(values, 6);
    sc_fake_say(&f, 2, &m);
    const sc_model_result *r = sc_model_store_find(f.store, &job, 2);
    cr_assert(r && r->len == 2);
    cr_expect(memcmp(r->value, "cc", 2) == 0);
    cr_expect_null(sc_model_store_find(f.store, &job, 1));
    cr_expect_str_eq(r->worker, "w2");
}

// Who reads such a job comes to its end, in any order.
Test(results, dropped_results_are_said)
{
    sc_message m;
    end(0, 5);
    sc_core_store_limit(f.core, 10, f.now_ms);
    for (uint32_t order = SC_READ_INDEX; order <= SC_READ_ENDED; order++) {
        ask(0, (sc_read_order)order, true);
        cr_assert(sc_fake_take(&f, 1, SC_MSG_PAGE, &m), "order %u", order);
        cr_expect(m.page.is_end && m.page.n_dropped == 5 && sc_records_count(m.table) == 0,
                  "order %u", order);
    }
}

// However large a page is asked for, it has at most a MiB.
Test(results, pages_are_bounded)
{
    enum { VALUE_BYTES = 400 * 1024 };
    static char values[5 * VALUE_BYTES];
    sc_record records[5] = {{0}};
    sc_message m = {.type = SC_MSG_RESULTS};
    for (uint32_t i = 0; i < 5; i++)
        records[i] = (sc_record){.offset = i, .len = VALUE_BYTES, .attempt = 1};
    m.results = (sc_results){
        .number = ++f.numbers[2], .job = run.job, .token = run.token, .base = run.first};
    m.table = sc_slice_borrow(records, sizeof records);
    m.bytes = sc_slice_borrow(values, sizeof values);
    sc_fake_say(&f, 2, &m);
    m = (sc_message){.type = SC_MSG_READ};
    m.read = (sc_read){
        .request = 5, .job = sc_fake_job(1), .order = SC_READ_INDEX, .max_bytes = UINT32_MAX};
    sc_fake_say(&f, 1, &m);
    cr_assert(sc_fake_take(&f, 1, SC_MSG_PAGE, &m));
    cr_expect_eq(sc_records_count(m.table), 2, "%u", sc_records_count(m.table));
    cr_expect(m.page.next == 12 && !m.page.is_end);
}
