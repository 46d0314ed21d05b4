/* SPDX-License-Identifier: Apache-2.0 */
/* The structs that the files of the core share.
 *
 *   core.c      the root: events in, actions out, counters
 *   peers.c     sessions and their ends
 *   workers.c   worker processes: ready, draining, dead
 *   held.c      what a worker says after HELLO that it still has
 *   saved.c     what the journal keeps
 *   restore.c   what it gives back
 *   jobs.c      job states, bounds, forgetting
 *   uploads.c   how jobs come in
 *   keys.c      one job for one key
 *   parents.c   jobs that wait for others
 *   retry.c     ended jobs that are tried again
 *   tasks.c     chunks, tasks that leave the straight path
 *   exceptions.c  tasks with a history
 *   runs.c      the table of open runs
 *   room.c      which worker has room
 *   schedule.c  lanes, handing out
 *   recall.c    taking back
 *   cancel.c    cancelling, and what has not begun in time
 *   poison.c    blame for deaths, running alone
 *   results.c   what ended, reading
 *   progress.c  how far running tasks say they are
 *   calls.c     calls
 *   ask.c       questions
 *
 * Every list says in its comment which field links it. Nothing depends on addresses or on the order
 * of a hash. */
#ifndef SC_CORE_INT_H
#define SC_CORE_INT_H

#include <stdlib.h>

#include "base/fault.h"

#define HASH_NONFATAL_OOM    1 // adding may fail: then hh.tbl is NULL
#define uthash_malloc(bytes) (SC_FAULT("core.hash") ? NULL : malloc(bytes))

#include <uthash.h>
#include <utlist.h>

#include "base/heap.h"
#include "base/limits.h"
#include "base/random.h"
#include "base/slab.h"
#include "coordinator/core.h"
#include "proto/liveness.h"
#include "proto/run.h"

enum {
    N_CLASSES = SC_CLASS_CALL + 1,
    BIT_WORDS = (SC_CHUNK_MAX_TASKS + 63) / 64,
    HANDLER_WORDS = SC_MAX_HANDLERS / 64,
    RATE_SECONDS = 5,
    PAGE_MAX_BYTES = 1 << 20,                // of table and bytes in one answer
    WINDOW_BYTES = 4 << 20,                  // upload on its way: enough for 16 chunks
    ADOPT_AHEAD = 1024 * SC_CHUNK_MAX_TASKS, // places beyond those known to be handed out that a
                                             // worker may come back with after a restart
    SAVE_CHUNKS = 64, // a job's record is written again when its prefix has moved so far
    // Open runs of a worker, a message each: a quarter of what its link queues (proto/link.c), so
    // that many small runs (tasks tried again, calls) never fill it.
    MAX_RUNS_A_WORKER = 1024,
    MAX_DELAYED = 1 << 20, // tasks waiting for their next attempt; beyond it they do not wait
    MAX_TRIES =
        16, // workers looked at before a lane waits for the next turn: no cost grows with workers
    LATE_MS = 100, // a tick later than this is our own stop, not the peers' silence
};

typedef struct peer peer;
typedef struct worker worker;
typedef struct job job;
typedef struct chunk chunk;
typedef struct run run;
typedef struct report report;
typedef struct call call;
typedef struct watch watch;
typedef struct handler handler;
typedef struct range range;
typedef struct parent parent;

/* A deadline in core->timers; the kind says what it lies in. */
typedef enum timer_kind {
    TIMER_PEER,
    TIMER_PROBE,
    TIMER_STAGED,
    TIMER_DELAYED,
    TIMER_EXPIRES,
    TIMER_CALL,
    TIMER_STOP,
    TIMER_RESTORED,
    TIMER_UNREAD,
    TIMER_RETENTION
} timer_kind;
typedef struct timer {
    sc_heap_node node;
    timer_kind kind;
} timer;

/* Offsets within a chunk or run, a bit each. */
typedef struct bits {
    uint64_t words[BIT_WORDS];
} bits;

/* A kind of task. Once offered it stays known. */
struct handler {
    char name[SC_NAME_MAX + 1];
    char description[SC_DESCRIPTION_MAX + 1];
    uint32_t id; // place in core->handlers and in the bit sets
    sc_slot_kind kind;
    bool is_once;
    uint32_t n_workers;           // ready ones that offer it
    uint32_t n_runs;              // open ones
    uint64_t cost_ns;             // 90th percentile of a task; 0 = not measured
    sc_heap lanes[SC_PRIORITIES]; // jobs with something to hand out (job.lane_node), first
                                  // submitted first
    call *calls;                  // waiting calls (call.prev/next), first in first out
    UT_hash_handle hh;            // core->handlers_by_name
};

