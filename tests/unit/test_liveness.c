/* SPDX-License-Identifier: Apache-2.0 */
/* Heartbeats and leases to the millisecond, with the time passed in. */
#include "proto/liveness.h"

#include <criterion/criterion.h>

enum { HEARTBEAT = 200, LEASE = 800, START = 10000 };

Test(liveness, rows)
{
    static const struct {
        const char *name;
        int64_t heard, said, late; // after the start; -1 = not at all; late = 0: no late tick
        int64_t now;
        bool must_say, is_gone;
        int64_t next;
    } rows[] = {
        {"fresh", -1, -1, 0, 0, false, false, 200},
        {"just before the heartbeat", -1, -1, 0, 199, false, false, 200},
        {"heartbeat due", -1, -1, 0, 200, true, false, 200},
        {"said lately", -1, 150, 0, 349, false, false, 350},
        {"said, due again", -1, 150, 0, 350, true, false, 350},
        {"silent as long as the lease", -1, 700, 0, 800, false, false, 801},
        {"silent for longer", -1, 700, 0, 801, false, true, 801},
        {"heard in time", 500, 1200, 0, 1300, false, false, 1301},
        {"heard, then silent", 500, 1200, 0, 1301, false, true, 1301},
        {"the last sign counts", 900, 900, 0, 1000, false, false, 1100},
        {"stopped for long", -1, 3000, 3000, 3000, false, false, 3200},
        {"stopped, still silent after it", -1, 3700, 3000, 3801, false, true, 3801},
        {"stopped, then heard", 3000, 3700, 0, 3800, false, false, 3801},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_liveness l;
        sc_liveness_init(&l, HEARTBEAT, LEASE, START);
        if (rows[i].late > 0)
            sc_liveness_shift(&l, rows[i].late);
        if (rows[i].heard >= 0)
            sc_liveness_heard(&l, START + rows[i].heard);
        if (rows[i].said >= 0)
            sc_liveness_said(&l, START + rows[i].said);
        int64_t now = START + rows[i].now;
        cr_expect_eq(sc_liveness_must_say(&l, now), rows[i].must_say, "%s: must say", rows[i].name);
        cr_expect_eq(sc_liveness_is_gone(&l, now), rows[i].is_gone, "%s: gone", rows[i].name);
        cr_expect_eq(sc_liveness_next_ms(&l), START + rows[i].next, "%s: next", rows[i].name);
    }
}

// Whoever sleeps until next_ms finds one of the two true, and neither a moment before.
Test(liveness, next_is_exact)
{
    static const struct {
        const char *name;
        int64_t heartbeat, lease;
    } rows[] = {
        {"usual", 200, 800}, {"equal", 800, 800}, {"lease first", 5000, 100}, {"least", 1, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_liveness l;
        sc_liveness_init(&l, rows[i].heartbeat, rows[i].lease, START);
        int64_t next = sc_liveness_next_ms(&l);
        cr_expect(sc_liveness_must_say(&l, next) || sc_liveness_is_gone(&l, next), "%s",
                  rows[i].name);
        cr_expect_not(sc_liveness_must_say(&l, next - 1), "%s: say", rows[i].name);
        cr_expect_not(sc_liveness_is_gone(&l, next - 1), "%s: gone", rows[i].name);
    }
}
