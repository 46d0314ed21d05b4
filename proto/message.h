/* SPDX-License-Identifier: Apache-2.0 */
/* The messages between client, coordinator, worker and supervisor, and the only place that encodes
 * and decodes them. docs/protocol.md has the grammar and says who sends what when; both change in
 * one commit.
 *
 * On the wire a message is one header frame (msgpack: a map from small integers to values, key 0 is
 * the type), and, where it carries a payload, two more frames: a table of fixed-size records and
 * the bytes they describe (run.h). Unknown keys are skipped and missing ones are zero, so fields
 * can be added; a key never changes its meaning. Decoding is safe on any bytes: depth, counts and
 * sizes are checked before anything is unpacked or allocated. */
#ifndef SC_MESSAGE_H
#define SC_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/uuid.h"
#include "proto/blob.h"

enum { SC_PROTOCOL_MIN = 1, SC_PROTOCOL_MAX = 1 };

/* X(number, SYMBOL, member of the union, struct). Numbers never change. */
#define SC_MESSAGES(X)                                                                             \
    X(1, HELLO, hello, sc_hello)                                                                   \
    X(2, WHO, who, sc_who)                                                                         \
    X(3, WELCOME, welcome, sc_welcome)                                                             \
    X(4, REFUSED, refused, sc_refused)                                                             \
    X(5, READY, ready, sc_ready)                                                                   \
    X(6, HEARTBEAT, heartbeat, sc_heartbeat)                                                       \
    X(7, BYE, bye, sc_bye)                                                                         \
    X(10, OPEN, open, sc_open)                                                                     \
    X(11, CHUNK, chunk, sc_chunk)                                                                  \
    X(12, COMMIT, commit, sc_commit)                                                               \
    X(13, ACK, ack, sc_ack)                                                                        \
    X(14, DROP, drop, sc_drop)                                                                     \
    X(15, CANCEL, cancel, sc_cancel)                                                               \
    X(16, RETRY, retry, sc_retry)                                                                  \
    X(20, RUN, run, sc_run)                                                                        \
    X(21, RESULTS, results, sc_results)                                                            \
    X(22, RESULTS_ACK, results_ack, sc_results_ack)                                                \
    X(23, RECALL, recall, sc_recall)                                                               \
    X(24, RECALLED, recalled, sc_recalled)                                                         \
    X(25, HELD, held, sc_held)                                                                     \
    X(26, PROGRESS, progress, sc_worker_progress)                                                  \
    X(30, CALL, call, sc_call)                                                                     \
    X(31, REPLY, reply, sc_reply)                                                                  \
    X(40, ASK, ask, sc_ask)                                                                        \
    X(41, JOBS, jobs, sc_jobs)                                                                     \
    X(42, WORKERS, workers, sc_workers)                                                            \
    X(43, HANDLERS, handlers, sc_handlers)                                                         \
    X(44, CLUSTER, cluster, sc_cluster)                                                            \
    X(50, READ, read, sc_read)                                                                     \
    X(51, PAGE, page, sc_page)                                                                     \
    X(60, DIED, died, sc_died)                                                                     \
    X(61, STOP, stop, sc_stop)                                                                     \
    X(62, STOPPING, stopping, sc_stopping)                                                         \
    X(63, DRAIN, drain, sc_drain)                                                                  \
    X(64, DRAINING, draining, sc_draining)

typedef enum sc_message_type {
#define SC_MESSAGE_ENUM(number, symbol, member, type) SC_MSG_##symbol = number,
    SC_MESSAGES(SC_MESSAGE_ENUM)
#undef SC_MESSAGE_ENUM
} sc_message_type;

/* A text in a message: not terminated, valid UTF-8 without control characters (decode refuses
 * others). Decoded, it lives as long as the frame it came in. */
typedef struct sc_text {
    const char *data;
    uint32_t len;
} sc_text;

