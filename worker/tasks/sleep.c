/* SPDX-License-Identifier: Apache-2.0 */
/* `sleep` {"ms"}: ends after that time, at once when it is cancelled; says meanwhile how much of it
 * is over. It shows how an asynchronous handler waits: with a handle on the loop whose close
 * callback ends the task. */
#include "worker/tasks/tasks.h"

#include <stdio.h>
#include <stdlib.h>

#include <uv.h>

#include "worker/tasks/args.h"

enum {
    MAX_MS = 7 * 24 * 3600 * 1000,
    // It wakes up to say how far it is: a hundred times in all, where that is not too often to be
    // passed on, nor too rarely for who looks.
    STEPS = 100,
    STEP_MIN_MS = 200,
    STEP_MAX_MS = 1000,
};

struct sleep {
    uv_timer_t timer;
    sc_task *task;
    int64_t ms;
    uint64_t begin_ms; // time of the loop
};

static void
on_closed(uv_handle_t *handle)
{
    struct sleep *sleep = handle->data;
    char value[48];
    int len = snprintf(value, sizeof value, "{\"ms\":%lld}", (long long)sleep->ms);

    sc_task_enter(sleep->task);
    sc_task_done(sleep->task, value, (size_t)len);
    free(sleep);
}

static void
end(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, on_closed);
}

static uint64_t
next_step_ms(const struct sleep *sleep, uint64_t slept_ms)
{
    uint64_t left_ms = (uint64_t)sleep->ms - slept_ms, step_ms = (uint64_t)sleep->ms / STEPS;

    if (step_ms < STEP_MIN_MS)
        step_ms = STEP_MIN_MS;
    if (step_ms > STEP_MAX_MS)
        step_ms = STEP_MAX_MS;
    return step_ms < left_ms ? step_ms : left_ms;
}

static void
on_step(uv_timer_t *timer)
{
    struct sleep *sleep = timer->data;
    uint64_t slept_ms = uv_now(timer->loop) - sleep->begin_ms;

    if (slept_ms >= (uint64_t)sleep->ms) {
        end(timer);
        return;
    }
    sc_task_enter(sleep->task);
    sc_task_progress(sleep->task, slept_ms, (uint64_t)sleep->ms);
    uv_timer_start(timer, on_step, next_step_ms(sleep, slept_ms), 0);
    sc_task_leave(sleep->task);
}

static void
cancel(sc_task *task, void *state)
{
    struct sleep *sleep = sc_task_data(task);

    (void)state;
    if (!uv_is_closing((uv_handle_t *)&sleep->timer))
        end(&sleep->timer);
}

static void
start(sc_task *task, int64_t ms)
{
    struct sleep *sleep = malloc(sizeof *sleep);

    if (!sleep) {
        sc_task_fail(task, "system", true, "no memory");
        return;
    }
    sleep->task = task;
    sleep->ms = ms;
    uv_timer_init(sc_task_loop(task), &sleep->timer);
    sleep->timer.data = sleep;
    sleep->begin_ms = uv_now(sc_task_loop(task));
    uv_timer_start(&sleep->timer, on_step, next_step_ms(sleep, 0), 0);
    sc_task_set_data(task, sleep);
}

static void
run(sc_task *task, void *state)
{
    json_t *args = sc_args_object(task);
    int64_t ms;

    (void)state;
    if (args && sc_args_int(task, args, "ms", MAX_MS, &ms))
        start(task, ms);
    json_decref(args);
}

int
sc_tasks_add_sleep(sc_registry *registry)
{
    static const sc_handler handler = {.name = "sleep",
                                       .description = "{\"ms\"}: waits without keeping a thread",
                                       .run = run,
                                       .cancel = cancel};

    return sc_registry_add(registry, &handler);
}
