/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets a connection and when one is opened: the queue of waiting calls, the limits, the dial
 * limiter with its backoff and breaker, deadlines, callbacks and the end. Called by whoever needs a
 * database, on the loop's thread. It never touches a driver: that is conn.c's. */
#include "pool/pool_int.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

static void on_timer(uv_timer_t *timer);

static int64_t
min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t
call_deadline_ms(const sc_request *r)
{
    return r->call.timeout_ms == 0 ? INT64_MAX : r->since_ms + r->call.timeout_ms;
}

// Of the waiting, from now on: the call's limit or the pool's, whichever comes first.
static int64_t
wait_deadline_ms(const sc_request *r)
{
    int64_t wait_ms = r->pool->options.pool_timeout_ms;
    int64_t deadline_ms = wait_ms == 0 ? INT64_MAX : sc_pool_now(r->pool) + wait_ms;
    return min_i64(deadline_ms, call_deadline_ms(r));
}

static void
enter_queue(sc_request *r, bool at_head)
{
    sc_pool *p = r->pool;
    r->state = SC_REQUEST_WAITING;
    r->conn = NULL;
    r->queued_ms = sc_pool_now(p);
    p->n_waiting++;
    if (at_head) {
        DL_PREPEND(p->waiters, r);
    } else {
        DL_APPEND(p->waiters, r);
    }
}

static void
leave_queue(sc_request *r)
{
    DL_DELETE(r->pool->waiters, r);
    r->pool->n_waiting--;
}

static void
dispatch(sc_pool *p)
{
    while (p->waiters != NULL) {
        sc_request *r = p->waiters;
        sc_conn *c = sc_conn_find(p, r);
        if (c == NULL) {
            break;
        }
        leave_queue(r);
        p->stats.wait_ms += (uint64_t)(sc_pool_now(p) - r->queued_ms);
        int rc = sc_heap_set(&p->request_deadlines, &r->deadline, call_deadline_ms(r));
        SC_ASSERT(rc == 0); // it is in the heap: moving it cannot fail
        sc_conn_start(c, r);
    }
    while (sc_pool_may_dial(p)) {
        sc_conn_dial(p);
    }
}

// A failure that nobody waits for the driver to report is told a millisecond later: a caller that
// tries again at once must not keep the loop from everything else.
static void
arm(sc_pool *p)
{
    int64_t due_ms = INT64_MAX;
    const sc_heap_node *top = sc_heap_top(&p->conn_deadlines);
    due_ms = top != NULL ? min_i64(due_ms, top->deadline_ms) : due_ms;
    top = sc_heap_top(&p->request_deadlines);
    due_ms = top != NULL ? min_i64(due_ms, top->deadline_ms) : due_ms;
    if (p->done != NULL) {
        due_ms = min_i64(due_ms, sc_pool_now(p) + 1);
    }
    if (p->n_waiting > 0 && p->dial_after_ms > sc_pool_now(p)) {
        due_ms = min_i64(due_ms, p->dial_after_ms);
    }
    if (p->is_closing && !p->is_drained) {
        due_ms = min_i64(due_ms, p->drain_at_ms);
    }
    if (due_ms == p->armed_ms || p->is_ended) {
        return;
    }
    p->armed_ms = due_ms;
    if (due_ms == INT64_MAX) {
        uv_timer_stop(&p->timer);
    } else {
        int64_t after_ms = due_ms - sc_pool_now(p);
        uv_timer_start(&p->timer, on_timer, after_ms > 0 ? (uint64_t)after_ms : 0, 0);
    }
}

static void
on_timer_closed(uv_handle_t *handle)
{
    sc_pool *p = handle->data;
    sc_pool_close_cb cb = p->close_cb;
    void *arg = p->close_arg;
    sc_heap_fini(&p->conn_deadlines);
    sc_heap_fini(&p->request_deadlines);
    free(p);
    if (cb != NULL) {
        cb(arg);
    }
}

static void
try_end(sc_pool *p)
{
    if (p->is_closing && !p->is_ended && p->n_open == 0 && p->n_requests == 0) {
        p->is_ended = true;
        uv_close((uv_handle_t *)&p->timer, on_timer_closed);
    }
}

static void
request_end(sc_request *r)
{
    sc_pool *p = r->pool;
    p->n_requests--;
    p->n_request_bytes -= r->n_bytes;
    sc_request_free(&r);
}

