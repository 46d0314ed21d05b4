/* SPDX-License-Identifier: Apache-2.0 */
/* A look over msgpack bytes before anything is unpacked. msgpack-c allocates what a five-byte
 * header asks for before it has seen an element; so depth, counts and lengths are held against what
 * is really there first. */
#ifndef SC_SCAN_H
#define SC_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct sc_scan_limits {
    size_t max_bytes;
    uint32_t max_depth;   /* nested arrays and maps; at most 32 */
    uint32_t max_objects; /* all values together */
} sc_scan_limits;

/** Exactly one well-formed value within the limits, and nothing behind it?
 *  @return 0, SC_EMALFORMED (cut short, trailing bytes, reserved byte, too deep, too many),
 * SC_ETOOLARGE */
int sc_scan_msgpack(const uint8_t *data, size_t len, const sc_scan_limits *limits);

#endif
