/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs that live several times: what a back end of the journal says of the tasks of one that ended
 * and was retried, again and again, at random, against what is known. */
#include "base/random.h"
#include "tests/unit/test_journal_support.h"

enum { N = 4200, N_LIVES = 5, OPEN = 255 };

/* One job, number 3, as it should be. */
typedef struct life {
    struct world w;
    sc_random random;
    uint8_t outcomes[N];  // OPEN: not ended
    uint32_t values[N];   // of those that have ended
    uint64_t ended_at[N]; // position
    uint32_t n_open, next_value;
    uint64_t position;
    uint32_t attempts[N]; // in this life; 0: none was written
    sc_undone undone;
} life;

static life the_life;
static sc_record life_records[CHUNK];
static uint32_t life_values[CHUNK];

static uint32_t
below(life *l, uint32_t bound)
{
    return (uint32_t)sc_random_below(&l->random, bound);
}

static void
write_one(life *l, const sc_action *a)
{
    cr_assert_eq(l->w.b->put(l->w.journal, a, &l->w.err), 0, "%s", l->w.err.text);
}

static void
note(life *l, uint32_t place, uint32_t outcome, uint32_t value)
{
    cr_assert_eq(l->outcomes[place], OPEN);
    l->outcomes[place] = (uint8_t)outcome;
    l->values[place] = value;
    l->ended_at[place] = l->position++;
    l->n_open--;
}

// Some open tasks of a chunk, in any order.
static void
end_some(life *l)
{
    uint32_t chunk = below(l, (N + CHUNK - 1) / CHUNK), n = 0;
    uint32_t end = chunk * CHUNK + CHUNK < N ? CHUNK : N - chunk * CHUNK;
    uint64_t position = l->position;
    for (uint32_t i = 0, step = 1 + below(l, 5), k = below(l, 2); i < end; i += step) {
        uint32_t offset = k ? end - 1 - i : i, place = chunk * CHUNK + offset;
        uint32_t outcome = below(l, 3) ? SC_DONE : 1 + below(l, 2);
        if (l->outcomes[place] != OPEN)
            continue;
        life_values[n] = l->next_value++;
        life_records[n] = (sc_record){.offset = offset, .len = 4, .attempt = 1, .outcome = outcome};
        note(l, place, outcome, life_values[n++]);
    }
    sc_action a = {.type = SC_ACTION_PUT_RESULTS, .number = 3};
    a.results.worker = sc_text_of("w-1");
    a.results.base = FIRST_INDEX + chunk * CHUNK;
    a.results.first_index = FIRST_INDEX;
    a.results.position = position;
    a.results.table = sc_slice_borrow(life_records, n * sizeof *life_records);
    a.results.bytes = sc_slice_borrow(life_values, n * sizeof *life_values);
    if (n > 0)
        write_one(l, &a);
}

// Open tasks that follow each other, few or all that there are.
static void
end_stretch(life *l, uint32_t at, uint32_t max)
{
    uint32_t outcome = 1 + below(l, 2), n = 0, first = at % N;
    while (first < N && l->outcomes[first] != OPEN)
        first++;
    uint64_t position = l->position;
    char value[32];
    snprintf(value, sizeof value, "%u", l->next_value);
    for (; n < max && first + n < N && l->outcomes[first + n] == OPEN; n++)
        note(l, first + n, outcome, l->next_value);
    l->next_value++;
    sc_action a = {.type = SC_ACTION_PUT_RANGE, .number = 3};
    a.range.first = FIRST_INDEX + first;
    a.range.count = n;
    a.range.outcome = outcome;
    a.range.error = sc_text_of(value);
    a.range.first_index = FIRST_INDEX;
    a.range.position = position;
    if (n > 0)
        write_one(l, &a);
}

static void
try_some(life *l)
{
    uint32_t place = below(l, 3) ? below(l, N) : 77; // one very often
    if (l->outcomes[place] != OPEN)
        return;
    sc_action a = {.type = SC_ACTION_PUT_ATTEMPT, .number = 3};
    a.attempt.next = (sc_saved_attempt){.place = place, .attempt = ++l->attempts[place] + 1};
    a.attempt.position = l->position;
    a.attempt.at = 1000 + l->attempts[place];
    a.attempt.worker = sc_text_of("w-2");
    a.attempt.error = sc_text_of("\"why\"");
    write_one(l, &a);
}

static void
retry(life *l)
{
    l->undone.dead_before = l->position;
    if (below(l, 2))
        l->undone.cancelled_before = l->position;
    for (uint32_t i = 0; i < N; i++) {
        bool is_again = sc_undone_has(&l->undone, l->outcomes[i], l->ended_at[i]);
        l->outcomes[i] = is_again ? OPEN : l->outcomes[i];
        l->n_open += is_again;
        l->attempts[i] = 0;
    }
}

/* ---- checks ---- */

