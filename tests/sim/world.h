/* SPDX-License-Identifier: Apache-2.0 */
/* A simulated cluster: the real core, real sessions of workers, supervisors and clients, and
 * between them a network, a store and processes that misbehave. Everything comes from one seed, in
 * virtual time.
 *
 *   world.c       the events in their order, start and end
 *   chaos.c       what goes wrong
 *   network.c     connections and what travels on them
 *   host.c        the coordinator's process: core and store
 *   journal.c     its journal: groups, failures, what a crash leaves
 *   worker.c      worker processes
 *   supervisor.c  who looks after them
 *   client.c      clients: uploads, what they ask for
 *   reading.c     clients: results, states
 *   retry.c       clients: jobs that are tried again
 *   calls.c       their calls
 *   bystander.c   peers that mean no good
 *   plan.c        jobs, what each task does, what its result must be
 *   handing.c     what is handed out, what starts
 *   told.c        what was said of tasks, and that it fits
 *   trace.c       what happened last, and the hash of it all
 *
 * Objects live until the world ends, so an event may point to what is gone. */
#ifndef SC_SIM_WORLD_H
#define SC_SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/heap.h"
#include "base/random.h"
#include "client/session.h"
#include "coordinator/core.h"
#include "tests/support/history.h"
#include "tests/support/model_journal.h"
#include "tests/support/model_store.h"
#include "worker/session.h"

enum {
    N_OLD_IDS = 8,
    N_ENDPOINTS = 2, // of a world with a standby
    N_HANDLERS = 4,
    N_TRACED = 50,
    N_OVERHEARD = 16,
    N_RESULTS = 256,
    MAX_WORKERS = 8,
    MAX_CLIENTS = 6,
    US_A_MS = 1000,
    POISON_MAX = 2, // poison tasks of a world
    MAX_CALL_RUNS = 8,
    LEASE_MS = 800,
    STAGED_MS = 5000,
};

typedef struct world world;
typedef struct process process;
typedef struct host host;

/* ---- events ---- */

typedef struct event event;
typedef void (*event_run)(world *w, event *e);
struct event {
    sc_heap_node node; // due, in microseconds
    event_run run;
    void *object;
    uint64_t number;
    bool is_kept;     // part of another object
    bool owns_object; // free()s it with itself
};

/* ---- trace ---- */

typedef enum trace_kind {
    TRACE_TO_CORE,
    TRACE_TO_PEER,
    TRACE_LOST,
    TRACE_STORE,
    TRACE_TICK,
    TRACE_LATE,
    TRACE_END,
    TRACE_DIE,
    TRACE_START,
    TRACE_CUT,
    TRACE_STALL,
    TRACE_LEAVE,
    TRACE_FULL,
    TRACE_DRAIN,
    TRACE_DISK,
    TRACE_RESTART,
    TRACE_TAKEOVER,
    TRACE_DEPOSED,
    TRACE_PHASE,
    N_TRACE_KINDS
} trace_kind;

typedef struct trace_line {
    int64_t at_us;
    trace_kind kind;
    uint64_t a, b, c;
} trace_line;

/* ---- network ---- */

typedef struct packet packet;
struct packet {
    STAILQ_ENTRY(packet) node;
    sc_message_type type;
    sc_slice header, table, bytes;
};
STAILQ_HEAD(packets, packet);

typedef enum direction { TO_CORE, TO_PEER, N_DIRECTIONS } direction;

typedef struct conn {
    uint64_t link; // of all there ever were
    process *peer;
    host *host;
    bool is_open;
    struct packets packets[N_DIRECTIONS]; // in flight; an event each
    int64_t last_us[N_DIRECTIONS];        // nothing arrives before what was sent before it
    int64_t full_until_us;                // what the coordinator says is refused until then
} conn;

/* ---- plan ---- */

typedef enum handler_kind {
    HANDLER_FAST,
    HANDLER_CPU,
    HANDLER_ONCE,
    HANDLER_ONCE_CPU
} handler_kind;

/* A task was sent to a worker. */
typedef struct handing {
    process *worker; // NULL: never
    int64_t at_us;
    sc_token token;
    bool is_alone; // it had been blamed by then
} handing;