/* Workers that offer exactly the same handlers. */
typedef struct offer {
    uint64_t handlers[HANDLER_WORDS];
    uint32_t n_users;               // workers, ready or not; with none it may be made another
    worker *workers;                // ready ones (worker.offer_prev/next), in rotation
    worker *roomy[SC_N_SLOT_KINDS]; // those with room for more of a kind (worker.roomy_*[kind]), in
                                    // rotation
} offer;

typedef enum worker_state { WORKER_LISTING, WORKER_READY, WORKER_DRAINING } worker_state;

/* What a worker process is to the scheduler. Lives and dies with its peer. */
struct worker {
    peer *peer;
    worker_state state;
    uint64_t supervisor; // instance; 0 = none
    offer *offer;
    uint32_t slots[SC_N_SLOT_KINDS];
    uint32_t credit_tasks;
    uint64_t credit_bytes;
    // handed out and not ended, by kind and class; the estimate at the time of handing out
    uint32_t n_out[SC_N_SLOT_KINDS][N_CLASSES];
    uint64_t work_ns[SC_N_SLOT_KINDS][N_CLASSES];
    uint32_t n_out_all;
    uint32_t n_runs;
    uint64_t bytes_out;
    uint32_t running, waiting; // as it said last
    uint64_t n_done;
    uint64_t results_number; // last RESULTS received
    uint64_t last_write;     // the last write that its results caused
    uint64_t ack_number;     // RESULTS up to here are safe once
    uint64_t ack_write;      // this write is (0: nobody waits); then in core->unsafe
    bool must_ack;           // in core->to_ack (ack_next)
    bool is_reported;        // its supervisor said what had started (run.held) when it died
    bool is_reserved;        // a suspect task runs or will run alone here
    bool is_recalling;       // asked to give something back, and nothing came of it yet
    run *runs;               // handed out (run.prev/next), oldest first
    worker *ack_next;
    worker *unsafe_prev, *unsafe_next;     // core->unsafe
    worker *reserved_prev, *reserved_next; // core->reserved
    worker *offer_prev, *offer_next;
    worker *roomy_prev[SC_N_SLOT_KINDS], *roomy_next[SC_N_SLOT_KINDS];
    bool is_roomy[SC_N_SLOT_KINDS];
};

/* One session: who said HELLO on a connection. */
struct peer {
    uint64_t link; // 0: its connection broke while we stood still (sc_peers_unreachable)
    sc_role role;
    char name[SC_NAME_MAX + 1];
    char host[SC_NAME_MAX + 1];
    uint64_t instance;
    uint64_t pid;
    uint64_t n_hello; // number of its last HELLO
    sc_liveness liveness;
    timer timer;    // next look at its liveness
    worker *worker; // workers only
    watch *watches; // (watch.peer_prev/peer_next)
    call *calls;    // open calls of a client (call.peer_prev/peer_next)
    bool is_asker;  // has been told STOPPING; in core->n_askers
    UT_hash_handle by_link, by_instance;
};

/* Tasks of one chunk that wait to be handed out again. */
struct range {
    chunk *chunk;
    uint32_t first, count; // offsets in the chunk
    uint32_t attempt;
    bool is_unsure;     // restored: it may have been begun before, and may not be begun again
    range *prev, *next; // job.again; those of one chunk lie together
};

/* A task with a history: blamed for deaths, or waiting for its next attempt. */
typedef struct exception exception;
struct exception {
    chunk *chunk;
    uint32_t offset;
    uint32_t attempt; // of the next try
    uint64_t blamed;  // instance of the last process that it was blamed for
    uint32_t blame;   // worker processes that died while it was executing
    bool is_delayed;  // timer is set
    bool is_suspect;  // in core->suspects
    bool is_noted;    // the journal has that it may have begun (SC_SAVED_BEGUN)
    timer timer;
    exception *suspect_prev, *suspect_next; // core->suspects
};

/* The exceptions of 64 neighbours. */
typedef struct exception_page {
    uint32_t n;
    exception *at[64]; // by offset; NULL: it has no history
} exception_page;

/* A chunk that has been touched and still matters: handed out in part, not ended, or behind the
 * ended prefix. */
