/* SPDX-License-Identifier: Apache-2.0 */
/* `seedcore up`: a cluster on this machine, coordinator and workers as children. In the foreground
 * it lives as long as the cluster; with --detach the same goes on in the background (detach.c). */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/endpoints.h"
#include "client/cli/children.h"
#include "client/cli/cli.h"
#include "client/cli/detach.h"
#include "client/cli/endpoint.h"
#include "client/cli/log_tail.h"
#include "client/cli/readiness.h"
#include "client/cli/verbs.h"
#include "proto/endpoint.h"

enum {
    READY_LIMIT_MS = 30000, // of --detach: nobody sees why it takes longer
    REASON_BYTES = 600,
    LOG_TAIL_BYTES = 400,
    ENDPOINT_BYTES = 256, // ENDPOINT has at most 200
};

static const char worker_prefix[] = "w";

struct up {
    sc_cli *cli;
    int64_t n_workers;
    char dir[PATH_MAX];
    char log_dir[PATH_MAX + 8];
    char processes[16];
    char endpoint[ENDPOINT_BYTES]; // what children and `up` itself connect to
    bool is_detached;
    int report; // --detach: where readiness is reported; -1: done, or nobody waits
    int n_signals;
    bool has_failed;
    sc_children children;
    sc_readiness readiness;
    uv_timer_t limit;
};

/* What a person is told, and whoever waits for readiness. */
static void
fail(struct up *u, const char *reason)
{
    sc_cli_say(u->cli, "%s", reason);
    sc_detach_report(&u->report, reason);
    u->has_failed = true;
}

/* What died once all had been ready is watched until it is ready again: what dies before that is
 * not started at once. The workers are back with the first of them, since some may have left for
 * good. */
static void
watch_again(struct up *u, const sc_child *child)
{
    bool is_workers = child == &u->children.all[SC_CHILD_WORKERS];

    if (!u->children.was_ready)
        return; // all are still waited for
    sc_readiness_stop(&u->readiness);
    u->readiness.n_wanted = is_workers || !u->children.all[SC_CHILD_WORKERS].is_ready ? 1 : 0;
    sc_readiness_start(&u->readiness);
}

static void
on_died(void *arg, const sc_child *child, int64_t status, int signum, bool is_final)
{
    struct up *u = arg;
    char how[64], line[LOG_TAIL_BYTES] = "", reason[REASON_BYTES];

    if (signum)
        snprintf(how, sizeof(how), "was killed by signal %d", signum);
    else
        snprintf(how, sizeof(how), "ended with status %lld", (long long)status);
    if (!is_final) {
        sc_cli_say(u->cli, "the %s %s; starting it again", child->title, how);
        watch_again(u, child);
        return;
    }
    if (u->is_detached)
        sc_log_tail(child->log_fd, child->log_start, line, sizeof(line));
    snprintf(reason, sizeof(reason), "the %s %s before it was ready%s%s", child->title, how,
             *line ? ": " : "", line);
    fail(u, reason);
}

static void
on_ended(void *arg)
{
    struct up *u = arg;

    sc_detach_report(&u->report, "it was ended before it was ready");
    sc_cli_end(u->cli, u->has_failed      ? SC_EXIT_FAILED
                       : u->n_signals > 1 ? SC_EXIT_INTERRUPTED
                                          : SC_EXIT_DONE);
}

static void
on_ready(void *arg)
{
    struct up *u = arg;
    bool is_first = !u->children.was_ready;

    sc_children_ready(&u->children);
    uv_timer_stop(&u->limit);
    if (is_first)
        sc_cli_say(u->cli, "up at %s with %s worker%s; %s`seedcore down%s` ends it",
                   sc_settings_text(u->cli->settings, SC_SET_ENDPOINT), u->processes,
                   u->n_workers == 1 ? "" : "s", u->is_detached ? "" : "Ctrl-C or ",
                   u->cli->option);
    sc_detach_report(&u->report, "");
}

/* The first signal drains, the second ends at once. */
static void
on_interrupt(void *arg)
{
    struct up *u = arg;

    if (++u->n_signals == 1) {
        sc_cli_say(u->cli, "ending: tasks that run are finished first; once more to stop at once");
        sc_readiness_stop(&u->readiness);
        sc_children_stop(&u->children);
    } else {
        sc_cli_say(u->cli, "stopping at once");
        sc_children_kill(&u->children);
    }
}

