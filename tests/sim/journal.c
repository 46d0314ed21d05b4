/* SPDX-License-Identifier: Apache-2.0 */
/* The coordinator's journal: writes become safe a group at a time and later than they were made;
 * some groups fail, which refuses their uploads and keeps the rest; a crash leaves all that was
 * said to be safe and some of what was written after it. */
#include "proto/run.h"
#include "tests/sim/world.h"

static void
schedule(world *w)
{
    int64_t us = 1 + (int64_t)sc_sim_random(w, (uint64_t)w->shape.store_us);
    if (sc_sim_chance(w, 20))
        us *= 100;
    if (w->group.node.position == 0)
        sc_sim_set(w, &w->group, w->now_us + us);
}

static void
say_trouble(world *w, const char *why)
{
    if (w->is_in_trouble == (why != NULL))
        return;
    w->is_in_trouble = why != NULL;
    sc_core_trouble(w->core, why, sc_sim_ms(w));
}

// All uploads that wait are refused, the rest is kept and tried again.
static void
group_fails(world *w)
{
    uint64_t until = sc_model_journal_n_writes(w->journal);
    say_trouble(w, "the disk is full");
    for (uint64_t n = w->n_written + 1; n <= until; n++) {
        const sc_ticket *t = sc_model_journal_upload(w->journal, n);
        if (!t)
            continue;
        sc_ticket ticket = *t;
        sc_model_journal_refuse(w->journal, n);
        sc_core_stored(w->core, &ticket, SC_EJOURNAL, "the disk is full", sc_sim_ms(w));
    }
    schedule(w);
}

static void
group_done(world *w, event *e)
{
    (void)e;
    if (w->core_stalled_until_us > w->now_us) {
        sc_sim_set(w, &w->group, w->core_stalled_until_us + 1);
        return;
    }
    uint64_t left = sc_model_journal_n_writes(w->journal) - w->n_written;
    uint64_t until = w->n_written + (left ? 1 + sc_sim_random(w, left) : 0);
    sc_trace(w, TRACE_STORE, 9, until, 0);
    if (w->shape.is_journal_failing && sc_sim_chance(w, 100)) {
        group_fails(w);
    } else {
        say_trouble(w, NULL);
        for (uint64_t n = w->n_written + 1; n <= until; n++) {
            const sc_ticket *t = sc_model_journal_upload(w->journal, n);
            if (t)
                sc_core_stored(w->core, t, 0, NULL, sc_sim_ms(w));
        }
        w->n_written = until;
        sc_core_written(w->core, until, sc_sim_ms(w));
    }
    if (sc_model_journal_n_writes(w->journal) > w->n_written)
        schedule(w);
    sc_host_after_event(w);
}

void
sc_journal_start(world *w)
{
    w->journal = sc_model_journal_new();
    w->group = (event){.run = group_done, .is_kept = true};
}

// What a write is about becomes safe with it.
static void
note_write(world *w, const sc_action *a, uint64_t write)
{
    if (a->type == SC_ACTION_PUT_RANGE) {
        plan *j = sc_plan_find(w, &a->range.job);
        for (uint64_t i = 0; i < a->range.count; i++)
            j->writes[a->range.first + i - j->first] = write;
    } else if (a->type == SC_ACTION_PUT_RESULTS) {
        plan *j = sc_plan_find(w, &a->results.job);
        for (uint32_t i = 0, n = sc_records_count(a->results.table); i < n; i++)
            j->writes[a->results.base + sc_records_get(a->results.table, i).offset - j->first] =
                write;
    } else if (a->type == SC_ACTION_PUT_ATTEMPT) {
        plan *j = sc_plan_find(w, &a->attempt.job);
        j->writes[a->attempt.next.place] = write;
        sc_told_attempt(w, j, a->attempt.next.place, a->attempt.next.attempt);
    }
}

bool
sc_journal_write(world *w, const sc_action *action)
{
    sc_model_question question;
    if (!sc_model_journal_act(w->journal, action))
        return false;
    sc_model_store_act(w->kept, action, &question);
    note_write(w, action, sc_model_journal_n_writes(w->journal));
    schedule(w);
    return true;
}

uint64_t
sc_journal_last_write(world *w, const sc_message *m)
{
    const plan *j = sc_plan_find(w, &m->results.job);
    uint64_t last = 0;
    if (!j || !j->is_durable)
        return 0;
    for (uint32_t i = 0, n = sc_records_count(m->table); i < n; i++) {
        uint64_t write = j->writes[m->results.base + sc_records_get(m->table, i).offset - j->first];
        last = write > last ? write : last;
    }
    return last;
}

void
sc_journal_crash(world *w)
{
    uint64_t left = sc_model_journal_n_writes(w->journal) - w->n_written;
    sc_model_journal_crash(w->journal, w->n_written + sc_sim_random(w, left + 1));
    sc_heap_remove(&w->events, &w->group.node);
    w->n_written = 0;
    w->is_in_trouble = false;
}

static void
tell_attempt(void *arg, const sc_action *a)
{
    world *w = arg;
    const plan *j = a->type == SC_ACTION_PUT_ATTEMPT ? sc_plan_find(w, &a->attempt.job) : NULL;
    if (j)
        sc_told_attempt(w, j, a->attempt.next.place, a->attempt.next.attempt);
}

void
sc_journal_restore(world *w, int64_t at_ms)
{
    sc_model_journal_each(w->journal, tell_attempt, w);
    sc_model_journal_restore(w->journal, w->kept, w->core, at_ms);
}

bool
sc_journal_is_idle(const world *w)
{
    return sc_model_journal_n_writes(w->journal) == w->n_written;
}
