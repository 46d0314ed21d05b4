/* SPDX-License-Identifier: Apache-2.0 */
/* What the tables of the verbs say, for people: --help and the manual pages (roff, man macros).
 * Pure.
 */
#ifndef SC_CLI_HELP_H
#define SC_CLI_HELP_H

#include "client/cli/args.h"
#include "client/cli/out.h"
#include "client/cli/term.h"

/** `seedcore --help`: all verbs. */
void sc_help_all(const sc_term *term, sc_out *o);
/** `seedcore VERB --help`. */
void sc_help_verb(const sc_verb *verb, const sc_term *term, sc_out *o);
/** A manual page, section 1; verb NULL: seedcore(1). */
void sc_help_manual(const sc_verb *verb, sc_out *o);
/** The page of another program of the project, from what it prints for --help. */
void sc_help_program(const char *name, const char *help, sc_out *o);

#endif
