/* SPDX-License-Identifier: Apache-2.0 */
/* An example of an asynchronous handler: `pulse` with the arguments [n, ms] ticks n times, one tick
 * every ms, and answers how often it did; fewer times where it was cancelled. It waits on the loop
 * of its worker, so hundreds of its tasks share one process. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include <worker/handler.h>

enum { ARGS_MAX = 64 };

/* One running task. */
struct pulse {
    uv_timer_t timer;
    sc_task *task;
    uint32_t n_wanted, n_ticks;
};

/* The loop holds nothing of the timer any more: only now may its memory go. */
static void
on_closed(uv_handle_t *handle)
{
    struct pulse *pulse = handle->data;
    char text[16];

    sc_task_enter(pulse->task);
    snprintf(text, sizeof text, "%" PRIu32, pulse->n_ticks);
    sc_task_done(pulse->task, text, strlen(text)); // leaves as well
    free(pulse);
}

/* Between enter and leave this task is at work, and it alone is to blame if the process dies. */
static void
on_tick(uv_timer_t *timer)
{
    struct pulse *pulse = timer->data;

    sc_task_enter(pulse->task);
    if (++pulse->n_ticks == pulse->n_wanted)
        uv_close((uv_handle_t *)timer, on_closed);
    sc_task_leave(pulse->task);
}

static void
cancel_pulse(sc_task *task, void *state)
{
    struct pulse *pulse = sc_task_data(task);

    (void)state;
    if (!uv_is_closing((uv_handle_t *)&pulse->timer))
        uv_close((uv_handle_t *)&pulse->timer, on_closed);
}

static void
run_pulse(sc_task *task, void *state)
{
    size_t len;
    const char *args = sc_task_args(task, &len);
    char text[ARGS_MAX + 1]; // arguments are not terminated
    uint32_t n, ms;
    struct pulse *pulse;

    (void)state;
    snprintf(text, sizeof text, "%.*s", (int)(len < ARGS_MAX ? len : ARGS_MAX), args);
    if (sscanf(text, " [ %" SCNu32 " , %" SCNu32 " ]", &n, &ms) != 2 || n == 0 || ms == 0) {
        sc_task_fail(task, "bad_arguments", false, "[n, ms] is needed, both from 1");
        return;
    }
    if (!(pulse = calloc(1, sizeof *pulse))) {
        sc_task_fail(task, "no_memory", true, "no memory");
        return;
    }
    pulse->task = task;
    pulse->n_wanted = n;
    uv_timer_init(sc_task_loop(task), &pulse->timer);
    pulse->timer.data = pulse;
    uv_timer_start(&pulse->timer, on_tick, ms, ms);
    sc_task_set_data(task, pulse);
}

const unsigned sc_plugin_abi = SC_PLUGIN_ABI;

int
sc_plugin_init(sc_registry *registry)
{
    static const sc_handler handler = {.name = "pulse",
                                       .description = "[n, ms]: ticks n times, every ms",
                                       .kind = SC_HANDLER_ASYNC,
                                       .run = run_pulse,
                                       .cancel = cancel_pulse};

    return sc_registry_add(registry, &handler);
}
