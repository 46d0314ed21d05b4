/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: who said HELLO on which connection, who is alive, what happens when one is not. Part of
 * the core. */
#include "coordinator/core_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum { PROBE_MS = 10 }; // after which ZeroMQ knows, too, that a connection has ended

static const char leads_no_more[] = "this coordinator leads no more";

static const char *
role_name(sc_role role)
{
    static const char *const names[] = {"peer", "client", "worker", "supervisor"};
    return names[role];
}

// Clients come and go with every command; workers are news.
static sc_log_level
level_of(sc_role role)
{
    return role == SC_ROLE_CLIENT ? SC_LOG_DEBUG : SC_LOG_INFO;
}

void
sc_peers_who(sc_core *core, uint64_t link)
{
    sc_message m = {.type = SC_MSG_WHO, .who = {core->options.epoch}};
    sc_core_send_link(core, link, &m);
}

peer *
sc_peers_find_instance(sc_core *core, uint64_t instance)
{
    peer *p = NULL;
    HASH_FIND(by_instance, core->by_instance, &instance, sizeof instance, p);
    return p;
}

// The peer of a role and name, or NULL. Said rarely (HELLO), so a walk is good enough.
static peer *
find_name(sc_core *core, sc_role role, sc_text name)
{
    for (peer *p = core->by_instance; p; p = p->by_instance.next)
        if (p->role == role && sc_text_equal(name, p->name))
            return p;
    return NULL;
}

/* ---- ends of sessions ---- */

// Forget what this session asked for; what it was given goes elsewhere.
static void
drop_interests(sc_core *core, peer *p, bool was_lost)
{
    while (p->watches)
        sc_watch_free(core, p->watches);
    while (p->calls)
        sc_calls_leave(core, p->calls, was_lost);
}

static void
unbind(sc_core *core, peer *p)
{
    if (p->link)
        HASH_DELETE(by_link, core->by_link, p);
    p->link = 0;
}

static void
free_peer(sc_core *core, peer *p)
{
    unbind(core, p);
    HASH_DELETE(by_instance, core->by_instance, p);
    sc_core_timer_stop(core, &p->timer);
    core->n_peers--;
    core->n_clients -= p->role == SC_ROLE_CLIENT;
    core->n_askers -= p->is_asker;
    free(p);
}

static void
end_session(sc_core *core, peer *p, bool was_lost)
{
    drop_interests(core, p, was_lost);
    if (p->worker)
        sc_workers_free(core, p->worker, was_lost);
    free_peer(core, p);
}

// The core goes.
void
sc_peers_free_all(sc_core *core)
{
    while (core->by_instance)
        end_session(core, core->by_instance, false);
}

static void
say_heartbeat(sc_core *core, peer *p)
{
    sc_message m = {.type = SC_MSG_HEARTBEAT};
    sc_core_send(core, p, &m);
}

// Perhaps its workers went with it.
static void
probe_workers(sc_core *core, uint64_t supervisor)
{
    for (peer *p = core->by_instance; p; p = p->by_instance.next)
        if (p->worker && p->worker->supervisor == supervisor)
            say_heartbeat(core, p);
}

void
sc_peers_gone(sc_core *core, peer *p, const char *why)
{
    uint64_t supervisor = p->role == SC_ROLE_SUPERVISOR ? p->instance : 0;
    sc_log_write(level_of(p->role), "%s %s gone: %s", role_name(p->role), p->name, why);
    core->totals.peers_lost++;
    sc_jobs_await_client(core, p->instance);
    end_session(core, p, true);
    if (supervisor)
        probe_workers(core, supervisor);
}

void
sc_core_connection_ended(sc_core *core, int64_t now_ms)
{
    core->now_ms = now_ms;
    if (!core->probe_timer.node.position)
        sc_core_timer_set(core, &core->probe_timer, TIMER_PROBE, now_ms + PROBE_MS);
}

// The end of a worker its supervisor reports, that of a client can wait for its lease.
void
sc_peers_probe(sc_core *core)
{
    for (peer *p = core->by_instance; p; p = p->by_instance.next)
        if (p->role == SC_ROLE_SUPERVISOR)
            say_heartbeat(core, p);
}

// Nothing can be sent over its connection. That ends its session, unless we stood still: then it
// has looked for us elsewhere meanwhile, and has its lease to come back over another connection.
void
sc_peers_unreachable(sc_core *core, peer *p)
{
    if (core->now_ms >= core->forgive_until_ms) {
        sc_peers_gone(core, p, "cannot be sent to");
        return;
    }
    sc_log_write(level_of(p->role),
                 "%s %s cannot be sent to after we stood still: it has its lease",
                 role_name(p->role), p->name);
    unbind(core, p);
    if (p->worker)
        sc_workers_relist(core, p->worker);
}

