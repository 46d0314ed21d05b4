/* SPDX-License-Identifier: Apache-2.0 */
/* The simplest store that answers the core's actions: everything in memory, nothing clever. Tests
 * and the simulation decide when an answer is given, so it has a question at hand for each. */
#ifndef SC_MODEL_STORE_H
#define SC_MODEL_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/core.h"

typedef struct sc_model_store sc_model_store;

/* What the core waits for. */
typedef struct sc_model_question {
    enum { SC_ASKED_STORED, SC_ASKED_CHUNK, SC_ASKED_RESULTS, SC_ASKED_TASKS } type;
    sc_ticket ticket;   /* STORED */
    sc_uuid job;        /* CHUNK */
    uint32_t number;    /* CHUNK */
    sc_store_read read; /* RESULTS */
    uint64_t durable;   /* TASKS: number of the job; answered by sc_model_journal_answer */
    sc_undone undone;   /* TASKS */
    uint64_t after;     /* TASKS: the write that must be safe before */
} sc_model_question;

/* One ended task, as it is kept. */
typedef struct sc_model_result {
    uint64_t index;
    uint32_t outcome, attempt, len;
    const char *value;
    const char *worker;
} sc_model_result;

/** @param on_end  may be NULL: called for each ended task as it is kept */
sc_model_store *sc_model_store_new(void (*on_end)(void *arg, const sc_uuid *job,
                                                  const sc_model_result *result),
                                   void *arg);
void sc_model_store_free(sc_model_store **store);

/** Carries out an action of the store. @return true where the core waits for an answer: `question`
 */
bool sc_model_store_act(sc_model_store *s, const sc_action *action, sc_model_question *question);
/** Gives the core the answer. @param status  0, or a code: the store fails */
void sc_model_store_answer(sc_model_store *s, const sc_model_question *question, int status,
                           sc_core *core, int64_t now_ms);

/** What is put from now on is part of that write of a journal. */
void sc_model_store_write(sc_model_store *s, uint64_t number);
/** Answers show the results of the first so many writes; until this is called, all. */
void sc_model_store_show(sc_model_store *s, uint64_t n_writes);

/** @return the result of a task, NULL where it has not ended or was dropped */
const sc_model_result *sc_model_store_find(const sc_model_store *s, const sc_uuid *job,
                                           uint64_t index);
/** Tasks that ended although they had ended before: always 0, or a result counted twice. */
uint64_t sc_model_store_n_twice(const sc_model_store *s);
/** Chunks whose payload is kept. */
uint64_t sc_model_store_n_chunks(const sc_model_store *s);
/** Bytes of payloads and results, counted as the core does. */
uint64_t sc_model_store_bytes(const sc_model_store *s);
/** Of these, results. */
uint64_t sc_model_store_result_bytes(const sc_model_store *s);

#endif
