/* SPDX-License-Identifier: Apache-2.0 */
/* What travels between two links, and what bare sockets that break the rules can send them. */
#include "proto/frames.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <czmq.h>

#include "base/fault.h"
#include "base/limits.h"
#include "tests/support/stations.h"

enum { MIB = 1024 * 1024 };

/* ---- messages ---- */

static uint8_t
byte_at(size_t i, size_t len)
{
    return (uint8_t)(i * 31 + len);
}

static sc_blob *
pattern(size_t len)
{
    sc_blob *blob = sc_blob_new(len);
    cr_assert_not_null(blob);
    for (size_t i = 0; i < len; i++)
        blob->data[i] = byte_at(i, len);
    return blob;
}

static bool
is_pattern(sc_slice s, size_t len)
{
    bool is_good = s.len == len;
    for (size_t i = 0; is_good && i < len; i++)
        is_good = s.data[i] == byte_at(i, len);
    return is_good;
}

// ZeroMQ's thread gives its reference back once the bytes are out.
static void
await_last_reference(const char *name, sc_blob *blob)
{
    uint64_t turns = 0;
    while (atomic_load(&blob->refs) > 1) {
        cr_assert_lt(turns++, 100000000u, "%s: a reference is left", name);
        sched_yield();
    }
}

// There and back: the hub answers with what it got.
static void
echo(station *s, uint64_t peer, const sc_message *message)
{
    if (message->table.len + message->bytes.len > 0)
        cr_expect_eq(sc_link_send(s->link, peer, message), 0);
}

