/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a cluster, asked for by a client or a signal: who is told, who is waited for. */
#include <string.h>

#include <criterion/criterion.h>

#include "tests/support/fake_core.h"

static sc_fake f;

static void
start(void)
{
    memset(&f, 0, sizeof f);
    sc_fake_start(&f);
}

static void
stop(void)
{
    sc_fake_stop(&f);
}

TestSuite(end, .init = start, .fini = stop);

static int64_t
refusal(uint64_t link)
{
    sc_message m;
    return sc_fake_take(&f, link, SC_MSG_REFUSED, &m) ? m.refused.code : 0;
}

Test(end, stop)
{
    sc_fake_worker own = {.supervisor = 103};
    sc_fake_client(&f, 1);
    sc_fake_worker_ready(&f, 2, &own);
    sc_fake_supervisor(&f, 3);
    sc_fake_worker_ready(&f, 4, NULL);
    sc_fake_say(&f, 1, &(sc_message){.type = SC_MSG_STOP, .stop = {5}});
    sc_message m;
    cr_assert(sc_fake_take(&f, 1, SC_MSG_STOPPING, &m));
    cr_expect_eq(m.stopping.processes.n, 4, "itself, two workers, the supervisor");
    cr_expect_eq(sc_fake_count(&f, 3, SC_MSG_STOP), 1);
    cr_expect_eq(sc_fake_count(&f, 4, SC_MSG_STOP), 1, "nobody else looks after it");
    cr_expect_eq(sc_fake_count(&f, 2, SC_MSG_STOP), 0, "its supervisor tells it");
    sc_fake_array(&f, 1, 1, 0, 1, NULL);
    cr_expect_eq(refusal(1), SC_ESHUTDOWN);
    sc_fake_call(&f, 1, 9, "a", 0);
    cr_expect_eq(refusal(1), SC_ESHUTDOWN);
    for (uint64_t link = 2; link <= 4; link++) {
        cr_expect_eq(f.n_actions[SC_ACTION_EXIT], 0, "link %d is still there", (int)link);
        sc_fake_say(&f, link, &(sc_message){.type = SC_MSG_BYE});
    }
    cr_expect_eq(f.n_actions[SC_ACTION_EXIT], 0, "the answer may not have been read");
    sc_fake_say(&f, 1, &(sc_message){.type = SC_MSG_BYE});
    cr_expect_eq(f.n_actions[SC_ACTION_EXIT], 1);
}

// No worker will come any more: who waits for the first one, or asks for it now, is told.
Test(end, who_waits_for_workers_is_told)
{
    sc_message m = {.type = SC_MSG_ASK};
    m.ask = (sc_ask){.request = 3, .what = SC_ASK_HANDLERS, .wait = true};
    sc_fake_client(&f, 1);
    sc_fake_client(&f, 2);
    sc_fake_supervisor(&f, 3);
    sc_fake_say(&f, 2, &m);
    sc_fake_say(&f, 1, &(sc_message){.type = SC_MSG_STOP, .stop = {5}});
    cr_expect_eq(refusal(2), SC_ESHUTDOWN);
    sc_fake_say(&f, 2, &m);
    cr_expect_eq(refusal(2), SC_ESHUTDOWN);
}

// It has just taken another's place: those who look for it are told, too.
Test(end, stop_waits_for_who_has_not_come_yet)
{
    sc_fake_client(&f, 1);
    sc_fake_say(&f, 1, &(sc_message){.type = SC_MSG_STOP, .stop = {5}});
    sc_fake_say(&f, 1, &(sc_message){.type = SC_MSG_BYE});
    sc_fake_pass(&f, 300, 1);
    cr_expect_eq(f.n_actions[SC_ACTION_EXIT], 0);
    sc_fake_supervisor(&f, 3);
    cr_expect_eq(sc_fake_count(&f, 3, SC_MSG_STOP), 1);
    sc_fake_pass(&f, 5000, 4);
    cr_expect_eq(f.n_actions[SC_ACTION_EXIT], 0, "it drains");
    sc_fake_say(&f, 3, &(sc_message){.type = SC_MSG_BYE});
    cr_expect_eq(f.n_actions[SC_ACTION_EXIT], 1);
}

