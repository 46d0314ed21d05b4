/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's session: see session.h. Called by the runtime for messages and ticks, by the
 * executor for tasks. Keeps no clock, no socket and no thread, so that the simulation runs this
 * very code. */
#include "worker/session_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "proto/run.h"

enum {
    LATE_MS = 100, // a tick later than this moves leases
};

static int
member_send(void *arg, const sc_message *message)
{
    sc_session *s = arg;

    return s->config.actions.send(s->config.actions.arg, message);
}

static void
member_next(void *arg)
{
    sc_session *s = arg;

    s->config.next(s->config.actions.arg);
}

int
sc_session_new(const sc_session_config *config, int64_t now_ms, sc_session **out)
{
    sc_session *s = calloc(1, sizeof *s);
    sc_member_config member = {.hello = config->hello,
                               .heartbeat_ms = config->heartbeat_ms,
                               .lease_ms = config->lease_ms,
                               .task_max_bytes = SC_TASK_MAX_BYTES,
                               .send = member_send,
                               .n_endpoints = config->n_endpoints,
                               .next = member_next,
                               .arg = s};

    if (!s)
        return SC_ENOMEM;
    s->costs = calloc(config->hello->handlers.n + 1, sizeof *s->costs);
    if (!s->costs) {
        free(s);
        return SC_ENOMEM;
    }
    s->config = *config;
    sc_backlog_init(&s->backlog);
    sc_references_init(&s->references);
    sc_reports_init(&s->reports, &s->member);
    sc_once_init(&s->once, config->actions.release, config->actions.arg);
    sc_delivery_init(&s->delivery,
                     &(sc_delivery_config){&s->backlog, &s->member, s->costs, &s->once});
    sc_buffer_init(&s->text, 0);
    sc_member_init(&s->member, &member, now_ms);
    *out = s;
    return 0;
}

void
sc_session_free(sc_session **session)
{
    sc_session *s = *session;

    if (!s)
        return;
    sc_backlog_fini(&s->backlog);
    sc_references_fini(&s->references);
    sc_delivery_fini(&s->delivery);
    sc_buffer_fini(&s->text);
    free(s->costs);
    free(s);
    *session = NULL;
}

/* ---- results ---- */

/* An ending that says what went wrong; lives in s->text. */
static sc_ending
error_ending(sc_session *s, sc_outcome outcome, int code, const char *text)
{
    sc_buffer_clear(&s->text);
    if (sc_buffer_printf(&s->text, "{\"code\":\"%s\",\"message\":", sc_error_name(code)) != 0 ||
        sc_json_add_string(&s->text, text, strlen(text)) != 0 ||
        sc_buffer_add(&s->text, "}", 1) != 0)
        return (sc_ending){.outcome = outcome, .data = "{\"code\":\"system\"}", .len = 17};
    return (sc_ending){.outcome = outcome, .data = s->text.data, .len = s->text.len};
}

void
sc_session_recalled(sc_session *s, const sc_assignment *a, uint32_t n_ranges, int64_t now_ms)
{
    sc_message message = {
        .type = SC_MSG_RECALLED,
        .recalled = {.job = a->job, .token = a->token, .ranges = {s->ranges, n_ranges}}};

    // Where it cannot be sent, the session ends soon: silence, or the list after HELLO says the
    // same.
    if (sc_member_send(&s->member, &message, now_ms) != 0 && s->member.state == SC_MEMBER_JOINED)
        sc_member_rejoin(&s->member, now_ms);
}

/* The answer to one task: its result, or where there is no memory for that, the task itself. */
static void
answer(sc_session *s, sc_assignment *a, uint32_t offset, const sc_ending *ending, int64_t now_ms)
{
    sc_ending last = *ending;
    int rc;

    if (last.len > s->member.config.task_max_bytes)
        last = error_ending(s, SC_DEAD, SC_ETOOLARGE, "the result is larger than allowed");
    rc = sc_delivery_collect(&s->delivery, a, offset, &last);
    if (rc != 0) {
        last = error_ending(s, SC_DEAD, SC_ENOMEM, "the worker has no memory for the result");
        last.is_retryable = true;
        rc = sc_delivery_collect(&s->delivery, a, offset, &last);
    }
    sc_backlog_answer(&s->backlog, a, offset);
    if (rc == 0)
        return;
    sc_once_remove(&s->once, a->token, a->first + offset);
    s->ranges[0] = (sc_range){a->first + offset, 1};
    sc_session_recalled(s, a, 1, now_ms);
}

