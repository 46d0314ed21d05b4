/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs and their options: one table a verb feeds parsing, --help, the manual and the completion.
 * Options may stand anywhere among the arguments; `--` ends them. */
#ifndef SC_CLI_ARGS_H
#define SC_CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <popt.h>

#include "base/error.h"
#include "base/settings.h"

struct sc_cli;

/* What an option is known by in the program; a setting's is SC_OPT_SETTING + which. */
enum {
    SC_OPT_HELP = 1,
    SC_OPT_JSON,
    SC_OPT_WORKERS,
    SC_OPT_DETACH,
    SC_OPT_TEST_HANDLERS,
    SC_OPT_PLUGIN,
    SC_OPT_INPUT,
    SC_OPT_ARRAY,
    SC_OPT_ARGS,
    SC_OPT_NAME,
    SC_OPT_PRIORITY,
    SC_OPT_RETRIES,
    SC_OPT_BACKOFF,
    SC_OPT_KILL_AFTER,
    SC_OPT_EXPIRES,
    SC_OPT_KEY,
    SC_OPT_AFTER,
    SC_OPT_ON,
    SC_OPT_VOLATILE,
    SC_OPT_WAIT,
    SC_OPT_NO_WAIT,
    SC_OPT_WATCH,
    SC_OPT_OUTPUT,
    SC_OPT_TIMEOUT,
    SC_OPT_STATE,
    SC_OPT_LIMIT,
    SC_OPT_DEAD,
    SC_OPT_SYSTEMS,
    SC_OPT_SETTING = 1000,
};

/* Rows of a verb's table. */
#define SC_OPTION(name, id, help, value)                                                           \
    {                                                                                              \
        name, '\0', POPT_ARG_STRING, NULL, id, help, value                                         \
    }
#define SC_SWITCH(name, id, help)                                                                  \
    {                                                                                              \
        name, '\0', POPT_ARG_NONE, NULL, id, help, NULL                                            \
    }

typedef enum sc_verb_settings {
    SC_VERB_NO_SETTINGS,
    SC_VERB_CONNECTS,     /* ENDPOINT and CONNECT_TIMEOUT are options */
    SC_VERB_STARTS,       /* each setting but PROCESSES, which is --workers there */
    SC_VERB_ALL_SETTINGS, /* each setting is one */
} sc_verb_settings;

typedef struct sc_verb {
    const char *name;        /* "submit", "energy load" */
    const char *summary;     /* one line without a full stop */
    const char *arguments;   /* "HANDLER", "[JOB]", "JOB...", "" */
    const char *description; /* paragraphs for --help and the manual; lines that begin with spaces
                                are kept */
    const struct poptOption *options; /* own ones; NULL: none */
    int min_words, max_words;         /* arguments that are no options */
    sc_verb_settings settings;
    bool has_json;
    int (*run)(
        struct sc_cli *cli); /* gives the exit status; NULL: a group that only has verbs below it */
} sc_verb;

enum {
    SC_ARGS_MAX_OPTIONS = 64, /* rows of a table, the common ones included */
    SC_ARGS_MAX_GIVEN = 256,  /* options on one command line */
    SC_ARGS_NAME_BYTES = 32,
};

/* All options of a verb as popt wants them. */
typedef struct sc_option_table {
    struct poptOption rows[SC_ARGS_MAX_OPTIONS];
    char names[SC_N_SETTINGS][SC_ARGS_NAME_BYTES]; /* of the settings */
    size_t n_rows;                                 /* without the one that ends it */
} sc_option_table;

/** Own options, then --json, settings, --help. Borrows from `verb`. */
void sc_option_table_init(sc_option_table *table, const sc_verb *verb);

/* What was typed. */
typedef struct sc_args {
    struct {
        int id;
        char *text; /* NULL: a switch */
    } given[SC_ARGS_MAX_GIVEN];
    size_t n_given;
    char **words; /* arguments that are no options */
    int n_words;
} sc_args;

/** Reads what follows the verb. Does not look at values.
 *  @return 0, SC_EBADARG with the reason in `err`, SC_ENOMEM; call sc_args_fini in any case */
int sc_args_parse(sc_args *args, const sc_verb *verb, int argc, const char *const *argv,
                  sc_error *err);
void sc_args_fini(sc_args *args);
/** Too few words or too many? @return 0, or SC_EBADARG naming what is missing or too much */
int sc_args_check_words(const sc_args *args, const sc_verb *verb, sc_error *err);
/** Hands the settings among the options on. @return as sc_settings_set */
int sc_args_apply(const sc_args *args, sc_settings *settings, sc_error *err);
bool sc_args_has(const sc_args *args, int id);
/** Value of an option, the last where it was given several times; NULL where it was not. */
const char *sc_args_text(const sc_args *args, int id);
/** A whole number in min..max; `value` stays where the option was not given.
 *  @param name  "--limit" @return 0, or SC_EBADARG naming option, value and range */
int sc_args_number(const sc_args *args, int id, const char *name, int64_t min, int64_t max,
                   int64_t *value, sc_error *err);

#endif
