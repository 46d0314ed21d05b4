/* SPDX-License-Identifier: Apache-2.0 */
/* The chunks of an upload: where they are cut, what the window lets out, and that every task
 * arrives once and in order at a coordinator that acknowledges, forgets and asks again as it likes.
 */
#include "client/chunks.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/fault.h"
#include "base/random.h"
#include "proto/run.h"

static uint8_t payload[SC_TASK_MAX_BYTES + 1];

enum { KIB = 1024, MAX = SC_CHUNK_MAX_BYTES };

static const struct {
    const char *name;
    struct {
        uint32_t n, len;
    } add[3];
    uint32_t want[4]; // tasks a chunk, after seal
} cuts[] = {
    {"one task", {{1, 10}}, {1}},
    {"a full table", {{1000, 64}}, {1000}},
    {"one more than a full table", {{1001, 64}}, {1000, 1}},
    {"exactly full of bytes", {{4, 64 * KIB}}, {4}},
    {"one byte more", {{3, 64 * KIB}, {1, 64 * KIB + 1}}, {3, 1}},
    {"the largest that is not alone", {{1, 1}, {1, MAX - 1}, {1, 1}}, {2, 1}},
    {"a larger one goes alone", {{2, 10}, {1, MAX + 1}, {3, 10}}, {2, 1, 3}},
    {"exactly a chunk", {{1, MAX}, {1, 1}}, {1, 1}},
};

Test(chunks, cuts)
{
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        sc_chunks c;
        uint64_t first = 0;

        sc_chunks_init(&c);
        for (int a = 0; a < 3; a++)
            for (uint32_t k = 0; k < cuts[i].add[a].n; k++)
                cr_assert_eq(sc_chunks_add(&c, payload, cuts[i].add[a].len), 0, "%s", cuts[i].name);
        sc_chunks_seal(&c);
        sc_chunks_seal(&c); // changes nothing
        c.window_bytes = UINT64_MAX;
        for (int k = 0; k < 4 && cuts[i].want[k]; k++) {
            sc_message m;

            cr_assert(sc_chunks_next(&c, &m), "%s", cuts[i].name);
            cr_assert_eq(m.chunk.count, cuts[i].want[k], "%s: chunk %d", cuts[i].name, k);
            cr_assert_eq(m.chunk.first, first, "%s: chunk %d", cuts[i].name, k);
            cr_assert_eq(sc_tasks_check(m.table, m.bytes, m.chunk.count, SC_TASK_MAX_BYTES), 0,
                         "%s: chunk %d", cuts[i].name, k);
            first += m.chunk.count;
            sc_chunks_sent(&c);
        }
        cr_assert_eq(first, c.n_tasks, "%s", cuts[i].name);
        cr_assert_eq(c.n_sent, c.n_sealed, "%s", cuts[i].name);
        cr_assert(sc_chunks_check(&c), "%s", cuts[i].name);
        sc_chunks_fini(&c);
    }
}

static const struct {
    const char *name;
    uint64_t window_bytes;
    uint32_t len;            // of tasks; 250 KiB: one a chunk
    uint32_t n_sent, n_held; // chunks out, chunks sealed when an add is refused
} windows[] = {
    {"none: one chunk at a time", 0, 250 * KIB, 1, 1},
    {"less than a chunk", 10 * KIB, 250 * KIB, 1, 1},
    {"two chunks and a bit", 550 * KIB, 250 * KIB, 2, 3},
    {"exactly two chunks", 2 * (4 + 250 * KIB), 250 * KIB, 2, 2},
    {"more than the ring", UINT64_MAX, 200 * KIB, SC_UPLOAD_MAX_CHUNKS, SC_UPLOAD_MAX_CHUNKS},
    {"less than the largest task", 300 * KIB, SC_TASK_MAX_BYTES, 1, 1},
};

Test(chunks, windows)
{
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        sc_chunks c;
        sc_message m;
        int rc;

        sc_chunks_init(&c);
        c.window_bytes = windows[i].window_bytes;
        while ((rc = sc_chunks_add(&c, payload, windows[i].len)) == 0)
            ;
        cr_assert_eq(rc, -EAGAIN, "%s: %d", windows[i].name, rc);
        cr_assert_eq(c.n_sealed, windows[i].n_held, "%s: %u held", windows[i].name, c.n_sealed);
        while (sc_chunks_next(&c, &m))
            sc_chunks_sent(&c);
        cr_assert_eq(c.n_sent, windows[i].n_sent, "%s: %u sent", windows[i].name, c.n_sent);
        cr_assert_not(sc_chunks_take_room(&c), "%s", windows[i].name);
        cr_assert_eq(sc_chunks_acknowledge(&c, c.n_sent - 1), 0, "%s", windows[i].name);
        cr_assert(sc_chunks_take_room(&c), "%s", windows[i].name);
        cr_assert_not(sc_chunks_take_room(&c), "%s: only once", windows[i].name);
        cr_assert_eq(sc_chunks_add(&c, payload, windows[i].len), 0, "%s", windows[i].name);
        cr_assert(sc_chunks_check(&c), "%s", windows[i].name);
        sc_chunks_fini(&c);
    }
}

