/* SPDX-License-Identifier: Apache-2.0 */
/* A back end of the journal that does as it is told: calls that fail or wait, and what is committed
 * as a line of text. Included by test_journal_script.h. */
#ifndef SC_TEST_JOURNAL_SCRIPTED_H
#define SC_TEST_JOURNAL_SCRIPTED_H

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
script_jobs(void *b, uint64_t number, int (*each)(void *arg, const sc_saved_job *job), void *arg,
            sc_error *err)
{
    script *s = b;
    int rc = pass(s, JOBS, err);
    if (number)
        return rc < 0 ? rc
                      : each(arg, &(sc_saved_job){.number = number,
                                                  .open = sc_slice_borrow("open", 4),
                                                  .state = {.n_tasks = 10}});
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
script_tries(void *b, const sc_ended_query *q, sc_attempt_row_cb each, void *arg, sc_error *err)
{
    return script_attempts(b, q->number, q->from, each, arg, err);
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
    .tries = script_tries,
    .tend = script_tend,
    .close = script_close,
};

#endif
