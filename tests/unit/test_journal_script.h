/* SPDX-License-Identifier: Apache-2.0 */
/* The journal over a back end that does as it is told: calls that fail or wait, what is committed
 * as a line of text; and what the journal says, as another. Included by files of a test program. */
#ifndef SC_TEST_JOURNAL_SCRIPT_H
#define SC_TEST_JOURNAL_SCRIPT_H

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <uv.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "coordinator/journal.h"
#include "coordinator/journal_backend.h"

enum call { OPEN, LEAD, JOBS, TASKS, BEGIN, PUT, COMMIT, CHUNK, ENDED, TEND, CLOSE, N_CALLS };
enum { NOWHERE = -1, TEXT = 1 << 14, ROOMY = 1 << 20 };

/* ---- the back end ---- */

/* Under its lock, but for what is set before the start. */
typedef struct script {
    uv_mutex_t lock;
    uv_cond_t changed;
    /* what the test wants */
    int codes[N_CALLS];   /* that the calls return; 0: they work */
    int n_more[N_CALLS];  /* so often; 0: until it is set anew */
    int stop_at;          /* here the thread waits until that is taken back, */
    int closing_at;       /* here until it is told to stop */
    uint32_t n_chunks;    /* of each job, */
    size_t chunk_bytes;   /* each so long */
    size_t n_jobs;        /* at the start */
    const uint32_t *jobs; /* states */
    /* what was done */
    const atomic_bool *should_stop;
    int n[N_CALLS];
    int64_t begun_ms[8]; /* of the last groups: by number & 7 */
    bool is_stopped, is_in_group, must_roll_back, is_safe;
    char group[TEXT], disk[TEXT]; /* a word for each write; `;` ends a safe group, `,` another */
    size_t n_puts;
    size_t groups[8], n_groups; /* writes in each */
} script;

static inline void
add(char *text, const char *word)
{
    size_t len = strlen(text), more = strlen(word);
    if (len + more < TEXT) // of very many the first will do
        memcpy(text + len, word, more + 1);
}

static inline void
change(script *s)
{
    uv_cond_broadcast(&s->changed);
}

// Each call begins here. @return what it has to return
static inline int
pass(script *s, enum call which, sc_error *err)
{
    uv_mutex_lock(&s->lock);
    s->n[which]++;
    s->is_stopped = s->stop_at == (int)which;
    change(s);
    while (s->stop_at == (int)which)
        uv_cond_wait(&s->changed, &s->lock);
    s->is_stopped = false;
    int code = s->codes[which];
    if (s->n_more[which] && --s->n_more[which] == 0)
        s->codes[which] = 0;
    bool waits = s->closing_at == (int)which;
    uv_mutex_unlock(&s->lock);
    while (waits && !atomic_load(s->should_stop))
        sched_yield();
    return code < 0 ? sc_error_set(err, code, "because of %d", code) : code;
}

static script the_script; // each test is a process of its own

static inline int
script_open(const char *location, const atomic_bool *should_stop, void **out, sc_error *err)
{
    cr_assert_str_eq(location, "script:");
    the_script.should_stop = should_stop;
    int rc = pass(&the_script, OPEN, err);
    *out = rc == 0 ? &the_script : NULL;
    return rc;
}

static inline int
script_lead(void *b, uint64_t *epoch, uint64_t *next_number, sc_error *err)
{
    *epoch = 7;
    *next_number = 42;
    return pass(b, LEAD, err);
}

static inline int
script_jobs(void *b, int (*each)(void *arg, const sc_saved_job *job), void *arg, sc_error *err)
{
    script *s = b;
    int rc = pass(s, JOBS, err);
    for (uint32_t i = 0; rc == 0 && i < s->n_jobs; i++)
        rc = each(arg, &(sc_saved_job){.number = i + 1,
                                       .open = sc_slice_borrow("open", 4),
                                       .table = sc_slice_borrow("table", 5),
                                       .bytes = sc_slice_borrow("", 0),
                                       .chunks = sc_slice_borrow("chunks", 6),
                                       .state = {.state = s->jobs[i]}});
    return rc;
}

static inline int
script_position(void *b, uint64_t number, uint64_t *position, sc_error *err)
{
    *position = number;
    return pass(b, TASKS, err);
}

static inline int
script_attempts(void *b, uint64_t number, uint64_t from, sc_attempt_row_cb each, void *arg,
                sc_error *err)
{
    (void)b;
    (void)number;
    (void)from;
    (void)each;
    (void)arg;
    (void)err;
    return 0;
}

static inline int
script_begin(void *b, bool is_safe, sc_error *err)
{
    script *s = b;
    cr_assert(!s->is_in_group && !s->must_roll_back);
    int rc = pass(s, BEGIN, err);
    s->begun_ms[s->n[BEGIN] & 7] = sc_clock_ms();
    s->is_in_group = rc == 0;
    s->must_roll_back = rc < 0;
    s->is_safe = is_safe;
    s->group[0] = 0;
    s->n_puts = 0;
    return rc;
}

