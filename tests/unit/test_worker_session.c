/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's session, by scripts: joining, runs, recall, what is held, drain. */
#include "tests/unit/test_worker_script.h"

Test(session, joining)
{
    static const struct row rows[] = {
        {"hello", ".", "HELLO "},
        {"welcome", "W", "HELLO READY "},
        {"repeated until it is answered", "k99 k1 k100", "HELLO HELLO HELLO "},
        {"heartbeats", "W k99 k1 k50 k50", "HELLO READY HEARTBEAT=0/0 HEARTBEAT=0/0 "},
        {"welcome twice lists once", "W W", "HELLO READY "},
        {"welcome of a HELLO that was repeated", "k100 o1", "HELLO HELLO READY "},
        {"welcome of a HELLO from before", "o1 w o1 k100 o1", "HELLO READY HELLO HELLO "},
        {"and of the next", "o1 w o1 o2 o2", "HELLO READY HELLO READY "},
        {"welcome of a HELLO from before silence", "k100 o1 k401 o2 o3",
         "HELLO HELLO READY HELLO READY "},
        {"welcome of a HELLO from before a refusal", "o1 v-5000 o1 k1 o2",
         "HELLO READY HELLO READY "},
        {"who while joining", "w W", "HELLO READY "},
        {"who after welcome", "W w W", "HELLO READY HELLO READY "},
        {"silence", "W k401 k99 W", "HELLO READY HELLO READY "},
        {"silence of a late clock", "W l350 k60 W", "HELLO READY HEARTBEAT=0/0 "},
        {"READY could not be said", "s W S k1 W", "HELLO HELLO READY "},
        {"a run before welcome is nothing", "r1:0+1 t1", "HELLO none "},
        {"refused malformed", "W v-5000 k99 k1 W", "HELLO READY HELLO READY "},
        {"name taken, then free", "v-5008 k100 W", "HELLO HELLO READY "},
        {"name taken for a lease", "v-5008 k401 v-5008 k100", "HELLO HELLO "},
        {"no room at first, for a lease", "v-5002 k401 v-5002 k100", "HELLO HELLO "},
        {"no room later", "W w v-5002 k401 v-5002 k100 v-5002 k401 v-5002 k100 W",
         "HELLO READY HELLO HELLO HELLO HELLO HELLO READY "},
        {"name taken later, for a lease", "W w v-5008 k401 v-5008 k100",
         "HELLO READY HELLO HELLO "},
        {"shutting down is not for good", "v-5022 k100 k100", "HELLO HELLO HELLO "},
        {"version is", "v-5001 k100 k100", "HELLO "},
    };

    RUN_ROWS(rows);
}

