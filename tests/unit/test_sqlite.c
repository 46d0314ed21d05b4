/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite through the pool, on real files: values, transactions, bounds, errors, cancelling, files
 * that are no good. */
#include "tests/unit/test_sqlite_support.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const char endless[] =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

Test(sqlite, values_come_back_as_they_went)
{
    static const struct {
        const char *name;
        sc_value value;
    } rows[] = {
        {"null", {.type = SC_VALUE_NULL}},
        {"zero", {.type = SC_VALUE_INT, .integer = 0}},
        {"smallest", {.type = SC_VALUE_INT, .integer = INT64_MIN}},
        {"largest", {.type = SC_VALUE_INT, .integer = INT64_MAX}},
        {"a tenth", {.type = SC_VALUE_DOUBLE, .real = 0.1}},
        {"tiny", {.type = SC_VALUE_DOUBLE, .real = 5e-324}},
        {"text", {.type = SC_VALUE_TEXT, .len = 6, .text = "Gr\xc3\xbc\xc3\x9f"}},
        {"no text", {.type = SC_VALUE_TEXT, .len = 0, .text = ""}},
        {"bytes", {.type = SC_VALUE_BLOB, .len = 4, .blob = "\0\1\0\xff"}},
        {"no bytes", {.type = SC_VALUE_BLOB, .len = 0, .blob = ""}},
    };
    bed b;
    bed_init(&b);
    bed_start(&b);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const sc_value *v = &rows[i].value;
        sc_statement s = {.sql = "SELECT ?1 AS back, 1", .params = v, .n_params = 1};
        answer a = query(&b, &s);
        cr_assert_eq(a.error.code, 0, "%s: %s", rows[i].name, a.error.text);
        cr_assert_eq(a.result->n_rows, 1, "%s", rows[i].name);
        cr_assert_eq(a.result->n_columns, 2, "%s", rows[i].name);
        cr_assert_str_eq(a.result->columns[0], "back", "%s", rows[i].name);
        const sc_value *cell = sc_result_get(a.result, 0, 0);
        cr_assert_eq(cell->type, v->type, "%s: type %d", rows[i].name, (int)cell->type);
        cr_assert_eq(cell->len, v->len, "%s: %u bytes", rows[i].name, cell->len);
        if (v->type == SC_VALUE_TEXT || v->type == SC_VALUE_BLOB) {
            cr_assert_eq(memcmp(cell->blob, v->blob, v->len), 0, "%s", rows[i].name);
            cr_assert_eq(cell->text[cell->len], '\0', "%s is terminated", rows[i].name);
        } else {
            cr_assert_eq(cell->integer, v->integer, "%s", rows[i].name);
        }
        answer_free(&a);
    }
    bed_end(&b);
}

Test(sqlite, a_new_file_has_our_settings)
{
    static const struct {
        const char *pragma;
        int64_t want;
    } rows[] = {{"PRAGMA page_size", 16384}, {"PRAGMA synchronous", 1}, {"PRAGMA foreign_keys", 1}};
    bed b;
    bed_init(&b);
    b.config.page_size = 16384;
    bed_start(&b);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t got = number(&b, rows[i].pragma);
        cr_assert_eq(got, rows[i].want, "%s: %d", rows[i].pragma, (int)got);
    }
    answer a = query(&b, &(sc_statement){.sql = "PRAGMA journal_mode"});
    cr_assert_str_eq(sc_result_get(a.result, 0, 0)->text, "wal");
    answer_free(&a);
    bed_end(&b);
}

