/* SPDX-License-Identifier: Apache-2.0 */
/* Calls: one task whose result its client waits for. A call lives here and nowhere else: it is not
 * stored, and ends with its client. One that may not be repeated and has been handed out is the
 * exception: it goes on without its client, and is remembered for a while after its end, so that a
 * client that lost its session, or the answer, and says CALL again does not begin it again. Part of
 * the core. */
#include "coordinator/core_int.h"

#include <string.h>

enum {
    OVER_MS = 60000,  // how long the end of such a call is remembered, and
    MAX_OVER = 16384, // of how many, the last ones: 5 MB
};

static void
leave_client(call *c)
{
    if (c->client)
        DL_DELETE2(c->client->calls, c, peer_prev, peer_next);
    c->client = NULL;
}

static void
forget_lost(sc_core *core, call *c)
{
    if (c->lost_run)
        HASH_DELETE(by_lost, core->calls_lost, c);
    c->lost_run = 0;
}

// Out of its worker or the queue, without its payload.
static void
end_call(sc_core *core, call *c)
{
    sc_core_timer_stop(core, &c->timer);
    if (c->run) {
        sc_runs_close(core, c->run);
    } else {
        DL_DELETE(c->handler->calls, c);
        sc_schedule_calls(core, c->handler);
    }
    forget_lost(core, c);
    leave_client(c);
    core->call_bytes -= c->table.len + c->bytes.len;
    sc_slice_drop(&c->table);
    sc_slice_drop(&c->bytes);
    core->n_calls--;
}

static void
forget_over(sc_core *core, call *c)
{
    sc_core_timer_stop(core, &c->timer);
    DL_DELETE(core->calls_over, c);
    core->n_over--;
    HASH_DEL(core->calls, c);
    sc_slab_free(&core->call_slab, c);
}

// `was_begun`: it was handed out, and may not be begun again.
static void
free_call(sc_core *core, call *c, bool was_begun)
{
    end_call(core, c);
    if (!was_begun) {
        HASH_DEL(core->calls, c);
        sc_slab_free(&core->call_slab, c);
        return;
    }
    c->is_over = true;
    DL_APPEND(core->calls_over, c);
    if (++core->n_over > MAX_OVER)
        forget_over(core, core->calls_over);
    sc_core_timer_set(core, &c->timer, TIMER_CALL, core->now_ms + OVER_MS);
}

// Its worker is told to throw it away.
static void
drop_call(sc_core *core, call *c)
{
    bool was_begun = c->run && c->handler->is_once;
    if (c->run)
        sc_runs_forget(core, c->run, 0, 1);
    free_call(core, c, was_begun);
}

// Its client is gone, for good or (`was_lost`) perhaps to come back.
void
sc_calls_leave(sc_core *core, call *c, bool was_lost)
{
    if (was_lost && c->run && c->handler->is_once)
        leave_client(c);
    else
        drop_call(core, c);
}

void
sc_calls_fail(sc_core *core, call *c, int code, const char *text)
{
    if (c->client)
        sc_core_refuse(core, c->client, c->key.request, code, "%s: %s", c->handler->name, text);
    drop_call(core, c);
}

// The core goes.
void
sc_calls_free_all(sc_core *core)
{
    for (call *c; (c = core->calls);)
        if (c->is_over)
            forget_over(core, c);
        else
            free_call(core, c, false);
}

void
sc_calls_timer(sc_core *core, call *c)
{
    if (c->is_over)
        forget_over(core, c);
    else
        sc_calls_fail(core, c, SC_ETIMEOUT, "the call has not ended within its time");
}

// A message of a call went by: while nothing else is going on the loop may wait for the next one
// awake.
void
sc_calls_passed(sc_core *core)
{
    if (!sc_core_is_busy(core))
        core->emit(core->arg, &(sc_action){.type = SC_ACTION_CALL_PASSED});
}

static call *
new_call(sc_core *core, peer *p, const sc_message *m, handler *h)
{
    call *c = sc_slab_new(&core->call_slab);
    if (!c)
        return NULL;
    c->table = sc_slice_keep(m->table);
    c->bytes = sc_slice_keep(m->bytes);
    c->number = core->next_call;
    c->key.instance = p->instance;
    c->key.request = m->call.request;
    c->client = p;
    c->handler = h;
    if (c->table.data && c->bytes.data)
        HASH_ADD(hh, core->calls, key, sizeof c->key, c);
    if (!c->hh.tbl) {
        sc_slice_drop(&c->table);
        sc_slice_drop(&c->bytes);
        sc_slab_free(&core->call_slab, c);
        return NULL;
    }
    core->next_call++;
    core->n_calls++;
    core->call_bytes += c->table.len + c->bytes.len;
    DL_APPEND2(p->calls, c, peer_prev, peer_next);
    DL_APPEND(h->calls, c);
    sc_schedule_calls(core, h);
    if (m->call.timeout_ms)
        sc_core_timer_set(core, &c->timer, TIMER_CALL, core->now_ms + (int64_t)m->call.timeout_ms);
    return c;
}

static call *
find_call(sc_core *core, const peer *p, uint64_t request)
{
    call key, *c = NULL;
    memset(&key, 0, sizeof key);
    key.key.instance = p->instance;
    key.key.request = request;
    HASH_FIND(hh, core->calls, &key.key, sizeof key.key, c);
    return c;
}

