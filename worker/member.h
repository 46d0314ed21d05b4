/* SPDX-License-Identifier: Apache-2.0 */
/* Joining the cluster and staying in it: HELLO until it is answered, heartbeats, silence. Workers
 * and supervisors hold one each. Pure: it is given messages and the time, and sends through a
 * function of its owner.
 *
 *     JOINING --WELCOME--> JOINED        JOINED --WHO, REFUSED, silence for a lease--> JOINING
 *     JOINING --REFUSED for good--> ENDED             any --sc_member_leave--> ENDED
 *
 * For good: another version, bad arguments; a taken name, or no room for one more peer while we
 * have never been welcomed, for a lease.
 *
 * JOINING: HELLO is said every heartbeat, nothing else, at one endpoint after the other
 * (proto/search.h); one with an epoch before the greatest that has welcomed us is passed over.
 * JOINED: the coordinator knows us. ENDED: nothing is said. */
#ifndef SC_MEMBER_H
#define SC_MEMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "proto/liveness.h"
#include "proto/message.h"
#include "proto/search.h"

typedef enum sc_member_state {
    SC_MEMBER_JOINING,
    SC_MEMBER_JOINED,
    SC_MEMBER_ENDED
} sc_member_state;

typedef struct sc_member_config {
    const sc_hello *hello;          /* who we are; borrowed, its texts and lists too */
    int64_t heartbeat_ms, lease_ms; /* until WELCOME says others */
    uint64_t task_max_bytes;        /* likewise */
    int (*send)(void *arg, const sc_message *message); /* 0, or it was not sent */
    unsigned n_endpoints;    /* where a coordinator may be; 0 and 1: `next` is never called */
    void (*next)(void *arg); /* connect to the next of them */
    void *arg;
} sc_member_config;

typedef struct sc_member {
    sc_member_config config;
    sc_member_state state;
    sc_liveness liveness;
    sc_search search;
    int64_t hello_ms;     /* last HELLO */
    uint64_t n_hellos;    /* said or tried */
    uint64_t first_hello; /* since we are JOINING: who answers an earlier one means another time */
    bool is_hello_sent;   /* it went out; while nothing is connected it does not */
    int64_t refused_ms;   /* first refusal in a row that may pass, -1 = none */
    bool was_joined;      /* once at least */
    bool was_mute;        /* see sc_member_was_mute */
    bool is_cut_off;      /* the last word could not be sent */
    uint64_t epoch;       /* of the coordinator that welcomed us last */
    int code;             /* ENDED by a refusal: why, else 0 */
    sc_log_limit deposed; /* for the line that one was passed over */
    char text[512];       /* what the coordinator said, for a person */
} sc_member;

/** Start JOINING and say HELLO. */
void sc_member_init(sc_member *m, const sc_member_config *config, int64_t now_ms);
/** Any message of the coordinator. @return true where it made us JOINED: now the owner lists what
 * it holds */
bool sc_member_message(sc_member *m, const sc_message *message, int64_t now_ms);
/** True where nothing was said for a lease since WELCOME: the coordinator has perhaps taken us as
 * gone. */
bool sc_member_was_mute(sc_member *m, int64_t now_ms);
/** HELLO and silence. @param late_ms  how much later than wanted this tick comes */
void sc_member_tick(sc_member *m, int64_t now_ms, int64_t late_ms);
/** True where nothing was said for a heartbeat: the owner sends its HEARTBEAT. */
bool sc_member_must_say(const sc_member *m, int64_t now_ms);
/** True where nobody has welcomed us for a lease and nothing was heard meanwhile; to be asked after
 * a tick, which knows what of that is our own lateness. */
bool sc_member_is_alone(const sc_member *m, int64_t now_ms);
/** Send while JOINED. @return 0; SC_ECLOSED in another state; what `send` returned */
int sc_member_send(sc_member *m, const sc_message *message, int64_t now_ms);
/** Say HELLO again: we were out of touch. */
void sc_member_rejoin(sc_member *m, int64_t now_ms);
/** The same after nothing was said for a lease: where nothing could be said, elsewhere first. */
void sc_member_back(sc_member *m, int64_t now_ms);
/** Say BYE where JOINED, and end. */
void sc_member_leave(sc_member *m, const char *reason, int64_t now_ms);

#endif
