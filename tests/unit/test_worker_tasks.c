/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in handlers with a database of their own: what they return, and what they say of bad
 * arguments. */
#include <stdlib.h>
#include <unistd.h>

#include "base/fault.h"
#include "tests/unit/test_worker_world.h"
#include "worker/tasks/tasks.h"

struct row {
    const char *name, *handler, *args;
    int outcome;      // ten times the outcome, plus flags
    const char *want; // begins with it
};

/* Rows one after the other, in one database. */
static void
run_rows(const struct row *rows, size_t n)
{
    char folder[] = "/tmp/seedcore-test-XXXXXX";
    char path[80], command[100];
    struct world *w = malloc(sizeof *w);
    sc_settings *settings;

    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a/b/data.sqlite", folder);
    cr_assert_eq(sc_settings_new(&settings, NULL), 0);
    cr_assert_eq(sc_settings_set(settings, SC_SET_DATA, path, NULL), 0);
    set_up(w);
    cr_assert_eq(sc_tasks_add(w->registry, true), 0);
    cr_assert_eq(sc_database_new(&w->loop, settings, &w->database, NULL), 0);
    start(w);
    for (size_t i = 0; i < n; i++) {
        w->n_ended = 0;
        add_run(w, rows[i].handler, rows[i].args, 1);
        uv_run(&w->loop, UV_RUN_DEFAULT);
        cr_expect_eq(w->outcome[0], rows[i].outcome, "%s: %s", rows[i].name, w->value[0]);
        cr_expect(strncmp(w->value[0], rows[i].want, strlen(rows[i].want)) == 0, "%s: %s",
                  rows[i].name, w->value[0]);
    }
    tear_down(w);
    free(w);
    sc_settings_free(&settings);
    snprintf(command, sizeof command, "rm -r %s", folder);
    cr_expect_eq(system(command), 0);
}
#define BAD "{\"code\":\"bad_arguments\",\"message\":\""

Test(tasks, simple)
{
    static const struct row rows[] = {
        {"echo", "echo", " {\"a\": 18446744073709551616} ", 0, " {\"a\": 18446744073709551616} "},
        {"sleep", "sleep", "{\"ms\":1,\"other\":123456789012345678901}", 0, "{\"ms\":1}"},
        {"no time", "sleep", "{}", 10, BAD "ms: a whole number 0 to 604800000 is needed"},
        {"negative", "sleep", "{\"ms\":-1}", 10, BAD "ms: "},
        {"fraction", "sleep", "{\"ms\":0.5}", 10, BAD "ms: "},
        {"text", "sleep", "{\"ms\":\"1\"}", 10, BAD "ms: "},
        {"too long", "sleep", "{\"ms\":604800001}", 10, BAD "ms: "},
        {"no object", "sleep", "[1]", 10, BAD "the arguments are no object"},
        {"no JSON", "sleep", "{", 10, BAD "the arguments cannot be read: "},
        {"fail", "fail", "{}", 10, "{\"code\":\"failed\",\"message\":\"failed on purpose\"}"},
        {"fail as told", "fail", "{\"code\":\"x\",\"message\":\"y\",\"retryable\":true}", 11,
         "{\"code\":\"x\",\"message\":\"y\"}"},
    };

    run_rows(rows, sizeof rows / sizeof *rows);
}

#define SYSTEM(n, dim)                                                                             \
    "{\"system\":{\"system_id\":7,\"label\":\"2009\",\"n_agents\":" #n ",\"dim\":" #dim            \
    ",\"s_norm\":2,\"r_effective\":1.5,\"p_compress\":0.3,\"drift\":0,\"anomaly\":0.25,\"new\":1}" \
    ",\"agents\":["
#define AGENT(no, h) "[" #no ",\"a\"," h ",0.3,0.3,0.1,1,0]"

