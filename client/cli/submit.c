/* SPDX-License-Identifier: Apache-2.0 */
/* `seedcore submit`: queues a job from JSON lines, for a range of indexes, or of one task; waits
 * for it where asked to. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/settings.h"
#include "client/cli/cli.h"
#include "client/cli/feed.h"
#include "client/cli/input.h"
#include "client/cli/job.h"
#include "client/cli/parents.h"
#include "client/cli/range.h"
#include "client/cli/reader.h"
#include "client/cli/reason.h"
#include "client/cli/verbs.h"
#include "client/cli/watch.h"

struct submit {
    sc_cli *cli;
    sc_job_spec spec;
    const char *args; // JSON; of one task or of each in the range
    const char *path; // of the lines; NULL: none
    bool is_array;
    uint64_t first, n;
    bool is_given; // the one task without lines went to the feed
    bool has_output;
    bool is_whole; // all results of the job are in `output`
    char job[SC_JOB_ID_TEXT];
    const char *jobs[1];
    sc_cli_parents parents;
    sc_input input;
    sc_feed feed;
    sc_watch watch;
    sc_reason reason;
    sc_reader reader;
    sc_out output;
};

enum { RETRIES_MAX = 65534, BACKOFF_MAX_MS = 86400000 };

/* "item-$index" is meant as a pattern more often than as it stands. */
static void
check_index(struct submit *s)
{
    if (s->is_array && strstr(s->args, "$index") && !strstr(s->args, "\"$index\""))
        sc_cli_say(s->cli, "--args: $index becomes the index only where it is the whole of a "
                           "string, \"$index\"; here it stays as it is");
    if (!s->is_array && !s->path && strstr(s->args, "\"$index\""))
        sc_cli_say(s->cli, "--args: \"$index\" becomes the index only with --array");
}

/* So is something that is almost the results of a job. */
static void
check_results(struct submit *s)
{
    if (strstr(s->args, "\"$results\"") && !s->parents.has_results)
        sc_cli_say(s->cli,
                   "--args: {\"$results\": \"JOB\"} becomes results only as an object of its "
                   "own, with a job as a string; here it stays as it is");
}

static int
read_args(struct submit *s)
{
    const char *text = sc_args_text(&s->cli->args, SC_OPT_ARGS);
    const char *array = sc_args_text(&s->cli->args, SC_OPT_ARRAY);
    sc_error err = {0};

    s->args = text ? text : "null";
    if (sc_json_check(s->args, strlen(s->args), &err))
        return sc_cli_usage(s->cli, "--args: %s", err.text);
    if (s->path && (text || array))
        return sc_cli_usage(s->cli, "--input does not go with --%s", text ? "args" : "array");
    s->is_array = array != NULL;
    if (array && sc_range_parse(array, &s->first, &s->n, &err))
        return sc_cli_usage(s->cli, "--array: %s", err.text);
    check_index(s);
    int status = sc_cli_parents_read(&s->parents, s->cli, sc_args_text(&s->cli->args, SC_OPT_AFTER),
                                     s->args);

    check_results(s);
    return status;
}

static int
read_on(struct submit *s)
{
    const char *on = sc_args_text(&s->cli->args, SC_OPT_ON);

    if (on && strcmp(on, "success") != 0 && strcmp(on, "any") != 0)
        return sc_cli_usage(s->cli, "--on: \"%.60s\" is neither success nor any", on);
    if (on && s->parents.n_words == 0)
        return sc_cli_usage(s->cli, "--on says how the jobs of --after are to end; there are none");
    s->spec.on_any = on && strcmp(on, "any") == 0;
    return 0;
}

/* "exp:BASE..MAX". @return 0, or SC_EBADARG saying what it is not */
static int
parse_backoff(const char *text, sc_job_spec *spec, sc_error *err)
{
    char base[32];
    const char *dots = strstr(text, "..");
    size_t len = dots && strncmp(text, "exp:", 4) == 0 ? (size_t)(dots - text) - 4 : sizeof base;

    snprintf(base, sizeof base, "%.*s", len < sizeof base ? (int)len : 0, text + 4);
    if (len >= sizeof base || sc_parse_duration(base, &spec->backoff_base_ms) ||
        sc_parse_duration(dots + 2, &spec->backoff_max_ms))
        return sc_error_set(err, SC_EBADARG, "\"%.60s\" is not exp:BASE..MAX, such as exp:1s..5m",
                            text);
    if (spec->backoff_base_ms < 1 || spec->backoff_max_ms > BACKOFF_MAX_MS ||
        spec->backoff_max_ms < spec->backoff_base_ms)
        return sc_error_set(err, SC_EBADARG,
                            "\"%.60s\": BASE is 1ms to 1d, MAX is not below it and at most 1d",
                            text);
    return 0;
}

