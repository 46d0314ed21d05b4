/* SPDX-License-Identifier: Apache-2.0 */
/* The checker of histories: it finds what it is there to find, each kind of it, and nothing else.
 */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "tests/support/history.h"

enum { NO_OFFENCE = SC_N_OFFENCES };

/* What is said of the job, in words:
 *   accept FIRST COUNT | try INDEX ATTEMPT | read | retry | retry-dead | forget
 *   done|dead|cancelled INDEX ATTEMPT VALUE     a result
 *   end-STATE DONE DEAD CANCELLED               the end of the job */
static bool
say(sc_history *h, const sc_uuid *job, const char *words)
{
    char what[20];
    unsigned a = 0, b = 0, c = 0;
    cr_assert(sscanf(words, " %19[a-z-] %u %u %u", what, &a, &b, &c) > 0, "%s", words);
    for (uint32_t i = 0; i < SC_N_OUTCOMES; i++)
        if (strcmp(what, sc_outcome_name(i)) == 0)
            return sc_history_result(h, job, &(sc_seen_result){a, (sc_outcome)i, b, c});
    for (uint32_t i = 0; i < SC_N_JOB_STATES; i++)
        if (strncmp(what, "end-", 4) == 0 && strcmp(what + 4, sc_job_state_name(i)) == 0)
            return sc_history_end(h, job, &(sc_seen_end){(sc_job_state)i, a, b, c});
    if (strcmp(what, "accept") == 0)
        return sc_history_accept(h, job, a, b);
    if (strcmp(what, "try") == 0)
        return sc_history_attempt(h, job, a, b);
    if (strcmp(what, "read") == 0)
        sc_history_read(h, job);
    else if (strncmp(what, "retry", 5) == 0)
        sc_history_retry(h, job, what[5] != '\0');
    else if (strcmp(what, "forget") == 0)
        sc_history_forget(h, job);
    else
        cr_assert_fail("%s", words);
    return true;
}

typedef struct row {
    const char *name, *said;
    int want;          // the only kind that is found; NO_OFFENCE: none
    uint64_t n, index; // so often; of the first
    bool is_late;      // it is found at the end
} row;

static const row rows[] = {
    {"all well",
     "accept 5 2, done 6 1 7, dead 5 3 8, end-failed 1 1 0, read, done 6 1 7, dead 5 3 8, "
     "end-failed 1 1 0",
     NO_OFFENCE, 0, 0, false},
    {"results come first", "done 9 1 7, done 5 1 7, accept 5 5, done 7 1 1, done 6 1 1, done 8 1 1",
     NO_OFFENCE, 0, 0, false},
    {"cancelled", "accept 0 1, cancelled 0 0 1, end-cancelled 0 0 1", NO_OFFENCE, 0, 0, false},
    {"attempts go up", "accept 0 1, try 0 1, try 0 1, try 0 3, done 0 3 1", NO_OFFENCE, 0, 0,
     false},
    {"lost: no result", "accept 5 3, done 6 1 7", SC_OFFENCE_LOST, 2, 5, true},
    {"lost: no result, the counts say so too", "accept 5 3, done 6 1 7, end-succeeded 1 0 0",
     SC_OFFENCE_LOST, 2, 5, true},
    {"lost: by the counts alone", "accept 5 2, done 6 1 7, done 5 1 7, end-succeeded 1 0 0",
     SC_OFFENCE_LOST, 1, 5, true},
    {"twice: two results", "accept 5 1, done 5 1 7, done 5 1 7", SC_OFFENCE_TWICE, 1, 5, false},
    {"twice: two results before it was accepted", "done 5 1 7, done 5 1 7, accept 5 1",
     SC_OFFENCE_TWICE, 1, 5, false},
    {"twice: two values", "accept 5 1, done 5 1 7, dead 5 2 8", SC_OFFENCE_TWICE, 1, 5, false},
    {"twice: by the counts", "accept 5 1, done 5 1 7, end-succeeded 3 0 0", SC_OFFENCE_TWICE, 2, 5,
     true},
    {"strange: behind its job", "accept 5 1, done 5 1 7, done 6 1 7", SC_OFFENCE_STRANGE, 1, 6,
     false},
    {"strange: before its job", "accept 5 1, done 5 1 7, done 4 1 7", SC_OFFENCE_STRANGE, 1, 4,
     false},
    {"strange: tried outside of its job", "accept 5 1, try 6 1, done 5 1 7", SC_OFFENCE_STRANGE, 1,
     6, false},
    {"strange: outside, and accepted later", "done 5 1 7, done 6 1 7, accept 5 1",
     SC_OFFENCE_STRANGE, 1, 6, true},
    {"strange: never accepted", "done 5 1 7", SC_OFFENCE_STRANGE, 1, 5, true},
    {"changed: outcome", "accept 5 1, done 5 1 7, read, dead 5 1 7", SC_OFFENCE_CHANGED, 1, 5,
     false},
    {"changed: attempt", "accept 5 1, done 5 1 7, read, done 5 2 7", SC_OFFENCE_CHANGED, 1, 5,
     false},
    {"changed: value", "accept 5 1, done 5 1 7, read, done 5 1 8", SC_OFFENCE_CHANGED, 1, 5, false},
    {"changed: state", "accept 5 1, cancelled 5 1 7, end-cancelled 0 0 1, end-succeeded 0 0 1",
     SC_OFFENCE_CHANGED, 1, 5, false},
    {"changed: counts", "accept 5 1, done 5 1 7, end-succeeded 1 0 0, end-succeeded 0 0 1",
     SC_OFFENCE_CHANGED, 1, 5, false},
    {"changed: size", "accept 5 1, accept 5 2, done 5 1 7", SC_OFFENCE_CHANGED, 1, 5, false},
    {"backwards: tried", "accept 5 1, try 5 2, try 5 1, done 5 2 7", SC_OFFENCE_BACKWARDS, 1, 5,
     false},
    {"backwards: ended", "accept 5 1, try 5 2, done 5 1 7, done 5 2 7", SC_OFFENCE_BACKWARDS, 1, 5,
     false},
    {"counts: succeeded with a dead one", "accept 5 1, dead 5 1 7, end-succeeded 0 1 0",
     SC_OFFENCE_COUNTS, 1, 5, false},
    {"counts: failed without one", "accept 5 1, done 5 1 7, end-failed 1 0 0", SC_OFFENCE_COUNTS, 1,
     5, false},
    {"counts: not those of the results", "accept 5 2, dead 5 1 7, dead 6 1 7, end-failed 1 1 0",
     SC_OFFENCE_COUNTS, 1, 5, true},
    {"a retry ends them anew",
     "accept 0 3, done 0 2 1, dead 1 2 1, cancelled 2 0 1, retry, done 1 1 2, done 2 1 2, "
     "end-succeeded 3 0 0",
     NO_OFFENCE, 0, 0, false},
    {"a retry leaves what is done", "accept 0 1, done 0 2 1, retry, done 0 1 1", SC_OFFENCE_TWICE,
     1, 0, false},
    {"a retry of dead ones leaves the cancelled",
     "accept 0 2, dead 0 2 1, cancelled 1 0 1, retry-dead, done 0 1 1, done 1 1 2",
     SC_OFFENCE_TWICE, 1, 1, false},
    {"a retry that loses one", "accept 0 1, dead 0 2 1, retry", SC_OFFENCE_LOST, 1, 0, true},
    {"forgotten", "accept 0 9, done 3 1 1, forget", NO_OFFENCE, 0, 0, false},
};

