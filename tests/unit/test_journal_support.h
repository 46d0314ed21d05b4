/* SPDX-License-Identifier: Apache-2.0 */
/* A journal's back end in a folder of its own, and a scripted history: what is written group by
 * group, and what has to be there after so many groups. Included by one file of a test program. */
#ifndef SC_TEST_JOURNAL_SUPPORT_H
#define SC_TEST_JOURNAL_SUPPORT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/fault.h"
#include "base/log.h"
#include "coordinator/journal_backend.h"
#include "coordinator/journal_page.h"
#include "coordinator/journal_tasks.h"
#include "tests/support/postgres_server.h"

enum { N_TASKS = 2500, CHUNK = 1000, FIRST_INDEX = 7 };

struct world {
    const sc_journal_backend *b;
    char dir[64], location[200];
    void *journal;
    uint64_t epoch, next_number;
    sc_error err;
};

/* Of the process; a world has all of its tables. */
static sc_test_server server;

static atomic_bool goes_on;

// Who led may be gone, and the server not know yet.
static inline int
lead(struct world *w, void *journal)
{
    int rc;
    while ((rc = w->b->lead(journal, &w->epoch, &w->next_number, &w->err)) == SC_EBUSY)
        cr_assert_eq(w->b, &sc_journal_postgres);
    return rc;
}

static inline int
reopen(struct world *w)
{
    if (w->journal)
        w->b->close(w->journal);
    w->journal = NULL;
    w->err = (sc_error){0};
    int rc = w->b->open(w->location, &goes_on, &w->journal, &w->err);
    return rc < 0 ? rc : lead(w, w->journal);
}

static inline void
begin(struct world *w, const sc_journal_backend *b)
{
    memset(w, 0, sizeof *w);
    sc_log_init(SC_LOG_ERROR, "test");
    w->b = b;
    if (b == &sc_journal_postgres) {
        if (!server.to && !sc_test_server_start(&server))
            cr_skip_test("%s", server.location);
        sc_test_server_do(&server, "sql DROP SCHEMA IF EXISTS seedcore CASCADE");
        snprintf(w->location, sizeof w->location, "%s", server.location);
        return;
    }
    strcpy(w->dir, "/tmp/sc-journal-XXXXXX");
    cr_assert(mkdtemp(w->dir));
    snprintf(w->location, sizeof w->location, "sqlite:%s/journal.sqlite", w->dir);
}

static inline void
end(struct world *w)
{
    char command[128];
    if (w->journal)
        w->b->close(w->journal);
    if (w->b == &sc_journal_postgres)
        return;
    snprintf(command, sizeof command, "rm -r %s", w->dir);
    cr_assert_eq(system(command), 0);
}

