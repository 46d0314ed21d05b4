/* SPDX-License-Identifier: Apache-2.0 */
/* See fake_core.h. Called by the unit tests of the core. */
#include "tests/support/fake_core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"

static void
emit(void *arg, const sc_action *action)
{
    sc_fake *f = arg;
    f->n_actions[action->type]++;
    if (action->type != SC_ACTION_SEND) {
        SC_ASSERT(f->n_questions < SC_FAKE_MAX_QUESTIONS);
        if (sc_model_journal_act(f->journal, action)) {
            sc_model_question none;
            f->n_writes++;
            f->last_number = action->number;
            sc_model_store_act(f->store, action, &none);
            return;
        }
        f->n_questions += sc_model_store_act(f->store, action, &f->questions[f->n_questions]);
        return;
    }
    const sc_message *m = action->send.message;
    sc_buffer header;
    sc_buffer_init(&header, 0);
    SC_ASSERT(sc_message_encode(m, &header) == 0 && f->n_sent < SC_FAKE_MAX_SENT);
    sc_fake_sent *sent = &f->sent[f->n_sent++];
    *sent = (sc_fake_sent){
        .link = action->send.link,
        .type = m->type,
        .header = sc_slice_borrow(header.data, header.len),
        .table = m->table,
        .bytes = m->bytes,
    };
    SC_ASSERT(sc_slice_retain(&sent->header) == 0 && sc_slice_retain(&sent->table) == 0 &&
              sc_slice_retain(&sent->bytes) == 0);
    sc_buffer_fini(&header);
}

void
sc_fake_init(sc_fake *f)
{
    memset(f, 0, sizeof *f);
    f->now_ms = 1000;
    f->options = (sc_core_options){
        .epoch = 7,
        .seed = 1,
        .pid = 4711,
        .host = "here",
        .started_unix_ms = 1700000000000,
        .heartbeat_ms = 200,
        .lease_ms = 800,
        .staged_timeout_ms = 60000,
        .waiting_ms = 50,
        .drain_timeout_ms = 30000,
        .cancel_grace_ms = 2000,
        .queue_max_bytes = 1 << 20,
        .store_max_bytes = 1 << 20,
        .max_jobs = 8,
        .retention_ms = 7 * 86400000,
    };
}

void
sc_fake_start(sc_fake *f)
{
    if (f->options.epoch == 0)
        sc_fake_init(f);
    sc_log_init(SC_LOG_ERROR, "test");
    SC_ASSERT(sc_core_new(&f->options, emit, f, f->now_ms, &f->core) == 0);
    SC_ASSERT(sc_decoder_new(&f->decoder) == 0);
    f->store = sc_model_store_new(NULL, NULL);
    f->journal = sc_model_journal_new();
}

static void
drop_sent(sc_fake_sent *s)
{
    sc_slice_drop(&s->header);
    sc_slice_drop(&s->table);
    sc_slice_drop(&s->bytes);
    s->link = 0;
}

void
sc_fake_stop(sc_fake *f)
{
    sc_core_free(&f->core);
    sc_model_store_free(&f->store);
    sc_model_journal_free(&f->journal);
    sc_decoder_free(&f->decoder);
    for (uint32_t i = 0; i < f->n_sent; i++)
        drop_sent(&f->sent[i]);
}

static void
settle(sc_fake *f)
{
    sc_core_turn(f->core, f->now_ms);
    sc_core_check(f->core);
    while (f->n_questions > 0 && !f->holds_answers)
        sc_fake_answer(f, 0);
    if (!f->holds_writes && f->n_written < f->n_writes)
        sc_fake_written(f, f->n_writes);
}

void
sc_fake_written(sc_fake *f, uint64_t n)
{
    for (; f->n_written < n; f->n_written++) {
        const sc_ticket *t = sc_model_journal_upload(f->journal, f->n_written + 1);
        if (t)
            sc_core_stored(f->core, t, 0, NULL, f->now_ms);
    }
    sc_core_written(f->core, n, f->now_ms);
    settle(f);
}

static void
put_again(void *store, const sc_action *action)
{
    sc_model_question question;
    sc_model_store_act(store, action, &question);
}

void
sc_fake_restart(sc_fake *f, uint64_t n_safe)
{
    sc_core_free(&f->core);
    sc_model_store_free(&f->store);
    sc_model_journal_crash(f->journal, n_safe);
    f->n_questions = 0;
    f->n_writes = f->n_written = 0;
    f->options.epoch++;
    sc_fake_forget_sent(f);
    SC_ASSERT(sc_core_new(&f->options, emit, f, f->now_ms, &f->core) == 0);
    f->store = sc_model_store_new(NULL, NULL);
    sc_model_journal_each(f->journal, put_again, f->store);
    sc_model_journal_restore(f->journal, f->core, f->now_ms);
    sc_core_check(f->core);
}

