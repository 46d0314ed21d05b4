/* SPDX-License-Identifier: Apache-2.0 */
/* What session.c (is there a coordinator) and requests.c (what is asked of it) share; nobody else
 * includes this. */
#ifndef SC_CLIENT_SESSION_INT_H
#define SC_CLIENT_SESSION_INT_H

#include "client/session.h"
#include "proto/liveness.h"
#include "proto/search.h"

enum sc_client_state { SC_SEEKING, SC_UP, SC_UNREACHABLE, SC_REFUSED_FOR_GOOD, SC_CLOSED };

enum { SC_CLIENT_MAX_DROPS = 64 }; // given up and not said yet; beyond it they go with the session

struct sc_client_session {
    sc_client_session_options options;
    enum sc_client_state state;
    bool has_been_up;
    bool is_told;   // the last event was SC_CLIENT_CONNECTED
    int refusal;    // code, in SC_REFUSED_FOR_GOOD
    uint64_t epoch; // of the last coordinator that said WELCOME
    uint64_t last_id;
    sc_search search;     // in SC_SEEKING and SC_UNREACHABLE; its epoch always
    sc_liveness liveness; // in SC_UP
    uint64_t n_hellos;
    uint64_t first_hello; // of this search; WELCOME that answers an earlier one does not count
    bool is_hello_unsaid; // the link had no room for it
    int64_t hello_ms;     // when HELLO is due, in SC_SEEKING and SC_UNREACHABLE
    int64_t connect_ms;   // when SC_SEEKING becomes SC_UNREACHABLE, unless it has been up
    int64_t taken_ms;     // when the name was first found taken; INT64_MAX: it was not
    int64_t retry_ms;     // when those that wait are tried again, in SC_UP
    sc_client_request *requests; // open ones, by id
    sc_client_request *waiting;  // those that have something to say, in order
    sc_client_request *held;     // calls that stood before them, until fewer are on their way
    sc_uuid drops[SC_CLIENT_MAX_DROPS]; // uploads given up that the coordinator is not told of yet
    unsigned n_drops;
    unsigned n_calls;  // said in this session and open, at most SC_CLIENT_MAX_CALLS
    sc_heap deadlines; // of calls
};

/** Says a message now or not at all. @return as sc_client_session_options.send */
int sc_client_session_send(sc_client_session *s, const sc_message *message, int64_t now_ms);

/** A new session: every open request has to be said again. */
void sc_client_requests_repeat(sc_client_session *s);
/** Lets those that wait speak, in order, until the link is full. Only here does a request end for
 * what it has to say. */
void sc_client_requests_flush(sc_client_session *s, int64_t now_ms);
/** Ends calls whose time is over. */
void sc_client_requests_expire(sc_client_session *s, int64_t now_ms);
/** Ends all requests. @param text  NULL: what the code means */
void sc_client_requests_fail_all(sc_client_session *s, int code, const char *text);
/** The coordinator refused one request. @param text  NULL: what the code means */
void sc_client_requests_refuse(sc_client_session *s, uint64_t id, int code, const char *text);
/** An answer, or the ACK of a part of an upload. */
void sc_client_requests_answer(sc_client_session *s, const sc_message *message);
void sc_client_requests_acknowledge(sc_client_session *s, const sc_message *message,
                                    int64_t now_ms);

#endif
