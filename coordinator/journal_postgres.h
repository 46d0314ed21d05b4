/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the PostgreSQL journal share.
 *
 *   journal_postgres.c       groups: writing, committing, housekeeping
 *   journal_postgres_lead.c  the tables: making them, leading, coming back after a lost session
 *   journal_postgres_read.c  what a restart and readers read
 *
 * Keys are those of SQLite: number << 32 | chunk, position or place. All lies in the schema
 * `seedcore` of one database, which holds one journal.
 *
 * Who leads holds an advisory lock for as long as its session lasts. `meta` has one row: the epoch,
 * the number of the last group, who leads and when it last said that it is alive, by the clock of
 * the database. Every transaction of ours begins with an update of that row which fails where the
 * epoch is not ours, so nothing is written by one who was deposed and does not know. A group that
 * was committed is known by its number, also where the answer to its commit was lost. */
#ifndef SC_JOURNAL_POSTGRES_H
#define SC_JOURNAL_POSTGRES_H

#include "coordinator/journal_backend.h"
#include "coordinator/postgres.h"
#include "coordinator/postgres_array.h"

/* Silent for so long, who leads is deposed. */
#define SC_JOURNAL_SILENT "3 s"

#define SC_JOURNAL_ENDED_COLUMNS                                                                   \
    "key, place, n_tasks, span, dead, cancelled, lowest, outcome, attempt, worker, records, vals"

/* Of a job's record: its numbers, its digest. */
#define SC_JOURNAL_STATE_VALUES                                                                    \
    "$2::bigint, $3::bigint, $4::bigint, $5::bigint, $6::bigint, $7::bigint, $8::bigint, "         \
    "$9::bigint, $10::bigint, $11::bigint, $12::bigint, $13::bigint, $14::bytea"

#define SC_JOURNAL_ENDED_BYTES "octet_length(vals) + coalesce(octet_length(records), 0)"

/* A batch of what readers get: rows until they have 1 MiB, at least one. */
#define SC_JOURNAL_BATCH(columns, size, table, key, where)                                         \
    "SELECT " columns " FROM (SELECT *, sum(" size ") OVER (ORDER BY " key ") - (" size            \
    ") AS before FROM " table " WHERE " where " ORDER BY " key                                     \
    " LIMIT 1024) batch WHERE before < 1048576 ORDER BY " key