void
sc_fake_answer(sc_fake *f, uint32_t i)
{
    sc_model_question q = f->questions[i];
    f->n_questions--;
    memmove(&f->questions[i], &f->questions[i + 1], (f->n_questions - i) * sizeof q);
    if (q.type == SC_ASKED_TASKS)
        sc_model_journal_answer(f->journal, &q, f->store_status, f->core, f->now_ms);
    else
        sc_model_store_answer(f->store, &q, f->store_status, f->core, f->now_ms);
    settle(f);
}

void
sc_fake_say(sc_fake *f, uint64_t link, const sc_message *m)
{
    sc_buffer header;
    sc_decoder *decoder;
    sc_message decoded;
    sc_error err = {0};
    sc_buffer_init(&header, 0);
    SC_ASSERT(sc_decoder_new(&decoder) == 0 && sc_message_encode(m, &header) == 0);
    int rc = sc_message_decode(decoder, header.data, header.len, &decoded, &err);
    decoded.table = m->table;
    decoded.bytes = m->bytes;
    if (rc == 0)
        sc_core_message(f->core, link, &decoded, f->now_ms);
    else
        sc_core_malformed(f->core, link, &err, f->now_ms);
    sc_decoder_free(&decoder);
    sc_buffer_fini(&header);
    settle(f);
}

void
sc_fake_late_tick(sc_fake *f, int64_t ms)
{
    f->now_ms += ms;
    sc_core_tick(f->core, f->now_ms);
    settle(f);
}

void
sc_fake_pass(sc_fake *f, int64_t ms, uint64_t n_alive)
{
    for (int64_t end_ms = f->now_ms + ms; f->now_ms < end_ms; f->now_ms++) {
        for (uint64_t link = 1; link < n_alive && f->now_ms % 100 == 0; link++)
            sc_fake_say(f, link, &(sc_message){.type = SC_MSG_HEARTBEAT});
        if (sc_core_next_ms(f->core) <= f->now_ms)
            sc_fake_late_tick(f, 0);
    }
}

const sc_message *
sc_fake_take(sc_fake *f, uint64_t link, sc_message_type type, sc_message *out)
{
    for (uint32_t i = 0; i < f->n_sent; i++) {
        sc_fake_sent *s = &f->sent[i];
        if (s->link != link || s->type != type)
            continue;
        SC_ASSERT(sc_message_decode(f->decoder, s->header.data, s->header.len, out, NULL) == 0);
        out->table = s->table;
        out->bytes = s->bytes;
        s->link = 0; // its memory stays until the end
        return out;
    }
    return NULL;
}

uint32_t
sc_fake_count(const sc_fake *f, uint64_t link, sc_message_type type)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < f->n_sent; i++)
        n += f->sent[i].link == link && f->sent[i].type == type;
    return n;
}

void
sc_fake_forget_sent(sc_fake *f)
{
    for (uint32_t i = 0; i < f->n_sent; i++)
        drop_sent(&f->sent[i]);
    f->n_sent = 0;
}

/* ---- sessions ---- */

static uint32_t
parse_handlers(const char *text, sc_hello_handler *out)
{
    uint32_t n = 0;
    for (const char *at = text; *at; n++) {
        size_t len = strcspn(at, " !#");
        out[n] = (sc_hello_handler){.name = {at, (uint32_t)len}};
        for (at += len; *at == '!' || *at == '#'; at++) {
            out[n].is_once |= *at == '!';
            out[n].kind = *at == '#' ? SC_SLOT_THREAD : out[n].kind;
        }
        at += strspn(at, " ");
    }
    return n;
}

void
sc_fake_hello_worker(sc_fake *f, uint64_t link, const sc_fake_worker *w)
{
    static const sc_fake_worker none;
    sc_hello_handler handlers[16];
    char name[32];
    w = w ? w : &none;
    snprintf(name, sizeof name, "w%llu", (unsigned long long)link);
    sc_message m = {.type = SC_MSG_HELLO};
    m.hello = (sc_hello){
        .role = SC_ROLE_WORKER,
        .name = sc_text_of(w->name ? w->name : name),
        .instance = w->instance ? w->instance : 100 + link,
        .supervisor = w->supervisor,
        .protocol_min = 1,
        .protocol_max = 1,
        .host = sc_text_of("here"),
        .pid = 5000 + link,
        .slots_async = w->slots_async || w->slots_thread ? w->slots_async : 2,
        .slots_thread = w->slots_thread,
        .credit_tasks = w->credit_tasks ? w->credit_tasks : 10000,
        .credit_bytes = w->credit_bytes ? w->credit_bytes : 1 << 30,
        .handlers = {handlers, parse_handlers(w->handlers ? w->handlers : "a", handlers)},
    };
    f->numbers[link] = 0;
    sc_fake_say(f, link, &m);
}

