/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers that go wrong on purpose, for tests and for trying things out: `fail` and `crash`.
 * Offered with --test-handlers only. */
#include "worker/tasks/tasks.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "worker/tasks/args.h"

static const char *
text_or(const json_t *args, const char *name, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(args, name));

    return text ? text : otherwise;
}

static void
fail(sc_task *task, void *state)
{
    json_t *args = sc_args_object(task);

    (void)state;
    if (args)
        sc_task_fail(task, text_or(args, "code", "failed"),
                     json_is_true(json_object_get(args, "retryable")), "%s",
                     text_or(args, "message", "failed on purpose"));
    json_decref(args);
}

/* By a fault signal, as a broken handler would; no sanitizer or core dump in between. */
static void
crash(sc_task *task, void *state)
{
    struct rlimit none = {0};

    (void)task;
    (void)state;
    setrlimit(RLIMIT_CORE, &none);
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
    abort();
}

int
sc_tasks_add_test(sc_registry *registry)
{
    static const sc_handler handlers[] = {
        {.name = "fail",
         .description = "{\"code\",\"message\",\"retryable\"}: fails with these",
         .run = fail},
        {.name = "crash", .description = "kills its process", .run = crash},
    };
    int rc = sc_registry_add(registry, &handlers[0]);

    return rc == 0 ? sc_registry_add(registry, &handlers[1]) : rc;
}
