/* SPDX-License-Identifier: Apache-2.0 */
/* Every invariant of the core, checked from scratch: after each event of a small simulated world,
 * and in tests. */
#include "coordinator/core_int.h"

#include <string.h>

static uint32_t
count_bits(const bits *b)
{
    uint32_t n = 0;
    for (int i = 0; i < BIT_WORDS; i++)
        n += (uint32_t)__builtin_popcountll(b->words[i]);
    return n;
}

static void
check_worker(const sc_core *core, const worker *w)
{
    uint32_t n_out = 0, n_by_class = 0, n_runs = 0, n_with_bytes = 0;
    uint64_t bytes = 0, work_ns = 0, work_by_class = 0;
    for (const run *r = w->runs; r; r = r->next) {
        SC_ASSERT(r->worker == w && r->n_left > 0 && r->n_left == count_bits(&r->left));
        SC_ASSERT((r->chunk != NULL) != (r->call != NULL));
        SC_ASSERT(!r->call || r->call->run == r);
        // a suspect runs alone, and its worker is kept for it
        SC_ASSERT(!r->is_alone || (w->n_runs == 1 && w->n_out_all == 1));
        SC_ASSERT(!r->is_alone || w->state != WORKER_READY || w->is_reserved);
        for (const report *at = r->reports; at; at = at->run_next)
            SC_ASSERT(at->run == r && bit_get(&r->left, (uint32_t)at->key.offset));
        n_runs++;
        n_with_bytes += r->bytes > 0;
        n_out += r->n_left;
        bytes += r->bytes;
        work_ns += r->cost_ns * r->n_left;
    }
    for (int kind = 0; kind < SC_N_SLOT_KINDS; kind++)
        for (int c = 0; c < N_CLASSES; c++) {
            n_by_class += w->n_out[kind][c];
            work_by_class += w->work_ns[kind][c];
        }
    SC_ASSERT(n_out == w->n_out_all && n_out == n_by_class && bytes == w->bytes_out &&
              work_ns == work_by_class);
    SC_ASSERT(n_out <= w->credit_tasks && n_runs == w->n_runs && n_runs <= MAX_RUNS_A_WORKER);
    SC_ASSERT(w->bytes_out <= w->credit_bytes || n_with_bytes == 1); // one task may be larger
    for (int kind = 0; kind < SC_N_SLOT_KINDS; kind++) {
        const worker *in = w->offer->roomy[kind];
        while (in && in != w)
            in = in->roomy_next[kind];
        SC_ASSERT((in == w) == w->is_roomy[kind]);
        SC_ASSERT(!w->is_roomy[kind] || (w->state == WORKER_READY && !w->is_reserved));
    }
    (void)core;
}

// What the tasks of a committed, open job are doing, counted one by one.
typedef struct tally {
    uint64_t ended, queued, delayed, running;
} tally;

static void
tally_runs(const chunk *c, tally *t, bits *seen)
{
    for (const run *r = c->runs; r; r = r->chunk_next) {
        SC_ASSERT(r->chunk == c && r->first + r->count <= c->count);
        for (uint32_t i = 0; i < r->count; i++) {
            if (!bit_get(&r->left, i))
                continue;
            SC_ASSERT(!bit_get(seen, r->first + i)); // one place at a time
            bit_set(seen, r->first + i);
            t->running++;
        }
    }
}

static void
tally_chunk(const job *j, const chunk *c, tally *t)
{
    bits seen = c->ended;
    uint32_t n_ended = count_bits(&c->ended);
    SC_ASSERT(n_ended == c->n_ended && n_ended <= c->count);
    t->ended += n_ended;
    tally_runs(c, t, &seen);
    for (uint32_t i = 0; i < c->count && !j->is_waiting; i++)
        SC_ASSERT(!sc_tasks_is_unwanted(c, i) || bit_get(&seen, i)); // it runs, or has ended
    const range *last = NULL; // those of the chunk lie together
    for (const range *r = j->again; r; r = r->next) {
        if (r->chunk != c)
            continue;
        SC_ASSERT(!last || last->next == r);
        last = r;
        for (uint32_t i = 0; i < r->count; i++) {
            SC_ASSERT(!bit_get(&seen, r->first + i));
            bit_set(&seen, r->first + i);
            t->queued++;
        }
    }
    SC_ASSERT(last == c->last_again);
    uint32_t n_exceptions = 0;
    for (const exception *e = sc_exceptions_next(c, 0); e;
         e = sc_exceptions_next(c, e->offset + 1)) {
        n_exceptions++;
        SC_ASSERT(e->chunk == c && e->offset < c->count && e->blame < SC_POISON_COUNT);
        if (!e->is_delayed && !e->is_suspect)
            continue;
        SC_ASSERT(!bit_get(&seen, e->offset));
        bit_set(&seen, e->offset);
        t->delayed += e->is_delayed;
        t->queued += e->is_suspect;
    }
    SC_ASSERT(n_exceptions == c->n_exceptions);
    // each task below `next` is somewhere
    for (uint32_t i = 0; i < c->count; i++)
        SC_ASSERT(bit_get(&seen, i) == (c->first + i < j->next));
}

