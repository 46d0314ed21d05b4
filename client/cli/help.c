/* SPDX-License-Identifier: Apache-2.0 */
/* Help and manual from the tables of the verbs, see help.h. Called by cli.c and the verbs `help`
 * and
 * `__manual`. */
#include "client/cli/help.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/text.h"
#include "client/cli/verbs.h"

enum {
    TEXT_COLUMNS = 100, // wider text is hard to read
    OPTION_INDENT = 2,
    MEANING_INDENT = 8,
    SUMMARY_COLUMN = 16,
    NAME_BYTES = 64,
    LINE_BYTES = 200,    // of what popt prints: 80 and no more
    OPTION_COLUMNS = 10, // its options begin before, their meanings behind
};

static const char intro[] =
    "SeedCore runs tasks on long-lived worker processes: hand it a million; what ran in a process "
    "that died runs again elsewhere, and its result is counted once.";

static const char first_steps[] = "  seedcore up --detach\n"
                                  "  seedcore submit echo --array 1-1000 --wait\n"
                                  "  seedcore down\n";

static const char exits[] =
    "0 done, 1 failed or refused, 2 wrong usage, 3 no coordinator, 130 interrupted.";

/* What stands for values in the tables. */
static const struct {
    const char *what, *meaning;
} values[] = {
    {"ENDPOINT",
     "tcp://HOST:PORT, an IPv6 address in brackets, or ipc://PATH, a socket on this "
     "machine. Several, separated by commas, where the coordinator may be at any of them: a "
     "leader and its standbys, at most 8. The option comes before the variable SEEDCORE_ENDPOINT, "
     "that before tcp://127.0.0.1:5570."},
    {"DURATION", "250ms, 30s, 5m, 2h or 7d; a bare number is seconds."},
    {"SIZE", "64KiB, 10MB or 1GiB; a bare number is bytes."},
    {"JOB", "The id of a job, or a prefix of it that is unique."},
    {"SETTINGS",
     "Each is an option, else the variable SEEDCORE_<NAME>, else its default; "
     "`seedcore config` shows what a command that is started from this shell would use."},
};

static int
text_columns(const sc_term *term)
{
    return term->columns < TEXT_COLUMNS ? term->columns : TEXT_COLUMNS;
}

static void
heading(const sc_term *term, const char *text, sc_out *o)
{
    sc_out_printf(o, "\n%s%s%s\n", sc_term_colour(term, SC_COLOUR_BOLD), text,
                  sc_term_colour(term, SC_COLOUR_NONE));
}

/* "HANDLER [--input FILE|-] [--wait]" behind the name; settings are many and come as [OPTION...].
 */
static void
synopsis(const sc_verb *verb, sc_out *o)
{
    sc_option_table table;

    sc_option_table_init(&table, verb);
    sc_out_printf(o, "seedcore %s", verb->name);
    if (*verb->arguments)
        sc_out_printf(o, " %s", verb->arguments);
    for (size_t i = 0; i < table.n_rows; i++) {
        const struct poptOption *row = &table.rows[i];

        if (row->val < SC_OPT_SETTING && row->val != SC_OPT_HELP)
            sc_out_printf(o, " [--%s%s%s]", row->longName, row->argDescrip ? " " : "",
                          row->argDescrip ? row->argDescrip : "");
    }
    if (verb->settings != SC_VERB_NO_SETTINGS)
        sc_out_text(o, " [OPTION...]");
}

/* What an option is good for, with the default of a setting and its variable. */
static void
option_meaning(const struct poptOption *row, sc_out *o)
{
    const sc_setting_info *info;

    sc_out_text(o, row->descrip);
    if (row->val < SC_OPT_SETTING)
        return;
    info = sc_setting_info_of((sc_setting)(row->val - SC_OPT_SETTING));
    sc_out_printf(o, " [%s%s; SEEDCORE_%s]", *info->default_text ? "default " : "default: none",
                  info->default_text, info->name);
}

static void
wrapped(sc_out *text, int indent, int columns, sc_out *o)
{
    sc_out_add(text, "", 1);
    if (text->error)
        o->error = o->error ? o->error : text->error;
    else
        sc_text_wrap(o, (const char *)text->buffer.data, indent, columns);
    sc_buffer_clear(&text->buffer);
}

static void
options(const sc_verb *verb, const sc_term *term, sc_out *o)
{
    sc_option_table table;
    sc_out text;

    sc_option_table_init(&table, verb);
    sc_out_init(&text);
    heading(term, "Options", o);
    for (size_t i = 0; i < table.n_rows; i++) {
        const struct poptOption *row = &table.rows[i];

        sc_out_repeat(o, " ", OPTION_INDENT);
        sc_out_printf(o, "--%s%s%s\n", row->longName, row->argDescrip ? " " : "",
                      row->argDescrip ? row->argDescrip : "");
        option_meaning(row, &text);
        wrapped(&text, MEANING_INDENT, text_columns(term), o);
    }
    sc_out_fini(&text);
}

