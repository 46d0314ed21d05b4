/* SPDX-License-Identifier: Apache-2.0 */
/* A scripted driver for the tests of the pool core: it completes nothing by itself. The test
 * decides when each open, ping, reset, statement and close ends, and how; the clock is the test's
 * too, so nothing waits. */
#ifndef SC_TEST_POOL_FAKE_H
#define SC_TEST_POOL_FAKE_H

#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "pool/driver.h"

enum { FAKE_MAX_CONNS = 256, FAKE_DEPTH = 4 };

typedef enum fake_act { FAKE_NOTHING, FAKE_OPEN, FAKE_PING, FAKE_RESET, FAKE_CLOSE } fake_act;

typedef struct fake_conn {
    sc_conn conn;
    fake_act act; /* under way, beside statements */
    sc_op *ops[FAKE_DEPTH];
    unsigned n_ops;
    unsigned n_cancels;
} fake_conn;

/* Everything of one test: loop, clock, driver, pool. */
typedef struct fake {
    uv_loop_t loop;
    sc_pool *pool;
    int64_t now_ms;
    sc_driver driver;
    fake_conn *conns[FAKE_MAX_CONNS]; /* in the order of their dials; NULL when gone */
    unsigned n_conns;
    unsigned n_opens, n_pings, n_resets, n_executes, n_cancels, n_closes;
    int execute_code; /* what execute() returns from now on */
    int n_ended;      /* calls that have called back */
    bool is_pool_closed;
} fake;

/* One call and what came of it. */
typedef struct fake_call {
    fake *f;
    int n_called, code, order; /* order: the how-manieth to call back */
    char text[SC_ERROR_TEXT];
    sc_conn *conn;
    size_t n_rows;
    sc_request *request;
} fake_call;

static inline fake *
fake_of(sc_conn *c)
{
    return (fake *)(uintptr_t)c->config;
}

static inline int
fake_begin(sc_conn *c, fake_act act, unsigned *count)
{
    fake_conn *fc = (fake_conn *)c;
    cr_assert_eq(fc->act, FAKE_NOTHING, "one act at a time");
    cr_assert_eq(fc->n_ops, 0, "no act beside a statement");
    fc->act = act;
    (*count)++;
    return 0;
}

static inline int
fake_open(sc_conn *c)
{
    fake *f = fake_of(c);
    cr_assert(f->n_conns < FAKE_MAX_CONNS);
    f->conns[f->n_conns++] = (fake_conn *)c;
    return fake_begin(c, FAKE_OPEN, &f->n_opens);
}

static inline int
fake_ping(sc_conn *c)
{
    return fake_begin(c, FAKE_PING, &fake_of(c)->n_pings);
}

static inline int
fake_reset(sc_conn *c)
{
    return fake_begin(c, FAKE_RESET, &fake_of(c)->n_resets);
}

static inline int
fake_execute(sc_conn *c, sc_op *op)
{
    fake_conn *fc = (fake_conn *)c;
    if (fake_of(c)->execute_code != 0) {
        return fake_of(c)->execute_code;
    }
    cr_assert_eq(fc->act, FAKE_NOTHING);
    cr_assert(fc->n_ops < fake_of(c)->driver.depth, "depth");
    fc->ops[fc->n_ops++] = op;
    fake_of(c)->n_executes++;
    return 0;
}

static inline void
fake_cancel(sc_conn *c, sc_op *op)
{
    fake_conn *fc = (fake_conn *)c;
    cr_assert(fc->n_ops == 1 && fc->ops[0] == op);
    fc->n_cancels++;
    fake_of(c)->n_cancels++;
}

static inline void
fake_close(sc_conn *c)
{
    fake_conn *fc = (fake_conn *)c;
    cr_assert_neq(fc->act, FAKE_CLOSE, "closed once");
    fc->act = FAKE_CLOSE;
    fake_of(c)->n_closes++;
}

static inline bool
fake_is_retryable(const sc_error *err)
{
    return err->code == -ECONNREFUSED || err->code == -ECONNRESET || err->code == SC_ETIMEOUT;
}

static inline int64_t
fake_clock(void *arg)
{
    return ((fake *)arg)->now_ms;
}

/* Completes the act under way with a code. */
static inline void
fake_done(fake_conn *fc, int code)
{
    sc_error err;
    fake_act act = fc->act;
    cr_assert_neq(act, FAKE_NOTHING, "something is under way");
    fc->act = FAKE_NOTHING;
    if (act == FAKE_CLOSE) {
        fake *f = fake_of(&fc->conn);
        for (unsigned i = 0; i < f->n_conns; i++) {
            f->conns[i] = f->conns[i] == fc ? NULL : f->conns[i];
        }
        sc_conn_closed(&fc->conn);
        return;
    }
    sc_error_set(&err, code, "scripted %d", code);
    sc_conn_done(&fc->conn, code != 0 ? &err : NULL);
}

