/* SPDX-License-Identifier: Apache-2.0 */
/* What only the journal in PostgreSQL has: a server that goes away, comes back or says nothing,
 * answers that are lost, who leads, who was deposed, versions of its tables. */
#include "coordinator/journal_postgres.h"

#include <pthread.h>
#include <semaphore.h>

#include "base/clock.h"
#include "coordinator/journal.h"
#include "tests/unit/test_journal_support.h"

static struct world w;

static void
start(void)
{
    begin(&w, &sc_journal_postgres);
    cr_assert_eq(reopen(&w), 0, "%s", w.err.text);
}

static void
stop(void)
{
    if (server.to) {
        end(&w);
        sc_test_server_end(&server);
    }
}

TestSuite(journal_postgres, .init = start, .fini = stop);

// One who waits to lead.
static void *
open_other(void)
{
    void *other = NULL;
    cr_assert_eq(w.b->open(w.location, &goes_on, &other, &w.err), 0, "%s", w.err.text);
    return other;
}

static void
do_steps(int from, int until)
{
    for (int i = from; i < until; i++)
        cr_assert_eq(step(&w, i), 0, "step %d: %s", i, w.err.text);
}

static bool
is_away(int rc)
{
    return rc == SC_ELOST || rc == SC_ETIMEOUT || rc == SC_EUNKNOWN;
}

// As the journal's thread does: until it works. @return how often it did not
static int
persist(int i)
{
    int rc, n = 0;
    while (is_away(rc = step(&w, i)))
        n++;
    cr_assert_eq(rc, 0, "step %d: %s", i, w.err.text);
    return n;
}

/* ---- a server that goes away ---- */

// Every call fails once, at every point: before it was sent, between it and its answer. Nothing is
// lost and nothing is there twice, which the keys of the tables would refuse.
Test(journal_postgres, answers_that_are_lost)
{
    static const char *const points[] = {"postgres.connect", "postgres.send", "postgres.finish",
                                         "postgres.answer"};
    for (size_t p = 0; p < sizeof points / sizeof *points; p++) {
        bool has_failed = true;
        for (uint64_t nth = 1; has_failed; nth++) {
            end(&w);
            begin(&w, &sc_journal_postgres);
            cr_assert_eq(reopen(&w), 0, "%s", w.err.text);
            sc_fault_set(points[p], nth);
            for (int i = 0; i < N_STEPS; i++)
                persist(i);
            has_failed = sc_fault_count(points[p]) >= nth;
            sc_fault_reset();
            check(&w, points[p], N_STEPS);
        }
    }
}

// A commit is there and its answer is lost. Whatever fails on the way back, it is said to be
// unknown until the same group is written again: another one in its place would be taken for it.
Test(journal_postgres, unknown_until_it_is_repeated)
{
    static const char *const points[] = {"postgres.send", "postgres.finish", "postgres.answer"};
    for (size_t p = 0; p < sizeof points / sizeof *points; p++) {
        bool has_failed = true;
        for (uint64_t nth = 1; has_failed; nth++) {
            const char *group = "0";
            int rc;
            end(&w);
            begin(&w, &sc_journal_postgres);
            cr_assert_eq(reopen(&w), 0, "%s", w.err.text);
            sc_fault_set("postgres.answer", 1);
            cr_assert_eq(step(&w, 0), SC_EUNKNOWN, "%s", w.err.text);
            sc_fault_reset();
            for (int i = 0; i < 10000 && strcmp(group, "1") != 0; i++) // the server is at it
                group = sc_test_server_do(&server, "sql SELECT last_group FROM seedcore.meta");
            cr_assert_str_eq(group, "1", "it is there");
            sc_fault_set(points[p], nth);
            while ((rc = step(&w, 0)) < 0)
                cr_assert_eq(rc, SC_EUNKNOWN, "%s, %d: %s", points[p], (int)nth, w.err.text);
            has_failed = sc_fault_count(points[p]) >= nth;
            sc_fault_reset();
            do_steps(1, N_STEPS);
            check(&w, points[p], N_STEPS);
        }
    }
}

// The same, with what the server does: sessions are ended, or all of it is as after a crash.
Test(journal_postgres, server_that_goes_away)
{
    static const char *const what[] = {"kill", "restart", "kill", "restart"};
    int n_failed = 0;
    for (int i = 0; i < N_STEPS; i++) {
        sc_test_server_do(&server, "%s", what[i % 4]);
        n_failed += persist(i);
        check(&w, what[i % 4], i + 1);
    }
    cr_expect(n_failed >= N_STEPS, "%d", n_failed);
    uint64_t epoch = w.epoch;
    cr_assert_eq(reopen(&w), 0, "%s", w.err.text);
    cr_expect_eq(w.epoch, epoch + 1, "coming back is not leading anew");
    check(&w, "at the end", N_STEPS);
}

