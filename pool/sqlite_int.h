/* SPDX-License-Identifier: Apache-2.0 */
/* What the two files of the SQLite driver share: sqlite.c lives on the loop, sqlite_work.c on the
 * thread pool. Only those two include this. */
#ifndef SC_SQLITE_INT_H
#define SC_SQLITE_INT_H

#include <stdatomic.h>

#include <sqlite3.h>

#include "pool/driver.h"
#include "pool/sqlite.h"

enum {
    SC_SQLITE_MAX_CACHED = 64, /* prepared statements a connection; a few hundred KiB at most */
};

typedef enum sc_sqlite_job {
    SC_SQLITE_NONE,
    SC_SQLITE_OPEN,
    SC_SQLITE_PING,
    SC_SQLITE_RESET,
    SC_SQLITE_EXECUTE,
    SC_SQLITE_CLOSE,
} sc_sqlite_job;

typedef struct sc_sqlite_cached {
    sqlite3_stmt *stmt; /* NULL = free place */
    uint64_t hash;      /* of its text */
    uint64_t used;      /* sc_sqlite_conn.n_uses when it was used last */
} sc_sqlite_cached;

/* Fields below `work` are the thread's while a job is under way, and the loop's otherwise. */
typedef struct sc_sqlite_conn {
    sc_conn conn;             /* first: the pool knows only this */
    bool is_close_wanted;     /* the loop's: close as soon as the job is over */
    atomic_bool is_cancelled; /* set by the loop at any time, read by the thread */
    uv_work_t work;

    sc_sqlite_job job;
    sc_op *op;              /* EXECUTE */
    sqlite3 *db;            /* NULL before open and after close */
    int64_t busy_until_ms;  /* the job is tried again up to then */
    int64_t slice_until_ms; /* the busy handler gives up then */
    bool is_retry_wanted;   /* set when the thread is given back */
    bool has_begun;    /* the job has changed or read something: it cannot just be tried again */
    sc_result *result; /* EXECUTE: what it brought */
    sc_error error;    /* code 0 = success */
    uint64_t n_uses;
    sc_sqlite_cached cached[SC_SQLITE_MAX_CACHED];
} sc_sqlite_conn;

/** Do the job; on the thread pool.
 *  @return true where it is to be tried again: the lock was taken, nothing is done yet */
bool sc_sqlite_work(sc_sqlite_conn *c);

#endif