/* One case for each back end; `name` is what it does. */
#define FOR_EACH_BACKEND(name)                                                                     \
    static void name(const sc_journal_backend *backend);                                           \
    Test(journal, sqlite_##name)                                                                   \
    {                                                                                              \
        name(&sc_journal_sqlite);                                                                  \
    }                                                                                              \
    Test(journal, postgres_##name)                                                                 \
    {                                                                                              \
        name(&sc_journal_postgres);                                                                \
        sc_test_server_end(&server);                                                               \
    }                                                                                              \
    static void name(const sc_journal_backend *backend)

/* ---- the history: job 1 an upload of three chunks, job 2 an array ---- */

static uint8_t bytes[CHUNK * 4];
static sc_record records[CHUNK];

static inline sc_action
open_action(uint64_t number, sc_saved_job *saved, uint32_t state)
{
    *saved = (sc_saved_job){.number = number,
                            .client = UINT64_MAX - number,
                            .open = sc_slice_borrow("open", 4),
                            .table = sc_slice_borrow("tab", number == 2 ? 3 : 0),
                            .bytes = sc_slice_borrow("args", number == 2 ? 4 : 0),
                            .state = {.state = state, .n_tasks = number == 2 ? 10 : 0}};
    sc_action a = {.type = SC_ACTION_PUT_OPEN, .number = number};
    a.put.ticket.job.bytes[0] = (uint8_t)number;
    a.put.saved = saved;
    a.put.table = saved->table;
    a.put.bytes = saved->bytes;
    return a;
}

static inline uint32_t
count_of(uint32_t chunk)
{
    return chunk < 2 ? CHUNK : N_TASKS - 2 * CHUNK;
}

static inline sc_action
chunk_action(uint32_t chunk)
{
    static uint32_t lens[CHUNK];
    for (uint32_t i = 0; i < CHUNK; i++)
        lens[i] = 4;
    sc_action a = {.type = SC_ACTION_PUT_CHUNK, .number = 1};
    a.put.ticket.number = chunk;
    a.put.place = (uint64_t)chunk * CHUNK;
    memset(bytes, 'a' + (int)chunk, sizeof bytes);
    a.put.table = sc_slice_borrow(lens, count_of(chunk) * sizeof *lens);
    a.put.bytes = sc_slice_borrow(bytes, count_of(chunk) * 4ul);
    return a;
}

static inline sc_action
commit_action(sc_saved_job *saved)
{
    static sc_saved_chunk chunks[3] = {{CHUNK, 8000}, {CHUNK, 8000}, {500, 4000}};
    *saved = (sc_saved_job){.number = 1, .chunks = sc_slice_borrow(chunks, sizeof chunks)};
    saved->state =
        (sc_saved_state){.state = SC_JOB_OPEN, .n_tasks = N_TASKS, .submitted_at = 1700000000000};
    sc_action a = {.type = SC_ACTION_PUT_COMMIT, .number = 1};
    a.put.saved = saved;
    return a;
}

// `n` results from a place on, every `step`-th; of these one in ten is dead.
static inline sc_action
results_action(uint64_t place, uint32_t n, uint32_t step, uint64_t position)
{
    for (uint32_t i = 0; i < n; i++)
        records[i] = (sc_record){.offset = 5 + i * step,
                                 .len = 4,
                                 .attempt = 1,
                                 .outcome = i % 10 == 3 ? SC_DEAD : SC_DONE};
    for (uint32_t i = 0; i < n; i++)
        memcpy(bytes + i * 4, &(uint32_t){(uint32_t)place + i * step}, 4);
    sc_action a = {.type = SC_ACTION_PUT_RESULTS, .number = 1};
    a.results.worker = sc_text_of("w-1");
    a.results.base = FIRST_INDEX + place - 5;
    a.results.first_index = FIRST_INDEX;
    a.results.position = position;
    a.results.table = sc_slice_borrow(records, n * sizeof *records);
    a.results.bytes = sc_slice_borrow(bytes, n * 4ul);
    return a;
}

static inline sc_action
range_action(uint64_t place, uint64_t n, uint64_t position)
{
    sc_action a = {.type = SC_ACTION_PUT_RANGE, .number = 1};
    a.range.first = FIRST_INDEX + place;
    a.range.count = n;
    a.range.outcome = SC_CANCELLED;
    a.range.attempt = 2;
    a.range.error = sc_text_of("{\"code\":\"x\"}");
    a.range.first_index = FIRST_INDEX;
    a.range.position = position;
    return a;
}

static inline sc_action
attempt_action(uint64_t place, uint32_t attempt, int64_t due_at)
{
    sc_action a = {.type = SC_ACTION_PUT_ATTEMPT, .number = 1};
    a.attempt.next = (sc_saved_attempt){place, attempt, 1, due_at};
    a.attempt.worker = sc_text_of("w-2");
    a.attempt.error = sc_text_of("{}");
    return a;
}

static inline int
group(struct world *w, const sc_action *actions, size_t n)
{
    int rc = w->b->begin(w->journal, true, &w->err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = w->b->put(w->journal, &actions[i], &w->err);
    if (rc == 0)
        rc = w->b->commit(w->journal, &w->err);
    if (rc < 0)
        w->b->rollback(w->journal);
    return rc;
}

// Each step is a group; what a group says is there once it has been committed.
enum { N_STEPS = 9 };
static inline int
step(struct world *w, int i)
{
    sc_saved_job saved[2];
    sc_action a[2];
    size_t n = 1;
    switch (i) {
    case 0:
        a[0] = open_action(1, &saved[0], SC_JOB_STAGED);
        a[1] = open_action(2, &saved[1], SC_JOB_OPEN);
        n = 2;
        break;
    case 1:
    case 2:
    case 3:
        a[0] = chunk_action((uint32_t)i - 1);
        break;
    case 4:
        a[0] = commit_action(&saved[0]);
        break;
    case 5: // places 0..99
        a[0] = results_action(0, 100, 1, 0);
        break;
    case 6: // places 1000, 1002, .. 1998
        a[0] = results_action(1000, 500, 2, 100);
        break;
    case 7: // places 1500..2399, but for what has ended: 2000..2399
        a[0] = range_action(2000, 400, 600);
        break;
    default:
        a[0] = attempt_action(500, 2, 17);
        a[1] = attempt_action(500, 3, 18);
        n = 2;
        break;
    }
    return group(w, a, n);
}

/* ---- reading it back ---- */

typedef struct seen {
    int n_jobs;
    sc_saved_job jobs[3];
    sc_saved_chunk chunks[3]; // of job 1: what is given is borrowed
    size_t chunk_bytes, args_bytes;
} seen;

static inline int
see_job(void *arg, const sc_saved_job *job)
{
    seen *s = arg;
    sc_saved_job *is = &s->jobs[s->n_jobs++];
    *is = *job;
    is->chunks = sc_slice_borrow(s->chunks, job->number == 1 ? job->chunks.len : 0);
    cr_assert_leq(is->chunks.len, sizeof s->chunks);
    if (is->chunks.len > 0)
        memcpy(s->chunks, job->chunks.data, is->chunks.len);
    if (job->number == 1)
        s->chunk_bytes = job->chunks.len;
    else
        s->args_bytes = job->table.len + job->bytes.len;
    cr_assert(job->open.len == 4 && memcmp(job->open.data, "open", 4) == 0);
    return 0;
}

// What is there after `n_steps` groups.
static inline void
check(struct world *w, const char *name, int n_steps)
{
    seen s = {0};
    cr_assert_eq(w->b->jobs(w->journal, 0, see_job, &s, &w->err), 0, "%s: %s", name, w->err.text);
    cr_assert_eq(s.n_jobs, n_steps > 0 ? 2 : 0, "%s: %d jobs", name, s.n_jobs);
    if (n_steps == 0)
        return;
    size_t n_chunks = n_steps >= 4 ? 3 : (size_t)n_steps - 1;
    cr_expect_eq(s.chunk_bytes, n_chunks * sizeof(sc_saved_chunk), "%s, step %d", name, n_steps);
    cr_expect(s.args_bytes == 7 && s.jobs[0].client == UINT64_MAX - 1);
    cr_expect_eq(s.jobs[0].state.state, n_steps >= 5 ? SC_JOB_OPEN : SC_JOB_STAGED);
    if (n_steps < 5)
        return;
    sc_saved_tasks *t = NULL;
    cr_assert_eq(sc_journal_tasks(w->b, w->journal, &s.jobs[0], &t, &w->err), 0, "%s: %s", name,
                 w->err.text);
    uint64_t n = 0;
    for (uint64_t i = 0; i < t->n_ended; i++)
        n += t->ended[i].count;
    static const uint64_t ended[] = {0, 100, 600, 1000, 1000}, dead[] = {0, 10, 60, 60, 60};
    cr_expect_eq(n, ended[n_steps - 5], "%s, step %d: %d", name, n_steps, (int)n);
    cr_expect(t->done + t->dead + t->cancelled == n && t->dead == dead[n_steps - 5]);
    cr_expect_eq(t->position, n);
    cr_expect_eq(t->n_attempts, n_steps == N_STEPS ? 1 : 0);
    if (t->n_attempts)
        cr_expect(t->attempts[0].place == 500 && t->attempts[0].attempt == 3 &&
                  t->attempts[0].blame == 1 && t->attempts[0].due_at == 18);
    sc_saved_tasks_free(&t);
}

static inline void
check_chunks(struct world *w, const char *name)
{
    for (uint32_t i = 0; i < 4; i++) {
        sc_blob *table, *payload;
        int rc = w->b->chunk(w->journal, 1, i, &table, &payload, &w->err);
        cr_assert_eq(rc, i < 3 ? 0 : SC_ENOTFOUND, "%s", name);
        if (rc < 0)
            continue;
        cr_expect(table->len == count_of(i) * 4 && payload->len == count_of(i) * 4 &&
                  payload->data[payload->len - 1] == 'a' + i);
        sc_blob_unref(table);
        sc_blob_unref(payload);
    }
}

/* Reads by index or as ended give all of it, once, in order, whatever a page may hold. */
static inline void
check_pages(struct world *w, uint32_t order, uint32_t max_bytes, uint64_t want)
{
    uint64_t from = order == SC_READ_ENDED ? 0 : FIRST_INDEX, n = 0, last = 0;
    uint64_t until = order == SC_READ_ENDED ? 1000 : FIRST_INDEX + N_TASKS;
    while (from < until) {
        sc_store_read read = {.from = from,
                              .until = until,
                              .order = order,
                              .max_bytes = max_bytes,
                              .first_index = FIRST_INDEX};
        const sc_ended_query query = {1, from - FIRST_INDEX, until - FIRST_INDEX, SC_ENDED_ALL};
        sc_journal_page *p = sc_journal_page_new(&read);
        int rc =
            order == SC_READ_ENDED
                ? w->b->ended_from(w->journal, 1, from, sc_journal_page_as_ended, p, &w->err)
                : w->b->ended_between(w->journal, &query, sc_journal_page_by_index, p, &w->err);
        cr_assert(rc == 0 && sc_journal_page_finish(p) == 0, "%s", w->err.text);
        const sc_message *m = &p->message;
        cr_assert(m->page.next > from, "from %d", (int)from);
        cr_assert(m->table.len == 0 || sc_records_check(m->table, m->bytes, 1000) == 0);
        for (uint32_t i = 0, at = 0; i < sc_records_count(m->table); i++) {
            sc_record r = sc_records_get(m->table, i);
            uint64_t place = m->page.base + r.offset - FIRST_INDEX;
            uint32_t value;
            memcpy(&value, m->bytes.data + at, 4);
            at += r.len;
            cr_assert(r.outcome == SC_CANCELLED || value == place, "place %d", (int)place);
            cr_assert(order == SC_READ_ENDED || n == 0 || place > last, "order");
            last = place;
            n++;
        }
        from = m->page.next;
        sc_journal_page_free(&p);
    }
    cr_expect_eq(n, want, "order %u, pages of %u: %d", order, max_bytes, (int)n);
}

static inline void
check_state(const sc_saved_state *is, const sc_saved_state *wanted)
{
    int64_t a[SC_STATE_NUMBERS], b[SC_STATE_NUMBERS];
    sc_journal_state_put(is, a);
    sc_journal_state_put(wanted, b);
    for (int i = 0; i < SC_STATE_NUMBERS; i++)
        cr_expect_eq(a[i], b[i], "column %d: %lld, not %lld", i, (long long)a[i], (long long)b[i]);
    cr_expect_eq(memcmp(is->digest.bytes, wanted->digest.bytes, sizeof is->digest.bytes), 0);
}

/* After all steps: the job is retried, and its record is written and read with all that it has. */
static inline void
check_undoing(struct world *w, const char *name)
{
    static const struct {
        sc_undone undone;
        uint64_t ended, dead, n_attempts;
    } rows[] = {{{0, 0}, 1000, 60, 1},
                {{100, 0}, 990, 50, 0},
                {{1000, 0}, 940, 0, 0},
                {{1000, 1000}, 540, 0, 0}};
    sc_action a = {.type = SC_ACTION_PUT_STATE, .number = 1};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_saved_tasks *t = NULL;
        seen s = {0};
        a.state.state = (sc_saved_state){.state = SC_JOB_RUNNING,
                                         .n_tasks = N_TASKS,
                                         .submitted_at = 4,
                                         .ended_at = 5,
                                         .done = 6,
                                         .dead = 7,
                                         .cancelled = 8,
                                         .position = 1ull << 32,
                                         .handed = 9,
                                         .undone = rows[i].undone};
        memset(a.state.state.digest.bytes, 'a' + (int)i, sizeof a.state.state.digest.bytes);
        cr_assert_eq(group(w, &a, 1), 0, "%s: %s", name, w->err.text);
        cr_assert_eq(w->b->jobs(w->journal, 0, see_job, &s, &w->err), 0, "%s", w->err.text);
        check_state(&s.jobs[0].state, &a.state.state);
        check_state(&s.jobs[1].state, &(sc_saved_state){.state = SC_JOB_OPEN, .n_tasks = 10});
        cr_assert_eq(sc_journal_tasks(w->b, w->journal, &s.jobs[0], &t, &w->err), 0);
        uint64_t n = t->done + t->dead + t->cancelled;
        cr_expect(n == rows[i].ended && t->dead == rows[i].dead &&
                      t->n_attempts == rows[i].n_attempts && t->position == 1000,
                  "%s, row %zu: %d ended, %d dead, %d attempts", name, i, (int)n, (int)t->dead,
                  (int)t->n_attempts);
        sc_saved_tasks_free(&t);
    }
}

#endif
