/* SPDX-License-Identifier: Apache-2.0 */
/* Taking back: when a worker is idle and nothing waits here, it gets some of what waits in another;
 * and what workers give back, asked or because they drain, is queued again. Part of the core. */
#include "coordinator/core_int.h"

enum { STEAL_MIN_NS = 1000000 }; // less waiting work than this is not worth a message

// The run whose tasks a worker would start last: of the lowest class, then the latest.
static run *
last_to_start(const worker *w, sc_slot_kind kind)
{
    run *best = NULL, *r = w->runs ? w->runs->prev : NULL; // DL: the head's prev is the tail
    for (int tries = 0; r && tries < MAX_TRIES; tries++) {
        if (!r->call && !r->is_adopted && r->cost_ns > 0 && r->handler->kind == kind &&
            (!best || r->class < best->class))
            best = r;
        r = r == w->runs ? NULL : r->prev;
    }
    return best;
}

// Where the later half of what is left of a run begins.
static uint32_t
later_half(const run *r)
{
    uint32_t keep = r->n_left / 2, at = 0, seen = 0, first, count;
    for (; seen < keep && sc_bits_next(&r->left, at, r->count, &first, &count); at = first + count)
        seen += count;
    return at - (seen > keep ? seen - keep : 0);
}

// Asks a worker for the later half of what it would start last. @return false where that is not
// worth it
static bool
recall_half(sc_core *core, worker *victim, sc_slot_kind kind)
{
    run *r = victim->is_recalling ? NULL : last_to_start(victim, kind);
    uint64_t n = sc_room_n_out(victim, kind);
    if (!r || n <= victim->slots[kind] || (n - victim->slots[kind]) * r->cost_ns < STEAL_MIN_NS)
        return false;
    uint32_t from = later_half(r);
    const chunk *c = r->chunk;
    sc_message m = {.type = SC_MSG_RECALL};
    m.recall = (sc_recall){.job = c->job->id,
                           .token = r->token,
                           .first = c->job->first_index + c->first + r->first + from,
                           .count = r->count - from,
                           .mode = SC_RECALL_WAITING};
    victim->is_recalling = true;
    sc_core_send(core, victim->peer, &m);
    return true;
}

static bool
somebody_is_idle(const offer *o, sc_slot_kind kind)
{
    const worker *w = o->roomy[kind];
    for (int tries = 0; w && tries < MAX_TRIES; tries++, w = w->roomy_next[kind])
        if (sc_room_n_out(w, kind) == 0)
            return true;
    return false;
}

static void
steal(sc_core *core, offer *o, sc_slot_kind kind)
{
    worker *w = o->workers;
    for (int tries = 0; w && tries < MAX_TRIES; tries++, w = o->workers) {
        DL_DELETE2(o->workers, w, offer_prev, offer_next);
        DL_APPEND2(o->workers, w, offer_prev, offer_next);
        if (recall_half(core, w, kind))
            return;
    }
}

// Where nothing that a worker could do waits here and it is idle, let it have some of what waits in
// others.
void
sc_recall_for_idle(sc_core *core)
{
    uint64_t waiting[HANDLER_WORDS] = {0};
    for (int class = 0; class < N_CLASSES; class ++)
        for (int i = 0; i < HANDLER_WORDS; i++)
            waiting[i] |= core->lanes_used[class][i];
    for (uint32_t i = 0; i < core->n_offers; i++) {
        offer *o = core->offers[i];
        uint64_t common = 0;
        for (int k = 0; k < HANDLER_WORDS; k++)
            common |= waiting[k] & o->handlers[k];
        for (int kind = 0; kind < SC_N_SLOT_KINDS && !common; kind++)
            if (somebody_is_idle(o, (sc_slot_kind)kind))
                steal(core, o, (sc_slot_kind)kind);
    }
}

// Takes what a worker names, and still has, out of a run. @return how many tasks
static uint32_t
take_back(run *r, const sc_list *list, bits *back)
{
    const sc_range *ranges = list->items;
    uint64_t base = sc_runs_base(r);
    uint32_t n = 0;
    for (uint32_t i = 0; i < list->n; i++)
        for (uint64_t k = 0; k < ranges[i].count && k < r->count; k++) {
            uint64_t offset = ranges[i].first + k - base;
            if (offset >= r->count || !bit_get(&r->left, (uint32_t)offset))
                continue;
            bit_clear(&r->left, (uint32_t)offset);
            bit_set(back, (uint32_t)offset);
            n++;
        }
    return n;
}

// A worker gives back what has not started. Where it had nothing to give it is not asked again
// before it has ended something.
void
sc_recall_answered(sc_core *core, worker *w, const sc_recalled *m)
{
    run *r = sc_runs_find(core, &m->token);
    bits back = {0};
    uint32_t n = r && r->worker == w ? take_back(r, &m->ranges, &back) : 0;
    if (n == 0)
        return;
    w->is_recalling = false;
    sc_runs_give_up(core, r, &back, n);
}
