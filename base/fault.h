/* SPDX-License-Identifier: Apache-2.0 */
/* Fault points: named places that a test can make fail: `if (SC_FAULT("pool.dial")) ...`. Compiled
 * to false unless SC_FAULTS is set. In a real program the environment variable
 * SEEDCORE_FAULTS="NAME:N[,NAME:N]" makes the Nth passing (from 1) of a point fail. */
#ifndef SC_FAULT_H
#define SC_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#ifdef SC_FAULTS
#define SC_FAULT(name) sc_fault_hit(name)
#else
#define SC_FAULT(name) false
#endif

/** True where this passing of the point must fail. Counts every passing. */
bool sc_fault_hit(const char *name);
/** Make the nth passing (from 1) of the point fail, once; 0 takes that back. Resets its count.
 *  @return false where the table of 64 points is full or the name is longer than 47 bytes */
bool sc_fault_set(const char *name, uint64_t nth);
/** How often the point was passed since sc_fault_set or the start; 0 for one never passed. */
uint64_t sc_fault_count(const char *name);
/** Forget all points. */
void sc_fault_reset(void);
/** Read SEEDCORE_FAULTS; called in main of each program.
 *  @return false where a word cannot be read; `bad` is then the text from there on, else NULL */
bool sc_fault_from_environment(const char **bad);

#endif
