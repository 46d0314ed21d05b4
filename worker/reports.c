/* SPDX-License-Identifier: Apache-2.0 */
/* Two lists, see reports.h. Called by the session only; nothing is allocated. */
#include "worker/reports.h"

void
sc_reports_init(sc_reports *r, sc_member *member)
{
    r->member = member;
    r->told_ms = 0;
    TAILQ_INIT(&r->untold);
    TAILQ_INIT(&r->told);
}

static void
move(sc_reports *r, sc_started *task, sc_report_state to)
{
    if (task->report.state == SC_REPORT_UNTOLD)
        TAILQ_REMOVE(&r->untold, task, report.node);
    else if (task->report.state == SC_REPORT_TOLD)
        TAILQ_REMOVE(&r->told, task, report.node);
    task->report.state = to;
    if (to == SC_REPORT_UNTOLD)
        TAILQ_INSERT_TAIL(&r->untold, task, report.node);
    else if (to == SC_REPORT_TOLD)
        TAILQ_INSERT_TAIL(&r->told, task, report.node);
}

void
sc_reports_note(sc_reports *r, sc_started *task, uint64_t n, uint64_t of)
{
    sc_report *report = &task->report;

    if (of > 0 && n > of)
        n = of;
    if (report->state == SC_REPORT_NONE ||
        (report->state == SC_REPORT_TOLD && (report->n != n || report->of != of)))
        move(r, task, SC_REPORT_UNTOLD);
    report->n = n;
    report->of = of;
}

void
sc_reports_drop(sc_reports *r, sc_started *task)
{
    move(r, task, SC_REPORT_NONE);
}

void
sc_reports_again(sc_reports *r)
{
    sc_started *task;

    while ((task = TAILQ_FIRST(&r->told)))
        move(r, task, SC_REPORT_UNTOLD);
}

static uint32_t
fill(sc_reports *r)
{
    uint32_t n = 0;

    for (const sc_started *task = TAILQ_FIRST(&r->untold); task && n < SC_PROGRESS_A_MESSAGE;
         task = TAILQ_NEXT(task, report.node))
        r->rows[n++] = (sc_progress_row){.token = task->assignment->token,
                                         .index = sc_started_index(task),
                                         .n = task->report.n,
                                         .of = task->report.of};
    return n;
}

void
sc_reports_send(sc_reports *r, int64_t now_ms)
{
    sc_message message = {.type = SC_MSG_PROGRESS};
    uint32_t n;

    if (TAILQ_EMPTY(&r->untold) || now_ms - r->told_ms < r->member->config.heartbeat_ms)
        return;
    n = fill(r);
    message.progress.tasks = (sc_list){r->rows, n};
    if (sc_member_send(r->member, &message, now_ms) != 0)
        return;
    r->told_ms = now_ms;
    while (n-- > 0)
        move(r, TAILQ_FIRST(&r->untold), SC_REPORT_TOLD);
}

static bool
is_all(const struct sc_report_list *list, sc_report_state state)
{
    for (const sc_started *task = TAILQ_FIRST(list); task; task = TAILQ_NEXT(task, report.node))
        if (task->report.state != state)
            return false;
    return true;
}

bool
sc_reports_check(const sc_reports *r)
{
    return is_all(&r->untold, SC_REPORT_UNTOLD) && is_all(&r->told, SC_REPORT_TOLD);
}
