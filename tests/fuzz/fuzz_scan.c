/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as msgpack: what the scan lets through unpacks whole, is as deep and as many as it
 * says, and so costs bounded memory. The first byte chooses the limits. */
#include <msgpack.h>

#include "proto/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_DEPTH = 32, MAX_OBJECTS = 4096 };

// All values in it, none of them deeper than that.
static size_t
count_objects(const msgpack_object *object, uint32_t depth)
{
    size_t n = 1;
    if (object->type == MSGPACK_OBJECT_ARRAY) {
        SC_ASSERT(depth > 0);
        for (uint32_t i = 0; i < object->via.array.size; i++)
            n += count_objects(&object->via.array.ptr[i], depth - 1);
    } else if (object->type == MSGPACK_OBJECT_MAP) {
        SC_ASSERT(depth > 0);
        for (uint32_t i = 0; i < object->via.map.size; i++) {
            n += count_objects(&object->via.map.ptr[i].key, depth - 1);
            n += count_objects(&object->via.map.ptr[i].val, depth - 1);
        }
    }
    return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    sc_scan_limits limits = {SIZE_MAX, data[0] % (MAX_DEPTH + 1), MAX_OBJECTS >> (data[0] & 7)};
    if (sc_scan_msgpack(data + 1, size - 1, &limits) < 0)
        return 0;
    msgpack_zone zone;
    msgpack_object object;
    size_t used = 0;
    SC_ASSERT(msgpack_zone_init(&zone, MSGPACK_ZONE_CHUNK_SIZE));
    SC_ASSERT(msgpack_unpack((const char *)data + 1, size - 1, &used, &zone, &object) ==
              MSGPACK_UNPACK_SUCCESS);
    SC_ASSERT(used == size - 1);
    SC_ASSERT(count_objects(&object, limits.max_depth) <= limits.max_objects);
    msgpack_zone_destroy(&zone);
    return 0;
}
