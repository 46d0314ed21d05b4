/* SPDX-License-Identifier: Apache-2.0 */
/* The tasks of an upload on their way: cut into chunks as they are added, kept until the
 * coordinator has acknowledged them, said again from wherever it asks. Pure, in bounded memory that
 * is used again; adding a task copies its bytes and notes its length.
 *
 * Chunks are numbered from 0 and lie in a ring:  n_acked <= n_sent <= n_sealed;  the one being
 * filled comes after these. */
#ifndef SC_CHUNKS_H
#define SC_CHUNKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "proto/message.h"

typedef struct sc_chunk_slot {
    sc_blob *blob;  /* lengths, then payloads; kept for the next chunk that comes to lie here */
    uint64_t first; /* index of its first task */
    uint32_t count; /* of tasks; valid once sealed */
    uint32_t len;   /* of payloads; valid once sealed */
} sc_chunk_slot;

typedef struct sc_chunks {
    uint32_t n_acked, n_sent, n_sealed;
    uint64_t n_tasks;
    uint64_t window_bytes; /* what may be unacknowledged, as the coordinator said last */
    uint64_t sent_bytes,
        held_bytes;  /* of chunks n_acked..n_sent, n_acked..n_sealed; lengths included */
    bool wants_room; /* an add was refused; cleared by sc_chunks_take_room */
    /* the chunk being filled */
    uint32_t *lens;      /* of the next task */
    uint8_t *at;         /* payload of the next task */
    uint32_t room_tasks; /* 0: no chunk is being filled */
    uint32_t room_bytes;
    sc_chunk_slot slots[SC_UPLOAD_MAX_CHUNKS];
} sc_chunks;

/** No chunks, and a window of SC_UPLOAD_WINDOW_BYTES until the coordinator says another. */
void sc_chunks_init(sc_chunks *c);
void sc_chunks_fini(sc_chunks *c);

/** Copies the next task. @param len  1.. @return 0, -EMSGSIZE (over SC_TASK_MAX_BYTES), -EAGAIN
 * (window or ring full: wants_room is set), SC_ELIMIT (over SC_JOB_MAX_TASKS), -ENOMEM; on error
 * nothing is added */
SC_MUST_USE int sc_chunks_add(sc_chunks *c, const void *payload, size_t len);
/** The chunk being filled is complete as it is. */
void sc_chunks_seal(sc_chunks *c);

/** The next chunk to say, where the window lets one more out (one is let out always). Fills type,
 * number, first, count and payload of a CHUNK; the payload is borrowed and lives until it is
 * acknowledged. */
bool sc_chunks_next(const sc_chunks *c, sc_message *out);
/** That one has been said. */
void sc_chunks_sent(sc_chunks *c);

/** ACK of CHUNK: it and all before it are safe, and need not be said again.
 *  @return 0, or SC_EMALFORMED (there is no such chunk) */
SC_MUST_USE int sc_chunks_acknowledge(sc_chunks *c, uint32_t number);
/** ACK of OPEN: go on from chunk `next`, which the coordinator lacks.
 *  @return 0, SC_ELOST (it lacks what it had acknowledged), SC_EMALFORMED (there is no such chunk)
 */
SC_MUST_USE int sc_chunks_resume(sc_chunks *c, uint32_t next);
/** True once after wants_room, when there is room again. */
bool sc_chunks_take_room(sc_chunks *c);
/** True where counters, bytes and slots agree. */
bool sc_chunks_check(const sc_chunks *c);

#endif
