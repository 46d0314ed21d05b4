/* SPDX-License-Identifier: Apache-2.0 */
/* An action of the core with all that it points to: for those who carry it out later. Pure. */
#ifndef SC_KEPT_ACTION_H
#define SC_KEPT_ACTION_H

#include "coordinator/core.h"

typedef struct sc_kept_action {
    sc_action action;
    sc_saved_job saved; /* what action.put.saved points to */
} sc_kept_action;

/** Copy texts, and refer to payloads (copying those without an owner). `to` must not move after
 * this. An action that the core emitted must not be lost: without memory the program ends. */
void sc_action_keep(const sc_action *action, sc_kept_action *to);
void sc_action_drop(sc_kept_action *kept);

#endif
