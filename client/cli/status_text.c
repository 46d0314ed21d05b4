/* SPDX-License-Identifier: Apache-2.0 */
/* The words of `status`, see status_text.h. Called by the verb, once or again and again. */
#include "client/cli/status_text.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "client/cli/job.h"
#include "client/cli/text.h"

enum {
    NAME_COLUMNS = 13,
    NAME_BYTES = 32,
    LINES_BESIDE = 11, // of a job beside those of tasks and of jobs before it, and the cursor's
    LINE_TASKS = 8,    // that one line names
};

/* "name         " in front of a line. */
static void
name_line(const sc_status_view *v, const char *name)
{
    sc_out_printf(v->out, "%s%-*s %s", sc_term_colour(v->term, SC_COLOUR_DIM), NAME_COLUMNS - 1,
                  name, sc_term_colour(v->term, SC_COLOUR_NONE));
}

static void
text_line(const sc_status_view *v, const char *name, const char *text)
{
    name_line(v, name);
    sc_text_add(v->out, text, strlen(text), v->term->is_utf8);
    sc_out_text(v->out, "\n");
}

static void
time_line(const sc_status_view *v, const char *name, int64_t unix_ms, const char *rest)
{
    char time[SC_FORMAT_BYTES], ago[SC_FORMAT_BYTES];

    if (unix_ms == 0)
        return;
    name_line(v, name);
    sc_out_printf(v->out, "%s (%s ago)%s\n", sc_format_time(unix_ms, time),
                  sc_format_duration(sc_clock_unix_ms() - unix_ms, ago), rest);
}

/* "12 done, 3 dead": what is nothing is left out, but for the first. */
static void
add_counts(sc_out *o, const char *const *names, const uint64_t *counts, size_t n)
{
    char text[SC_FORMAT_BYTES];

    for (size_t i = 0; i < n; i++)
        if (i == 0 || counts[i] > 0)
            sc_out_printf(o, "%s%s %s", i ? ", " : "", sc_format_count(counts[i], text), names[i]);
}

/* ---- a job ---- */

static void
bar_line(const sc_status_view *v, const char *name, const sc_progress *progress, const char *unit,
         uint64_t total)
{
    sc_term rest = *v->term;
    size_t len = strlen(name);

    rest.columns -= len < NAME_COLUMNS ? NAME_COLUMNS : (int)len + 1;
    name_line(v, name);
    sc_progress_draw(progress, unit, total, &rest, v->out);
    sc_out_text(v->out, "\n");
}

/* Why nothing more of it begins. */
static void
waiting_line(const sc_status_view *v, const sc_job_status *job)
{
    if (!sc_job_is_stranded(job))
        return;
    name_line(v, "waiting");
    sc_out_text(v->out, "no worker offers ");
    sc_text_add(v->out, job->handler, strlen(job->handler), v->term->is_utf8);
    sc_out_text(v->out, " now\n");
}

/* A line for each task that says how far it is, where there is room for them. */
static void
task_lines(const sc_status_view *v, const sc_job_status *job)
{
    char name[NAME_BYTES], text[SC_FORMAT_BYTES];
    int lines = v->term->rows - LINES_BESIDE - (int)job->n_after - sc_job_is_stranded(job);
    size_t room = lines > 1 ? (size_t)lines : 1;
    size_t n = job->n_reports < room || !v->term->is_terminal ? job->n_reports : room;

    for (size_t i = 0; i < n; i++) {
        sc_progress progress = {.label = ""};

        snprintf(name, sizeof name, "task %llu", (unsigned long long)job->reports[i].index);
        sc_progress_add(&progress, job->reports[i].n, 0);
        bar_line(v, name, &progress, NULL, job->reports[i].of);
    }
    if (job->n_reporting > n) {
        name_line(v, "");
        sc_out_printf(v->out, "and %s more\n", sc_format_count(job->n_reporting - n, text));
    }
}

void
sc_status_job(const sc_status_view *v, const sc_job_status *job, const sc_progress *progress)
{
    static const char *const names[] = {"in all",  "done",   "dead",   "cancelled",
                                        "running", "queued", "delayed"};
    const uint64_t counts[] = {job->total,   job->done,   job->dead,   job->cancelled,
                               job->running, job->queued, job->delayed};

    text_line(v, "job", job->id);
    if (job->name && *job->name)
        text_line(v, "name", job->name);
    if (*job->key)
        text_line(v, "key", job->key);
    text_line(v, "handler", job->handler);
    for (size_t i = 0; i < job->n_after; i++) {
        name_line(v, i ? "" : "after");
        sc_out_printf(v->out, "%s %s\n", job->after[i].id, job->after[i].state);
    }
    name_line(v, "state");
    sc_out_printf(v->out, "%s%s%s\n", sc_term_colour(v->term, sc_job_colour(job->state)),
                  job->state, sc_term_colour(v->term, SC_COLOUR_NONE));
    waiting_line(v, job);
    name_line(v, "tasks");
    add_counts(v->out, names, counts, sizeof(counts) / sizeof(counts[0]));
    sc_out_text(v->out, "\n");
    if (!job->has_ended && job->total > 0)
        bar_line(v, "progress", progress, "task", job->total);
    time_line(v, "submitted", job->submitted_at, job->is_retried ? ", retried since" : "");
    time_line(v, "ended", job->ended_at, "");
    task_lines(v, job);
}

