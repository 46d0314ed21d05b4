/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's session and a coordinator that says what the bytes want, while tasks are taken, ended
 * and cancelled, sends fail and time passes: its counts agree after each event, what it says can be
 * sent and suits its membership, each task that may not be repeated has a slot of its own, and
 * everything is released. */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/speech.h"
#include "worker/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_EXECUTING = 32, N_HANDLERS = 3, MAX_JOINED_BYTES = 65536, MAX_LEASE_MS = 600000 };

typedef struct world {
    sc_session *session;
    sc_speech speech;
    int64_t now_ms;
    uint64_t epoch, n_runs, last_number;
    bool is_full;                        // sends fail
    bool ends_cancelled;                 // a cancelled task ends at once
    sc_started executing[MAX_EXECUTING]; // assignment NULL: free
    uint32_t n_executing;
    bool is_named[SC_ONCE_MAX]; // a task that may not be repeated has this slot
} world;

/* ---- what the session wants ---- */

static int
send_message(void *arg, const sc_message *m)
{
    world *w = arg;
    sc_speech_check(&w->speech, m);
    if (w->session)
        SC_ASSERT(sc_session_member(w->session)->state ==
                  (m->type == SC_MSG_HELLO ? SC_MEMBER_JOINING : SC_MEMBER_JOINED));
    if (w->is_full)
        return -EAGAIN;
    if (m->type == SC_MSG_HELLO) {
        w->last_number = 0;
    } else if (m->type == SC_MSG_RESULTS) {
        SC_ASSERT(m->results.number == ++w->last_number);
        sc_speech_tell(&w->speech, m->results.number);
    }
    return 0;
}

static void
end(world *w, sc_started *task, uint8_t how)
{
    static const char error[] = "{\"code\":\"failed\",\"message\":\"\"}";
    sc_ending ending = {.outcome = how % SC_N_OUTCOMES, .data = error, .len = sizeof error - 1};
    if (ending.outcome == SC_DONE)
        ending.len = how / 4; // of the same bytes
    ending.len = ending.len < sizeof error - 1 ? ending.len : sizeof error - 1;
    ending.is_retryable = ending.outcome == SC_DEAD && how & 128;
    SC_ASSERT(task->assignment && w->n_executing > 0);
    sc_session_end(w->session, task, &ending, w->now_ms);
    task->assignment = NULL;
    w->n_executing--;
}

static void
cancel(void *arg, sc_started *task, int64_t grace_ms)
{
    static const sc_ending given_up = {.outcome = SC_CANCELLED, .data = "{}", .len = 2};
    world *w = arg;
    if (grace_ms > 0) // it runs on
        sc_session_give_up(w->session, task, &given_up, w->now_ms);
    else if (w->ends_cancelled)
        end(w, task, SC_CANCELLED);
}

static void
release(void *arg, uint32_t slot)
{
    world *w = arg;
    SC_ASSERT(slot < SC_ONCE_MAX && w->is_named[slot]);
    w->is_named[slot] = false;
}

/* ---- what would be right to say ---- */

static void
welcome(world *w, sc_message *m)
{
    m->welcome = (sc_welcome){.protocol = 1,
                              .epoch = w->epoch,
                              .heartbeat_ms = 200,
                              .lease_ms = 800,
                              .task_max_bytes = 1000};
}

static void
refused(world *w, sc_message *m)
{
    static const int codes[] = {SC_EVERSION, SC_ENAMETAKEN, SC_ELIMIT, SC_ESHUTDOWN, SC_EBADARG};
    m->refused.code = codes[sc_speech_byte(&w->speech) % (sizeof codes / sizeof *codes)];
}

static void
run(world *w, sc_message *m)
{
    static const char *const handlers[N_HANDLERS] = {"a", "b", "c"};
    uint8_t how = sc_speech_byte(&w->speech);
    m->run = (sc_run){
        .job = sc_speech_job(how),
        .handler = sc_text_of(handlers[how / 4 % N_HANDLERS]),
        .token = {w->epoch, ++w->n_runs},
        .first = w->n_runs * 16,
        .count = 1 + how % 8,
        .class = how % (SC_CLASS_CALL + 1),
        .attempt = 1,
        .is_array = how & 128,
    };
    sc_speech_tell_token(&w->speech, m->run.token);
    sc_speech_tell(&w->speech, m->run.first);
    sc_speech_tasks(&w->speech, m, how & 128 ? 3 : m->run.count, how / 8);
}

static void
recall(world *w, sc_message *m)
{
    uint8_t how = sc_speech_byte(&w->speech);
    sc_token token = w->speech.tokens[how / 4 % SC_SPEECH_KNOWN];
    w->ends_cancelled = how & 128;
    m->recall = (sc_recall){sc_speech_job(how / 32), token, 0, UINT64_MAX, how % 3, how & 64};
}

static void
results_ack(world *w, sc_message *m)
{
    m->results_ack.number = w->last_number - sc_speech_byte(&w->speech) % 4;
}

static const struct {
    sc_message_type type;
    void (*fill)(world *w, sc_message *m); // NULL: nothing is filled in
} lines[] = {
    {SC_MSG_WELCOME, welcome}, {SC_MSG_WHO, NULL},      {SC_MSG_REFUSED, refused},
    {SC_MSG_RUN, run},         {SC_MSG_RECALL, recall}, {SC_MSG_RESULTS_ACK, results_ack},
    {SC_MSG_HEARTBEAT, NULL},  {SC_MSG_STOP, NULL},     {SC_MSG_PAGE, NULL},
};
enum { N_LINES = sizeof lines / sizeof *lines };

