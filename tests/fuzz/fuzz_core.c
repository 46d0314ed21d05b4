/* SPDX-License-Identifier: Apache-2.0 */
/* The coordinator's core among peers that say what the bytes want: right, half right and wrong
 * messages, a store that answers in any order and fails, sends that are refused, time in steps. Its
 * invariants hold after each event, what it says can be sent, no task ends twice, and with an odd
 * first byte all of it happens again in the same way. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/core.h"
#include "tests/fuzz/speech.h"
#include "tests/support/model_store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    N_LINKS = 8, // 1 and 2 are workers, 3 their supervisor, the others clients
    N_RUNS = 8,
    MAX_QUESTIONS = 4096,
    KEPT_QUESTIONS = 64,
    MAX_RANGE = 256, // of results that the store keeps or reads at once
    MAX_TICKS = 100,
};

typedef struct world {
    sc_core *core;
    sc_model_store *store;
    sc_speech speech;
    int64_t now_ms;
    uint64_t numbers[N_LINKS + 1]; // of RESULTS, by link
    sc_run runs[N_RUNS];           // that were handed out last; handler is not kept
    uint32_t n_runs;
    uint32_t n_chunks[SC_SPEECH_JOBS]; // that were said
    sc_model_question questions[MAX_QUESTIONS];
    uint32_t n_questions;
    bool has_exited;
} world;

/* ---- what the core wants ---- */

static void
on_send(world *w, uint64_t link, const sc_message *m)
{
    SC_ASSERT(link > 0 && link <= N_LINKS);
    sc_speech_check(&w->speech, m);
    if (m->type == SC_MSG_RUN) {
        w->runs[w->n_runs++ % N_RUNS] = m->run;
        sc_speech_tell_token(&w->speech, m->run.token);
        sc_speech_tell(&w->speech, m->run.first);
    } else if (m->type == SC_MSG_WELCOME) {
        w->numbers[link] = 0;
    }
}

// The store keeps little: of a wide range only its beginning.
static void
on_store(world *w, const sc_action *action)
{
    sc_action a = *action;
    if (a.type == SC_ACTION_PUT_RANGE && a.range.count > MAX_RANGE)
        a.range.count = MAX_RANGE;
    if (a.type == SC_ACTION_GET_RESULTS && a.read.until - a.read.from > MAX_RANGE)
        a.read.until = a.read.from + MAX_RANGE;
    SC_ASSERT(w->n_questions < MAX_QUESTIONS);
    w->n_questions += sc_model_store_act(w->store, &a, &w->questions[w->n_questions]);
}

static void
emit(void *arg, const sc_action *action)
{
    world *w = arg;
    if (action->type == SC_ACTION_SEND)
        on_send(w, action->send.link, action->send.message);
    else if (action->type == SC_ACTION_EXIT)
        w->has_exited = true;
    else
        on_store(w, action);
}

static void
answer(world *w, uint32_t i, int status)
{
    sc_model_question question = w->questions[i];
    w->questions[i] = w->questions[--w->n_questions];
    if (question.type == SC_ASKED_TASKS) // no job is in a journal here
        sc_core_tasks(w->core, &question.job, SC_ENOTFOUND, NULL, NULL, w->now_ms);
    else
        sc_model_store_answer(w->store, &question, status, w->core, w->now_ms);
}

/* ---- what would be right to say ---- */

static void
hello(world *w, uint64_t link, sc_message *m)
{
    static const char *const names[] = {"w1", "w2", "s", "c1", "c2", "c3", "c4", "c5"};
    static const sc_hello_handler handlers[] = {
        {.name = {"a", 1}},
        {.name = {"b", 1}, .kind = SC_SLOT_THREAD},
        {.name = {"c", 1}, .is_once = true},
    };
    (void)w;
    m->hello = (sc_hello){
        .role = link < 3    ? SC_ROLE_WORKER
                : link == 3 ? SC_ROLE_SUPERVISOR
                            : SC_ROLE_CLIENT,
        .name = sc_text_of(names[link - 1]),
        .instance = link,
        .protocol_min = SC_PROTOCOL_MIN,
        .protocol_max = SC_PROTOCOL_MAX,
    };
    if (link > 2)
        return;
    m->hello.supervisor = 3;
    m->hello.slots_async = m->hello.slots_thread = 2;
    m->hello.credit_tasks = 100;
    m->hello.credit_bytes = 10000;
    m->hello.handlers = (sc_list){handlers, sizeof handlers / sizeof *handlers};
}

