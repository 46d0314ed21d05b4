/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of handler.h that reach the database; apart from task.c, since the pool and the
 * protocol both have an sc_call and an sc_reply. */
#include "worker/task_database.h"

#include "pool/pool.h"

struct sc_pool *
sc_task_pool(const sc_task *task)
{
    sc_database *d = sc_task_database(task);

    return d ? sc_database_pool(d) : NULL;
}

int
sc_task_query(sc_task *task, const struct sc_statement *statements, size_t n_statements,
              struct sc_result **out, struct sc_error *err)
{
    sc_database *d = sc_task_database(task);

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
