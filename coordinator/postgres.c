/* SPDX-License-Identifier: Apache-2.0 */
/* What is said to a PostgreSQL server: see postgres.h. The socket never blocks: whatever waits
 * waits in sc_postgres_wait. */
#include "coordinator/postgres.h"

#include <endian.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "coordinator/postgres_int.h"

/* ---- parameters, values ---- */

void
sc_postgres_add_number(sc_postgres_params *p, int64_t number)
{
    SC_ASSERT(p->n < SC_POSTGRES_MAX_PARAMS);
    p->numbers[p->n] = htobe64((uint64_t)number);
    p->values[p->n] = (const char *)&p->numbers[p->n];
    p->lens[p->n++] = sizeof *p->numbers;
}

void
sc_postgres_add_bytes(sc_postgres_params *p, const void *data, size_t len)
{
    SC_ASSERT(p->n < SC_POSTGRES_MAX_PARAMS);
    p->values[p->n] = data ? data : ""; // NULL would be NULL
    p->lens[p->n++] = (int)len;
}

int64_t
sc_postgres_number(const PGresult *rows, int row, int column)
{
    uint64_t number = 0;
    if (PQgetlength(rows, row, column) == sizeof number)
        memcpy(&number, PQgetvalue(rows, row, column), sizeof number);
    return (int64_t)be64toh(number);
}

/* ---- what went wrong ---- */

// The session cannot be used any more.
static int
lose(sc_postgres *pg, int rc, const char *what, sc_error *err)
{
    char reason[300];
    if (rc == SC_ELOST)
        sc_postgres_reason(pg->conn, reason, sizeof reason);
    else if (rc == SC_ETIMEOUT)
        snprintf(reason, sizeof reason, "no answer within %d ms", SC_POSTGRES_ANSWER_MS);
    else
        snprintf(reason, sizeof reason, "%s", sc_error_text(rc));
    sc_postgres_disconnect(pg);
    return sc_error_set(err, rc, "%s: %s (%s)", pg->name, reason, what);
}

// https://www.postgresql.org/docs/15/errcodes-appendix.html
static int
code_of(const char *sqlstate)
{
    static const struct {
        const char *prefix;
        int code;
    } codes[] = {
        {"08", SC_ELOST},         {"57P", SC_ELOST},        {"57014", SC_ETIMEOUT},
        {"53100", -ENOSPC},       {"53200", SC_ENOMEM},     {"XX001", SC_EMALFORMED}, // damaged
        {"XX002", SC_EMALFORMED}, {"42P01", SC_EMALFORMED}, // no such table, column, schema
        {"42703", SC_EMALFORMED}, {"3F000", SC_EMALFORMED},
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (strncmp(sqlstate, codes[i].prefix, strlen(codes[i].prefix)) == 0)
            return codes[i].code;
    return SC_EDATABASE;
}

// What the server has refused. Nothing but the first line of its message is repeated: the rest may
// hold data.
static int
refused(sc_postgres *pg, const PGresult *result, const char *what, sc_error *err)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    sqlstate = sqlstate ? sqlstate : "";
    // without a sqlstate it is libpq's own, about the connection
    int code = *sqlstate ? code_of(sqlstate) : SC_ELOST;
    text = text ? text : "the connection was lost";
    sc_error_set(err, code, "%s: %.*s (%s)", pg->name, (int)strcspn(text, "\n"), text, what);
    if (err)
        snprintf(err->sqlstate, sizeof err->sqlstate, "%s", sqlstate);
    return code;
}

/* ---- sending, waiting ---- */

static int
start_waiting(sc_postgres *pg, sc_error *err)
{
    if (!pg->conn)
        return sc_error_set(err, SC_ELOST, "%s: not connected", pg->name);
    pg->deadline_ms = sc_clock_ms() + SC_POSTGRES_ANSWER_MS;
    return 0;
}

// All that was sent goes out. A server that is itself blocked sending is read from meanwhile.
static int
flush(sc_postgres *pg)
{
    int left;
    while ((left = PQflush(pg->conn)) == 1) {
        int rc = sc_postgres_wait(pg, PQsocket(pg->conn), POLLIN | POLLOUT);
        if (rc < 0)
            return rc;
        if (!PQconsumeInput(pg->conn))
            return SC_ELOST;
    }
    return left < 0 ? SC_ELOST : 0;
}

// The next result, NULL between statements.
static int
next_result(sc_postgres *pg, PGresult **out)
{
    int rc;
    *out = NULL;
    while (PQisBusy(pg->conn)) {
        if ((rc = sc_postgres_wait(pg, PQsocket(pg->conn), POLLIN)) < 0)
            return rc;
        if (!PQconsumeInput(pg->conn))
            return SC_ELOST;
    }
    *out = PQgetResult(pg->conn);
    return PQstatus(pg->conn) == CONNECTION_BAD ? SC_ELOST : 0;
}

/* Answers as they come. */
typedef struct answers {
    PGresult *rows; // the last
    int rc;         // of the first error
    bool is_end;
} answers;