struct chunk {
    job *job;
    uint32_t number;
    uint64_t first; // place of its first task in the job, from 0
    uint32_t count;
    uint32_t n_ended, n_dead, n_cancelled; // n_ended with the other two
    run *runs;                             // open ones (run.chunk_prev/chunk_next)
    bits ended;
    bits *unwanted;        // cancelled while they ran; NULL: none
    bool is_fetching;      // its payload has been asked for, or is to be asked for again:
    uint32_t n_unread;     // so often it could not be read
    timer unread_timer;    // until then
    sc_slice table, bytes; // payload while it is needed; empty otherwise and in array jobs
    uint32_t n_exceptions;
    exception_page *exceptions[BIT_WORDS]; // those of 64 offsets each; NULL: none there
    range *last_again;                     // the last of its ranges in job.again; NULL: none
    UT_hash_handle hh;                     // job.chunks
};

/* What one worker was given: the table of open runs is core->runs. */
struct run {
    sc_token token; // key
    worker *worker;
    chunk *chunk; // NULL for a call
    call *call;   // NULL for a task of a job
    handler *handler;
    uint32_t first, count; // offsets in the chunk
    uint32_t n_left;
    uint32_t class;
    uint32_t attempt;
    uint64_t cost_ns; // a task's, estimated when it was handed out
    uint64_t bytes;   // of the payload that it carries
    bool is_alone;    // a suspect: nothing else runs in that worker
    bool is_adopted;  // its worker came back with it: `first` and `count` are those of the chunk
    bits left;        // offsets from `first` that have not ended
    bits held;        // while its worker lists: confirmed
    report *reports;  // of its open tasks (report.run_prev/run_next)
    run *prev, *next; // worker.runs
    run *chunk_prev, *chunk_next;
    UT_hash_handle hh;
};

/* A job that another one waits for, and may read the results of. */
struct parent {
    sc_uuid id;
    job *job;            // NULL: it is gone, or no longer needed
    job *child;          // which has this in job.parents
    parent *prev, *next; // job.children
};

/* How far an open task of a job says it is. Goes with its place in the run. */
struct report {
    struct {
        sc_token token;
        uint64_t offset; // in the run
    } key;
    run *run;
    uint64_t n, of;              // as in PROGRESS
    report *run_prev, *run_next; // run.reports
    report *job_prev, *job_next; // job.reports
    UT_hash_handle hh;           // core->reports
};

/* What is known of a chunk before it is touched. */
typedef struct chunk_info {
    uint64_t first; // place of its first task
    uint64_t bytes; // of its payload
    bool is_stored;
} chunk_info;

struct job {
    sc_uuid id;
    char name[SC_LABEL_MAX + 1];
    char *key;             // NULL: none
    sc_uuid digest;        // of its content; from its COMMIT on
    UT_hash_handle by_key; // core->keys, from then on
    handler *handler;
    sc_job_state state;
    uint32_t priority;
    uint64_t number;                    // in the journal; 0: volatile
    uint64_t last_write;                // number of the last write about it
    uint64_t position;                  // ended tasks kept so far, undone ones too
    sc_undone undone;                   // ended tasks that are tried again
    sc_undone asked;                    // of a retry that waits for the journal; 0: there is none
    uint64_t asked_by, asked_request;   // client and request of it
    uint64_t retried_by, retry_request; // and of the last one
    uint64_t seq;                       // order of submission
    bool is_array;
    uint64_t first_index; // index = first_index + place
    uint64_t n_tasks;
    uint32_t retries;
    uint64_t backoff_base_ms, backoff_max_ms;
    uint64_t timeout_ms, kill_after_ms, expires_ms; // as in OPEN
    parent *parents;                                // array of n_parents
    uint32_t n_parents;
    uint32_t n_unmet; // of these have not ended: while > 0 the job is in no lane
    bool on_any;      // they need not succeed
    parent *children; // jobs that need this one, which is kept as long
    timer expires_timer;
    bool has_expired;                    // what has not begun is dead
    sc_slice pieces_table, pieces_bytes; // array: arguments
    // upload
    uint64_t client;    // instance of the uploader
    uint64_t opening;   // its OPEN, of all there were
    bool is_unsaid;     // it was gone, or said HELLO, and has not said OPEN of this since
    bool is_opened;     // the store has answered PUT_OPEN
    bool is_committing; // COMMIT has come
    bool is_committed;  // and the store has it
    uint64_t commit_request;
    uint32_t n_chunks;        // received
    uint32_t n_stored_chunks; // the store has answered these and all before them
    chunk_info *chunk_infos;  // of every chunk; uploaded jobs only
    uint32_t chunk_infos_max;
    uint64_t queued_bytes; // payload of chunks whose tasks have not all ended; part of stored_bytes
    timer staged_timer;
    // progress
    uint64_t queued, delayed, running, done, dead, cancelled; // sum to n_tasks
    uint64_t next;         // place of the first task never handed out
    uint64_t stop;         // no task from here on ever will be: n_tasks, or the rest is cancelled
    uint64_t prefix;       // all places below have ended
    uint64_t handed;       // handlers that may not be repeated: below, tasks may be handed out
    uint64_t handed_write; // none of its tasks is handed out before this write is safe; 0: any may
    bool is_waiting;       // restored: workers have not said yet what they hold; in no lane
    struct {
        uint64_t prefix, done, dead, cancelled;
    } behind; // places of chunks that have ended and been let go: below `prefix`, the first of a
              // chunk; what is written of them
    uint64_t adopt_until;  // restored: workers may come back with places below
    uint64_t saved_prefix; // behind.prefix when it was written last
    range *again;          // to be handed out before `next` (range.prev/next)
    bool is_next_fetching; // the chunk of `next` has been asked for
    chunk *chunks;         // touched ones, by number
    report *reports;       // of running tasks, in the order of their first
    uint64_t n_reports;
    bool is_in_lane;
    sc_heap_node lane_node;         // handler.lanes[priority], keyed by seq
    uint64_t stored_bytes;          // payload and results in the store
    uint64_t n_dropped;             // results dropped to make room
    int64_t submitted_at, ended_at; // unix ms
    bool has_news;                  // in core->news (news_next)
    job *news_next;
    job *handed_prev, *handed_next; // core->handed, while handed_write is not safe
    watch *watches;                 // readers and waiters (watch.job_prev/job_next)
    job *order_prev, *order_next;   // core->staged or core->jobs_by_age
    job *ended_prev, *ended_next;   // core->jobs_ended
    bool may_go;                    // it is in there
    int64_t kept_from;              // unix ms; since then
    UT_hash_handle hh;              // core->jobs
};

