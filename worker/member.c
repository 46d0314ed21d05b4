/* SPDX-License-Identifier: Apache-2.0 */
/* Joining and staying: see member.h. Called by the worker's session and by the supervisor; decides
 * nothing about tasks. */
#include "worker/member.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/limits.h"
#include "base/log.h"

static const char *const state_names[] = {"joining", "joined", "ended"};

static void
move(sc_member *m, sc_member_state to, int64_t now_ms)
{
    static const bool is_legal[3][3] = {
        [SC_MEMBER_JOINING] = {[SC_MEMBER_JOINED] = true, [SC_MEMBER_ENDED] = true},
        [SC_MEMBER_JOINED] = {[SC_MEMBER_JOINING] = true, [SC_MEMBER_ENDED] = true},
    };

    SC_ASSERT(is_legal[m->state][to]);
    sc_log_debug("membership %s -> %s", state_names[m->state], state_names[to]);
    m->state = to;
    if (to == SC_MEMBER_JOINING) {
        m->first_hello = m->n_hellos + 1;
        sc_search_begin(&m->search, false, now_ms);
    }
}

static void
say_hello(sc_member *m, int64_t now_ms)
{
    sc_message hello = {.type = SC_MSG_HELLO, .hello = *m->config.hello};

    hello.hello.number = ++m->n_hellos;
    m->hello_ms = now_ms;
    m->is_hello_sent = m->config.send(m->config.arg, &hello) == 0;
    if (m->is_hello_sent)
        sc_liveness_said(&m->liveness, now_ms);
}

void
sc_member_init(sc_member *m, const sc_member_config *config, int64_t now_ms)
{
    *m = (sc_member){
        .config = *config, .state = SC_MEMBER_JOINING, .refused_ms = -1, .first_hello = 1};
    sc_liveness_init(&m->liveness, config->heartbeat_ms, config->lease_ms, now_ms);
    sc_search_init(&m->search, config->n_endpoints, now_ms);
    say_hello(m, now_ms);
}

void
sc_member_rejoin(sc_member *m, int64_t now_ms)
{
    if (m->state == SC_MEMBER_ENDED)
        return;
    m->was_mute = false;
    if (m->state == SC_MEMBER_JOINED)
        move(m, SC_MEMBER_JOINING, now_ms);
    say_hello(m, now_ms);
}

/* While JOINING. */
static void
leave_if_due(sc_member *m, int64_t now_ms)
{
    if (now_ms < sc_search_leave_ms(&m->search, m->is_hello_sent, &m->liveness))
        return;
    m->config.next(m->config.arg);
    sc_search_left(&m->search, now_ms);
    m->is_hello_sent = false; // to the one that is there now
}

// Nobody is where we said HELLO last: perhaps at the next endpoint.
static void
rejoin_elsewhere(sc_member *m, int64_t now_ms)
{
    m->was_mute = false;
    move(m, SC_MEMBER_JOINING, now_ms);
    sc_search_begin(&m->search, true, now_ms);
    leave_if_due(m, now_ms);
    say_hello(m, now_ms);
}

void
sc_member_back(sc_member *m, int64_t now_ms)
{
    if (m->state == SC_MEMBER_JOINED && m->is_cut_off)
        rejoin_elsewhere(m, now_ms);
    else
        sc_member_rejoin(m, now_ms);
}

static bool
on_welcome(sc_member *m, const sc_welcome *welcome, int64_t now_ms)
{
    // Else it answers a HELLO that was repeated, and what we hold was listed after that; or one
    // from before, and the coordinator has not heard yet that we start to count again.
    if (m->state != SC_MEMBER_JOINING || !m->is_hello_sent)
        return false;
    // It says that we were known before we were out of touch. What came since is perhaps on its
    // way, and would be missing in the list.
    if (welcome->hello != 0 && welcome->hello < m->first_hello)
        return false;
    move(m, SC_MEMBER_JOINED, now_ms);
    m->was_joined = true;
    sc_search_found(&m->search, welcome->epoch);
    m->epoch = welcome->epoch;
    m->refused_ms = -1;
    if (welcome->heartbeat_ms > 0 && welcome->lease_ms >= 2 * welcome->heartbeat_ms) {
        m->config.heartbeat_ms = (int64_t)welcome->heartbeat_ms;
        m->config.lease_ms = (int64_t)welcome->lease_ms;
    }
    if (welcome->task_max_bytes > 0 && welcome->task_max_bytes <= SC_TASK_MAX_BYTES)
        m->config.task_max_bytes = welcome->task_max_bytes;
    sc_liveness_init(&m->liveness, m->config.heartbeat_ms, m->config.lease_ms, now_ms);
    sc_log_info("joined epoch=%" PRIu64, m->epoch);
    return true;
}

static void
end_refused(sc_member *m, const sc_refused *refused, int64_t now_ms)
{
    m->code = (int)refused->code;
    if (m->code == SC_EVERSION)
        snprintf(m->text, sizeof m->text,
                 "refused: this program is version %s (protocol %d to %d), the coordinator is "
                 "version %.*s "
                 "(protocol %u to %u)",
                 SC_VERSION, SC_PROTOCOL_MIN, SC_PROTOCOL_MAX, (int)refused->version.len,
                 refused->version.data ? refused->version.data : "", refused->protocol_min,
                 refused->protocol_max);
    else
        snprintf(m->text, sizeof m->text, "refused: %s: %.*s", sc_error_name(m->code),
                 (int)refused->text.len, refused->text.data ? refused->text.data : "");
    move(m, SC_MEMBER_ENDED, now_ms);
}