void
sc_session_end(sc_session *s, sc_started *task, const sc_ending *ending, int64_t now_ms)
{
    sc_assignment *a = task->assignment;

    LIST_REMOVE(task, node);
    sc_reports_drop(&s->reports, task);
    a->n_executing--;
    if (!sc_assignment_is_answered(a, task->offset))
        answer(s, a, task->offset, ending, now_ms);
    else if (!task->is_given_up) /* else until its result is safe, as ever */
        sc_once_remove(&s->once, a->token, a->first + task->offset);
    if (a->is_dirty && (a->n_open == 0 || a->values.len >= SC_CHUNK_MAX_BYTES)) {
        sc_delivery_flush(&s->delivery, a);
        sc_delivery_send(&s->delivery, now_ms);
    } else {
        sc_backlog_settle(&s->backlog, a);
    }
}

void
sc_session_give_up(sc_session *s, sc_started *task, const sc_ending *ending, int64_t now_ms)
{
    sc_assignment *a = task->assignment;

    if (sc_assignment_is_answered(a, task->offset))
        return;
    task->is_given_up = true;
    sc_reports_drop(&s->reports, task);
    answer(s, a, task->offset, ending, now_ms);
    sc_session_flush(s, now_ms);
}

void
sc_session_progress(sc_session *s, sc_started *task, uint64_t n, uint64_t of)
{
    const sc_assignment *a = task->assignment;

    if (a->class != SC_CLASS_CALL && !sc_assignment_is_answered(a, task->offset))
        sc_reports_note(&s->reports, task, n, of);
}

void
sc_session_measure(sc_session *s, uint32_t handler, int64_t ns)
{
    sc_cost_add(&s->costs[handler], ns);
}

uint64_t
sc_session_cost_ns(const sc_session *s, uint32_t handler)
{
    return sc_cost_p90(&s->costs[handler]);
}

uint64_t
sc_session_next_cost_ns(const sc_session *s, sc_slot_kind kind)
{
    const sc_assignment *a = sc_backlog_first(&s->backlog, kind, sc_once_has_room(&s->once));

    return a ? sc_session_cost_ns(s, a->handler) : 0;
}

/* Drained, but perhaps for results that are not acknowledged. */
static bool
has_ended_all(const sc_session *s)
{
    return s->is_draining && s->backlog.n_running == 0 && s->backlog.n_waiting == 0 &&
           s->member.state != SC_MEMBER_ENDED;
}

void
sc_session_flush(sc_session *s, int64_t now_ms)
{
    sc_delivery_flush_all(&s->delivery);
    sc_delivery_send(&s->delivery, now_ms);
    if (has_ended_all(s) && sc_outbox_is_empty(&s->delivery.outbox))
        sc_member_leave(&s->member, "drained", now_ms);
}

/* ---- runs ---- */

static const sc_hello_handler *
handler_at(const sc_session *s, uint32_t i)
{
    return (const sc_hello_handler *)s->config.hello->handlers.items + i;
}

/* Its place in HELLO, or how many there are. */
static uint32_t
find_handler(const sc_session *s, sc_text name)
{
    uint32_t i;

    for (i = 0; i < s->config.hello->handlers.n; i++) {
        sc_text one = handler_at(s, i)->name;

        if (one.len == name.len && memcmp(one.data, name.data, name.len) == 0)
            break;
    }
    return i;
}

static bool
is_well_formed(const sc_session *s, const sc_message *m)
{
    uint32_t n = m->run.is_array ? sc_tasks_count(m->table) : m->run.count;

    return m->run.count > 0 && n > 0 && m->run.class < SC_BACKLOG_CLASSES &&
           sc_tasks_check(m->table, m->bytes, n, (uint32_t)s->member.config.task_max_bytes) == 0;
}

/* A run that cannot be taken goes back as it came. */
static void
return_run(sc_session *s, const sc_run *run, int64_t now_ms)
{
    sc_assignment a = {.job = run->job, .token = run->token};

    s->ranges[0] = (sc_range){run->first, run->count};
    sc_session_recalled(s, &a, 1, now_ms);
}

/* Every task of a run that waits ends with the same error. */
static void
refuse_run(sc_session *s, sc_assignment *a, int code, const char *text, int64_t now_ms)
{
    sc_ending ending = error_ending(s, SC_DEAD, code, text);

    for (uint32_t offset = 0; offset < a->count; offset++)
        if (!sc_assignment_is_answered(a, offset))
            answer(s, a, offset, &ending, now_ms);
    if (a->is_dirty)
        sc_delivery_flush(&s->delivery, a);
    else
        sc_backlog_settle(&s->backlog, a);
    sc_delivery_send(&s->delivery, now_ms);
}

