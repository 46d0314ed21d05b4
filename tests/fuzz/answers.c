/* SPDX-License-Identifier: Apache-2.0 */
/* See answers.h. Called by the target of the client; it decides nothing that the bytes do not. */
#include "tests/fuzz/answers.h"

#include "base/limits.h"

static void
welcome(sc_answers *a, sc_message *m)
{
    m->welcome = (sc_welcome){.protocol = 1,
                              .epoch = a->epoch,
                              .heartbeat_ms = 200,
                              .lease_ms = 800,
                              .task_max_bytes = 1000};
}

static void
refused(sc_answers *a, sc_message *m)
{
    static const int codes[] = {SC_EVERSION, SC_ENAMETAKEN, SC_ELIMIT, SC_ESHUTDOWN};
    m->refused.code = codes[sc_speech_byte(a->speech) % 4];
}

static const sc_word *
choose_word(sc_answers *a)
{
    uint32_t back = sc_speech_byte(a->speech) % SC_ANSWERS_KEPT;
    return &a->words[(a->n_words + 2 * SC_ANSWERS_KEPT - 1 - back) % SC_ANSWERS_KEPT];
}

static void
refused_request(sc_answers *a, sc_message *m)
{
    static const int codes[] = {SC_ENOJOB, SC_ENOHANDLER, SC_ELIMIT, SC_EAMBIGUOUS};
    m->refused.request = choose_word(a)->request;
    m->refused.code = codes[sc_speech_byte(a->speech) % 4];
}

static void
ack(sc_answers *a, const sc_word *to, sc_message *m)
{
    static const uint64_t windows[] = {SC_UPLOAD_WINDOW_BYTES, 6000, 1, 20000};
    uint8_t how = sc_speech_byte(a->speech);
    m->type = SC_MSG_ACK;
    m->ack = (sc_ack){to->request, to->job, to->type, to->number, windows[how % 4]};
    if (to->type == SC_MSG_CHUNK)
        a->next_chunk = to->number + 1;
    else if (how & 128)
        m->ack.number = a->next_chunk;
}

static void
page(sc_answers *a, const sc_word *to, sc_message *m)
{
    static const sc_worker_name names[] = {{{"w1", 2}}, {{"w2", 2}}};
    uint8_t how = sc_speech_byte(a->speech);
    m->type = SC_MSG_PAGE;
    m->page = (sc_page){
        .request = to->request, .base = how, .next = how, .is_end = how & 1, .workers = {names, 2}};
    if (how & 2)
        sc_speech_records(a->speech, m, how, how / 16,
                          (sc_record){.len = 3, .attempt = 1, .worker = how / 8});
}

static void
list(sc_answers *a, const sc_word *to, sc_message *m)
{
    static const sc_job_info jobs[2] = {{.name = {"j", 1}, .state = SC_JOB_RUNNING}};
    static const sc_worker_info workers[2] = {{.name = {"w1", 2}}, {.name = {"w2", 2}}};
    static const sc_handler_info handlers[2] = {{.name = {"a", 1}}, {.name = {"b", 1}}};
    uint8_t how = sc_speech_byte(a->speech);
    const void *items = to->number == SC_ASK_WORKERS    ? (const void *)workers
                        : to->number == SC_ASK_HANDLERS ? (const void *)handlers
                                                        : jobs;
    m->type = to->number == SC_ASK_WORKERS    ? SC_MSG_WORKERS
              : to->number == SC_ASK_HANDLERS ? SC_MSG_HANDLERS
                                              : SC_MSG_JOBS;
    m->jobs = (sc_jobs){.request = to->request, .has_more = how & 1, .jobs = {items, how / 2 % 3}};
}

// The answer to what was said, by its kind.
static void
answer(sc_answers *a, sc_message *m)
{
    const sc_word *to = choose_word(a);
    m->stop.request = to->request;
    switch (to->type) {
    case SC_MSG_CALL:
        m->type = SC_MSG_REPLY;
        sc_speech_records(a->speech, m, 0, 1, (sc_record){.len = 3, .attempt = 1});
        break;
    case SC_MSG_READ:
        page(a, to, m);
        break;
    case SC_MSG_STOP:
        m->type = SC_MSG_STOPPING;
        break;
    case SC_MSG_ASK:
        if (to->number == SC_ASK_CLUSTER)
            m->type = SC_MSG_CLUSTER;
        else
            list(a, to, m);
        break;
    default:
        ack(a, to, m);
    }
}

static const struct {
    sc_message_type type;
    void (*fill)(sc_answers *a, sc_message *m); // NULL: nothing is filled in
} lines[] = {
    {SC_MSG_WELCOME, welcome}, {SC_MSG_WHO, NULL},
    {SC_MSG_REFUSED, refused}, {SC_MSG_ACK, answer},
    {SC_MSG_ACK, answer}, // often
    {SC_MSG_HEARTBEAT, NULL},  {SC_MSG_REFUSED, refused_request},
    {SC_MSG_RUN, NULL},
};
_Static_assert(sizeof lines / sizeof *lines == SC_N_ANSWERS, "each kind has a line");

static bool
has_answer(sc_message_type type)
{
    return type != SC_MSG_HELLO && type != SC_MSG_BYE && type != SC_MSG_HEARTBEAT &&
           type != SC_MSG_DROP;
}

void
sc_answers_hear(sc_answers *a, const sc_message *m)
{
    sc_word said = {m->type, m->stop.request, {{0}}, 0}; // requests begin with their number
    if (!has_answer(m->type))
        return;
    if (m->type == SC_MSG_CHUNK)
        said.number = m->chunk.number;
    else if (m->type == SC_MSG_ASK)
        said.number = m->ask.what;
    else if (m->type == SC_MSG_OPEN)
        said.job = m->open.job;
    a->words[a->n_words++ % SC_ANSWERS_KEPT] = said;
    sc_speech_tell(a->speech, said.request);
    sc_speech_tell(a->speech, said.number);
}

bool
sc_answers_say(sc_answers *a, uint8_t kind, sc_message *out)
{
    sc_message m = {.type = lines[kind].type};
    if (lines[kind].fill)
        lines[kind].fill(a, &m);
    return sc_speech_say(a->speech, &m, out);
}
