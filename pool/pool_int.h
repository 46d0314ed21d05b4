/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the pool core share: pool.c decides who gets a connection, dial.c when one is
 * opened, conn.c moves connections through their states, request.c keeps what is to run, options.c
 * knows the settings. Only they include this. */
#ifndef SC_POOL_INT_H
#define SC_POOL_INT_H

#include <utlist.h>

#include "base/limits.h"
#include "base/random.h"
#include "pool/driver.h"

enum {
    SC_POOL_PING_MS = 5000,   /* a ping that takes longer has failed */
    SC_POOL_RESET_MS = 5000,  /* so has a reset */
    SC_POOL_CANCEL_MS = 5000, /* a cancelled statement that takes longer costs its connection */
};

typedef enum sc_request_kind {
    SC_REQUEST_QUERY,
    SC_REQUEST_ACQUIRE,
    SC_REQUEST_EXECUTE
} sc_request_kind;

/* WAITING  in sc_pool.waiters
 * RUNNING  in sc_conn.ops, by its op
 * DONE     in sc_pool.done, until its callback has run */
typedef enum sc_request_state {
    SC_REQUEST_WAITING,
    SC_REQUEST_RUNNING,
    SC_REQUEST_DONE
} sc_request_state;

struct sc_request {
    uint32_t magic;
    sc_request_kind kind;
    sc_request_state state;
    bool may_repeat; /* every statement is read-only or idempotent, and it has not been repeated */
    bool may_share;  /* one read-only statement */
    int cancel_code; /* why it was cancelled; 0 = it was not */
    sc_pool *pool;
    sc_conn *conn; /* while RUNNING, and what DONE hands out */
    sc_pool_call call;
    sc_op op;
    sc_request *prev, *next; /* in waiters or done */
    sc_heap_node deadline;   /* in the pool's heap unless cancelled or DONE */
    int64_t since_ms;        /* when it was made */
    int64_t queued_ms;       /* when it began to wait, the last time */
    size_t n_bytes;          /* of this memory */
    sc_error error;          /* DONE: code 0 = success */
    sc_result *result;       /* DONE */
};

struct sc_pool {
    uv_loop_t *loop;
    uv_timer_t timer; /* the earliest of all deadlines; its close callback frees the pool */
    int64_t armed_ms; /* what the timer is set to; INT64_MAX = stopped */
    sc_pool_options options;
    char name[SC_NAME_MAX + 1];
    sc_random random;
    unsigned limit;
    uint64_t next_id;

    sc_conn *conns[SC_N_CONN_STATES]; /* IDLE: the one used last comes first */
    unsigned n_conns[SC_N_CONN_STATES];
    unsigned n_open; /* their sum */
    sc_heap conn_deadlines;

    sc_request *waiters, *done;
    unsigned n_waiting, n_requests;
    size_t n_request_bytes;
    sc_heap request_deadlines;

    unsigned n_failures;   /* failed dials in a row */
    int64_t dial_after_ms; /* nothing is dialled before: backoff, or the open breaker */
    int64_t lost_at_ms;    /* when a connection was last lost: those idle since before are pinged */
    sc_error dial_error;   /* of the last failed dial */

    bool is_stepping; /* sc_pool_step is on the stack: it will do what is left to do */
    bool is_closing, is_drained, is_ended;
    int64_t drain_at_ms; /* closing: what runs is cancelled then */
    sc_pool_close_cb close_cb;
    void *close_arg;
    sc_pool_stats stats; /* the counters; the rest is filled in when asked for */
};

/* request.c */

/** A request with its own copy of the statements, not in any list. @return 0, SC_EBADARG,
 * SC_ETOOLARGE, SC_ENOMEM */
int sc_request_new(const sc_batch *batch, const sc_pool_call *call, sc_request **out);
void sc_request_free(sc_request **r);

/* conn.c */

/** Open one more connection; failures go to sc_pool_dial_failed. */
void sc_conn_dial(sc_pool *p);
/** A connection for this request: the idle one used last, or one that it may share; NULL where
 * there is none. */
sc_conn *sc_conn_find(sc_pool *p, const sc_request *r);
/** Begin the request on what sc_conn_find found, or on a borrowed connection. */
void sc_conn_start(sc_conn *c, sc_request *r);
/** Ask for an early end of a RUNNING request. */
void sc_conn_cancel(sc_conn *c, sc_request *r, int code);
/** Its holder is done with it. */
void sc_conn_release(sc_conn *c);
/** Close it, whatever it does. */
void sc_conn_close(sc_conn *c);
/** Its deadline has passed. */
void sc_conn_overdue(sc_conn *c);
/** Does it agree with its state? */
bool sc_conn_check(const sc_conn *c);

/* dial.c */

/** Connections that are open and not being closed. */
unsigned sc_pool_n_live(const sc_pool *p);
/** How many there may be. */
unsigned sc_pool_capacity(const sc_pool *p);
/** Are there more than there may be, or than are worth keeping? */
bool sc_pool_is_surplus(const sc_pool *p);
sc_breaker sc_pool_breaker(const sc_pool *p);
/** Is one more connection needed, and is it time for it? */
bool sc_pool_may_dial(const sc_pool *p);
void sc_pool_dial_failed(sc_pool *p, const sc_error *err);

/* options.c */

/** The name of a setting out of its range, or NULL. */
const char *sc_pool_options_find_bad(const sc_pool_options *o);

/* pool.c */

int64_t sc_pool_now(const sc_pool *p);
/** Every waiting call ends with this error. */
void sc_pool_fail_waiters(sc_pool *p, const sc_error *err);
/** A request is over: its callback will run. @param err  NULL = success  @param result  taken; may
 * be NULL */
void sc_pool_finish(sc_request *r, const sc_error *err, sc_result **result);
/** Back to the head of the queue: its connection was of no use. */
void sc_pool_requeue(sc_request *r);
/** Hand out connections, run callbacks, until nothing is left to do now. */
void sc_pool_step(sc_pool *p);

#endif
