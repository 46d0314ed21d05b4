/* SPDX-License-Identifier: Apache-2.0 */
/* The files of `energy load` and the report of `energy batch`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <jansson.h>

#include "client/cli/energy_files.h"
#include "client/cli/energy_report.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define SYSTEM_HEAD "system_id,label,n_agents,dim,s_norm,r_effective,p_compress,drift,anomaly\n"
#define AGENT_HEAD  "system_id,agent_no,agent_id,h,p_e,p_s,p_o,capability,mem_util\n"
#define PAIR_HEAD   "system_id,i,j,w\n"
#define EDGE_HEAD   "system_id,edge_no,selection,weight\n"
#define AGENTS_1    AGENT_HEAD "1,0,a,1 0,0,0,0,1,0\n1,1,b,0 1,0,0,0,1,0\n"
#define SYSTEM_1    "1,2009-03,2,2,2,1.6143,0.3805,0,0.25\n"

static const char *const names[] = {"energy_system.csv", "energy_agent.csv", "energy_pair.csv",
                                    "energy_hyperedge.csv"};

static void
make_folder(char folder[64], const char *const texts[4])
{
    snprintf(folder, 64, "/tmp/test-cli-energy-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    for (int i = 0; i < 4; i++) {
        char path[128];
        FILE *file;

        if (!texts[i])
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        cr_assert_not_null((file = fopen(path, "w")));
        fputs(texts[i], file);
        fclose(file);
    }
}

static void
remove_folder(const char *folder)
{
    for (int i = 0; i < 4; i++) {
        char path[128];

        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

struct folder {
    const char *name, *texts[4];
    const char *wrong; // in the reason; NULL: all is well
};

static void
read_folders(const struct folder *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        sc_energy_files files;
        const char *paths[1];
        char folder[64];
        sc_out reason;
        int rc;

        make_folder(folder, rows[i].texts);
        paths[0] = folder;
        sc_out_init(&reason);
        rc = sc_energy_files_read(&files, paths, 1, &reason);
        sc_out_add(&reason, "", 1);
        cr_expect_eq(rc < 0, rows[i].wrong != NULL, "%s: %s", rows[i].name,
                     (const char *)reason.buffer.data);
        if (rows[i].wrong)
            cr_expect_not_null(strstr((const char *)reason.buffer.data, rows[i].wrong), "%s: %s",
                               rows[i].name, (const char *)reason.buffer.data);
        sc_out_fini(&reason);
        sc_energy_files_fini(&files);
        remove_folder(folder);
    }
}

Test(cli_energy, files)
{
    static const struct folder rows[] = {
        {"whole",
         {SYSTEM_HEAD SYSTEM_1, AGENT_HEAD "1,0,a,0.5 0.25,0,0,0,1,0\n1,1,b,0 1,0,0,0,1,0\n",
          PAIR_HEAD "1,0,1,0.5\n", EDGE_HEAD "1,0,0.5,0.75\n"},
         NULL},
        {"no pairs, no hyperedges",
         {SYSTEM_HEAD SYSTEM_1, AGENT_HEAD "1,0,a,1 0,0,0,0,1,0\n1,1,b,0 1,0,0,0,1,0\n"},
         NULL},
        {"no agents", {SYSTEM_HEAD SYSTEM_1}, "energy_agent.csv: "},
        {"no systems", {SYSTEM_HEAD, AGENT_HEAD}, "energy_system.csv: there is no system"},
        {"no number",
         {SYSTEM_HEAD "1,x,0,2,nan,1,1,0,0\n", AGENT_HEAD},
         "energy_system.csv:2: s_norm: \"nan\""},
        {"twice",
         {SYSTEM_HEAD "1,x,0,2,1,1,1,0,0\n1,x,0,2,1,1,1,0,0\n", AGENT_HEAD},
         "energy_system.csv:3: system 1 is there twice"},
    };

    read_folders(rows, COUNT(rows));
}

Test(cli_energy, files_that_do_not_fit)
{
    static const struct folder rows[] = {
        {"agent of nowhere",
         {SYSTEM_HEAD "1,x,0,2,1,1,1,0,0\n", AGENT_HEAD "2,0,a,1 0,0,0,0,1,0\n"},
         "energy_agent.csv:2: system 2 is not in"},
        {"pair of nowhere",
         {SYSTEM_HEAD "2,x,0,2,1,1,1,0,0\n", AGENT_HEAD, PAIR_HEAD "1,0,1,0.5\n"},
         "energy_pair.csv:2: system 1 is not in"},
        {"agent missing",
         {SYSTEM_HEAD SYSTEM_1, AGENT_HEAD "1,0,a,1 0,0,0,0,1,0\n"},
         "energy_system.csv:2: system 1 has 2 agents here and 1 in"},
        {"no such agent",
         {SYSTEM_HEAD SYSTEM_1, AGENT_HEAD "1,0,a,1 0,0,0,0,1,0\n1,2,b,0 1,0,0,0,1,0\n"},
         "energy_agent.csv:3: agent_no 2 is not below 2"},
        {"an agent twice",
         {SYSTEM_HEAD SYSTEM_1, AGENT_HEAD "1,1,a,1 0,0,0,0,1,0\n1,1,b,0 1,0,0,0,1,0\n"},
         "energy_agent.csv:3: agent 1 of system 1 is there twice"},
        {"a pair of no such agent",
         {SYSTEM_HEAD SYSTEM_1, AGENTS_1, PAIR_HEAD "1,0,1,1\n1,0,2,1\n"},
         "energy_pair.csv:3: i 0, j 2 are not i < j < 2"},
        {"a pair the other way round",
         {SYSTEM_HEAD SYSTEM_1, AGENTS_1, PAIR_HEAD "1,1,0,1\n"},
         "energy_pair.csv:2: i 1, j 0 are not i < j"},
        {"a pair with itself",
         {SYSTEM_HEAD SYSTEM_1, AGENTS_1, PAIR_HEAD "1,1,1,1\n"},
         "energy_pair.csv:2: i 1, j 1 are not i < j"},
        {"a pair twice",
         {SYSTEM_HEAD SYSTEM_1, AGENTS_1, PAIR_HEAD "1,0,1,1\n1,0,1,2\n"},
         "energy_pair.csv:3: pair 0 1 of system 1 is there twice"},
        {"a hyperedge twice",
         {SYSTEM_HEAD SYSTEM_1, AGENTS_1, PAIR_HEAD, EDGE_HEAD "1,3,1,1\n1,0,1,1\n1,3,1,1\n"},
         "energy_hyperedge.csv:4: hyperedge 3 of system 1 is there twice"},
    };

    read_folders(rows, COUNT(rows));
}

Test(cli_energy, fields)
{
    static const struct folder rows[] = {
        {"a label that is no UTF-8",
         {SYSTEM_HEAD "1,a\xff,1,1,1,1,1,0,0\n", AGENT_HEAD},
         "energy_system.csv:2: label: "},
        {"a label with a control character",
         {SYSTEM_HEAD "1,a\033,1,1,1,1,1,0,0\n", AGENT_HEAD},
         "energy_system.csv:2: label: "},
        {"short embedding",
         {SYSTEM_HEAD "1,x,1,2,1,1,1,0,0\n", AGENT_HEAD "1,0,a,1,0,0,0,1,0\n"},
         "energy_agent.csv:2: h: 1 numbers where dim is 2"},
        {"bad embedding",
         {SYSTEM_HEAD "1,x,1,2,1,1,1,0,0\n", AGENT_HEAD "1,0,a,1 x,0,0,0,1,0\n"},
         "energy_agent.csv:2: h: \"1 x\" is not a list of numbers"},
    };

    read_folders(rows, COUNT(rows));
}

Test(cli_energy, task)
{
    static const char *const texts[4] = {
        SYSTEM_HEAD "7,2009,1,1,1,1,1,0,0\n" SYSTEM_1,
        AGENT_HEAD
        "1,0,a0001,0.5 0.25,0.3,0.6,0.1,1.0000,0\n7,0,other,1,0,0,0,1,0\n1,1,\"a\"\"x\",0 "
        "1,0.6,0.4,0,0.3,0.02\n",
        PAIR_HEAD "1,0,1,0.02857\n", EDGE_HEAD "1,0,0.02212,0.75\n1,1,0.08407,0.75\n"};
    sc_energy_files files;
    const char *paths[1];
    sc_out reason, task;
    char folder[64];

    make_folder(folder, texts);
    paths[0] = folder;
    sc_out_init(&reason);
    sc_out_init(&task);
    cr_assert_eq(sc_energy_files_read(&files, paths, 1, &reason), 0);
    sc_energy_files_task(&files, 1, &task);
    sc_out_add(&task, "", 1);
    cr_expect_str_eq((const char *)task.buffer.data,
                     "{\"system\":{\"system_id\":1,\"label\":\"2009-03\",\"n_agents\":2,\"dim\":2,"
                     "\"s_norm\":2,\"r_effective\":1.6143,\"p_compress\":0.3805,\"drift\":0,"
                     "\"anomaly\":0.25},\"agents\":[[0,\"a0001\",[0.5,0.25],0.3,0.6,0.1,1.0000,0],"
                     "[1,\"a\\\"x\",[0,1],0.6,0.4,0,0.3,0.02]],\"pairs\":[[0,1,0.02857]],"
                     "\"hyperedges\":[[0,0.02212,0.75],[1,0.08407,0.75]]}");
    sc_energy_files_fini(&files);
    sc_out_fini(&task);
    remove_folder(folder);
}

Test(cli_energy, ranges)
{
    static const struct {
        const char *text;
        bool want;
    } rows[] = {
        {"1", true},
        {"1,3,7-9", true},
        {"5-5", true},
        {"", false},
        {"1,", false},
        {",1", false},
        {"9-5", false},
        {"a", false},
        {"1-", false},
        {"-1", false},
        {"1 2", false},
        {"1-1000000", true},
        {"1-1000001", false},
        {"1-600000,1-600000", false},
        {"9223372036854775807", true},
        {"9223372036854775808", false},
        {"0-9223372036854775807", false},
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        cr_expect_eq(sc_energy_ranges_check(rows[i].text), rows[i].want, "\"%s\"", rows[i].text);
}

static const char three[] = "{\"systems\":[{\"system_id\":1,\"label\":\"2009-03\",\"n_agents\":4},"
                            "{\"system_id\":2,\"label\":\"2009-04\",\"n_agents\":3},"
                            "{\"system_id\":9,\"label\":\"all\",\"n_agents\":0}]}";

Test(cli_energy, systems)
{
    static const struct {
        const char *name, *json, *ranges;
        int rc;
        size_t n;
    } rows[] = {
        {"all", three, NULL, 0, 3},
        {"some", three, "1,9", 0, 2},
        {"range with gaps", three, "2-100", 0, 99},
        {"unknown", three, "3", 0, 1},
        {"several times", three, "9,1-2,2,1", 0, 3},
        {"none loaded, some asked for", "{\"systems\":[]}", "1-2", SC_ENOTFOUND, 0},
        {"none loaded", "{\"systems\":[]}", NULL, SC_ENOTFOUND, 0},
        {"no list", "{}", NULL, SC_EMALFORMED, 0},
        {"no JSON", "x", NULL, SC_EMALFORMED, 0},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        sc_energy_report report;
        sc_error err = {0};

        cr_expect_eq(sc_energy_report_systems(&report, rows[i].json, strlen(rows[i].json),
                                              rows[i].ranges, &err),
                     rows[i].rc, "%s: %s", rows[i].name, err.text);
        cr_expect_eq(report.n_systems, rows[i].n, "%s: %zu", rows[i].name, report.n_systems);
        sc_energy_report_fini(&report);
    }
}

Test(cli_energy, results)
{
    static const char value[] =
        "{\"system_id\":1,\"pair\":-0.5,\"hyper\":0,\"entropy\":-0.25,\"reg\":1,\"mem\":2,\"drift_"
        "term\":3,"
        "\"anomaly_term\":4,\"total\":9.25,\"grad_h_norm\":5,\"grad_h_0_0\":6,\"grad_h_last\":7}";
    static const char error[] = "{\"code\":\"unknown_system\",\"message\":\"gone\"}";
    static const char want[] =
        "{\"system_id\":1,\"pair\":-0.5,\"hyper\":0,\"entropy\":-0.25,\"reg\":1,\"mem\":2,"
        "\"drift_term\":3,\"anomaly_term\":4,\"total\":9.25,\"grad_h_norm\":5,\"grad_h_0_0\":6,"
        "\"grad_h_last\":7}\n"
        "{\"system_id\":2,\"error\":{\"code\":\"unknown_system\",\"message\":\"gone\"}}\n"
        "{\"system_id\":9,\"error\":{\"code\":\"malformed\",\"message\":\"energy.compute gave no "
        "energies\"}}\n";
    const sc_result_row rows[] = {
        {.index = 0, .status = SC_RESULT_DONE, .value = value, .value_len = strlen(value)},
        {.index = 1, .status = SC_RESULT_DEAD, .value = error, .value_len = strlen(error)},
        {.index = 2, .status = SC_RESULT_DONE, .value = "{}", .value_len = 2},
        {.index = 3, .status = SC_RESULT_DONE, .value = value, .value_len = strlen(value)},
    };
    sc_energy_report report;
    sc_out o;

    sc_out_init(&o);
    cr_assert_eq(sc_energy_report_systems(&report, three, strlen(three), NULL, NULL), 0);
    for (size_t i = 0; i < COUNT(rows); i++)
        cr_assert_eq(sc_energy_report_result(&report, &rows[i]), 0);
    cr_expect_eq(sc_energy_report_failed(&report), 2);
    sc_energy_report_json(&report, &o);
    sc_out_add(&o, "", 1);
    cr_expect_str_eq((const char *)o.buffer.data, want, "%s", (const char *)o.buffer.data);
    sc_energy_report_fini(&report);
    sc_out_fini(&o);
}
