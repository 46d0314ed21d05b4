/* SPDX-License-Identifier: Apache-2.0 */
/* The life of one connection: the only place that changes its state and the only one that calls the
 * driver. Called by pool.c with what is to be done and by drivers with what they have completed. It
 * runs no caller's callback but through sc_pool_step(). */
#include "pool/pool_int.h"

#include <stdlib.h>

#include "base/fault.h"
#include "base/log.h"

#define CONN_MAGIC 0x636f6e6eu

static const char *const state_names[] = {
#define STATE_NAME(symbol, name) [symbol] = name,
    SC_CONN_STATES(STATE_NAME)
#undef STATE_NAME
};

/* legal_moves[from][to] */
static const bool legal_moves[SC_N_CONN_STATES][SC_N_CONN_STATES] = {
    [SC_CONN_CONNECTING] = {[SC_CONN_IDLE] = true, [SC_CONN_CLOSING] = true},
    [SC_CONN_IDLE] = {[SC_CONN_BUSY] = true, [SC_CONN_CLOSING] = true},
    [SC_CONN_BUSY] = {[SC_CONN_IDLE] = true,
                      [SC_CONN_RESETTING] = true,
                      [SC_CONN_DRAINING] = true,
                      [SC_CONN_CLOSING] = true},
    [SC_CONN_RESETTING] = {[SC_CONN_IDLE] = true, [SC_CONN_CLOSING] = true},
    [SC_CONN_DRAINING] = {[SC_CONN_RESETTING] = true, [SC_CONN_CLOSING] = true},
    [SC_CONN_CLOSING] = {false},
};

// The driver must have completed something by then; INT64_MAX = nothing. Moving within the heap
// cannot fail.
static void
set_deadline(sc_conn *c, int64_t after_ms)
{
    int64_t deadline_ms = after_ms == INT64_MAX ? INT64_MAX : sc_pool_now(c->pool) + after_ms;
    int rc = sc_heap_set(&c->pool->conn_deadlines, &c->deadline, deadline_ms);
    SC_ASSERT(rc == 0);
}

static int64_t
state_limit_ms(const sc_conn *c)
{
    switch (c->state) {
    case SC_CONN_CONNECTING:
        return c->pool->options.connect_timeout_ms;
    case SC_CONN_RESETTING:
        return SC_POOL_RESET_MS;
    case SC_CONN_DRAINING:
        return SC_POOL_CANCEL_MS;
    default:
        return INT64_MAX;
    }
}

static void
enter_state(sc_conn *c, sc_conn_state state)
{
    sc_pool *p = c->pool;
    c->state = state;
    c->since_ms = sc_pool_now(p);
    p->n_conns[state]++;
    if (state == SC_CONN_IDLE) {
        DL_PREPEND(p->conns[state], c);
    } else {
        DL_APPEND(p->conns[state], c);
    }
    set_deadline(c, state_limit_ms(c));
}

static void
leave_state(sc_conn *c)
{
    c->pool->n_conns[c->state]--;
    DL_DELETE(c->pool->conns[c->state], c);
}

static void
conn_move(sc_conn *c, sc_conn_state to)
{
    SC_ASSERT(legal_moves[c->state][to]);
    sc_log_debug("pool %s conn %llu %s -> %s after_ms=%lld", c->pool->name,
                 (unsigned long long)c->id, state_names[c->state], state_names[to],
                 (long long)(sc_pool_now(c->pool) - c->since_ms));
    leave_state(c);
    enter_state(c, to);
}

static void
conn_free(sc_conn *c)
{
    sc_pool *p = c->pool;
    leave_state(c);
    p->n_open--;
    sc_heap_remove(&p->conn_deadlines, &c->deadline);
    c->magic = 0;
    free(c);
}

static sc_request *
request_of(sc_op *op)
{
    return SC_CONTAINER(op, sc_request, op);
}

static void
add_op(sc_conn *c, sc_request *r)
{
    r->conn = c;
    r->state = SC_REQUEST_RUNNING;
    sc_op *op = &r->op;
    DL_APPEND(c->ops, op);
    c->n_ops++;
}

