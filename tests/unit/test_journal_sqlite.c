/* SPDX-License-Identifier: Apache-2.0 */
/* What only the journal in SQLite has: its file, the -wal beside it, versions of its tables, damage
 * under its feet. */
#include "coordinator/journal_sqlite.h"
#include "coordinator/journal_sqlite_wal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/random.h"
#include "tests/unit/test_journal_support.h"

static struct world w;

static void
start(void)
{
    begin(&w, &sc_journal_sqlite);
    cr_assert_eq(reopen(&w), 0, "%s", w.err.text);
}

static void
stop(void)
{
    end(&w);
}

TestSuite(journal_sqlite, .init = start, .fini = stop);

static const char *
path_of(const char *suffix)
{
    static char path[160];
    snprintf(path, sizeof path, "%s/journal.sqlite%s", w.dir, suffix);
    return path;
}

/* ---- files ---- */

static size_t
size_of(const char *suffix)
{
    struct stat at;
    return stat(path_of(suffix), &at) == 0 ? (size_t)at.st_size : 0;
}

static uint8_t *
read_file(const char *suffix, size_t *len)
{
    *len = size_of(suffix);
    uint8_t *data = malloc(*len + 1);
    int fd = open(path_of(suffix), O_RDONLY | O_CLOEXEC);
    cr_assert(data && fd >= 0 && read(fd, data, *len) == (ssize_t)*len);
    close(fd);
    return data;
}

static void
write_file(const char *suffix, const uint8_t *data, size_t len)
{
    int fd = open(path_of(suffix), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    cr_assert(fd >= 0 && write(fd, data, len) == (ssize_t)len);
    close(fd);
}

static void
execute(const char *sql)
{
    sc_sqlite_journal *j = w.journal;
    cr_assert_eq(sqlite3_exec(j->db, sql, NULL, NULL, NULL), SQLITE_OK, "%s",
                 sqlite3_errmsg(j->db));
}

// As it is while a process has it open: what a crash leaves.
static void
crash(const uint8_t *database, size_t n_database, const uint8_t *wal, size_t n_wal)
{
    if (w.journal)
        w.b->close(w.journal);
    w.journal = NULL;
    unlink(path_of("-shm"));
    write_file("", database, n_database);
    write_file("-wal", wal, n_wal);
}

static uint64_t
n_lost(void)
{
    uint64_t n = 99;
    cr_assert_eq(sc_sqlite_wal_lost(path_of("-wal"), &n), 0);
    return n;
}

/* ---- a -wal that was cut off ---- */

// A loss of power leaves any beginning of the -wal: what was there is what was committed by then.
Test(journal_sqlite, torn_wal)
{
    size_t ends[N_STEPS + 1], n_database, n_wal;
    sc_random random;
    sc_random_init(&random, 7);
    for (int i = 0; i <= N_STEPS; i++) {
        if (i > 0)
            cr_assert_eq(step(&w, i - 1), 0, "%s", w.err.text);
        ends[i] = size_of("-wal");
        cr_assert(i == 0 || ends[i] > ends[i - 1]);
    }
    uint8_t *database = read_file("", &n_database), *wal = read_file("-wal", &n_wal);
    for (int round = 0; round < 300; round++) {
        // the end of each group to the byte, one less, and anywhere
        size_t cut = round < 2 * N_STEPS ? ends[round / 2 + 1] - (size_t)round % 2
                                         : sc_random_below(&random, (uint32_t)n_wal);
        int n_steps = 0;
        while (n_steps < N_STEPS && ends[n_steps + 1] <= cut)
            n_steps++;
        crash(database, n_database, wal, cut);
        cr_expect_eq(n_lost(), 0, "cut at %zu", cut);
        cr_assert_eq(reopen(&w), 0, "cut at %zu: %s", cut, w.err.text);
        check(&w, "torn", n_steps);
        if (n_steps < N_STEPS && round % 10 == 0) { // and it goes on
            cr_assert_eq(step(&w, n_steps), 0, "%s", w.err.text);
            check(&w, "goes on", n_steps + 1);
        }
    }
    free(database);
    free(wal);
}

// Bytes that were never written, or were written wrong, end the -wal too.
Test(journal_sqlite, wal_with_holes)
{
    size_t ends[N_STEPS + 1], n_database, n_wal;
    sc_random random;
    sc_random_init(&random, 11);
    for (int i = 0; i <= N_STEPS; i++) {
        if (i > 0)
            cr_assert_eq(step(&w, i - 1), 0, "%s", w.err.text);
        ends[i] = size_of("-wal");
    }
    uint8_t *database = read_file("", &n_database), *wal = read_file("-wal", &n_wal);
    for (int round = 0; round < 100; round++) {
        size_t at = sc_random_below(&random, (uint32_t)n_wal);
        int n_steps = 0;
        while (n_steps < N_STEPS && ends[n_steps + 1] <= at)
            n_steps++;
        uint8_t was = wal[at];
        wal[at] ^= 0x5a;
        crash(database, n_database, wal, n_wal);
        wal[at] = was;
        uint64_t n = n_lost(); // the group that was hit may have lost its end
        cr_expect(at < 32 ? n == 1 : (int)n >= N_STEPS - n_steps - 1, "hole at %zu: %d, %d", at,
                  (int)n, n_steps);
        cr_assert_eq(reopen(&w), 0, "byte %zu: %s", at, w.err.text);
        check(&w, "holes", n_steps);
    }
    free(database);
    free(wal);
}

/* ---- versions ---- */

static long
version(void)
{
    sc_sqlite_journal *j = w.journal;
    sqlite3_stmt *s = NULL;
    cr_assert_eq(sqlite3_prepare_v2(j->db, "PRAGMA user_version", -1, &s, NULL), SQLITE_OK);
    cr_assert_eq(sqlite3_step(s), SQLITE_ROW);
    long n = (long)sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return n;
}

// Steps that are to come, made up: each is done once and whole, and what failed is done again.
Test(journal_sqlite, migration)
{
    static const char *const good[] = {
        "the first step was done when it was made",
        "CREATE TABLE labels (number INTEGER PRIMARY KEY, label TEXT NOT NULL);"
        "INSERT INTO labels SELECT number, 'none' FROM jobs",
        "ALTER TABLE labels ADD COLUMN colour TEXT",
        NULL,
    };
    static const char *const bad[] = {good[0], good[1],
                                      "INSERT INTO labels VALUES (99, 'x'); CREATE nonsense", NULL};
    static const struct {
        const char *name;
        const char *const *steps;
        long newest;
        int rc;
        long version;
    } rows[] = {
        {"nothing to do", good, 2, 0, 2},
        {"the second step fails", bad, 4, -EIO, 3},
        {"it goes on from there", good, 4, 0, 4},
        {"again", good, 4, 0, 4},
        {"by an older program", good, 3, SC_EVERSION, 4},
    };
    for (int i = 0; i < N_STEPS; i++)
        cr_assert_eq(step(&w, i), 0, "%s", w.err.text);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int rc = sc_sqlite_journal_migrate(w.journal, rows[i].steps, rows[i].newest, &w.err);
        cr_expect_eq(rc, rows[i].rc, "%s: %d %s", rows[i].name, rc, w.err.text);
        cr_expect_eq(version(), rows[i].version, "%s: %ld", rows[i].name, version());
    }
    execute("UPDATE labels SET colour = label WHERE number = 1"); // both steps are there,
    execute("INSERT INTO labels VALUES (99, 'x', 'y')");          // and nothing of the failed one
    check(&w, "migrated", N_STEPS);
}

