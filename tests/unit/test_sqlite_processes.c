/* SPDX-License-Identifier: Apache-2.0 */
/* Several processes on one SQLite file, the switch to WAL raced by all of them, a process that dies
 * in the middle; and every fault point of the driver, after each of which a transaction has
 * happened wholly or not at all. */
#include "tests/unit/test_sqlite_support.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/fault.h"

enum { N_PROCESSES = 6 };

/* Children wait at a gate, so that all of them start at once. */
typedef struct gate {
    int fds[2];
} gate;

static void
gate_wait(gate *g)
{
    char byte;
    close(g->fds[1]);
    while (read(g->fds[0], &byte, 1) > 0) {
    }
}

static void
gate_open(gate *g)
{
    close(g->fds[0]);
    close(g->fds[1]);
}

static void
start_children(bed *b, pid_t pids[N_PROCESSES], void (*run)(bed *b, int number))
{
    gate g;
    cr_assert_eq(pipe(g.fds), 0);
    for (int i = 0; i < N_PROCESSES; i++) {
        pids[i] = fork();
        cr_assert_geq(pids[i], 0);
        if (pids[i] == 0) {
            gate_wait(&g);
            run(b, i);
            _exit(0);
        }
    }
    gate_open(&g);
}

static void
wait_children(const pid_t pids[N_PROCESSES])
{
    for (int i = 0; i < N_PROCESSES; i++) {
        int status = -1;
        cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
        cr_assert(WIFEXITED(status), "child %d: status %d", i, status);
        cr_assert_eq(WEXITSTATUS(status), 0, "child %d ended with %d", i, WEXITSTATUS(status));
    }
}

// In a child there is no assertion to report to: the exit status tells.
static void
check_child(const answer *a, int status)
{
    if (a->error.code != 0) {
        fprintf(stderr, "child: %s\n", a->error.text);
        _exit(status);
    }
}

static void
open_and_create(bed *b, int number)
{
    (void)number;
    bed_start(b);
    sc_statement s[] = {{.sql = "CREATE TABLE IF NOT EXISTS t (who, n)"}};
    answer a = batch(b, s, 1);
    check_child(&a, 2);
    answer_free(&a);
    bed_stop(b);
}

Test(sqlite_processes, all_switch_a_new_file_to_wal)
{
    for (int round = 0; round < 5; round++) {
        bed b;
        pid_t pids[N_PROCESSES];
        bed_init(&b);
        start_children(&b, pids, open_and_create);
        wait_children(pids);
        bed_start(&b);
        cr_assert_eq(number(&b, "SELECT count(*) FROM t"), 0);
        bed_end(&b);
    }
}

// Reads first and writes then: with a plain BEGIN this is what fails in half of the processes.
static void
write_much(bed *b, int number_of_child)
{
    enum { N_TRANSACTIONS = 30, N_ROWS = 20 };
    bed_start(b);
    for (int i = 0; i < N_TRANSACTIONS; i++) {
        sc_value params[2 * N_ROWS];
        for (int k = 0; k < N_ROWS; k++) {
            params[2 * k] = sc_value_int(number_of_child);
            params[2 * k + 1] = sc_value_int(1);
        }
        sc_statement s[] = {
            {.sql = "SELECT n FROM sum"},
            {.sql = "UPDATE sum SET n = n + 20"},
            {.sql = "INSERT INTO t VALUES (?1, ?2)",
             .params = params,
             .n_params = 2,
             .n_rows = N_ROWS},
        };
        answer a = batch(b, s, 3);
        check_child(&a, 3);
        answer_free(&a);
    }
    bed_stop(b);
}

