/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a job as it is kept and printed: JSON line, row of a table, one sentence. Pure. */
#ifndef SC_CLI_JOB_H
#define SC_CLI_JOB_H

#include "client/cli/out.h"
#include "client/cli/table.h"
#include "client/seedcore.h"

enum { SC_JOB_COLUMNS = 8 };
extern const sc_table_column sc_job_columns[SC_JOB_COLUMNS];

/** A copy that lives on, without reports; release it. Without memory its texts are "". */
sc_job_status sc_job_keep(const sc_job_status *job);
void sc_job_release(sc_job_status *job);

/** True where tasks of it wait and no worker offers its handler now. */
bool sc_job_is_stranded(const sc_job_status *job);
/** True where all its tasks are done. */
bool sc_job_succeeded(const sc_job_status *job);
/** The object on one line. */
void sc_job_json(const sc_job_status *job, sc_out *o);
/** The same with the tasks that were asked for, where n is not 0. */
void sc_job_range_json(const sc_job_status *job, uint64_t first, uint64_t n, sc_out *o);
/** The same with what its running tasks say of how far they are. */
void sc_job_progress_json(const sc_job_status *job, sc_out *o);
/** A row under sc_job_columns. @param now_ms  unix time */
void sc_job_row(const sc_job_status *job, int64_t now_ms, sc_table *table);
/** "12 tasks done, 1 dead, in 3.2 s"; of a job that was retried: "..., 26 h after it was submitted,
 * retried since". */
void sc_job_sentence(const sc_job_status *job, int64_t now_ms, sc_out *o);
/** Colour that goes with a job's state. */
sc_colour sc_job_colour(const char *state);

#endif