Test(frames, payloads_both_ways)
{
    static const struct {
        const char *name, *endpoint;
        size_t table, bytes;
        bool has_owner;
    } rows[] = {
        {"tcp tiny", "tcp://127.0.0.1:0", 4, 0, false},
        {"tcp no table", "tcp://127.0.0.1:*", 0, 5, true},
        {"tcp copied", "tcp://localhost:0", 4, 1024, true},
        {"tcp shared", "tcp://127.0.0.1:0", 1028, 1025, true},
        {"tcp borrowed", "tcp://127.0.0.1:0", 16, 8192, true},
        {"tcp moved", "tcp://127.0.0.1:0", 8193, 8193, true},
        {"tcp large", "tcp://127.0.0.1:0", 4000, 256 * 1024, false},
        {"tcp largest", "tcp://127.0.0.1:0", 4, SC_TASK_MAX_BYTES, true},
        {"tcp 6", "tcp://[::1]:0", 4000, 256 * 1024, true},
        {"ipc", "ipc:///tmp/sc_test_link_payload", 4000, 256 * 1024, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        world w;
        world_init(&w);
        station *hub = station_listen(&w, 0, rows[i].endpoint);
        station *peer = station_connect(&w, 1, sc_link_endpoint(hub->link));
        station_introduce(&w, hub, peer);
        hub->react = echo;
        sc_blob *table = pattern(rows[i].table), *bytes = pattern(rows[i].bytes);
        sc_message m = {
            .type = SC_MSG_RESULTS, .table = sc_slice_of(table), .bytes = sc_slice_of(bytes)};
        if (!rows[i].has_owner)
            m.table.owner = m.bytes.owner = NULL;
        cr_assert_eq(sc_link_send(peer->link, 0, &m), 0, "%s", rows[i].name);
        RUN_UNTIL(&w, rows[i].name, peer->n_messages == 1);
        sc_link_close(&hub->link, station_closed, hub); // what was kept outlives the links
        sc_link_close(&peer->link, station_closed, peer);
        RUN_UNTIL(&w, rows[i].name, hub->n_closed + peer->n_closed == 2);
        if (rows[i].table > 0) {
            cr_expect(is_pattern(hub->table, rows[i].table), "%s: table there", rows[i].name);
            cr_expect(is_pattern(peer->table, rows[i].table), "%s: table back", rows[i].name);
            cr_expect(is_pattern(peer->bytes, rows[i].bytes), "%s: bytes back", rows[i].name);
        }
        await_last_reference(rows[i].name, table);
        await_last_reference(rows[i].name, bytes);
        sc_blob_unref(table);
        sc_blob_unref(bytes);
        world_fini(&w);
    }
}

Test(frames, send_refuses)
{
    world w;
    world_init(&w);
    station *hub = station_listen(&w, 0, "tcp://127.0.0.1:0");
    station *peer = station_connect(&w, 1, sc_link_endpoint(hub->link));
    station_introduce(&w, hub, peer);
    char *text = calloc(1, SC_HEADER_MAX_BYTES);
    sc_blob *blob = pattern(SC_MESSAGE_MAX_BYTES);
    sc_message too_large = {.type = SC_MSG_RUN, .bytes = sc_slice_of(blob)};
    sc_message bad = {.type = SC_MSG_BYE, .bye.reason = {text, SC_HEADER_MAX_BYTES}};
    cr_expect_eq(sc_link_send(peer->link, 0, &too_large), SC_ETOOLARGE, "payload");
    cr_expect_eq(sc_link_send(peer->link, 0, &bad), SC_EBADARG, "a text over its bound");
    cr_expect_eq(station_send(hub, 0, 1), UV_EHOSTUNREACH, "no peer");
    cr_expect_eq(station_send(hub, hub->peer + 1, 1), UV_EHOSTUNREACH, "not that peer");
    sc_fault_set("frames.add", 1);
    cr_expect_eq(station_send(peer, 0, 1), SC_ENOMEM, "no memory for the header");
    cr_expect_eq(station_send(hub, hub->peer, 7), 0, "the peer that is there");
    RUN_UNTIL(&w, "message", peer->n_messages == 1);
    cr_expect_eq(peer->last_number, 7u);
    cr_expect_eq(hub->n_messages, 1u, "nothing of the refused ones arrived");
    free(text);
    sc_blob_unref(blob);
    world_fini(&w);
}

Test(frames, no_memory_for_a_large_frame)
{
    world w;
    world_init(&w);
    station *hub = station_listen(&w, 0, "tcp://127.0.0.1:0");
    station *peer = station_connect(&w, 1, sc_link_endpoint(hub->link));
    station_introduce(&w, hub, peer);
    sc_blob *blob = pattern(MIB);
    sc_message m = {.type = SC_MSG_RESULTS, .table = sc_slice_of(blob), .bytes = sc_slice_of(blob)};
    for (uint64_t nth = 1; nth <= 3; nth++) {
        sc_fault_set("frames.blob", nth);
        cr_assert_eq(sc_link_send(peer->link, 0, &m), 0);
        RUN_UNTIL(&w, "outcome", hub->n_malformed + hub->n_messages == 1 + nth);
    }
    cr_expect_eq(hub->n_malformed, 2u, "table, then bytes");
    sc_blob_unref(blob);
    world_fini(&w);
}

/* ---- those who break the rules ---- */

static zsock_t *
raw_socket(int type, const char *endpoint, const char *own_id)
{
    zsock_t *raw = zsock_new(type);
    if (own_id)
        zsock_set_identity(raw, own_id);
    zsock_set_linger(raw, 0);
    cr_assert_eq(zmq_connect(zsock_resolve(raw), endpoint), 0);
    return raw;
}

static void
send_raw(zsock_t *raw, const char *header, size_t len, const size_t *frames)
{
    void *socket = zsock_resolve(raw);
    static const uint8_t zeros[9 * MIB];
    cr_assert_geq(zmq_send(socket, header, len, frames[0] ? ZMQ_SNDMORE : 0), 0);
    for (; frames[0]; frames++)
        cr_assert_geq(zmq_send(socket, zeros, frames[0] - 1, frames[1] ? ZMQ_SNDMORE : 0), 0);
}

#define WHO "\x81\x00\x02"

Test(frames, malformed_messages)
{
    static const struct {
        const char *name, *header;
        size_t len;
        size_t frames[8]; // sizes plus 1 of those behind the header
        bool is_good;
        const char *own_id;
    } rows[] = {
        {"good", WHO, 3, {0}, true, NULL},
        {"good with empty payload", WHO, 3, {1, 1}, true, NULL},
        {"good with payload", WHO, 3, {5, 10001}, true, NULL},
        {"empty header", "", 0, {0}, false, NULL},
        {"garbage", "\xc1\xff", 2, {0}, false, NULL},
        {"unknown type", "\x81\x00\x7f", 3, {0}, false, NULL},
        {"garbage with payload", "\xc1", 1, {5, 6}, false, NULL},
        {"two frames", WHO, 3, {5}, false, NULL},
        {"four frames", WHO, 3, {5, 6, 7}, false, NULL},
        {"nine frames", WHO, 3, {2, 2, 2, 2, 2, 2, 20000}, false, NULL},
        {"too large in all", WHO, 3, {9 * MIB, 9 * MIB}, false, NULL},
        {"own routing id", WHO, 3, {0}, false, "ann"},
        {"own routing id, four frames", WHO, 3, {5, 6, 7}, false, "ann"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        world w;
        world_init(&w);
        station *hub = station_listen(&w, 0, "tcp://127.0.0.1:0");
        zsock_t *raw = raw_socket(ZMQ_DEALER, sc_link_endpoint(hub->link), rows[i].own_id);
        send_raw(raw, rows[i].header, rows[i].len, rows[i].frames);
        RUN_UNTIL(&w, rows[i].name, hub->n_messages + hub->n_malformed == 1);
        cr_expect_eq(hub->n_messages, rows[i].is_good, "%s: %s", rows[i].name, hub->reason);
        cr_expect_eq(hub->peer == 0, rows[i].own_id != NULL, "%s: peer", rows[i].name);
        if (!rows[i].own_id) {
            send_raw(raw, WHO, 3, (size_t[]){0});
            RUN_UNTIL(&w, rows[i].name, hub->n_messages == 1u + rows[i].is_good);
        }
        zsock_destroy(&raw);
        world_fini(&w);
    }
}

Test(frames, malformed_from_the_listening_side)
{
    world w;
    world_init(&w);
    zsock_t *raw = zsock_new(ZMQ_DEALER);
    int port = zsock_bind(raw, "tcp://127.0.0.1:*");
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", port);
    station *peer = station_connect(&w, 0, endpoint);
    send_raw(raw, WHO, 3, (size_t[]){5, 0});
    send_raw(raw, WHO, 3, (size_t[]){0});
    RUN_UNTIL(&w, "both", peer->n_messages == 1 && peer->n_malformed == 1);
    cr_expect_str_eq(peer->reason, "message of 2 frames");
    zsock_destroy(&raw);
    world_fini(&w);
}
