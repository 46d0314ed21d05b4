/* SPDX-License-Identifier: Apache-2.0 */
/* RECALL: runs given back, cancelled or forgotten. Of the session. */
#include "worker/session_int.h"

#include <string.h>

static bool
is_in(uint64_t index, const sc_recall *recall)
{
    return index >= recall->first && index - recall->first < recall->count;
}

static void
cancel_started(sc_session *s, sc_assignment *a, const sc_recall *recall)
{
    sc_started *next;

    a->n_executing++; // holds it: a cancelled task may end at once
    for (sc_started *t = LIST_FIRST(&a->started); t; t = next) {
        next = LIST_NEXT(t, node);
        if (!is_in(sc_started_index(t), recall))
            continue;
        if (recall->mode == SC_RECALL_FORGET && !sc_assignment_is_answered(a, t->offset)) {
            sc_reports_drop(&s->reports, t);
            sc_backlog_answer(&s->backlog, a, t->offset);
        }
        s->config.actions.cancel(s->config.actions.arg, t, (int64_t)recall->grace_ms);
    }
    a->n_executing--;
}

static void
recall_assignment(sc_session *s, sc_assignment *a, const sc_recall *recall, int64_t now_ms)
{
    sc_range range = {recall->first, recall->count};
    uint32_t n_ranges = sc_backlog_give_back(&s->backlog, a, &range, s->ranges);

    if (recall->mode != SC_RECALL_FORGET)
        sc_session_recalled(s, a, n_ranges, now_ms);
    if (recall->mode != SC_RECALL_WAITING)
        cancel_started(s, a, recall);
    sc_backlog_settle(&s->backlog, a);
}

void
sc_session_recall(sc_session *s, const sc_recall *recall, int64_t now_ms)
{
    bool is_found = false;
    sc_assignment *a, *next;

    sc_delivery_flush_all(&s->delivery); // so that what has ended already is in the outbox
    if (recall->mode == SC_RECALL_FORGET)
        sc_outbox_forget(&s->delivery.outbox, recall);
    if (recall->token.run != 0) {
        if ((a = sc_backlog_find(&s->backlog, recall->token))) {
            recall_assignment(s, a, recall, now_ms);
            is_found = true;
        }
    } else {
        for (a = TAILQ_FIRST(&s->backlog.all); a; a = next) {
            next = TAILQ_NEXT(a, node);
            if (memcmp(&a->job, &recall->job, sizeof a->job) != 0)
                continue;
            recall_assignment(s, a, recall, now_ms);
            is_found = true;
        }
    }
    if (!is_found && recall->mode != SC_RECALL_FORGET) {
        sc_assignment none = {.job = recall->job, .token = recall->token};

        sc_session_recalled(s, &none, 0, now_ms);
    }
    sc_delivery_send(&s->delivery, now_ms);
}