typedef struct killer {
    sem_t groups; // a few more have been written
    atomic_bool must_stop;
    int n;
} killer;

static void *
kill_sessions(void *arg)
{
    killer *k = arg;
    while (sem_wait(&k->groups) == 0 && !k->must_stop)
        sc_test_server_do(&server, k->n++ % 8 == 7 ? "restart" : "kill");
    return NULL;
}

// At any moment, also within a group and between its commit and the answer.
Test(journal_postgres, sessions_ended_under_load)
{
    enum { N_GROUPS = 480, KILL_EVERY = 10 };
    killer k = {.n = 0};
    pthread_t thread;
    sc_saved_job saved;
    do_steps(0, 5);
    cr_assert_eq(sem_init(&k.groups, 0, 0), 0);
    cr_assert_eq(pthread_create(&thread, NULL, kill_sessions, &k), 0);
    int n_unknown = 0, n_failed = 0;
    for (uint64_t number = 10; number < 10 + N_GROUPS; number++) {
        int rc;
        sc_action a = open_action(number, &saved, SC_JOB_STAGED);
        while (is_away(rc = group(&w, &a, 1))) {
            n_failed++;
            n_unknown += rc == SC_EUNKNOWN;
        }
        cr_assert_eq(rc, 0, "%s", w.err.text);
        if (number % KILL_EVERY == 0)
            sem_post(&k.groups);
    }
    k.must_stop = true;
    sem_post(&k.groups);
    pthread_join(thread, NULL);
    fprintf(stderr, "%d kills, %d tries that failed, after %d it was not known\n", k.n, n_failed,
            n_unknown);
    cr_expect(n_failed > 0);
    const char *n = sc_test_server_do(&server, "sql SELECT count(*) FROM seedcore.jobs");
    cr_expect_eq(atoi(n), 2 + N_GROUPS, "%s", n);
}

// One that says nothing hangs nobody who is to stop.
Test(journal_postgres, server_that_is_silent)
{
    do_steps(0, 1);
    sc_test_server_do(&server, "silent");
    atomic_store(&goes_on, true);
    int64_t begin_ms = sc_clock_ms();
    int rc = step(&w, 1);
    int64_t took_ms = sc_clock_ms() - begin_ms;
    sc_test_server_do(&server, "loud");
    atomic_store(&goes_on, false);
    cr_expect(rc == SC_EUNKNOWN || rc == SC_ECLOSED, "%d %s", rc, w.err.text);
    cr_expect(took_ms <= SC_POSTGRES_STOP_MS + 1000, "%d ms", (int)took_ms);
    w.b->close(w.journal);
    w.journal = NULL;
    cr_assert_eq(reopen(&w), 0, "%s", w.err.text);
}

/* ---- who leads ---- */

// The epoch alone is enough: its session is alive, and what it writes is refused.
Test(journal_postgres, deposed_by_its_epoch)
{
    do_steps(0, 1);
    sc_test_server_do(&server, "sql UPDATE seedcore.meta SET epoch = epoch + 1");
    cr_expect_eq(step(&w, 1), SC_ESTATE, "%s", w.err.text);
    cr_expect(strstr(w.err.text, "another coordinator leads"), "%s", w.err.text);
    cr_expect_eq(w.b->beat(w.journal, &w.err), SC_ESTATE, "%s", w.err.text);
    const char *n = sc_test_server_do(&server, "sql SELECT count(*) FROM seedcore.chunks");
    cr_expect_str_eq(n, "0");
}

// Its session is ended and another leads before it comes back.
Test(journal_postgres, deposed_while_it_was_away)
{
    void *other = open_other();
    uint64_t epoch, next_number;
    int rc;
    do_steps(0, 1);
    sc_test_server_do(&server, "sql SELECT pg_terminate_backend(backend::int) FROM seedcore.meta");
    while ((rc = w.b->lead(other, &epoch, &next_number, &w.err)) == SC_EBUSY)
        continue;
    cr_assert_eq(rc, 0, "%s", w.err.text);
    while (is_away(rc = step(&w, 1)))
        continue;
    cr_expect_eq(rc, SC_ESTATE, "%d %s", rc, w.err.text);
    w.b->close(w.journal);
    w.journal = other;
    check(&w, "the other's", 1);
    do_steps(1, N_STEPS);
    check(&w, "the other's", N_STEPS);
}

