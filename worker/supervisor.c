/* SPDX-License-Identifier: Apache-2.0 */
/* The supervisor on its loop: see supervisor.h; the rules are in child.c. What a worker did when it
 * died is read from its page, and told before anything else. */
#include "worker/supervisor.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/log.h"
#include "base/random.h"
#include "proto/uplink.h"
#include "worker/child.h"
#include "worker/member.h"

enum {
    TICK_MAX_MS = 100,
    TICK_MIN_MS = 5,
    MAX_REPORTS = 64, // deaths that could not be told yet; the oldest go
    // Tasks in one DIED: below SC_HEADER_MAX_BYTES; those that execute and those that may not be
    // repeated come first, and all of them find room.
    MAX_STARTED = 2000,
    PAGE_FD = 3, // in the worker process
    ALONE_MS = 60000,
    MORE_ARGS = 7, // what the words of a worker have beyond ours
};

/* A death that the coordinator does not know of yet. */
struct report {
    STAILQ_ENTRY(report) node;
    sc_died died;
    char name[SC_NAME_MAX + 1];
    sc_task_ref started[];
};

struct sc_supervisor {
    sc_supervisor_config config;
    uv_loop_t *loop;
    sc_uplink *link;
    sc_member member;
    sc_hello hello;
    uv_timer_t tick;
    uv_pipe_t parent;
    int64_t tick_ms, tick_due_ms, task_lease_ms;
    int64_t alone_ms;      // when it is said next that no coordinator answers
    char parent_bytes[64]; // what comes from there is not looked at
    bool has_parent, is_draining, is_closing;
    int status;
    sc_starts starts;
    STAILQ_HEAD(, report) reports;
    uint32_t n_reports;
    char host[SC_NAME_MAX + 1];
    char program[PATH_MAX];
    uint32_t n_children;
    sc_child children[];
};

static int64_t
now_ms(const sc_supervisor *s)
{
    return (int64_t)uv_now(s->loop);
}

/* ---- reports ---- */

static void
drop_report(sc_supervisor *s)
{
    struct report *report = STAILQ_FIRST(&s->reports);

    STAILQ_REMOVE_HEAD(&s->reports, node);
    s->n_reports--;
    free(report);
}

static void
send_reports(sc_supervisor *s)
{
    struct report *report;

    while ((report = STAILQ_FIRST(&s->reports))) {
        sc_message message = {.type = SC_MSG_DIED, .died = report->died};

        if (sc_member_send(&s->member, &message, now_ms(s)) != 0)
            return; // after the next WELCOME, or when there is room
        drop_report(s);
    }
}

static void
report_death(sc_supervisor *s, const sc_child *c, sc_death death, uint32_t detail)
{
    struct report *report = malloc(sizeof *report + MAX_STARTED * sizeof *report->started);

    if (!report)
        return; // the coordinator finds out when the worker's lease has passed
    snprintf(report->name, sizeof report->name, "%s", c->name);
    report->died = (sc_died){
        .worker = sc_text_of(report->name),
        .instance = c->page.head->instance,
        .death = death,
        .detail = detail,
        .started = {report->started, sc_page_read(&c->page, report->started, MAX_STARTED)}};
    if (s->n_reports == MAX_REPORTS)
        drop_report(s);
    STAILQ_INSERT_TAIL(&s->reports, report, node);
    s->n_reports++;
    send_reports(s);
}

/* ---- the end ---- */

static void
close_all(sc_supervisor *s)
{
    s->is_closing = true;
    send_reports(s);
    sc_member_leave(&s->member, "drained", now_ms(s));
    uv_close((uv_handle_t *)&s->tick, NULL);
    if (s->has_parent)
        uv_close((uv_handle_t *)&s->parent, NULL);
    sc_uplink_close(&s->link, NULL, NULL);
}

static void
close_if_ended(sc_supervisor *s)
{
    for (uint32_t i = 0; i < s->n_children; i++)
        if (s->children[i].state != SC_CHILD_ENDED)
            return;
    if (!s->is_closing)
        close_all(s);
}

/* A second SIGTERM would be no more than the first. */
static void
ask_to_leave(sc_child *c)
{
    if (c->is_leaving)
        return;
    c->is_leaving = true;
    if (c->state == SC_CHILD_RUNNING)
        uv_process_kill(&c->process, SIGTERM);
    else
        c->state = SC_CHILD_ENDED;
}

