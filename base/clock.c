/* SPDX-License-Identifier: Apache-2.0 */
/* The two clocks. Called by loops, logs and measurements; never by the pure modules, which are
 * given the time. */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t
read_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t
sc_clock_ms(void)
{
    return read_ns(CLOCK_MONOTONIC) / 1000000;
}

int64_t
sc_clock_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

int64_t
sc_clock_unix_ms(void)
{
    return read_ns(CLOCK_REALTIME) / 1000000;
}

char *
sc_clock_format(int64_t unix_ms, char *out)
{
    int64_t ms = (unix_ms % 1000 + 1000) % 1000;            // positive before 1970 too,
    time_t seconds = unix_ms / 1000 - (unix_ms % 1000 < 0); // where seconds round down
    struct tm t;
    size_t len;

    gmtime_r(&seconds, &t);
    len = strftime(out, SC_CLOCK_TEXT, "%Y-%m-%dT%H:%M:%S", &t);
    snprintf(out + len, SC_CLOCK_TEXT - len, ".%03dZ", (int)ms);
    return out;
}