// Five chunks sealed, three said, the first acknowledged.
static const struct {
    const char *name;
    bool is_resume;
    uint32_t number;
    int want;
    uint32_t n_acked, n_sent;
} acks[] = {
    {"the next", false, 1, 0, 2, 3},
    {"several at once", false, 2, 0, 3, 3},
    {"one again", false, 0, 0, 1, 3},
    {"one not said again yet", false, 3, 0, 4, 4},
    {"the last", false, 4, 0, 5, 5},
    {"one that is not sealed", false, 5, SC_EMALFORMED, 1, 3},
    {"far beyond", false, UINT32_MAX, SC_EMALFORMED, 1, 3},
    {"goes on where it was", true, 1, 0, 1, 1},
    {"has one more than it said", true, 2, 0, 2, 2},
    {"has one that was not counted as said", true, 4, 0, 4, 4},
    {"has all", true, 5, 0, 5, 5},
    {"has forgotten what it had", true, 0, SC_ELOST, 1, 3},
    {"has one that does not exist", true, 6, SC_EMALFORMED, 1, 3},
};

Test(chunks, acknowledgements)
{
    for (size_t i = 0; i < sizeof acks / sizeof *acks; i++) {
        sc_chunks c;
        int rc;

        sc_chunks_init(&c);
        for (int k = 0; k < 5; k++) {
            cr_assert_eq(sc_chunks_add(&c, "1", 1), 0);
            sc_chunks_seal(&c);
        }
        for (int k = 0; k < 3; k++)
            sc_chunks_sent(&c);
        cr_assert_eq(sc_chunks_acknowledge(&c, 0), 0);
        rc = acks[i].is_resume ? sc_chunks_resume(&c, acks[i].number)
                               : sc_chunks_acknowledge(&c, acks[i].number);
        cr_assert_eq(rc, acks[i].want, "%s: %d", acks[i].name, rc);
        cr_assert_eq(c.n_acked, acks[i].n_acked, "%s: %u", acks[i].name, c.n_acked);
        cr_assert_eq(c.n_sent, acks[i].n_sent, "%s: %u", acks[i].name, c.n_sent);
        cr_assert(sc_chunks_check(&c), "%s", acks[i].name);
        sc_chunks_fini(&c);
    }
}

Test(chunks, bounds)
{
    sc_chunks c;

    sc_chunks_init(&c);
    cr_assert_eq(sc_chunks_add(&c, payload, SC_TASK_MAX_BYTES + 1), -EMSGSIZE);
    cr_assert_eq(c.n_tasks, 0);
    c.n_tasks = SC_JOB_MAX_TASKS - 1;
    cr_assert_eq(sc_chunks_add(&c, "1", 1), 0);
    cr_assert_eq(sc_chunks_add(&c, "1", 1), SC_ELIMIT);
    cr_assert_eq(c.n_tasks, SC_JOB_MAX_TASKS);
    cr_assert(sc_chunks_check(&c));
    sc_chunks_fini(&c);
}

Test(chunks, memory_is_used_again)
{
    sc_chunks c;
    sc_message m;
    uint8_t *first;

    sc_chunks_init(&c);
    cr_assert_eq(sc_chunks_add(&c, "1", 1), 0);
    first = c.slots[0].blob->data;
    for (uint32_t k = 0; k < 2 * SC_UPLOAD_MAX_CHUNKS; k++) {
        if (k == SC_UPLOAD_MAX_CHUNKS)
            cr_assert_eq(c.slots[0].blob->data, first, "round the ring, the same memory");
        sc_chunks_seal(&c);
        cr_assert(sc_chunks_next(&c, &m));
        sc_chunks_sent(&c);
        cr_assert_eq(sc_chunks_acknowledge(&c, k), 0);
        if (k == SC_UPLOAD_MAX_CHUNKS) // ZeroMQ has not let go of it yet
            sc_blob_ref(m.bytes.owner);
        cr_assert_eq(sc_chunks_add(&c, "2", 1), 0);
    }
    cr_assert_neq(c.slots[0].blob->data, first, "never written to while it is on its way");
    sc_blob_unref((sc_blob *)(void *)first - 1);
    sc_chunks_fini(&c);
}

