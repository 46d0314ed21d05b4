/* SPDX-License-Identifier: Apache-2.0 */
/* The worker process: see runtime.h. It only carries: messages to the session, tasks from there to
 * the executor, the time to both. Work is done in the idle step of the loop, never in a callback of
 * the link; sends are not possible later in a turn (proto/link.c). */
#include "worker/runtime.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "proto/uplink.h"
#include "worker/executor.h"

enum { TICK_MAX_MS = 100, TICK_MIN_MS = 5 };

struct sc_runtime {
    sc_runtime_config config;
    uv_loop_t *loop;
    sc_shared_page page;
    sc_uplink *link;
    sc_session *session;
    sc_executor *executor;
    sc_database *database;
    uv_timer_t tick;
    uv_idle_t turn;
    int64_t tick_ms;
    int64_t tick_due_ms;
    int64_t drain_until_ms; // 0 = it does not drain
    int64_t leave_by_ms;    // where it is replaced: however long it stood still meanwhile
    bool is_replaced;       // a task was given up: it ends once its results are safe, whatever runs
    bool is_closing, is_stuck;
    int status;
    sc_hello hello;
    sc_hello_handler handlers[SC_MAX_HANDLERS_A_WORKER];
    char host[SC_NAME_MAX + 1];
    sc_log_limit malformed;
};

static int64_t
now_ms(const sc_runtime *r)
{
    return (int64_t)uv_now(r->loop);
}

/* ---- the end ---- */

/* Everything that is on the loop goes; the loop ends by itself after that. */
static void
close_all(sc_runtime *r)
{
    r->is_closing = true;
    sc_page_set_leaving(&r->page);
    if (sc_executor_n_running(r->executor) > 0) {
        sc_log_warn("%u tasks still running at the end", sc_executor_n_running(r->executor));
        r->is_stuck = true;
        uv_stop(r->loop);
        return;
    }
    sc_executor_close(&r->executor);
    uv_close((uv_handle_t *)&r->tick, NULL);
    uv_close((uv_handle_t *)&r->turn, NULL);
    sc_database_close(&r->database);
    sc_uplink_close(&r->link, NULL, NULL);
}

/* After every event: has the session come to its end? */
static void
look(sc_runtime *r)
{
    const sc_member *member = sc_session_member(r->session);

    if (member->state == SC_MEMBER_JOINED)
        sc_page_set_ready(&r->page);
    if (r->is_closing)
        return;
    if (r->is_replaced && sc_session_has_delivered(r->session)) {
        close_all(r);
        return;
    }
    if (member->state != SC_MEMBER_ENDED)
        return;
    if (member->code != 0) {
        sc_log_error("%s", member->text);
        r->status = 1;
    }
    close_all(r);
}

/* ---- events of the loop ---- */

/* Whoever comes first after the process stood still says for how long. */
static void
tick_session(sc_runtime *r)
{
    int64_t late_ms = now_ms(r) - r->tick_due_ms;

    late_ms = late_ms > 0 ? late_ms : 0;
    r->tick_due_ms = now_ms(r) + r->tick_ms;
    if (r->is_replaced) { // while it stands still it delivers nothing
        r->drain_until_ms += late_ms;
        if (r->drain_until_ms > r->leave_by_ms)
            r->drain_until_ms = r->leave_by_ms;
    }
    sc_session_tick(r->session, now_ms(r), late_ms);
}

static void
on_turn(uv_idle_t *turn)
{
    sc_runtime *r = turn->data;
    bool has_more;

    // Where the process was stopped in this very turn of the loop, what waits must not start.
    uv_update_time(r->loop);
    if (now_ms(r) - r->tick_due_ms > r->tick_ms)
        tick_session(r);
    has_more = sc_executor_turn(r->executor);
    sc_session_flush(r->session, now_ms(r));
    if (!has_more)
        uv_idle_stop(turn);
    look(r);
}

static void
wake(void *arg)
{
    sc_runtime *r = arg;

    if (!r->is_closing)
        uv_idle_start(&r->turn, on_turn);
}

/* Code of a task that was given up is still running, and nothing ends it but the end of the
 * process. What else runs here runs again elsewhere, without a try less; what has ended is
 * delivered first. */
