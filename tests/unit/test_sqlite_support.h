/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the SQLite driver share: a private folder, a loop, a pool on a real file, calls
 * that are waited for. Every test ends with the loop closed and empty, the same open descriptors as
 * before, and no folder left. */
#ifndef SC_TEST_SQLITE_SUPPORT_H
#define SC_TEST_SQLITE_SUPPORT_H

#include <criterion/criterion.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "pool/sqlite.h"

typedef struct bed {
    char folder[64], path[96];
    int n_descriptors; /* before anything was opened */
    uv_loop_t loop;
    sc_sqlite_config config;
    sc_pool_options options;
    sc_pool *pool;
    bool is_closed;
} bed;

/* A call that is waited for. */
typedef struct answer {
    bool is_done;
    sc_error error;    /* code 0 = success */
    sc_result *result; /* kept; answer_free() */
    sc_conn *conn;
    sc_request *request;
} answer;

static inline int
count_descriptors(void)
{
    int n = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (dir != NULL && readdir(dir) != NULL) {
        n++;
    }
    closedir(dir);
    return n;
}

/* A folder and the settings; what a test wants different it sets before bed_start(). */
static inline void
bed_init(bed *b)
{
    memset(b, 0, sizeof *b);
    sc_log_init(SC_LOG_ERROR, "test");
    strcpy(b->folder, "/tmp/sc-test-XXXXXX");
    cr_assert_not_null(mkdtemp(b->folder));
    snprintf(b->path, sizeof b->path, "%s/data.sqlite", b->folder);
    b->config = (sc_sqlite_config){.path = b->path, .busy_timeout_ms = 20000};
    sc_pool_options_init(&b->options);
    b->options.name = "sqlite";
    b->options.driver = sc_sqlite_driver();
    b->options.config = &b->config;
    b->options.pool_size = 2;
    b->options.max_overflow = 0;
}

static inline void
bed_start(bed *b)
{
    sc_error err;
    b->n_descriptors = count_descriptors();
    b->is_closed = false;
    cr_assert_eq(uv_loop_init(&b->loop), 0);
    cr_assert_eq(sc_pool_new(&b->loop, &b->options, &b->pool, &err), 0, "%s", err.text);
}

static inline void
bed_on_closed(void *arg)
{
    ((bed *)arg)->is_closed = true;
}

static inline void
bed_stop(bed *b)
{
    sc_pool_close(&b->pool, 0, bed_on_closed, b);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    cr_assert(b->is_closed);
    cr_assert_eq(uv_loop_close(&b->loop), 0, "the loop is empty");
}

static inline void
bed_remove(bed *b)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", b->folder);
    cr_assert_eq(system(command), 0);
}

static inline void
bed_end(bed *b)
{
    bed_stop(b);
    bed_remove(b);
}

static inline void
on_answer(void *arg, sc_pool_reply *reply)
{
    answer *a = arg;
    cr_assert_not(a->is_done, "one callback");
    a->is_done = true;
    if (reply->error != NULL) {
        a->error = *reply->error;
    }
    a->conn = reply->conn;
    a->result = reply->result;
    reply->result = NULL;
}

static inline void
answer_wait(bed *b, answer *a)
{
    while (!a->is_done) {
        uv_run(&b->loop, UV_RUN_ONCE);
        cr_assert(b->pool == NULL || sc_pool_check(b->pool));
    }
}

static inline void
answer_free(answer *a)
{
    sc_result_free(&a->result);
}

static inline void
start_query(bed *b, answer *a, const sc_statement *s, int64_t timeout_ms)
{
    memset(a, 0, sizeof *a);
    int rc = sc_pool_query(b->pool, s, &(sc_pool_call){on_answer, a, timeout_ms}, &a->request);
    cr_assert_eq(rc, 0, "%s: %d", s->sql, rc);
}

static inline answer
query(bed *b, const sc_statement *s)
{
    answer a;
    start_query(b, &a, s, 0);
    answer_wait(b, &a);
    return a;
}

static inline answer
batch(bed *b, const sc_statement *statements, size_t n)
{
    answer a = {.is_done = false};
    sc_batch all = {statements, n};
    cr_assert_eq(sc_pool_batch(b->pool, &all, &(sc_pool_call){on_answer, &a, 0}, NULL), 0);
    answer_wait(b, &a);
    return a;
}

/* Runs a statement that must succeed. */
static inline void
must(bed *b, const char *sql)
{
    sc_statement s = {.sql = sql};
    answer a = query(b, &s);
    cr_assert_eq(a.error.code, 0, "%s: %s", sql, a.error.text);
    answer_free(&a);
}

/* The one number that a statement brings. */
static inline int64_t
number(bed *b, const char *sql)
{
    sc_statement s = {.sql = sql, .flags = SC_STATEMENT_READ_ONLY};
    answer a = query(b, &s);
    cr_assert_eq(a.error.code, 0, "%s: %s", sql, a.error.text);
    int64_t n = sc_result_get(a.result, 0, 0)->integer;
    answer_free(&a);
    return n;
}

static inline answer
borrow(bed *b)
{
    answer a = {.is_done = false};
    cr_assert_eq(sc_pool_acquire(b->pool, &(sc_pool_call){on_answer, &a, 0}, NULL), 0);
    answer_wait(b, &a);
    cr_assert_eq(a.error.code, 0, "%s", a.error.text);
    return a;
}

static inline int
run_on(bed *b, sc_conn *conn, const char *sql)
{
    answer a = {.is_done = false};
    sc_statement s = {.sql = sql};
    cr_assert_eq(sc_conn_execute(conn, &s, &(sc_pool_call){on_answer, &a, 0}, NULL), 0);
    answer_wait(b, &a);
    answer_free(&a);
    return a.error.code;
}

#endif
