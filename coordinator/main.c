/* SPDX-License-Identifier: Apache-2.0 */
/* seedcore-coordinator: one endpoint for clients and workers. Only this file reads the command line
 * and installs signals. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/program.h"
#include "coordinator/shell.h"
#include "coordinator/state_dir.h"

enum { OPTION_PARENT_FD = 1 };

/* The root of the process. */
struct program {
    uv_loop_t loop;
    sc_settings *settings;
    sc_shell *shell;
    int n_signals;
    int parent_fd; // its other end closes when `seedcore up` is gone; -1 = none
    uv_pipe_t parent;
    uv_signal_t signals[2];
};

static void
take_option(void *arg, int option, const char *text)
{
    struct program *p = arg;
    int64_t fd;
    (void)option;
    if (sc_parse_int(text, &fd) < 0 || fd < 0 || fd > 65535)
        sc_program_usage("seedcore-coordinator", "--parent-fd: '%.40s' is no descriptor", text);
    p->parent_fd = (int)fd;
}

static void
read_options(struct program *p, int argc, char **argv)
{
    static const sc_setting settings[] = {
        SC_SET_ENDPOINT,      SC_SET_DIR,        SC_SET_INSECURE,       SC_SET_LOG,
        SC_SET_HEARTBEAT,     SC_SET_PEER_LEASE, SC_SET_WAITING_TIME,   SC_SET_QUEUE_BYTES,
        SC_SET_RESULT_MEMORY, SC_SET_SPILL_MAX,  SC_SET_STAGED_TIMEOUT, SC_SET_DRAIN_TIMEOUT,
        SC_SET_CANCEL_GRACE,  SC_SET_JOBS_MAX,   SC_SET_JOB_RETENTION,  SC_SET_JOURNAL,
    };
    static const struct poptOption own[] = {
        {"parent-fd", 0, POPT_ARG_STRING | POPT_ARGFLAG_DOC_HIDDEN, NULL, OPTION_PARENT_FD, NULL,
         NULL},
    };
    sc_program program = {.name = "seedcore-coordinator",
                          .settings = settings,
                          .n_settings = sizeof settings / sizeof *settings,
                          .own = own,
                          .n_own = 1,
                          .take = take_option,
                          .arg = p};
    sc_error err;
    if (sc_settings_new(&p->settings, &err) < 0)
        sc_program_usage(program.name, "%s", err.text);
    sc_program_parse(&program, argc, argv, p->settings);
}

static void
end(struct program *p)
{
    sc_shell_stop(p->shell);
    for (int i = 0; i < 2; i++)
        if (!uv_is_closing((uv_handle_t *)&p->signals[i]))
            uv_close((uv_handle_t *)&p->signals[i], NULL);
    if (p->parent_fd >= 0 && !uv_is_closing((uv_handle_t *)&p->parent))
        uv_close((uv_handle_t *)&p->parent, NULL);
}

static void
on_signal(uv_signal_t *handle, int number)
{
    struct program *p = handle->data;
    sc_log_info("%s: ending", number == SIGTERM ? "SIGTERM" : "SIGINT");
    if (p->n_signals++ == 0)
        sc_shell_leave(p->shell);
    else
        end(p);
}

static void
on_parent_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buffer)
{
    static char nothing[16]; // nobody writes to this pipe
    (void)handle;
    (void)size;
    *buffer = uv_buf_init(nothing, sizeof nothing);
}

static void
on_parent(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    (void)buffer;
    if (n >= 0)
        return;
    sc_log_info("the process that started this one is gone: ending");
    end(stream->data);
}

// Signals, and the pipe to whoever started us.
static void
listen_for_end(struct program *p)
{
    static const int numbers[2] = {SIGINT, SIGTERM};
    for (int i = 0; i < 2; i++) {
        uv_signal_init(&p->loop, &p->signals[i]);
        p->signals[i].data = p;
        uv_signal_start(&p->signals[i], on_signal, numbers[i]);
        uv_unref((uv_handle_t *)&p->signals[i]);
    }
    if (p->parent_fd < 0)
        return;
    uv_pipe_init(&p->loop, &p->parent, 0);
    p->parent.data = p;
    if (uv_pipe_open(&p->parent, p->parent_fd) < 0)
        sc_program_usage("seedcore-coordinator", "--parent-fd: not a pipe");
    uv_read_start((uv_stream_t *)&p->parent, on_parent_alloc, on_parent);
    uv_unref((uv_handle_t *)&p->parent);
}

// @return exit status
static int
refuse(struct program *p, const sc_error *err)
{
    sc_log_error("%s", err->text);
    sc_settings_free(&p->settings);
    return 1;
}

int
main(int argc, char **argv)
{
    struct program p = {.parent_fd = -1};
    sc_error err = {0};
    const char *bad;
    // 1. what we are told: options, environment
    read_options(&p, argc, argv);
    sc_log_init((sc_log_level)sc_program_log_level(p.settings), "seedcore-coordinator");
    if (!sc_fault_from_environment(&bad))
        sc_program_usage("seedcore-coordinator", "SEEDCORE_FAULTS: cannot read '%s'", bad);
    // 2. what must be ours alone: the folder, before the endpoint
    int lock = sc_state_dir_lock(sc_settings_text(p.settings, SC_SET_DIR), &err);
    if (lock < 0)
        return refuse(&p, &err);
    // 3. the loop, signals (after them nothing of others may install any), the shell
    signal(SIGPIPE, SIG_IGN);
    SC_ASSERT(uv_loop_init(&p.loop) == 0);
    uint64_t parent_pid = p.parent_fd >= 0 ? (uint64_t)getppid() : 0;
    if (sc_shell_new(&p.loop, p.settings, parent_pid, &p.shell, &err) < 0) {
        uv_loop_close(&p.loop);
        return refuse(&p, &err);
    }
    listen_for_end(&p);
    // 4. open the journal, lead, serve, until somebody asks us to end
    uv_run(&p.loop, UV_RUN_DEFAULT);
    end(&p);
    uv_run(&p.loop, UV_RUN_DEFAULT);
    // 5. nothing is left open: a leak of a handle is a bug
    SC_ASSERT(uv_loop_close(&p.loop) == 0);
    int status = sc_shell_status(p.shell);
    sc_shell_free(&p.shell);
    sc_settings_free(&p.settings);
    close(lock);
    return status;
}
