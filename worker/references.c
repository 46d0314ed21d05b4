/* SPDX-License-Identifier: Apache-2.0 */
/* See references.h. */
#include "worker/references.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "proto/run.h"

enum {
    ID_LEN = SC_UUID_TEXT - 1,
    PAGE_BYTES = 1 << 20,
    KEPT = 16, // of them all where nobody holds them
    // READ is said again where the reason may pass, with the ticks of the session: some seconds
    MAX_REFUSED = 64,
};
/* A quote within a string is escaped, so this text is in no string; nor does one that ends in { go
 * on like this. */
static const char head[] = "{\"$results\":\"", tail[] = "\"}";
enum {
    HEAD_LEN = sizeof head - 1,
    TAIL_LEN = sizeof tail - 1,
    WHOLE = HEAD_LEN + ID_LEN + TAIL_LEN
};

void
sc_references_init(sc_references *r)
{
    *r = (sc_references){0};
    TAILQ_INIT(&r->all);
}

static void
stop_reading(sc_references *r, sc_reference *ref)
{
    sc_buffer_fini(&ref->lens);
    sc_buffer_fini(&ref->out);
    if (r->reading == ref)
        r->reading = NULL;
}

static void
drop(sc_references *r, sc_reference *ref)
{
    TAILQ_REMOVE(&r->all, ref, node);
    r->n_all--;
    stop_reading(r, ref);
    if (ref->state == SC_REFERENCE_READY)
        r->n_bytes -= ref->bytes.len;
    sc_slice_drop(&ref->table);
    sc_slice_drop(&ref->bytes);
    free(ref);
}

void
sc_references_fini(sc_references *r)
{
    while (!TAILQ_EMPTY(&r->all))
        drop(r, TAILQ_FIRST(&r->all));
}

/* ---- who needs what ---- */

/* The next place in from..end where results are named. */
static const uint8_t *
find(const uint8_t *from, const uint8_t *end, sc_uuid *of)
{
    while ((from = memmem(from, (size_t)(end - from), head, HEAD_LEN)) && end - from >= WHOLE) {
        if (memcmp(from + HEAD_LEN + ID_LEN, tail, TAIL_LEN) == 0 &&
            sc_uuid_parse((const char *)from + HEAD_LEN, ID_LEN, of))
            return from;
        from += HEAD_LEN;
    }
    return NULL;
}

bool
sc_references_are_in(const sc_message *run)
{
    const uint8_t *at = run->bytes.data;
    sc_uuid of;

    for (uint32_t i = 0; run->run.is_array && i < sc_tasks_count(run->table); i++) {
        uint32_t len = sc_tasks_len(run->table, i);

        if (len >= WHOLE && find(at, at + len, &of))
            return true;
        at += len;
    }
    return false;
}

sc_reference *
sc_references_hold(sc_references *r, const sc_message *run)
{
    sc_reference *ref;

    TAILQ_FOREACH(ref, &r->all, node)
        if (memcmp(&ref->job, &run->run.job, sizeof ref->job) == 0 && ref->life == run->run.life &&
            ref->state != SC_REFERENCE_FAILED)
            break;
    if (!ref) {
        ref = calloc(1, sizeof *ref);
        if (!ref)
            return NULL;
        r->n_all++;
        ref->job = run->run.job;
        ref->life = run->run.life;
        ref->table = sc_slice_keep(run->table);
        ref->bytes = sc_slice_keep(run->bytes);
    } else {
        TAILQ_REMOVE(&r->all, ref, node);
    }
    TAILQ_INSERT_TAIL(&r->all, ref, node);
    if (!ref->table.data || !ref->bytes.data) {
        drop(r, ref);
        return NULL;
    }
    ref->n_users++;
    return ref;
}

void
sc_reference_release(sc_reference *reference)
{
    if (reference)
        reference->n_users--;
}

/* ---- reading ---- */