// Who says nothing for 3 s is deposed by who waits; who beats is not.
Test(journal_postgres, silent_leader)
{
    void *other = open_other();
    uint64_t epoch, next_number;
    int rc = SC_EBUSY;
    do_steps(0, 1);
    int64_t begin_ms = sc_clock_ms(), last_ms = begin_ms;
    while (rc == SC_EBUSY && last_ms - begin_ms < 4500) {
        last_ms = sc_clock_ms();
        cr_assert_eq(w.b->beat(w.journal, &w.err), 0, "%s", w.err.text);
        rc = w.b->lead(other, &epoch, &next_number, &w.err);
    }
    cr_assert_eq(rc, SC_EBUSY, "deposed though it was alive: %s", w.err.text);
    while ((rc = w.b->lead(other, &epoch, &next_number, &w.err)) == SC_EBUSY)
        continue;
    int64_t silent_ms = sc_clock_ms() - last_ms;
    cr_assert_eq(rc, 0, "%s", w.err.text);
    fprintf(stderr, "deposed after %d ms\n", (int)silent_ms);
    cr_expect(silent_ms >= 2900 && silent_ms < 5000, "%d ms", (int)silent_ms);
    while (is_away(rc = step(&w, 1)))
        continue;
    cr_expect_eq(rc, SC_ESTATE, "%d %s", rc, w.err.text);
    w.b->close(other);
}

/* What a loop has been told by its journal. */
typedef struct told {
    sc_journal *journal;
    bool leads;
    int failed;
} told;

static void
on_leading(void *arg, const sc_journal_start *what)
{
    (void)what;
    ((told *)arg)->leads = true;
}

static void
on_failed(void *arg, const sc_error *err)
{
    ((told *)arg)->failed = err->code;
}

static void
on_trouble(void *arg, const char *why)
{
    (void)arg;
    (void)why;
}

static void
on_ready(void *arg)
{
    sc_journal_deliver(((told *)arg)->journal);
}

// The thread lives and could beat, but the loop that it serves hangs: it is deposed, and told.
Test(journal_postgres, loop_that_hangs)
{
    uv_loop_t loop;
    told t = {0};
    uint64_t epoch, next_number;
    sc_journal_options options = {.location = w.location};
    sc_journal_events events = {.on_leading = on_leading,
                                .on_failed = on_failed,
                                .on_trouble = on_trouble,
                                .on_ready = on_ready,
                                .arg = &t};
    int rc;
    w.b->close(w.journal);
    w.journal = open_other();
    uv_loop_init(&loop);
    cr_assert_eq(sc_journal_new(&loop, &options, &events, &t.journal, &w.err), 0);
    while (!t.leads)
        uv_run(&loop, UV_RUN_ONCE);
    int64_t begin_ms = sc_clock_ms();
    while ((rc = w.b->lead(w.journal, &epoch, &next_number, &w.err)) == SC_EBUSY)
        continue;
    int64_t took_ms = sc_clock_ms() - begin_ms;
    cr_expect(rc == 0 && took_ms < 5500, "%d after %d ms", rc, (int)took_ms);
    while (t.failed == 0)
        uv_run(&loop, UV_RUN_ONCE);
    cr_expect_eq(t.failed, SC_ESTATE);
    sc_journal_close(&t.journal, NULL, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect_eq(uv_loop_close(&loop), 0);
}

/* ---- tables ---- */

static void *
open_one(void *arg)
{
    int *rc = arg;
    sc_error err;
    void *journal = NULL;
    *rc = w.b->open(w.location, &goes_on, &journal, &err);
    if (*rc == 0)
        w.b->close(journal);
    return NULL;
}

// Those who start together: one makes them.
Test(journal_postgres, made_by_one)
{
    enum { N = 8 };
    pthread_t threads[N];
    int rc[N];
    end(&w);
    begin(&w, &sc_journal_postgres);
    for (int i = 0; i < N; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, open_one, &rc[i]), 0);
    for (int i = 0; i < N; i++) {
        pthread_join(threads[i], NULL);
        cr_expect_eq(rc[i], 0, "the %dth: %d", i, rc[i]);
    }
    cr_assert_eq(reopen(&w), 0, "%s", w.err.text);
    check(&w, "new", 0);
}

