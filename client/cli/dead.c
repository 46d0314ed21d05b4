/* SPDX-License-Identifier: Apache-2.0 */
/* `seedcore dead`: jobs with dead tasks, or the dead tasks of one with how they were tried. Those
 * are read a page after the other, and of each page the tries that failed before. */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/json.h"
#include "client/cli/cli.h"
#include "client/cli/job.h"
#include "client/cli/text.h"
#include "client/cli/verbs.h"

enum { PAGE_BYTES = 64 << 10, TABLE_TASKS = 100, N_COLUMNS = 5 };

/* A task's last try, or one before. */
typedef struct item {
    uint64_t index;
    unsigned attempt;
    int64_t at;                         // unix ms; 0: not known
    size_t worker_at, error_at, end_at; // in dead.texts: terminated; JSON up to end_at
} item;

typedef struct dead {
    sc_cli *cli;
    bool is_json, has_some;
    uint64_t limit;
    sc_table table;
    char job[SC_JOB_ID_TEXT];
    uint64_t next;                   // of dead tasks
    uint64_t tries;                  // of failed tries
    bool is_last;                    // no dead tasks follow
    sc_buffer tasks, history, texts; // of a page: items, items
} dead;

static const sc_table_column columns[N_COLUMNS] = {
    {"TASK", true, SC_TABLE_KEEP},  {"ATTEMPT", true, SC_TABLE_KEEP},
    {"AT", false, SC_TABLE_DROP},   {"WORKER", false, SC_TABLE_CUT | SC_TABLE_DROP},
    {"ERROR", false, SC_TABLE_CUT},
};

static void read_tasks(dead *d);
static void read_tries(dead *d);

/* ---- jobs ---- */

static void
on_listed(void *arg, const sc_job_status *job, const sc_failure *why)
{
    dead *d = arg;

    if (sc_cli_failed(d->cli, why))
        return;
    if (!job) {
        if (!d->has_some)
            sc_cli_note(d->cli, "no job has dead tasks");
        sc_cli_end(d->cli, SC_EXIT_DONE);
        return;
    }
    if (job->dead == 0 || d->limit == 0)
        return;
    d->has_some = true;
    d->limit--;
    if (d->is_json)
        sc_job_json(job, &d->cli->out);
    else
        sc_job_row(job, sc_clock_unix_ms(), &d->table);
}

/* ---- what is kept of a page ---- */

static const item *
items(const sc_buffer *b, size_t *n)
{
    *n = b->len / sizeof(item);
    return (const item *)b->data;
}

// @return false where there is no memory: the command ends
static bool
keep(dead *d, sc_buffer *to, const sc_result_row *row, int64_t at, const char *error, size_t len)
{
    item it = {.index = row->index, .attempt = row->attempt, .at = at, .worker_at = d->texts.len};
    int rc = sc_buffer_add(&d->texts, row->worker, strlen(row->worker) + 1);

    it.error_at = d->texts.len;
    if (rc == 0)
        rc = sc_buffer_add(&d->texts, error, len);
    it.end_at = d->texts.len;
    if (rc == 0)
        rc = sc_buffer_add(to, &it, sizeof it);
    return !sc_cli_refused(d->cli, rc);
}

static bool
is_dead(const dead *d, uint64_t index)
{
    size_t n, low = 0;
    const item *all = items(&d->tasks, &n);

    for (size_t high = n; low < high;) {
        size_t mid = low + (high - low) / 2;

        if (all[mid].index < index)
            low = mid + 1;
        else
            high = mid;
    }
    return low < n && all[low].index == index;
}

// The value of a try: {"at":MS,"error":...}. What is none is left out.
static bool
keep_try(dead *d, const sc_result_row *row)
{
    static const char head[] = "{\"at\":", middle[] = ",\"error\":";
    size_t at = sizeof head - 1;
    int64_t ms = 0;

    if (!is_dead(d, row->index) || row->value_len < at || memcmp(row->value, head, at) != 0)
        return true;
    for (; at < row->value_len && row->value[at] >= '0' && row->value[at] <= '9'; at++)
        ms = ms < INT64_MAX / 10 - 9 ? ms * 10 + (row->value[at] - '0') : 0;
    if (row->value_len < at + sizeof middle ||
        memcmp(row->value + at, middle, sizeof middle - 1) != 0)
        return true;
    at += sizeof middle - 1;
    return keep(d, &d->history, row, ms, row->value + at, row->value_len - at - 1);
}

/* ---- printing ---- */