static void
on_limit(uv_timer_t *timer)
{
    struct up *u = timer->data;
    const sc_child *workers = &u->children.all[SC_CHILD_WORKERS];
    char line[LOG_TAIL_BYTES], reason[REASON_BYTES];

    sc_log_tail(workers->log_fd, workers->log_start, line, sizeof(line));
    snprintf(reason, sizeof(reason), "the workers were not ready within 30s; worker.log: %s", line);
    fail(u, reason);
    sc_children_stop(&u->children);
}

/* Folders of the cluster, mode 0700, on a file system with room: a full one would keep even the
 * reason of the failure out of the logs. */
static int
make_folder(sc_cli *cli, const char *path)
{
    char part[PATH_MAX];
    struct statvfs fs;
    struct stat s;
    size_t len = strlen(path);

    for (size_t i = 1; i <= len && len < sizeof(part); i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST)
            break;
    }
    if (stat(path, &s) == 0 && !S_ISDIR(s.st_mode)) {
        errno = ENOTDIR;
    } else if (access(path, W_OK | X_OK) == 0) {
        if (statvfs(path, &fs) != 0 || fs.f_blocks == 0 || fs.f_bavail > 0)
            return 0;
        errno = ENOSPC;
    }
    sc_cli_say(cli, "cannot write to %s: %s", path, strerror(errno));
    return SC_EXIT_FAILED;
}

/* The coordinator would refuse the folder of another as well, but in the logs of that one. */
static int
check_is_free(sc_cli *cli, const char *dir)
{
    char path[PATH_MAX + 8], pid[32] = "";
    int fd, status = 0;

    snprintf(path, sizeof(path), "%s/lock", dir);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK &&
        pread(fd, pid, sizeof(pid) - 1, 0) > 0) {
        sc_cli_say(cli, "%s is in use by the coordinator with pid %ld; choose another --dir", dir,
                   atol(pid));
        status = SC_EXIT_FAILED;
    }
    if (fd >= 0)
        close(fd);
    return status;
}

static int
make_folders(struct up *u)
{
    const char *dir = sc_settings_text(u->cli->settings, SC_SET_DIR);
    sc_error err = {0};
    int status = make_folder(u->cli, dir);

    if (status)
        return status;
    // The children get a whole path, and so does whoever reads it in a message.
    if (!realpath(dir, u->dir) || sc_settings_set(u->cli->settings, SC_SET_DIR, u->dir, &err)) {
        sc_cli_say(u->cli, "cannot use %s: %s", dir, err.code ? err.text : strerror(errno));
        return SC_EXIT_FAILED;
    }
    snprintf(u->log_dir, sizeof(u->log_dir), "%s/log", u->dir);
    return u->is_detached ? make_folder(u->cli, u->log_dir) : 0;
}

static int
read_options(struct up *u)
{
    sc_cli *cli = u->cli;
    sc_error err = {0};

    u->n_workers = sc_settings_int(cli->settings, SC_SET_PROCESSES);
    if (u->n_workers == 0)
        u->n_workers = sysconf(_SC_NPROCESSORS_ONLN);
    if (sc_args_number(&cli->args, SC_OPT_WORKERS, "--workers", 1, 1024, &u->n_workers, &err))
        return sc_cli_usage(cli, "%s", err.text);
    snprintf(u->processes, sizeof(u->processes), "%lld", (long long)u->n_workers);
    u->is_detached = sc_args_has(&cli->args, SC_OPT_DETACH);
    for (size_t i = 0; i < cli->args.n_given; i++) {
        if (cli->args.given[i].id != SC_OPT_PLUGIN || access(cli->args.given[i].text, R_OK) == 0)
            continue;
        sc_cli_say(cli, "cannot read the plugin %s: %s", cli->args.given[i].text, strerror(errno));
        return SC_EXIT_FAILED;
    }
    return 0;
}

