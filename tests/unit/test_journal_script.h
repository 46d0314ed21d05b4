/* SPDX-License-Identifier: Apache-2.0 */
/* The journal over a back end that does as it is told: calls that fail or wait, what is committed
 * as a line of text; and what the journal says, as another. Included by files of a test program. */
#ifndef SC_TEST_JOURNAL_SCRIPT_H
#define SC_TEST_JOURNAL_SCRIPT_H

#include "tests/unit/test_journal_scripted.h"

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
on_tasks(void *arg, const sc_uuid *job, int status, const sc_saved_job *saved,
         const sc_saved_tasks *tasks)
{
    say(arg, "tasks:%d:%d:%d ", (int)job->bytes[0], status, tasks ? (int)tasks->cancelled : -1);
    cr_expect(!tasks || saved->number == 1);
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
    sc_journal_events events = {on_leading, on_waiting, on_failed,  on_stored, on_written, on_chunk,
                                on_results, on_tasks,   on_trouble, on_ready,  w};
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
ask_tasks(world *w, uint64_t after)
{
    sc_action a = {.type = SC_ACTION_GET_TASKS, .number = 1};
    a.tasks.job.bytes[0] = 1;
    a.tasks.undone.dead_before = 1;
    a.tasks.after = after;
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
