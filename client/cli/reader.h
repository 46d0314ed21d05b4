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
    sc_out *out; /* where on_row writes; the next page is read when this one is written, and the end
                    comes once that fails; NULL: nowhere */

    /* the reader's */
    uint64_t next;
    uint64_t n_dropped; /* results that the store had no room to keep */
    bool is_last;       /* of the page that is being written */
    uv_poll_t writable; /* `out` is waited for */
    bool has_poll;
} sc_reader;

/** Reads from the beginning. Every failure ends the command. */
void sc_reader_start(sc_reader *reader);
/** One result on a line. */
void sc_result_line(const sc_result_row *row, sc_out *o);
/** Where results are missing: says so. @return the exit status that follows from it */
int sc_reader_status(const sc_reader *reader);

#endif
