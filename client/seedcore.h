/* SPDX-License-Identifier: Apache-2.0 */
/* libseedcore: an asynchronous client of a SeedCore cluster on the caller's libuv loop.
 * Self-contained: include it and link libseedcore and libuv.
 *
 * Rules that hold for every function with a callback: it fails now (negative return) and never
 * calls back, or returns 0 and calls back exactly once, later, from the loop. Inside a callback
 * everything here may be called, sc_client_close too. What a callback is given lives until it
 * returns. Payloads and results are JSON text, handed on unchanged. The client connects in the
 * background, finds the coordinator again when it is lost, and repeats what was not answered; a
 * request whose coordinator restarted meanwhile ends with code `lost` where it cannot be repeated
 * (a call, the upload of a volatile job).
 *
 * Starting a request may also fail with -5020 (no coordinator was found in time), -5005 (the client
 * is closing), -5004 (too many requests are open) or the number of a refusal of the session. */
#ifndef SEEDCORE_H
#define SEEDCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sc_client sc_client;
typedef struct sc_upload sc_upload;

enum { SC_JOB_ID_TEXT = 37 }; /* a job id as text, with its zero */

/* Why something failed. `code` names are stable: "no_coordinator", "unknown_handler",
 * "unknown_job", "ambiguous_job", "limit", "too_large", "bad_arguments", "timeout", "lost",
 * "closed", "version", "shutting_down", "store_full", ... */
typedef struct sc_failure {
    int number; /* negative; SC_E... of base/error.h or -errno */
    const char *code;
    const char *text; /* what happened, to what, what to do */
} sc_failure;

typedef enum sc_client_event {
    SC_CLIENT_CONNECTED,    /* the session is up (again) */
    SC_CLIENT_DISCONNECTED, /* the coordinator is silent; it is being looked for */
    SC_CLIENT_REFUSED,      /* it does not want us (`why`: version, ...); nothing more will happen;
                               requests have failed */
    SC_CLIENT_UNREACHABLE, /* connect_timeout_ms passed without a session; requests have failed with
                              no_coordinator */
} sc_client_event;

typedef struct sc_client_options {
    /* tcp://HOST:PORT or ipc://PATH; NULL: tcp://127.0.0.1:5570. Or up to 8 of them, separated by
     * commas, where the coordinator may be at any (a leader and its standbys): it is looked for at
     * one after the other, again whenever it falls silent. */
    const char *endpoint;
    const char *name;           /* shown to operators; NULL: HOST-PID */
    int64_t connect_timeout_ms; /* for the first session; < 0: for ever. A session once up is looked
                                   for without limit */
    /* May be NULL. `why` is NULL but for REFUSED and UNREACHABLE. */
    void (*on_event)(void *arg, sc_client_event event, const sc_failure *why);
    void *arg;
} sc_client_options;

/** @return 0, -EINVAL (endpoint), -ENOMEM */
int sc_client_new(uv_loop_t *loop, const sc_client_options *options, sc_client **out);

/** Ends in two steps: open requests fail with `closed` before this returns, an upload not committed
 * is dropped; on_closed (may be NULL) runs when the loop holds nothing of the client any more. Sets
 * *client NULL; NULL is accepted. */
void sc_client_close(sc_client **client, void (*on_closed)(void *arg), void *arg);

/** The endpoint of the coordinator that there is a session with, or was last, until the next event;
 * while one is looked for, where. Lives until the client next looks elsewhere. */
const char *sc_client_endpoint(const sc_client *client);

/** Give the first session this much time from now on instead of what the options said (< 0: for
 * ever). */
void sc_client_set_timeout(sc_client *client, int64_t connect_timeout_ms);

/* ---- jobs ---- */

typedef struct sc_job_spec {
    const char *handler;
    const char *name;                        /* a label; may be NULL */
    const char *queue;                       /* NULL: "default" */
    int priority;                            /* 0..9, 9 first; < 0: the default, 4 */
    unsigned retries;                        /* further attempts after a failed one; 0..65534 */
    int64_t backoff_base_ms, backoff_max_ms; /* before them, a random part of base * 2^n; 0: 1 s and
                                                5 min */
    bool is_volatile; /* not kept in the journal: faster, and gone with the coordinator */
    int64_t
        timeout_ms; /* an attempt that runs for longer is told to end, and has failed; 0: none */
    int64_t kill_after_ms; /* one that runs on takes its process with it, and has failed; 0: none */
    int64_t expires_ms; /* a task that has not begun so long after the job was accepted is dead; 0:
                           never. All three at most 20 days */
    const char *key; /* NULL: none; at most 200 bytes. While a job of this key is kept, submitting
                        the same again (handler, payloads, options, but not the name) is answered
                        with that job; something else fails with `key_taken` */
    /* Whole ids of up to 16 jobs: none of its tasks begins before these have ended. Where one has
     * not succeeded, it is cancelled, but for on_any. */
    const char *const *after;
    size_t n_after;
    bool on_any;
} sc_job_spec;