typedef struct plan plan;
struct plan {
    sc_uuid id; // it gets another where its coordinator was lost with it, or it was refused
    sc_uuid old_ids[N_OLD_IDS];
    uint32_t n_old;
    uint32_t number, n_losses;
    handler_kind handler;
    bool is_array, is_durable;
    uint64_t first, n_tasks;
    uint32_t retries, priority, backoff_ms;
    uint32_t pad_bytes;          // payloads are at most so much longer than they need to be
    uint32_t slowness;           // 0: tasks of microseconds .. 3: some of seconds
    uint64_t poison[POISON_MAX]; // indexes; UINT64_MAX: none
    bool has_blocking;           // some of its tasks make the loop stand still, again and again
    bool is_accepted;
    bool is_unreadable;                 // a chunk of it could not be read
    bool is_dropped;                    // results of it were dropped
    bool is_given_up;                   // the store was full
    uint32_t expires_ms;                // 0: never
    uint32_t timeout_ms, kill_after_ms; // of an attempt; 0: none
    plan *after;                        // that it waits for; NULL: for none
    bool on_any;                        // however that one ends
    bool has_begun, has_failed;         // a task was handed out; one has ended and is not done
    char key[16];                       // "": none
    uint32_t n_again;                   // how often it was submitted again under it
    bool is_cancelled;                  // CANCEL has come: places from..until-1 may end so,
    bool is_unwanted;                   // and was answered: of these none is handed out any more
    uint64_t cancelled_from, cancelled_until;
    uint32_t n_asked;               // RETRY was said so often, or will be
    uint32_t n_retries;             // and its record was written so that it began a new life
    uint64_t retry_write;           // the last such write of the present coordinator; 0: none
    sc_undone undone;               // what its record says now
    sc_token last, past;            // given last, and before its present life
    int64_t submitted_at, ended_at; // as clients were told; 0: not yet
    handing *handings;              // by task: the last one
    uint8_t *blames;  // by task: deaths it is blamed for, as the supervisor's reports say
    uint8_t *maybes;  // by task: deaths that it may be blamed for
    uint16_t *starts; // by task: last attempt that was started (of those that may not be repeated)
    uint64_t
        *writes; // by task: the last write of the present coordinator that is about it; 0: none
};

/* What a task does in one attempt. */
typedef struct behaviour {
    int64_t takes_us;
    enum { DOES_END, DOES_RETRY, DOES_FAIL, DOES_CRASH } does;
    uint32_t n_blocks; // how often it makes the loop stand still before that
    int64_t block_us;  // for so long: more than a lease, less than what its supervisor bears
} behaviour;

/* ---- processes ---- */

typedef enum process_kind { A_WORKER, A_SUPERVISOR, A_CLIENT, A_BYSTANDER } process_kind;

typedef struct running running; // a task that a worker executes
struct running {
    sc_started started;
    process *worker;
    plan *plan; // NULL: a call
    uint64_t index;
    uint32_t attempt;
    uint32_t handler;
    sc_slot_kind kind;
    sc_task_ref ref;
    behaviour behaviour;
    uint32_t n_blocks; // so many are over
    uint64_t call_hash;
    int64_t started_us;
    bool has_ended, is_cancelled, is_overdue;
    bool is_given_up;            // it was answered for, and runs on
    bool is_alone;               // a suspect: nothing else runs in that worker
    LIST_ENTRY(running) node;    // process.running
    STAILQ_ENTRY(running) ended; // process.finished, which only keeps the memory
};

typedef struct report report; // a death to be told
struct report {
    STAILQ_ENTRY(report) node;
    process *worker;
    sc_death death;
    sc_task_ref *refs;
    uint32_t n_refs;
};

typedef struct act act; // what a client wants: client.c

struct process {
    process_kind kind;
    world *world;
    char name[16];
    uint64_t instance;
    uint32_t number;   // of the worker's or client's place
    uint32_t endpoint; // where it looks for the coordinator
    conn *conn;
    bool is_dead, is_draining;
    int64_t stalled_until_us;
    int64_t trouble_until_us; // so long the coordinator may take it as lost
    running *on_loop;         // the task in which it stands still
    event tick;
    int64_t tick_wanted_us;
    int64_t full_until_us; // its sends find a full queue until then
    // worker
    sc_session *session;
    sc_hello hello;
    sc_hello_handler handlers[N_HANDLERS];
    process *supervisor;
    int64_t replaced_by_us; // a task was given up: it ends, by then; 0: none was
    int64_t leaves_by_us;   // then, and if it stood still meanwhile, by then
    uint32_t busy[SC_N_SLOT_KINDS];
    LIST_HEAD(, running) running;
    STAILQ_HEAD(, running) finished;
    running *once[SC_ONCE_MAX]; // its page: tasks that may not be repeated, by their slot
    report report;              // of its death
    struct {
        uint64_t number, write;
        const host *host;
    } results[N_RESULTS]; // of RESULTS that came there, the last write that says what is in them
    // supervisor
    sc_member member;
    STAILQ_HEAD(, report) reports;
    // client
    sc_client_session *client;
    LIST_HEAD(, act) acts;
    uint32_t n_acts; // not done
};

