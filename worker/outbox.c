/* SPDX-License-Identifier: Apache-2.0 */
/* Results not yet acknowledged: see outbox.h. Called by the session only. */
#include "worker/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "proto/run.h"

enum { PARCEL_BYTES = 256 }; // what a message costs beside its payload, about

static void
release_taken(sc_blob *self)
{
    free(self->data);
    free(self);
}

/* The memory of a buffer as a slice with one reference; it may be freed by ZeroMQ's thread. */
static int
take(sc_buffer *buffer, sc_slice *out)
{
    sc_blob *blob = malloc(sizeof *blob);

    if (!blob)
        return SC_ENOMEM;
    atomic_init(&blob->refs, 1);
    blob->release = release_taken;
    blob->data = sc_buffer_take(buffer, &blob->len);
    *out = sc_slice_of(blob);
    return 0;
}

void
sc_outbox_init(sc_outbox *o, sc_once *once)
{
    *o = (sc_outbox){.next_number = 1, .once = once};
    TAILQ_INIT(&o->parcels);
}

static uint64_t
index_of(const sc_parcel *p, uint32_t i)
{
    return p->results.base + sc_records_get(p->table, i).offset;
}

/* Nobody will ask for its results any more. */
static void
release_once(const sc_outbox *o, const sc_parcel *p)
{
    for (uint32_t i = 0; o->once->n_used > 0 && i < sc_records_count(p->table); i++)
        sc_once_remove(o->once, p->results.token, index_of(p, i));
}

static void
remove_parcel(sc_outbox *o, sc_parcel *p)
{
    if (o->unsent == p)
        o->unsent = TAILQ_NEXT(p, node);
    TAILQ_REMOVE(&o->parcels, p, node);
    o->n_bytes -= p->n_bytes;
    sc_slice_drop(&p->table);
    sc_slice_drop(&p->bytes);
    free(p);
}

void
sc_outbox_fini(sc_outbox *o)
{
    while (!TAILQ_EMPTY(&o->parcels))
        remove_parcel(o, TAILQ_FIRST(&o->parcels));
}

/* Gives a parcel its payload, in place of what it had. */
static int
fill(sc_outbox *o, sc_parcel *p, sc_buffer *table, sc_buffer *bytes)
{
    sc_blob *records = sc_blob_copy(table->data, table->len);
    sc_slice values;

    if (!records || take(bytes, &values) != 0) {
        sc_blob_unref(records);
        return SC_ENOMEM;
    }
    sc_slice_drop(&p->table);
    sc_slice_drop(&p->bytes);
    p->table = sc_slice_of(records);
    p->bytes = values;
    sc_buffer_clear(table);
    o->n_bytes -= p->n_bytes;
    p->n_bytes = p->table.len + p->bytes.len + PARCEL_BYTES;
    o->n_bytes += p->n_bytes;
    return 0;
}

int
sc_outbox_add(sc_outbox *o, const sc_results *results, uint64_t life, sc_buffer *table,
              sc_buffer *bytes)
{
    sc_parcel *p = calloc(1, sizeof *p);

    if (!p || fill(o, p, table, bytes) != 0) {
        free(p);
        return SC_ENOMEM;
    }
    p->results = *results;
    p->life = life;
    TAILQ_INSERT_TAIL(&o->parcels, p, node);
    if (!o->unsent)
        o->unsent = p;
    return 0;
}

int
sc_outbox_replace(sc_outbox *o, const char *value, size_t len)
{
    sc_parcel *p = o->unsent;
    sc_buffer values, records;
    int rc = 0;

    SC_ASSERT(!p->is_replaced);
    sc_buffer_init(&values, 0);
    sc_buffer_init(&records, 0);
    for (uint32_t i = 0; i < sc_records_count(p->table) && rc == 0; i++) {
        sc_record old = sc_records_get(p->table, i);
        sc_record record = {old.offset, (uint32_t)len, old.attempt, .outcome = SC_DEAD};

        rc = sc_buffer_add(&values, value, len);
        if (rc == 0)
            rc = sc_buffer_add(&records, &record, sizeof record);
    }
    if (rc == 0)
        rc = fill(o, p, &records, &values);
    sc_buffer_fini(&records);
    sc_buffer_fini(&values);
    p->is_replaced = rc == 0;
    return rc;
}

void
sc_outbox_restart(sc_outbox *o)
{
    o->next_number = 1;
    o->unsent = TAILQ_FIRST(&o->parcels);
}

bool
sc_outbox_next(const sc_outbox *o, sc_message *out)
{
    if (!o->unsent)
        return false;
    *out = (sc_message){.type = SC_MSG_RESULTS,
                        .results = o->unsent->results,
                        .table = o->unsent->table,
                        .bytes = o->unsent->bytes};
    out->results.number = o->next_number;
    return true;
}

void
sc_outbox_sent(sc_outbox *o)
{
    o->unsent->results.number = o->next_number++;
    o->unsent = TAILQ_NEXT(o->unsent, node);
}

void
sc_outbox_ack(sc_outbox *o, uint64_t number)
{
    sc_parcel *p;

    while ((p = TAILQ_FIRST(&o->parcels)) && p != o->unsent && p->results.number <= number) {
        release_once(o, p);
        remove_parcel(o, p);
    }
}

static bool
lies_within(const sc_parcel *p, const sc_recall *recall)
{
    if (memcmp(&p->results.job, &recall->job, sizeof recall->job) != 0)
        return false;
    if (recall->token.run != 0 && (p->results.token.run != recall->token.run ||
                                   p->results.token.epoch != recall->token.epoch))
        return false;
    for (uint32_t i = 0, n = sc_records_count(p->table); i < n; i++) {
        uint64_t index = index_of(p, i);

        if (index < recall->first || index - recall->first >= recall->count)
            return false;
    }
    return true;
}

void
sc_outbox_forget(sc_outbox *o, const sc_recall *recall)
{
    sc_parcel *next;

    for (sc_parcel *p = TAILQ_FIRST(&o->parcels); p; p = next) {
        next = TAILQ_NEXT(p, node);
        if (!lies_within(p, recall))
            continue;
        release_once(o, p);
        remove_parcel(o, p);
    }
}

bool
sc_outbox_is_empty(const sc_outbox *o)
{
    return TAILQ_EMPTY(&o->parcels);
}

bool
sc_parcel_list(const sc_parcel *p, uint32_t *at, sc_held_run *out)
{
    uint32_t n = sc_records_count(p->table);

    if (*at == n)
        return false;
    *out = (sc_held_run){.job = p->results.job,
                         .token = p->results.token,
                         .first = index_of(p, *at),
                         .is_started = true,
                         .attempt = sc_records_get(p->table, *at).attempt,
                         .life = p->life,
                         .is_ended = true};
    while (*at < n && index_of(p, *at) == out->first + out->count) {
        out->count++;
        ++*at;
    }
    return true;
}
