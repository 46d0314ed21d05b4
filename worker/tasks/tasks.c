/* SPDX-License-Identifier: Apache-2.0 */
/* The list of built-in handlers, and the smallest of them. */
#include "worker/tasks/tasks.h"

static void
echo(sc_task *task, void *state)
{
    size_t len;
    const char *args = sc_task_args(task, &len);

    (void)state;
    sc_task_done(task, args, len);
}

int
sc_tasks_add_echo(sc_registry *registry)
{
    static const sc_handler handler = {
        .name = "echo", .description = "returns what it got", .run = echo};

    return sc_registry_add(registry, &handler);
}

int
sc_tasks_add(sc_registry *registry, bool with_test)
{
    int rc = sc_tasks_add_echo(registry);

    if (rc == 0)
        rc = sc_tasks_add_sleep(registry);
    if (rc == 0)
        rc = sc_tasks_add_energy(registry);
    if (rc == 0 && with_test)
        rc = sc_tasks_add_test(registry);
    return rc;
}
