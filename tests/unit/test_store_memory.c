/* SPDX-License-Identifier: Apache-2.0 */
/* Each piece of memory that the store of volatile jobs asks for is refused once: what it was asked
 * is refused and may be asked again; or, where a result would be lost, the process ends by its own
 * assertion. It never goes astray. */
#include "tests/support/memory.h"
#include "tests/unit/test_store_support.h"

enum { TRIES = 3, BIG = 100000 };

static struct world w;
static uint64_t memory_bytes;

static bool
has_begun(void)
{
    sc_store_events events = {on_stored, on_chunk, on_results, on_limit, on_ready, &w};
    sc_error err;
    memset(&w, 0, sizeof w);
    strcpy(w.dir, "/tmp/sc-store-XXXXXX");
    if (!mkdtemp(w.dir) || uv_loop_init(&w.loop) != 0)
        return false;
    for (int i = 0; i < TRIES; i++)
        if (sc_store_new(&w.loop, w.dir, memory_bytes, &events, &w.store, &err) == 0)
            return true;
    return false;
}

// Each PUT is answered once; one that is refused is said again.
static bool
is_put(uint32_t number, const char *text, uint32_t len)
{
    w.stored_status = SC_ENOMEM;
    for (int i = 0; i < TRIES && w.stored_status == SC_ENOMEM; i++) {
        unsigned before = w.n_stored;
        put_chunk(&w, 1, number, text, len);
        settle(&w);
        if (w.n_stored != before + 1)
            return false;
    }
    return w.stored_status == 0;
}

static bool
is_there(uint32_t number, const char *text, uint32_t len)
{
    w.chunk_status = SC_ENOMEM;
    for (int i = 0; i < TRIES && w.chunk_status == SC_ENOMEM; i++) {
        unsigned before = w.n_chunks;
        act_chunk(&w, SC_ACTION_GET_CHUNK, 1, number);
        settle(&w);
        if (w.n_chunks != before + 1)
            return false;
    }
    return w.chunk_status == 0 && w.bytes.len == len && memcmp(w.bytes.data, text, len) == 0;
}

// All results from `from` on, whatever page was refused.
static bool
are_all_read(uint32_t order, uint32_t n)
{
    int n_refused = 0;
    w.n_rows = 0;
    w.next = 0;
    while (w.n_rows < n && n_refused < TRIES) {
        unsigned before = w.n_pages, n_rows = w.n_rows;
        uint64_t from = w.next;
        sc_action a = {.type = SC_ACTION_GET_RESULTS};
        a.read = (sc_store_read){
            .job = job_id(1), .from = from, .until = n, .order = order, .max_bytes = 4000};
        sc_store_act(w.store, &a);
        settle(&w);
        if (w.n_pages != before + 1 || (w.page_status == 0 && w.n_rows == n_rows))
            return false;
        n_refused += w.page_status != 0;
        w.next = w.page_status == 0 ? w.next : from;
    }
    return w.n_rows == n;
}

static bool
live(void)
{
    static const char small[] = "small";
    static char big[BIG];
    bool is_good = has_begun();
    if (!is_good)
        return false;
    memset(big, 'b', sizeof big);
    is_good &= is_put(0, small, sizeof small) && is_put(1, big, sizeof big);
    is_good &= is_there(0, small, sizeof small) && is_there(1, big, sizeof big);
    put_results(&w, 1, "w-1", 0, 900, 1);
    put_results(&w, 1, "w-2", 900, 50, 2); // every second place, and then those between
    put_results(&w, 1, "w-1", 901, 50, 2);
    put_range(&w, 1, 1000, 20);
    settle(&w);
    is_good &= are_all_read(SC_READ_ENDED, 1020);
    is_good &= are_all_read(SC_READ_INDEX, 1020);
    is_good &= are_all_read(SC_READ_INDEX_ENDED, 1020);
    act_chunk(&w, SC_ACTION_DROP_CHUNK, 1, 1);
    sc_store_act(w.store, &(sc_action){.type = SC_ACTION_DROP_JOB, .job = job_id(1)});
    settle(&w);
    uint64_t memory, spill;
    sc_store_bytes(w.store, &memory, &spill);
    is_good &= memory == 0 && spill == 0;
    end(&w);
    return is_good;
}

Test(store_memory, each_request_is_refused_once)
{
    for (size_t m = 0; m < sizeof memories / sizeof *memories; m++) {
        memory_bytes = memories[m];
        cr_expect_gt(sc_memory_refuse_each("memory", live, SC_MEMORY_GAVE_UP), 19);
    }
}
