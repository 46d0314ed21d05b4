/* SPDX-License-Identifier: Apache-2.0 */
/* The sample systems against the values that an independent implementation gave for them, in single
 * precision: every column, over the sparse rows of W, with a full W, and the terms in double
 * precision. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "worker/energy/energy.h"

enum {
    MAX_LINE = 4096,
    MAX_COLUMNS = 16,
    MAX_ID = 1024,
    MAX_PAIRS = 60000,
    N_TERMS = 8,
    N_WANT = 11
};

static const double RELATIVE = 1e-4, ABSOLUTE = 1e-6;

/* The reading of one file: the fields of the current line point into `line`. */
typedef struct csv {
    FILE *file;
    char line[MAX_LINE];
    char *field[MAX_COLUMNS];
} csv;

typedef struct sample {
    sc_energy_system *system[MAX_ID];
    size_t n_pairs[MAX_ID], n_edges[MAX_ID];
    sc_energy_pair *pairs; /* in the order of the file: by system */
} sample;

static void
csv_open(csv *c, const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/energy_%s.csv", SC_SAMPLE_DIR, name);
    c->file = fopen(path, "r");
    cr_assert_not_null(c->file, "%s", path);
    cr_assert_not_null(fgets(c->line, sizeof c->line, c->file), "%s has a header", path);
}

/* The next line, which must have n fields; false at the end, where the file is closed. */
static bool
csv_next(csv *c, int n)
{
    if (fgets(c->line, sizeof c->line, c->file) == NULL) {
        fclose(c->file);
        return false;
    }
    char *rest = c->line;
    for (int k = 0; k < n; k++) {
        c->field[k] = strsep(&rest, ",\n");
        cr_assert_not_null(c->field[k], "a line of %d fields", n);
    }
    return true;
}

static double
number(const csv *c, int k)
{
    return strtod(c->field[k], NULL);
}

static size_t
whole(const csv *c, int k)
{
    return strtoul(c->field[k], NULL, 10);
}

static size_t
system_id(const csv *c)
{
    size_t id = whole(c, 0);
    cr_assert_lt(id, MAX_ID);
    return id;
}

static void
read_systems(sample *all)
{
    csv c;
    csv_open(&c, "hyperedge");
    while (csv_next(&c, 4))
        all->n_edges[system_id(&c)]++;
    csv_open(&c, "system");
    while (csv_next(&c, 9)) {
        size_t id = system_id(&c);
        sc_energy_system **s = &all->system[id];
        int rc = sc_energy_system_new(whole(&c, 2), whole(&c, 3), all->n_edges[id], s);
        cr_assert_eq(rc, 0, "system %zu", id);
        (*s)->s_norm = number(&c, 4);
        (*s)->r_effective = number(&c, 5);
        (*s)->p_compress = number(&c, 6);
        (*s)->drift = number(&c, 7);
        (*s)->anomaly = number(&c, 8);
    }
    csv_open(&c, "hyperedge");
    while (csv_next(&c, 4)) {
        sc_energy_system *s = all->system[system_id(&c)];
        s->sel[whole(&c, 1)] = (float)number(&c, 2);
        s->we[whole(&c, 1)] = (float)number(&c, 3);
    }
}

static void
read_agents(sample *all)
{
    csv c;
    csv_open(&c, "agent");
    while (csv_next(&c, 9)) {
        sc_energy_system *s = all->system[system_id(&c)];
        size_t i = whole(&c, 1);
        cr_assert_lt(i, s->n_agents);
        char *rest = c.field[3];
        for (size_t k = 0; k < s->dim; k++)
            s->h[i * s->dim + k] = strtof(rest, &rest);
        for (int r = 0; r < SC_ENERGY_ROLES; r++)
            s->p[i * SC_ENERGY_ROLES + (size_t)r] = (float)number(&c, 4 + r);
        s->capability[i] = number(&c, 7);
        s->mem_util[i] = number(&c, 8);
    }
}

