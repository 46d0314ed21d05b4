/* SPDX-License-Identifier: Apache-2.0 */
/* Runs in a worker: see assignment.h. Only counts and marks; who is told of it is the session's
 * business. */
#include "worker/assignment.h"

#include <string.h>

#include "proto/run.h"

int
sc_assignment_init(sc_assignment *a, const sc_message *run)
{
    *a = (sc_assignment){.job = run->run.job,
                         .token = run->run.token,
                         .first = run->run.first,
                         .life = run->run.life,
                         .count = run->run.count,
                         .class = run->run.class,
                         .attempt = run->run.attempt,
                         .is_array = run->run.is_array,
                         .timeout_ms = (int64_t)run->run.timeout_ms,
                         .kill_after_ms = (int64_t)run->run.kill_after_ms,
                         .n_bytes = run->bytes.len,
                         .n_waiting = run->run.count,
                         .n_open = run->run.count};
    LIST_INIT(&a->started);
    a->table = sc_slice_keep(run->table);
    a->bytes = sc_slice_keep(run->bytes);
    if ((a->table.owner || run->table.len == 0) && (a->bytes.owner || run->bytes.len == 0))
        return 0;
    sc_assignment_fini(a);
    return SC_ENOMEM;
}

void
sc_assignment_fini(sc_assignment *a)
{
    sc_slice_drop(&a->table);
    sc_slice_drop(&a->bytes);
    sc_buffer_fini(&a->records);
    sc_buffer_fini(&a->values);
    sc_reference_release(a->reference);
}

bool
sc_assignment_is_answered(const sc_assignment *a, uint32_t offset)
{
    return a->answered[offset / 64] >> (offset % 64) & 1;
}

void
sc_assignment_answer(sc_assignment *a, uint32_t offset)
{
    SC_ASSERT(!sc_assignment_is_answered(a, offset));
    a->answered[offset / 64] |= (uint64_t)1 << (offset % 64);
    a->n_open--;
    if (offset >= a->next)
        a->n_waiting--;
}

/* Moves `next` by one, over the arguments of that task. */
static sc_slice
step(sc_assignment *a)
{
    sc_slice args = {0};

    if (!a->is_array) {
        args = sc_slice_part(a->bytes, a->next_byte, sc_tasks_len(a->table, a->next));
        a->next_byte += args.len;
    }
    a->next++;
    return args;
}

void
sc_assignment_take(sc_assignment *a, sc_started *out)
{
    SC_ASSERT(a->n_waiting > 0);
    while (sc_assignment_is_answered(a, a->next))
        (void)step(a);
    out->assignment = a;
    out->offset = a->next;
    out->args = step(a);
    out->report.state = SC_REPORT_NONE;
    a->n_waiting--;
    a->n_executing++;
    LIST_INSERT_HEAD(&a->started, out, node);
}

uint32_t
sc_assignment_give_back(sc_assignment *a, uint64_t first, uint64_t count, sc_range *ranges)
{
    uint32_t n = 0;

    for (uint32_t offset = a->next; offset < a->count; offset++) {
        uint64_t index = a->first + offset;

        if (index < first || index - first >= count || sc_assignment_is_answered(a, offset))
            continue;
        sc_assignment_answer(a, offset);
        if (n > 0 && ranges[n - 1].first + ranges[n - 1].count == index)
            ranges[n - 1].count++;
        else
            ranges[n++] = (sc_range){index, 1};
    }
    return n;
}

bool
sc_assignment_list(const sc_assignment *a, uint32_t *at, sc_held_run *out)
{
    uint32_t from = *at;
    uint32_t to;

    while (from < a->count && sc_assignment_is_answered(a, from))
        from++;
    for (to = from; to < a->count && !sc_assignment_is_answered(a, to); to++)
        if ((to < a->next) != (from < a->next))
            break;
    *at = to;
    *out = (sc_held_run){.job = a->job,
                         .token = a->token,
                         .first = a->first + from,
                         .count = to - from,
                         .is_started = from < a->next,
                         .attempt = a->attempt,
                         .life = a->life};
    return to > from;
}

uint64_t
sc_started_index(const sc_started *t)
{
    return t->assignment->first + t->offset;
}

int
sc_started_args(const sc_started *t, sc_buffer *scratch, sc_slice *out)
{
    const sc_assignment *a = t->assignment;
    int rc;

    if (!a->is_array) {
        *out = t->args;
        return 0;
    }
    sc_buffer_clear(scratch);
    rc = sc_array_join(a->table, a->bytes, sc_started_index(t), scratch);
    *out = sc_slice_borrow(scratch->data, scratch->len);
    return rc;
}
