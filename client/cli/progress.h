/* SPDX-License-Identifier: Apache-2.0 */
/* A progress bar: one line on a terminal, drawn again and again. Drawing is pure; the rate is that
 * of the last seconds. */
#ifndef SC_CLI_PROGRESS_H
#define SC_CLI_PROGRESS_H

#include <stdint.h>

#include "client/cli/out.h"
#include "client/cli/term.h"

enum { SC_PROGRESS_SAMPLES = 16 };

typedef struct sc_progress {
    const char *label;
    struct {
        int64_t ms;
        uint64_t done;
    } samples[SC_PROGRESS_SAMPLES]; /* a ring of the last ones */
    unsigned n_samples;             /* ever */
} sc_progress;

/** Take down how far it is. @param now_ms  monotonic */
void sc_progress_add(sc_progress *p, uint64_t done, int64_t now_ms);
/** Tasks a second over the samples that are kept; 0 with fewer than two. */
double sc_progress_rate(const sc_progress *p);
/** The line: label, bar, share, count, rate and how long it will take; at most term->columns - 1
 * wide, no line break.
 *  @param total  0: not known, no bar @param unit  of the count where it is 1, "task"; NULL: none
 */
void sc_progress_draw(const sc_progress *p, const char *unit, uint64_t total, const sc_term *term,
                      sc_out *o);

#endif
