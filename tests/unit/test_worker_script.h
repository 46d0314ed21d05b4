/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's session, by scripts: a line of steps, and the line of what the session then sent and
 * cancelled, in the same short words. Included by one file of a test program.
 *
 *   W     WELCOME; oN: WELCOME that answers HELLO number N; w: WHO; vN: REFUSED with code N;
 *         aN: RESULTS_ACK
 *   r     RUN run:first+count, then aN attempt, cN class, T thread handler, U unknown handler,
 *         O tasks that may not be repeated, B a broken table, N of the next epoch
 *   tN    take N tasks
 *   eI    end the task of index I; E: with an error worth a retry; X: with 300 KiB; Y: with 2 KiB;
 *         V: with 16 MiB; Z: with 4 bytes less than what is sent at once
 *   uI    the task of index I is given up: answered for while it executes
 *   mN    a task of the first handler took N ns
 *   q     RECALL run:first+count (run 0: the whole job), then N of the next epoch; Q: cancel;
 *         F: forget
 *   f     flush; kN: tick N ms later; lN: tick that comes N ms late; d: drain; nN: N ms pass
 *         without a tick
 *   r...$ of an array whose arguments name results of another job; g: PAGE for the last READ, with
 *         one value; G: and the end; RN: REFUSED with code N
 *   pI:N/OF task of index I is N of OF far
 *   MN    the Nth message from now on cannot be sent
 *   s     sending fails from now on; S: it works again; L: it refuses results of 1000 bytes or more
 *   .     nothing
 */
#ifndef SC_TEST_WORKER_SCRIPT_H
#define SC_TEST_WORKER_SCRIPT_H

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
    sc_read read;     // the last
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
    case SC_MSG_READ:
        w->read = m->read;
        say(w, "READ=%d ", (int)m->read.from);
        break;
    case SC_MSG_PROGRESS:
        say(w, "PROGRESS=");
        for (uint32_t i = 0; i < m->progress.tasks.n; i++) {
            const sc_progress_row *r = (const sc_progress_row *)m->progress.tasks.items + i;

            say(w, "%d/%d:%d/%d,", (int)r->token.run, (int)r->index, (int)r->n, (int)r->of);
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
on_cancel(void *arg, sc_started *task, int64_t grace_ms)
{
    static const sc_ending ending = {.outcome = SC_CANCELLED, .data = "{}", .len = 2};
    struct world *w = arg;

    (void)grace_ms;
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
    if (strchr(words, '$')) {
        static const char args[] = "{\"$results\":\"01a21897-68c0-7a80-ae1e-0b8c91d67317\"}";

        m.run.is_array = true;
        lengths[0] = sizeof args - 1;
        m.table.len = sizeof *lengths;
        m.bytes = sc_slice_borrow(args, sizeof args - 1);
    }
    sc_session_message(w->session, &m, w->now_ms);
}

// One value of the results that were asked for last, or that they cannot be had.
static void
step_answer(struct world *w, char kind, int n)
{
    sc_record record = {.len = 1, .attempt = 1};
    sc_message m = {.type = SC_MSG_PAGE};

    m.page = (sc_page){.request = w->read.request,
                       .job = w->read.job,
                       .base = w->read.from,
                       .next = w->read.from + 1,
                       .is_end = kind == 'G'};
    m.table = sc_slice_borrow(&record, sizeof record);
    m.bytes = sc_slice_borrow("7", 1);
    if (kind == 'R')
        m = (sc_message){.type = SC_MSG_REFUSED,
                         .refused = {w->read.request, n, sc_text_of("no"), 0, 0, {0}}};
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

static sc_started *
find_started(struct world *w, uint64_t index)
{
    for (int i = 0; i < MAX_STARTED; i++)
        if (w->is_used[i] && sc_started_index(&w->tasks[i]) == index)
            return &w->tasks[i];
    cr_assert_fail("%s: no task %d", w->name, (int)index);
    abort();
}

static void
step_progress(struct world *w, const char *words)
{
    unsigned index, n, of;

    cr_assert_eq(sscanf(words, "%u:%u/%u", &index, &n, &of), 3, "%s: %s", w->name, words);
    sc_session_progress(w->session, find_started(w, index), n, of);
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

    end_task(w, find_started(w, index), &ending);
}

static void
step_give_up(struct world *w, uint64_t index)
{
    static const sc_ending ending = {.outcome = SC_DEAD, .data = "{}", .len = 2};

    sc_session_give_up(w->session, find_started(w, index), &ending, w->now_ms);
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

    if (kind == 'o')
        m.welcome.hello = (uint64_t)n;
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

    if (strchr("Wowva", *word))
        step_session(w, *word, n);
    else if (*word == 'r')
        step_run(w, word + 1);
    else if (strchr("gGR", *word))
        step_answer(w, *word, n);
    else if (*word == 't')
        step_take(w, n);
    else if (strchr("eEXYVZ", *word))
        step_end(w, *word, (uint64_t)n);
    else if (*word == 'u')
        step_give_up(w, (uint64_t)n);
    else if (strchr("qQF", *word))
        step_recall(w, *word, word + 1);
    else if (*word == 'p')
        step_progress(w, word + 1);
    else if (*word == 'm')
        sc_session_measure(w->session, 0, n);
    else if (*word == 'f')
        sc_session_flush(w->session, w->now_ms);
    else if (*word == 'k')
        sc_session_tick(w->session, w->now_ms += n, 0);
    else if (*word == 'l')
        sc_session_tick(w->session, w->now_ms += n, n);
    else if (*word == 'n')
        w->now_ms += n;
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

static inline void
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

#endif