static int
read_retries(struct submit *s)
{
    const char *backoff = sc_args_text(&s->cli->args, SC_OPT_BACKOFF);
    int64_t retries = 0;
    sc_error err = {0};

    if (sc_args_number(&s->cli->args, SC_OPT_RETRIES, "--retries", 0, RETRIES_MAX, &retries, &err))
        return sc_cli_usage(s->cli, "%s", err.text);
    if (backoff && parse_backoff(backoff, &s->spec, &err))
        return sc_cli_usage(s->cli, "--backoff: %s", err.text);
    s->spec.retries = (unsigned)retries;
    return 0;
}

static int
read_limits(struct submit *s)
{
    const struct {
        int option;
        const char *name;
        int64_t *ms;
    } limits[] = {
        {SC_OPT_TIMEOUT, "timeout", &s->spec.timeout_ms},
        {SC_OPT_KILL_AFTER, "kill-after", &s->spec.kill_after_ms},
        {SC_OPT_EXPIRES, "expires", &s->spec.expires_ms},
    };

    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        const char *text = sc_args_text(&s->cli->args, limits[i].option);

        if (text && (sc_parse_duration(text, limits[i].ms) || *limits[i].ms < 1 ||
                     *limits[i].ms > SC_LIMIT_MAX_MS))
            return sc_cli_usage(s->cli, "--%s: \"%.60s\" is not a duration from 1ms to 20d",
                                limits[i].name, text);
    }
    if (s->spec.kill_after_ms > 0 && s->spec.kill_after_ms <= s->spec.timeout_ms)
        return sc_cli_usage(s->cli, "--kill-after is no longer than --timeout: nothing could end "
                                    "by itself before it is killed");
    return 0;
}

static int
read_options(struct submit *s)
{
    int64_t priority = SC_PRIORITY_DEFAULT;
    sc_error err = {0};

    s->spec.handler = s->cli->args.words[0];
    s->spec.name = sc_args_text(&s->cli->args, SC_OPT_NAME);
    s->path = sc_args_text(&s->cli->args, SC_OPT_INPUT);
    s->spec.key = sc_args_text(&s->cli->args, SC_OPT_KEY);
    if (sc_cli_check_name(s->cli, "HANDLER", s->spec.handler, SC_NAME_MAX) ||
        (s->spec.name && sc_cli_check_name(s->cli, "--name", s->spec.name, SC_LABEL_MAX)) ||
        (s->spec.key && sc_cli_check_name(s->cli, "--key", s->spec.key, SC_LABEL_MAX)))
        return SC_EXIT_USAGE;
    if (sc_args_number(&s->cli->args, SC_OPT_PRIORITY, "--priority", 0, SC_PRIORITIES - 1,
                       &priority, &err))
        return sc_cli_usage(s->cli, "%s", err.text);
    s->spec.priority = (int)priority;
    s->spec.is_volatile = sc_args_has(&s->cli->args, SC_OPT_VOLATILE);
    int rc = read_retries(s);

    if (rc == 0)
        rc = read_limits(s);
    if (rc == 0)
        rc = read_args(s);
    return rc ? rc : read_on(s);
}

/* The job has ended and its results are written. */
static void
on_read(void *arg)
{
    struct submit *s = arg;
    bool succeeded = sc_job_succeeded(&s->watch.jobs[0].status);
    int status = s->has_output ? sc_reader_status(&s->reader) : SC_EXIT_DONE;

    s->is_whole = s->has_output && status == SC_EXIT_DONE;
    sc_cli_end(s->cli, succeeded ? status : SC_EXIT_FAILED);
}

static void
on_row(void *arg, const sc_result_row *row)
{
    struct submit *s = arg;

    sc_result_line(row, &s->output);
}

/* All is said about the job. */
static void
read_results(struct submit *s)
{
    if (!s->has_output) {
        on_read(s);
        return;
    }
    s->reader = (sc_reader){.cli = s->cli,
                            .job = s->job,
                            .order = SC_BY_INDEX,
                            .on_row = on_row,
                            .on_end = on_read,
                            .arg = s,
                            .out = &s->output};
    sc_reader_start(&s->reader);
}

static void
on_reason(void *arg, const char *text)
{
    struct submit *s = arg;

    sc_reason_say(&s->reason, text);
    read_results(s);
}

