/* SPDX-License-Identifier: Apache-2.0 */
/* `seedcore energy load`: systems of agents from CSV files, one task a system for the handler
 * energy.load. */
#include <limits.h>
#include <string.h>

#include "client/cli/cli.h"
#include "client/cli/energy_files.h"
#include "client/cli/feed.h"
#include "client/cli/job.h"
#include "client/cli/reader.h"
#include "client/cli/text.h"
#include "client/cli/verbs.h"
#include "client/cli/watch.h"

struct load {
    sc_cli *cli;
    sc_energy_files files;
    size_t next; // system whose task comes next
    sc_out task;
    char job[SC_JOB_ID_TEXT];
    const char *jobs[1];
    sc_feed feed;
    sc_watch watch;
    sc_reader reader;
    size_t n_failed;
};

enum { SHOWN_FAILED = 10 };

static void
write_counts(struct load *l)
{
    static const char *const names[SC_ENERGY_N_FILES] = {"systems", "agents", "pairs",
                                                         "hyperedges"};
    sc_out *o = &l->cli->out;

    if (sc_args_has(&l->cli->args, SC_OPT_JSON)) {
        sc_out_begin(o);
        for (int i = 0; i < SC_ENERGY_N_FILES; i++)
            sc_out_field_number(o, names[i], sc_energy_files_count(&l->files, i));
        sc_out_end(o);
        return;
    }
    for (int i = 0; i < SC_ENERGY_N_FILES; i++) {
        uint64_t n = sc_energy_files_count(&l->files, i);
        char text[SC_FORMAT_BYTES];

        sc_out_printf(o, "%s%s %.*s", i ? ", " : "loaded ", sc_format_count(n, text),
                      (int)strlen(names[i]) - (n == 1), names[i]); // "1 pair"
    }
    sc_out_text(o, "\n");
}

/* Systems that were not loaded, the first of them with their reasons. */
static void
on_row(void *arg, const sc_result_row *row)
{
    struct load *l = arg;
    const sc_csv_field *id = sc_csv_row(&l->files.files[SC_ENERGY_SYSTEMS].csv, row->index);
    sc_out text;

    if (row->status == SC_RESULT_DONE || l->n_failed++ >= SHOWN_FAILED)
        return;
    sc_out_init(&text);
    sc_text_error(&text, row->value, row->value_len);
    sc_cli_say(l->cli, "system %.*s was not loaded: %.*s", (int)id->len, id->text,
               (int)text.buffer.len, (const char *)text.buffer.data);
    sc_out_fini(&text);
}

static void
on_read(void *arg)
{
    struct load *l = arg;
    size_t n_systems = sc_energy_files_count(&l->files, SC_ENERGY_SYSTEMS);

    sc_cli_say(l->cli, "%zu of %zu systems were loaded; see: seedcore results %s%s",
               n_systems - l->n_failed, n_systems, l->job, l->cli->option);
    sc_cli_end(l->cli, SC_EXIT_FAILED);
}

static void
on_end(void *arg)
{
    struct load *l = arg;

    if (sc_job_succeeded(&l->watch.jobs[0].status)) {
        write_counts(l);
        sc_cli_end(l->cli, SC_EXIT_DONE);
        return;
    }
    l->reader = (sc_reader){.cli = l->cli,
                            .job = l->job,
                            .order = SC_BY_INDEX_ENDED,
                            .on_row = on_row,
                            .on_end = on_read,
                            .arg = l};
    sc_reader_start(&l->reader);
}

static void
on_accepted(void *arg, const char *job)
{
    struct load *l = arg;

    strncpy(l->job, job, sizeof(l->job) - 1);
    l->jobs[0] = l->job;
    sc_watch_start(&l->watch, l->cli, l->jobs, 1, on_end, l);
}

/* The source: one system after the other. */
static int
next_task(void *arg, const char **task, size_t *len)
{
    struct load *l = arg;

    if (l->next == sc_energy_files_count(&l->files, SC_ENERGY_SYSTEMS))
        return 0;
    sc_buffer_clear(&l->task.buffer);
    sc_energy_files_task(&l->files, l->next++, &l->task);
    if (sc_cli_refused(l->cli, l->task.error))
        return l->task.error;
    *task = (const char *)l->task.buffer.data;
    *len = l->task.buffer.len;
    return 1;
}

static void
on_workers(void *arg)
{
    static const sc_job_spec spec = {
        .handler = "energy.load", .name = "energy load", .priority = -1};
    struct load *l = arg;

    l->feed = (sc_feed){.cli = l->cli, .next = next_task, .on_accepted = on_accepted, .arg = l};
    sc_feed_start(&l->feed, &spec);
}

static int
run(sc_cli *cli)
{
    struct load l = {.cli = cli};
    sc_out reason;
    int status = SC_EXIT_FAILED;

    sc_out_init(&l.task);
    sc_out_init(&reason);
    if (sc_energy_files_read(&l.files, (const char *const *)cli->args.words,
                             (size_t)cli->args.n_words, &reason)) {
        sc_out_add(&reason, "", 1);
        sc_cli_say(cli, "%s; nothing was loaded",
                   reason.error ? "out of memory" : (const char *)reason.buffer.data);
    } else if ((status = sc_cli_connect(cli)) == 0) {
        cli->arg = &l;
        sc_cli_with_workers(cli, on_workers);
        status = sc_cli_run(cli);
    }
    sc_watch_fini(&l.watch);
    sc_energy_files_fini(&l.files);
    sc_out_fini(&l.task);
    sc_out_fini(&reason);
    return status;
}

const sc_verb sc_verb_energy_load = {
    .name = "energy load",
    .summary = "load systems of agents from CSV files",
    .arguments = "DIR|FILE...",
    .description =
        "Hands systems of agents from CSV files to the workers, which keep them in their "
        "database. Each system is replaced as a whole, so loading twice is harmless. The files of "
        "a folder (others in it are ignored; pairs and hyperedges may be missing) and the columns "
        "that their first lines name:\n"
        "\n"
        "  energy_system.csv     system_id,label,n_agents,dim,s_norm,r_effective,p_compress,\n"
        "                        drift,anomaly\n"
        "  energy_agent.csv      system_id,agent_no,agent_id,h,p_e,p_s,p_o,capability,\n"
        "                        mem_util\n"
        "  energy_pair.csv       system_id,i,j,w\n"
        "  energy_hyperedge.csv  system_id,edge_no,selection,weight\n"
        "\n"
        "agent_no counts from 0; h is a list of dim numbers separated by spaces.\n"
        "\n"
        "  seedcore energy load FOLDER\n"
        "  seedcore energy batch\n",
    .min_words = 1,
    .max_words = INT_MAX,
    .settings = SC_VERB_CONNECTS,
    .has_json = true,
    .run = run,
};
