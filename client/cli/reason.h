/* SPDX-License-Identifier: Apache-2.0 */
/* Why a job failed: the error of its first dead task. */
#ifndef SC_CLI_REASON_H
#define SC_CLI_REASON_H

#include "client/cli/cli.h"

typedef struct sc_reason {
    sc_cli *cli;
    const char *job; /* a whole id; the caller's */
    /* Once, unless the command has ended: "task 7: odd: it is odd" (lives until this returns), or
     * NULL where none is among the first results. */
    void (*on_found)(void *arg, const char *text);
    void *arg;

    /* its own */
    uint64_t next;
    unsigned n_pages;
} sc_reason;

/** Looks for it in the first results of a job that has ended. */
void sc_reason_find(sc_reason *reason);
/** Says what was found, and how to see the rest. */
void sc_reason_say(const sc_reason *reason, const char *text);

/** Says for which other job this one was cancelled, where there is one. */
void sc_reason_say_parent(sc_cli *cli, const sc_job_status *job);

#endif