/* ---- arguments that are results of other jobs ---- */

static void
read_references(sc_session *s, int64_t now_ms)
{
    sc_message message;

    if (sc_references_next(&s->references, &message) &&
        sc_member_send(&s->member, &message, now_ms) == 0)
        sc_references_said(&s->references);
}

/* The runs that wait for it begin, or end. */
static void
settle_reference(sc_session *s, const sc_reference *ref, int64_t now_ms)
{
    sc_assignment *next;

    for (sc_assignment *a = TAILQ_FIRST(&s->backlog.all); a; a = next) {
        next = TAILQ_NEXT(a, node);
        if (a->reference != ref || a->is_queued || a->n_waiting == 0)
            continue;
        if (ref->state == SC_REFERENCE_FAILED) {
            refuse_run(s, a, ref->code, ref->text, now_ms);
        } else if (ref->state == SC_REFERENCE_READY) {
            sc_slice_drop(&a->table);
            sc_slice_drop(&a->bytes);
            a->table = sc_slice_keep(ref->table);
            a->bytes = sc_slice_keep(ref->bytes);
            sc_backlog_enqueue(&s->backlog, a);
        }
    }
}

static void
on_answer(sc_session *s, const sc_message *m, int64_t now_ms)
{
    const sc_reference *ref = sc_references_answer(&s->references, m);

    if (ref)
        settle_reference(s, ref, now_ms);
    if (ref || m->type == SC_MSG_PAGE)
        read_references(s, now_ms);
    /* else with the next tick: why it was refused may have passed by then */
}

static void
start_run(sc_session *s, sc_assignment *a, const sc_message *m, int64_t now_ms)
{
    a->kind = handler_at(s, a->handler)->kind;
    a->is_once = handler_at(s, a->handler)->is_once;
    if (!sc_references_are_in(m)) {
        sc_backlog_enqueue(&s->backlog, a);
    } else if ((a->reference = sc_references_hold(&s->references, m))) {
        settle_reference(s, a->reference, now_ms);
        read_references(s, now_ms);
    } else {
        refuse_run(s, a, SC_ENOMEM, "the worker has no memory for the arguments", now_ms);
    }
}

static void
on_run(sc_session *s, const sc_message *m, int64_t now_ms)
{
    char text[SC_NAME_MAX + 32];
    sc_assignment *a;

    if (sc_backlog_find(&s->backlog, m->run.token) || m->run.count == 0)
        return; // said twice, or nothing to do
    if (s->is_draining || !sc_backlog_has_room(&s->backlog, s->config.hello, m) ||
        !(a = sc_backlog_add(&s->backlog, m))) {
        return_run(s, &m->run, now_ms);
        return;
    }
    a->handler = find_handler(s, m->run.handler);
    if (a->handler == s->config.hello->handlers.n) {
        snprintf(text, sizeof text, "this worker has no handler %.*s", (int)m->run.handler.len,
                 m->run.handler.data);
        refuse_run(s, a, SC_ENOHANDLER, text, now_ms);
    } else if (!is_well_formed(s, m)) {
        refuse_run(s, a, SC_EMALFORMED, "the table of the run does not fit its bytes", now_ms);
    } else {
        start_run(s, a, m, now_ms);
    }
}

bool
sc_session_take(sc_session *s, sc_slot_kind kind, sc_started *out)
{
    if (sc_delivery_n_bytes(&s->delivery) >= s->config.result_max_bytes ||
        !sc_backlog_take(&s->backlog, kind, sc_once_has_room(&s->once), out))
        return false;
    if (out->assignment->is_once)
        out->once = sc_once_add(&s->once, out->assignment->token, sc_started_index(out));
    return true;
}

/* ---- what is held ---- */

/* After WELCOME: the list, READY, then the results again. What is not listed counts as lost, so a
 * list with a hole is worse than none. */
static void
list_all(sc_session *s, int64_t now_ms)
{
    sc_message ready = {.type = SC_MSG_READY, .ready.is_draining = s->is_draining};

    sc_delivery_flush_all(&s->delivery);
    if (sc_inventory_send(&s->inventory, &s->backlog, &s->delivery.outbox, &s->member, now_ms) !=
            0 ||
        sc_member_send(&s->member, &ready, now_ms) != 0) {
        sc_member_rejoin(&s->member, now_ms);
        return;
    }
    sc_outbox_restart(&s->delivery.outbox);
    sc_reports_again(&s->reports);
    sc_delivery_send(&s->delivery, now_ms);
    sc_references_restart(&s->references);
    read_references(s, now_ms);
}

