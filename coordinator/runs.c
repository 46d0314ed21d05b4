/* SPDX-License-Identifier: Apache-2.0 */
/* The table of open runs: what each worker was given and has not ended. A result counts only when
 * its token and index are here. Part of the core. */
#include "coordinator/core_int.h"

#include <string.h>

run *
sc_runs_find(sc_core *core, const sc_token *token)
{
    run *r = NULL;
    HASH_FIND(hh, core->runs, token, sizeof *token, r);
    return r;
}

// The index of its first task in the job.
uint64_t
sc_runs_base(const run *r)
{
    return r->chunk ? r->chunk->job->first_index + r->chunk->first + r->first : 0;
}

// A run of `from` with a token and no tasks yet, in the table; NULL without memory.
static run *
new_run(sc_core *core, const run *from, sc_token token)
{
    run *r = sc_slab_new(&core->run_slab);
    if (!r)
        return NULL;
    *r = *from;
    r->token = token;
    HASH_ADD(hh, core->runs, token, sizeof r->token, r);
    if (!r->hh.tbl) {
        sc_slab_free(&core->run_slab, r);
        return NULL;
    }
    DL_APPEND(r->worker->runs, r);
    if (r->chunk)
        DL_APPEND2(r->chunk->runs, r, chunk_prev, chunk_next);
    else
        core->n_calls_running++;
    r->worker->n_runs++;
    r->handler->n_runs++;
    r->worker->bytes_out += r->bytes;
    return r;
}

// `n` more tasks (`which`, offsets in the run) are open in it.
void
sc_runs_add(sc_core *core, run *r, const bits *which, uint32_t n)
{
    worker *w = r->worker;
    sc_slot_kind kind = r->handler->kind;
    for (int i = 0; i < BIT_WORDS; i++)
        r->left.words[i] |= which->words[i];
    r->n_left += n;
    w->n_out[kind][r->class] += n;
    w->work_ns[kind][r->class] += r->cost_ns * n;
    w->n_out_all += n;
    sc_room_update(core, w);
}

// Registers a run whose fields but its token are set in `from`; all its offsets are open.
run *
sc_runs_open(sc_core *core, const run *from)
{
    run *r = new_run(core, from, (sc_token){core->options.epoch, core->next_run});
    bits all = {0};
    if (!r)
        return NULL;
    core->next_run++;
    for (uint32_t i = 0; i < r->count; i += 64)
        all.words[i / 64] = r->count - i >= 64 ? UINT64_MAX : ((uint64_t)1 << (r->count - i)) - 1;
    sc_runs_add(core, r, &all, r->count);
    return r;
}

// Registers a run under its old token, with no task yet. One that gets none has to be closed.
run *
sc_runs_adopt(sc_core *core, const run *from)
{
    run *r = new_run(core, from, from->token);
    if (r)
        r->is_adopted = true;
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
    m.recall = (sc_recall){.token = r->token,
                           .first = sc_runs_base(r) + offset,
                           .count = count,
                           .mode = SC_RECALL_FORGET};
    if (r->chunk)
        m.recall.job = r->chunk->job->id;
    sc_core_send(core, r->worker->peer, &m);
}

// Takes one task out of the open run that has it, where its attempt is this one (0: any); it is
// queued, but in no list. @return false where it stays
bool
sc_runs_take(sc_core *core, chunk *c, uint32_t offset, uint32_t wanted)
{
    for (run *r = c->runs; r; r = r->chunk_next) {
        if (offset < r->first || offset >= r->first + r->count ||
            !bit_get(&r->left, offset - r->first))
            continue;
        if (wanted && r->attempt != wanted)
            return false;
        sc_runs_forget(core, r, offset - r->first, 1);
        bit_clear(&r->left, offset - r->first);
        c->job->running--;
        c->job->queued++;
        sc_runs_ended(core, r, 1);
        return true;
    }
    return false;
}

// The attempt that a task is in while it is handed out.
uint32_t
sc_runs_attempt(const chunk *c, uint32_t offset, uint32_t otherwise)
{
    for (const run *r = c->runs; r; r = r->chunk_next)
        if (offset >= r->first && offset < r->first + r->count &&
            bit_get(&r->left, offset - r->first))
            return r->attempt;
    return otherwise;
}

// `n` of its tasks are no longer there (their bits are cleared by the caller); the last one closes
// it.
void
sc_runs_ended(sc_core *core, run *r, uint32_t n)
{
    account(core, r, n);
    if (r->n_left == 0)
        sc_runs_close(core, r);
    else
        sc_progress_settle(core, r);
}

// Whatever is left of it is no longer there.
void
sc_runs_close(sc_core *core, run *r)
{
    worker *w = r->worker;
    w->bytes_out -= r->bytes;
    w->n_runs--;
    r->handler->n_runs--;
    account(core, r, r->n_left);
    r->left = (bits){0};
    sc_progress_settle(core, r);
    DL_DELETE(w->runs, r);
    HASH_DEL(core->runs, r);
    if (r->chunk)
        DL_DELETE2(r->chunk->runs, r, chunk_prev, chunk_next);
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
    job *j = c ? NULL : r->chunk->job;
    if (j)
        sc_tasks_requeue_run(core, r, which, false);
    sc_runs_ended(core, r, n);
    if (j)
        sc_tasks_progress(core, j); // cancelled ones have ended
    else
        sc_calls_lost(core, c, false);
}