/* Completes the oldest statement with a code, or with one row of one column, 1. */
static inline void
fake_answer(fake_conn *fc, int code)
{
    sc_error err;
    sc_result *result = NULL;
    cr_assert(fc->n_ops > 0, "a statement is under way");
    sc_op *op = fc->ops[0];
    memmove(fc->ops, fc->ops + 1, --fc->n_ops * sizeof fc->ops[0]);
    if (code == 0) {
        sc_value one = sc_value_int(1);
        cr_assert_eq(sc_result_new(0, 0, &result), 0);
        cr_assert_eq(sc_result_add_column(result, "one"), 0);
        cr_assert_eq(sc_result_add(result, &one), 0);
    } else {
        sc_error_set(&err, code, "scripted %d", code);
    }
    sc_op_done(&fc->conn, op, code != 0 ? &err : NULL, &result);
    cr_assert_null(result, "the pool took the result");
}

/* Completes one thing that is under way, if there is any, with success. */
static inline bool
fake_step(fake *f)
{
    for (unsigned i = 0; i < f->n_conns; i++) {
        fake_conn *fc = f->conns[i];
        if (fc != NULL && fc->act != FAKE_NOTHING) {
            fake_done(fc, 0);
            return true;
        }
        if (fc != NULL && fc->n_ops > 0) {
            fake_answer(fc, 0);
            return true;
        }
    }
    return false;
}

static inline void
fake_settle(fake *f)
{
    while (fake_step(f)) {
        cr_assert(f->is_pool_closed || f->pool == NULL || sc_pool_check(f->pool));
    }
}

static inline void
fake_advance(fake *f, int64_t ms)
{
    f->now_ms += ms;
    sc_pool_tick(f->pool);
    cr_assert(sc_pool_check(f->pool));
}

/* The defaults of the tests: 2 connections, no overflow, everything else as the pool has it. */
static inline void
fake_options(fake *f, sc_pool_options *o)
{
    memset(f, 0, sizeof *f);
    f->now_ms = 1000000;
    f->driver =
        (sc_driver){"fake",     sizeof(fake_conn), 1,           fake_open,  fake_ping,
                    fake_reset, fake_execute,      fake_cancel, fake_close, fake_is_retryable};
    sc_pool_options_init(o);
    o->name = "test";
    o->driver = &f->driver;
    o->config = f;
    o->pool_size = 2;
    o->max_overflow = 0;
    o->seed = 7;
    o->clock_ms = fake_clock;
    o->clock_arg = f;
}

static inline void
fake_start(fake *f, const sc_pool_options *o)
{
    sc_error err;
    sc_log_init(SC_LOG_ERROR, "test");
    cr_assert_eq(uv_loop_init(&f->loop), 0);
    cr_assert_eq(sc_pool_new(&f->loop, o, &f->pool, &err), 0, "%s", err.text);
}

static inline void
fake_on_closed(void *arg)
{
    ((fake *)arg)->is_pool_closed = true;
}

/* Closes the pool, completes what is left, and wants an empty loop. */
static inline void
fake_end(fake *f)
{
    if (f->pool != NULL) {
        sc_pool_close(&f->pool, 0, fake_on_closed, f);
    }
    while (!f->is_pool_closed) {
        fake_settle(f);
        uv_run(&f->loop, UV_RUN_NOWAIT);
    }
    cr_assert_eq(uv_loop_close(&f->loop), 0, "the loop is empty");
    for (unsigned i = 0; i < f->n_conns; i++) {
        cr_assert_null(f->conns[i], "connection %u is closed", i);
    }
}

static inline void
fake_on_reply(void *arg, sc_pool_reply *reply)
{
    fake_call *call = arg;
    call->n_called++;
    call->order = ++call->f->n_ended;
    call->code = reply->error != NULL ? reply->error->code : 0;
    call->conn = reply->conn;
    call->n_rows = reply->result != NULL ? reply->result->n_rows : 0;
    snprintf(call->text, sizeof call->text, "%s", reply->error != NULL ? reply->error->text : "");
}

static inline sc_pool_call
fake_reply_to(fake *f, fake_call *call, int64_t timeout_ms)
{
    memset(call, 0, sizeof *call);
    call->f = f;
    call->code = 1;
    return (sc_pool_call){fake_on_reply, call, timeout_ms};
}

static inline void
fake_query_flags(fake *f, fake_call *call, unsigned flags, int64_t timeout_ms)
{
    sc_statement s = {.sql = "SELECT 1", .flags = flags};
    sc_pool_call to = fake_reply_to(f, call, timeout_ms);
    cr_assert_eq(sc_pool_query(f->pool, &s, &to, &call->request), 0);
    cr_assert_eq(call->n_called, 0, "never before it returned");
    cr_assert(sc_pool_check(f->pool));
}

static inline void
fake_query(fake *f, fake_call *call)
{
    fake_query_flags(f, call, 0, 0);
}

static inline void
fake_acquire(fake *f, fake_call *call)
{
    sc_pool_call to = fake_reply_to(f, call, 0);
    cr_assert_eq(sc_pool_acquire(f->pool, &to, &call->request), 0);
    cr_assert_eq(call->n_called, 0, "never before it returned");
}

static inline sc_pool_stats
fake_stats(const fake *f)
{
    sc_pool_stats stats;
    sc_pool_stats_get(f->pool, &stats);
    return stats;
}

#endif
