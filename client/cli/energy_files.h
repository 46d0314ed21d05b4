/* SPDX-License-Identifier: Apache-2.0 */
/* The files that systems of agents come in, checked, and the task that each system becomes. Reads
 * files, nothing else. */
#ifndef SC_CLI_ENERGY_FILES_H
#define SC_CLI_ENERGY_FILES_H

#include "client/cli/csv.h"
#include "client/cli/out.h"

enum {
    SC_ENERGY_SYSTEMS,
    SC_ENERGY_AGENTS,
    SC_ENERGY_PAIRS,
    SC_ENERGY_HYPEREDGES,
    SC_ENERGY_N_FILES
};

typedef struct sc_energy_files {
    struct {
        char *path; /* NULL: not given */
        sc_csv csv;
        size_t *order; /* its rows in the order of their systems, those of one system in the order
                          of the file */
    } files[SC_ENERGY_N_FILES];
} sc_energy_files;

/** Reads them from folders and files named on the command line; call sc_energy_files_fini in any
 * case.
 *  @return 0, or a negative code with "FILE:LINE: reason" in `reason` */
int sc_energy_files_read(sc_energy_files *files, const char *const *paths, size_t n_paths,
                         sc_out *reason);
void sc_energy_files_fini(sc_energy_files *files);
/** Rows of a file; 0 where it was not given. */
size_t sc_energy_files_count(const sc_energy_files *files, int which);
/** Appends the JSON payload for energy.load of one system. Numbers keep the text of the file.
 * @param system  a row of that file */
void sc_energy_files_task(const sc_energy_files *files, size_t system, sc_out *o);

#endif
