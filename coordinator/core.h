/* SPDX-License-Identifier: Apache-2.0 */
/* The coordinator's core: who is there, which jobs there are, which task goes where, what has
 * ended. It is pure: it takes events with the time and emits actions; it owns no socket, clock,
 * thread or file. The shell (shell.c) and the simulation (tests/sim) drive it alike.
 *
 * Rules: one event at a time; an action is borrowed and is carried out or copied before `emit`
 * returns; `emit` never enters the core again (what a store or a link has to say comes later, as an
 * event). Same events, same times, same seed: same actions. */
#ifndef SC_CORE_H
#define SC_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/uuid.h"
#include "coordinator/saved.h"
#include "proto/blob.h"
#include "proto/message.h"

#ifdef SC_POOL_H
#error "the coordinator never sees a database: no pool/ here"
#endif

typedef struct sc_core sc_core;

typedef struct sc_core_options {
    uint64_t epoch;       /* start of this coordinator; greater than that of any before it */
    uint64_t next_number; /* of the next durable job; 0: above those that are restored */
    uint64_t seed;        /* of the backoff's jitter */
    uint64_t parent_pid;  /* of the process that looks after us (`seedcore up`), 0 = none */
    uint64_t pid;
    const char *host;
    int64_t started_unix_ms;
    int64_t heartbeat_ms, lease_ms;
    int64_t staged_timeout_ms;
    int64_t waiting_ms; /* measured work that may wait in a worker */
    int64_t drain_timeout_ms;
    int64_t cancel_grace_ms;  /* what runs on for longer after it was cancelled is ended hard */
    uint64_t queue_max_bytes; /* payloads of all jobs that have not ended */
    uint64_t store_max_bytes; /* payloads and results in the store together */
    uint64_t max_jobs;
    int64_t retention_ms; /* ended jobs are forgotten after this */
    bool is_shared;       /* others may lead in our place: peers look for us at several endpoints */
} sc_core_options;

/* Comes back with SC_EVENT_STORED as it went out. */
typedef struct sc_ticket {
    sc_uuid job;
    uint64_t client; /* instance of the client to answer */
    uint64_t request;
    uint32_t of;      /* SC_MSG_OPEN, SC_MSG_CHUNK, SC_MSG_COMMIT */
    uint32_t number;  /* of the chunk */
    uint64_t opening; /* which OPEN of the id: what is said of one that was dropped is nothing */
} sc_ticket;

/* A question to the store, answered by SC_EVENT_RESULTS. */
typedef struct sc_store_read {
    sc_uuid job;
    uint64_t client, request; /* who asked, for the answer */
    uint64_t from, until;     /* indexes from..until-1; with SC_READ_ENDED positions from.. */
    uint32_t order; /* sc_read_order; both index orders mean: what is there, by index; DEAD
                       and TRIES: of durable jobs alone */
    uint32_t max_bytes;
    uint64_t first_index; /* durable jobs: index of place 0, */
    uint64_t after;       /* the number of the write that must be safe before, */
    sc_undone undone;     /* and what is left out since it is tried again */
} sc_store_read;