/* A list of structs. Decoded, it lives until the decoder's next message. */
typedef struct sc_list {
    const void *items;
    uint32_t n;
} sc_list;

/* Which giving out of a task this is: an older token never counts. */
typedef struct sc_token {
    uint64_t epoch; /* start of the coordinator that gave it */
    uint64_t run;   /* number of the run within the epoch, from 1 */
} sc_token;

typedef enum sc_role { SC_ROLE_CLIENT = 1, SC_ROLE_WORKER, SC_ROLE_SUPERVISOR } sc_role;

/* Where a handler runs: on the worker's loop, or in one of its threads. */
typedef enum sc_slot_kind { SC_SLOT_ASYNC, SC_SLOT_THREAD, SC_N_SLOT_KINDS } sc_slot_kind;

typedef enum sc_job_state {
    SC_JOB_STAGED,
    SC_JOB_OPEN,
    SC_JOB_RUNNING,
    SC_JOB_SUCCEEDED,
    SC_JOB_FAILED,
    SC_JOB_CANCELLED,
    SC_N_JOB_STATES
} sc_job_state;

/* How a task ended. */
typedef enum sc_outcome { SC_DONE, SC_DEAD, SC_CANCELLED, SC_N_OUTCOMES } sc_outcome;

/* ---- sessions ---- */

typedef struct sc_hello_handler {
    sc_text name, description;
    uint32_t kind; /* sc_slot_kind */
    bool is_once;  /* may not be repeated after it has started */
} sc_hello_handler;

/* First message of every peer, and again whenever it is asked WHO. */
typedef struct sc_hello {
    uint32_t role;     /* sc_role */
    sc_text name;      /* stable; unique within a role */
    uint64_t instance; /* random, new at each process start, never 0 */
    uint32_t protocol_min, protocol_max;
    sc_text version, host;
    uint64_t pid;
    /* workers only */
    uint64_t
        supervisor; /* instance of the supervisor that will report this process's death; 0 = none */
    uint32_t slots_async, slots_thread;
    uint32_t credit_tasks;
    uint64_t credit_bytes;
    sc_list handlers; /* sc_hello_handler */
    uint64_t number;  /* counts the HELLOs of this process, from 1; 0 = it does not count */
} sc_hello;

/* "I do not know you, say HELLO": the answer to anything else on an unknown connection. */
typedef struct sc_who {
    uint64_t epoch;
} sc_who;

typedef struct sc_welcome {
    uint32_t protocol;
    uint64_t epoch; /* start of this coordinator: another value means it has forgotten what was
                       volatile */
    sc_text version, host;
    uint64_t pid;
    uint64_t heartbeat_ms, lease_ms;
    uint64_t task_max_bytes;
    uint64_t hello; /* number of the HELLO that it answers */
} sc_welcome;

/* A request refused (request > 0), or the whole session (request = 0). */
typedef struct sc_refused {
    uint64_t request;
    int64_t code;                        /* SC_E... */
    sc_text text;                        /* what happened, to what, what to do */
    uint32_t protocol_min, protocol_max; /* with SC_EVERSION */
    sc_text version;                     /* with SC_EVERSION: of the coordinator */
} sc_refused;

/* Ends the list of what a worker holds; from here on it may get runs. */
typedef struct sc_ready {
    bool is_draining; /* it takes nothing new */
} sc_ready;

typedef struct sc_heartbeat {
    uint32_t running, waiting; /* tasks in a worker */
    bool is_draining;
} sc_heartbeat;

/* This peer leaves by its own will and holds nothing. */
typedef struct sc_bye {
    sc_text reason;
} sc_bye;

/* ---- upload: client to coordinator ---- */

/* A job that another waits for. */
typedef struct sc_parent {
    sc_uuid job;
    uint32_t state; /* in JOBS: its sc_job_state; SC_JOB_STAGED: forgotten. Else 0 */
} sc_parent;

