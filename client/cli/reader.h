/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the results of a job, page after page, and the line that a result is printed as. */
#ifndef SC_CLI_READER_H
#define SC_CLI_READER_H

#include "client/cli/cli.h"

typedef struct sc_reader {
    sc_cli *cli;
    const char *job; /* a whole id; the caller's */
    sc_result_order order;
    bool wait; /* follow until the job has ended */
    void (*on_row)(void *arg, const sc_result_row *row);
    void (*on_end)(void *arg); /* after the last row, unless the command has ended */
    void *arg;
    sc_out *out;   /* where on_row writes: flushed while following, and the end once it fails; NULL:
                      nowhere */
    uint64_t next; /* the reader's */
    uint64_t n_dropped; /* results that the store had no room to keep */
} sc_reader;

/** Reads from the beginning. Every failure ends the command. */
void sc_reader_start(sc_reader *reader);
/** One result on a line. */
void sc_result_line(const sc_result_row *row, sc_out *o);
/** Where results are missing: says so. @return the exit status that follows from it */
int sc_reader_status(const sc_reader *reader);

#endif
