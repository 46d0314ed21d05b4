/* SPDX-License-Identifier: Apache-2.0 */
/* A worker process on its loop: link, session, executor, database, heartbeat. main makes one and
 * runs the loop; when the runtime has ended, nothing of it is left on the loop. */
#ifndef SC_RUNTIME_H
#define SC_RUNTIME_H

#include <uv.h>

#include "base/settings.h"
#include "worker/page.h"
#include "worker/registry.h"

typedef struct sc_runtime sc_runtime;

typedef struct sc_runtime_config {
    const sc_settings *settings;
    const sc_registry *registry;
    const char *name;    /* of the worker */
    uint64_t supervisor; /* instance of the supervisor */
    int page_fd;         /* inherited from it */
} sc_runtime_config;

/** Everything is borrowed and must outlive it. @return 0, or a code with the reason in `err` */
int sc_runtime_new(uv_loop_t *loop, const sc_runtime_config *config, sc_runtime **out,
                   sc_error *err);
/** Finish what runs, give back what waits, leave; at most for DRAIN_TIMEOUT. */
void sc_runtime_drain(sc_runtime *r);
/** Exit status, once the loop has ended. */
int sc_runtime_status(const sc_runtime *r);
/** True where it ended with tasks that still run: nothing can be released, the process can only
 * leave by _exit. */
bool sc_runtime_is_stuck(const sc_runtime *r);
/** Once the loop has ended. Sets NULL; NULL is accepted. */
void sc_runtime_free(sc_runtime **r);

#endif