/* One that may pass, but not if it lasts. */
static bool
is_given_a_lease(const sc_member *m, int64_t code)
{
    return code == SC_ENAMETAKEN || (code == SC_ELIMIT && !m->was_joined);
}

/* A refusal of the whole session. Some never pass, some are given a lease, after the others we
 * simply try again. A cluster that is full for a while is no reason to end what runs. */
static void
on_refused(sc_member *m, const sc_refused *refused, int64_t now_ms)
{
    if (m->state == SC_MEMBER_ENDED)
        return;
    if (m->state == SC_MEMBER_JOINED) {
        move(m, SC_MEMBER_JOINING, now_ms); // HELLO follows
        m->is_hello_sent = false;
    }
    if (refused->code == SC_ESHUTDOWN)
        sc_search_reject(&m->search);
    if (refused->code == SC_EVERSION || refused->code == SC_EBADARG) {
        end_refused(m, refused, now_ms);
    } else if (is_given_a_lease(m, refused->code)) {
        if (m->refused_ms < 0)
            m->refused_ms = now_ms;
        else if (now_ms - m->refused_ms > m->config.lease_ms)
            end_refused(m, refused, now_ms);
    }
}

/* A coordinator that was deposed and does not know it yet, or not of this cluster. */
static bool
is_deposed(sc_member *m, const sc_message *message, int64_t now_ms)
{
    uint64_t epoch = message->type == SC_MSG_WELCOME ? message->welcome.epoch
                     : message->type == SC_MSG_WHO   ? message->who.epoch
                                                     : 0;
    uint64_t left_out;

    if (epoch == 0 || sc_search_believes(&m->search, epoch))
        return false;
    if (sc_log_may_repeat(&m->deposed, now_ms, &left_out))
        sc_log_warn("coordinator of epoch %" PRIu64 " passed over: epoch %" PRIu64
                    " has led since (if its journal was made anew, start this process again)",
                    epoch, m->search.epoch);
    if (m->state == SC_MEMBER_JOINED)
        move(m, SC_MEMBER_JOINING, now_ms);
    sc_search_reject(&m->search);
    return true;
}

bool
sc_member_message(sc_member *m, const sc_message *message, int64_t now_ms)
{
    if (m->state != SC_MEMBER_ENDED && is_deposed(m, message, now_ms))
        return false;
    sc_liveness_heard(&m->liveness, now_ms);
    if (message->type == SC_MSG_WELCOME)
        return on_welcome(m, &message->welcome, now_ms);
    if (message->type == SC_MSG_REFUSED && message->refused.request == 0)
        on_refused(m, &message->refused, now_ms);
    else if (message->type == SC_MSG_WHO && m->state == SC_MEMBER_JOINED)
        sc_member_rejoin(m, now_ms); // while JOINING a HELLO is on its way already
    return false;
}

/* Asked before each word too, which would hide it. */
bool
sc_member_was_mute(sc_member *m, int64_t now_ms)
{
    if (m->state == SC_MEMBER_JOINED && now_ms - m->liveness.said_ms > m->config.lease_ms)
        m->was_mute = true;
    return m->was_mute;
}

void
sc_member_tick(sc_member *m, int64_t now_ms, int64_t late_ms)
{
    if (late_ms > 0) {
        sc_liveness_shift(&m->liveness, late_ms);
        sc_search_shift(&m->search, late_ms);
    }
    if (m->state == SC_MEMBER_JOINED && sc_liveness_is_gone(&m->liveness, now_ms)) {
        sc_log_warn("coordinator silent for %" PRId64 " ms", m->config.lease_ms);
        rejoin_elsewhere(m, now_ms);
        return;
    }
    if (m->state == SC_MEMBER_JOINING)
        leave_if_due(m, now_ms);
    if (m->state == SC_MEMBER_JOINING &&
        (!m->is_hello_sent || now_ms - m->hello_ms >= m->config.heartbeat_ms)) {
        say_hello(m, now_ms);
    }
}

bool
sc_member_must_say(const sc_member *m, int64_t now_ms)
{
    return m->state == SC_MEMBER_JOINED && sc_liveness_must_say(&m->liveness, now_ms);
}

bool
sc_member_is_alone(const sc_member *m, int64_t now_ms)
{
    return m->state == SC_MEMBER_JOINING && sc_liveness_is_gone(&m->liveness, now_ms);
}

int
sc_member_send(sc_member *m, const sc_message *message, int64_t now_ms)
{
    int rc;

    if (m->state != SC_MEMBER_JOINED)
        return SC_ECLOSED;
    (void)sc_member_was_mute(m, now_ms);
    rc = m->config.send(m->config.arg, message);
    m->is_cut_off = rc != 0;
    if (rc == 0)
        sc_liveness_said(&m->liveness, now_ms);
    return rc;
}

void
sc_member_leave(sc_member *m, const char *reason, int64_t now_ms)
{
    sc_message bye = {.type = SC_MSG_BYE, .bye.reason = sc_text_of(reason)};

    if (m->state == SC_MEMBER_ENDED)
        return;
    (void)sc_member_send(m, &bye, now_ms);
    move(m, SC_MEMBER_ENDED, now_ms);
}
