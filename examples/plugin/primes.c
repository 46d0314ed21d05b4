/* SPDX-License-Identifier: Apache-2.0 */
/* An example of a plugin: `primes.count` with the arguments [from, to] counts the primes in
 * between, both included. It computes, so it runs in a thread; it looks now and then whether
 * somebody still wants the answer, and says how far it is. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <worker/handler.h>

enum { ARGS_MAX = 64 };

static bool
is_prime(uint64_t n)
{
    for (uint64_t d = 2; d <= n / d; d++)
        if (n % d == 0)
            return false;
    return n >= 2;
}

static void
count_primes(sc_task *task, void *state)
{
    size_t len;
    const char *args = sc_task_args(task, &len);
    char text[ARGS_MAX + 1]; // arguments are not terminated
    uint64_t from, to, n = 0;

    (void)state;
    snprintf(text, sizeof text, "%.*s", (int)(len < ARGS_MAX ? len : ARGS_MAX), args);
    if (sscanf(text, " [ %" SCNu64 " , %" SCNu64 " ]", &from, &to) != 2) {
        sc_task_fail(task, "bad_arguments", false, "[from, to] is needed");
        return;
    }
    for (uint64_t i = from; i <= to && !sc_task_is_cancelled(task); i++) {
        n += is_prime(i);
        sc_task_progress(task, i - from + 1, to - from + 1);
    }
    snprintf(text, sizeof text, "%" PRIu64, n);
    sc_task_done(task, text, strlen(text));
}

const unsigned sc_plugin_abi = SC_PLUGIN_ABI;

int
sc_plugin_init(sc_registry *registry)
{
    static const sc_handler handler = {.name = "primes.count",
                                       .description = "[from, to]: how many primes",
                                       .kind = SC_HANDLER_THREAD,
                                       .run = count_primes};

    return sc_registry_add(registry, &handler);
}