Test(chunks, memory_of_a_large_task_goes)
{
    sc_chunks c;
    sc_message m;

    sc_chunks_init(&c);
    cr_assert_eq(sc_chunks_add(&c, payload, MAX + 1), 0);
    cr_assert(sc_chunks_next(&c, &m));
    sc_chunks_sent(&c);
    cr_assert_not_null(c.slots[0].blob);
    cr_assert_eq(sc_chunks_acknowledge(&c, 0), 0);
    cr_assert_null(c.slots[0].blob);
    sc_chunks_fini(&c);
}

Test(chunks, without_memory)
{
    sc_chunks c;

    if (!sc_fault_set("blob.new", 1))
        cr_skip();
    sc_chunks_init(&c);
    if (sc_chunks_add(&c, "1", 1) == 0)
        cr_assert_eq(sc_fault_count("blob.new"), 0, "the point is not compiled in");
    else
        cr_assert_eq(c.n_tasks, 0);
    sc_fault_reset();
    cr_assert_eq(sc_chunks_add(&c, "1", 1), 0);
    cr_assert(sc_chunks_check(&c));
    sc_chunks_fini(&c);
}

/* ---- a coordinator that takes chunks in order, loses what is on its way, and asks again ---- */

typedef struct taker {
    uint32_t next;    // chunk that it lacks
    uint64_t n_tasks; // taken
    uint32_t acked;   // of those, told
} taker;

// Task k is k in decimal, then k % 97 more bytes of the letter that k gives.
static size_t
make_task(uint64_t k, uint8_t *out)
{
    int n = sprintf((char *)out, "%llu", (unsigned long long)k);
    size_t more = k % 97;

    memset(out + n, 'a' + (int)(k % 26), more);
    return (size_t)n + more;
}

static void
take(taker *t, const sc_message *m, uint64_t seed)
{
    uint8_t want[128];
    size_t at = 0;

    if (m->chunk.number != t->next)
        return;
    cr_assert_eq(m->chunk.first, t->n_tasks, "seed %llu", (unsigned long long)seed);
    for (uint32_t i = 0; i < m->chunk.count; i++) {
        size_t len = make_task(t->n_tasks++, want);

        cr_assert_eq(sc_tasks_len(m->table, i), len, "seed %llu", (unsigned long long)seed);
        cr_assert_arr_eq(m->bytes.data + at, want, len, "seed %llu", (unsigned long long)seed);
        at += len;
    }
    t->next++;
}

static void
run_seed(uint64_t seed)
{
    enum { N_TASKS = 30000 };
    sc_random random;
    sc_chunks c;
    sc_message m;
    taker t = {0};
    uint8_t task[128];

    sc_random_init(&random, seed);
    sc_chunks_init(&c);
    c.window_bytes = sc_random_below(&random, 400000);
    while (c.n_tasks < N_TASKS || t.n_tasks < N_TASKS) {
        for (uint64_t n = sc_random_below(&random, 3000); n > 0 && c.n_tasks < N_TASKS; n--)
            if (sc_chunks_add(&c, task, make_task(c.n_tasks, task)))
                break;
        if (c.n_tasks == N_TASKS)
            sc_chunks_seal(&c);
        while (sc_chunks_next(&c, &m)) {
            if (sc_random_below(&random, 4)) // else it is lost on its way, and all behind it
                take(&t, &m, seed);
            sc_chunks_sent(&c);
        }
        if (t.acked < t.next && sc_random_below(&random, 2))
            cr_assert_eq(sc_chunks_acknowledge(&c, t.acked++), 0);
        if (sc_random_below(&random, 3) == 0) { // a new session
            uint32_t told = t.acked + (uint32_t)sc_random_below(&random, t.next - t.acked + 1);

            cr_assert_eq(sc_chunks_resume(&c, told), 0);
            t.acked = told; // the ACKs of the rest are still on their way
        }
        cr_assert(sc_chunks_check(&c), "seed %llu", (unsigned long long)seed);
    }
    cr_assert_eq(t.n_tasks, N_TASKS);
    sc_chunks_fini(&c);
}

Test(chunks, every_task_arrives_once)
{
    for (uint64_t seed = 1; seed <= 20; seed++)
        run_seed(seed);
}
