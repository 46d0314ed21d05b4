/* SPDX-License-Identifier: Apache-2.0 */
/* Where the bytes of the store lie: in memory, on their way to the spill file, or in it. Called by
 * the other files of the store, of which it is a part. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "coordinator/store_int.h"

enum {
    SPILL_FROM = 256,   // a smaller piece takes as much in memory when it lies in the file
    GATHER_FIRST = 256, // of each blob, which doubles: most jobs have few results
    EXTENT_BYTES = sizeof(extent) + MALLOC_BYTES,
    BLOB_BYTES = sizeof(sc_blob) + MALLOC_BYTES,
};

// Every line that changes what an extent takes of memory comes here.
static void
set_memory(extent *r, size_t bytes)
{
    r->store->memory_bytes += bytes - r->memory;
    if (r->is_gathering)
        r->store->gathering_bytes += bytes - r->memory;
    r->memory = bytes;
}

static size_t
len_of(const extent *r)
{
    return r->table_len + r->bytes_len;
}

static void
stop_waiting(extent *r)
{
    if (!r->is_waiting)
        return;
    DL_DELETE(r->store->waiting, r);
    r->is_waiting = false;
}

static void
maybe_release(extent *r)
{
    sc_store *s = r->store;
    if (!r->is_dropped || r->is_writing || r->n_reads > 0)
        return;
    stop_waiting(r);
    set_memory(r, 0);
    if (r->offset != NO_PLACE && s->spill)
        sc_spill_free(s->spill, r->offset, len_of(r));
    sc_slice_drop(&r->table);
    sc_slice_drop(&r->bytes);
    free(r);
}

void
sc_extent_free(extent *r)
{
    r->store->kept_bytes -= len_of(r);
    r->is_dropped = true;
    maybe_release(r);
}

int
sc_extent_load(extent *r, void (*on_done)(void *arg, int status, sc_blob *blob), void *arg)
{
    int rc = sc_spill_read(r->store->spill, r->offset, len_of(r), on_done, arg);
    r->n_reads += rc == 0;
    return rc;
}

void
sc_extent_loaded(extent *r, sc_blob *blob, sc_slice *table, sc_slice *bytes)
{
    if (blob) {
        sc_slice all = sc_slice_of(blob);
        *table = sc_slice_keep(sc_slice_part(all, 0, r->table_len));
        *bytes = sc_slice_part(all, r->table_len, r->bytes_len); // takes over our reference
    }
    r->n_reads--;
    maybe_release(r);
}

enum {
    PROBE_BYTES = 1 << 20, // a disk that takes less has no room worth the name
    PROBE_MS = 1000,       // from one trial to the next
};

// A write failed: what was to be written stays in memory, and the core is told to make room. One
// succeeded: the disk has room (again). What is put meanwhile is tried, and we try by ourselves.
static void
note_disk(sc_store *s, int status)
{
    uint64_t limit = status == 0 ? UINT64_MAX : s->kept_bytes < s->limit ? s->kept_bytes : s->limit;
    if (limit == s->limit)
        return;
    uint64_t left_out;
    bool is_full = status < 0 && s->limit == UINT64_MAX;
    if (is_full && sc_log_may_repeat(&s->full_log, (int64_t)uv_now(s->loop), &left_out))
        sc_log_warn("spill file in %s: %s repeats=%llu", s->dir, sc_error_text(status),
                    (unsigned long long)left_out);
    if (status == 0 && sc_log_may_repeat(&s->room_log, (int64_t)uv_now(s->loop), &left_out))
        sc_log_info("spill file in %s: there is room again repeats=%llu", s->dir,
                    (unsigned long long)left_out);
    s->limit = limit;
    s->events.on_limit(s->events.arg, limit);
}

static void
on_probed(void *arg, int status)
{
    sc_store *s = arg;
    s->memory_bytes -= PROBE_BYTES;
    s->is_probing = false;
    if (s->spill)
        sc_spill_free(s->spill, s->probe_offset, PROBE_BYTES);
    if (status == 0 && !s->is_closing)
        note_disk(s, status);
}

void
sc_extent_probe(sc_store *s)
{
    int64_t now_ms = (int64_t)uv_now(s->loop);
    if (s->limit == UINT64_MAX || s->is_probing || now_ms < s->probe_ms)
        return;
    s->probe_ms = now_ms + PROBE_MS;
    sc_blob *blob = sc_blob_new(PROBE_BYTES);
    if (!blob)
        return;
    memset(blob->data, 0, PROBE_BYTES);
    sc_slice all = sc_slice_of(blob);
    int64_t offset =
        sc_spill_write(s->spill, all, sc_slice_part(all, PROBE_BYTES, 0), on_probed, s);
    sc_blob_unref(blob);
    if (offset < 0)
        return;
    s->memory_bytes += PROBE_BYTES; // as it counts among what is being written
    s->is_probing = true;
    s->probe_offset = offset;
}

static void
on_written(void *arg, int status)
{
    extent *r = arg;
    sc_store *s = r->store;
    r->is_writing = false;
    if (status < 0) {
        if (s->spill)
            sc_spill_free(s->spill, r->offset, len_of(r));
        r->offset = NO_PLACE;
        if (r->is_result && !r->is_dropped) { // it is the oldest again
            DL_PREPEND(s->waiting, r);
            r->is_waiting = true;
        }
    } else if (!r->is_dropped) {
        set_memory(r, EXTENT_BYTES);
        sc_slice_drop(&r->table);
        sc_slice_drop(&r->bytes);
    }
    maybe_release(r);
    sc_store_written(s);
    if (!s->is_closing)
        note_disk(s, status); // last: the core may drop anything
}

static extent *
new_extent(sc_store *s)
{
    extent *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->store = s;
    r->offset = NO_PLACE;
    return r;
}

static bool
start_writing(extent *r)
{
    int64_t offset = sc_spill_write(r->store->spill, r->table, r->bytes, on_written, r);
    if (offset < 0)
        return false;
    stop_waiting(r);
    r->offset = offset;
    r->is_writing = true;
    return true;
}

// Memory holds too much: the oldest results go, since a reader that follows its job has read them,
// and then the newest chunk, since it is the last one needed. A full disk is tried with one piece
// at a time.
static void
make_room(sc_store *s, extent *newest)
{
    while (s->memory_bytes - sc_spill_writing(s->spill) > s->memory_max &&
           (s->limit == UINT64_MAX || sc_spill_writing(s->spill) == 0)) {
        extent *r = s->waiting ? s->waiting : newest;
        if (!r || r->is_writing || !start_writing(r))
            return;
    }
}

// It is whole. A small piece stays in memory.
static void
settle(extent *r)
{
    sc_store *s = r->store;
    bool is_worth_it = len_of(r) >= SPILL_FROM;
    if (is_worth_it && r->is_result) {
        DL_APPEND(s->waiting, r);
        r->is_waiting = true;
    }
    make_room(s, is_worth_it ? r : NULL);
}

extent *
sc_extent_new(sc_store *s, sc_slice table, sc_slice bytes, bool is_result)
{
    extent *r = new_extent(s);
    if (!r)
        return NULL;
    r->is_result = is_result;
    r->table = sc_slice_keep(table);
    r->bytes = sc_slice_keep(bytes);
    if (!r->table.data || !r->bytes.data) {
        sc_slice_drop(&r->table);
        sc_slice_drop(&r->bytes);
        free(r);
        return NULL;
    }
    r->table_len = table.len;
    r->bytes_len = bytes.len;
    set_memory(r, EXTENT_BYTES + 2 * BLOB_BYTES + len_of(r));
    s->kept_bytes += len_of(r);
    settle(r);
    return r;
}

/* ---- gathering ---- */

