/* SPDX-License-Identifier: Apache-2.0 */
/* The started tasks of a worker that have said how far they are, and of which of them the
 * coordinator has not been told. Pure; the session's. Tasks that say nothing cost nothing.
 *
 *     NONE --note--> UNTOLD --told--> TOLD --note (of something else), again--> UNTOLD
 */
#ifndef SC_REPORTS_H
#define SC_REPORTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/limits.h"
#include "worker/assignment.h"
#include "worker/member.h"

typedef struct sc_reports {
    sc_member *member;                             /* who tells; borrowed */
    int64_t told_ms;                               /* when the last were told */
    TAILQ_HEAD(sc_report_list, sc_started) untold; /* first said, first told */
    struct sc_report_list told;
    sc_progress_row rows[SC_PROGRESS_A_MESSAGE]; /* scratch */
} sc_reports;

void sc_reports_init(sc_reports *r, sc_member *member);
/** A task is `n` of `of` far. One that waits to be told keeps its place. */
void sc_reports_note(sc_reports *r, sc_started *task, uint64_t n, uint64_t of);
/** The task ends, or nobody wants to know any more. */
void sc_reports_drop(sc_reports *r, sc_started *task);
/** Somebody else listens now: all is to be told. */
void sc_reports_again(sc_reports *r);
/** Tell some of what is to be told: a message a heartbeat, however often and however many say
 * something. What cannot be sent is told later. */
void sc_reports_send(sc_reports *r, int64_t now_ms);
/** True where the lists agree with the states; for asserts and tests. */
bool sc_reports_check(const sc_reports *r);

#endif
