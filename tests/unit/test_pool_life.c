/* SPDX-License-Identifier: Apache-2.0 */
/* The life of the pool's connections: dialling with its limits, backoff and breaker, pings, resets,
 * recycling, losses, the end. */
#include "tests/unit/test_pool_fake.h"

static void
begin(fake *f)
{
    sc_pool_options o;
    fake_options(f, &o);
    fake_start(f, &o);
}

Test(pool_life, dials_are_limited)
{
    fake f;
    sc_pool_options o;
    fake_call calls[10];
    fake_options(&f, &o);
    o.pool_size = 10;
    o.dial_limit = 3;
    fake_start(&f, &o);
    for (int i = 0; i < 10; i++) {
        fake_query(&f, &calls[i]);
    }
    cr_assert_eq(f.n_opens, 3);
    fake_done(f.conns[0], 0);
    cr_assert_eq(f.n_opens, 4);
    fake_end(&f);
}

Test(pool_life, a_failed_dial_is_repeated_after_a_pause)
{
    fake f;
    fake_call call;
    begin(&f);
    fake_query(&f, &call);
    fake_done(f.conns[0], -ECONNREFUSED);
    cr_assert_eq(call.n_called, 0, "it may come back");
    cr_assert_eq(f.n_opens, 1);
    fake_advance(&f, 0);
    cr_assert_eq(f.n_opens, 1, "not at once");
    fake_advance(&f, 51);
    cr_assert_eq(f.n_opens, 2, "but within the first bound");
    fake_settle(&f);
    cr_assert_eq(call.code, 0);
    cr_assert_eq(fake_stats(&f).n_dial_failures, 1);
    fake_end(&f);
}

Test(pool_life, an_error_for_good_ends_the_waiting)
{
    fake f;
    fake_call call, next;
    begin(&f);
    fake_query(&f, &call);
    fake_done(f.conns[0], SC_EDATABASE);
    cr_assert_eq(call.code, SC_EDATABASE);
    cr_assert_str_eq(call.text, "scripted -5019");
    fake_query(&f, &next);
    fake_advance(&f, 51);
    fake_settle(&f);
    cr_assert_eq(next.code, 0, "the next call tries anew");
    fake_end(&f);
}

// Fails dials until the breaker opens; returns how many it took.
static unsigned
break_it(fake *f)
{
    unsigned n = 0;
    while (fake_stats(f).breaker != SC_BREAKER_OPEN) {
        fake_conn *fc = f->conns[f->n_conns - 1];
        fake_done(fc, -ECONNREFUSED);
        fake_done(fc, 0); // its close
        n++;
        if (fake_stats(f).breaker != SC_BREAKER_OPEN) {
            fake_advance(f, 5001);
        }
    }
    return n;
}

Test(pool_life, the_breaker_opens_probes_and_closes)
{
    fake f;
    fake_call waiting, refused, probe, behind;
    begin(&f);
    fake_query(&f, &waiting);
    cr_assert_eq(break_it(&f), 5);
    cr_assert_eq(waiting.code, -ECONNREFUSED, "nobody waits in front of it");
    fake_query(&f, &refused);
    fake_advance(&f, 1);
    cr_assert_eq(refused.code, -ECONNREFUSED);
    cr_assert_eq(f.n_opens, 5, "nothing is dialled");
    fake_advance(&f, 4999);
    cr_assert_eq(fake_stats(&f).breaker, SC_BREAKER_HALF_OPEN);
    fake_query(&f, &probe);
    fake_query(&f, &behind);
    cr_assert_eq(f.n_opens, 6, "one probe");
    fake_done(f.conns[5], -ECONNREFUSED);
    fake_done(f.conns[5], 0);
    cr_assert_eq(fake_stats(&f).breaker, SC_BREAKER_OPEN, "one failure opens it again");
    cr_assert_eq(probe.code, -ECONNREFUSED);
    cr_assert_eq(behind.code, -ECONNREFUSED);
    fake_advance(&f, 5000);
    fake_query(&f, &probe);
    fake_query(&f, &behind);
    cr_assert_eq(f.n_opens, 7);
    fake_done(f.conns[6], 0);
    cr_assert_eq(fake_stats(&f).breaker, SC_BREAKER_CLOSED);
    cr_assert_eq(f.n_opens, 8, "the rest may follow");
    fake_settle(&f);
    cr_assert_eq(probe.code, 0);
    cr_assert_eq(behind.code, 0);
    cr_assert_eq(fake_stats(&f).n_breaker_opened, 2);
    fake_end(&f);
}

Test(pool_life, an_open_breaker_leaves_living_connections_alone)
{
    fake f;
    fake_call busy, waiting;
    begin(&f);
    fake_query(&f, &busy);
    fake_done(f.conns[0], 0);
    fake_query(&f, &waiting);
    break_it(&f);
    cr_assert_eq(waiting.n_called, 0);
    fake_answer(f.conns[0], 0);
    fake_settle(&f);
    cr_assert_eq(waiting.code, 0);
    fake_end(&f);
}

