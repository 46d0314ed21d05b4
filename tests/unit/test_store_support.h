/* SPDX-License-Identifier: Apache-2.0 */
/* A store on a real loop, in a folder of its own, and what it said last. Included by one file of a
 * test program. */
#ifndef SC_TEST_STORE_SUPPORT_H
#define SC_TEST_STORE_SUPPORT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/fault.h"
#include "coordinator/store.h"
#include "proto/run.h"

enum { MAX_ROWS = 20000 };

struct world {
    uv_loop_t loop;
    sc_store *store;
    char dir[64];
    bool must_deliver;
    // the last answers
    uint32_t stored_of;
    int stored_status, chunk_status, page_status;
    unsigned n_stored, n_chunks, n_pages, n_limits;
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
    w->stored_of = ticket->of;
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
    w->n_limits++;
    w->limit = max_bytes;
}

static void
on_ready(void *arg)
{
    struct world *w = arg;
    w->must_deliver = true;
}

static inline void
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
static inline void
settle(struct world *w)
{
    do {
        w->must_deliver = false;
        while (sc_store_deliver(w->store) > 0)
            ;
        uv_run(&w->loop, UV_RUN_DEFAULT);
    } while (w->must_deliver);
}

static inline void
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

// In memory, beside `want_memory`, lies what is needed to find things: a little, and nothing where
// nothing is kept.
static inline void
expect_bytes(const struct world *w, const char *name, uint64_t want_memory, uint64_t want_spill)
{
    uint64_t memory, spill;
    sc_store_bytes(w->store, &memory, &spill);
    uint64_t max = want_memory + want_spill > 0 ? want_memory + 2000 : 0;
    cr_expect(memory >= want_memory && memory <= max && spill == want_spill,
              "%s: memory %llu spill %llu", name, (unsigned long long)memory,
              (unsigned long long)spill);
}

static inline sc_uuid
job_id(uint8_t n)
{
    sc_uuid id = {{0}};
    id.bytes[15] = n;
    return id;
}

static inline void
put_chunk(struct world *w, uint8_t job, uint32_t number, const char *text, uint32_t len)
{
    sc_action a = {.type = SC_ACTION_PUT_CHUNK};
    a.put.ticket = (sc_ticket){.job = job_id(job), .of = SC_MSG_CHUNK, .number = number};
    a.put.table = sc_slice_borrow(&len, sizeof len);
    a.put.bytes = sc_slice_borrow(text, len);
    sc_store_act(w->store, &a);
}

static inline void
act_chunk(struct world *w, sc_action_type type, uint8_t job, uint32_t number)
{
    sc_store_act(w->store, &(sc_action){.type = type, .chunk = {job_id(job), number}});
}

// Results of `count` tasks from `first` in steps; their value says their index.
static inline void
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

static inline void
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
static inline unsigned
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

/* Room in memory for everything, and for nothing. */
static const uint64_t memories[] = {1 << 30, 0};

#endif