static sc_reference *
fail(sc_references *r, sc_reference *ref, int code, const char *text)
{
    stop_reading(r, ref);
    ref->state = SC_REFERENCE_FAILED;
    ref->code = code;
    snprintf(ref->text, sizeof ref->text, "%s", text);
    return ref;
}

static sc_reference *
fail_of(sc_references *r, sc_reference *ref, int code, const char *text)
{
    char id[SC_UUID_TEXT], whole[sizeof ref->text];

    snprintf(whole, sizeof whole, "results of job %s as arguments: %s",
             sc_uuid_format(&ref->of, id), text);
    return fail(r, ref, code, whole);
}

static sc_reference *
fail_to_add(sc_references *r, sc_reference *ref, int rc)
{
    return rc == SC_ELIMIT ? fail_of(r, ref, SC_ETOOLARGE, "over 16 MiB with what stands around")
                           : fail(r, ref, rc, sc_error_text(rc));
}

static sc_reference *
finish(sc_references *r, sc_reference *ref)
{
    sc_blob *table = sc_blob_copy(ref->lens.data, ref->lens.len);
    sc_blob *bytes = sc_blob_copy(ref->out.data, ref->out.len);

    if (!table || !bytes) {
        sc_blob_unref(table);
        sc_blob_unref(bytes);
        return fail(r, ref, SC_ENOMEM, "the worker has no memory for the arguments");
    }
    sc_slice_drop(&ref->table);
    sc_slice_drop(&ref->bytes);
    ref->table = sc_slice_of(table);
    ref->bytes = sc_slice_of(bytes);
    r->n_bytes += ref->bytes.len;
    ref->state = SC_REFERENCE_READY;
    stop_reading(r, ref);
    return ref;
}

/* Copies up to the next place where results are named, or to the end.
 * @return that which has ended, or NULL: results are to be read */
static sc_reference *
copy_on(sc_references *r, sc_reference *ref)
{
    const uint8_t *data = ref->bytes.data;
    uint32_t len, n_pieces = sc_tasks_count(ref->table);
    int rc = 0;

    while (rc == 0) {
        const uint8_t *place = find(data + ref->at, data + ref->piece_end, &ref->of);
        size_t to = place ? (size_t)(place - data) : ref->piece_end;

        rc = sc_buffer_add(&ref->out, data + ref->at, to - ref->at);
        if (place && rc == 0)
            rc = sc_buffer_add(&ref->out, "[", 1);
        if (rc != 0)
            break;
        if (place) {
            ref->at = to + WHOLE;
            ref->next = 0;
            ref->has_value = ref->is_said = false;
            return NULL;
        }
        len = (uint32_t)(ref->out.len - ref->piece_out);
        rc = sc_buffer_add(&ref->lens, &len, sizeof len);
        ref->at = ref->piece_end;
        ref->piece_out = ref->out.len;
        if (rc == 0 && ++ref->piece == n_pieces)
            return finish(r, ref);
        ref->piece_end += rc == 0 ? sc_tasks_len(ref->table, ref->piece) : 0;
    }
    return fail_to_add(r, ref, rc);
}

/* What came names results and fits. @return false without memory: it waits on */
static bool
start_reading(sc_references *r, sc_reference *ref)
{
    ref->state = SC_REFERENCE_READING;
    sc_buffer_init(&ref->lens, 0);
    sc_buffer_init(&ref->out, SC_TASK_MAX_BYTES);
    ref->piece = 0;
    ref->at = ref->piece_out = 0;
    ref->piece_end = sc_tasks_len(ref->table, 0);
    r->reading = ref;
    if (copy_on(r, ref))
        ref->state = SC_REFERENCE_WAITING;
    return r->reading != NULL;
}