static void
add_try(const dead *d, const item *it, sc_out *o)
{
    const char *texts = (const char *)d->texts.data;
    char at[SC_CLOCK_TEXT];

    sc_out_printf(o, "{\"attempt\":%u,\"at\":\"%s\",\"worker\":", it->attempt,
                  sc_clock_format(it->at, at));
    if (sc_json_add_string(&o->buffer, texts + it->worker_at, strlen(texts + it->worker_at)) < 0)
        o->error = SC_ENOMEM;
    sc_out_text(o, ",\"error\":");
    sc_out_json(o, texts + it->error_at, it->end_at - it->error_at);
    sc_out_text(o, "}");
}

static void
print_json(const dead *d, const item *task, const item *tries, size_t n_tries)
{
    const char *texts = (const char *)d->texts.data;
    sc_out *o = &d->cli->out;

    sc_out_begin(o);
    sc_out_field_number(o, "index", task->index);
    sc_out_field_number(o, "attempt", task->attempt);
    sc_out_field_text(o, "worker", texts + task->worker_at);
    sc_out_field(o, "error");
    sc_out_json(o, texts + task->error_at, task->end_at - task->error_at);
    sc_out_field(o, "history");
    for (size_t i = 0; i < n_tries; i++) {
        sc_out_text(o, i ? "," : "[");
        add_try(d, &tries[i], o);
    }
    sc_out_text(o, n_tries ? "]" : "[]");
    sc_out_end(o);
}

static void
add_row(dead *d, const item *it, bool is_last)
{
    const char *texts = (const char *)d->texts.data;
    char at[SC_FORMAT_BYTES];
    sc_out error;

    sc_out_init(&error);
    sc_text_error(&error, texts + it->error_at, it->end_at - it->error_at);
    sc_out_add(&error, "", 1);
    if (is_last)
        sc_table_number(&d->table, it->index);
    else
        sc_table_text(&d->table, "", SC_COLOUR_NONE);
    sc_table_number(&d->table, it->attempt);
    sc_table_text(&d->table, it->at ? sc_format_time(it->at, at) : NULL, SC_COLOUR_NONE);
    sc_table_text(&d->table, texts + it->worker_at, SC_COLOUR_NONE);
    sc_table_text(&d->table, error.error ? NULL : (const char *)error.buffer.data, SC_COLOUR_NONE);
    sc_out_fini(&error);
}

// A task, with its tries before: these follow it in the table, the last one first.
static void
print_task(dead *d, const item *task, const item *tries, size_t n_tries)
{
    d->has_some = true;
    if (d->is_json) {
        print_json(d, task, tries, n_tries);
        return;
    }
    add_row(d, task, true);
    while (n_tries-- > 0)
        add_row(d, &tries[n_tries], false);
}

static void
print_page(dead *d)
{
    size_t n_tasks, n_history, at = 0;
    const item *tasks = items(&d->tasks, &n_tasks), *history = items(&d->history, &n_history);

    for (size_t i = 0; i < n_tasks; i++) {
        size_t first = at;

        while (at < n_history && history[at].index == tasks[i].index)
            at++;
        print_task(d, &tasks[i], history + first, at - first);
    }
}

/* ---- reading ---- */

static void
end(dead *d)
{
    if (!d->has_some)
        sc_cli_note(d->cli, "job %s has no dead tasks", d->job);
    else if (d->limit == 0 && !d->is_last)
        sc_cli_say(d->cli, "there may be more: --limit N shows so many, --json all");
    sc_cli_end(d->cli, SC_EXIT_DONE);
}

static void
on_tries(void *arg, const sc_result_page *page, const sc_failure *why)
{
    dead *d = arg;
    size_t n;

    if (sc_cli_failed(d->cli, why))
        return;
    for (size_t i = 0; i < page->n_rows; i++)
        if (!keep_try(d, &page->rows[i]))
            return;
    bool is_over = page->is_end || page->next <= d->tries ||
                   page->next > items(&d->tasks, &n)[d->tasks.len / sizeof(item) - 1].index;
    d->tries = page->next;
    if (!is_over) {
        read_tries(d);
        return;
    }
    print_page(d);
    if (d->is_last || d->limit == 0)
        end(d);
    else
        read_tasks(d);
}

static void
read_tries(dead *d)
{
    sc_cli_refused(d->cli, sc_client_read(d->cli->client, d->job, d->tries, SC_TRIES_BY_INDEX,
                                          PAGE_BYTES, false, on_tries, d));
}

