/* SPDX-License-Identifier: Apache-2.0 */
/* Threads and their two queues: see threads.h. Handlers of threads never occupy libuv's own pool,
 * which must stay free to fetch the rows that they wait for. */
#include "worker/threads.h"

#include <stdlib.h>

#include "worker/task.h"

struct thread {
    sc_threads *owner;
    uint32_t number;
    uv_thread_t id;
};

struct sc_threads {
    sc_threads_config config;
    uv_async_t wake;
    uv_mutex_t lock; // of what follows
    uv_cond_t has_work;
    STAILQ_HEAD(, sc_task) waiting, ended;
    bool is_stopping;
    uint32_t n_threads; // started
    struct thread threads[];
};

/* The next task, or NULL at the end. Under the lock. */
static sc_task *
wait_for_task(sc_threads *t)
{
    sc_task *task;

    while (!(task = STAILQ_FIRST(&t->waiting)) && !t->is_stopping)
        uv_cond_wait(&t->has_work, &t->lock);
    if (task)
        STAILQ_REMOVE_HEAD(&t->waiting, node);
    return task;
}

static void
thread_main(void *arg)
{
    struct thread *self = arg;
    sc_threads *t = self->owner;
    sc_task *task;

    uv_mutex_lock(&t->lock);
    while ((task = wait_for_task(t))) {
        bool is_first;

        uv_mutex_unlock(&t->lock);
        t->config.run(task, self->number);
        uv_mutex_lock(&t->lock);
        is_first = STAILQ_EMPTY(&t->ended);
        STAILQ_INSERT_TAIL(&t->ended, task, node);
        if (is_first)
            uv_async_send(&t->wake);
    }
    uv_mutex_unlock(&t->lock);
}

static void
on_wake(uv_async_t *wake)
{
    sc_threads *t = wake->data;
    STAILQ_HEAD(, sc_task) ended = STAILQ_HEAD_INITIALIZER(ended);
    sc_task *task;

    uv_mutex_lock(&t->lock);
    STAILQ_CONCAT(&ended, &t->ended);
    uv_mutex_unlock(&t->lock);
    if (STAILQ_EMPTY(&ended))
        return;
    while ((task = STAILQ_FIRST(&ended))) {
        STAILQ_REMOVE_HEAD(&ended, node);
        t->config.on_ended(t->config.arg, task);
    }
    t->config.on_turn(t->config.arg);
}

static void
join_all(sc_threads *t)
{
    uv_mutex_lock(&t->lock);
    t->is_stopping = true;
    uv_cond_broadcast(&t->has_work);
    uv_mutex_unlock(&t->lock);
    for (uint32_t i = 0; i < t->n_threads; i++)
        uv_thread_join(&t->threads[i].id);
}

static void
on_closed(uv_handle_t *handle)
{
    sc_threads *t = handle->data;

    uv_cond_destroy(&t->has_work);
    uv_mutex_destroy(&t->lock);
    free(t);
}

void
sc_threads_close(sc_threads **threads)
{
    sc_threads *t = *threads;

    if (!t)
        return;
    join_all(t);
    SC_ASSERT(STAILQ_EMPTY(&t->waiting) && STAILQ_EMPTY(&t->ended));
    uv_close((uv_handle_t *)&t->wake, on_closed);
    *threads = NULL;
}

static int
start_threads(sc_threads *t)
{
    int rc = 0;

    for (uint32_t i = 0; i < t->config.n_threads && rc == 0; i++) {
        t->threads[i] = (struct thread){.owner = t, .number = i};
        rc = uv_thread_create(&t->threads[i].id, thread_main, &t->threads[i]);
        if (rc == 0)
            t->n_threads++;
    }
    return rc;
}

int
sc_threads_new(const sc_threads_config *config, sc_threads **out)
{
    sc_threads *t = calloc(1, sizeof *t + config->n_threads * sizeof *t->threads);
    int rc = t ? uv_mutex_init(&t->lock) : SC_ENOMEM;

    if (rc != 0)
        goto no_lock;
    rc = uv_cond_init(&t->has_work);
    if (rc != 0)
        goto no_cond;
    rc = uv_async_init(config->loop, &t->wake, on_wake);
    if (rc != 0)
        goto no_async;
    t->config = *config;
    t->wake.data = t;
    STAILQ_INIT(&t->waiting);
    STAILQ_INIT(&t->ended);
    rc = start_threads(t);
    *out = t;
    if (rc != 0)
        sc_threads_close(out);
    return rc;

no_async:
    uv_cond_destroy(&t->has_work);
no_cond:
    uv_mutex_destroy(&t->lock);
no_lock:
    free(t);
    return rc;
}

void
sc_threads_add(sc_threads *t, sc_task *task)
{
    uv_mutex_lock(&t->lock);
    STAILQ_INSERT_TAIL(&t->waiting, task, node);
    uv_cond_signal(&t->has_work);
    uv_mutex_unlock(&t->lock);
}
