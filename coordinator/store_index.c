/* SPDX-License-Identifier: Apache-2.0 */
/* Stretches of indexes in order: see store_index.h. A tree of two levels: leaves of at most
 * LEAF_STRETCHES in one array. Tasks end nearly in order, so most stretches are appended or joined
 * and an insertion moves little; the array of leaves moves once in a hundred insertions. */
#include "coordinator/store_index.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

enum {
    LEAF_STRETCHES = 256, // 3 KiB: what an insertion may have to move
    LEAF_FIRST = 4,       // of a new leaf: most jobs need no more
    LEAVES_FIRST = 2,
};

/* A stretch in 12 bytes: its first index counts from the base. */
typedef struct packed {
    uint32_t first, count, segment;
} packed;

struct sc_index_leaf {
    packed *stretches;
    uint32_t n, max;
};

void
sc_index_init(sc_index *x)
{
    *x = (sc_index){0};
}

void
sc_index_fini(sc_index *x)
{
    for (uint32_t i = 0; i < x->n_leaves; i++)
        free(x->leaves[i].stretches);
    free(x->leaves);
    *x = (sc_index){0};
}

/* ---- looking ---- */

// The last leaf that does not begin after `first`; the first one where all do.
static uint32_t
find_leaf(const sc_index *x, uint32_t first)
{
    uint32_t low = 0, high = x->n_leaves;
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;
        if (x->leaves[mid].stretches[0].first <= first)
            low = mid;
        else
            high = mid;
    }
    return low;
}

// How many stretches of a leaf do not begin after `first`.
static uint32_t
count_up_to(const sc_index_leaf *leaf, uint32_t first)
{
    uint32_t low = 0, high = leaf->n;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (leaf->stretches[mid].first <= first)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

bool
sc_index_find(const sc_index *x, uint64_t from, sc_stretch *out)
{
    if (x->n_leaves == 0 || (from > x->base && from - x->base > UINT32_MAX))
        return false;
    uint32_t first = from > x->base ? (uint32_t)(from - x->base) : 0;
    const sc_index_leaf *leaf = &x->leaves[find_leaf(x, first)];
    uint32_t at = count_up_to(leaf, first);
    if (at > 0 && first - leaf->stretches[at - 1].first < leaf->stretches[at - 1].count) {
        at--;
    } else if (at == leaf->n) { // the next one is in the next leaf
        if (++leaf == x->leaves + x->n_leaves)
            return false;
        at = 0;
    }
    const packed *p = &leaf->stretches[at];
    *out = (sc_stretch){x->base + p->first, p->count, p->segment};
    return true;
}

/* ---- adding ---- */

static bool
grow(sc_index *x, void *array_at, uint32_t *max, size_t item_bytes)
{
    void *grown = realloc(*(void **)array_at, 2ul * *max * item_bytes);
    if (!grown)
        return false;
    x->bytes += *max * item_bytes;
    *(void **)array_at = grown;
    *max *= 2;
    return true;
}

// A new leaf at a place of the array, with room for `max` stretches.
static sc_index_leaf *
new_leaf(sc_index *x, uint32_t at, uint32_t max)
{
    packed *stretches = malloc(max * sizeof *stretches);
    if (!x->leaves && (x->leaves = malloc(LEAVES_FIRST * sizeof *x->leaves))) {
        x->max_leaves = LEAVES_FIRST;
        x->bytes += LEAVES_FIRST * sizeof *x->leaves;
    }
    if (!stretches || !x->leaves ||
        (x->n_leaves == x->max_leaves && !grow(x, &x->leaves, &x->max_leaves, sizeof *x->leaves))) {
        free(stretches);
        return NULL;
    }
    x->bytes += max * sizeof *stretches;
    memmove(&x->leaves[at + 1], &x->leaves[at], (x->n_leaves - at) * sizeof *x->leaves);
    x->n_leaves++;
    x->leaves[at] = (sc_index_leaf){stretches, 0, max};
    return &x->leaves[at];
}

// Room in a full leaf for one more stretch at `at`: the upper half moves to a new leaf, or nothing
// does where the stretch is the last of all, so that what comes in order fills its leaves.
static sc_index_leaf *
split(sc_index *x, uint32_t number, uint32_t *at)
{
    bool is_last = number + 1 == x->n_leaves && *at == LEAF_STRETCHES;
    sc_index_leaf *upper = new_leaf(x, number + 1, is_last ? LEAF_FIRST : LEAF_STRETCHES);
    if (!upper)
        return NULL;
    sc_index_leaf *lower = &x->leaves[number];
    uint32_t keep = is_last ? LEAF_STRETCHES : LEAF_STRETCHES / 2;
    upper->n = lower->n - keep;
    memcpy(upper->stretches, lower->stretches + keep, upper->n * sizeof *upper->stretches);
    lower->n = keep;
    if (*at < keep || (*at == keep && !is_last))
        return lower;
    *at -= keep;
    return upper;
}

// Joins a stretch to its neighbours in the leaf where they are of one segment. @return true where
// it is now a part of one
static bool
join(sc_index_leaf *leaf, uint32_t at, const packed *new)
{
    packed *before = at > 0 ? &leaf->stretches[at - 1] : NULL;
    packed *after = at < leaf->n ? &leaf->stretches[at] : NULL;
    bool is_before =
        before && before->segment == new->segment && before->first + before->count == new->first;
    bool is_after =
        after && after->segment == new->segment &&new->first + new->count == after->first;
    if (is_before && is_after) {
        before->count += new->count + after->count;
        memmove(after, after + 1, (leaf->n - at - 1) * sizeof *after);
        leaf->n--;
    } else if (is_before) {
        before->count += new->count;
    } else if (is_after) {
        after->first = new->first;
        after->count += new->count;
    }
    return is_before || is_after;
}

bool
sc_index_add(sc_index *x, uint64_t first, uint64_t count, uint32_t segment)
{
    if (x->n_leaves == 0) { // whatever comes lies less than 2^31 from it, so 32 bits hold it
        x->base = first > SC_JOB_MAX_TASKS ? first - SC_JOB_MAX_TASKS : 0;
        if (!new_leaf(x, 0, LEAF_FIRST))
            return false;
    }
    packed new = {(uint32_t)(first - x->base), (uint32_t)count, segment};
    uint32_t number = find_leaf(x, new.first);
    sc_index_leaf *leaf = &x->leaves[number];
    uint32_t at = count_up_to(leaf, new.first);
    if (join(leaf, at, &new))
        return true;
    if (leaf->n == LEAF_STRETCHES)
        leaf = split(x, number, &at);
    else if (leaf->n == leaf->max && !grow(x, &leaf->stretches, &leaf->max, sizeof new))
        leaf = NULL;
    if (!leaf)
        return false;
    memmove(&leaf->stretches[at + 1], &leaf->stretches[at],
            (leaf->n - at) * sizeof *leaf->stretches);
    leaf->stretches[at] = new;
    leaf->n++;
    return true;
}
