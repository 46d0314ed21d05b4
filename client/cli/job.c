/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs as they are printed, see job.h. Called by status, jobs, wait and whatever waits for a job.
 */
#include "client/cli/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/text.h"

const sc_table_column sc_job_columns[SC_JOB_COLUMNS] = {
    {"JOB", false, SC_TABLE_PREFIX},
    {"NAME", false, SC_TABLE_CUT | SC_TABLE_DROP},
    {"HANDLER", false, SC_TABLE_CUT | SC_TABLE_DROP},
    {"STATE", false, SC_TABLE_KEEP},
    {"TASKS", true, SC_TABLE_KEEP},
    {"DONE", true, SC_TABLE_DROP},
    {"DEAD", true, SC_TABLE_KEEP},
    {"TIME", true, SC_TABLE_DROP},
};

static char *
copy(const char *text)
{
    return strdup(text ? text : "");
}

sc_job_status
sc_job_keep(const sc_job_status *job)
{
    sc_job_status kept = *job;

    kept.name = copy(job->name);
    kept.handler = copy(job->handler);
    kept.key = copy(job->key);
    kept.state = copy(job->state);
    kept.after = NULL;
    if (job->n_after > 0) { // their states are texts that stay
        sc_parent_status *after = calloc(job->n_after, sizeof(*after));

        if (after)
            memcpy(after, job->after, job->n_after * sizeof(*after));
        kept.after = after;
        kept.n_after = after ? job->n_after : 0;
    }
    kept.reports = NULL;
    kept.n_reports = 0;
    return kept;
}

void
sc_job_release(sc_job_status *job)
{
    free((char *)job->name);
    free((char *)job->handler);
    free((char *)job->key);
    free((char *)job->state);
    free((void *)job->after);
    *job = (sc_job_status){0};
}

bool
sc_job_is_stranded(const sc_job_status *job)
{
    return job->is_unoffered && job->queued + job->delayed > 0;
}

bool
sc_job_succeeded(const sc_job_status *job)
{
    return job->state && strcmp(job->state, "succeeded") == 0;
}

/* Lists do not tell: there is no such field in them. */
static void
add_parents(const sc_job_status *job, sc_out *o)
{
    sc_out_field(o, "after");
    for (size_t i = 0; i < job->n_after; i++)
        sc_out_printf(o, "%s{\"job\":\"%s\",\"state\":\"%s\"}", i ? "," : "[", job->after[i].id,
                      job->after[i].state);
    sc_out_text(o, "]");
    sc_out_field_text(o, "on", job->on_any ? "any" : "success");
}

static void
add_fields(const sc_job_status *job, sc_out *o)
{
    sc_out_field_text(o, "job", job->id);
    sc_out_field_text(o, "name", job->name);
    sc_out_field_text(o, "handler", job->handler);
    sc_out_field_text(o, "state", job->state);
    sc_out_field_number(o, "total", job->total);
    sc_out_field_number(o, "queued", job->queued);
    sc_out_field_number(o, "delayed", job->delayed);
    sc_out_field_number(o, "running", job->running);
    sc_out_field_number(o, "done", job->done);
    sc_out_field_number(o, "dead", job->dead);
    sc_out_field_number(o, "cancelled", job->cancelled);
    sc_out_field_number(o, "priority", (uint64_t)job->priority);
    sc_out_field_time(o, "submitted_at", job->submitted_at);
    sc_out_field_time(o, "ended_at", job->ended_at);
    sc_out_field(o, "offered");
    sc_out_text(o, job->is_unoffered ? "false" : "true");
    sc_out_field(o, "retried");
    sc_out_text(o, job->is_retried ? "true" : "false");
    if (*job->key)
        sc_out_field_text(o, "key", job->key);
    if (job->n_after > 0)
        add_parents(job, o);
}

void
sc_job_json(const sc_job_status *job, sc_out *o)
{
    sc_job_range_json(job, 0, 0, o);
}

