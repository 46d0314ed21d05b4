/* SPDX-License-Identifier: Apache-2.0 */
/* See hand.h. */
#include "bench/hand.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "bench/support.h"

enum { ROW = 1000, ROWS_A_GROUP = 16, RECORD_BYTES = 16, CHECKPOINT_PAGES = 2048 };

static void
must(sqlite3 *db, int rc)
{
    if (rc != SQLITE_OK && rc != SQLITE_DONE)
        sc_bench_fail("by hand: %s", sqlite3_errmsg(db));
}

static sqlite3_stmt *
prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s;
    must(db, sqlite3_prepare_v2(db, sql, -1, &s, NULL));
    return s;
}

static void
put(sqlite3 *db, sqlite3_stmt *s, uint64_t row, const void *table, size_t table_bytes,
    const char *payload)
{
    sqlite3_bind_int64(s, 1, (int64_t)(1ull << 32 | row));
    sqlite3_bind_blob64(s, 2, table, table_bytes, SQLITE_STATIC);
    sqlite3_bind_blob64(s, 3, payload, (size_t)ROW * SC_BENCH_TASK_BYTES, SQLITE_STATIC);
    must(db, sqlite3_step(s));
    must(db, sqlite3_reset(s));
}

static int
on_wal(void *arg, sqlite3 *db, const char *name, int n_pages)
{
    (void)arg;
    if (n_pages >= CHECKPOINT_PAGES)
        must(db, sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL));
    return SQLITE_OK;
}

/* All rows of one table. */
static void
write_rows(sqlite3 *db, sqlite3_stmt *s, const char *payloads, size_t n_rows, size_t entry_bytes)
{
    static const char table[ROW * RECORD_BYTES];
    for (size_t row = 0; row < n_rows; row++) {
        if (row % ROWS_A_GROUP == 0)
            must(db, sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL));
        put(db, s, row, table, ROW * entry_bytes, payloads + row * ROW * SC_BENCH_TASK_BYTES);
        if ((row + 1) % ROWS_A_GROUP == 0 || row + 1 == n_rows)
            must(db, sqlite3_exec(db, "COMMIT", NULL, NULL, NULL));
    }
}

double
sc_hand_rate(const char *dir, const char *payloads, size_t n_tasks)
{
    char path[PATH_MAX];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/hand.sqlite", dir);
    must(NULL, sqlite3_open(path, &db));
    must(db, sqlite3_exec(db,
                          "PRAGMA page_size = 16384; PRAGMA journal_mode = WAL;"
                          "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"
                          "CREATE TABLE chunks (key INTEGER PRIMARY KEY, lens, payload);"
                          "CREATE TABLE ended (key INTEGER PRIMARY KEY, records, vals);",
                          NULL, NULL, NULL));
    sqlite3_wal_hook(db, on_wal, NULL);
    sqlite3_stmt *chunks = prepare(db, "INSERT INTO chunks VALUES (?, ?, ?)");
    sqlite3_stmt *ended = prepare(db, "INSERT INTO ended VALUES (?, ?, ?)");
    double start = sc_bench_now_s();
    write_rows(db, chunks, payloads, n_tasks / ROW, sizeof(uint32_t));
    write_rows(db, ended, payloads, n_tasks / ROW, RECORD_BYTES);
    double seconds = sc_bench_now_s() - start;
    sqlite3_finalize(chunks);
    sqlite3_finalize(ended);
    must(db, sqlite3_close(db));
    unlink(path);
    return (double)n_tasks / seconds;
}
