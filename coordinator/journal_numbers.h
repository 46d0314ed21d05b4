/* SPDX-License-Identifier: Apache-2.0 */
/* A set of jobs, by their numbers in the journal. For a few. */
#ifndef SC_JOURNAL_NUMBERS_H
#define SC_JOURNAL_NUMBERS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct sc_numbers sc_numbers; /* NULL: none */

void sc_numbers_add(sc_numbers **all, uint64_t number);
bool sc_numbers_has(sc_numbers *all, uint64_t number);
void sc_numbers_remove(sc_numbers **all, uint64_t number);
void sc_numbers_clear(sc_numbers **all);

#endif
