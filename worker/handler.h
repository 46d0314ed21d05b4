/* SPDX-License-Identifier: Apache-2.0 */
/* What a handler sees: the whole interface between SeedCore and the code that does the work, for
 * the built-in handlers and for plugins. It needs no other header; a handler that uses the database
 * also includes pool/pool.h. Functions here are for the thread that runs the task, unless they say
 * otherwise.
 *
 * A plugin is a shared object that exports two symbols:
 *
 *     const unsigned sc_plugin_abi = SC_PLUGIN_ABI;
 *
 *     int
 *     sc_plugin_init(sc_registry *registry)
 *     {
 *         static const sc_handler handler = {.name = "greet", .description = "says hello", .run =
 * greet}; return sc_registry_add(registry, &handler);
 *     }
 */
#ifndef SC_HANDLER_H
#define SC_HANDLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Grows with every change that an older plugin would not survive. */
enum { SC_PLUGIN_ABI = 1 };

struct uv_loop_s;    /* uv.h */
struct sc_pool;      /* pool/pool.h */
struct sc_statement; /* pool/statement.h */
struct sc_result;    /* pool/statement.h */
struct sc_error;     /* base/error.h */

typedef struct sc_registry sc_registry;
typedef struct sc_task sc_task; /* one running task; gone once it was ended */

typedef enum sc_handler_kind {
    /* run() is called on the loop and must not block it: beyond PEER_LEASE (800 ms) its tasks may
     * run elsewhere again, beyond TASK_LEASE (5 s) the process is killed, which counts towards
     * poison. The task may end later. */
    SC_HANDLER_ASYNC,
    SC_HANDLER_THREAD, /* run() is called in a thread, may compute and wait, and ends its task
                          before it returns */
} sc_handler_kind;

enum sc_handler_flags {
    /* A task that had started when its worker was lost, and whose result is not safe, is not run
     * again: it is dead with unknown_outcome. */
    SC_HANDLER_ONCE = 1,
};

typedef struct sc_handler {
    const char *name;        /* 1 to 64 bytes, [A-Za-z0-9._-] */
    const char *description; /* one line, at most 200 bytes; may be NULL */
    sc_handler_kind kind;
    unsigned flags; /* sc_handler_flags */
    /* Starts a task. It must be ended exactly once: sc_task_done or sc_task_fail. */
    void (*run)(sc_task *task, void *state);
    /* Async only, may be NULL: the task was cancelled while it waited; end it soon, or now: where
     * it has not ended after CANCEL_GRACE, the process is replaced. Called on the loop, once. */
    void (*cancel)(sc_task *task, void *state);
    void *state; /* handed to run and cancel; the handler's own */
} sc_handler;

/** Offer a handler. `handler` and its texts must stay valid while the process lives.
 *  @return 0, or a negative code (a name that is taken or not allowed, too many handlers): the
 * reason is kept and printed when the program ends for it */
int sc_registry_add(sc_registry *registry, const sc_handler *handler);

/** The arguments: JSON text as it was submitted, not terminated. Valid until the task is ended. */
const char *sc_task_args(const sc_task *task, size_t *len);
/** Index of the task in its job. */
uint64_t sc_task_index(const sc_task *task);
/** Its job's id, 16 bytes; all zero for a call. Valid until the task is ended. */
const uint8_t *sc_task_job(const sc_task *task);
/** How often it is being tried now: from 1. */
uint32_t sc_task_attempt(const sc_task *task);
/** True once nobody wants the result: a thread should look now and then, and end the task. What it
 * then says is not kept. Where it has not ended after CANCEL_GRACE, the process is replaced. */
bool sc_task_is_cancelled(const sc_task *task);
/** Say how far the task is: `n` of `of`, in whatever it counts; `of` 0: nobody knows of how many.
 * `seedcore status JOB` shows the latest; nothing is kept of it. As often as it likes: it costs a
 * few stores, and is passed on with a heartbeat (200 ms). */
void sc_task_progress(sc_task *task, uint64_t n, uint64_t of);
/** A pointer of the handler's own, NULL at first. */
void *sc_task_data(const sc_task *task);
void sc_task_set_data(sc_task *task, void *data);

/** The loop, for async handlers: timers, sockets. */
struct uv_loop_s *sc_task_loop(const sc_task *task);
/** The pool of connections to the embedded database, for async handlers. */
struct sc_pool *sc_task_pool(const sc_task *task);
/** For thread handlers: run statements in one transaction (one alone: as it is) and wait for the
 * rows.
 *  @param out  rows of the last statement that has any; the caller's, sc_result_free()
 *  @return 0, or a negative code with the reason in `err` */
int sc_task_query(sc_task *task, const struct sc_statement *statements, size_t n_statements,
                  struct sc_result **out, struct sc_error *err);
/** Would the same statements perhaps succeed if they were run again? */
bool sc_task_may_retry(sc_task *task, const struct sc_error *err);

/** For async handlers that wait: a callback of this task's begins; until the task is ended, or
 * sc_task_leave(). If the process dies or stalls in it, this task alone is known to have been at
 * work on the loop; in a callback that does not say so, each task that waits is suspected. Costs a
 * few stores. run() and cancel() need not say it. */
void sc_task_enter(sc_task *task);
/** The callback ends and the task waits on. */
void sc_task_leave(sc_task *task);

/** End a task with its value, JSON text, which is copied; what is none ends it with the error
 * bad_value. Nothing may use the task afterwards. */
void sc_task_done(sc_task *task, const char *json, size_t len);
/** End a task with an error. @param code  1 to 32 bytes of [a-z0-9_]  @param is_retryable  another
 * attempt may help */
void sc_task_fail(sc_task *task, const char *code, bool is_retryable, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
