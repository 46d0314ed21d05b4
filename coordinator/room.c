/* SPDX-License-Identifier: Apache-2.0 */
/* Which worker has room, and which may take a task: what workers offer, what they hold, who is kept
 * for a task that must run alone. No cost here grows with the number of workers: those with room
 * are in lists that rotate, and MAX_TRIES of them are looked at. Part of the core. */
#include "coordinator/core_int.h"

#include <stdlib.h>
#include <string.h>

enum { NS_A_MS = 1000000 };

/* ---- what workers offer ---- */

// What it is: as the first worker says that offers it, or the first after a time without any (a new
// version of a plugin).
static void
describe(handler *h, const sc_hello_handler *from)
{
    if (h->n_workers > 0 || h->n_runs > 0)
        return;
    sc_text_copy(from->description, h->description, sizeof h->description);
    h->kind = (sc_slot_kind)from->kind;
    h->is_once = from->is_once;
}

// NULL: no room for another, or no memory.
handler *
sc_room_new_handler(sc_core *core, const sc_hello_handler *from)
{
    handler *h = NULL;
    if (core->n_handlers == SC_MAX_HANDLERS || !(h = sc_core_alloc(1, sizeof *h)))
        return NULL;
    sc_text_copy(from->name, h->name, sizeof h->name);
    describe(h, from);
    h->id = core->n_handlers;
    HASH_ADD_KEYPTR(hh, core->handlers_by_name, h->name, strlen(h->name), h);
    if (!h->hh.tbl) {
        free(h);
        return NULL;
    }
    for (int p = 0; p < SC_PRIORITIES; p++)
        sc_heap_init(&h->lanes[p]);
    core->handlers[core->n_handlers++] = h;
    return h;
}

static handler *
get_handler(sc_core *core, const sc_hello_handler *from)
{
    handler *h = sc_jobs_find_handler(core, from->name);
    if (!h)
        return sc_room_new_handler(core, from);
    describe(h, from);
    return h;
}

// The offer of exactly these handlers; else one that nobody makes any more, or a new one.
static int
get_offer(sc_core *core, const uint64_t *set, offer **out)
{
    offer *o = NULL;
    for (uint32_t i = 0; i < core->n_offers; i++) {
        *out = core->offers[i];
        if (memcmp((*out)->handlers, set, sizeof o->handlers) == 0)
            return 0;
        if ((*out)->n_users == 0)
            o = *out;
    }
    if (!o) {
        if (core->n_offers == SC_MAX_PEERS)
            return SC_ELIMIT;
        if (!(o = sc_core_alloc(1, sizeof *o)))
            return SC_ENOMEM;
        core->offers[core->n_offers++] = o;
    }
    memcpy(o->handlers, set, sizeof o->handlers);
    *out = o;
    return 0;
}

// Registers what a worker offers. @return 0, SC_ELIMIT, SC_ENOMEM
int
sc_room_offer(sc_core *core, worker *w, const sc_list *list)
{
    uint64_t set[HANDLER_WORDS] = {0};
    const sc_hello_handler *items = list->items;
    for (uint32_t i = 0; i < list->n; i++) {
        handler *h = items[i].name.len ? get_handler(core, &items[i]) : NULL;
        if (!h)
            return SC_ELIMIT;
        sc_set_put(set, h->id, true);
    }
    int rc = get_offer(core, set, &w->offer);
    if (rc == 0)
        w->offer->n_users++;
    return rc;
}

/* ---- how much a worker holds ---- */

static void
sum_out(const worker *w, sc_slot_kind kind, uint32_t from_class, uint64_t *n, uint64_t *work_ns)
{
    *n = *work_ns = 0;
    for (uint32_t c = from_class; c < N_CLASSES; c++) {
        *n += w->n_out[kind][c];
        *work_ns += w->work_ns[kind][c];
    }
}

uint64_t
sc_room_n_out(const worker *w, sc_slot_kind kind)
{
    uint64_t n, work_ns;
    sum_out(w, kind, 0, &n, &work_ns);
    return n;
}

static uint64_t
waiting_ns(const sc_core *core)
{
    return (uint64_t)core->options.waiting_ms * NS_A_MS;
}

static bool
has_credit(const worker *w, uint64_t bytes)
{
    return w->state == WORKER_READY && !w->is_reserved && w->n_out_all < w->credit_tasks &&
           w->n_runs < MAX_RUNS_A_WORKER &&
           (w->bytes_out + bytes <= w->credit_bytes || w->n_out_all == 0);
}

static bool
is_roomy(const sc_core *core, const worker *w, sc_slot_kind kind)
{
    uint64_t n, work_ns;
    sum_out(w, kind, 0, &n, &work_ns);
    return has_credit(w, 1) && w->slots[kind] > 0 &&
           (n < w->slots[kind] || work_ns < waiting_ns(core) * w->slots[kind]);
}