void
sc_peers_timer(sc_core *core, peer *p)
{
    if (sc_liveness_is_gone(&p->liveness, core->now_ms)) {
        sc_peers_gone(core, p, "silent for its lease");
        return;
    }
    if (sc_liveness_must_say(&p->liveness, core->now_ms))
        say_heartbeat(core, p);
    int64_t next_ms = sc_liveness_next_ms(&p->liveness);
    sc_core_timer_set(core, &p->timer, TIMER_PEER,
                      next_ms > core->now_ms ? next_ms : core->now_ms + 1);
}

/* ---- HELLO ---- */

static int
check_hello(const sc_hello *h, char *text, size_t size)
{
    if (h->protocol_min > SC_PROTOCOL_MAX || h->protocol_max < SC_PROTOCOL_MIN) {
        snprintf(text, size, "this coordinator (%s) speaks protocol %d to %d, you (%.*s) %u to %u",
                 SC_VERSION, SC_PROTOCOL_MIN, SC_PROTOCOL_MAX, (int)h->version.len, h->version.data,
                 h->protocol_min, h->protocol_max);
        return SC_EVERSION;
    }
    bool is_worker = h->role == SC_ROLE_WORKER;
    if (h->role == 0 || h->instance == 0 || h->name.len == 0 ||
        (is_worker &&
         (h->slots_async + h->slots_thread == 0 || h->credit_tasks == 0 || h->handlers.n == 0))) {
        snprintf(text, size, "HELLO without role, name, instance%s",
                 is_worker ? ", slots, credit or handlers" : "");
        return SC_EBADARG;
    }
    return 0;
}

static peer *
new_peer(sc_core *core, uint64_t link, const sc_hello *h)
{
    peer *p = sc_core_alloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->link = link;
    p->role = (sc_role)h->role;
    p->instance = h->instance;
    p->pid = h->pid;
    sc_text_copy(h->name, p->name, sizeof p->name);
    sc_text_copy(h->host, p->host, sizeof p->host);
    HASH_ADD(by_link, core->by_link, link, sizeof link, p);
    HASH_ADD(by_instance, core->by_instance, instance, sizeof p->instance, p);
    if (!p->by_link.tbl || !p->by_instance.tbl) {
        if (p->by_link.tbl)
            HASH_DELETE(by_link, core->by_link, p);
        if (p->by_instance.tbl)
            HASH_DELETE(by_instance, core->by_instance, p);
        free(p);
        return NULL;
    }
    core->n_peers++;
    core->n_clients += p->role == SC_ROLE_CLIENT;
    core->has_had_workers |= p->role != SC_ROLE_CLIENT;
    sc_liveness_init(&p->liveness, core->options.heartbeat_ms, core->options.lease_ms,
                     core->now_ms);
    sc_core_timer_set(core, &p->timer, TIMER_PEER, sc_liveness_next_ms(&p->liveness));
    return p;
}

// The same process says HELLO again, perhaps on a new connection: the session goes on there. A
// worker lists again what it holds; a client asks its questions again.
static void
rebind(sc_core *core, peer *p, uint64_t link)
{
    if (p->link != link) {
        unbind(core, p);
        p->link = link;
        HASH_ADD(by_link, core->by_link, link, sizeof link, p);
        SC_ASSERT(p->by_link.tbl);
    }
    while (p->watches)
        sc_watch_free(core, p->watches);
    if (p->worker)
        sc_workers_relist(core, p->worker);
}

static void
welcome(sc_core *core, peer *p, const sc_hello *h)
{
    sc_message m = {.type = SC_MSG_WELCOME};
    uint32_t protocol = h->protocol_max < SC_PROTOCOL_MAX ? h->protocol_max : SC_PROTOCOL_MAX;
    m.welcome = (sc_welcome){.protocol = protocol,
                             .epoch = core->options.epoch,
                             .version = sc_text_of(SC_VERSION),
                             .host = sc_text_of(core->host),
                             .pid = core->options.pid,
                             .heartbeat_ms = (uint64_t)core->options.heartbeat_ms,
                             .lease_ms = (uint64_t)core->options.lease_ms,
                             .task_max_bytes = SC_TASK_MAX_BYTES,
                             .hello = h->number};
    sc_core_send(core, p, &m);
}

// Another instance has the name? Then this one is refused. @return true where it was
static bool
refuse_taken(sc_core *core, uint64_t link, const sc_hello *h)
{
    peer *holder = h->role == SC_ROLE_CLIENT ? NULL : find_name(core, (sc_role)h->role, h->name);
    if (!holder || holder->instance == h->instance)
        return false;
    char text[300];
    snprintf(text, sizeof text, "the name %s is taken by process %llu on %s; choose another --name",
             holder->name, (unsigned long long)holder->pid, holder->host);
    sc_core_refuse_link(core, link, 0, SC_ENAMETAKEN, text);
    return true;
}

