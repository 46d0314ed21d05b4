/* SPDX-License-Identifier: Apache-2.0 */
/* `seedcore help`, and the two hidden verbs that write the manual pages and the completion when the
 * project is built. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/cli.h"
#include "client/cli/completion.h"
#include "client/cli/help.h"
#include "client/cli/verbs.h"

/* The verb that the arguments name. @return NULL where there is none (said so) */
static const sc_verb *
named_verb(sc_cli *cli)
{
    char **words = cli->args.words;
    const sc_verb *verb = sc_verbs_find(words[0]);
    const char *group = cli->args.n_words > 1 && verb ? verb->name : "";
    const char *word = words[cli->args.n_words > 1 && verb ? 1 : 0];
    const char *near;

    if (*group)
        verb = sc_verbs_find_in(group, word);
    if (verb)
        return verb;
    near = sc_verbs_suggest(group, word);
    if (near)
        sc_cli_usage(cli, "there is no verb \"%.80s\"; did you mean \"%s\"?", word, near);
    else
        sc_cli_usage(cli, "there is no verb \"%.80s\"", word);
    return NULL;
}

static int
run_help(sc_cli *cli)
{
    const sc_verb *verb;

    if (cli->args.n_words == 0) {
        sc_help_all(&cli->term, &cli->out);
        return SC_EXIT_DONE;
    }
    if (!(verb = named_verb(cli)))
        return SC_EXIT_USAGE;
    sc_help_verb(verb, &cli->term, &cli->out);
    return SC_EXIT_DONE;
}

/* Another program's page; its help is on stdin. */
static int
program_manual(sc_cli *cli, const char *name)
{
    static const size_t most = 65536;
    char *help = calloc(1, most + 1);
    size_t len = help ? fread(help, 1, most, stdin) : 0;

    if (len > 0)
        sc_help_program(name, help, &cli->out);
    free(help);
    return len > 0 ? SC_EXIT_DONE : SC_EXIT_FAILED;
}

static int
run_manual(sc_cli *cli)
{
    const sc_verb *verb = NULL;

    if (cli->args.n_words > 0 && strncmp(cli->args.words[0], "seedcore-", 9) == 0)
        return program_manual(cli, cli->args.words[0]);

    if (cli->args.n_words > 0 && !(verb = named_verb(cli)))
        return SC_EXIT_USAGE;
    sc_help_manual(verb, &cli->out);
    return SC_EXIT_DONE;
}

static int
run_completion(sc_cli *cli)
{
    sc_completion_write(&cli->out);
    return SC_EXIT_DONE;
}

const sc_verb sc_verb_help = {
    .name = "help",
    .summary = "show what a verb does",
    .arguments = "[VERB]",
    .description = "",
    .max_words = 2,
    .run = run_help,
};

const sc_verb sc_verb_manual = {
    .name = "__manual",
    .summary = "write a manual page",
    .arguments = "[VERB]",
    .description = "",
    .max_words = 2,
    .run = run_manual,
};

const sc_verb sc_verb_completion = {
    .name = "__completion",
    .summary = "write the completion for bash",
    .arguments = "",
    .description = "",
    .run = run_completion,
};
