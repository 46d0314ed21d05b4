/* SPDX-License-Identifier: Apache-2.0 */
/* Options by popt, see args.h. Called by cli.c for each command; prints nothing. */
#include "client/cli/args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/text.h"

/* Switches that are settings are given as --insecure; all others take a value. */
static void
add_setting(sc_option_table *table, sc_setting which)
{
    static const char *const values[] = {
        [SC_SETTING_TEXT] = "TEXT",  [SC_SETTING_COUNT] = "N", [SC_SETTING_DURATION] = "DURATION",
        [SC_SETTING_BYTES] = "SIZE", [SC_SETTING_FLAG] = NULL,
    };
    const sc_setting_info *info = sc_setting_info_of(which);
    struct poptOption *row = &table->rows[table->n_rows++];

    sc_setting_flag(which, table->names[which], sizeof(table->names[which]));
    row->longName = table->names[which] + 2;
    row->argInfo = info->type == SC_SETTING_FLAG ? POPT_ARG_NONE : POPT_ARG_STRING;
    row->val = SC_OPT_SETTING + (int)which;
    row->descrip = info->meaning;
    row->argDescrip = values[info->type];
}

void
sc_option_table_init(sc_option_table *table, const sc_verb *verb)
{
    static const struct poptOption json =
        SC_SWITCH("json", SC_OPT_JSON, "print JSON: one object, or one a line");
    static const struct poptOption help = {
        "help", 'h', POPT_ARG_NONE, NULL, SC_OPT_HELP, "print this and exit", NULL};

    memset(table, 0, sizeof(*table)); // its end is a row of zeros
    for (const struct poptOption *o = verb->options; o && o->longName; o++)
        table->rows[table->n_rows++] = *o;
    if (verb->has_json)
        table->rows[table->n_rows++] = json;
    if (verb->settings == SC_VERB_CONNECTS) {
        add_setting(table, SC_SET_ENDPOINT);
        add_setting(table, SC_SET_CONNECT_TIMEOUT);
    }
    for (int i = 0; i < SC_N_SETTINGS && verb->settings >= SC_VERB_STARTS; i++)
        if (verb->settings == SC_VERB_ALL_SETTINGS || i != SC_SET_PROCESSES)
            add_setting(table, (sc_setting)i);
    table->rows[table->n_rows++] = help;
    SC_ASSERT(table->n_rows < SC_ARGS_MAX_OPTIONS);
}

/* Copies the arguments that are no options. */
static int
take_words(sc_args *args, poptContext context)
{
    const char **words = poptGetArgs(context);
    int n = 0;

    while (words && words[n])
        n++;
    args->words = calloc((size_t)n + 1, sizeof(*args->words));
    if (!args->words)
        return SC_ENOMEM;
    for (; args->n_words < n; args->n_words++)
        if (!(args->words[args->n_words] = strdup(words[args->n_words])))
            return SC_ENOMEM;
    return 0;
}

static bool
has_row(const sc_option_table *table, int id)
{
    for (size_t i = 0; i < table->n_rows; i++)
        if (table->rows[i].val == id)
            return true;
    return false;
}

/* "; did you mean --json?" for what is a slip or two from an option. */
static void
suggest(const sc_option_table *table, const char *option, char *out, size_t size)
{
    char name[SC_ARGS_NAME_BYTES];
    size_t dashes = strspn(option, "-"); // some write -json
    int best = 3, most;

    *out = '\0';
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(option, "="), option);
    if (strcmp(name, "--processes") == 0 && has_row(table, SC_OPT_WORKERS)) {
        snprintf(out, size, "; here it is --workers");
        return;
    }
    most = (int)strlen(name + dashes) / 3 + 1; // as for verbs
    for (size_t i = 0; i < table->n_rows; i++) {
        int distance = sc_text_distance(name + dashes, table->rows[i].longName);

        if (distance >= best || distance > most)
            continue;
        best = distance;
        snprintf(out, size, "; did you mean --%s?", table->rows[i].longName);
    }
}