Test(pool_life, a_dial_that_does_not_end_is_ended)
{
    fake f;
    fake_call call;
    begin(&f);
    fake_query(&f, &call);
    fake_advance(&f, 4999);
    cr_assert_eq(f.n_closes, 0);
    fake_advance(&f, 1);
    cr_assert_eq(f.conns[0]->act, FAKE_CLOSE);
    fake_settle(&f);
    fake_advance(&f, 51);
    fake_settle(&f);
    cr_assert_eq(call.code, 0);
    fake_end(&f);
}

Test(pool_life, idle_connections_are_pinged_before_use)
{
    static const struct {
        const char *name;
        int64_t pre_ping_ms, idle_ms;
        unsigned want_pings;
    } rows[] = {
        {"just used", 1000, 999, 0},
        {"idle for long", 1000, 1000, 1},
        {"always", 0, 0, 1},
        {"never", -1, 1000000, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fake f;
        sc_pool_options o;
        fake_call call;
        fake_options(&f, &o);
        o.pre_ping_ms = rows[i].pre_ping_ms;
        fake_start(&f, &o);
        fake_query(&f, &call);
        fake_done(f.conns[0], 0);
        fake_settle(&f);
        unsigned before = f.n_pings;
        fake_advance(&f, rows[i].idle_ms);
        fake_query(&f, &call);
        cr_assert_eq(f.n_pings - before, rows[i].want_pings, "%s", rows[i].name);
        fake_settle(&f);
        cr_assert_eq(call.code, 0, "%s", rows[i].name);
        cr_assert_eq(f.n_opens, 1, "%s", rows[i].name);
        fake_end(&f);
    }
}

// Two idle connections; time has passed.
static void
begin_idle(fake *f, fake_call calls[2], int64_t idle_ms)
{
    begin(f);
    fake_query(f, &calls[0]);
    fake_query(f, &calls[1]);
    fake_settle(f);
    cr_assert_eq(fake_stats(f).n_idle, 2);
    fake_advance(f, idle_ms);
}

Test(pool_life, a_dead_connection_costs_no_call)
{
    static const struct {
        const char *name;
        bool answers; /* or the ping's time passes */
    } rows[] = {{"refused", true}, {"silent", false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fake f;
        fake_call calls[2], first, second;
        begin_idle(&f, calls, 1000);
        fake_conn *newest = f.conns[1];
        fake_query(&f, &first);
        cr_assert_eq(newest->act, FAKE_PING, "%s", rows[i].name);
        fake_query(&f, &second);
        fake_done(f.conns[0], 0);
        if (rows[i].answers) {
            fake_done(newest, -ECONNRESET);
        } else {
            fake_advance(&f, 5000);
        }
        cr_assert_eq(newest->act, FAKE_CLOSE, "%s", rows[i].name);
        fake_settle(&f);
        cr_assert_eq(first.code, 0, "%s", rows[i].name);
        cr_assert_eq(second.code, 0, "%s", rows[i].name);
        cr_assert_eq(fake_stats(&f).n_ping_failures, 1, "%s", rows[i].name);
        fake_end(&f);
    }
}

Test(pool_life, a_failed_ping_costs_no_place_in_the_queue)
{
    fake f;
    sc_pool_options o;
    fake_call calls[3];
    fake_options(&f, &o);
    o.pool_size = 1;
    fake_start(&f, &o);
    fake_query(&f, &calls[0]);
    fake_settle(&f);
    fake_advance(&f, 1000);
    f.n_ended = 0;
    for (int i = 0; i < 3; i++) {
        fake_query(&f, &calls[i]);
    }
    fake_done(f.conns[0], -ECONNRESET);
    fake_settle(&f);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(calls[i].order, i + 1, "call %d came as %d", i, calls[i].order);
    }
    fake_end(&f);
}

Test(pool_life, a_call_cancelled_during_the_ping_leaves_the_connection)
{
    fake f;
    fake_call calls[2], call;
    begin_idle(&f, calls, 1000);
    fake_query(&f, &call);
    sc_request_cancel(call.request);
    fake_advance(&f, 1);
    cr_assert_eq(call.code, SC_ECANCELLED);
    fake_done(f.conns[1], 0);
    cr_assert_eq(fake_stats(&f).n_idle, 2);
    cr_assert_eq(f.n_executes, 2);
    fake_end(&f);
}

Test(pool_life, a_loss_makes_the_others_suspect)
{
    fake f;
    fake_call calls[2], call;
    begin_idle(&f, calls, 10);
    sc_error err;
    sc_error_set(&err, -ECONNRESET, "terminated by administrator");
    sc_conn_lost(&f.conns[1]->conn, &err);
    cr_assert_eq(f.conns[1]->act, FAKE_CLOSE);
    cr_assert_eq(fake_stats(&f).n_lost, 1);
    fake_query(&f, &call);
    cr_assert_eq(f.conns[0]->act, FAKE_PING, "idle for 10 ms only");
    fake_settle(&f);
    fake_query(&f, &call);
    cr_assert_eq(f.n_pings, 1, "it has proved itself");
    fake_end(&f);
}

Test(pool_life, old_connections_are_replaced)
{
    fake f;
    sc_pool_options o;
    fake_call call;
    fake_options(&f, &o);
    o.pool_recycle_ms = 10000;
    o.pre_ping_ms = -1;
    fake_start(&f, &o);
    fake_query(&f, &call);
    fake_settle(&f);
    fake_advance(&f, 8999);
    fake_query(&f, &call);
    fake_settle(&f);
    cr_assert_eq(f.n_opens, 1, "a tenth of jitter at most");
    fake_advance(&f, 1001);
    fake_query(&f, &call);
    cr_assert_eq(f.n_opens, 2, "replaced when taken");
    fake_settle(&f);
    fake_query(&f, &call);
    fake_advance(&f, 10000);
    fake_settle(&f);
    cr_assert_eq(f.n_opens, 2);
    cr_assert_eq(fake_stats(&f).n_open, 0, "closed when given back");
    cr_assert_eq(fake_stats(&f).n_recycled, 2);
    fake_end(&f);
}

Test(pool_life, recycling_has_jitter)
{
    int n_early = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        fake f;
        sc_pool_options o;
        fake_call call;
        fake_options(&f, &o);
        o.pool_recycle_ms = 10000;
        o.seed = seed;
        fake_start(&f, &o);
        fake_query(&f, &call);
        fake_settle(&f);
        fake_advance(&f, 9500);
        fake_query(&f, &call);
        n_early += f.n_opens == 2;
        fake_end(&f);
    }
    cr_assert(n_early > 2 && n_early < 18, "%d of 20 before the middle", n_early);
}

