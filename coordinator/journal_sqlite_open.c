/* SPDX-License-Identifier: Apache-2.0 */
/* The journal in SQLite: the file. It is made under another name and renamed when it is whole, so
 * whatever else lies under its own name is not ours, or damaged, and is left as it is: a journal is
 * never begun anew in silence. */
#include "coordinator/journal_sqlite.h"
#include "coordinator/journal_sqlite_wal.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "coordinator/state_dir.h"

enum {
    MAX_PATH = 4095,
    APPLICATION_ID = 0x53434a4c, // "SCJL"; in the header of the file, as user_version is
    HEADER_BYTES = 100,          // https://www.sqlite.org/fileformat.html section 1.3
    HEADER_PAGE_BYTES_AT = 16,
    HEADER_VERSION_AT = 60,
    HEADER_APPLICATION_AT = 68,
    // All pages of a journal up to this are checked, those of a larger one where they are read: the
    // check cannot be stopped while it walks through a table, and reads some GB/s from memory, but
    // 100 MB/s from a slow disk. (Up to here: 256 MiB.)
    CHECK_PAGES = 16384,
    MAKING_MS = 2000, // another program that starts at the same time makes it
    BUSY_MS = 2000,   // another program, as sqlite3, has a lock
};

// A row of results lies in one chunk (SC_CHUNK_MAX_TASKS): few are wider, and those are looked for
// where others begin later. So are rows with tasks that may be tried again.
#define INDEXES_OF_2                                                                               \
    "CREATE INDEX ended_wide ON ended (place) WHERE span > 1000;"                                  \
    "CREATE INDEX ended_failed ON ended (place) WHERE dead > 0 OR cancelled > 0;"

// Until it is renamed nobody else sees the file, so a creation that is cut off may leave it in any
// state: it is synced once, when it is whole. It is in WAL mode from then on (configure() only says
// so again).
static const char schema[] =
    "PRAGMA page_size = 16384;"
    "PRAGMA journal_mode = MEMORY;"
    "PRAGMA synchronous = OFF;"
    "BEGIN;"
    "PRAGMA application_id = 1396918860;"
    "CREATE TABLE meta (epoch INTEGER NOT NULL);"
    // begins with the time, so that one that is begun anew goes on from the one before
    "INSERT INTO meta VALUES (strftime('%s', 'now') * 1000);"
    // what is read often and is small comes first: the rest of a long row lies on other pages
    "CREATE TABLE jobs (number INTEGER PRIMARY KEY, id BLOB NOT NULL, client INTEGER NOT NULL,"
    " state INTEGER NOT NULL, n_tasks INTEGER NOT NULL, submitted_at INTEGER NOT NULL,"
    " ended_at INTEGER NOT NULL, prefix INTEGER NOT NULL, done INTEGER NOT NULL,"
    " dead INTEGER NOT NULL, cancelled INTEGER NOT NULL, position INTEGER NOT NULL,"
    " handed INTEGER NOT NULL, dead_before INTEGER NOT NULL, cancelled_before INTEGER NOT NULL,"
    " digest BLOB NOT NULL, open BLOB NOT NULL, args_table BLOB NOT NULL, args BLOB NOT NULL,"
    " chunks BLOB);"
    "CREATE TABLE chunks (key INTEGER PRIMARY KEY, n_tasks INTEGER NOT NULL, lens BLOB NOT NULL,"
    " payload BLOB NOT NULL);"
    "CREATE TABLE ended (key INTEGER PRIMARY KEY, place INTEGER NOT NULL,"
    " n_tasks INTEGER NOT NULL, span INTEGER NOT NULL, dead INTEGER NOT NULL,"
    " cancelled INTEGER NOT NULL, lowest INTEGER NOT NULL, outcome INTEGER, attempt INTEGER,"
    " worker TEXT NOT NULL, records BLOB, vals BLOB NOT NULL);"
    "CREATE INDEX ended_by_place ON ended (place);" INDEXES_OF_2
    "CREATE TABLE attempts (seq INTEGER PRIMARY KEY, place INTEGER NOT NULL,"
    " attempt INTEGER NOT NULL, blame INTEGER NOT NULL, due_at INTEGER NOT NULL,"
    " at INTEGER NOT NULL, position INTEGER NOT NULL, worker TEXT NOT NULL, error TEXT NOT NULL);"
    "CREATE INDEX attempts_by_place ON attempts (place);"
    "CREATE TABLE dropped (number INTEGER PRIMARY KEY);"
    "PRAGMA user_version = 2;"
    "COMMIT;"
    "PRAGMA journal_mode = WAL;";