// Said before? Then it is on its way, or over. @return true where there is nothing more to do
static bool
call_again(sc_core *core, peer *p, uint64_t request)
{
    call *c = find_call(core, p, request);
    if (c && c->is_over) {
        sc_core_refuse(core, p, request, SC_EUNKNOWN, "%s: %s", c->handler->name,
                       sc_error_text(SC_EUNKNOWN));
    } else if (c && !c->client) {
        c->client = p;
        DL_APPEND2(p->calls, c, peer_prev, peer_next);
    }
    return c != NULL;
}

void
sc_calls_open(sc_core *core, peer *p, const sc_message *m)
{
    const sc_call *said = &m->call;
    handler *h = sc_jobs_find_handler(core, said->handler);
    if (call_again(core, p, said->request))
        return;
    if (core->is_stopping)
        sc_core_refuse(core, p, said->request, SC_ESHUTDOWN, "the cluster is ending");
    else if (sc_tasks_check(m->table, m->bytes, 1, SC_TASK_MAX_BYTES) < 0)
        sc_core_refuse(core, p, said->request, SC_EMALFORMED,
                       "a call carries one payload of at most 16 MiB");
    else if (!h)
        sc_jobs_refuse_handler(core, p, said->request, said->handler);
    else if (core->n_calls >= SC_MAX_CALLS)
        sc_core_refuse(core, p, said->request, SC_ELIMIT, "%u calls wait already; try again later",
                       core->n_calls);
    else if (sc_jobs_refuse_bytes(core, p, said->request, m->table.len + m->bytes.len))
        return;
    else if (!new_call(core, p, m, h))
        sc_core_refuse(core, p, said->request, SC_ENOMEM, "out of memory");
}

void
sc_calls_result(sc_core *core, run *r, const sc_message *m)
{
    call *c = r->call;
    sc_record record = sc_records_get(m->table, 0);
    if (sc_records_count(m->table) != 1 || m->results.base + record.offset != 0) {
        core->totals.unknown_results += sc_records_count(m->table);
        return;
    }
    sc_results_learn_cost(r->handler, m->results.cost_ns, 1);
    sc_message reply = {.type = SC_MSG_REPLY, .table = m->table, .bytes = m->bytes};
    reply.reply = (sc_reply){c->key.request, sc_text_of(r->worker->peer->name)};
    if (c->client)
        sc_core_send(core, c->client, &reply);
    r->worker->n_done += record.outcome == SC_DONE;
    core->totals.calls_done++;
    free_call(core, c, c->handler->is_once);
    sc_calls_passed(core);
}

// Its worker is gone or gave it back; its run is closed. It goes first to the next one, unless it
// may not be repeated, or nobody waits for it.
void
sc_calls_lost(sc_core *core, call *c, bool was_started)
{
    bool is_over = was_started && c->handler->is_once;
    DL_PREPEND(c->handler->calls, c);
    sc_schedule_calls(core, c->handler);
    if (is_over && c->client)
        sc_core_refuse(core, c->client, c->key.request, SC_EUNKNOWN, "%s: %s", c->handler->name,
                       sc_error_text(SC_EUNKNOWN));
    if (is_over || !c->client)
        free_call(core, c, is_over);
}

// The worker that had it is lost: it may come back with this run, or be reported dead. Without
// memory for the table that is not known to be about this call.
void
sc_calls_note_lost(sc_core *core, call *c, uint64_t run_number)
{
    forget_lost(core, c);
    c->lost_run = run_number;
    HASH_ADD(by_lost, core->calls_lost, lost_run, sizeof c->lost_run, c);
    if (!c->by_lost.tbl)
        c->lost_run = 0;
}

// The call that has this run, or had it last when its worker was lost; NULL where it is over.
call *
sc_calls_find_run(sc_core *core, const sc_token *token)
{
    run *r = sc_runs_find(core, token);
    if (r || token->epoch != core->options.epoch)
        return r ? r->call : NULL;
    call *c = NULL;
    HASH_FIND(by_lost, core->calls_lost, &token->run, sizeof token->run, c);
    return c;
}

// A worker that was taken as gone, and has room, came back with a call that has not ended: it keeps
// it, whoever has it now. @return false where there is no such call
bool
sc_calls_adopt(sc_core *core, worker *w, const sc_token *token)
{
    call *c = sc_runs_find(core, token) ? NULL : sc_calls_find_run(core, token);
    if (!c || w->n_runs >= MAX_RUNS_A_WORKER || !sc_set_has(w->offer->handlers, c->handler->id))
        return false;
    if (c->run) {
        sc_runs_forget(core, c->run, 0, 1);
        sc_runs_close(core, c->run);
    } else {
        DL_DELETE(c->handler->calls, c);
        sc_schedule_calls(core, c->handler);
    }
    run from = {.token = *token,
                .worker = w,
                .call = c,
                .handler = c->handler,
                .count = 1,
                .class = SC_CLASS_CALL,
                .attempt = 1,
                .cost_ns = c->handler->cost_ns};
    bits one = {{1}};
    c->run = sc_runs_adopt(core, &from);
    if (!c->run) {
        DL_PREPEND(c->handler->calls, c);
        sc_schedule_calls(core, c->handler);
        return false;
    }
    bit_set(&c->run->held, 0);
    sc_runs_add(core, c->run, &one, 1);
    return true;
}