// A key, and jobs that it waits for, itself perhaps.
static void
tie(world *w, sc_open *o)
{
    static sc_parent after[2];
    uint8_t how = sc_speech_byte(&w->speech);
    if (how & 1) {
        o->key = sc_text_of(how & 2 ? "a" : "b");
        o->digest.bytes[0] = how / 64;
    }
    for (uint32_t i = 0; i < (uint32_t)(how / 4 % 3); i++)
        after[i].job = sc_speech_job(sc_speech_byte(&w->speech));
    o->after = (sc_list){after, how / 4 % 3};
    o->on_any = how & 32;
}

static void
open_job(world *w, uint64_t link, sc_message *m)
{
    static const char *const handlers[] = {"a", "b", "c"};
    uint8_t how = sc_speech_byte(&w->speech);
    m->open = (sc_open){
        .request = link,
        .job = sc_speech_job(how),
        .handler = sc_text_of(handlers[how / 4 % 3]),
        .priority = how % 10,
        .is_array = how & 64,
        .n_tasks = how & 64 ? 1 + how % 32 : 0,
        .retries = how & 128 ? 2 : 0,
        .backoff_base_ms = 10,
        .backoff_max_ms = 100,
    };
    tie(w, &m->open);
    w->n_chunks[how % SC_SPEECH_JOBS] = 0;
    if (how & 64)
        sc_speech_tasks(&w->speech, m, 2, 3);
}

static void
chunk(world *w, uint64_t link, sc_message *m)
{
    uint8_t how = sc_speech_byte(&w->speech);
    uint32_t *n = &w->n_chunks[how % SC_SPEECH_JOBS];
    m->chunk = (sc_chunk){link, sc_speech_job(how), *n, 4 * *n, 4};
    sc_speech_tasks(&w->speech, m, 4, how / 4);
    ++*n;
}

static void
commit(world *w, uint64_t link, sc_message *m)
{
    uint8_t how = sc_speech_byte(&w->speech);
    uint32_t n = w->n_chunks[how % SC_SPEECH_JOBS];
    m->commit =
        (sc_commit){.request = link, .job = sc_speech_job(how), .n_chunks = n, .n_tasks = 4 * n};
    m->commit.digest.bytes[0] = how / 64;
}

static void
drop(world *w, uint64_t link, sc_message *m)
{
    (void)link;
    m->drop.job = sc_speech_job(sc_speech_byte(&w->speech));
}

static const sc_run *
choose_run(world *w)
{
    return &w->runs[sc_speech_byte(&w->speech) % N_RUNS];
}

static void
results(world *w, uint64_t link, sc_message *m)
{
    const sc_run *run = choose_run(w);
    uint8_t how = sc_speech_byte(&w->speech);
    uint32_t first = how & 8 ? run->count / 2 : 0;
    sc_record like = {.len = 5, .attempt = (uint16_t)run->attempt};
    like.outcome = how % SC_N_OUTCOMES;
    like.flags = how & 4 ? SC_RECORD_RETRY : 0;
    m->results =
        (sc_results){++w->numbers[link], run->job, run->token, run->first, 1000u << how / 16};
    sc_speech_records(&w->speech, m, first, run->count - first, like);
}

static void
recalled(world *w, uint64_t link, sc_message *m)
{
    static const sc_range whole = {0, UINT64_MAX};
    const sc_run *run = choose_run(w);
    (void)link;
    m->recalled = (sc_recalled){run->job, run->token, {NULL, 0}};
    if (sc_speech_byte(&w->speech) & 1)
        m->recalled.ranges = (sc_list){&whole, 1};
}

