/* SPDX-License-Identifier: Apache-2.0 */
/* The root of the core: events come in here and go to the file that decides; what all of them share
 * (sending, timers, counting) is here. Called by the shell and by the simulation. */
#include "coordinator/core_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
sc_core_new(const sc_core_options *options, sc_core_emit emit, void *arg, int64_t now_ms,
            sc_core **out)
{
    sc_core *core = sc_core_alloc(1, sizeof *core);
    if (!core)
        return SC_ENOMEM;
    core->options = *options;
    snprintf(core->host, sizeof core->host, "%s", options->host);
    core->options.host = core->host;
    core->emit = emit;
    core->arg = arg;
    core->now_ms = core->started_ms = now_ms;
    core->unix_offset_ms = options->started_unix_ms - now_ms;
    core->store_max_bytes = options->store_max_bytes;
    core->next_run = 1;
    core->next_call = 1;
    core->next_number = options->next_number ? options->next_number : 1;
    sc_random_init(&core->random, options->seed);
    sc_heap_init(&core->timers);
    sc_slab_init(&core->run_slab, sizeof(run), 0);
    sc_slab_init(&core->chunk_slab, sizeof(chunk), 0);
    sc_slab_init(&core->range_slab, sizeof(range), 0);
    sc_slab_init(&core->exception_slab, sizeof(exception), 0);
    sc_slab_init(&core->exception_page_slab, sizeof(exception_page), 0);
    sc_slab_init(&core->call_slab, sizeof(call), 0);
    sc_slab_init(&core->watch_slab, sizeof(watch), SC_MAX_WATCHES);
    sc_slab_init(&core->report_slab, sizeof(report), SC_MAX_REPORTS);
    *out = core;
    return 0;
}

static void
mute(void *arg, const sc_action *action)
{
    (void)arg;
    (void)action;
}

void
sc_core_free(sc_core **core_at)
{
    sc_core *core = *core_at;
    if (!core)
        return;
    core->emit = mute;
    sc_peers_free_all(core);
    sc_calls_free_all(core);
    while (core->jobs)
        sc_jobs_free(core, core->jobs);
    while (core->watches)
        sc_watch_free(core, core->watches);
    for (uint32_t i = 0; i < core->n_handlers; i++) {
        for (int p = 0; p < SC_PRIORITIES; p++)
            sc_heap_fini(&core->handlers[i]->lanes[p]);
        HASH_DEL(core->handlers_by_name, core->handlers[i]);
        free(core->handlers[i]);
    }
    for (uint32_t i = 0; i < core->n_offers; i++)
        free(core->offers[i]);
    sc_heap_fini(&core->timers);
    sc_slab_fini(&core->run_slab);
    sc_slab_fini(&core->chunk_slab);
    sc_slab_fini(&core->range_slab);
    sc_slab_fini(&core->exception_slab);
    sc_slab_fini(&core->exception_page_slab);
    sc_slab_fini(&core->call_slab);
    sc_slab_fini(&core->watch_slab);
    sc_slab_fini(&core->report_slab);
    free(core);
    *core_at = NULL;
}

/* ---- shared by all files ---- */

void
sc_core_send_link(sc_core *core, uint64_t link, const sc_message *message)
{
    // Without one its session has no connection: it will say HELLO, and both sides what they have.
    if (link)
        core->emit(core->arg, &(sc_action){.type = SC_ACTION_SEND, .send = {link, message}});
}

void
sc_core_send(sc_core *core, peer *p, const sc_message *message)
{
    sc_liveness_said(&p->liveness, core->now_ms);
    sc_core_send_link(core, p->link, message);
}

void
sc_core_refuse_link(sc_core *core, uint64_t link, uint64_t request, int code, const char *text)
{
    sc_message m = {.type = SC_MSG_REFUSED};
    m.refused = (sc_refused){.request = request,
                             .code = code,
                             .text = sc_text_of(text),
                             .protocol_min = SC_PROTOCOL_MIN,
                             .protocol_max = SC_PROTOCOL_MAX,
                             .version = sc_text_of(SC_VERSION)};
    core->totals.refused++;
    sc_core_send_link(core, link, &m);
}

