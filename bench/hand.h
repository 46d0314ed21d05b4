/* SPDX-License-Identifier: Apache-2.0 */
/* The journal's limit: its rows written by hand, by one process that does nothing else. */
#ifndef SC_BENCH_HAND_H
#define SC_BENCH_HAND_H

#include <stddef.h>

/** Write a job's rows into a new SQLite database in `dir`, in the journal's layout: the tasks in
 * rows of 1,000, then their results, 16 rows in a transaction that is synced, the -wal copied as
 * the journal does. @param payloads  of SC_BENCH_TASK_BYTES each @return tasks a second */
double sc_hand_rate(const char *dir, const char *payloads, size_t n_tasks);

#endif
