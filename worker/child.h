/* SPDX-License-Identifier: Apache-2.0 */
/* One worker process as its supervisor sees it: when to start it again, whether its loop turns, how
 * it died. The rules without the doing; pure but for the page that it reads. */
#ifndef SC_CHILD_H
#define SC_CHILD_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "base/limits.h"
#include "worker/page.h"

typedef enum sc_child_state { SC_CHILD_WAITING, SC_CHILD_RUNNING, SC_CHILD_ENDED } sc_child_state;

typedef struct sc_child {
    uv_process_t process;
    sc_child_state state;
    char name[SC_NAME_MAX + 1];
    sc_shared_page page;        /* RUNNING */
    int64_t start_ms;           /* WAITING: when to start it */
    int64_t backoff_ms;         /* after the next death before it was ready */
    unsigned long long n_ticks; /* seen last */
    int64_t still_ms;           /* for so long by the supervisor's own ticks */
    bool is_stalled;            /* killed for that */
    bool is_killed;             /* killed because the supervisor was told to end */
    bool is_leaving;            /* it was asked to end, and is not started again */
} sc_child;

/* Starts of the last second, of all children together. */
enum { SC_STARTS_A_SECOND = 10 };
/* Until its loop turns for the first time a process may take this long, or its lease where that is
 * longer: plugins load what they need, and a model of some gigabytes takes a while. */
enum { SC_CHILD_START_MS = 60 * 1000 };
typedef struct sc_starts {
    int64_t at_ms[SC_STARTS_A_SECOND]; /* a ring; 0 = none yet */
    unsigned next;
} sc_starts;

/** When the next start may be, at the earliest now; it is counted. */
int64_t sc_starts_next(sc_starts *s, int64_t now_ms);
/** It has ended: WAITING, and for how long. */
void sc_child_wait(sc_child *c, sc_starts *starts, int64_t now_ms);
/** A tick of the supervisor. @param elapsed_ms  since its last one, as far as it ran itself
 *  @return true where the child's loop has stood still for lease_ms, or has not begun to turn since
 * the process was started, for SC_CHILD_START_MS: kill it */
bool sc_child_has_stalled(sc_child *c, int64_t elapsed_ms, int64_t lease_ms);
/** What its death was: sc_death; `detail` gets the signal or the exit status. */
sc_death sc_child_death(const sc_child *c, int64_t status, int signal, uint32_t *detail);

#endif
