/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines by popt: see program.h. */
#include "base/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum { OPTION_SETTING = 1000, OPTION_VERSION = 999 };

/* What popt shows of a setting. */
struct words {
    char flag[64];
    char text[320]; // the longest meaning, and the default
};

void
sc_program_usage(const char *name, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "%s: ", name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nTry '%s --help'.\n", name);
    exit(2);
}

static void
add_settings(const sc_program *p, struct poptOption *rows, struct words *words)
{
    static const char *const kinds[] = {"TEXT", "N", "DURATION", "SIZE", "yes|no"};
    for (size_t i = 0; i < p->n_settings; i++) {
        const sc_setting_info *info = sc_setting_info_of(p->settings[i]);
        bool is_switch = info->type == SC_SETTING_FLAG;
        const char *value = is_switch ? "" : info->default_text;
        struct words *w = &words[i];
        sc_setting_flag(p->settings[i], w->flag, sizeof w->flag);
        snprintf(w->text, sizeof w->text, "%s%s%s%s", info->meaning, *value ? " [" : "", value,
                 *value ? "]" : "");
        rows[i] = (struct poptOption){.longName = w->flag + 2, // popt adds the hyphens
                                      .argInfo = is_switch ? POPT_ARG_NONE : POPT_ARG_STRING,
                                      .val = OPTION_SETTING + (int)p->settings[i],
                                      .descrip = w->text,
                                      .argDescrip = is_switch ? NULL : kinds[info->type]};
    }
}

// @return 0, or what sc_settings_set says
static int
take(const sc_program *p, sc_settings *settings, int option, const char *text, sc_error *err)
{
    if (option == OPTION_VERSION) {
        printf("%s %s\n", p->name, SC_VERSION);
        exit(0);
    }
    if (option >= OPTION_SETTING)
        return sc_settings_set(settings, (sc_setting)(option - OPTION_SETTING), text ? text : "1",
                               err);
    p->take(p->arg, option, text);
    return 0;
}

void
sc_program_parse(const sc_program *p, int argc, char **argv, sc_settings *settings)
{
    struct poptOption rows[SC_PROGRAM_MAX_OPTIONS] = {{0}};
    struct words words[SC_N_SETTINGS];
    size_t n = 0;
    SC_ASSERT(p->n_own + p->n_settings + 3 <= SC_PROGRAM_MAX_OPTIONS);
    for (; n < p->n_own; n++)
        rows[n] = p->own[n];
    add_settings(p, rows + n, words);
    n += p->n_settings;
    rows[n++] = (struct poptOption){"version",           0,   POPT_ARG_NONE, NULL, OPTION_VERSION,
                                    "print the version", NULL};
    rows[n] =
        (struct poptOption){NULL, '\0', POPT_ARG_INCLUDE_TABLE, poptHelpOptions, 0, "Help:", NULL};
    poptContext context = poptGetContext(p->name, argc, (const char **)argv, rows, 0);
    if (!context)
        sc_program_usage(p->name, "out of memory");
    int option, rc = 0;
    sc_error err;
    while (rc == 0 && (option = poptGetNextOpt(context)) > 0) {
        char *text = poptGetOptArg(context);
        rc = take(p, settings, option, text, &err);
        free(text);
    }
    if (rc == 0 && option < -1)
        rc = sc_error_set(&err, SC_EBADARG, "%s: %s",
                          poptBadOption(context, POPT_BADOPTION_NOALIAS), poptStrerror(option));
    else if (rc == 0 && poptPeekArg(context))
        rc = sc_error_set(&err, SC_EBADARG, "%s: there are no arguments, only options",
                          poptPeekArg(context));
    poptFreeContext(context);
    if (rc < 0 || sc_settings_check(settings, &err) < 0)
        sc_program_usage(p->name, "%s", err.text);
}

int
sc_program_log_level(const sc_settings *settings)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    const char *level = sc_settings_text(settings, SC_SET_LOG);
    int i = SC_LOG_ERROR;
    while (i < SC_LOG_DEBUG && strcmp(level, levels[i]) != 0)
        i++;
    return i;
}
