/* SPDX-License-Identifier: Apache-2.0 */
/* Which places of the spill file are free. Pure: it knows numbers, no file. What is given back is
 * joined with its free neighbours and given out again; what nobody takes can be taken out to be
 * punched. */
#ifndef SC_STORE_PLACES_H
#define SC_STORE_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sc_places sc_places;

typedef struct sc_place {
    int64_t offset, len;
} sc_place;

enum {
    SC_PLACES_PAGE_BYTES = 4096, /* what a file system can punch */
    /* The longest place: a message of the largest size fits. */
    SC_PLACES_MAX_BYTES = 32 * 1024 * 1024,
};

/** @return 0, SC_ENOMEM */
int sc_places_new(sc_places **out);
void sc_places_free(sc_places **at);

/** A place for 1..SC_PLACES_MAX_BYTES bytes, or -1 without memory. One of at least a page begins on
 * a page and shares none. */
int64_t sc_places_take(sc_places *p, size_t len);
/** Give back what sc_places_take gave for the same `len`; it has been written to. */
void sc_places_give(sc_places *p, int64_t offset, size_t len);

/** Bytes that were given back, were not punched and are not in use: what the disk holds in vain. */
uint64_t sc_places_unpunched(const sc_places *p);
/** Take whole pages out to be punched, the longest first: up to `max` places. Nobody gets them
 * meanwhile. @return how many */
uint32_t sc_places_take_out(sc_places *p, sc_place *places, uint32_t max);
/** Put them back. @param is_punched  false: the file system could not */
void sc_places_put_back(sc_places *p, const sc_place *places, uint32_t n, bool is_punched);

/** Where the last place ends. */
int64_t sc_places_end(const sc_places *p);
/** Every invariant, in time linear in what is free. Aborts on the first that fails.
 *  @return bytes that are free */
uint64_t sc_places_check(const sc_places *p);

#endif
