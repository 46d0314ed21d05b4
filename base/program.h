/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of a program that runs in the foreground: a flag for each of its settings, and
 * options of its own, by popt. Called by main alone; prints and ends the process where that is the
 * answer. */
#ifndef SC_PROGRAM_H
#define SC_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

#include <popt.h>

#include "base/settings.h"

enum { SC_PROGRAM_MAX_OPTIONS = 64 };

typedef struct sc_program {
    const char *name;
    const sc_setting *settings; /* those that have a flag */
    size_t n_settings;
    const struct poptOption *own; /* POPT_ARG_STRING or POPT_ARG_NONE, `val` from 1 to 999 */
    size_t n_own;
    /* One of `own` was given; `text` is NULL for a switch. */
    void (*take)(void *arg, int option, const char *text);
    void *arg;
} sc_program;

/** Read the command line into the settings and `take`; arguments that are no options are refused.
 * --help and --version print and exit with 0; what cannot be read is printed, exit 2. */
void sc_program_parse(const sc_program *program, int argc, char **argv, sc_settings *settings);

/** Print "NAME: text" and where to find help, exit 2. For values of own options that cannot be
 * read. */
_Noreturn void sc_program_usage(const char *name, const char *format, ...) SC_PRINTF(2, 3);

/** The level of the setting LOG. */
int sc_program_log_level(const sc_settings *settings);

#endif