static inline int
script_put(void *b, const sc_action *a, sc_error *err)
{
    static const char *const words[] = {
        [SC_ACTION_PUT_OPEN] = "open",     [SC_ACTION_PUT_CHUNK] = "chunk",
        [SC_ACTION_PUT_COMMIT] = "commit", [SC_ACTION_PUT_RESULTS] = "results",
        [SC_ACTION_PUT_RANGE] = "range",   [SC_ACTION_PUT_ATTEMPT] = "attempt",
        [SC_ACTION_PUT_STATE] = "state",   [SC_ACTION_DROP_CHUNK] = "drop-chunk",
        [SC_ACTION_DROP_JOB] = "drop-job",
    };
    script *s = b;
    char word[40];
    cr_assert(s->is_in_group && !s->must_roll_back && words[a->type]);
    int rc = pass(s, PUT, err);
    snprintf(word, sizeof word, "%s%" PRIu64 " ", words[a->type], a->number);
    add(s->group, word);
    s->n_puts++;
    s->must_roll_back = rc < 0;
    return rc;
}

static inline int
script_commit(void *b, sc_error *err)
{
    script *s = b;
    cr_assert(s->is_in_group && !s->must_roll_back);
    int rc = pass(s, COMMIT, err);
    s->must_roll_back = rc < 0;
    if (rc < 0)
        return rc;
    s->is_in_group = false;
    uv_mutex_lock(&s->lock);
    add(s->disk, s->group);
    add(s->disk, s->is_safe ? "; " : ", ");
    s->groups[s->n_groups++ % 8] = s->n_puts;
    change(s);
    uv_mutex_unlock(&s->lock);
    return 0;
}

static inline void
script_rollback(void *b)
{
    script *s = b;
    cr_assert(s->must_roll_back, "only after an error");
    s->must_roll_back = s->is_in_group = false;
}

static inline int
script_chunk(void *b, uint64_t number, uint32_t chunk, sc_blob **table, sc_blob **bytes,
             sc_error *err)
{
    script *s = b;
    int rc = pass(s, CHUNK, err);
    if (rc == 0 && chunk >= s->n_chunks)
        rc = sc_error_set(err, SC_ENOTFOUND, "no chunk %u", chunk);
    if (rc < 0)
        return rc;
    *table = sc_blob_copy("read", 4);
    *bytes = sc_blob_new(s->chunk_bytes);
    cr_assert(*table && *bytes);
    memset((*bytes)->data, 0, s->chunk_bytes);
    snprintf((char *)(*bytes)->data, s->chunk_bytes, "%d.%d", (int)number, (int)chunk);
    return 0;
}

// One row: places 3 and 4, which ended first.
static inline int
give_row(void *b, sc_ended_row_cb each, void *arg, sc_error *err)
{
    int rc = pass(b, ENDED, err);
    if (rc == 0)
        each(arg, &(sc_ended_row){.place = 3,
                                  .count = 2,
                                  .is_range = true,
                                  .outcome = SC_CANCELLED,
                                  .worker = sc_text_of("w-1"),
                                  .bytes = sc_slice_borrow("{}", 2)});
    return rc;
}

static inline int
script_ended_from(void *b, uint64_t number, uint64_t position, sc_ended_row_cb each, void *arg,
                  sc_error *err)
{
    (void)number;
    cr_expect_eq(position, 0);
    return give_row(b, each, arg, err);
}

static inline int
script_ended_between(void *b, const sc_ended_query *q, sc_ended_row_cb each, void *arg,
                     sc_error *err)
{
    if (q->kind == SC_ENDED_BARE)
        return 0;
    cr_expect(q->from == 0 && q->until == 10, "places, not indexes: %d..%d", (int)q->from,
              (int)q->until);
    return give_row(b, each, arg, err);
}

static inline int
script_tend(void *b, sc_error *err)
{
    return pass(b, TEND, err);
}

static inline void
script_close(void *b)
{
    script *s = b;
    cr_assert(!s->is_in_group && !s->must_roll_back);
    pass(s, CLOSE, NULL);
}

static const sc_journal_backend scripted = {
    .scheme = "script",
    .open = script_open,
    .lead = script_lead,
    .jobs = script_jobs,
    .begin = script_begin,
    .put = script_put,
    .commit = script_commit,
    .rollback = script_rollback,
    .chunk = script_chunk,
    .ended_from = script_ended_from,
    .ended_between = script_ended_between,
    .position = script_position,
    .attempts = script_attempts,
    .tend = script_tend,
    .close = script_close,
};

/* ---- what the test tells it ---- */

