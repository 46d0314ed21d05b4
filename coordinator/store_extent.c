/* SPDX-License-Identifier: Apache-2.0 */
/* Where the bytes of the store lie: in memory, on their way to the spill file, or in it. Called by
 * the other files of the store, of which it is a part. */
#include <stdlib.h>

#include "base/fault.h"
#include "base/log.h"
#include "coordinator/store_int.h"

void
sc_extent_free(extent *r)
{
    sc_store *s = r->store;
    if (r->is_writing) {
        r->is_dropped = true;
        return;
    }
    if (r->table.data || r->bytes.data)
        s->memory_bytes -= r->table_len + r->bytes_len;
    if (r->offset != NO_PLACE && s->spill)
        sc_spill_free(s->spill, r->offset, r->table_len + r->bytes_len);
    sc_slice_drop(&r->table);
    sc_slice_drop(&r->bytes);
    free(r);
}

static void
on_written(void *arg, int status)
{
    extent *r = arg;
    sc_store *s = r->store;
    r->is_writing = false;
    if (status < 0) { // the disk is full: it stays in memory, and the core is told to make room
        if (s->spill)
            sc_spill_free(s->spill, r->offset, r->table_len + r->bytes_len);
        r->offset = NO_PLACE;
        sc_log_warn("spill file in %s: %s", s->dir, sc_error_text(status));
        if (!s->is_closing)
            s->events.on_limit(s->events.arg,
                               s->memory_bytes + (s->spill ? sc_spill_bytes(s->spill) : 0));
    } else if (!r->is_dropped) {
        s->memory_bytes -= r->table_len + r->bytes_len;
        sc_slice_drop(&r->table);
        sc_slice_drop(&r->bytes);
    }
    if (r->is_dropped)
        sc_extent_free(r);
}

extent *
sc_extent_new(sc_store *s, sc_slice table, sc_slice bytes)
{
    extent *r = SC_FAULT("store.record") ? NULL : calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->store = s;
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
    r->offset = NO_PLACE;
    s->memory_bytes += r->table_len + r->bytes_len;
    if (s->memory_bytes - sc_spill_writing(s->spill) <= s->memory_max)
        return r;
    int64_t offset = sc_spill_write(s->spill, r->table, r->bytes, on_written, r);
    if (offset >= 0) {
        r->offset = offset;
        r->is_writing = true;
    }
    return r;
}
