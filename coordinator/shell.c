/* SPDX-License-Identifier: Apache-2.0 */
/* The loop around the core: see shell.h. The main loop of the coordinator is here: on_turn. */
#include "coordinator/shell.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/endpoints.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/random.h"
#include "coordinator/core.h"
#include "coordinator/journal.h"
#include "coordinator/store.h"
#include "proto/link.h"

enum {
    FAREWELL_MS = 100, // from the last word to the end
    SPIN_US = 100,     // how long the loop looks for the next message of a call before it sleeps
};

struct sc_shell {
    uv_loop_t *loop;
    const sc_settings *settings;
    uint64_t parent_pid;
    sc_journal *journal;
    sc_core *core; // from here on NULL until we lead
    sc_link *link;
    sc_store *store;
    uv_timer_t timer;
    int status;
    int64_t timer_ms; // what it is set to
    bool must_spin;
    bool must_exit;
    bool is_stopping;
    bool is_deposed;               // ends as soon as those who are here have heard of it
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
        if (action->number)
            sc_journal_act(s->journal, action);
        else
            sc_store_act(s->store, action);
    }
}

/* ---- the turn of the loop ---- */

static void on_timer(uv_timer_t *timer);

// What a person should know has been logged.
static void
end_badly(sc_shell *s)
{
    s->status = 1;
    sc_shell_stop(s);
}

static void
set_timer(sc_shell *s)
{
    int64_t next_ms = sc_core_next_ms(s->core);
    if (next_ms == s->timer_ms || s->is_deposed)
        return;
    s->timer_ms = next_ms;
    int64_t wait_ms = next_ms - now(s);
    if (next_ms == INT64_MAX)
        uv_timer_stop(&s->timer);
    else
        uv_timer_start(&s->timer, on_timer, wait_ms > 0 ? (uint64_t)wait_ms : 0, 0);
}