Test(sqlite, a_batch_of_many_rows_is_one_transaction)
{
    enum { N = 5000 };
    bed b;
    bed_init(&b);
    bed_start(&b);
    must(&b, "CREATE TABLE t (id INTEGER PRIMARY KEY, x REAL, name TEXT)");
    sc_value *params = calloc(3 * (size_t)N, sizeof *params);
    cr_assert_not_null(params);
    for (int i = 0; i < N; i++) {
        params[3 * i] = sc_value_int(i);
        params[3 * i + 1] = sc_value_double(i / 2.0);
        params[3 * i + 2] = sc_value_text("row");
    }
    sc_statement s[3] = {
        {.sql = "INSERT INTO t VALUES (?1, ?2, ?3)", .params = params, .n_params = 3, .n_rows = N},
        {.sql = "UPDATE t SET name = 'even' WHERE id % 2 = 0"},
        {.sql = "SELECT count(*), sum(x) FROM t"},
    };
    answer a = batch(&b, s, 3);
    cr_assert_eq(a.error.code, 0, "%s", a.error.text);
    cr_assert_eq(a.result->n_affected, N + N / 2);
    cr_assert_eq(sc_result_get(a.result, 0, 0)->integer, N);
    cr_assert_eq(sc_result_get(a.result, 0, 1)->real, N * (N - 1) / 4.0);
    answer_free(&a);
    // The last row breaks it: nothing stays.
    params[3 * (N - 1)] = sc_value_int(0);
    must(&b, "DELETE FROM t");
    a = batch(&b, s, 3);
    cr_assert_eq(a.error.code, SC_EDATABASE);
    cr_assert_str_eq(a.error.sqlstate, "23505");
    cr_assert_null(a.result);
    cr_assert_eq(number(&b, "SELECT count(*) FROM t"), 0);
    sc_pool_stats stats;
    sc_pool_stats_get(b.pool, &stats);
    cr_assert_eq(stats.n_resets, 0, "it was rolled back before the answer");
    free(params);
    bed_end(&b);
}

Test(sqlite, rows_of_returning_and_affected_counts)
{
    static const struct {
        const char *sql;
        int64_t want_affected;
        size_t want_rows;
    } rows[] = {
        {"INSERT INTO t VALUES (1, 1), (2, 2), (3, 3) RETURNING id", 3, 3},
        {"UPDATE t SET x = 9 WHERE id > 1", 2, 0},
        {"CREATE TABLE u (y)", 0, 0},
        {"SELECT * FROM t", 0, 3},
        {"DELETE FROM t WHERE id = 77", 0, 0},
    };
    bed b;
    bed_init(&b);
    bed_start(&b);
    must(&b, "CREATE TABLE t (id INTEGER PRIMARY KEY, x)");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        answer a = query(&b, &(sc_statement){.sql = rows[i].sql});
        cr_assert_eq(a.error.code, 0, "%s: %s", rows[i].sql, a.error.text);
        cr_assert_eq(a.result->n_affected, rows[i].want_affected, "%s", rows[i].sql);
        cr_assert_eq(a.result->n_rows, rows[i].want_rows, "%s", rows[i].sql);
        answer_free(&a);
    }
    bed_end(&b);
}

struct failing {
    const char *name;
    sc_statement s;
    int want; // 0: it does not
    const char *sqlstate, *text;
};

// Each against tables with a constraint of each kind, and a row.
static void
expect_failing(const struct failing *rows, size_t n)
{
    bed b;
    bed_init(&b);
    bed_start(&b);
    must(&b, "CREATE TABLE p (id INTEGER PRIMARY KEY)");
    must(&b, "INSERT INTO p VALUES (1)");
    must(&b,
         "CREATE TABLE t (id INTEGER PRIMARY KEY, p REFERENCES p, a NOT NULL, b CHECK (b > 0))");
    must(&b, "INSERT INTO t VALUES (1, 1, 1, 1)");
    must(&b, "CREATE TABLE n (i)");
    must(&b, "INSERT INTO n VALUES (1), (2), (3)");
    for (size_t i = 0; i < n; i++) {
        answer a = query(&b, &rows[i].s);
        cr_assert_eq(a.error.code, rows[i].want, "%s: %d %s", rows[i].name, a.error.code,
                     a.error.text);
        cr_assert_str_eq(a.error.sqlstate, rows[i].sqlstate, "%s: %s", rows[i].name,
                         a.error.sqlstate);
        cr_assert_not_null(strstr(a.error.text, rows[i].text), "%s: %s", rows[i].name,
                           a.error.text);
        cr_assert_eq(a.result != NULL, rows[i].want == 0, "%s", rows[i].name);
        answer_free(&a);
    }
    cr_assert_eq(number(&b, "SELECT count(*) FROM t"), 1);
    bed_end(&b);
}

#define EXPECT_FAILING(rows) expect_failing(rows, sizeof rows / sizeof rows[0])

static const sc_value one = {.type = SC_VALUE_INT, .integer = 1};