/* Settings that were given as options reach the children through the environment. */
static void
export_settings(const sc_settings *settings)
{
    for (int i = 0; i < SC_N_SETTINGS; i++) {
        char name[64], value[PATH_MAX];

        if (sc_settings_source(settings, (sc_setting)i) != SC_FROM_FLAG)
            continue;
        snprintf(name, sizeof(name), "SEEDCORE_%s", sc_setting_info_of((sc_setting)i)->name);
        setenv(name, sc_settings_format(settings, (sc_setting)i, value, sizeof(value)), 1);
    }
}

/* A log in the folder, or our own stderr. */
static int
open_log(const struct up *u, const char *title)
{
    char path[PATH_MAX + 64];
    int fd;

    if (!u->is_detached)
        return STDERR_FILENO;
    snprintf(path, sizeof(path), "%s/%s.log", u->log_dir, title);
    fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return fd < 0 ? STDERR_FILENO : fd;
}

static void
init_child(struct up *u, int which, const char *title, const char *program, const char *log)
{
    sc_child *child = &u->children.all[which];

    child->title = title;
    child->program = program;
    child->args[0] = program;
    child->log_fd = open_log(u, log);
    child->log_start = u->is_detached ? lseek(child->log_fd, 0, SEEK_END) : 0;
}

static void
add_args(sc_child *child, const char *option, const char *value)
{
    size_t n = 0;

    while (child->args[n])
        n++;
    SC_ASSERT(n + 2 < SC_CHILD_MAX_ARGS);
    child->args[n++] = option;
    child->args[n] = value;
}

static int
init_children(struct up *u)
{
    const sc_settings *settings = u->cli->settings;
    sc_child *coordinator = &u->children.all[SC_CHILD_COORDINATOR];
    sc_child *workers = &u->children.all[SC_CHILD_WORKERS];
    const sc_args *args = &u->cli->args;
    int n_plugins = 0;

    init_child(u, SC_CHILD_COORDINATOR, "coordinator", "seedcore-coordinator", "coordinator");
    add_args(coordinator, "--endpoint", sc_settings_text(settings, SC_SET_ENDPOINT));
    add_args(coordinator, "--dir", u->dir);
    add_args(coordinator, "--parent-fd", "3");
    init_child(u, SC_CHILD_WORKERS, "supervisor of the workers", "seedcore-worker", "worker");
    add_args(workers, "--connect", u->endpoint);
    add_args(workers, "--processes", u->processes);
    add_args(workers, "--name", worker_prefix);
    add_args(workers, "--data", sc_settings_text(settings, SC_SET_DATA));
    add_args(workers, "--parent-fd", "3");
    for (size_t i = 0; i < args->n_given; i++) {
        if (args->given[i].id != SC_OPT_PLUGIN)
            continue;
        if (++n_plugins > 16)
            return sc_cli_usage(u->cli, "--plugin: more than 16");
        add_args(workers, "--plugin", args->given[i].text);
    }
    if (sc_args_has(args, SC_OPT_TEST_HANDLERS))
        add_args(workers, "--test-handlers", NULL);
    return 0;
}

static void
start_readiness(struct up *u)
{
    u->readiness = (sc_readiness){.cli = u->cli,
                                  .endpoint = u->endpoint,
                                  .prefix = worker_prefix,
                                  .n_wanted = u->n_workers,
                                  .on_ready = on_ready,
                                  .arg = u};
    sc_readiness_init(&u->readiness);
    sc_readiness_start(&u->readiness);
}

/* From here on there is a loop. `u->report` is who waits for readiness. */
static int
serve(struct up *u)
{
    int status, rc;

    if ((status = sc_cli_start(u->cli)) || (status = init_children(u)))
        return status;
    if (u->is_detached) {
        uv_signal_stop(&u->cli->signals[2]); // SIGHUP: the terminal is nothing to us
        signal(SIGHUP, SIG_IGN);
    }
    u->cli->on_interrupt = on_interrupt;
    u->cli->arg = u;
    uv_timer_init(&u->cli->loop, &u->limit);
    u->limit.data = u;
    if (u->is_detached)
        uv_timer_start(&u->limit, on_limit, READY_LIMIT_MS, 0);
    u->children.loop = &u->cli->loop;
    u->children.on_died = on_died;
    u->children.on_ended = on_ended;
    u->children.arg = u;
    rc = sc_children_start(&u->children);
    if (rc) {
        char reason[REASON_BYTES];

        snprintf(reason, sizeof(reason), "cannot start the programs: %s", sc_error_text(rc));
        fail(u, reason);
        sc_children_kill(&u->children);
        sc_cli_end(u->cli, SC_EXIT_FAILED);
    } else {
        start_readiness(u);
    }
    status = sc_cli_run(u->cli);
    sc_children_fini(&u->children);
    return status;
}

