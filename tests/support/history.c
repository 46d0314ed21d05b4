/* SPDX-License-Identifier: Apache-2.0 */
/* See history.h. A bit for each task; ends may come before the acceptance is known (its answer is
 * on the way), so a job is made by whichever comes first. */
#include "tests/support/history.h"

#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "base/error.h"

typedef struct past_job {
    sc_uuid id;
    bool is_accepted;
    uint64_t first, count; // once accepted
    uint64_t lowest;       // index of bit 0, a multiple of 64
    uint64_t *ended;
    size_t n_words;
    uint64_t n_ended;
    UT_hash_handle hh;
} past_job;

struct sc_history {
    past_job *jobs; // in the order in which they were heard of
};

static void *
must(void *memory)
{
    SC_ASSERT(memory);
    return memory;
}

sc_history *
sc_history_new(void)
{
    return must(calloc(1, sizeof(sc_history)));
}

void
sc_history_free(sc_history **history)
{
    if (!*history)
        return;
    for (past_job *j; (j = (*history)->jobs);) {
        HASH_DEL((*history)->jobs, j);
        free(j->ended);
        free(j);
    }
    free(*history);
    *history = NULL;
}

static past_job *
find_job(const sc_history *h, const sc_uuid *id)
{
    past_job *j = NULL;
    HASH_FIND(hh, h->jobs, id, sizeof *id, j);
    return j;
}

static past_job *
get_job(sc_history *h, const sc_uuid *id)
{
    past_job *j = find_job(h, id);
    if (j)
        return j;
    j = must(calloc(1, sizeof *j));
    j->id = *id;
    HASH_ADD(hh, h->jobs, id, sizeof j->id, j);
    return j;
}

// Makes room for an index: words are added at the end, or everything moves up.
static void
cover(past_job *j, uint64_t index)
{
    uint64_t lowest = index & ~(uint64_t)63;
    if (j->n_words == 0)
        j->lowest = lowest;
    size_t front = lowest < j->lowest ? (size_t)((j->lowest - lowest) / 64) : 0;
    size_t need = front + j->n_words;
    if (front == 0 && (index - j->lowest) / 64 >= need)
        need = (size_t)((index - j->lowest) / 64 + 1);
    if (need == j->n_words)
        return;
    uint64_t *grown = must(calloc(need, sizeof *grown));
    if (j->n_words)
        memcpy(grown + front, j->ended, j->n_words * sizeof *grown);
    free(j->ended);
    j->ended = grown;
    j->n_words = need;
    j->lowest -= (uint64_t)front * 64;
}

static bool
has_bit(const past_job *j, uint64_t index)
{
    uint64_t bit = index - j->lowest;
    return j->n_words > 0 && index >= j->lowest && bit / 64 < j->n_words &&
           (j->ended[bit / 64] >> (bit % 64) & 1);
}

void
sc_history_accept(sc_history *h, const sc_uuid *job, uint64_t first, uint64_t count)
{
    past_job *j = get_job(h, job);
    j->is_accepted = true;
    j->first = first;
    j->count = count;
}

void
sc_history_forget(sc_history *h, const sc_uuid *job)
{
    past_job *j = find_job(h, job);
    if (!j)
        return;
    HASH_DEL(h->jobs, j);
    free(j->ended);
    free(j);
}

const char *
sc_history_end(sc_history *h, const sc_uuid *job, uint64_t index)
{
    past_job *j = get_job(h, job);
    if (j->is_accepted && (index < j->first || index - j->first >= j->count))
        return "outside of its job";
    if (has_bit(j, index))
        return "ended twice";
    cover(j, index);
    j->ended[(index - j->lowest) / 64] |= (uint64_t)1 << ((index - j->lowest) % 64);
    j->n_ended++;
    return NULL;
}

bool
sc_history_has_ended(const sc_history *h, const sc_uuid *job, uint64_t index)
{
    const past_job *j = find_job(h, job);
    return j && has_bit(j, index);
}

bool
sc_history_next_open(const sc_history *h, sc_uuid *job, uint64_t *index)
{
    for (const past_job *j = h->jobs; j; j = j->hh.next)
        for (uint64_t i = 0; j->is_accepted && i < j->count; i++)
            if (!has_bit(j, j->first + i)) {
                *job = j->id;
                *index = j->first + i;
                return true;
            }
    return false;
}

uint64_t
sc_history_n_accepted(const sc_history *h)
{
    uint64_t n = 0;
    for (const past_job *j = h->jobs; j; j = j->hh.next)
        n += j->is_accepted ? j->count : 0;
    return n;
}

uint64_t
sc_history_n_ended(const sc_history *h)
{
    uint64_t n = 0;
    for (const past_job *j = h->jobs; j; j = j->hh.next)
        n += j->is_accepted ? j->n_ended : 0;
    return n;
}