void
sc_fake_worker_ready(sc_fake *f, uint64_t link, const sc_fake_worker *w)
{
    sc_fake_hello_worker(f, link, w);
    sc_fake_say(f, link, &(sc_message){.type = SC_MSG_READY});
}

static void
hello(sc_fake *f, uint64_t link, sc_role role, const char *name)
{
    sc_message m = {.type = SC_MSG_HELLO};
    m.hello = (sc_hello){.role = role,
                         .name = sc_text_of(name),
                         .instance = 100 + link,
                         .protocol_min = 1,
                         .protocol_max = 1,
                         .host = sc_text_of("here"),
                         .pid = 5000 + link};
    sc_fake_say(f, link, &m);
}

void
sc_fake_client(sc_fake *f, uint64_t link)
{
    hello(f, link, SC_ROLE_CLIENT, "c");
}

void
sc_fake_supervisor(sc_fake *f, uint64_t link)
{
    hello(f, link, SC_ROLE_SUPERVISOR, "s");
}

/* ---- upload, calls ---- */

sc_uuid
sc_fake_job(uint32_t n)
{
    sc_uuid id = {{0}};
    memcpy(id.bytes, &n, sizeof n);
    id.bytes[15] = 1;
    return id;
}

static sc_message
open_message(uint32_t job, const sc_open *spec)
{
    sc_message m = {.type = SC_MSG_OPEN};
    if (spec)
        m.open = *spec;
    if (m.open.handler.len == 0)
        m.open.handler = sc_text_of("a");
    m.open.job = sc_fake_job(job);
    m.open.request = m.open.request ? m.open.request : job;
    return m;
}

void
sc_fake_array(sc_fake *f, uint64_t link, uint32_t job, uint64_t first, uint64_t n_tasks,
              const sc_open *spec)
{
    static const uint32_t lens[] = {2, 1};
    sc_message m = open_message(job, spec);
    m.open.is_array = true;
    m.open.first_index = first;
    m.open.n_tasks = n_tasks;
    m.table = sc_slice_borrow(lens, sizeof lens);
    m.bytes = sc_slice_borrow("[,]", 3);
    sc_fake_say(f, link, &m);
}

void
sc_fake_open(sc_fake *f, uint64_t link, uint32_t job, const sc_open *spec)
{
    sc_message m = open_message(job, spec);
    sc_fake_say(f, link, &m);
}

void
sc_fake_chunk(sc_fake *f, uint64_t link, uint32_t job, const sc_chunk *chunk, uint32_t task_bytes)
{
    uint32_t *lens = calloc(chunk->count + 1, sizeof *lens);
    char *bytes = calloc(chunk->count + 1, task_bytes + 1);
    sc_message m = {.type = SC_MSG_CHUNK, .chunk = *chunk};
    SC_ASSERT(lens && bytes);
    for (uint32_t i = 0; i < chunk->count; i++)
        lens[i] = task_bytes;
    m.chunk.job = sc_fake_job(job);
    m.chunk.request = job;
    m.table = sc_slice_borrow(lens, chunk->count * sizeof *lens);
    m.bytes = sc_slice_borrow(bytes, (size_t)chunk->count * task_bytes);
    sc_fake_say(f, link, &m);
    free(lens);
    free(bytes);
}

void
sc_fake_commit(sc_fake *f, uint64_t link, uint32_t job, uint32_t n_chunks, uint64_t n_tasks)
{
    sc_message m = {.type = SC_MSG_COMMIT};
    m.commit = (sc_commit){
        .request = job, .job = sc_fake_job(job), .n_chunks = n_chunks, .n_tasks = n_tasks};
    sc_fake_say(f, link, &m);
}

void
sc_fake_call(sc_fake *f, uint64_t link, uint64_t request, const char *handler, uint64_t timeout_ms)
{
    static const uint32_t len = 2;
    sc_message m = {.type = SC_MSG_CALL, .call = {request, sc_text_of(handler), timeout_ms}};
    m.table = sc_slice_borrow(&len, sizeof len);
    m.bytes = sc_slice_borrow("{}", 2);
    sc_fake_say(f, link, &m);
}

