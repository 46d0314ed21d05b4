/* SPDX-License-Identifier: Apache-2.0 */
/* The chunks of an upload. The session (session.c) says and acknowledges them, the public interface
 * (upload.c) adds tasks. Chunk k lies in slot k modulo the ring's size; memory that ZeroMQ still
 * holds is never written to. */
#include "client/chunks.h"

#include <string.h>

enum {
    TABLE_BYTES = SC_CHUNK_MAX_TASKS * sizeof(uint32_t),
    NORMAL_BYTES = TABLE_BYTES + SC_CHUNK_MAX_BYTES,
};

static sc_chunk_slot *
slot_of(sc_chunks *c, uint32_t number)
{
    return &c->slots[number % SC_UPLOAD_MAX_CHUNKS];
}

static uint64_t
cost(const sc_chunk_slot *slot)
{
    return (uint64_t)slot->count * sizeof(uint32_t) + slot->len;
}

static bool
has_room(const sc_chunks *c)
{
    return c->n_sealed - c->n_acked < SC_UPLOAD_MAX_CHUNKS &&
           (c->held_bytes < c->window_bytes || c->held_bytes == 0);
}

void
sc_chunks_init(sc_chunks *c)
{
    *c = (sc_chunks){.window_bytes = SC_UPLOAD_WINDOW_BYTES};
}

void
sc_chunks_fini(sc_chunks *c)
{
    for (int i = 0; i < SC_UPLOAD_MAX_CHUNKS; i++)
        sc_blob_unref(c->slots[i].blob);
    *c = (sc_chunks){0};
}

// Memory for a chunk of this many payload bytes: the slot's own, unless it is too small or still on
// its way out.
static int
prepare(sc_chunk_slot *slot, uint32_t bytes)
{
    sc_blob *old = slot->blob;

    if (old && old->len >= TABLE_BYTES + (size_t)bytes &&
        atomic_load_explicit(&old->refs, memory_order_acquire) == 1)
        return 0;
    slot->blob = sc_blob_new(TABLE_BYTES + (size_t)bytes);
    sc_blob_unref(old);
    return slot->blob ? 0 : SC_ENOMEM;
}

static int
begin(sc_chunks *c, size_t len)
{
    sc_chunk_slot *slot = slot_of(c, c->n_sealed);
    uint64_t left = SC_JOB_MAX_TASKS - c->n_tasks;
    uint32_t bytes = len > SC_CHUNK_MAX_BYTES ? (uint32_t)len : SC_CHUNK_MAX_BYTES;
    int rc;

    if (left == 0)
        return SC_ELIMIT;
    if (!has_room(c)) {
        c->wants_room = true;
        return -EAGAIN;
    }
    rc = prepare(slot, bytes);
    if (rc)
        return rc;
    slot->first = c->n_tasks;
    c->lens = (uint32_t *)(void *)slot->blob->data;
    c->at = slot->blob->data + TABLE_BYTES;
    c->room_bytes = bytes;
    c->room_tasks = len > SC_CHUNK_MAX_BYTES    ? 1 // a larger one goes alone
                    : left < SC_CHUNK_MAX_TASKS ? (uint32_t)left
                                                : SC_CHUNK_MAX_TASKS;
    return 0;
}

int
sc_chunks_add(sc_chunks *c, const void *payload, size_t len)
{
    if (c->room_tasks == 0 || len > c->room_bytes) {
        if (len > SC_TASK_MAX_BYTES)
            return -EMSGSIZE;
        sc_chunks_seal(c);
        int rc = begin(c, len);
        if (rc)
            return rc;
    }
    memcpy(c->at, payload, len);
    *c->lens++ = (uint32_t)len;
    c->at += len;
    c->room_bytes -= (uint32_t)len;
    c->n_tasks++;
    if (--c->room_tasks == 0)
        sc_chunks_seal(c);
    return 0;
}

void
sc_chunks_seal(sc_chunks *c)
{
    sc_chunk_slot *slot = slot_of(c, c->n_sealed);

    if (!c->lens)
        return;
    slot->count = (uint32_t)(c->n_tasks - slot->first);
    slot->len = (uint32_t)(c->at - (slot->blob->data + TABLE_BYTES));
    c->held_bytes += cost(slot);
    c->n_sealed++;
    c->lens = NULL;
    c->room_tasks = c->room_bytes = 0;
}

bool
sc_chunks_next(const sc_chunks *c, sc_message *out)
{
    const sc_chunk_slot *slot = &c->slots[c->n_sent % SC_UPLOAD_MAX_CHUNKS];
    sc_slice all;

    if (c->n_sent == c->n_sealed)
        return false;
    if (c->sent_bytes > 0 && c->sent_bytes + cost(slot) > c->window_bytes)
        return false;
    all = sc_slice_of(slot->blob);
    *out = (sc_message){
        .type = SC_MSG_CHUNK,
        .chunk = {.number = c->n_sent, .first = slot->first, .count = slot->count},
        .table = sc_slice_part(all, 0, slot->count * sizeof(uint32_t)),
        .bytes = sc_slice_part(all, TABLE_BYTES, slot->len),
    };
    return true;
}

void
sc_chunks_sent(sc_chunks *c)
{
    SC_ASSERT(c->n_sent < c->n_sealed);
    c->sent_bytes += cost(slot_of(c, c->n_sent));
    c->n_sent++;
}

// Chunks before `n` are safe. The memory of a normal one stays for the next, that of a larger one
// goes.
static void
forget_before(sc_chunks *c, uint32_t n)
{
    for (; c->n_acked < n; c->n_acked++) {
        sc_chunk_slot *slot = slot_of(c, c->n_acked);

        c->held_bytes -= cost(slot);
        if (c->n_acked < c->n_sent)
            c->sent_bytes -= cost(slot);
        if (slot->blob->len > NORMAL_BYTES) {
            sc_blob_unref(slot->blob);
            slot->blob = NULL;
        }
    }
}

int
sc_chunks_acknowledge(sc_chunks *c, uint32_t number)
{
    if (number < c->n_acked)
        return 0;
    if (number >= c->n_sealed)
        return SC_EMALFORMED;
    forget_before(c, number + 1);
    if (c->n_sent < c->n_acked)
        c->n_sent = c->n_acked; // said in the session before, not yet again in this one
    return 0;
}

int
sc_chunks_resume(sc_chunks *c, uint32_t next)
{
    if (next < c->n_acked)
        return SC_ELOST;
    if (next > c->n_sealed)
        return SC_EMALFORMED;
    forget_before(c, next);
    c->n_sent = next;
    c->sent_bytes = 0;
    return 0;
}

bool
sc_chunks_take_room(sc_chunks *c)
{
    if (!c->wants_room || !has_room(c))
        return false;
    c->wants_room = false;
    return true;
}

bool
sc_chunks_check(const sc_chunks *c)
{
    uint64_t held = 0, sent = 0;

    if (c->n_acked > c->n_sent || c->n_sent > c->n_sealed ||
        c->n_sealed - c->n_acked > SC_UPLOAD_MAX_CHUNKS)
        return false;
    for (uint32_t k = c->n_acked; k < c->n_sealed; k++) {
        const sc_chunk_slot *slot = &c->slots[k % SC_UPLOAD_MAX_CHUNKS];

        if (!slot->blob || slot->count == 0 || slot->count > SC_CHUNK_MAX_TASKS)
            return false;
        held += cost(slot);
        sent += k < c->n_sent ? cost(slot) : 0;
    }
    return held == c->held_bytes && sent == c->sent_bytes &&
           (c->lens != NULL) == (c->room_tasks > 0);
}