Test(session, runs)
{
    static const struct row rows[] = {
        {"in order", "W r1:5+3 t4", "HELLO READY 1/5 1/6 1/7 none "},
        {"by arrival", "W r1:0+1 r2:10+1 t2", "HELLO READY 1/0 2/10 "},
        {"by class, then arrival", "W r1:0+2 r2:10+1c9 r3:20+1c10 r4:30+1c9 t1 r5:40+1c10 t5",
         "HELLO READY 3/20 5/40 2/10 4/30 1/0 1/1 "},
        {"kinds have queues of their own", "W r1:0+1Tc9 r2:5+1c0 t2", "HELLO READY 2/5 1/0 "},
        {"said twice", "W r1:0+1 r1:0+1 t2", "HELLO READY 1/0 none "},
        {"the same number of another epoch", "W r1:0+1 r1:5+1N t2", "HELLO READY 1/0 1/5 "},
        {"what a task takes", "W r1:0+1 t1 m1000 e0", "HELLO READY 1/0 RESULTS#1:1=0+$1024 "},
        {"end", "W r1:0+2 t2 e0 e1", "HELLO READY 1/0 1/1 RESULTS#1:1=0+1+ "},
        {"a turn's results travel together", "W r1:0+3 t3 e2 e0 f e1",
         "HELLO READY 1/0 1/1 1/2 RESULTS#1:1=2+0+ RESULTS#2:1=1+ "},
        {"errors", "W r1:0+1a3 t1 E0", "HELLO READY 1/0 RESULTS#1:1=0-r "},
        {"large results go at once", "W r1:0+2 t2 X0 e1 ",
         "HELLO READY 1/0 1/1 RESULTS#1:1=0+ RESULTS#2:1=1+ "},
        {"no message is larger than the link takes", "W r1:0+3 t3 Z0 V1 e2",
         "HELLO READY 1/0 1/1 1/2 RESULTS#1:1=0+ RESULTS#2:1=1+ RESULTS#3:1=2+ "},
        {"small ones, then the largest", "W r1:0+9 t3 e0 e1 V2 f",
         "HELLO READY 1/0 1/1 1/2 RESULTS#1:1=0+1+ RESULTS#2:1=2+ "},
        {"what the link will never take becomes errors", "W L r1:0+4 t4 e2 X0 e1 e3 a2 r2:5+1 t1",
         "HELLO READY 1/0 1/1 1/2 1/3 RESULTS#1:1=2-0- RESULTS#2:1=1+3+ 2/5 "},
        {"unknown handler", "W r1:3+2U t1", "HELLO READY RESULTS#1:1=3-4- none "},
        {"broken table", "W r1:0+2B t1", "HELLO READY RESULTS#1:1=0-1- none "},
        {"too much",
         "W r1:0+60 r2:0+60 r3:0+60 r4:0+60 r5:0+60 r6:0+60 r7:0+60 r8:0+60 r9:0+60 r10:0+60 "
         "r11:0+60 r12:0+60 r13:0+60 r14:0+60 r15:0+60 r16:0+60 r17:0+60 r18:0+60 r19:0+60 "
         "r20:0+60 r21:5+1",
         "HELLO READY RECALLED:21=5+1, "},
        {"results not acknowledged stop new work", "W r1:0+2 r2:5+2 t2 X0 e1 t1 a2 t1",
         "HELLO READY 1/0 1/1 RESULTS#1:1=0+ RESULTS#2:1=1+ none 2/5 "},
        {"many small ones do too", "W r1:0+1 r2:1+1 r3:2+1 r4:3+1 r5:4+1 t4 e0 e1 e2 e3 t1",
         "HELLO READY 1/0 2/1 3/2 4/3 RESULTS#1:1=0+ RESULTS#2:2=1+ RESULTS#3:3=2+ RESULTS#4:4=3+ "
         "none "},
        {"results not yet sent do too", "W r1:0+3 t2 Y0 t1 f a1 t1",
         "HELLO READY 1/0 1/1 none RESULTS#1:1=0+ 1/2 "},
        {"a refused send is tried again", "W r1:0+1 t1 s e0 f S f",
         "HELLO READY 1/0 RESULTS#1:1=0+ "},
    };

    RUN_ROWS(rows);
}

