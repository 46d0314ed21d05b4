/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's half of the protocol: joining, the runs it holds and their order, results until they
 * are acknowledged, recall, drain. Pure: it is given messages, ticks and the time; it sends through
 * `actions.send` and says through `actions.cancel` which started tasks nobody wants any more. The
 * executor (or the simulation) takes tasks and ends them.
 *
 *     sc_session_take -> run it -> sc_session_end        any number of times, then once a turn:
 * sc_session_flush
 */
#ifndef SC_SESSION_H
#define SC_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/assignment.h"
#include "worker/member.h"

typedef struct sc_session sc_session;

typedef struct sc_session_actions {
    /* 0, or a code: it was not sent and is tried again, but for SC_ETOOLARGE and SC_EBADARG, after
     * which results become errors */
    int (*send)(void *arg, const sc_message *message);
    /* May end the task before it returns. @param grace_ms  where it runs on for longer it is to be
     * ended hard; 0: it may */
    void (*cancel)(void *arg, sc_started *task, int64_t grace_ms);
    /* The result of a task with this slot (sc_started.once) is safe or unwanted: what names it as
     * started may go. NULL where no handler is_once */
    void (*release)(void *arg, uint32_t slot);
    void *arg;
} sc_session_actions;

typedef struct sc_session_config {
    const sc_hello
        *hello; /* role, name, slots, credit, handlers; borrowed, must outlive the session */
    int64_t heartbeat_ms, lease_ms; /* until WELCOME says others */
    size_t result_max_bytes;        /* kept until acknowledged; beyond it nothing new starts */
    unsigned n_endpoints;    /* where a coordinator may be; 0 and 1: `next` is never called */
    void (*next)(void *arg); /* connect to the next of them; with the arg of the actions */
    sc_session_actions actions;
} sc_session_config;

/** A session that says HELLO. @return 0, SC_ENOMEM */
int sc_session_new(const sc_session_config *config, int64_t now_ms, sc_session **out);
/** No task may be executing. */
void sc_session_free(sc_session **s);

/** A message of the coordinator. */
void sc_session_message(sc_session *s, const sc_message *message, int64_t now_ms);
/** Every few milliseconds to 100 ms. @param late_ms  how much later than wanted it comes. Later
 * than the lease, or nothing was said for a lease: what waits is thrown away (the coordinator has
 * given it to others) and HELLO said again. Later than 100 ms: the peer is given that much longer.
 */
void sc_session_tick(sc_session *s, int64_t now_ms, int64_t late_ms);
/** Give back what waits, take nothing new, let end what runs and be acknowledged, or the
 * coordinator be silent for its lease; then BYE and SC_MEMBER_ENDED. */
void sc_session_drain(sc_session *s, int64_t now_ms);
/** Where it stands: `state`; after a refusal `code` and `text`. */
const sc_member *sc_session_member(const sc_session *s);

/** Start the next waiting task of a kind: by class, then arrival.
 *  @return false where none waits, or too many results are not acknowledged; one that may not be
 * repeated also needs a free slot. `out` is the executor's, until it ends */
bool sc_session_take(sc_session *s, sc_slot_kind kind, sc_started *out);
/** A started task has ended; `task` is free again. Results of one turn travel together, a call's at
 * once. */
void sc_session_end(sc_session *s, sc_started *task, const sc_ending *ending, int64_t now_ms);
/** Answers for a started task whose code runs on; sc_session_end is still to come, or the end of
 * the process. */
void sc_session_give_up(sc_session *s, sc_started *task, const sc_ending *ending, int64_t now_ms);
/** A started task is `n` of `of` far (0: nobody knows). The coordinator is told with the next
 * heartbeats, of what has changed. Of calls it is not: nobody could ask. */
void sc_session_progress(sc_session *s, sc_started *task, uint64_t n, uint64_t of);
/** What a task of this handler took. */
void sc_session_measure(sc_session *s, uint32_t handler, int64_t ns);
/** 90th percentile of that; 0 while nothing is measured. */
uint64_t sc_session_cost_ns(const sc_session *s, uint32_t handler);
/** That of the handler whose task would be taken next; 0 also where none waits. */
uint64_t sc_session_next_cost_ns(const sc_session *s, sc_slot_kind kind);
/** The end of a turn: send what was collected. */
void sc_session_flush(sc_session *s, int64_t now_ms);

uint32_t sc_session_n_waiting(const sc_session *s);
/** True where nothing waits to be acknowledged. */
bool sc_session_has_delivered(const sc_session *s);
/** Started, and not answered. */
uint32_t sc_session_n_running(const sc_session *s);
/** True where all counts agree with the lists; for asserts and tests. */
bool sc_session_check(const sc_session *s);

#endif
