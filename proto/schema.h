/* SPDX-License-Identifier: Apache-2.0 */
/* How each message lies on the wire: for each struct a table of fields. Only message.c, which
 * encodes and decodes by these tables, includes this. */
#ifndef SC_SCHEMA_H
#define SC_SCHEMA_H

#include "proto/message.h"

typedef enum sc_field_kind {
    SC_FIELD_U32,
    SC_FIELD_U64,
    SC_FIELD_I64,
    SC_FIELD_F64,
    SC_FIELD_BOOL,
    SC_FIELD_TEXT,
    SC_FIELD_UUID,
    SC_FIELD_TOKEN,
    SC_FIELD_LIST,
} sc_field_kind;

typedef struct sc_schema sc_schema;

typedef struct sc_field {
    uint8_t key;     /* on the wire; never reused within a struct */
    uint8_t kind;    /* sc_field_kind */
    uint16_t offset; /* in the struct */
    uint64_t max;    /* of a number; bytes of a text; items of a list */
    const char *name;
    const sc_schema *items; /* of a list */
} sc_field;

struct sc_schema {
    const char *name;
    uint16_t struct_bytes;
    uint16_t n_fields;
    const sc_field *fields; /* by ascending key */
};

/** The description of a message by its number on the wire, or NULL where there is none. */
const sc_schema *sc_schema_find(uint64_t type);
/** The number of a message's description. */
uint32_t sc_schema_type(const sc_schema *schema);

#endif
