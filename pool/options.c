/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of a pool: their defaults and their ranges. */
#include "pool/pool_int.h"

enum {
    MAX_CONNECTIONS =
        1000, /* of each of pool_size and max_overflow: ten times what a usual PostgreSQL takes */
};

const char *
sc_pool_options_find_bad(const sc_pool_options *o)
{
    if (o->driver == NULL || o->name == NULL) {
        return o->driver == NULL ? "driver" : "name";
    }
    if (o->pool_size < 1 || o->pool_size > MAX_CONNECTIONS) {
        return "pool_size";
    }
    if (o->max_overflow > MAX_CONNECTIONS) {
        return "max_overflow";
    }
    if (o->pool_timeout_ms < 0 || o->pool_recycle_ms < 0 || o->pre_ping_ms < -1) {
        return "pool_timeout_ms, pool_recycle_ms or pre_ping_ms";
    }
    if (o->connect_timeout_ms < 1 || o->breaker_open_ms < 1 || o->breaker_failures < 1) {
        return "connect_timeout_ms, breaker_open_ms or breaker_failures";
    }
    if (o->dial_limit < 1 || o->max_requests < 1 || o->max_request_bytes < 1) {
        return "dial_limit, max_requests or max_request_bytes";
    }
    return NULL;
}

void
sc_pool_options_init(sc_pool_options *options)
{
    *options = (sc_pool_options){
        .pool_size = 5,
        .max_overflow = 10,
        .pool_timeout_ms = 30000,
        .pre_ping_ms = 1000,
        .connect_timeout_ms = 5000,
        .breaker_open_ms = 5000,
        .breaker_failures = 5,
        .dial_limit = 4,
        .max_requests = 16384,
        .max_request_bytes = (size_t)256 * 1024 * 1024,
    };
}