/* Opens a staged job; with is_array it is complete with this message and needs no COMMIT.
 * Payload of an array: the pieces of its arguments (n_tasks indexes from first_index stand between
 * them). */
typedef struct sc_open {
    uint64_t request;
    sc_uuid job;
    sc_text name, handler, queue;
    uint32_t priority; /* 0..9 */
    bool is_array;
    uint64_t first_index, n_tasks; /* with is_array: n_tasks 1..2^31 */
    uint32_t retries;              /* further attempts after a failed one */
    uint64_t backoff_base_ms, backoff_max_ms;
    bool is_durable;                    /* kept in the journal: it survives the coordinator */
    uint64_t timeout_ms, kill_after_ms; /* of an attempt, as in RUN; 0: none */
    uint64_t expires_ms; /* what has not begun so long after the job was whole is dead; 0: never */
    sc_text key;    /* empty: none. While a job of this key is kept, the same content is that job */
    sc_uuid digest; /* with a key: of the content (client/digest.h), where all of it is known: of an
                       array always; nil: COMMIT says it */
    sc_list after;  /* sc_parent: nothing of it is handed out before these have ended, */
    bool on_any;    /* however: else it is cancelled where one has not succeeded */
} sc_open;

/* Tasks first..first+count-1; the table has a length for each. Chunks come in order: number k
 * follows k-1. */
typedef struct sc_chunk {
    uint64_t request;
    sc_uuid job;
    uint32_t number; /* from 0 */
    uint64_t first;
    uint32_t count; /* 1..1000 */
} sc_chunk;

typedef struct sc_commit {
    uint64_t request;
    sc_uuid job;
    uint32_t n_chunks;
    uint64_t n_tasks;
    sc_uuid digest; /* of a job with a key */
} sc_commit;

/* Answer to OPEN, CHUNK and COMMIT. Saying one of them again gets the same answer. Where it names
 * another job, that one has the same key and the same content: what was uploaded is gone. */
typedef struct sc_ack {
    uint64_t request;
    sc_uuid job;
    uint32_t of;           /* sc_message_type */
    uint32_t number;       /* of the chunk; after OPEN: the first chunk that is not here yet */
    uint64_t window_bytes; /* payload bytes that may be on their way unacknowledged */
} sc_ack;

/* The client gives its staged job up. No answer. */
typedef struct sc_drop {
    sc_uuid job;
} sc_drop;

/* No task of these is to be begun any more, and what runs of them is to end: answered with JOBS,
 * the job as it is then, once that is safe. */
typedef struct sc_cancel {
    uint64_t request;
    sc_uuid job;
    uint64_t first, count; /* indexes; count 0: all tasks of the job */
} sc_cancel;

/* Tasks of an ended job that are dead or cancelled are tried again, from attempt 1 on. */
typedef struct sc_retry {
    uint64_t request;
    sc_uuid job;
    bool is_dead_only; /* cancelled ones stay so */
} sc_retry;

/* ---- runs: coordinator and worker ---- */

enum { SC_CLASS_CALL = 10 }; /* priorities 0..9 below it */

/* Tasks first..first+count-1 of one job. Payload: a length for each task and their bytes; of an
 * array, a length for each piece of the arguments. A call is a run of one task with the nil job. */
typedef struct sc_run {
    sc_uuid job;
    sc_text handler;
    sc_token token;
    uint64_t first;
    uint32_t count;
    uint32_t class;   /* priority, or SC_CLASS_CALL */
    uint32_t attempt; /* from 1 */
    bool is_array;
    uint64_t timeout_ms; /* a task that runs for longer is told to end, and has failed; 0: none */
    uint64_t kill_after_ms; /* one that still runs then takes its process with it; 0: none */
    uint64_t life; /* another where the job was retried: what it named may have other results now */
} sc_run;