static void
on_tasks(void *arg, const sc_result_page *page, const sc_failure *why)
{
    dead *d = arg;
    bool is_cut = false; // more is in this page than is to be shown
    size_t n;

    if (sc_cli_failed(d->cli, why))
        return;
    for (size_t i = 0; i < page->n_rows && !is_cut; i++) {
        const sc_result_row *row = &page->rows[i];

        if (row->status != SC_RESULT_DEAD)
            continue;
        is_cut = d->limit == 0;
        if (is_cut)
            break;
        if (!keep(d, &d->tasks, row, 0, row->value, row->value_len))
            return;
        d->limit--;
    }
    d->is_last = !is_cut && (page->is_end || page->next <= d->next);
    d->next = page->next;
    const item *tasks = items(&d->tasks, &n);
    if (n > 0) {
        d->tries = tasks[0].index;
        read_tries(d);
    } else if (d->is_last) {
        end(d);
    } else {
        read_tasks(d);
    }
}

static void
read_tasks(dead *d)
{
    sc_buffer_clear(&d->tasks);
    sc_buffer_clear(&d->history);
    sc_buffer_clear(&d->texts);
    sc_cli_refused(d->cli, sc_client_read(d->cli->client, d->job, d->next, SC_DEAD_BY_INDEX,
                                          PAGE_BYTES, false, on_tasks, d));
}

/* The prefix that was typed names this one. */
static void
on_job(void *arg, const sc_job_status *job, const sc_failure *why)
{
    dead *d = arg;

    if (sc_cli_failed(d->cli, why))
        return;
    memcpy(d->job, job->id, sizeof d->job);
    read_tasks(d);
}

static int
run(sc_cli *cli)
{
    dead d = {.cli = cli, .is_json = sc_args_has(&cli->args, SC_OPT_JSON)};
    bool is_one = cli->args.n_words > 0;
    int64_t limit = is_one && !d.is_json ? TABLE_TASKS : INT64_MAX;
    sc_error err = {0};
    int status;

    if (sc_args_number(&cli->args, SC_OPT_LIMIT, "--limit", 1, 10000000, &limit, &err))
        return sc_cli_usage(cli, "%s", err.text);
    if ((status = sc_cli_connect(cli)))
        return status;
    d.limit = (uint64_t)limit;
    sc_buffer_init(&d.tasks, 0);
    sc_buffer_init(&d.history, 0);
    sc_buffer_init(&d.texts, 0);
    if (is_one) {
        sc_table_init(&d.table, columns, N_COLUMNS, &cli->term);
        sc_cli_ask_job(cli, cli->args.words[0], false, on_job, &d);
    } else {
        sc_table_init(&d.table, sc_job_columns, SC_JOB_COLUMNS, &cli->term);
        sc_cli_refused(cli, sc_client_jobs(cli->client, NULL, 0, on_listed, &d));
    }
    status = sc_cli_run(cli);
    sc_table_write(&d.table, &cli->out);
    sc_table_fini(&d.table);
    sc_buffer_fini(&d.tasks);
    sc_buffer_fini(&d.history);
    sc_buffer_fini(&d.texts);
    return status;
}

static const struct poptOption options[] = {
    SC_OPTION("limit", SC_OPT_LIMIT,
              "at most so many, 1 to 10000000 (default: all; of tasks in a table 100)", "N"),
    POPT_TABLEEND,
};

const sc_verb sc_verb_dead = {
    .name = "dead",
    .summary = "list jobs with dead tasks, or the dead tasks of a job",
    .arguments = "[JOB]",
    .description =
        "Without JOB: the jobs that have dead tasks, the newest first, as `jobs`. With JOB: a line "
        "for each dead task, by index, with its last error, and how it was tried before (the last "
        "hundred tries; not kept of a volatile job):\n"
        "\n"
        "  {\"index\":8,\"attempt\":3,\"worker\":\"w-1\",\"error\":{\"code\":\"...\",\"message\":"
        "\"...\"},\"history\":[{\"attempt\":1,\"at\":\"...\",\"worker\":\"w-2\",\"error\":{...}},"
        "...]}\n"
        "\n"
        "When the last error came, and in which worker a task was whose worker process died, is "
        "not "
        "kept, so it is not shown.\n"
        "\n"
        "`seedcore retry JOB --dead` tries them again.\n",
    .max_words = 1,
    .options = options,
    .settings = SC_VERB_CONNECTS,
    .has_json = true,
    .run = run,
};