static void
remove_op(sc_conn *c, sc_request *r)
{
    sc_op *op = &r->op;
    DL_DELETE(c->ops, op);
    c->n_ops--;
}

// A statement is over. What failed for its connection's sake, and may be repeated, goes back to the
// queue, once.
static void
complete(sc_conn *c, sc_request *r, const sc_error *err, sc_result **result)
{
    sc_pool *p = c->pool;
    remove_op(c, r);
    if (err != NULL && r->may_repeat && r->kind == SC_REQUEST_QUERY && r->cancel_code == 0 &&
        !p->is_closing && p->options.driver->is_retryable(err)) {
        r->may_repeat = false;
        p->stats.n_repeated++;
        sc_pool_requeue(r);
        return;
    }
    sc_pool_finish(r, err, result);
}

// Those that idle since before this are pinged before use: what took one connection may have taken
// them all.
static void
lose(sc_conn *c)
{
    c->pool->stats.n_lost++;
    c->pool->lost_at_ms = sc_pool_now(c->pool);
    sc_conn_close(c);
}

static void
start_reset(sc_conn *c)
{
    sc_pool *p = c->pool;
    conn_move(c, SC_CONN_RESETTING);
    p->stats.n_resets++;
    int rc = SC_FAULT("pool.reset") ? SC_ECLOSED : p->options.driver->reset(c);
    if (rc != 0) {
        lose(c);
    }
}

// Fit for use: keep it, unless it is one too many or too old.
static void
keep(sc_conn *c)
{
    sc_pool *p = c->pool;
    if (sc_pool_is_surplus(p)) {
        sc_conn_close(c);
    } else if (sc_pool_now(p) >= c->recycle_at_ms) {
        p->stats.n_recycled++;
        sc_conn_close(c);
    } else {
        conn_move(c, SC_CONN_IDLE);
    }
}

// Nothing is under way and nobody holds it: make it idle, clean it or close it.
static void
settle(sc_conn *c)
{
    SC_ASSERT(c->n_ops == 0 && !c->is_held && !c->is_pinging);
    if (c->is_broken) {
        lose(c);
    } else if (c->is_dirty || c->state == SC_CONN_DRAINING) {
        start_reset(c);
    } else {
        keep(c);
    }
}

static void
start_op(sc_conn *c, sc_request *r)
{
    if (r->kind == SC_REQUEST_ACQUIRE) {
        remove_op(c, r);
        c->is_held = true;
        sc_pool_finish(r, NULL, NULL);
        return;
    }
    int rc = c->pool->options.driver->execute(c, &r->op);
    if (rc != 0) {
        sc_error err;
        sc_error_set(&err, rc, "the statement could not be started: %s", sc_error_text(rc));
        complete(c, r, &err, NULL);
        if (c->n_ops == 0 && !c->is_held) {
            settle(c);
        }
    }
}

static void
start_all_ops(sc_conn *c)
{
    // Starting one may finish it at once, so the next is noted before.
    sc_op *op, *next;
    DL_FOREACH_SAFE(c->ops, op, next) {
        start_op(c, request_of(op));
    }
    if (c->state == SC_CONN_BUSY && c->n_ops == 0 && !c->is_held) {
        settle(c);
    }
}

static void
start_ping(sc_conn *c)
{
    sc_pool *p = c->pool;
    c->is_pinging = true;
    set_deadline(c, SC_POOL_PING_MS);
    p->stats.n_pings++;
    int rc = SC_FAULT("pool.ping") ? SC_ECLOSED : p->options.driver->ping(c);
    if (rc != 0) {
        p->stats.n_ping_failures++;
        sc_conn_close(c);
    }
}

// A tenth of jitter, so that connections made together are not replaced together.
static void
on_open(sc_conn *c, const sc_error *err)
{
    sc_pool *p = c->pool;
    if (err != NULL) {
        sc_error copy = *err; // closing may clear what the driver has
        sc_conn_close(c);
        sc_pool_dial_failed(p, &copy);
        return;
    }
    int64_t recycle_ms = p->options.pool_recycle_ms;
    c->recycle_at_ms = INT64_MAX;
    if (recycle_ms > 0) {
        int64_t jitter_ms = (int64_t)sc_random_below(&p->random, (uint64_t)recycle_ms / 10 + 1);
        c->recycle_at_ms = sc_pool_now(p) + recycle_ms - jitter_ms;
    }
    p->n_failures = 0;
    p->dial_after_ms = 0;
    keep(c);
}

