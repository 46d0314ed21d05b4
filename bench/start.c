/* SPDX-License-Identifier: Apache-2.0 */
/* How long from the start of `seedcore up` in an empty folder to the first result? A client process
 * that begins at the same moment waits for the coordinator, then for a worker, and calls `echo`.
 * Median; the target is 150 ms. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/cluster.h"

enum { REPETITIONS = 11, TIMEOUT_MS = 10000 };
static const double target_s = 0.150;

typedef struct caller {
    sc_client *client;
    bool is_done;
} caller;

static void
on_result(void *arg, const sc_result_row *row, const sc_failure *why)
{
    caller *c = arg;
    sc_bench_check(why, "call");
    if (row->status != SC_RESULT_DONE)
        sc_bench_fail("call: %.*s", (int)row->value_len, row->value);
    c->is_done = true;
}

/* Called for each handler, then with NULL: by then a worker is ready. */
static void
on_handler(void *arg, const sc_handler_status *handler, const sc_failure *why)
{
    caller *c = arg;
    sc_bench_check(why, "handlers");
    if (handler == NULL && sc_client_call(c->client, "echo", "1", 1, TIMEOUT_MS, on_result, c) != 0)
        sc_bench_fail("call: refused by the library");
}

/* The client process: a byte into `told` when it has its result. */
static _Noreturn void
run_client(const char *endpoint, int told)
{
    uv_loop_t loop;
    caller c = {.client = NULL};
    if (uv_loop_init(&loop) != 0)
        sc_bench_fail("no loop");
    c.client = sc_bench_connect(&loop, endpoint);
    if (sc_client_handlers(c.client, true, on_handler, &c) != 0)
        sc_bench_fail("handlers: refused by the library");
    while (!c.is_done)
        uv_run(&loop, UV_RUN_ONCE);
    _exit(write(told, "", 1) == 1 ? 0 : 1);
}

/* End the cluster as Ctrl-C would, so that nothing of it is left when the next one starts. */
static void
stop(pid_t up)
{
    int status;
    if (kill(up, SIGTERM) != 0 || waitpid(up, &status, 0) != up || status != 0)
        sc_bench_fail("seedcore up did not end well");
}

static double
start(const char *dir)
{
    char folder[SC_BENCH_DIR_BYTES], endpoint[SC_BENCH_ENDPOINT_BYTES], n_workers[16], byte;
    int told[2];
    sc_bench_folder(dir, folder);
    sc_bench_free_endpoint(endpoint);
    snprintf(n_workers, sizeof n_workers, "%d", SC_BENCH_WORKERS);
    const char *const argv[] = {"seedcore", "up",         "--workers", n_workers, "--dir",
                                folder,     "--endpoint", endpoint,    NULL};
    if (pipe(told) != 0)
        sc_bench_fail("pipe: %s", strerror(errno));
    double begin = sc_bench_now_s();
    pid_t up = sc_bench_spawn(dir, argv, NULL);
    pid_t client = sc_bench_fork();
    if (client == 0)
        run_client(endpoint, told[1]);
    close(told[1]);
    if (read(told[0], &byte, 1) != 1)
        sc_bench_fail("no result");
    double seconds = sc_bench_now_s() - begin;
    close(told[0]);
    waitpid(client, NULL, 0);
    stop(up);
    return seconds;
}

static void
measure(const char *dir)
{
    double seconds[REPETITIONS];
    start(dir); // the programs come from the disk once
    for (int r = 0; r < REPETITIONS; r++)
        seconds[r] = start(dir);
    sc_bench_row("start", sc_bench_median(seconds, REPETITIONS), "s", 0);
    fprintf(stderr, "start: target %.3f s\n", target_s);
}

int
main(void)
{
    return sc_bench_main(measure);
}