/* Ended tasks of one run: a record (run.h) and a value for each. */
typedef struct sc_results {
    uint64_t number; /* of this message on this link since HELLO, from 1 */
    sc_uuid job;
    sc_token token;
    uint64_t base;    /* records' indexes count from here */
    uint64_t cost_ns; /* 90th percentile of what this handler's tasks took in this worker lately */
} sc_results;

/* All RESULTS up to this number are safe: the worker may forget them. */
typedef struct sc_results_ack {
    uint64_t number;
} sc_results_ack;

typedef enum sc_recall_mode {
    SC_RECALL_WAITING, /* give back what has not started */
    SC_RECALL_CANCEL,  /* that, and cancel what runs (it ends as cancelled) */
    SC_RECALL_FORGET,  /* throw all of it away, results too; no answer */
} sc_recall_mode;

typedef struct sc_recall {
    sc_uuid job;
    sc_token token; /* one run; run = 0: every run of the job */
    uint64_t first, count;
    uint32_t mode;     /* sc_recall_mode */
    uint64_t grace_ms; /* cancel: what runs on for longer takes its process with it; 0: no limit */
} sc_recall;

typedef struct sc_range {
    uint64_t first, count;
} sc_range;

/* What a RECALL brought back; sent even where it is nothing. */
typedef struct sc_recalled {
    sc_uuid job;
    sc_token token;
    sc_list ranges; /* sc_range, ascending */
} sc_recalled;

typedef struct sc_held_run {
    sc_uuid job;
    sc_token token;
    uint64_t first, count;
    bool is_started;
    uint32_t attempt; /* of RUN, */
    uint64_t life;    /* too: what is held of an earlier one is over */
    bool is_ended;    /* its results are held: they are said again after READY */
} sc_held_run;

/* Part of the list of what a worker holds, results not yet acknowledged included. READY ends it. */
typedef struct sc_held {
    sc_list runs; /* sc_held_run */
} sc_held;

/* How far a running task says it is. */
typedef struct sc_progress_row {
    sc_token token; /* of its run; not in JOBS */
    uint64_t index;
    uint64_t n, of; /* n 0..of; of 0: nobody knows of how many */
} sc_progress_row;

/* What running tasks of this worker have said since they were in the last one. No answer. */
typedef struct sc_worker_progress {
    sc_list tasks; /* sc_progress_row */
} sc_worker_progress;

/* ---- calls ---- */

/* Payload: one length, the arguments. */
typedef struct sc_call {
    uint64_t request;
    sc_text handler;
    uint64_t timeout_ms; /* 0 = none; what has not ended by then is answered SC_ETIMEOUT */
} sc_call;

/* Payload: one record, the value. */
typedef struct sc_reply {
    uint64_t request;
    sc_text worker;
} sc_reply;

/* ---- questions ---- */

typedef enum sc_ask_what {
    SC_ASK_CLUSTER = 1, /* CLUSTER */
    SC_ASK_JOB,         /* JOBS with one, or REFUSED unknown_job, ambiguous_job */
    SC_ASK_JOBS,        /* JOBS, newest first */
    SC_ASK_WORKERS,     /* WORKERS */
    SC_ASK_HANDLERS,    /* HANDLERS */
} sc_ask_what;

typedef struct sc_ask {
    uint64_t request;
    uint32_t what; /* sc_ask_what */
    sc_uuid job;   /* JOB: id or zero-filled prefix; JOBS: list those before this one (nil: from the
                      newest) */
    uint32_t n_digits; /* of the prefix; 32 = whole */
    bool wait;         /* JOB: answer when it has ended; HANDLERS: answer once a worker is ready */
    uint32_t states;   /* JOBS: bit 1 << sc_job_state of those wanted; 0 = all */
    uint32_t offset; /* WORKERS, HANDLERS: skip this many; the answer says whether there are more */
} sc_ask;