Test(session, recall)
{
    static const struct row rows[] = {
        {"all waiting", "W r1:0+5 t2 q1:0+5 t1", "HELLO READY 1/0 1/1 RECALLED:1=2+3, none "},
        {"the middle", "W r1:0+6 t1 q1:2+2 t4",
         "HELLO READY 1/0 RECALLED:1=2+2, 1/1 1/4 1/5 none "},
        {"twice", "W r1:0+3 q1:1+1 q1:0+3", "HELLO READY RECALLED:1=1+1, RECALLED:1=0+1,2+1, "},
        {"none waits", "W r1:0+1 t1 q1:0+1", "HELLO READY 1/0 RECALLED:1= "},
        {"unknown run", "W q7:0+9", "HELLO READY RECALLED:7= "},
        {"a whole job", "W r1:0+2 r2:2+2 r10:0+2 q0:0+100 t3",
         "HELLO READY RECALLED:1=0+2, RECALLED:2=2+2, 10/0 10/1 none "},
        {"cancel", "W r1:0+4 t2 Q1:0+4 e1",
         "HELLO READY 1/0 1/1 RECALLED:1=2+2, cancel=1 cancel=0 RESULTS#1:1=0x1+ "},
        {"forget: no answer, no result", "W r1:0+4 t2 F1:0+4 f e1 f t1",
         "HELLO READY 1/0 1/1 cancel=1 cancel=0 none "},
        {"forget what is not acknowledged", "W r1:0+1 t1 e0 F1:0+1 w W",
         "HELLO READY 1/0 RESULTS#1:1=0+ HELLO READY "},
        {"forget what has ended and was not said", "W r1:0+3 t1 e0 F1:0+3 f w W",
         "HELLO READY 1/0 HELLO READY "},
        {"what is given back could not be said", "W r1:0+3 s q1:0+3 S k1 W",
         "HELLO READY HELLO READY "},
        {"forget another job", "W r10:0+1 t1 e0 F0:0+9 w W",
         "HELLO READY 10/0 RESULTS#1:10=0+ HELLO HELD=10:0+1s, READY RESULTS#1:10=0+ "},
        {"forget what is next to be said", "W r1:0+1 r2:5+1 t2 s e0 e5 F1:0+1 S f",
         "HELLO READY 1/0 2/5 RESULTS#1:2=5+ "},
        {"forget another run", "W r2:0+1 t1 e0 F1:0+1 w W",
         "HELLO READY 2/0 RESULTS#1:2=0+ HELLO HELD=2:0+1s, READY RESULTS#1:2=0+ "},
        {"forget a run of another epoch", "W r1:0+1 t1 e0 F1:0+1N w W",
         "HELLO READY 1/0 RESULTS#1:1=0+ HELLO HELD=1:0+1s, READY RESULTS#1:1=0+ "},
        {"forget one of a message", "W r1:0+2 t2 e0 e1 F1:1+1 w W",
         "HELLO READY 1/0 1/1 RESULTS#1:1=0+1+ HELLO HELD=1:0+2s, READY RESULTS#1:1=0+1+ "},
        {"forget another range", "W r1:0+1 t1 e0 F1:1+5 w W",
         "HELLO READY 1/0 RESULTS#1:1=0+ HELLO HELD=1:0+1s, READY RESULTS#1:1=0+ "},
    };

    RUN_ROWS(rows);
}

