/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers: a seeded generator (xoshiro256**, Blackman and Vigna, public domain algorithm)
 * for everything that must replay, and the kernel's entropy for names and seeds. */
#ifndef SC_RANDOM_H
#define SC_RANDOM_H

#include <stdint.h>

typedef struct sc_random {
    uint64_t s[4];
} sc_random;

/** Same seed, same numbers, on every machine (SplitMix64 spreads the seed). */
void sc_random_init(sc_random *r, uint64_t seed);
/** The next 64 bits. */
uint64_t sc_random_u64(sc_random *r);
/** Uniform in [0, bound); 0 when bound is 0. */
uint64_t sc_random_below(sc_random *r, uint64_t bound);
/** Uniform in [0, 1). */
double sc_random_double(sc_random *r);
/** 64 bits from the kernel (getrandom); never 0. */
uint64_t sc_random_entropy(void);

#endif
