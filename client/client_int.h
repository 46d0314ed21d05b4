/* SPDX-License-Identifier: Apache-2.0 */
/* What the files behind client/seedcore.h share: the client, and a request with its caller's
 * callback. */
#ifndef SC_CLIENT_INT_H
#define SC_CLIENT_INT_H

#include <uv.h>

#include "base/random.h"
#include "client/session.h"
#include "proto/uplink.h"

typedef struct sc_client_ask sc_client_ask;

struct sc_client {
    uv_timer_t timer;
    sc_uplink *link;
    sc_client_session *session;
    sc_random random; /* for the ids of jobs */
    void (*on_event)(void *arg, sc_client_event event, const sc_failure *why);
    void *arg;
    char host[SC_NAME_MAX + 1], name[SC_NAME_MAX + 1];
    int64_t armed_ms; /* when the timer fires; INT64_MAX: it does not */
    bool is_closing;
    unsigned n_handles; /* link and timer, until they are closed */
    void (*on_closed)(void *arg);
    void *closed_arg;
    sc_client_ask *listing; /* whose list is being handed out, item by item; else NULL */
    /* of the page that is being handed out; kept for the next */
    sc_result_row *rows;
    size_t rows_capacity;
    char (*workers)[SC_NAME_MAX + 1];
    size_t workers_capacity;
};

/* Any request but an upload. */
struct sc_client_ask {
    sc_client_request base;
    sc_client *client;
    union {
        sc_submit_cb submit;
        sc_read_cb read;
        sc_call_cb call;
        sc_job_cb job;
        sc_worker_cb worker;
        sc_handler_cb handler;
        sc_cluster_cb cluster;
        sc_stop_cb stop;
        sc_drain_cb drain;
    } cb;
    void *arg;
    uint64_t left;            /* of a list: items that are still wanted */
    bool is_over;             /* of a list: the end has been told */
    _Alignas(8) char texts[]; /* what the message points to */
};

/** A request of which cb, message and on_end are still to be filled in. @param text_bytes  for
 * `texts`
 *  @return NULL without memory */
sc_client_ask *sc_client_ask_new(sc_client *client, void *arg, size_t text_bytes);
/** Opens it; on_end frees it. @return as sc_client_session_start; on error it has been freed */
SC_MUST_USE int sc_client_ask_start(sc_client_ask *ask);
/** Frees it with its payload. */
void sc_client_ask_free(sc_client_ask *ask);
/** The request that the session hands to on_end. */
sc_client_ask *sc_client_ask_of(sc_client_request *base);

/** Sets the timer to what the session waits for; to be called after each call into it. */
void sc_client_arm(sc_client *client);
/** Ends the list that is being handed out with `closed`; its items stop. */
void sc_client_list_close(sc_client *client);

#endif
