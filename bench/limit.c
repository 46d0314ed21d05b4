/* SPDX-License-Identifier: Apache-2.0 */
/* How many tasks a second does plain ZeroMQ carry from a client through a broker to two workers and
 * back? Rows for messages of 1, 100 and 1,000 tasks; medians, interleaved. */
#include <stdlib.h>

#include "bench/raw.h"

enum { REPETITIONS = 5, MAX_TASKS = 1000000 };

static const struct {
    const char *name;
    size_t a_message, n_tasks;
} rows[] = {
    {"limit.one", 1, 200000},
    {"limit.100", 100, 500000},
    {"limit.1000", 1000, MAX_TASKS},
};
enum { N_ROWS = sizeof rows / sizeof *rows };

static void
measure(const char *dir)
{
    (void)dir;
    double rates[N_ROWS][REPETITIONS], medians[N_ROWS];
    char *tasks = sc_bench_payloads(MAX_TASKS);
    sc_raw raw;
    sc_raw_start(&raw);
    for (size_t i = 0; i < N_ROWS; i++) // warm up
        sc_raw_rate(&raw, tasks, rows[i].n_tasks / 5, rows[i].a_message);
    for (int r = 0; r < REPETITIONS; r++)
        for (size_t i = 0; i < N_ROWS; i++)
            rates[i][r] = sc_raw_rate(&raw, tasks, rows[i].n_tasks, rows[i].a_message);
    sc_raw_stop(&raw);
    free(tasks);
    for (size_t i = 0; i < N_ROWS; i++)
        medians[i] = sc_bench_median(rates[i], REPETITIONS);
    sc_bench_row("limit", medians[0], "tasks/s", 0);
    for (size_t i = 0; i < N_ROWS; i++)
        sc_bench_row(rows[i].name, medians[i], "tasks/s", 0);
}

int
main(void)
{
    return sc_bench_main(measure);
}