static void
drain_one(sc_supervisor *s, sc_text name)
{
    for (uint32_t i = 0; i < s->n_children; i++) {
        sc_child *c = &s->children[i];

        if (strlen(c->name) != name.len || memcmp(c->name, name.data, name.len) != 0)
            continue;
        if (!c->is_leaving)
            sc_log_info("the coordinator asks to drain worker %s", c->name);
        ask_to_leave(c);
    }
    close_if_ended(s);
}

void
sc_supervisor_drain(sc_supervisor *s)
{
    if (s->is_draining)
        return;
    sc_log_info("draining %u worker processes", s->n_children);
    s->is_draining = true;
    for (uint32_t i = 0; i < s->n_children; i++)
        ask_to_leave(&s->children[i]);
    close_if_ended(s);
}

void
sc_supervisor_kill(sc_supervisor *s)
{
    sc_supervisor_drain(s);
    for (uint32_t i = 0; i < s->n_children; i++) {
        sc_child *c = &s->children[i];

        if (c->state == SC_CHILD_RUNNING) {
            c->is_killed = true;
            uv_process_kill(&c->process, SIGKILL);
        }
    }
}

/* After every event: a refusal for good is the end. */
static void
look(sc_supervisor *s)
{
    if (s->member.code == 0 || s->status != 0)
        return;
    sc_log_error("%s", s->member.text);
    s->status = 1;
    sc_supervisor_drain(s);
}

/* ---- children ---- */

static void look_after(sc_supervisor *s, sc_child *c, int64_t elapsed_ms);

static void
on_process_closed(uv_handle_t *handle)
{
    sc_supervisor *s = handle->loop->data;
    sc_child *c = handle->data;

    if (c->is_leaving)
        c->state = SC_CHILD_ENDED;
    else
        sc_child_wait(c, &s->starts, now_ms(s));
    sc_page_close(&c->page);
    look_after(s, c, 0);
    close_if_ended(s);
}

static void
on_exit_of_child(uv_process_t *process, int64_t status, int signal)
{
    static const char *const death_names[] = {"fault", "stalled", "killed", "stopped"};
    sc_supervisor *s = process->loop->data;
    sc_child *c = process->data;
    uint32_t detail;
    sc_death death;

    if (c->is_leaving && signal == SIGTERM)
        c->is_killed = true; // before it could listen to signals
    death = sc_child_death(c, status, signal, &detail);
    report_death(s, c, death, detail);
    if (death == SC_DEATH_STOPPED)
        sc_log_info("worker %s pid=%d has ended", c->name, process->pid);
    else
        sc_log_warn("worker %s pid=%d died: %s %s=%u", c->name, process->pid, death_names[death],
                    signal ? "signal" : "status", detail);
    uv_close((uv_handle_t *)process, on_process_closed);
}

