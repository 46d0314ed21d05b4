/* SPDX-License-Identifier: Apache-2.0 */
/* See journal_numbers.h. */
#include "coordinator/journal_numbers.h"

#include <stdlib.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/error.h"

struct sc_numbers {
    uint64_t number;
    UT_hash_handle hh;
};

static sc_numbers *
find(sc_numbers *all, uint64_t number)
{
    sc_numbers *g = NULL;
    HASH_FIND(hh, all, &number, sizeof number, g);
    return g;
}

void
sc_numbers_add(sc_numbers **all, uint64_t number)
{
    if (find(*all, number))
        return;
    sc_numbers *g = calloc(1, sizeof *g);
    SC_ASSERT(g);
    g->number = number;
    HASH_ADD(hh, *all, number, sizeof g->number, g);
    SC_ASSERT(g->hh.tbl);
}

bool
sc_numbers_has(sc_numbers *all, uint64_t number)
{
    return find(all, number) != NULL;
}

void
sc_numbers_remove(sc_numbers **all, uint64_t number)
{
    sc_numbers *g = find(*all, number);
    if (g)
        HASH_DEL(*all, g);
    free(g);
}

void
sc_numbers_clear(sc_numbers **all)
{
    while (*all)
        sc_numbers_remove(all, (*all)->number);
}
