/* SPDX-License-Identifier: Apache-2.0 */
/* What seedcore-worker has beside its settings: the coordinator, names, plugins, and what a
 * supervisor tells its worker processes. Called by main only. */
#include "worker/options.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/program.h"
#include "base/utf8.h"

enum { PROCESS_ROOM = 6 /* "-1024" */ };

enum option {
    OPTION_CONNECT = 1,
    OPTION_NAME,
    OPTION_PLUGIN,
    OPTION_TEST_HANDLERS,
    OPTION_PARENT_FD,
    OPTION_PROCESS,
    OPTION_SUPERVISOR,
    OPTION_PARENT,
    OPTION_PAGE_FD,
};

static const char program_name[] = "seedcore-worker";

static int64_t
number(const char *text, const char *flag)
{
    int64_t value;

    if (sc_parse_int(text, &value) != 0 || value < 0)
        sc_program_usage(program_name, "%s: '%.60s' is no number", flag, text);
    return value;
}

static char *
copy(const char *text)
{
    char *out = strdup(text);

    if (!out)
        sc_program_usage(program_name, "no memory");
    return out;
}

static void
set_endpoint(sc_worker_options *o, const char *text)
{
    sc_error err;

    if (sc_settings_set(o->settings, SC_SET_ENDPOINT, text, &err) != 0)
        sc_program_usage(program_name, "--connect%s", strchr(err.text, ':')); // not --endpoint
}

static void
set_name(sc_worker_options *o, const char *text)
{
    size_t len = strlen(text);

    if (len == 0 || len > SC_NAME_MAX - PROCESS_ROOM || !sc_utf8_printable(text, len))
        sc_program_usage(program_name, "--name: 1 to %d bytes of text", SC_NAME_MAX - PROCESS_ROOM);
    snprintf(o->prefix, sizeof o->prefix, "%s", text);
}

static void
add_plugin(sc_worker_options *o, const char *path)
{
    if (o->n_plugins == SC_OPTIONS_PLUGINS)
        sc_program_usage(program_name, "--plugin: more than %d", SC_OPTIONS_PLUGINS);
    o->plugins[o->n_plugins++] = copy(path);
}

static void
take(void *arg, int option, const char *text)
{
    sc_worker_options *o = arg;

    switch ((enum option)option) {
    case OPTION_CONNECT:
        set_endpoint(o, text);
        break;
    case OPTION_NAME:
        set_name(o, text);
        break;
    case OPTION_PLUGIN:
        add_plugin(o, text);
        break;
    case OPTION_TEST_HANDLERS:
        o->has_test_handlers = true;
        break;
    case OPTION_PARENT_FD:
        o->parent_fd = (int)number(text, "--parent-fd");
        break;
    case OPTION_PROCESS:
        free(o->process);
        o->process = copy(text);
        break;
    case OPTION_SUPERVISOR:
        o->supervisor = strtoull(text, NULL, 10);
        break;
    case OPTION_PARENT:
        o->parent = number(text, "--parent");
        break;
    case OPTION_PAGE_FD:
        o->page_fd = (int)number(text, "--page-fd");
        break;
    }
}

static void
set_defaults(sc_worker_options *o)
{
    char host[SC_NAME_MAX + 1] = "";
    sc_error err;

    *o = (sc_worker_options){.parent_fd = -1, .page_fd = -1};
    gethostname(host, sizeof host - 1);
    snprintf(o->prefix, sizeof o->prefix, "%.40s-%d", host, (int)getpid());
    if (sc_settings_new(&o->settings, &err) != 0)
        sc_program_usage(program_name, "%s", err.text);
}

void
sc_worker_options_read(int argc, char **argv, sc_worker_options *out)
{
    static const sc_setting settings[] = {
        SC_SET_PROCESSES,
        SC_SET_DATA,
        SC_SET_DIR,
        SC_SET_LOG,
        SC_SET_WORKER_THREADS,
        SC_SET_WORKER_ASYNC_SLOTS,
        SC_SET_WORKER_CREDIT_TASKS,
        SC_SET_WORKER_CREDIT_BYTES,
        SC_SET_WORKER_RESULT_BYTES,
        SC_SET_HEARTBEAT,
        SC_SET_PEER_LEASE,
        SC_SET_TASK_LEASE,
        SC_SET_DRAIN_TIMEOUT,
        SC_SET_SQLITE_POOL_SIZE,
        SC_SET_SQLITE_MAX_OVERFLOW,
        SC_SET_SQLITE_POOL_TIMEOUT,
        SC_SET_SQLITE_POOL_RECYCLE,
        SC_SET_SQLITE_BUSY_TIMEOUT,
    };
    enum { TEXT = POPT_ARG_STRING, HIDDEN = POPT_ARG_STRING | POPT_ARGFLAG_DOC_HIDDEN };
    static const struct poptOption own[] = {
        {"connect", 0, TEXT, NULL, OPTION_CONNECT,
         "the coordinator: tcp://HOST:PORT or ipc://PATH; several, separated by commas, where it "
         "may be at any",
         "ENDPOINT"},
        {"name", 0, TEXT, NULL, OPTION_NAME,
         "its processes are PREFIX-1 to PREFIX-N (default: HOST-PID)", "PREFIX"},
        {"plugin", 0, TEXT, NULL, OPTION_PLUGIN,
         "handlers of a shared object; may be given several times", "F.so"},
        {"test-handlers", 0, POPT_ARG_NONE, NULL, OPTION_TEST_HANDLERS,
         "offer the handlers fail and crash too", NULL},
        {"parent-fd", 0, HIDDEN, NULL, OPTION_PARENT_FD, NULL, NULL},
        {"process", 0, HIDDEN, NULL, OPTION_PROCESS, NULL, NULL},
        {"supervisor", 0, HIDDEN, NULL, OPTION_SUPERVISOR, NULL, NULL},
        {"parent", 0, HIDDEN, NULL, OPTION_PARENT, NULL, NULL},
        {"page-fd", 0, HIDDEN, NULL, OPTION_PAGE_FD, NULL, NULL},
    };
    const sc_program program = {.name = program_name,
                                .settings = settings,
                                .n_settings = sizeof settings / sizeof *settings,
                                .own = own,
                                .n_own = sizeof own / sizeof *own,
                                .take = take,
                                .arg = out};

    set_defaults(out);
    sc_program_parse(&program, argc, argv, out->settings);
}

void
sc_worker_options_fini(sc_worker_options *o)
{
    sc_settings_free(&o->settings);
    for (unsigned i = 0; i < o->n_plugins; i++)
        free(o->plugins[i]);
    free(o->process);
}
