/* SPDX-License-Identifier: Apache-2.0 */
/* What was said of tasks must fit: what clients were told, over all coordinators that ever were;
 * and what the present one has tried and ended, which nobody may have been told yet. */
#include <inttypes.h>
#include <string.h>

#include "tests/sim/world.h"

static void
check(const world *w, const sc_history *h, bool fits)
{
    const sc_offence *o = sc_history_first(h);
    if (!fits)
        sc_sim_fail(w, "task %" PRIu64 " of job %u (%s): %s", o->index,
                    sc_plan_find(w, &o->job)->number, sc_offence_name(o->kind), o->text);
}

static sc_seen_result
seen(const sc_model_result *r)
{
    return (sc_seen_result){r->index, (sc_outcome)r->outcome, r->attempt,
                            sc_plan_hash(r->value, r->len)};
}

void
sc_told_accepted(world *w, plan *j)
{
    j->is_accepted = true;
    check(w, w->history, sc_history_accept(w->history, &j->id, j->first, j->n_tasks));
    check(w, w->shown, sc_history_accept(w->shown, &j->id, j->first, j->n_tasks));
}

bool
sc_told_is_sure(const world *w, const plan *j)
{
    return j->n_retries == 0 || w->is_auditing;
}

void
sc_told_audit(world *w, plan *j)
{
    if (j->n_retries == 0)
        return;
    sc_history_forget(w->shown, &j->id);
    j->ended_at = 0;
    sc_told_accepted(w, j);
}

void
sc_told_result(world *w, const plan *j, const sc_model_result *r)
{
    sc_seen_result s = seen(r);
    if (!sc_told_is_sure(w, j))
        return;
    check(w, w->shown, sc_history_result(w->shown, &j->id, &s));
}

// The clock may jump meanwhile; what was kept of it does not change. That it has not ended may have
// been said earlier, and come later over another connection.
static void
check_times(const world *w, plan *j, const sc_job_info *info)
{
    if ((j->submitted_at && j->submitted_at != info->submitted_at) ||
        (j->ended_at && info->ended_at && j->ended_at != info->ended_at))
        sc_sim_fail(w,
                    "job %u was submitted at %" PRId64 " and ended at %" PRId64 ", and now %" PRId64
                    " and %" PRId64,
                    j->number, j->submitted_at, j->ended_at, info->submitted_at, info->ended_at);
    j->submitted_at = info->submitted_at;
    if (info->ended_at)
        j->ended_at = info->ended_at;
}

void
sc_told_state(world *w, plan *j, const sc_job_info *info)
{
    if (!sc_told_is_sure(w, j))
        return;
    check_times(w, j, info);
    if (!sc_job_has_ended(info->state))
        return;
    sc_seen_end end = {(sc_job_state)info->state, info->done, info->dead, info->cancelled};
    check(w, w->shown, sc_history_end(w->shown, &j->id, &end));
}

void
sc_told_attempt(world *w, const plan *j, uint64_t place, uint32_t attempt)
{
    check(w, w->history, sc_history_attempt(w->history, &j->id, j->first + place, attempt));
}

void
sc_told_core_result(world *w, const sc_uuid *job, const sc_model_result *r)
{
    sc_seen_result s = seen(r);
    check(w, w->history, sc_history_result(w->history, job, &s));
}

// Of what was never accepted nothing is promised, and of dropped results nothing can be seen.
void
sc_told_check_end(world *w)
{
    for (uint32_t i = 0; i < w->n_plans; i++) {
        const plan *j = &w->plans[i];
        if (!j->is_accepted)
            sc_history_forget(w->history, &j->id);
        if (!j->is_accepted || j->is_dropped)
            sc_history_forget(w->shown, &j->id);
        for (uint32_t k = 0; k < j->n_old && k < N_OLD_IDS; k++)
            sc_history_forget(w->history, &j->old_ids[k]);
    }
    sc_history_finish(w->history);
    sc_history_finish(w->shown);
    check(w, w->history, sc_history_first(w->history) == NULL);
    check(w, w->shown, sc_history_first(w->shown) == NULL);
}
