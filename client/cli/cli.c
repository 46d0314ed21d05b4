/* SPDX-License-Identifier: Apache-2.0 */
/* From the command line to the verb and its exit status. Called by main.c alone; what it decides on
 * the way: usage errors, help, what happens when stdout fails. */
#include "client/cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "client/cli/help.h"
#include "client/cli/text.h"
#include "client/cli/verbs.h"

/* One write, so that lines of several processes do not mix; there is nobody to tell where it fails.
 */
static void
write_stderr(const sc_out *line)
{
    ssize_t n = write(STDERR_FILENO, line->buffer.data, line->buffer.len);

    (void)n;
}

static void
say(sc_cli *cli, const char *hint, const char *format, va_list args)
{
    char *text, time[SC_CLOCK_TEXT];
    sc_out line;

    if (vasprintf(&text, format, args) < 0)
        return;
    sc_cli_progress(cli, NULL);
    sc_out_init(&line);
    if (cli->has_times)
        sc_out_printf(&line, "%s ", sc_clock_format(sc_clock_unix_ms(), time));
    sc_out_text(&line, "seedcore: ");
    sc_text_add(&line, text, strlen(text), cli->term_error.is_utf8);
    sc_out_text(&line, "\n");
    if (hint)
        sc_out_printf(&line, "see: seedcore %s%s--help\n", hint, *hint ? " " : "");
    write_stderr(&line);
    cli->n_said++;
    sc_out_fini(&line);
    free(text);
}

void
sc_cli_say(sc_cli *cli, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(cli, NULL, format, args);
    va_end(args);
}

void
sc_cli_note(sc_cli *cli, const char *format, ...)
{
    va_list args;

    if (!cli->term_error.is_terminal)
        return;
    va_start(args, format);
    say(cli, NULL, format, args);
    va_end(args);
}

int
sc_cli_usage(sc_cli *cli, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(cli, cli->verb ? cli->verb->name : "", format, args);
    va_end(args);
    return SC_EXIT_USAGE;
}

int
sc_cli_check_name(sc_cli *cli, const char *what, const char *name, size_t max_bytes)
{
    size_t len = strlen(name);

    if (len > 0 && len <= max_bytes && sc_utf8_printable(name, len))
        return 0;
    return sc_cli_usage(cli,
                        "%s: \"%.80s\" is not 1 to %zu bytes of UTF-8 without control characters",
                        what, name, max_bytes);
}

int
sc_cli_open_out(sc_cli *cli, sc_out *out, const char *path)
{
    sc_error err = {0};

    if (sc_out_open(out, path, &err) == 0)
        return 0;
    sc_cli_say(cli, "%s", err.text);
    return SC_EXIT_FAILED;
}

int
sc_cli_close_out(sc_cli *cli, sc_out *out, int status)
{
    sc_error err = {0};
    int rc = sc_out_close(out, &err);

    if (rc == 0 || rc == -EPIPE)
        return status;
    sc_cli_say(cli, "%s", err.text);
    return status ? status : SC_EXIT_FAILED;
}

void
sc_cli_progress(sc_cli *cli, const sc_out *line)
{
    sc_out all;

    if (!cli->term_error.is_terminal || (!line && !cli->has_progress))
        return;
    sc_out_init(&all);
    sc_out_text(&all, "\r\033[K");
    if (line)
        sc_out_add(&all, line->buffer.data, line->buffer.len);
    write_stderr(&all);
    sc_out_fini(&all);
    cli->has_progress = line != NULL;
}

/* A first word that is no verb. */
static int
unknown_verb(sc_cli *cli, const char *group, const char *word)
{
    const char *near = sc_verbs_suggest(group, word);

    if (near)
        return sc_cli_usage(cli, "there is no verb \"%.80s\"; did you mean \"%s\"?", word, near);
    return sc_cli_usage(cli, "there is no verb \"%.80s\"", word);
}

