/* SPDX-License-Identifier: Apache-2.0 */
/* What the tasks of a handler took lately: a histogram of times in steps of a quarter octave that
 * forgets by halves. The coordinator gets its 90th percentile with each RESULTS and gives out work
 * by it. Pure. */
#ifndef SC_COST_H
#define SC_COST_H

#include <stdint.h>

enum { SC_COST_BUCKETS = 4 * 44 }; /* up to 2^44 ns, five hours; what is longer counts as that */

typedef struct sc_cost {
    uint32_t counts[SC_COST_BUCKETS];
    uint32_t total;
} sc_cost;

/** Adds a measured time; zero-initialise `c` before the first. */
void sc_cost_add(sc_cost *c, int64_t ns);
/** The 90th percentile, at most a fifth too high; 0 while nothing is measured. */
uint64_t sc_cost_p90(const sc_cost *c);

#endif
