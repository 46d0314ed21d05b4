/* SPDX-License-Identifier: Apache-2.0 */
/* The simplest journal: the list of all writes, of which the first so many are safe. Tests and the
 * simulation say when more of them are, and after a crash how many were; what a restarted core is
 * given is made by reading the list from its start. Payloads and results are read from a model
 * store that is given the same actions. */
#ifndef SC_MODEL_JOURNAL_H
#define SC_MODEL_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/core.h"
#include "tests/support/model_store.h"

typedef struct sc_model_journal sc_model_journal;

sc_model_journal *sc_model_journal_new(void);
void sc_model_journal_free(sc_model_journal **journal);

/** Is it a write about a durable job? */
bool sc_model_journal_is_write(const sc_action *action);
/** Is it a write about a durable job? Then it is kept (copied). */
bool sc_model_journal_act(sc_model_journal *j, const sc_action *action);
/** Writes that the present core has emitted. */
uint64_t sc_model_journal_n_writes(const sc_model_journal *j);
/** The ticket of the n-th write of the present core (from 1), or NULL where it is no upload's or
 * was refused. */
const sc_ticket *sc_model_journal_upload(const sc_model_journal *j, uint64_t n);
/** That one is refused and was never there. */
void sc_model_journal_refuse(sc_model_journal *j, uint64_t n);

/** Sees each write that is kept, in their order. */
void sc_model_journal_each(const sc_model_journal *j,
                           void (*see)(void *arg, const sc_action *action), void *arg);

/** The process is gone: of the writes of the present core only the first `n_safe` were kept. */
void sc_model_journal_crash(sc_model_journal *j, uint64_t n_safe);
/** Gives a new core what is there; a new store is given it with sc_model_journal_each. */
void sc_model_journal_restore(sc_model_journal *j, sc_core *core, int64_t now_ms);
/** Gives the core the answer to a question of SC_ASKED_TASKS. @param status  0, or a code */
void sc_model_journal_answer(sc_model_journal *j, const sc_model_question *question, int status,
                             sc_core *core, int64_t now_ms);
/** The next epoch. */
uint64_t sc_model_journal_epoch(sc_model_journal *j);

#endif
