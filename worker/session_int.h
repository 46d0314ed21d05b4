/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's session as its two files see it: session.c, and session_recall.c for what the
 * coordinator takes back. */
#ifndef SC_SESSION_INT_H
#define SC_SESSION_INT_H

#include "worker/backlog.h"
#include "worker/cost.h"
#include "worker/delivery.h"
#include "worker/inventory.h"
#include "worker/references.h"
#include "worker/reports.h"
#include "worker/session.h"

struct sc_session {
    sc_session_config config;
    sc_member member;
    sc_backlog backlog;
    sc_delivery delivery;
    sc_once once;
    sc_references references;
    sc_reports reports;
    bool is_draining;
    sc_cost *costs; // a handler each
    // Scratch.
    sc_inventory inventory;
    sc_range ranges[SC_CHUNK_MAX_TASKS];
    sc_buffer text; // an error as JSON
};

/** What a RECALL, or want of room, brought back: n_ranges of s->ranges. */
void sc_session_recalled(sc_session *s, const sc_assignment *a, uint32_t n_ranges, int64_t now_ms);
void sc_session_recall(sc_session *s, const sc_recall *recall, int64_t now_ms);

#endif