static void
check_open_job(const job *j)
{
    tally t = {.queued = j->stop - j->next};
    uint32_t n_fetching = 0;
    for (const chunk *c = j->chunks; c; c = c->hh.next) {
        SC_ASSERT(c->job == j && c->first + c->count > j->prefix);
        tally_chunk(j, c, &t);
        n_fetching += c->is_fetching;
    }
    t.ended +=
        j->chunks || j->prefix ? j->done + j->dead + j->cancelled - t.ended : 0; // chunks let go
    SC_ASSERT(t.queued == j->queued && t.delayed == j->delayed && t.running == j->running);
    SC_ASSERT(t.ended == j->done + j->dead + j->cancelled);
    bool should = sc_job_may_begin(j) && ((j->again && !j->again->chunk->is_fetching) ||
                                          (j->next < j->stop && !j->is_next_fetching));
    SC_ASSERT(j->is_in_lane == should);
    SC_ASSERT(!j->is_next_fetching || n_fetching > 0);
}

static void
check_reports(const job *j)
{
    uint64_t n = 0;
    for (const report *at = j->reports; at; at = at->job_next, n++)
        SC_ASSERT(at->run->chunk->job == j);
    SC_ASSERT(n == j->n_reports);
}

static void
check_job(const job *j)
{
    check_reports(j);
    if (j->state == SC_JOB_STAGED) {
        SC_ASSERT(!j->is_in_lane && !j->chunks);
        return;
    }
    SC_ASSERT(j->queued + j->delayed + j->running + j->done + j->dead + j->cancelled == j->n_tasks);
    SC_ASSERT(j->prefix <= j->next && j->next <= j->stop && j->stop <= j->n_tasks &&
              (j->number || j->queued_bytes <= j->stored_bytes));
    SC_ASSERT(!j->number || j->stored_bytes == 0);
    if (sc_job_has_ended(j->state))
        SC_ASSERT(j->queued + j->delayed + j->running == 0 && !j->chunks && !j->again &&
                  !j->is_in_lane);
    else
        check_open_job(j);
}

void
sc_core_check(const sc_core *core)
{
    uint64_t n_jobs = 0, queue_bytes = 0, stored_bytes = 0, ended_bytes = 0, n_runs = 0,
             n_staged = 0, n_reports = 0;
    uint32_t n_peers = 0, n_clients = 0, n_ready = 0, n_calls = 0, n_over = 0;
    uint32_t n_lost = 0;
    uint64_t call_bytes = 0;
    for (const job *j = core->jobs; j; j = j->hh.next) {
        n_jobs++;
        queue_bytes += j->queued_bytes;
        stored_bytes += j->stored_bytes;
        n_staged += j->state == SC_JOB_STAGED;
        n_reports += j->n_reports;
        if (j->may_go)
            ended_bytes += j->stored_bytes;
        SC_ASSERT(j->may_go == (sc_job_has_ended(j->state) && !j->children));
        SC_ASSERT(j->n_unmet == 0 || !sc_job_has_ended(j->state));
        check_job(j);
    }
    for (const peer *p = core->by_instance; p; p = p->by_instance.next) {
        n_peers++;
        n_clients += p->role == SC_ROLE_CLIENT;
        SC_ASSERT((p->role == SC_ROLE_WORKER) == (p->worker != NULL));
        for (const call *c = p->calls; c; c = c->peer_next)
            SC_ASSERT(c->client == p && !c->is_over);
        if (!p->worker)
            continue;
        n_ready += p->worker->state == WORKER_READY;
        check_worker(core, p->worker);
        for (const run *r = p->worker->runs; r; r = r->next)
            n_runs++;
    }
    SC_ASSERT(n_jobs == core->n_jobs && queue_bytes == core->queue_bytes &&
              stored_bytes == core->stored_bytes && ended_bytes == core->ended_bytes &&
              n_staged == core->n_staged);
    for (const call *c = core->calls; c; c = c->hh.next) {
        n_calls += !c->is_over;
        n_over += c->is_over;
        call_bytes += c->table.len + c->bytes.len;
        n_lost += c->lost_run != 0;
        SC_ASSERT(c->client || c->handler->is_once);
        SC_ASSERT(!c->is_over || (!c->client && !c->run));
    }
    SC_ASSERT(n_lost == HASH_CNT(by_lost, core->calls_lost));
    SC_ASSERT(call_bytes == core->call_bytes && n_over == core->n_over);
    SC_ASSERT(queue_bytes + call_bytes <= core->options.queue_max_bytes);
    SC_ASSERT(n_peers == core->n_peers && n_clients == core->n_clients && n_ready == core->n_ready);
    SC_ASSERT(n_runs == HASH_COUNT(core->runs) && n_calls == core->n_calls);
    SC_ASSERT(n_reports == HASH_COUNT(core->reports));
    SC_ASSERT(sc_heap_check(&core->timers));
}