// What a program of version 1 has left is there, and what is new can be written.
Test(journal_sqlite, from_version_1)
{
    static const char tables[] =
        "PRAGMA page_size = 16384;"
        "PRAGMA application_id = 1396918860;"
        "ATTACH 'file:%s?mode=ro' AS now;"
        "BEGIN;"
        "CREATE TABLE meta (epoch INTEGER NOT NULL);"
        "CREATE TABLE jobs (number INTEGER PRIMARY KEY, id BLOB NOT NULL, client INTEGER NOT NULL,"
        " state INTEGER NOT NULL, n_tasks INTEGER NOT NULL, submitted_at INTEGER NOT NULL,"
        " ended_at INTEGER NOT NULL, prefix INTEGER NOT NULL, done INTEGER NOT NULL,"
        " dead INTEGER NOT NULL, cancelled INTEGER NOT NULL, position INTEGER NOT NULL,"
        " handed INTEGER NOT NULL, open BLOB NOT NULL, args_table BLOB NOT NULL,"
        " args BLOB NOT NULL, chunks BLOB);"
        "CREATE TABLE chunks (key INTEGER PRIMARY KEY, n_tasks INTEGER NOT NULL,"
        " lens BLOB NOT NULL, payload BLOB NOT NULL);"
        "CREATE TABLE ended (key INTEGER PRIMARY KEY, place INTEGER NOT NULL,"
        " n_tasks INTEGER NOT NULL, span INTEGER NOT NULL, dead INTEGER NOT NULL,"
        " cancelled INTEGER NOT NULL, lowest INTEGER NOT NULL, outcome INTEGER, attempt INTEGER,"
        " worker TEXT NOT NULL, records BLOB, vals BLOB NOT NULL);"
        "CREATE INDEX ended_by_place ON ended (place);"
        "CREATE TABLE attempts (seq INTEGER PRIMARY KEY, place INTEGER NOT NULL,"
        " attempt INTEGER NOT NULL, blame INTEGER NOT NULL, due_at INTEGER NOT NULL,"
        " at INTEGER NOT NULL, worker TEXT NOT NULL, error TEXT NOT NULL);"
        "CREATE INDEX attempts_by_place ON attempts (place);"
        "CREATE TABLE dropped (number INTEGER PRIMARY KEY);"
        "INSERT INTO meta SELECT epoch FROM now.meta;"
        "INSERT INTO jobs SELECT number, id, client, state, n_tasks, submitted_at, ended_at, "
        "prefix,"
        " done, dead, cancelled, position, handed, open, args_table, args, chunks FROM now.jobs;"
        "INSERT INTO chunks SELECT * FROM now.chunks;"
        "INSERT INTO ended SELECT * FROM now.ended;"
        "INSERT INTO attempts SELECT seq, place, attempt, blame, due_at, at, worker, error"
        " FROM now.attempts;"
        "PRAGMA user_version = 1;"
        "COMMIT;";
    sqlite3 *old = NULL;
    for (int i = 0; i < N_STEPS; i++)
        cr_assert_eq(step(&w, i), 0, "%s", w.err.text);
    char *sql = sqlite3_mprintf(tables, path_of(""));
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI;
    cr_assert_eq(sqlite3_open_v2(path_of(".1"), &old, flags, NULL), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(old, sql, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(old));
    sqlite3_free(sql);
    sqlite3_close(old);
    w.b->close(w.journal);
    w.journal = NULL;
    char from[160];
    snprintf(from, sizeof from, "%s", path_of(".1"));
    cr_assert_eq(rename(from, path_of("")), 0);
    uint64_t epoch = w.epoch;
    cr_assert_eq(reopen(&w), 0, "%s", w.err.text);
    cr_expect(version() == SC_JOURNAL_VERSION && w.epoch == epoch + 1 && w.next_number == 3);
    check(&w, "migrated", N_STEPS);
    check_chunks(&w, "migrated");
    for (uint32_t order = SC_READ_INDEX; order <= SC_READ_ENDED; order++)
        check_pages(&w, order, 3000, 1000);
    check_undoing(&w, "migrated");
}

// A program that leads after a newer one has led, and a version that only the -wal tells.
Test(journal_sqlite, newer_meanwhile)
{
    void *other = NULL;
    uint64_t epoch, next_number;
    size_t n_before, n_after;
    cr_assert_eq(step(&w, 0), 0);
    cr_assert_eq(w.b->open(w.location, &goes_on, &other, &w.err), 0, "%s", w.err.text);
    execute("PRAGMA user_version = 99");
    uint8_t *before = read_file("", &n_before);
    w.b->close(w.journal);
    w.journal = other;
    cr_expect_eq(w.b->lead(other, &epoch, &next_number, &w.err), SC_EVERSION);
    cr_expect(strstr(w.err.text, "99") && strstr(w.err.text, w.dir), "%s", w.err.text);
    cr_expect_eq(reopen(&w), SC_EVERSION, "%s", w.err.text);
    uint8_t *after = read_file("", &n_after);
    cr_expect(n_before == n_after && memcmp(before, after, n_after) == 0, "it was written to");
    free(before);
    free(after);
}

/* ---- damage ---- */

enum { N_BIG = 400, BIG = 100000 };

// More than is kept in memory, and in the database itself.
static void
fill_it(void)
{
    static uint8_t payload[BIG];
    uint32_t len = BIG;
    sc_saved_job saved;
    sc_action a = open_action(9, &saved, SC_JOB_STAGED);
    cr_assert_eq(group(&w, &a, 1), 0, "%s", w.err.text);
    a = (sc_action){.type = SC_ACTION_PUT_CHUNK, .number = 9};
    a.put.table = sc_slice_borrow(&len, sizeof len);
    a.put.bytes = sc_slice_borrow(payload, BIG);
    for (uint32_t i = 0; i < N_BIG; i++) {
        a.put.ticket.number = a.put.place = i;
        cr_assert_eq(group(&w, &a, 1), 0, "%s", w.err.text);
    }
    execute("PRAGMA wal_checkpoint(TRUNCATE)");
}

static void
overwrite(size_t from, size_t until)
{
    uint8_t junk[200];
    memset(junk, 0x55, sizeof junk);
    int fd = open(path_of(""), O_WRONLY | O_CLOEXEC);
    for (size_t at = from; at < until; at += 16384)
        cr_assert_eq(pwrite(fd, junk, sizeof junk, (off_t)at), (ssize_t)sizeof junk);
    close(fd);
}

// What can be read is read; what cannot says what it is, where, and what to do.
Test(journal_sqlite, damaged_while_it_is_open)
{
    fill_it();
    size_t n = size_of("") / 16384 * 16384;
    overwrite(n / 2 / 16384 * 16384, n);
    int n_good = 0, n_damaged = 0;
    for (uint32_t i = 0; i < N_BIG; i++) {
        sc_blob *table, *payload;
        int rc = w.b->chunk(w.journal, 9, i, &table, &payload, &w.err);
        if (rc == 0) {
            sc_blob_unref(table);
            sc_blob_unref(payload);
            n_good++;
            continue;
        }
        n_damaged++;
        cr_assert_eq(rc, SC_EMALFORMED, "chunk %u: %d %s", i, rc, w.err.text);
        cr_assert(strstr(w.err.text, path_of("")) && strstr(w.err.text, "set it aside"), "%s",
                  w.err.text);
    }
    cr_expect(n_good > 50 && n_damaged > 50, "%d good, %d damaged", n_good, n_damaged);
}

// Found at the start, and left as it is: also what the -wal holds, which must not be copied into
// it.
Test(journal_sqlite, damaged_before_it_is_opened)
{
    size_t n_before, n_after, n_wal_before, n_wal_after;
    fill_it();
    for (int i = 0; i < N_STEPS; i++)
        cr_assert_eq(step(&w, i), 0, "%s", w.err.text);
    uint8_t *database = read_file("", &n_before), *wal = read_file("-wal", &n_wal_before);
    crash(database, n_before, wal, n_wal_before);
    free(database);
    overwrite(16384ul * 10, n_before);
    uint8_t *before = read_file("", &n_before);
    cr_expect_eq(reopen(&w), SC_EMALFORMED, "%s", w.err.text);
    cr_expect(strstr(w.err.text, path_of("")) && strstr(w.err.text, ".recover"), "%s", w.err.text);
    uint8_t *after = read_file("", &n_after), *wal_after = read_file("-wal", &n_wal_after);
    cr_expect(n_before == n_after && memcmp(before, after, n_after) == 0, "it was written to");
    cr_expect(n_wal_before == n_wal_after && memcmp(wal, wal_after, n_wal_after) == 0);
    free(wal);
    free(before);
    free(after);
    free(wal_after);
}

// Those who start together: one makes it, all open it, none finds half of it.
Test(journal_sqlite, made_by_one)
{
    enum { N = 8 };
    pid_t pids[N];
    end(&w);
    begin(&w, &sc_journal_sqlite);
    for (int i = 0; i < N; i++)
        if ((pids[i] = fork()) == 0)
            _exit(w.b->open(w.location, &goes_on, &w.journal, &w.err) == 0 ? 0 : 1);
    for (int i = 0; i < N; i++) {
        int status;
        cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
        cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the %dth", i);
    }
    cr_assert_eq(reopen(&w), 0, "%s", w.err.text);
    check(&w, "new", 0);
}

/* ---- what is on the disk ---- */

static int n_syncs; // of -wal files
static int (*real_sync)(sqlite3_file *file, int flags);
static sqlite3_vfs *real_vfs;

static int
count_sync(sqlite3_file *file, int flags)
{
    n_syncs++;
    return real_sync(file, flags);
}

static int
open_counted(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    static sqlite3_io_methods counted;
    (void)vfs;
    int rc = real_vfs->xOpen(real_vfs, name, file, flags, out);
    if (rc == SQLITE_OK && flags & SQLITE_OPEN_WAL) {
        counted = *file->pMethods;
        real_sync = counted.xSync;
        counted.xSync = count_sync;
        file->pMethods = &counted;
    }
    return rc;
}

// Synced before its commit returns is a group that somebody is told of; chunks wait for such a one.
Test(journal_sqlite, what_is_told_is_synced)
{
    static sqlite3_vfs counting;
    real_vfs = sqlite3_vfs_find(NULL);
    counting = *real_vfs;
    counting.zName = "counting";
    counting.xOpen = open_counted;
    cr_assert_eq(sqlite3_vfs_register(&counting, 1), SQLITE_OK);
    cr_assert_eq(reopen(&w), 0, "%s", w.err.text);
    for (int i = 0; i < 4; i++) {
        sc_action chunk = chunk_action((uint32_t)i);
        int before = n_syncs, is_safe = i % 2 == 0;
        cr_assert_eq(w.b->begin(w.journal, is_safe, &w.err), 0, "%s", w.err.text);
        cr_assert_eq(w.b->put(w.journal, &chunk, &w.err), 0, "%s", w.err.text);
        cr_expect_eq(n_syncs, before);
        cr_assert_eq(w.b->commit(w.journal, &w.err), 0, "%s", w.err.text);
        cr_expect_eq(n_syncs > before, is_safe, "group %d", i);
    }
}
