/* SPDX-License-Identifier: Apache-2.0 */
/* The runs of a worker: see backlog.h. Called by the session only; bounded by the credit that the
 * session watches. */
#include "worker/backlog.h"

// The coordinator counts what it gave; calls may come beyond the credit. What passes this bound
// goes back.
enum { CREDIT_SLACK = 2 };

void
sc_backlog_init(sc_backlog *b)
{
    *b = (sc_backlog){0};
    sc_slab_init(&b->slab, sizeof(sc_assignment), 0);
    TAILQ_INIT(&b->all);
    for (int kind = 0; kind < SC_N_SLOT_KINDS; kind++)
        for (int class = 0; class < SC_BACKLOG_CLASSES; class ++)
            TAILQ_INIT(&b->queues[kind][class]);
}

void
sc_backlog_fini(sc_backlog *b)
{
    sc_assignment *a;

    for (a = TAILQ_FIRST(&b->all); a; a = TAILQ_NEXT(a, node)) {
        SC_ASSERT(a->n_executing == 0);
        sc_assignment_fini(a);
    }
    sc_slab_fini(&b->slab);
}

bool
sc_backlog_has_room(const sc_backlog *b, const sc_hello *hello, const sc_message *run)
{
    uint64_t n_tasks = (uint64_t)b->n_waiting + b->n_running + run->run.count;
    uint64_t n_bytes = b->n_bytes + run->bytes.len;

    return n_tasks <= CREDIT_SLACK * (uint64_t)hello->credit_tasks + SC_CHUNK_MAX_TASKS &&
           n_bytes <= CREDIT_SLACK * hello->credit_bytes + SC_TASK_MAX_BYTES;
}

sc_assignment *
sc_backlog_add(sc_backlog *b, const sc_message *run)
{
    sc_assignment *a = sc_slab_new(&b->slab);

    if (!a)
        return NULL;
    if (sc_assignment_init(a, run) != 0) {
        sc_slab_free(&b->slab, a);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&b->all, a, node);
    LIST_INSERT_HEAD(&b->buckets[a->token.run % SC_BACKLOG_BUCKETS], a, bucket_node);
    b->n_bytes += a->n_bytes;
    b->n_waiting += a->n_waiting;
    return a;
}

void
sc_backlog_enqueue(sc_backlog *b, sc_assignment *a)
{
    TAILQ_INSERT_TAIL(&b->queues[a->kind][a->class], a, queue_node);
    b->classes[a->kind] |= 1u << a->class;
    a->is_queued = true;
}

static void
dequeue(sc_backlog *b, sc_assignment *a)
{
    struct sc_assignments *queue = &b->queues[a->kind][a->class];

    TAILQ_REMOVE(queue, a, queue_node);
    if (TAILQ_EMPTY(queue))
        b->classes[a->kind] &= ~(1u << a->class);
    a->is_queued = false;
}

sc_assignment *
sc_backlog_find(sc_backlog *b, sc_token token)
{
    sc_assignment *a;

    for (a = LIST_FIRST(&b->buckets[token.run % SC_BACKLOG_BUCKETS]); a;
         a = LIST_NEXT(a, bucket_node))
        if (a->token.run == token.run && a->token.epoch == token.epoch)
            return a;
    return NULL;
}

sc_assignment *
sc_backlog_first(const sc_backlog *b, sc_slot_kind kind, bool may_once)
{
    uint32_t classes = b->classes[kind];
    sc_assignment *a;

    while (classes) {
        int class = 31 - __builtin_clz(classes);

        TAILQ_FOREACH(a, &b->queues[kind][class], queue_node)
            if (may_once || !a->is_once)
                return a;
        classes &= ~(1u << class);
    }
    return NULL;
}

bool
sc_backlog_take(sc_backlog *b, sc_slot_kind kind, bool may_once, sc_started *out)
{
    sc_assignment *a = sc_backlog_first(b, kind, may_once);

    if (!a)
        return false;
    sc_assignment_take(a, out);
    b->n_waiting--;
    b->n_running++;
    if (a->n_waiting == 0)
        dequeue(b, a);
    return true;
}

uint32_t
sc_backlog_give_back(sc_backlog *b, sc_assignment *a, const sc_range *range, sc_range *ranges)
{
    uint32_t n_waiting = a->n_waiting;
    uint32_t n_ranges = sc_assignment_give_back(a, range->first, range->count, ranges);

    b->n_waiting -= n_waiting - a->n_waiting;
    return n_ranges;
}

void
sc_backlog_answer(sc_backlog *b, sc_assignment *a, uint32_t offset)
{
    if (offset < a->next)
        b->n_running--;
    else
        b->n_waiting--;
    sc_assignment_answer(a, offset);
}

void
sc_backlog_settle(sc_backlog *b, sc_assignment *a)
{
    if (a->is_queued && a->n_waiting == 0)
        dequeue(b, a);
    if (a->n_open > 0 || a->n_executing > 0 || a->is_dirty)
        return;
    TAILQ_REMOVE(&b->all, a, node);
    LIST_REMOVE(a, bucket_node);
    b->n_bytes -= a->n_bytes;
    sc_assignment_fini(a);
    sc_slab_free(&b->slab, a);
}

bool
sc_backlog_check(const sc_backlog *b)
{
    uint64_t n_waiting = 0, n_open = 0, n_bytes = 0;
    const sc_assignment *a;

    for (a = TAILQ_FIRST(&b->all); a; a = TAILQ_NEXT(a, node)) {
        bool has_args = !a->reference || a->reference->state == SC_REFERENCE_READY;

        if (a->is_queued != (has_args && a->n_waiting > 0) || a->n_open < a->n_waiting ||
            a->n_open - a->n_waiting > a->n_executing)
            return false;
        n_waiting += a->n_waiting;
        n_open += a->n_open;
        n_bytes += a->n_bytes;
    }
    return n_waiting == b->n_waiting && n_open - n_waiting == b->n_running && n_bytes == b->n_bytes;
}
