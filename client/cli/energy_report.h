/* SPDX-License-Identifier: Apache-2.0 */
/* What `energy batch` knows of its systems, and how it is shown. Pure. */
#ifndef SC_CLI_ENERGY_REPORT_H
#define SC_CLI_ENERGY_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/cli/out.h"
#include "client/cli/term.h"
#include "client/seedcore.h"

enum {
    SC_ENERGY_COLUMNS = 11,
    SC_ENERGY_LABEL_BYTES = 32,
    SC_ENERGY_MAX_LISTED = 1000000, /* systems that can be asked for by number: 200 MB here */
};

typedef struct sc_energy_system {
    int64_t id;
    uint64_t n_agents;
    char label[SC_ENERGY_LABEL_BYTES]; /* "2009-03", "2009", "all" */
    double values[SC_ENERGY_COLUMNS];  /* pair, ..., total, gradient */
    char *error;                       /* JSON; NULL: none */
    bool is_done;
} sc_energy_system;

typedef struct sc_energy_report {
    sc_energy_system *systems; /* in the order of the tasks */
    size_t n_systems;
    int64_t taken_ms;
} sc_energy_report;

/** Is it a list of numbers and ranges such as "1,3,7-9", of at most SC_ENERGY_MAX_LISTED systems?
 */
bool sc_energy_ranges_check(const char *ranges);

/** Takes the systems from the answer of energy.systems. @param ranges  just these, also where they
 * are not loaded (their tasks will fail); NULL: all that are
 *  @return 0, or SC_EMALFORMED, SC_ENOTFOUND, SC_ENOMEM with the reason in `err`; fini it in any
 * case */
int sc_energy_report_systems(sc_energy_report *report, const char *json, size_t len,
                             const char *ranges, sc_error *err);
/** The result of one task; its index is that of the system. A value that cannot be read counts as
 * an error. @return 0, SC_ENOMEM */
int sc_energy_report_result(sc_energy_report *report, const sc_result_row *row);
void sc_energy_report_fini(sc_energy_report *report);

/** Systems without a value. */
size_t sc_energy_report_failed(const sc_energy_report *report);
/** A flat line a system. */
void sc_energy_report_json(const sc_energy_report *report, sc_out *o);
/** Extremes, plot, time taken. */
void sc_energy_report_write(const sc_energy_report *report, const sc_term *term, sc_out *o);

#endif