static void
on_end(void *arg)
{
    struct submit *s = arg;
    const sc_job_status *job = &s->watch.jobs[0].status;
    sc_out text;

    sc_out_init(&text);
    sc_job_sentence(job, sc_clock_unix_ms(), &text);
    sc_out_add(&text, "", 1);
    if (!text.error)
        sc_cli_say(s->cli, "job %s: %s", job->state, (const char *)text.buffer.data);
    sc_out_fini(&text);
    s->reason = (sc_reason){.cli = s->cli, .job = s->job, .on_found = on_reason, .arg = s};
    sc_reason_say_parent(s->cli, job);
    if (job->dead > 0)
        sc_reason_find(&s->reason);
    else
        read_results(s);
}

/* The id is the data of `submit`, unless the results are: then it is said. */
static void
write_id(struct submit *s)
{
    sc_out *o = &s->cli->out;

    if (s->has_output && s->output.fd == STDOUT_FILENO) {
        sc_cli_say(s->cli, "job %s", s->job);
        return;
    }
    if (sc_args_has(&s->cli->args, SC_OPT_JSON)) {
        sc_out_begin(o);
        sc_out_field_text(o, "job", s->job);
        sc_out_end(o);
    } else {
        sc_out_printf(o, "%s\n", s->job);
    }
    sc_out_flush(o);
}

static void
on_accepted(void *arg, const char *job)
{
    struct submit *s = arg;

    snprintf(s->job, sizeof(s->job), "%s", job);
    s->jobs[0] = s->job;
    write_id(s);
    if (!s->cli->is_offered)
        sc_cli_say(s->cli, "no worker offers %s now: what has not run yet waits for one",
                   s->spec.handler);
    if (sc_args_has(&s->cli->args, SC_OPT_WAIT) || s->has_output)
        sc_watch_start(&s->watch, s->cli, s->jobs, 1, on_end, s);
    else
        sc_cli_end(s->cli, SC_EXIT_DONE);
}

static void
on_submitted(void *arg, const char *job, const sc_failure *why)
{
    struct submit *s = arg;

    if (!sc_cli_failed(s->cli, why))
        on_accepted(s, job);
}

/* The source of a single task. */
static int
next_task(void *arg, const char **task, size_t *len)
{
    struct submit *s = arg;

    *task = s->args;
    *len = strlen(s->args);
    return s->is_given ? 0 : (s->is_given = true);
}

static int
next_line(void *arg, const char **task, size_t *len)
{
    struct submit *s = arg;

    return sc_input_next(&s->input, task, len);
}

/* The jobs that it is to wait for are known. */
static void
on_parents(void *arg)
{
    struct submit *s = arg;

    s->spec.after = s->parents.after;
    s->spec.n_after = s->parents.n_after;
    s->args = s->parents.args;
    if (s->parents.has_results && !s->is_array) { // workers put results into arguments of arrays
        s->is_array = true;
        s->first = 0;
        s->n = 1;
    }
    if (s->is_array) {
        sc_cli_refused(s->cli, sc_client_submit_array(s->cli->client, &s->spec, s->first, s->n,
                                                      s->args, strlen(s->args), on_submitted, s));
        return;
    }
    s->feed = (sc_feed){.cli = s->cli,
                        .next = s->path ? next_line : next_task,
                        .on_accepted = on_accepted,
                        .arg = s};
    if (s->path)
        sc_input_start(&s->input, &s->feed);
    sc_feed_start(&s->feed, &s->spec);
}

/* Some worker has joined. */
static void
on_workers(void *arg)
{
    struct submit *s = arg;

    sc_cli_parents_find(&s->parents, on_parents, s);
}

static void
on_interrupt(void *arg)
{
    struct submit *s = arg;

    sc_cli_say(s->cli, "interrupted; nothing was queued");
    sc_cli_end(s->cli, SC_EXIT_INTERRUPTED);
}

/* What must be open before anything is submitted. */
static int
open_files(struct submit *s)
{
    const char *output = sc_args_text(&s->cli->args, SC_OPT_OUTPUT);
    int status = s->path ? sc_input_open(&s->input, s->cli, s->path) : 0;

    if (status || !output)
        return status;
    s->has_output = true;
    return sc_cli_open_out(s->cli, &s->output, output);
}

/* The file appears only where all results are in it; what went wrong with it is still to be said.
 */
static int
close_output(struct submit *s, int status)
{
    if (!s->is_whole && !s->output.error)
        return status;
    return sc_cli_close_out(s->cli, &s->output, status);
}