static int
missing_verb(sc_cli *cli, const sc_verb *group)
{
    return sc_cli_usage(cli, "%s needs a verb: %s", group->name, group->arguments);
}

static bool
is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* Finds the verb that the first words name; the number of those words goes to n_words. */
static int
find_verb(sc_cli *cli, int argc, const char *const *argv, int *n_words)
{
    const sc_verb *group = sc_verbs_find(argv[0]), *below;

    *n_words = 1;
    if (!group)
        return unknown_verb(cli, "", argv[0]);
    cli->verb = group;
    if (argc > 1 && (below = sc_verbs_find_in(group->name, argv[1]))) {
        cli->verb = below;
        *n_words = 2;
        return 0;
    }
    if (group->run && (argc < 2 || group->max_words > 0 || !sc_verbs_suggest(group->name, argv[1])))
        return 0;
    if (argc > 1 && is_help(argv[1]))
        return 0;
    if (argc < 2)
        return missing_verb(cli, group);
    *n_words = 2;
    return unknown_verb(cli, group->name, argv[1]);
}

/* Values, once it is known that no help is wanted. */
static int
apply(sc_cli *cli)
{
    sc_error err = {0};

    if (sc_args_check_words(&cli->args, cli->verb, &err) || sc_settings_new(&cli->settings, &err) ||
        sc_args_apply(&cli->args, cli->settings, &err))
        return sc_cli_usage(cli, "%s", err.text);
    if (sc_settings_source(cli->settings, SC_SET_ENDPOINT) == SC_FROM_FLAG)
        snprintf(cli->option, sizeof(cli->option), " --endpoint %s",
                 sc_settings_text(cli->settings, SC_SET_ENDPOINT));
    return 0;
}

static int
run_verb(sc_cli *cli, int argc, const char *const *argv)
{
    sc_error err = {0};
    int n_words, status;

    if ((status = find_verb(cli, argc, argv, &n_words)))
        return status;
    if (sc_args_parse(&cli->args, cli->verb, argc - n_words, argv + n_words, &err))
        return sc_cli_usage(cli, "%s", err.text);
    if (sc_args_has(&cli->args, SC_OPT_HELP)) {
        sc_help_verb(cli->verb, &cli->term, &cli->out);
        return SC_EXIT_DONE;
    }
    if ((status = apply(cli)))
        return status;
    return cli->verb->run(cli);
}

/* The words that stand where a verb would. */
static int
run(sc_cli *cli, int argc, const char *const *argv)
{
    sc_out usage;

    if (argc == 0) {
        sc_out_init(&usage);
        sc_help_all(&cli->term_error, &usage);
        write_stderr(&usage);
        sc_out_fini(&usage);
        return SC_EXIT_USAGE;
    }
    if (is_help(argv[0])) {
        sc_help_all(&cli->term, &cli->out);
        return SC_EXIT_DONE;
    }
    if (strcmp(argv[0], "--version") == 0) {
        sc_out_text(&cli->out, "seedcore " SC_VERSION "\n");
        return SC_EXIT_DONE;
    }
    if (argv[0][0] == '-')
        return sc_cli_usage(cli, "there is no option %.80s before the verb", argv[0]);
    return run_verb(cli, argc, argv);
}

int
sc_cli_main(int argc, const char *const *argv)
{
    sc_cli *cli = calloc(1, sizeof(*cli));
    int status;

    if (!cli)
        return SC_EXIT_FAILED;
    sc_term_init(&cli->term, STDOUT_FILENO);
    sc_term_init(&cli->term_error, STDERR_FILENO);
    sc_out_init_fd(&cli->out, STDOUT_FILENO);
    status = run(cli, argc - 1, argv + 1);
    sc_cli_progress(cli, NULL);
    status = sc_cli_close_out(cli, &cli->out, status);
    sc_out_fini(&cli->out);
    sc_args_fini(&cli->args);
    sc_settings_free(&cli->settings);
    free(cli);
    return status;
}