Test(sqlite, errors_have_codes_and_reasons)
{
    static const struct failing rows[] = {
        {"syntax", {.sql = "SELEC 1"}, SC_EDATABASE, "", "syntax error"},
        {"no table", {.sql = "SELECT * FROM nowhere"}, SC_EDATABASE, "", "no such table: nowhere"},
        {"unique", {.sql = "INSERT INTO t VALUES (1, 1, 1, 1)"}, SC_EDATABASE, "23505", "t.id"},
        {"foreign key",
         {.sql = "INSERT INTO t VALUES (2, 99, 1, 1)"},
         SC_EDATABASE,
         "23503",
         "FOREIGN"},
        {"not null", {.sql = "INSERT INTO t VALUES (2, 1, NULL, 1)"}, SC_EDATABASE, "23502", "t.a"},
        {"check", {.sql = "INSERT INTO t VALUES (2, 1, 1, -1)"}, SC_EDATABASE, "23514", "CHECK"},
    };
    EXPECT_FAILING(rows);
}

Test(sqlite, what_is_no_statement)
{
    static const struct failing rows[] = {
        {"nothing", {.sql = " -- only a comment"}, SC_EBADARG, "", "not exactly one"},
        {"two", {.sql = "SELECT 1; SELECT 2"}, SC_EBADARG, "", "not exactly one"},
        {"one and a comment", {.sql = "SELECT 1; -- two "}, 0, "", ""},
        {"too few",
         {.sql = "SELECT ?1, ?2", .params = &one, .n_params = 1},
         SC_EBADARG,
         "",
         "1 parameters for 2"},
        {"too many",
         {.sql = "SELECT 1", .params = &one, .n_params = 1},
         SC_EBADARG,
         "",
         "1 parameters for 0"},
        {"it writes",
         {.sql = "DELETE FROM t", .flags = SC_STATEMENT_READ_ONLY},
         SC_EBADARG,
         "",
         "it writes"},
    };
    EXPECT_FAILING(rows);
}

Test(sqlite, results_are_bounded)
{
    static const struct failing rows[] = {
        {"rows", {.sql = "SELECT * FROM n", .max_rows = 2}, SC_ETOOLARGE, "", "2 rows"},
        {"just enough", {.sql = "SELECT * FROM n", .max_rows = 3}, 0, "", ""},
        {"bytes",
         {.sql = "SELECT zeroblob(2000)", .max_bytes = 2000},
         SC_ETOOLARGE,
         "",
         "2000 bytes"},
        {"beyond SQLite", {.sql = "SELECT zeroblob(3000000000)"}, SC_ETOOLARGE, "", "too big"},
    };
    EXPECT_FAILING(rows);
}

Test(sqlite, a_constraint_at_commit_rolls_back)
{
    bed b;
    bed_init(&b);
    bed_start(&b);
    must(&b, "CREATE TABLE p (id INTEGER PRIMARY KEY)");
    must(&b, "CREATE TABLE t (p REFERENCES p DEFERRABLE INITIALLY DEFERRED)");
    sc_statement s[] = {{.sql = "INSERT INTO t VALUES (5)"}, {.sql = "INSERT INTO p VALUES (4)"}};
    answer a = batch(&b, s, 2);
    cr_assert_eq(a.error.code, SC_EDATABASE);
    cr_assert_str_eq(a.error.sqlstate, "23503");
    cr_assert_eq(number(&b, "SELECT (SELECT count(*) FROM t) + (SELECT count(*) FROM p)"), 0);
    bed_end(&b);
}

Test(sqlite, more_statements_than_the_cache_holds)
{
    bed b;
    bed_init(&b);
    b.options.pool_size = 1;
    bed_start(&b);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 150; i++) {
            char sql[64];
            snprintf(sql, sizeof sql, "SELECT %d", i);
            cr_assert_eq(number(&b, sql), i, "round %d: %s", round, sql);
        }
    }
    bed_end(&b);
}

/* ---- sessions ---- */

