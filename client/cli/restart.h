/* SPDX-License-Identifier: Apache-2.0 */
/* When a child that died is started again. One that died after it was ready: at once, at most ten
 * starts a second; one that died before: after 100 ms, doubling to 5 s. Pure. */
#ifndef SC_CLI_RESTART_H
#define SC_CLI_RESTART_H

#include <stdbool.h>
#include <stdint.h>

enum { SC_RESTART_STARTS = 10 };

typedef struct sc_restart {
    int64_t starts_ms[SC_RESTART_STARTS]; /* a ring of the last starts */
    uint64_t n_starts;
    int64_t backoff_ms; /* the last one; 0: none */
} sc_restart;

/** It was started. @param now_ms  monotonic */
void sc_restart_started(sc_restart *r, int64_t now_ms);
/** It died. @return how long to wait, in ms */
int64_t sc_restart_delay(sc_restart *r, bool was_ready, int64_t now_ms);

#endif
