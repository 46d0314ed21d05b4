/* SPDX-License-Identifier: Apache-2.0 */
/* Free places of the spill file: see store_places.h. Buddies: free blocks of 512 bytes times a
 * power of two, each at a multiple of its size, found by where they begin, so that a freed one is
 * joined with its other half in constant time. A place takes the whole units it needs of a block;
 * the rest stays free. The file grows by blocks of the largest size, and only where nothing fits.
 */
#include "coordinator/store_places.h"

#include <stdlib.h>

#define HASH_NONFATAL_OOM 1

#include <uthash.h>
#include <utlist.h>

#include "base/error.h"
#include "base/slab.h"

enum {
    UNIT_BYTES = 512, // of places below a page: a chunk of a few tasks
    N_ORDERS = 17,    // 512 bytes to 32 MiB
    TOP_ORDER = N_ORDERS - 1,
    PAGE_ORDER = 3,
};
_Static_assert(SC_PLACES_MAX_BYTES == UNIT_BYTES << TOP_ORDER, "the largest block");
_Static_assert(SC_PLACES_PAGE_BYTES == UNIT_BYTES << PAGE_ORDER, "the block of a page");

/* A free stretch of the file. */
typedef struct block {
    int64_t offset;
    int64_t unpunched; // at most this much of it is on the disk
    int order;
    struct block *prev, *next; // places.free[order][unpunched > 0]
    UT_hash_handle hh;         // places.by_offset
} block;

struct sc_places {
    sc_slab blocks;
    block *by_offset;
    block *free[N_ORDERS][2];
    int64_t end;
    uint64_t unpunched; // in blocks of at least a page
};

int
sc_places_new(sc_places **out)
{
    sc_places *p = calloc(1, sizeof *p);
    if (!p)
        return SC_ENOMEM;
    sc_slab_init(&p->blocks, sizeof(block), 0);
    *out = p;
    return 0;
}

void
sc_places_free(sc_places **at)
{
    sc_places *p = *at;
    if (!p)
        return;
    HASH_CLEAR(hh, p->by_offset);
    sc_slab_fini(&p->blocks);
    free(p);
    *at = NULL;
}

/* ---- blocks ---- */

static int64_t
order_bytes(int order)
{
    return (int64_t)UNIT_BYTES << order;
}

static void
add(sc_places *p, block *b)
{
    HASH_ADD(hh, p->by_offset, offset, sizeof b->offset, b);
    if (!b->hh.tbl) { // without memory the place is lost until the file goes
        sc_slab_free(&p->blocks, b);
        return;
    }
    DL_PREPEND(p->free[b->order][b->unpunched > 0], b);
    if (b->order >= PAGE_ORDER)
        p->unpunched += (uint64_t)b->unpunched;
}

static void
take_away(sc_places *p, block *b)
{
    if (b->order >= PAGE_ORDER)
        p->unpunched -= (uint64_t)b->unpunched;
    DL_DELETE(p->free[b->order][b->unpunched > 0], b);
    HASH_DEL(p->by_offset, b);
}

static block *
find_buddy(const sc_places *p, const block *b)
{
    int64_t offset = b->offset ^ order_bytes(b->order);
    block *buddy = NULL;
    if (b->order < TOP_ORDER)
        HASH_FIND(hh, p->by_offset, &offset, sizeof offset, buddy);
    return buddy && buddy->order == b->order ? buddy : NULL;
}

// Frees a block and joins it with its other half, and so on.
static void
free_block(sc_places *p, int64_t offset, int order, int64_t unpunched)
{
    block *b = sc_slab_new(&p->blocks);
    if (!b)
        return; // lost until the file goes
    *b = (block){.offset = offset, .order = order, .unpunched = unpunched};
    for (block *buddy; (buddy = find_buddy(p, b));) {
        take_away(p, buddy);
        b->unpunched += buddy->unpunched;
        b->offset &= ~order_bytes(b->order);
        b->order++;
        sc_slab_free(&p->blocks, buddy);
    }
    add(p, b);
}