static void
read_pairs(sample *all)
{
    csv c;
    size_t n = 0, at = 0;
    all->pairs = calloc(MAX_PAIRS, sizeof *all->pairs);
    csv_open(&c, "pair");
    while (csv_next(&c, 4)) {
        cr_assert_lt(n, MAX_PAIRS);
        all->n_pairs[system_id(&c)]++;
        all->pairs[n++] = (sc_energy_pair){
            .i = (uint32_t)whole(&c, 1), .j = (uint32_t)whole(&c, 2), .w = number(&c, 3)};
    }
    for (size_t id = 0; id < MAX_ID; id++) {
        if (all->system[id] == NULL)
            continue;
        sc_error err = {0};
        int rc =
            sc_energy_system_set_pairs(all->system[id], all->pairs + at, all->n_pairs[id], &err);
        cr_assert_eq(rc, 0, "system %zu: %s", id, err.text);
        rc = sc_energy_system_check(all->system[id], &err);
        cr_assert_eq(rc, 0, "system %zu: %s", id, err.text);
        at += all->n_pairs[id];
    }
}

static sample *
read_sample(void)
{
    sample *all = calloc(1, sizeof *all);
    read_systems(all);
    read_agents(all);
    read_pairs(all);
    return all;
}

static void
free_sample(sample *all)
{
    for (size_t id = 0; id < MAX_ID; id++)
        sc_energy_system_free(&all->system[id]);
    free(all->pairs);
    free(all);
}

static void
expect_row(const csv *c, const char *way, const double *got, int n)
{
    static const char *const names[N_WANT] = {"pair",        "hyper",      "entropy",      "reg",
                                              "mem",         "drift_term", "anomaly_term", "total",
                                              "grad_h_norm", "grad_h_0_0", "grad_h_last"};
    for (int k = 0; k < n; k++) {
        double want = number(c, k + 1), allowed = fmax(RELATIVE * fabs(want), ABSOLUTE);
        cr_expect(fabs(got[k] - want) <= allowed, "system %s, %s, %s: %.9g, not %.9g", c->field[0],
                  way, names[k], got[k], want);
    }
}

static void
expect_system(const csv *c, const char *way, const sc_energy_system *s,
              const sc_energy_coefficients *k)
{
    sc_energy_gradient g = {0};
    sc_energy_terms t;
    float *w = NULL;
    if (strcmp(way, "exact") == 0) {
        sc_energy_exact(s, k, &t);
    } else {
        cr_assert_eq(sc_energy_gradient_init(&g, s), 0);
        if (strcmp(way, "dense") == 0) {
            w = sc_energy_floats(s->n_agents * s->n_agents);
            cr_assert_eq(sc_energy_dense_weights(s, w), 0);
            sc_energy_dense(s, w, k, &t, &g);
        } else {
            sc_energy_sparse(s, k, &t, &g);
        }
    }
    double got[N_WANT] = {t.pair, t.hyper,      t.entropy,      t.reg,
                          t.mem,  t.drift_term, t.anomaly_term, t.total};
    if (g.h != NULL) {
        got[N_TERMS] = g.h_norm;
        got[N_TERMS + 1] = (double)g.h[0];
        got[N_TERMS + 2] = (double)g.h[s->n_agents * s->dim - 1];
    }
    expect_row(c, way, got, g.h == NULL ? N_TERMS : N_WANT);
    sc_energy_gradient_fini(&g);
    free(w);
}

Test(energy_sample, expected_values)
{
    static const struct {
        const char *name;
    } ways[] = {{"exact"}, {"sparse"}, {"dense"}};
    sample *all = read_sample();
    sc_energy_coefficients k;
    csv c;
    size_t n_rows = 0;

    sc_energy_single_thread();
    sc_energy_coefficients_init(&k);
    csv_open(&c, "expected");
    for (; csv_next(&c, 1 + N_WANT); n_rows++) {
        const sc_energy_system *s = all->system[system_id(&c)];
        cr_assert_not_null(s, "system %s", c.field[0]);
        for (size_t way = 0; way < sizeof ways / sizeof ways[0]; way++)
            expect_system(&c, ways[way].name, s, &k);
    }
    cr_expect_eq(n_rows, 103, "%zu rows", n_rows);
    free_sample(all);
}
