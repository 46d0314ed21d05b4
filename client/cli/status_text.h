/* SPDX-License-Identifier: Apache-2.0 */
/* What `status` says of a job or the cluster: lines for people, one line for a log, JSON. Pure. */
#ifndef SC_CLI_STATUS_TEXT_H
#define SC_CLI_STATUS_TEXT_H

#include "client/cli/out.h"
#include "client/cli/progress.h"
#include "client/cli/term.h"
#include "client/seedcore.h"

/* Where lines for people go. */
typedef struct sc_status_view {
    const sc_term *term;
    sc_out *out;
} sc_status_view;

/** @param progress  how many tasks had ended when: the rate and what is left are of that */
void sc_status_job(const sc_status_view *v, const sc_job_status *job, const sc_progress *progress);
void sc_status_cluster(const sc_status_view *v, const sc_cluster_status *c);
/** "first error  task 7: ..." */
void sc_status_reason(const sc_status_view *v, const char *text);

/** "running: 12 tasks done, 3 running, in 3.2 s; task 7: 40/100". @param now_ms  unix time */
void sc_status_job_line(const sc_job_status *job, int64_t now_ms, sc_out *o);
/** "2 workers, 1 job open; tasks: 3 queued, 2 running; 120/s ended". */
void sc_status_cluster_line(const sc_cluster_status *c, sc_out *o);
/** The object on one line; of a job it is sc_job_progress_json. */
void sc_status_cluster_json(const sc_cluster_status *c, sc_out *o);

#endif