Test(session, held)
{
    static const struct row rows[] = {
        {"waiting and started", "W r1:0+5 t2 w W",
         "HELLO READY 1/0 1/1 HELLO HELD=1:0+2s,1:2+3, READY "},
        {"with holes", "W r1:0+6 t4 e1 f q1:4+1 a1 w W",
         "HELLO READY 1/0 1/1 1/2 1/3 RESULTS#1:1=1+ RECALLED:1=4+1, "
         "HELLO HELD=1:0+1s,1:2+2s,1:5+1, READY "},
        {"a message with a hole", "W r1:0+3 t3 e0 e2 f w W",
         "HELLO READY 1/0 1/1 1/2 RESULTS#1:1=0+2+ "
         "HELLO HELD=1:1+1s,1:0+1s,1:2+1s, READY RESULTS#1:1=0+2+ "},
        {"not acknowledged, again from 1", "W r1:0+3 t3 e0 f e2 f a1 w W",
         "HELLO READY 1/0 1/1 1/2 RESULTS#1:1=0+ RESULTS#2:1=2+ "
         "HELLO HELD=1:1+1s,1:2+1s, READY RESULTS#1:1=2+ "},
        {"what was not sent cannot be acknowledged", "W r1:0+2 t2 s e0 f a9 S f",
         "HELLO READY 1/0 1/1 RESULTS#1:1=0+ "},
        {"results while out of touch", "W r1:0+1 t1 w e0 f W",
         "HELLO READY 1/0 HELLO HELD=1:0+1s, READY RESULTS#1:1=0+ "},
        {"acknowledged", "W r1:0+1 t1 e0 a1 w W", "HELLO READY 1/0 RESULTS#1:1=0+ HELLO READY "},
        {"what runs through a stall may be adopted: results with the old token",
         "W r1:0+5 t3 e1 f l500 t1 W e0 f e2 a3 w W",
         "HELLO READY 1/0 1/1 1/2 RESULTS#1:1=1+ HELLO none HELD=1:0+1s,1:2+1s,1:1+1s, READY "
         "RESULTS#1:1=1+ RESULTS#2:1=0+ RESULTS#3:1=2+ HELLO READY "},
        {"or is not wanted", "W r1:0+5 t3 l500 W F1:0+3 e1 f t1 w W",
         "HELLO READY 1/0 1/1 1/2 HELLO HELD=1:0+3s, READY cancel=2 cancel=1 cancel=0 none "
         "HELLO READY "},
        {"a stall with nothing that runs", "W r1:0+5 r2:5+1 l500 t1 W t1",
         "HELLO READY HELLO none READY none "},
        {"nothing was said for a lease, although no tick was late",
         "W r1:0+3 t1 k100 s a0 k200 a0 k200 a0 k10 S k11 t1 W",
         "HELLO READY 1/0 HEARTBEAT=1/2 HELLO none HELD=1:0+1s, READY "},
        {"nor is it hidden by what is said before the tick", "W r1:0+1 r2:5+3 t2 n401 e0 k1 W",
         "HELLO READY 1/0 2/5 RESULTS#1:1=0+ HELLO HELD=2:5+1s,1:0+1s, READY RESULTS#1:1=0+ "},
        {"for the lease, no longer", "W r1:0+2 t1 l400 t1", "HELLO READY 1/0 HEARTBEAT=1/1 1/1 "},
        {"a list with a hole is none", "W r1:0+2 t1 w M1 W e0 f W",
         "HELLO READY 1/0 HELLO HELLO HELD=1:1+1,1:0+1s, READY RESULTS#1:1=0+ "},
        {"a list without its end is none", "W r1:0+2 t1 w M2 W W",
         "HELLO READY 1/0 HELLO HELD=1:0+1s,1:1+1, HELLO HELD=1:0+1s,1:1+1, READY "},
        {"a stall throws away what waits", "W r1:0+5 t1 l500 t1 W e0",
         "HELLO READY 1/0 HELLO none HELD=1:0+1s, READY RESULTS#1:1=0+ "},
    };

    RUN_ROWS(rows);
}

Test(session, drain)
{
    static const struct row rows[] = {
        {"idle", "W d k100", "HELLO READY HEARTBEAT=0/0d BYE "},
        {"never joined", "d k100", "HELLO "},
        {"gives back, finishes, leaves", "W r1:0+3 t1 d e0 k1 a1 k1",
         "HELLO READY 1/0 HEARTBEAT=1/2d RECALLED:1=1+2, RESULTS#1:1=0+ BYE "},
        {"stays until its results are acknowledged", "W r1:0+1 t1 d e0 k1 k1 a1",
         "HELLO READY 1/0 HEARTBEAT=1/0d RESULTS#1:1=0+ "},
        {"what has ended is said", "W r1:0+2 t1 e0 d",
         "HELLO READY 1/0 HEARTBEAT=0/1d RECALLED:1=1+1, RESULTS#1:1=0+ "},
        {"takes nothing new", "W r1:0+1 t1 d r2:5+2",
         "HELLO READY 1/0 HEARTBEAT=1/0d RECALLED:2=5+2, "},
        {"joins as draining", "W r1:0+1 t1 d w W",
         "HELLO READY 1/0 HEARTBEAT=1/0d HELLO HELD=1:0+1s, READYd "},
        {"twice", "W r1:0+1 t1 d d", "HELLO READY 1/0 HEARTBEAT=1/0d "},
        {"nobody is there to acknowledge", "W r1:0+1 t1 e0 d k300 k101 k100 k100",
         "HELLO READY 1/0 RESULTS#1:1=0+ HEARTBEAT=0/0d HEARTBEAT=0/0d HELLO "},
        {"nobody is there when the last one ends", "W r1:0+1 t1 d k401 k100 e0 f k1 k100 k100",
         "HELLO READY 1/0 HEARTBEAT=1/0d HELLO HELLO "},
        {"a new coordinator is there", "W r1:0+1 t1 e0 d k300 w k300 W k200 a1 k1",
         "HELLO READY 1/0 RESULTS#1:1=0+ HEARTBEAT=0/0d HEARTBEAT=0/0d HELLO HELLO "
         "HELD=1:0+1s, READYd RESULTS#1:1=0+ HEARTBEAT=0/0d BYE "},
        {"late itself, which is no silence", "W r1:0+1 t1 e0 d l350 k100 l350 k100 a1 k1",
         "HELLO READY 1/0 RESULTS#1:1=0+ HEARTBEAT=0/0d HEARTBEAT=0/0d HEARTBEAT=0/0d "
         "HEARTBEAT=0/0d HEARTBEAT=0/0d BYE "},
        {"late for longer than its lease", "W r1:0+1 t1 e0 d l500 k100 W a1 k1",
         "HELLO READY 1/0 RESULTS#1:1=0+ HEARTBEAT=0/0d HELLO HELLO HELD=1:0+1s, READYd "
         "RESULTS#1:1=0+ BYE "},
    };

    RUN_ROWS(rows);
}