// After what it has, or its state, has changed: keep it in the right lists.
void
sc_room_update(sc_core *core, worker *w)
{
    for (int kind = 0; kind < SC_N_SLOT_KINDS; kind++) {
        bool now = is_roomy(core, w, (sc_slot_kind)kind);
        if (now == w->is_roomy[kind])
            continue;
        w->is_roomy[kind] = now;
        if (now)
            DL_APPEND2(w->offer->roomy[kind], w, roomy_prev[kind], roomy_next[kind]);
        else
            DL_DELETE2(w->offer->roomy[kind], w, roomy_prev[kind], roomy_next[kind]);
    }
}

// How many such tasks this worker should be given now. What waits in lower classes does not count:
// the worker takes higher ones first.
static uint32_t
room_for(const sc_core *core, const worker *w, const demand *d)
{
    const handler *h = d->handler;
    uint64_t n, work_ns, slots = w->slots[h->kind];
    if (!has_credit(w, d->bytes) || slots == 0)
        return 0;
    sum_out(w, h->kind, d->class, &n, &work_ns);
    uint64_t room = n < slots ? slots - n : 0;
    if (h->cost_ns) {
        uint64_t budget_ns = waiting_ns(core) * slots + slots * h->cost_ns;
        uint64_t timely = work_ns < budget_ns ? (budget_ns - work_ns) / h->cost_ns : 0;
        room = timely > room ? timely : room;
    }
    uint64_t credit = w->credit_tasks - w->n_out_all;
    return (uint32_t)(room < credit ? room : credit);
}

// A worker of these with room, with how many tasks it may take; the lists rotate.
static worker *
find_in(sc_core *core, offer *o, const demand *d, uint32_t *room)
{
    sc_slot_kind kind = d->handler->kind;
    worker *w = o->roomy[kind];
    for (int tries = 0; w && tries < MAX_TRIES; tries++, w = o->roomy[kind]) {
        DL_DELETE2(o->roomy[kind], w, roomy_prev[kind], roomy_next[kind]);
        DL_APPEND2(o->roomy[kind], w, roomy_prev[kind], roomy_next[kind]);
        if ((*room = room_for(core, w, d)) > 0)
            return w;
    }
    // Nobody has room for everything, but a higher class goes before what waits there.
    w = d->class > 0 ? o->workers : NULL;
    for (int tries = 0; w && tries < MAX_TRIES; tries++, w = o->workers) {
        DL_DELETE2(o->workers, w, offer_prev, offer_next);
        DL_APPEND2(o->workers, w, offer_prev, offer_next);
        if ((*room = room_for(core, w, d)) > 0)
            return w;
    }
    return NULL;
}

// A worker for such a task, with how many it may take, or NULL; all get their turn, whatever else
// they offer.
worker *
sc_room_find(sc_core *core, const demand *d, uint32_t *room)
{
    for (uint32_t i = 0; i < core->n_offers; i++) {
        uint32_t at = (core->next_offer + i) % core->n_offers;
        offer *o = core->offers[at];
        worker *w = sc_set_has(o->handlers, d->handler->id) ? find_in(core, o, d, room) : NULL;
        if (w) {
            core->next_offer = at + 1;
            return w;
        }
    }
    return NULL;
}

/* ---- coming, going, kept free ---- */

void
sc_room_reserve(sc_core *core, worker *w)
{
    w->is_reserved = true;
    core->n_reserved++;
    DL_APPEND2(core->reserved, w, reserved_prev, reserved_next);
    sc_room_update(core, w);
}

void
sc_room_unreserve(sc_core *core, worker *w)
{
    if (!w->is_reserved)
        return;
    w->is_reserved = false;
    core->n_reserved--;
    DL_DELETE2(core->reserved, w, reserved_prev, reserved_next);
    sc_room_update(core, w);
}

static void
count_offered(sc_core *core, const worker *w, int by)
{
    for (uint32_t i = 0; i < core->n_handlers; i++)
        if (sc_set_has(w->offer->handlers, i))
            core->handlers[i]->n_workers += (uint32_t)by;
}

// Its list is complete: it may be given work.
void
sc_room_join(sc_core *core, worker *w)
{
    w->state = WORKER_READY;
    DL_APPEND2(w->offer->workers, w, offer_prev, offer_next);
    core->n_ready++;
    count_offered(core, w, 1);
    sc_room_update(core, w);
    if (w->runs && w->runs->is_alone)
        sc_room_reserve(core, w);
}

// It gets nothing more. What it has stays its own.
void
sc_room_leave(sc_core *core, worker *w)
{
    if (w->state != WORKER_READY)
        return;
    w->state = WORKER_DRAINING;
    sc_room_unreserve(core, w);
    sc_room_update(core, w);
    DL_DELETE2(w->offer->workers, w, offer_prev, offer_next);
    core->n_ready--;
    count_offered(core, w, -1);
}
