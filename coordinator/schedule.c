/* SPDX-License-Identifier: Apache-2.0 */
/* Which worker has room, and which may take this task: lanes of waiting work, room in workers,
 * handing out, taking back. Once a turn. No cost here grows with the number of workers, jobs or
 * tasks: workers with room are in lists, jobs with work in heaps, and what is looked at in vain is
 * bounded by MAX_TRIES. Part of the core. */
#include "coordinator/core_int.h"

#include <stdlib.h>
#include <string.h>

enum {
    NS_A_MS = 1000000,
    STEAL_MIN_NS = 1000000
}; // less waiting work than this is not worth a message

/* ---- sets of handlers ---- */

static bool
set_has(const uint64_t *set, uint32_t id)
{
    return set[id / 64] >> (id % 64) & 1;
}

static void
set_put(uint64_t *set, uint32_t id, bool is_in)
{
    uint64_t bit = (uint64_t)1 << (id % 64);
    set[id / 64] = is_in ? set[id / 64] | bit : set[id / 64] & ~bit;
}

static handler *
get_handler(sc_core *core, const sc_hello_handler *from)
{
    handler *h = NULL;
    HASH_FIND(hh, core->handlers_by_name, from->name.data, from->name.len, h);
    if (h || core->n_handlers == SC_MAX_HANDLERS || !(h = calloc(1, sizeof *h)))
        return h;
    sc_text_copy(from->name, h->name, sizeof h->name);
    sc_text_copy(from->description, h->description, sizeof h->description);
    h->kind = (sc_slot_kind)from->kind;
    h->is_once = from->is_once;
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

// Registers what a worker offers. @return 0, SC_ELIMIT, SC_ENOMEM
int
sc_schedule_offer(sc_core *core, worker *w, const sc_list *list)
{
    uint64_t set[HANDLER_WORDS] = {0};
    const sc_hello_handler *items = list->items;
    for (uint32_t i = 0; i < list->n; i++) {
        handler *h = items[i].name.len ? get_handler(core, &items[i]) : NULL;
        if (!h)
            return SC_ELIMIT;
        set_put(set, h->id, true);
    }
    for (uint32_t i = 0; i < core->n_offers && !w->offer; i++)
        if (memcmp(core->offers[i]->handlers, set, sizeof set) == 0)
            w->offer = core->offers[i];
    for (uint32_t i = 0; i < core->n_offers && !w->offer; i++)
        if (core->offers[i]->n_users == 0)
            w->offer = core->offers[i]; // nobody's any more
    if (!w->offer) {
        if (core->n_offers == SC_MAX_PEERS)
            return SC_ELIMIT;
        if (!(w->offer = calloc(1, sizeof *w->offer)))
            return SC_ENOMEM;
        core->offers[core->n_offers++] = w->offer;
    }
    memcpy(w->offer->handlers, set, sizeof set);
    w->offer->n_users++;
    return 0;
}

/* ---- room ---- */

static void
sum_out(const worker *w, sc_slot_kind kind, uint32_t from_class, uint64_t *n, uint64_t *work_ns)
{
    *n = *work_ns = 0;
    for (uint32_t c = from_class; c < N_CLASSES; c++) {
        *n += w->n_out[kind][c];
        *work_ns += w->work_ns[kind][c];
    }
}

static uint64_t
waiting_ns(const sc_core *core)
{
    return (uint64_t)core->options.waiting_ms * NS_A_MS;
}

static bool
has_credit(const worker *w)
{
    return w->state == WORKER_READY && !w->is_reserved && w->n_out_all < w->credit_tasks &&
           (w->bytes_out < w->credit_bytes || w->n_out_all == 0);
}

static bool
is_roomy(const sc_core *core, const worker *w, sc_slot_kind kind)
{
    uint64_t n, work_ns;
    sum_out(w, kind, 0, &n, &work_ns);
    return has_credit(w) && w->slots[kind] > 0 &&
           (n < w->slots[kind] || work_ns < waiting_ns(core) * w->slots[kind]);
}

// After what it has, or its state, has changed: keep it in the right lists.
void
sc_schedule_room(sc_core *core, worker *w)
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

// How many tasks of a handler and class this worker should be given now. What waits in lower
// classes does not count: the worker takes higher ones first.
static uint32_t
room_for(const sc_core *core, const worker *w, const handler *h, uint32_t class)
{
    uint64_t n, work_ns, room, slots = w->slots[h->kind];
    if (!has_credit(w) || slots == 0)
        return 0;
    sum_out(w, h->kind, class, &n, &work_ns);
    room = n < slots ? slots - n : 0;
    if (h->cost_ns) {
        uint64_t budget_ns = waiting_ns(core) * slots + slots * h->cost_ns;
        uint64_t timely = work_ns < budget_ns ? (budget_ns - work_ns) / h->cost_ns : 0;
        room = timely > room ? timely : room;
    }
    uint64_t credit = w->credit_tasks - w->n_out_all;
    return (uint32_t)(room < credit ? room : credit);
}

static void
count_offered(sc_core *core, const worker *w, int by)
{
    for (uint32_t i = 0; i < core->n_handlers; i++)
        if (set_has(w->offer->handlers, i))
            core->handlers[i]->n_workers += (uint32_t)by;
}

void
sc_schedule_join(sc_core *core, worker *w)
{
    DL_APPEND2(w->offer->workers, w, offer_prev, offer_next);
    core->n_ready++;
    count_offered(core, w, 1);
    sc_schedule_room(core, w);
}

static void
unreserve(sc_core *core, worker *w)
{
    if (!w->is_reserved)
        return;
    w->is_reserved = false;
    core->n_reserved--;
    DL_DELETE2(core->reserved, w, reserved_prev, reserved_next);
    sc_schedule_room(core, w);
}

// It gets nothing more. What it has stays its own.
void
sc_schedule_leave(sc_core *core, worker *w)
{
    if (w->state != WORKER_READY)
        return;
    w->state = WORKER_DRAINING;
    unreserve(core, w);
    sc_schedule_room(core, w);
    DL_DELETE2(w->offer->workers, w, offer_prev, offer_next);
    core->n_ready--;
    count_offered(core, w, -1);
}

/* ---- lanes ---- */

static bool
has_work(const job *j)
{
    return (j->state == SC_JOB_OPEN || j->state == SC_JOB_RUNNING) && j->n_fetching == 0 &&
           (j->again || j->next < j->n_tasks);
}

void
sc_schedule_lane(sc_core *core, job *j)
{
    if (j->is_in_lane || !has_work(j))
        return;
    handler *h = j->handler;
    // keyed by the order of submission: what comes back goes before what came later
    SC_ASSERT(sc_heap_set(&h->lanes[j->priority], &j->lane_node, (int64_t)j->seq) == 0);
    j->is_in_lane = true;
    set_put(core->lanes_used[j->priority], h->id, true);
}

void
sc_schedule_unlane(sc_core *core, job *j)
{
    if (!j->is_in_lane)
        return;
    handler *h = j->handler;
    sc_heap_remove(&h->lanes[j->priority], &j->lane_node);
    j->is_in_lane = false;
    if (!sc_heap_top(&h->lanes[j->priority]))
        set_put(core->lanes_used[j->priority], h->id, false);
}

// Calls of this handler wait, or no longer do.
void
sc_schedule_calls(sc_core *core, handler *h)
{
    set_put(core->lanes_used[SC_CLASS_CALL], h->id, h->calls != NULL);
}

/* ---- handing out ---- */

static void
send_run(sc_core *core, const run *r, const sc_uuid *id, uint64_t first, sc_slice table,
         sc_slice bytes)
{
    sc_message m = {.type = SC_MSG_RUN, .table = table, .bytes = bytes};
    m.run = (sc_run){.job = *id,
                     .handler = sc_text_of(r->handler->name),
                     .token = {r->epoch, r->number},
                     .first = first,
                     .count = r->count,
                     .class = r->class,
                     .attempt = r->attempt,
                     .is_array = r->chunk && r->chunk->job->is_array};
    sc_core_send(core, r->worker->peer, &m);
}

// The chunk's payload is needed: true where it is here, else it has been asked for.
static bool
have_payload(sc_core *core, chunk *c)
{
    job *j = c->job;
    if (j->is_array || c->table.data)
        return true;
    if (!c->is_fetching) {
        c->is_fetching = true;
        j->n_fetching++;
        core->emit(core->arg,
                   &(sc_action){.type = SC_ACTION_GET_CHUNK, .chunk = {j->id, c->number}});
    }
    sc_schedule_unlane(core, j);
    return false;
}

void
sc_core_chunk(sc_core *core, const sc_uuid *id, uint32_t number, int status, sc_slice table,
              sc_slice bytes, int64_t now_ms)
{
    core->now_ms = now_ms;
    job *j = sc_jobs_find(core, id);
    chunk *c = j ? sc_tasks_find_chunk(j, number) : NULL;
    if (!c || !c->is_fetching)
        return;
    c->is_fetching = false;
    j->n_fetching--;
    if (status == 0) {
        c->table = sc_slice_keep(table);
        c->bytes = sc_slice_keep(bytes);
    }
    if (!c->table.data) {
        sc_tasks_end_all(core, j, status < 0 ? status : SC_ENOMEM);
        return;
    }
    sc_schedule_lane(core, j);
}

// What hand_out is about to take: a stretch of one chunk.
typedef struct piece {
    chunk *chunk;
    range *again; // it comes from here, or (NULL) from the straight path
    uint32_t first, count, attempt;
} piece;

static piece
next_piece(sc_core *core, job *j)
{
    range *a = j->again;
    if (a)
        return (piece){a->chunk, a, a->first, a->count, a->attempt};
    chunk *c = sc_tasks_touch(core, j, sc_tasks_chunk_of(j, j->next));
    uint32_t first = c ? (uint32_t)(j->next - c->first) : 0;
    return (piece){c, NULL, first, c ? c->count - first : 0, 1};
}

static uint64_t
task_bytes(const chunk *c)
{
    const job *j = c->job;
    return sizeof(uint32_t) + (j->is_array ? 0 : c->bytes.len / c->count);
}

static void
advance(sc_core *core, job *j, const piece *p)
{
    if (p->again) {
        p->again->first += p->count;
        p->again->count -= p->count;
        if (p->again->count == 0) {
            DL_DELETE(j->again, p->again);
            sc_slab_free(&core->range_slab, p->again);
        }
    } else {
        j->next += p->count;
    }
    if (j->state == SC_JOB_OPEN)
        sc_jobs_move(core, j, SC_JOB_RUNNING);
    j->queued -= p->count;
    j->running += p->count;
    sc_core_count_rate(core, p->count, 0);
    if (!has_work(j))
        sc_schedule_unlane(core, j);
}

static bool
send_piece(sc_core *core, worker *w, const piece *p, bool is_alone)
{
    chunk *c = p->chunk;
    job *j = c->job;
    run from = {
        .worker = w, .chunk = c, .handler = j->handler, .first = p->first, .count = p->count};
    from.class = j->priority;
    from.attempt = p->attempt;
    from.cost_ns = j->handler->cost_ns;
    from.bytes = task_bytes(c);
    from.is_alone = is_alone;
    run *r = sc_runs_open(core, &from);
    if (!r)
        return false;
    sc_slice table = j->pieces_table, bytes = j->pieces_bytes;
    if (!j->is_array) {
        table = c->table;
        bytes = c->bytes;
        sc_tasks_slice(&table, &bytes, p->first, p->count);
    }
    send_run(core, r, &j->id, j->first_index + c->first + p->first, table, bytes);
    return true;
}

// @return true where something was handed out
static bool
hand_out(sc_core *core, worker *w, job *j, uint32_t room)
{
    piece p = next_piece(core, j);
    if (!p.chunk || !have_payload(core, p.chunk))
        return false;
    uint64_t each = task_bytes(p.chunk);
    uint64_t fits = w->bytes_out < w->credit_bytes ? (w->credit_bytes - w->bytes_out) / each : 0;
    if (fits == 0 && w->n_out_all == 0)
        fits = 1;
    uint64_t most = room < fits ? room : fits;
    if (most == 0)
        return false;
    if (p.count > most)
        p.count = (uint32_t)most;
    if (!send_piece(core, w, &p, false))
        return false;
    advance(core, j, &p);
    if (j->next >= p.chunk->first + p.chunk->count)
        sc_tasks_drop_payload(p.chunk);
    return true;
}

static void
give_call(sc_core *core, worker *w, handler *h)
{
    static const sc_uuid nil;
    call *c = h->calls;
    run from = {
        .worker = w, .call = c, .handler = h, .count = 1, .class = SC_CLASS_CALL, .attempt = 1};
    from.cost_ns = h->cost_ns;
    from.bytes = c->bytes.len;
    run *r = sc_runs_open(core, &from);
    if (!r)
        return;
    c->run = r;
    DL_DELETE(h->calls, c);
    sc_schedule_calls(core, h);
    send_run(core, r, &nil, 0, c->table, c->bytes);
    sc_calls_passed(core);
}

// A worker for a task of this kind and class, with how many it may take; the lists rotate, so that
// all get their turn.
static worker *
find_worker(sc_core *core, handler *h, uint32_t class, uint32_t *room)
{
    for (uint32_t i = 0; i < core->n_offers; i++) {
        offer *o = core->offers[i];
        if (!set_has(o->handlers, h->id))
            continue;
        worker *w = o->roomy[h->kind];
        for (int tries = 0; w && tries < MAX_TRIES; tries++, w = o->roomy[h->kind]) {
            DL_DELETE2(o->roomy[h->kind], w, roomy_prev[h->kind], roomy_next[h->kind]);
            DL_APPEND2(o->roomy[h->kind], w, roomy_prev[h->kind], roomy_next[h->kind]);
            if ((*room = room_for(core, w, h, class)) > 0)
                return w;
        }
        // Nobody has room for everything, but a higher class goes before what waits there.
        w = class > 0 ? o->workers : NULL;
        for (int tries = 0; w && tries < MAX_TRIES; tries++, w = o->workers) {
            DL_DELETE2(o->workers, w, offer_prev, offer_next);
            DL_APPEND2(o->workers, w, offer_prev, offer_next);
            if ((*room = room_for(core, w, h, class)) > 0)
                return w;
        }
    }
    return NULL;
}

// The handler whose first waiting job (or call) of this class is the oldest.
static handler *
oldest_of(sc_core *core, const uint64_t *set, uint32_t class)
{
    handler *best = NULL;
    int64_t best_seq = INT64_MAX;
    for (int i = 0; i < HANDLER_WORDS; i++)
        for (uint64_t bits_left = set[i]; bits_left; bits_left &= bits_left - 1) {
            handler *h = core->handlers[i * 64 + __builtin_ctzll(bits_left)];
            int64_t seq = class == SC_CLASS_CALL ? (int64_t)h->calls->number
                                                 : sc_heap_top(&h->lanes[class])->deadline_ms;
            if (seq < best_seq) {
                best_seq = seq;
                best = h;
            }
        }
    return best;
}

static void
schedule_class(sc_core *core, uint32_t class)
{
    uint64_t blocked[HANDLER_WORDS] = {0}, set[HANDLER_WORDS];
    for (;;) {
        uint64_t any = 0;
        for (int i = 0; i < HANDLER_WORDS; i++)
            any |= set[i] = core->lanes_used[class][i] & ~blocked[i];
        if (!any)
            return;
        handler *h = oldest_of(core, set, class);
        uint32_t room = 0;
        worker *w = find_worker(core, h, class, &room);
        if (!w) {
            set_put(blocked, h->id, true);
        } else if (class == SC_CLASS_CALL) {
            call *before = h->calls;
            give_call(core, w, h);
            set_put(blocked, h->id, h->calls == before);
        } else {
            job *j = SC_CONTAINER(sc_heap_top(&h->lanes[class]), job, lane_node);
            if (!hand_out(core, w, j, room) && j->is_in_lane)
                set_put(blocked, h->id, true);
        }
    }
}

/* ---- suspects: tasks that run alone ---- */

static void
hand_out_alone(sc_core *core, worker *w)
{
    for (exception *e = core->suspects; e; e = e->suspect_next) {
        chunk *c = e->chunk;
        job *j = c->job;
        if (!set_has(w->offer->handlers, j->handler->id) || !have_payload(core, c))
            continue;
        piece p = {c, NULL, e->offset, 1, e->attempt};
        if (!send_piece(core, w, &p, true))
            return;
        e->is_suspect = false;
        DL_DELETE2(core->suspects, e, suspect_prev, suspect_next);
        j->queued--;
        j->running++;
        if (j->next >= c->first + c->count)
            sc_tasks_drop_payload(c);
        return;
    }
}

static void
reserve_for_suspects(sc_core *core)
{
    uint32_t most = core->n_ready > 3 ? core->n_ready / 2 : 1;
    exception *e = core->suspects;
    for (; e && core->n_reserved < most; e = e->suspect_next) {
        uint32_t room = 0;
        worker *w = find_worker(core, e->chunk->job->handler, SC_PRIORITIES, &room);
        if (!w)
            return;
        w->is_reserved = true;
        core->n_reserved++;
        DL_APPEND2(core->reserved, w, reserved_prev, reserved_next);
        sc_schedule_room(core, w);
    }
}

static void
schedule_suspects(sc_core *core)
{
    if (core->suspects)
        reserve_for_suspects(core);
    for (worker *w = core->reserved, *next; w; w = next) {
        next = w->reserved_next;
        if (w->n_out_all == 0 && core->suspects)
            hand_out_alone(core, w);
        if (!core->suspects && !(w->runs && w->runs->is_alone))
            unreserve(core, w);
    }
}

/* ---- taking back ---- */

// The later half of what waits in a worker's last run, for an idle one.
static bool
recall_half(sc_core *core, worker *victim)
{
    run *r = victim->runs ? victim->runs->prev : NULL; // DL: the head's prev is the tail
    if (!r || r->call || victim->is_recalling || r->cost_ns == 0)
        return false;
    sc_slot_kind kind = r->handler->kind;
    uint64_t n, work_ns;
    sum_out(victim, kind, 0, &n, &work_ns);
    if (n <= victim->slots[kind] || (n - victim->slots[kind]) * r->cost_ns < STEAL_MIN_NS)
        return false;
    uint32_t keep = r->n_left / 2, first = 0, at = 0, count = 0, seen = 0;
    for (; seen < keep && sc_bits_next(&r->left, at, r->count, &first, &count); at = first + count)
        seen += count;
    uint32_t from = seen > keep ? at - (seen - keep) : at;
    sc_message m = {.type = SC_MSG_RECALL};
    const chunk *c = r->chunk;
    m.recall = (sc_recall){.job = c->job->id,
                           .token = {r->epoch, r->number},
                           .first = c->job->first_index + c->first + r->first + from,
                           .count = r->count - from,
                           .mode = SC_RECALL_WAITING};
    victim->is_recalling = true;
    sc_core_send(core, victim->peer, &m);
    return true;
}

// Somebody is idle and nothing waits here: let it have some of what waits elsewhere.
static void
steal(sc_core *core)
{
    for (uint32_t i = 0; i < core->n_offers; i++) {
        offer *o = core->offers[i];
        bool is_idle = false;
        for (int kind = 0; kind < SC_N_SLOT_KINDS && !is_idle; kind++) {
            worker *w = o->roomy[kind];
            for (int tries = 0; w && tries < MAX_TRIES && !is_idle;
                 tries++, w = w->roomy_next[kind])
                is_idle = w->n_out_all == 0;
        }
        worker *w = is_idle ? o->workers : NULL;
        for (int tries = 0; w && tries < MAX_TRIES; tries++, w = o->workers) {
            DL_DELETE2(o->workers, w, offer_prev, offer_next);
            DL_APPEND2(o->workers, w, offer_prev, offer_next);
            if (recall_half(core, w))
                break;
        }
    }
}

// A worker gives back what has not started, because it was asked to or because it drains.
void
sc_schedule_recalled(sc_core *core, worker *w, const sc_recalled *m)
{
    w->is_recalling = false;
    run *r = sc_runs_find(core, &m->token);
    if (!r || r->worker != w)
        return;
    const sc_range *ranges = m->ranges.items;
    uint64_t base = r->chunk ? r->chunk->job->first_index + r->chunk->first + r->first : 0;
    bits back = {0};
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->ranges.n; i++)
        for (uint64_t k = 0; k < ranges[i].count && k < r->count; k++) {
            uint64_t offset = ranges[i].first + k - base;
            if (offset >= r->count || !bit_get(&r->left, (uint32_t)offset))
                continue;
            bit_clear(&r->left, (uint32_t)offset);
            bit_set(&back, (uint32_t)offset);
            n++;
        }
    if (n == 0)
        return;
    call *c = r->call;
    job *j = c ? NULL : r->chunk->job;
    if (j)
        sc_tasks_requeue_run(core, r, &back, false);
    sc_runs_ended(core, r, n);
    if (c)
        sc_calls_lost(core, c, false);
    else
        sc_tasks_progress(core, j);
}

/* ---- once a turn ---- */

void
sc_schedule(sc_core *core)
{
    if (core->suspects || core->reserved)
        schedule_suspects(core);
    uint64_t any = 0;
    for (uint32_t class = N_CLASSES; class -- > 0;) {
        schedule_class(core, class);
        for (int i = 0; i < HANDLER_WORDS; i++)
            any |= core->lanes_used[class][i];
    }
    if (!any && core->runs)
        steal(core);
}
