/* SPDX-License-Identifier: Apache-2.0 */
/* What the loop's side of the journal (journal.c) and its thread (journal_thread.c) share. Requests
 * go one way, answers the other, each in order, over two lists under one lock; nothing else is
 * shared. */
#ifndef SC_JOURNAL_INT_H
#define SC_JOURNAL_INT_H

#include <stdatomic.h>

#include <utlist.h>
#include <uv.h>

#include "coordinator/action.h"
#include "coordinator/journal.h"
#include "coordinator/journal_backend.h"
#include "coordinator/journal_cache.h"
#include "coordinator/journal_numbers.h"
#include "coordinator/journal_page.h"
#include "coordinator/journal_tasks.h"

typedef struct request request;
struct request {
    sc_kept_action kept;
    uint64_t write;          /* number of a write, from 1; 0: a question */
    size_t bytes;            /* of its payload */
    sc_tasks_reader *reader; /* GET_TASKS, once begun */
    request *prev, *next;
};

/* A chunk's payload on its way to those who ask for it. */
typedef struct kept_chunk {
    uint64_t number;
    uint32_t chunk;
    sc_slice table, bytes;
} kept_chunk;

enum { READ_AHEAD = 16, READ_AHEAD_BYTES = 1 << 20 };

typedef struct answer answer;
struct answer {
    enum {
        ANSWER_LEADING,
        ANSWER_WAITING,
        ANSWER_FAILED,
        ANSWER_STORED,
        ANSWER_WRITTEN,
        ANSWER_TROUBLE,
        ANSWER_CHUNK,
        ANSWER_RESULTS,
        ANSWER_TASKS
    } type;
    sc_error err;                /* WAITING, FAILED, TROUBLE; STORED with a status */
    int status;                  /* STORED, CHUNK, RESULTS, TASKS; TROUBLE: 0 = it works again */
    sc_ticket ticket;            /* STORED */
    uint64_t n;                  /* WRITTEN */
    uint64_t epoch, next_number; /* LEADING */
    sc_saved_job *jobs;
    sc_saved_tasks **tasks;
    size_t n_jobs;
    bool is_kept;                  /* CHUNK: from the cache */
    sc_uuid job;                   /* CHUNK, TASKS */
    kept_chunk chunks[READ_AHEAD]; /* CHUNK: the one asked for, and those behind it */
    uint32_t n_chunks;
    sc_journal_page *page; /* RESULTS */
    sc_store_read read;
    sc_tasks_reader *reader; /* TASKS */
    answer *prev, *next;
};

struct sc_journal {
    uv_loop_t *loop;
    sc_journal_events events;
    const sc_journal_backend *backend;
    char *location;
    uv_async_t async;
    uv_thread_t thread;
    atomic_bool should_stop; /* the backend looks at it while it waits */
    atomic_llong alive_ms;   /* when the loop last gave a sign (sc_clock_ms) */

    uv_mutex_t lock;
    uv_cond_t has_news;
    request *requests; /* to the thread */
    answer *answers;   /* from the thread */
    bool is_closing;

    /* the loop's */
    request *gathered; /* since the last turn */
    uint64_t n_writes;
    sc_journal_cache cache;
    uint64_t cache_max;
    uint32_t n_asked; /* questions for chunks that the thread has not answered */
    sc_numbers *over; /* jobs that ended meanwhile: nothing that was read ahead of them is kept */
    bool has_failed;
    void (*on_closed)(void *arg);
    void *closed_arg;
};

/* journal_thread.c */
void sc_journal_thread(void *arg);
/* journal_load.c: into an ANSWER_LEADING. @return 0 or a code; what was read is the answer's */
int sc_journal_load(const sc_journal_backend *b, void *backend, answer *a, sc_error *err);
/* journal_questions.c: @return NULL: it goes on, ask again; else the answer, perhaps with a code */
answer *sc_journal_answer(const sc_journal_backend *b, void *backend, request *r, sc_error *err);
/* journal.c */
void sc_journal_request_free(request *r);
answer *sc_journal_answer_new(int type);
void sc_journal_answer_free(answer *a);

#endif