static void
replace(sc_runtime *r)
{
    if (r->is_replaced || r->is_closing)
        return;
    r->is_replaced = true;
    r->drain_until_ms = now_ms(r) + sc_settings_int(r->config.settings, SC_SET_PEER_LEASE);
    r->leave_by_ms = now_ms(r) + sc_settings_int(r->config.settings, SC_SET_DRAIN_TIMEOUT);
    sc_session_drain(r->session, now_ms(r));
    sc_session_flush(r->session, now_ms(r));
}

static void
on_tick(uv_timer_t *tick)
{
    sc_runtime *r = tick->data;

    sc_page_tick(&r->page);
    sc_uplink_drain(r->link); // silence is judged on what was really sent
    if (sc_executor_tick(r->executor))
        replace(r);
    tick_session(r);
    if (r->drain_until_ms > 0 && now_ms(r) >= r->drain_until_ms && !r->is_closing) {
        sc_log_warn("drain timeout: leaving without an end of all tasks");
        close_all(r);
        return;
    }
    wake(r);
    look(r);
}

/* ---- events of the link ---- */

static void
on_message(void *arg, uint64_t peer, const sc_message *message)
{
    sc_runtime *r = arg;

    (void)peer;
    if (r->is_closing)
        return;
    sc_session_message(r->session, message, now_ms(r));
    if (message->type == SC_MSG_STOP && sc_session_member(r->session)->state == SC_MEMBER_JOINED) {
        sc_log_info("the coordinator asks to stop");
        sc_runtime_drain(r);
    }
}

static void
on_malformed(void *arg, uint64_t peer, const sc_error *err)
{
    sc_runtime *r = arg;
    uint64_t left_out;

    (void)peer;
    if (sc_log_may_repeat(&r->malformed, now_ms(r), &left_out))
        sc_log_warn("message dropped: %s (%" PRIu64 " more)", err->text, left_out);
}

/* Something was read, or can be sent again. */
static void
on_link_turn(void *arg)
{
    sc_runtime *r = arg;

    if (r->is_closing)
        return;
    if (sc_session_member(r->session)->state == SC_MEMBER_JOINING)
        tick_session(r);
    wake(r);
    look(r);
}

/* ---- actions of the session ---- */

static int
on_send(void *arg, const sc_message *message)
{
    sc_runtime *r = arg;

    return sc_uplink_send(r->link, message);
}

static void
on_next(void *arg)
{
    sc_runtime *r = arg;

    sc_uplink_next(r->link);
    sc_log_debug("looking for the coordinator at %s", sc_uplink_endpoint(r->link));
}

static void
on_cancel(void *arg, sc_started *task, int64_t grace_ms)
{
    sc_runtime *r = arg;

    sc_executor_cancel(r->executor, task, grace_ms);
}

static void
on_release(void *arg, uint32_t slot)
{
    sc_runtime *r = arg;

    sc_page_end(&r->page, sc_page_once(&r->page, slot));
}

/* ---- start ---- */

static void
fill_hello(sc_runtime *r)
{
    const sc_settings *s = r->config.settings;
    uint32_t n = sc_registry_count(r->config.registry);

    for (uint32_t i = 0; i < n; i++) {
        const sc_handler *handler = sc_registry_get(r->config.registry, i);

        r->handlers[i] = (sc_hello_handler){.name = sc_text_of(handler->name),
                                            .description = sc_text_of(handler->description),
                                            .kind = (uint32_t)handler->kind,
                                            .is_once = handler->flags & SC_HANDLER_ONCE};
    }
    gethostname(r->host, sizeof r->host - 1);
    r->hello = (sc_hello){
        .role = SC_ROLE_WORKER,
        .name = sc_text_of(r->config.name),
        .instance = r->page.head->instance,
        .protocol_min = SC_PROTOCOL_MIN,
        .protocol_max = SC_PROTOCOL_MAX,
        .version = sc_text_of(SC_VERSION),
        .host = sc_text_of(r->host),
        .pid = (uint64_t)getpid(),
        .supervisor = r->config.supervisor,
        .slots_async = r->page.head->n_async,
        .slots_thread = r->page.head->n_threads,
        .credit_tasks = (uint32_t)sc_settings_int(s, SC_SET_WORKER_CREDIT_TASKS),
        .credit_bytes = (uint64_t)sc_settings_int(s, SC_SET_WORKER_CREDIT_BYTES),
        .handlers = {r->handlers, n},
    };
}