/* The words of a worker: ours, its name, and where it finds its supervisor and its page. */
static int
spawn(sc_supervisor *s, sc_child *c, char **argv, size_t n_argv)
{
    char supervisor[32], parent[16], page_fd[8];
    char *more[MORE_ARGS + 1] = {"--process", c->name, "--supervisor", supervisor,
                                 "--page-fd", page_fd, NULL,           NULL};
    uv_stdio_container_t stdio[PAGE_FD + 1] = {{.flags = UV_IGNORE},
                                               {.flags = UV_INHERIT_FD, .data.fd = STDOUT_FILENO},
                                               {.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
                                               {.flags = UV_INHERIT_FD, .data.fd = c->page.fd}};
    uv_process_options_t options = {.exit_cb = on_exit_of_child,
                                    .file = s->program,
                                    .args = argv,
                                    .stdio_count = PAGE_FD + 1,
                                    .stdio = stdio};

    snprintf(supervisor, sizeof supervisor, "%" PRIu64, s->hello.instance);
    snprintf(page_fd, sizeof page_fd, "%d", PAGE_FD);
    snprintf(parent, sizeof parent, "--parent=%d", (int)getpid());
    more[6] = parent;
    memcpy(argv + n_argv, more, sizeof more);
    return uv_spawn(s->loop, &c->process, &options);
}

static int
start_child(sc_supervisor *s, sc_child *c)
{
    size_t n_argv = 0;
    char **argv;
    int rc;

    while (s->config.argv[n_argv])
        n_argv++;
    argv = calloc(n_argv + MORE_ARGS + 1, sizeof *argv);
    if (!argv)
        return SC_ENOMEM;
    memcpy(argv, s->config.argv, n_argv * sizeof *argv);
    c->process.data = c;
    rc = spawn(s, c, argv, n_argv);
    free(argv);
    if (rc != 0) // the handle was made, and on_process_closed does the rest
        uv_close((uv_handle_t *)&c->process, on_process_closed);
    return rc;
}

static void
start(sc_supervisor *s, sc_child *c)
{
    const sc_settings *settings = s->config.settings;
    int rc = sc_page_create((uint32_t)sc_settings_int(settings, SC_SET_WORKER_THREADS),
                            (uint32_t)sc_settings_int(settings, SC_SET_WORKER_ASYNC_SLOTS),
                            sc_random_entropy(), &c->page);

    if (rc == 0) {
        c->state = SC_CHILD_RUNNING;
        c->n_ticks = 0;
        c->still_ms = 0;
        c->is_stalled = c->is_killed = false;
        rc = start_child(s, c);
    } else {
        c->start_ms = now_ms(s) + 1000;
    }
    if (rc == 0)
        sc_log_info("worker %s pid=%d started", c->name, c->process.pid);
    else
        sc_log_error("worker %s cannot be started: %s", c->name, sc_error_text(rc));
}

static void
look_after(sc_supervisor *s, sc_child *c, int64_t elapsed_ms)
{
    if (c->state == SC_CHILD_WAITING && now_ms(s) >= c->start_ms) {
        start(s, c);
    } else if (c->state == SC_CHILD_RUNNING && !c->is_stalled &&
               sc_child_has_stalled(c, elapsed_ms, s->task_lease_ms)) {
        sc_log_warn("worker %s pid=%d: loop stood still for %" PRId64 " ms, killed", c->name,
                    c->process.pid, c->still_ms);
        c->is_stalled = true;
        uv_process_kill(&c->process, SIGKILL);
    }
}

/* A mistyped endpoint looks like a coordinator that is yet to come: what is tried is said, at once
 * and then every minute. */
static void
say_alone(sc_supervisor *s)
{
    if (!sc_member_is_alone(&s->member, now_ms(s))) {
        s->alone_ms = 0;
    } else if (now_ms(s) >= s->alone_ms) {
        s->alone_ms = now_ms(s) + ALONE_MS;
        sc_log_warn("no coordinator answers at %s; trying on", sc_uplink_endpoints(s->link));
    }
}

/* ---- events ---- */

static void
on_tick(uv_timer_t *tick)
{
    sc_supervisor *s = tick->data;
    sc_message heartbeat = {.type = SC_MSG_HEARTBEAT};
    int64_t late_ms = now_ms(s) - s->tick_due_ms;

    s->tick_due_ms = now_ms(s) + s->tick_ms;
    sc_uplink_drain(s->link);
    sc_member_tick(&s->member, now_ms(s), late_ms > TICK_MAX_MS ? late_ms : 0);
    say_alone(s);
    send_reports(s);
    if (sc_member_must_say(&s->member, now_ms(s)))
        (void)sc_member_send(&s->member, &heartbeat, now_ms(s));
    // Where this process itself stood still, its children perhaps did too: one tick counts as one
    // tick.
    for (uint32_t i = 0; i < s->n_children; i++)
        look_after(s, &s->children[i], s->tick_ms);
    look(s);
}

static void
on_message(void *arg, uint64_t peer, const sc_message *message)
{
    sc_supervisor *s = arg;

    (void)peer;
    if (s->is_closing)
        return;
    sc_member_message(&s->member, message, now_ms(s));
    if (s->member.state != SC_MEMBER_JOINED)
        return;
    if (message->type == SC_MSG_STOP && !s->is_draining) {
        sc_log_info("the coordinator asks to stop");
        sc_supervisor_drain(s);
    } else if (message->type == SC_MSG_DRAIN) {
        drain_one(s, message->drain.name);
    }
}

static void
on_malformed(void *arg, uint64_t peer, const sc_error *err)
{
    (void)arg;
    (void)peer;
    sc_log_debug("message dropped: %s", err->text);
}

static void
on_link_turn(void *arg)
{
    sc_supervisor *s = arg;

    if (s->is_closing)
        return;
    if (s->member.state == SC_MEMBER_JOINING)
        sc_member_tick(&s->member, now_ms(s), 0);
    send_reports(s);
    look(s);
}

static int
on_send(void *arg, const sc_message *message)
{
    sc_supervisor *s = arg;

    return sc_uplink_send(s->link, message);
}

static void
on_next(void *arg)
{
    sc_supervisor *s = arg;

    sc_uplink_next(s->link);
}

/* All that is wanted of the parent's pipe is its end. */
static void
on_parent_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    sc_supervisor *s = handle->data;

    (void)suggested;
    *buf = uv_buf_init(s->parent_bytes, sizeof s->parent_bytes);
}

static void
on_parent_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    sc_supervisor *s = stream->data;

    (void)buf;
    if (n >= 0)
        return;
    uv_read_stop(stream);
    sc_log_info("the parent process is gone");
    sc_supervisor_drain(s);
}