Test(sqlite, a_session_commits_or_is_rolled_back)
{
    static const struct {
        const char *name;
        bool commits;
        int64_t want;
    } rows[] = {{"committed", true, 1}, {"left open", false, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bed b;
        bed_init(&b);
        b.options.pool_size = 1;
        bed_start(&b);
        must(&b, "CREATE TABLE t (id)");
        answer a = borrow(&b);
        cr_assert_eq(run_on(&b, a.conn, "BEGIN IMMEDIATE"), 0, "%s", rows[i].name);
        cr_assert_eq(run_on(&b, a.conn, "INSERT INTO t VALUES (1)"), 0, "%s", rows[i].name);
        if (rows[i].commits) {
            cr_assert_eq(run_on(&b, a.conn, "COMMIT"), 0, "%s", rows[i].name);
        }
        sc_pool_release(&a.conn);
        cr_assert_eq(number(&b, "SELECT count(*) FROM t"), rows[i].want, "%s", rows[i].name);
        sc_pool_stats stats;
        sc_pool_stats_get(b.pool, &stats);
        cr_assert_eq(stats.n_resets, rows[i].commits ? 0 : 1, "%s", rows[i].name);
        bed_end(&b);
    }
}

// What was read is no longer so: waiting for the lock would not help, so it is told at once.
Test(sqlite, a_stale_snapshot_cannot_write)
{
    bed b;
    bed_init(&b);
    b.config.busy_timeout_ms = 600000;
    bed_start(&b);
    must(&b, "CREATE TABLE t (id)");
    answer a = borrow(&b);
    cr_assert_eq(run_on(&b, a.conn, "BEGIN"), 0);
    cr_assert_eq(run_on(&b, a.conn, "SELECT count(*) FROM t"), 0);
    must(&b, "INSERT INTO t VALUES (1)");
    cr_assert_eq(run_on(&b, a.conn, "INSERT INTO t VALUES (2)"), SC_EBUSY);
    sc_pool_release(&a.conn);
    cr_assert_eq(number(&b, "SELECT count(*) FROM t"), 1);
    bed_end(&b);
}

// Nine writers and four threads: if each waiter kept a thread, the holder of the lock would find
// none to commit on.
Test(sqlite, waiting_writers_leave_a_thread_to_the_holder)
{
    enum { N = 8 };
    bed b;
    bed_init(&b);
    b.options.pool_size = N + 1;
    b.options.dial_limit = N + 1;
    bed_start(&b);
    must(&b, "CREATE TABLE t (id)");
    answer holder = borrow(&b), waiting[N];
    cr_assert_eq(run_on(&b, holder.conn, "BEGIN IMMEDIATE"), 0);
    for (int i = 0; i < N; i++) {
        start_query(&b, &waiting[i], &(sc_statement){.sql = "INSERT INTO t VALUES (1)"}, 0);
    }
    cr_assert_eq(run_on(&b, holder.conn, "INSERT INTO t VALUES (0)"), 0);
    cr_assert_eq(run_on(&b, holder.conn, "COMMIT"), 0);
    for (int i = 0; i < N; i++) {
        answer_wait(&b, &waiting[i]);
        cr_assert_eq(waiting[i].error.code, 0, "writer %d: %s", i, waiting[i].error.text);
        answer_free(&waiting[i]);
    }
    sc_pool_release(&holder.conn);
    cr_assert_eq(number(&b, "SELECT count(*) FROM t"), N + 1);
    bed_end(&b);
}

/* ---- time ---- */

Test(sqlite, a_lock_that_does_not_come)
{
    static const struct {
        const char *name;
        int64_t busy_timeout_ms, timeout_ms;
        bool cancels, in_batch;
        int want;
    } rows[] = {
        {"not at all", 0, 0, false, false, SC_EBUSY},
        {"not in time", 50, 0, false, false, SC_EBUSY},
        {"a transaction", 50, 0, false, true, SC_EBUSY},
        {"the call's time is shorter", 600000, 50, false, false, SC_ETIMEOUT},
        {"cancelled", 600000, 0, true, false, SC_ECANCELLED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bed b;
        bed_init(&b);
        b.config.busy_timeout_ms = rows[i].busy_timeout_ms;
        bed_start(&b);
        must(&b, "CREATE TABLE t (id)");
        answer holder = borrow(&b), a = {.is_done = false};
        cr_assert_eq(run_on(&b, holder.conn, "BEGIN IMMEDIATE"), 0);
        sc_statement s = {.sql = "INSERT INTO t VALUES (1)"};
        sc_pool_call call = {on_answer, &a, rows[i].timeout_ms};
        int rc = rows[i].in_batch ? sc_pool_batch(b.pool, &(sc_batch){&s, 1}, &call, &a.request)
                                  : sc_pool_query(b.pool, &s, &call, &a.request);
        cr_assert_eq(rc, 0);
        if (rows[i].cancels) {
            sc_request_cancel(a.request);
        }
        answer_wait(&b, &a);
        cr_assert_eq(a.error.code, rows[i].want, "%s: %s", rows[i].name, a.error.text);
        cr_assert_eq(sc_pool_is_retryable(b.pool, &a.error), rows[i].want == SC_EBUSY, "%s",
                     rows[i].name);
        sc_pool_release(&holder.conn);
        must(&b, "INSERT INTO t VALUES (1)");
        bed_end(&b);
    }
}

Test(sqlite, a_statement_without_end_is_ended)
{
    static const struct {
        const char *name;
        int64_t timeout_ms;
        int n_turns; /* of the loop before it is cancelled; -1 = it times out */
        int want;
    } rows[] = {
        {"times out", 50, -1, SC_ETIMEOUT},
        {"cancelled at once", 0, 0, SC_ECANCELLED},
        {"cancelled while dialling", 0, 1, SC_ECANCELLED},
        {"cancelled while it runs", 0, 3, SC_ECANCELLED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bed b;
        answer a;
        bed_init(&b);
        b.options.pool_size = 1;
        bed_start(&b);
        start_query(&b, &a, &(sc_statement){.sql = endless}, rows[i].timeout_ms);
        for (int n = 0; n < rows[i].n_turns; n++) {
            uv_run(&b.loop, UV_RUN_NOWAIT);
        }
        if (rows[i].n_turns >= 0) {
            sc_request_cancel(a.request);
        }
        answer_wait(&b, &a);
        cr_assert_eq(a.error.code, rows[i].want, "%s: %s", rows[i].name, a.error.text);
        cr_assert_eq(number(&b, "SELECT 5"), 5, "%s: the pool goes on", rows[i].name);
        bed_end(&b);
    }
}

Test(sqlite, closing_ends_a_statement_without_end)
{
    bed b;
    answer a;
    bed_init(&b);
    bed_start(&b);
    must(&b, "SELECT 1");
    start_query(&b, &a, &(sc_statement){.sql = endless}, 0);
    bed_stop(&b);
    cr_assert(a.is_done);
    cr_assert_eq(a.error.code, SC_ECLOSED);
    bed_remove(&b);
}

/* ---- files that are no good ---- */

static void
write_file(const char *path, const char *text, size_t len)
{
    FILE *f = fopen(path, "w");
    cr_assert_not_null(f);
    cr_assert_eq(fwrite(text, 1, len, f), len);
    fclose(f);
}

Test(sqlite, files_that_cannot_be_opened_are_named)
{
    static const struct {
        const char *name, *path; /* in the folder */
        int want;
        const char *text;
    } rows[] = {
        {"missing folder", "none/data.sqlite", -ENOENT, "No such file or directory"},
        {"a folder", "folder", -EISDIR, "folder"},
        {"below a file", "text/data.sqlite", -ENOTDIR, "Not a directory"},
        {"not a database", "text", SC_EDATABASE, "not a database"},
        {"no WAL", ":memory:", SC_EDATABASE, "no WAL mode"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bed b;
        char path[128], text[2000];
        bed_init(&b);
        snprintf(path, sizeof path, "%s/folder", b.folder);
        cr_assert_eq(mkdir(path, 0700), 0);
        snprintf(path, sizeof path, "%s/text", b.folder);
        memset(text, 'x', sizeof text);
        write_file(path, text, sizeof text);
        bool is_file = rows[i].path[0] != ':';
        snprintf(path, sizeof path, "%s%s%s", is_file ? b.folder : "", is_file ? "/" : "",
                 rows[i].path);
        b.config.path = path;
        bed_start(&b);
        answer a = query(&b, &(sc_statement){.sql = "SELECT 1"});
        cr_assert_eq(a.error.code, rows[i].want, "%s: %d %s", rows[i].name, a.error.code,
                     a.error.text);
        cr_assert_not_null(strstr(a.error.text, path), "%s: %s", rows[i].name, a.error.text);
        cr_assert_not_null(strstr(a.error.text, rows[i].text), "%s: %s", rows[i].name,
                           a.error.text);
        bed_end(&b);
    }
}

Test(sqlite, a_damaged_file_is_reported)
{
    bed b;
    char page[4096];
    bed_init(&b);
    b.config.page_size = 4096;
    bed_start(&b);
    must(&b, "CREATE TABLE t (x)");
    must(&b, "INSERT INTO t SELECT zeroblob(3000) FROM (VALUES (1), (2), (3))");
    bed_stop(&b);
    int fd = open(b.path, O_WRONLY);
    memset(page, 0xee, sizeof page);
    cr_assert_eq(pwrite(fd, page, sizeof page, 4096), (ssize_t)sizeof page);
    close(fd);
    bed_start(&b);
    answer a = query(&b, &(sc_statement){.sql = "SELECT count(*), sum(length(x)) FROM t"});
    cr_assert_eq(a.error.code, SC_EDATABASE, "%d", a.error.code);
    cr_assert_not_null(strstr(a.error.text, b.path), "%s", a.error.text);
    cr_assert_not_null(strstr(a.error.text, "malformed"), "%s", a.error.text);
    bed_end(&b);
}

// Root may write everything, so this runs as somebody else, in a process of its own.
Test(sqlite, a_file_that_may_not_be_written_is_refused)
{
    bed b;
    bed_init(&b);
    bed_start(&b);
    must(&b, "CREATE TABLE t (x)");
    bed_stop(&b);
    cr_assert_eq(chmod(b.folder, 0777), 0);
    cr_assert_eq(chmod(b.path, 0444), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (getuid() == 0 && setuid(65534) != 0) {
            _exit(9);
        }
        bed_start(&b);
        answer a = query(&b, &(sc_statement){.sql = "SELECT 1"});
        bool is_named = strstr(a.error.text, b.path) != NULL;
        _exit(a.error.code != -EACCES ? 1 : !is_named ? 2 : 0);
    }
    int status = -1;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFEXITED(status));
    cr_assert_eq(WEXITSTATUS(status), 0, "it ended with %d", WEXITSTATUS(status));
    bed_remove(&b);
}

Test(sqlite, a_full_disk_costs_the_transaction_only)
{
    bed b;
    bed_init(&b);
    b.options.pool_size = 1; // the bound is of one connection
    bed_start(&b);
    must(&b, "CREATE TABLE t (x)");
    must(&b, "PRAGMA max_page_count = 20");
    sc_statement s[] = {{.sql = "INSERT INTO t VALUES (zeroblob(10000))"},
                        {.sql = "INSERT INTO t VALUES (zeroblob(200000))"}};
    answer a = batch(&b, s, 2);
    cr_assert_eq(a.error.code, -ENOSPC, "%d %s", a.error.code, a.error.text);
    cr_assert_not_null(strstr(a.error.text, b.path), "%s", a.error.text);
    cr_assert_eq(number(&b, "SELECT count(*) FROM t"), 0);
    must(&b, "INSERT INTO t VALUES (1)");
    bed_end(&b);
}

Test(sqlite, a_file_that_was_replaced_is_opened_anew)
{
    bed b;
    bed_init(&b);
    b.options.pre_ping_ms = 0;
    bed_start(&b);
    must(&b, "CREATE TABLE t (x)");
    char command[128];
    snprintf(command, sizeof command, "rm %s/data.sqlite*", b.folder);
    cr_assert_eq(system(command), 0);
    must(&b, "CREATE TABLE t (x)"); // in the old file it would exist
    cr_assert_eq(access(b.path, F_OK), 0);
    bed_end(&b);
}

Test(sqlite, no_descriptor_stays_open)
{
    bed b;
    bed_init(&b);
    b.options.pool_size = 4;
    for (int round = 0; round < 3; round++) {
        bed_start(&b);
        answer a[4];
        for (int i = 0; i < 4; i++) {
            start_query(&b, &a[i], &(sc_statement){.sql = "SELECT 1"}, 0);
        }
        for (int i = 0; i < 4; i++) {
            answer_wait(&b, &a[i]);
            answer_free(&a[i]);
        }
        bed_stop(&b);
        int n = count_descriptors(); // after the first loop: libuv keeps two for signals
        cr_assert(round == 0 || n == b.n_descriptors, "round %d: %d of %d", round, n,
                  b.n_descriptors);
    }
    bed_remove(&b);
}
