/* SPDX-License-Identifier: Apache-2.0 */
/* The payload of a message: a table of fixed-size records in front of the bytes they describe, so
 * that a range is sliced without decoding. Two tables exist: of tasks (a length each) and of
 * results (a record each). Numbers on the wire are little-endian, which every machine we build for
 * is; the build refuses others. */
#ifndef SC_RUN_H
#define SC_RUN_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "proto/message.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "tables are written as they lie in memory");

/* One ended task. */
typedef struct sc_record {
    uint32_t offset;  /* index = base of the message + offset */
    uint32_t len;     /* bytes of the value, or of the error as JSON {"code","message"} */
    uint16_t attempt; /* from 1; 65535 stands for more */
    uint16_t worker;  /* in a page: which of its workers; else 0 */
    uint8_t outcome;  /* sc_outcome */
    uint8_t flags;    /* SC_RECORD_... */
    uint8_t reserved[2];
} sc_record;
_Static_assert(sizeof(sc_record) == 16, "records are 16 bytes on the wire");

enum {
    SC_RECORD_RETRY = 1, /* worker to coordinator: dead, but worth another attempt */
};

/** Tasks in a table of lengths. */
uint32_t sc_tasks_count(sc_slice table);
/** Is it a table of `count` lengths that add up to the bytes? @return 0, SC_EMALFORMED,
 * SC_ETOOLARGE (one over max_bytes) */
int sc_tasks_check(sc_slice table, sc_slice bytes, uint32_t count, uint32_t max_bytes);
/** Length of task i, which must be in the table. */
uint32_t sc_tasks_len(sc_slice table, uint32_t i);
/** Where tasks first..first+count-1 lie: both slices narrowed in place; no reference is taken. */
void sc_tasks_slice(sc_slice *table, sc_slice *bytes, uint32_t first, uint32_t count);

/** Records in a table of results. */
uint32_t sc_records_count(sc_slice table);
/** Record i, which must be in the table (copied: tables need not be aligned). */
sc_record sc_records_get(sc_slice table, uint32_t i);
/** Whole records, known outcomes, lengths that add up to the bytes, none over max_bytes.
 *  @return 0, SC_EMALFORMED, SC_ETOOLARGE */
int sc_records_check(sc_slice table, sc_slice bytes, uint32_t max_bytes);

/** Arguments of one task of an array: its pieces with the decimal index between them, appended to
 * `out`.
 *  @return 0, SC_ELIMIT, SC_ENOMEM */
SC_MUST_USE int sc_array_join(sc_slice table, sc_slice bytes, uint64_t index, sc_buffer *out);

#endif
