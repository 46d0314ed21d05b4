/* SPDX-License-Identifier: Apache-2.0 */
/* What is read of an ended job that is tried again (sc_tasks_reader): slice by slice, merged as it
 * comes, and no more than its bounds allow. */
#include "tests/unit/test_journal_support.h"

enum { MAX_TASKS = 5000 };
static const sc_undone dead_ones = {UINT32_MAX, 0}, all = {UINT32_MAX, UINT32_MAX};

/* A job: outcomes by place, a letter each, again and again ('d' done, 'x' dead, 'c' cancelled); but
 * for one place, and for those from `tail` on, which are dead. */
typedef struct layout {
    uint64_t n_tasks;
    uint32_t chunk;  // tasks of each; 0: an array
    uint32_t n_rows; // of a chunk: each has every so manieth of its tasks
    const char *outcomes;
    uint64_t dead; // the one place
    uint64_t tail; // a row over all of them
} layout;

static uint32_t
outcome_at(const layout *l, uint64_t place)
{
    char c = l->outcomes[place % strlen(l->outcomes)];
    return place == l->dead || place >= l->tail || c == 'x' ? SC_DEAD
           : c == 'c'                                       ? SC_CANCELLED
                                                            : SC_DONE;
}

static void
put(struct world *w, const sc_action *a)
{
    cr_assert_eq(w->b->put(w->journal, a, &w->err), 0, "%s", w->err.text);
}

static void
put_job(struct world *w, const layout *l)
{
    static sc_saved_chunk chunks[MAX_TASKS];
    sc_saved_job saved = {0};
    sc_action a = open_action(3, &saved, l->chunk ? SC_JOB_STAGED : SC_JOB_FAILED);
    saved.state.n_tasks = l->n_tasks;
    put(w, &a);
    if (l->chunk == 0)
        return;
    uint32_t n = 0;
    for (uint64_t place = 0; place < l->n_tasks; place += l->chunk)
        chunks[n++] = (sc_saved_chunk){l->chunk, 100};
    saved.chunks = sc_slice_borrow(chunks, n * sizeof *chunks);
    saved.state.state = SC_JOB_FAILED;
    a = (sc_action){.type = SC_ACTION_PUT_COMMIT, .number = 3, .put = {.saved = &saved}};
    put(w, &a);
}

// Every n_rows-th task of a chunk, the last ones first.
static uint32_t
put_row(struct world *w, const layout *l, uint64_t first, uint32_t row, uint64_t position)
{
    uint32_t n = 0, size = l->chunk ? l->chunk : CHUNK;
    for (uint32_t i = size; i-- > 0;)
        if (i % l->n_rows == row && first + i < l->tail && first + i < l->n_tasks)
            records[n++] =
                (sc_record){.offset = i, .attempt = 1, .outcome = outcome_at(l, first + i)};
    sc_action a = {.type = SC_ACTION_PUT_RESULTS, .number = 3};
    a.results.base = first;
    a.results.position = position;
    a.results.table = sc_slice_borrow(records, n * sizeof *records);
    if (n > 0)
        put(w, &a);
    return n;
}

static void
lay_out(struct world *w, const layout *l)
{
    uint64_t position = 0;
    cr_assert_eq(w->b->begin(w->journal, true, &w->err), 0, "%s", w->err.text);
    put_job(w, l);
    for (uint64_t first = 0; first < l->n_tasks; first += l->chunk ? l->chunk : CHUNK)
        for (uint32_t row = 0; row < l->n_rows; row++)
            position += put_row(w, l, first, row, position);
    if (l->tail < l->n_tasks) {
        sc_action a = {.type = SC_ACTION_PUT_RANGE, .number = 3};
        a.range.first = l->tail;
        a.range.count = l->n_tasks - l->tail;
        a.range.outcome = SC_DEAD;
        a.range.error = sc_text_of("{}");
        a.range.position = position;
        put(w, &a);
    }
    cr_assert_eq(w->b->commit(w->journal, &w->err), 0, "%s", w->err.text);
}

// What came: each place once, none that is undone, and as many of each outcome as there are.
static void
check_read(const char *name, const layout *l, const sc_undone *undone, const sc_tasks_reader *r)
{
    const sc_saved_tasks *t = sc_tasks_reader_tasks(r);
    const sc_saved_state *s = &sc_tasks_reader_job(r)->state;
    uint64_t counts[SC_N_OUTCOMES] = {t->done + s->done, t->dead + s->dead,
                                      t->cancelled + s->cancelled};
    uint64_t place = 0, n = 0, in[SC_N_OUTCOMES] = {0};
    for (; place < l->n_tasks; place++) {
        bool has_ended = !sc_undone_has(undone, outcome_at(l, place), 0);
        while (n < t->n_ended && t->ended[n].place + t->ended[n].count <= place)
            n++;
        bool is_there = n < t->n_ended && t->ended[n].place <= place;
        cr_assert(is_there == (has_ended && place >= s->prefix), "%s: place %d", name, (int)place);
        cr_assert(has_ended || place >= s->prefix, "%s: place %d", name, (int)place);
        counts[outcome_at(l, place)] -= has_ended;
    }
    cr_expect(!counts[SC_DONE] && !counts[SC_DEAD] && !counts[SC_CANCELLED], "%s: counts", name);
    for (n = 0; n < t->n_ended; n++) {
        in[SC_DEAD] += t->ended[n].dead;
        in[SC_CANCELLED] += t->ended[n].cancelled;
    }
    cr_expect(in[SC_DEAD] == t->dead && in[SC_CANCELLED] == t->cancelled, "%s: stretches", name);
}

