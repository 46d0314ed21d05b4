/* SPDX-License-Identifier: Apache-2.0 */
/* How a PostgreSQL server is reached. Names are looked up on a thread of their own, since libpq
 * would wait for as long as the resolver does, and are given to libpq as addresses beside them:
 * https://www.postgresql.org/docs/15/libpq-connect.html#LIBPQ-CONNECT-HOSTADDR */
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "coordinator/postgres_int.h"

enum {
    MAX_TARGETS = 32,
    SLICE_MS = 100, // how soon it is seen that the program is to stop
};

int
sc_postgres_wait(sc_postgres *pg, int fd, short events)
{
    struct pollfd at = {.fd = fd, .events = events};
    for (;;) {
        int64_t now_ms = sc_clock_ms();
        if (*pg->should_stop && pg->stop_ms == 0)
            pg->stop_ms = now_ms + SC_POSTGRES_STOP_MS;
        if (poll(&at, 1, 0) > 0) // what is there is taken, however late
            return 0;
        if (pg->stop_ms && now_ms >= pg->stop_ms)
            return SC_ECLOSED;
        if (now_ms >= pg->deadline_ms)
            return SC_ETIMEOUT;
        int64_t left_ms = pg->deadline_ms - now_ms;
        if (poll(&at, 1, left_ms < SLICE_MS ? (int)left_ms : SLICE_MS) > 0)
            return 0;
    }
}

/* ---- names ---- */

/* A name being looked up; freed by the last of the two that know it. */
typedef struct lookup {
    atomic_int refs;
    int fd; // readable once there is a result
    char host[256];
    int rc; // of getaddrinfo
    struct addrinfo *found;
} lookup;

static void
drop_lookup(lookup *l)
{
    if (atomic_fetch_sub(&l->refs, 1) > 1)
        return;
    if (l->found)
        freeaddrinfo(l->found);
    close(l->fd);
    free(l);
}

static void *
look_up(void *arg)
{
    lookup *l = arg;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    l->rc = getaddrinfo(l->host, NULL, &hints, &l->found);
    eventfd_write(l->fd, 1);
    drop_lookup(l);
    return NULL;
}

// The thread cannot be stopped: it is left to itself where it takes too long.
static lookup *
start_lookup(const char *host)
{
    pthread_t thread;
    pthread_attr_t attributes;
    lookup *l = calloc(1, sizeof *l);
    if (!l || (l->fd = eventfd(0, EFD_CLOEXEC)) < 0) {
        free(l);
        return NULL;
    }
    snprintf(l->host, sizeof l->host, "%s", host);
    atomic_store(&l->refs, 2);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int rc = pthread_create(&thread, &attributes, look_up, l);
    pthread_attr_destroy(&attributes);
    if (rc != 0) {
        drop_lookup(l);
        drop_lookup(l);
        return NULL;
    }
    return l;
}

/* One address to try. */
typedef struct target {
    char host[256], address[NI_MAXHOST], port[16];
} target;

typedef struct targets {
    target all[MAX_TARGETS];
    int n;
} targets;

// The i-th word of a list; of a list of one word that.
static const char *
word_of(const char *list, int i, size_t *len)
{
    if (!strchr(list, ','))
        i = 0;
    for (; i > 0 && *list; i--) {
        list += strcspn(list, ",");
        list += *list == ',';
    }
    *len = strcspn(list, ",");
    return list;
}

static void
copy_word(char *out, size_t size, const char *list, int i)
{
    size_t len;
    const char *word = word_of(list, i, &len);
    snprintf(out, size, "%.*s", (int)len, word);
}

static int
count_words(const char *list)
{
    int n = 1;
    for (; *list; list++)
        n += *list == ',';
    return n;
}

// Every address of a name is a target.
static int
add_name(sc_postgres *pg, targets *t, const target *named, sc_error *err)
{
    lookup *l = start_lookup(named->host);
    if (!l)
        return sc_error_set(err, SC_ENOMEM, "the address of %s cannot be looked up", named->host);
    int rc = sc_postgres_wait(pg, l->fd, POLLIN);
    if (rc < 0)
        sc_error_set(err, rc, "%s: the address of %s: %s", pg->name, named->host,
                     sc_error_text(rc));
    else if (l->rc != 0)
        rc = sc_error_set(err, SC_ELOST, "%s: the address of %s is not found: %s", pg->name,
                          named->host, gai_strerror(l->rc));
    for (struct addrinfo *at = rc == 0 ? l->found : NULL; at; at = at->ai_next) {
        target *to = &t->all[t->n];
        if (t->n == MAX_TARGETS)
            break;
        *to = *named;
        t->n += getnameinfo(at->ai_addr, at->ai_addrlen, to->address, sizeof to->address, NULL, 0,
                            NI_NUMERICHOST) == 0;
    }
    drop_lookup(l);
    return rc;
}