static void
held(world *w, uint64_t link, sc_message *m)
{
    static sc_held_run run; // lives until it is encoded
    const sc_run *chosen = choose_run(w);
    (void)link;
    uint8_t flags = sc_speech_byte(&w->speech);
    run = (sc_held_run){.job = chosen->job,
                        .token = chosen->token,
                        .first = chosen->first,
                        .count = chosen->count,
                        .is_started = flags & 1,
                        .attempt = 1,
                        .life = chosen->life,
                        .is_ended = flags >> 1 & 1};
    m->held.runs = (sc_list){&run, 1};
}

static void
died(world *w, uint64_t link, sc_message *m)
{
    static sc_task_ref ref; // lives until it is encoded
    const sc_run *run = choose_run(w);
    uint8_t how = sc_speech_byte(&w->speech);
    (void)link;
    ref = (sc_task_ref){run->job, run->token, run->first, how & 4, how & 8};
    m->died =
        (sc_died){sc_text_of(how & 16 ? "w1" : "w2"), how & 16 ? 1 : 2, how % 4, 9, {&ref, 1}};
}

static void
progress(world *w, uint64_t link, sc_message *m)
{
    static sc_progress_row row; // lives until it is encoded
    const sc_run *run = choose_run(w);
    uint8_t how = sc_speech_byte(&w->speech);
    (void)link;
    row = (sc_progress_row){run->token, run->first + how % 4, how, how & 128 ? 100 : 0};
    m->progress.tasks = (sc_list){&row, 1};
}

static void
call(world *w, uint64_t link, sc_message *m)
{
    uint8_t how = sc_speech_byte(&w->speech);
    m->call = (sc_call){link * 256 + how, sc_text_of(how & 1 ? "a" : "b"), how & 2 ? 500 : 0};
    sc_speech_tasks(&w->speech, m, 1, how);
}

static void
ask(world *w, uint64_t link, sc_message *m)
{
    uint8_t how = sc_speech_byte(&w->speech);
    m->ask = (sc_ask){.request = link * 256 + how,
                      .what = 1 + how % 5,
                      .job = sc_speech_job(how / 8),
                      .n_digits = 32,
                      .wait = how & 128};
}

static void
read_results(world *w, uint64_t link, sc_message *m)
{
    uint8_t how = sc_speech_byte(&w->speech);
    m->read =
        (sc_read){link * 256 + how, sc_speech_job(how), how / 16, how / 4 % 3, 1000, how & 128};
}

static const struct {
    sc_message_type type;
    void (*fill)(world *w, uint64_t link, sc_message *m); // NULL: nothing is filled in
} lines[] = {
    {SC_MSG_HELLO, hello},       {SC_MSG_READY, NULL},    {SC_MSG_HEARTBEAT, NULL},
    {SC_MSG_BYE, NULL},          {SC_MSG_OPEN, open_job}, {SC_MSG_CHUNK, chunk},
    {SC_MSG_COMMIT, commit},     {SC_MSG_DROP, drop},     {SC_MSG_RESULTS, results},
    {SC_MSG_RECALLED, recalled}, {SC_MSG_HELD, held},     {SC_MSG_DIED, died},
    {SC_MSG_CALL, call},         {SC_MSG_ASK, ask},       {SC_MSG_READ, read_results},
    {SC_MSG_STOP, NULL},         {SC_MSG_RUN, NULL},      {SC_MSG_PAGE, NULL},
    {SC_MSG_PROGRESS, progress},
};
enum { N_LINES = sizeof lines / sizeof *lines };

/* ---- events ---- */

static void
say(world *w, uint64_t link, uint8_t line)
{
    sc_message m = {.type = lines[line].type}, said;
    if (lines[line].fill)
        lines[line].fill(w, link, &m);
    if (sc_speech_say(&w->speech, &m, &said))
        sc_core_message(w->core, link, &said, w->now_ms);
}