Test(tasks, energy)
{
    static const struct row rows[] = {
        {"nothing loaded", "energy.systems", "null", 0, "{\"systems\":[]}"},
        {"not there", "energy.compute", "{\"system\":7}", 10,
         "{\"code\":\"unknown_system\",\"message\":\"there is no system 7\"}"},
        {"load", "energy.load",
         SYSTEM(2, 2)
             AGENT(1, "[0.25,0]") "," AGENT(0, "[1,0.5]") "],\"pairs\":[[0,1,0.5]],"
                                                          "\"hyperedges\":[[3,0.5,0.75],[1,0,1]]}",
         0, "{\"systems\":1,\"agents\":2,\"pairs\":1,\"hyperedges\":2}"},
        {"list", "energy.systems", "{}", 0,
         "{\"systems\":[{\"system_id\":7,\"label\":\"2009\",\"n_agents\":2}]}"},
        // pair = -2 * 0.5 * <(1, 0.5), (0.25, 0)>
        {"compute", "energy.compute", "{\"system\":7}", 0,
         "{\"system_id\":7,\"label\":\"2009\",\"n_agents\":2,\"pair\":-0.25,\"hyper\":-0.375,"},
        {"load less", "energy.load", SYSTEM(1, 1) AGENT(0, "[2]") "]}", 0,
         "{\"systems\":1,\"agents\":1,\"pairs\":0,\"hyperedges\":0}"},
        {"replaced", "energy.compute", "{\"system\":7}", 0,
         "{\"system_id\":7,\"label\":\"2009\",\"n_agents\":1,\"pair\":0,\"hyper\":0,"},
        {"other system", "energy.compute", "{\"system\":8}", 10, "{\"code\":\"unknown_system\""},
        {"no system", "energy.compute", "{}", 10, BAD "system: "},
        {"nothing", "energy.load", "{}", 10, BAD "system: system_id"},
        {"too few agents", "energy.load", SYSTEM(2, 1) AGENT(0, "[2]") "]}", 10,
         BAD "system 7: n_agents is 2, but there are 1 agents"},
        {"agent twice", "energy.load", SYSTEM(2, 1) AGENT(0, "[2]") "," AGENT(0, "[2]") "]}", 10,
         BAD "agent 0 is given twice"},
        {"agent out of range", "energy.load", SYSTEM(1, 1) AGENT(1, "[2]") "]}", 10,
         BAD "agents[0]"},
        {"short row", "energy.load", SYSTEM(1, 1) "[0,\"a\",[1]]]}", 10, BAD "agents[0]"},
        {"wrong dimension", "energy.load", SYSTEM(1, 2) AGENT(0, "[2]") "]}", 10,
         BAD "agents[0]: h has 1 numbers, dim is 2"},
        {"no number", "energy.load", SYSTEM(1, 1) AGENT(0, "[null]") "]}", 10,
         BAD "agent 0: h[0] is no number"},
        {"pair twice", "energy.load",
         SYSTEM(2, 1) AGENT(0, "[2]") "," AGENT(1, "[2]") "],\"pairs\":[[0,1,1],[0,1,2]]}", 10,
         BAD},
        {"pair backwards", "energy.load",
         SYSTEM(2, 1) AGENT(0, "[2]") "," AGENT(1, "[2]") "],\"pairs\":[[1,0,1]]}", 10, BAD},
        {"pair with nobody", "energy.load", SYSTEM(1, 1) AGENT(0, "[2]") "],\"pairs\":[[0,1,1]]}",
         10, BAD "pairs[0]: no such agent"},
        {"pair of two", "energy.load", SYSTEM(1, 1) AGENT(0, "[2]") "],\"pairs\":[[0,1]]}", 10,
         BAD "pairs[0]: three numbers"},
        {"pairs no list", "energy.load", SYSTEM(1, 1) AGENT(0, "[2]") "],\"pairs\":1}", 10,
         BAD "pairs and"},
        {"edge twice", "energy.load",
         SYSTEM(1, 1) AGENT(0, "[2]") "],\"hyperedges\":[[1,1,1],[1,1,1]]}", 10,
         BAD "two hyperedges have the same edge_no"},
        {"still the old one", "energy.compute", "{\"system\":7}", 0,
         "{\"system_id\":7,\"label\":\"2009\",\"n_agents\":1"},
    };

    run_rows(rows, sizeof rows / sizeof *rows);
}

/* A system is as large as its agents, not as it says: nothing is allocated for what is not there.
 */
Test(tasks, energy_claims)
{
    static const struct row rows[] = {
        {"wide", "energy.load", SYSTEM(1, 16384) AGENT(0, "[2]") "]}", 10,
         BAD "agents[0]: h has 1 numbers, dim is 16384"},
        {"empty agents", "energy.load", SYSTEM(2, 16384) "[],[]]}", 10, BAD "agents[0]: "},
    };

    run_rows(rows, sizeof rows / sizeof *rows);
    cr_expect_eq(sc_fault_count("energy.alloc"), 0);
}