// Runs the callback of the call that was over first.
static bool
deliver_one(sc_pool *p)
{
    if (p->done == NULL) {
        return false;
    }
    sc_request *r = p->done;
    DL_DELETE(p->done, r);
    sc_pool_reply reply = {r->error.code != 0 ? &r->error : NULL, r->result, r->conn};
    r->result = NULL;
    r->call.cb(r->call.arg, &reply);
    sc_result_free(&reply.result);
    request_end(r);
    return true;
}

// After a call from outside: hand out what there is, but run no callback.
static void
kick(sc_pool *p)
{
    if (!p->is_stepping) {
        dispatch(p);
        arm(p);
        try_end(p);
    }
}

static void
set_cancel_error(sc_request *r)
{
    const sc_pool *p = r->pool;
    if (r->cancel_code != SC_ETIMEOUT || r->state != SC_REQUEST_WAITING) {
        sc_error_set(&r->error, r->cancel_code, "pool %s: %s", p->name,
                     sc_error_text(r->cancel_code));
        return;
    }
    bool failing = p->n_failures > 0;
    sc_error_set(&r->error, SC_ETIMEOUT, "pool %s: no connection within %lld ms, %u open%s%s",
                 p->name, (long long)(sc_pool_now(p) - r->queued_ms), sc_pool_n_live(p),
                 failing ? "; last dial: " : "", failing ? p->dial_error.text : "");
}

static void
count_end(sc_pool *p, int code)
{
    if (code == SC_ETIMEOUT) {
        p->stats.n_timeouts++;
    } else if (code == SC_ECANCELLED) {
        p->stats.n_cancelled++;
    } else if (code != 0) {
        p->stats.n_failed++;
    }
}

static void
cancel_waiting(sc_request *r, int code)
{
    r->cancel_code = code;
    leave_queue(r);
    sc_pool_finish(r, NULL, NULL);
}

void
sc_pool_fail_waiters(sc_pool *p, const sc_error *err)
{
    while (p->waiters != NULL) {
        sc_request *r = p->waiters;
        leave_queue(r);
        sc_pool_finish(r, err, NULL);
    }
}

// Closing: the time for running statements to end by themselves is over.
static void
drain(sc_pool *p)
{
    p->is_drained = true;
    sc_conn *c, *next;
    DL_FOREACH_SAFE(p->conns[SC_CONN_BUSY], c, next) {
        sc_op *op, *next_op;
        DL_FOREACH_SAFE(c->ops, op, next_op) {
            sc_conn_cancel(c, SC_CONTAINER(op, sc_request, op), SC_ECLOSED);
        }
    }
}

static void
on_timer(uv_timer_t *timer)
{
    sc_pool *p = timer->data;
    p->armed_ms = INT64_MAX;
    sc_pool_tick(p);
}

// Takes the request: puts it into the queue and gives it what is free.
static int
submit(sc_pool *p, sc_request *r, sc_request **out)
{
    r->pool = p;
    r->since_ms = sc_pool_now(p);
    int64_t wait_ms = p->options.pool_timeout_ms;
    int64_t deadline_ms = wait_ms == 0 ? INT64_MAX : r->since_ms + wait_ms;
    int rc =
        sc_heap_set(&p->request_deadlines, &r->deadline, min_i64(deadline_ms, call_deadline_ms(r)));
    if (rc != 0) {
        sc_request_free(&r);
        return rc;
    }
    p->n_requests++;
    p->n_request_bytes += r->n_bytes;
    p->stats.n_requests++;
    if (out != NULL) {
        *out = r;
    }
    enter_queue(r, false);
    if (sc_pool_breaker(p) == SC_BREAKER_OPEN && sc_pool_n_live(p) == 0) {
        sc_pool_fail_waiters(p, &p->dial_error);
    }
    kick(p);
    p->stats.n_waits += r->state == SC_REQUEST_WAITING;
    return 0;
}

static int
new_request(sc_pool *p, const sc_batch *batch, const sc_pool_call *call, sc_request **out)
{
    if (p->is_closing) {
        return SC_ECLOSED;
    }
    int rc = sc_request_new(batch, call, out);
    if (rc != 0) {
        return rc;
    }
    if (p->n_requests >= p->options.max_requests ||
        (*out)->n_bytes > p->options.max_request_bytes - p->n_request_bytes) {
        p->stats.n_refused++;
        sc_request_free(out);
        return SC_EBUSY;
    }
    return 0;
}

int64_t
sc_pool_now(const sc_pool *p)
{
    const sc_pool_options *o = &p->options;
    return o->clock_ms != NULL ? o->clock_ms(o->clock_arg) : (int64_t)uv_now(p->loop);
}

