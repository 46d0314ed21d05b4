/* SPDX-License-Identifier: Apache-2.0 */
/* The thread's half of the SQLite driver: opens files, runs statements and transactions, maps
 * errors. Called on libuv's thread pool through sc_sqlite_work(), by one thread at a time for a
 * connection; it never touches the loop or the pool. */
#include "pool/sqlite_int.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/fault.h"

enum {
    SLICE_MS = 20, /* a thread waits this long for a lock before others get it */
    PROGRESS_STEPS =
        1000, /* machine steps between looks at the cancel flag: well below a millisecond */
    PAGE_SIZE = 4096,
};

/* ---- errors ---- */

static const char *
constraint_sqlstate(int extended)
{
    switch (extended) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
        return "23505";
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        return "23503";
    case SQLITE_CONSTRAINT_NOTNULL:
        return "23502";
    case SQLITE_CONSTRAINT_CHECK:
        return "23514";
    default:
        return "23000";
    }
}

// The one place that says what a code of SQLite means to us.
static int
error_code(int rc, int system_errno)
{
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return SC_EBUSY;
    case SQLITE_INTERRUPT:
        return SC_ECANCELLED;
    case SQLITE_NOMEM:
        return SC_ENOMEM;
    case SQLITE_TOOBIG:
        return SC_ETOOLARGE;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_READONLY:
        return -EROFS;
    case SQLITE_IOERR:
        return system_errno != 0 ? -system_errno : -EIO;
    case SQLITE_PERM:
        return -EACCES;
    case SQLITE_CANTOPEN:
        return system_errno != 0 ? -system_errno : -ENOENT;
    case SQLITE_RANGE:
    case SQLITE_MISMATCH:
        return SC_EBADARG;
    default:
        return SC_EDATABASE;
    }
}

// Is the file, not the statement, at fault? Then its name belongs into the text.
static bool
is_file_fault(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_FULL:
    case SQLITE_READONLY:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_BUSY:
        return true;
    default:
        return false;
    }
}

// Puts an error into words, unless somebody who knew more has done so. Returns rc.
static int
fail(sc_sqlite_conn *c, int rc)
{
    if (c->error.code != 0) {
        return rc;
    }
    const sc_sqlite_config *config = c->conn.config;
    int system_errno = c->db != NULL ? sqlite3_system_errno(c->db) : 0;
    // A code that was made up by a fault point has left no message in the handle.
    bool is_known = c->db != NULL && sqlite3_extended_errcode(c->db) == rc;
    const char *text = is_known ? sqlite3_errmsg(c->db) : sqlite3_errstr(rc);
    int code = error_code(rc, system_errno);
    if (atomic_load(&c->is_cancelled)) {
        sc_error_set(&c->error, SC_ECANCELLED, "cancelled");
    } else if (!is_file_fault(rc)) {
        sc_error_set(&c->error, code, "%s", text);
    } else if (code == -system_errno && system_errno != 0) {
        sc_error_set(&c->error, code, "%s: %s: %s", config->path, text, strerror(system_errno));
    } else {
        sc_error_set(&c->error, code, "%s: %s", config->path, text);
    }
    if ((rc & 0xff) == SQLITE_CONSTRAINT) {
        memcpy(c->error.sqlstate, constraint_sqlstate(rc), 6);
    }
    return rc;
}

/* ---- waiting and cancelling ---- */

// Called by SQLite while another connection has the lock; 0 = give up, for now.
static int
on_busy(void *arg, int n_calls)
{
    sc_sqlite_conn *c = arg;
    if (atomic_load(&c->is_cancelled) || sc_clock_ms() >= c->slice_until_ms) {
        return 0;
    }
    // Short at first, as most transactions are; at most 2 ms.
    long wait_us = n_calls < 4 ? 100 : n_calls < 8 ? 500 : 2000;
    nanosleep(&(struct timespec){.tv_nsec = wait_us * 1000}, NULL);
    return 1;
}

static int
on_progress(void *arg)
{
    sc_sqlite_conn *c = arg;
    return atomic_load(&c->is_cancelled);
}

// Worth another try: the lock was taken, nothing is done yet, and the time is not over. A snapshot
// that is too old (SQLITE_BUSY_SNAPSHOT) stays too old.
static bool
may_retry(const sc_sqlite_conn *c, int rc)
{
    return (rc & 0xff) == SQLITE_BUSY && rc != SQLITE_BUSY_SNAPSHOT && !c->has_begun &&
           !atomic_load(&c->is_cancelled) && sc_clock_ms() < c->busy_until_ms;
}

/* ---- prepared statements ---- */

static uint64_t
hash_text(const char *text)
{
    uint64_t hash = 14695981039346656037u; // FNV-1a, 64 bits
    for (; *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    }
    return hash;
}

