/* SPDX-License-Identifier: Apache-2.0 */
/* Handing out: lanes of waiting work, and once a turn what goes to which worker. No cost here grows
 * with the number of workers, jobs or tasks: jobs with work are in heaps, workers with room in
 * lists (room.c). Part of the core. */
#include "coordinator/core_int.h"

#include <string.h>

enum { // payload that cannot be read is asked for again, for about a minute
    UNREAD_MS = 100,
    UNREAD_MAX_MS = 5000,
    MAX_UNREAD = 20,
};

/* ---- lanes ---- */

// Not what waits for its payload. That of tasks that come back may have to be read, chunk by chunk,
// and what was never handed out does not wait for it.
static bool
has_work(const job *j)
{
    bool has_again = j->again && !j->again->chunk->is_fetching;
    bool has_next = j->next < j->stop && !j->is_next_fetching;
    return (j->state == SC_JOB_OPEN || j->state == SC_JOB_RUNNING) && sc_job_may_begin(j) &&
           (has_again || has_next);
}

// After what it has to hand out has changed: keep a job in its lane, or out of it.
void
sc_schedule_lane(sc_core *core, job *j)
{
    bool now = has_work(j);
    if (now == j->is_in_lane)
        return;
    sc_heap *lane = &j->handler->lanes[j->priority];
    // keyed by the order of submission: what comes back goes before what came later
    if (now)
        SC_ASSERT(sc_heap_set(lane, &j->lane_node, (int64_t)j->seq) == 0);
    else
        sc_heap_remove(lane, &j->lane_node);
    j->is_in_lane = now;
    sc_set_put(core->lanes_used[j->priority], j->handler->id, sc_heap_top(lane) != NULL);
}

// Calls of this handler wait, or no longer do.
void
sc_schedule_calls(sc_core *core, handler *h)
{
    sc_set_put(core->lanes_used[SC_CLASS_CALL], h->id, h->calls != NULL);
}

/* ---- handing out ---- */

static void
send_run(sc_core *core, const run *r, const sc_uuid *id, uint64_t first, sc_slice table,
         sc_slice bytes)
{
    sc_message m = {.type = SC_MSG_RUN, .table = table, .bytes = bytes};
    const job *j = r->chunk ? r->chunk->job : NULL;
    m.run = (sc_run){.job = *id,
                     .handler = sc_text_of(r->handler->name),
                     .token = r->token,
                     .first = first,
                     .count = r->count,
                     .class = r->class,
                     .attempt = r->attempt,
                     .is_array = j && j->is_array,
                     .timeout_ms = j ? j->timeout_ms : 0,
                     .kill_after_ms = j ? j->kill_after_ms : 0,
                     .life = j ? sc_job_life(j) : 0};
    sc_core_send(core, r->worker->peer, &m);
}

static void
fetch(sc_core *core, const chunk *c)
{
    core->emit(core->arg, &(sc_action){.type = SC_ACTION_GET_CHUNK,
                                       .number = c->job->number,
                                       .chunk = {c->job->id, c->number}});
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
        fetch(core, c);
    }
    sc_schedule_lane(core, j);
    return false;
}

// It could not be read: a disk that fails or a want of memory may pass. While the journal cannot be
// written either, that is why, and does not count.
// @return false where it is not asked for again
static bool
ask_later(sc_core *core, chunk *c, int status)
{
    int64_t wait_ms = UNREAD_MS;
    if (!sc_error_may_pass(status) || c->n_unread >= MAX_UNREAD)
        return false;
    for (uint32_t i = 0; i < c->n_unread && wait_ms < UNREAD_MAX_MS; i++)
        wait_ms *= 2;
    c->n_unread += !(core->is_in_trouble && c->job->number);
    sc_core_timer_set(core, &c->unread_timer, TIMER_UNREAD, core->now_ms + wait_ms);
    return true;
}

void
sc_schedule_unread(sc_core *core, chunk *c)
{
    fetch(core, c);
}

// @return false without memory
static bool
keep_payload(chunk *c, sc_slice table, sc_slice bytes)
{
    c->table = sc_slice_keep(table);
    c->bytes = sc_slice_keep(bytes);
    if (c->table.data && (c->bytes.data || bytes.len == 0))
        return true;
    sc_tasks_drop_payload(c);
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
    // Nobody needs it any more: its tasks have ended meanwhile, and it may be gone from the store.
    bool is_needed = c->n_ended < c->count;
    if (status == 0 && is_needed && !keep_payload(c, table, bytes))
        status = SC_ENOMEM;
    if (status < 0 && is_needed && ask_later(core, c, status))
        return;
    c->is_fetching = false;
    c->n_unread = 0;
    sc_core_timer_stop(core, &c->unread_timer);
    j->is_next_fetching = false; // if it is another's, that is found out
    if (status < 0 && is_needed)
        sc_tasks_end_all(core, j, status);
    else
        sc_schedule_lane(core, j);
}

// What is about to be handed out: a stretch of one chunk.
typedef struct piece {
    chunk *chunk;
    range *again; // it comes from here, or (NULL) from the straight path
    uint32_t first, count, attempt;
} piece;

static piece
next_piece(sc_core *core, job *j)
{
    range *a = j->again;
    if (a && !a->chunk->is_fetching)
        return (piece){a->chunk, a, a->first, a->count, a->attempt};
    chunk *c = sc_tasks_touch(core, j, sc_tasks_chunk_of(j, j->next));
    uint32_t first = c ? (uint32_t)(j->next - c->first) : 0;
    return (piece){c, NULL, first, c ? c->count - first : 0, 1};
}

