/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs that wait for others, their parents. A job is handed out once all its parents have ended,
 * and that is safe; where it waits for success and one has not succeeded, it is cancelled. Until it
 * has ended its parents are kept, for it may read their results. Part of the core. */
#include "coordinator/core_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what OPEN says ---- */

static const sc_parent *
item(const sc_open *o, uint32_t i)
{
    return (const sc_parent *)o->after.items + i;
}

// @return false: refused
bool
sc_parents_check(sc_core *core, peer *p, const sc_open *o)
{
    char id[SC_UUID_TEXT];
    for (uint32_t i = 0; i < o->after.n; i++) {
        const job *j = sc_jobs_find(core, &item(o, i)->job);
        sc_uuid_format(&item(o, i)->job, id);
        if (!j || j->state == SC_JOB_STAGED) {
            sc_core_refuse(core, p, o->request, SC_ENOJOB,
                           "job %s, which this one is to wait for, is unknown; jobs are forgotten "
                           "JOB_RETENTION after their end",
                           id);
            return false;
        }
        if (o->is_durable && !j->number) {
            sc_core_refuse(core, p, o->request, SC_EBADARG,
                           "job %s, which this one is to wait for, is volatile: it may be lost "
                           "with the coordinator and leave this one waiting; submit both with "
                           "--volatile, or neither",
                           id);
            return false;
        }
    }
    return true;
}

// Keeps the ids, each once. @return 0 or SC_ENOMEM
int
sc_parents_set(job *j, const sc_open *o)
{
    j->on_any = o->on_any;
    if (o->after.n == 0)
        return 0;
    j->parents = sc_core_alloc(o->after.n, sizeof *j->parents);
    for (uint32_t i = 0; j->parents && i < o->after.n; i++) {
        const sc_uuid *id = &item(o, i)->job;
        uint32_t k = 0;
        while (k < j->n_parents && memcmp(&j->parents[k].id, id, sizeof *id) != 0)
            k++;
        if (k == j->n_parents)
            j->parents[j->n_parents++] = (parent){.id = *id, .child = j};
    }
    return j->parents ? 0 : SC_ENOMEM;
}

/* ---- who waits for whom ---- */

// From here on its parents are not forgotten.
void
sc_parents_link(sc_core *core, job *j)
{
    for (uint32_t i = 0; i < j->n_parents; i++) {
        parent *p = &j->parents[i];
        if (p->job || !(p->job = sc_jobs_find(core, &p->id)))
            continue;
        DL_APPEND(p->job->children, p);
        sc_jobs_pin(core, p->job);
    }
}

// It needs them no more.
void
sc_parents_unlink(sc_core *core, job *j)
{
    for (uint32_t i = 0; i < j->n_parents; i++) {
        parent *p = &j->parents[i];
        job *of = p->job;
        if (!of)
            continue;
        DL_DELETE(of->children, p);
        p->job = NULL;
        sc_jobs_unpin(core, of);
    }
    j->n_unmet = 0;
}

// The job goes, with all that it says of parents; the core goes, where it has children.
void
sc_parents_free(sc_core *core, job *j)
{
    sc_parents_unlink(core, j);
    while (j->children) {
        parent *p = j->children;
        DL_DELETE(j->children, p);
        p->job = NULL;
    }
    free(j->parents);
}

/* ---- waiting ---- */

// NULL: it is gone, and nobody knows how it ended.
static bool
has_failed(const job *of)
{
    return !of || (sc_job_has_ended(of->state) && of->state != SC_JOB_SUCCEEDED);
}

// The first parent that keeps it from ever being begun.
static const parent *
failed(const job *j)
{
    for (uint32_t i = 0; !j->on_any && i < j->n_parents; i++)
        if (has_failed(j->parents[i].job))
            return &j->parents[i];
    return NULL;
}

static const char *
say(const sc_uuid *id, const job *of, char *text, size_t size)
{
    char name[SC_UUID_TEXT];
    snprintf(text, size, "job %s, which it waited for, %s", sc_uuid_format(id, name),
             !of                             ? "is gone"
             : of->state == SC_JOB_CANCELLED ? "was cancelled"
                                             : "failed");
    return text;
}

const char *
sc_parents_why(const job *j, char *text, size_t size)
{
    const parent *p = failed(j);
    return p ? say(&p->id, p->job, text, size) : sc_error_text(SC_EPARENT);
}

// Would it be cancelled at once where it is opened again?
bool
sc_parents_forbid(sc_core *core, const job *j, char *text, size_t size)
{
    for (uint32_t i = 0; !j->on_any && i < j->n_parents; i++) {
        const job *of = sc_jobs_find(core, &j->parents[i].id);
        if (has_failed(of)) {
            say(&j->parents[i].id, of, text, size);
            return true;
        }
    }
    return false;
}

// After a restart: what a job waited for is kept from the end of that job on.
void
sc_parents_keep(sc_core *core)
{
    for (const job *j = core->jobs_ended; j; j = j->ended_next)
        for (uint32_t i = 0; i < j->n_parents; i++) {
            job *of = sc_jobs_find(core, &j->parents[i].id);
            if (of && of->kept_from < j->ended_at)
                of->kept_from = j->ended_at;
        }
}

// May another job be reading its results?
bool
sc_parents_is_needed(const job *j, char *text, size_t size)
{
    char id[SC_UUID_TEXT];
    for (const parent *p = j->children; p; p = p->next)
        if (p->child->state == SC_JOB_RUNNING) {
            snprintf(text, size, "job %s waited for it, has begun and may be reading its results",
                     sc_uuid_format(&p->child->id, id));
            return true;
        }
    return false;
}

// How many it still waits for; where one of those that have ended has not succeeded, it ends.
void
sc_parents_settle(sc_core *core, job *j)
{
    if (j->n_parents == 0 || j->state == SC_JOB_STAGED || sc_job_has_ended(j->state))
        return;
    const parent *p = failed(j);
    if (p && (!p->job || sc_job_is_safe(core, p->job))) {
        sc_tasks_end_all(core, j, SC_EPARENT);
        return;
    }
    j->n_unmet = 0;
    for (uint32_t i = 0; i < j->n_parents; i++) {
        job *of = j->parents[i].job;
        if (!of || (sc_job_has_ended(of->state) && sc_job_is_safe(core, of)))
            continue;
        j->n_unmet++;
        if (sc_job_has_ended(of->state))
            sc_core_news(core, of); // that its end is safe has to be heard
    }
    sc_schedule_lane(core, j);
}

// A parent has ended, and that is safe, or it is tried again. Children that end have their own
// news.
void
sc_parents_moved(sc_core *core, job *j)
{
    for (parent *p = j->children, *next; p; p = next) {
        next = p->next;
        sc_parents_settle(core, p->child);
    }
}

// What is said about a job: whom it waits for and how these are; SC_JOB_STAGED: gone.
uint32_t
sc_parents_list(sc_core *core, const job *j, sc_parent *out)
{
    for (uint32_t i = 0; i < j->n_parents; i++) {
        const job *of = sc_jobs_find(core, &j->parents[i].id);
        out[i] = (sc_parent){j->parents[i].id, of ? sc_ask_told_state(core, of) : SC_JOB_STAGED};
    }
    return j->n_parents;
}
