/* SPDX-License-Identifier: Apache-2.0 */
/* The histogram of times. Called by the session for each ended task, so adding is a few
 * instructions. */
#include "worker/cost.h"

enum { DECAY_AT = 1024 }; // so many measurements weigh as much as all that follow

/* Buckets 4k..4k+3 divide 2^k..2^(k+1). */
static unsigned
bucket_of(uint64_t ns)
{
    unsigned octave, bucket;

    if (ns < 4)
        return 8; // as 4 ns
    octave = 63 - (unsigned)__builtin_clzll(ns);
    bucket = 4 * octave + (unsigned)(ns >> (octave - 2) & 3);
    return bucket < SC_COST_BUCKETS ? bucket : SC_COST_BUCKETS - 1;
}

void
sc_cost_add(sc_cost *c, int64_t ns)
{
    c->counts[bucket_of(ns > 0 ? (uint64_t)ns : 0)]++;
    if (++c->total < DECAY_AT)
        return;
    c->total = 0;
    for (unsigned i = 0; i < SC_COST_BUCKETS; i++) {
        c->counts[i] /= 2;
        c->total += c->counts[i];
    }
}

uint64_t
sc_cost_p90(const sc_cost *c)
{
    uint32_t above = c->total / 10; // measurements that may lie above the answer
    unsigned i = SC_COST_BUCKETS;

    if (c->total == 0)
        return 0;
    for (uint32_t seen = 0; seen <= above; seen += c->counts[i])
        i--;
    return (uint64_t)(4 + i % 4 + 1) << (i / 4) >> 2; // upper end of the bucket
}