void
sc_status_reason(const sc_status_view *v, const char *text)
{
    text_line(v, "first error", text);
}

void
sc_status_job_line(const sc_job_status *job, int64_t now_ms, sc_out *o)
{
    size_t n = job->n_reports < LINE_TASKS ? job->n_reports : LINE_TASKS;

    sc_out_printf(o, "%s: ", job->state);
    sc_job_sentence(job, now_ms, o);
    for (size_t i = 0; i < n; i++) {
        const sc_task_report *report = &job->reports[i];

        sc_out_printf(o, "%s task %llu: %llu", i ? "," : ";", (unsigned long long)report->index,
                      (unsigned long long)report->n);
        if (report->of > 0)
            sc_out_printf(o, "/%llu", (unsigned long long)report->of);
    }
    if (job->n_reporting > n)
        sc_out_printf(o, " and %llu more", (unsigned long long)(job->n_reporting - n));
    if (sc_job_is_stranded(job))
        sc_out_printf(o, "; no worker offers %s now", job->handler);
    sc_out_text(o, "\n");
}

/* ---- the cluster ---- */

static void
add_tasks(const sc_cluster_status *c, sc_out *o)
{
    static const char *const names[] = {"queued", "running", "delayed",
                                        "done",   "dead",    "cancelled"};
    const uint64_t counts[] = {c->queued, c->running, c->delayed, c->done, c->dead, c->cancelled};

    add_counts(o, names, counts, sizeof(counts) / sizeof(counts[0]));
}

static void
add_calls(const sc_cluster_status *c, sc_out *o)
{
    static const char *const names[] = {"running", "done"};
    const uint64_t counts[] = {c->calls_running, c->calls_done};

    add_counts(o, names, counts, sizeof(counts) / sizeof(counts[0]));
}

void
sc_status_cluster(const sc_status_view *v, const sc_cluster_status *c)
{
    static const char *const trouble_names[] = {"peers lost", "refused", "malformed", "unknown"};
    const uint64_t trouble[] = {c->peers_lost, c->refused, c->malformed, c->unknown_results};
    char a[SC_FORMAT_BYTES], b[SC_FORMAT_BYTES];
    sc_out *o = v->out;

    text_line(v, "coordinator", c->endpoint);
    name_line(v, "");
    sc_out_printf(o, "version %s, pid %llu on ", c->version, (unsigned long long)c->pid);
    sc_text_add(o, c->host, strlen(c->host), v->term->is_utf8);
    sc_out_printf(o, ", up for %s\n", sc_format_duration(sc_clock_unix_ms() - c->started_at, a));
    name_line(v, "workers");
    sc_out_printf(o, "%s ready\n", sc_format_count(c->workers, a));
    name_line(v, "jobs");
    sc_out_printf(o, "%s, %s of them open\n", sc_format_count(c->jobs, a),
                  sc_format_count(c->jobs_open, b));
    name_line(v, "tasks");
    add_tasks(c, o);
    sc_out_text(o, "\n");
    name_line(v, "calls");
    add_calls(c, o);
    sc_out_text(o, "\n");
    if (c->started_per_s > 0 || c->ended_per_s > 0) {
        name_line(v, "rates");
        sc_out_printf(o, "%s started, %s ended\n", sc_format_rate(c->started_per_s, a),
                      sc_format_rate(c->ended_per_s, b));
    }
    name_line(v, "payloads");
    sc_out_printf(o, "%s in memory, %s on disk\n", sc_format_bytes(c->memory_bytes, a),
                  sc_format_bytes(c->spill_bytes, b));
    for (size_t i = 0; i < sizeof(trouble) / sizeof(trouble[0]); i++)
        if (trouble[i] > 0)
            text_line(v, trouble_names[i], sc_format_count(trouble[i], a));
}

void
sc_status_cluster_line(const sc_cluster_status *c, sc_out *o)
{
    char a[SC_FORMAT_BYTES], b[SC_FORMAT_BYTES];

    sc_out_printf(o, "%s worker%s, %s job%s open; tasks: ", sc_format_count(c->workers, a),
                  c->workers == 1 ? "" : "s", sc_format_count(c->jobs_open, b),
                  c->jobs_open == 1 ? "" : "s");
    add_tasks(c, o);
    sc_out_text(o, "; calls: ");
    add_calls(c, o);
    if (c->ended_per_s > 0)
        sc_out_printf(o, "; %s ended", sc_format_rate(c->ended_per_s, a));
    sc_out_text(o, "\n");
}

void
sc_status_cluster_json(const sc_cluster_status *c, sc_out *o)
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
