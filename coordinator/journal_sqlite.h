/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the SQLite journal share.
 *
 *   journal_sqlite.c       groups: writing, committing, housekeeping
 *   journal_sqlite_open.c  the file: making, checking, opening
 *   journal_sqlite_read.c  what a restart and readers read
 *
 * Two keys are one integer: number << 32 | chunk, position or place. So the rows of a job lie
 * together, new ones are appended at its end, and a range of them is a range of rowids. */
#ifndef SC_JOURNAL_SQLITE_H
#define SC_JOURNAL_SQLITE_H

#include <sqlite3.h>

#include "coordinator/journal_backend.h"

/* What to do about a damaged one. */
#define SC_SQLITE_JOURNAL_ADVICE                                                                   \
    "repair it (sqlite3 FILE .recover), put a copy back, or set it aside with its -wal to begin "  \
    "anew"

#define SC_JOURNAL_ENDED_COLUMNS                                                                   \
    "key, place, n_tasks, span, dead, cancelled, lowest, outcome, attempt, worker, records, vals"

/* Of a job's record: its numbers, its digest. */
#define SC_JOURNAL_STATE_VALUES "?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14"

/* X(symbol, sql): statements that are kept prepared. */
#define SC_JOURNAL_STATEMENTS(X)                                                                   \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                    \
    X(COMMIT, "COMMIT")                                                                            \
    X(START, "SELECT epoch + 1, 1 + max((SELECT coalesce(max(number), 0) FROM jobs), "             \
             "(SELECT coalesce(max(number), 0) FROM dropped)) FROM meta")                          \
    X(EPOCH, "UPDATE meta SET epoch = ?1")                                                         \
    X(PUT_OPEN,                                                                                    \
      "INSERT INTO jobs (number, " SC_STATE_COLUMNS ", digest, id, client, open, "                 \
      "args_table, args) VALUES (?1, " SC_JOURNAL_STATE_VALUES ", ?15, ?16, ?17, ?18, ?19)")       \
    X(PUT_CHUNK, "INSERT INTO chunks (key, n_tasks, lens, payload) VALUES (?1, ?2, ?3, ?4)")       \
    X(PUT_STATE, "UPDATE jobs SET (" SC_STATE_COLUMNS ", digest) = (" SC_JOURNAL_STATE_VALUES      \
                 ") WHERE number = ?1")                                                            \
    X(PUT_COMMIT, "UPDATE jobs SET (" SC_STATE_COLUMNS ", digest, chunks) = "                      \
                  "(" SC_JOURNAL_STATE_VALUES ", ?15) WHERE number = ?1")                          \
    X(PUT_ENDED, "INSERT INTO ended (" SC_JOURNAL_ENDED_COLUMNS ") VALUES "                        \
                 "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)")                            \
    X(PUT_ATTEMPT, "INSERT INTO attempts (place, attempt, blame, due_at, at, position, worker, "   \
                   "error) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")                               \
    X(DROP_CHUNK, "DELETE FROM chunks WHERE key = ?1")                                             \
    X(DROP_JOB, "DELETE FROM jobs WHERE number = ?1")                                              \
    X(NOTE_DROPPED, "INSERT INTO dropped (number) VALUES (?1)")                                    \
    X(FIRST_DROPPED, "SELECT min(number) FROM dropped")                                            \
    X(SLICE_CHUNKS, "DELETE FROM chunks WHERE key IN (SELECT key FROM chunks WHERE key >= ?1 AND " \
                    "key < ?2 LIMIT 32)")                                                          \
    X(SLICE_ENDED, "DELETE FROM ended WHERE key IN (SELECT key FROM ended WHERE key >= ?1 AND "    \
                   "key < ?2 LIMIT 32)")                                                           \
    X(SLICE_ATTEMPTS,                                                                              \
      "DELETE FROM attempts WHERE seq IN (SELECT seq FROM attempts WHERE place >= "                \
      "?1 AND place < ?2 LIMIT 256)")                                                              \
    X(FORGET_DROPPED, "DELETE FROM dropped WHERE number = ?1")                                     \
    X(JOBS, "SELECT " SC_STATE_COLUMNS ", number, client, digest, open, args_table, args, chunks " \
            "FROM jobs WHERE number >= ?1 AND number < ?2 ORDER BY number")                        \
    X(HEADS, "SELECT n_tasks, length(lens), length(payload) FROM chunks WHERE key >= ?1 AND "      \
             "key < ?2 ORDER BY key")                                                              \
    X(CHUNK, "SELECT lens, payload FROM chunks WHERE key = ?1")                                    \
    X(LAST_ENDED, "SELECT key, n_tasks FROM ended WHERE key >= ?1 AND key < ?2 "                   \
                  "ORDER BY key DESC LIMIT 1")                                                     \
    X(ENDED_KEY, "SELECT max(key) FROM ended WHERE key >= ?1 AND key <= ?2")                       \
    X(ENDED_FROM, "SELECT " SC_JOURNAL_ENDED_COLUMNS " FROM ended "                                \
                  "WHERE key >= ?1 AND key < ?2 ORDER BY key")                                     \
    X(ENDED_WIDE, "SELECT " SC_JOURNAL_ENDED_COLUMNS " FROM ended INDEXED BY ended_wide "          \
                  "WHERE span > 1000 AND place >= ?1 AND place < ?2 AND place + span > ?3 "        \
                  "ORDER BY place, key")                                                           \
    X(ENDED_BETWEEN, "SELECT " SC_JOURNAL_ENDED_COLUMNS " FROM ended INDEXED BY ended_by_place "   \
                     "WHERE place >= ?1 AND place < ?2 ORDER BY place, key")                       \
    X(ENDED_FAILED, "SELECT " SC_JOURNAL_ENDED_COLUMNS " FROM ended INDEXED BY ended_failed "      \
                    "WHERE (dead > 0 OR cancelled > 0) AND place >= ?1 AND place < ?2 "            \
                    "ORDER BY place, key")                                                         \
    X(TRIES, "SELECT place, attempt, blame, due_at, position, at, worker, error FROM attempts "    \
             "INDEXED BY attempts_by_place WHERE place >= ?1 AND place < ?2 ORDER BY place, seq")  \
    X(ATTEMPTS, "SELECT place, attempt, blame, due_at, position, max(seq) FROM attempts "          \
                "INDEXED BY attempts_by_place WHERE place >= ?1 AND place < ?2 "                   \
                "GROUP BY place ORDER BY place")

