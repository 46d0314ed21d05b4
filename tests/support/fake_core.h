/* SPDX-License-Identifier: Apache-2.0 */
/* The core between scripted peers and the model store: a test says what a peer says, the core's
 * answers are kept until the test asks for them. Every message goes through encode and decode, and
 * every invariant is checked after each event. */
#ifndef SC_FAKE_CORE_H
#define SC_FAKE_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/core.h"
#include "proto/run.h"
#include "tests/support/model_journal.h"
#include "tests/support/model_store.h"

enum { SC_FAKE_MAX_SENT = 4096, SC_FAKE_MAX_LINKS = 64, SC_FAKE_MAX_QUESTIONS = 256 };

typedef struct sc_fake_sent {
    uint64_t link; /* 0: taken */
    sc_message_type type;
    sc_slice header, table, bytes;
} sc_fake_sent;

typedef struct sc_fake {
    sc_core_options options; /* those of the core, to be changed before sc_fake_start */
    sc_core *core;
    sc_model_store *store;
    int64_t now_ms;
    bool holds_answers; /* the store answers only when told: sc_fake_answer */
    int store_status;   /* what it answers */
    sc_model_question questions[SC_FAKE_MAX_QUESTIONS];
    uint32_t n_questions;
    sc_fake_sent sent[SC_FAKE_MAX_SENT];
    uint32_t n_sent;
    uint64_t numbers[SC_FAKE_MAX_LINKS]; /* of RESULTS, by link */
    uint32_t n_actions[SC_ACTION_EXIT + 1];
    sc_decoder *decoder;
    sc_model_journal *journal;
    bool holds_writes; /* they are safe only when told: sc_fake_written */
    uint64_t n_writes, n_written;
    uint64_t last_number; /* of the durable job that was written of last */
} sc_fake;

/** Options as in a small cluster, nothing started. */
void sc_fake_init(sc_fake *f);
/** sc_fake_init where that was not done, and a core. */
void sc_fake_start(sc_fake *f);
void sc_fake_stop(sc_fake *f);

/** A peer says something; then a turn of the core and what the store has to say. */
void sc_fake_say(sc_fake *f, uint64_t link, const sc_message *m);
/** Time passes, with a tick whenever one is due; peers on links below `n_alive` say HEARTBEAT every
 *  100 ms. */
void sc_fake_pass(sc_fake *f, int64_t ms, uint64_t n_alive);
/** One tick after so long, as after a stop of the process. */
void sc_fake_late_tick(sc_fake *f, int64_t ms);
/** The store answers its question number `i` (of those open). */
void sc_fake_answer(sc_fake *f, uint32_t i);

/** The first `n` writes are safe: uploads among them are answered, and the core is told. */
void sc_fake_written(sc_fake *f, uint64_t n);
/** Another core, which gets what the first `n_safe` writes say; everybody has to say HELLO again.
 */
void sc_fake_restart(sc_fake *f, uint64_t n_safe);

/** The oldest message of a type to a link that was not taken yet; NULL: none. Valid until the next
 *  call. */
const sc_message *sc_fake_take(sc_fake *f, uint64_t link, sc_message_type type, sc_message *out);
/** How many of a type to a link were not taken. */
uint32_t sc_fake_count(const sc_fake *f, uint64_t link, sc_message_type type);
/** Nobody asks for what was sent so far. */
void sc_fake_forget_sent(sc_fake *f);

/* ---- what peers say often ---- */

typedef struct sc_fake_worker {
    const char *name;
    uint64_t instance, supervisor;
    uint32_t slots_async, slots_thread, credit_tasks;
    uint64_t credit_bytes;
    const char *handlers; /* "a b! c#": async; ! = may not be repeated; # = thread */
} sc_fake_worker;

/** HELLO (zeros mean: name "w<link>", instance 100 + link, 2 async slots, ample credit, "a"). */
void sc_fake_hello_worker(sc_fake *f, uint64_t link, const sc_fake_worker *w);
/** HELLO and READY. */
void sc_fake_worker_ready(sc_fake *f, uint64_t link, const sc_fake_worker *w);
void sc_fake_client(sc_fake *f, uint64_t link);
void sc_fake_supervisor(sc_fake *f, uint64_t link);

/** The id of job number `n`. */
sc_uuid sc_fake_job(uint32_t n);
/** OPEN of an array with handler "a" unless another is given; fields of `spec` are used as they
 * are. */
void sc_fake_array(sc_fake *f, uint64_t link, uint32_t job, uint64_t first, uint64_t n_tasks,
                   const sc_open *spec);
/** OPEN of an upload. */
void sc_fake_open(sc_fake *f, uint64_t link, uint32_t job, const sc_open *spec);
/** CHUNK of tasks of `task_bytes` each. */
void sc_fake_chunk(sc_fake *f, uint64_t link, uint32_t job, const sc_chunk *chunk,
                   uint32_t task_bytes);
void sc_fake_commit(sc_fake *f, uint64_t link, uint32_t job, uint32_t n_chunks, uint64_t n_tasks);
void sc_fake_call(sc_fake *f, uint64_t link, uint64_t request, const char *handler,
                  uint64_t timeout_ms);

/** RESULTS for tasks offset..offset+count-1 of a run, with the next number. */
void sc_fake_results(sc_fake *f, uint64_t link, const sc_run *run, uint32_t offset, uint32_t count,
                     sc_outcome outcome, uint8_t flags, uint64_t cost_ns);
/** Takes every RUN of a worker and ends its tasks with "done". @return how many tasks */
uint64_t sc_fake_work(sc_fake *f, uint64_t link, uint64_t cost_ns);
/** The next RUN to a worker; there must be one. */
sc_run sc_fake_take_run(sc_fake *f, uint64_t link);
/** How many tasks a worker was told to give back, cancel or forget since this was asked last. Those
 * of other modes are forgotten. */
uint64_t sc_fake_n_recalled(sc_fake *f, uint64_t link, sc_recall_mode mode);
/** HELLO, what it holds and READY. */
void sc_fake_come_back(sc_fake *f, uint64_t link, const sc_fake_worker *w, const sc_held_run *held,
                       uint32_t n);
/** RECALLED of indexes first..first+count-1. */
void sc_fake_recalled(sc_fake *f, uint64_t link, const sc_token *token, const sc_uuid *job,
                      uint64_t first, uint64_t count);
/** DIED: the tasks `first..first+count-1` of a run had started, and were executing or not. */
void sc_fake_died(sc_fake *f, uint64_t link, uint64_t instance, const sc_run *run, uint64_t first,
                  uint32_t count, bool is_executing, sc_death death);

/** ASK JOB: what the core says of it. */
sc_job_info sc_fake_ask(sc_fake *f, uint64_t link, uint32_t job);

#endif
