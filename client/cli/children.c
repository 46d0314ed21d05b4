/* SPDX-License-Identifier: Apache-2.0 */
/* The children of `up`, see children.h. Never waits: everything follows from their ends. */
#include "client/cli/children.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

static void on_exit(uv_process_t *process, int64_t status, int signum);
static void on_process_closed(uv_handle_t *handle);

/* The program beside our own; else the name, which is looked for in PATH. */
static void
find_program(const char *name, char path[PATH_MAX])
{
    char own[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", own, sizeof(own) - 1);
    char *slash;

    own[len > 0 ? len : 0] = '\0';
    slash = strrchr(own, '/');
    if (slash && (size_t)(slash + 1 - own) + strlen(name) < PATH_MAX) {
        snprintf(slash + 1, (size_t)(own + PATH_MAX - slash - 1), "%s", name);
        if (access(own, X_OK) == 0) {
            memcpy(path, own, PATH_MAX);
            return;
        }
    }
    snprintf(path, PATH_MAX, "%s", name);
}

static int
start(sc_child *child)
{
    sc_children *c = child->children;
    char path[PATH_MAX];
    uv_stdio_container_t stdio[] = {
        {.flags = UV_IGNORE},
        {.flags = UV_INHERIT_FD, .data.fd = child->log_fd},
        {.flags = UV_INHERIT_FD, .data.fd = child->log_fd},
        {.flags = UV_INHERIT_FD, .data.fd = c->parent_fds[0]},
    };
    uv_process_options_t options = {
        .exit_cb = on_exit,
        .file = path,
        .args = (char **)child->args,
        .flags = UV_PROCESS_DETACHED, // Ctrl-C at the terminal is for `up` alone
        .stdio_count = sizeof(stdio) / sizeof(stdio[0]),
        .stdio = stdio,
    };
    int rc;

    find_program(child->program, path);
    child->is_ready = false;
    rc = uv_spawn(c->loop, &child->process, &options);
    if (rc)
        return rc;
    sc_restart_started(&child->restart, sc_clock_ms());
    child->state = SC_CHILD_RUNNING;
    return 0;
}

static void
signal_child(sc_child *child, int signum)
{
    if (child->state == SC_CHILD_RUNNING)
        uv_process_kill(&child->process, signum);
    if (child->state == SC_CHILD_WAITING) {
        uv_timer_stop(&child->timer);
        child->state = SC_CHILD_ENDED;
    }
}

/* The next step of the end: the workers, then the coordinator, then nothing is left. */
static void
continue_stop(sc_children *c)
{
    sc_child *workers = &c->all[SC_CHILD_WORKERS];
    sc_child *coordinator = &c->all[SC_CHILD_COORDINATOR];

    if (workers->state != SC_CHILD_ENDED)
        signal_child(workers, SIGTERM);
    if (workers->state == SC_CHILD_ENDED && coordinator->state != SC_CHILD_ENDED)
        signal_child(coordinator, SIGTERM);
    if (workers->state == SC_CHILD_ENDED && coordinator->state == SC_CHILD_ENDED)
        c->on_ended(c->arg);
}

static void
on_timer(uv_timer_t *timer)
{
    sc_child *child = timer->data;

    if (start(child) != 0)
        uv_close((uv_handle_t *)&child->process, on_process_closed); // which tries again
}

static void
on_process_closed(uv_handle_t *handle)
{
    sc_child *child = handle->data;
    sc_children *c = child->children;

    if (c->is_stopping || child->has_left) {
        child->state = SC_CHILD_ENDED;
        if (c->is_stopping)
            continue_stop(c);
    } else {
        uv_timer_start(&child->timer, on_timer,
                       (uint64_t)sc_restart_delay(&child->restart, child->is_ready, sc_clock_ms()),
                       0);
    }
}

/* An exit with status 0 was asked for, by `down` or a signal; that of the workers by a drain, too,
 * and where it was `down`, that of the coordinator follows. Before all were ready for the first
 * time, an exit of its own means that starting it again would not help. */
static void
on_exit(uv_process_t *process, int64_t status, int signum)
{
    sc_child *child = process->data;
    sc_children *c = child->children;
    bool is_asked = c->is_stopping || (status == 0 && signum == 0);
    bool is_final = !c->was_ready && signum == 0;

    child->state = SC_CHILD_WAITING;
    child->has_left = is_asked && c->was_ready && child == &c->all[SC_CHILD_WORKERS];
    if (!is_asked)
        c->on_died(c->arg, child, status, signum, is_final);
    c->is_stopping = c->is_stopping || (is_asked && !child->has_left) || is_final;
    uv_close((uv_handle_t *)process, on_process_closed);
}

int
sc_children_start(sc_children *c)
{
    int rc = 0;

    c->parent_fds[0] = c->parent_fds[1] = -1;
    if (pipe2(c->parent_fds, O_CLOEXEC) != 0)
        return -errno;
    for (int i = SC_N_CHILDREN; i-- > 0;) { // the workers take longer to come up
        sc_child *child = &c->all[i];

        child->children = c;
        child->process.data = child;
        uv_timer_init(c->loop, &child->timer);
        child->timer.data = child;
        rc = rc ? rc : start(child);
    }
    return rc;
}

void
sc_children_ready(sc_children *c)
{
    c->was_ready = true;
    for (int i = 0; i < SC_N_CHILDREN; i++)
        c->all[i].is_ready = c->all[i].state == SC_CHILD_RUNNING;
}

void
sc_children_stop(sc_children *c)
{
    c->is_stopping = true;
    continue_stop(c);
}

void
sc_children_kill(sc_children *c)
{
    c->is_stopping = true;
    for (int i = 0; i < SC_N_CHILDREN; i++)
        signal_child(&c->all[i], SIGKILL);
}

void
sc_children_fini(sc_children *c)
{
    for (int i = 0; i < 2; i++)
        if (c->parent_fds[i] >= 0)
            close(c->parent_fds[i]);
    for (int i = 0; i < SC_N_CHILDREN; i++)
        if (c->all[i].log_fd > STDERR_FILENO)
            close(c->all[i].log_fd);
}