// Frees a stretch, cut into blocks. Each may hold all of what is on the disk: nobody knows where it
// lies.
static void
free_stretch(sc_places *p, int64_t offset, int64_t len, int64_t unpunched)
{
    while (len > 0) {
        int order = 0;
        while (order < TOP_ORDER && offset % order_bytes(order + 1) == 0 &&
               order_bytes(order + 1) <= len)
            order++;
        int64_t bytes = order_bytes(order);
        free_block(p, offset, order, unpunched < bytes ? unpunched : bytes);
        offset += bytes;
        len -= bytes;
    }
}

/* ---- places ---- */

static int64_t
rounded(size_t len)
{
    SC_ASSERT(len > 0 && len <= SC_PLACES_MAX_BYTES);
    int64_t step = len < SC_PLACES_PAGE_BYTES ? UNIT_BYTES : SC_PLACES_PAGE_BYTES;
    return ((int64_t)len + step - 1) / step * step;
}

// The smallest free block of at least `len` bytes; of two, one that is on the disk already.
static block *
find_block(const sc_places *p, int64_t len)
{
    for (int order = 0; order < N_ORDERS; order++)
        for (int is_unpunched = 1; order_bytes(order) >= len && is_unpunched >= 0; is_unpunched--)
            if (p->free[order][is_unpunched])
                return p->free[order][is_unpunched];
    return NULL;
}

int64_t
sc_places_take(sc_places *p, size_t len)
{
    int64_t bytes = rounded(len);
    block *b = find_block(p, bytes);
    if (!b) {
        free_block(p, p->end, TOP_ORDER, 0);
        if (!(b = find_block(p, bytes)))
            return -1;
        p->end += order_bytes(TOP_ORDER);
    }
    take_away(p, b);
    int64_t offset = b->offset, rest = order_bytes(b->order) - bytes, unpunched = b->unpunched;
    sc_slab_free(&p->blocks, b);
    free_stretch(p, offset + bytes, rest, unpunched);
    return offset;
}

void
sc_places_give(sc_places *p, int64_t offset, size_t len)
{
    int64_t bytes = rounded(len);
    SC_ASSERT(offset >= 0 && offset + bytes <= p->end);
    free_stretch(p, offset, bytes, bytes);
}

/* ---- punching ---- */

uint64_t
sc_places_unpunched(const sc_places *p)
{
    return p->unpunched;
}

uint32_t
sc_places_take_out(sc_places *p, sc_place *places, uint32_t max)
{
    uint32_t n = 0;
    for (int order = TOP_ORDER; order >= PAGE_ORDER; order--)
        for (block *b; n < max && (b = p->free[order][1]); n++) {
            take_away(p, b);
            places[n] = (sc_place){b->offset, order_bytes(order)};
            sc_slab_free(&p->blocks, b);
        }
    return n;
}

void
sc_places_put_back(sc_places *p, const sc_place *places, uint32_t n, bool is_punched)
{
    for (uint32_t i = 0; i < n; i++)
        free_stretch(p, places[i].offset, places[i].len, is_punched ? 0 : places[i].len);
}

/* ---- looking ---- */

int64_t
sc_places_end(const sc_places *p)
{
    return p->end;
}

uint64_t
sc_places_check(const sc_places *p)
{
    uint64_t bytes = 0, unpunched = 0;
    size_t n = 0;
    for (const block *b = p->by_offset; b; b = b->hh.next) {
        int64_t len = order_bytes(b->order);
        SC_ASSERT(b->offset % len == 0 && b->offset + len <= p->end);
        SC_ASSERT(b->unpunched >= 0 && b->unpunched <= len);
        SC_ASSERT(!find_buddy(p, b)); // or they would be one
        bytes += (uint64_t)len;
        unpunched += b->order >= PAGE_ORDER ? (uint64_t)b->unpunched : 0;
    }
    for (int i = 0; i < 2 * N_ORDERS; i++)
        for (const block *b = p->free[i / 2][i % 2]; b; b = b->next, n++)
            SC_ASSERT(b->order == i / 2 && (b->unpunched > 0) == i % 2);
    SC_ASSERT(n == HASH_COUNT(p->by_offset) && unpunched == p->unpunched);
    return bytes;
}