// Takes the result.
static void
take_result(sc_postgres *pg, answers *a, PGresult *result, const char *what, sc_error *err)
{
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_PIPELINE_SYNC) {
        a->is_end = true;
    } else if (status == PGRES_TUPLES_OK) {
        PQclear(a->rows);
        a->rows = result;
        return;
    } else if (status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY && a->rc == 0) {
        a->rc = refused(pg, result, what, err);
    }
    PQclear(result);
}

// Everything up to the end of a pipeline, or outside of one of a query.
static int
take_answers(sc_postgres *pg, const char *what, PGresult **rows, sc_error *err)
{
    answers a = {0};
    int rc = 0;
    while (rc == 0 && !a.is_end) {
        PGresult *result;
        rc = next_result(pg, &result);
        if (result)
            take_result(pg, &a, result, what, err);
        else
            a.is_end = rc == 0 && !pg->is_pipelined;
    }
    if (rc < 0 && a.rc == 0)
        a.rc = lose(pg, rc, what, err);
    else if (rc < 0 || a.rc == SC_ELOST || a.rc == SC_ETIMEOUT) // it has said why
        sc_postgres_disconnect(pg);
    if (a.rc < 0 || !rows) {
        PQclear(a.rows);
        a.rows = NULL;
    }
    if (rows)
        *rows = a.rows;
    return a.rc;
}

/* ---- plain ---- */

int
sc_postgres_script(sc_postgres *pg, const char *what, const char *sql, sc_error *err)
{
    int rc = start_waiting(pg, err);
    if (rc < 0)
        return rc;
    if (SC_FAULT("postgres.send") || !PQsendQuery(pg->conn, sql))
        return lose(pg, SC_ELOST, what, err);
    if ((rc = flush(pg)) < 0)
        return lose(pg, rc, what, err);
    return take_answers(pg, what, NULL, err);
}

int
sc_postgres_ask(sc_postgres *pg, const char *what, const char *sql, const sc_postgres_params *p,
                PGresult **rows, sc_error *err)
{
    static const sc_postgres_params none;
    int formats[SC_POSTGRES_MAX_PARAMS], rc = start_waiting(pg, err);
    *rows = NULL;
    if (rc < 0)
        return rc;
    for (int i = 0; i < SC_POSTGRES_MAX_PARAMS; i++)
        formats[i] = 1;
    p = p ? p : &none;
    if (SC_FAULT("postgres.send") ||
        !PQsendQueryParams(pg->conn, sql, p->n, NULL, p->values, p->lens, formats, 1))
        return lose(pg, SC_ELOST, what, err);
    if ((rc = flush(pg)) < 0)
        return lose(pg, rc, what, err);
    return take_answers(pg, what, rows, err);
}

/* ---- pipelined ---- */

static const char *
name_of(int statement, char *out, size_t size)
{
    snprintf(out, size, "s%d", statement);
    return out;
}

int
sc_postgres_prepare(sc_postgres *pg, const char *const *sql, int n, sc_error *err)
{
    static const char what[] = "preparing statements";
    char name[16];
    int rc = start_waiting(pg, err);
    if (rc < 0)
        return rc;
    if (!PQenterPipelineMode(pg->conn))
        return lose(pg, SC_ELOST, what, err);
    pg->is_pipelined = true;
    for (int i = 0; i < n; i++)
        if (!PQsendPrepare(pg->conn, name_of(i, name, sizeof name), sql[i], 0, NULL))
            return lose(pg, SC_ELOST, what, err);
    rc = sc_postgres_finish(pg, what, NULL, err);
    if (rc < 0)
        sc_postgres_disconnect(pg);
    return rc;
}

int
sc_postgres_send(sc_postgres *pg, int statement, const sc_postgres_params *p, sc_error *err)
{
    static const sc_postgres_params none;
    static const char what[] = "sending";
    int formats[SC_POSTGRES_MAX_PARAMS], rc = start_waiting(pg, err);
    char name[16];
    if (rc < 0)
        return rc;
    for (int i = 0; i < SC_POSTGRES_MAX_PARAMS; i++)
        formats[i] = 1;
    p = p ? p : &none;
    if (SC_FAULT("postgres.send") ||
        !PQsendQueryPrepared(pg->conn, name_of(statement, name, sizeof name), p->n, p->values,
                             p->lens, formats, 1))
        return lose(pg, SC_ELOST, what, err);
    rc = flush(pg);
    return rc < 0 ? lose(pg, rc, what, err) : 0;
}

int
sc_postgres_finish(sc_postgres *pg, const char *what, PGresult **rows, sc_error *err)
{
    if (rows)
        *rows = NULL;
    int rc = start_waiting(pg, err);
    if (rc < 0)
        return rc;
    if (SC_FAULT("postgres.finish") || !PQpipelineSync(pg->conn))
        return lose(pg, SC_ELOST, what, err);
    if ((rc = flush(pg)) < 0)
        return lose(pg, rc, what, err);
    if (SC_FAULT("postgres.answer"))
        return lose(pg, SC_ELOST, what, err);
    return take_answers(pg, what, rows, err);
}

