/* SPDX-License-Identifier: Apache-2.0 */
/* When a connection may be opened: the limits, the dial limiter with its full-jitter backoff, and
 * the breaker that keeps the calls from queueing in front of a database that is down. Called by
 * pool.c and conn.c; it dials nothing itself. */
#include "pool/pool_int.h"

#include "base/log.h"

enum {
    BACKOFF_MIN_MS = 50,   /* bound of the first pause: full jitter, so the mean is half of it */
    BACKOFF_MAX_MS = 5000, /* a database that is back is found within this time */
};

unsigned
sc_pool_n_live(const sc_pool *p)
{
    return p->n_open - p->n_conns[SC_CONN_CLOSING];
}

unsigned
sc_pool_capacity(const sc_pool *p)
{
    unsigned n = p->options.pool_size + p->options.max_overflow;
    return n < p->limit ? n : p->limit;
}

bool
sc_pool_is_surplus(const sc_pool *p)
{
    unsigned n = sc_pool_n_live(p);
    return p->is_closing || n > sc_pool_capacity(p) ||
           (n > p->options.pool_size && p->n_waiting == 0);
}

// What the breaker is follows from the failures and the clock; it is stored nowhere.
sc_breaker
sc_pool_breaker(const sc_pool *p)
{
    if (p->n_failures < p->options.breaker_failures) {
        return SC_BREAKER_CLOSED;
    }
    return sc_pool_now(p) < p->dial_after_ms ? SC_BREAKER_OPEN : SC_BREAKER_HALF_OPEN;
}

bool
sc_pool_may_dial(const sc_pool *p)
{
    unsigned n_dialling = p->n_conns[SC_CONN_CONNECTING];
    unsigned limit = sc_pool_breaker(p) == SC_BREAKER_CLOSED ? p->options.dial_limit : 1;
    return !p->is_closing && p->n_waiting > n_dialling && p->n_open < sc_pool_capacity(p) &&
           n_dialling < limit && sc_pool_now(p) >= p->dial_after_ms;
}

void
sc_pool_dial_failed(sc_pool *p, const sc_error *err)
{
    const sc_pool_options *o = &p->options;
    p->stats.n_dial_failures++;
    p->n_failures++;
    p->dial_error = *err;
    if (p->n_failures >= o->breaker_failures) {
        p->stats.n_breaker_opened++;
        p->dial_after_ms = sc_pool_now(p) + o->breaker_open_ms;
    } else {
        unsigned doublings = p->n_failures < 8 ? p->n_failures - 1 : 7;
        int64_t limit_ms = (int64_t)BACKOFF_MIN_MS << doublings;
        limit_ms = limit_ms < BACKOFF_MAX_MS ? limit_ms : BACKOFF_MAX_MS;
        p->dial_after_ms =
            sc_pool_now(p) + 1 + (int64_t)sc_random_below(&p->random, (uint64_t)limit_ms);
    }
    sc_log_warn("pool %s dial failed n=%u retry_ms=%lld: %s", p->name, p->n_failures,
                (long long)(p->dial_after_ms - sc_pool_now(p)), err->text);
    // While a connection lives or another dial is under way, the calls may still be served.
    bool is_hopeless = sc_pool_breaker(p) == SC_BREAKER_OPEN || !o->driver->is_retryable(err);
    if (is_hopeless && sc_pool_n_live(p) == 0) {
        sc_pool_fail_waiters(p, err);
    }
}