/* Those that nobody holds make room, the one that was used longest ago first. */
static void
make_room(sc_references *r)
{
    sc_reference *next;

    for (sc_reference *ref = TAILQ_FIRST(&r->all); ref; ref = next) {
        next = TAILQ_NEXT(ref, node);
        if (ref->n_users == 0 && (ref->state != SC_REFERENCE_READY ||
                                  r->n_bytes >= SC_REFERENCES_MAX_BYTES || r->n_all > KEPT))
            drop(r, ref);
    }
}

bool
sc_references_next(sc_references *r, sc_message *out)
{
    sc_reference *ref;

    if (TAILQ_EMPTY(&r->all))
        return false;
    make_room(r);
    if (!r->reading && r->n_bytes < SC_REFERENCES_MAX_BYTES) {
        TAILQ_FOREACH(ref, &r->all, node)
            if (ref->state == SC_REFERENCE_WAITING)
                break;
        if (!ref)
            return false;
        if (!start_reading(r, ref))
            return false;
    }
    if (!(ref = r->reading) || ref->is_said)
        return false;
    ref->request = ++r->n_requests;
    *out = (sc_message){.type = SC_MSG_READ};
    out->read = (sc_read){.request = ref->request,
                          .job = ref->of,
                          .from = ref->next,
                          .order = SC_READ_INDEX,
                          .max_bytes = PAGE_BYTES};
    return true;
}

void
sc_references_said(sc_references *r)
{
    r->reading->is_said = true;
}

void
sc_references_restart(sc_references *r)
{
    if (r->reading)
        r->reading->is_said = false;
}

/* ---- what is answered ---- */

static int
add_values(sc_reference *ref, const sc_message *page)
{
    size_t at = 0;
    int rc = 0;

    for (uint32_t i = 0; rc == 0 && i < sc_records_count(page->table); i++) {
        sc_record record = sc_records_get(page->table, i);
        bool is_done = record.outcome == SC_DONE;

        if (ref->has_value)
            rc = sc_buffer_add(&ref->out, ",", 1);
        if (rc == 0)
            rc = sc_buffer_add(&ref->out, is_done ? (const char *)page->bytes.data + at : "null",
                               is_done ? record.len : 4);
        ref->has_value = true;
        at += record.len;
    }
    return rc;
}

static sc_reference *
on_page(sc_references *r, sc_reference *ref, const sc_message *m)
{
    int rc;

    if (sc_records_check(m->table, m->bytes, SC_TASK_MAX_BYTES) < 0)
        return fail_of(r, ref, SC_EMALFORMED, "the coordinator's answer is malformed");
    if (!m->page.is_end && m->page.next <= ref->next)
        return fail_of(r, ref, SC_ESTATE, "it has not ended; name it in --after");
    if (m->page.n_dropped > 0)
        return fail_of(r, ref, SC_ESTOREFULL, "the store had no room to keep them");
    rc = add_values(ref, m);
    if (rc == 0 && m->page.is_end)
        rc = sc_buffer_add(&ref->out, "]", 1);
    if (rc != 0)
        return fail_to_add(r, ref, rc);
    if (m->page.is_end)
        return copy_on(r, ref);
    ref->next = m->page.next;
    ref->is_said = false;
    ref->n_refused = 0;
    return NULL;
}

sc_reference *
sc_references_answer(sc_references *r, const sc_message *m)
{
    sc_reference *ref = r->reading;
    uint64_t request = m->type == SC_MSG_PAGE ? m->page.request : m->refused.request;
    char text[sizeof ref->text];

    if (!ref || !ref->is_said || request != ref->request)
        return NULL; // of another session, or nobody needed it any more
    if (m->type == SC_MSG_PAGE)
        return on_page(r, ref, m);
    if (sc_error_may_pass((int)m->refused.code) && ref->n_refused++ < MAX_REFUSED) {
        ref->is_said = false;
        return NULL;
    }
    return fail_of(r, ref, m->refused.code < 0 ? (int)m->refused.code : SC_EMALFORMED,
                   sc_text_copy(m->refused.text, text, sizeof text));
}