static inline void
set_code(enum call which, int code, int n_times)
{
    uv_mutex_lock(&the_script.lock);
    the_script.codes[which] = code;
    the_script.n_more[which] = n_times;
    uv_mutex_unlock(&the_script.lock);
}

static inline void
set_stop(int at)
{
    uv_mutex_lock(&the_script.lock);
    the_script.stop_at = at;
    the_script.is_stopped = false;
    change(&the_script);
    uv_mutex_unlock(&the_script.lock);
}

static inline void
set_closing(enum call at)
{
    uv_mutex_lock(&the_script.lock);
    the_script.closing_at = (int)at;
    uv_mutex_unlock(&the_script.lock);
}

static inline void
await_stop(void)
{
    uv_mutex_lock(&the_script.lock);
    while (!the_script.is_stopped)
        uv_cond_wait(&the_script.changed, &the_script.lock);
    uv_mutex_unlock(&the_script.lock);
}

static inline int
count_of(enum call which)
{
    uv_mutex_lock(&the_script.lock);
    int n = the_script.n[which];
    uv_mutex_unlock(&the_script.lock);
    return n;
}

// Until a call has begun so often.
static inline void
await_calls(enum call which, int n)
{
    uv_mutex_lock(&the_script.lock);
    while (the_script.n[which] < n)
        uv_cond_wait(&the_script.changed, &the_script.lock);
    uv_mutex_unlock(&the_script.lock);
}

/* ---- the loop's side ---- */

typedef struct world {
    uv_loop_t loop;
    sc_journal *journal;
    char said[TEXT]; /* a word for each event */
    uint64_t written;
    int n_leading, n_closed;
    char disk_at_leading[TEXT];
} world;

static inline void SC_PRINTF(2, 3) say(world *w, const char *format, ...)
{
    char word[600];
    va_list args;
    va_start(args, format);
    vsnprintf(word, sizeof word, format, args);
    va_end(args);
    add(w->said, word);
}

static inline void
on_leading(void *arg, const sc_journal_start *start)
{
    world *w = arg;
    w->n_leading++;
    strcpy(w->disk_at_leading, the_script.disk);
    say(w, "leading:%d,%d", (int)start->epoch, (int)start->next_number);
    for (size_t i = 0; i < start->n_jobs; i++) {
        const sc_saved_job *j = &start->jobs[i];
        cr_expect(j->number == i + 1 && j->open.len == 4 && memcmp(j->open.data, "open", 4) == 0);
        cr_expect(j->table.len == 5 && j->bytes.len == 0 && j->chunks.len == 6);
        cr_expect(!start->tasks[i] || start->tasks[i]->position == i + 1);
        say(w, ",%s", start->tasks[i] ? "tasks" : "-");
    }
    say(w, " ");
}

static inline void
on_waiting(void *arg, const char *leader)
{
    say(arg, "waiting:%s ", leader);
}

static inline void
on_failed(void *arg, const sc_error *err)
{
    say(arg, "failed:%d:%s ", err->code, err->text);
}

// `stored:open1.0` (job, chunk); where it was refused with the code and why.
static inline void
on_stored(void *arg, const sc_ticket *t, int status, const char *why)
{
    say(arg, "stored:%s%d.%d",
        t->of == SC_MSG_OPEN    ? "open"
        : t->of == SC_MSG_CHUNK ? "chunk"
                                : "commit",
        t->job.bytes[0], (int)t->number);
    if (status < 0)
        say(arg, ":%d:%s", status, why);
    else
        cr_expect(status == 0 && !why);
    say(arg, " ");
}

static inline void
on_written(void *arg, uint64_t n)
{
    world *w = arg;
    cr_expect(n > w->written, "%d after %d", (int)n, (int)w->written);
    w->written = n;
    say(w, "written:%d ", (int)n);
}

static inline void
on_chunk(void *arg, const sc_uuid *job, uint32_t number, int status, sc_slice table, sc_slice bytes)
{
    say(arg, "chunk:%d.%d:", (int)job->bytes[0], (int)number);
    if (status == 0)
        say(arg, "%.*s:%.20s ", (int)table.len, (const char *)table.data,
            (const char *)bytes.data); // our payloads end with a 0
    else
        say(arg, "%d ", status);
}

static inline void
on_results(void *arg, const sc_store_read *read, int status, const sc_message *page)
{
    cr_expect_eq(page->type, SC_MSG_PAGE);
    say(arg, "results:%d:%d:%d ", (int)read->request, status,
        status == 0 ? (int)sc_records_count(page->table) : -1);
}

static inline void
on_trouble(void *arg, const char *why)
{
    say(arg, why ? "trouble:%s " : "works ", why);
}

static inline void
on_ready(void *arg)
{
    sc_journal_deliver(((world *)arg)->journal);
}