// Where to connect to. A name that cannot be found is left out while there are others.
static int
find_targets(sc_postgres *pg, targets *t, sc_error *err)
{
    int n = count_words(*pg->hosts ? pg->hosts : pg->addresses), rc = 0;
    for (int i = 0; i < n && t->n < MAX_TARGETS; i++) {
        target at;
        copy_word(at.host, sizeof at.host, pg->hosts, i);
        copy_word(at.address, sizeof at.address, pg->addresses, i);
        copy_word(at.port, sizeof at.port, pg->ports, i);
        bool is_name = *at.host && *at.host != '/' && *at.host != '@' && !*at.address;
        if (!is_name)
            t->all[t->n++] = at;
        else
            rc = add_name(pg, t, &at, err);
        if (rc == SC_ETIMEOUT || rc == SC_ECLOSED)
            return rc;
    }
    return t->n > 0 ? 0 : rc;
}

/* ---- connecting ---- */

static PGconn *
start(const sc_postgres *pg, const target *t)
{
    // What comes before the location can be said otherwise in it, what comes behind cannot.
    // Empty words are as none.
    const char *words[][2] = {
        {"keepalives_idle", "5"},
        {"keepalives_interval", "2"},
        {"keepalives_count", "3"},
        {"tcp_user_timeout", "10000"}, // ms
        {"target_session_attrs", "read-write"},
        {"gssencmode", "disable"}, // its library waits
        {"dbname", pg->location},
        {"host", t->host},
        {"hostaddr", t->address},
        {"port", t->port},
        {"application_name", "seedcore-coordinator"},
        {"client_encoding", "UTF8"},
    };
    enum { N_WORDS = sizeof words / sizeof *words };
    const char *keys[N_WORDS + 1] = {NULL}, *values[N_WORDS + 1] = {NULL};
    for (int i = 0; i < N_WORDS; i++) {
        keys[i] = words[i][0];
        values[i] = words[i][1];
    }
    return PQconnectStartParams(keys, values, 1);
}

void
sc_postgres_reason(const PGconn *conn, char *out, size_t size)
{
    const char *text = PQerrorMessage(conn);
    size_t len = strcspn(text, "\n");
    if (len == 0)
        text = "out of memory", len = strlen(text);
    snprintf(out, size, "%.*s", (int)len, text);
}

static int
fail(sc_postgres *pg, int rc, sc_error *err)
{
    char reason[300];
    if (rc == SC_ELOST)
        sc_postgres_reason(pg->conn, reason, sizeof reason);
    else if (rc == SC_ETIMEOUT)
        snprintf(reason, sizeof reason, "no answer within %d ms", SC_POSTGRES_CONNECT_MS);
    else
        snprintf(reason, sizeof reason, "%s", sc_error_text(rc));
    PQfinish(pg->conn);
    pg->conn = NULL;
    return sc_error_set(err, rc, "%s: cannot connect: %s", pg->name, reason);
}

// Else libpq would write to stderr.
static void
ignore_notice(void *arg, const PGresult *result)
{
    (void)arg;
    (void)result;
}

static int
dial_target(sc_postgres *pg, const target *t, sc_error *err)
{
    if (!(pg->conn = start(pg, t)))
        return sc_error_set(err, SC_ENOMEM, "out of memory");
    PQsetNoticeReceiver(pg->conn, ignore_notice, NULL);
    if (PQstatus(pg->conn) == CONNECTION_BAD || SC_FAULT("postgres.connect"))
        return fail(pg, SC_ELOST, err);
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    while (next != PGRES_POLLING_OK) {
        // the socket may be another one after each step
        int rc = sc_postgres_wait(pg, PQsocket(pg->conn),
                                  next == PGRES_POLLING_READING ? POLLIN : POLLOUT);
        if (rc < 0)
            return fail(pg, rc, err);
        next = PQconnectPoll(pg->conn);
        if (next == PGRES_POLLING_FAILED)
            return fail(pg, SC_ELOST, err);
    }
    return 0;
}

// libpq would try one address after the other by itself, but wait for a silent one for as long as
// it is let: here each has its share of the time that is left.
int
sc_postgres_dial(sc_postgres *pg, sc_error *err)
{
    targets t = {.n = 0};
    int64_t end_ms = sc_clock_ms() + SC_POSTGRES_CONNECT_MS;
    pg->deadline_ms = end_ms;
    int rc = find_targets(pg, &t, err);
    for (int i = 0; i < t.n; i++) {
        int64_t now_ms = sc_clock_ms();
        pg->deadline_ms = now_ms + (end_ms - now_ms) / (t.n - i);
        rc = dial_target(pg, &t.all[i], err);
        if (rc == 0 || rc == SC_ECLOSED)
            break;
    }
    return rc;
}