static void
on_reset(sc_conn *c, const sc_error *err)
{
    if (err != NULL || c->is_broken) {
        lose(c);
        return;
    }
    c->is_dirty = false;
    keep(c);
}

static void
on_ping(sc_conn *c, const sc_error *err)
{
    if (err != NULL || c->is_broken) {
        c->pool->stats.n_ping_failures++;
        sc_conn_close(c);
        return;
    }
    c->is_pinging = false;
    set_deadline(c, INT64_MAX);
    start_all_ops(c);
}

static bool
must_ping(const sc_conn *c)
{
    const sc_pool *p = c->pool;
    if (p->options.pre_ping_ms < 0 || p->options.driver->ping == NULL) {
        return false;
    }
    return c->since_ms < p->lost_at_ms || sc_pool_now(p) - c->since_ms >= p->options.pre_ping_ms;
}

void
sc_conn_dial(sc_pool *p)
{
    const sc_driver *driver = p->options.driver;
    sc_error err;
    p->stats.n_dials++;
    sc_conn *c = calloc(1, driver->conn_bytes);
    if (c == NULL || sc_heap_set(&p->conn_deadlines, &c->deadline, INT64_MAX) != 0) {
        free(c);
        sc_error_set(&err, SC_ENOMEM, "no memory for a connection");
        sc_pool_dial_failed(p, &err);
        return;
    }
    c->magic = CONN_MAGIC;
    c->pool = p;
    c->loop = p->loop;
    c->config = p->options.config;
    c->id = ++p->next_id;
    p->n_open++;
    enter_state(c, SC_CONN_CONNECTING);
    int rc = SC_FAULT("pool.dial") ? -ECONNREFUSED : driver->open(c);
    if (rc != 0) {
        conn_free(c);
        sc_error_set(&err, rc, "the connection could not be opened: %s", sc_error_text(rc));
        sc_pool_dial_failed(p, &err);
    }
}

sc_conn *
sc_conn_find(sc_pool *p, const sc_request *r)
{
    sc_conn *c;
    while ((c = p->conns[SC_CONN_IDLE]) != NULL) {
        if (sc_pool_now(p) < c->recycle_at_ms) {
            return c;
        }
        p->stats.n_recycled++;
        sc_conn_close(c);
    }
    // Further connections come before shared ones up to pool_size, after them beyond it.
    unsigned kept = p->options.pool_size < p->limit ? p->options.pool_size : p->limit;
    if (!r->may_share || (p->n_open < kept && p->n_failures == 0)) {
        return NULL;
    }
    sc_conn *best = NULL;
    DL_FOREACH(p->conns[SC_CONN_BUSY], c) {
        if (c->is_shared && !c->is_broken && c->n_ops < p->options.driver->depth &&
            (best == NULL || c->n_ops < best->n_ops)) {
            best = c;
        }
    }
    return best;
}

void
sc_conn_start(sc_conn *c, sc_request *r)
{
    bool ping = c->state == SC_CONN_IDLE && must_ping(c);
    if (c->state == SC_CONN_IDLE) {
        conn_move(c, SC_CONN_BUSY);
        c->is_shared = r->may_share && c->pool->options.driver->depth > 1;
    }
    add_op(c, r);
    if (ping) {
        start_ping(c);
    } else if (!c->is_pinging) {
        start_op(c, r);
    }
}

void
sc_conn_cancel(sc_conn *c, sc_request *r, int code)
{
    if (r->cancel_code != 0) {
        return;
    }
    sc_heap_remove(&c->pool->request_deadlines, &r->deadline);
    r->cancel_code = code;
    if (c->is_pinging) {
        remove_op(c, r);
        sc_pool_finish(r, NULL, NULL);
    } else if (c->state == SC_CONN_BUSY) {
        conn_move(c, SC_CONN_DRAINING);
        // Beside statements of others it only runs out: a cancel could hit one of theirs.
        if (c->n_ops == 1) {
            c->pool->options.driver->cancel(c, &r->op);
        }
    }
}

