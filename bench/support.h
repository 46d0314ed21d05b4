/* SPDX-License-Identifier: Apache-2.0 */
/* What every benchmark needs: a process that cleans up behind the one that measures, children that
 * die with it, the median, and the rows on stdout. Whatever fails ends the program with a reason
 * on stderr, so nothing here returns an error. */
#ifndef SC_BENCH_SUPPORT_H
#define SC_BENCH_SUPPORT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

enum {
    SC_BENCH_TASK_BYTES = 64, /* payload of a task; JSON, so that every handler may read it */
    SC_BENCH_WORKERS = 2,     /* worker processes, of SeedCore and of raw ZeroMQ alike */
};

/** Run `measure` in a process of its own with a private, empty folder. However that ends (SIGINT,
 *  a crash, a time limit of 50 s too), all its descendants are killed and the folder is removed.
 *  @return the exit status of the program: 0, 1, or 130 when interrupted */
int sc_bench_main(void (*measure)(const char *dir));

/** End the measuring process, and thereby the program, with exit status 1. */
_Noreturn void sc_bench_fail(const char *format, ...) SC_PRINTF(1, 2);

/** fork() whose child is killed when its parent ends. @return 0 in the child, its pid else */
pid_t sc_bench_fork(void);

/** Start a program of the project, which lies in $SEEDCORE_BIN or in the folder above the
 *  benchmark's own. Its stderr goes to a log that is shown when the benchmark fails; its stdout is
 *  dropped.
 *  @param dir  that of sc_bench_main @param argv  argv[0] is its name; ends with NULL
 *  @param env  "NAME=value" beside what is inherited; ends with NULL; may be NULL */
pid_t sc_bench_spawn(const char *dir, const char *const argv[], const char *const env[]);

/** Kill a child and wait for its end; sets *pid 0. Nothing where it is 0. */
void sc_bench_kill(pid_t *pid);

/** Monotonic time in seconds. */
double sc_bench_now_s(void);

/** Sorts the values. @param per_mille  0..999; 500 is the median @param n  at least 1 */
double sc_bench_quantile(double *values, size_t n, unsigned per_mille);

/** Sorts the values. @param n  at least 1 */
double sc_bench_median(double *values, size_t n);

/** `n` payloads of SC_BENCH_TASK_BYTES one after another, each a JSON string that holds its index;
 *  free() them. @param n  up to 10^9 */
char *sc_bench_payloads(size_t n);

/** Print one row. @param limit  0: none, then limit and ratio are null */
void sc_bench_row(const char *name, double value, const char *unit, double limit);

#endif