/* ---- sessions ---- */

// A session is ours for as long as it lasts: leading is a lock of the session, and statements are
// prepared in it. PgBouncer and others of its kind give another number than the server does.
static int
check_direct(sc_postgres *pg, sc_error *err)
{
    PGresult *rows;
    int rc = sc_postgres_ask(pg, "beginning a session", "SELECT pg_backend_pid()::bigint", NULL,
                             &rows, err);
    if (rc < 0)
        return rc;
    bool is_direct =
        PQntuples(rows) == 1 && sc_postgres_number(rows, 0, 0) == PQbackendPID(pg->conn);
    PQclear(rows);
    if (is_direct)
        return 0;
    return sc_error_set(err, SC_EBADARG,
                        "%s is a pooler (PgBouncer?), which shares sessions: JOURNAL has to name "
                        "the server itself",
                        pg->name);
}

int
sc_postgres_connect(sc_postgres *pg, sc_error *err)
{
    // Our statements read by key, in its order: a plan that does not would be chosen for want of
    // statistics. With every plan "expensive", the compiler would be asked each time.
    static const char settings[] =
        "SET statement_timeout = 9000; SET idle_in_transaction_session_timeout = 15000;"
        "SET search_path = seedcore; SET bytea_output = hex; SET work_mem = '16MB';"
        "SET enable_seqscan = off; SET enable_bitmapscan = off; SET jit = off;"
        "SET default_transaction_isolation = 'read committed';"
        // what was committed is there after the server's crash, whatever is the habit there
        "SELECT set_config('synchronous_commit', 'on', false)"
        " WHERE current_setting('synchronous_commit') = 'off'";
    sc_postgres_disconnect(pg);
    int rc = sc_postgres_dial(pg, err);
    if (rc < 0)
        return rc;
    PQsetnonblocking(pg->conn, 1);
    rc = check_direct(pg, err);
    if (rc == 0)
        rc = sc_postgres_script(pg, "beginning a session", settings, err);
    if (rc < 0)
        sc_postgres_disconnect(pg);
    return rc;
}

void
sc_postgres_disconnect(sc_postgres *pg)
{
    PQfinish(pg->conn);
    pg->conn = NULL;
    pg->is_pipelined = false;
}

bool
sc_postgres_is_open(const sc_postgres *pg)
{
    return pg->conn;
}

const char *
sc_postgres_name(const sc_postgres *pg)
{
    return pg->name;
}

/* ---- beginning, end ---- */

static const char *
value_of(const PQconninfoOption *options, const char *keyword, const char *variable)
{
    for (const PQconninfoOption *o = options; o->keyword; o++)
        if (strcmp(o->keyword, keyword) == 0 && o->val)
            return o->val;
    const char *value = variable ? getenv(variable) : NULL;
    return value ? value : "";
}

// libpq's own text would repeat the location, and with it the password.
static int
parse(sc_postgres *pg, sc_error *err)
{
    PQconninfoOption *options = PQconninfoParse(pg->location, NULL);
    if (!options)
        return sc_error_set(err, SC_EBADARG,
                            "JOURNAL: what follows postgresql: cannot be read; it is "
                            "//USER@HOST:PORT/DATABASE, special characters as %%XX");
    pg->hosts = strdup(value_of(options, "host", "PGHOST"));
    pg->addresses = strdup(value_of(options, "hostaddr", "PGHOSTADDR"));
    pg->ports = strdup(value_of(options, "port", "PGPORT"));
    const char *port = value_of(options, "port", "PGPORT");
    snprintf(pg->name, sizeof pg->name, "postgresql://%.100s%s%.20s/%.60s",
             value_of(options, "host", "PGHOST"), *port ? ":" : "", port,
             value_of(options, "dbname", "PGDATABASE"));
    PQconninfoFree(options);
    return pg->hosts && pg->addresses && pg->ports ? 0
                                                   : sc_error_set(err, SC_ENOMEM, "out of memory");
}

int
sc_postgres_new(const char *location, const atomic_bool *should_stop, sc_postgres **out,
                sc_error *err)
{
    sc_postgres *pg = calloc(1, sizeof *pg);
    if (!pg || !(pg->location = strdup(location))) {
        free(pg);
        return sc_error_set(err, SC_ENOMEM, "out of memory");
    }
    pg->should_stop = should_stop;
    int rc = parse(pg, err);
    if (rc < 0)
        sc_postgres_free(&pg);
    *out = pg;
    return rc;
}

void
sc_postgres_free(sc_postgres **at)
{
    sc_postgres *pg = *at;
    if (!pg)
        return;
    sc_postgres_disconnect(pg);
    free(pg->location);
    free(pg->hosts);
    free(pg->addresses);
    free(pg->ports);
    free(pg);
    *at = NULL;
}
