/* SPDX-License-Identifier: Apache-2.0 */
/* Shared bytes: see blob.h. A blob of our own lies in one allocation with its bytes behind it. */
#include "proto/blob.h"

#include <stdlib.h>
#include <string.h>

#include "base/fault.h"

static void
release_own(sc_blob *self)
{
    free(self);
}

sc_blob *
sc_blob_new(size_t len)
{
    if (SC_FAULT("blob.new"))
        return NULL;
    sc_blob *blob = malloc(sizeof *blob + len);
    if (!blob)
        return NULL;
    atomic_init(&blob->refs, 1);
    blob->data = (uint8_t *)(blob + 1);
    blob->len = len;
    blob->release = release_own;
    return blob;
}

sc_blob *
sc_blob_copy(const void *data, size_t len)
{
    sc_blob *blob = sc_blob_new(len);
    if (blob && len)
        memcpy(blob->data, data, len);
    return blob;
}

sc_blob *
sc_blob_ref(sc_blob *blob)
{
    if (blob)
        atomic_fetch_add_explicit(&blob->refs, 1, memory_order_relaxed);
    return blob;
}

void
sc_blob_unref(sc_blob *blob)
{
    if (blob && atomic_fetch_sub_explicit(&blob->refs, 1, memory_order_acq_rel) == 1)
        blob->release(blob);
}

sc_slice
sc_slice_of(sc_blob *blob)
{
    return (sc_slice){blob->data, blob->len, blob};
}

sc_slice
sc_slice_borrow(const void *data, size_t len)
{
    return (sc_slice){data, len, NULL};
}

sc_slice
sc_slice_part(sc_slice s, size_t offset, size_t len)
{
    SC_ASSERT(offset <= s.len && len <= s.len - offset);
    return (sc_slice){s.data ? s.data + offset : NULL, len, s.owner};
}

sc_slice
sc_slice_keep(sc_slice s)
{
    if (s.owner) {
        sc_blob_ref(s.owner);
        return s;
    }
    sc_blob *blob = sc_blob_copy(s.data, s.len);
    return blob ? sc_slice_of(blob) : (sc_slice){0};
}

int
sc_slice_retain(sc_slice *s)
{
    size_t len = s->len;
    *s = len ? sc_slice_keep(*s) : (sc_slice){0};
    return s->len == len ? 0 : SC_ENOMEM; // what cannot be kept comes back empty
}

void
sc_slice_drop(sc_slice *s)
{
    sc_blob_unref(s->owner);
    *s = (sc_slice){0};
}
