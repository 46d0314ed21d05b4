/* SPDX-License-Identifier: Apache-2.0 */
/* A run that was handed to this worker, from its RUN message until each of its tasks was answered:
 * which wait, which have started, which are answered, and the results collected for the next
 * message. Pure; used by the session only.
 *
 *     a task:  waiting --take--> started --answer--> answered
 *                 +-----------------answer---------------^
 *
 * Tasks are named by their offset in the run. Waiting: offset >= next and not answered. Started:
 * offset < next and not answered. An answered task may still be executing (the coordinator asked to
 * forget it): what it brings is discarded. */
#ifndef SC_ASSIGNMENT_H
#define SC_ASSIGNMENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/buffer.h"
#include "base/limits.h"
#include "proto/message.h"
#include "worker/references.h"

typedef struct sc_assignment sc_assignment;

/* A started task, embedded in what executes it. */
typedef struct sc_started sc_started;

/* How far a started task says it is, see reports.h. */
typedef enum sc_report_state { SC_REPORT_NONE, SC_REPORT_UNTOLD, SC_REPORT_TOLD } sc_report_state;
typedef struct sc_report {
    TAILQ_ENTRY(sc_started) node; /* of the list that goes with the state */
    sc_report_state state;
    uint64_t n, of;
} sc_report;

struct sc_started {
    LIST_ENTRY(sc_started) node;
    sc_assignment *assignment;
    uint32_t offset;
    uint32_t once;    /* where the assignment is_once: its slot, see once.h */
    bool is_given_up; /* it was answered for, and still executes */
    sc_slice args;    /* borrowed from the assignment; empty for an array, see sc_started_args */
    sc_report report;
};

/* How a task ended. */
typedef struct sc_ending {
    sc_outcome outcome;
    bool is_retryable; /* dead, but worth another attempt */
    const void *data;  /* the value; of the others {"code","message"}; copied */
    size_t len;
} sc_ending;

enum { SC_ASSIGNMENT_WORDS = (SC_CHUNK_MAX_TASKS + 63) / 64 };

struct sc_assignment {
    TAILQ_ENTRY(sc_assignment) node;       /* all, by arrival */
    TAILQ_ENTRY(sc_assignment) queue_node; /* with waiting tasks, by class and arrival */
    TAILQ_ENTRY(sc_assignment) dirty_node; /* with results not yet in a message */
    LIST_ENTRY(sc_assignment) bucket_node; /* by token */
    LIST_HEAD(sc_starteds, sc_started) started;
    sc_uuid job;
    sc_token token;
    uint64_t first;
    uint64_t life; /* of the job, as RUN says */
    uint32_t count, class, attempt;
    uint32_t handler; /* its place in HELLO */
    uint32_t kind;    /* sc_slot_kind */
    bool is_array, is_queued, is_dirty;
    bool is_once;                      /* its tasks may not be repeated */
    int64_t timeout_ms, kill_after_ms; /* of RUN */
    sc_slice table, bytes;             /* kept */
    size_t n_bytes;                    /* of payload, as it came */
    sc_reference *reference;           /* held: what its arguments name; NULL: nothing */
    uint32_t next;                     /* the first that has not started */
    size_t next_byte;                  /* where its arguments begin */
    uint32_t n_waiting;                /* neither started nor answered */
    uint32_t n_open;                   /* not answered */
    uint32_t n_executing;              /* in `started`, answered or not */
    uint64_t answered[SC_ASSIGNMENT_WORDS];
    sc_buffer records, values; /* collected results */
};

/** Start from a RUN whose payload was checked. @return 0, SC_ENOMEM (nothing is kept) */
SC_MUST_USE int sc_assignment_init(sc_assignment *a, const sc_message *run);
void sc_assignment_fini(sc_assignment *a);
/** Start the next waiting task; there must be one. */
void sc_assignment_take(sc_assignment *a, sc_started *out);
bool sc_assignment_is_answered(const sc_assignment *a, uint32_t offset);
/** Mark a task as answered; it must not be. */
void sc_assignment_answer(sc_assignment *a, uint32_t offset);
/** Answer waiting tasks of indexes first..first+count-1 without a result.
 *  @param ranges  room for SC_CHUNK_MAX_TASKS; gets what was answered, ascending, as indexes
 * @return how many ranges */
uint32_t sc_assignment_give_back(sc_assignment *a, uint64_t first, uint64_t count,
                                 sc_range *ranges);
/** The range of like tasks from offset *at on, not yet answered: all started or all waiting. Moves
 * *at behind it.
 *  @return false where nothing is left */
bool sc_assignment_list(const sc_assignment *a, uint32_t *at, sc_held_run *out);

/** Index of a started task in its job. */
uint64_t sc_started_index(const sc_started *t);
/** Arguments of a task; those of an array are joined in `scratch`, whose old contents go.
 *  @return 0; SC_ENOMEM, SC_ELIMIT (past the bound of `scratch`) */
SC_MUST_USE int sc_started_args(const sc_started *t, sc_buffer *scratch, sc_slice *out);

#endif
