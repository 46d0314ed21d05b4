/* SPDX-License-Identifier: Apache-2.0 */
/* Leases and heartbeats of one peer: see liveness.h. */
#include "proto/liveness.h"

void
sc_liveness_init(sc_liveness *l, int64_t heartbeat_ms, int64_t lease_ms, int64_t now_ms)
{
    *l = (sc_liveness){heartbeat_ms, lease_ms, now_ms, now_ms};
}

void
sc_liveness_heard(sc_liveness *l, int64_t now_ms)
{
    l->heard_ms = now_ms;
}

void
sc_liveness_said(sc_liveness *l, int64_t now_ms)
{
    l->said_ms = now_ms;
}

void
sc_liveness_shift(sc_liveness *l, int64_t late_ms)
{
    l->heard_ms += late_ms;
}

bool
sc_liveness_must_say(const sc_liveness *l, int64_t now_ms)
{
    return now_ms - l->said_ms >= l->heartbeat_ms;
}

bool
sc_liveness_is_gone(const sc_liveness *l, int64_t now_ms)
{
    return now_ms - l->heard_ms > l->lease_ms;
}

int64_t
sc_liveness_next_ms(const sc_liveness *l)
{
    int64_t say_ms = l->said_ms + l->heartbeat_ms;
    int64_t gone_ms = l->heard_ms + l->lease_ms + 1;
    return say_ms < gone_ms ? say_ms : gone_ms;
}