/* What popt found wrong. */
static int
wrong_option(poptContext context, const sc_option_table *table, int code, sc_error *err)
{
    const char *option = poptBadOption(context, POPT_BADOPTION_NOALIAS);
    char near[64];

    switch (code) {
    case POPT_ERROR_NOARG:
        return sc_error_set(err, SC_EBADARG, "%s needs a value", option);
    case POPT_ERROR_BADOPT:
        suggest(table, option, near, sizeof(near));
        return sc_error_set(err, SC_EBADARG, "there is no option %.60s%s", option, near);
    case POPT_ERROR_UNWANTEDARG:
        return sc_error_set(err, SC_EBADARG, "%.80s takes no value", option);
    default:
        return sc_error_set(err, SC_EBADARG, "%.80s: %s", option, poptStrerror(code));
    }
}

static int
take_options(sc_args *args, poptContext context, const sc_option_table *table, sc_error *err)
{
    int id;

    while ((id = poptGetNextOpt(context)) > 0) {
        char *text = poptGetOptArg(context);

        if (args->n_given == SC_ARGS_MAX_GIVEN) {
            free(text);
            return sc_error_set(err, SC_EBADARG, "more than %d options", SC_ARGS_MAX_GIVEN);
        }
        args->given[args->n_given].id = id;
        args->given[args->n_given++].text = text;
    }
    return id < -1 ? wrong_option(context, table, id, err) : 0;
}

int
sc_args_parse(sc_args *args, const sc_verb *verb, int argc, const char *const *argv, sc_error *err)
{
    sc_option_table table;
    poptContext context;
    int rc;

    *args = (sc_args){0};
    sc_option_table_init(&table, verb);
    context = poptGetContext(NULL, argc, (const char **)argv, table.rows, POPT_CONTEXT_KEEP_FIRST);
    if (!context)
        return sc_error_set(err, SC_ENOMEM, "out of memory");
    rc = take_options(args, context, &table, err);
    if (rc == 0 && (rc = take_words(args, context)))
        sc_error_set(err, rc, "out of memory");
    poptFreeContext(context);
    return rc;
}

void
sc_args_fini(sc_args *args)
{
    for (size_t i = 0; i < args->n_given; i++)
        free(args->given[i].text);
    for (int i = 0; i < args->n_words; i++)
        free(args->words[i]);
    free(args->words);
    *args = (sc_args){0};
}

int
sc_args_check_words(const sc_args *args, const sc_verb *verb, sc_error *err)
{
    if (args->n_words < verb->min_words)
        return sc_error_set(err, SC_EBADARG, "%s is missing", verb->arguments);
    if (args->n_words > verb->max_words)
        return sc_error_set(err, SC_EBADARG, "\"%.80s\" is one argument too many",
                            args->words[verb->max_words]);
    return 0;
}

int
sc_args_apply(const sc_args *args, sc_settings *settings, sc_error *err)
{
    for (size_t i = 0; i < args->n_given; i++) {
        const char *text = args->given[i].text ? args->given[i].text : "1";
        int rc = 0;

        if (args->given[i].id >= SC_OPT_SETTING)
            rc = sc_settings_set(settings, (sc_setting)(args->given[i].id - SC_OPT_SETTING), text,
                                 err);
        if (rc)
            return rc;
    }
    return sc_settings_check(settings, err);
}

bool
sc_args_has(const sc_args *args, int id)
{
    for (size_t i = 0; i < args->n_given; i++)
        if (args->given[i].id == id)
            return true;
    return false;
}

const char *
sc_args_text(const sc_args *args, int id)
{
    for (size_t i = args->n_given; i-- > 0;)
        if (args->given[i].id == id)
            return args->given[i].text;
    return NULL;
}

int
sc_args_number(const sc_args *args, int id, const char *name, int64_t min, int64_t max,
               int64_t *value, sc_error *err)
{
    const char *text = sc_args_text(args, id);
    int64_t number;

    if (!text)
        return 0;
    if (sc_parse_int(text, &number))
        return sc_error_set(err, SC_EBADARG, "%s: \"%.40s\" is not a whole number (%lld to %lld)",
                            name, text, (long long)min, (long long)max);
    if (number < min || number > max)
        return sc_error_set(err, SC_EBADARG, "%s: \"%.40s\" is out of range (%lld to %lld)", name,
                            text, (long long)min, (long long)max);
    *value = number;
    return 0;
}
