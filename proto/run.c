/* SPDX-License-Identifier: Apache-2.0 */
/* Payload tables: see run.h. */
#include "proto/run.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"

enum { LEN_BYTES = sizeof(uint32_t) };

uint32_t
sc_tasks_count(sc_slice table)
{
    return (uint32_t)(table.len / LEN_BYTES);
}

uint32_t
sc_tasks_len(sc_slice table, uint32_t i)
{
    uint32_t len;
    memcpy(&len, table.data + (size_t)i * LEN_BYTES, LEN_BYTES);
    return len;
}

static uint64_t
sum_lengths(const uint8_t *table, uint32_t count)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t len;
        memcpy(&len, table + (size_t)i * LEN_BYTES, LEN_BYTES);
        sum += len;
    }
    return sum;
}

int
sc_tasks_check(sc_slice table, sc_slice bytes, uint32_t count, uint32_t max_bytes)
{
    if (table.len != (size_t)count * LEN_BYTES)
        return SC_EMALFORMED;
    for (uint32_t i = 0; i < count; i++)
        if (sc_tasks_len(table, i) > max_bytes)
            return SC_ETOOLARGE;
    return sum_lengths(table.data, count) == bytes.len ? 0 : SC_EMALFORMED;
}

void
sc_tasks_slice(sc_slice *table, sc_slice *bytes, uint32_t first, uint32_t count)
{
    uint64_t before = sum_lengths(table->data, first);
    *table = sc_slice_part(*table, (size_t)first * LEN_BYTES, (size_t)count * LEN_BYTES);
    *bytes = sc_slice_part(*bytes, before, sum_lengths(table->data, count));
}

uint32_t
sc_records_count(sc_slice table)
{
    return (uint32_t)(table.len / sizeof(sc_record));
}

sc_record
sc_records_get(sc_slice table, uint32_t i)
{
    sc_record record;
    memcpy(&record, table.data + (size_t)i * sizeof record, sizeof record);
    return record;
}

int
sc_records_check(sc_slice table, sc_slice bytes, uint32_t max_bytes)
{
    uint64_t sum = 0;
    if (table.len % sizeof(sc_record) != 0 || table.len == 0)
        return SC_EMALFORMED;
    for (uint32_t i = 0, n = sc_records_count(table); i < n; i++) {
        sc_record record = sc_records_get(table, i);
        if (record.outcome >= SC_N_OUTCOMES)
            return SC_EMALFORMED;
        if (record.len > max_bytes)
            return SC_ETOOLARGE;
        sum += record.len;
    }
    return sum == bytes.len ? 0 : SC_EMALFORMED;
}

int
sc_array_join(sc_slice table, sc_slice bytes, uint64_t index, sc_buffer *out)
{
    char digits[24];
    int n_digits = snprintf(digits, sizeof digits, "%" PRIu64, index);
    size_t start = out->len, at = 0;
    for (uint32_t i = 0, n = sc_tasks_count(table); i < n; i++) {
        uint32_t len = sc_tasks_len(table, i);
        int rc = i ? sc_buffer_add(out, digits, (size_t)n_digits) : 0;
        if (rc == 0 && len > 0)
            rc = sc_buffer_add(out, bytes.data + at, len);
        if (rc < 0) {
            out->len = start;
            return rc;
        }
        at += len;
    }
    return 0;
}
