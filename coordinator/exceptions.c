/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks with a history: what is known of them beyond a bit of their chunk. They are found by their
 * offset, in pages that a chunk has only where it has exceptions: half of a million tasks may wait
 * for their next attempt. Part of the core. */
#include "coordinator/core_int.h"

enum { PAGE = sizeof((exception_page){0}.at) / sizeof(exception *) };
_Static_assert(PAGE *BIT_WORDS >= SC_CHUNK_MAX_TASKS, "each offset has its place");

exception *
sc_exceptions_find(const chunk *c, uint32_t offset)
{
    const exception_page *page = c->exceptions[offset / PAGE];
    return page ? page->at[offset % PAGE] : NULL;
}

// The first at or after an offset, or NULL.
exception *
sc_exceptions_next(const chunk *c, uint32_t from)
{
    for (uint32_t i = from / PAGE; i < BIT_WORDS; i++, from = i * PAGE) {
        const exception_page *page = c->exceptions[i];
        for (uint32_t k = from % PAGE; page && k < PAGE; k++)
            if (page->at[k])
                return page->at[k];
    }
    return NULL;
}

static exception *
add(sc_core *core, chunk *c, uint32_t offset)
{
    exception_page **page = &c->exceptions[offset / PAGE];
    if (!*page && !(*page = sc_slab_new(&core->exception_page_slab)))
        return NULL;
    exception *e = sc_slab_new(&core->exception_slab);
    if (e) {
        *e = (exception){.chunk = c, .offset = offset, .attempt = 1};
        (*page)->at[offset % PAGE] = e;
        (*page)->n++;
        c->n_exceptions++;
    }
    return e;
}

// The history of a task, a new one if need be; NULL without memory.
exception *
sc_exceptions_get(sc_core *core, chunk *c, uint32_t offset)
{
    exception *e = sc_exceptions_find(c, offset);
    return e ? e : add(core, c, offset);
}

void
sc_exceptions_unsuspect(sc_core *core, exception *e)
{
    if (e->is_suspect)
        DL_DELETE2(core->suspects, e, suspect_prev, suspect_next);
    e->is_suspect = false;
}

void
sc_exceptions_drop(sc_core *core, exception *e)
{
    sc_exceptions_unsuspect(core, e);
    if (e->is_delayed)
        core->n_delayed--;
    sc_core_timer_stop(core, &e->timer);
    exception_page **page = &e->chunk->exceptions[e->offset / PAGE];
    (*page)->at[e->offset % PAGE] = NULL;
    e->chunk->n_exceptions--;
    if (--(*page)->n == 0) {
        sc_slab_free(&core->exception_page_slab, *page);
        *page = NULL;
    }
    sc_slab_free(&core->exception_slab, e);
}

void
sc_exceptions_suspect(sc_core *core, exception *e)
{
    if (e->is_suspect)
        return;
    e->is_suspect = true;
    DL_APPEND2(core->suspects, e, suspect_prev, suspect_next);
}