/* The parent of a detached cluster: waits, says how it went. */
static int
detach(struct up *u)
{
    char log[PATH_MAX + 16], reason[REASON_BYTES];
    sc_error err = {0};
    int rc;

    snprintf(log, sizeof(log), "%s/up.log", u->log_dir);
    rc = sc_detach(log, &u->report, reason, sizeof(reason), &err);
    if (rc == -EINTR) {
        sc_cli_say(u->cli, "interrupted; the cluster was told to end");
        return SC_EXIT_INTERRUPTED;
    }
    if (rc) {
        sc_cli_say(u->cli, "%s", err.text);
        return SC_EXIT_FAILED;
    }
    if (u->report >= 0) { // the child
        sc_term_init(&u->cli->term_error, STDERR_FILENO);
        u->cli->has_times = true;
        return serve(u);
    }
    if (*reason) {
        sc_cli_say(u->cli, "%s; the logs are in %s", reason, u->log_dir);
        return SC_EXIT_FAILED;
    }
    sc_cli_say(u->cli, "up at %s with %s worker%s; the logs are in %s",
               sc_settings_text(u->cli->settings, SC_SET_ENDPOINT), u->processes,
               u->n_workers == 1 ? "" : "s", u->log_dir);
    return SC_EXIT_DONE;
}

static int
run(sc_cli *cli)
{
    struct up u = {.cli = cli, .report = -1};
    int status;

    if (sc_endpoints_are_many(sc_settings_text(cli->settings, SC_SET_ENDPOINT)))
        return sc_cli_usage(cli,
                            "%s: `up` starts one coordinator, which listens at one endpoint: give "
                            "it one with --endpoint",
                            sc_settings_text(cli->settings, SC_SET_ENDPOINT));
    if (!sc_endpoint_is_fixed(sc_settings_text(cli->settings, SC_SET_ENDPOINT)))
        return sc_cli_usage(cli, "%s: `up` needs a port that can be named, 1 to 65535",
                            sc_settings_text(cli->settings, SC_SET_ENDPOINT));
    if ((status = read_options(&u)) || (status = make_folders(&u)))
        return status;
    sc_endpoint_local(sc_settings_text(cli->settings, SC_SET_ENDPOINT), u.endpoint,
                      sizeof(u.endpoint));
    if (sc_endpoint_answers(u.endpoint))
        return sc_readiness_already_up(cli, u.endpoint);
    if ((status = check_is_free(cli, u.dir)))
        return status;
    export_settings(cli->settings);
    return u.is_detached ? detach(&u) : serve(&u);
}

static const struct poptOption options[] = {
    SC_OPTION("workers", SC_OPT_WORKERS,
              "worker processes, 1 to 1024 (default: SEEDCORE_PROCESSES, else one a core)", "N"),
    SC_SWITCH("detach", SC_OPT_DETACH, "go to the background once the workers are ready"),
    SC_SWITCH("test-handlers", SC_OPT_TEST_HANDLERS, "offer the handlers fail and crash as well"),
    SC_OPTION("plugin", SC_OPT_PLUGIN, "handlers from this shared object; may be given again",
              "F.so"),
    POPT_TABLEEND,
};

const sc_verb sc_verb_up = {
    .name = "up",
    .summary = "start a cluster on this machine",
    .arguments = "",
    .description =
        "Starts a coordinator and worker processes as children, starts again what dies, and ends "
        "them with Ctrl-C: tasks that run are finished first, a second Ctrl-C stops at once.\n"
        "\n"
        "With --detach it returns as soon as the workers are ready (or with status 1 and the "
        "reason) and prints where the logs are; `seedcore down` ends the cluster.\n"
        "\n"
        "Each setting is an option, too; `seedcore config` shows what a command that is "
        "started from this shell would use, not what a cluster that is up was started with.\n",
    .options = options,
    .settings = SC_VERB_STARTS,
    .run = run,
};
