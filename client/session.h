/* SPDX-License-Identifier: Apache-2.0 */
/* What a client says to a coordinator and when: session, liveness, open requests, uploads. Pure: it
 * is given messages and the time and owns no socket, clock or thread; it has no random numbers, and
 * its order depends on nothing else. client.c runs it on a link, tests/sim against a simulated
 * network.
 *
 *                WELCOME                      lease over, WHO, REFUSED for now
 *      SEEKING ------------> UP               UP ------------> SEEKING
 *      SEEKING -> UNREACHABLE (connect timeout, never up) -> UP (WELCOME) or SEEKING (a new
 * timeout) any but CLOSED -> REFUSED (for good);  any -> CLOSED
 *
 * SEEKING and UNREACHABLE say HELLO every heartbeat, at one endpoint after the other
 * (proto/search.h); open requests wait in SEEKING, there are none
 * in the last three. After each WELCOME every open request is said again; what must not be repeated
 * towards another coordinator (its epoch differs) ends with SC_ELOST. */
#ifndef SC_CLIENT_SESSION_H
#define SC_CLIENT_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include <uthash.h>

#include "base/heap.h"
#include "client/chunks.h"
#include "client/seedcore.h"
#include "proto/message.h"

typedef struct sc_client_session sc_client_session;
typedef struct sc_client_request sc_client_request;

/* A question to the coordinator, or an upload; part of an object of its owner, who fills in the
 * first four fields. */
struct sc_client_request {
    sc_message message; /* ASK, READ, CALL, STOP or OPEN; its texts and payload live until on_end */
    sc_chunks *chunks;  /* of an upload, whose message is its OPEN; else NULL */
    /* Once, unless it is dropped: with the answer (lives until this returns), or NULL and why not.
     * The session has let go of the request: it may be freed or started again. */
    void (*on_end)(sc_client_request *self, const sc_message *answer, const sc_failure *why);
    void (*on_room)(sc_client_request *self); /* of an upload: tasks can be added again */
    /* the session's from here on */
    uint64_t id;
    UT_hash_handle hh;                     /* of all open requests, in the order of their ids */
    struct sc_client_request **list;       /* that it waits in to say something; NULL: in none */
    struct sc_client_request *prev, *next; /* in it */
    sc_heap_node deadline;                 /* of a call with a timeout */
    uint64_t epoch;                        /* of the coordinator that first heard of it; 0: none */
    bool is_said, is_open,
        is_committed; /* upload, this session: OPEN said, acknowledged; COMMIT said */
    bool has_commit;  /* upload: no more tasks will come */
};

typedef struct sc_client_session_options {
    /* Says a message now or not at all. @return 0; -EAGAIN (later); another code (never) */
    int (*send)(void *arg, const sc_message *message);
    /* As sc_client_options.on_event. Inside it, as inside the callbacks of requests, all functions
     * of the session may be called but sc_client_session_free. */
    void (*on_event)(void *arg, sc_client_event event, const sc_failure *why);
    void (*next)(void *arg); /* connect to the next endpoint */
    void *arg;
    const char *endpoints; /* all, for texts only; texts are kept by pointer */
    unsigned n_endpoints;  /* 0 and 1: `next` is never called */
    const char *name, *host;
    uint64_t instance, pid;
    int64_t heartbeat_ms, lease_ms; /* until a coordinator says others */
    int64_t connect_timeout_ms;     /* < 0: for ever */
} sc_client_session_options;

/** @return 0 or SC_ENOMEM; it says HELLO in the first tick */
SC_MUST_USE int sc_client_session_new(const sc_client_session_options *options, int64_t now_ms,
                                      sc_client_session **out);
/** Requests still open are let go of without a word: close before. Accepts NULL. */
void sc_client_session_free(sc_client_session **session);

/** A message came. */
void sc_client_session_message(sc_client_session *s, const sc_message *message, int64_t now_ms);
/** The link may take messages again, or for the first time. */
void sc_client_session_room(sc_client_session *s, int64_t now_ms);
/** Time has passed; to be called at sc_client_session_next_ms, and whenever it suits, after all
 * that has arrived was handed in. A call more than 100 ms late counts as this process having been
 * stopped. */
void sc_client_session_tick(sc_client_session *s, int64_t now_ms);
/** When the next tick is due; INT64_MAX: never. */
int64_t sc_client_session_next_ms(const sc_client_session *s);
/** Look for the first session until then, whatever was said before. @param timeout_ms  < 0: for
 * ever */
void sc_client_session_set_timeout(sc_client_session *s, int64_t timeout_ms, int64_t now_ms);

/** Open a request; on_end comes later, never from here.
 *  @return 0; SC_ENOCOORD (UNREACHABLE); the refusal's code (REFUSED); SC_ECLOSED; SC_EBUSY
 * (SC_CLIENT_MAX_REQUESTS); SC_ENOMEM */
SC_MUST_USE int sc_client_session_start(sc_client_session *s, sc_client_request *r, int64_t now_ms);
/** Chunks of this upload were sealed. */
void sc_client_session_push(sc_client_session *s, sc_client_request *r, int64_t now_ms);
/** This upload has all its tasks: on_end comes when the coordinator has taken it. */
void sc_client_session_commit(sc_client_session *s, sc_client_request *r, int64_t now_ms);
/** Give an upload up: on_end is not called. */
void sc_client_session_drop(sc_client_session *s, sc_client_request *r);

/** Ends all requests with SC_ECLOSED, then says BYE. Nothing is called back afterwards. */
void sc_client_session_close(sc_client_session *s);

/** A failure of this code in the words of base/error.h. */
sc_failure sc_client_failure(int code);

#endif