void
sc_conn_release(sc_conn *c)
{
    SC_ASSERT(c->magic == CONN_MAGIC && c->is_held);
    c->is_held = false;
    if (c->n_ops > 0) {
        sc_conn_cancel(c, request_of(c->ops), SC_ECANCELLED);
    } else if (c->is_closed) {
        conn_free(c);
    } else if (c->state != SC_CONN_CLOSING) {
        settle(c);
    }
}

void
sc_conn_close(sc_conn *c)
{
    if (c->is_pinging) {
        c->is_pinging = false;
        while (c->ops != NULL) { // backwards, so that the oldest ends up first
            sc_request *r = request_of(c->ops->prev);
            remove_op(c, r);
            sc_pool_requeue(r);
        }
    }
    conn_move(c, SC_CONN_CLOSING);
    c->pool->options.driver->close(c);
}

void
sc_conn_overdue(sc_conn *c)
{
    sc_error err;
    sc_error_set(&err, SC_ETIMEOUT, "the database did not answer in time");
    switch (c->state) {
    case SC_CONN_CONNECTING:
        on_open(c, &err);
        break;
    case SC_CONN_BUSY:
        on_ping(c, &err);
        break;
    default:
        lose(c);
        break;
    }
}

bool
sc_conn_check(const sc_conn *c)
{
    bool is_empty = c->n_ops == 0 && c->ops == NULL;
    if (c->magic != CONN_MAGIC || c->deadline.position == 0 || (c->is_pinging && c->is_held)) {
        return false;
    }
    switch (c->state) {
    case SC_CONN_CONNECTING:
    case SC_CONN_IDLE:
    case SC_CONN_RESETTING:
        return is_empty && !c->is_held && !c->is_pinging;
    case SC_CONN_BUSY:
        return !is_empty || c->is_held || c->is_pinging;
    case SC_CONN_DRAINING:
        return !is_empty || c->is_held;
    default:
        return !c->is_pinging;
    }
}

void
sc_conn_done(sc_conn *c, const sc_error *err)
{
    switch (c->state) {
    case SC_CONN_CONNECTING:
        on_open(c, err);
        break;
    case SC_CONN_RESETTING:
        on_reset(c, err);
        break;
    default:
        SC_ASSERT(c->is_pinging);
        on_ping(c, err);
        break;
    }
    sc_pool_step(c->pool);
}

void
sc_op_done(sc_conn *c, sc_op *op, const sc_error *err, sc_result **result)
{
    SC_ASSERT(c->n_ops > 0);
    complete(c, request_of(op), err, result);
    if (c->state != SC_CONN_CLOSING && c->n_ops == 0 && !c->is_held) {
        settle(c);
    } else if (c->state == SC_CONN_DRAINING && c->n_ops == 0) {
        set_deadline(c, INT64_MAX); // now it waits for its holder only
    }
    sc_pool_step(c->pool);
}

void
sc_conn_lost(sc_conn *c, const sc_error *err)
{
    if (c->is_broken) {
        return;
    }
    sc_log_info("pool %s conn %llu lost: %s", c->pool->name, (unsigned long long)c->id, err->text);
    c->is_broken = true;
    if (c->state == SC_CONN_IDLE) {
        lose(c);
        sc_pool_step(c->pool);
    }
}

void
sc_conn_closed(sc_conn *c)
{
    SC_ASSERT(c->state == SC_CONN_CLOSING && !c->is_closed);
    sc_pool *p = c->pool;
    c->is_closed = true;
    while (c->ops != NULL) {
        sc_error err;
        sc_error_set(&err, -ECONNRESET, "the connection was closed while the statement ran");
        complete(c, request_of(c->ops), &err, NULL);
    }
    if (!c->is_held) {
        conn_free(c);
    }
    sc_pool_step(p);
}