Test(session, progress)
{
    static const struct row rows[] = {
        {"is told with a heartbeat", "W r1:5+2 t2 p5:1/4 k1 p6:9/0 k50 k49 k1",
         "HELLO READY 1/5 1/6 PROGRESS=1/5:1/4, HEARTBEAT=2/0 PROGRESS=1/6:9/0, "},
        {"the latest, and only what changed", "W r1:0+2 t2 p0:1/4 p0:2/4 p1:1/1 k100 p0:2/4 k100",
         "HELLO READY 1/0 1/1 HEARTBEAT=2/0 PROGRESS=1/0:2/4,1/1:1/1, HEARTBEAT=2/0 "},
        {"who waits keeps the place", "W r1:0+2 t2 p0:1/4 p1:1/4 p0:2/4 k1",
         "HELLO READY 1/0 1/1 PROGRESS=1/0:2/4,1/1:1/4, "},
        {"more than the whole", "W r1:0+1 t1 p0:7/4 k1", "HELLO READY 1/0 PROGRESS=1/0:4/4, "},
        {"nothing of a whole", "W r1:0+1 t1 p0:0/4 k1", "HELLO READY 1/0 PROGRESS=1/0:0/4, "},
        {"not of what has ended", "W r1:0+2 t2 p0:1/4 p1:1/4 e0 k1",
         "HELLO READY 1/0 1/1 RESULTS#1:1=0+ PROGRESS=1/1:1/4, "},
        {"nor of what is forgotten", "W r1:1+1 t1 p1:1/4 F1:0+9 p1:2/4 k1",
         "HELLO READY 1/1 cancel=1 "},
        {"nor of a call", "W r1:0+1c10 t1 p0:1/4 k1", "HELLO READY 1/0 "},
        {"a slot used again says nothing", "W r1:0+2 t1 p0:1/4 e0 t1 k1",
         "HELLO READY 1/0 1/1 RESULTS#1:1=0+ "},
        {"what cannot be sent is told later", "W r1:0+1 t1 p0:1/4 s k1 S k1",
         "HELLO READY 1/0 PROGRESS=1/0:1/4, "},
        {"while joining nothing is told", "r1:0+1 W r1:0+1 t1 w p0:1/4 k1 W k1",
         "HELLO READY 1/0 HELLO HELD=1:0+1s, READY PROGRESS=1/0:1/4, "},
        {"who welcomes us again is told all", "W r1:0+2 t2 p0:1/4 k1 w p1:3/4 W k100",
         "HELLO READY 1/0 1/1 PROGRESS=1/0:1/4, HELLO HELD=1:0+2s, READY HEARTBEAT=2/0 "
         "PROGRESS=1/1:3/4,1/0:1/4, "},
    };

    RUN_ROWS(rows);
}