/* X(symbol, sql): statements that are prepared in each session of one who leads. */
#define SC_JOURNAL_STATEMENTS(X)                                                                   \
    X(BEGIN, "BEGIN")                                                                              \
    X(COMMIT, "COMMIT")                                                                            \
    X(ROLLBACK, "ROLLBACK")                                                                        \
    X(UNSAFE, "SET LOCAL synchronous_commit = off")                                                \
    X(UNLOCK, "SELECT pg_advisory_unlock_all()")                                                   \
    X(FENCE, "UPDATE meta SET last_group = CASE WHEN epoch = $1::bigint THEN $2::bigint END "      \
             "RETURNING 1::bigint")                                                                \
    X(BEAT, "UPDATE meta SET beat_at = CASE WHEN epoch = $1::bigint THEN clock_timestamp() END")   \
    X(PUT_OPEN, "INSERT INTO jobs (number, " SC_STATE_COLUMNS ", digest, id, client, open, "       \
                "args_table, args) VALUES ($1::bigint, " SC_JOURNAL_STATE_VALUES                   \
                ", $15::bytea, $16::bigint, $17::bytea, $18::bytea, $19::bytea)")                  \
    X(PUT_STATE, "UPDATE jobs SET (" SC_STATE_COLUMNS ", digest) = (" SC_JOURNAL_STATE_VALUES      \
                 ") WHERE number = $1::bigint")                                                    \
    X(PUT_COMMIT, "UPDATE jobs SET (" SC_STATE_COLUMNS ", digest, chunks) = "                      \
                  "(" SC_JOURNAL_STATE_VALUES ", $15::bytea) WHERE number = $1::bigint")           \
    X(PUT_CHUNKS, "INSERT INTO chunks (key, n_tasks, lens, payload) "                              \
                  "SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[])")    \
    X(PUT_ENDED,                                                                                   \
      "INSERT INTO ended (" SC_JOURNAL_ENDED_COLUMNS ") SELECT * FROM unnest($1::bigint[], "       \
      "$2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], "       \
      "$8::bigint[], $9::bigint[], $10::bytea[], $11::bytea[], $12::bytea[])")                     \
    X(PUT_ATTEMPTS,                                                                                \
      "INSERT INTO attempts (place, attempt, blame, due_at, at, position, worker, error) "         \
      "SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], "              \
      "$5::bigint[], $6::bigint[], $7::bytea[], $8::bytea[])")                                     \
    X(DROP_CHUNKS, "DELETE FROM chunks WHERE key = ANY ($1::bigint[])")                            \
    X(DROP_JOB, "DELETE FROM jobs WHERE number = $1::bigint")                                      \
    X(NOTE_DROPPED, "INSERT INTO dropped (number) VALUES ($1::bigint)")                            \
    X(FIRST_DROPPED, "SELECT min(number) FROM dropped")                                            \
    X(SLICE_CHUNKS,                                                                                \
      "WITH gone AS (DELETE FROM chunks WHERE key IN (SELECT key FROM chunks "                     \
      "WHERE key >= $1::bigint AND key < $2::bigint ORDER BY key LIMIT 32) RETURNING 1) "          \
      "SELECT count(*) FROM gone")                                                                 \
    X(SLICE_ENDED,                                                                                 \
      "WITH gone AS (DELETE FROM ended WHERE key IN (SELECT key FROM ended "                       \
      "WHERE key >= $1::bigint AND key < $2::bigint ORDER BY key LIMIT 32) RETURNING 1) "          \
      "SELECT count(*) FROM gone")                                                                 \
    X(SLICE_ATTEMPTS,                                                                              \
      "WITH gone AS (DELETE FROM attempts WHERE (place, seq) IN (SELECT place, seq "               \
      "FROM attempts WHERE place >= $1::bigint AND place < $2::bigint ORDER BY place, seq "        \
      "LIMIT 256) RETURNING 1) SELECT count(*) FROM gone")                                         \
    X(FORGET_DROPPED, "DELETE FROM dropped WHERE number = $1::bigint RETURNING number")            \
    X(JOBS, SC_JOURNAL_BATCH(                                                                      \
                SC_STATE_COLUMNS ", number, client, digest, open, args_table, args, chunks",       \
                "octet_length(open) + octet_length(args) + octet_length(args_table) + "            \
                "coalesce(octet_length(chunks), 0)",                                               \
                "jobs", "number", "number >= $1::bigint AND number < $2::bigint"))                 \
    X(HEADS, "SELECT key, n_tasks, octet_length(lens)::bigint + octet_length(payload) "            \
             "FROM chunks WHERE key >= $1::bigint AND key < $2::bigint ORDER BY key LIMIT 4096")   \
    X(CHUNK, "SELECT lens, payload FROM chunks WHERE key = $1::bigint")                            \
    X(LAST_ENDED, "SELECT key, n_tasks FROM ended WHERE key >= $1::bigint AND key < $2::bigint "   \
                  "ORDER BY key DESC LIMIT 1")                                                     \
    X(ENDED_KEY, "SELECT max(key) FROM ended WHERE key >= $1::bigint AND key <= $2::bigint")       \
    X(ENDED_FROM, SC_JOURNAL_BATCH(SC_JOURNAL_ENDED_COLUMNS, SC_JOURNAL_ENDED_BYTES, "ended",      \
                                   "key", "key >= $1::bigint AND key < $2::bigint"))               \
    X(ENDED_WIDE, "SELECT " SC_JOURNAL_ENDED_COLUMNS " FROM ended WHERE span > 1000 AND "          \
                  "(place, key) >= ($1::bigint, $3::bigint) AND place < $2::bigint AND "           \
                  "place + span > $4::bigint ORDER BY place, key LIMIT 1024")                      \
    X(ENDED_BETWEEN,                                                                               \
      SC_JOURNAL_BATCH(SC_JOURNAL_ENDED_COLUMNS, SC_JOURNAL_ENDED_BYTES, "ended", "place, key",    \
                       "(place, key) >= ($1::bigint, $3::bigint) AND place < $2::bigint"))         \
    X(ENDED_BARE,                                                                                  \
      "SELECT key, place, n_tasks, span, dead, cancelled, lowest, outcome, attempt, "              \
      "''::bytea AS worker, CASE WHEN span <> n_tasks OR dead > 0 OR cancelled > 0 THEN records "  \
      "END, ''::bytea FROM ended WHERE (place, key) >= ($1::bigint, $3::bigint) AND "              \
      "place < $2::bigint ORDER BY place, key LIMIT 512")                                          \
    X(ENDED_FAILED,                                                                                \
      SC_JOURNAL_BATCH(SC_JOURNAL_ENDED_COLUMNS, SC_JOURNAL_ENDED_BYTES, "ended", "place, key",    \
                       "(dead > 0 OR cancelled > 0) AND "                                          \
                       "(place, key) >= ($1::bigint, $3::bigint) AND place < $2::bigint"))         \
    X(TRIES, "SELECT seq, place, attempt, blame, due_at, position, at, worker, error "             \
             "FROM attempts WHERE (place, seq) >= ($1::bigint, $3::bigint) AND "                   \
             "place < $2::bigint ORDER BY place, seq LIMIT 1024")                                  \
    X(ATTEMPTS,                                                                                    \
      "SELECT DISTINCT ON (place) place, attempt, blame, due_at, position FROM attempts "          \
      "WHERE place >= $1::bigint AND place < $2::bigint "                                          \
      "ORDER BY place, seq DESC LIMIT 8192")