static int
run(sc_cli *cli)
{
    struct submit s = {.cli = cli, .input.fd = -1};
    int status;

    sc_out_init(&s.output);
    if ((status = read_options(&s)) == 0 && (status = open_files(&s)) == 0 &&
        (status = sc_cli_connect(cli)) == 0) {
        cli->on_interrupt = on_interrupt;
        cli->arg = &s;
        cli->handler = s.spec.handler;
        sc_cli_with_workers(cli, on_workers);
        status = close_output(&s, sc_cli_run(cli));
    }
    sc_watch_fini(&s.watch);
    sc_cli_parents_fini(&s.parents);
    sc_input_fini(&s.input);
    sc_out_fini(&s.output);
    return status;
}

static const struct poptOption options[] = {
    SC_OPTION("input", SC_OPT_INPUT, "tasks as JSON lines, one a line; - is stdin", "FILE|-"),
    SC_OPTION("array", SC_OPT_ARRAY, "one task for each index from A to B, such as 0-9", "A-B"),
    SC_OPTION(
        "args", SC_OPT_ARGS,
        "what the task is given; with --array, each string \"$index\" in it becomes the index, "
        "a number; inside a longer string, such as \"item-$index\", it stays as it is",
        "JSON"),
    SC_OPTION("name", SC_OPT_NAME, "a label for people", "TEXT"),
    SC_OPTION("priority", SC_OPT_PRIORITY, "0 to 9, 9 goes first (default 4)", "0..9"),
    SC_OPTION("retries", SC_OPT_RETRIES,
              "further attempts for a task whose handler failed and says that another may help "
              "(default 0)",
              "N"),
    SC_OPTION("backoff", SC_OPT_BACKOFF,
              "how long to wait before them: a random time up to BASE, doubled each time up to MAX "
              "(default exp:1s..5m)",
              "exp:BASE..MAX"),
    SC_OPTION("timeout", SC_OPT_TIMEOUT,
              "a task that runs for longer is told to end, and that attempt has failed, whatever "
              "its handler says then",
              "DURATION"),
    SC_OPTION("kill-after", SC_OPT_KILL_AFTER,
              "a task that runs for longer has failed, and its worker process is replaced; what "
              "else ran there runs again",
              "DURATION"),
    SC_OPTION("expires", SC_OPT_EXPIRES,
              "a task that has not begun so long after the job was accepted is dead", "DURATION"),
    SC_OPTION(
        "after", SC_OPT_AFTER,
        "begin no task before these jobs have ended; where one has not succeeded, this one is "
        "cancelled (see --on)",
        "JOB[,JOB]"),
    SC_OPTION("on", SC_OPT_ON,
              "how the jobs of --after have to end: success (default), or any, however they end",
              "success|any"),
    SC_OPTION("key", SC_OPT_KEY,
              "submit only once: while a job of this key is kept, the same job submitted again is "
              "that job, whose id is printed; another job is refused",
              "TEXT"),
    SC_SWITCH("volatile", SC_OPT_VOLATILE,
              "do not keep the job in the journal: it is accepted sooner, and gone with the "
              "coordinator"),
    SC_SWITCH("wait", SC_OPT_WAIT,
              "wait until the job has ended; exit 1 unless all tasks are done"),
    SC_OPTION("output", SC_OPT_OUTPUT,
              "wait, then write the results to this file (-: stdout; the id then goes to stderr)",
              "FILE"),
    POPT_TABLEEND,
};

const sc_verb sc_verb_submit = {
    .name = "submit",
    .summary = "queue a job",
    .arguments = "HANDLER",
    .description =
        "Queues a job of tasks for HANDLER and prints its id. Without --input, --array or --args "
        "it "
        "has one task, which is given null.\n"
        "\n"
        "--input is streamed: nothing is queued unless every line is good. Blank lines are "
        "skipped. "
        "Tasks have the indexes 0, 1, 2, ... in the order of the lines.\n"
        "\n"
        "Before any worker has joined, submit waits for one as long as for the coordinator "
        "(--connect-timeout). Ctrl-C during the upload drops the job; Ctrl-C while waiting leaves "
        "it running.\n"
        "\n"
        "In --args, an object {\"$results\": JOB} becomes the array of the values of that job, in "
        "task order (null where a task is not done), at most 16 MiB; this job waits for that one "
        "as if --after named it.\n"
        "\n"
        "  seedcore submit echo --array 1-1000 --args '{\"n\":\"$index\"}' --wait\n"
        "  seedcore submit echo --input tasks.jsonl --output results.jsonl\n",
    .options = options,
    .min_words = 1,
    .max_words = 1,
    .settings = SC_VERB_CONNECTS,
    .has_json = true,
    .run = run,
};
