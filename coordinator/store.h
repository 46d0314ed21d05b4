/* SPDX-License-Identifier: Apache-2.0 */
/* The store of volatile jobs: payloads of chunks and results, in memory first, in the spill file
 * beyond it. It answers the core's actions; a journal will answer the same ones. Results are
 * addressed by index and by the order in which they ended; reading removes nothing. */
#ifndef SC_STORE_H
#define SC_STORE_H

#include <stdint.h>

#include <uv.h>

#include "base/error.h"
#include "coordinator/core.h"

typedef struct sc_store sc_store;

typedef struct sc_store_events {
    void (*on_stored)(void *arg, const sc_ticket *ticket, int status);
    void (*on_chunk)(void *arg, const sc_uuid *job, uint32_t number, int status, sc_slice table,
                     sc_slice bytes);
    void (*on_results)(void *arg, const sc_store_read *read, int status, const sc_message *page);
    /* The disk is full: no more than this fits. UINT64_MAX: it takes more again. */
    void (*on_limit)(void *arg, uint64_t max_bytes);
    void (*on_ready)(void *arg); /* an answer that took its time is there: call sc_store_deliver */
    void *arg;
} sc_store_events;

/** @param memory_bytes  kept in memory; beyond it the file @param dir  where the file goes */
SC_MUST_USE int sc_store_new(uv_loop_t *loop, const char *dir, uint64_t memory_bytes,
                             const sc_store_events *events, sc_store **out, sc_error *err);

/** Carry out an action of the core that is the store's (PUT_..., GET_..., DROP_...). Answers come
 * from sc_store_deliver; those for GET_CHUNK and PUT_... do
 * not where the job was dropped meanwhile. Where the disk is slower than uploads, those for PUT_...
 * wait for it. */
void sc_store_act(sc_store *store, const sc_action *action);

/** Called each turn of the loop: give the answers that are ready, in order. @return how many; more
 * may have become ready meanwhile */
unsigned sc_store_deliver(sc_store *store);

/** What payloads and results take in memory, with all that is needed to find them, and in the file.
 * An upper bound of `memory` but for what is gathered (store_results.c). */
void sc_store_bytes(const sc_store *store, uint64_t *memory, uint64_t *spill);

/** Two steps: nothing is called back but on_closed, once. */
void sc_store_close(sc_store **at, void (*on_closed)(void *arg), void *arg);

#endif
