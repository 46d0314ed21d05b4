/* SPDX-License-Identifier: Apache-2.0 */
/* A session with a PostgreSQL server, for a thread that may wait: every wait has an end, and ends
 * early where the program is to stop. Nothing is retried here.
 *
 *     closed --connect--> plain (script, ask) --prepare--> pipelined (send, finish)
 *       ^------------- lost, silent for too long, disconnect --------------'
 *
 * Errors: SC_ELOST (it is away), SC_ETIMEOUT (it is silent), SC_ECLOSED (the program is to stop):
 * the session is closed then. All others are the server's answer, with its sqlstate: -ENOSPC (its
 * disk is full), SC_EMALFORMED (damaged, or not the tables that we know), SC_ENOMEM, SC_EDATABASE.
 * Texts say where the server is, never the password. */
#ifndef SC_POSTGRES_H
#define SC_POSTGRES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "base/error.h"

enum {
    SC_POSTGRES_CONNECT_MS = 5000, /* names found, connected, logged in */
    SC_POSTGRES_ANSWER_MS = 10000, /* one answer; the server gives up a second before */
    SC_POSTGRES_STOP_MS = 4000,    /* all waits together once the program is to stop */
    SC_POSTGRES_MAX_PARAMS = 19,
};

typedef struct sc_postgres sc_postgres;

/* Parameters of a statement, all in binary. Bytes are borrowed until it has been sent. */
typedef struct sc_postgres_params {
    int n;
    const char *values[SC_POSTGRES_MAX_PARAMS];
    int lens[SC_POSTGRES_MAX_PARAMS];
    uint64_t numbers[SC_POSTGRES_MAX_PARAMS];
} sc_postgres_params;

/** As `bigint`. */
void sc_postgres_add_number(sc_postgres_params *p, int64_t number);
/** As `bytea` or `text`, or an array made by postgres_array.h. */
void sc_postgres_add_bytes(sc_postgres_params *p, const void *data, size_t len);

/** A value of a row, all read in binary: a `bigint`, 0 where it is NULL or no `bigint`. */
int64_t sc_postgres_number(const PGresult *rows, int row, int column);

/** Not connected yet. @param location  postgresql://... @param should_stop  looked at while it
 *  waits @return 0, SC_EBADARG, SC_ENOMEM */
int sc_postgres_new(const char *location, const atomic_bool *should_stop, sc_postgres **out,
                    sc_error *err);
/** NULL is accepted. */
void sc_postgres_free(sc_postgres **at);

/** "postgresql://HOST:PORT/DATABASE", for texts. */
const char *sc_postgres_name(const sc_postgres *pg);
bool sc_postgres_is_open(const sc_postgres *pg);

/** A new session, where there is one in place of it. */
int sc_postgres_connect(sc_postgres *pg, sc_error *err);
void sc_postgres_disconnect(sc_postgres *pg);

/** Statements without rows, one transaction where they do not say otherwise.
 *  @param what  for the text of an error: "making the tables" */
int sc_postgres_script(sc_postgres *pg, const char *what, const char *sql, sc_error *err);
/** One statement and its rows, for PQclear. @param p  may be NULL */
int sc_postgres_ask(sc_postgres *pg, const char *what, const char *sql, const sc_postgres_params *p,
                    PGresult **rows, sc_error *err);

/** From here on only send and finish. Statement i is sql[i]. */
int sc_postgres_prepare(sc_postgres *pg, const char *const *sql, int n, sc_error *err);
/** @param p  may be NULL; may be used anew once this returns */
int sc_postgres_send(sc_postgres *pg, int statement, const sc_postgres_params *p, sc_error *err);
/** The end of what was sent: waits for all answers. The first error ends a transaction that was
 *  begun. Where the session is closed after an error, it is not known what has been done.
 *  @param rows  those of the last statement that gave any, else NULL; may be NULL */
int sc_postgres_finish(sc_postgres *pg, const char *what, PGresult **rows, sc_error *err);

#endif
