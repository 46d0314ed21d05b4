/* SPDX-License-Identifier: Apache-2.0 */
/* What a driver is to the pool. A driver opens, pings, cleans and closes one connection and runs
 * statements on it, never blocking the loop; it keeps no list of connections, does no waiting for
 * others and decides no retry. Only pool/ includes this.
 *
 * Rules. Every act fails now (negative code, no completion follows) or returns 0 and completes
 * exactly once, later. At most one of open, ping and reset is under way, and none beside a
 * statement. `close` may come at any time, once: it ends what is under way without completing it,
 * and completes itself by sc_conn_closed(); up to then the driver may use the ops. All calls and
 * completions happen on the loop's thread. */
#ifndef SC_DRIVER_H
#define SC_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "base/error.h"
#include "base/heap.h"
#include "pool/pool.h"

/* The life of a connection. Every move is made by conn_move() in conn.c, which holds the table of
 * legal ones.
 *
 *     CONNECTING --> IDLE <--> BUSY --> DRAINING
 *                     ^         |          |
 *                     |         v          |
 *                     +-- RESETTING <------+        and from each of them to CLOSING
 *
 * - CONNECTING: the driver's open is under way
 * - IDLE: fit for use, nothing under way; the one that was used last is used next
 * - BUSY: lent to an acquirer, or with statements in `ops`; while it is pinged they are not begun
 * - DRAINING: a statement was cancelled; its answer, or the release by the acquirer, is to come
 * - RESETTING: the driver's reset is under way
 * - CLOSING: the driver's close is under way, or over while an acquirer still holds it */
#define SC_CONN_STATES(X)                                                                          \
    X(SC_CONN_CONNECTING, "connecting")                                                            \
    X(SC_CONN_IDLE, "idle")                                                                        \
    X(SC_CONN_BUSY, "busy")                                                                        \
    X(SC_CONN_RESETTING, "resetting")                                                              \
    X(SC_CONN_DRAINING, "draining")                                                                \
    X(SC_CONN_CLOSING, "closing")

typedef enum sc_conn_state {
#define SC_CONN_STATE_ENUM(symbol, name) symbol,
    SC_CONN_STATES(SC_CONN_STATE_ENUM)
#undef SC_CONN_STATE_ENUM
        SC_N_CONN_STATES
} sc_conn_state;

/* What a driver has to run; part of a request. Valid until it is completed or the connection is
 * closed. */
typedef struct sc_op {
    const sc_statement *statements;
    size_t n_statements;
    bool is_transaction; /* wrap them in one; else there is one statement, to be run as it is */
    bool is_read_only;   /* all statements say so */
    struct sc_op *prev, *next; /* the pool's, in sc_conn.ops; the order is that of execute() */
} sc_op;

/* A connection; the first member of the driver's own. */
struct sc_conn {
    /* For the driver to read. */
    uv_loop_t *loop;
    const void *config;
    sc_pool *pool;
    uint64_t id; /* of this connection in logs, from 1 */

    /* For the driver to write, before it completes something. */
    bool is_broken; /* of no further use: close it */
    bool is_dirty;  /* left in a state that the next user must not see: reset it */

    /* The pool's. */
    uint32_t magic;
    sc_conn_state state;
    bool is_held;         /* lent by sc_pool_acquire */
    bool is_pinging;      /* BUSY and waiting for the ping; `ops` are not with the driver yet */
    bool is_shared;       /* BUSY with statements of several calls that may share it */
    bool is_closed;       /* the driver has no part in it any more */
    sc_conn *prev, *next; /* in the list of its state */
    sc_op *ops;           /* of the driver, oldest first */
    unsigned n_ops;
    sc_heap_node deadline; /* of open, ping, reset, cancel; always in the heap */
    int64_t since_ms;      /* in this state */
    int64_t recycle_at_ms; /* not used beyond this time */
};

struct sc_driver {
    const char *name;  /* "sqlite" */
    size_t conn_bytes; /* of the driver's connection; zeroed before open */
    unsigned depth;    /* 1..: statements under way on one connection (pipeline mode) */

    int (*open)(sc_conn *c);  /* completes by sc_conn_done */
    int (*ping)(sc_conn *c);  /* completes by sc_conn_done */
    int (*reset)(sc_conn *c); /* completes by sc_conn_done: no transaction, nothing left over */
    int (*execute)(sc_conn *c, sc_op *op); /* completes by sc_op_done */
    /* Ask for an early end of the only op; it still completes by sc_op_done. */
    void (*cancel)(sc_conn *c, sc_op *op);
    void (*close)(sc_conn *c); /* completes by sc_conn_closed */
    /* May the same succeed if it is repeated? The one place that decides. */
    bool (*is_retryable)(const sc_error *err);
};

/** open, ping or reset is complete. @param err  NULL = success */
void sc_conn_done(sc_conn *c, const sc_error *err);
/** A statement or a transaction is complete. @param err  NULL = success
 *  @param result  taken: set NULL; NULL or a pointer to NULL with an error */
void sc_op_done(sc_conn *c, sc_op *op, const sc_error *err, sc_result **result);
/** The connection was lost while nothing was under way (the server closed it): it is not used again
 *  and closed as soon as nobody holds it. */
void sc_conn_lost(sc_conn *c, const sc_error *err);
/** close is complete; the memory of the connection may be gone on return. */
void sc_conn_closed(sc_conn *c);

#endif
