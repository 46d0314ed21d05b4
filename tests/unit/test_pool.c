/* SPDX-License-Identifier: Apache-2.0 */
/* The pool core as its callers see it: who gets a connection and when, deadlines, cancelling,
 * sessions, sharing, bounds. The driver is scripted and the clock is the test's (test_pool_fake.h),
 * so nothing here waits. */
#include "tests/unit/test_pool_fake.h"

#include <stdlib.h>

static void
begin(fake *f)
{
    sc_pool_options o;
    fake_options(f, &o);
    fake_start(f, &o);
}

Test(pool, a_first_call_dials_and_gets_its_rows)
{
    fake f;
    fake_call call;
    begin(&f);
    fake_query(&f, &call);
    cr_assert_eq(f.n_opens, 1);
    fake_done(f.conns[0], 0);
    cr_assert_eq(f.n_executes, 1);
    cr_assert_eq(call.n_called, 0);
    fake_answer(f.conns[0], 0);
    cr_assert_eq(call.n_called, 1);
    cr_assert_eq(call.code, 0);
    cr_assert_eq(call.n_rows, 1);
    sc_pool_stats s = fake_stats(&f);
    cr_assert_eq(s.n_idle, 1);
    cr_assert_eq(s.n_open, 1);
    cr_assert_eq(s.n_waits, 1);
    cr_assert_eq(s.n_requests, 1);
    fake_end(&f);
    cr_assert_eq(call.n_called, 1);
}

Test(pool, the_connection_used_last_is_used_next)
{
    fake f;
    fake_call a, b, c;
    begin(&f);
    fake_query(&f, &a);
    fake_query(&f, &b);
    fake_done(f.conns[0], 0);
    fake_done(f.conns[1], 0);
    fake_answer(f.conns[1], 0);
    fake_answer(f.conns[0], 0);
    for (int i = 0; i < 3; i++) {
        fake_query(&f, &c);
        cr_assert_eq(f.conns[0]->n_ops, 1, "round %d", i);
        fake_answer(f.conns[0], 0);
    }
    fake_end(&f);
}

Test(pool, calls_are_served_in_order_and_expire_in_theirs)
{
    fake f;
    sc_pool_options o;
    fake_call calls[5];
    static const int64_t timeouts_ms[5] = {0, 0, 100, 0, 0};
    static const int want_order[5] = {1, 3, 2, 4, 5};
    fake_options(&f, &o);
    o.pool_size = 1;
    fake_start(&f, &o);
    for (int i = 0; i < 5; i++) {
        fake_query_flags(&f, &calls[i], 0, timeouts_ms[i]);
    }
    fake_done(f.conns[0], 0);
    fake_answer(f.conns[0], 0);
    fake_advance(&f, 99);
    cr_assert_eq(calls[2].n_called, 0);
    fake_advance(&f, 1);
    cr_assert_eq(calls[2].code, SC_ETIMEOUT);
    fake_settle(&f);
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(calls[i].order, want_order[i], "call %d came as %d", i, calls[i].order);
        cr_assert_eq(calls[i].code, i == 2 ? SC_ETIMEOUT : 0, "call %d", i);
    }
    fake_end(&f);
}

Test(pool, waiting_ends_at_the_earlier_limit)
{
    static const struct {
        const char *name;
        int64_t pool_timeout_ms, timeout_ms, at_ms;
    } rows[] = {
        {"the pool's", 50, 100, 50},
        {"the call's", 100, 50, 50},
        {"the pool's alone", 50, 0, 50},
        {"the call's alone", 0, 50, 50},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fake f;
        sc_pool_options o;
        fake_call call;
        fake_options(&f, &o);
        o.pool_timeout_ms = rows[i].pool_timeout_ms;
        fake_start(&f, &o);
        fake_query_flags(&f, &call, 0, rows[i].timeout_ms);
        fake_advance(&f, rows[i].at_ms - 1);
        cr_assert_eq(call.n_called, 0, "%s", rows[i].name);
        fake_advance(&f, 1);
        cr_assert_eq(call.code, SC_ETIMEOUT, "%s: %d", rows[i].name, call.code);
        cr_assert_not_null(strstr(call.text, "no connection within 50 ms"), "%s", call.text);
        cr_assert_eq(fake_stats(&f).n_timeouts, 1, "%s", rows[i].name);
        fake_end(&f);
    }
}

