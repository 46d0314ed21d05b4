/* SPDX-License-Identifier: Apache-2.0 */
/* All runs that a worker holds: found by token, taken by class and arrival. Pure; the session's. */
#ifndef SC_BACKLOG_H
#define SC_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/slab.h"
#include "worker/assignment.h"

enum {
    SC_BACKLOG_CLASSES = SC_CLASS_CALL + 1,
    SC_BACKLOG_BUCKETS = 1024, /* run numbers ascend, so they spread evenly */
};

TAILQ_HEAD(sc_assignments, sc_assignment);

typedef struct sc_backlog {
    sc_slab slab;
    struct sc_assignments all; /* by arrival */
    struct sc_assignments queues[SC_N_SLOT_KINDS]
                                [SC_BACKLOG_CLASSES]; /* those with waiting tasks */
    uint32_t classes[SC_N_SLOT_KINDS]; /* bit 1 << class of the queues that are not empty */
    LIST_HEAD(sc_bucket, sc_assignment) buckets[SC_BACKLOG_BUCKETS];
    size_t n_bytes; /* payloads */
    uint32_t n_waiting, n_running;
} sc_backlog;

void sc_backlog_init(sc_backlog *b);
/** Nothing may be executing. */
void sc_backlog_fini(sc_backlog *b);
/** Is there room for a RUN, by the credit that `hello` offers? */
bool sc_backlog_has_room(const sc_backlog *b, const sc_hello *hello, const sc_message *run);
/** Add the run of a RUN message; all its tasks wait, none can be taken yet. NULL without memory. */
sc_assignment *sc_backlog_add(sc_backlog *b, const sc_message *run);
/** From now on its tasks can be taken. `kind`, `handler` and `is_once` are set. */
void sc_backlog_enqueue(sc_backlog *b, sc_assignment *a);
sc_assignment *sc_backlog_find(sc_backlog *b, sc_token token);
/** The one whose task would be taken next, or NULL. @param may_once  also one whose tasks may not
 * be repeated */
sc_assignment *sc_backlog_first(const sc_backlog *b, sc_slot_kind kind, bool may_once);
/** Start the next task of a kind: highest class, then first to arrive. @return false where none
 * waits */
bool sc_backlog_take(sc_backlog *b, sc_slot_kind kind, bool may_once, sc_started *out);
/** Answer waiting tasks without a result: see sc_assignment_give_back. */
uint32_t sc_backlog_give_back(sc_backlog *b, sc_assignment *a, const sc_range *range,
                              sc_range *ranges);
/** Answer one task, whether it waits or has started. */
void sc_backlog_answer(sc_backlog *b, sc_assignment *a, uint32_t offset);
/** After anything that took tasks out of an assignment: off its queue when none waits; released
 * when all are answered, none is executing and no result is collected. */
void sc_backlog_settle(sc_backlog *b, sc_assignment *a);
/** True where the counts agree with the lists. */
bool sc_backlog_check(const sc_backlog *b);

#endif
