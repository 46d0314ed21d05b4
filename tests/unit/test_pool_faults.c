/* SPDX-License-Identifier: Apache-2.0 */
/* Every fault point of the pool core, and long random histories with all invariants checked after
 * each event. */
#include "tests/unit/test_pool_fake.h"

#include "base/fault.h"
#include "base/random.h"

static void
begin(fake *f)
{
    sc_pool_options o;
    fake_options(f, &o);
    fake_start(f, &o);
}

/* ---- faults ---- */

// The same small history for every fault: nine calls on two connections, dirty and idle ones among
// them.
static void
run_history(const char *name)
{
    fake f;
    fake_call calls[9];
    begin(&f);
    for (int i = 0; i < 9; i++) {
        fake_query(&f, &calls[i]);
        if (i % 3 == 0 && f.conns[0] != NULL) {
            f.conns[0]->conn.is_dirty = true;
        }
        if (i % 3 == 2) {
            fake_settle(&f);
            fake_advance(&f, 1500);
        }
    }
    for (int i = 0; i < 10; i++) {
        fake_settle(&f);
        fake_advance(&f, 1500);
    }
    for (int i = 0; i < 9; i++) {
        cr_assert_eq(calls[i].n_called, 1, "%s: call %d", name, i);
        cr_assert_eq(calls[i].code, 0, "%s: call %d: %d", name, i, calls[i].code);
    }
    fake_end(&f);
}

Test(pool_faults, each_fault_costs_no_call)
{
    static const char *const points[] = {"pool.dial", "pool.ping", "pool.reset"};
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        uint64_t nth = 0, n_passed;
        do {
            cr_assert(sc_fault_set(points[i], ++nth));
            run_history(points[i]);
            n_passed = sc_fault_count(points[i]);
        } while (n_passed >= nth);
        cr_assert_gt(nth, 1, "%s was never passed", points[i]);
        sc_fault_reset();
    }
}

/* ---- random histories ---- */

enum { N_CALLS = 400, N_STEPS = 4000 };

typedef struct history {
    fake f;
    sc_random random;
    fake_call calls[N_CALLS];
    sc_request *open[N_CALLS]; /* not called back yet, by call */
    unsigned n_calls;
    unsigned limit;
} history;

static void
on_history(void *arg, sc_pool_reply *reply)
{
    fake_call *call = arg;
    fake_on_reply(arg, reply);
    call->request = NULL;
}

static void
act_call(history *h)
{
    if (h->n_calls == N_CALLS) {
        return;
    }
    fake_call *call = &h->calls[h->n_calls++];
    sc_statement s = {.sql = "x", .flags = (unsigned)sc_random_below(&h->random, 3)};
    sc_pool_call to = fake_reply_to(&h->f, call, (int64_t)sc_random_below(&h->random, 2000));
    to.cb = on_history;
    int rc = 0;
    switch (sc_random_below(&h->random, 4)) {
    case 0:
        rc = sc_pool_acquire(h->f.pool, &to, &call->request);
        break;
    case 1:
        rc = sc_pool_batch(h->f.pool, &(sc_batch){&s, 1}, &to, &call->request);
        break;
    default:
        rc = sc_pool_query(h->f.pool, &s, &to, &call->request);
        break;
    }
    cr_assert_eq(rc, 0);
}

static void
act_session(history *h)
{
    fake_call *call = &h->calls[sc_random_below(&h->random, h->n_calls + 1) % N_CALLS];
    if (call->conn == NULL) {
        return;
    }
    if (sc_random_below(&h->random, 2) == 0 || h->n_calls == N_CALLS) {
        sc_pool_release(&call->conn);
        return;
    }
    fake_call *next = &h->calls[h->n_calls];
    sc_statement s = {.sql = "x"};
    sc_pool_call to = fake_reply_to(&h->f, next, (int64_t)sc_random_below(&h->random, 500));
    to.cb = on_history;
    if (sc_conn_execute(call->conn, &s, &to, &next->request) == 0) {
        h->n_calls++;
    }
}

static void
act_driver(history *h)
{
    fake *f = &h->f;
    for (unsigned tries = 0; tries < 8; tries++) {
        fake_conn *fc = f->n_conns > 0 ? f->conns[sc_random_below(&h->random, f->n_conns)] : NULL;
        if (fc == NULL) {
            continue;
        }
        bool fails = sc_random_below(&h->random, 8) == 0;
        if (fc->act != FAKE_NOTHING) {
            fake_done(fc, fails && fc->act != FAKE_CLOSE ? -ECONNREFUSED : 0);
        } else if (fc->n_ops > 0) {
            fc->conn.is_dirty |= sc_random_below(&h->random, 4) == 0;
            fc->conn.is_broken |= fails;
            fake_answer(fc, fails ? -ECONNRESET : 0);
        } else if (fails) {
            sc_error err;
            sc_error_set(&err, -ECONNRESET, "lost");
            sc_conn_lost(&fc->conn, &err);
        }
        return;
    }
}

static void
act(history *h)
{
    fake_call *call;
    switch (sc_random_below(&h->random, 12)) {
    case 0:
    case 1:
        act_call(h);
        break;
    case 2:
    case 3:
        act_session(h);
        break;
    case 4:
        call = &h->calls[sc_random_below(&h->random, N_CALLS)];
        if (call->request != NULL) {
            sc_request_cancel(call->request);
        }
        break;
    case 5:
        h->f.now_ms += (int64_t)sc_random_below(&h->random, 400);
        sc_pool_tick(h->f.pool);
        break;
    case 6:
        if (sc_random_below(&h->random, 4) == 0) {
            sc_pool_set_limit(h->f.pool, (unsigned)sc_random_below(&h->random, 6));
        }
        break;
    default:
        act_driver(h);
        break;
    }
}

static void
run_random(uint64_t seed)
{
    static history h; // too large for a stack
    sc_pool_options o;
    memset(&h, 0, sizeof h);
    fake_options(&h.f, &o);
    h.f.driver.depth = 1 + (unsigned)(seed % 2) * (FAKE_DEPTH - 1);
    o.pool_size = 3;
    o.max_overflow = 1;
    o.pool_recycle_ms = 3000;
    fake_start(&h.f, &o);
    sc_random_init(&h.random, seed);
    for (int i = 0; i < N_STEPS && h.f.n_conns < FAKE_MAX_CONNS - 8; i++) {
        act(&h);
        cr_assert(sc_pool_check(h.f.pool), "seed %d step %d", (int)seed, i);
        cr_assert_leq(fake_stats(&h.f).n_open, 4, "seed %d step %d", (int)seed, i);
    }
    sc_pool_set_limit(h.f.pool, 4);
    sc_pool_close(&h.f.pool, 0, fake_on_closed, &h.f);
    for (unsigned i = 0; i < h.n_calls; i++) {
        if (h.calls[i].conn != NULL) {
            sc_pool_release(&h.calls[i].conn);
        }
    }
    while (!h.f.is_pool_closed) {
        fake_settle(&h.f);
        uv_run(&h.f.loop, UV_RUN_NOWAIT);
        for (unsigned i = 0; i < h.n_calls; i++) { // lent between close and its callback
            if (h.calls[i].conn != NULL) {
                sc_pool_release(&h.calls[i].conn);
            }
        }
    }
    fake_end(&h.f);
    for (unsigned i = 0; i < h.n_calls; i++) {
        cr_assert_eq(h.calls[i].n_called, 1, "seed %d call %u: %d times", (int)seed, i,
                     h.calls[i].n_called);
    }
}

Test(pool_faults, random_histories_keep_every_promise)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        run_random(seed);
    }
}