/* ---- coordinators ---- */

struct host {
    world *world;
    host *before;      // the one that led before it; lives on, perhaps, until it finds out
    uint32_t endpoint; // where it listens
    bool is_dead;
    bool is_deposed; // another leads
    sc_core *core;
    sc_model_store *store, *kept; // of volatile and of durable jobs
    uint64_t n_writes, n_written; // to the journal; of these it knows to be safe
    bool is_in_trouble;           // the core has been told so
    event group;                  // the next one is done
    event tick, turn;
    uint64_t store_limit;
    int64_t stalled_until_us;
    bool is_replaying;      // it is given what its journal has: all that was judged before
    uint64_t who_link;      // the core has just asked WHO here
    const process *leaving; // says BYE to the core
    const sc_died *dying;   // the core is being told so
};

/* ---- the world ---- */

typedef struct shape {
    bool is_large;
    uint32_t n_workers, n_clients, n_plans, n_calls;
    int64_t chaos_ms; // how long things go wrong
    uint32_t p_crash, p_stall, p_cut, p_core_stall, p_leave, p_drain, p_orphan, p_disk,
        p_restart;                             // per chaos event, in 1/1000
    uint32_t p_duplicate, p_full, p_core_full; // per message, in 1/1000
    int64_t delay_us, store_us;                // at most
    bool is_store_small, is_store_failing, is_journal_failing, has_bystanders;
    bool has_standby; // there are two places for a coordinator
    uint32_t p_takeover;
    bool is_restarts_only; // nothing else goes wrong: what runs goes on
} shape;

struct world {
    uint64_t seed;
    bool is_verbose;
    sc_random random;
    shape shape;
    int64_t now_us;
    uint64_t n_events, n_checked;
    sc_heap events;
    bool is_calm, is_auditing, is_stopping, has_exited;
    // hosts
    host *host;              // the one that leads
    sc_core_options options; // of its core
    sc_model_journal *journal;
    uint32_t n_restarts, n_takeovers, n_visitors;
    bool was_limited;        // its store, below what is configured
    int64_t staged_until_us; // so long uploads of clients that left may be kept
    // network
    conn **conns;                   // by link - 1
    packet *overheard[N_OVERHEARD]; // some of what was said to the coordinator
    uint64_t n_conns, max_conns;
    sc_decoder *decoder;
    sc_buffer encoded;
    // processes
    process **processes; // all that ever were
    uint32_t n_processes, max_processes;
    process *workers[MAX_WORKERS]; // the present one at each place
    process *clients[MAX_CLIENTS];
    process *supervisor;
    process *auditor;
    // plan
    plan *plans;
    uint32_t n_plans;
    sc_history *history; // what the core has ended since it started
    sc_history *shown;   // what clients were told, of all its starts
    uint64_t n_started, n_started_again, n_crashes, n_cuts, n_stalls, n_calls_done, n_calls_failed,
        n_rows_read, n_retries;
    // trace
    trace_line traced[N_TRACED];
    uint64_t n_traced, hash;
};

/* trace.c */
void sc_trace(world *w, trace_kind kind, uint64_t a, uint64_t b, uint64_t c);
void sc_trace_print(const world *w);
_Noreturn void sc_sim_fail(const world *w, const char *format, ...) SC_PRINTF(2, 3);

/* world.c */
uint64_t sc_sim_random(world *w, uint64_t below);
/** True once in a while: `p` of 1000 times, and never once the world is calm. */
bool sc_sim_chance(world *w, uint32_t p);
event *sc_sim_after(world *w, int64_t us, event_run run, void *object, uint64_t number);
void sc_sim_set(world *w, event *e, int64_t at_us);
int64_t sc_sim_ms(const world *w);
process *sc_sim_process(world *w, process_kind kind, const char *name, uint32_t number);
/** One world from start to end. @return the hash of its trace */
uint64_t sc_sim_world(uint64_t seed, bool is_verbose);
/** The world that runs, for a signal handler. */
const world *sc_sim_current(void);

/* chaos.c */
void sc_chaos_choose(world *w);
void sc_chaos_start(world *w);