enum { MANY = 150 };

static void
take_many(struct world *w, sc_started tasks[MANY])
{
    for (int i = 0; i < MANY / 50; i++) {
        char words[16];

        snprintf(words, sizeof words, "%d:%d+50", i + 1, 50 * i);
        step_run(w, words);
    }
    for (int i = 0; i < MANY; i++)
        cr_assert(sc_session_take(w->session, SC_SLOT_ASYNC, &tasks[i]));
}

/* More than one message takes go in turn, so that all are told though all go on. */
Test(session, progress_of_many)
{
    static const sc_ending ending = {.data = "1", .len = 1};
    static sc_started tasks[MANY];
    struct world w = {.name = "many", .now_ms = 1000, .max_bytes = SIZE_MAX};
    sc_session_config config = {.hello = &hello,
                                .heartbeat_ms = HEARTBEAT,
                                .lease_ms = LEASE,
                                .result_max_bytes = 1000,
                                .actions = {on_send, on_cancel, on_release, &w}};

    cr_assert_eq(sc_session_new(&config, w.now_ms, &w.session), 0);
    step_session(&w, 'W', 0);
    take_many(&w, tasks);
    for (int beat = 1; beat <= 3; beat++) {
        int n_rows = 0;

        for (int i = 0; i < MANY; i++)
            sc_session_progress(w.session, &tasks[i], (uint64_t)beat, 9);
        w.got[0] = '\0';
        sc_session_tick(w.session, w.now_ms += HEARTBEAT, 0);
        for (const char *at = w.got; (at = strchr(at, ':')); at++)
            n_rows++;
        cr_expect_eq(n_rows, SC_PROGRESS_A_MESSAGE, "beat %d: %d", beat, n_rows);
        cr_expect(sc_session_check(w.session));
    }
    cr_expect(strstr(w.got, "3/149:3/9,1/0:3/9,"), "the last ones, then the first again: %s",
              w.got);
    for (int i = 0; i < MANY; i++)
        sc_session_end(w.session, &tasks[i], &ending, w.now_ms);
    sc_session_free(&w.session);
}

