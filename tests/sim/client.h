/* SPDX-License-Identifier: Apache-2.0 */
/* What client.c and calls.c share: the things that a client wants. */
#ifndef SC_SIM_CLIENT_H
#define SC_SIM_CLIENT_H

#include "tests/sim/world.h"

struct act {
    sc_client_request request;
    process *client;
    plan *plan;
    bool is_done;
    uint32_t n_retries; // of the plan, when this was new
    // upload
    sc_chunks chunks;
    uint64_t next; // place of the task to be added next
    sc_parent parent;
    // reading
    uint64_t n_rows;
    uint8_t *seen; // by task
    // call
    handler_kind handler;
    uint64_t payload_hash;
    int64_t said_us;
    handing handing;              // to the last worker
    uint64_t runs[MAX_CALL_RUNS]; // numbers of its runs, the last ones
    uint32_t n_runs, n_starts, n_replies, blames;
    LIST_ENTRY(act) node;
};

act *sc_act_new(process *p, plan *j, sc_message_type type,
                void (*on_end)(sc_client_request *, const sc_message *, const sc_failure *));
/** Says it. */
void sc_act_start(act *a);
void sc_act_done(act *a);
/** Failures that a client must live with here, NULL at the end; everything else is a bug. */
void sc_act_check_failure(const act *a, const sc_failure *why, const char *const *allowed);
void sc_client_set_tick(process *p);

#endif