/* network.c */
/** A process says something to the coordinator. @return 0 or -EAGAIN */
int sc_net_say(process *p, const sc_message *m);
/** A coordinator says something. */
void sc_net_tell(host *h, uint64_t link, const sc_message *m);
/** A process looks for the coordinator at the next endpoint. */
void sc_net_next(process *p);
/** A coordinator is gone, and with it its connections. */
void sc_net_host_gone(host *h);
/** The connection of a process breaks; what is in flight is lost (`keeps_sent`: but not what the
 *  process had sent). */
void sc_net_cut(process *p, bool keeps_sent);
/** Everything on a connection takes that much longer from now on. */
void sc_net_delay(process *p, int64_t us);
/** A bystander says what somebody else has said, perhaps with a byte changed. */
void sc_net_replay(process *p);
void sc_net_free(world *w);

/* host.c */
void sc_host_start(world *w);
void sc_host_message(conn *c, const sc_message *m);
/** From a bystander: a message, or (NULL) what is none. Nothing may come of it. */
void sc_host_nonsense(conn *c, const sc_message *m, const sc_error *err);
/** The disk has room for so much; UINT64_MAX: for all that is configured. */
void sc_host_store_limit(world *w, uint64_t max_bytes);
/** The coordinator dies with all that it knew; another starts, a little later. */
void sc_host_restart(world *w);
/** Another leads, and the one that led until now does not know. */
void sc_host_take_over(world *w);
/** It has found out that it was deposed: says so, and ends when that has been read. */
void sc_host_deposed(host *h);
/** The one that listens there; NULL: nobody does. */
host *sc_host_at(const world *w, uint32_t endpoint);
/** None but the one that leads. */
bool sc_host_is_alone(const world *w);
void sc_host_lost(host *h, uint64_t link);
void sc_host_connection_ended(host *h);
/** Something was said to the core: its turn comes. */
void sc_host_after_event(host *h);
void sc_host_free(world *w);

/* journal.c */
void sc_journal_start(host *h);
/** A write, or not. @return true where it was one: nothing else is to be done */
bool sc_journal_write(host *h, const sc_action *action);
/** Its process has died, or another leads: what was not safe may be there or not, and what it
 *  writes from now on is not. */
void sc_journal_crash(host *h);
/** What is there is given to the new core, which starts at that time. */
void sc_journal_restore(host *h, int64_t at_ms);
bool sc_journal_is_idle(const host *h);
/** The last write about the tasks of a message; 0: there is none. */
uint64_t sc_journal_last_write(world *w, const sc_message *results);

/* worker.c */
/** Its loop stands still from now on. @param t  in this task, NULL: in none */
void sc_worker_stall(process *p, running *t, int64_t us);
/** An asynchronous task that has started, any; NULL: there is none. */
running *sc_worker_any_on_loop(process *p);
void sc_worker_start(world *w, uint32_t place);
/** SIGTERM. */
void sc_worker_drain(process *p);
void sc_worker_message(process *p, const sc_message *m);
/** An event: the place gets a new process, unless the cluster is stopping. */
void sc_worker_start_again(world *w, event *e);
/** Nothing of this process is said any more. */
void sc_worker_end(process *p);
void sc_worker_free(process *p);

/* supervisor.c */
void sc_supervisor_start(world *w);
void sc_supervisor_message(process *p, const sc_message *m);
/** Says what it has to say, as far as it can. */
void sc_supervisor_tell(process *p);
/** The process dies; the supervisor finds out, tells so and starts another. */
void sc_worker_kill(process *p, sc_death death);
/** The process has ended by its own will: likewise. */
void sc_worker_ended(process *p);
/** It dies, all its workers with it, and nobody tells so. */
void sc_supervisor_kill(process *p);

/* calls.c */
void sc_client_call_many(process *p, uint32_t n);
/** A call was sent to a worker. */
void sc_calls_handed(world *w, process *p, const sc_message *run);
void sc_calls_started(world *w, uint64_t payload_hash);
/** A client was sent the answer to a request. */
void sc_calls_told(process *p, uint64_t request);
/** The call with this run is blamed for a death, or (-1) after all not. */
void sc_calls_blame(world *w, uint64_t run, int by);

