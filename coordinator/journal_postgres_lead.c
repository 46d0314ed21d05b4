/* SPDX-License-Identifier: Apache-2.0 */
/* The journal in PostgreSQL: its tables, and who writes to them. See journal_postgres.h. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "coordinator/journal_postgres.h"

/* Advisory locks are numbers that belong to a database: "SCJL" as in the header of the file of
 * SQLite, and the next one for making the tables. In pg_locks a number is cut in two words. */
#define LEAD_LOCK "1396918860"
#define MAKE_LOCK "1396918861"
#define ENDS_MS   "200" // how long is waited for the end of a session
#define HAS_LEAD_LOCK                                                                              \
    "l.locktype = 'advisory' AND l.classid = 0 AND l.objid = " LEAD_LOCK " AND l.objsubid = 1 "    \
    "AND l.granted AND l.database = (SELECT oid FROM pg_database "                                 \
    "WHERE datname = current_database())"

// A row of results lies in one chunk (SC_CHUNK_MAX_TASKS): few are wider, and those are looked for
// where others begin later. So are rows with tasks that may be tried again.
#define INDEXES_OF_2                                                                               \
    "CREATE INDEX ended_by_place ON seedcore.ended (place, key);"                                  \
    "CREATE INDEX ended_wide ON seedcore.ended (place, key) WHERE span > 1000;"                    \
    "CREATE INDEX ended_failed ON seedcore.ended (place, key) WHERE dead > 0 OR cancelled > 0;"

// Values are kept as they come: they are compressed by those who know what they are, or not at all.
// Workers' names and errors are bytes, so that nothing in them can make a group fail.
static const char tables[] =
    "DO $$ BEGIN"
    " PERFORM pg_advisory_xact_lock(" MAKE_LOCK ");"
    " IF to_regclass('seedcore.meta') IS NOT NULL THEN RETURN; END IF;"
    " IF to_regnamespace('seedcore') IS NULL THEN CREATE SCHEMA seedcore; END IF;"
    " CREATE TABLE seedcore.meta (version bigint NOT NULL, epoch bigint NOT NULL,"
    "  last_group bigint NOT NULL, host text, pid bigint, backend bigint,"
    "  leading_since timestamptz, beat_at timestamptz NOT NULL);"
    // begins with the time, so that one that is begun anew goes on from the one before
    " INSERT INTO seedcore.meta (version, epoch, last_group, beat_at)"
    "  VALUES (2, floor(extract(epoch FROM now()))::bigint * 1000, 0, now());"
    " CREATE TABLE seedcore.jobs (number bigint PRIMARY KEY, id bytea NOT NULL,"
    "  client bigint NOT NULL, state bigint NOT NULL, n_tasks bigint NOT NULL,"
    "  submitted_at bigint NOT NULL, ended_at bigint NOT NULL, prefix bigint NOT NULL,"
    "  done bigint NOT NULL, dead bigint NOT NULL, cancelled bigint NOT NULL,"
    "  position bigint NOT NULL, handed bigint NOT NULL, dead_before bigint NOT NULL,"
    "  cancelled_before bigint NOT NULL, digest bytea NOT NULL, open bytea NOT NULL,"
    "  args_table bytea NOT NULL, args bytea NOT NULL, chunks bytea);"
    " CREATE TABLE seedcore.chunks (key bigint PRIMARY KEY, n_tasks bigint NOT NULL,"
    "  lens bytea NOT NULL, payload bytea NOT NULL);"
    " CREATE TABLE seedcore.ended (key bigint PRIMARY KEY, place bigint NOT NULL,"
    "  n_tasks bigint NOT NULL, span bigint NOT NULL, dead bigint NOT NULL,"
    "  cancelled bigint NOT NULL, lowest bigint NOT NULL, outcome bigint NOT NULL,"
    "  attempt bigint NOT NULL, worker bytea NOT NULL, records bytea, vals bytea NOT NULL);"
    " " INDEXES_OF_2 " CREATE TABLE seedcore.attempts (place bigint NOT NULL,"
    "  seq bigint GENERATED ALWAYS AS IDENTITY, attempt bigint NOT NULL, blame bigint NOT NULL,"
    "  due_at bigint NOT NULL, at bigint NOT NULL, position bigint NOT NULL,"
    "  worker bytea NOT NULL, error bytea NOT NULL, PRIMARY KEY (place, seq));"
    " CREATE TABLE seedcore.dropped (number bigint PRIMARY KEY);"
    " ALTER TABLE seedcore.chunks ALTER lens SET STORAGE EXTERNAL,"
    "  ALTER payload SET STORAGE EXTERNAL;"
    " ALTER TABLE seedcore.ended ALTER records SET STORAGE EXTERNAL,"
    "  ALTER vals SET STORAGE EXTERNAL;"
    "END $$";