static void
say_raw(world *w, uint64_t link)
{
    static const sc_error bad = {.code = SC_EMALFORMED, .text = "bytes"};
    sc_message m;
    if (sc_speech_raw(&w->speech, &m))
        sc_core_message(w->core, link, &m, w->now_ms);
    else
        sc_core_malformed(w->core, link, &bad, w->now_ms);
}

// A tick leaves nothing due: otherwise the loop would never sleep.
static void
pass(world *w, int64_t ms)
{
    w->now_ms += ms;
    for (int i = 0; sc_core_next_ms(w->core) <= w->now_ms; i++) {
        SC_ASSERT(i < MAX_TICKS);
        sc_core_tick(w->core, w->now_ms);
    }
}

static void
store_speaks(world *w)
{
    uint8_t how = sc_speech_byte(&w->speech);
    if (w->n_questions > 0)
        answer(w, how % 64 % w->n_questions, how < 192 ? 0 : SC_ESTOREFULL);
}

static void
event(world *w, uint8_t what)
{
    static const int64_t steps_ms[] = {0, 1, 20, 100, 200, 500, 900, 6000};
    uint64_t link = 1 + sc_speech_byte(&w->speech) % N_LINKS;
    if (what < N_LINES)
        say(w, link, what);
    else if (what == N_LINES)
        say_raw(w, link);
    else if (what == N_LINES + 1)
        pass(w, steps_ms[link - 1]);
    else if (what == N_LINES + 2)
        store_speaks(w);
    else if (what == N_LINES + 3)
        sc_core_send_failed(w->core, link, w->now_ms);
    else if (what == N_LINES + 4)
        sc_core_store_limit(w->core, (uint64_t)100 << link, w->now_ms);
    else
        sc_core_turn(w->core, w->now_ms);
}

static void
look(const world *w)
{
    sc_cluster counters;
    sc_core_check(w->core);
    sc_core_counters(w->core, &counters);
    SC_ASSERT(sc_model_store_n_twice(w->store) == 0);
}

static void
start(world *w, const uint8_t *data, size_t size)
{
    static const sc_core_options options = {
        .epoch = 7,
        .seed = 1,
        .pid = 1,
        .host = "fuzz",
        .started_unix_ms = 1700000000000,
        .heartbeat_ms = 200,
        .lease_ms = 800,
        .staged_timeout_ms = 5000,
        .waiting_ms = 50,
        .drain_timeout_ms = 3000,
        .queue_max_bytes = 4000,
        .store_max_bytes = 2000,
        .max_jobs = 2,
        .retention_ms = 3600000,
    };
    w->now_ms = 1000;
    sc_speech_init(&w->speech, data, size);
    w->store = sc_model_store_new(NULL, NULL);
    SC_ASSERT(sc_core_new(&options, emit, w, w->now_ms, &w->core) == 0);
}

// All of it. @return the hash of what the core said
static uint64_t
run(const uint8_t *data, size_t size)
{
    world *w = calloc(1, sizeof *w);
    SC_ASSERT(w);
    start(w, data, size);
    while (!sc_speech_is_over(&w->speech) && !w->has_exited) {
        event(w, sc_speech_byte(&w->speech) % (N_LINES + 6));
        while (w->n_questions > KEPT_QUESTIONS)
            answer(w, 0, 0);
        look(w);
    }
    while (w->n_questions > 0)
        answer(w, w->n_questions - 1, 0);
    sc_core_turn(w->core, w->now_ms);
    pass(w, 100000); // everybody is gone
    look(w);
    uint64_t hash = w->speech.hash;
    sc_core_free(&w->core);
    sc_model_store_free(&w->store);
    sc_speech_fini(&w->speech);
    free(w);
    return hash;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    uint64_t hash = run(data + 1, size - 1);
    SC_ASSERT(!(data[0] & 1) || run(data + 1, size - 1) == hash);
    return 0;
}