void
sc_job_range_json(const sc_job_status *job, uint64_t first, uint64_t n, sc_out *o)
{
    sc_out_begin(o);
    add_fields(job, o);
    if (n > 0) {
        sc_out_field_number(o, "first", first);
        sc_out_field_number(o, "last", first + n - 1);
    }
    sc_out_end(o);
}

static void
add_report(const sc_task_report *report, sc_out *o)
{
    sc_out_begin(o);
    sc_out_field_number(o, "index", report->index);
    sc_out_field_number(o, "n", report->n);
    if (report->of > 0)
        sc_out_field_number(o, "of", report->of);
    else
        sc_out_field_text(o, "of", NULL);
    sc_out_text(o, "}");
}

void
sc_job_progress_json(const sc_job_status *job, sc_out *o)
{
    sc_out_begin(o);
    add_fields(job, o);
    sc_out_field_number(o, "reporting", job->n_reporting);
    sc_out_field(o, "progress");
    sc_out_text(o, "[");
    for (size_t i = 0; i < job->n_reports; i++) {
        sc_out_text(o, i ? "," : "");
        add_report(&job->reports[i], o);
    }
    sc_out_text(o, "]");
    sc_out_end(o);
}

sc_colour
sc_job_colour(const char *state)
{
    if (strcmp(state, "succeeded") == 0)
        return SC_COLOUR_GREEN;
    if (strcmp(state, "failed") == 0)
        return SC_COLOUR_RED;
    return strcmp(state, "cancelled") == 0 ? SC_COLOUR_YELLOW : SC_COLOUR_BLUE;
}

/* From the submission to the last end, or until now. Nobody keeps when a job was retried, so for
 * one that was this is no time that its tasks took, and whoever prints it says so. */
static char *
time_taken(const sc_job_status *job, int64_t now_ms, char out[SC_FORMAT_BYTES])
{
    return sc_format_duration((job->ended_at ? job->ended_at : now_ms) - job->submitted_at, out);
}

void
sc_job_row(const sc_job_status *job, int64_t now_ms, sc_table *table)
{
    char time[SC_FORMAT_BYTES], text[SC_FORMAT_BYTES + 16];

    sc_table_text(table, job->id, SC_COLOUR_NONE);
    sc_table_text(table, job->name, SC_COLOUR_NONE);
    sc_table_text(table, job->handler, SC_COLOUR_NONE);
    sc_table_text(table, job->state, sc_job_colour(job->state));
    sc_table_number(table, job->total);
    sc_table_number(table, job->done);
    sc_table_number(table, job->dead);
    snprintf(text, sizeof(text), "%s%s", time_taken(job, now_ms, time),
             job->is_retried ? ", retried" : "");
    sc_table_text(table, text, SC_COLOUR_NONE);
}

void
sc_job_sentence(const sc_job_status *job, int64_t now_ms, sc_out *o)
{
    static const struct {
        const char *name;
        size_t offset;
    } counts[] = {
        {"dead", offsetof(sc_job_status, dead)},
        {"cancelled", offsetof(sc_job_status, cancelled)},
        {"running", offsetof(sc_job_status, running)},
        {"queued", offsetof(sc_job_status, queued)},
        {"delayed", offsetof(sc_job_status, delayed)},
    };
    char text[SC_FORMAT_BYTES];

    sc_out_printf(o, "%s %s done", sc_format_count(job->done, text),
                  job->done == 1 ? "task" : "tasks");
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        uint64_t count;

        memcpy(&count, (const char *)job + counts[i].offset, sizeof(count));
        if (count > 0)
            sc_out_printf(o, ", %s %s", sc_format_count(count, text), counts[i].name);
    }
    time_taken(job, now_ms, text);
    if (job->is_retried)
        sc_out_printf(o, ", %s after it was submitted, retried since", text);
    else
        sc_out_printf(o, ", in %s", text);
}