static inline void
on_closed(void *arg)
{
    ((world *)arg)->n_closed++;
}

// Until something was said.
static inline void
await(world *w, const char *what)
{
    while (sc_journal_deliver(w->journal), !strstr(w->said, what))
        uv_run(&w->loop, UV_RUN_ONCE);
}

static inline void
prepare(void)
{
    sc_log_init(SC_LOG_ERROR, "test");
    the_script.stop_at = the_script.closing_at = NOWHERE;
    the_script.chunk_bytes = 100;
    uv_mutex_init(&the_script.lock);
    uv_cond_init(&the_script.changed);
}

static inline int
start(world *w, uint64_t cache_bytes)
{
    sc_journal_options options = {
        .location = "script:", .cache_bytes = cache_bytes, .backend = &scripted};
    sc_journal_events events = {on_leading, on_waiting, on_failed,  on_stored, on_written,
                                on_chunk,   on_results, on_trouble, on_ready,  w};
    memset(w, 0, sizeof *w);
    uv_loop_init(&w->loop);
    return sc_journal_new(&w->loop, &options, &events, &w->journal, NULL);
}

// A journal that leads; what was said and done so far is forgotten.
static inline void
begin(world *w, uint64_t cache_bytes)
{
    prepare();
    cr_assert_eq(start(w, cache_bytes), 0);
    await(w, "leading");
    uv_mutex_lock(&the_script.lock);
    memset(the_script.n, 0, sizeof the_script.n);
    the_script.n_groups = 0;
    the_script.disk[0] = w->said[0] = 0;
    uv_mutex_unlock(&the_script.lock);
}

// Nothing is said after it.
static inline void
end(world *w)
{
    char said[TEXT];
    strcpy(said, w->said);
    sc_journal_close(&w->journal, on_closed, w);
    cr_expect(!w->journal && w->n_closed == 0);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    cr_expect_eq(w->n_closed, 1);
    cr_expect_str_eq(w->said, said);
    cr_expect_eq(uv_loop_close(&w->loop), 0);
    uv_mutex_destroy(&the_script.lock);
    uv_cond_destroy(&the_script.changed);
}

/* ---- actions ---- */

static inline sc_action
action_of(sc_action_type type, uint64_t number, uint32_t chunk)
{
    static const uint8_t of[] = {
        [SC_ACTION_PUT_OPEN] = SC_MSG_OPEN,
        [SC_ACTION_PUT_CHUNK] = SC_MSG_CHUNK,
        [SC_ACTION_PUT_COMMIT] = SC_MSG_COMMIT,
    };
    sc_action a = {.type = type, .number = number};
    switch (type) {
    case SC_ACTION_PUT_OPEN:
    case SC_ACTION_PUT_CHUNK:
    case SC_ACTION_PUT_COMMIT:
        a.put.ticket.of = of[type];
        a.put.ticket.job.bytes[0] = (uint8_t)number;
        a.put.ticket.number = chunk;
        a.put.table = sc_slice_borrow("put", 3);
        a.put.bytes = sc_slice_borrow("payload", 8);
        break;
    case SC_ACTION_GET_CHUNK:
    case SC_ACTION_DROP_CHUNK:
        a.chunk.job.bytes[0] = (uint8_t)number;
        a.chunk.number = chunk;
        break;
    default:
        break;
    }
    return a;
}

static inline void
act(world *w, sc_action_type type, uint64_t number, uint32_t chunk)
{
    sc_action a = action_of(type, number, chunk);
    sc_journal_act(w->journal, &a);
}

static inline void
ask_results(world *w, uint64_t request, uint32_t order, uint64_t after)
{
    uint64_t first = order == SC_READ_ENDED ? 0 : 100;
    sc_action a = {.type = SC_ACTION_GET_RESULTS, .number = 1};
    a.read = (sc_store_read){.request = request,
                             .from = first,
                             .until = first + 10,
                             .order = order,
                             .max_bytes = 1000,
                             .first_index = first,
                             .after = after};
    sc_journal_act(w->journal, &a);
}

static inline void
act_state(world *w, uint64_t number, int64_t ended_at)
{
    sc_action a = {.type = SC_ACTION_PUT_STATE, .number = number};
    a.state.state.ended_at = ended_at;
    sc_journal_act(w->journal, &a);
}

// A write whose payload is so long.
static inline void
act_results(world *w, uint64_t number, size_t bytes)
{
    sc_blob *payload = sc_blob_new(bytes);
    cr_assert(payload);
    sc_action a = {.type = SC_ACTION_PUT_RESULTS, .number = number};
    a.results.bytes = sc_slice_of(payload);
    sc_journal_act(w->journal, &a);
    sc_blob_unref(payload);
}

static inline int
occurrences(const char *text, const char *word)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, word)); at += strlen(word))
        n++;
    return n;
}

#endif
