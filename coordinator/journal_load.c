/* SPDX-License-Identifier: Apache-2.0 */
/* What one who begins to lead reads of the journal: all jobs, and the tasks of those that are open.
 * Called by the journal's thread (journal_thread.c). */
#include <stdlib.h>

#include "base/fault.h"
#include "coordinator/journal_int.h"

/* What a restart reads. */
typedef struct loading {
    answer *answer;
    size_t max;
} loading;

static int
add_job(void *arg, const sc_saved_job *job)
{
    loading *l = arg;
    answer *a = l->answer;
    if (a->n_jobs == l->max) {
        size_t max = l->max ? l->max * 2 : 64;
        void *jobs = SC_FAULT("journal.load") ? NULL : realloc(a->jobs, max * sizeof *a->jobs);
        if (jobs)
            a->jobs = jobs;
        bool has_jobs = jobs && !SC_FAULT("journal.load");
        void *tasks = has_jobs ? realloc(a->tasks, max * sizeof *a->tasks) : NULL;
        if (!tasks)
            return SC_ENOMEM;
        a->tasks = tasks;
        l->max = max;
    }
    a->tasks[a->n_jobs] = NULL;
    return sc_saved_job_keep(&a->jobs[a->n_jobs++], job) ? 0 : SC_ENOMEM;
}

int
sc_journal_load(const sc_journal_backend *b, void *backend, answer *a, sc_error *err)
{
    loading l = {a, 0};
    int rc = b->jobs(backend, 0, add_job, &l, err);
    for (size_t i = 0; rc == 0 && i < a->n_jobs; i++) {
        uint32_t job_state = a->jobs[i].state.state;
        if (job_state == SC_JOB_OPEN || job_state == SC_JOB_RUNNING)
            rc = sc_journal_tasks(b, backend, &a->jobs[i], &a->tasks[i], err);
    }
    return rc;
}
