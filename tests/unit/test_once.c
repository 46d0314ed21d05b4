/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks that may not be repeated: their slots, given, found again, bounded; and how long a session
 * keeps them. */
#include "tests/unit/test_worker_script.h"

#include "worker/once.h"

struct heard {
    uint32_t n, last;
};

static void
hear(void *arg, uint32_t slot)
{
    struct heard *heard = arg;

    heard->n++;
    heard->last = slot;
}

Test(once, slots)
{
    struct heard heard = {0};
    sc_once o;
    uint32_t slot;

    sc_once_init(&o, hear, &heard);
    for (uint32_t i = 0; i < SC_ONCE_MAX; i++) {
        cr_assert(sc_once_has_room(&o), "%u", i);
        slot = sc_once_add(&o, (sc_token){1, i % 3}, i / 2); // buckets with more than one
        cr_assert_eq(slot, i);
    }
    cr_expect(!sc_once_has_room(&o));
    sc_once_remove(&o, (sc_token){1, 9}, 3);
    sc_once_remove(&o, (sc_token){2, 0}, 3);
    sc_once_remove(&o, (sc_token){1, 6 % 3}, 99999);
    cr_expect_eq(heard.n, 0, "nobody has these");
    sc_once_remove(&o, (sc_token){1, 6 % 3}, 3);
    cr_expect_eq(heard.n, 1);
    cr_expect_eq(heard.last, 6);
    sc_once_remove(&o, (sc_token){1, 6 % 3}, 3);
    cr_expect_eq(heard.n, 1, "it is gone already");
    cr_expect_eq(sc_once_add(&o, (sc_token){8, 8}, UINT64_MAX), 6, "the free one");
    cr_expect(!sc_once_has_room(&o));
    for (uint32_t i = 0; i < SC_ONCE_MAX; i++)
        if (i != 6)
            sc_once_remove(&o, (sc_token){1, i % 3}, i / 2);
    cr_expect_eq(heard.n, SC_ONCE_MAX);
    cr_expect_eq(o.n_used, 1);
}

Test(once, nobody_is_told)
{
    sc_once o;

    sc_once_init(&o, NULL, NULL);
    sc_once_add(&o, (sc_token){1, 2}, 3);
    sc_once_remove(&o, (sc_token){1, 2}, 3);
    cr_expect_eq(o.n_used, 0);
}

/* ---- in a session ---- */

/* A task that may not be repeated is named as started until nobody will ask for its result. */
Test(once, session)
{
    static const struct row rows[] = {
        {"until it is acknowledged", "W r1:0+3O t3 e1 f e0 f a1 a1 a2",
         "HELLO READY 1/0 1/1 1/2 RESULTS#1:1=1+ RESULTS#2:1=0+ free=1 free=0 "},
        {"not by an acknowledgement of others", "W r1:0+1 r2:5+1O t2 e5 e0 a1 a2",
         "HELLO READY 1/0 2/5 RESULTS#1:2=5+ RESULTS#2:1=0+ free=0 "},
        {"not by a new session", "W r1:0+1O t1 e0 w W a1",
         "HELLO READY 1/0 RESULTS#1:1=0+ HELLO HELD=1:0+1s, READY RESULTS#1:1=0+ free=0 "},
        {"given up, until it is acknowledged", "W r1:0+1O r2:5+1 t2 u0 e0 e5 a1",
         "HELLO READY 1/0 2/5 RESULTS#1:1=0- RESULTS#2:2=5+ free=0 "},
        {"given up, acknowledged before it ends", "W r1:0+1O r2:5+1 t2 u0 a1 e5 e0",
         "HELLO READY 1/0 2/5 RESULTS#1:1=0- free=0 RESULTS#2:2=5+ "},
        {"given up and forgotten", "W r1:0+1O t1 u0 F1:0+1",
         "HELLO READY 1/0 RESULTS#1:1=0- free=0 cancel=0 "},
        {"forgotten while it runs: when it ends", "W r1:0+2O t2 F1:0+2 e1",
         "HELLO READY 1/0 1/1 cancel=1 cancel=0 free=0 free=1 "},
        {"forgotten after its end", "W r1:0+2O t2 e0 e1 F1:0+2",
         "HELLO READY 1/0 1/1 RESULTS#1:1=0+1+ free=0 free=1 "},
        {"what never started has no slot", "W r1:0+2O q1:0+2 r2:5+1O t1 e5 a1",
         "HELLO READY RECALLED:1=0+2, 2/5 RESULTS#1:2=5+ free=0 "},
    };

    RUN_ROWS(rows);
}

/* Without a free slot none of them starts; others do. */
Test(once, session_is_bounded)
{
    struct world w = {.name = "bound", .now_ms = 1000, .max_bytes = SIZE_MAX};
    sc_session_config config = {.hello = &hello,
                                .heartbeat_ms = HEARTBEAT,
                                .lease_ms = LEASE,
                                .result_max_bytes = 1 << 24,
                                .actions = {on_send, on_cancel, NULL, &w}};
    static const sc_ending ending = {.data = "1", .len = 1};
    char runs[][20] = {"1:0+50O", "2:0+1", "3:0+1Tc0", "4:0+2Oc10"};
    sc_started task;

    cr_assert_eq(sc_session_new(&config, 0, &w.session), 0);
    step_session(&w, 'W', 0);
    for (uint64_t n = 0; n < SC_ONCE_MAX; n++) {
        if (n % 50 == 0) {
            snprintf(runs[0], sizeof runs[0], "%d:0+50O", 10 + (int)(n / 50));
            step_run(&w, runs[0]);
        }
        cr_assert(sc_session_take(w.session, SC_SLOT_ASYNC, &task), "%d", (int)n);
        cr_assert(task.once < SC_ONCE_MAX);
        sc_session_end(w.session, &task, &ending, 0);
    }
    cr_expect(!sc_session_take(w.session, SC_SLOT_ASYNC, &task));
    for (int i = 1; i < 4; i++)
        step_run(&w, runs[i]);
    w.got[0] = '\0';
    step_take(&w, 3);
    cr_expect_str_eq(w.got, "2/0 3/0 none ", "%s", w.got);
    step_session(&w, 'a', 1);
    step_take(&w, 1);
    cr_expect_str_eq(w.got, "2/0 3/0 none 4/0 ", "%s", w.got);
    finish(&w);
}
