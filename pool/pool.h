/* SPDX-License-Identifier: Apache-2.0 */
/* A pool of database connections on one uv loop, the same for every driver (pool/driver.h). It is
 * used from the loop's thread only and has no locks. It decides who gets which connection and when
 * one is opened, checked, cleaned, replaced or closed; how that is done is the driver's. The words
 * and meanings of the settings are SQLAlchemy's.
 *
 * Calls: every call either fails now and never calls back, or returns 0 and calls back exactly
 * once, never before it returned. Inside the callback every function of this header may be called.
 * Statements are copied: nothing of the caller's is kept.
 *
 *     static void
 *     on_rows(void *arg, sc_pool_reply *reply)
 *     {
 *         if (reply->error != NULL) {
 *             return fail(arg, reply->error);
 *         }
 *         printf("%" PRId64 "\n", sc_result_get(reply->result, 0, 0)->integer);
 *     }
 *     ...
 *     sc_value id = sc_value_int(7);
 *     sc_statement select = {.sql = "SELECT n FROM t WHERE id = ?1", .params = &id, .n_params = 1};
 *     rc = sc_pool_query(pool, &select, &(sc_pool_call){on_rows, task, 1000}, NULL);
 */
#ifndef SC_POOL_H
#define SC_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "base/error.h"
#include "pool/statement.h"

typedef struct sc_driver sc_driver; /* pool/driver.h; got from the header of a driver */
typedef struct sc_pool sc_pool;
typedef struct sc_conn sc_conn;       /* a borrowed connection */
typedef struct sc_request sc_request; /* a call under way; valid until its callback returns */

/* What a call brought. */
typedef struct sc_pool_reply {
    const sc_error *error; /* NULL on success; borrowed for the callback */
    sc_result *result;     /* of a statement; freed after the callback, unless that sets it NULL */
    sc_conn *conn;         /* of sc_pool_acquire: the receiver's until sc_pool_release() */
} sc_pool_reply;

typedef void (*sc_pool_call_cb)(void *arg, sc_pool_reply *reply);

/* Whom to call back, and for how long to try. */
typedef struct sc_pool_call {
    sc_pool_call_cb cb;
    void *arg;
    int64_t timeout_ms; /* of all, the waiting included; 0 = only pool_timeout_ms holds */
} sc_pool_call;

/* Statements that run in one transaction: all of them or none. */
typedef struct sc_batch {
    const sc_statement *statements;
    size_t n_statements; /* at least 1 */
} sc_batch;

typedef struct sc_pool_options {
    const char *name; /* of the pool in logs and errors; copied, cut at SC_NAME_MAX */
    const sc_driver *driver;
    const void *config;         /* for the driver; must stay valid until the pool is closed */
    unsigned pool_size;         /* 1..1000: connections that are kept */
    unsigned max_overflow;      /* 0..1000: further ones under load, closed when given back */
    int64_t pool_timeout_ms;    /* 0..: how long a call waits for a connection; 0 = no limit */
    int64_t pool_recycle_ms;    /* 0..: older ones are replaced, up to a tenth earlier; 0 = never */
    int64_t pre_ping_ms;        /* -1..: pinged before use when idle for this long; -1 = never */
    int64_t connect_timeout_ms; /* 1..: of one dial */
    unsigned breaker_failures;  /* 1..: after so many failed dials in a row the breaker opens */
    int64_t breaker_open_ms;    /* 1..: for this long; then one dial is tried */
    unsigned dial_limit;        /* 1..: dials at the same time */
    unsigned max_requests;      /* 1..: calls under way or waiting; beyond it SC_EBUSY */
    size_t max_request_bytes;   /* 1..: of all their statements; beyond it SC_EBUSY */
    uint64_t seed;              /* of jitter; 0 = from the kernel */
    /* NULL = the loop's time; who brings a clock of his own also calls sc_pool_tick(). */
    int64_t (*clock_ms)(void *clock_arg);
    void *clock_arg;
} sc_pool_options;

/* Counters since the pool was made: X(field, meaning). */
#define SC_POOL_COUNTERS(X)                                                                        \
    X(n_requests, "calls accepted")                                                                \
    X(n_refused, "calls refused at a bound")                                                       \
    X(n_waits, "calls that had to wait for a connection")                                          \
    X(wait_ms, "time that calls waited for a connection, in all")                                  \
    X(n_timeouts, "calls whose time limit passed")                                                 \
    X(n_cancelled, "calls cancelled")                                                              \
    X(n_failed, "calls that failed for another reason")                                            \
    X(n_repeated, "statements repeated on another connection")                                     \
    X(n_dials, "connections dialled")                                                              \
    X(n_dial_failures, "dials that failed")                                                        \
    X(n_breaker_opened, "times the breaker opened")                                                \
    X(n_pings, "connections pinged before use")                                                    \
    X(n_ping_failures, "connections found dead before use")                                        \
    X(n_resets, "connections cleaned on return")                                                   \
    X(n_recycled, "connections replaced for their age")                                            \
    X(n_lost, "connections lost")