// One statement and nothing behind it but white space and comments.
static int
prepare(sc_sqlite_conn *c, const char *sql, sqlite3_stmt **out)
{
    const char *tail = NULL;
    int rc = sqlite3_prepare_v3(c->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, &tail);
    if (rc != SQLITE_OK) {
        return rc;
    }
    sqlite3_stmt *second = NULL;
    if (*out != NULL && *tail != '\0') {
        rc = sqlite3_prepare_v3(c->db, tail, -1, 0, &second, NULL);
    }
    if (*out == NULL || second != NULL || rc != SQLITE_OK) {
        sqlite3_finalize(second);
        sqlite3_finalize(*out);
        *out = NULL;
        sc_error_set(&c->error, SC_EBADARG, "not exactly one statement: %.100s", sql);
        return SQLITE_MISUSE;
    }
    return SQLITE_OK;
}

// From the cache, or into it: in a free place or that of the statement unused for longest.
static int
find_statement(sc_sqlite_conn *c, const char *sql, sqlite3_stmt **out)
{
    uint64_t hash = hash_text(sql);
    sc_sqlite_cached *place = &c->cached[0];
    for (size_t i = 0; i < SC_SQLITE_MAX_CACHED; i++) {
        sc_sqlite_cached *at = &c->cached[i];
        if (at->stmt != NULL && at->hash == hash && strcmp(sqlite3_sql(at->stmt), sql) == 0) {
            at->used = ++c->n_uses;
            *out = at->stmt;
            return SQLITE_OK;
        }
        if (at->used < place->used) {
            place = at;
        }
    }
    sqlite3_stmt *stmt = NULL;
    int rc = prepare(c, sql, &stmt);
    if (rc != SQLITE_OK) {
        return rc;
    }
    sqlite3_finalize(place->stmt);
    *place = (sc_sqlite_cached){stmt, hash, ++c->n_uses};
    *out = stmt;
    return SQLITE_OK;
}

// Texts are not copied: the request outlives the job.
static int
bind_params(sqlite3_stmt *stmt, const sc_value *params, unsigned n_params)
{
    int rc = SQLITE_OK;
    for (unsigned i = 0; i < n_params && rc == SQLITE_OK; i++) {
        const sc_value *v = &params[i];
        int at = (int)i + 1;
        switch (v->type) {
        case SC_VALUE_INT:
            rc = sqlite3_bind_int64(stmt, at, v->integer);
            break;
        case SC_VALUE_DOUBLE:
            rc = sqlite3_bind_double(stmt, at, v->real);
            break;
        case SC_VALUE_TEXT:
            rc = sqlite3_bind_text64(stmt, at, v->text, v->len, SQLITE_STATIC, SQLITE_UTF8);
            break;
        case SC_VALUE_BLOB:
            rc = sqlite3_bind_blob64(stmt, at, v->blob, v->len, SQLITE_STATIC);
            break;
        default:
            rc = sqlite3_bind_null(stmt, at);
            break;
        }
    }
    return rc;
}

/* ---- statements ---- */

static sc_value
read_cell(sqlite3_stmt *stmt, int column)
{
    switch (sqlite3_column_type(stmt, column)) {
    case SQLITE_INTEGER:
        return sc_value_int(sqlite3_column_int64(stmt, column));
    case SQLITE_FLOAT:
        return sc_value_double(sqlite3_column_double(stmt, column));
    case SQLITE_TEXT: {
        const char *text = (const char *)sqlite3_column_text(stmt, column);
        return (sc_value){
            SC_VALUE_TEXT, (uint32_t)sqlite3_column_bytes(stmt, column), {.text = text}};
    }
    case SQLITE_BLOB: {
        const void *blob = sqlite3_column_blob(stmt, column);
        return sc_value_blob(blob, (uint32_t)sqlite3_column_bytes(stmt, column));
    }
    default:
        return sc_value_null();
    }
}

static int
fail_result(sc_sqlite_conn *c, const sc_statement *s, int code)
{
    if (code == SC_ETOOLARGE) {
        size_t max_rows = s->max_rows != 0 ? s->max_rows : SC_RESULT_MAX_ROWS;
        size_t max_bytes = s->max_bytes != 0 ? s->max_bytes : SC_RESULT_MAX_BYTES;
        sc_error_set(&c->error, code, "the result has more than %zu rows or %zu bytes", max_rows,
                     max_bytes);
    } else {
        sc_error_set(&c->error, code, "no memory for the result");
    }
    return SQLITE_ABORT;
}