void
sc_pool_finish(sc_request *r, const sc_error *err, sc_result **result)
{
    sc_pool *p = r->pool;
    bool has_result = result != NULL && *result != NULL;
    if (r->cancel_code != 0 && !has_result) {
        set_cancel_error(r);
    } else if (err != NULL) {
        r->error = *err;
    }
    if (has_result) {
        r->result = *result;
        *result = NULL;
    }
    if (r->kind != SC_REQUEST_ACQUIRE || r->error.code != 0) {
        r->conn = NULL;
    }
    sc_heap_remove(&p->request_deadlines, &r->deadline);
    r->state = SC_REQUEST_DONE;
    DL_APPEND(p->done, r);
    count_end(p, r->error.code);
}

void
sc_pool_requeue(sc_request *r)
{
    int rc = sc_heap_set(&r->pool->request_deadlines, &r->deadline, wait_deadline_ms(r));
    SC_ASSERT(rc == 0); // it is in the heap: moving it cannot fail
    enter_queue(r, true);
}

void
sc_pool_step(sc_pool *p)
{
    if (p->is_stepping) {
        return;
    }
    p->is_stepping = true;
    do {
        dispatch(p);
    } while (deliver_one(p));
    p->is_stepping = false;
    arm(p);
    try_end(p);
}

int
sc_pool_new(uv_loop_t *loop, const sc_pool_options *options, sc_pool **out, sc_error *err)
{
    const char *bad = sc_pool_options_find_bad(options);
    if (bad != NULL) {
        return sc_error_set(err, SC_EBADARG, "pool options: %s is out of range", bad);
    }
    sc_pool *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return sc_error_set(err, SC_ENOMEM, "no memory for a pool");
    }
    p->loop = loop;
    p->options = *options;
    snprintf(p->name, sizeof p->name, "%s", options->name);
    p->options.name = p->name;
    sc_random_init(&p->random, options->seed != 0 ? options->seed : sc_random_entropy());
    p->limit = UINT32_MAX;
    p->armed_ms = INT64_MAX;
    p->lost_at_ms = INT64_MIN;
    sc_heap_init(&p->conn_deadlines);
    sc_heap_init(&p->request_deadlines);
    uv_timer_init(loop, &p->timer); // cannot fail
    p->timer.data = p;
    *out = p;
    return 0;
}

void
sc_pool_set_limit(sc_pool *p, unsigned limit)
{
    p->limit = limit;
    while (sc_pool_n_live(p) > sc_pool_capacity(p) && p->conns[SC_CONN_IDLE] != NULL) {
        sc_conn_close(p->conns[SC_CONN_IDLE]->prev); // the last: unused for longest
    }
    kick(p);
}

int
sc_pool_query(sc_pool *p, const sc_statement *s, const sc_pool_call *call, sc_request **out)
{
    if (s->n_rows > 1) {
        return SC_EBADARG;
    }
    sc_request *r = NULL;
    int rc = new_request(p, &(sc_batch){s, 1}, call, &r);
    if (rc != 0) {
        return rc;
    }
    return submit(p, r, out);
}

int
sc_pool_batch(sc_pool *p, const sc_batch *batch, const sc_pool_call *call, sc_request **out)
{
    if (batch->n_statements == 0) {
        return SC_EBADARG;
    }
    sc_request *r = NULL;
    int rc = new_request(p, batch, call, &r);
    if (rc != 0) {
        return rc;
    }
    r->op.is_transaction = true;
    r->may_share = false;
    return submit(p, r, out);
}

int
sc_pool_acquire(sc_pool *p, const sc_pool_call *call, sc_request **out)
{
    sc_request *r = NULL;
    int rc = new_request(p, &(sc_batch){NULL, 0}, call, &r);
    if (rc != 0) {
        return rc;
    }
    r->kind = SC_REQUEST_ACQUIRE;
    r->may_share = false;
    return submit(p, r, out);
}

int
sc_conn_execute(sc_conn *c, const sc_statement *s, const sc_pool_call *call, sc_request **out)
{
    sc_pool *p = c->pool;
    SC_ASSERT(c->is_held);
    if (c->state == SC_CONN_CLOSING || c->is_broken || p->is_drained) {
        return SC_ECLOSED;
    }
    if (c->state == SC_CONN_DRAINING) {
        return SC_ESTATE;
    }
    if (c->n_ops > 0) {
        return SC_EBUSY;
    }
    sc_request *r = NULL;
    int rc = sc_request_new(&(sc_batch){s, 1}, call, &r);
    if (rc != 0) {
        return rc;
    }
    r->kind = SC_REQUEST_EXECUTE;
    r->pool = p;
    r->since_ms = sc_pool_now(p);
    rc = sc_heap_set(&p->request_deadlines, &r->deadline, call_deadline_ms(r));
    if (rc != 0) {
        sc_request_free(&r);
        return rc;
    }
    p->n_requests++;
    p->n_request_bytes += r->n_bytes;
    p->stats.n_requests++;
    if (out != NULL) {
        *out = r;
    }
    sc_conn_start(c, r);
    kick(p);
    return 0;
}