/* ---- runs ---- */

void
sc_fake_results(sc_fake *f, uint64_t link, const sc_run *run, uint32_t offset, uint32_t count,
                sc_outcome outcome, uint8_t flags, uint64_t cost_ns)
{
    sc_record *records = calloc(count + 1, sizeof *records);
    char *values = malloc(count * 4 + 1);
    SC_ASSERT(records && values);
    for (uint32_t i = 0; i < count; i++) {
        records[i] = (sc_record){.offset = offset + i,
                                 .len = 4,
                                 .attempt = (uint16_t)run->attempt,
                                 .outcome = (uint8_t)outcome,
                                 .flags = flags};
        memcpy(values + i * 4, "true", 4);
    }
    sc_message m = {.type = SC_MSG_RESULTS};
    m.results = (sc_results){.number = ++f->numbers[link],
                             .job = run->job,
                             .token = run->token,
                             .base = run->first,
                             .cost_ns = cost_ns};
    m.table = sc_slice_borrow(records, count * sizeof *records);
    m.bytes = sc_slice_borrow(values, count * 4);
    sc_fake_say(f, link, &m);
    free(records);
    free(values);
}

uint64_t
sc_fake_work(sc_fake *f, uint64_t link, uint64_t cost_ns)
{
    uint64_t n = 0;
    sc_message m;
    while (sc_fake_take(f, link, SC_MSG_RUN, &m)) {
        sc_run run = m.run;
        n += run.count;
        sc_fake_results(f, link, &run, 0, run.count, SC_DONE, 0, cost_ns);
    }
    return n;
}

sc_run
sc_fake_take_run(sc_fake *f, uint64_t link)
{
    sc_message m = {0};
    SC_ASSERT(sc_fake_take(f, link, SC_MSG_RUN, &m));
    return m.run;
}

uint64_t
sc_fake_n_recalled(sc_fake *f, uint64_t link, sc_recall_mode mode)
{
    sc_message m;
    uint64_t n = 0;
    while (sc_fake_take(f, link, SC_MSG_RECALL, &m)) {
        SC_ASSERT(m.recall.mode != SC_RECALL_CANCEL ||
                  m.recall.grace_ms == (uint64_t)f->options.cancel_grace_ms);
        n += m.recall.mode == (uint32_t)mode ? m.recall.count : 0;
    }
    return n;
}

void
sc_fake_come_back(sc_fake *f, uint64_t link, const sc_fake_worker *w, const sc_held_run *held,
                  uint32_t n)
{
    sc_fake_hello_worker(f, link, w);
    sc_fake_say(f, link, &(sc_message){.type = SC_MSG_HELD, .held.runs = {held, n}});
    sc_fake_say(f, link, &(sc_message){.type = SC_MSG_READY});
}

void
sc_fake_recalled(sc_fake *f, uint64_t link, const sc_token *token, const sc_uuid *job,
                 uint64_t first, uint64_t count)
{
    sc_range one = {first, count};
    sc_message m = {.type = SC_MSG_RECALLED, .recalled = {*job, *token, {&one, count > 0}}};
    sc_fake_say(f, link, &m);
}

void
sc_fake_died(sc_fake *f, uint64_t link, uint64_t instance, const sc_run *run, uint64_t first,
             uint32_t count, bool is_executing, sc_death death)
{
    sc_task_ref started[64];
    SC_ASSERT(count <= 64);
    for (uint32_t i = 0; i < count; i++)
        started[i] = (sc_task_ref){run->job, run->token, first + i, is_executing, is_executing};
    sc_message m = {.type = SC_MSG_DIED};
    m.died = (sc_died){sc_text_of("w"), instance, death, 11, {started, count}};
    sc_fake_say(f, link, &m);
}

sc_job_info
sc_fake_ask(sc_fake *f, uint64_t link, uint32_t job)
{
    sc_message m = {.type = SC_MSG_ASK};
    m.ask =
        (sc_ask){.request = 999999, .what = SC_ASK_JOB, .job = sc_fake_job(job), .n_digits = 32};
    sc_fake_say(f, link, &m);
    sc_job_info info = {.state = SC_N_JOB_STATES};
    if (sc_fake_take(f, link, SC_MSG_JOBS, &m) && m.jobs.jobs.n == 1)
        info = *(const sc_job_info *)m.jobs.jobs.items;
    return info;
}
