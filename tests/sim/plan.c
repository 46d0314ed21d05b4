/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs of a world: what each task is given, what it does at each attempt, and what its result must
 * be. All of it follows from the seed and the task's index, so a result can be judged on its own.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "proto/run.h"
#include "tests/sim/world.h"

// A report of a death names every started task that may not be repeated: so many fit.
enum { ONCE_MAX = 250 };

const char *const sc_plan_handlers[N_HANDLERS] = {"fast", "cpu", "once", "once.cpu"};

static uint64_t
mix(uint64_t a, uint64_t b)
{
    uint64_t z = (a ^ b * 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

uint64_t
sc_plan_hash(const void *data, size_t len)
{
    const uint8_t *bytes = data;
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3;
    return hash;
}

bool
sc_plan_is_once(const plan *j)
{
    return j->handler == HANDLER_ONCE || j->handler == HANDLER_ONCE_CPU;
}

/* ---- making ---- */

static uint64_t
pick_size(world *w, uint32_t n_plans)
{
    if (!w->shape.is_large)
        return 1 + sc_sim_random(w, 64 / n_plans);
    return 1 + sc_sim_random(w, 2 * 20000 / n_plans);
}

sc_uuid
sc_plan_new_id(world *w, uint32_t number)
{
    uint64_t bits[2] = {sc_random_u64(&w->random), sc_random_u64(&w->random)};
    return sc_uuid_v7(1700000000000 + number, bits);
}

// Most of its tasks keep them.
static void
set_limits(world *w, plan *j)
{
    uint32_t ms = 1 + (uint32_t)sc_sim_random(w, sc_sim_random(w, 2) ? 100 : 3000);
    j->timeout_ms = sc_sim_random(w, 4) ? ms : 0;
    if (!j->timeout_ms || sc_sim_random(w, 2))
        j->kill_after_ms = ms + 1 + (uint32_t)sc_sim_random(w, 500);
}

// A key, and a job that it waits for; of durable ones, which are not lost on the way.
static void
make_ties(world *w, plan *j)
{
    plan *after = j->number ? &w->plans[sc_sim_random(w, j->number)] : NULL;
    if (!j->is_durable)
        return;
    if (sc_sim_random(w, 3) == 0)
        snprintf(j->key, sizeof j->key, "key-%u", j->number);
    if (after && after->is_durable && sc_sim_random(w, 2))
        j->after = after;
    j->on_any = j->after && sc_sim_random(w, 2);
}

static void
make_one(world *w, plan *j, uint32_t number, uint32_t n_plans)
{
    static const uint32_t slowness[] = {0, 1, 2, 2, 3, 3};
    j->id = sc_plan_new_id(w, number);
    j->number = number;
    j->handler = (handler_kind)sc_sim_random(w, N_HANDLERS);
    j->is_array = sc_sim_random(w, 2);
    j->is_durable = sc_sim_random(w, 2) || w->shape.has_standby;
    j->n_tasks = pick_size(w, n_plans);
    if (sc_plan_is_once(j) && j->n_tasks > ONCE_MAX)
        j->n_tasks = ONCE_MAX;
    j->first = j->is_array && sc_sim_random(w, 2) ? sc_sim_random(w, 1 << 20) : 0;
    j->retries = (uint32_t)sc_sim_random(w, 4);
    j->priority = (uint32_t)sc_sim_random(w, SC_PRIORITIES);
    j->backoff_ms = sc_sim_random(w, 3) ? (uint32_t)sc_sim_random(w, 300) : 0;
    j->expires_ms = sc_sim_random(w, 8) ? 0 : 1 + (uint32_t)sc_sim_random(w, 2000);
    if (!w->shape.is_large && !w->shape.is_restarts_only && sc_sim_random(w, 5) == 0)
        set_limits(w, j);
    j->pad_bytes = sc_sim_random(w, 4) ? (uint32_t)sc_sim_random(w, 64) : 0;
    j->slowness = slowness[sc_sim_random(w, w->shape.is_large ? 2 : 6)];
    j->has_blocking = !w->shape.is_large && !w->shape.is_restarts_only && sc_sim_random(w, 6) == 0;
    for (int i = 0; i < POISON_MAX; i++)
        j->poison[i] = UINT64_MAX;
    make_ties(w, j);
    j->blames = calloc(j->n_tasks, sizeof *j->blames);
    j->maybes = calloc(j->n_tasks, sizeof *j->maybes);
    j->starts = calloc(j->n_tasks, sizeof *j->starts);
    j->handings = calloc(j->n_tasks, sizeof *j->handings);
    j->writes = calloc(j->n_tasks, sizeof *j->writes);
    SC_ASSERT(j->blames && j->maybes && j->starts && j->handings && j->writes);
}

void
sc_plan_make(world *w)
{
    w->n_plans = w->shape.n_plans;
    w->plans = calloc(w->n_plans, sizeof *w->plans);
    SC_ASSERT(w->plans);
    for (uint32_t i = 0; i < w->n_plans; i++)
        make_one(w, &w->plans[i], i, w->n_plans);
    for (uint64_t i = 0, n = sc_sim_random(w, POISON_MAX + 1); i < n && !w->shape.is_restarts_only;
         i++) {
        plan *j = &w->plans[sc_sim_random(w, w->n_plans)];
        j->poison[i] = j->first + sc_sim_random(w, j->n_tasks);
    }
}

void
sc_plan_rename(world *w, plan *j)
{
    j->old_ids[j->n_old++ % N_OLD_IDS] = j->id;
    j->id = sc_plan_new_id(w, j->n_old);
}

// Another of its submissions was faster: that one's id is the job's.
void
sc_plan_take_id(plan *j, const sc_uuid *id)
{
    j->old_ids[j->n_old++ % N_OLD_IDS] = j->id;
    j->id = *id;
}

// What was accepted is submitted anew, as another job; what was not its client says again itself,
// or is told that it is lost.
static void
lose(world *w, plan *j)
{
    process *client = w->clients[j->number % w->shape.n_clients];
    bool was_accepted = j->is_accepted;
    sc_history_forget(w->history, &j->id);
    sc_history_forget(w->shown, &j->id);
    memset(j->blames, 0, j->n_tasks * sizeof *j->blames);
    memset(j->maybes, 0, j->n_tasks * sizeof *j->maybes);
    memset(j->starts, 0, j->n_tasks * sizeof *j->starts);
    memset(j->handings, 0, j->n_tasks * sizeof *j->handings);
    j->is_accepted = j->is_unreadable = j->is_dropped = j->is_given_up = j->is_cancelled =
        j->is_unwanted = false;
    j->submitted_at = j->ended_at = 0;
    if (!was_accepted || !client || client->is_dead)
        return;
    j->n_losses++;
    sc_plan_rename(w, j);
    sc_client_submit_later(client, j);
}

// What was written of it is read again, so its ends are said again. A blame may have been lost with
// the coordinator, and whoever holds its tasks may be late.
static void
keep(world *w, plan *j)
{
    sc_history_forget(w->history, &j->id);
    j->has_failed = false;
    j->undone = (sc_undone){0};
    j->retry_write = 0;
    if (j->is_accepted)
        sc_history_accept(w->history, &j->id, j->first, j->n_tasks);
    for (uint64_t i = 0; i < j->n_tasks; i++) {
        j->maybes[i] = (uint8_t)(j->maybes[i] + j->blames[i]);
        j->blames[i] = 0;
        j->handings[i].is_alone = false;
        j->writes[i] = 0;
    }
    for (uint32_t i = 0; i < w->n_processes; i++) {
        running *t;
        if (w->processes[i]->kind == A_WORKER)
            LIST_FOREACH(t, &w->processes[i]->running, node)
                t->is_alone &= t->plan != j;
    }
}

void
sc_plan_lose(world *w)
{
    for (uint32_t i = 0; i < w->n_plans; i++)
        if (w->plans[i].is_durable)
            keep(w, &w->plans[i]);
        else
            lose(w, &w->plans[i]);
}

const sc_model_store *
sc_plan_store(const world *w, const plan *j)
{
    return j->is_durable ? w->host->kept : w->host->store;
}

void
sc_plan_free(world *w)
{
    for (uint32_t i = 0; i < w->n_plans; i++) {
        free(w->plans[i].blames);
        free(w->plans[i].maybes);
        free(w->plans[i].starts);
        free(w->plans[i].handings);
        free(w->plans[i].writes);
    }
    free(w->plans);
}

static bool
has_id(const plan *j, const sc_uuid *id)
{
    bool is_known = memcmp(&j->id, id, sizeof *id) == 0;
    for (uint32_t i = 0; !is_known && i < j->n_old && i < N_OLD_IDS; i++)
        is_known = memcmp(&j->old_ids[i], id, sizeof *id) == 0;
    return is_known;
}

plan *
sc_plan_find(const world *w, const sc_uuid *id)
{
    for (uint32_t i = 0; i < w->n_plans; i++)
        if (has_id(&w->plans[i], id))
            return &w->plans[i];
    return NULL;
}

bool
sc_plan_is_volatile_open(const world *w)
{
    for (uint32_t i = 0; i < w->n_plans; i++) {
        const plan *j = &w->plans[i];
        for (uint64_t k = 0; !j->is_durable && j->is_accepted && k < j->n_tasks; k++)
            if (!sc_history_has_result(w->history, &j->id, j->first + k))
                return true;
    }
    return false;
}

/* ---- payloads, values ---- */

uint32_t
sc_plan_max_payload(const plan *j)
{
    return 96 + j->pad_bytes;
}

uint32_t
sc_plan_payload(const world *w, const plan *j, uint64_t index, char *out, uint32_t size)
{
    uint32_t pad = 0;
    if (!j->is_array && j->pad_bytes)
        pad = (uint32_t)(mix(w->seed ^ j->number, index) % j->pad_bytes);
    int n = snprintf(out, size, "{\"job\":%" PRIu32 ",\"index\":%" PRIu64 ",\"pad\":\"%*s\"}",
                     j->number, index, (int)pad, "");
    SC_ASSERT(n > 0 && (uint32_t)n < size);
    return (uint32_t)n;
}

uint32_t
sc_plan_value(uint64_t payload_hash, char *out, uint32_t size)
{
    int n =
        snprintf(out, size, "\"%016" PRIx64 "%*s\"", payload_hash, (int)(payload_hash % 40), "");
    SC_ASSERT(n > 0 && (uint32_t)n < size);
    return (uint32_t)n;
}

/* ---- behaviour ---- */

static bool
is_poison(const plan *j, uint64_t index)
{
    for (int i = 0; i < POISON_MAX; i++)
        if (j->poison[i] == index)
            return true;
    return false;
}

static uint64_t
character(const world *w, const plan *j, uint64_t index)
{
    return mix(mix(w->seed, j->number + 1), index);
}

static uint32_t
n_failures(uint64_t character)
{
    return character % 16 == 0 ? 1 + (uint32_t)(character >> 8) % 4 : 0;
}

static bool
is_hopeless(uint64_t character)
{
    return character % 64 == 1;
}

static int64_t
takes_us(const plan *j, uint64_t h)
{
    static const int64_t most_us[] = {100, 2000, 200000, 50000};
    if (j->slowness == 3 && h % 8 == 0)
        return (int64_t)(h >> 8) % 3000000;
    return 5 + (int64_t)(h >> 8) % most_us[j->slowness];
}

// Whole seconds in which nothing is heard of its worker, with a moment in between or none.
static void
make_block(behaviour *b, uint64_t h)
{
    if (h % 8 != 0)
        return;
    b->n_blocks = 1 + (uint32_t)(h >> 8) % 4;
    b->block_us = (700 + (int64_t)(h >> 16) % 3800) * US_A_MS;
}

behaviour
sc_plan_behaviour(const world *w, const plan *j, uint64_t index, uint32_t attempt)
{
    uint64_t c = character(w, j, index);
    behaviour b = {.takes_us = takes_us(j, mix(c, attempt)), .does = DOES_END};
    if (j->has_blocking)
        make_block(&b, mix(c, 7));
    if (is_poison(j, index))
        b.does = DOES_CRASH;
    else if (is_hopeless(c))
        b.does = DOES_FAIL;
    else if (attempt <= n_failures(c))
        b.does = DOES_RETRY;
    return b;
}

/* ---- judging ---- */

static bool
has_code(const sc_model_result *r, const char *code)
{
    char text[64];
    int n = snprintf(text, sizeof text, "\"code\":\"%s\"", code);
    return memmem(r->value, r->len, text, (size_t)n) != NULL;
}

// Its worker was lost with it: as its supervisor says, where it had started; where nobody said
// anything, whatever was sent there counts as started.
static bool
was_lost(const world *w, const plan *j, uint64_t index)
{
    const handing *h = &j->handings[index - j->first];
    const sc_died *died = w->host->dying;
    if (!sc_plan_is_once(j) || !h->worker || h->worker == w->host->leaving ||
        sc_handing_was_safe(h))
        return false;
    if (!died || died->instance != h->worker->instance)
        return true;
    const sc_task_ref *refs = died->started.items;
    for (uint32_t i = 0; i < died->started.n; i++)
        if (refs[i].index == index && memcmp(&refs[i].job, &j->id, sizeof j->id) == 0)
            return true;
    return false;
}

// Ends that come from what befell the cluster; each needs its cause.
static bool
is_excused(const world *w, const plan *j, const sc_model_result *r)
{
    if (has_code(r, "unknown_outcome")) // what was begun before a restart, nobody may know of
        return was_lost(w, j, r->index) ||
               (j->is_durable && sc_plan_is_once(j) && w->n_restarts > 0);
    if (has_code(r, "expired"))
        return j->expires_ms > 0 && r->attempt == 1 && j->undone.dead_before == 0;
    if (has_code(r, "store_full"))
        return j->is_given_up;
    if (has_code(r, sc_error_name(SC_EMALFORMED)))
        return j->is_unreadable;
    uint32_t n = j->blames[r->index - j->first], n_maybe = j->maybes[r->index - j->first];
    return has_code(r, "poison") && n <= SC_POISON_COUNT && n + n_maybe >= SC_POISON_COUNT;
}

// An attempt over its time limit: of a task that may not be repeated it is the last.
static bool
was_over_limit(const plan *j, const sc_model_result *r)
{
    return (j->timeout_ms && has_code(r, sc_error_name(SC_ETIMEOUT))) ||
           (j->kill_after_ms && has_code(r, sc_error_name(SC_EKILLED)));
}

// As its plan says, or later, where attempts may be over their limits.
static bool
is_attempt(const plan *j, uint32_t attempt, uint32_t want)
{
    return attempt == want ||
           ((j->timeout_ms || j->kill_after_ms) && attempt > want && attempt <= j->retries + 1);
}

static const char *
wrong_with(const world *w, const plan *j, const sc_model_result *r)
{
    char payload[256], value[128];
    uint64_t c = character(w, j, r->index);
    uint32_t n_fails = n_failures(c);
    uint64_t place = r->index - j->first;
    bool is_cancelled = j->is_cancelled && place >= j->cancelled_from && place < j->cancelled_until;
    if (r->outcome == SC_CANCELLED && has_code(r, "parent_failed"))
        return j->after && !j->on_any && j->after->has_failed ? NULL : "its parent did not fail";
    if (r->outcome == SC_CANCELLED)
        return is_cancelled ? NULL : "nobody cancelled it";
    if (is_cancelled && r->outcome == SC_DEAD && has_code(r, "flaky") && r->attempt <= n_fails)
        return NULL; // and was not tried again
    if (r->outcome == SC_DEAD && is_excused(w, j, r))
        return NULL;
    if (r->outcome == SC_DEAD && was_over_limit(j, r))
        return sc_plan_is_once(j) || is_cancelled || r->attempt == j->retries + 1
                   ? NULL
                   : "it has attempts left";
    if (is_poison(j, r->index))
        return "poison does not end like this";
    if (is_hopeless(c))
        return r->outcome == SC_DEAD && has_code(r, "final") && is_attempt(j, r->attempt, 1)
                   ? NULL
                   : "is hopeless";
    if (n_fails > j->retries)
        return r->outcome == SC_DEAD && has_code(r, "flaky") && r->attempt == j->retries + 1
                   ? NULL
                   : "fails too often";
    if (r->outcome != SC_DONE)
        return "it should be done";
    if (!is_attempt(j, r->attempt, n_fails + 1))
        return "another attempt should have done it";
    uint32_t n = sc_plan_payload(w, j, r->index, payload, sizeof payload);
    n = sc_plan_value(sc_plan_hash(payload, n), value, sizeof value);
    return n == r->len && memcmp(value, r->value, n) == 0 ? NULL : "another value";
}

static bool
is_over_limit(const world *w)
{
    enum { PIECES_BYTES = 100 }; // of an array's arguments, which the store is not given
    return sc_model_store_bytes(w->host->store) + PIECES_BYTES * w->n_plans > w->host->store_limit;
}

void
sc_plan_ended(world *w, const sc_uuid *job, const sc_model_result *r)
{
    plan *j = sc_plan_find(w, job);
    if (!j || r->index < j->first || r->index - j->first >= j->n_tasks)
        sc_sim_fail(w, "a task %" PRIu64 " of no job ended", r->index);
    // All its tasks end at once, the first while the store holds too much.
    if (has_code(r, "store_full") && is_over_limit(w))
        j->is_given_up = true;
    sc_told_core_result(w, job, r);
    j->has_failed |= r->outcome != SC_DONE;
    const char *wrong = w->host->is_replaying ? NULL : wrong_with(w, j, r);
    if (wrong)
        sc_sim_fail(w, "task %" PRIu64 " of job %u (%s): %s; outcome %u attempt %u blames %u %.*s",
                    r->index, j->number, sc_plan_handlers[j->handler], wrong, r->outcome,
                    r->attempt, j->blames[r->index - j->first], (int)r->len, r->value);
}

// Nobody keeps what nobody wants.
static void
check_workers(const world *w)
{
    for (uint32_t i = 0; i < w->shape.n_workers; i++) {
        const process *p = w->workers[i];
        if (!p || p->is_dead || p->trouble_until_us >= w->now_us)
            continue;
        const running *t;
        uint32_t n_waiting = sc_session_n_waiting(p->session), n_calls = 0;
        uint32_t n_running = sc_session_n_running(p->session);
        LIST_FOREACH(t, &p->running, node) // a call goes on when its time is over
            n_calls += t->plan == NULL;
        if (n_waiting > 0 || n_running > n_calls)
            sc_sim_fail(w, "all has ended, and %u tasks wait and %u run in worker %u", n_waiting,
                        n_running, i);
    }
}

void
sc_plan_check_end(world *w)
{
    sc_cluster counters;
    sc_core_counters(w->host->core, &counters);
    sc_told_check_end(w);
    if (counters.queued + counters.delayed + counters.running + counters.jobs_open > 0)
        sc_sim_fail(
            w, "jobs are open: %" PRIu64 " tasks queued, %" PRIu64 " delayed, %" PRIu64 " running",
            counters.queued, counters.delayed, counters.running);
    uint64_t n_twice =
        sc_model_store_n_twice(w->host->store) + sc_model_store_n_twice(w->host->kept);
    if (n_twice > 0)
        sc_sim_fail(w, "%" PRIu64 " results were counted twice", n_twice);
    if (sc_model_store_bytes(w->host->store) != counters.memory_bytes)
        sc_sim_fail(w, "the store holds %" PRIu64 " bytes, the core believes %" PRIu64,
                    sc_model_store_bytes(w->host->store), counters.memory_bytes);
    if (counters.jobs_open == 0 && sc_model_store_n_chunks(w->host->store) > 0)
        sc_sim_fail(w, "%" PRIu64 " payloads were never dropped",
                    sc_model_store_n_chunks(w->host->store));
    check_workers(w);
    for (uint32_t i = 0; i < w->n_plans; i++)
        for (uint64_t k = 0; k < w->plans[i].n_tasks; k++)
            if (w->plans[i].blames[k] > SC_POISON_COUNT)
                sc_sim_fail(w, "task %" PRIu64 " of job %u ran on after three deaths", k, i);
}