static int
start_session(sc_runtime *r, sc_error *err)
{
    const sc_settings *s = r->config.settings;
    sc_link_events events = {
        .on_message = on_message, .on_malformed = on_malformed, .on_turn = on_link_turn, .arg = r};
    sc_session_config config = {
        .hello = &r->hello,
        .heartbeat_ms = sc_settings_int(s, SC_SET_HEARTBEAT),
        .lease_ms = sc_settings_int(s, SC_SET_PEER_LEASE),
        .result_max_bytes = (size_t)sc_settings_int(s, SC_SET_WORKER_RESULT_BYTES),
        .next = on_next,
        .actions = {.send = on_send, .cancel = on_cancel, .release = on_release, .arg = r}};
    int rc = sc_uplink_open(r->loop, sc_settings_text(s, SC_SET_ENDPOINT), &events, &r->link, err);

    if (rc != 0)
        return rc;
    config.n_endpoints = sc_uplink_count(r->link);
    rc = sc_session_new(&config, now_ms(r), &r->session);
    if (rc != 0)
        return sc_error_set(err, rc, "%s", sc_error_text(rc));
    sc_executor_set_session(r->executor, r->session);
    return 0;
}

static int
start_executor(sc_runtime *r, sc_error *err)
{
    sc_executor_config config = {.loop = r->loop,
                                 .registry = r->config.registry,
                                 .page = &r->page,
                                 .database = r->database,
                                 .n_threads = r->page.head->n_threads,
                                 .n_async = r->page.head->n_async,
                                 .on_wake = wake,
                                 .arg = r};
    int rc = sc_executor_new(&config, &r->executor);

    return rc == 0 ? 0 : sc_error_set(err, rc, "cannot start threads: %s", sc_error_text(rc));
}

static void
start_ticks(sc_runtime *r)
{
    const sc_settings *s = r->config.settings;
    int64_t ms = sc_settings_int(s, SC_SET_HEARTBEAT) / 2;
    int64_t stall_ms = sc_settings_int(s, SC_SET_TASK_LEASE) / 10;

    ms = ms < stall_ms ? ms : stall_ms;
    ms = ms < TICK_MAX_MS ? ms : TICK_MAX_MS;
    r->tick_ms = ms > TICK_MIN_MS ? ms : TICK_MIN_MS;
    r->tick_due_ms = now_ms(r) + r->tick_ms;
    uv_timer_init(r->loop, &r->tick);
    uv_idle_init(r->loop, &r->turn);
    r->tick.data = r->turn.data = r;
    uv_timer_start(&r->tick, on_tick, (uint64_t)r->tick_ms, (uint64_t)r->tick_ms);
    // The first task comes sooner than the first tick of the timer, and may never let it come.
    sc_page_tick(&r->page);
}

int
sc_runtime_new(uv_loop_t *loop, const sc_runtime_config *config, sc_runtime **out, sc_error *err)
{
    sc_runtime *r = calloc(1, sizeof *r);
    int rc;

    if (!r)
        return sc_error_set(err, SC_ENOMEM, "no memory");
    r->config = *config;
    r->loop = loop;
    *out = r;
    rc = sc_page_open(config->page_fd, &r->page);
    if (rc != 0)
        return sc_error_set(err, rc, "page of the supervisor: %s", sc_error_text(rc));
    fill_hello(r);
    rc = sc_database_new(loop, config->settings, &r->database, err);
    if (rc == 0)
        rc = start_executor(r, err);
    if (rc == 0)
        rc = start_session(r, err);
    if (rc == 0)
        start_ticks(r);
    return rc; // a process that cannot start ends: nothing is taken back
}

void
sc_runtime_drain(sc_runtime *r)
{
    if (r->drain_until_ms > 0 || r->is_closing)
        return;
    r->drain_until_ms = now_ms(r) + sc_settings_int(r->config.settings, SC_SET_DRAIN_TIMEOUT) + 1;
    sc_log_info("draining running=%u waiting=%u", sc_session_n_running(r->session),
                sc_session_n_waiting(r->session));
    sc_session_drain(r->session, now_ms(r));
    look(r);
}

int
sc_runtime_status(const sc_runtime *r)
{
    return r->status;
}

bool
sc_runtime_is_stuck(const sc_runtime *r)
{
    return r->is_stuck;
}

void
sc_runtime_free(sc_runtime **r)
{
    if (!*r)
        return;
    sc_session_free(&(*r)->session);
    sc_page_close(&(*r)->page);
    free(*r);
    *r = NULL;
}