Test(pool, overflow_is_closed_when_given_back)
{
    fake f;
    sc_pool_options o;
    fake_call calls[5];
    fake_options(&f, &o);
    o.max_overflow = 2;
    fake_start(&f, &o);
    for (int i = 0; i < 5; i++) {
        fake_query(&f, &calls[i]);
    }
    cr_assert_eq(f.n_opens, 4);
    for (int i = 0; i < 4; i++) {
        fake_done(f.conns[i], 0);
    }
    cr_assert_eq(fake_stats(&f).n_waiting, 1);
    fake_answer(f.conns[0], 0);
    cr_assert_eq(f.n_closes, 0, "one still waits");
    fake_settle(&f);
    cr_assert_eq(f.n_closes, 2);
    cr_assert_eq(fake_stats(&f).n_idle, 2);
    fake_end(&f);
}

Test(pool, a_limit_holds_whatever_the_size)
{
    fake f;
    fake_call a, b, c;
    begin(&f);
    sc_pool_set_limit(f.pool, 0);
    fake_query(&f, &a);
    cr_assert_eq(f.n_opens, 0, "no share, no connection");
    sc_pool_set_limit(f.pool, 1);
    fake_query(&f, &b);
    cr_assert_eq(f.n_opens, 1);
    sc_pool_set_limit(f.pool, 9);
    cr_assert_eq(f.n_opens, 2, "pool_size still holds");
    fake_done(f.conns[0], 0);
    fake_done(f.conns[1], 0);
    fake_answer(f.conns[0], 0);
    sc_pool_set_limit(f.pool, 1);
    cr_assert_eq(f.n_closes, 1, "the idle one goes now");
    sc_pool_set_limit(f.pool, 0);
    cr_assert_eq(f.n_closes, 1, "the busy one may end");
    fake_query(&f, &c);
    fake_answer(f.conns[1], 0);
    cr_assert_eq(f.n_closes, 2);
    fake_settle(&f);
    cr_assert_eq(fake_stats(&f).n_open, 0);
    cr_assert_eq(c.n_called, 0);
    sc_pool_set_limit(f.pool, 2);
    fake_settle(&f);
    cr_assert_eq(c.code, 0);
    fake_end(&f);
}

Test(pool, one_that_is_being_closed_still_counts)
{
    fake f;
    fake_call a, b;
    begin(&f);
    sc_pool_set_limit(f.pool, 1);
    fake_query(&f, &a);
    fake_done(f.conns[0], 0);
    f.conns[0]->conn.is_broken = true;
    fake_answer(f.conns[0], 0);
    fake_query(&f, &b);
    cr_assert_eq(f.n_opens, 1, "the old one is not closed yet");
    fake_done(f.conns[0], 0);
    cr_assert_eq(f.n_opens, 2);
    fake_end(&f);
}

