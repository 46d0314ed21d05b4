/* SPDX-License-Identifier: Apache-2.0 */
/* A verb that changes one job: it is found by what was typed, the change is asked for, and how the
 * job is then is the answer. */
#ifndef SC_CLI_CHANGE_H
#define SC_CLI_CHANGE_H

#include "client/cli/cli.h"

typedef struct sc_change {
    sc_cli *cli;
    /* Asks for it, with `cb` and the change as its argument. @param job  a whole id
     * @return as sc_client_cancel */
    int (*ask)(struct sc_change *change, const char *job, sc_job_cb cb);
    /* Says what becomes of the job, where it is not printed as JSON. */
    void (*say)(const struct sc_change *change, const sc_job_status *job);
    uint64_t first, n; /* of the tasks that it is about; n 0: all */
} sc_change;

/** Connects and does it to the JOB that is the first argument. @return the exit status */
int sc_change_run(sc_change *change);

#endif