const char *const sc_sqlite_journal_steps[] = {
    "ALTER TABLE jobs ADD COLUMN dead_before INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE jobs ADD COLUMN cancelled_before INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE jobs ADD COLUMN digest BLOB NOT NULL"
    " DEFAULT x'00000000000000000000000000000000';"
    "ALTER TABLE attempts ADD COLUMN position INTEGER NOT NULL DEFAULT 0;" INDEXES_OF_2,
    NULL,
};
_Static_assert(sizeof sc_sqlite_journal_steps / sizeof *sc_sqlite_journal_steps ==
                   SC_JOURNAL_VERSION,
               "a step for each version but the first, and an end");

/* ---- making one ---- */

// A file, or with O_DIRECTORY the names in a folder.
static int
sync_path(const char *path, int flags)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    int rc = fd >= 0 ? fsync(fd) : -1;
    if (fd >= 0)
        close(fd);
    return rc;
}

static int
sync_folder_of(const char *path)
{
    char *copy = strdup(path);
    int rc = copy ? sync_path(dirname(copy), O_DIRECTORY) : -1;
    free(copy);
    return rc;
}

static int
fill(const char *path, sc_error *err)
{
    sqlite3 *db = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    int rc = sqlite3_open_v2(path, &db, flags, NULL);
    if (rc == SQLITE_OK)
        rc = SC_FAULT("journal.create") ? SQLITE_FULL : sqlite3_exec(db, schema, 0, 0, 0);
    if (rc != SQLITE_OK)
        sc_error_set(err, (rc & 0xff) == SQLITE_FULL ? -ENOSPC : -EIO, "cannot make %s: %s", path,
                     sqlite3_errstr(rc));
    sqlite3_close(db); // its WAL goes with it
    return rc == SQLITE_OK ? 0 : err->code;
}

static int
make(const char *path, sc_error *err)
{
    char name[MAX_PATH + 8];
    snprintf(name, sizeof name, "%s.new", path);
    unlink(name); // of a start that was cut off
    int rc = fill(name, err);
    if (rc == 0 && (chmod(name, 0600) < 0 || sync_path(name, 0) < 0 || rename(name, path) < 0 ||
                    sync_folder_of(path) < 0))
        rc = sc_error_set(err, -errno, "cannot make %s: %s", path, strerror(errno));
    if (rc < 0)
        unlink(name);
    else
        sc_log_info("new journal %s", path);
    return rc;
}

/* ---- looking at one, before SQLite may touch it ---- */

