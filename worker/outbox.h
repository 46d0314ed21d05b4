/* SPDX-License-Identifier: Apache-2.0 */
/* Results that the coordinator has not acknowledged: RESULTS messages, numbered without a gap as
 * they are sent, kept until a cumulative acknowledgement, sent again from number 1 after each
 * HELLO.
 * Pure. */
#ifndef SC_OUTBOX_H
#define SC_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/buffer.h"
#include "proto/message.h"
#include "worker/once.h"

typedef struct sc_parcel sc_parcel; /* one message of results */
struct sc_parcel {
    TAILQ_ENTRY(sc_parcel) node;
    sc_results results;    /* its number is valid once it was sent */
    uint64_t life;         /* of its job, as in RUN */
    sc_slice table, bytes; /* kept */
    size_t n_bytes;        /* what it counts for */
    bool is_replaced;      /* its values are errors of ours */
};

typedef struct sc_outbox {
    TAILQ_HEAD(sc_parcels, sc_parcel) parcels;
    sc_parcel *unsent; /* the first that was not sent since HELLO; NULL = all were */
    uint64_t next_number;
    size_t n_bytes; /* of all parcels */
    sc_once *once;  /* told of each task whose result is acknowledged or forgotten */
} sc_outbox;

/** @param once  borrowed */
void sc_outbox_init(sc_outbox *o, sc_once *once);
/** Releases what is left; it is not acknowledged by that. */
void sc_outbox_fini(sc_outbox *o);
/** Add a message. Copies the table, takes the memory of the bytes, empties both buffers.
 *  @param life  of its job, as in RUN @return 0, or SC_ENOMEM (the buffers stay as they are) */
SC_MUST_USE int sc_outbox_add(sc_outbox *o, const sc_results *results, uint64_t life,
                              sc_buffer *table, sc_buffer *bytes);
/** None was sent, and the next is number 1. */
void sc_outbox_restart(sc_outbox *o);
/** The next message to send, with the next number, or false. It borrows from the outbox. */
bool sc_outbox_next(const sc_outbox *o, sc_message *out);
/** That message cannot be sent as it is: each of its tasks is dead with this value instead. Once a
 * message: errors can be sent.  @return 0, or SC_ENOMEM (it stays as it is) */
SC_MUST_USE int sc_outbox_replace(sc_outbox *o, const char *value, size_t len);
/** That message is sent: the number is its own. */
void sc_outbox_sent(sc_outbox *o);
/** Forget all that were sent, up to a number. */
void sc_outbox_ack(sc_outbox *o, uint64_t number);
/** Forget messages of a job (token.run = 0) or of one run that lie wholly within
 * first..first+count-1. */
void sc_outbox_forget(sc_outbox *o, const sc_recall *recall);
bool sc_outbox_is_empty(const sc_outbox *o);
/** The range of consecutive indexes from record *at on. Moves *at behind it. @return false where
 * nothing is left */
bool sc_parcel_list(const sc_parcel *p, uint32_t *at, sc_held_run *out);

#endif