typedef enum sc_action_type {
    SC_ACTION_SEND,         /* message to a connection; refused: SC_EVENT_SEND_FAILED, later */
    SC_ACTION_PUT_OPEN,     /* keep the job's record; answered by SC_EVENT_STORED */
    SC_ACTION_PUT_CHUNK,    /* keep a chunk's payload; answered by SC_EVENT_STORED */
    SC_ACTION_PUT_COMMIT,   /* the job is whole; answered by SC_EVENT_STORED */
    SC_ACTION_GET_CHUNK,    /* answered by SC_EVENT_CHUNK */
    SC_ACTION_DROP_CHUNK,   /* its tasks have ended */
    SC_ACTION_PUT_RESULTS,  /* keep ended tasks, as they came */
    SC_ACTION_PUT_RANGE,    /* keep ended tasks that share one outcome */
    SC_ACTION_PUT_ATTEMPT,  /* keep how a task was tried, and when it is to be tried again */
    SC_ACTION_PUT_STATE,    /* keep the part of a job's record that changes */
    SC_ACTION_GET_RESULTS,  /* answered by SC_EVENT_RESULTS */
    SC_ACTION_GET_TASKS,    /* of a durable job that has ended; answered by SC_EVENT_TASKS, within
                               SC_RETRY_MAX_CHUNKS and SC_RETRY_MAX_STRETCHES or with SC_ELIMIT */
    SC_ACTION_DROP_RESULTS, /* of a job that has ended: make room */
    SC_ACTION_DROP_JOB,     /* forget all of it */
    SC_ACTION_CALL_PASSED, /* a message of a call went by and no batch runs: the loop may look again
                              before it sleeps */
    SC_ACTION_EXIT,        /* the cluster has ended as it was asked to */
} sc_action_type;

typedef struct sc_action {
    sc_action_type type;
    /* Of the job in the journal, which answers then; 0: the store does, but for SEND and those that
     * are about no job. Durable jobs have all of the actions above but DROP_RESULTS, volatile ones
     * no PUT_ATTEMPT and no PUT_STATE. */
    uint64_t number;
    union {
        struct {
            uint64_t link;
            const sc_message *message;
        } send;
        struct {
            sc_ticket ticket;
            sc_slice table, bytes;     /* PUT_CHUNK; of a durable array its PUT_OPEN */
            const sc_saved_job *saved; /* durable: PUT_OPEN all of it, PUT_COMMIT its state */
            uint64_t place;            /* PUT_CHUNK: of its first task */
        } put;
        struct {
            sc_uuid job;
            uint32_t number;
        } chunk; /* GET_CHUNK, DROP_CHUNK */
        struct {
            sc_uuid job;
            sc_text worker;
            uint64_t base;
            sc_slice table, bytes; /* records and values; the records lie in one chunk */
            uint64_t first_index;  /* durable jobs: index of place 0 */
            uint64_t position;     /* durable jobs: ended tasks kept before, the same for range */
        } results;
        struct {
            sc_uuid job;
            uint64_t first, count;
            uint32_t outcome, attempt;
            sc_text worker;
            sc_text error; /* JSON */
            uint64_t first_index, position;
        } range;
        struct {
            sc_uuid job;
            sc_saved_attempt next; /* the try that is to come */
            int64_t at;            /* unix ms */
            uint64_t position;     /* ended tasks kept before */
            sc_text worker;        /* where the last one failed; may be empty */
            sc_text error;         /* of that: JSON; empty: blamed for a death */
        } attempt;
        struct {
            sc_uuid job;
            sc_saved_state state;
        } state;
        sc_store_read read;
        struct {
            sc_uuid job;
            sc_undone undone; /* as if these had not ended */
            uint64_t after;   /* the write that must be safe before */
        } tasks;              /* GET_TASKS */
        sc_uuid job;          /* DROP_RESULTS, DROP_JOB */
    };
} sc_action;

typedef void (*sc_core_emit)(void *arg, const sc_action *action);

/** @param emit  carries actions out; see the rules above @return 0 or SC_ENOMEM; `options` are
 * copied */
int sc_core_new(const sc_core_options *options, sc_core_emit emit, void *arg, int64_t now_ms,
                sc_core **out);
/** Drops everything and emits nothing. */
void sc_core_free(sc_core **core);

/** What the journal has kept, once, before the first event. From the first turn on restored jobs
 * wait a moment for workers to say what they still hold, before anything of them is handed out.
 * Jobs that cannot be understood are skipped and said in the log. @param tasks  of each job, NULL
 * for those that have ended; everything is borrowed @return 0, SC_ENOMEM */
int sc_core_restore(sc_core *core, const sc_saved_job *jobs, sc_saved_tasks *const *tasks, size_t n,
                    int64_t now_ms);

/* ---- events ---- */

