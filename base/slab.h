/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of one size from pages that are never given back before the end: a steady process does
 * not allocate. */
#ifndef SC_SLAB_H
#define SC_SLAB_H

#include <stddef.h>

typedef struct sc_slab {
    size_t object_bytes; /* rounded up to 16 */
    size_t objects_a_page;
    void *free_list;      /* objects given back, linked through their first word */
    void *pages;          /* linked through their first word */
    size_t n_used, n_max; /* n_max: bound, 0 = no bound but memory */
} sc_slab;

/** @param object_bytes  at least 1  @param max_objects  0 = no bound but memory */
void sc_slab_init(sc_slab *s, size_t object_bytes, size_t max_objects);
/** Releases every page; objects still in use are gone with it. */
void sc_slab_fini(sc_slab *s);
/** A zeroed object, or NULL at the bound or without memory. */
void *sc_slab_new(sc_slab *s);
/** Give an object back; NULL is accepted. */
void sc_slab_free(sc_slab *s, void *object);

#endif
