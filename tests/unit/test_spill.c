/* SPDX-License-Identifier: Apache-2.0 */
/* The spill file: what was written is read, whatever is given back around it; a full disk and a
 * short file are errors. */
#include "coordinator/spill.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/unit/test_spill_support.h"

enum { PAGE = 4096, MIB = 1 << 20 };

static struct {
    uv_loop_t loop;
    sc_spill *spill;
    char dir[64];
    int status; // of the last write or read
    sc_blob *blob;
} w;

static void
start(void)
{
    sc_error err;

    setenv("UV_THREADPOOL_SIZE", "1", 1); // work is done in its order
    strcpy(w.dir, "/tmp/sc-spill-XXXXXX");
    cr_assert(mkdtemp(w.dir));
    cr_assert_eq(uv_loop_init(&w.loop), 0);
    cr_assert_eq(sc_spill_new(&w.loop, w.dir, &w.spill, &err), 0, "%s", err.text);
}

static void
stop(void)
{
    sc_blob_unref(w.blob);
    sc_spill_close(&w.spill, NULL, NULL);
    uv_run(&w.loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&w.loop), 0);
    cr_assert_eq(rmdir(w.dir), 0);
}

TestSuite(spill, .init = start, .fini = stop);

static void
on_written(void *arg, int status)
{
    (void)arg;
    w.status = status;
}

static void
on_read(void *arg, int status, sc_blob *blob)
{
    (void)arg;
    w.status = status;
    sc_blob_unref(w.blob);
    w.blob = blob;
}

// Writes `len` times a letter, in two pieces. @return where
static int64_t
put(char letter, size_t len)
{
    char *bytes = malloc(len);
    int64_t offset;

    memset(bytes, letter, len);
    offset = sc_spill_write(w.spill, sc_slice_borrow(bytes, len / 3),
                            sc_slice_borrow(bytes, len - len / 3), on_written, NULL);
    free(bytes);
    cr_assert_geq(offset, 0);
    return offset;
}

static void
settle(void)
{
    uv_run(&w.loop, UV_RUN_DEFAULT);
}

static void
expect_letters(const char *name, char letter, size_t len)
{
    cr_assert_eq(w.status, 0, "%s: %d", name, w.status);
    cr_assert_eq(w.blob->len, len, "%s", name);
    for (size_t i = 0; i < len; i++)
        cr_assert_eq(w.blob->data[i], letter, "%s: byte %d is %d", name, (int)i, w.blob->data[i]);
}

static void
expect_there(const char *name, int64_t offset, char letter, size_t len)
{
    cr_assert_eq(sc_spill_read(w.spill, offset, len, on_read, NULL), 0);
    settle();
    expect_letters(name, letter, len);
}

Test(spill, there_and_back)
{
    static const size_t sizes[] = {1, 5000, 3, 4 * PAGE, 7, 100000};
    int64_t offsets[6];

    for (int i = 0; i < 6; i++)
        offsets[i] = put((char)('a' + i), sizes[i]);
    cr_expect_eq(sc_spill_writing(w.spill), sc_spill_bytes(w.spill));
    settle();
    cr_expect_eq(sc_spill_writing(w.spill), 0);
    for (int i = 0; i < 6; i++) {
        expect_there("piece", offsets[i], (char)('a' + i), sizes[i]);
        if (sizes[i] >= 4 * PAGE)
            cr_expect_eq(offsets[i] % PAGE, 0, "all of piece %d can be punched out", i);
    }
}

// A place that was given back is another's at once, and an empty file is used from its beginning.
Test(spill, given_back_and_used_again)
{
    int64_t first = put('a', 1000), second = put('b', 1000);

    settle();
    sc_spill_free(w.spill, first, 1000);
    cr_expect_eq(put('c', 900), first);
    settle();
    expect_there("in the place of another", first, 'c', 900);
    expect_there("beside it", second, 'b', 1000);
    sc_spill_free(w.spill, first, 900);
    sc_spill_free(w.spill, second, 1000);
    cr_expect_eq(sc_spill_bytes(w.spill), 0);
    cr_expect_eq(put('d', 10), 0);
    settle();
}

