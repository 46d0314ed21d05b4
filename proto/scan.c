/* SPDX-License-Identifier: Apache-2.0 */
/* The look over msgpack bytes: see scan.h. Format: the msgpack specification, section "Formats". */
#include "proto/scan.h"

#include <stdbool.h>

enum { MAX_DEPTH = 32 };

/* One value's head. */
typedef struct head {
    size_t skip;       /* bytes of head and scalar body together */
    uint64_t children; /* values that follow inside it */
    bool is_container;
} head;

static uint64_t
read_be(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

// A head with a size field of `width` bytes that counts the bytes behind it, and an `extra` one.
static bool
sized(const uint8_t *p, size_t left, size_t width, size_t extra, head *h)
{
    if (left < 1 + width)
        return false;
    uint64_t n = read_be(p + 1, width);
    if (n > left)
        return false;
    h->skip = 1 + width + extra + n;
    return true;
}

static bool
sized_container(const uint8_t *p, size_t left, size_t width, unsigned per_element, head *h)
{
    if (left < 1 + width)
        return false;
    h->is_container = true;
    h->skip = 1 + width;
    h->children = read_be(p + 1, width) * per_element;
    return true;
}

static bool
read_marked(const uint8_t *p, size_t left, head *h)
{
    static const uint8_t scalar_bytes[] = {4, 8, 1, 2, 4,
                                           8, 1, 2, 4, 8};  // 0xca float .. 0xd3 int64
    static const uint8_t fixext_bytes[] = {1, 2, 4, 8, 16}; // behind a type byte
    uint8_t b = p[0];
    if (b >= 0xca && b <= 0xd3)
        return h->skip = 1u + scalar_bytes[b - 0xca], true;
    if (b >= 0xd4 && b <= 0xd8)
        return h->skip = 2u + fixext_bytes[b - 0xd4], true;
    switch (b) {
    case 0xc0: // nil
    case 0xc2: // false
    case 0xc3: // true
        return h->skip = 1, true;
    case 0xc4: // bin 8, 16, 32
    case 0xc5:
    case 0xc6:
        return sized(p, left, (size_t)1 << (b - 0xc4), 0, h);
    case 0xc7: // ext 8, 16, 32
    case 0xc8:
    case 0xc9:
        return sized(p, left, (size_t)1 << (b - 0xc7), 1, h);
    case 0xd9: // str 8, 16, 32
    case 0xda:
    case 0xdb:
        return sized(p, left, (size_t)1 << (b - 0xd9), 0, h);
    case 0xdc: // array 16, 32
    case 0xdd:
        return sized_container(p, left, (size_t)2 << (b - 0xdc), 1, h);
    case 0xde: // map 16, 32
    case 0xdf:
        return sized_container(p, left, (size_t)2 << (b - 0xde), 2, h);
    default: // 0xc1 is reserved
        return false;
    }
}

static bool
read_head(const uint8_t *p, size_t left, head *h)
{
    *h = (head){0};
    uint8_t b = p[0];
    if (b <= 0x7f || b >= 0xe0) { // small integers
        h->skip = 1;
    } else if (b <= 0x9f) { // fixmap, fixarray
        h->skip = 1;
        h->is_container = true;
        h->children = (b & 0x0f) * (b <= 0x8f ? 2u : 1u);
    } else if (b <= 0xbf) { // fixstr
        h->skip = 1u + (b & 0x1f);
    } else if (!read_marked(p, left, h)) {
        return false;
    }
    return h->skip <= left && h->children <= left - h->skip; // each child takes a byte at least
}

int
sc_scan_msgpack(const uint8_t *data, size_t len, const sc_scan_limits *limits)
{
    uint64_t open[MAX_DEPTH + 1] = {1}; // values still to come at each depth; one at the top
    uint32_t depth = 0, n_objects = 0;
    size_t at = 0;
    if (len > limits->max_bytes)
        return SC_ETOOLARGE;
    while (depth > 0 || open[0] > 0) {
        if (open[depth] == 0) {
            depth--;
            continue;
        }
        head h;
        if (at >= len || ++n_objects > limits->max_objects || !read_head(data + at, len - at, &h))
            return SC_EMALFORMED;
        open[depth]--;
        at += h.skip;
        if (!h.is_container)
            continue;
        if (depth >= limits->max_depth || depth >= MAX_DEPTH)
            return SC_EMALFORMED;
        open[++depth] = h.children;
    }
    return at == len ? 0 : SC_EMALFORMED;
}