const char *const sc_postgres_journal_steps[] = {
    "ALTER TABLE jobs ADD dead_before bigint NOT NULL DEFAULT 0,"
    " ADD cancelled_before bigint NOT NULL DEFAULT 0,"
    " ADD digest bytea NOT NULL DEFAULT '\\x00000000000000000000000000000000';"
    "ALTER TABLE attempts ADD position bigint NOT NULL DEFAULT 0;"
    "DROP INDEX ended_by_place;" INDEXES_OF_2,
    NULL,
};
_Static_assert(sizeof sc_postgres_journal_steps / sizeof *sc_postgres_journal_steps ==
                   SC_JOURNAL_VERSION,
               "a step for each version but the first, and an end");

/* ---- tables ---- */

static int
check_version(sc_postgres_journal *j, int64_t newest, int64_t *version, sc_error *err)
{
    PGresult *rows;
    const char *name = sc_postgres_name(j->pg);
    int rc =
        sc_postgres_ask(j->pg, "reading the version", "SELECT version FROM meta", NULL, &rows, err);
    if (rc == SC_EMALFORMED)
        return sc_error_set(err, rc,
                            "%s: what lies in its schema seedcore is no journal; rename the "
                            "schema, or name another database",
                            name);
    if (rc < 0)
        return rc;
    bool is_one = PQntuples(rows) == 1;
    *version = is_one ? sc_postgres_number(rows, 0, 0) : 0;
    PQclear(rows);
    if (*version > newest)
        return sc_error_set(err, SC_EVERSION,
                            "%s has version %ld, this program knows %ld: start a newer one, or "
                            "rename its schema seedcore",
                            name, (long)*version, (long)newest);
    if (*version < 1)
        return sc_error_set(err, SC_EMALFORMED,
                            "%s is damaged (seedcore.meta has no version); put a copy back, or "
                            "rename its schema seedcore to begin anew",
                            name);
    return 0;
}

int
sc_postgres_journal_migrate(sc_postgres_journal *j, const char *const *steps, int64_t newest,
                            sc_error *err)
{
    int64_t version;
    int rc;
    while ((rc = check_version(j, newest, &version, err)) == 0 && version < newest) {
        char sql[4096];
        int len = snprintf(sql, sizeof sql, "%s; UPDATE meta SET version = %ld", steps[version - 1],
                           (long)version + 1);
        SC_ASSERT(len < (int)sizeof sql);
        sc_log_info("journal %s: from version %ld to %ld", sc_postgres_name(j->pg), (long)version,
                    (long)version + 1);
        if ((rc = sc_postgres_script(j->pg, "migrating", sql, err)) < 0)
            return rc;
    }
    return rc;
}

int
sc_postgres_journal_open(sc_postgres_journal *j, sc_error *err)
{
    int64_t version;
    int rc = sc_postgres_connect(j->pg, err);
    if (rc == 0)
        rc = sc_postgres_script(j->pg, "making the tables", tables, err);
    if (rc == SC_EDATABASE && strcmp(err->sqlstate, "42501") == 0)
        return sc_error_set(err, rc,
                            "%s: its user may not make the tables: GRANT CREATE ON DATABASE ... TO "
                            "it once, or have an administrator make the schema seedcore for it",
                            sc_postgres_name(j->pg));
    return rc < 0 ? rc : check_version(j, SC_JOURNAL_VERSION, &version, err);
}

/* ---- the lock ---- */

// @return 1: ours; 0: another's; a code
static int
try_lock(sc_postgres_journal *j, sc_error *err)
{
    PGresult *rows;
    int rc = sc_postgres_ask(j->pg, "asking whether another leads",
                             "SELECT pg_try_advisory_lock(" LEAD_LOCK
                             ")::int::bigint, pg_backend_pid()::bigint",
                             NULL, &rows, err);
    if (rc < 0)
        return rc;
    rc = (int)sc_postgres_number(rows, 0, 0);
    if (rc == 1)
        j->backend = sc_postgres_number(rows, 0, 1);
    PQclear(rows);
    return rc;
}

