/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's session, by scripts: a line of steps, and the line of what the session then sent and
 * cancelled, in the same short words.
 *
 *   W     WELCOME; w: WHO; vN: REFUSED with code N; aN: RESULTS_ACK
 *   r     RUN run:first+count, then aN attempt, cN class, T thread handler, U unknown handler,
 *         O tasks that may not be repeated, B a broken table, N of the next epoch
 *   tN    take N tasks
 *   eI    end the task of index I; E: with an error worth a retry; X: with 300 KiB; Y: with 2 KiB;
 *         V: with 16 MiB; Z: with 4 bytes less than what is sent at once
 *   mN    a task of the first handler took N ns
 *   q     RECALL run:first+count (run 0: the whole job), then N of the next epoch; Q: cancel;
 *         F: forget
 *   f     flush; kN: tick N ms later; lN: tick that comes N ms late; d: drain
 *   MN    the Nth message from now on cannot be sent
 *   s     sending fails from now on; S: it works again; L: it refuses results of 1000 bytes or more
 *   .     nothing
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/log.h"
#include "proto/run.h"
#include "worker/session.h"

enum { MAX_STARTED = 64, HEARTBEAT = 100, LEASE = 400 };

struct world {
    const char *name;
    sc_session *session;
    sc_started tasks[MAX_STARTED];
    bool is_used[MAX_STARTED];
    int64_t now_ms;
    bool is_mute;
    int mute_in;      // messages from now: that one cannot be sent
    size_t max_bytes; // of values in a message
    char got[2000];
};

static const sc_hello_handler handlers[] = {
    {.name = {"quick", 5}, .kind = SC_SLOT_ASYNC},
    {.name = {"heavy", 5}, .kind = SC_SLOT_THREAD},
    {.name = {"single", 6}, .kind = SC_SLOT_ASYNC, .is_once = true},
};
static const sc_hello hello = {.role = SC_ROLE_WORKER,
                               .name = {"w-1", 3},
                               .credit_tasks = 100,
                               .credit_bytes = 1 << 20,
                               .handlers = {handlers, 3}};

static void say(struct world *w, const char *format, ...) SC_PRINTF(2, 3);

static void
say(struct world *w, const char *format, ...)
{
    size_t at = strlen(w->got);
    va_list args;

    va_start(args, format);
    vsnprintf(w->got + at, sizeof w->got - at, format, args);
    va_end(args);
}

static void
say_results(struct world *w, const sc_message *m)
{
    static const char outcomes[] = "+-x";

    say(w, "RESULTS#%d:%d=", (int)m->results.number, (int)m->results.token.run);
    cr_assert_eq(sc_records_check(m->table, m->bytes, SC_TASK_MAX_BYTES), 0, "%s", w->name);
    for (uint32_t i = 0; i < sc_records_count(m->table); i++) {
        sc_record r = sc_records_get(m->table, i);

        say(w, "%d%c%s", (int)(m->results.base + r.offset), outcomes[r.outcome],
            r.flags & SC_RECORD_RETRY ? "r" : "");
    }
    if (m->results.cost_ns > 0)
        say(w, "$%d", (int)m->results.cost_ns);
    say(w, " ");
}

