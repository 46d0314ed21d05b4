/* SPDX-License-Identifier: Apache-2.0 */
/* `seedcore down`: ends the cluster at the endpoint and waits until its processes have ended. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client/cli/cli.h"
#include "client/cli/text.h"
#include "client/cli/verbs.h"

enum {
    HOST_BYTES = 256,
    TEXT_BYTES = 96,
    QUIET_MS = 2000, // a person looks whether it hangs after some seconds
};

struct down;

/* A process that is waited for; its descriptor is readable once it has ended (pidfd_open(2)). */
struct process {
    struct down *down;
    int fd;
    uv_poll_t poll;
};

struct down {
    sc_cli *cli;
    struct process *processes;
    size_t n_processes, n_running;
    uv_timer_t timer;                        // off a terminal: until it is said what is waited for
    char endpoint[SC_ENDPOINT_TEXT_MAX + 1]; // of the coordinator that ends
};

static void
describe(const struct down *d, char *text, size_t size)
{
    snprintf(text, size, "ending: running tasks are finished first, %zu process%s left",
             d->n_running, d->n_running == 1 ? "" : "es");
}

/* A drain takes as long as the tasks that run; on a terminal it is said what is waited for. */
static void
draw(struct down *d)
{
    const sc_term *term = &d->cli->term_error;
    char text[TEXT_BYTES];
    sc_out line;

    describe(d, text, sizeof(text));
    sc_out_init(&line);
    sc_text_cut(&line, text, term->columns - 1, term->is_utf8);
    sc_cli_progress(d->cli, &line);
    sc_out_fini(&line);
}

/* Elsewhere once, where it takes long. */
static void
on_timer(uv_timer_t *timer)
{
    struct down *d = timer->data;
    char text[TEXT_BYTES];

    if (d->cli->is_ended)
        return;
    describe(d, text, sizeof(text));
    sc_cli_say(d->cli, "%s", text);
}

static void
end_if_done(struct down *d)
{
    if (d->n_running > 0) {
        draw(d);
        return;
    }
    sc_cli_say(d->cli, "the cluster at %s has ended", d->endpoint);
    sc_cli_end(d->cli, SC_EXIT_DONE);
}

static void
on_process_ended(uv_poll_t *poll, int status, int events)
{
    struct process *p = poll->data;

    (void)status;
    (void)events;
    uv_close((uv_handle_t *)poll, NULL);
    close(p->fd);
    p->fd = -1;
    p->down->n_running--;
    end_if_done(p->down);
}

static void
watch_process(struct down *d, long pid)
{
    struct process *p = &d->processes[d->n_processes];
    int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);

    if (fd < 0)
        return; // it has ended already
    *p = (struct process){.down = d, .fd = fd};
    if (uv_poll_init(&d->cli->loop, &p->poll, fd)) {
        close(fd);
        return;
    }
    p->poll.data = p;
    uv_poll_start(&p->poll, UV_READABLE, on_process_ended);
    d->n_processes++;
    d->n_running++;
}

/* Where the processes run elsewhere there is no more to be seen than that they were asked. */
static bool
is_here(const char *host)
{
    char own[HOST_BYTES] = "";

    return gethostname(own, sizeof(own) - 1) == 0 && host && strcmp(own, host) == 0;
}

static void
on_stopped(void *arg, const char *host, const uint64_t *pids, size_t n_pids, const sc_failure *why)
{
    struct down *d = arg;

    if (sc_cli_failed(d->cli, why))
        return;
    if (!is_here(host)) {
        sc_cli_say(d->cli, "the cluster was asked to end; its processes are on %s", host);
        sc_cli_end(d->cli, SC_EXIT_DONE);
        return;
    }
    snprintf(d->endpoint, sizeof(d->endpoint), "%s", sc_client_endpoint(d->cli->client));
    sc_client_close(&d->cli->client, NULL,
                    NULL); // that the coordinator goes away is what is wanted
    d->processes = calloc(n_pids + 1, sizeof(*d->processes));
    if (sc_cli_refused(d->cli, d->processes ? 0 : SC_ENOMEM))
        return;
    for (size_t i = 0; i < n_pids; i++)
        watch_process(d, (long)pids[i]);
    if (!d->cli->term_error.is_terminal)
        uv_timer_start(&d->timer, on_timer, QUIET_MS, 0);
    end_if_done(d);
}

/* What does not run until a coordinator starts again is said before this one ends. */
static void
say_what_is_left(sc_cli *cli, const sc_cluster_status *cluster)
{
    uint64_t n_tasks = cluster->queued + cluster->delayed;
    char jobs[SC_FORMAT_BYTES], tasks[SC_FORMAT_BYTES], rest[SC_FORMAT_BYTES + 32] = "";

    if (n_tasks > 0)
        snprintf(rest, sizeof(rest), "; %s task%s did not run", sc_format_count(n_tasks, tasks),
                 n_tasks == 1 ? "" : "s");
    if (cluster->jobs_open > 0)
        sc_cli_say(cli,
                   "%s job%s open: what is durable goes on with the next start, what is volatile "
                   "is gone%s",
                   sc_format_count(cluster->jobs_open, jobs),
                   cluster->jobs_open == 1 ? " is" : "s are", rest);
}

static void
on_cluster(void *arg, const sc_cluster_status *cluster, const sc_failure *why)
{
    struct down *d = arg;

    if (sc_cli_failed(d->cli, why))
        return;
    say_what_is_left(d->cli, cluster);
    sc_cli_refused(d->cli, sc_client_stop(d->cli->client, on_stopped, d));
}

static int
run(sc_cli *cli)
{
    struct down d = {.cli = cli};
    int status = sc_cli_connect(cli);

    if (status)
        return status;
    uv_timer_init(&cli->loop, &d.timer);
    d.timer.data = &d;
    sc_cli_refused(cli, sc_client_cluster(cli->client, on_cluster, &d));
    status = sc_cli_run(cli);
    free(d.processes);
    return status;
}

const sc_verb sc_verb_down = {
    .name = "down",
    .summary = "end the cluster",
    .arguments = "",
    .description =
        "Ends the cluster at the endpoint: running tasks are finished, then coordinator "
        "and workers end. Returns once all of its processes on this host have ended.\n"
        "\n"
        "Jobs and their results are kept in the journal (DIR/journal.sqlite): tasks that "
        "were not begun run after the next start. Volatile jobs are gone.\n",
    .settings = SC_VERB_CONNECTS,
    .run = run,
};