Test(sqlite_processes, all_write_and_nothing_is_lost)
{
    bed b;
    pid_t pids[N_PROCESSES];
    bed_init(&b);
    b.options.pool_size = 1;
    // The parent's pool lives in a process of its own: a thread pool does not survive a fork.
    pid_t first = fork();
    if (first == 0) {
        bed_start(&b);
        must(&b, "CREATE TABLE t (who, n)");
        must(&b, "CREATE TABLE sum (n)");
        must(&b, "INSERT INTO sum VALUES (0)");
        bed_stop(&b);
        _exit(0);
    }
    cr_assert_eq(waitpid(first, NULL, 0), first);
    start_children(&b, pids, write_much);
    wait_children(pids);
    bed_start(&b);
    cr_assert_eq(number(&b, "SELECT n FROM sum"), N_PROCESSES * 30 * 20);
    cr_assert_eq(number(&b, "SELECT sum(n) FROM t"), N_PROCESSES * 30 * 20);
    cr_assert_eq(
        number(&b, "SELECT count(*) FROM (SELECT who FROM t GROUP BY who HAVING sum(n) = 600)"),
        N_PROCESSES);
    bed_end(&b);
}

Test(sqlite_processes, a_process_that_dies_in_a_transaction_leaves_nothing)
{
    bed b;
    int fds[2];
    char byte = 0;
    bed_init(&b);
    cr_assert_eq(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        bed_start(&b);
        must(&b, "CREATE TABLE t (n)");
        answer a = borrow(&b);
        if (run_on(&b, a.conn, "BEGIN IMMEDIATE") != 0 ||
            run_on(&b, a.conn, "INSERT INTO t VALUES (1)") != 0 || write(fds[1], "x", 1) != 1) {
            _exit(4);
        }
        for (;;) {
            pause();
        }
    }
    close(fds[1]);
    cr_assert_eq(read(fds[0], &byte, 1), 1);
    bed_start(&b);
    answer a;
    start_query(&b, &a, &(sc_statement){.sql = "INSERT INTO t VALUES (2)"}, 0);
    kill(pid, SIGKILL);
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
    answer_wait(&b, &a);
    cr_assert_eq(a.error.code, 0, "%s", a.error.text);
    answer_free(&a);
    cr_assert_eq(number(&b, "SELECT sum(n) FROM t"), 2);
    close(fds[0]);
    bed_end(&b);
}

/* ---- faults ---- */

// A table, a transaction of ten rows, a read; the pool must serve again after any of them failed.
// Returns how often the point was passed.
static uint64_t
run_with_faults(bed *b, const char *point)
{
    sc_value params[10];
    for (int i = 0; i < 10; i++) {
        params[i] = sc_value_int(i);
    }
    sc_statement create = {.sql = "CREATE TABLE IF NOT EXISTS t (n)"};
    sc_statement insert = {
        .sql = "INSERT INTO t VALUES (?1)", .params = params, .n_params = 1, .n_rows = 10};
    sc_statement count = {.sql = "SELECT count(*) FROM t", .flags = SC_STATEMENT_READ_ONLY};
    bed_start(b);
    answer a[3] = {query(b, &create), batch(b, &insert, 1), query(b, &count)};
    uint64_t n_passed = sc_fault_count(point);
    sc_fault_reset();
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(a[i].error.code != 0, a[i].result == NULL, "%s: answer %d", point, i);
        answer_free(&a[i]);
    }
    must(b, "CREATE TABLE IF NOT EXISTS t (n)");
    int64_t n = number(b, "SELECT count(*) FROM t");
    cr_assert(n == 0 || n == 10, "%s: %d rows of 10", point, (int)n);
    cr_assert_eq(n == 10, a[1].error.code == 0, "%s: the answer is true", point);
    bed_stop(b);
    return n_passed;
}

Test(sqlite_processes, each_fault_leaves_all_or_nothing)
{
    static const char *const points[] = {"sqlite.open", "sqlite.step"};
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        uint64_t nth = 0, n_passed;
        do {
            bed b;
            bed_init(&b);
            b.options.pool_size = 1;
            cr_assert(sc_fault_set(points[i], ++nth));
            n_passed = run_with_faults(&b, points[i]);
            bed_remove(&b);
        } while (n_passed >= nth);
        cr_assert_gt(nth, 1, "%s was never passed", points[i]);
    }
}
