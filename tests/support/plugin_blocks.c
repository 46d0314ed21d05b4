/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin for tests/cluster: a handler that keeps the loop of its worker standing still for longer
 * than the lease of a peer, which no handler should, and some will. */
#include <time.h>

#include "worker/handler.h"

enum { STANDS_STILL_MS = 1200 };

static void
run(sc_task *task, void *state)
{
    const struct timespec wait = {STANDS_STILL_MS / 1000, STANDS_STILL_MS % 1000 * 1000000L};

    (void)state;
    nanosleep(&wait, NULL);
    sc_task_done(task, "1", 1);
}

const unsigned sc_plugin_abi = SC_PLUGIN_ABI;

int sc_plugin_init(sc_registry *registry);

int
sc_plugin_init(sc_registry *registry)
{
    static const sc_handler handler = {.name = "block", .run = run};

    return sc_registry_add(registry, &handler);
}
