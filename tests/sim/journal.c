/* SPDX-License-Identifier: Apache-2.0 */
/* The coordinator's journal: writes become safe a group at a time and later than they were made;
 * some groups fail, which refuses their uploads and keeps the rest; of some the answer is lost; a
 * crash leaves all that was said to be safe and some of what was written after it. */
#include "proto/run.h"
#include "tests/sim/world.h"

static void
schedule(host *h)
{
    world *w = h->world;
    int64_t us = 1 + (int64_t)sc_sim_random(w, (uint64_t)w->shape.store_us);
    if (sc_sim_chance(w, 20))
        us *= 100;
    if (h->group.node.position == 0)
        sc_sim_set(w, &h->group, w->now_us + us);
}

static void
say_trouble(host *h, const char *why)
{
    if (h->is_in_trouble == (why != NULL))
        return;
    h->is_in_trouble = why != NULL;
    sc_core_trouble(h->core, why, sc_sim_ms(h->world));
}

// All uploads that wait are refused, the rest is kept and tried again.
static void
group_fails(host *h)
{
    world *w = h->world;
    say_trouble(h, "the disk is full");
    for (uint64_t n = h->n_written + 1, until = h->n_writes; n <= until; n++) {
        const sc_ticket *t = sc_model_journal_upload(w->journal, n);
        if (!t)
            continue;
        sc_ticket ticket = *t;
        sc_model_journal_refuse(w->journal, n);
        sc_core_stored(h->core, &ticket, SC_EJOURNAL, "the disk is full", sc_sim_ms(w));
    }
    schedule(h);
}

// The answer to its commit is lost. It is there or not, and what of it uploads something is not
// refused: it is written again, whole.
static void
group_unknown(host *h)
{
    say_trouble(h, "the connection is lost");
    schedule(h);
}

static void
group_written(host *h, uint64_t until)
{
    world *w = h->world;
    say_trouble(h, NULL);
    for (uint64_t n = h->n_written + 1; n <= until; n++) {
        const sc_ticket *t = sc_model_journal_upload(w->journal, n);
        if (t)
            sc_core_stored(h->core, t, 0, NULL, sc_sim_ms(w));
    }
    h->n_written = until;
    sc_core_written(h->core, until, sc_sim_ms(w));
}

// A group of one who was deposed is refused, and that ends it, unless its session is lost, too:
// then it tries for a while.
static void
group_deposed(host *h)
{
    if (sc_sim_random(h->world, 2)) {
        say_trouble(h, "the connection is lost");
        sc_host_after_event(h);
    } else {
        sc_host_deposed(h);
    }
}

static void
group_done(world *w, event *e)
{
    host *h = e->object;
    if (h->stalled_until_us > w->now_us) {
        sc_sim_set(w, &h->group, h->stalled_until_us + 1);
        return;
    }
    if (h->is_deposed) {
        group_deposed(h);
        return;
    }
    uint64_t left = h->n_writes - h->n_written;
    uint64_t until = h->n_written + (left ? 1 + sc_sim_random(w, left) : 0);
    sc_trace(w, TRACE_STORE, 9, until, 0);
    if (w->shape.is_journal_failing && sc_sim_chance(w, 100))
        group_fails(h);
    else if (w->shape.is_journal_failing && sc_sim_chance(w, 100))
        group_unknown(h);
    else
        group_written(h, until);
    if (h->n_writes > h->n_written)
        schedule(h);
    sc_host_after_event(h);
}

void
sc_journal_start(host *h)
{
    h->group = (event){.run = group_done, .object = h, .is_kept = true};
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
    } else if (a->type == SC_ACTION_PUT_STATE) {
        sc_retry_noted(w, a);
    }
}

bool
sc_journal_write(host *h, const sc_action *action)
{
    world *w = h->world;
    sc_model_question question;
    if (!sc_model_journal_is_write(action))
        return false;
    sc_model_store_write(h->kept, ++h->n_writes);
    sc_model_store_act(h->kept, action, &question);
    schedule(h);
    if (h->is_deposed)
        return true;
    sc_model_journal_act(w->journal, action);
    note_write(w, action, h->n_writes);
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
sc_journal_crash(host *h)
{
    world *w = h->world;
    sc_model_journal_crash(w->journal,
                           h->n_written + sc_sim_random(w, h->n_writes - h->n_written + 1));
}

// In the order of the writes: a task that was retried begins anew.
static void
replay(void *arg, const sc_action *a)
{
    host *h = arg;
    sc_model_question question;
    sc_model_store_act(h->kept, a, &question);
    const plan *j =
        a->type == SC_ACTION_PUT_ATTEMPT ? sc_plan_find(h->world, &a->attempt.job) : NULL;
    if (j)
        sc_told_attempt(h->world, j, a->attempt.next.place, a->attempt.next.attempt);
    else if (a->type == SC_ACTION_PUT_STATE)
        sc_retry_noted(h->world, a);
}

void
sc_journal_restore(host *h, int64_t at_ms)
{
    sc_model_journal_each(h->world->journal, replay, h);
    sc_model_journal_restore(h->world->journal, h->core, at_ms);
}

bool
sc_journal_is_idle(const host *h)
{
    return h->n_writes == h->n_written;
}
