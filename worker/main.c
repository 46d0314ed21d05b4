/* SPDX-License-Identifier: Apache-2.0 */
/* seedcore-worker: a supervisor and the worker processes that it starts from the same program.
 * Which of the two this process is, the options say. Only this file installs signals. */
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/program.h"
#include "worker/energy/energy.h"
#include "worker/options.h"
#include "worker/runtime.h"
#include "worker/supervisor.h"
#include "worker/tasks/tasks.h"

/* The root of either kind of process. */
struct program {
    uv_loop_t loop;
    sc_worker_options options;
    sc_registry *registry;
    sc_supervisor *supervisor; // one of these two
    sc_runtime *runtime;
    uv_signal_t signals[2];
    int n_signals[2]; // how often each has come
};

static void
on_signal(uv_signal_t *handle, int number)
{
    struct program *p = handle->data;
    int n = ++p->n_signals[number == SIGTERM];

    if (p->runtime)
        sc_runtime_drain(p->runtime);
    else if (n == 1)
        sc_supervisor_drain(p->supervisor);
    else
        sc_supervisor_kill(p->supervisor);
}

/* Ctrl-C reaches every process of a terminal; worker processes leave it to their supervisor. */
static void
install_signals(struct program *p)
{
    static const int numbers[2] = {SIGINT, SIGTERM};

    signal(SIGPIPE, SIG_IGN);
    if (p->options.process)
        signal(SIGINT, SIG_IGN);
    for (int i = p->options.process ? 1 : 0; i < 2; i++) {
        uv_signal_init(&p->loop, &p->signals[i]);
        p->signals[i].data = p;
        uv_signal_start(&p->signals[i], on_signal, numbers[i]);
        uv_unref((uv_handle_t *)&p->signals[i]);
    }
}

static void
fail(const sc_error *err)
{
    sc_log_error("%s", err->text);
    exit(1);
}

/* Built-in handlers, then plugins. The supervisor does this too, to find out before it starts
 * anything. */
static void
load_handlers(struct program *p)
{
    sc_error err = {0};
    int rc = sc_registry_new(&p->registry);

    if (rc == 0)
        rc = sc_tasks_add(p->registry, p->options.has_test_handlers);
    if (rc != 0)
        sc_error_set(&err, rc, "built-in handlers: %s", sc_error_text(rc));
    for (unsigned i = 0; i < p->options.n_plugins && rc == 0; i++)
        rc = sc_registry_load(p->registry, p->options.plugins[i], &err);
    if (rc != 0)
        fail(&err);
}

/* This process must not outlive its supervisor, which may be gone already. */
static void
bind_to_parent(const struct program *p)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != p->options.parent)
        _exit(1);
}

static void
start(struct program *p, char **argv)
{
    sc_runtime_config runtime = {.settings = p->options.settings,
                                 .registry = p->registry,
                                 .name = p->options.process,
                                 .supervisor = p->options.supervisor,
                                 .page_fd = p->options.page_fd};
    sc_supervisor_config supervisor = {.settings = p->options.settings,
                                       .prefix = p->options.prefix,
                                       .argv = argv,
                                       .parent_fd = p->options.parent_fd};
    sc_error err = {0};
    int rc = p->options.process ? sc_runtime_new(&p->loop, &runtime, &p->runtime, &err)
                                : sc_supervisor_new(&p->loop, &supervisor, &p->supervisor, &err);

    if (rc != 0)
        fail(&err);
}

static void
close_signal(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* What is left on the loop are the signals. @return exit status */
static int
stop(struct program *p)
{
    int status = p->runtime ? sc_runtime_status(p->runtime) : sc_supervisor_status(p->supervisor);

    if (p->runtime && sc_runtime_is_stuck(p->runtime))
        _exit(status);
    uv_walk(&p->loop, close_signal, NULL);
    uv_run(&p->loop, UV_RUN_DEFAULT);
    SC_ASSERT(uv_loop_close(&p->loop) == 0);
    sc_runtime_free(&p->runtime);
    sc_supervisor_free(&p->supervisor);
    sc_registry_free(&p->registry);
    sc_worker_options_fini(&p->options);
    return status;
}

int
main(int argc, char **argv)
{
    struct program p = {0};
    const char *bad;

    sc_worker_options_read(argc, argv, &p.options);
    sc_log_init(sc_program_log_level(p.options.settings), "seedcore-worker");
    if (p.options.process)
        bind_to_parent(&p);
    if (!sc_fault_from_environment(&bad))
        sc_log_warn("SEEDCORE_FAULTS: cannot read '%s'", bad);
    sc_energy_single_thread();
    load_handlers(&p);
    uv_loop_init(&p.loop);
    start(&p, argv);
    install_signals(&p);
    uv_run(&p.loop, UV_RUN_DEFAULT);
    return stop(&p);
}
