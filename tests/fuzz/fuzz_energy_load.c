/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the arguments of energy.load, with a database of its own in memory: the task ends
 * once, what is refused is named and leaves nothing behind, what is accepted can be written (but
 * for two hyperedges of one number), is then read as a system that passes its check, and has the
 * counts that the task ended with. No piece of memory is larger than the arguments can give reason
 * for. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sanitizer/allocator_interface.h>
#include <sqlite3.h>

#include "base/json.h"
#include "pool/sqlite_int.h" // the half of the driver that knows nothing of loops
#include "worker/tasks/energy_rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum {
    FREE_BYTES = 1 << 20, // a piece of memory may have this size whatever the arguments are,
    BYTES_A_BYTE = 64,    // or this for each byte of them: a parameter is 16, and "0," is one
    TEXT_BYTES = 400,
};

/* What the handler has for a task; worker/task.c is not part of this program. */
struct sc_task {
    const char *args;
    size_t len;
    sc_sqlite_config config;
    sc_sqlite_conn conn; // db NULL: nothing was asked of it yet
    int64_t system_id;   // of what was written
    bool is_written;
    unsigned n_ends;
};

static size_t max_piece; // bytes; 0: any

static void
on_malloc(const volatile void *memory, size_t size)
{
    (void)memory;
    SC_ASSERT(max_piece == 0 || size <= max_piece);
}

static void
on_free(const volatile void *memory)
{
    (void)memory;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    SC_ASSERT(__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) > 0);
    return 0;
}

/* ---- the task ---- */

void
sc_task_progress(sc_task *task, uint64_t n, uint64_t of)
{
    (void)task;
    if (n > of)
        abort();
}

const char *
sc_task_args(const sc_task *task, size_t *len)
{
    *len = task->len;
    return task->args;
}

static void
open_database(sc_task *task)
{
    if (task->conn.db)
        return;
    task->config.path = "memory";
    task->conn.conn.config = &task->config;
    SC_ASSERT(sqlite3_open(":memory:", &task->conn.db) == SQLITE_OK);
    sqlite3_extended_result_codes(task->conn.db, 1);
}

int
sc_task_query(sc_task *task, const sc_statement *statements, size_t n_statements, sc_result **out,
              sc_error *err)
{
    sc_op op = {
        .statements = statements, .n_statements = n_statements, .is_transaction = n_statements > 1};
    open_database(task);
    task->conn.op = &op;
    task->conn.job = SC_SQLITE_EXECUTE;
    SC_ASSERT(!sc_sqlite_work(&task->conn));
    *out = task->conn.result;
    task->conn.result = NULL;
    if (task->conn.error.code != 0) {
        *err = task->conn.error;
        SC_ASSERT(
            strstr(err->text, "energy_hyperedge")); // two of one number: not looked for before
    }
    for (size_t i = 0; i < n_statements && !task->is_written; i++)
        if (statements[i].n_params > 0)
            task->system_id = statements[i].params[0].integer;
    return task->conn.error.code;
}

bool
sc_task_may_retry(sc_task *task, const sc_error *err)
{
    (void)task;
    SC_ASSERT(err->code < 0);
    return false;
}

// What was accepted, as energy.compute reads it.
static void
check_written(sc_task *task, const char *json, size_t len)
{
    sc_energy_label label;
    sc_energy_system *system = NULL;
    sc_error err = {0};
    char want[TEXT_BYTES];
    task->is_written = true;
    SC_ASSERT(sc_energy_rows_read(task, task->system_id, &label, &system, &err) == 0);
    SC_ASSERT(sc_energy_system_check(system, &err) == 0);
    int n = snprintf(want, sizeof want,
                     "{\"systems\":1,\"agents\":%zu,\"pairs\":%zu,\"hyperedges\":%zu}",
                     system->n_agents, system->n_pairs, system->n_edges);
    SC_ASSERT((size_t)n == len && memcmp(want, json, len) == 0);
    sc_energy_system_free(&system);
}

void
sc_task_done(sc_task *task, const char *json, size_t len)
{
    task->n_ends++;
    SC_ASSERT(sc_json_check(json, len, NULL) == 0);
    check_written(task, json, len);
}

// Not even a table.
static void
check_nothing_written(const sc_task *task)
{
    static const char sql[] = "SELECT 1 FROM sqlite_schema";
    sqlite3_stmt *rows;
    if (!task->conn.db)
        return;
    SC_ASSERT(sqlite3_prepare_v2(task->conn.db, sql, -1, &rows, NULL) == SQLITE_OK);
    SC_ASSERT(sqlite3_step(rows) == SQLITE_DONE);
    sqlite3_finalize(rows);
}

void
sc_task_fail(sc_task *task, const char *code, bool is_retryable, const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list args;
    task->n_ends++;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    SC_ASSERT(strcmp(code, "bad_arguments") == 0 || strcmp(code, "too_large") == 0);
    SC_ASSERT(!is_retryable && text[0] != '\0');
    check_nothing_written(task);
}

static void
close_database(sc_task *task)
{
    if (!task->conn.db)
        return;
    task->conn.job = SC_SQLITE_CLOSE;
    SC_ASSERT(!sc_sqlite_work(&task->conn) && !task->conn.db);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sc_task *task = calloc(1, sizeof *task);
    SC_ASSERT(task);
    task->args = (const char *)data;
    task->len = size;
    max_piece = FREE_BYTES + BYTES_A_BYTE * size;
    sc_energy_load_run(task, NULL);
    max_piece = 0;
    SC_ASSERT(task->n_ends == 1);
    close_database(task);
    free(task);
    return 0;
}
