/* SPDX-License-Identifier: Apache-2.0 */
/* A program of its own, to be run under ThreadSanitizer: the journal with SQLite is opened,
 * written, read and closed many times, closed at every stage too, while its thread commits. Exit 0
 * = what was written was answered once and in order, and was there the next time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/random.h"
#include "coordinator/journal.h"

enum { N_ROUNDS = 40, N_TURNS = 60, N_CHUNKS = 5 };

typedef struct tally {
    sc_journal *journal;
    uint64_t next_number, n_jobs; /* what was there at the start */
    uint64_t n_acted, n_written;
    unsigned n_opened, n_stored, n_asked, n_answered;
    bool is_leading, has_failed, is_closed;
} tally;

static void
on_leading(void *arg, const sc_journal_start *start)
{
    tally *t = arg;
    t->is_leading = true;
    t->next_number = start->next_number;
    t->n_jobs = start->n_jobs;
}

static void
on_waiting(void *arg, const char *leader)
{
    fprintf(stderr, "another leads: %s\n", leader);
    ((tally *)arg)->has_failed = true;
}

static void
on_failed(void *arg, const sc_error *err)
{
    fprintf(stderr, "failed: %s\n", err->text);
    ((tally *)arg)->has_failed = true;
}

static void
on_stored(void *arg, const sc_ticket *ticket, int status, const char *why)
{
    tally *t = arg;
    t->has_failed |= status < 0 || why || ticket->request != ++t->n_stored; // in order
}

static void
on_written(void *arg, uint64_t n)
{
    tally *t = arg;
    t->has_failed |= n <= t->n_written || n > t->n_acted;
    t->n_written = n;
}

static void
on_chunk(void *arg, const sc_uuid *job, uint32_t number, int status, sc_slice table, sc_slice bytes)
{
    tally *t = arg;
    (void)job;
    t->n_answered++;
    t->has_failed |= status < 0 || table.len != 4 || bytes.len != 1000 || bytes.data[999] != number;
}

static void
on_results(void *arg, const sc_store_read *read, int status, const sc_message *page)
{
    tally *t = arg;
    t->n_answered++;
    t->has_failed |= status < 0 || read->after > t->n_written || page->table.len == 0;
}

static void
on_tasks(void *arg, const sc_uuid *job, int status, const sc_saved_job *saved,
         const sc_saved_tasks *tasks)
{
    tally *t = arg;
    (void)job;
    t->n_answered++;
    t->has_failed |= status < 0 || !saved || tasks->done == 0;
}

static void
on_trouble(void *arg, const char *why)
{
    fprintf(stderr, "trouble: %s\n", why ? why : "over");
    ((tally *)arg)->has_failed = true;
}

static void
on_ready(void *arg)
{
    sc_journal_deliver(((tally *)arg)->journal);
}

static void
on_closed(void *arg)
{
    ((tally *)arg)->is_closed = true;
}

static void
act(tally *t, sc_action *action, bool is_upload)
{
    t->n_acted++;
    if (is_upload)
        action->put.ticket.request = ++t->n_opened;
    sc_journal_act(t->journal, action);
}

// A job's record and its chunks; of every other chunk the payload has no owner.
static void
put_job(tally *t, uint64_t number)
{
    uint8_t payload[1000];
    uint32_t len = sizeof payload;
    sc_saved_job saved = {.number = number, .open = sc_slice_borrow("open", 4)};
    sc_action a = {.type = SC_ACTION_PUT_OPEN, .number = number, .put.saved = &saved};
    act(t, &a, true);
    for (uint32_t i = 0; i < N_CHUNKS; i++) {
        memset(payload, (int)i, sizeof payload);
        sc_blob *blob = sc_blob_copy(payload, sizeof payload);
        SC_ASSERT(blob);
        a = (sc_action){.type = SC_ACTION_PUT_CHUNK, .number = number};
        a.put.ticket.number = i;
        a.put.place = i;
        a.put.table = sc_slice_borrow(&len, sizeof len);
        a.put.bytes = i % 2 ? sc_slice_of(blob) : sc_slice_borrow(payload, sizeof payload);
        act(t, &a, true);
        sc_blob_unref(blob);
    }
}