// What the stores and the socket have to say of the core's actions, until nothing is left to say.
static void
settle(sc_shell *s)
{
    for (;;) {
        unsigned n = sc_store_deliver(s->store) + s->n_failed;
        n += sc_journal_deliver(s->journal);
        if (s->is_stopping)
            return; // the journal cannot go on
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
    if (s->is_deposed) {
        end_badly(s);
        return;
    }
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

static void
on_ended(void *arg)
{
    sc_shell *s = arg;
    sc_core_connection_ended(s->core, now(s));
    set_timer(s);
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
on_tasks(void *arg, const sc_uuid *job, int status, const sc_saved_job *saved,
         const sc_saved_tasks *tasks)
{
    sc_shell *s = arg;
    sc_core_tasks(s->core, job, status, saved, tasks, now(s));
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
    sc_shell *s = arg;
    if (s->core)
        on_turn(s);
    else
        sc_journal_deliver(s->journal);
}

/* ---- the journal's answers ---- */

static void
on_journal_stored(void *arg, const sc_ticket *ticket, int status, const char *why)
{
    sc_shell *s = arg;
    sc_core_stored(s->core, ticket, status, why, now(s));
}

static void
on_written(void *arg, uint64_t n)
{
    sc_shell *s = arg;
    sc_core_written(s->core, n, now(s));
}

static void
on_trouble(void *arg, const char *why)
{
    sc_shell *s = arg;
    sc_core_trouble(s->core, why, now(s));
}

static void
on_waiting(void *arg, const char *leader)
{
    (void)arg;
    sc_log_info("waiting to lead: %s", leader);
}

static void
on_failed(void *arg, const sc_error *err)
{
    sc_shell *s = arg;
    sc_log_error("%s", err->text);
    if (!s->core || err->code != SC_ESTATE) {
        end_badly(s);
        return;
    }
    s->status = 1; // also where a signal ends it first
    // a connection that ends takes with it what its other side has received and not yet read
    sc_core_deposed(s->core, now(s));
    s->is_deposed = true;
    uv_timer_start(&s->timer, on_timer, FAREWELL_MS, 0);
}

/* ---- start, stop ---- */

static int
check_endpoint(const sc_settings *settings, sc_error *err)
{
    const char *endpoint = sc_settings_text(settings, SC_SET_ENDPOINT);

    if (sc_endpoints_are_many(endpoint))
        return sc_error_set(err, SC_EBADARG,
                            "%s: a coordinator listens at one endpoint: give it its own with "
                            "--endpoint",
                            endpoint);
    if (sc_endpoint_is_local(endpoint) || sc_settings_int(settings, SC_SET_INSECURE))
        return 0;
    return sc_error_set(err, SC_EBADARG,
                        "%s can be reached from other machines, and nothing is encrypted yet: "
                        "listen on 127.0.0.1 or "
                        "ipc://, or add --insecure",
                        endpoint);
}

static int
new_core(sc_shell *s, const sc_journal_start *start)
{
    char host[SC_NAME_MAX + 1] = "";
    gethostname(host, sizeof host - 1);
    const sc_settings *settings = s->settings;
    uint64_t memory = (uint64_t)sc_settings_int(settings, SC_SET_RESULT_MEMORY);
    sc_core_options options = {
        .epoch = start->epoch,
        .next_number = start->next_number,
        .seed = sc_random_entropy(),
        .parent_pid = s->parent_pid,
        .pid = (uint64_t)getpid(),
        .host = host,
        .started_unix_ms = sc_clock_unix_ms(),
        .heartbeat_ms = sc_settings_int(settings, SC_SET_HEARTBEAT),
        .lease_ms = sc_settings_int(settings, SC_SET_PEER_LEASE),
        .staged_timeout_ms = sc_settings_int(settings, SC_SET_STAGED_TIMEOUT),
        .waiting_ms = sc_settings_int(settings, SC_SET_WAITING_TIME),
        .drain_timeout_ms = sc_settings_int(settings, SC_SET_DRAIN_TIMEOUT),
        .cancel_grace_ms = sc_settings_int(settings, SC_SET_CANCEL_GRACE),
        .queue_max_bytes = (uint64_t)sc_settings_int(settings, SC_SET_QUEUE_BYTES),
        .store_max_bytes = memory + (uint64_t)sc_settings_int(settings, SC_SET_SPILL_MAX),
        .max_jobs = (uint64_t)sc_settings_int(settings, SC_SET_JOBS_MAX),
        .retention_ms = sc_settings_int(settings, SC_SET_JOB_RETENTION),
        .is_shared = start->is_shared,
    };
    return sc_core_new(&options, emit, s, now(s), &s->core);
}

static int
new_store(sc_shell *s, sc_error *err)
{
    sc_store_events events = {on_stored, on_chunk, on_results, on_limit, on_ready, s};
    uint64_t memory = (uint64_t)sc_settings_int(s->settings, SC_SET_RESULT_MEMORY);
    return sc_store_new(s->loop, sc_settings_text(s->settings, SC_SET_DIR), memory, &events,
                        &s->store, err);
}

static int
listen_to_peers(sc_shell *s, sc_error *err)
{
    sc_link_events events = {on_message, on_malformed, on_turn, on_ended, s};
    return sc_link_listen(s->loop, sc_settings_text(s->settings, SC_SET_ENDPOINT), &events,
                          &s->link, err);
}

// Nobody else leads, and this is what is there: from here on we serve.
static void
on_leading(void *arg, const sc_journal_start *start)
{
    sc_shell *s = arg;
    sc_error err = {0};
    uv_update_time(s->loop); // the journal may have taken long
    int rc = new_store(s, &err);
    if (rc == 0 &&
        ((rc = new_core(s, start)) < 0 ||
         (rc = sc_core_restore(s->core, start->jobs, start->tasks, start->n_jobs, now(s))) < 0))
        sc_error_set(&err, rc, "%s", sc_error_text(rc));
    if (rc == 0)
        rc = listen_to_peers(s, &err);
    if (rc < 0) {
        sc_log_error("%s", err.text);
        end_badly(s);
        return;
    }
    if (start->n_jobs > 0)
        sc_log_info("%zu jobs restored", start->n_jobs);
    set_timer(s);
    sc_log_info("ready endpoint=%s pid=%d", sc_link_endpoint(s->link), (int)getpid());
}

static int
new_journal(sc_shell *s, sc_error *err)
{
    sc_journal_options options = {.location = sc_settings_text(s->settings, SC_SET_JOURNAL),
                                  .cache_bytes =
                                      (uint64_t)sc_settings_int(s->settings, SC_SET_RESULT_MEMORY)};
    sc_journal_events events = {.on_leading = on_leading,
                                .on_waiting = on_waiting,
                                .on_failed = on_failed,
                                .on_stored = on_journal_stored,
                                .on_written = on_written,
                                .on_chunk = on_chunk,
                                .on_results = on_results,
                                .on_tasks = on_tasks,
                                .on_trouble = on_trouble,
                                .on_ready = on_ready,
                                .arg = s};
    return sc_journal_new(s->loop, &options, &events, &s->journal, err);
}

int
sc_shell_new(uv_loop_t *loop, const sc_settings *settings, uint64_t parent_pid, sc_shell **out,
             sc_error *err)
{
    int rc = check_endpoint(settings, err);
    if (rc < 0)
        return rc;
    sc_shell *s = calloc(1, sizeof *s);
    if (!s)
        return sc_error_set(err, SC_ENOMEM, "out of memory");
    s->loop = loop;
    s->settings = settings;
    s->parent_pid = parent_pid;
    s->timer_ms = INT64_MIN;
    if ((rc = new_journal(s, err)) < 0) {
        free(s);
        return rc;
    }
    uv_timer_init(loop, &s->timer);
    s->timer.data = s;
    *out = s;
    return 0;
}

void
sc_shell_leave(sc_shell *s)
{
    if (s->is_stopping)
        return;
    if (!s->core) {
        sc_shell_stop(s);
        return;
    }
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
    sc_journal_close(&s->journal, NULL, NULL);
}

int
sc_shell_status(const sc_shell *s)
{
    return s->status;
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