static int
read_all(struct world *w, const sc_undone *undone, const sc_tasks_bounds *bounds,
         sc_tasks_reader **out, uint32_t *n_steps)
{
    int rc = 1;
    *out = sc_tasks_reader_new(3, undone, bounds);
    cr_assert(*out);
    for (*n_steps = 0; rc == 1; ++*n_steps)
        rc = sc_tasks_reader_step(*out, w->b, w->journal, &w->err);
    return rc;
}

static const struct {
    const char *name;
    layout layout;
    const sc_undone *undone;
    uint64_t prefix, n_stretches, n_chunks; // bounds that are just enough
} rows[] = {
    {"rows with gaps, one between the other", {5000, 0, 7, "d", 2500, 5000}, &all, 2000, 2, 3},
    {"outcomes by turns", {5000, 0, 3, "dc", 2501, 5000}, &dead_ones, 2000, 4, 3},
    {"outcomes by turns below the first", {5000, 0, 3, "dc", 4999, 5000}, &dead_ones, 4000, 1, 1},
    {"each second one", {5000, 0, 1, "xd", 0, 5000}, &all, 0, 2500, 5},
    {"each second one of two rows", {4000, 0, 2, "xddd", 0, 4000}, &all, 0, 1000, 4},
    {"cancelled ones too", {3000, 0, 1, "cddd", 0, 3000}, &all, 0, 750, 3},
    {"what follows is open", {5000, 0, 1, "d", 1500, 1501}, &all, 1000, 1, 1},
    {"small chunks", {4000, 10, 2, "d", 505, 4000}, &all, 500, 2, 350},
    {"the end of a chunk", {4000, 10, 1, "d", 509, 4000}, &all, 500, 2, 350},
    {"the beginning of a chunk", {4000, 10, 1, "dc", 510, 4000}, &dead_ones, 510, 349, 349},
};

FOR_EACH_BACKEND(retry_reads_within_bounds)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world w;
        uint64_t stretches = rows[i].n_stretches, chunks = rows[i].n_chunks;
        begin(&w, backend);
        cr_assert_eq(reopen(&w), 0, "%s", w.err.text);
        lay_out(&w, &rows[i].layout);
        for (int less = 0; less < 3; less++) {
            sc_tasks_reader *r;
            uint32_t n_steps;
            const sc_tasks_bounds bounds = {1, stretches - (less == 1), chunks - (less == 2)};
            int rc = read_all(&w, rows[i].undone, &bounds, &r, &n_steps);
            cr_assert_eq(rc, less ? SC_ELIMIT : 0, "%s, less %d: %d", rows[i].name, less, rc);
            if (less == 0) {
                cr_expect_eq(sc_tasks_reader_job(r)->state.prefix, rows[i].prefix, "%s: %d",
                             rows[i].name, (int)sc_tasks_reader_job(r)->state.prefix);
                cr_expect_eq(sc_tasks_reader_tasks(r)->n_ended, stretches, "%s: %d", rows[i].name,
                             (int)sc_tasks_reader_tasks(r)->n_ended);
                check_read(rows[i].name, &rows[i].layout, rows[i].undone, r);
            }
            sc_tasks_reader_free(&r);
        }
        end(&w);
    }
}

// It stops where the bound is passed, and holds no more than that and a slice.
FOR_EACH_BACKEND(retry_stops_at_the_bound)
{
    static const layout scattered = {5000, 0, 1, "xd", 0, 5000};
    static const struct {
        sc_tasks_bounds bounds;
        uint32_t n_steps; // of a row with 500 stretches each
    } stops[] = {{{1, 499, 9}, 1}, {{1, 1200, 9}, 3}, {{1, 5000, 2}, 3}, {{1000, 100, 9}, 1}};
    struct world w;
    begin(&w, backend);
    cr_assert_eq(reopen(&w), 0, "%s", w.err.text);
    lay_out(&w, &scattered);
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        sc_tasks_reader *r;
        uint32_t n_steps;
        cr_expect_eq(read_all(&w, &all, &stops[i].bounds, &r, &n_steps), SC_ELIMIT);
        cr_expect_eq(n_steps, stops[i].n_steps, "row %zu: %d steps", i, (int)n_steps);
        sc_tasks_reader_free(&r);
    }
    end(&w);
}
