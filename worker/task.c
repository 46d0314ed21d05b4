/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of handler.h: what the code of a handler calls. Each is for the thread that runs
 * the task. */
#include "worker/task.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "pool/pool.h"
#include "worker/database.h"

const char *
sc_task_args(const sc_task *task, size_t *len)
{
    *len = task->args.len;
    return (const char *)task->args.data;
}

uint64_t
sc_task_index(const sc_task *task)
{
    return sc_started_index(&task->started);
}

const uint8_t *
sc_task_job(const sc_task *task)
{
    return task->started.assignment->job.bytes;
}

uint32_t
sc_task_attempt(const sc_task *task)
{
    return task->started.assignment->attempt;
}

bool
sc_task_is_cancelled(const sc_task *task)
{
    return atomic_load_explicit(&task->is_cancelled, memory_order_relaxed);
}

void
sc_task_progress(sc_task *task, uint64_t n, uint64_t of)
{
    // In this order: who reads between the two sees an old n of the new whole, not a new one of the
    // old.
    atomic_store_explicit(&task->progress_of, of, memory_order_relaxed);
    atomic_store(&task->progress, n);
    sc_executor_report(task->executor, task);
}

void *
sc_task_data(const sc_task *task)
{
    return task->data;
}

void
sc_task_set_data(sc_task *task, void *data)
{
    task->data = data;
}

struct uv_loop_s *
sc_task_loop(const sc_task *task)
{
    return sc_executor_loop(task->executor);
}

void
sc_task_enter(sc_task *task)
{
    sc_executor_enter(task->executor, task);
}

void
sc_task_leave(sc_task *task)
{
    sc_executor_leave(task->executor, task);
}

/* Readers take each value for JSON, and the file of results for a value a line. */
static bool
is_value(sc_task *task, const char *json, size_t len)
{
    sc_error err = {0};

    if (!task->is_checked || sc_json_check(json, len, &err) == 0)
        return true;
    sc_task_fail(task, "bad_value", false, "the handler %s returned what is no JSON: %s",
                 task->handler->name, err.text);
    return false;
}

void
sc_task_done(sc_task *task, const char *json, size_t len)
{
    sc_ending ending = {.outcome = SC_DONE, .data = json, .len = len};

    if (len > 0 && !is_value(task, json, len))
        return;
    if (len == 0) {
        ending.data = "null";
        ending.len = 4;
    }
    sc_executor_end(task->executor, task, &ending);
}

static bool
is_code(const char *code)
{
    size_t len = code ? strnlen(code, SC_CODE_MAX + 1) : 0;

    return len > 0 && len <= SC_CODE_MAX &&
           strspn(code, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

void
sc_task_fail(sc_task *task, const char *code, bool is_retryable, const char *format, ...)
{
    char text[SC_MESSAGE_TEXT_MAX + 1];
    sc_buffer json;
    sc_ending ending = {.outcome = SC_DEAD, .is_retryable = is_retryable};
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len < 0)
        text[0] = '\0';
    if (!is_code(code)) {
        snprintf(text, sizeof text, "the handler %s failed with the code %.64s, which is none",
                 task->handler->name, code ? code : "(null)");
        code = "bad_code";
    }
    sc_buffer_init(&json, 0);
    if (sc_buffer_add(&json, "{\"code\":", 8) == 0 &&
        sc_json_add_string(&json, code, strlen(code)) == 0 &&
        sc_buffer_add(&json, ",\"message\":", 11) == 0 &&
        sc_json_add_string(&json, text, strlen(text)) == 0 && sc_buffer_add(&json, "}", 1) == 0) {
        ending.data = json.data;
        ending.len = json.len;
    } else {
        ending.data = "{\"code\":\"system\",\"message\":\"no memory\"}";
        ending.len = strlen(ending.data);
    }
    sc_executor_end(task->executor, task, &ending);
    sc_buffer_fini(&json);
}

/* ---- the database ---- */

struct sc_pool *
sc_task_pool(const sc_task *task)
{
    sc_database *d = sc_executor_database(task->executor);

    return d ? sc_database_pool(d) : NULL;
}

int
sc_task_query(sc_task *task, const struct sc_statement *statements, size_t n_statements,
              struct sc_result **out, struct sc_error *err)
{
    sc_database *d = sc_executor_database(task->executor);

    if (!d)
        return sc_error_set(err, SC_EDATABASE, "this worker has no database");
    return sc_database_run(d, statements, n_statements, out, err);
}

bool
sc_task_may_retry(sc_task *task, const struct sc_error *err)
{
    sc_pool *pool = sc_task_pool(task);

    return pool && sc_pool_is_retryable(pool, err);
}