Test(end, stop_does_not_wait_where_nobody_comes)
{
    sc_fake_client(&f, 1);
    sc_fake_say(&f, 1, &(sc_message){.type = SC_MSG_STOP, .stop = {5}});
    sc_fake_say(&f, 1, &(sc_message){.type = SC_MSG_BYE});
    sc_fake_pass(&f, 900, 1);
    cr_expect_eq(f.n_actions[SC_ACTION_EXIT], 1);
}

// Who asked for the end, and how often, and stays, holds it up for one lease.
Test(end, stop_waits_a_lease_for_the_asker)
{
    sc_fake_client(&f, 1);
    sc_fake_supervisor(&f, 9);
    sc_fake_say(&f, 9, &(sc_message){.type = SC_MSG_BYE});
    sc_fake_client(&f, 2);
    sc_fake_say(&f, 1, &(sc_message){.type = SC_MSG_STOP, .stop = {5}});
    sc_fake_say(&f, 1, &(sc_message){.type = SC_MSG_STOP, .stop = {6}});
    sc_fake_pass(&f, 700, 3);
    cr_expect_eq(f.n_actions[SC_ACTION_EXIT], 0);
    sc_fake_pass(&f, 200, 3);
    cr_expect_eq(f.n_actions[SC_ACTION_EXIT], 1);
}