/* client.c */
/** Its queue has room again. */
void sc_client_room(process *p);
process *sc_client_start(world *w, uint32_t place, const char *name);
void sc_client_message(process *p, const sc_message *m);
/** At once, or in a while. */
void sc_client_submit_later(process *p, plan *j);
/** It cancels the job or a part of it, within half a second. */
void sc_client_cancel_later(process *p, plan *j);
/** It asks that a worker leaves. */
void sc_client_ask_to_leave(process *p, const process *worker);
void sc_client_stop_cluster(process *p);
/** It goes, with or without a word. */
void sc_client_leave(process *p, bool says_bye);
/** Prints what it waits for. @return how many things */
uint32_t sc_client_print(const process *p);
void sc_client_free_process(process *p);

/* told.c */
/** A client was told that a job was accepted; a result; how a job is. */
void sc_told_accepted(world *w, plan *j);
void sc_told_result(world *w, const plan *j, const sc_model_result *result);
void sc_told_state(world *w, plan *j, const sc_job_info *info);
/** The core has begun, or kept that it will begin, an attempt; it has ended a task. */
void sc_told_attempt(world *w, const plan *j, uint64_t place, uint32_t attempt);
void sc_told_core_result(world *w, const sc_uuid *job, const sc_model_result *result);
/** What clients are told of a job now is of its present life. Where it was retried, answers may
 * be late until all others have ended: then it is told anew (sc_told_audit). */
bool sc_told_is_sure(const world *w, const plan *j);
void sc_told_audit(world *w, plan *j);
/** Nothing is lost, nothing was said twice. */
void sc_told_check_end(world *w);

/* reading.c */
void sc_client_read_all(process *p, plan *j, sc_read_order order);
/** How is this job? @param wait  the answer comes when it has ended */
void sc_client_ask(process *p, plan *j, bool wait);
/** A client that knows of no coordinator asks the one there for all that was ever accepted. */
void sc_client_visit(world *w, uint32_t endpoint);

/* retry.c */
/** A client asks, in a while, that the job be tried again; not for ever. */
void sc_retry_later(world *w, plan *j);
/** A client is sent the answer to a request. */
void sc_retry_told(const process *p, uint64_t request);
/** Its record is written, or read again after a restart; the store knows it already. */
void sc_retry_noted(world *w, const sc_action *put_state);
/** Was this token given in a life of the job that is over? */
bool sc_retry_is_past(const plan *j, const sc_token *token);

/* bystander.c */
void sc_bystanders_start(world *w);
void sc_bystander_message(process *p, const sc_message *m);

/* plan.c */
extern const char *const sc_plan_handlers[N_HANDLERS];
void sc_plan_make(world *w);
/** An id for a job, made by the client. */
sc_uuid sc_plan_new_id(world *w, uint32_t number);
/** It is submitted anew, as another job: each submission has an id of its own. */
void sc_plan_take_id(plan *j, const sc_uuid *id);
void sc_plan_rename(world *w, plan *j);
void sc_plan_free(world *w);
/** Its tasks may not be repeated. */
bool sc_plan_is_once(const plan *j);
plan *sc_plan_find(const world *w, const sc_uuid *id);
/** The payload of a task. @return its length */
uint32_t sc_plan_payload(const world *w, const plan *j, uint64_t index, char *out, uint32_t size);
uint32_t sc_plan_max_payload(const plan *j);
/** The value that a task with this payload gives. @return its length */
uint32_t sc_plan_value(uint64_t payload_hash, char *out, uint32_t size);
uint64_t sc_plan_hash(const void *data, size_t len);
behaviour sc_plan_behaviour(const world *w, const plan *j, uint64_t index, uint32_t attempt);
/** The store that keeps its results. */
const sc_model_store *sc_plan_store(const world *w, const plan *j);
/** The coordinator is gone: its volatile jobs are too, and some are submitted again; of durable
 * ones what has ended is said again. */
void sc_plan_lose(world *w);
/** A volatile job was accepted and has tasks that have not ended. */
bool sc_plan_is_volatile_open(const world *w);
/** The coordinator may take a process as lost, from now until so much later. */
void sc_sim_trouble(process *p, int64_t us);
/** A task ended in the store: is that what it must be? */
void sc_plan_ended(world *w, const sc_uuid *job, const sc_model_result *result);
/** Counts (+1) whom a report blames, or takes that back (-1). */
void sc_plan_blame(world *w, const sc_died *died, int by);
void sc_plan_check_end(world *w);

/* handing.c */
/** Tasks were sent to a worker. */
void sc_plan_handed(world *w, process *p, const sc_run *run);
/** A worker starts a task: may it, and beside what runs there? */
void sc_plan_started(running *t);
/** Nothing befell the worker since it was given this, as far as the coordinator can know. */
bool sc_handing_was_safe(const handing *h);

#endif