static int
on_send(void *arg, const sc_message *m)
{
    struct world *w = arg;

    if (w->is_mute || (w->mute_in > 0 && --w->mute_in == 0))
        return -EAGAIN;
    if (m->bytes.len >= w->max_bytes || m->table.len + m->bytes.len > SC_MESSAGE_MAX_BYTES)
        return SC_ETOOLARGE;
    switch (m->type) {
    case SC_MSG_RESULTS:
        say_results(w, m);
        break;
    case SC_MSG_RECALLED:
        say(w, "RECALLED:%d=", (int)m->recalled.token.run);
        for (uint32_t i = 0; i < m->recalled.ranges.n; i++) {
            const sc_range *r = (const sc_range *)m->recalled.ranges.items + i;

            say(w, "%d+%d,", (int)r->first, (int)r->count);
        }
        say(w, " ");
        break;
    case SC_MSG_HELD:
        say(w, "HELD=");
        for (uint32_t i = 0; i < m->held.runs.n; i++) {
            const sc_held_run *r = (const sc_held_run *)m->held.runs.items + i;

            say(w, "%d:%d+%d%s,", (int)r->token.run, (int)r->first, (int)r->count,
                r->is_started ? "s" : "");
        }
        say(w, " ");
        break;
    case SC_MSG_HEARTBEAT:
        say(w, "HEARTBEAT=%u/%u%s ", m->heartbeat.running, m->heartbeat.waiting,
            m->heartbeat.is_draining ? "d" : "");
        break;
    case SC_MSG_READY:
        say(w, "READY%s ", m->ready.is_draining ? "d" : "");
        break;
    default:
        say(w, "%s ", sc_message_name(m->type));
    }
    return 0;
}

static void
end_task(struct world *w, sc_started *task, const sc_ending *ending)
{
    w->is_used[task - w->tasks] = false;
    sc_session_end(w->session, task, ending, w->now_ms);
}

/* Even indexes end when they are cancelled, odd ones later. */
static void
on_cancel(void *arg, sc_started *task)
{
    static const sc_ending ending = {.outcome = SC_CANCELLED, .data = "{}", .len = 2};
    struct world *w = arg;

    say(w, "cancel=%d ", (int)sc_started_index(task));
    if (sc_started_index(task) % 2 == 0)
        end_task(w, task, &ending);
}

static void
on_release(void *arg, uint32_t slot)
{
    say(arg, "free=%u ", slot);
}

static sc_token
token(uint64_t run, const char *words)
{
    return (sc_token){strchr(words, 'N') ? 10 : 9, run};
}

/* The job of a run: runs 1..9 are of one, 10..19 of the next. */
static sc_uuid
job(uint64_t run)
{
    sc_uuid id = {{0}};

    id.bytes[0] = (uint8_t)(1 + run / 10);
    return id;
}

static void
step_run(struct world *w, char *words)
{
    unsigned run, first, count, attempt = 1, class = 4;
    const char *handler = strchr(words, 'T')   ? "heavy"
                          : strchr(words, 'U') ? "nope"
                          : strchr(words, 'O') ? "single"
                                               : "quick";
    uint32_t lengths[100];
    sc_message m = {.type = SC_MSG_RUN};
    char *more;

    cr_assert_eq(sscanf(words, "%u:%u+%u", &run, &first, &count), 3, "%s: %s", w->name, words);
    if ((more = strchr(words, 'a')))
        attempt = (unsigned)atoi(more + 1);
    if ((more = strchr(words, 'c')))
        class = (unsigned)atoi(more + 1);
    for (unsigned i = 0; i < count && i < 100; i++)
        lengths[i] = strchr(words, 'B') ? 2 : 1;
    m.run = (sc_run){.job = job(run),
                     .handler = sc_text_of(handler),
                     .token = token(run, words),
                     .first = first,
                     .count = count,
                     .class = class,
                     .attempt = attempt};
    m.table = sc_slice_borrow(lengths, count * sizeof *lengths);
    m.bytes = sc_slice_borrow(
        "1111111111222222222233333333334444444444555555555566666666667777777777", count);
    sc_session_message(w->session, &m, w->now_ms);
}

static void
step_take(struct world *w, int n)
{
    while (n-- > 0) {
        int i = 0;

        while (w->is_used[i])
            i++;
        if (sc_session_take(w->session, SC_SLOT_ASYNC, &w->tasks[i]) ||
            sc_session_take(w->session, SC_SLOT_THREAD, &w->tasks[i])) {
            w->is_used[i] = true;
            say(w, "%d/%d ", (int)w->tasks[i].assignment->token.run,
                (int)sc_started_index(&w->tasks[i]));
        } else {
            say(w, "none ");
        }
    }
}