/* ---- start ---- */

static int
watch_parent(sc_supervisor *s, sc_error *err)
{
    int rc;

    if (s->config.parent_fd < 0)
        return 0;
    fcntl(s->config.parent_fd, F_SETFD, FD_CLOEXEC);
    uv_pipe_init(s->loop, &s->parent, 0);
    s->parent.data = s;
    rc = uv_pipe_open(&s->parent, s->config.parent_fd);
    if (rc == 0)
        rc = uv_read_start((uv_stream_t *)&s->parent, on_parent_alloc, on_parent_read);
    s->has_parent = true;
    return rc == 0 ? 0
                   : sc_error_set(err, rc, "--parent-fd %d: %s", s->config.parent_fd,
                                  sc_error_text(rc));
}

static int
join(sc_supervisor *s, sc_error *err)
{
    const sc_settings *settings = s->config.settings;
    sc_link_events events = {
        .on_message = on_message, .on_malformed = on_malformed, .on_turn = on_link_turn, .arg = s};
    sc_member_config member = {.hello = &s->hello,
                               .heartbeat_ms = sc_settings_int(settings, SC_SET_HEARTBEAT),
                               .lease_ms = sc_settings_int(settings, SC_SET_PEER_LEASE),
                               .send = on_send,
                               .next = on_next,
                               .arg = s};
    int rc = sc_uplink_open(s->loop, sc_settings_text(settings, SC_SET_ENDPOINT), &events, &s->link,
                            err);

    if (rc != 0)
        return rc;
    member.n_endpoints = sc_uplink_count(s->link);
    s->hello = (sc_hello){.role = SC_ROLE_SUPERVISOR,
                          .name = sc_text_of(s->config.prefix),
                          .instance = sc_random_entropy(),
                          .protocol_min = SC_PROTOCOL_MIN,
                          .protocol_max = SC_PROTOCOL_MAX,
                          .version = sc_text_of(SC_VERSION),
                          .host = sc_text_of(s->host),
                          .pid = (uint64_t)getpid()};
    sc_member_init(&s->member, &member, now_ms(s));
    return 0;
}

static void
start_ticks(sc_supervisor *s)
{
    int64_t ms = sc_settings_int(s->config.settings, SC_SET_HEARTBEAT) / 2;

    s->task_lease_ms = sc_settings_int(s->config.settings, SC_SET_TASK_LEASE);
    ms = ms < s->task_lease_ms / 10 ? ms : s->task_lease_ms / 10;
    ms = ms < TICK_MAX_MS ? ms : TICK_MAX_MS;
    s->tick_ms = ms > TICK_MIN_MS ? ms : TICK_MIN_MS;
    s->tick_due_ms = now_ms(s);
    uv_timer_init(s->loop, &s->tick);
    s->tick.data = s;
    uv_timer_start(&s->tick, on_tick, 0, (uint64_t)s->tick_ms);
}

int
sc_supervisor_new(uv_loop_t *loop, const sc_supervisor_config *config, sc_supervisor **out,
                  sc_error *err)
{
    uint32_t n = (uint32_t)sc_settings_int(config->settings, SC_SET_PROCESSES);
    size_t size = PATH_MAX;
    sc_supervisor *s;
    int rc;

    if (n == 0)
        n = uv_available_parallelism();
    s = calloc(1, sizeof *s + n * sizeof *s->children);
    if (!s)
        return sc_error_set(err, SC_ENOMEM, "no memory");
    *out = s;
    s->config = *config;
    s->loop = loop;
    loop->data = s;
    s->n_children = n;
    STAILQ_INIT(&s->reports);
    for (uint32_t i = 0; i < n; i++)
        snprintf(s->children[i].name, sizeof s->children[i].name, "%s-%u", config->prefix, i + 1);
    gethostname(s->host, sizeof s->host - 1);
    rc = uv_exepath(s->program, &size);
    if (rc != 0)
        return sc_error_set(err, rc, "path of this program: %s", sc_error_text(rc));
    rc = join(s, err);
    if (rc == 0)
        rc = watch_parent(s, err);
    if (rc == 0)
        start_ticks(s);
    return rc; // a process that cannot start ends: nothing is taken back
}

int
sc_supervisor_status(const sc_supervisor *s)
{
    return s->status;
}

void
sc_supervisor_free(sc_supervisor **s)
{
    if (!*s)
        return;
    while (!STAILQ_EMPTY(&(*s)->reports))
        drop_report(*s);
    free(*s);
    *s = NULL;
}