// What a worker must have room for to get the first task of a piece; a guess while the payload is
// not here.
static uint64_t
first_bytes(const piece *p)
{
    const chunk *c = p->chunk;
    const job *j = c->job;
    if (j->is_array)
        return j->pieces_table.len + j->pieces_bytes.len;
    if (c->table.data)
        return sizeof(uint32_t) + sc_tasks_len(c->table, p->first);
    return j->chunk_infos[c->number].bytes / c->count;
}

// Cuts a piece to `room` tasks and to the bytes that a worker may still hold; one task stays.
static void
cut(piece *p, const worker *w, uint32_t room)
{
    const chunk *c = p->chunk;
    uint64_t left = w->bytes_out < w->credit_bytes ? w->credit_bytes - w->bytes_out : 0;
    uint64_t bytes = 0;
    uint32_t n = 1;
    if (p->count > room)
        p->count = room;
    if (c->job->is_array || c->table.len + c->bytes.len <= left)
        return;
    bytes = sizeof(uint32_t) + sc_tasks_len(c->table, p->first);
    while (n < p->count &&
           (bytes += sizeof(uint32_t) + sc_tasks_len(c->table, p->first + n)) <= left)
        n++;
    p->count = n;
}

static bool
send_piece(sc_core *core, worker *w, const piece *p, bool is_alone)
{
    chunk *c = p->chunk;
    job *j = c->job;
    sc_slice table = j->pieces_table, bytes = j->pieces_bytes;
    if (!j->is_array) {
        table = c->table;
        bytes = c->bytes;
        sc_tasks_slice(&table, &bytes, p->first, p->count);
    }
    run from = {.worker = w,
                .chunk = c,
                .handler = j->handler,
                .first = p->first,
                .count = p->count,
                .class = j->priority,
                .attempt = p->attempt,
                .cost_ns = j->handler->cost_ns,
                .bytes = table.len + bytes.len,
                .is_alone = is_alone};
    run *r = sc_runs_open(core, &from);
    if (!r)
        return false;
    j->queued -= p->count;
    j->running += p->count;
    sc_core_count_rate(core, p->count, 0);
    send_run(core, r, &j->id, sc_runs_base(r), table, bytes);
    return true;
}

// The piece has been handed out.
static void
advance(sc_core *core, job *j, const piece *p)
{
    if (!p->again) {
        j->next += p->count;
    } else {
        p->again->first += p->count;
        p->again->count -= p->count;
        if (p->again->count == 0)
            sc_tasks_drop_range(core, p->again);
    }
    if (j->state == SC_JOB_OPEN)
        sc_jobs_move(core, j, SC_JOB_RUNNING);
    sc_schedule_lane(core, j);
}

// The payload goes when all of its chunk is handed out; what comes back is fetched again.
static void
let_go(chunk *c)
{
    const job *j = c->job;
    if (j->next >= c->first + c->count && !(j->again && j->again->chunk == c))
        sc_tasks_drop_payload(c);
}

// Hands out some of the first job of a lane. @return false where nobody can take it now
static bool
hand_out(sc_core *core, handler *h, uint32_t class)
{
    job *j = SC_CONTAINER(sc_heap_top(&h->lanes[class]), job, lane_node);
    piece p = next_piece(core, j);
    if (!p.chunk)
        return false;
    demand d = {h, class, first_bytes(&p)};
    uint32_t room = 0;
    worker *w = sc_room_find(core, &d, &room);
    if (!w)
        return false;
    if (!have_payload(core, p.chunk)) {
        j->is_next_fetching |= !p.again;
        sc_schedule_lane(core, j);
        return true;
    }
    cut(&p, w, room);
    if (!sc_saved_may_hand_out(core, j, p.chunk->first + p.first + p.count))
        return true; // nor until that is written
    if (!send_piece(core, w, &p, false))
        return false;
    advance(core, j, &p);
    let_go(p.chunk);
    return true;
}

// A suspect goes to a worker that has nothing else, once its payload is here.
void
sc_schedule_alone(sc_core *core, worker *w, exception *e)
{
    chunk *c = e->chunk;
    piece p = {c, NULL, e->offset, 1, e->attempt};
    if (!have_payload(core, c) || !send_piece(core, w, &p, true))
        return;
    sc_exceptions_unsuspect(core, e);
    let_go(c);
}

// As hand_out, for the first waiting call of a handler.
static bool
give_call(sc_core *core, handler *h)
{
    static const sc_uuid nil;
    call *c = h->calls;
    demand d = {h, SC_CLASS_CALL, c->table.len + c->bytes.len};
    uint32_t room = 0;
    run from = {.worker = sc_room_find(core, &d, &room),
                .call = c,
                .handler = h,
                .count = 1,
                .class = SC_CLASS_CALL,
                .attempt = 1,
                .cost_ns = h->cost_ns,
                .bytes = d.bytes};
    run *r = from.worker ? sc_runs_open(core, &from) : NULL;
    if (!r)
        return false;
    c->run = r;
    DL_DELETE(h->calls, c);
    sc_schedule_calls(core, h);
    send_run(core, r, &nil, 0, c->table, c->bytes);
    sc_calls_passed(core);
    return true;
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
        if (class == SC_CLASS_CALL ? !give_call(core, h) : !hand_out(core, h, class))
            sc_set_put(blocked, h->id, true);
    }
}

/* ---- once a turn ---- */

void
sc_schedule(sc_core *core)
{
    if (core->suspects || core->reserved)
        sc_poison_schedule(core);
    for (uint32_t class = N_CLASSES; class -- > 0;)
        schedule_class(core, class);
    if (core->runs)
        sc_recall_for_idle(core);
}
