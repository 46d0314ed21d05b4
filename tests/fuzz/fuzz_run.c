/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a payload: what the checks let through can be cut anywhere and joined, and the parts
 * make up the whole. The first eight bytes say how: bytes of the table, tasks, the cut, what they
 * are. */
#include <stdlib.h>
#include <string.h>

#include "proto/run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD_BYTES = 8, MAX_TASK_BYTES = 512, MAX_JOINED_BYTES = 65536 };

static void
cut_tasks(sc_slice table, sc_slice bytes, uint32_t count, uint32_t cut)
{
    sc_slice front_table = table, front = bytes, back_table = table, back = bytes;
    cut %= count + 1;
    sc_tasks_slice(&front_table, &front, 0, cut);
    sc_tasks_slice(&back_table, &back, cut, count - cut);
    SC_ASSERT(sc_tasks_check(front_table, front, cut, MAX_TASK_BYTES) == 0);
    SC_ASSERT(sc_tasks_check(back_table, back, count - cut, MAX_TASK_BYTES) == 0);
    SC_ASSERT(front.len + back.len == bytes.len);
    SC_ASSERT(back.data == front.data + front.len);
}

static void
join_pieces(sc_slice table, sc_slice bytes, uint32_t count, uint64_t index)
{
    sc_buffer out;
    sc_buffer_init(&out, MAX_JOINED_BYTES);
    int rc = sc_array_join(table, bytes, index, &out);
    size_t n_digits = 1;
    for (uint64_t rest = index; rest >= 10; rest /= 10)
        n_digits++;
    SC_ASSERT(rc == 0 || (rc == SC_ELIMIT && out.len == 0));
    SC_ASSERT(rc < 0 || out.len == bytes.len + (count ? count - 1 : 0) * n_digits);
    sc_buffer_fini(&out);
}

static void
sum_records(sc_slice table, sc_slice bytes)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < sc_records_count(table); i++) {
        sc_record record = sc_records_get(table, i);
        SC_ASSERT(record.len <= MAX_TASK_BYTES && record.outcome < SC_N_OUTCOMES);
        sum += record.len;
    }
    SC_ASSERT(sum == bytes.len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint16_t head[HEAD_BYTES / sizeof(uint16_t)];
    if (size < HEAD_BYTES)
        return 0;
    memcpy(head, data, sizeof head);
    size_t left = size - HEAD_BYTES, table_bytes = head[0] < left ? head[0] : left;
    sc_slice table = sc_slice_borrow(data + HEAD_BYTES, table_bytes);
    sc_slice bytes = sc_slice_borrow(data + HEAD_BYTES + table_bytes, left - table_bytes);
    if (head[3] & 1) {
        if (sc_records_check(table, bytes, MAX_TASK_BYTES) == 0)
            sum_records(table, bytes);
        return 0;
    }
    if (sc_tasks_check(table, bytes, head[1], MAX_TASK_BYTES) == 0) {
        cut_tasks(table, bytes, head[1], head[2]);
        join_pieces(table, bytes, head[1], (uint64_t)head[2] * head[3] * head[3]);
    }
    return 0;
}
