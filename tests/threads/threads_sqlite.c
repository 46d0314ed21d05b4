/* SPDX-License-Identifier: Apache-2.0 */
/* A program of its own, to be run under ThreadSanitizer too (Criterion does not start there): eight
 * connections, calls that are cancelled at every stage, a pool that is closed while statements run.
 * Exit 0 = all calls called back once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/random.h"
#include "pool/sqlite.h"

enum { N_ROUNDS = 6, N_CALLS = 300 };

typedef struct tally {
    int n_back[N_CALLS];
    sc_request *open[N_CALLS]; /* NULL once it has called back */
    int n_good;
} tally;

typedef struct one {
    tally *t;
    int number;
} one;

static void
on_back(void *arg, sc_pool_reply *reply)
{
    one *o = arg;
    o->t->n_back[o->number]++;
    o->t->open[o->number] = NULL;
    o->t->n_good += reply->error == NULL;
}

static int
submit(sc_pool *pool, one *o, sc_random *random)
{
    static const char *const texts[] = {
        "INSERT INTO t VALUES (1)",
        "SELECT count(*) FROM t",
        "WITH n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT i FROM n LIMIT 9999",
    };
    sc_statement s = {.sql = texts[sc_random_below(random, 3)]};
    sc_pool_call call = {on_back, o, sc_random_below(random, 10) == 0 ? 5 : 0};
    if (sc_random_below(random, 3) == 0) {
        return sc_pool_batch(pool, &(sc_batch){&s, 1}, &call, &o->t->open[o->number]);
    }
    return sc_pool_query(pool, &s, &call, &o->t->open[o->number]);
}

static int
run_round(const sc_pool_options *options, sc_random *random)
{
    uv_loop_t loop;
    sc_pool *pool = NULL;
    tally t = {.n_good = 0};
    one ones[N_CALLS];
    if (uv_loop_init(&loop) != 0 || sc_pool_new(&loop, options, &pool, NULL) != 0) {
        return 1;
    }
    for (int i = 0; i < N_CALLS; i++) {
        ones[i] = (one){&t, i};
        if (submit(pool, &ones[i], random) != 0) {
            return 2;
        }
        int other = (int)sc_random_below(random, (uint64_t)i + 1);
        if (t.open[other] != NULL && sc_random_below(random, 4) == 0) {
            sc_request_cancel(t.open[other]);
        }
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    for (int i = 0; i < 20; i++) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    sc_pool_close(&pool, 0, NULL, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    for (int i = 0; i < N_CALLS; i++) {
        if (t.n_back[i] != 1) {
            fprintf(stderr, "call %d called back %d times\n", i, t.n_back[i]);
            return 3;
        }
    }
    return uv_loop_close(&loop) != 0 || t.n_good == 0 ? 4 : 0;
}

static void
on_created(void *arg, sc_pool_reply *reply)
{
    *(bool *)arg = reply->error == NULL;
}

static bool
create_table(const sc_pool_options *options)
{
    uv_loop_t loop;
    sc_pool *pool = NULL;
    bool is_created = false;
    sc_statement s = {.sql = "CREATE TABLE t (n)"};
    if (uv_loop_init(&loop) != 0 || sc_pool_new(&loop, options, &pool, NULL) != 0 ||
        sc_pool_query(pool, &s, &(sc_pool_call){on_created, &is_created, 0}, NULL) != 0) {
        return false;
    }
    uv_run(&loop, UV_RUN_DEFAULT); // an idle pool does not keep a loop alive
    sc_pool_close(&pool, 0, NULL, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop) == 0 && is_created;
}

int
main(void)
{
    char folder[] = "/tmp/sc-test-XXXXXX", path[64], command[64];
    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    snprintf(path, sizeof path, "%s/data.sqlite", folder);
    sc_sqlite_config config = {.path = path, .busy_timeout_ms = 20000};
    sc_pool_options options;
    sc_random random;
    sc_log_init(SC_LOG_ERROR, "test");
    sc_pool_options_init(&options);
    options.name = "sqlite";
    options.driver = sc_sqlite_driver();
    options.config = &config;
    options.pool_size = 8;
    sc_random_init(&random, 5);
    int rc = create_table(&options) ? 0 : 5;
    for (int i = 0; i < N_ROUNDS && rc == 0; i++) {
        rc = run_round(&options, &random);
    }
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0) {
        rc = 6;
    }
    return rc;
}