static void
step_end(struct world *w, char kind, uint64_t index)
{
    static char large[SC_TASK_MAX_BYTES];
    sc_ending ending = {.outcome = kind == 'E' ? SC_DEAD : SC_DONE,
                        .is_retryable = kind == 'E',
                        .data = large,
                        .len = kind == 'X'   ? 300 * 1024
                               : kind == 'Y' ? 2048
                               : kind == 'V' ? sizeof large
                               : kind == 'Z' ? SC_CHUNK_MAX_BYTES - 4
                                             : 4};

    for (int i = 0; i < MAX_STARTED; i++)
        if (w->is_used[i] && sc_started_index(&w->tasks[i]) == index) {
            end_task(w, &w->tasks[i], &ending);
            return;
        }
    cr_assert_fail("%s: no task %d", w->name, (int)index);
}

static void
step_recall(struct world *w, char kind, const char *words)
{
    unsigned run, first, count;
    sc_message m = {.type = SC_MSG_RECALL};

    cr_assert_eq(sscanf(words, "%u:%u+%u", &run, &first, &count), 3, "%s: %s", w->name, words);
    m.recall = (sc_recall){.job = job(run),
                           .token = run ? token(run, words) : (sc_token){0},
                           .first = first,
                           .count = count,
                           .mode = kind == 'q'   ? SC_RECALL_WAITING
                                   : kind == 'Q' ? SC_RECALL_CANCEL
                                                 : SC_RECALL_FORGET};
    sc_session_message(w->session, &m, w->now_ms);
}

static void
step_session(struct world *w, char kind, int n)
{
    sc_message m = {.type = SC_MSG_WELCOME, .welcome = {.protocol = 1, .epoch = 9}};

    if (kind == 'w')
        m.type = SC_MSG_WHO;
    if (kind == 'v')
        m = (sc_message){.type = SC_MSG_REFUSED, .refused = {.code = n, .text = sc_text_of("no")}};
    if (kind == 'a')
        m = (sc_message){.type = SC_MSG_RESULTS_ACK, .results_ack.number = (uint64_t)n};
    sc_session_message(w->session, &m, w->now_ms);
}

static void
step(struct world *w, char *word)
{
    int n = atoi(word + 1);

    if (strchr("Wwva", *word))
        step_session(w, *word, n);
    else if (*word == 'r')
        step_run(w, word + 1);
    else if (*word == 't')
        step_take(w, n);
    else if (strchr("eEXYVZ", *word))
        step_end(w, *word, (uint64_t)n);
    else if (strchr("qQF", *word))
        step_recall(w, *word, word + 1);
    else if (*word == 'm')
        sc_session_measure(w->session, 0, n);
    else if (*word == 'f')
        sc_session_flush(w->session, w->now_ms);
    else if (*word == 'k')
        sc_session_tick(w->session, w->now_ms += n, 0);
    else if (*word == 'l')
        sc_session_tick(w->session, w->now_ms += n, n);
    else if (*word == 'd')
        sc_session_drain(w->session, w->now_ms);
    else if (*word == 's' || *word == 'S')
        w->is_mute = *word == 's';
    else if (*word == 'M')
        w->mute_in = n;
    else if (*word == 'L')
        w->max_bytes = 1000;
}

static void
finish(struct world *w)
{
    static const sc_ending ending = {.data = "1", .len = 1};

    for (int i = 0; i < MAX_STARTED; i++)
        if (w->is_used[i])
            end_task(w, &w->tasks[i], &ending);
    cr_expect(sc_session_check(w->session), "%s", w->name);
    sc_session_free(&w->session);
}

