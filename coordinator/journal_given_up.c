/* SPDX-License-Identifier: Apache-2.0 */
/* See journal_given_up.h. */
#include "coordinator/journal_given_up.h"

#include <stdlib.h>

#include <uthash.h>

#include "base/error.h"

struct sc_given_up {
    uint64_t number;
    UT_hash_handle hh;
};

static sc_given_up *
find(sc_given_up *all, uint64_t number)
{
    sc_given_up *g = NULL;
    HASH_FIND(hh, all, &number, sizeof number, g);
    return g;
}

void
sc_given_up_add(sc_given_up **all, uint64_t number)
{
    if (find(*all, number))
        return;
    sc_given_up *g = calloc(1, sizeof *g);
    SC_ASSERT(g);
    g->number = number;
    HASH_ADD(hh, *all, number, sizeof g->number, g);
}

bool
sc_given_up_has(sc_given_up *all, uint64_t number)
{
    return find(all, number) != NULL;
}

void
sc_given_up_remove(sc_given_up **all, uint64_t number)
{
    sc_given_up *g = find(*all, number);
    if (g)
        HASH_DEL(*all, g);
    free(g);
}

void
sc_given_up_clear(sc_given_up **all)
{
    while (*all)
        sc_given_up_remove(all, (*all)->number);
}
