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
};

static const char intro[] =
    "SeedCore runs tasks on long-lived worker processes: hand it a million, each one ends, and its "
    "result is kept exactly once.";

static const char first_steps[] = "  seedcore up --detach\n"
                                  "  seedcore submit echo --array 1-1000 --wait\n"
                                  "  seedcore down\n";

static const char exits[] =
    "0 done, 1 failed or refused, 2 wrong usage, 3 no coordinator, 130 interrupted.";

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

void
sc_help_verb(const sc_verb *verb, const sc_term *term, sc_out *o)
{
    sc_out text;

    sc_out_init(&text);
    sc_out_text(&text, "usage: ");
    synopsis(verb, &text);
    wrapped(&text, 0, text_columns(term), o);
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

static void
manual_tail(sc_out *o)
{
    sc_out_text(o, ".SH EXIT STATUS\n");
    roff(exits, o);
    sc_out_text(o,
                "\n.SH SEE ALSO\nseedcore(1), seedcore\\-coordinator(1), seedcore\\-worker(1)\n");
}

void
sc_help_manual(const sc_verb *verb, sc_out *o)
{
    char name[NAME_BYTES] = "seedcore";

    if (verb)
        snprintf(name, sizeof(name), "seedcore-%s", verb->name);
    for (char *p = name; *p; p++)
        *p = *p == ' ' ? '-' : *p;
    manual_head(name, verb ? verb->summary : "a cluster of long-lived worker processes", o);
    sc_out_text(o, ".SH SYNOPSIS\n");
    if (verb) {
        sc_out_text(o, ".nh\n");
        synopsis(verb, o);
        sc_out_text(o, "\n.hy\n.SH DESCRIPTION\n");
        roff_paragraphs(verb->description, o);
        manual_options(verb, o);
    } else {
        sc_out_text(o, "seedcore VERB [ARGUMENT...] [OPTION...]\n.SH DESCRIPTION\n");
        roff_paragraphs(intro, o);
        sc_out_text(o, ".SH VERBS\n");
        for (size_t i = 0; sc_verbs_at(i); i++) {
            if (!sc_verbs_at(i)->run)
                continue;
            sc_out_printf(o, ".TP\n\\fB%s\\fR\n", sc_verbs_at(i)->name);
            roff(sc_verbs_at(i)->summary, o);
            sc_out_text(o, "\n");
        }
        sc_out_text(o, ".SH EXAMPLE\n");
        roff_paragraphs(first_steps, o);
    }
    manual_tail(o);
}

void
sc_help_program(const char *name, const char *help, sc_out *o)
{
    manual_head(name, "a program of SeedCore", o);
    sc_out_text(o, ".SH DESCRIPTION\n.nf\n");
    roff(help, o);
    sc_out_text(o, ".fi\n");
    manual_tail(o);
}
