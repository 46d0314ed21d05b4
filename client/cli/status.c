/* SPDX-License-Identifier: Apache-2.0 */
/* `seedcore status`: one job, or the cluster as a whole. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "client/cli/cli.h"
#include "client/cli/job.h"
#include "client/cli/progress.h"
#include "client/cli/reason.h"
#include "client/cli/text.h"
#include "client/cli/verbs.h"

enum { NAME_COLUMNS = 13 };

/* "name         " in front of a line. */
static void
name_line(sc_cli *cli, const char *name)
{
    sc_out_text(&cli->out, sc_term_colour(&cli->term, SC_COLOUR_DIM));
    sc_out_printf(&cli->out, "%-*s", NAME_COLUMNS, name);
    sc_out_text(&cli->out, sc_term_colour(&cli->term, SC_COLOUR_NONE));
}

static void
text_line(sc_cli *cli, const char *name, const char *text)
{
    name_line(cli, name);
    sc_text_add(&cli->out, text, strlen(text), cli->term.is_utf8);
    sc_out_text(&cli->out, "\n");
}

static void
time_line(sc_cli *cli, const char *name, int64_t unix_ms)
{
    char time[SC_FORMAT_BYTES], ago[SC_FORMAT_BYTES];

    if (unix_ms == 0)
        return;
    name_line(cli, name);
    sc_out_printf(&cli->out, "%s (%s ago)\n", sc_format_time(unix_ms, time),
                  sc_format_duration(sc_clock_unix_ms() - unix_ms, ago));
}

/* "12 done  3 dead": what is nothing is left out, but for the first. */
static void
counts_line(sc_cli *cli, const char *name, const char *const *names, const uint64_t *counts,
            size_t n)
{
    char text[SC_FORMAT_BYTES];

    name_line(cli, name);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || counts[i] > 0)
            sc_out_printf(&cli->out, "%s%s %s", i ? ", " : "", sc_format_count(counts[i], text),
                          names[i]);
    sc_out_text(&cli->out, "\n");
}

/* What `status` shows of one job. */
struct status {
    sc_cli *cli;
    char job[SC_JOB_ID_TEXT];
    sc_reason reason;
};

static void
write_job(sc_cli *cli, const sc_job_status *job)
{
    static const char *const names[] = {"in all",  "done",   "dead",   "cancelled",
                                        "running", "queued", "delayed"};
    const uint64_t counts[] = {job->total,   job->done,   job->dead,   job->cancelled,
                               job->running, job->queued, job->delayed};
    sc_progress progress = {.label = ""};

    text_line(cli, "job", job->id);
    if (job->name && *job->name)
        text_line(cli, "name", job->name);
    if (*job->key)
        text_line(cli, "key", job->key);
    text_line(cli, "handler", job->handler);
    for (size_t i = 0; i < job->n_after; i++) {
        name_line(cli, i ? "" : "after");
        sc_out_printf(&cli->out, "%s %s\n", job->after[i].id, job->after[i].state);
    }
    name_line(cli, "state");
    sc_out_printf(&cli->out, "%s%s%s\n", sc_term_colour(&cli->term, sc_job_colour(job->state)),
                  job->state, sc_term_colour(&cli->term, SC_COLOUR_NONE));
    counts_line(cli, "tasks", names, counts, sizeof(counts) / sizeof(counts[0]));
    if (!job->has_ended && job->total > 0) {
        name_line(cli, "progress");
        sc_progress_add(&progress, job->done + job->dead + job->cancelled, 0);
        sc_progress_draw(&progress, "task", job->total, &cli->term, &cli->out);
        sc_out_text(&cli->out, "\n");
    }
    time_line(cli, "submitted", job->submitted_at);
    time_line(cli, "ended", job->ended_at);
}

static void
on_reason(void *arg, const char *text)
{
    struct status *s = arg;

    if (text)
        text_line(s->cli, "first error", text);
    sc_cli_end(s->cli, SC_EXIT_DONE);
}

static void
on_job(void *arg, const sc_job_status *job, const sc_failure *why)
{
    struct status *s = arg;
    sc_cli *cli = s->cli;

    if (sc_cli_failed(cli, why))
        return;
    if (sc_args_has(&cli->args, SC_OPT_JSON)) {
        sc_job_json(job, &cli->out);
        sc_cli_end(cli, SC_EXIT_DONE);
        return;
    }
    write_job(cli, job);
    snprintf(s->job, sizeof(s->job), "%s", job->id);
    s->reason = (sc_reason){.cli = cli, .job = s->job, .on_found = on_reason, .arg = s};
    if (job->dead > 0)
        sc_reason_find(&s->reason);
    else
        sc_cli_end(cli, SC_EXIT_DONE);
}