extent *
sc_extent_gather(sc_store *s)
{
    extent *r = new_extent(s);
    if (!r)
        return NULL;
    r->is_gathering = r->is_result = true;
    set_memory(r, EXTENT_BYTES);
    return r;
}

// Room for `more` bytes behind a slice, in a blob that no reader looks at beyond the slice.
static bool
lengthen(sc_slice *slice, size_t more)
{
    size_t max = slice->owner ? slice->owner->len : GATHER_FIRST;
    if (slice->owner && max - slice->len >= more)
        return true;
    while (max - slice->len < more)
        max *= 2;
    sc_blob *blob = sc_blob_new(max);
    if (!blob)
        return false;
    if (slice->len)
        memcpy(blob->data, slice->data, slice->len);
    size_t len = slice->len;
    sc_slice_drop(slice);
    *slice = sc_slice_part(sc_slice_of(blob), 0, len);
    return true;
}

uint8_t *
sc_extent_append(extent *r, sc_slice table, sc_slice bytes)
{
    if (!lengthen(&r->table, table.len) || !lengthen(&r->bytes, bytes.len))
        return NULL;
    uint8_t *at = r->table.owner->data + r->table.len;
    memcpy(at, table.data, table.len);
    if (bytes.len)
        memcpy(r->bytes.owner->data + r->bytes.len, bytes.data, bytes.len);
    r->table_len = r->table.len += table.len;
    r->bytes_len = r->bytes.len += bytes.len;
    r->store->kept_bytes += table.len + bytes.len;
    set_memory(r, EXTENT_BYTES + 2 * BLOB_BYTES + r->table.owner->len + r->bytes.owner->len);
    return at;
}

void
sc_extent_close(extent *r)
{
    r->is_gathering = false;
    r->store->gathering_bytes -= r->memory;
    settle(r);
}
