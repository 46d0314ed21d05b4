/* SPDX-License-Identifier: Apache-2.0 */
/* The seeded generator (xoshiro256**, seeded by SplitMix64) and the kernel's entropy. The generator
 * serves whatever must replay; it is not for secrets. */
#include "base/random.h"

#include <errno.h>
#include <sys/random.h>

#include "base/error.h"

static uint64_t
rotate_left(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static uint64_t
splitmix64(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

void
sc_random_init(sc_random *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        r->s[i] = splitmix64(&seed);
}

uint64_t
sc_random_u64(sc_random *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t
sc_random_below(sc_random *r, uint64_t bound)
{
    uint64_t n_uneven;
    uint64_t x;

    if (bound == 0)
        return 0;
    // 2^64 mod bound: leaving out that many numbers makes every remainder equally frequent.
    n_uneven = -bound % bound;
    do
        x = sc_random_u64(r);
    while (x < n_uneven);
    return x % bound;
}

double
sc_random_double(sc_random *r)
{
    return (double)(sc_random_u64(r) >> 11) * 0x1p-53; // a double holds 53 bits
}

uint64_t
sc_random_entropy(void)
{
    uint64_t x = 0;

    // Up to 256 bytes come whole or not at all, and only a signal before the first seeding stops
    // it.
    while (x == 0) {
        ssize_t n = getrandom(&x, sizeof(x), 0);

        SC_ASSERT(n == (ssize_t)sizeof(x) || (n < 0 && errno == EINTR));
    }
    return x;
}