struct call {
    uint64_t number; // ours
    struct {
        uint64_t instance, request;
    } key;
    peer *client; // NULL: it goes on without, or is over
    bool is_over; // in core->calls_over (prev/next); only the key counts
    handler *handler;
    sc_slice table, bytes;
    run *run;          // NULL while it waits in handler.calls
    uint64_t lost_run; // number of the last one whose worker was lost; 0 = none
    uint64_t blamed;   // instance of the last process that it was blamed for
    uint32_t blame;
    timer timer;                 // its time limit
    call *prev, *next;           // handler.calls
    call *peer_prev, *peer_next; // peer.calls
    UT_hash_handle hh;           // core->calls
    UT_hash_handle by_lost;      // core->calls_lost, while lost_run is set
};

/* A question that is answered later: READ, ASK JOB and ASK HANDLERS with wait, CANCEL and RETRY of
 * a durable job. */
struct watch {
    peer *peer;
    job *job; // NULL: for the first ready worker (core->watches)
    uint64_t request;
    bool is_read;
    sc_read read;
    bool is_retry;  // RETRY: the journal has been asked
    uint64_t after; // CANCEL, RETRY: to be answered once this write is safe; 0: neither
    uint32_t of;    // OPEN or COMMIT of a job that is this one, to be acknowledged once it is safe
    watch *peer_prev, *peer_next;
    watch *job_prev, *job_next; // job.watches or core->watches
};

struct sc_core {
    sc_core_options options;
    char host[SC_NAME_MAX + 1];
    sc_core_emit emit;
    void *arg;
    int64_t now_ms;
    int64_t started_ms;
    timer stop_timer;
    timer probe_timer;    // set where a connection has ended
    timer restored_timer; // while restored jobs wait for workers
    bool is_restoring;
    int64_t restored_ms;    // when they began to
    timer retention_timer;  // of the job that ended first
    int64_t stop_by_ms;     // when those who drain have had their time
    int64_t unix_offset_ms; // unix time = now_ms + this
    sc_random random;
    sc_heap timers;
    bool has_had_workers; // or their supervisors
    bool is_stopping;     // asked to end: nothing new is taken
    bool is_leaving;      // waits for nobody but the askers, and for those one lease
    bool has_exited;
    bool is_deposed; // who comes is told to look for who leads; nothing else happens

    peer *by_link, *by_instance; // hashes
    int64_t awake_ms;            // when it was looked last whether we had stood still
    int64_t forgive_until_ms;    // until then a broken connection ends no session
    uint32_t n_peers, n_clients, n_askers, n_ready;
    offer *offers[SC_MAX_PEERS]; // a handful; each worker's own in the worst case
    uint32_t n_offers;
    uint32_t next_offer; // the one to ask first, so that all get their turn
    handler *handlers[SC_MAX_HANDLERS];
    uint32_t n_handlers;
    handler *handlers_by_name;
    uint64_t lanes_used[N_CLASSES][HANDLER_WORDS]; // handlers with something waiting in a class

