/* SPDX-License-Identifier: Apache-2.0 */
/* The loop around the core: see shell.h. The main loop of the coordinator is here: on_turn. */
#include "coordinator/shell.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/random.h"
#include "coordinator/core.h"
#include "coordinator/store.h"
#include "proto/link.h"

enum {
    SPIN_US = 100, // how long the loop looks for the next message of a call before it sleeps
};

struct sc_shell {
    uv_loop_t *loop;
    sc_core *core;
    sc_link *link;
    sc_store *store;
    uv_timer_t timer;
    int64_t timer_ms; // what it is set to
    bool must_spin;
    bool must_exit;
    bool is_stopping;
    uint64_t failed[SC_MAX_PEERS]; // links that a message could not be sent to, each once
    unsigned n_failed;
};

static int64_t
now(const sc_shell *s)
{
    return (int64_t)uv_now(s->loop);
}

/* ---- actions ---- */

static void
send_failed(sc_shell *s, uint64_t link)
{
    for (unsigned i = 0; i < s->n_failed; i++)
        if (s->failed[i] == link)
            return;
    if (s->n_failed < SC_MAX_PEERS) // more are no sessions: who is not known may ask again
        s->failed[s->n_failed++] = link;
}

static void
emit(void *arg, const sc_action *action)
{
    sc_shell *s = arg;
    switch (action->type) {
    case SC_ACTION_SEND:
        if (sc_link_send(s->link, action->send.link, action->send.message) < 0)
            send_failed(s, action->send.link);
        break;
    case SC_ACTION_CALL_PASSED:
        s->must_spin = true;
        break;
    case SC_ACTION_EXIT:
        s->must_exit = true;
        break;
    default:
        sc_store_act(s->store, action);
    }
}

/* ---- the turn of the loop ---- */

static void on_timer(uv_timer_t *timer);

static void
set_timer(sc_shell *s)
{
    int64_t next_ms = sc_core_next_ms(s->core);
    if (next_ms == s->timer_ms)
        return;
    s->timer_ms = next_ms;
    int64_t wait_ms = next_ms - now(s);
    if (next_ms == INT64_MAX)
        uv_timer_stop(&s->timer);
    else
        uv_timer_start(&s->timer, on_timer, wait_ms > 0 ? (uint64_t)wait_ms : 0, 0);
}

// What the store and the socket have to say of the core's actions, until nothing is left to say.
static void
settle(sc_shell *s)
{
    for (;;) {
        unsigned n = sc_store_deliver(s->store) + s->n_failed;
        while (s->n_failed)
            sc_core_send_failed(s->core, s->failed[--s->n_failed], now(s));
        if (n == 0)
            break;
        sc_core_turn(s->core, now(s));
    }
    uint64_t memory, spilled;
    sc_store_bytes(s->store, &memory, &spilled);
    sc_core_store_spilled(s->core, spilled);
    set_timer(s);
    if (s->must_spin && !sc_core_is_busy(s->core))
        sc_link_spin(s->link, SPIN_US);
    s->must_spin = false;
    if (s->must_exit)
        sc_shell_stop(s);
}

// The main loop: all messages of this turn have been given to the core; now it acts.
static void
on_turn(void *arg)
{
    sc_shell *s = arg;
    sc_core_turn(s->core, now(s));
    settle(s);
}

static void
on_timer(uv_timer_t *timer)
{
    sc_shell *s = timer->data;
    s->timer_ms = INT64_MIN;
    sc_link_drain(s->link); // silence is judged on what has arrived by now
    if (s->is_stopping)
        return; // the last of those who were waited for has left
    sc_core_tick(s->core, now(s));
    settle(s);
}

static void
on_message(void *arg, uint64_t peer, const sc_message *message)
{
    sc_shell *s = arg;
    sc_core_message(s->core, peer, message, now(s));
}

static void
on_malformed(void *arg, uint64_t peer, const sc_error *err)
{
    sc_shell *s = arg;
    sc_core_malformed(s->core, peer, err, now(s));
}

/* ---- the store's answers ---- */

static void
on_stored(void *arg, const sc_ticket *ticket, int status)
{
    sc_shell *s = arg;
    sc_core_stored(s->core, ticket, status, NULL, now(s));
}

static void
on_chunk(void *arg, const sc_uuid *job, uint32_t number, int status, sc_slice table, sc_slice bytes)
{
    sc_shell *s = arg;
    sc_core_chunk(s->core, job, number, status, table, bytes, now(s));
}

static void
on_results(void *arg, const sc_store_read *read, int status, const sc_message *page)
{
    sc_shell *s = arg;
    sc_core_results(s->core, read, status, page, now(s));
}

static void
on_limit(void *arg, uint64_t max_bytes)
{
    sc_shell *s = arg;
    sc_core_store_limit(s->core, max_bytes, now(s));
}