/** `job` is the id as text: with a key perhaps that of a job from before. why NULL: accepted. */
typedef void (*sc_submit_cb)(void *arg, const char *job, const sc_failure *why);

/** A job of one task for each index first..first+n-1 (n 1..2^31). In args the string "$index"
 * becomes the number.
 *  @param args  JSON text, copied @return 0, -EINVAL (range, more than 255 times "$index"),
 *  -EMSGSIZE (over 16 MiB), -ENOMEM
 */
int sc_client_submit_array(sc_client *client, const sc_job_spec *spec, uint64_t first, uint64_t n,
                           const char *args, size_t args_len, sc_submit_cb cb, void *arg);

/** A job uploaded task by task in bounded memory. It becomes visible with its commit; until then
 * sc_upload_drop or the end of the client removes it.
 *  @param on_room  may be NULL: called when sc_upload_add may be tried again after it said -EAGAIN
 *  @param on_done  once: accepted after sc_upload_commit, or failed at any time (not after
 * sc_upload_drop)
 *  @return 0 and *out, valid until on_done or drop; -EINVAL; -ENOMEM */
int sc_client_upload(sc_client *client, const sc_job_spec *spec, void (*on_room)(void *arg),
                     sc_submit_cb on_done, void *arg, sc_upload **out);
/** Adds the next task (index 0, 1, 2, ...); copies. @return 0, -EAGAIN (window full: wait for
 * on_room), -EMSGSIZE (over the limit of a task, 16 MiB), -EINVAL (empty, or after the commit),
 * -5002 (a job has at most 2^31 tasks), -ENOMEM */
int sc_upload_add(sc_upload *upload, const void *payload, size_t len);
/** No more tasks. @return 0, or -EINVAL where none was added, or after the commit */
int sc_upload_commit(sc_upload *upload);
/** Forget it all; on_done is not called. */
void sc_upload_drop(sc_upload **upload);

/* ---- results ---- */

typedef enum sc_result_status {
    SC_RESULT_DONE,
    SC_RESULT_DEAD,
    SC_RESULT_CANCELLED
} sc_result_status;

typedef struct sc_result_row {
    uint64_t index;
    sc_result_status status;
    unsigned attempt;   /* from 1 */
    const char *worker; /* terminated */
    const char
        *value; /* JSON text, not terminated; of a task not done: {"code":...,"message":...} */
    size_t value_len;
} sc_result_row;

/** Rows of one page, in order; `next` goes into the next read. is_end: the job has ended and
 * nothing follows. `n_dropped`: results of this job that the store had no room to keep. */
typedef struct sc_result_page {
    const sc_result_row *rows;
    size_t n_rows;
    uint64_t next;
    bool is_end;
    uint64_t n_dropped;
} sc_result_page;

typedef void (*sc_read_cb)(void *arg, const sc_result_page *page, const sc_failure *why);

typedef enum sc_result_order {
    SC_BY_INDEX,       /* stops at the first task that has not ended */
    SC_BY_INDEX_ENDED, /* skips tasks that have not ended */
    SC_AS_ENDED,       /* in the order in which they ended; `from` counts them */
    SC_DEAD_BY_INDEX,  /* dead ones; others may be among them */
    SC_TRIES_BY_INDEX, /* tries that failed before the last of their task, the last hundred of each,
                          since the job was retried: `value` is {"at":unix ms,"error":{...}} */
} sc_result_order;

/** One page. @param job  a whole id @param wait  answer only once there is a row or the job has
 * ended
 *  @param max_bytes  at most about this much; at least one row comes; 0: 1 MiB */
int sc_client_read(sc_client *client, const char *job, uint64_t from, sc_result_order order,
                   uint32_t max_bytes, bool wait, sc_read_cb cb, void *arg);

/* ---- calls ---- */

typedef void (*sc_call_cb)(void *arg, const sc_result_row *row, const sc_failure *why);

/** One task whose result is waited for; not kept anywhere. 1,024 of a client are on their way at
 * once, the others wait here. @param timeout_ms  0..86400000; 0 = none
 *  @return 0, -EINVAL (name of the handler, no args, range), -EMSGSIZE (over 16 MiB), -ENOMEM
 */
int sc_client_call(sc_client *client, const char *handler, const void *args, size_t len,
                   int64_t timeout_ms, sc_call_cb cb, void *arg);

/* ---- questions ---- */

typedef struct sc_parent_status {
    char id[SC_JOB_ID_TEXT];
    const char *state; /* "forgotten": it has ended, and its time is over */
} sc_parent_status;

/* How far a running task says it is. */
typedef struct sc_task_report {
    uint64_t index;
    uint64_t n, of; /* n 0..of; of 0: it does not know of how many */
} sc_task_report;