// Those who look after workers, and workers that nobody looks after, are told to end.
static void
tell_stop(sc_core *core, peer *p)
{
    sc_message stop = {.type = SC_MSG_STOP};
    if (p->role == SC_ROLE_SUPERVISOR || (p->worker && !p->worker->supervisor))
        sc_core_send(core, p, &stop);
}

static void
hello(sc_core *core, uint64_t link, peer *on_link, const sc_hello *h)
{
    char text[400];
    int rc = check_hello(h, text, sizeof text);
    if (rc < 0) {
        sc_core_refuse_link(core, link, 0, rc, text);
        return;
    }
    peer *p = sc_peers_find_instance(core, h->instance);
    if (p && h->number < p->n_hello) // a later one, on another connection, was faster
        return;
    if (on_link && on_link != p) // the connection's old owner gave it up
        sc_peers_gone(core, on_link, "said HELLO as another");
    if (refuse_taken(core, link, h))
        return;
    if (p && p->role != (sc_role)h->role) {
        sc_core_refuse_link(core, link, 0, SC_EBADARG, "this instance has another role");
        return;
    }
    if (p) {
        rebind(core, p, link);
    } else if (core->n_peers >= SC_MAX_PEERS) {
        sc_core_refuse_link(core, link, 0, SC_ELIMIT, "too many peers (4096); end some");
        return;
    } else if (!(p = new_peer(core, link, h))) {
        sc_core_refuse_link(core, link, 0, SC_ENOMEM, "out of memory");
        return;
    } else if (h->role == SC_ROLE_WORKER && (rc = sc_workers_new(core, p, h)) < 0) {
        sc_core_refuse_link(core, link, 0, rc,
                            rc == SC_ELIMIT ? "too many different handlers in this cluster (256)"
                                            : "out of memory");
        free_peer(core, p);
        return;
    } else {
        sc_log_write(level_of(p->role), "%s %s joined from %s, pid %llu", role_name(p->role),
                     p->name, p->host, (unsigned long long)p->pid);
    }
    p->n_hello = h->number;
    sc_jobs_await_client(core, p->instance);
    sc_liveness_heard(&p->liveness, core->now_ms);
    welcome(core, p, h);
    if (core->is_stopping)
        tell_stop(core, p);
}

/* ---- end of the cluster ---- */

// A coordinator that has just taken another's place is asked to end before workers have found it:
// they would go on with what they hold, and nobody would tell them.
static bool
may_still_come(const sc_core *core)
{
    return !core->has_had_workers && core->now_ms < core->started_ms + core->options.lease_ms;
}

void
sc_peers_stop(sc_core *core, peer *asker, uint64_t request)
{
    sc_process processes[SC_MAX_PEERS];
    uint32_t n = 0;
    if (core->options.parent_pid)
        processes[n++].pid = core->options.parent_pid;
    processes[n++].pid = core->options.pid;
    for (peer *p = core->by_instance; p; p = p->by_instance.next) {
        if (p->role == SC_ROLE_CLIENT)
            continue;
        if (strcmp(p->host, core->host) == 0 && n < SC_MAX_PEERS)
            processes[n++].pid = p->pid;
        tell_stop(core, p);
    }
    if (!core->is_stopping) {
        int64_t settled_ms = core->started_ms + core->options.lease_ms;
        core->stop_by_ms = core->now_ms + core->options.drain_timeout_ms + core->options.lease_ms;
        sc_core_timer_set(core, &core->stop_timer, TIMER_STOP,
                          may_still_come(core) ? settled_ms : core->stop_by_ms);
    }
    core->is_stopping = true;
    sc_ask_stopping(core);
    sc_message m = {.type = SC_MSG_STOPPING};
    m.stopping = (sc_stopping){request, sc_text_of(core->host), {processes, n}};
    sc_core_send(core, asker, &m);
    core->n_askers += !asker->is_asker;
    asker->is_asker = true;
}

// Nobody is waited for any more but those who asked for the end and have not said BYE: a connection
// that ends takes with it what its other side has received and not yet read (proto/link.c), so the
// answer would be lost to a process that is slow.
static void
leave(sc_core *core)
{
    core->is_leaving = true;
    sc_core_timer_set(core, &core->stop_timer, TIMER_STOP, core->now_ms + core->options.lease_ms);
}

// Asked to end: are all workers and supervisors gone, or have they had their time, and then the
// askers?
void
sc_peers_check_stopped(sc_core *core, bool is_late)
{
    bool is_over = core->is_leaving && (is_late || core->n_askers == 0);
    bool is_alone = core->n_peers == core->n_clients && !may_still_come(core);
    if (!core->is_leaving && (is_late || is_alone)) {
        leave(core);
        is_over = core->n_askers == 0;
    }
    if (!is_over || core->has_exited)
        return;
    core->has_exited = true;
    core->emit(core->arg, &(sc_action){.type = SC_ACTION_EXIT});
}