// A fresh result for a statement with columns: that of the last one stays.
static int
open_result(sc_sqlite_conn *c, const sc_statement *s, sqlite3_stmt *stmt)
{
    int64_t n_affected = c->result != NULL ? c->result->n_affected : 0;
    int n_columns = sqlite3_column_count(stmt);
    if (c->result != NULL && n_columns == 0) {
        return SQLITE_OK;
    }
    sc_result_free(&c->result);
    int code = sc_result_new(s->max_rows, s->max_bytes, &c->result);
    for (int i = 0; i < n_columns && code == 0; i++) {
        code = sc_result_add_column(c->result, sqlite3_column_name(stmt, i));
    }
    if (code != 0) {
        return fail_result(c, s, code);
    }
    c->result->n_affected = n_affected;
    return SQLITE_OK;
}

static int
add_row(sc_sqlite_conn *c, const sc_statement *s, sqlite3_stmt *stmt)
{
    for (unsigned i = 0; i < c->result->n_columns; i++) {
        sc_value cell = read_cell(stmt, (int)i);
        int code = sc_result_add(c->result, &cell);
        if (code != 0) {
            return fail_result(c, s, code);
        }
    }
    return SQLITE_OK;
}

static int
step(sqlite3_stmt *stmt)
{
    return SC_FAULT("sqlite.step") ? SQLITE_IOERR : sqlite3_step(stmt);
}

static int
run_row(sc_sqlite_conn *c, const sc_statement *s, sqlite3_stmt *stmt, const sc_value *params)
{
    if (atomic_load(&c->is_cancelled)) {
        return SQLITE_INTERRUPT;
    }
    int rc = bind_params(stmt, params, s->n_params);
    if (rc != SQLITE_OK) {
        return rc;
    }
    int64_t n_before = sqlite3_total_changes64(c->db);
    while ((rc = step(stmt)) == SQLITE_ROW) {
        c->has_begun = true;
        rc = add_row(c, s, stmt);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }
    if (rc != SQLITE_DONE) {
        return rc;
    }
    c->has_begun = true;
    // The number of changes is that of an older statement where this one changed nothing.
    if (sqlite3_total_changes64(c->db) != n_before) {
        c->result->n_affected += sqlite3_changes64(c->db);
    }
    return SQLITE_OK;
}

static int
check_statement(sc_sqlite_conn *c, const sc_statement *s, sqlite3_stmt *stmt)
{
    unsigned wanted = (unsigned)sqlite3_bind_parameter_count(stmt);
    if (wanted != s->n_params) {
        sc_error_set(&c->error, SC_EBADARG, "%u parameters for %u places in: %.80s", s->n_params,
                     wanted, s->sql);
        return SQLITE_MISUSE;
    }
    if ((s->flags & SC_STATEMENT_READ_ONLY) != 0 && !sqlite3_stmt_readonly(stmt)) {
        sc_error_set(&c->error, SC_EBADARG, "flagged as read-only, but it writes: %.80s", s->sql);
        return SQLITE_MISUSE;
    }
    return SQLITE_OK;
}

static int
run_statement(sc_sqlite_conn *c, const sc_statement *s)
{
    sqlite3_stmt *stmt = NULL;
    int rc = find_statement(c, s->sql, &stmt);
    if (rc != SQLITE_OK) {
        return fail(c, rc);
    }
    rc = check_statement(c, s, stmt);
    if (rc == SQLITE_OK) {
        rc = open_result(c, s, stmt);
    }
    size_t n_rows = s->n_rows == 0 ? 1 : s->n_rows;
    for (size_t i = 0; i < n_rows && rc == SQLITE_OK; i++) {
        rc = run_row(c, s, stmt, s->n_params > 0 ? s->params + i * s->n_params : NULL);
        if (rc != SQLITE_OK) {
            fail(c, rc); // now: the reset below clears the message
        }
        sqlite3_reset(stmt);
    }
    sqlite3_clear_bindings(stmt);
    return rc;
}

static int
run_text(sc_sqlite_conn *c, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    int rc = find_statement(c, sql, &stmt);
    if (rc == SQLITE_OK) {
        rc = step(stmt);
        rc = rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
    }
    if (rc != SQLITE_OK) {
        fail(c, rc);
    }
    sqlite3_reset(stmt);
    return rc;
}

/* ---- jobs ---- */

// After a plain BEGIN, a transaction that reads first and another that writes meanwhile exclude
// each other for good: the busy timeout does not help. Therefore IMMEDIATE, unless nothing is
// written.
static int
run_transaction(sc_sqlite_conn *c)
{
    const sc_op *op = c->op;
    int rc = run_text(c, op->is_read_only ? "BEGIN" : "BEGIN IMMEDIATE");
    if (rc != SQLITE_OK) {
        return rc;
    }
    c->has_begun = true;
    for (size_t i = 0; i < op->n_statements && rc == SQLITE_OK; i++) {
        rc = run_statement(c, &op->statements[i]);
    }
    if (rc == SQLITE_OK) {
        rc = run_text(c, "COMMIT");
    }
    if (sqlite3_get_autocommit(c->db) == 0) {
        sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
    }
    return rc;
}