/* ---- events ---- */

void
sc_session_message(sc_session *s, const sc_message *m, int64_t now_ms)
{
    if (s->member.state == SC_MEMBER_ENDED)
        return;
    if (sc_member_message(&s->member, m, now_ms))
        list_all(s, now_ms);
    if (s->member.state != SC_MEMBER_JOINED)
        return;
    switch (m->type) {
    case SC_MSG_RUN:
        on_run(s, m, now_ms);
        break;
    case SC_MSG_RESULTS_ACK:
        sc_outbox_ack(&s->delivery.outbox, m->results_ack.number);
        break;
    case SC_MSG_RECALL:
        sc_session_recall(s, &m->recall, now_ms);
        break;
    case SC_MSG_PAGE:
    case SC_MSG_REFUSED:
        on_answer(s, m, now_ms);
        break;
    default: // sessions are the member's; what a newer coordinator says beyond that is not for us
        break;
    }
}

/* Takes all that waits out of the queues. */
static void
drop_waiting(sc_session *s, bool is_told, int64_t now_ms)
{
    sc_assignment *next;

    for (sc_assignment *a = TAILQ_FIRST(&s->backlog.all); a; a = next) {
        sc_range range = {a->first, a->count};
        uint32_t n_ranges;

        next = TAILQ_NEXT(a, node);
        if (a->n_waiting == 0)
            continue;
        n_ranges = sc_backlog_give_back(&s->backlog, a, &range, s->ranges);
        if (is_told)
            sc_session_recalled(s, a, n_ranges, now_ms);
        sc_backlog_settle(&s->backlog, a);
    }
}

static void
send_heartbeat(sc_session *s, int64_t now_ms)
{
    sc_message message = {.type = SC_MSG_HEARTBEAT,
                          .heartbeat = {.running = s->backlog.n_running,
                                        .waiting = s->backlog.n_waiting,
                                        .is_draining = s->is_draining}};

    (void)sc_member_send(&s->member, &message, now_ms);
}

/* After more than a lease of silence on our side the coordinator has given to others what waits
 * here; what runs goes on, and is listed. */
static void
come_back(sc_session *s, int64_t late_ms, int64_t now_ms)
{
    if (s->member.state == SC_MEMBER_ENDED)
        return;
    sc_log_warn("nothing was said for a lease (loop late by %" PRId64
                " ms): %u waiting tasks thrown away",
                late_ms, s->backlog.n_waiting);
    drop_waiting(s, false, now_ms);
    sc_member_back(&s->member, now_ms);
}

void
sc_session_tick(sc_session *s, int64_t now_ms, int64_t late_ms)
{
    if (late_ms > s->member.config.lease_ms || sc_member_was_mute(&s->member, now_ms))
        come_back(s, late_ms, now_ms);
    sc_member_tick(&s->member, now_ms, late_ms > LATE_MS ? late_ms : 0);
    sc_session_flush(s, now_ms);
    read_references(s, now_ms);
    if (has_ended_all(s) && sc_member_is_alone(&s->member, now_ms)) {
        sc_log_warn("nobody acknowledges the last results: leaving with them");
        sc_member_leave(&s->member, "drained", now_ms);
    }
    if (sc_member_must_say(&s->member, now_ms)) // it says what PROGRESS does not
        send_heartbeat(s, now_ms);
    sc_reports_send(&s->reports, now_ms);
}

void
sc_session_drain(sc_session *s, int64_t now_ms)
{
    if (s->is_draining)
        return;
    s->is_draining = true;
    send_heartbeat(s, now_ms);
    drop_waiting(s, true, now_ms);
    sc_session_flush(s, now_ms);
}

/* ---- what is asked ---- */

const sc_member *
sc_session_member(const sc_session *s)
{
    return &s->member;
}

uint32_t
sc_session_n_waiting(const sc_session *s)
{
    return s->backlog.n_waiting;
}

bool
sc_session_has_delivered(const sc_session *s)
{
    return sc_outbox_is_empty(&s->delivery.outbox);
}

uint32_t
sc_session_n_running(const sc_session *s)
{
    return s->backlog.n_running;
}

bool
sc_session_check(const sc_session *s)
{
    return sc_delivery_check(&s->delivery) && sc_backlog_check(&s->backlog) &&
           sc_reports_check(&s->reports);
}