typedef enum sc_breaker { SC_BREAKER_CLOSED, SC_BREAKER_OPEN, SC_BREAKER_HALF_OPEN } sc_breaker;

typedef struct sc_pool_stats {
    /* Now. */
    unsigned n_open; /* in any state, opening and closing too: what a budget counts */
    unsigned n_idle;
    unsigned n_in_use;  /* busy, being cleaned or drained */
    unsigned n_waiting; /* calls that wait for a connection */
    sc_breaker breaker;
#define SC_POOL_COUNTER_FIELD(field, meaning) uint64_t field;
    SC_POOL_COUNTERS(SC_POOL_COUNTER_FIELD)
#undef SC_POOL_COUNTER_FIELD
} sc_pool_stats;

/** Fill in the defaults; name, driver and config remain to be set. */
void sc_pool_options_init(sc_pool_options *options);
/** A pool without connections: the first calls open them.
 *  @return 0, SC_EBADARG with the field in `err`, SC_ENOMEM
 *  Ownership: the caller's; ends by sc_pool_close() */
int sc_pool_new(uv_loop_t *loop, const sc_pool_options *options, sc_pool **out, sc_error *err);
/** How many connections may be open, whatever pool_size says: the share of a budget. Idle ones
 *  beyond it are closed now, busy ones when they are given back. At first there is no such limit.
 *  @param limit  0 = none may be open; calls then wait */
void sc_pool_set_limit(sc_pool *p, unsigned limit);

/** Run one statement on any connection; it is a transaction of its own. n_rows must be 0 or 1.
 *  @param out  may be NULL; for sc_request_cancel()
 *  @return 0; SC_EBADARG; SC_ETOOLARGE past SC_STATEMENT_MAX_BYTES; SC_EBUSY past max_requests or
 *          max_request_bytes; SC_ECLOSED; SC_ENOMEM. While nothing is connected and the breaker is
 *          open, the callback gets the reason of the last failed dial. */
int sc_pool_query(sc_pool *p, const sc_statement *s, const sc_pool_call *call, sc_request **out);
/** Run all in one transaction (BEGIN IMMEDIATE in SQLite, unless all are read-only). The result is
 *  that of the last statement that has columns; n_affected is the sum.
 *  @return as sc_pool_query */
int sc_pool_batch(sc_pool *p, const sc_batch *batch, const sc_pool_call *call, sc_request **out);
/** Borrow a connection, for transactions that think between statements.
 *  @param call  its timeout_ms is for the waiting
 *  @return as sc_pool_query; the callback's `conn` is the receiver's until sc_pool_release() */
int sc_pool_acquire(sc_pool *p, const sc_pool_call *call, sc_request **out);
/** Run a statement on a borrowed connection, one at a time. With n_rows it runs once for each row
 *  of parameters; begin a transaction first. A statement that is cancelled or times out ends the
 *  session: what is left is to release it. The bounds of the pool do not hold here.
 *  @return 0; SC_EBADARG; SC_ETOOLARGE; SC_EBUSY while one runs; SC_ESTATE after one was cancelled;
 *          SC_ECLOSED when the connection is lost; SC_ENOMEM */
int sc_conn_execute(sc_conn *c, const sc_statement *s, const sc_pool_call *call, sc_request **out);
/** Give a connection back and set NULL. An open transaction is rolled back, a running statement is
 *  cancelled. */
void sc_pool_release(sc_conn **c);
/** Cancel a call. Its callback still runs, later: with SC_ECANCELLED, or with the result where that
 *  came first. */
void sc_request_cancel(sc_request *r);

/** May the same call succeed if it is made again, by what the driver knows of the error? */
bool sc_pool_is_retryable(const sc_pool *p, const sc_error *error);
void sc_pool_stats_get(const sc_pool *p, sc_pool_stats *out);
/** Do what is due by the clock. The pool's own timer calls it, and who brings a clock. */
void sc_pool_tick(sc_pool *p);
/** True where all invariants hold; for asserts and tests. */
bool sc_pool_check(const sc_pool *p);

typedef void (*sc_pool_close_cb)(void *arg);
/** End a pool, once; sets NULL. Waiting calls end with SC_ECLOSED, running ones may go on for
 *  drain_ms and are then cancelled. Borrowed connections must still be released.
 *  @param cb  may be NULL; runs once, later, after all other callbacks, when the last connection is
 *             closed and the memory is released */
void sc_pool_close(sc_pool **p, int64_t drain_ms, sc_pool_close_cb cb, void *arg);

#endif