/* Lines after the first begin below its "seedcore". */
static void
usage(const sc_verb *verb, const sc_term *term, sc_out *o)
{
    static const char head[] = "usage: ";
    sc_out text, lines;

    sc_out_init(&text);
    sc_out_init(&lines);
    synopsis(verb, &text);
    wrapped(&text, sizeof(head) - 1, text_columns(term), &lines);
    if (lines.error) {
        o->error = o->error ? o->error : lines.error;
    } else {
        sc_out_text(o, head);
        sc_out_add(o, lines.buffer.data + sizeof(head) - 1, lines.buffer.len - sizeof(head) + 1);
    }
    sc_out_fini(&lines);
    sc_out_fini(&text);
}

void
sc_help_verb(const sc_verb *verb, const sc_term *term, sc_out *o)
{
    sc_out text;

    sc_out_init(&text);
    usage(verb, term, o);
    sc_out_printf(&text, "%c%s.", toupper((unsigned char)verb->summary[0]), verb->summary + 1);
    sc_out_text(o, "\n");
    wrapped(&text, 0, text_columns(term), o);
    if (*verb->description) {
        sc_out_text(o, "\n");
        sc_text_wrap(o, verb->description, 0, text_columns(term));
    }
    options(verb, term, o);
    sc_out_fini(&text);
}

/* A line a verb. */
static void
list_verbs(sc_out *o)
{
    for (size_t i = 0; sc_verbs_at(i); i++) {
        const sc_verb *verb = sc_verbs_at(i);

        if (verb->run)
            sc_out_printf(o, "  %-*s%s\n", SUMMARY_COLUMN, verb->name, verb->summary);
    }
}

void
sc_help_all(const sc_term *term, sc_out *o)
{
    sc_out_text(o, "usage: seedcore VERB [ARGUMENT...] [OPTION...]\n\n");
    sc_text_wrap(o, intro, 0, text_columns(term));
    heading(term, "Verbs", o);
    list_verbs(o);
    heading(term, "First steps", o);
    sc_out_text(o, first_steps);
    heading(term, "More", o);
    sc_out_text(o, "  seedcore VERB --help   what a verb does and takes\n"
                   "  seedcore --version     the version\n\n");
    sc_text_wrap(o, "Exit status: ", 0, text_columns(term));
    sc_text_wrap(o, exits, 2, text_columns(term));
}

/* Text of a roff line: a hyphen is a minus, a backslash is itself, a point or quote at its start is
 * no request. */
static void
roff(const char *text, sc_out *o)
{
    bool is_start = true;

    for (; *text; text++) {
        if (is_start && (*text == '.' || *text == '\''))
            sc_out_text(o, "\\&");
        if (*text == '\\')
            sc_out_text(o, "\\e");
        else if (*text == '-')
            sc_out_text(o, "\\-");
        else
            sc_out_add(o, text, 1);
        is_start = *text == '\n';
    }
}

/* Paragraphs; lines that begin with spaces stand as they are. */
static void
roff_paragraphs(const char *text, sc_out *o)
{
    while (*text) {
        size_t len = strcspn(text, "\n");
        bool is_verbatim = *text == ' ';
        char line[1000];

        len = len < sizeof(line) ? len : sizeof(line) - 1;
        memcpy(line, text, len);
        line[len] = '\0';
        if (is_verbatim)
            sc_out_text(o, ".nf\n");
        else if (len == 0)
            sc_out_text(o, ".PP");
        roff(line, o);
        sc_out_text(o, is_verbatim ? "\n.fi\n" : "\n");
        text += len + (text[len] == '\n');
    }
}

static void
manual_options(const sc_verb *verb, sc_out *o)
{
    sc_option_table table;
    sc_out text;

    sc_option_table_init(&table, verb);
    sc_out_init(&text);
    sc_out_text(o, ".SH OPTIONS\n");
    for (size_t i = 0; i < table.n_rows; i++) {
        const struct poptOption *row = &table.rows[i];

        sc_out_text(o, ".TP\n\\fB\\-\\-");
        roff(row->longName, o);
        sc_out_text(o, "\\fR");
        if (row->argDescrip)
            sc_out_printf(o, " \\fI%s\\fR", row->argDescrip);
        sc_out_text(o, "\n");
        option_meaning(row, &text);
        sc_out_add(&text, "", 1);
        if (!text.error)
            roff((const char *)text.buffer.data, o);
        sc_out_text(o, "\n");
        sc_buffer_clear(&text.buffer);
    }
    sc_out_fini(&text);
}

/* `name`: "seedcore-energy-load". */
static void
manual_head(const char *name, const char *summary, sc_out *o)
{
    sc_out_text(o, ".TH ");
    for (const char *p = name; *p; p++)
        sc_out_printf(o, "%c", toupper((unsigned char)*p));
    sc_out_text(o, " 1 \"\" \"seedcore " SC_VERSION "\" \"SeedCore\"\n.SH NAME\n");
    roff(name, o);
    sc_out_text(o, " \\- ");
    roff(summary, o);
    sc_out_text(o, "\n");
}

/* "seedcore-energy-load" of "energy load". */
static char *
page_name(const char *verb, char name[NAME_BYTES])
{
    snprintf(name, NAME_BYTES, "seedcore-%s", verb);
    for (char *p = name; *p; p++)
        *p = *p == ' ' ? '-' : *p;
    return name;
}

