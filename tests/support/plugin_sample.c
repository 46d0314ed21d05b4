/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin for test_registry, built several times: once as it should be, and once for each thing
 * that can be wrong. */
#include "worker/handler.h"

static void
run(sc_task *task, void *state)
{
    (void)state;
    sc_task_done(task, "1", 1);
}

#if defined PLUGIN_OTHER_ABI
const unsigned sc_plugin_abi = SC_PLUGIN_ABI + 1;
#elif !defined PLUGIN_NO_ABI
const unsigned sc_plugin_abi = SC_PLUGIN_ABI;
#endif

#if defined PLUGIN_TAKEN
#define NAME "echo"
#else
#define NAME "plugin.good"
#endif

#if defined PLUGIN_NO_INIT
#define sc_plugin_init other_name
#endif

int sc_plugin_init(sc_registry *registry);

int
sc_plugin_init(sc_registry *registry)
{
    static const sc_handler handler = {.name = NAME, .run = run};

    return sc_registry_add(registry, &handler);
}