static uint32_t
number_at(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static int
refuse_newer(const char *path, long version, sc_error *err)
{
    return sc_error_set(err, SC_EVERSION,
                        "%s has version %ld, this program knows %d: start a newer one, or set it "
                        "aside",
                        path, version, SC_JOURNAL_VERSION);
}

static off_t
size_of_wal(const char *path)
{
    char wal[MAX_PATH + 8];
    struct stat at;
    snprintf(wal, sizeof wal, "%s-wal", path);
    return stat(wal, &at) == 0 ? at.st_size : 0;
}

// SQLite takes what is missing of the last page for zeros. Where there is a -wal, the page may lie
// there, too.
static bool
is_cut(const char *path, const uint8_t *header)
{
    uint32_t page_bytes =
        (uint32_t)header[HEADER_PAGE_BYTES_AT] << 8 | header[HEADER_PAGE_BYTES_AT + 1];
    struct stat at;
    return stat(path, &at) == 0 && page_bytes > 1 && at.st_size % page_bytes != 0 &&
           size_of_wal(path) == 0;
}

static int
check_header(const char *path, sc_error *err)
{
    uint8_t header[HEADER_BYTES] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return sc_error_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
    ssize_t n = read(fd, header, sizeof header);
    close(fd);
    if (n < (ssize_t)sizeof header || memcmp(header, "SQLite format 3", 16) != 0)
        return sc_error_set(err, SC_EMALFORMED, "%s is damaged or no journal; %s", path,
                            SC_SQLITE_JOURNAL_ADVICE);
    if (number_at(header + HEADER_APPLICATION_AT) != APPLICATION_ID)
        return sc_error_set(
            err, SC_EMALFORMED,
            "%s is another program's database; choose another file with JOURNAL, or move this one",
            path);
    uint32_t version = number_at(header + HEADER_VERSION_AT);
    if (version <= SC_JOURNAL_VERSION && is_cut(path, header))
        return sc_error_set(err, SC_EMALFORMED, "%s is damaged (its last page is cut); %s", path,
                            SC_SQLITE_JOURNAL_ADVICE);
    return version > SC_JOURNAL_VERSION ? refuse_newer(path, version, err) : 0;
}

// It is made by one alone: another that starts now waits for it.
static int
make_alone(sc_sqlite_journal *j, const atomic_bool *should_stop, sc_error *err)
{
    struct stat at;
    int64_t end_ms = sc_clock_ms() + MAKING_MS;
    int rc;
    while ((rc = sc_sqlite_journal_lock(j, err)) == SC_EBUSY && sc_clock_ms() < end_ms &&
           !*should_stop && stat(j->path, &at) < 0)
        usleep(10000);
    if (stat(j->path, &at) == 0)
        return check_header(j->path, err);
    return rc < 0 ? rc : make(j->path, err);
}

// What was lost is said; it may have been acknowledged only where the file was damaged.
static int
check_wal(const char *path, sc_error *err)
{
    char wal[MAX_PATH + 8];
    uint64_t n_lost;
    snprintf(wal, sizeof wal, "%s-wal", path);
    int rc = sc_sqlite_wal_lost(wal, &n_lost);
    if (rc < 0)
        return sc_error_set(err, rc, "cannot read %s: %s", wal, sc_error_text(rc));
    if (n_lost > 0)
        sc_log_error("%s breaks off: %llu transactions lie behind a place that cannot be read, and "
                     "are lost. Where the machine lost its power while they were written, nobody "
                     "was told that they are safe; else the file was damaged: look for a copy "
                     "before more is written",
                     wal, (unsigned long long)n_lost);
    return 0;
}

// Is there one, or may it be made?
static int
check_file(sc_sqlite_journal *j, const atomic_bool *should_stop, sc_error *err)
{
    const char *path = j->path;
    struct stat at;
    if (stat(path, &at) == 0 && !S_ISREG(at.st_mode)) // opening a FIFO would wait for ever
        return sc_error_set(err, SC_EBADARG, "%s is no file; choose another with JOURNAL", path);
    if (stat(path, &at) == 0) {
        int rc = check_header(path, err);
        return rc < 0 ? rc : check_wal(path, err);
    }
    if (errno != ENOENT)
        return sc_error_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
    if (size_of_wal(path) > 0)
        return sc_error_set(err, SC_EMALFORMED,
                            "%s is missing, but its -wal is there: put it back, or set the -wal "
                            "aside to begin anew",
                            path);
    return make_alone(j, should_stop, err);
}

/* ---- the lock ---- */

int
sc_sqlite_journal_lock(sc_sqlite_journal *j, sc_error *err)
{
    char name[MAX_PATH + 8];
    long holder = 0;
    if (j->lock >= 0)
        return 0;
    snprintf(name, sizeof name, "%s-lock", j->path);
    int rc = sc_lock_file(name, &holder, err);
    if (rc == SC_EBUSY)
        return sc_error_set(err, SC_EBUSY, "the coordinator with pid %ld leads with %s", holder,
                            j->path);
    if (rc < 0)
        return rc;
    j->lock = rc;
    return 0;
}

/* ---- checking ---- */

static int
damaged(const sc_sqlite_journal *j, const char *what, sc_error *err)
{
    return sc_error_set(err, SC_EMALFORMED, "%s is damaged (%.40s); %s", j->path, what,
                        SC_SQLITE_JOURNAL_ADVICE);
}

static int
read_pragma(sc_sqlite_journal *j, const char *sql, long *value)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(j->db, sql, -1, &s, NULL);
    if (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW)
        *value = (long)sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return rc == SQLITE_ROW ? 0 : -1;
}