Test(session, refused_for_good)
{
    static const struct {
        const char *name;
        sc_refused refused;
        const char *want;
    } rows[] = {
        {"version",
         {.code = SC_EVERSION, .protocol_min = 7, .protocol_max = 8, .version = {"9.1", 3}},
         "the coordinator is version 9.1 (protocol 7 to 8)"},
        {"bad arguments",
         {.code = SC_EBADARG, .text = {"role", 4}},
         "refused: bad_arguments: role"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world w = {.name = rows[i].name, .max_bytes = SIZE_MAX};
        sc_session_config config = {.hello = &hello,
                                    .heartbeat_ms = HEARTBEAT,
                                    .lease_ms = LEASE,
                                    .actions = {on_send, on_cancel, on_release, &w}};
        sc_message m = {.type = SC_MSG_REFUSED, .refused = rows[i].refused};

        cr_assert_eq(sc_session_new(&config, 0, &w.session), 0);
        sc_session_message(w.session, &m, 1);
        cr_expect_eq(sc_session_member(w.session)->state, SC_MEMBER_ENDED, "%s", rows[i].name);
        cr_expect_eq(sc_session_member(w.session)->code, (int)rows[i].refused.code, "%s",
                     rows[i].name);
        cr_expect(strstr(sc_session_member(w.session)->text, rows[i].want), "%s: %s", rows[i].name,
                  sc_session_member(w.session)->text);
        sc_session_free(&w.session);
    }
}

/* Arguments of an array are joined from its pieces. */
Test(session, array)
{
    static const uint32_t lengths[] = {5, 1};
    struct world w = {.name = "array", .max_bytes = SIZE_MAX};
    sc_session_config config = {.hello = &hello,
                                .heartbeat_ms = HEARTBEAT,
                                .lease_ms = LEASE,
                                .result_max_bytes = 1000,
                                .actions = {on_send, on_cancel, on_release, &w}};
    sc_message m = {.type = SC_MSG_RUN,
                    .run = {.handler = {"quick", 5},
                            .token = {9, 1},
                            .first = 41,
                            .count = 2,
                            .attempt = 1,
                            .is_array = true},
                    .table = sc_slice_borrow(lengths, sizeof lengths),
                    .bytes = sc_slice_borrow("{\"i\":}", 6)};
    sc_buffer scratch;
    sc_slice args;

    sc_buffer_init(&scratch, 0);
    cr_assert_eq(sc_session_new(&config, 0, &w.session), 0);
    step_session(&w, 'W', 0);
    sc_session_message(w.session, &m, 0);
    step_take(&w, 2);
    cr_assert_eq(sc_started_args(&w.tasks[1], &scratch, &args), 0);
    cr_assert_eq(args.len, 8);
    cr_assert_arr_eq(args.data, "{\"i\":42}", 8);
    finish(&w);
    sc_buffer_fini(&scratch);
}

Test(session, arguments_that_are_results)
{
    static const struct row rows[] = {
        {"waits for them", "W r1:0+2$ t1 G t3", "HELLO READY READ=0 none 1/0 1/1 none "},
        {"page by page", "W r1:0+1$ g t1 G t1", "HELLO READY READ=0 READ=1 none 1/0 "},
        {"others go by", "W r1:0+1$ r2:5+1 t2 G t1", "HELLO READY READ=0 2/5 none 1/0 "},
        {"the next run of the job has them", "W r1:0+1$ G t1 r2:1+1$ t1",
         "HELLO READY READ=0 1/0 2/1 "},
        {"one that comes meanwhile waits, too", "W r1:0+1$ r2:1+1$ t1 G t2",
         "HELLO READY READ=0 none 1/0 2/1 "},
        {"another job after that", "W r1:0+1$ r10:0+1$ G t1 G t1",
         "HELLO READY READ=0 READ=0 1/0 10/0 "},
        {"refused", "W r1:0+2$ R-5010 t1", "HELLO READY READ=0 RESULTS#1:1=0-1- none "},
        {"refused, and asked again for the next", "W r1:0+1$ R-5010 r2:1+1$ G t1",
         "HELLO READY READ=0 RESULTS#1:1=0- READ=0 2/1 "},
        {"refused for what may pass", "W r1:0+1$ R-5 . k100 R-5004 k100 G t1",
         "HELLO READY READ=0 READ=0 READ=0 1/0 "},
        {"given back meanwhile", "W r1:0+2$ q1:0+2 G t1",
         "HELLO READY READ=0 RECALLED:1=0+2, none "},
        {"given back in part, refused", "W r1:0+3$ q1:1+1 R-5010",
         "HELLO READY READ=0 RECALLED:1=1+1, RESULTS#1:1=0-2- "},
        {"nobody needs the first any more", "W r1:0+1$ r10:0+1$ q1:0+1 k1 G t1",
         "HELLO READY READ=0 RECALLED:1=0+1, READ=0 10/0 "},
        {"the answer of before is nothing", "W r1:0+1$ q1:0+1 r10:0+1$ g t1",
         "HELLO READY READ=0 RECALLED:1=0+1, READ=0 READ=1 none "},
        {"an answer twice", "W r1:0+1$ g R-5010 G t1",
         "HELLO READY READ=0 READ=1 RESULTS#1:1=0- none "},
        {"another session asks again", "W r1:0+1$ g w W G t1",
         "HELLO READY READ=0 READ=1 HELLO HELD=1:0+1, READY READ=1 1/0 "},
        {"could not be said", "W s r1:0+1$ S k1 G t1", "HELLO READY READ=0 1/0 "},
        {"drained", "W r1:0+1$ d G", "HELLO READY READ=0 HEARTBEAT=0/1d RECALLED:1=0+1, BYE "},
        {"thrown away after silence", "W r1:0+1$ l500 W G t1",
         "HELLO READY READ=0 HELLO READY none "},
    };

    RUN_ROWS(rows);
}
