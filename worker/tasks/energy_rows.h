/* SPDX-License-Identifier: Apache-2.0 */
/* Systems of agents in the embedded database: tables energy_system, energy_agent, energy_pair,
 * energy_hyperedge, as the sample files have them; an embedding `h` is one blob of 32-bit floats.
 * Used by the energy handlers, in threads. */
#ifndef SC_ENERGY_ROWS_H
#define SC_ENERGY_ROWS_H

#include <stdbool.h>

#include "pool/statement.h"
#include "worker/energy/system.h"
#include "worker/handler.h"

enum { SC_ENERGY_LABEL_MAX = 200, SC_ENERGY_N_TABLES = 4 };

/* What a system has beside its numbers. */
typedef struct sc_energy_label {
    int64_t system_id;
    char text[SC_ENERGY_LABEL_MAX + 1];
} sc_energy_label;

/** Statements that make the tables where they are missing: the first of every transaction that
 * writes. */
const char *const *sc_energy_tables_sql(void);
/** Read a system in one statement, so that it is never seen half replaced.
 *  @return 0; SC_ENOTFOUND (no such system); or a code with the reason in `err` */
int sc_energy_rows_read(sc_task *task, int64_t system_id, sc_energy_label *label,
                        sc_energy_system **out, sc_error *err);
/** End a task with what the database or a check said. */
void sc_energy_fail(sc_task *task, const sc_error *err);
/** True where a read failed since nothing was ever loaded. */
bool sc_energy_has_no_tables(const sc_error *err);

/** Handler energy.load, for sc_tasks_add_energy. */
void sc_energy_load_run(sc_task *task, void *state);

#endif
