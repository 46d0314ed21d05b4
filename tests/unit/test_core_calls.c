/* SPDX-License-Identifier: Apache-2.0 */
/* Calls: answered once, timed out, lost with a worker, forgotten with a client. */
#include <string.h>

#include <criterion/criterion.h>

#include "base/limits.h"
#include "tests/support/fake_core.h"

static sc_fake f;

static void
start(void)
{
    memset(&f, 0, sizeof f);
    sc_fake_start(&f);
    sc_fake_client(&f, 1);
    sc_fake_supervisor(&f, 9);
}

static void
stop(void)
{
    sc_fake_stop(&f);
}

TestSuite(calls, .init = start, .fini = stop);

static int64_t
refusal(uint64_t link)
{
    sc_message m;
    return sc_fake_take(&f, link, SC_MSG_REFUSED, &m) ? m.refused.code : 0;
}

static sc_run
take_run(uint64_t link)
{
    sc_message m = {0};
    cr_assert(sc_fake_take(&f, link, SC_MSG_RUN, &m));
    return m.run;
}

static uint64_t
n_running(void)
{
    sc_cluster c;
    sc_core_counters(f.core, &c);
    return c.calls_running;
}

Test(calls, answered)
{
    sc_message m;
    sc_uuid nil = {{0}};
    sc_fake_worker_ready(&f, 2, NULL);
    sc_fake_call(&f, 1, 5, "a", 0);
    sc_run run = take_run(2);
    cr_expect(run.count == 1 && run.class == SC_CLASS_CALL && run.attempt == 1);
    cr_expect(memcmp(&run.job, &nil, sizeof nil) == 0);
    sc_fake_call(&f, 1, 5, "a", 0);
    cr_expect_eq(sc_fake_count(&f, 2, SC_MSG_RUN), 0, "said again: nothing");
    sc_fake_results(&f, 2, &run, 1, 1, SC_DONE, 0, 1000);
    sc_fake_results(&f, 2, &run, 0, 2, SC_DONE, 0, 1000);
    cr_expect_eq(sc_fake_count(&f, 1, SC_MSG_REPLY), 0, "a call has one result, and no other");
    sc_fake_results(&f, 2, &run, 0, 1, SC_DONE, 0, 1000);
    cr_assert(sc_fake_take(&f, 1, SC_MSG_REPLY, &m));
    cr_expect(m.reply.request == 5 && sc_text_equal(m.reply.worker, "w2"));
    cr_expect(m.bytes.len == 4 && memcmp(m.bytes.data, "true", 4) == 0);
    cr_expect_eq(n_running(), 0);
    sc_fake_results(&f, 2, &run, 0, 1, SC_DONE, 0, 1000);
    cr_expect_eq(sc_fake_count(&f, 1, SC_MSG_REPLY), 0, "once");
    cr_expect_geq(f.n_actions[SC_ACTION_CALL_PASSED], 1);
}

Test(calls, refused)
{
    sc_message m = {.type = SC_MSG_CALL, .call = {.request = 7, .handler = sc_text_of("a")}};
    sc_fake_call(&f, 1, 5, "a", 0);
    cr_expect_eq(refusal(1), SC_ENOHANDLER, "nobody is there");
    sc_fake_worker_ready(&f, 2, NULL);
    sc_fake_call(&f, 1, 6, "b", 0);
    cr_expect_eq(refusal(1), SC_ENOHANDLER);
    sc_fake_say(&f, 1, &m);
    cr_expect_eq(refusal(1), SC_EMALFORMED, "no arguments");
}

