/* SPDX-License-Identifier: Apache-2.0 */
/* `up` as a client of its own cluster: until the workers are ready, and who is there already. */
#ifndef SC_CLI_READINESS_H
#define SC_CLI_READINESS_H

#include "client/cli/cli.h"

typedef struct sc_readiness {
    sc_cli *cli;
    const char *endpoint, *prefix; /* of the coordinator; of the workers' names */
    int64_t n_wanted;              /* workers; 0: it is enough that the coordinator answers */
    void (*on_ready)(void *arg);
    void *arg;

    /* its own */
    int64_t n_found;
    int64_t delay_ms; /* until the workers are counted again */
    uv_timer_t timer;
} sc_readiness;

/** Once, before the first start, on the loop of r->cli. */
void sc_readiness_init(sc_readiness *r);
/** Calls on_ready once, when n_wanted workers named PREFIX-... are ready; then the client is
 * closed. Makes cli->client. After that, or a stop, it may be started again. */
void sc_readiness_start(sc_readiness *r);
/** Never mind. */
void sc_readiness_stop(sc_readiness *r);

/** Something listens at the endpoint: says who. @return SC_EXIT_FAILED */
int sc_readiness_already_up(sc_cli *cli, const char *endpoint);

#endif
