/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of one size from pages. Called by whatever keeps many objects of a kind (tasks, peers,
 * connections); single-threaded, never gives a page back before the end. Under AddressSanitizer an
 * object that was given back cannot be touched. */
#include "base/slab.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/fault.h"

#if __has_include(<sanitizer/asan_interface.h>) // does nothing without AddressSanitizer
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

enum {
    ALIGNMENT = 16,
    HEADER_BYTES = ALIGNMENT, // link to the next page
    PAGE_BYTES =
        64 * 1024,   // enough objects a page that malloc does not show, small enough to waste
    MIN_OBJECTS = 8, // for objects larger than an eighth of a page
};

/* The first word of a page and of a free object. */
struct link {
    struct link *next;
};

static void
push_free(sc_slab *s, void *object)
{
    struct link *link = object;

    link->next = s->free_list;
    s->free_list = link;
    ASAN_POISON_MEMORY_REGION(link + 1, s->object_bytes - sizeof(*link));
}

static int
add_page(sc_slab *s)
{
    struct link *page;

    if (SC_FAULT("slab.page"))
        return SC_ENOMEM;
    page = malloc(HEADER_BYTES + s->objects_a_page * s->object_bytes);
    if (!page)
        return SC_ENOMEM;
    page->next = s->pages;
    s->pages = page;
    // From the last to the first, so that objects come out in the order of their addresses.
    for (size_t i = s->objects_a_page; i-- > 0;)
        push_free(s, (char *)page + HEADER_BYTES + i * s->object_bytes);
    return 0;
}

void
sc_slab_init(sc_slab *s, size_t object_bytes, size_t max_objects)
{
    size_t rounded = (object_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    size_t objects_a_page;

    SC_ASSERT(object_bytes > 0 && object_bytes < SIZE_MAX / (2 * MIN_OBJECTS));
    objects_a_page = (PAGE_BYTES - HEADER_BYTES) / rounded;
    if (objects_a_page < MIN_OBJECTS)
        objects_a_page = MIN_OBJECTS;
    if (max_objects && objects_a_page > max_objects)
        objects_a_page = max_objects;
    *s = (sc_slab){.object_bytes = rounded, .objects_a_page = objects_a_page, .n_max = max_objects};
}

void
sc_slab_fini(sc_slab *s)
{
    struct link *page = s->pages;

    while (page) {
        struct link *next = page->next;

        free(page);
        page = next;
    }
    *s = (sc_slab){0};
}

void *
sc_slab_new(sc_slab *s)
{
    struct link *object;

    if (s->n_max && s->n_used == s->n_max)
        return NULL;
    if (!s->free_list && add_page(s))
        return NULL;
    object = s->free_list;
    s->free_list = object->next;
    s->n_used++;
    ASAN_UNPOISON_MEMORY_REGION(object, s->object_bytes);
    return memset(object, 0, s->object_bytes);
}

void
sc_slab_free(sc_slab *s, void *object)
{
    if (!object)
        return;
    SC_ASSERT(s->n_used > 0);
    s->n_used--;
    push_free(s, object);
}