static int
run_execute(sc_sqlite_conn *c)
{
    int rc = c->op->is_transaction ? run_transaction(c) : run_statement(c, &c->op->statements[0]);
    if (rc != SQLITE_OK) {
        sc_result_free(&c->result);
    }
    return rc;
}

static int
set_wal(sc_sqlite_conn *c)
{
    const sc_sqlite_config *config = c->conn.config;
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(c->db, "PRAGMA journal_mode = WAL", -1, &stmt, NULL);
    if (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
        const char *mode = (const char *)sqlite3_column_text(stmt, 0);
        if (strcmp(mode, "wal") != 0) {
            sc_error_set(&c->error, SC_EDATABASE, "%s: no WAL mode here (it is %s)", config->path,
                         mode);
        }
    }
    int end = sqlite3_finalize(stmt);
    return rc == SQLITE_OK ? end : rc;
}

static int
configure(sc_sqlite_conn *c)
{
    const sc_sqlite_config *config = c->conn.config;
    char pragmas[160];
    // The page size first: it is fixed by the switch to WAL, the first write to a new file.
    snprintf(pragmas, sizeof pragmas, "PRAGMA page_size = %u",
             config->page_size != 0 ? config->page_size : PAGE_SIZE);
    int rc = sqlite3_exec(c->db, pragmas, NULL, NULL, NULL);
    if (rc == SQLITE_OK) {
        rc = set_wal(c);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_exec(c->db, "PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON", NULL,
                          NULL, NULL);
    }
    return rc;
}

static int
run_open(sc_sqlite_conn *c)
{
    const sc_sqlite_config *config = c->conn.config;
    int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int rc = SC_FAULT("sqlite.open") ? SQLITE_CANTOPEN
                                     : sqlite3_open_v2(config->path, &c->db, flags, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_busy_handler(c->db, on_busy, c);
        sqlite3_progress_handler(c->db, PROGRESS_STEPS, on_progress, c);
        rc = configure(c);
    }
    // SQLite opens a file that it may not write for reading, and says so only on the first write.
    if (rc == SQLITE_OK && sqlite3_db_readonly(c->db, "main") == 1) {
        sc_error_set(&c->error, -EACCES, "%s: may not be written", config->path);
    }
    if (rc != SQLITE_OK) {
        fail(c, rc);
    }
    if (c->error.code != 0) {
        sqlite3_close(c->db);
        c->db = NULL;
    }
    return rc;
}

// A file cannot hang up, but it can be deleted or replaced: what is written then is lost.
static int
run_ping(sc_sqlite_conn *c)
{
    const sc_sqlite_config *config = c->conn.config;
    int has_moved = 0;
    int rc = sqlite3_file_control(c->db, "main", SQLITE_FCNTL_HAS_MOVED, &has_moved);
    if (rc != SQLITE_OK) {
        return fail(c, rc);
    }
    if (has_moved) {
        sc_error_set(&c->error, -ESTALE, "%s: the file was deleted or replaced", config->path);
    }
    return SQLITE_OK;
}

static int
run_reset(sc_sqlite_conn *c)
{
    return sqlite3_get_autocommit(c->db) != 0 ? SQLITE_OK : run_text(c, "ROLLBACK");
}

static int
run_close(sc_sqlite_conn *c)
{
    for (size_t i = 0; i < SC_SQLITE_MAX_CACHED; i++) {
        sqlite3_finalize(c->cached[i].stmt);
        c->cached[i].stmt = NULL;
    }
    int rc = sqlite3_close(c->db);
    SC_ASSERT(rc == SQLITE_OK); // it is busy only while a statement of ours lives
    c->db = NULL;
    return SQLITE_OK;
}

bool
sc_sqlite_work(sc_sqlite_conn *c)
{
    int rc = SQLITE_OK;
    c->slice_until_ms = sc_clock_ms() + SLICE_MS;
    c->error.code = 0;
    switch (c->job) {
    case SC_SQLITE_OPEN:
        rc = run_open(c);
        break;
    case SC_SQLITE_PING:
        rc = run_ping(c);
        break;
    case SC_SQLITE_RESET:
        rc = run_reset(c);
        break;
    case SC_SQLITE_EXECUTE:
        rc = run_execute(c);
        break;
    default:
        rc = run_close(c);
        break;
    }
    if (!may_retry(c, rc)) {
        return false;
    }
    // Some locks are refused without a call of on_busy.
    on_busy(c, 0);
    return true;
}
