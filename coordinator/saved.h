/* SPDX-License-Identifier: Apache-2.0 */
/* What a journal keeps of a job, as the core gets it back: after a restart, and when ended tasks
 * are to be tried again. Places count a job's tasks from 0: index = first index of its OPEN +
 * place. */
#ifndef SC_SAVED_H
#define SC_SAVED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "proto/blob.h"
#include "proto/message.h"

/* Ended tasks that are tried again, since their job was retried: those that ended dead (cancelled)
 * at a position below these are as if they had not ended. Nothing that was written is changed for
 * it. Attempts that were written below dead_before, which every retry moves to the job's position,
 * are of an earlier life. Rows of the journal lie on one side of a mark, never on both. */
typedef struct sc_undone {
    uint64_t dead_before, cancelled_before;
} sc_undone;

static inline bool
sc_undone_has(const sc_undone *undone, uint32_t outcome, uint64_t position)
{
    return (outcome == SC_DEAD && position < undone->dead_before) ||
           (outcome == SC_CANCELLED && position < undone->cancelled_before);
}

/* The part of a job's record that changes. Written whole: the last one counts. */
typedef struct sc_saved_state {
    uint32_t state;       /* sc_job_state */
    uint64_t n_tasks;     /* of an upload from its COMMIT on; of an array always */
    int64_t submitted_at; /* unix ms; 0 while staged */
    int64_t ended_at;     /* 0 before */
    uint64_t prefix;      /* all places below have ended; the first of a chunk, or n_tasks */
    uint64_t done, dead, cancelled; /* of the places below prefix */
    uint64_t position; /* ended tasks that were kept, undone ones too: where SC_READ_ENDED ends */
    uint64_t handed;   /* handlers that may not be repeated: no place from here on was ever handed
                          out */
    sc_undone undone;
    sc_uuid digest; /* of the content of a job with a key, from its COMMIT on; zero: none */
} sc_saved_state;

typedef struct sc_saved_chunk {
    uint32_t count; /* tasks */
    uint32_t bytes; /* of its table and payload */
} sc_saved_chunk;

typedef struct sc_saved_job {
    uint64_t number;       /* of the job in its journal, 1..2^31-1, never used again */
    uint64_t client;       /* instance of who opened it */
    sc_slice open;         /* header of its OPEN as proto/message.h encodes it: the whole policy */
    sc_slice table, bytes; /* payload of that: the arguments of an array */
    sc_slice chunks; /* of an upload: an sc_saved_chunk for each, by number; while it is staged
                        those whose payload is there */
    sc_saved_state state;
} sc_saved_job;

/* Ended places that follow each other, within one chunk or over whole ones. */
typedef struct sc_saved_stretch {
    uint64_t place, count;
    uint64_t dead, cancelled; /* of them; over several chunks all are dead or all are cancelled */
} sc_saved_stretch;

/* A task that has not ended and has a history: the last that was written of it. */
typedef struct sc_saved_attempt {
    uint64_t place;
    uint32_t attempt; /* of its next try, from 1 */
    uint32_t blame;   /* worker processes that died while it was executing */
    int64_t due_at;   /* unix ms; 0: at once; or below */
} sc_saved_attempt;

enum {
    SC_SAVED_NEVER = -1, /* cancelled while it ran */
    SC_SAVED_BEGUN = -2, /* at once, and it may not be repeated: from here on it may have begun */
};

/* What is known of the tasks of a job that has not ended. */
typedef struct sc_saved_tasks {
    sc_saved_stretch *ended; /* at or above prefix; disjoint, by place */
    uint64_t n_ended;
    uint64_t done, dead, cancelled; /* of these */
    sc_saved_attempt *attempts;     /* places that are in none of these */
    uint64_t n_attempts;
    uint64_t position; /* of the next ended task: SC_READ_ENDED counts from here on */
} sc_saved_tasks;

#endif