// Every page, or in a large one those of the jobs' records: what else a restart needs it reads.
static int
check_pages(sc_sqlite_journal *j, sc_error *err)
{
    long n_pages = 0;
    sqlite3_stmt *s = NULL;
    if (read_pragma(j, "PRAGMA page_count", &n_pages) < 0)
        return damaged(j, sqlite3_errmsg(j->db), err);
    const char *sql = n_pages <= CHECK_PAGES ? "PRAGMA quick_check(1)" : "PRAGMA quick_check(jobs)";
    int rc = sqlite3_prepare_v2(j->db, sql, -1, &s, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    const char *said = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
    int result = 0;
    if (!said)
        result = damaged(j, sqlite3_errmsg(j->db), err);
    else if (strcmp(said, "ok") != 0)
        result = damaged(j, strchr(said, '\n') ? strchr(said, '\n') + 1 : said, err);
    sqlite3_finalize(s);
    return result;
}

// Is it of a version that we know?
static int
check_version(sc_sqlite_journal *j, long newest, long *version, sc_error *err)
{
    if (read_pragma(j, "PRAGMA user_version", version) < 0)
        return damaged(j, sqlite3_errmsg(j->db), err);
    if (*version > newest)
        return refuse_newer(j->path, *version, err);
    return *version < 1 ? damaged(j, "it has no version", err) : 0;
}

int
sc_sqlite_journal_migrate(sc_sqlite_journal *j, const char *const *steps, long newest,
                          sc_error *err)
{
    long version = 0;
    int rc = check_version(j, newest, &version, err);
    for (; rc == 0 && version < newest; version++) {
        char *sql = sqlite3_mprintf("BEGIN IMMEDIATE; %s; PRAGMA user_version = %d; COMMIT;",
                                    steps[version - 1], (int)version + 1);
        sc_log_info("journal %s: from version %ld to %ld", j->path, version, version + 1);
        if (!sql || sqlite3_exec(j->db, sql, NULL, NULL, NULL) != SQLITE_OK) {
            rc = sc_sqlite_journal_fail(j, err, "migrating");
            sqlite3_exec(j->db, "ROLLBACK", NULL, NULL, NULL);
        }
        sqlite3_free(sql);
    }
    return rc;
}

/* ---- opening ---- */

static int
configure(sc_sqlite_journal *j, sc_error *err)
{
    static const char settings[] = "PRAGMA journal_mode = WAL;"
                                   "PRAGMA synchronous = FULL;"
                                   "PRAGMA wal_autocheckpoint = 0;"
                                   "PRAGMA cache_size = -16384;" // KiB
                                   "PRAGMA temp_store = MEMORY;";
    if (sqlite3_exec(j->db, settings, NULL, NULL, NULL) != SQLITE_OK)
        return sc_sqlite_journal_fail(j, err, "opening");
    j->is_safe = true;
    j->has_dropped = true; // perhaps, since before
    return 0;
}

static int
open_file(sc_sqlite_journal *j, const atomic_bool *should_stop, sc_error *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    long version;
    int rc = check_file(j, should_stop, err);
    if (rc < 0)
        return rc;
    if (SC_FAULT("journal.open") || sqlite3_open_v2(j->path, &j->db, flags, NULL) != SQLITE_OK)
        return sc_error_set(err, -EIO, "cannot open %s: %s", j->path, sqlite3_errmsg(j->db));
    sqlite3_busy_timeout(j->db, BUSY_MS);
    sqlite3_db_config(j->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    rc = check_pages(j, err);
    if (rc == 0)
        rc = check_version(j, SC_JOURNAL_VERSION, &version, err);
    return rc < 0 ? rc : configure(j, err);
}

int
sc_sqlite_journal_open(const char *location, const atomic_bool *should_stop, void **out,
                       sc_error *err)
{
    const char *path = strchr(location, ':') + 1;
    if (!*path)
        return sc_error_set(err, SC_EBADARG, "JOURNAL: sqlite: without a path");
    if (strlen(path) > MAX_PATH)
        return sc_error_set(err, SC_EBADARG, "JOURNAL: the path is longer than %d bytes", MAX_PATH);
    sc_sqlite_journal *j = calloc(1, sizeof *j);
    if (!j || !(j->path = strdup(path))) {
        free(j);
        return sc_error_set(err, SC_ENOMEM, "out of memory");
    }
    j->lock = -1;
    int rc = open_file(j, should_stop, err);
    if (rc < 0)
        sc_sqlite_journal_close(j);
    else
        *out = j;
    return rc;
}

void
sc_sqlite_journal_close(void *b)
{
    sc_sqlite_journal *j = b;
    for (int i = 0; i < SC_JOURNAL_N_STATEMENTS; i++)
        sqlite3_finalize(j->statements[i]);
    sqlite3_close(j->db);
    if (j->lock >= 0)
        close(j->lock);
    free(j->path);
    free(j);
}