// A signal does not wait for workers, but for those who asked.
Test(end, leave)
{
    static const struct {
        const char *name;
        bool is_asked;
        int n_exits; // before the asker says BYE
    } rows[] = {{"nobody asked", false, 1}, {"somebody asked", true, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stop();
        start();
        sc_fake_client(&f, 1);
        sc_fake_worker_ready(&f, 2, NULL);
        if (rows[i].is_asked)
            sc_fake_say(&f, 1, &(sc_message){.type = SC_MSG_STOP, .stop = {5}});
        sc_core_leave(f.core, f.now_ms);
        cr_expect_eq(f.n_actions[SC_ACTION_EXIT], rows[i].n_exits, "%s", rows[i].name);
        sc_fake_say(&f, 1, &(sc_message){.type = SC_MSG_BYE});
        cr_expect_eq(f.n_actions[SC_ACTION_EXIT], 1, "%s", rows[i].name);
    }
}

Test(end, stop_does_not_wait_for_ever)
{
    sc_fake_client(&f, 1);
    sc_fake_worker_ready(&f, 2, NULL);
    sc_fake_say(&f, 1, &(sc_message){.type = SC_MSG_STOP, .stop = {5}});
    sc_fake_pass(&f, 20000, 3);
    sc_fake_say(&f, 1, &(sc_message){.type = SC_MSG_STOP, .stop = {6}}); // changes nothing
    sc_fake_pass(&f, 10000, 3);
    cr_expect_eq(f.n_actions[SC_ACTION_EXIT], 0);
    sc_fake_pass(&f, 1800, 3);
    cr_expect_eq(f.n_actions[SC_ACTION_EXIT], 1);
}

Test(end, who_comes_back_is_told_to_stop)
{
    sc_fake_client(&f, 1);
    sc_fake_worker_ready(&f, 2, NULL);
    sc_fake_say(&f, 1, &(sc_message){.type = SC_MSG_STOP, .stop = {5}});
    sc_fake_forget_sent(&f);
    sc_fake_supervisor(&f, 3);
    cr_expect_eq(sc_fake_count(&f, 3, SC_MSG_STOP), 1);
    sc_fake_worker_ready(&f, 4, NULL);
    cr_expect_eq(sc_fake_count(&f, 4, SC_MSG_STOP), 1);
}

/* ---- one worker, or those of one supervisor ---- */

static void
drain(const char *name)
{
    sc_fake_say(&f, 1, &(sc_message){.type = SC_MSG_DRAIN, .drain = {5, sc_text_of(name)}});
}

Test(end, drain)
{
    sc_fake_worker own = {.supervisor = 103}, lost = {.supervisor = 999};
    sc_message m;
    sc_fake_client(&f, 1);
    sc_fake_worker_ready(&f, 2, &own);
    sc_fake_supervisor(&f, 3);
    sc_fake_worker_ready(&f, 4, NULL);
    sc_fake_worker_ready(&f, 5, &lost);
    drain("w2");
    cr_assert(sc_fake_take(&f, 1, SC_MSG_DRAINING, &m));
    cr_expect(m.draining.request == 5 && m.draining.n_processes == 1);
    cr_assert(sc_fake_take(&f, 3, SC_MSG_DRAIN, &m), "its supervisor does it");
    cr_expect(m.drain.name.len == 2 && memcmp(m.drain.name.data, "w2", 2) == 0);
    cr_expect_eq(sc_fake_count(&f, 2, SC_MSG_STOP), 0);
    drain("w2");
    cr_assert(sc_fake_take(&f, 1, SC_MSG_DRAINING, &m));
    cr_expect_eq(sc_fake_count(&f, 3, SC_MSG_DRAIN), 1, "asked again, told again");
    drain("w4");
    cr_expect_eq(sc_fake_count(&f, 4, SC_MSG_STOP), 1, "nobody else looks after it");
    drain("w5");
    cr_expect_eq(refusal(1), SC_ESTATE, "its supervisor is not here");
    drain("s");
    cr_expect_eq(sc_fake_count(&f, 3, SC_MSG_STOP), 1);
    cr_assert(sc_fake_take(&f, 1, SC_MSG_DRAINING, &m) && sc_fake_take(&f, 1, SC_MSG_DRAINING, &m));
    cr_expect_eq(m.draining.n_processes, 2, "the supervisor and one worker");
    sc_fake_say(&f, 2, &(sc_message){.type = SC_MSG_BYE});
    drain("w2");
    cr_expect_eq(refusal(1), SC_ENOTFOUND, "it has left");
    drain("");
    cr_expect_eq(refusal(1), SC_ENOTFOUND);
    drain("c1");
    cr_expect_eq(refusal(1), SC_ENOTFOUND, "a client is no worker");
}

// Of a coordinator that has just begun nobody is told that a worker has left.
Test(end, drain_after_a_restart)
{
    sc_fake_worker own = {.supervisor = 103};
    sc_message m;
    sc_fake_restart(&f, f.n_writes);
    sc_fake_client(&f, 1);
    drain("w2");
    cr_assert(sc_fake_take(&f, 1, SC_MSG_DRAINING, &m));
    cr_expect_eq(m.draining.n_processes, 0, "it may come back");
    sc_fake_worker_ready(&f, 2, &own);
    drain("w2");
    cr_assert(sc_fake_take(&f, 1, SC_MSG_DRAINING, &m));
    cr_expect_eq(m.draining.n_processes, 0, "so may its supervisor");
    sc_fake_pass(&f, 2000, 3);
    drain("w2");
    cr_expect_eq(refusal(1), SC_ESTATE);
    drain("w3");
    cr_expect_eq(refusal(1), SC_ENOTFOUND);
}

// They look for the one that leads at once, not after a lease.
Test(end, deposed)
{
    sc_message m;
    sc_fake_client(&f, 1);
    sc_fake_worker_ready(&f, 2, NULL);
    sc_fake_forget_sent(&f);
    sc_core_deposed(f.core, f.now_ms);
    for (uint64_t link = 1; link <= 2; link++) {
        cr_assert(sc_fake_take(&f, link, SC_MSG_REFUSED, &m), "link %d", (int)link);
        cr_expect(m.refused.request == 0 && m.refused.code == SC_ESHUTDOWN);
    }
}

// Nor are they taken back when they look here again, and nothing is handed out.
Test(end, deposed_is_found)
{
    sc_message m;
    sc_fake_client(&f, 1);
    sc_core_deposed(f.core, f.now_ms);
    sc_fake_forget_sent(&f);
    sc_fake_client(&f, 1);
    sc_fake_hello_worker(&f, 2, NULL);
    for (uint64_t link = 1; link <= 2; link++) {
        cr_assert(sc_fake_take(&f, link, SC_MSG_REFUSED, &m), "link %d", (int)link);
        cr_expect(m.refused.request == 0 && m.refused.code == SC_ESHUTDOWN);
        cr_expect(!sc_fake_take(&f, link, SC_MSG_WELCOME, &m));
    }
    cr_expect_eq(sc_core_next_ms(f.core), INT64_MAX);
}