static void
run_script(const char *name, const char *script, const char *want)
{
    struct world w = {.name = name, .now_ms = 1000, .max_bytes = SIZE_MAX};
    sc_session_config config = {.hello = &hello,
                                .heartbeat_ms = HEARTBEAT,
                                .lease_ms = LEASE,
                                .result_max_bytes = 1000,
                                .actions = {on_send, on_cancel, on_release, &w}};
    char copy[500], *rest = copy, *word;

    snprintf(copy, sizeof copy, "%s", script);
    sc_log_init(SC_LOG_ERROR, "test");
    cr_assert_eq(sc_session_new(&config, w.now_ms, &w.session), 0);
    while ((word = strsep(&rest, " "))) {
        step(&w, word);
        cr_assert(sc_session_check(w.session), "%s: after %s", name, word);
    }
    cr_expect_str_eq(w.got, want, "%s:\n got  %s\n want %s", name, w.got, want);
    finish(&w);
}

struct row {
    const char *name, *script, *want;
};
#define RUN_ROWS(rows)                                                                             \
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)                                        \
    run_script(rows[i].name, rows[i].script, rows[i].want)

Test(session, joining)
{
    static const struct row rows[] = {
        {"hello", ".", "HELLO "},
        {"welcome", "W", "HELLO READY "},
        {"repeated until it is answered", "k99 k1 k100", "HELLO HELLO HELLO "},
        {"heartbeats", "W k99 k1 k50 k50", "HELLO READY HEARTBEAT=0/0 HEARTBEAT=0/0 "},
        {"welcome twice lists once", "W W", "HELLO READY "},
        {"who while joining", "w W", "HELLO READY "},
        {"who after welcome", "W w W", "HELLO READY HELLO READY "},
        {"silence", "W k401 k99 W", "HELLO READY HELLO READY "},
        {"silence of a late clock", "W l350 k60 W", "HELLO READY HEARTBEAT=0/0 "},
        {"READY could not be said", "s W S k1 W", "HELLO HELLO READY "},
        {"a run before welcome is nothing", "r1:0+1 t1", "HELLO none "},
        {"refused malformed", "W v-5000 k99 k1 W", "HELLO READY HELLO READY "},
        {"name taken, then free", "v-5008 k100 W", "HELLO HELLO READY "},
        {"name taken for a lease", "v-5008 k401 v-5008 k100", "HELLO HELLO "},
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
        {"a list with a hole is none", "W r1:0+2 t1 w M1 W e0 f W",
         "HELLO READY 1/0 HELLO HELLO HELD=1:1+1,1:0+1s, READY RESULTS#1:1=0+ "},
        {"a list without its end is none", "W r1:0+2 t1 w M2 W W",
         "HELLO READY 1/0 HELLO HELD=1:0+1s,1:1+1, HELLO HELD=1:0+1s,1:1+1, READY "},
        {"a stall throws away what waits", "W r1:0+5 t1 l500 t1 W e0",
         "HELLO READY 1/0 HELLO none HELD=1:0+1s, READY RESULTS#1:1=0+ "},
    };

    RUN_ROWS(rows);
}

/* A task that may not be repeated is named as started until nobody will ask for its result. */
Test(session, once)
{
    static const struct row rows[] = {
        {"until it is acknowledged", "W r1:0+3O t3 e1 f e0 f a1 a1 a2",
         "HELLO READY 1/0 1/1 1/2 RESULTS#1:1=1+ RESULTS#2:1=0+ free=1 free=0 "},
        {"not by an acknowledgement of others", "W r1:0+1 r2:5+1O t2 e5 e0 a1 a2",
         "HELLO READY 1/0 2/5 RESULTS#1:2=5+ RESULTS#2:1=0+ free=0 "},
        {"not by a new session", "W r1:0+1O t1 e0 w W a1",
         "HELLO READY 1/0 RESULTS#1:1=0+ HELLO HELD=1:0+1s, READY RESULTS#1:1=0+ free=0 "},
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
Test(session, once_is_bounded)
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