static void
check_tasks(life *l, uint64_t prefix)
{
    sc_saved_tasks *t = NULL;
    sc_saved_job job = {.number = 3, .state = {.prefix = prefix, .undone = l->undone}};
    int rc = sc_journal_tasks(l->w.b, l->w.journal, &job, &t, &l->w.err);
    cr_assert_eq(rc, 0, "%s", l->w.err.text);
    cr_expect_eq(t->position, l->position);
    uint64_t counts[3] = {t->done, t->dead, t->cancelled}, n_attempts = 0;
    static uint8_t is_there[N];
    memset(is_there, 0, sizeof is_there);
    for (uint64_t i = 0; i < t->n_ended; i++)
        for (uint64_t k = 0; k < t->ended[i].count; k++) {
            uint64_t place = t->ended[i].place + k;
            cr_assert(place >= prefix && place < N && !is_there[place]++, "place %d", (int)place);
        }
    for (uint64_t place = 0; place < N; place++) {
        bool has_ended = l->outcomes[place] != OPEN && place >= prefix;
        cr_expect_eq(is_there[place], has_ended, "place %d, prefix %d", (int)place, (int)prefix);
        if (has_ended)
            counts[l->outcomes[place]]--;
        n_attempts += place >= prefix && l->outcomes[place] == OPEN && l->attempts[place] > 0;
    }
    cr_expect(!counts[0] && !counts[1] && !counts[2], "counts, prefix %d", (int)prefix);
    cr_expect_eq(t->n_attempts, n_attempts);
    for (uint64_t i = 0; i < t->n_attempts; i++)
        cr_expect_eq(t->attempts[i].attempt, l->attempts[t->attempts[i].place] + 1);
    sc_saved_tasks_free(&t);
}

// What a retry reads, slice by slice, is what a restart would.
static void
check_reader(life *l)
{
    const sc_tasks_bounds bounds = {1 + below(l, 50), N, N};
    sc_tasks_reader *r = sc_tasks_reader_new(3, &l->undone, &bounds);
    int rc;
    while ((rc = sc_tasks_reader_step(r, l->w.b, l->w.journal, &l->w.err)) == 1)
        continue;
    cr_assert_eq(rc, 0, "%s", l->w.err.text);
    const sc_saved_tasks *t = sc_tasks_reader_tasks(r);
    const sc_saved_state *s = &sc_tasks_reader_job(r)->state;
    uint64_t counts[3] = {t->done + s->done, t->dead + s->dead, t->cancelled + s->cancelled};
    static uint8_t is_there[N];
    memset(is_there, 0, sizeof is_there);
    for (uint64_t i = 0; i < t->n_ended; i++)
        for (uint64_t k = 0; k < t->ended[i].count; k++) {
            uint64_t place = t->ended[i].place + k;
            cr_assert(place >= s->prefix && place < N && !is_there[place]++);
        }
    uint64_t first_open = N;
    for (uint64_t place = 0; place < N; place++) {
        bool has_ended = l->outcomes[place] != OPEN;
        cr_expect_eq(is_there[place], has_ended && place >= s->prefix, "place %d", (int)place);
        if (has_ended)
            counts[l->outcomes[place]]--;
        else if (place < first_open)
            first_open = place;
    }
    cr_expect(!counts[0] && !counts[1] && !counts[2], "counts");
    cr_expect_eq(s->prefix, first_open - first_open % CHUNK, "prefix %d, the first open is %d",
                 (int)s->prefix, (int)first_open);
    sc_tasks_reader_free(&r);
}

static void
check_record(life *l, const sc_message *m, uint32_t i, size_t at)
{
    sc_record r = sc_records_get(m->table, i);
    uint64_t place = m->page.base + r.offset - FIRST_INDEX;
    cr_assert(place < N && l->outcomes[place] == r.outcome, "place %d", (int)place);
    char text[32] = "";
    uint32_t value;
    memcpy(&value, m->bytes.data + at, 4);
    memcpy(text, m->bytes.data + at, r.len < 31 ? r.len : 31);
    cr_assert(value == l->values[place] || (uint32_t)atoi(text) == l->values[place], "place %d",
              (int)place);
}

// A page, as the journal's thread asks for it.
static sc_journal_page *
read_page(life *l, const sc_store_read *read)
{
    const sc_journal_backend *b = l->w.b;
    sc_ended_query query = {3, read->from - FIRST_INDEX, read->until - FIRST_INDEX, SC_ENDED_ALL};
    sc_journal_page *p = sc_journal_page_new(read);
    int rc;
    query.kind = read->order == SC_READ_DEAD ? SC_ENDED_FAILED : SC_ENDED_ALL;
    if (read->order == SC_READ_ENDED)
        rc = b->ended_from(l->w.journal, 3, read->from, sc_journal_page_as_ended, p, &l->w.err);
    else if (read->order == SC_READ_TRIES)
        rc = b->tries(l->w.journal, &query, sc_journal_page_tries, p, &l->w.err);
    else
        rc = b->ended_between(l->w.journal, &query, sc_journal_page_by_index, p, &l->w.err);
    cr_assert(rc == 0 && sc_journal_page_finish(p) == 0, "%s", l->w.err.text);
    cr_assert(p->message.page.next > read->from, "from %d", (int)read->from);
    return p;
}

