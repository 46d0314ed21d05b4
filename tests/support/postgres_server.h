/* SPDX-License-Identifier: Apache-2.0 */
/* A PostgreSQL server of a test's own, by way of tests/support/postgres.py: ends with the process
 * that has started it, however that ends. */
#ifndef SC_TEST_POSTGRES_SERVER_H
#define SC_TEST_POSTGRES_SERVER_H

#include <stdbool.h>
#include <stdio.h>

typedef struct sc_test_server {
    FILE *to, *from;
    int pid;            /* of the helper */
    char location[200]; /* postgresql://...; or why there is none */
    char answer[1000];
} sc_test_server;

/** @return false: there is no server on this machine, `location` says why */
bool sc_test_server_start(sc_test_server *s);
/** What postgres.py takes: "restart", "kill", "sql SELECT 1", ... @return the answer */
const char *sc_test_server_do(sc_test_server *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void sc_test_server_end(sc_test_server *s);

#endif