typedef enum sc_journal_statement {
#define SC_JOURNAL_ENUM(symbol, sql) SC_JOURNAL_##symbol,
    SC_JOURNAL_STATEMENTS(SC_JOURNAL_ENUM)
#undef SC_JOURNAL_ENUM
        SC_JOURNAL_N_STATEMENTS
} sc_journal_statement;

enum { SC_JOURNAL_MAX_COLUMNS = 12 };

/* Rows of a group that are sent with one statement. */
typedef struct sc_journal_rows {
    sc_journal_statement statement;
    int n_columns;
    size_t bytes;
    sc_postgres_array columns[SC_JOURNAL_MAX_COLUMNS];
} sc_journal_rows;

typedef struct sc_postgres_journal {
    sc_postgres *pg;
    uint64_t epoch;   /* ours; 0 until we lead */
    uint64_t group;   /* number of the last one that was committed */
    int64_t backend;  /* number of the server's process of our session */
    bool is_unknown;  /* whether the group after it was committed is not known */
    bool is_there;    /* it was: `group` is the one that is about to be written again */
    bool has_dropped; /* rows may be left of jobs that were dropped */
    int slice;        /* of which table they are being deleted */
    sc_journal_rows chunks, ended, attempts, dropped_chunks;
} sc_postgres_journal;

/** Send one statement with numbers as parameters and wait for its rows, for PQclear. */
int sc_postgres_journal_read(sc_postgres_journal *j, const char *what, sc_journal_statement which,
                             const int64_t *numbers, int n, PGresult **rows, sc_error *err);

/** The tables of one who does not lead yet. */
int sc_postgres_journal_open(sc_postgres_journal *j, sc_error *err);
int sc_postgres_journal_lead(sc_postgres_journal *j, uint64_t *epoch, uint64_t *next_number,
                             sc_error *err);
/** A session, where ours was lost a new one. @return 0; SC_ESTATE: another has led since; others */
int sc_postgres_journal_resume(sc_postgres_journal *j, sc_error *err);
/** @return SC_ESTATE, with its text */
int sc_postgres_journal_deposed(sc_postgres_journal *j, sc_error *err);
/** Bring the tables to version `newest`: step i leads from version i + 1 to i + 2, each is one
 *  transaction. @return 0, or a code; what was done up to there is kept */
int sc_postgres_journal_migrate(sc_postgres_journal *j, const char *const *steps, int64_t newest,
                                sc_error *err);
extern const char *const sc_postgres_journal_steps[];

int sc_postgres_journal_jobs(void *b, uint64_t number,
                             int (*each)(void *arg, const sc_saved_job *job), void *arg,
                             sc_error *err);
int sc_postgres_journal_chunk(void *b, uint64_t number, uint32_t chunk, sc_blob **table,
                              sc_blob **bytes, sc_error *err);
int sc_postgres_journal_ended_from(void *b, uint64_t number, uint64_t position,
                                   sc_ended_row_cb each, void *arg, sc_error *err);
int sc_postgres_journal_ended_between(void *b, const sc_ended_query *query, sc_ended_row_cb each,
                                      void *arg, sc_error *err);
int sc_postgres_journal_position(void *b, uint64_t number, uint64_t *position, sc_error *err);
int sc_postgres_journal_tries(void *b, const sc_ended_query *query, sc_attempt_row_cb each,
                              void *arg, sc_error *err);
int sc_postgres_journal_attempts(void *b, uint64_t number, uint64_t from, sc_attempt_row_cb each,
                                 void *arg, sc_error *err);

#endif
