/* SPDX-License-Identifier: Apache-2.0 */
/* The jobs that a new one is to wait for: those of --after, and those whose results its arguments
 * name. Each may be given as a prefix; the coordinator is asked. */
#ifndef SC_CLI_PARENTS_H
#define SC_CLI_PARENTS_H

#include "base/buffer.h"
#include "base/limits.h"
#include "client/cli/cli.h"
#include "proto/message.h"

enum { SC_CLI_MAX_WORDS = 2 * SC_MAX_PARENTS };

typedef struct sc_cli_parents {
    sc_cli *cli;
    const char *args; /* JSON; as it was given, then with whole ids: {"$results":"ID"} */
    bool has_results; /* there are such in it */
    const char *after[SC_MAX_PARENTS]; /* whole ids, each once */
    size_t n_after;
    void (*on_found)(void *arg); /* all are known */
    void *arg;

    /* its own */
    sc_text words[SC_CLI_MAX_WORDS];            /* as they were given; of --after, then of args */
    char ids[SC_CLI_MAX_WORDS][SC_JOB_ID_TEXT]; /* of the words */
    size_t n_words, n_listed, n_found;          /* n_listed: of --after */
    char word[SC_JOB_ID_TEXT];                  /* that is asked for */
    sc_buffer text;                             /* args with whole ids */
} sc_cli_parents;

/** Reads `list` (JOB,JOB; NULL: none) and `args`. @return 0, or a usage error that has been said */
int sc_cli_parents_read(sc_cli_parents *p, sc_cli *cli, const char *list, const char *args);
/** Asks for them; a job that is not there ends the command. */
void sc_cli_parents_find(sc_cli_parents *p, void (*on_found)(void *arg), void *arg);
void sc_cli_parents_fini(sc_cli_parents *p);

#endif
