/* SPDX-License-Identifier: Apache-2.0 */
/* `seedcore call`: one task, and its value on stdout. */
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "client/cli/cli.h"
#include "client/cli/reader.h"
#include "client/cli/text.h"
#include "client/cli/verbs.h"

enum { TIMEOUT_MAX_MS = 86400000 };

struct call {
    sc_cli *cli;
    const char *args;
    int64_t timeout_ms;
};

/* A task that has no value: why. */
static void
say_error(sc_cli *cli, const sc_result_row *row)
{
    static const char *const words[] = {[SC_RESULT_DONE] = "is done",
                                        [SC_RESULT_DEAD] = "failed",
                                        [SC_RESULT_CANCELLED] = "was cancelled"};
    sc_out text;

    sc_out_init(&text);
    sc_text_error(&text, row->value, row->value_len);
    sc_cli_say(cli, "%s %s: %.*s", cli->args.words[0], words[row->status], (int)text.buffer.len,
               (const char *)text.buffer.data);
    sc_out_fini(&text);
}

/* A call that was taken and has no result; everything else is a refusal. */
static bool
is_dead(const sc_failure *why)
{
    return why && (why->number == SC_EPOISON || why->number == SC_EUNKNOWN ||
                   why->number == SC_ETIMEOUT || why->number == SC_ELOST);
}

/* The line that a task of a job has that ended so. */
static void
write_dead(sc_cli *cli, const sc_failure *why)
{
    sc_result_row row = {.status = SC_RESULT_DEAD, .attempt = 1, .worker = ""};
    sc_out error;

    sc_out_init(&error);
    sc_out_begin(&error);
    sc_out_field_text(&error, "code", why->code);
    sc_out_field_text(&error, "message", why->text);
    sc_out_text(&error, "}");
    row.value = (const char *)error.buffer.data;
    row.value_len = error.buffer.len;
    sc_result_line(&row, &cli->out);
    sc_out_fini(&error);
    sc_cli_end(cli, SC_EXIT_FAILED);
}

static void
on_result(void *arg, const sc_result_row *row, const sc_failure *why)
{
    struct call *c = arg;

    if (!c->cli->is_ended && is_dead(why) && sc_args_has(&c->cli->args, SC_OPT_JSON)) {
        write_dead(c->cli, why);
        return;
    }
    if (sc_cli_failed(c->cli, why))
        return;
    if (sc_args_has(&c->cli->args, SC_OPT_JSON)) {
        sc_result_line(row, &c->cli->out);
    } else if (row->status == SC_RESULT_DONE) {
        sc_out_json(&c->cli->out, row->value, row->value_len);
        sc_out_text(&c->cli->out, "\n");
    } else {
        say_error(c->cli, row);
    }
    sc_cli_end(c->cli, row->status == SC_RESULT_DONE ? SC_EXIT_DONE : SC_EXIT_FAILED);
}

static void
on_workers(void *arg)
{
    struct call *c = arg;
    sc_cli *cli = c->cli;
    int64_t left_ms = c->timeout_ms;

    if (cli->workers_by) // some of it was spent on the wait for a worker
        left_ms = cli->workers_by - (int64_t)uv_now(&cli->loop);
    if (cli->workers_by && left_ms < 1)
        left_ms = 1;
    sc_cli_refused(cli, sc_client_call(cli->client, cli->args.words[0], c->args, strlen(c->args),
                                       left_ms, on_result, c));
}

static int
read_options(struct call *c)
{
    const char *timeout = sc_args_text(&c->cli->args, SC_OPT_TIMEOUT);
    const char *args = sc_args_text(&c->cli->args, SC_OPT_ARGS);
    sc_error err = {0};

    c->args = args ? args : "null";
    if (sc_cli_check_name(c->cli, "HANDLER", c->cli->args.words[0], SC_NAME_MAX))
        return SC_EXIT_USAGE;
    if (sc_json_check(c->args, strlen(c->args), &err))
        return sc_cli_usage(c->cli, "--args: %s", err.text);
    if (timeout && (sc_parse_duration(timeout, &c->timeout_ms) || c->timeout_ms < 1 ||
                    c->timeout_ms > TIMEOUT_MAX_MS))
        return sc_cli_usage(c->cli, "--timeout: \"%s\" is not a duration from 1ms to 1d", timeout);
    return 0;
}

static int
run(sc_cli *cli)
{
    struct call c = {.cli = cli};
    int status = read_options(&c);

    if (status || (status = sc_cli_connect(cli)))
        return status;
    cli->arg = &c;
    cli->patience_ms = c.timeout_ms;
    sc_cli_with_workers(cli, on_workers);
    return sc_cli_run(cli);
}

static const struct poptOption options[] = {
    SC_OPTION("args", SC_OPT_ARGS, "what the handler is given (default null)", "JSON"),
    SC_OPTION(
        "timeout", SC_OPT_TIMEOUT,
        "give up after this time, also while no worker has joined, 1ms to 1d (default: never)",
        "DURATION"),
    POPT_TABLEEND,
};

const sc_verb sc_verb_call = {
    .name = "call",
    .summary = "run one task and print its value",
    .arguments = "HANDLER",
    .description = "Runs one task of HANDLER at once and prints the value that it returns; with "
                   "--json the whole result line. The result is kept nowhere.\n"
                   "\n"
                   "  seedcore call echo --args '{\"hello\":\"world\"}'\n",
    .options = options,
    .min_words = 1,
    .max_words = 1,
    .settings = SC_VERB_CONNECTS,
    .has_json = true,
    .run = run,
};