static void
end_tasks(tally *t, uint64_t number)
{
    sc_action a = {.type = SC_ACTION_PUT_RANGE, .number = number};
    a.range.count = N_CHUNKS;
    a.range.outcome = SC_CANCELLED;
    a.range.error = sc_text_of("{}");
    act(t, &a, false);
}

static void
ask(tally *t, uint64_t number, uint32_t chunk)
{
    sc_action a = {.type = SC_ACTION_GET_CHUNK, .number = number};
    a.chunk.number = chunk;
    sc_journal_act(t->journal, &a);
    a = (sc_action){.type = SC_ACTION_GET_RESULTS, .number = number};
    a.read = (sc_store_read){
        .until = N_CHUNKS, .order = SC_READ_INDEX, .max_bytes = 10000, .after = t->n_acted};
    sc_journal_act(t->journal, &a);
    t->n_asked += 2;
}

// Jobs are written, their chunks asked for in this turn and in later ones. @return false where
// something was wrong
static bool
use(tally *t, uv_loop_t *loop, sc_random *random)
{
    uint64_t first = t->next_number;
    for (uint64_t i = 0; i < N_TURNS && !t->has_failed; i++) {
        put_job(t, first + i);
        end_tasks(t, first + i);
        ask(t, first + sc_random_below(random, i + 1), (uint32_t)sc_random_below(random, N_CHUNKS));
        if (sc_random_below(random, 3) > 0)
            sc_journal_deliver(t->journal);
        uv_run(loop, UV_RUN_NOWAIT);
    }
    sc_journal_deliver(t->journal);
    return !t->has_failed;
}

// @param stage  what it is closed after: 0 nothing, 1 leading, 2 acting, 3 all answers
static int
run_round(const char *location, int stage, uint64_t *n_jobs, sc_random *random)
{
    uv_loop_t loop;
    tally t = {.n_written = 0};
    sc_journal_options options = {.location = location, .cache_bytes = 100000};
    sc_journal_events events = {on_leading, on_waiting, on_failed,  on_stored, on_written, on_chunk,
                                on_results, on_tasks,   on_trouble, on_ready,  &t};
    if (uv_loop_init(&loop) != 0 || sc_journal_new(&loop, &options, &events, &t.journal, NULL) < 0)
        return 1;
    while (stage > 0 && !t.is_leading && !t.has_failed)
        uv_run(&loop, UV_RUN_ONCE);
    if (t.is_leading && t.n_jobs != *n_jobs)
        return 2;
    if (stage > 1 && !use(&t, &loop, random))
        return 3;
    while (stage > 2 && (t.n_written < t.n_acted || t.n_answered < t.n_asked) && !t.has_failed)
        uv_run(&loop, UV_RUN_ONCE);
    if (t.has_failed || (stage > 2 && t.n_stored < t.n_opened))
        return 4;
    sc_journal_close(&t.journal, on_closed, &t);
    uv_run(&loop, UV_RUN_DEFAULT);
    *n_jobs += stage > 1 ? N_TURNS : 0; // closing writes what waits
    return t.is_closed && uv_loop_close(&loop) == 0 ? 0 : 5;
}

int
main(void)
{
    char folder[] = "/tmp/sc-test-XXXXXX", location[80], command[64];
    sc_random random;
    uint64_t n_jobs = 0;
    int rc = 0;
    if (mkdtemp(folder) == NULL)
        return 1;
    sc_log_init(SC_LOG_ERROR, "test");
    sc_random_init(&random, 5);
    snprintf(location, sizeof location, "sqlite:%s/journal.sqlite", folder);
    for (int i = 0; i < N_ROUNDS && rc == 0; i++)
        rc = run_round(location, i % 4, &n_jobs, &random);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) == 0 ? rc : 6;
}