    job *jobs;        // hash
    job *keys;        // hash by key
    job *staged;      // being uploaded (job.order_*)
    job *jobs_by_age; // all others, first submitted first (job.order_*)
    job *jobs_ended; // of these the ended ones that no other needs, in the order in which they will
                     // be forgotten (job.ended_*)
    job *first_kept; // first of jobs_ended whose results have not been dropped
    uint64_t n_jobs, n_open, next_seq;
    uint64_t next_number;       // of a durable job
    uint64_t n_openings;        // OPENs that were taken
    uint64_t n_writes, written; // about durable jobs: emitted; safe
    bool is_in_trouble;         // the journal cannot be written, and why
    char trouble[SC_ERROR_TEXT];
    job *handed;    // jobs that wait for a write before they hand out more
    worker *unsafe; // workers whose results wait for a write, in its order
    uint64_t queue_bytes, stored_bytes, store_max_bytes;
    uint64_t spilled_bytes; // of stored_bytes, as the store says
    uint64_t ended_bytes;   // of stored_bytes, results of ended jobs: can be dropped
    uint32_t n_staged;

    run *runs;       // hash by token: the open runs
    report *reports; // hash by token and offset
    uint64_t next_run;
    call *calls; // hash by client and request
    uint64_t next_call;
    uint32_t n_calls, n_calls_running; // without those that are over
    call *calls_lost;                  // hash by lost_run
    call *calls_over;                  // that may not be begun again, first ended first
    uint32_t n_over;
    uint64_t call_bytes; // payload of all calls
    watch *watches;
    uint32_t n_watches;
    exception *suspects;
    worker *reserved; // workers kept for suspects
    uint32_t n_reserved, n_delayed;
    worker *to_ack;
    job *news;

    sc_slab run_slab, chunk_slab, range_slab, exception_slab, exception_page_slab, call_slab,
        watch_slab, report_slab;

    sc_cluster totals; // counters only
    struct {
        int64_t second;
        uint64_t started, ended;
    } rates[RATE_SECONDS + 1];
};

/* What a worker is to have room for: tasks of a handler and class, the first of so many bytes. */
typedef struct demand {
    handler *handler;
    uint32_t class;
    uint64_t bytes;
} demand;

/* Tasks that have ended, by outcome. */
typedef struct outcomes {
    uint32_t done, dead, cancelled;
} outcomes;

/* How an attempt failed. */
typedef struct failure {
    uint32_t attempt;
    sc_text worker, error; // JSON
} failure;

/* Zeroed memory, NULL without. Who may refuse does so with SC_ENOMEM; where a task would be lost by
 * that, the process ends, and what is durable comes back with the next. */
static inline void *
sc_core_alloc(size_t n, size_t size)
{
    return SC_FAULT("core.alloc") ? NULL : calloc(n, size);
}

/* sets of handlers, by id */
static inline bool
sc_set_has(const uint64_t *set, uint32_t id)
{
    return set[id / 64] >> (id % 64) & 1;
}
static inline void
sc_set_put(uint64_t *set, uint32_t id, bool is_in)
{
    uint64_t bit = (uint64_t)1 << (id % 64);
    set[id / 64] = is_in ? set[id / 64] | bit : set[id / 64] & ~bit;
}

/* bits */
static inline bool
bit_get(const bits *b, uint32_t i)
{
    return b->words[i / 64] >> (i % 64) & 1;
}
static inline void
bit_set(bits *b, uint32_t i)
{
    b->words[i / 64] |= (uint64_t)1 << (i % 64);
}
static inline void
bit_clear(bits *b, uint32_t i)
{
    b->words[i / 64] &= ~((uint64_t)1 << (i % 64));
}
// Another after each retry, for it follows a retry's undone marks, which grow.
static inline uint64_t
sc_job_life(const job *j)
{
    return j->undone.dead_before;
}
// May its tasks be handed out, wherever they wait?
static inline bool
sc_job_may_begin(const job *j)
{
    return !j->is_waiting && !j->handed_write && j->n_unmet == 0;
}
// Cancelled while it runs?
static inline bool
sc_tasks_is_unwanted(const chunk *c, uint32_t offset)
{
    return c->unwanted && bit_get(c->unwanted, offset);
}
/** The next stretch of set bits at or after `from` below `end`. @return false where there is none
 */
bool sc_bits_next(const bits *b, uint32_t from, uint32_t end, uint32_t *first, uint32_t *count);
void sc_bits_set(bits *b, uint32_t first, uint32_t count);

#include "coordinator/core_parts.h"

#endif
