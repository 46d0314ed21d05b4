/* SPDX-License-Identifier: Apache-2.0 */
/* The loop's half of the SQLite driver: puts jobs on libuv's thread pool, one at a time a
 * connection, and reports to the pool what they brought. It calls nothing of SQLite that could
 * touch a file. */
#include "pool/sqlite_int.h"

#include "base/clock.h"

static void
run_work(uv_work_t *work)
{
    sc_sqlite_conn *c = work->data;
    c->is_retry_wanted = sc_sqlite_work(c);
}

static void after_work(uv_work_t *work, int status);

static void
queue(sc_sqlite_conn *c)
{
    c->work.data = c;
    int rc = uv_queue_work(c->conn.loop, &c->work, run_work, after_work);
    SC_ASSERT(rc == 0); // fails only without a callback
}

static int
start(sc_sqlite_conn *c, sc_sqlite_job job, sc_op *op)
{
    const sc_sqlite_config *config = c->conn.config;
    SC_ASSERT(c->job == SC_SQLITE_NONE);
    c->job = job;
    c->op = op;
    c->has_begun = false;
    c->error = (sc_error){.code = 0};
    c->busy_until_ms = sc_clock_ms() + config->busy_timeout_ms;
    atomic_store(&c->is_cancelled, false);
    queue(c);
    return 0;
}

static void
report(sc_sqlite_conn *c, sc_sqlite_job job)
{
    const sc_error *err = c->error.code != 0 ? &c->error : NULL;
    if (job == SC_SQLITE_CLOSE) {
        sc_conn_closed(&c->conn);
        return;
    }
    if (c->is_close_wanted) {
        sc_result_free(&c->result);
        start(c, SC_SQLITE_CLOSE, NULL);
    } else if (job == SC_SQLITE_EXECUTE) {
        c->conn.is_dirty = sqlite3_get_autocommit(c->db) == 0;
        sc_op_done(&c->conn, c->op, err, &c->result);
    } else {
        sc_conn_done(&c->conn, err);
    }
}

static void
after_work(uv_work_t *work, int status)
{
    (void)status; // never cancelled by uv_cancel
    sc_sqlite_conn *c = work->data;
    bool is_given_up = c->is_close_wanted && c->job != SC_SQLITE_CLOSE;
    if (c->is_retry_wanted && !is_given_up) {
        queue(c); // behind the others: the holder of the lock may be among them
        return;
    }
    sc_sqlite_job job = c->job;
    c->job = SC_SQLITE_NONE;
    report(c, job);
}

static int
sqlite_open(sc_conn *conn)
{
    return start((sc_sqlite_conn *)conn, SC_SQLITE_OPEN, NULL);
}

static int
sqlite_ping(sc_conn *conn)
{
    return start((sc_sqlite_conn *)conn, SC_SQLITE_PING, NULL);
}

static int
sqlite_reset(sc_conn *conn)
{
    return start((sc_sqlite_conn *)conn, SC_SQLITE_RESET, NULL);
}

static int
sqlite_execute(sc_conn *conn, sc_op *op)
{
    return start((sc_sqlite_conn *)conn, SC_SQLITE_EXECUTE, op);
}

// The flag stops what has not begun or waits for a lock, the interrupt stops what runs. Only a
// statement is cancelled, so the handle is there.
static void
sqlite_cancel(sc_conn *conn, sc_op *op)
{
    (void)op;
    sc_sqlite_conn *c = (sc_sqlite_conn *)conn;
    atomic_store(&c->is_cancelled, true);
    sqlite3_interrupt(c->db);
}

static void
sqlite_close(sc_conn *conn)
{
    sc_sqlite_conn *c = (sc_sqlite_conn *)conn;
    c->is_close_wanted = true;
    if (c->job == SC_SQLITE_NONE) {
        start(c, SC_SQLITE_CLOSE, NULL);
        return;
    }
    atomic_store(&c->is_cancelled, true);
    if (c->job == SC_SQLITE_EXECUTE) {
        sqlite3_interrupt(c->db);
    }
}

static bool
sqlite_is_retryable(const sc_error *err)
{
    return err->code == SC_EBUSY;
}

const sc_driver *
sc_sqlite_driver(void)
{
    static const sc_driver driver = {
        .name = "sqlite",
        .conn_bytes = sizeof(sc_sqlite_conn),
        .depth = 1,
        .open = sqlite_open,
        .ping = sqlite_ping,
        .reset = sqlite_reset,
        .execute = sqlite_execute,
        .cancel = sqlite_cancel,
        .close = sqlite_close,
        .is_retryable = sqlite_is_retryable,
    };
    return &driver;
}
