/* SPDX-License-Identifier: Apache-2.0 */
/* The rules for one worker process: see child.h. Called by the supervisor only. */
#include "worker/child.h"

#include <signal.h>

enum { BACKOFF_MIN_MS = 100, BACKOFF_MAX_MS = 5000, SECOND_MS = 1000 };

int64_t
sc_starts_next(sc_starts *s, int64_t now_ms)
{
    int64_t oldest_ms = s->at_ms[s->next];
    int64_t at_ms =
        oldest_ms > 0 && oldest_ms + SECOND_MS > now_ms ? oldest_ms + SECOND_MS : now_ms;

    s->at_ms[s->next] = at_ms;
    s->next = (s->next + 1) % SC_STARTS_A_SECOND;
    return at_ms;
}

void
sc_child_wait(sc_child *c, sc_starts *starts, int64_t now_ms)
{
    bool was_ready = atomic_load(&c->page.head->is_ready);

    c->state = SC_CHILD_WAITING;
    if (was_ready) {
        c->backoff_ms = BACKOFF_MIN_MS;
        c->start_ms = sc_starts_next(starts, now_ms);
        return;
    }
    if (c->backoff_ms < BACKOFF_MIN_MS)
        c->backoff_ms = BACKOFF_MIN_MS;
    c->start_ms = now_ms + c->backoff_ms;
    c->backoff_ms = 2 * c->backoff_ms < BACKOFF_MAX_MS ? 2 * c->backoff_ms : BACKOFF_MAX_MS;
}

bool
sc_child_has_stalled(sc_child *c, int64_t elapsed_ms, int64_t lease_ms)
{
    unsigned long long n_ticks = atomic_load(&c->page.head->n_ticks);

    if (n_ticks != c->n_ticks) { // it turns
        c->n_ticks = n_ticks;
        c->still_ms = 0;
        return false;
    }
    c->still_ms += elapsed_ms;
    if (n_ticks == 0 && lease_ms < SC_CHILD_START_MS)
        lease_ms = SC_CHILD_START_MS;
    return c->still_ms > lease_ms;
}

static bool
is_fault(int signal)
{
    return signal == SIGSEGV || signal == SIGBUS || signal == SIGABRT || signal == SIGFPE ||
           signal == SIGILL;
}

sc_death
sc_child_death(const sc_child *c, int64_t status, int signal, uint32_t *detail)
{
    *detail = signal ? (uint32_t)signal : (uint32_t)status;
    if (c->is_stalled)
        return SC_DEATH_STALLED;
    if (c->is_killed || (!signal && atomic_load(&c->page.head->is_leaving)))
        return SC_DEATH_STOPPED;
    return !signal || is_fault(signal) ? SC_DEATH_FAULT : SC_DEATH_KILLED;
}