Test(pool, cancelling)
{
    static const struct {
        const char *name;
        int acts;   /* how far it gets before the cancel: 0 waiting, 1 running */
        int answer; /* of the driver then */
        int want;
    } rows[] = {
        {"waiting", 0, 0, SC_ECANCELLED},
        {"running, stopped", 1, SC_EDATABASE, SC_ECANCELLED},
        {"running, too late", 1, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fake f;
        fake_call call;
        begin(&f);
        fake_query(&f, &call);
        if (rows[i].acts == 1) {
            fake_done(f.conns[0], 0);
        }
        sc_request_cancel(call.request);
        sc_request_cancel(call.request); // twice is as good as once
        cr_assert_eq(call.n_called, 0, "%s: never from inside", rows[i].name);
        cr_assert_eq(f.n_cancels, (unsigned)rows[i].acts, "%s", rows[i].name);
        if (rows[i].acts == 1) {
            fake_answer(f.conns[0], rows[i].answer);
            cr_assert_eq(f.conns[0]->act, FAKE_RESET, "%s", rows[i].name);
        } else {
            fake_advance(&f, 1);
        }
        cr_assert_eq(call.n_called, 1, "%s", rows[i].name);
        cr_assert_eq(call.code, rows[i].want, "%s: %d", rows[i].name, call.code);
        fake_settle(&f);
        cr_assert_eq(fake_stats(&f).n_idle, 1, "%s", rows[i].name);
        fake_end(&f);
    }
}

Test(pool, a_running_statement_times_out)
{
    fake f;
    fake_call call, next;
    begin(&f);
    fake_query_flags(&f, &call, 0, 100);
    fake_done(f.conns[0], 0);
    fake_advance(&f, 100);
    cr_assert_eq(f.n_cancels, 1);
    cr_assert_eq(call.n_called, 0, "the driver has not let go yet");
    fake_query(&f, &next);
    cr_assert_eq(f.conns[0]->n_ops, 1, "a draining connection takes nothing new");
    fake_done(f.conns[1], 0);
    fake_answer(f.conns[1], 0);
    cr_assert_eq(next.code, 0);
    fake_advance(&f, 5000); // nor does the driver answer in time
    cr_assert_eq(f.conns[0]->act, FAKE_CLOSE);
    fake_done(f.conns[0], 0);
    cr_assert_eq(call.code, SC_ETIMEOUT);
    cr_assert_eq(call.n_called, 1);
    fake_end(&f);
}

Test(pool, a_session_keeps_its_connection)
{
    fake f;
    fake_call held, first, second, other;
    begin(&f);
    sc_pool_set_limit(f.pool, 1);
    fake_acquire(&f, &held);
    fake_done(f.conns[0], 0);
    cr_assert_eq(held.n_called, 1);
    cr_assert_eq(held.conn, &f.conns[0]->conn);
    fake_query(&f, &other);
    sc_statement s = {.sql = "INSERT"};
    sc_pool_call to = fake_reply_to(&f, &first, 0);
    cr_assert_eq(sc_conn_execute(held.conn, &s, &to, NULL), 0);
    cr_assert_eq(sc_conn_execute(held.conn, &s, &to, NULL), SC_EBUSY, "one at a time");
    fake_answer(f.conns[0], SC_EDATABASE);
    cr_assert_eq(first.code, SC_EDATABASE);
    to = fake_reply_to(&f, &second, 0);
    cr_assert_eq(sc_conn_execute(held.conn, &s, &to, NULL), 0, "an error does not end it");
    fake_answer(f.conns[0], 0);
    cr_assert_eq(second.code, 0);
    cr_assert_eq(other.n_called, 0);
    f.conns[0]->conn.is_dirty = true;
    sc_pool_release(&held.conn);
    cr_assert_null(held.conn);
    cr_assert_eq(f.conns[0]->act, FAKE_RESET);
    fake_done(f.conns[0], 0);
    fake_answer(f.conns[0], 0);
    cr_assert_eq(other.code, 0);
    fake_end(&f);
}

Test(pool, a_cancelled_statement_ends_its_session)
{
    static const struct {
        const char *name;
        bool release_first; /* before the driver answers */
    } rows[] = {{"released after the answer", false}, {"released before it", true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fake f;
        fake_call held, call;
        begin(&f);
        fake_acquire(&f, &held);
        fake_done(f.conns[0], 0);
        sc_statement s = {.sql = "INSERT"};
        sc_pool_call to = fake_reply_to(&f, &call, 10);
        cr_assert_eq(sc_conn_execute(held.conn, &s, &to, &call.request), 0);
        fake_advance(&f, 10);
        cr_assert_eq(f.n_cancels, 1, "%s", rows[i].name);
        cr_assert_eq(sc_conn_execute(held.conn, &s, &to, NULL), SC_ESTATE, "%s", rows[i].name);
        if (rows[i].release_first) {
            sc_pool_release(&held.conn);
        }
        fake_answer(f.conns[0], SC_ECANCELLED);
        cr_assert_eq(call.code, SC_ETIMEOUT, "%s: %d", rows[i].name, call.code);
        if (!rows[i].release_first) {
            fake_advance(&f, 100000); // it may be held for as long as its holder likes
            cr_assert_eq(sc_conn_execute(held.conn, &s, &to, NULL), SC_ESTATE, "%s", rows[i].name);
            sc_pool_release(&held.conn);
        }
        cr_assert_eq(f.conns[0]->act, FAKE_RESET, "%s", rows[i].name);
        fake_settle(&f);
        cr_assert_eq(fake_stats(&f).n_idle, 1, "%s", rows[i].name);
        fake_end(&f);
    }
}

Test(pool, a_release_cancels_what_runs)
{
    fake f;
    fake_call held, call;
    begin(&f);
    fake_acquire(&f, &held);
    fake_done(f.conns[0], 0);
    sc_statement s = {.sql = "INSERT"};
    sc_pool_call to = fake_reply_to(&f, &call, 0);
    cr_assert_eq(sc_conn_execute(held.conn, &s, &to, NULL), 0);
    sc_pool_release(&held.conn);
    cr_assert_eq(f.n_cancels, 1);
    fake_answer(f.conns[0], SC_EDATABASE);
    cr_assert_eq(call.code, SC_ECANCELLED);
    fake_end(&f);
}

Test(pool, a_lost_connection_stays_with_its_holder_until_released)
{
    fake f;
    fake_call held, call;
    begin(&f);
    fake_acquire(&f, &held);
    fake_done(f.conns[0], 0);
    sc_error err;
    sc_error_set(&err, -ECONNRESET, "gone");
    sc_conn_lost(held.conn, &err);
    sc_statement s = {.sql = "INSERT"};
    sc_pool_call to = fake_reply_to(&f, &call, 0);
    cr_assert_eq(sc_conn_execute(held.conn, &s, &to, NULL), SC_ECLOSED);
    cr_assert_eq(f.n_closes, 0);
    sc_pool_release(&held.conn);
    cr_assert_eq(f.n_closes, 1);
    fake_end(&f);
}

Test(pool, read_only_statements_share_connections_of_depth)
{
    fake f;
    sc_pool_options o;
    fake_call calls[10], writer;
    fake_options(&f, &o);
    f.driver.depth = FAKE_DEPTH;
    o.max_overflow = 1;
    fake_start(&f, &o);
    for (int i = 0; i < 10; i++) {
        fake_query_flags(&f, &calls[i], SC_STATEMENT_READ_ONLY, 0);
    }
    fake_done(f.conns[0], 0);
    fake_done(f.conns[1], 0);
    cr_assert_eq(f.conns[0]->n_ops + f.conns[1]->n_ops, 8, "4 on each of 2");
    cr_assert_eq(f.n_opens, 3, "overflow comes after depth");
    sc_pool_set_limit(f.pool, 2);
    fake_done(f.conns[2], 0);
    cr_assert_eq(f.conns[2]->act, FAKE_CLOSE);
    fake_query(&f, &writer);
    fake_answer(f.conns[0], 0);
    fake_answer(f.conns[0], 0);
    cr_assert_eq(f.conns[0]->n_ops, 4, "the two that waited");
    fake_answer(f.conns[0], 0);
    cr_assert_eq(f.conns[0]->n_ops, 3, "a writer shares with nobody, and nobody overtakes it");
    // One of several is cancelled: the driver is not asked to, as it could hit another.
    sc_request_cancel(calls[3].request);
    cr_assert_eq(f.n_cancels, 0);
    fake_settle(&f);
    for (int i = 0; i < 10; i++) {
        cr_assert_eq(calls[i].n_called, 1, "call %d", i);
        cr_assert_eq(calls[i].code, 0, "call %d", i);
    }
    cr_assert_eq(writer.code, 0);
    fake_end(&f);
}

Test(pool, sharing_is_even)
{
    fake f;
    sc_pool_options o;
    fake_call calls[8];
    fake_options(&f, &o);
    f.driver.depth = FAKE_DEPTH;
    fake_start(&f, &o);
    for (int i = 0; i < 2; i++) {
        fake_query_flags(&f, &calls[i], SC_STATEMENT_READ_ONLY, 0);
    }
    fake_settle(&f);
    for (unsigned i = 0; i < 8; i++) {
        fake_query_flags(&f, &calls[i], SC_STATEMENT_READ_ONLY, 0);
        cr_assert_eq(f.conns[0]->n_ops + f.conns[1]->n_ops, i + 1, "call %u", i);
        cr_assert_leq(abs((int)f.conns[0]->n_ops - (int)f.conns[1]->n_ops), 1, "call %u", i);
    }
    fake_end(&f);
}

Test(pool, only_what_may_be_repeated_is_repeated_once)
{
    static const struct {
        const char *name;
        unsigned flags;
        int code;
        bool again_fails;
        unsigned want_executes;
        int want;
    } rows[] = {
        {"a write", 0, -ECONNRESET, false, 1, -ECONNRESET},
        {"idempotent", SC_STATEMENT_IDEMPOTENT, -ECONNRESET, false, 2, 0},
        {"read-only", SC_STATEMENT_READ_ONLY, -ECONNRESET, false, 2, 0},
        {"twice", SC_STATEMENT_READ_ONLY, -ECONNRESET, true, 2, -ECONNRESET},
        {"an error of its own", SC_STATEMENT_READ_ONLY, SC_EDATABASE, false, 1, SC_EDATABASE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fake f;
        fake_call call;
        begin(&f);
        fake_query_flags(&f, &call, rows[i].flags, 0);
        fake_done(f.conns[0], 0);
        f.conns[0]->conn.is_broken = rows[i].code == -ECONNRESET;
        fake_answer(f.conns[0], rows[i].code);
        if (rows[i].want_executes == 2) {
            cr_assert_eq(call.n_called, 0, "%s", rows[i].name);
            fake_done(f.conns[1], 0);
            fake_answer(f.conns[1], rows[i].again_fails ? rows[i].code : 0);
        }
        cr_assert_eq(f.n_executes, rows[i].want_executes, "%s", rows[i].name);
        cr_assert_eq(call.code, rows[i].want, "%s: %d", rows[i].name, call.code);
        cr_assert_eq(call.n_called, 1, "%s", rows[i].name);
        fake_end(&f);
    }
}

Test(pool, a_statement_that_cannot_start_fails_later)
{
    fake f;
    fake_call call;
    begin(&f);
    f.execute_code = SC_ENOMEM;
    fake_query(&f, &call);
    fake_done(f.conns[0], 0);
    cr_assert_eq(call.code, SC_ENOMEM);
    fake_query(&f, &call);
    cr_assert_eq(call.n_called, 0, "never before it returned");
    fake_advance(&f, 1);
    cr_assert_eq(call.code, SC_ENOMEM);
    cr_assert_eq(fake_stats(&f).n_idle, 1);
    fake_end(&f);
}

/* ---- from inside callbacks ---- */

typedef struct chain {
    fake *f;
    fake_call inner;
    bool closes;
    sc_result *taken;
} chain;

static void
on_chain(void *arg, sc_pool_reply *reply)
{
    chain *ch = arg;
    ch->taken = reply->result;
    reply->result = NULL;
    if (ch->closes) {
        sc_pool_close(&ch->f->pool, 0, fake_on_closed, ch->f);
    } else {
        fake_query(ch->f, &ch->inner);
    }
}

Test(pool, everything_may_be_called_in_a_callback)
{
    for (int closes = 0; closes < 2; closes++) {
        fake f;
        begin(&f);
        chain ch = {.f = &f, .closes = closes == 1};
        sc_statement s = {.sql = "x"};
        cr_assert_eq(sc_pool_query(f.pool, &s, &(sc_pool_call){on_chain, &ch, 0}, NULL), 0);
        fake_done(f.conns[0], 0);
        fake_answer(f.conns[0], 0);
        cr_assert_eq(sc_result_get(ch.taken, 0, 0)->integer, 1, "a result can be kept");
        fake_settle(&f);
        cr_assert_eq(ch.inner.n_called, closes == 1 ? 0 : 1);
        sc_result_free(&ch.taken);
        fake_end(&f);
    }
}
