/* SPDX-License-Identifier: Apache-2.0 */
/* Options by popt: a flag for each setting that a worker has, and some of its own. Called by main
 * only. */
#include "worker/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <popt.h>

#include "base/utf8.h"

enum { PROCESS_ROOM = 6 /* "-1024" */ };

struct words { // of a setting, for popt
    char flag[64];
    char text[320];
};

enum option {
    OPTION_CONNECT = SC_N_SETTINGS + 1, // below: settings, plus one, since popt keeps 0 for itself
    OPTION_NAME,
    OPTION_PLUGIN,
    OPTION_TEST_HANDLERS,
    OPTION_VERSION,
    OPTION_PARENT_FD,
    OPTION_PROCESS,
    OPTION_SUPERVISOR,
    OPTION_PARENT,
    OPTION_PAGE_FD,
};

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
enum { N_SETTINGS = sizeof settings / sizeof *settings };

static _Noreturn void
fail(const char *text)
{
    fprintf(stderr, "seedcore-worker: %s\nTry 'seedcore-worker --help'.\n", text);
    exit(2);
}

static int64_t
number(const char *text, const char *flag)
{
    char message[160];
    int64_t value;

    if (sc_parse_int(text, &value) == 0 && value >= 0)
        return value;
    snprintf(message, sizeof message, "%s: '%.60s' is no number", flag, text);
    fail(message);
}

static void
set(sc_worker_options *o, sc_setting which, const char *text)
{
    sc_error err;

    if (sc_settings_set(o->settings, which, text, &err) != 0)
        fail(err.text);
}

static void
set_name(sc_worker_options *o, const char *text)
{
    size_t len = strlen(text);

    if (len == 0 || len > SC_NAME_MAX - PROCESS_ROOM || !sc_utf8_printable(text, len))
        fail("--name: 1 to 58 bytes of text");
    snprintf(o->prefix, sizeof o->prefix, "%s", text);
}

static void
add_plugin(sc_worker_options *o, const char *path)
{
    if (o->n_plugins == SC_OPTIONS_PLUGINS)
        fail("--plugin: too many");
    o->plugins[o->n_plugins] = strdup(path);
    if (!o->plugins[o->n_plugins++])
        fail("no memory");
}

static void
take(sc_worker_options *o, int option, const char *text)
{
    switch (option) {
    case OPTION_CONNECT:
        set(o, SC_SET_ENDPOINT, text);
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
    case OPTION_VERSION:
        printf("seedcore-worker %s\n", SC_VERSION);
        exit(0);
    case OPTION_PARENT_FD:
        o->parent_fd = (int)number(text, "--parent-fd");
        break;
    case OPTION_PROCESS:
        o->process = strdup(text);
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
    default:
        set(o, (sc_setting)(option - 1), text);
    }
}

/* Rows for the settings, after those of our own. */
static void
add_settings(struct poptOption *rows, struct words *words)
{
    static const char *const kinds[] = {"TEXT", "N", "DURATION", "SIZE", "yes|no"};

    for (int i = 0; i < N_SETTINGS; i++) {
        const sc_setting_info *info = sc_setting_info_of(settings[i]);

        sc_setting_flag(settings[i], words[i].flag, sizeof words[i].flag);
        snprintf(words[i].text, sizeof words[i].text, "%s%s%s%s", info->meaning,
                 *info->default_text ? " [" : "", info->default_text,
                 *info->default_text ? "]" : "");
        rows[i] = (struct poptOption){.longName = words[i].flag + 2, // popt adds the hyphens
                                      .argInfo = POPT_ARG_STRING,
                                      .val = (int)settings[i] + 1,
                                      .descrip = words[i].text,
                                      .argDescrip = kinds[info->type]};
    }
}

static void
parse(poptContext context, sc_worker_options *o)
{
    char message[256];
    int option;

    while ((option = poptGetNextOpt(context)) > 0) {
        char *text = poptGetOptArg(context);

        take(o, option, text);
        free(text);
    }
    if (option < -1) {
        snprintf(message, sizeof message, "%s: %s", poptBadOption(context, POPT_BADOPTION_NOALIAS),
                 poptStrerror(option));
        fail(message);
    }
    if (poptPeekArg(context)) {
        snprintf(message, sizeof message, "%.200s: no arguments, only options",
                 poptPeekArg(context));
        fail(message);
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
        fail(err.text);
}

void
sc_worker_options_read(int argc, char **argv, sc_worker_options *out)
{
    const struct poptOption own[] = {
        {"connect", 0, POPT_ARG_STRING, NULL, OPTION_CONNECT,
         "the coordinator: tcp://HOST:PORT or ipc://PATH", "ENDPOINT"},
        {"endpoint", 0, POPT_ARG_STRING | POPT_ARGFLAG_DOC_HIDDEN, NULL, OPTION_CONNECT, NULL,
         NULL},
        {"name", 0, POPT_ARG_STRING, NULL, OPTION_NAME,
         "its processes are PREFIX-1 to PREFIX-N (default: HOST-PID)", "PREFIX"},
        {"plugin", 0, POPT_ARG_STRING, NULL, OPTION_PLUGIN,
         "handlers of a shared object; may be given several times", "F.so"},
        {"test-handlers", 0, POPT_ARG_NONE, NULL, OPTION_TEST_HANDLERS,
         "offer the handlers fail and crash too", NULL},
        {"version", 0, POPT_ARG_NONE, NULL, OPTION_VERSION, "print the version", NULL},
        {"parent-fd", 0, POPT_ARG_STRING | POPT_ARGFLAG_DOC_HIDDEN, NULL, OPTION_PARENT_FD, NULL,
         NULL},
        {"process", 0, POPT_ARG_STRING | POPT_ARGFLAG_DOC_HIDDEN, NULL, OPTION_PROCESS, NULL, NULL},
        {"supervisor", 0, POPT_ARG_STRING | POPT_ARGFLAG_DOC_HIDDEN, NULL, OPTION_SUPERVISOR, NULL,
         NULL},
        {"parent", 0, POPT_ARG_STRING | POPT_ARGFLAG_DOC_HIDDEN, NULL, OPTION_PARENT, NULL, NULL},
        {"page-fd", 0, POPT_ARG_STRING | POPT_ARGFLAG_DOC_HIDDEN, NULL, OPTION_PAGE_FD, NULL, NULL},
    };
    enum { N_OWN = sizeof own / sizeof *own };
    struct poptOption rows[N_OWN + N_SETTINGS + 2] = {0};
    struct words words[N_SETTINGS];
    poptContext context;
    sc_error err;

    memcpy(rows, own, sizeof own);
    add_settings(rows + N_OWN, words);
    rows[N_OWN + N_SETTINGS] =
        (struct poptOption){NULL, '\0', POPT_ARG_INCLUDE_TABLE, poptHelpOptions, 0, "Help:", NULL};
    set_defaults(out);
    context = poptGetContext("seedcore-worker", argc, (const char **)argv, rows, 0);
    if (!context)
        fail("no memory");
    parse(context, out);
    poptFreeContext(context);
    if (sc_settings_check(out->settings, &err) != 0)
        fail(err.text);
}

void
sc_worker_options_fini(sc_worker_options *o)
{
    sc_settings_free(&o->settings);
    for (unsigned i = 0; i < o->n_plugins; i++)
        free(o->plugins[i]);
    free(o->process);
}
