/* SPDX-License-Identifier: Apache-2.0 */
/* The scan against the formats of msgpack, against each cut of them, and against msgpack-c: what it
 * lets through must unpack whole, and what msgpack-c cannot unpack it must not let through. */
#include "proto/scan.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <msgpack.h>

static const sc_scan_limits wide = {1 << 20, 32, 1 << 20};

/* Memory that ends before an unreadable page, so that reading one byte too many is seen. */
typedef struct edge {
    uint8_t *map, *end;
    size_t size;
} edge;

static edge
edge_new(size_t max_len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), n = (max_len + page - 1) / page * page;
    edge e = {.size = n + page};
    e.map = mmap(NULL, e.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(e.map, MAP_FAILED);
    cr_assert_eq(mprotect(e.map + n, page, PROT_NONE), 0);
    e.end = e.map + n;
    return e;
}

static int
scan_at(const edge *e, const void *data, size_t len, const sc_scan_limits *limits)
{
    memcpy(e->end - len, data, len);
    return sc_scan_msgpack(e->end - len, len, limits);
}

static bool
unpacks_whole(const void *data, size_t len)
{
    msgpack_zone zone;
    msgpack_object object;
    size_t used = 0;
    msgpack_zone_init(&zone, MSGPACK_ZONE_CHUNK_SIZE);
    bool is_good =
        msgpack_unpack(data, len, &used, &zone, &object) == MSGPACK_UNPACK_SUCCESS && used == len;
    msgpack_zone_destroy(&zone);
    return is_good;
}

// One of every format, with the smallest and the largest of those that hold their length.
static const struct {
    const char *name, *head;
    size_t head_len, zeros; // bytes 0 behind the head: contents, or so many small integers
} formats[] = {
    {"small integer", "\x00", 1, 0},
    {"largest small integer", "\x7f", 1, 0},
    {"negative small integer", "\xe0", 1, 0},
    {"minus one", "\xff", 1, 0},
    {"nil", "\xc0", 1, 0},
    {"false", "\xc2", 1, 0},
    {"true", "\xc3", 1, 0},
    {"float 32", "\xca", 1, 4},
    {"float 64", "\xcb", 1, 8},
    {"uint 8", "\xcc", 1, 1},
    {"uint 16", "\xcd", 1, 2},
    {"uint 32", "\xce", 1, 4},
    {"uint 64", "\xcf", 1, 8},
    {"int 8", "\xd0", 1, 1},
    {"int 16", "\xd1", 1, 2},
    {"int 32", "\xd2", 1, 4},
    {"int 64", "\xd3", 1, 8},
    {"empty string", "\xa0", 1, 0},
    {"fixstr", "\xbf", 1, 31},
    {"empty str 8", "\xd9\x00", 2, 0},
    {"str 8", "\xd9\xff", 2, 255},
    {"str 16", "\xda\x01\x00", 3, 256},
    {"str 32", "\xdb\x00\x01\x00\x00", 5, 65536},
    {"empty bin", "\xc4\x00", 2, 0},
    {"bin 8", "\xc4\x10", 2, 16},
    {"bin 16", "\xc5\x01\x01", 3, 257},
    {"bin 32", "\xc6\x00\x00\x00\x05", 5, 5},
    {"fixext 1", "\xd4", 1, 2},
    {"fixext 2", "\xd5", 1, 3},
    {"fixext 4", "\xd6", 1, 5},
    {"fixext 8", "\xd7", 1, 9},
    {"fixext 16", "\xd8", 1, 17},
    {"empty ext", "\xc7\x00", 2, 1},
    {"ext 8", "\xc7\x07", 2, 8},
    {"ext 16", "\xc8\x00\x07", 3, 8},
    {"ext 32", "\xc9\x00\x00\x00\x07", 5, 8},
    {"empty array", "\x90", 1, 0},
    {"fixarray", "\x9f", 1, 15},
    {"array 16", "\xdc\x01\x00", 3, 256},
    {"empty array 16", "\xdc\x00\x00", 3, 0},
    {"array 32", "\xdd\x00\x00\x00\x03", 5, 3},
    {"empty map", "\x80", 1, 0},
    {"fixmap", "\x8f", 1, 30},
    {"map 16", "\xde\x00\x03", 3, 6},
    {"map 32", "\xdf\x00\x00\x00\x03", 5, 6},
    {"nested", "\x92\x81\x01\x90", 4, 1},
};