static void
on_ready(void *arg)
{
    on_turn(arg);
}

/* ---- start, stop ---- */

static int
check_endpoint(const sc_settings *settings, sc_error *err)
{
    const char *endpoint = sc_settings_text(settings, SC_SET_ENDPOINT);
    if (sc_endpoint_is_local(endpoint) || sc_settings_int(settings, SC_SET_INSECURE))
        return 0;
    return sc_error_set(err, SC_EBADARG,
                        "%s can be reached from other machines, and nothing is encrypted yet: "
                        "listen on 127.0.0.1 or "
                        "ipc://, or add --insecure",
                        endpoint);
}

static int
new_core(sc_shell *s, const sc_settings *settings, uint64_t parent_pid)
{
    char host[SC_NAME_MAX + 1] = "";
    gethostname(host, sizeof host - 1);
    int64_t unix_ms = sc_clock_unix_ms();
    uint64_t memory = (uint64_t)sc_settings_int(settings, SC_SET_RESULT_MEMORY);
    sc_core_options options = {
        .epoch = (uint64_t)unix_ms,
        .seed = sc_random_entropy(),
        .parent_pid = parent_pid,
        .pid = (uint64_t)getpid(),
        .host = host,
        .started_unix_ms = unix_ms,
        .heartbeat_ms = sc_settings_int(settings, SC_SET_HEARTBEAT),
        .lease_ms = sc_settings_int(settings, SC_SET_PEER_LEASE),
        .staged_timeout_ms = sc_settings_int(settings, SC_SET_STAGED_TIMEOUT),
        .waiting_ms = sc_settings_int(settings, SC_SET_WAITING_TIME),
        .drain_timeout_ms = sc_settings_int(settings, SC_SET_DRAIN_TIMEOUT),
        .queue_max_bytes = (uint64_t)sc_settings_int(settings, SC_SET_QUEUE_BYTES),
        .store_max_bytes = memory + (uint64_t)sc_settings_int(settings, SC_SET_SPILL_MAX),
        .max_jobs = (uint64_t)sc_settings_int(settings, SC_SET_JOBS_MAX),
        .retention_ms = sc_settings_int(settings, SC_SET_JOB_RETENTION),
    };
    return sc_core_new(&options, emit, s, now(s), &s->core);
}

static int
new_store(sc_shell *s, const sc_settings *settings, sc_error *err)
{
    sc_store_events events = {on_stored, on_chunk, on_results, on_limit, on_ready, s};
    uint64_t memory = (uint64_t)sc_settings_int(settings, SC_SET_RESULT_MEMORY);
    return sc_store_new(s->loop, sc_settings_text(settings, SC_SET_DIR), memory, &events, &s->store,
                        err);
}

int
sc_shell_new(uv_loop_t *loop, const sc_settings *settings, uint64_t parent_pid, sc_shell **out,
             sc_error *err)
{
    sc_link_events events = {on_message, on_malformed, on_turn, NULL};
    int rc = check_endpoint(settings, err);
    if (rc < 0)
        return rc;
    sc_shell *s = calloc(1, sizeof *s);
    if (!s)
        return sc_error_set(err, SC_ENOMEM, "out of memory");
    s->loop = loop;
    s->timer_ms = INT64_MIN;
    events.arg = s;
    if ((rc = new_core(s, settings, parent_pid)) < 0) {
        sc_error_set(err, rc, "out of memory");
        goto no_core;
    }
    if ((rc = new_store(s, settings, err)) < 0)
        goto no_store;
    if ((rc = sc_link_listen(loop, sc_settings_text(settings, SC_SET_ENDPOINT), &events, &s->link,
                             err)) < 0)
        goto no_link;
    uv_timer_init(loop, &s->timer);
    s->timer.data = s;
    set_timer(s);
    *out = s;
    return 0;
no_link:
    sc_store_close(&s->store, NULL, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
no_store:
    sc_core_free(&s->core);
no_core:
    free(s);
    return rc;
}

const char *
sc_shell_endpoint(const sc_shell *s)
{
    return sc_link_endpoint(s->link);
}

void
sc_shell_leave(sc_shell *s)
{
    if (s->is_stopping)
        return;
    sc_core_leave(s->core, now(s));
    settle(s);
}

void
sc_shell_stop(sc_shell *s)
{
    if (s->is_stopping)
        return;
    s->is_stopping = true;
    uv_close((uv_handle_t *)&s->timer, NULL);
    sc_link_close(&s->link, NULL, NULL);
    sc_store_close(&s->store, NULL, NULL);
}

void
sc_shell_free(sc_shell **at)
{
    if (!*at)
        return;
    sc_core_free(&(*at)->core);
    free(*at);
    *at = NULL;
}
