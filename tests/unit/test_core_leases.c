/* SPDX-License-Identifier: Apache-2.0 */
/* Who is alive for the core: leases and heartbeats, connections that break, and its own stops. */
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

TestSuite(leases, .init = start, .fini = stop);

Test(leases, silence)
{
    static const struct {
        const char *name;
        int64_t silent_ms;
        bool is_late_tick; // the coordinator itself stood still
        bool want_gone;
    } rows[] = {
        {"within the lease", 800, false, false},
        {"over the lease", 802, false, true},
        {"we were stopped", 5000, true, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stop();
        start();
        sc_fake_client(&f, 1);
        if (rows[i].is_late_tick)
            sc_fake_late_tick(&f, rows[i].silent_ms);
        else
            sc_fake_pass(&f, rows[i].silent_ms, 0);
        sc_fake_say(&f, 1, &(sc_message){.type = SC_MSG_HEARTBEAT});
        cr_expect_eq(sc_fake_count(&f, 1, SC_MSG_WHO), rows[i].want_gone, "%s", rows[i].name);
    }
}

Test(leases, hello_again_renews_the_lease)
{
    sc_fake_client(&f, 1);
    sc_fake_pass(&f, 700, 0);
    sc_fake_client(&f, 1);
    sc_fake_pass(&f, 700, 0);
    sc_fake_say(&f, 1, &(sc_message){.type = SC_MSG_HEARTBEAT});
    cr_expect_eq(sc_fake_count(&f, 1, SC_MSG_WHO), 0);
}

// A stop of ours must not lengthen the lease of a peer that spoke after it.
Test(leases, lateness_counts_once)
{
    sc_fake_client(&f, 1);
    f.now_ms += 10000;
    sc_fake_say(&f, 1, &(sc_message){.type = SC_MSG_HEARTBEAT});
    sc_fake_late_tick(&f, 0);
    sc_fake_pass(&f, 802, 0);
    sc_fake_say(&f, 1, &(sc_message){.type = SC_MSG_HEARTBEAT});
    cr_expect_eq(sc_fake_count(&f, 1, SC_MSG_WHO), 1);
}

// We come to ourselves for one turn, before the tick that is due, and are stopped again.
Test(leases, stopped_twice)
{
    sc_fake_client(&f, 1);
    f.now_ms += 1000;
    sc_core_turn(f.core, f.now_ms);
    sc_fake_late_tick(&f, 1000);
    sc_fake_say(&f, 1, &(sc_message){.type = SC_MSG_HEARTBEAT});
    cr_expect_eq(sc_fake_count(&f, 1, SC_MSG_WHO), 0);
}

Test(leases, heartbeats_go_out)
{
    sc_fake_client(&f, 1);
    sc_fake_forget_sent(&f);
    sc_fake_pass(&f, 1000, 2);
    cr_expect_geq(sc_fake_count(&f, 1, SC_MSG_HEARTBEAT), 4);
    cr_expect_leq(sc_fake_count(&f, 1, SC_MSG_HEARTBEAT), 5);
}

Test(leases, send_failed_ends_the_session)
{
    sc_fake_worker_ready(&f, 1, NULL);
    sc_core_send_failed(f.core, 1, f.now_ms);
    sc_core_send_failed(f.core, 99, f.now_ms);
    sc_core_check(f.core);
    sc_fake_say(&f, 1, &(sc_message){.type = SC_MSG_HEARTBEAT});
    cr_expect_eq(sc_fake_count(&f, 1, SC_MSG_WHO), 1);
}

// Somebody's connection has ended: supervisors are asked at once, and their workers where one of
// them is gone; not after a heartbeat.
Test(leases, a_connection_ended)
{
    sc_fake_worker own = {.supervisor = 101}, other = {.supervisor = 999};
    sc_fake_supervisor(&f, 1);
    sc_fake_worker_ready(&f, 2, &own);
    sc_fake_worker_ready(&f, 3, &other);
    sc_fake_client(&f, 4);
    sc_fake_forget_sent(&f);
    sc_core_connection_ended(f.core, f.now_ms);
    sc_core_connection_ended(f.core, f.now_ms + 1);
    sc_fake_pass(&f, 20, 0);
    for (uint64_t link = 1; link <= 4; link++)
        cr_expect_eq(sc_fake_count(&f, link, SC_MSG_HEARTBEAT), link == 1, "link %d", (int)link);
    sc_fake_forget_sent(&f);
    sc_core_send_failed(f.core, 1, f.now_ms);
    cr_expect_eq(sc_fake_count(&f, 2, SC_MSG_HEARTBEAT), 1, "its worker");
    cr_expect_eq(sc_fake_count(&f, 3, SC_MSG_HEARTBEAT), 0, "the other's");
}

// While we stood still they have looked for us elsewhere: that their connections are gone does not
// mean that they are.
Test(leases, send_failed_after_we_stood_still)
{
    static const struct {
        const char *name;
        int64_t late_ms, after_ms; // the tick comes late, and the refusal so long after it
        bool is_before_tick;
        bool comes_back;
        bool want_kept; // what it runs is not handed out again
    } rows[] = {
        {"in time", 0, 0, false, true, false},
        {"late", 10000, 0, false, true, true},
        {"the refusal comes first", 10000, 0, true, true, true},
        {"long after", 10000, 900, false, true, false},
        {"it does not come back", 10000, 0, false, false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stop();
        start();
        sc_fake_worker w = {.instance = 50, .name = "w"};
        sc_message m;
        sc_fake_worker_ready(&f, 2, &w);
        sc_fake_client(&f, 1);
        sc_fake_array(&f, 1, 1, 0, 1, NULL);
        cr_assert(sc_fake_take(&f, 2, SC_MSG_RUN, &m), "%s", rows[i].name);
        sc_held_run held = {m.run.job, m.run.token, 0, 1, true, 1, 0, false};
        f.now_ms += rows[i].is_before_tick ? rows[i].late_ms : 0;
        if (!rows[i].is_before_tick)
            sc_fake_late_tick(&f, rows[i].late_ms);
        sc_fake_pass(&f, rows[i].after_ms, 3);
        sc_core_send_failed(f.core, 2, f.now_ms);
        sc_core_check(f.core);
        sc_fake_worker other = {.instance = 51, .name = "other"};
        sc_fake_worker_ready(&f, 3, &other);
        if (rows[i].comes_back) {
            sc_fake_hello_worker(&f, 4, &w);
            m = (sc_message){.type = SC_MSG_HELD, .held = {{&held, 1}}};
            sc_fake_say(&f, 4, &m);
            sc_fake_say(&f, 4, &(sc_message){.type = SC_MSG_READY});
        } else {
            sc_fake_pass(&f, 802, 4);
        }
        sc_core_check(f.core);
        cr_expect_eq(sc_fake_count(&f, 3, SC_MSG_RUN), !rows[i].want_kept, "%s", rows[i].name);
    }
}
