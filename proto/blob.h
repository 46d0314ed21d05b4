/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that several owners share and nobody changes: a received frame, a chunk's payload, a page
 * of results. A slice points into one; handing a slice on costs a count, never a copy. */
#ifndef SC_BLOB_H
#define SC_BLOB_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct sc_blob sc_blob;
struct sc_blob {
    atomic_uint refs; /* threads may drop references (ZeroMQ's does after sending) */
    uint8_t *data;
    size_t len;
    void (*release)(
        sc_blob *self); /* frees the blob and what it holds; called with no reference left */
};

/* A view with or without an owner. Without one (owner NULL) it lives as long as what it points
 * into. */
typedef struct sc_slice {
    const uint8_t *data;
    size_t len;
    sc_blob *owner;
} sc_slice;

/** A blob of `len` writable bytes with one reference, or NULL. Write before the first share. */
sc_blob *sc_blob_new(size_t len);
/** A blob with one reference that holds a copy, or NULL. */
sc_blob *sc_blob_copy(const void *data, size_t len);
/** One more reference. Returns the blob; NULL is accepted. */
sc_blob *sc_blob_ref(sc_blob *blob);
/** One reference less, from any thread; NULL is accepted. */
void sc_blob_unref(sc_blob *blob);

/** All of a blob as a slice; takes no reference. */
sc_slice sc_slice_of(sc_blob *blob);
/** Bytes that somebody else keeps alive. */
sc_slice sc_slice_borrow(const void *data, size_t len);
/** A part of a slice with the same owner; asserts that it lies within. Takes no reference. */
sc_slice sc_slice_part(sc_slice s, size_t offset, size_t len);
/** A slice that may be kept: takes a reference where there is an owner, else copies. Empty
 * (`data` NULL, `len` 0) without memory. */
sc_slice sc_slice_keep(sc_slice s);
/** Makes a slice that was handed to us one that is kept, in place; an empty one stays empty and
 * needs no memory. @return 0, SC_ENOMEM (it is empty then) */
SC_MUST_USE int sc_slice_retain(sc_slice *s);
/** Gives back what sc_slice_keep or sc_slice_retain took and empties the slice. */
void sc_slice_drop(sc_slice *s);

#endif