Test(pool_life, a_dirty_connection_is_cleaned_or_closed)
{
    static const struct {
        const char *name;
        int code; /* of the reset; 1 = none in time */
        unsigned want_idle;
    } rows[] = {{"cleaned", 0, 1}, {"failed", -ECONNRESET, 0}, {"silent", 1, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fake f;
        fake_call call;
        begin(&f);
        fake_query(&f, &call);
        fake_done(f.conns[0], 0);
        f.conns[0]->conn.is_dirty = true;
        fake_answer(f.conns[0], 0);
        cr_assert_eq(call.n_called, 1, "%s: the caller need not wait", rows[i].name);
        if (rows[i].code == 1) {
            fake_advance(&f, 5000);
        } else {
            fake_done(f.conns[0], rows[i].code);
        }
        cr_assert_eq(fake_stats(&f).n_idle, rows[i].want_idle, "%s", rows[i].name);
        fake_end(&f);
    }
}

/* ---- the end ---- */

Test(pool_life, closing_lets_run_and_then_cancels)
{
    static const struct {
        const char *name;
        int64_t drain_ms, ends_after_ms;
        int want;
    } rows[] = {
        {"ends in time", 100, 50, 0},
        {"is cancelled", 100, 150, SC_ECLOSED},
        {"no time at all", 0, 50, SC_ECLOSED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fake f;
        fake_call running, held, waiting;
        begin(&f);
        fake_query(&f, &running);
        fake_acquire(&f, &held);
        fake_done(f.conns[0], 0);
        fake_done(f.conns[1], 0);
        fake_query(&f, &waiting);
        sc_pool *pool = f.pool;
        sc_pool_close(&f.pool, rows[i].drain_ms, fake_on_closed, &f);
        f.now_ms += rows[i].ends_after_ms;
        sc_pool_tick(pool);
        cr_assert_eq(waiting.code, SC_ECLOSED, "%s", rows[i].name);
        cr_assert_eq(f.n_cancels, rows[i].want == 0 ? 0u : 1u, "%s", rows[i].name);
        fake_answer(f.conns[0], rows[i].want == 0 ? 0 : SC_ECANCELLED);
        cr_assert_eq(running.code, rows[i].want, "%s: %d", rows[i].name, running.code);
        fake_settle(&f);
        uv_run(&f.loop, UV_RUN_NOWAIT);
        cr_assert_not(f.is_pool_closed, "%s: one is still held", rows[i].name);
        sc_pool_release(&held.conn);
        fake_end(&f);
    }
}

Test(pool_life, closing_ends_what_is_being_opened)
{
    fake f;
    fake_call call;
    begin(&f);
    fake_query(&f, &call);
    sc_pool *pool = f.pool;
    sc_pool_close(&f.pool, 1000, fake_on_closed, &f);
    cr_assert_eq(f.conns[0]->act, FAKE_CLOSE);
    sc_statement s = {.sql = "x"};
    sc_pool_call to = {fake_on_reply, &call, 0};
    cr_assert_eq(sc_pool_query(pool, &s, &to, NULL), SC_ECLOSED);
    fake_end(&f);
    cr_assert_eq(call.code, SC_ECLOSED);
    cr_assert_eq(call.n_called, 1);
}