// @return SC_EBUSY; 0: its session was ended, the lock is free
static int
describe_leader(sc_postgres_journal *j, const PGresult *rows, sc_error *err)
{
    char since[SC_CLOCK_TEXT];
    const char *name = sc_postgres_name(j->pg);
    if (PQntuples(rows) != 1)
        return sc_error_set(err, SC_EBUSY, "another leads with %s", name);
    long silent_ms = (long)sc_postgres_number(rows, 0, 3);
    bool is_silent = !PQgetisnull(rows, 0, 4);
    bool is_ended = is_silent && sc_postgres_number(rows, 0, 4);
    sc_error_set(err, SC_EBUSY, "%.64s pid %ld leads with %s since %s, its last sign %ld ms ago%s",
                 PQgetvalue(rows, 0, 0), (long)sc_postgres_number(rows, 0, 1), name,
                 sc_clock_format(sc_postgres_number(rows, 0, 2), since), silent_ms,
                 is_silent ? ": its session is ended" : "");
    if (is_silent)
        sc_log_warn("%s", err->text);
    return is_ended ? 0 : SC_EBUSY;
}

// Who has the lock. One who has been silent is deposed: its session is ended, and with it what it
// had not committed. Silent is who has neither beaten nor said anything else while the server had
// nothing to do for it: a leader is not blamed for a slow server. As describe_leader.
static int
look_at_leader(sc_postgres_journal *j, sc_error *err)
{
    static const char sql[] =
        "SELECT coalesce(m.host, '?'), m.pid,"
        " floor(extract(epoch FROM m.leading_since) * 1000)::bigint,"
        " floor(extract(epoch FROM clock_timestamp() - m.beat_at) * 1000)::bigint,"
        " CASE WHEN greatest(m.beat_at, a.state_change) < clock_timestamp() - interval"
        "  '" SC_JOURNAL_SILENT "' AND coalesce(a.wait_event_type, 'Client') = 'Client'"
        "  THEN pg_terminate_backend(l.pid, " ENDS_MS ")::int::bigint END"
        " FROM meta m JOIN pg_locks l ON " HAS_LEAD_LOCK
        " LEFT JOIN pg_stat_activity a ON a.pid = l.pid LIMIT 1";
    PGresult *rows;
    int rc = sc_postgres_ask(j->pg, "asking who leads", sql, NULL, &rows, err);
    if (rc == SC_EDATABASE && strcmp(err->sqlstate, "42501") == 0)
        return sc_error_set(err, SC_EBUSY,
                            "who leads with %s is silent, and our user may not end its session: "
                            "let both have one user, or end it",
                            sc_postgres_name(j->pg));
    if (rc < 0)
        return rc;
    rc = describe_leader(j, rows, err);
    PQclear(rows);
    return rc;
}

/* ---- leading ---- */

static int
prepare(sc_postgres_journal *j, sc_error *err)
{
    static const char *const sql[] = {
#define SQL(symbol, text) text,
        SC_JOURNAL_STATEMENTS(SQL)
#undef SQL
    };
    return sc_postgres_prepare(j->pg, sql, SC_JOURNAL_N_STATEMENTS, err);
}

// The lock is ours: so is the next epoch.
static int
take_epoch(sc_postgres_journal *j, uint64_t *next_number, sc_error *err)
{
    static const char sql[] =
        "UPDATE meta SET epoch = epoch + 1, host = $1::text, pid = $2::bigint,"
        " backend = pg_backend_pid(), leading_since = clock_timestamp(),"
        " beat_at = clock_timestamp() RETURNING epoch, last_group,"
        " 1 + greatest((SELECT max(number) FROM jobs), (SELECT max(number) FROM dropped), 0)";
    char host[SC_NAME_MAX + 1] = "";
    sc_postgres_params p = {0};
    PGresult *rows;
    gethostname(host, sizeof host - 1);
    sc_postgres_add_bytes(&p, host, strlen(host));
    sc_postgres_add_number(&p, getpid());
    int rc = sc_postgres_ask(j->pg, "beginning to lead", sql, &p, &rows, err);
    if (rc < 0)
        return rc;
    bool is_one = PQntuples(rows) == 1;
    j->epoch = (uint64_t)sc_postgres_number(rows, 0, 0);
    j->group = (uint64_t)sc_postgres_number(rows, 0, 1);
    *next_number = (uint64_t)sc_postgres_number(rows, 0, 2);
    PQclear(rows);
    return is_one ? 0
                  : sc_error_set(err, SC_EMALFORMED, "%s is damaged (seedcore.meta)",
                                 sc_postgres_name(j->pg));
}

