/* SPDX-License-Identifier: Apache-2.0 */
/* The two clocks. Pure modules never call these: they are given the time. */
#ifndef SC_CLOCK_H
#define SC_CLOCK_H

#include <stdint.h>

/** Monotonic time in milliseconds (CLOCK_MONOTONIC); for deadlines and intervals. */
int64_t sc_clock_ms(void);

/** Monotonic time in nanoseconds; for measuring handlers and in bench/. */
int64_t sc_clock_ns(void);

/** Milliseconds since 1970-01-01 UTC; for what people see and for job ids. */
int64_t sc_clock_unix_ms(void);

/** "2026-11-23T08:11:02.123Z" into `out` (at least SC_CLOCK_TEXT bytes). Returns `out`. */
enum { SC_CLOCK_TEXT = 32 };
char *sc_clock_format(int64_t unix_ms, char *out);

#endif
