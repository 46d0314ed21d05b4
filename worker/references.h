/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments that name the results of other jobs. Where an object {"$results":"ID"} stands in the
 * arguments of an array, exactly so and with a whole id, it becomes the JSON array of the values of
 * that job in task order, null for a task that is not done. The runs of a job share what was put
 * together; it is read from the coordinator page by page, one job after the other. Pure; the
 * session's.
 *
 *     waiting --its turn--> reading --all is here--> ready     used by runs, then kept for the next
 *                              `----refused, too large--> failed          while there is room */
#ifndef SC_REFERENCES_H
#define SC_REFERENCES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/buffer.h"
#include "proto/message.h"

enum {
    SC_REFERENCES_MAX_BYTES = 64 << 20
}; /* put together; one more job's may be begun below it */

typedef enum sc_reference_state {
    SC_REFERENCE_WAITING,
    SC_REFERENCE_READING,
    SC_REFERENCE_READY,
    SC_REFERENCE_FAILED,
} sc_reference_state;

/* The arguments of one job. */
typedef struct sc_reference {
    TAILQ_ENTRY(sc_reference) node; /* in the order of their last use */
    sc_reference_state state;
    sc_uuid job;           /* of the run, */
    uint64_t life;         /* which is that of the job */
    uint32_t n_users;      /* runs that hold it */
    sc_slice table, bytes; /* READY: the pieces with the results in them; before: as they came */
    int code;              /* FAILED: why */
    char text[200];
    /* while READING */
    sc_buffer lens, out;
    uint32_t piece;       /* that is being copied, */
    size_t at, piece_end; /* from here, up to there in `bytes` */
    size_t piece_out;     /* where it begins in `out` */
    sc_uuid of;           /* the job whose results are read, */
    uint64_t next;        /* from this index on */
    bool has_value;       /* a value of it is in `out` */
    uint64_t request;     /* of the last READ */
    bool is_said;         /* that READ went out */
    uint32_t n_refused;   /* so often, for a reason that may pass */
} sc_reference;

typedef struct sc_references {
    TAILQ_HEAD(sc_reference_list, sc_reference) all;
    sc_reference *reading; /* NULL: none */
    uint32_t n_all;
    size_t n_bytes; /* of `bytes` of those that are READY */
    uint64_t n_requests;
} sc_references;

void sc_references_init(sc_references *r);
/** Nobody may hold one. */
void sc_references_fini(sc_references *r);

/** Does a RUN's payload name results? */
bool sc_references_are_in(const sc_message *run);
/** That of the run's job, which the caller holds from now on; a new one where need be. @return NULL
 * without memory */
sc_reference *sc_references_hold(sc_references *r, const sc_message *run);
/** Held no more; NULL is accepted. */
void sc_reference_release(sc_reference *reference);

/** What is to be said now. @return false: nothing */
bool sc_references_next(sc_references *r, sc_message *out);
/** It was said. */
void sc_references_said(sc_references *r);
/** There is another session: what was said is to be said again. */
void sc_references_restart(sc_references *r);
/** PAGE, or REFUSED. Where the reason may pass it is to be said again, for a while.
 * @return that which is READY or FAILED now, or NULL */
sc_reference *sc_references_answer(sc_references *r, const sc_message *message);

#endif