// Steps that are to come, made up: each is done once and whole, and what failed is done again.
Test(journal_postgres, migration)
{
    static const char *const good[] = {
        "the first step was done when they were made",
        "CREATE TABLE labels (number bigint PRIMARY KEY, label text NOT NULL);"
        "INSERT INTO labels SELECT number, 'none' FROM jobs",
        "ALTER TABLE labels ADD COLUMN colour text",
        NULL,
    };
    static const char *const bad[] = {good[0], good[1],
                                      "INSERT INTO labels VALUES (99, 'x'); SELECT nonsense", NULL};
    static const struct {
        const char *name;
        const char *const *steps;
        long newest;
        bool is_good;
        const char *version;
    } rows[] = {
        {"nothing to do", good, 2, true, "2"},
        {"the second step fails", bad, 4, false, "3"},
        {"it goes on from there", good, 4, true, "4"},
        {"again", good, 4, true, "4"},
        {"by an older program", good, 3, false, "4"},
    };
    do_steps(0, N_STEPS);
    sc_postgres_journal *other = open_other(); // not leading: in plain mode
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int rc = sc_postgres_journal_migrate(other, rows[i].steps, rows[i].newest, &w.err);
        cr_expect_eq(rc == 0, rows[i].is_good, "%s: %d %s", rows[i].name, rc, w.err.text);
        const char *version = sc_test_server_do(&server, "sql SELECT version FROM seedcore.meta");
        cr_expect_str_eq(version, rows[i].version, "%s: %s", rows[i].name, version);
    }
    w.b->close(other);
    const char *n = sc_test_server_do(&server, "sql SELECT count(colour), count(*) FROM "
                                               "seedcore.labels");
    cr_expect_str_eq(n, "0|2");
    check(&w, "migrated", N_STEPS);
}

// What a program of version 1 has left is there, and what is new can be written.
Test(journal_postgres, from_version_1)
{
    static const char *const sql[] = {
        "ALTER SCHEMA seedcore RENAME TO now",
        "CREATE SCHEMA seedcore",
        "CREATE TABLE seedcore.meta (version bigint NOT NULL, epoch bigint NOT NULL,"
        " last_group bigint NOT NULL, host text, pid bigint, backend bigint,"
        " leading_since timestamptz, beat_at timestamptz NOT NULL)",
        "CREATE TABLE seedcore.jobs (number bigint PRIMARY KEY, id bytea NOT NULL,"
        " client bigint NOT NULL, state bigint NOT NULL, n_tasks bigint NOT NULL,"
        " submitted_at bigint NOT NULL, ended_at bigint NOT NULL, prefix bigint NOT NULL,"
        " done bigint NOT NULL, dead bigint NOT NULL, cancelled bigint NOT NULL,"
        " position bigint NOT NULL, handed bigint NOT NULL, open bytea NOT NULL,"
        " args_table bytea NOT NULL, args bytea NOT NULL, chunks bytea)",
        "CREATE TABLE seedcore.chunks (key bigint PRIMARY KEY, n_tasks bigint NOT NULL,"
        " lens bytea NOT NULL, payload bytea NOT NULL)",
        "CREATE TABLE seedcore.ended (key bigint PRIMARY KEY, place bigint NOT NULL,"
        " n_tasks bigint NOT NULL, span bigint NOT NULL, dead bigint NOT NULL,"
        " cancelled bigint NOT NULL, lowest bigint NOT NULL, outcome bigint NOT NULL,"
        " attempt bigint NOT NULL, worker bytea NOT NULL, records bytea, vals bytea NOT NULL)",
        "CREATE INDEX ended_by_place ON seedcore.ended (place)",
        "CREATE TABLE seedcore.attempts (place bigint NOT NULL,"
        " seq bigint GENERATED ALWAYS AS IDENTITY, attempt bigint NOT NULL, blame bigint NOT NULL,"
        " due_at bigint NOT NULL, at bigint NOT NULL, worker bytea NOT NULL, error bytea NOT NULL,"
        " PRIMARY KEY (place, seq))",
        "CREATE TABLE seedcore.dropped (number bigint PRIMARY KEY)",
        "INSERT INTO seedcore.meta SELECT 1, epoch, last_group, host, pid, backend, leading_since,"
        " beat_at FROM now.meta",
        "INSERT INTO seedcore.jobs SELECT number, id, client, state, n_tasks, submitted_at,"
        " ended_at, prefix, done, dead, cancelled, position, handed, open, args_table, args, chunks"
        " FROM now.jobs",
        "INSERT INTO seedcore.chunks SELECT * FROM now.chunks",
        "INSERT INTO seedcore.ended SELECT * FROM now.ended",
        "INSERT INTO seedcore.attempts (place, attempt, blame, due_at, at, worker, error)"
        " SELECT place, attempt, blame, due_at, at, worker, error FROM now.attempts ORDER BY seq",
        "DROP SCHEMA now CASCADE",
    };
    do_steps(0, N_STEPS);
    w.b->close(w.journal);
    w.journal = NULL;
    for (size_t i = 0; i < sizeof sql / sizeof *sql; i++)
        sc_test_server_do(&server, "sql %s", sql[i]);
    uint64_t epoch = w.epoch;
    cr_assert_eq(reopen(&w), 0, "%s", w.err.text);
    cr_expect(w.epoch == epoch + 1 && w.next_number == 3);
    cr_expect_str_eq(sc_test_server_do(&server, "sql SELECT version FROM seedcore.meta"), "2");
    check(&w, "migrated", N_STEPS);
    check_chunks(&w, "migrated");
    for (uint32_t order = SC_READ_INDEX; order <= SC_READ_ENDED; order++)
        check_pages(&w, order, 3000, 1000);
    check_undoing(&w, "migrated");
}