Test(calls, timeout)
{
    static const struct {
        const char *name;
        bool is_handed_out;
    } rows[] = {{"waiting", false}, {"running", true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_fake_worker one = {.slots_async = 1, .credit_tasks = 1};
        stop();
        start();
        sc_fake_worker_ready(&f, 2, &one);
        if (!rows[i].is_handed_out)
            sc_fake_call(&f, 1, 4, "a", 0); // fills the worker
        sc_fake_call(&f, 1, 5, "a", 300);
        sc_fake_pass(&f, 299, 10);
        cr_expect_eq(refusal(1), 0, "%s: too early", rows[i].name);
        sc_fake_pass(&f, 2, 10);
        cr_expect_eq(refusal(1), SC_ETIMEOUT, "%s", rows[i].name);
        cr_expect_eq(sc_fake_count(&f, 2, SC_MSG_RECALL), rows[i].is_handed_out, "%s",
                     rows[i].name);
    }
}

Test(calls, worker_lost)
{
    static const struct {
        const char *name;
        const char *handlers;
        int how;      // 0 silence, 1 reported and not started, 2 reported and started, 3 BYE,
                      // 4 RECALLED of a worker that drains
        int64_t want; // refusal; 0: it runs elsewhere
    } rows[] = {
        {"repeatable", "a", 0, 0},
        {"repeatable, had started", "a", 2, 0},
        {"once, nobody can tell", "a!", 0, SC_EUNKNOWN},
        {"once, had not started", "a!", 1, 0},
        {"once, had started", "a!", 2, SC_EUNKNOWN},
        {"once, not started at BYE", "a!", 3, 0},
        {"once, given back", "a!", 4, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_fake_worker w = {.handlers = rows[i].handlers};
        sc_message drains = {.type = SC_MSG_HEARTBEAT, .heartbeat = {.is_draining = true}};
        stop();
        start();
        sc_fake_worker_ready(&f, 2, &w);
        sc_fake_call(&f, 1, 5, "a", 0);
        sc_run run = take_run(2);
        sc_fake_worker_ready(&f, 3, &w);
        if (rows[i].how == 4) {
            sc_fake_say(&f, 2, &drains);
            sc_fake_recalled(&f, 2, &run.token, &run.job, 0, 1);
        }
        if (rows[i].how == 0)
            sc_core_send_failed(f.core, 2, f.now_ms);
        else if (rows[i].how == 3)
            sc_fake_say(&f, 2, &(sc_message){.type = SC_MSG_BYE});
        else if (rows[i].how < 3)
            sc_fake_died(&f, 9, 102, &run, 0, rows[i].how == 2, false, SC_DEATH_STOPPED);
        sc_core_turn(f.core, f.now_ms);
        sc_core_check(f.core);
        int64_t code = refusal(1);
        cr_expect_eq(code, rows[i].want, "%s: %lld", rows[i].name, (long long)code);
        cr_expect_eq(sc_fake_count(&f, 3, SC_MSG_RUN), rows[i].want == 0, "%s", rows[i].name);
    }
}

Test(calls, client_goes)
{
    sc_fake_worker_ready(&f, 2, NULL);
    sc_fake_call(&f, 1, 5, "a", 0);
    sc_run run = take_run(2);
    sc_fake_say(&f, 1, &(sc_message){.type = SC_MSG_BYE});
    sc_message m;
    cr_assert(sc_fake_take(&f, 2, SC_MSG_RECALL, &m));
    cr_expect_eq(m.recall.mode, SC_RECALL_FORGET);
    cr_expect_eq(n_running(), 0);
    sc_fake_results(&f, 2, &run, 0, 1, SC_DONE, 0, 1000);
    cr_expect_eq(sc_fake_count(&f, 1, SC_MSG_REPLY), 0);
}

Test(calls, reply_goes_to_the_new_connection)
{
    sc_fake_worker_ready(&f, 2, NULL);
    sc_fake_call(&f, 1, 5, "a", 0);
    sc_run run = take_run(2);
    sc_message m = {.type = SC_MSG_HELLO};
    m.hello = (sc_hello){.role = SC_ROLE_CLIENT,
                         .name = sc_text_of("c"),
                         .instance = 101,
                         .protocol_min = 1,
                         .protocol_max = 1};
    sc_fake_say(&f, 3, &m);
    sc_fake_call(&f, 3, 5, "a", 0); // as a client does
    cr_expect_eq(sc_fake_count(&f, 2, SC_MSG_RUN), 0);
    sc_fake_results(&f, 2, &run, 0, 1, SC_DONE, 0, 1000);
    cr_expect_eq(sc_fake_count(&f, 3, SC_MSG_REPLY), 1);
    cr_expect_eq(sc_fake_count(&f, 1, SC_MSG_REPLY), 0);
}

// First in, first out, and lost calls go first to the next worker.
Test(calls, order)
{
    sc_fake_worker one = {.slots_async = 1, .credit_tasks = 1};
    sc_fake_worker_ready(&f, 2, &one);
    sc_fake_call(&f, 1, 5, "a", 0);
    sc_fake_call(&f, 1, 6, "a", 0);
    sc_fake_call(&f, 1, 7, "a", 0);
    take_run(2);
    sc_core_send_failed(f.core, 2, f.now_ms);
    sc_fake_worker_ready(&f, 3, &one);
    for (uint64_t request = 5; request <= 7; request++) {
        sc_run run = take_run(3);
        sc_message m;
        sc_fake_results(&f, 3, &run, 0, 1, SC_DONE, 0, 1000);
        cr_assert(sc_fake_take(&f, 1, SC_MSG_REPLY, &m));
        cr_expect_eq(m.reply.request, request);
    }
}

Test(calls, bound)
{
    static const uint32_t len = 2;
    sc_message m = {.type = SC_MSG_CALL, .call = {.handler = sc_text_of("a")}};
    sc_fake_worker_ready(&f, 2, NULL);
    m.table = sc_slice_borrow(&len, sizeof len);
    m.bytes = sc_slice_borrow("{}", 2);
    for (m.call.request = 1; m.call.request <= SC_MAX_CALLS; m.call.request++)
        sc_core_message(f.core, 1, &m, f.now_ms);
    cr_expect_eq(refusal(1), 0);
    cr_expect_eq(n_running(), SC_MAX_CALLS);
    sc_core_message(f.core, 1, &m, f.now_ms);
    cr_expect_eq(refusal(1), SC_ELIMIT);
}

Test(calls, poison)
{
    for (uint64_t i = 0; i < 3; i++) {
        sc_fake_worker w = {.name = "w", .instance = 200 + i};
        sc_fake_worker_ready(&f, 2 + i, &w);
        if (i == 0)
            sc_fake_call(&f, 1, 5, "a", 0);
        sc_run run = take_run(2 + i);
        cr_expect_eq(refusal(1), 0, "death %d", (int)i);
        sc_fake_died(&f, 9, 200 + i, &run, 0, 1, true, SC_DEATH_FAULT);
    }
    cr_expect_eq(refusal(1), SC_EPOISON);
}

// A call that may not be repeated and has been handed out is not begun again, whatever its client
// missed.
Test(calls, once)
{
    static const struct {
        const char *name;
        bool is_sent, is_lost, ends_meanwhile, is_answered;
        int64_t want; // of CALL, said again; 0: no refusal
        uint32_t want_runs, want_replies;
    } rows[] = {
        {"still waiting: begins once", false, true, false, false, 0, 1, 0},
        {"runs: its answer comes", true, true, false, false, 0, 0, 1},
        {"ended while the client was away", true, true, true, false, SC_EUNKNOWN, 0, 0},
        {"answered, and the answer lost", true, false, true, true, SC_EUNKNOWN, 0, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_fake_worker once = {.handlers = "a!", .slots_async = 1};
        stop();
        start();
        sc_run run = {0};
        if (rows[i].is_sent) {
            sc_fake_worker_ready(&f, 2, &once);
            sc_fake_call(&f, 1, 5, "a", 0);
            run = take_run(2);
        } else {
            sc_fake_worker_ready(&f, 3, &once);
            sc_fake_say(&f, 3, &(sc_message){.type = SC_MSG_BYE}); // the handler is known
            sc_fake_call(&f, 1, 5, "a", 0);
        }
        if (rows[i].is_lost)
            sc_core_send_failed(f.core, 1, f.now_ms);
        if (rows[i].ends_meanwhile)
            sc_fake_results(&f, 2, &run, 0, 1, SC_DONE, 0, 1000);
        cr_expect_eq(sc_fake_count(&f, 1, SC_MSG_REPLY), rows[i].is_answered, "%s", rows[i].name);
        sc_fake_client(&f, 1);
        sc_fake_call(&f, 1, 5, "a", 0);
        if (!rows[i].is_sent)
            sc_fake_worker_ready(&f, 2, &once);
        else if (!rows[i].ends_meanwhile)
            sc_fake_results(&f, 2, &run, 0, 1, SC_DONE, 0, 1000);
        cr_expect_eq(refusal(1), rows[i].want, "%s", rows[i].name);
        cr_expect_eq(sc_fake_count(&f, 2, SC_MSG_RUN), rows[i].want_runs, "%s", rows[i].name);
        cr_expect_eq(sc_fake_count(&f, 1, SC_MSG_REPLY), rows[i].want_replies, "%s", rows[i].name);
    }
}

// Its end is remembered for a minute.
Test(calls, once_is_forgotten)
{
    sc_fake_worker once = {.handlers = "a!", .slots_async = 1};
    sc_fake_worker_ready(&f, 2, &once);
    for (int i = 0; i < 2; i++) {
        sc_fake_call(&f, 1, 5, "a", 0);
        sc_run run = take_run(2);
        sc_fake_results(&f, 2, &run, 0, 1, SC_DONE, 0, 1000);
        sc_fake_call(&f, 1, 5, "a", 0);
        cr_expect_eq(refusal(1), SC_EUNKNOWN);
        for (int k = 0; k < 7; k++) {
            sc_fake_pass(&f, 9000, 3);
            sc_fake_forget_sent(&f);
        }
    }
}

Test(calls, bytes)
{
    static char big[100000];
    uint32_t len = sizeof big;
    sc_message m = {.type = SC_MSG_CALL,
                    .table = sc_slice_borrow(&len, sizeof len),
                    .bytes = sc_slice_borrow(big, sizeof big)};
    uint64_t n = f.options.queue_max_bytes / (sizeof big + sizeof len);
    sc_fake_worker_ready(&f, 2, NULL);
    sc_fake_say(&f, 2, &(sc_message){.type = SC_MSG_BYE});
    for (uint64_t i = 0; i <= n; i++) {
        m.call = (sc_call){.request = i + 1, .handler = sc_text_of("a")};
        sc_fake_say(&f, 1, &m);
        cr_expect_eq(refusal(1), i < n ? 0 : SC_ELIMIT, "%d", (int)i);
    }
    sc_fake_say(&f, 1, &(sc_message){.type = SC_MSG_BYE});
    sc_fake_client(&f, 1);
    sc_fake_say(&f, 1, &m);
    int64_t code = refusal(1);
    cr_expect_eq(code, 0, "what was dropped counts no more: %s", sc_error_name((int)code));
}
