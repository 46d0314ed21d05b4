/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that is refused. Linked into a test, each request for memory by our own code is the fault
 * point "memory": the linker puts the functions of memory.c in the place of malloc, calloc,
 * realloc, strdup and strndup. What libraries ask for is their own affair. */
#ifndef SC_TEST_MEMORY_H
#define SC_TEST_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* How a process ended of whose requests one was refused. */
typedef enum sc_memory_ending {
    SC_MEMORY_WENT_ON,
    SC_MEMORY_GAVE_UP,   // by an assertion of its own: something would have been lost
    SC_MEMORY_UNTOUCHED, // there were fewer requests
    SC_MEMORY_WRONG,     // what it did is not what it should have done
    SC_MEMORY_LEAKED,
    SC_MEMORY_ASTRAY, // by a signal, a sanitizer, or never
} sc_memory_ending;

/** Runs `live` again and again, each time in a process of its own where the next request at a fault
 * point is refused, until none is. Says on stderr which ended worse than `worst`.
 *  @param live  returns whether all was as it should be
 *  @return how many were refused; 0 where one ended worse */
uint64_t sc_memory_refuse_each(const char *point, bool (*live)(void), sc_memory_ending worst);
/** Called by `live`: it is counted only from the one to the other. Without, all of its life. */
void sc_memory_count(void);
void sc_memory_spare(void);

#endif