Test(journal_postgres, tables_that_cannot_be_used)
{
    static const struct {
        const char *name, *sql;
        int rc;
        const char *wanted;
    } rows[] = {
        {"newer", "UPDATE seedcore.meta SET version = 99", SC_EVERSION, "99"},
        {"no version", "DELETE FROM seedcore.meta", SC_EMALFORMED, "damaged"},
        {"another's", "DROP TABLE seedcore.meta; CREATE TABLE seedcore.meta (x int)", SC_EMALFORMED,
         "no journal"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        void *other = NULL;
        sc_test_server_do(&server, "sql %s", rows[i].sql);
        int rc = w.b->open(w.location, &goes_on, &other, &w.err);
        cr_expect_eq(rc, rows[i].rc, "%s: %d %s", rows[i].name, rc, w.err.text);
        cr_expect(strstr(w.err.text, rows[i].wanted) && strstr(w.err.text, "schema"), "%s: %s",
                  rows[i].name, w.err.text);
    }
}

/* ---- locations ---- */

// What is wrong is said, with where, and never the password.
Test(journal_postgres, locations)
{
    static const struct {
        const char *name, *location, *wanted;
    } rows[] = {
        {"nobody there", "postgresql://me:secret@127.0.0.1:1/db", "127.0.0.1:1/db"},
        {"no such host", "postgresql://me:secret@nowhere.invalid/db", "nowhere.invalid"},
        {"no such folder", "postgresql://me:secret@/db?host=/nowhere", "/nowhere"},
        {"no port", "postgresql://me:secret@host:port/db", "port"},
        {"nonsense", "postgresql:secret", "//USER@HOST"},
        {"a bad escape", "postgresql://me:secret%zz@host/db", "//USER@HOST"},
        {"an unknown word", "postgresql://me:secret@host/db?nonsense=secret", "//USER@HOST"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        void *other = NULL;
        w.err = (sc_error){0};
        int rc = w.b->open(rows[i].location, &goes_on, &other, &w.err);
        cr_expect(rc < 0 && !strstr(w.err.text, "secret"), "%s: %d %s", rows[i].name, rc,
                  w.err.text);
        cr_expect(strstr(w.err.text, rows[i].wanted), "%s: %s", rows[i].name, w.err.text);
    }
}

// What is acknowledged is on the disk, whatever the database is set to.
Test(journal_postgres, commits_are_waited_for)
{
    static const char *const sql[] = {
        "ALTER ROLE ALL SET synchronous_commit = off",
        "CREATE TABLE seedcore.seen AS SELECT 'nothing'::text AS mode",
        "CREATE FUNCTION seedcore.see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " UPDATE seedcore.seen SET mode = current_setting('synchronous_commit');"
        " RETURN NULL; END $$",
        "CREATE TRIGGER see AFTER UPDATE OF last_group ON seedcore.meta"
        " EXECUTE FUNCTION seedcore.see()",
    };
    for (size_t i = 0; i < sizeof sql / sizeof *sql; i++)
        sc_test_server_do(&server, "sql %s", sql[i]);
    cr_assert_eq(reopen(&w), 0, "%s", w.err.text);
    cr_assert_eq(step(&w, 0), 0, "%s", w.err.text);
    cr_expect_str_eq(sc_test_server_do(&server, "sql SELECT mode FROM seedcore.seen"), "on");
    sc_test_server_do(&server, "sql ALTER ROLE ALL RESET synchronous_commit");
}
