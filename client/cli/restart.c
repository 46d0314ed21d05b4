/* SPDX-License-Identifier: Apache-2.0 */
/* The rule for restarts, see restart.h. Called by `up`. */
#include "client/cli/restart.h"

enum { SECOND_MS = 1000, BACKOFF_FIRST_MS = 100, BACKOFF_MAX_MS = 5000 };

void
sc_restart_started(sc_restart *r, int64_t now_ms)
{
    r->starts_ms[r->n_starts++ % SC_RESTART_STARTS] = now_ms;
}

int64_t
sc_restart_delay(sc_restart *r, bool was_ready, int64_t now_ms)
{
    int64_t oldest = r->starts_ms[r->n_starts % SC_RESTART_STARTS];

    if (!was_ready) {
        r->backoff_ms = r->backoff_ms ? 2 * r->backoff_ms : BACKOFF_FIRST_MS;
        if (r->backoff_ms > BACKOFF_MAX_MS)
            r->backoff_ms = BACKOFF_MAX_MS;
        return r->backoff_ms;
    }
    r->backoff_ms = 0;
    if (r->n_starts < SC_RESTART_STARTS || now_ms - oldest >= SECOND_MS)
        return 0;
    return oldest + SECOND_MS - now_ms;
}
