/* SPDX-License-Identifier: Apache-2.0 */
/* The parent of the worker processes of a host: starts them, starts them again when they die, tells
 * the coordinator at once which of them died and what they were doing, kills one whose loop stands
 * still, drains them when it is asked to end. It runs no task. main makes one and runs the loop.
 *
 *     a child:   WAITING --start--> RUNNING --exit--> WAITING        ENDED: after a drain, for good
 */
#ifndef SC_SUPERVISOR_H
#define SC_SUPERVISOR_H

#include <uv.h>

#include "base/settings.h"

typedef struct sc_supervisor sc_supervisor;

typedef struct sc_supervisor_config {
    const sc_settings *settings;
    const char *prefix; /* name of the supervisor; its workers are PREFIX-1 .. PREFIX-N */
    char **argv;        /* of this program: workers are started with the same words and some more */
    int parent_fd;      /* a pipe whose end means that the parent is gone; -1 = none */
} sc_supervisor_config;

/** Everything is borrowed and must outlive it. The first processes start when the loop runs.
 *  @return 0, or a code with the reason in `err` */
int sc_supervisor_new(uv_loop_t *loop, const sc_supervisor_config *config, sc_supervisor **out,
                      sc_error *err);
/** Let the worker processes finish what they run, then end. */
void sc_supervisor_drain(sc_supervisor *s);
/** End them now. */
void sc_supervisor_kill(sc_supervisor *s);
/** Exit status, once the loop has ended. */
int sc_supervisor_status(const sc_supervisor *s);
/** Once the loop has ended. Sets NULL; NULL is accepted. */
void sc_supervisor_free(sc_supervisor **s);

#endif