void
sc_core_refuse(sc_core *core, peer *p, uint64_t request, int code, const char *format, ...)
{
    char text[4 * SC_MESSAGE_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    sc_core_refuse_link(core, p->link, request, code, text);
}

// What is to be kept of a job, or no longer.
void
sc_core_write(sc_core *core, job *j, sc_action *action)
{
    action->number = j->number;
    if (j->number)
        j->last_write = ++core->n_writes;
    core->emit(core->arg, action);
}

// Is all that was written about it safe?
bool
sc_job_is_safe(const sc_core *core, const job *j)
{
    return j->last_write <= core->written;
}

void
sc_core_timer_set(sc_core *core, timer *t, timer_kind kind, int64_t deadline_ms)
{
    t->kind = kind;
    // Without memory for the heap's array a deadline would be lost: nothing can go on correctly.
    SC_ASSERT(sc_heap_set(&core->timers, &t->node, deadline_ms) == 0);
}

void
sc_core_timer_stop(sc_core *core, timer *t)
{
    sc_heap_remove(&core->timers, &t->node);
}

int64_t
sc_core_unix_ms(const sc_core *core)
{
    return core->now_ms + core->unix_offset_ms;
}

// Something of this job has changed that a reader, a waiter or another job may wait for.
void
sc_core_news(sc_core *core, job *j)
{
    if (j->has_news || (!j->watches && !j->children))
        return;
    j->has_news = true;
    j->news_next = core->news;
    core->news = j;
}

void
sc_core_count_rate(sc_core *core, uint64_t started, uint64_t ended)
{
    int64_t second = core->now_ms / 1000;
    size_t slot = (size_t)second % (RATE_SECONDS + 1);
    if (core->rates[slot].second != second) {
        core->rates[slot].second = second;
        core->rates[slot].started = core->rates[slot].ended = 0;
    }
    core->rates[slot].started += started;
    core->rates[slot].ended += ended;
}

/* ---- events ---- */

void
sc_core_message(sc_core *core, uint64_t link, const sc_message *message, int64_t now_ms)
{
    core->now_ms = now_ms;
    if (core->has_exited)
        return;
    sc_peers_message(core, link, message);
    sc_jobs_make_room(core);
}

void
sc_core_malformed(sc_core *core, uint64_t link, const sc_error *err, int64_t now_ms)
{
    core->now_ms = now_ms;
    core->totals.malformed++;
    peer *p = NULL;
    HASH_FIND(by_link, core->by_link, &link, sizeof link, p);
    if (!p) {
        sc_peers_who(core, link);
        return;
    }
    sc_core_refuse(core, p, 0, SC_EMALFORMED, "malformed message: %s", err->text);
    sc_peers_gone(core, p, "sent a malformed message");
}

// Were we stopped: was a tick due long ago, and nothing asked since? Then every peer not heard of
// since is given as much longer, a connection that broke meanwhile is forgiven, and those that
// restored jobs wait for have their time from now on.
static void
check_late(sc_core *core)
{
    int64_t due_ms = sc_core_next_ms(core);
    int64_t since_ms = due_ms > core->awake_ms ? due_ms : core->awake_ms;
    core->awake_ms = core->now_ms;
    if (since_ms >= core->now_ms - LATE_MS)
        return;
    core->forgive_until_ms = core->now_ms + core->options.lease_ms;
    for (peer *p = core->by_instance; p; p = p->by_instance.next)
        if (p->liveness.heard_ms <= since_ms)
            sc_liveness_shift(&p->liveness, core->now_ms - since_ms);
    if (core->is_restoring)
        sc_saved_wait_from(core, core->now_ms);
    if (core->now_ms - since_ms >= core->options.lease_ms)
        sc_saved_confirm(core);
}

void
sc_core_send_failed(sc_core *core, uint64_t link, int64_t now_ms)
{
    core->now_ms = now_ms;
    check_late(core); // what was sent first may have failed before the tick comes
    peer *p = NULL;
    HASH_FIND(by_link, core->by_link, &link, sizeof link, p);
    if (p)
        sc_peers_unreachable(core, p);
}

void
sc_core_turn(sc_core *core, int64_t now_ms)
{
    core->now_ms = now_ms;
    if (core->is_deposed)
        return;
    check_late(core); // before anything is handed out
    sc_jobs_make_room(core);
    sc_results_flush_acks(core);
    sc_schedule(core);
    if (sc_results_news(core))
        sc_schedule(core);
    if (core->is_stopping)
        sc_peers_check_stopped(core, false);
}

static void
timer_due(sc_core *core, timer *t)
{
    switch (t->kind) {
    case TIMER_PEER:
        sc_peers_timer(core, SC_CONTAINER(t, peer, timer));
        break;
    case TIMER_PROBE:
        sc_peers_probe(core);
        break;
    case TIMER_STAGED:
        sc_jobs_staged_timer(core, SC_CONTAINER(t, job, staged_timer));
        break;
    case TIMER_DELAYED:
        sc_tasks_timer(core, SC_CONTAINER(t, exception, timer));
        break;
    case TIMER_EXPIRES:
        sc_cancel_expires_timer(core, SC_CONTAINER(t, job, expires_timer));
        break;
    case TIMER_CALL:
        sc_calls_timer(core, SC_CONTAINER(t, call, timer));
        break;
    case TIMER_STOP:
        sc_peers_stop_timer(core);
        break;
    case TIMER_RESTORED:
        sc_saved_check_restored(core);
        break;
    case TIMER_UNREAD:
        sc_schedule_unread(core, SC_CONTAINER(t, chunk, unread_timer));
        break;
    case TIMER_RETENTION:
        sc_jobs_retention_timer(core);
        break;
    }
}

void
sc_core_tick(sc_core *core, int64_t now_ms)
{
    core->now_ms = now_ms;
    if (core->is_deposed)
        return;
    check_late(core);
    sc_heap_node *node;
    while ((node = sc_heap_pop_due(&core->timers, now_ms)))
        timer_due(core, SC_CONTAINER(node, timer, node));
    sc_core_turn(core, now_ms);
}

void
sc_core_store_limit(sc_core *core, uint64_t max_bytes, int64_t now_ms)
{
    core->now_ms = now_ms;
    uint64_t configured = core->options.store_max_bytes;
    core->store_max_bytes = max_bytes < configured ? max_bytes : configured;
    sc_jobs_make_room(core);
}

void
sc_core_written(sc_core *core, uint64_t n, int64_t now_ms)
{
    core->now_ms = now_ms;
    SC_ASSERT(n >= core->written && n <= core->n_writes);
    core->written = n;
    sc_results_written(core);
    sc_saved_written(core);
}

void
sc_core_trouble(sc_core *core, const char *why, int64_t now_ms)
{
    core->now_ms = now_ms;
    core->is_in_trouble = why != NULL;
    snprintf(core->trouble, sizeof core->trouble, "%s", why ? why : "");
}

void
sc_core_store_spilled(sc_core *core, uint64_t bytes)
{
    core->spilled_bytes = bytes;
}

/* ---- looking ---- */

int64_t
sc_core_next_ms(const sc_core *core)
{
    const sc_heap_node *top = sc_heap_top(&core->timers);
    return top && !core->is_deposed ? top->deadline_ms : INT64_MAX;
}

bool
sc_core_is_busy(const sc_core *core)
{
    return HASH_COUNT(core->runs) > core->n_calls_running;
}

static double
rate_of(uint64_t sum)
{
    return (double)sum / RATE_SECONDS;
}

void
sc_core_counters(const sc_core *core, sc_cluster *out)
{
    *out = core->totals;
    out->version = sc_text_of(SC_VERSION);
    out->host = sc_text_of(core->host);
    out->pid = core->options.pid;
    out->epoch = core->options.epoch;
    out->started_at = core->options.started_unix_ms;
    out->workers = core->n_ready;
    out->clients = core->n_clients;
    out->jobs = core->n_jobs - core->n_staged;
    out->jobs_open = core->n_open;
    out->calls_running = core->n_calls;
    uint64_t started = 0, ended = 0;
    for (int i = 0; i <= RATE_SECONDS; i++) {
        int64_t age = core->now_ms / 1000 - core->rates[i].second;
        if (age >= 1 && age <= RATE_SECONDS) { // whole seconds only
            started += core->rates[i].started;
            ended += core->rates[i].ended;
        }
    }
    out->started_per_s = rate_of(started);
    out->ended_per_s = rate_of(ended);
    for (const job *j = core->jobs_by_age; j; j = j->order_next) {
        out->queued += j->queued;
        out->delayed += j->delayed;
        out->running += j->running;
        out->done += j->done;
        out->dead += j->dead;
        out->cancelled += j->cancelled;
    }
    out->spill_bytes =
        core->spilled_bytes < core->stored_bytes ? core->spilled_bytes : core->stored_bytes;
    out->memory_bytes = core->stored_bytes - out->spill_bytes;
}
