/* SPDX-License-Identifier: Apache-2.0 */
/* `status --watch`: how a job goes until it has ended, or the cluster until it is interrupted. On a
 * terminal it is drawn again and again in one place, elsewhere (and with --json) each change is a
 * line. A lost coordinator is looked for without limit. */
#ifndef SC_CLI_STATUS_WATCH_H
#define SC_CLI_STATUS_WATCH_H

#include "client/cli/cli.h"

/** Runs the command, which has a client; the JOB is its argument, if there is one.
 *  @return the exit status: of a job as `wait` */
int sc_status_watch(sc_cli *cli);

#endif