Test(spill, given_back_bytes_leave_the_disk)
{
    int64_t offsets[6];
    struct stat s;

    for (int i = 0; i < 6; i++)
        offsets[i] = put((char)('a' + i), MIB);
    settle();
    for (int i = 1; i <= 4; i++)
        sc_spill_free(w.spill, offsets[i], MIB);
    settle();
    cr_assert_eq(fstat(spill_fd(w.dir), &s), 0);
    cr_expect_leq(s.st_blocks * 512, 2 * MIB + 16 * PAGE, "%d blocks", (int)s.st_blocks);
    expect_there("before them", offsets[0], 'a', MIB);
    expect_there("behind them", offsets[5], 'f', MIB);
}

// Pieces come and the oldest go, round after round: what is punched or used again keeps the file
// small, whatever their size.
Test(spill, disk_holds_little_more_than_what_is_used)
{
    static const struct {
        const char *name;
        size_t len, other_len; // of every other piece, which stays for four rounds
        uint32_t n;            // pieces a round
    } rows[] = {{"small", 1000, 1000, 4000},
                {"below a page and above", 1500, 9000, 1000},
                {"pages", 20000, 20000, 300},
                {"small and large", 700, 200000, 60}};
    enum { ROUNDS = 24, STAY = 4, SLACK = 6 * MIB };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        int64_t *at = malloc(ROUNDS * rows[r].n * sizeof *at);
        stop();
        start();
        for (uint32_t i = 0, n = rows[r].n; i < ROUNDS * n; i++) {
            size_t len = i % 2 ? rows[r].other_len : rows[r].len;
            uint32_t age = (i % 2 ? STAY : 1) * n;
            struct stat s;
            at[i] = put('x', len);
            if (i >= age)
                sc_spill_free(w.spill, at[i - age], len);
            if (i % n < n - 1)
                continue;
            settle();
            uint64_t used = sc_spill_bytes(w.spill);
            cr_assert_eq(fstat(spill_fd(w.dir), &s), 0);
            cr_assert_leq((uint64_t)s.st_blocks * 512, used + used / 2 + SLACK,
                          "%s: round %u: %llu for %llu", rows[r].name, i / n,
                          (unsigned long long)s.st_blocks * 512, (unsigned long long)used);
        }
        free(at);
    }
}

Test(spill, full_disk)
{
    limit_files(PAGE);
    put('a', PAGE + 1);
    settle();
    cr_expect_eq(w.status, -ENOSPC, "%d", w.status);
    limit_files(RLIM_INFINITY);
}

Test(spill, short_file)
{
    int64_t offset = put('a', 1000);

    settle();
    cr_assert_eq(ftruncate(spill_fd(w.dir), 999), 0);
    cr_assert_eq(sc_spill_read(w.spill, offset, 1000, on_read, NULL), 0);
    settle();
    cr_expect_eq(w.status, -EIO, "%d", w.status);
    cr_expect_null(w.blob);
}

// The last piece is given back while the others are being punched out: nothing is in use and
// something is on its way. What was to be punched must not be punched out of what comes next.
Test(spill, emptied_while_it_is_punched)
{
    enum { N = 20, LEN = 256 * 1024 };
    int64_t offsets[N];

    for (int i = 0; i < N; i++)
        offsets[i] = put('a', LEN);
    settle();
    for (int i = 0; i < N; i++)
        sc_spill_free(w.spill, offsets[i], LEN);
    settle();
    for (int i = 0; i < N; i++)
        offsets[i] = put('b', LEN);
    settle();
    for (int i = 0; i < 13; i++)
        sc_spill_free(w.spill, offsets[i], LEN);
    settle();
    for (int i = 13; i < N; i++)
        expect_there("in use", offsets[i], 'b', LEN);
}