void
sc_pool_release(sc_conn **c)
{
    sc_pool *p = (*c)->pool;
    sc_conn_release(*c);
    *c = NULL;
    kick(p);
}

void
sc_request_cancel(sc_request *r)
{
    sc_pool *p = r->pool;
    if (r->state == SC_REQUEST_WAITING) {
        cancel_waiting(r, SC_ECANCELLED);
    } else if (r->state == SC_REQUEST_RUNNING) {
        sc_conn_cancel(r->conn, r, SC_ECANCELLED);
    }
    kick(p);
}

bool
sc_pool_is_retryable(const sc_pool *p, const sc_error *error)
{
    return p->options.driver->is_retryable(error);
}

void
sc_pool_stats_get(const sc_pool *p, sc_pool_stats *out)
{
    *out = p->stats;
    out->n_open = p->n_open;
    out->n_idle = p->n_conns[SC_CONN_IDLE];
    out->n_in_use =
        p->n_conns[SC_CONN_BUSY] + p->n_conns[SC_CONN_RESETTING] + p->n_conns[SC_CONN_DRAINING];
    out->n_waiting = p->n_waiting;
    out->breaker = sc_pool_breaker(p);
}

void
sc_pool_tick(sc_pool *p)
{
    int64_t now_ms = sc_pool_now(p);
    sc_heap_node *top;
    while ((top = sc_heap_top(&p->request_deadlines)) != NULL && top->deadline_ms <= now_ms) {
        sc_request *r = SC_CONTAINER(top, sc_request, deadline);
        if (r->state == SC_REQUEST_WAITING) {
            cancel_waiting(r, SC_ETIMEOUT);
        } else {
            sc_conn_cancel(r->conn, r, SC_ETIMEOUT);
        }
    }
    while ((top = sc_heap_top(&p->conn_deadlines)) != NULL && top->deadline_ms <= now_ms) {
        sc_conn_overdue(SC_CONTAINER(top, sc_conn, deadline));
    }
    if (p->is_closing && !p->is_drained && now_ms >= p->drain_at_ms) {
        drain(p);
    }
    sc_pool_step(p);
}

bool
sc_pool_check(const sc_pool *p)
{
    unsigned n_open = 0;
    for (int state = 0; state < SC_N_CONN_STATES; state++) {
        unsigned n = 0;
        const sc_conn *c;
        DL_FOREACH(p->conns[state], c) {
            if ((int)c->state != state || c->pool != p || !sc_conn_check(c)) {
                return false;
            }
            n++;
        }
        if (n != p->n_conns[state]) {
            return false;
        }
        n_open += n;
    }
    unsigned n_waiting = 0;
    const sc_request *r;
    DL_FOREACH(p->waiters, r) {
        if (r->state != SC_REQUEST_WAITING || r->deadline.position == 0) {
            return false;
        }
        n_waiting++;
    }
    bool are_idle = p->n_conns[SC_CONN_IDLE] > 0 && !p->is_stepping;
    return n_open == p->n_open && n_waiting == p->n_waiting && p->n_waiting <= p->n_requests &&
           !(are_idle && (p->n_waiting > 0 || p->is_closing)) &&
           sc_heap_check(&p->conn_deadlines) && sc_heap_check(&p->request_deadlines);
}

void
sc_pool_close(sc_pool **pp, int64_t drain_ms, sc_pool_close_cb cb, void *arg)
{
    sc_pool *p = *pp;
    *pp = NULL;
    p->is_closing = true;
    p->close_cb = cb;
    p->close_arg = arg;
    p->drain_at_ms = sc_pool_now(p) + drain_ms;
    while (p->waiters != NULL) {
        cancel_waiting(p->waiters, SC_ECLOSED);
    }
    while (p->conns[SC_CONN_IDLE] != NULL) {
        sc_conn_close(p->conns[SC_CONN_IDLE]);
    }
    while (p->conns[SC_CONN_CONNECTING] != NULL) {
        sc_conn_close(p->conns[SC_CONN_CONNECTING]);
    }
    if (drain_ms <= 0) {
        drain(p);
    }
    kick(p);
}
