/* SPDX-License-Identifier: Apache-2.0 */
/* Chunks' payload in memory (coordinator/journal_cache.h): steps, each with what is there after it
 * and how many bytes it is said to take. */
#include <string.h>

#include <criterion/criterion.h>

#include "base/fault.h"
#include "coordinator/journal_cache.h"

enum { TABLE = 8, BYTES = 100, PAYLOAD = TABLE + BYTES, ROOMY = 1 << 20 };

// What a chunk takes beside its payload.
static uint64_t
overhead(void)
{
    sc_journal_cache c = {0};
    sc_slice table, bytes;
    sc_journal_cache_keep(&c, (uint64_t[]){1, 1}, (sc_slice){0}, (sc_slice){0}, ROOMY);
    uint64_t n = c.bytes;
    cr_assert(n > 0 && n < 400);
    cr_expect(sc_journal_cache_take(&c, (uint64_t[]){1, 1}, &table, &bytes), "an empty one too");
    cr_expect(!table.data && !bytes.data && table.len + bytes.len == 0);
    sc_journal_cache_fini(&c);
    return n;
}

// A chunk whose payload says which it is.
static void
keep(sc_journal_cache *c, uint64_t number, uint64_t chunk, uint64_t max_bytes)
{
    uint8_t payload[BYTES];
    memset(payload, (int)(number * 16 + chunk), sizeof payload);
    sc_blob *blob = sc_blob_copy(payload, sizeof payload);
    cr_assert(blob);
    sc_journal_cache_keep(c, (uint64_t[]){number, chunk}, sc_slice_borrow("offsets", TABLE),
                          sc_slice_of(blob), max_bytes);
    sc_blob_unref(blob); // it has a reference of its own
}

static bool
take(sc_journal_cache *c, uint64_t number, uint64_t chunk)
{
    sc_slice table, bytes;
    if (!sc_journal_cache_take(c, (uint64_t[]){number, chunk}, &table, &bytes))
        return false;
    cr_expect(table.len == TABLE && memcmp(table.data, "offsets", TABLE) == 0);
    cr_expect(bytes.len == BYTES && bytes.data[0] == number * 16 + chunk);
    sc_slice_drop(&table);
    sc_slice_drop(&bytes);
    return true;
}

Test(journal_cache, steps)
{
    enum { KEEP, TAKE, MISS, DROP };
    static const struct {
        int what;
        uint64_t number, chunk, n_kept;
    } rows[] = {
        {MISS, 1, 0, 0}, {DROP, 1, 0, 0},                                   // empty
        {KEEP, 1, 0, 1}, {MISS, 1, 1, 1}, {MISS, 2, 0, 1}, {MISS, 0, 1, 1}, // one
        {TAKE, 1, 0, 0}, {MISS, 1, 0, 0},                                   // once
        {KEEP, 1, 2, 1}, {KEEP, 1, 2, 1}, {TAKE, 1, 2, 0}, {MISS, 1, 2, 0}, // kept twice
        {KEEP, 1, 0, 1}, {KEEP, 1, 1, 2}, {KEEP, 2, 0, 3}, {KEEP, 2, 1, 4}, // two jobs
        {TAKE, 2, 0, 3}, {DROP, 3, 0, 3}, {DROP, 1, 0, 1}, {MISS, 1, 0, 1}, // one is dropped
        {MISS, 1, 1, 1}, {TAKE, 2, 1, 0}, {DROP, 2, 0, 0},                  //
        {KEEP, 1, 1, 1}, {KEEP, 4, 1, 2}, {DROP, 4, 0, 1}, {KEEP, 4, 1, 2}, // and comes again
    };
    sc_journal_cache c = {0};
    uint64_t each = PAYLOAD + overhead();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        switch (rows[i].what) {
        case KEEP:
            keep(&c, rows[i].number, rows[i].chunk, ROOMY);
            break;
        case DROP:
            sc_journal_cache_drop_job(&c, rows[i].number);
            break;
        default:
            cr_expect_eq(take(&c, rows[i].number, rows[i].chunk), rows[i].what == TAKE, "row %d",
                         (int)i);
        }
        cr_expect_eq(c.bytes, rows[i].n_kept * each, "row %d: %d bytes", (int)i, (int)c.bytes);
        cr_expect_eq(c.jobs != NULL, rows[i].n_kept > 0, "row %d: a job without chunks", (int)i);
    }
    sc_journal_cache_fini(&c); // two are left: freed
    cr_expect(!c.jobs && c.bytes == 0);
}

// The limit is what it may hold then; it may differ from call to call.
Test(journal_cache, full)
{
    uint64_t each = PAYLOAD + overhead();
    static const struct {
        const char *name;
        uint64_t n_kept; // before
        int64_t room;    // beside these, and beside one more
        bool is_kept;
    } rows[] = {
        {"no room at all", 0, -PAYLOAD, false},
        {"a byte too few", 0, -1, false},
        {"just enough", 0, 0, true},
        {"a byte more", 0, 1, true},
        {"full behind others", 3, -1, false},
        {"fits behind others", 3, 0, true},
        {"full long since", 3, -200, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_journal_cache c = {0};
        for (uint64_t k = 0; k < rows[i].n_kept; k++)
            keep(&c, 1, k, ROOMY);
        uint64_t before = c.bytes;
        keep(&c, 2, 0, (uint64_t)((int64_t)(before + each) + rows[i].room));
        cr_expect_eq(c.bytes - before, rows[i].is_kept ? each : 0, "%s", rows[i].name);
        cr_expect_eq(take(&c, 2, 0), rows[i].is_kept, "%s", rows[i].name);
        keep(&c, 2, 1, before); // full, and then there is room again
        cr_expect(!take(&c, 2, 1));
        keep(&c, 2, 1, ROOMY);
        cr_expect(take(&c, 2, 1));
        sc_journal_cache_fini(&c);
    }
}

// Each allocation fails in turn: the chunk is not kept, nothing is counted, nothing is left.
Test(journal_cache, faults)
{
    static const struct {
        const char *point;
        int n_passed;
    } rows[] = {{"journal.cache", 2}, {"blob.new", 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int other = 0; other < 2; other++) // with another chunk of the job
            for (int nth = 1; nth <= rows[i].n_passed; nth++) {
                sc_journal_cache c = {0};
                if (other)
                    keep(&c, 1, 0, ROOMY);
                uint64_t before = c.bytes;
                sc_blob *blob = sc_blob_new(BYTES);
                cr_assert(blob);
                memset(blob->data, 16 + 1, BYTES);
                sc_fault_set(rows[i].point, (uint64_t)nth);
                sc_journal_cache_keep(&c, (uint64_t[]){1, 1}, sc_slice_borrow("offsets", TABLE),
                                      sc_slice_of(blob), ROOMY);
                bool has_failed = sc_fault_count(rows[i].point) >= (uint64_t)nth;
                sc_fault_reset();
                cr_expect(has_failed || other, "%s, %d", rows[i].point, nth);
                cr_expect_eq(c.bytes == before, has_failed);
                cr_expect_eq(take(&c, 1, 1), !has_failed);
                cr_expect_eq(take(&c, 1, 0), other);
                cr_expect(!c.jobs && c.bytes == 0);
                cr_expect_eq(atomic_load(&blob->refs), 1);
                sc_blob_unref(blob);
                sc_journal_cache_fini(&c);
            }
}