static void
judge(const row *r)
{
    sc_history *h = sc_history_new();
    sc_uuid job = {{1}};
    bool fits = true;
    for (const char *words = r->said; words; words = strchr(words + 1, ','))
        fits &= say(h, &job, words + (*words == ','));
    cr_expect_eq(fits, r->want == NO_OFFENCE || r->is_late, "%s", r->name);
    cr_expect_eq(sc_history_first(h) == NULL, fits, "%s", r->name);
    sc_history_finish(h);
    for (int kind = 0; kind < SC_N_OFFENCES; kind++)
        cr_expect_eq(sc_history_n(h, (sc_offence_kind)kind), kind == r->want ? r->n : 0,
                     "%s: %s %d", r->name, sc_offence_name((sc_offence_kind)kind),
                     (int)sc_history_n(h, (sc_offence_kind)kind));
    const sc_offence *first = sc_history_first(h);
    cr_expect_eq(first == NULL, r->want == NO_OFFENCE, "%s", r->name);
    if (first) {
        cr_expect_eq((int)first->kind, r->want, "%s: %s", r->name, first->text);
        cr_expect_eq(first->index, r->index, "%s: %s", r->name, first->text);
        cr_expect_eq(memcmp(&first->job, &job, sizeof job), 0, "%s", r->name);
        cr_expect(first->text[0] != '\0', "%s", r->name);
    }
    sc_history_free(&h);
    cr_expect_null(h);
}

Test(history, finds_what_does_not_fit)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        judge(&rows[i]);
}

// From high to low, and far apart.
Test(history, any_order)
{
    sc_history *h = sc_history_new();
    sc_uuid job = {{1}}, other = {{2}};
    for (uint64_t i = 300; i-- > 100;)
        cr_assert(sc_history_result(h, &job, &(sc_seen_result){i, SC_DONE, 1, i}));
    cr_expect_eq(sc_history_n_accepted(h), 0);
    sc_history_accept(h, &job, 100, 200);
    sc_history_accept(h, &other, 0, 100000);
    for (uint64_t i = 0; i < 100000; i++)
        cr_assert(
            sc_history_result(h, &other, &(sc_seen_result){i * 77777 % 100000, SC_DONE, 1, i}));
    cr_expect(sc_history_has_result(h, &job, 100) && !sc_history_has_result(h, &job, 99) &&
              !sc_history_has_result(h, &job, 300) &&
              !sc_history_has_result(h, &(sc_uuid){{3}}, 0));
    cr_expect_eq(sc_history_n_accepted(h), 100200);
    sc_history_finish(h);
    cr_expect_null(sc_history_first(h));
    sc_history_free(&h);
}
