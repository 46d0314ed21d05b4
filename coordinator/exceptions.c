/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks with a history: what is known of them beyond a bit of their chunk. Part of the core. */
#include "coordinator/core_int.h"

exception *
sc_exceptions_find(const chunk *c, uint32_t offset)
{
    exception *e = c->exceptions;
    while (e && e->offset != offset)
        e = e->next;
    return e;
}

// The history of a task, a new one if need be; NULL without memory.
exception *
sc_exceptions_get(sc_core *core, chunk *c, uint32_t offset)
{
    exception *e = sc_exceptions_find(c, offset);
    if (!e && (e = sc_slab_new(&core->exception_slab))) {
        e->chunk = c;
        e->offset = offset;
        e->attempt = 1;
        e->next = c->exceptions;
        c->exceptions = e;
    }
    return e;
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
    LL_DELETE(e->chunk->exceptions, e);
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
