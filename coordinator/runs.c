/* SPDX-License-Identifier: Apache-2.0 */
/* The table of open runs: what each worker was given and has not ended. A result counts only when
 * its token and index are here. Part of the core. */
#include "coordinator/core_int.h"

#include <string.h>

run *
sc_runs_find(sc_core *core, const sc_token *token)
{
    run *r = NULL;
    HASH_FIND(hh, core->runs, &token->run, sizeof token->run, r);
    return r && r->epoch == token->epoch ? r : NULL;
}

// The index of its first task in the job.
uint64_t
sc_runs_base(const run *r)
{
    return r->chunk ? r->chunk->job->first_index + r->chunk->first + r->first : 0;
}

// Registers a run whose fields but number and epoch are set in `from`; all its offsets are open.
run *
sc_runs_open(sc_core *core, const run *from)
{
    run *r = sc_slab_new(&core->run_slab);
    if (!r)
        return NULL;
    *r = *from;
    r->number = core->next_run;
    r->epoch = core->options.epoch;
    HASH_ADD(hh, core->runs, number, sizeof r->number, r);
    if (!r->hh.tbl) {
        sc_slab_free(&core->run_slab, r);
        return NULL;
    }
    core->next_run++;
    memset(&r->left, 0, sizeof r->left);
    for (uint32_t i = 0; i < r->count; i += 64)
        r->left.words[i / 64] =
            r->count - i >= 64 ? UINT64_MAX : ((uint64_t)1 << (r->count - i)) - 1;
    r->n_left = r->count;
    worker *w = r->worker;
    DL_APPEND(w->runs, r);
    if (r->chunk)
        r->chunk->n_open_runs++;
    else
        core->n_calls_running++;
    sc_slot_kind kind = r->handler->kind;
    w->n_out[kind][r->class] += r->count;
    w->work_ns[kind][r->class] += r->cost_ns * r->count;
    w->n_out_all += r->count;
    w->n_runs++;
    w->bytes_out += r->bytes;
    sc_room_update(core, w);
    return r;
}

static void
account(sc_core *core, run *r, uint32_t n)
{
    worker *w = r->worker;
    sc_slot_kind kind = r->handler->kind;
    SC_ASSERT(n <= r->n_left && n <= w->n_out_all && n <= w->n_out[kind][r->class]);
    r->n_left -= n;
    w->n_out[kind][r->class] -= n;
    w->work_ns[kind][r->class] -= r->cost_ns * n;
    w->n_out_all -= n;
    sc_room_update(core, w);
}

// Tells its worker to throw `count` tasks from `offset` on away, whatever has become of them.
void
sc_runs_forget(sc_core *core, const run *r, uint32_t offset, uint32_t count)
{
    sc_message m = {.type = SC_MSG_RECALL};
    m.recall = (sc_recall){.token = {r->epoch, r->number},
                           .first = sc_runs_base(r) + offset,
                           .count = count,
                           .mode = SC_RECALL_FORGET};
    if (r->chunk)
        m.recall.job = r->chunk->job->id;
    sc_core_send(core, r->worker->peer, &m);
}

// `n` of its tasks are no longer there (their bits are cleared by the caller); the last one closes
// it.
void
sc_runs_ended(sc_core *core, run *r, uint32_t n)
{
    account(core, r, n);
    if (r->n_left == 0)
        sc_runs_close(core, r);
}

// Whatever is left of it is no longer there.
void
sc_runs_close(sc_core *core, run *r)
{
    worker *w = r->worker;
    w->bytes_out -= r->bytes;
    w->n_runs--;
    account(core, r, r->n_left);
    DL_DELETE(w->runs, r);
    HASH_DEL(core->runs, r);
    if (r->chunk)
        r->chunk->n_open_runs--;
    else
        core->n_calls_running--;
    if (r->call)
        r->call->run = NULL;
    sc_slab_free(&core->run_slab, r);
}

// `n` of its tasks (`which`; their bits in `left` are cleared by the caller) have not started and
// are queued again.
void
sc_runs_give_up(sc_core *core, run *r, const bits *which, uint32_t n)
{
    call *c = r->call;
    if (!c)
        sc_tasks_requeue_run(core, r, which, false);
    sc_runs_ended(core, r, n);
    if (c)
        sc_calls_lost(core, c, false);
}