static void
see_also(const char *page, const char *own, sc_out *o)
{
    if (strcmp(page, own) == 0)
        return;
    sc_out_text(o, ".BR ");
    roff(page, o);
    sc_out_text(o, " (1)\n");
}

/* @param own  this page, which does not name itself; the one of seedcore names those of all verbs
 */
static void
manual_tail(const char *own, const char *status, sc_out *o)
{
    static const char *const pages[] = {"seedcore", "seedcore-coordinator", "seedcore-worker"};
    char name[NAME_BYTES];

    sc_out_text(o, ".SH EXIT STATUS\n");
    roff(status, o);
    sc_out_text(o, "\n.SH SEE ALSO\n");
    for (size_t i = 0; sc_verbs_at(i) && strcmp(own, pages[0]) == 0; i++)
        if (sc_verbs_at(i)->run && sc_verbs_at(i) != &sc_verb_help) // which has no page
            see_also(page_name(sc_verbs_at(i)->name, name), own, o);
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
        see_also(pages[i], own, o);
}

static void
manual_entry(const char *term, const char *text, sc_out *o)
{
    sc_out_text(o, ".TP\n\\fB");
    roff(term, o);
    sc_out_text(o, "\\fR\n");
    roff(text, o);
    sc_out_text(o, "\n");
}

static void
manual_of_all(sc_out *o)
{
    sc_out_text(o, "seedcore VERB [ARGUMENT...] [OPTION...]\n.SH DESCRIPTION\n");
    roff_paragraphs(intro, o);
    sc_out_text(o, ".SH VERBS\n");
    for (size_t i = 0; sc_verbs_at(i); i++)
        if (sc_verbs_at(i)->run)
            manual_entry(sc_verbs_at(i)->name, sc_verbs_at(i)->summary, o);
    sc_out_text(o, ".SH VALUES\n");
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        manual_entry(values[i].what, values[i].meaning, o);
    sc_out_text(o, ".SH EXAMPLE\n");
    roff_paragraphs(first_steps, o);
}

void
sc_help_manual(const sc_verb *verb, sc_out *o)
{
    char name[NAME_BYTES] = "seedcore";

    if (verb)
        page_name(verb->name, name);
    manual_head(name, verb ? verb->summary : "a cluster of long-lived worker processes", o);
    sc_out_text(o, ".SH SYNOPSIS\n");
    if (verb) {
        sc_out_text(o, ".nh\n");
        synopsis(verb, o);
        sc_out_text(o, "\n.hy\n.SH DESCRIPTION\n");
        roff_paragraphs(verb->description, o);
        manual_options(verb, o);
    } else {
        manual_of_all(o);
    }
    manual_tail(name, exits, o);
}

/* One line of what popt prints: an option with the beginning of its meaning, or more of that. */
static void
program_line(const char *line, sc_out *o)
{
    const char *option = strstr(line, "--");
    size_t indent = strspn(line, " ");
    char term[NAME_BYTES];

    if (option && option < line + OPTION_COLUMNS) {
        snprintf(term, sizeof(term), "%.*s", (int)strcspn(option, " "), option);
        sc_out_text(o, ".TP\n\\fB");
        roff(term, o);
        sc_out_text(o, "\\fR\n");
        line = option + strlen(term);
    } else if (indent < OPTION_COLUMNS) {
        return; // a heading
    }
    roff(line + strspn(line, " "), o);
    sc_out_text(o, "\n");
}

void
sc_help_program(const char *name, const char *help, sc_out *o)
{
    static const struct {
        const char *name, *summary, *description;
    } programs[] = {
        {"seedcore-coordinator", "hand tasks to workers and keep their results",
         "Listens at one endpoint for clients and workers. It runs in the foreground and logs to "
         "stderr; SIGTERM drains, a second one stops at once. `seedcore up` starts one, and "
         "workers with it.\n"},
        {"seedcore-worker", "run tasks in worker processes",
         "A supervisor whose children are the worker processes, which connect to a coordinator. It "
         "runs in the foreground and logs to stderr; SIGTERM drains, a second one stops at once. "
         "When it dies its children end, too; one of them that dies is started again.\n"},
    };
    size_t i = strcmp(name, programs[0].name) == 0 ? 0 : 1;
    char line[LINE_BYTES];

    manual_head(name, programs[i].summary, o);
    sc_out_text(o, ".SH SYNOPSIS\n");
    roff(name, o);
    sc_out_text(o, " [OPTION...]\n.SH DESCRIPTION\n");
    roff_paragraphs(programs[i].description, o);
    sc_out_text(o, ".SH OPTIONS\nEach setting is the variable SEEDCORE_<NAME> as well.\n");
    for (; *help; help += *help == '\n') {
        size_t len = strcspn(help, "\n");

        snprintf(line, sizeof(line), "%.*s", (int)len, help);
        program_line(line, o);
        help += len;
    }
    manual_tail(name, "0 ended as it was asked to, 1 failed or refused, 2 wrong usage.", o);
}