Test(scan, every_format)
{
    edge e = edge_new(70000);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        size_t len = formats[i].head_len + formats[i].zeros;
        uint8_t *value = calloc(1, len + 1);
        memcpy(value, formats[i].head, formats[i].head_len);
        cr_expect_eq(scan_at(&e, value, len, &wide), 0, "%s", formats[i].name);
        cr_expect(unpacks_whole(value, len), "%s: msgpack-c agrees", formats[i].name);
        for (size_t cut = 0; cut < len; cut += 1 + cut / 300)
            cr_expect_eq(scan_at(&e, value, cut, &wide), SC_EMALFORMED, "%s: first %d bytes",
                         formats[i].name, (int)cut);
        cr_expect_eq(scan_at(&e, value, len + 1, &wide), SC_EMALFORMED, "%s: one more",
                     formats[i].name);
        free(value);
    }
    munmap(e.map, e.size);
}

Test(scan, refused)
{
    static const struct {
        const char *name, *data;
        size_t len;
        sc_scan_limits limits;
        int want;
    } rows[] = {
        {"reserved byte", "\xc1", 1, {10, 4, 10}, SC_EMALFORMED},
        {"reserved byte inside", "\x91\xc1", 2, {10, 4, 10}, SC_EMALFORMED},
        {"array of 4 G", "\xdd\xff\xff\xff\xff\x00", 6, {10, 4, 10}, SC_EMALFORMED},
        {"map of 4 G", "\xdf\xff\xff\xff\xff\x00", 6, {10, 4, 10}, SC_EMALFORMED},
        {"map of 2 G, which doubles to 4 G",
         "\xdf\x80\x00\x00\x00\x00",
         6,
         {10, 4, 10},
         SC_EMALFORMED},
        {"string of 4 G", "\xdb\xff\xff\xff\xff\x00", 6, {10, 4, 10}, SC_EMALFORMED},
        {"ext of 4 G", "\xc9\xff\xff\xff\xff\x00", 6, {10, 4, 10}, SC_EMALFORMED},
        {"an element is missing", "\x92\x00", 2, {10, 4, 10}, SC_EMALFORMED},
        {"a value is missing", "\x81\x00", 2, {10, 4, 10}, SC_EMALFORMED},
        {"as deep as allowed", "\x91\x91\x91\x00", 4, {10, 3, 10}, 0},
        {"too deep", "\x91\x91\x91\x00", 4, {10, 2, 10}, SC_EMALFORMED},
        {"empty but too deep", "\x91\x91\x90", 3, {10, 2, 10}, SC_EMALFORMED},
        {"scalars alone", "\x00", 1, {10, 0, 10}, 0},
        {"as many as allowed", "\x93\x00\x00\x00", 4, {10, 3, 4}, 0},
        {"too many", "\x93\x00\x00\x00", 4, {10, 3, 3}, SC_EMALFORMED},
        {"as long as allowed",
         "\xa3"
         "abc",
         4,
         {4, 3, 3},
         0},
        {"too long",
         "\xa3"
         "abc",
         4,
         {3, 3, 3},
         SC_ETOOLARGE},
    };
    edge e = edge_new(100);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int rc = scan_at(&e, rows[i].data, rows[i].len, &rows[i].limits);
        cr_expect_eq(rc, rows[i].want, "%s: got %d", rows[i].name, rc);
    }
    munmap(e.map, e.size);
}

// The deepest that the scan may ever be asked for is what msgpack-c can still unpack.
Test(scan, depth)
{
    for (size_t depth = 1; depth <= 40; depth++) {
        uint8_t nested[41];
        memset(nested, 0x91, depth);
        nested[depth] = 0;
        int rc = sc_scan_msgpack(nested, depth + 1, &wide);
        cr_expect_eq(rc, depth <= 32 ? 0 : SC_EMALFORMED, "depth %d", (int)depth);
        if (rc == 0)
            cr_expect(unpacks_whole(nested, depth + 1), "depth %d: msgpack-c agrees", (int)depth);
    }
}
