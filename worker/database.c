/* SPDX-License-Identifier: Apache-2.0 */
/* The pool, and statements from threads to it and back: see database.h. A request lies on the stack
 * of the thread that waits for it. */
#include "worker/database.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include "pool/sqlite.h"

enum { DRAIN_MS = 1000 }; // statements that still run when the worker ends

struct request {
    STAILQ_ENTRY(request) node;
    sc_batch batch;
    sc_result *result; // the answer: this,
    sc_error err;      // or a code here
    uv_sem_t done;
};

struct sc_database {
    uv_async_t wake;
    uv_mutex_t lock; // of `requests`
    STAILQ_HEAD(requests, request) requests;
    sc_sqlite_config sqlite;
    sc_pool *pool;
};

/* ---- requests, on the loop ---- */

static void
on_reply(void *arg, sc_pool_reply *reply)
{
    struct request *request = arg;

    if (reply->error)
        request->err = *reply->error;
    request->result = reply->result;
    reply->result = NULL;
    uv_sem_post(&request->done); // from here on the thread may be gone with the request
}

static void
start(sc_database *d, struct request *request)
{
    sc_pool_call call = {.cb = on_reply, .arg = request};
    int rc = request->batch.n_statements == 1
                 ? sc_pool_query(d->pool, request->batch.statements, &call, NULL)
                 : sc_pool_batch(d->pool, &request->batch, &call, NULL);

    if (rc == 0)
        return;
    sc_error_set(&request->err, rc, "%s", sc_error_text(rc));
    uv_sem_post(&request->done);
}

static void
on_wake(uv_async_t *wake)
{
    sc_database *d = wake->data;
    struct requests all = STAILQ_HEAD_INITIALIZER(all);
    struct request *request;

    uv_mutex_lock(&d->lock);
    STAILQ_CONCAT(&all, &d->requests);
    uv_mutex_unlock(&d->lock);
    while ((request = STAILQ_FIRST(&all))) {
        STAILQ_REMOVE_HEAD(&all, node);
        start(d, request);
    }
}

/* ---- from a thread ---- */

int
sc_database_run(sc_database *d, const sc_statement *statements, size_t n_statements,
                sc_result **out, sc_error *err)
{
    struct request request = {.batch = {statements, n_statements}};
    int rc = uv_sem_init(&request.done, 0);

    *out = NULL;
    if (rc != 0)
        return sc_error_set(err, rc, "%s", sc_error_text(rc));
    uv_mutex_lock(&d->lock);
    STAILQ_INSERT_TAIL(&d->requests, &request, node);
    uv_mutex_unlock(&d->lock);
    uv_async_send(&d->wake);
    uv_sem_wait(&request.done);
    uv_sem_destroy(&request.done);
    *out = request.result;
    if (request.err.code != 0 && err)
        *err = request.err;
    return request.err.code;
}

/* ---- opening and closing ---- */

/* The folders above a file, where they are missing; what cannot be made shows when the file is
 * opened. */
static void
make_folders(const char *path)
{
    char *copy = strdup(path);

    for (char *slash = copy ? strchr(copy + 1, '/') : NULL; slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(copy, 0700);
        *slash = '/';
    }
    free(copy);
}

static int
open_pool(sc_database *d, uv_loop_t *loop, const sc_settings *s, sc_error *err)
{
    sc_pool_options options;

    d->sqlite =
        (sc_sqlite_config){.path = sc_settings_text(s, SC_SET_DATA),
                           .busy_timeout_ms = sc_settings_int(s, SC_SET_SQLITE_BUSY_TIMEOUT)};
    make_folders(d->sqlite.path);
    sc_pool_options_init(&options);
    options.name = "sqlite";
    options.driver = sc_sqlite_driver();
    options.config = &d->sqlite;
    options.pool_size = (unsigned)sc_settings_int(s, SC_SET_SQLITE_POOL_SIZE);
    options.max_overflow = (unsigned)sc_settings_int(s, SC_SET_SQLITE_MAX_OVERFLOW);
    options.pool_timeout_ms = sc_settings_int(s, SC_SET_SQLITE_POOL_TIMEOUT);
    options.pool_recycle_ms = sc_settings_int(s, SC_SET_SQLITE_POOL_RECYCLE);
    return sc_pool_new(loop, &options, &d->pool, err);
}

int
sc_database_new(uv_loop_t *loop, const sc_settings *settings, sc_database **out, sc_error *err)
{
    sc_database *d = calloc(1, sizeof *d);
    int rc = d ? open_pool(d, loop, settings, err) : sc_error_set(err, SC_ENOMEM, "no memory");

    if (rc != 0) {
        free(d);
        return rc;
    }
    STAILQ_INIT(&d->requests);
    if (uv_mutex_init(&d->lock) != 0 || uv_async_init(loop, &d->wake, on_wake) != 0)
        abort(); // at start-up, without a descriptor or memory for the simplest things
    d->wake.data = d;
    *out = d;
    return 0;
}

sc_pool *
sc_database_pool(const sc_database *d)
{
    return d->pool;
}

static void
on_wake_closed(uv_handle_t *handle)
{
    sc_database *d = handle->data;

    uv_mutex_destroy(&d->lock);
    free(d);
}

static void
on_pool_closed(void *arg)
{
    sc_database *d = arg;

    uv_close((uv_handle_t *)&d->wake, on_wake_closed);
}

void
sc_database_close(sc_database **d)
{
    if (*d)
        sc_pool_close(&(*d)->pool, DRAIN_MS, on_pool_closed, *d);
    *d = NULL;
}