/** A message has come over a connection (`link`: not 0, never used again for another). */
void sc_core_message(sc_core *core, uint64_t link, const sc_message *message, int64_t now_ms);
/** Bytes that are no message have come. */
void sc_core_malformed(sc_core *core, uint64_t link, const sc_error *err, int64_t now_ms);
/** A message could not be sent, whether the peer is gone or its queue full: its session ends. */
void sc_core_send_failed(sc_core *core, uint64_t link, int64_t now_ms);
/** All messages of this turn of the loop have been given: hand out work, acknowledge, answer
 * readers. */
void sc_core_turn(sc_core *core, int64_t now_ms);
/** The time of sc_core_next_ms has come. Messages that have arrived must have been given before. */
void sc_core_tick(sc_core *core, int64_t now_ms);
/** SC_ACTION_PUT_OPEN, PUT_CHUNK or PUT_COMMIT is done (status 0) or failed. @param why  may be
 * NULL
 */
void sc_core_stored(sc_core *core, const sc_ticket *ticket, int status, const char *why,
                    int64_t now_ms);
/** All writes up to the n-th are safe: the durable jobs' actions that are no question (PUT_...,
 * DROP_...), as they were emitted, from 1. */
void sc_core_written(sc_core *core, uint64_t n, int64_t now_ms);
/** The journal cannot be written, and why; NULL: it can again. Durable jobs are refused meanwhile,
 * all else goes on. */
void sc_core_trouble(sc_core *core, const char *why, int64_t now_ms);
/** The payload asked for; status < 0: it cannot be read. Where that may pass it is asked for again,
 * for about a minute; else the job's open tasks are dead. The slices are borrowed. */
void sc_core_chunk(sc_core *core, const sc_uuid *id, uint32_t number, int status, sc_slice table,
                   sc_slice bytes, int64_t now_ms);
/** The results asked for: `page` as PAGE goes out, but for `request`, `is_end` and `n_dropped`. The
 * page is borrowed. */
void sc_core_results(sc_core *core, const sc_store_read *read, int status, const sc_message *page,
                     int64_t now_ms);
/** The tasks of an ended job as they are without those that SC_ACTION_GET_TASKS has named, and its
 * record, whose prefix and counts belong to `tasks`. Borrowed, and NULL where status < 0. */
void sc_core_tasks(sc_core *core, const sc_uuid *id, int status, const sc_saved_job *saved,
                   const sc_saved_tasks *tasks, int64_t now_ms);
/** Asked to end without regard to workers: SC_ACTION_EXIT comes now, or once those who asked for
 * the end with STOP have said BYE (at most a lease later). */
void sc_core_leave(sc_core *core, int64_t now_ms);
/** A connection has ended. Whose, is found out a moment later, by saying something to those whose
 * end nobody else would tell. */
void sc_core_connection_ended(sc_core *core, int64_t now_ms);
/** We lead no more: all who are here, and who still comes, are told to look for who does. Nothing
 * else happens from now on. */
void sc_core_deposed(sc_core *core, int64_t now_ms);
/** How much of what is stored lies on disk: for CLUSTER. */
void sc_core_store_spilled(sc_core *core, uint64_t bytes);
/** The store cannot take more than this (a full disk); it may say another number later. Above what
 * the options allow it means those. */
void sc_core_store_limit(sc_core *core, uint64_t max_bytes, int64_t now_ms);

/* ---- looking ---- */

/** When sc_core_tick is due; INT64_MAX: never. */
int64_t sc_core_next_ms(const sc_core *core);
/** True where tasks of jobs are handed out or could be: the loop has better things to do than to
 * wait for calls. */
bool sc_core_is_busy(const sc_core *core);
/** The counters of CLUSTER, without request. Texts point into the core. */
void sc_core_counters(const sc_core *core, sc_cluster *out);
/** Every invariant of the core, in time linear in its size: for tests and the simulation. Aborts on
 * the first that fails. */
void sc_core_check(const sc_core *core);

#endif