typedef struct sc_job_info {
    sc_uuid id;
    sc_text name, handler;
    uint32_t state, priority;
    uint64_t total, queued, delayed, running, done, dead, cancelled; /* the six sum to total */
    int64_t submitted_at, ended_at; /* unix ms; ended_at 0 while it has not ended */
    sc_text key;                    /* empty: none */
    sc_list after;                  /* sc_parent; in the answer about one job alone */
    bool on_any;
    bool is_unoffered;    /* no ready worker offers its handler now */
    bool is_retried;      /* tasks of it that had ended were tried again */
    uint64_t n_reporting; /* running tasks that have said how far they are */
} sc_job_info;

typedef struct sc_jobs {
    uint64_t request;
    bool has_more;    /* ask again from the last id */
    sc_list jobs;     /* sc_job_info */
    sc_list after;    /* sc_parent; of the job, where one was asked for */
    sc_list progress; /* sc_progress_row, where one job was asked for: those of its running tasks
                         that began first to say how far they are, by index */
} sc_jobs;

typedef struct sc_worker_info {
    sc_text name, host, state;
    uint64_t pid;
    uint32_t slots_async, slots_thread, credit, running, waiting;
    uint64_t done;
} sc_worker_info;

typedef struct sc_workers {
    uint64_t request;
    bool has_more;
    sc_list workers; /* sc_worker_info, by name */
} sc_workers;

typedef struct sc_handler_info {
    sc_text name, description;
    uint32_t workers;
} sc_handler_info;

typedef struct sc_handlers {
    uint64_t request;
    bool has_more;
    sc_list handlers; /* sc_handler_info, by name */
} sc_handlers;

/* Counters since the start of the coordinator unless it says otherwise. */
typedef struct sc_cluster {
    uint64_t request;
    sc_text version, host;
    uint64_t pid, epoch;
    int64_t started_at; /* unix ms */
    uint64_t workers, clients, jobs, jobs_open;
    uint64_t queued, delayed, running, done, dead, cancelled; /* tasks of the jobs it remembers */
    uint64_t calls_running, calls_done;
    double started_per_s, ended_per_s;  /* over the last 5 s */
    uint64_t memory_bytes, spill_bytes; /* payloads and results in the store */
    uint64_t refused, malformed, unknown_results,
        peers_lost; /* messages refused or dropped; peers that fell silent */
} sc_cluster;

/* ---- results ---- */

typedef enum sc_read_order {
    SC_READ_INDEX,       /* by index, stop at the first task that has not ended */
    SC_READ_INDEX_ENDED, /* by index, skip tasks that have not ended */
    SC_READ_ENDED,       /* as they ended; `from` counts ended tasks */
    SC_READ_DEAD,        /* by index, dead ones; of a volatile job others, too */
    SC_READ_TRIES, /* by index, tries that failed and were not the last of their task, since the
                      job was retried; values {"at":unix ms,"error":...}; none of a volatile job */
    SC_N_READ_ORDERS
} sc_read_order;

typedef struct sc_read {
    uint64_t request;
    sc_uuid job;
    uint64_t from;      /* an index, or with SC_READ_ENDED a position from 0 */
    uint32_t order;     /* sc_read_order */
    uint32_t max_bytes; /* of table and bytes; at least one result comes, however large */
    bool wait;          /* nothing there yet: answer once there is, or the job has ended */
} sc_read;

typedef struct sc_worker_name {
    sc_text name;
} sc_worker_name;

/* Payload: records whose `worker` indexes `workers` and whose indexes count from base; values. */
typedef struct sc_page {
    uint64_t request;
    sc_uuid job;
    uint64_t base;
    uint64_t next;      /* `from` of the next READ */
    bool is_end;        /* the job has ended and nothing follows */
    uint64_t n_dropped; /* results of this job that the store had no room to keep */
    sc_list workers;    /* sc_worker_name */
} sc_page;

/* ---- supervisor, end ---- */

