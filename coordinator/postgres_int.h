/* SPDX-License-Identifier: Apache-2.0 */
/* What postgres.c (what is said to the server) and postgres_dial.c (how it is reached) share. */
#ifndef SC_POSTGRES_INT_H
#define SC_POSTGRES_INT_H

#include "coordinator/postgres.h"

struct sc_postgres {
    PGconn *conn; /* NULL: closed */
    const atomic_bool *should_stop;
    char *location;
    char *hosts, *addresses, *ports; /* of the location or the environment: lists, or "" */
    char name[200];
    int64_t deadline_ms; /* of what is being waited for */
    int64_t stop_ms;     /* after this nothing is waited for any more; 0: not stopping */
    bool is_pipelined;
};

/** Wait until a descriptor can do what poll(2) calls `events`. @return 0, SC_ETIMEOUT,
 *  SC_ECLOSED */
int sc_postgres_wait(sc_postgres *pg, int fd, short events);
/** A new connection, before its deadline. @return 0, SC_ELOST, SC_ETIMEOUT, SC_ECLOSED, SC_ENOMEM
 */
int sc_postgres_dial(sc_postgres *pg, sc_error *err);
/** What libpq says of a connection: its first line, without the end of the line. */
void sc_postgres_reason(const PGconn *conn, char *out, size_t size);

#endif