// All pages from there on. @return how many records
static uint64_t
read_all(life *l, uint32_t order, uint64_t from, uint64_t until,
         void (*each)(life *l, const sc_message *m, uint32_t i, size_t at))
{
    uint64_t n = 0;
    while (from < until) {
        sc_store_read read = {.from = from,
                              .until = until,
                              .order = order,
                              .max_bytes = 1000 + below(l, 30000),
                              .first_index = FIRST_INDEX,
                              .undone = l->undone};
        sc_journal_page *p = read_page(l, &read);
        const sc_message *m = &p->message;
        size_t at = 0;
        for (uint32_t i = 0; i < sc_records_count(m->table); i++, n++) {
            each(l, m, i, at);
            at += sc_records_get(m->table, i).len;
        }
        from = m->page.next;
        sc_journal_page_free(&p);
    }
    return n;
}

static void
check_order(life *l, uint32_t order, uint64_t from, uint64_t until)
{
    uint64_t wanted = 0, n = read_all(l, order, from, until, check_record);
    for (uint64_t i = 0; i < N; i++) {
        bool is_wanted = order == SC_READ_DEAD ? l->outcomes[i] == SC_DEAD : l->outcomes[i] != OPEN;
        uint64_t at = order == SC_READ_ENDED ? l->ended_at[i] : i + FIRST_INDEX;
        wanted += is_wanted && at >= from;
    }
    cr_expect_eq(n, wanted, "order %u from %d: %d, not %d", order, (int)from, (int)n, (int)wanted);
}

// Tries of this life, in their order, each with its time and its error.
static void
check_try(life *l, const sc_message *m, uint32_t i, size_t at)
{
    sc_record r = sc_records_get(m->table, i);
    uint64_t place = m->page.base + r.offset - FIRST_INDEX;
    char wanted[64];
    int n = snprintf(wanted, sizeof wanted, "{\"at\":%d,\"error\":\"why\"}", 1000 + r.attempt);
    cr_assert(place < N && r.attempt <= l->attempts[place], "place %d", (int)place);
    cr_assert(r.len == (uint32_t)n && memcmp(m->bytes.data + at, wanted, r.len) == 0);
    if (i > 0 && sc_records_get(m->table, i - 1).offset == r.offset)
        cr_assert_eq(r.attempt, sc_records_get(m->table, i - 1).attempt + 1);
}

static void
check_tries(life *l, uint64_t from)
{
    uint64_t wanted = 0;
    uint64_t n = read_all(l, SC_READ_TRIES, FIRST_INDEX + from, FIRST_INDEX + N, check_try);
    for (uint64_t i = from; i < N; i++)
        wanted += l->attempts[i] < 100 ? l->attempts[i] : 100;
    cr_expect_eq(n, wanted, "tries from %d: %d, not %d", (int)from, (int)n, (int)wanted);
}

static void
check_all(life *l)
{
    for (uint64_t prefix = 0; prefix <= N; prefix += CHUNK)
        check_tasks(l, prefix);
    for (int i = 0; i < 4; i++) {
        uint64_t from = i ? below(l, N) : 0;
        check_order(l, SC_READ_INDEX, FIRST_INDEX + from, FIRST_INDEX + N);
        check_order(l, SC_READ_DEAD, FIRST_INDEX + from, FIRST_INDEX + N);
        check_tries(l, from);
        check_order(l, SC_READ_ENDED, i ? below(l, (uint32_t)l->position + 1) : 0, l->position);
    }
}

static void
group_begin(life *l)
{
    cr_assert_eq(l->w.b->begin(l->w.journal, true, &l->w.err), 0, "%s", l->w.err.text);
}

static void
group_end(life *l)
{
    cr_assert_eq(l->w.b->commit(l->w.journal, &l->w.err), 0, "%s", l->w.err.text);
}

static void
live(life *l)
{
    uint32_t half = l->n_open / 2;
    bool is_checked = false;
    group_begin(l);
    for (int i = 0; i < 2; i++) // wide ones, over several chunks
        end_stretch(l, below(l, N), 1 + below(l, N));
    while (l->n_open > 0) {
        for (uint32_t i = below(l, 20); i > 0; i--)
            try_some(l);
        if (below(l, 4) == 0)
            end_stretch(l, below(l, N), 1 + below(l, 40));
        else
            end_some(l);
        if (l->n_open <= half && !is_checked) {
            group_end(l);
            check_all(l);
            is_checked = true;
            group_begin(l);
        }
    }
    group_end(l);
    check_all(l);
}

FOR_EACH_BACKEND(is_retried_again_and_again)
{
    life *l = &the_life;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        memset(l, 0, sizeof *l);
        sc_random_init(&l->random, seed);
        begin(&l->w, backend);
        cr_assert_eq(reopen(&l->w), 0, "%s", l->w.err.text);
        sc_saved_job saved;
        sc_action a = open_action(3, &saved, SC_JOB_RUNNING);
        cr_assert_eq(group(&l->w, &a, 1), 0, "%s", l->w.err.text);
        memset(l->outcomes, OPEN, sizeof l->outcomes);
        l->n_open = N;
        for (int i = 0; i < N_LIVES; i++) {
            live(l);
            retry(l);
            check_all(l);
            check_reader(l);
        }
        end(&l->w);
    }
}
