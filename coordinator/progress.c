/* SPDX-License-Identifier: Apache-2.0 */
/* How far running tasks say they are: the latest word of each, for those who ask how a job is. Kept
 * for tasks that say something, in memory alone, while their attempt is open in the worker that
 * says so: a word with another token, or of a task that is not there any more, is dropped. Part of
 * the core. */
#include "coordinator/core_int.h"

#include <stdlib.h>

static report *
find(sc_core *core, const run *r, uint64_t offset)
{
    report key = {.key = {r->token, offset}}, *found = NULL;
    HASH_FIND(hh, core->reports, &key.key, sizeof key.key, found);
    return found;
}

// The first word of a task. NULL where there is no room for more, or no memory.
static report *
add(sc_core *core, run *r, uint64_t offset)
{
    report *at = sc_slab_new(&core->report_slab);
    if (!at)
        return NULL;
    at->key.token = r->token;
    at->key.offset = offset;
    at->run = r;
    HASH_ADD(hh, core->reports, key, sizeof at->key, at);
    if (!at->hh.tbl) {
        sc_slab_free(&core->report_slab, at);
        return NULL;
    }
    DL_APPEND2(r->reports, at, run_prev, run_next);
    DL_APPEND2(r->chunk->job->reports, at, job_prev, job_next);
    r->chunk->job->n_reports++;
    return at;
}

static void
drop(sc_core *core, report *at)
{
    job *j = at->run->chunk->job;
    DL_DELETE2(at->run->reports, at, run_prev, run_next);
    DL_DELETE2(j->reports, at, job_prev, job_next);
    j->n_reports--;
    HASH_DEL(core->reports, at);
    sc_slab_free(&core->report_slab, at);
}

void
sc_progress_take(sc_core *core, worker *w, const sc_worker_progress *m)
{
    const sc_progress_row *rows = m->tasks.items;
    for (uint32_t i = 0; i < m->tasks.n; i++) {
        run *r = sc_runs_find(core, &rows[i].token);
        if (!r || r->worker != w || !r->chunk)
            continue;
        uint64_t offset = rows[i].index - sc_runs_base(r); // below it: a large number
        if (offset >= r->count || !bit_get(&r->left, (uint32_t)offset))
            continue;
        report *at = find(core, r, offset);
        if (!at && !(at = add(core, r, offset)))
            continue;
        at->n = rows[i].of > 0 && rows[i].n > rows[i].of ? rows[i].of : rows[i].n;
        at->of = rows[i].of;
    }
}

// Some tasks of the run are not open there any more.
void
sc_progress_settle(sc_core *core, run *r)
{
    for (report *at = r->reports, *next; at; at = next) {
        next = at->run_next;
        if (!bit_get(&r->left, (uint32_t)at->key.offset))
            drop(core, at);
    }
}

static int
by_index(const void *a, const void *b)
{
    const sc_progress_row *one = a, *other = b;
    return one->index < other->index ? -1 : one->index > other->index;
}

// What is told of a job: those that have said something for longest, so that what is looked at does
// not change while it runs. @return how many
uint32_t
sc_progress_fill(const job *j, sc_progress_row rows[SC_PROGRESS_A_JOB])
{
    uint32_t n = 0;
    for (const report *at = j->reports; at && n < SC_PROGRESS_A_JOB; at = at->job_next)
        rows[n++] = (sc_progress_row){
            .index = sc_runs_base(at->run) + at->key.offset, .n = at->n, .of = at->of};
    qsort(rows, n, sizeof *rows, by_index);
    return n;
}