typedef enum sc_journal_statement {
#define SC_JOURNAL_ENUM(symbol, sql) SC_JOURNAL_##symbol,
    SC_JOURNAL_STATEMENTS(SC_JOURNAL_ENUM)
#undef SC_JOURNAL_ENUM
        SC_JOURNAL_N_STATEMENTS
} sc_journal_statement;

typedef struct sc_sqlite_journal {
    sqlite3 *db;
    char *path;
    int lock; /* descriptor of PATH-lock: who has it may write; -1 = not ours */
    sqlite3_stmt *statements[SC_JOURNAL_N_STATEMENTS];
    uint64_t epoch;     /* ours; 0 until we lead */
    bool is_epoch_kept; /* it has been committed */
    uint32_t n_puts;    /* in this group */
    bool is_safe;       /* what `synchronous` is set to */
    bool has_dropped;   /* rows may be left of jobs that were dropped */
    int wal_pages;      /* in the -wal after the last commit */
} sc_sqlite_journal;

/** What the last failure was, as a code and a text that names the file. */
int sc_sqlite_journal_fail(sc_sqlite_journal *j, sc_error *err, const char *what);
/** Take a prepared statement; give it back with sqlite3_reset. NULL on a failure. */
sqlite3_stmt *sc_sqlite_journal_take(sc_sqlite_journal *j, sc_journal_statement which);
/** Run one that gives no rows, and give it back. */
int sc_sqlite_journal_run(sc_sqlite_journal *j, sqlite3_stmt *s, const char *what, sc_error *err);

/** PATH-lock. @return 0; SC_EBUSY with who has it; a system error */
int sc_sqlite_journal_lock(sc_sqlite_journal *j, sc_error *err);
/** Bring the file to version `newest`: step i leads from version i + 1 to i + 2, each is one
 *  transaction. @return 0, or a code; what was done up to there is kept */
int sc_sqlite_journal_migrate(sc_sqlite_journal *j, const char *const *steps, long newest,
                              sc_error *err);
extern const char *const sc_sqlite_journal_steps[];

int sc_sqlite_journal_open(const char *location, const atomic_bool *should_stop, void **out,
                           sc_error *err);
void sc_sqlite_journal_close(void *b);

int sc_sqlite_journal_jobs(void *b, uint64_t number,
                           int (*each)(void *arg, const sc_saved_job *job), void *arg,
                           sc_error *err);
int sc_sqlite_journal_chunk(void *b, uint64_t number, uint32_t chunk, sc_blob **table,
                            sc_blob **bytes, sc_error *err);
int sc_sqlite_journal_ended_from(void *b, uint64_t number, uint64_t position, sc_ended_row_cb each,
                                 void *arg, sc_error *err);
int sc_sqlite_journal_ended_between(void *b, const sc_ended_query *query, sc_ended_row_cb each,
                                    void *arg, sc_error *err);
int sc_sqlite_journal_position(void *b, uint64_t number, uint64_t *position, sc_error *err);
int sc_sqlite_journal_tries(void *b, const sc_ended_query *query, sc_attempt_row_cb each, void *arg,
                            sc_error *err);
int sc_sqlite_journal_attempts(void *b, uint64_t number, uint64_t from, sc_attempt_row_cb each,
                               void *arg, sc_error *err);

#endif