void
sc_peers_stop_timer(sc_core *core)
{
    bool is_late = core->is_leaving || core->now_ms >= core->stop_by_ms;
    if (!is_late)
        sc_core_timer_set(core, &core->stop_timer, TIMER_STOP, core->stop_by_ms);
    sc_peers_check_stopped(core, is_late);
}

void
sc_core_leave(sc_core *core, int64_t now_ms)
{
    core->now_ms = now_ms;
    core->is_stopping = true;
    if (!core->is_leaving)
        leave(core);
    sc_peers_check_stopped(core, false);
}

void
sc_core_deposed(sc_core *core, int64_t now_ms)
{
    core->now_ms = now_ms;
    core->is_deposed = true;
    for (peer *p = core->by_instance; p; p = p->by_instance.next)
        sc_core_refuse(core, p, 0, SC_ESHUTDOWN, leads_no_more);
}

/* ---- every message ---- */

static bool
from_client(sc_core *core, peer *p, const sc_message *m)
{
    switch (m->type) {
    case SC_MSG_OPEN:
        return sc_uploads_open(core, p, m), true;
    case SC_MSG_CHUNK:
        return sc_uploads_chunk(core, p, m), true;
    case SC_MSG_COMMIT:
        return sc_uploads_commit(core, p, m), true;
    case SC_MSG_DROP:
        return sc_uploads_drop(core, p, m), true;
    case SC_MSG_CANCEL:
        return sc_cancel_take(core, p, &m->cancel), true;
    case SC_MSG_RETRY:
        return sc_retry_take(core, p, &m->retry), true;
    case SC_MSG_CALL:
        return sc_calls_open(core, p, m), true;
    case SC_MSG_ASK:
        return sc_ask_answer(core, p, &m->ask), true;
    case SC_MSG_READ:
        return sc_results_read(core, p, &m->read), true;
    case SC_MSG_DRAIN:
        return sc_drain_take(core, p, &m->drain), true;
    case SC_MSG_STOP:
        return sc_peers_stop(core, p, m->stop.request), true;
    default:
        return false;
    }
}

static bool
from_worker(sc_core *core, peer *p, const sc_message *m)
{
    switch (m->type) {
    case SC_MSG_HELD:
        return sc_held_take(core, p->worker, &m->held), true;
    case SC_MSG_READY:
        return sc_workers_ready(core, p, &m->ready), true;
    case SC_MSG_RESULTS:
        return sc_results_take(core, p->worker, m), true;
    case SC_MSG_RECALLED:
        return sc_recall_answered(core, p->worker, &m->recalled), true;
    case SC_MSG_READ: // results that are arguments
        return sc_results_read(core, p, &m->read), true;
    case SC_MSG_PROGRESS:
        return sc_progress_take(core, p->worker, &m->progress), true;
    default:
        return false;
    }
}

static bool
from_supervisor(sc_core *core, const sc_message *m)
{
    if (m->type != SC_MSG_DIED)
        return false;
    sc_workers_died(core, &m->died);
    return true;
}

void
sc_peers_message(sc_core *core, uint64_t link, const sc_message *m)
{
    peer *p = NULL;
    HASH_FIND(by_link, core->by_link, &link, sizeof link, p);
    if (core->is_deposed) {
        if (m->type == SC_MSG_HELLO)
            sc_core_refuse_link(core, link, 0, SC_ESHUTDOWN, leads_no_more);
        return;
    }
    if (m->type == SC_MSG_HELLO) {
        hello(core, link, p, &m->hello);
        return;
    }
    if (!p) {
        sc_peers_who(core, link);
        return;
    }
    sc_liveness_heard(&p->liveness, core->now_ms);
    if (m->type == SC_MSG_HEARTBEAT) {
        if (p->worker)
            sc_workers_heartbeat(core, p->worker, &m->heartbeat);
    } else if (m->type == SC_MSG_BYE) {
        sc_log_write(level_of(p->role), "%s %s left", role_name(p->role), p->name);
        sc_jobs_client_left(core, p->instance);
        end_session(core, p, false);
    } else if (!(p->role == SC_ROLE_CLIENT   ? from_client(core, p, m)
                 : p->role == SC_ROLE_WORKER ? from_worker(core, p, m)
                                             : from_supervisor(core, m))) {
        core->totals.malformed++;
        sc_core_refuse(core, p, 0, SC_EMALFORMED, "%s is not for a %s to say",
                       sc_message_name(m->type), role_name(p->role));
        sc_peers_gone(core, p, "said what is not its to say");
    }
}