typedef enum sc_death {
    SC_DEATH_FAULT,   /* SEGV, BUS, ABRT, FPE, ILL, or an exit of its own */
    SC_DEATH_STALLED, /* killed by its supervisor: its loop stood still */
    SC_DEATH_KILLED,  /* any other signal, as by the kernel out of memory */
    SC_DEATH_STOPPED, /* it was asked to end */
} sc_death;

typedef struct sc_task_ref {
    sc_uuid job;
    sc_token token;
    uint64_t index;
    bool is_executing; /* code of it was running; otherwise it had started and waited */
    bool is_on_loop;   /* it was executing on the loop */
} sc_task_ref;

/* A worker process has ended, with the tasks that had started in it. */
typedef struct sc_died {
    sc_text worker;
    uint64_t instance;
    uint32_t death;  /* sc_death */
    uint32_t detail; /* the signal or the exit status */
    sc_list started; /* sc_task_ref */
} sc_died;

/* Client to coordinator: end the cluster. Coordinator to supervisor: drain and end. */
typedef struct sc_stop {
    uint64_t request;
} sc_stop;

typedef struct sc_process {
    uint64_t pid;
} sc_process;

/* Answer to STOP: the processes on the coordinator's host to wait for. */
typedef struct sc_stopping {
    uint64_t request;
    sc_text host;
    sc_list processes; /* sc_process */
} sc_stopping;

/* Client to coordinator: this worker, or all that this supervisor looks after and it too, finishes
 * what runs, gives back what waits, leaves, and is not started again. It may be asked again, to see
 * how far that is. Coordinator to supervisor (request 0): this worker. */
typedef struct sc_drain {
    uint64_t request;
    sc_text name; /* of a worker, else of a supervisor */
} sc_drain;

/* Answer to DRAIN. */
typedef struct sc_draining {
    uint64_t request;
    uint32_t n_processes; /* that have not left yet; 0: workers are coming back, ask again */
} sc_draining;

typedef struct sc_message {
    sc_message_type type;
    union {
#define SC_MESSAGE_MEMBER(number, symbol, member, type) type member;
        SC_MESSAGES(SC_MESSAGE_MEMBER)
#undef SC_MESSAGE_MEMBER
    };
    sc_slice table, bytes; /* the payload; both empty where there is none */
} sc_message;

typedef struct sc_decoder sc_decoder;

/** Memory for decoding, reused from message to message. */
int sc_decoder_new(sc_decoder **out);
void sc_decoder_free(sc_decoder **decoder);

/** Decode a header; the caller puts table and bytes beside it. Texts point into `data`, lists into
 * the decoder: both live until its next use.
 *  @return 0; SC_EMALFORMED with the reason in `err` (may be NULL); SC_ENOMEM */
SC_MUST_USE int sc_message_decode(sc_decoder *decoder, const uint8_t *data, size_t len,
                                  sc_message *out, sc_error *err);

/** Append the header of a message. What can be encoded can be decoded.
 *  @return 0; SC_ELIMIT (the bound of the buffer or of a header); SC_EBADARG (a field out of its
 * range); SC_ENOMEM */
SC_MUST_USE int sc_message_encode(const sc_message *message, sc_buffer *header);

/** "HELLO"; "?" for an unknown number. */
const char *sc_message_name(sc_message_type type);
/** "succeeded" and so on; "?" for an unknown number. */
const char *sc_job_state_name(uint32_t state);
/** "done", "dead", "cancelled"; "?" for an unknown number. */
const char *sc_outcome_name(uint32_t outcome);
/** True for the states in which a job has ended. */
bool sc_job_has_ended(uint32_t state);

/** A C string as a text; NULL is the empty one. */
sc_text sc_text_of(const char *string);
bool sc_text_equal(sc_text text, const char *string);
/** Copies into `out`, always terminated, cut at size - 1. Returns `out`. */
char *sc_text_copy(sc_text text, char *out, size_t size);

#endif