int
sc_postgres_journal_lead(sc_postgres_journal *j, uint64_t *epoch, uint64_t *next_number,
                         sc_error *err)
{
    int rc = sc_postgres_is_open(j->pg) ? 0 : sc_postgres_connect(j->pg, err);
    j->is_unknown = j->is_there = false; // of an attempt before
    if (rc == 0)
        rc = try_lock(j, err);
    if (rc == 0 && (rc = look_at_leader(j, err)) == 0)
        rc = try_lock(j, err);
    if (rc == 0)
        return SC_EBUSY; // another was faster, and will be looked at
    // whoever led before may have been a newer program
    if (rc == 1)
        rc = sc_postgres_journal_migrate(j, sc_postgres_journal_steps, SC_JOURNAL_VERSION, err);
    if (rc == 0)
        rc = take_epoch(j, next_number, err);
    if (rc == 0)
        rc = prepare(j, err);
    if (rc < 0)
        sc_postgres_disconnect(j->pg); // and with it the lock
    *epoch = j->epoch;
    return rc;
}

/* ---- coming back ---- */

// Our own former session may be there still, where the server does not know that it is lost; what
// it may be committing has to be done or undone before we look.
static int
end_former(sc_postgres_journal *j, sc_error *err)
{
    PGresult *rows;
    sc_postgres_params p = {0};
    sc_postgres_add_number(&p, j->backend);
    int rc = sc_postgres_ask(j->pg, "ending the former session",
                             "SELECT pg_terminate_backend(l.pid) FROM pg_locks l "
                             "WHERE " HAS_LEAD_LOCK " AND l.pid = $1::bigint",
                             &p, &rows, err);
    if (rc < 0)
        return rc;
    PQclear(rows);
    return sc_error_set(err, SC_ELOST, "%s: its lock is not free yet", sc_postgres_name(j->pg));
}

int
sc_postgres_journal_deposed(sc_postgres_journal *j, sc_error *err)
{
    return sc_error_set(err, SC_ESTATE, "another coordinator leads with %s now: this one ends",
                        sc_postgres_name(j->pg));
}

// Nobody else has led, and what became of a commit that was not answered.
static int
check_epoch(sc_postgres_journal *j, sc_error *err)
{
    static const char sql[] = "UPDATE meta SET backend = pg_backend_pid(),"
                              " beat_at = clock_timestamp() WHERE epoch = $1::bigint"
                              " RETURNING last_group";
    PGresult *rows;
    sc_postgres_params p = {0};
    sc_postgres_add_number(&p, (int64_t)j->epoch);
    int rc = sc_postgres_ask(j->pg, "coming back", sql, &p, &rows, err);
    if (rc < 0)
        return rc;
    bool is_ours = PQntuples(rows) == 1;
    uint64_t group = is_ours ? (uint64_t)sc_postgres_number(rows, 0, 0) : 0;
    PQclear(rows);
    if (!is_ours)
        return sc_postgres_journal_deposed(j, err);
    if (group != j->group && !(j->is_unknown && group == j->group + 1))
        return sc_error_set(err, SC_ESTATE,
                            "%s is not as it was left: its server lost what was committed, or was "
                            "set back",
                            sc_postgres_name(j->pg));
    j->is_there |= group != j->group;
    j->group = group;
    j->is_unknown = false;
    return 0;
}

static int
is_epoch_ours(sc_postgres_journal *j, sc_error *err)
{
    PGresult *rows;
    int rc = sc_postgres_ask(j->pg, "coming back", "SELECT epoch FROM meta", NULL, &rows, err);
    if (rc < 0)
        return rc;
    bool is_ours = PQntuples(rows) == 1 && (uint64_t)sc_postgres_number(rows, 0, 0) == j->epoch;
    PQclear(rows);
    return is_ours ? 0 : sc_postgres_journal_deposed(j, err);
}

int
sc_postgres_journal_resume(sc_postgres_journal *j, sc_error *err)
{
    if (sc_postgres_is_open(j->pg))
        return 0;
    int rc = sc_postgres_connect(j->pg, err);
    if (rc == 0)
        rc = try_lock(j, err);
    if (rc == 0 && (rc = is_epoch_ours(j, err)) == 0)
        rc = end_former(j, err);
    if (rc == 1)
        rc = check_epoch(j, err);
    if (rc == 0)
        rc = prepare(j, err);
    if (rc < 0)
        sc_postgres_disconnect(j->pg);
    else
        sc_log_info("journal %s: connected again", sc_postgres_name(j->pg));
    return rc;
}