/* ---- events ---- */

static void
say(world *w, uint8_t line)
{
    sc_message m = {.type = lines[line].type}, said;
    if (lines[line].fill)
        lines[line].fill(w, &m);
    if (sc_speech_say(&w->speech, &m, &said))
        sc_session_message(w->session, &said, w->now_ms);
}

// Its arguments are there.
static void
check_args(const sc_started *task)
{
    sc_buffer scratch;
    sc_slice args;
    sc_buffer_init(&scratch, MAX_JOINED_BYTES);
    if (sc_started_args(task, &scratch, &args) == 0)
        for (size_t i = 0; i < args.len; i++)
            ((volatile const uint8_t *)args.data)[i];
    sc_buffer_fini(&scratch);
}

static void
take(world *w, sc_slot_kind kind)
{
    sc_started *task = w->executing;
    while (task < w->executing + MAX_EXECUTING && task->assignment)
        task++;
    if (task == w->executing + MAX_EXECUTING || !sc_session_take(w->session, kind, task))
        return;
    w->n_executing++;
    check_args(task);
    if (!task->assignment->is_once)
        return;
    SC_ASSERT(task->once < SC_ONCE_MAX && !w->is_named[task->once]);
    w->is_named[task->once] = true;
}

static void
end_one(world *w)
{
    uint8_t how = sc_speech_byte(&w->speech);
    sc_started *task = &w->executing[how % MAX_EXECUTING];
    if (task->assignment)
        end(w, task, sc_speech_byte(&w->speech));
}

static void
pass(world *w)
{
    static const int64_t steps_ms[] = {0, 50, 200, 801};
    uint8_t how = sc_speech_byte(&w->speech);
    w->is_full = how & 128;
    w->now_ms += steps_ms[how % 4];
    sc_session_tick(w->session, w->now_ms, how & 16 ? steps_ms[how / 4 % 4] : 0);
}

// What it waits for comes to an end.
static void
check_member(const sc_member *m)
{
    SC_ASSERT(m->config.heartbeat_ms > 0 && m->config.lease_ms >= 2 * m->config.heartbeat_ms);
    SC_ASSERT(m->config.lease_ms <= MAX_LEASE_MS);
    SC_ASSERT(m->code == 0 || (m->state == SC_MEMBER_ENDED && m->text[0] != '\0'));
}

static void
event(world *w, uint8_t what)
{
    sc_message raw;
    if (what < N_LINES)
        say(w, what);
    else if (what == N_LINES && sc_speech_raw(&w->speech, &raw))
        sc_session_message(w->session, &raw, w->now_ms);
    else if (what == N_LINES + 1)
        pass(w);
    else if (what == N_LINES + 2)
        take(w, SC_SLOT_ASYNC);
    else if (what == N_LINES + 3)
        take(w, SC_SLOT_THREAD);
    else if (what == N_LINES + 4)
        end_one(w);
    else if (what == N_LINES + 5)
        sc_session_measure(w->session, sc_speech_byte(&w->speech) % N_HANDLERS, 1000);
    else if (what == N_LINES + 6)
        w->epoch++; // another coordinator
    else if (what == N_LINES + 7 && sc_speech_byte(&w->speech) == 1)
        sc_session_drain(w->session, w->now_ms);
    else
        sc_session_flush(w->session, w->now_ms);
}

static const sc_hello_handler handlers[N_HANDLERS] = {
    {.name = {"a", 1}},
    {.name = {"b", 1}, .kind = SC_SLOT_THREAD},
    {.name = {"c", 1}, .is_once = true},
};
static const sc_hello hello = {
    .role = SC_ROLE_WORKER,
    .name = {"w1", 2},
    .instance = 1,
    .protocol_min = SC_PROTOCOL_MIN,
    .protocol_max = SC_PROTOCOL_MAX,
    .slots_async = 4,
    .slots_thread = 2,
    .credit_tasks = 100,
    .credit_bytes = 10000,
    .handlers = {handlers, N_HANDLERS},
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    world *w = calloc(1, sizeof *w);
    SC_ASSERT(w);
    sc_session_config config = {.hello = &hello,
                                .heartbeat_ms = 200,
                                .lease_ms = 800,
                                .result_max_bytes = 2000,
                                .actions = {send_message, cancel, release, w}};
    w->now_ms = 1000;
    w->epoch = 1;
    sc_speech_init(&w->speech, data, size);
    SC_ASSERT(sc_session_new(&config, w->now_ms, &w->session) == 0);
    while (!sc_speech_is_over(&w->speech)) {
        event(w, sc_speech_byte(&w->speech) % (N_LINES + 9));
        SC_ASSERT(sc_session_check(w->session));
        SC_ASSERT(sc_session_n_running(w->session) <= w->n_executing);
        check_member(sc_session_member(w->session));
    }
    for (int i = 0; i < MAX_EXECUTING; i++)
        if (w->executing[i].assignment)
            end(w, &w->executing[i], SC_DONE);
    SC_ASSERT(sc_session_check(w->session) && sc_session_n_running(w->session) == 0);
    sc_session_free(&w->session);
    sc_speech_fini(&w->speech);
    free(w);
    return 0;
}