typedef struct sc_job_status {
    char id[SC_JOB_ID_TEXT];
    const char *name, *handler;
    const char *key;   /* "": none */
    const char *state; /* "open", "running", "succeeded", "failed", "cancelled" */
    bool has_ended;
    int priority;
    uint64_t total, queued, delayed, running, done, dead, cancelled;
    int64_t submitted_at, ended_at; /* unix ms; 0: not yet */
    const sc_parent_status *after;  /* those that it waits for or has waited for; sc_client_jobs
                                       does not tell */
    size_t n_after;
    bool on_any;
    bool is_unoffered;    /* no ready worker offers its handler now */
    bool is_retried;      /* by sc_client_retry: submitted_at is from before, ended_at the last */
    uint64_t n_reporting; /* running tasks that have said how far they are */
    /* At most 32 of them, those that began to first, by index; none in lists of jobs. */
    const sc_task_report *reports;
    size_t n_reports;
} sc_job_status;

typedef void (*sc_job_cb)(void *arg, const sc_job_status *job, const sc_failure *why);

/** One job. @param job  the id or a prefix of it @param wait  answer only when it has ended */
int sc_client_job(sc_client *client, const char *job, bool wait, sc_job_cb cb, void *arg);

/** Cancels tasks first..first+n-1 of a job, n 0: all of them. Those that wait end at once; those
 * that run are asked to, and after CANCEL_GRACE their worker processes are replaced. The job as it
 * is then comes back; a job that has ended otherwise is refused with `wrong_state`. @param job  a
 * whole id */
int sc_client_cancel(sc_client *client, const char *job, uint64_t first, uint64_t n, sc_job_cb cb,
                     void *arg);

/** Tasks of a job that has ended and that are dead, or (not is_dead_only) cancelled, are tried
 * again from their first attempt on; what is done stays done. The job as it is then comes back,
 * running. Refused with `wrong_state`: it has not ended, nothing of it is dead or cancelled, or it
 * is volatile. @param job  a whole id */
int sc_client_retry(sc_client *client, const char *job, bool is_dead_only, sc_job_cb cb, void *arg);

/** All jobs, newest first: cb for each with why NULL, then once with job NULL (the one callback
 * that comes last).
 *  @param state  only these ("running"), NULL: all @param limit  0: all */
int sc_client_jobs(sc_client *client, const char *state, uint64_t limit, sc_job_cb cb, void *arg);

typedef struct sc_worker_status {
    const char *worker, *host, *state; /* "ready", "draining" */
    uint64_t pid;
    unsigned slots_async, slots_thread, credit, running, waiting;
    uint64_t done;
} sc_worker_status;
typedef void (*sc_worker_cb)(void *arg, const sc_worker_status *worker, const sc_failure *why);
/** All ready workers by name, as sc_client_jobs. */
int sc_client_workers(sc_client *client, sc_worker_cb cb, void *arg);

typedef struct sc_handler_status {
    const char *handler, *description;
    unsigned workers;
} sc_handler_status;
typedef void (*sc_handler_cb)(void *arg, const sc_handler_status *handler, const sc_failure *why);
/** All handlers by name, as sc_client_jobs. @param wait  answer once at least one worker is ready
 */
int sc_client_handlers(sc_client *client, bool wait, sc_handler_cb cb, void *arg);

typedef struct sc_cluster_status {
    const char *endpoint, *version, *host;
    uint64_t pid;
    int64_t started_at; /* unix ms */
    uint64_t workers, clients, jobs, jobs_open;
    uint64_t queued, delayed, running, done, dead, cancelled;
    uint64_t calls_running, calls_done;
    double started_per_s, ended_per_s;
    uint64_t memory_bytes, spill_bytes;
    uint64_t refused, malformed, unknown_results, peers_lost;
} sc_cluster_status;
typedef void (*sc_cluster_cb)(void *arg, const sc_cluster_status *cluster, const sc_failure *why);
int sc_client_cluster(sc_client *client, sc_cluster_cb cb, void *arg);

/** Have one worker, or a supervisor and all its workers, finish what runs, give back what waits and
 * leave for good. Answered at once with how many processes have not left yet, or with 0: the
 * coordinator has begun just now, and they may not have come back yet. Asked again until it fails
 * with `not_found`, it tells when they have left. @param name  at most 64 bytes */
typedef void (*sc_drain_cb)(void *arg, unsigned n_processes, const sc_failure *why);
int sc_client_drain(sc_client *client, const char *name, sc_drain_cb cb, void *arg);

/** End the cluster. `pids`: processes on `host` to wait for. */
typedef void (*sc_stop_cb)(void *arg, const char *host, const uint64_t *pids, size_t n_pids,
                           const sc_failure *why);
int sc_client_stop(sc_client *client, sc_stop_cb cb, void *arg);

#ifdef __cplusplus
}
#endif

#endif