static void
write_cluster_json(const sc_cluster_status *c, sc_out *o)
{
    sc_out_begin(o);
    sc_out_field_text(o, "endpoint", c->endpoint);
    sc_out_field_text(o, "version", c->version);
    sc_out_field_text(o, "host", c->host);
    sc_out_field_number(o, "pid", c->pid);
    sc_out_field_time(o, "started_at", c->started_at);
    sc_out_field_number(o, "workers", c->workers);
    sc_out_field_number(o, "clients", c->clients);
    sc_out_field_number(o, "jobs", c->jobs);
    sc_out_field_number(o, "jobs_open", c->jobs_open);
    sc_out_field_number(o, "queued", c->queued);
    sc_out_field_number(o, "delayed", c->delayed);
    sc_out_field_number(o, "running", c->running);
    sc_out_field_number(o, "done", c->done);
    sc_out_field_number(o, "dead", c->dead);
    sc_out_field_number(o, "cancelled", c->cancelled);
    sc_out_field_number(o, "calls_running", c->calls_running);
    sc_out_field_number(o, "calls_done", c->calls_done);
    sc_out_field_double(o, "started_per_s", c->started_per_s);
    sc_out_field_double(o, "ended_per_s", c->ended_per_s);
    sc_out_field_number(o, "memory_bytes", c->memory_bytes);
    sc_out_field_number(o, "spill_bytes", c->spill_bytes);
    sc_out_field_number(o, "refused", c->refused);
    sc_out_field_number(o, "malformed", c->malformed);
    sc_out_field_number(o, "unknown_results", c->unknown_results);
    sc_out_field_number(o, "peers_lost", c->peers_lost);
    sc_out_end(o);
}

static void
write_cluster(sc_cli *cli, const sc_cluster_status *c)
{
    static const char *const task_names[] = {"queued", "running", "delayed",
                                             "done",   "dead",    "cancelled"};
    static const char *const call_names[] = {"running", "done"};
    static const char *const trouble_names[] = {"peers lost", "refused", "malformed", "unknown"};
    const uint64_t tasks[] = {c->queued, c->running, c->delayed, c->done, c->dead, c->cancelled};
    const uint64_t calls[] = {c->calls_running, c->calls_done};
    const uint64_t trouble[] = {c->peers_lost, c->refused, c->malformed, c->unknown_results};
    char a[SC_FORMAT_BYTES], b[SC_FORMAT_BYTES];
    sc_out *o = &cli->out;

    text_line(cli, "coordinator", c->endpoint);
    name_line(cli, "");
    sc_out_printf(o, "version %s, pid %llu on ", c->version, (unsigned long long)c->pid);
    sc_text_add(o, c->host, strlen(c->host), cli->term.is_utf8);
    sc_out_printf(o, ", up for %s\n", sc_format_duration(sc_clock_unix_ms() - c->started_at, a));
    name_line(cli, "workers");
    sc_out_printf(o, "%s ready\n", sc_format_count(c->workers, a));
    name_line(cli, "jobs");
    sc_out_printf(o, "%s, %s of them open\n", sc_format_count(c->jobs, a),
                  sc_format_count(c->jobs_open, b));
    counts_line(cli, "tasks", task_names, tasks, sizeof(tasks) / sizeof(tasks[0]));
    counts_line(cli, "calls", call_names, calls, sizeof(calls) / sizeof(calls[0]));
    if (c->started_per_s > 0 || c->ended_per_s > 0) {
        name_line(cli, "rates");
        sc_out_printf(o, "%s started, %s ended\n", sc_format_rate(c->started_per_s, a),
                      sc_format_rate(c->ended_per_s, b));
    }
    name_line(cli, "payloads");
    sc_out_printf(o, "%s in memory, %s on disk\n", sc_format_bytes(c->memory_bytes, a),
                  sc_format_bytes(c->spill_bytes, b));
    for (size_t i = 0; i < sizeof(trouble) / sizeof(trouble[0]); i++)
        if (trouble[i] > 0)
            text_line(cli, trouble_names[i], sc_format_count(trouble[i], a));
}

static void
on_cluster(void *arg, const sc_cluster_status *cluster, const sc_failure *why)
{
    sc_cli *cli = arg;

    if (sc_cli_failed(cli, why))
        return;
    if (sc_args_has(&cli->args, SC_OPT_JSON))
        write_cluster_json(cluster, &cli->out);
    else
        write_cluster(cli, cluster);
    sc_cli_end(cli, SC_EXIT_DONE);
}

static int
run(sc_cli *cli)
{
    struct status s = {.cli = cli};
    int status = sc_cli_connect(cli);

    if (status)
        return status;
    if (cli->args.n_words > 0)
        sc_cli_ask_job(cli, cli->args.words[0], false, on_job, &s);
    else
        sc_cli_refused(cli, sc_client_cluster(cli->client, on_cluster, cli));
    return sc_cli_run(cli);
}

const sc_verb sc_verb_status = {
    .name = "status",
    .summary = "show a job, or the cluster",
    .arguments = "[JOB]",
    .description =
        "Shows one JOB (an id or a prefix of it that is unique); without JOB the cluster: "
        "coordinator, queue, workers, rates.\n",
    .max_words = 1,
    .settings = SC_VERB_CONNECTS,
    .has_json = true,
    .run = run,
};
