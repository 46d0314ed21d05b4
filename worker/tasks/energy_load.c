/* SPDX-License-Identifier: Apache-2.0 */
/* `energy.load`: checks one system and replaces it in the database in one transaction. Its
 * arguments:
 *
 *     {"system": {"system_id", "label", "n_agents", "dim", "s_norm", "r_effective", "p_compress",
 * "drift", "anomaly"}, "agents": [[agent_no, "agent_id", [h...], p_e, p_s, p_o, capability,
 * mem_util], ...], "pairs": [[i, j, w], ...], "hyperedges": [[edge_no, selection, weight], ...]}
 *
 * Pairs and hyperedges may be missing. Everything is checked by what will compute with it, before
 * anything is written. Its progress counts rows twice: when they are checked, and when they are
 * written, all in one transaction. */
#include "worker/tasks/energy_rows.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "worker/tasks/args.h"

enum {
    N_SCALARS = 5,
    SYSTEM_PARAMS = 9,
    AGENT_PARAMS = 9,
    PAIR_PARAMS = 4,
    EDGE_PARAMS = 4,
    AGENT_FIELDS = 8, // of the arguments
    TRIPLE_FIELDS = 3,
    N_DELETES = SC_ENERGY_N_TABLES,
    MAX_STATEMENTS = SC_ENERGY_N_TABLES + N_DELETES + SC_ENERGY_N_TABLES,
};
static const int64_t max_id = (int64_t)1 << 53;

struct load {
    const json_t *system, *agents, *pairs, *edges; // borrowed
    int64_t system_id, n_agents, dim;
    double scalars[N_SCALARS];
    const char *label;
    size_t n_pairs, n_edges;
    sc_task *task;
    uint64_t n_checked; // rows
    sc_energy_system *checked;
    sc_value *agent_values, *pair_values, *edge_values; // parameters, row after row
    sc_error err;
};

static const char *const scalar_names[N_SCALARS] = {"s_norm", "r_effective", "p_compress", "drift",
                                                    "anomaly"};

static bool bad(struct load *l, const char *format, ...) SC_PRINTF(2, 3);

static bool
bad(struct load *l, const char *format, ...)
{
    va_list args;

    l->err.code = SC_EBADARG;
    va_start(args, format);
    vsnprintf(l->err.text, sizeof l->err.text, format, args);
    va_end(args);
    return false;
}

static bool
no_memory(struct load *l)
{
    sc_error_set(&l->err, SC_ENOMEM, "no memory for system %" PRId64, l->system_id);
    return false;
}

/* One more row is checked. */
static void
tell(struct load *l)
{
    uint64_t n_rows = (uint64_t)l->n_agents + l->n_pairs + l->n_edges;

    sc_task_progress(l->task, ++l->n_checked, 2 * n_rows);
}

/* ---- reading ---- */

static bool
read_text(const json_t *value, const char **out)
{
    size_t len = json_string_length(value);

    *out = json_string_value(value);
    return *out && len <= SC_ENERGY_LABEL_MAX && sc_utf8_printable(*out, len);
}

static bool
read_scalars(struct load *l)
{
    for (int i = 0; i < N_SCALARS; i++) {
        const json_t *value = json_object_get(l->system, scalar_names[i]);

        if (!json_is_number(value))
            return bad(l, "system: %s: a number is needed", scalar_names[i]);
        l->scalars[i] = json_number_value(value);
    }
    return true;
}

static bool
read_system(struct load *l, const json_t *args)
{
    l->system = json_object_get(args, "system");
    l->agents = json_object_get(args, "agents");
    l->pairs = json_object_get(args, "pairs");
    l->edges = json_object_get(args, "hyperedges");
    l->n_pairs = json_array_size(l->pairs);
    l->n_edges = json_array_size(l->edges);
    if (!sc_args_get_int(json_object_get(l->system, "system_id"), 0, max_id, &l->system_id))
        return bad(l, "system: system_id: a whole number from 0 is needed");
    if (!sc_args_get_int(json_object_get(l->system, "n_agents"), 1, SC_ENERGY_MAX_AGENTS,
                         &l->n_agents))
        return bad(l, "system: n_agents: 1 to %d", SC_ENERGY_MAX_AGENTS);
    if (!sc_args_get_int(json_object_get(l->system, "dim"), 1, SC_ENERGY_MAX_DIM, &l->dim))
        return bad(l, "system: dim: 1 to %d", SC_ENERGY_MAX_DIM);
    if (!read_text(json_object_get(l->system, "label"), &l->label))
        return bad(l,
                   "system: label: a text of up to %d bytes without control characters is needed",
                   SC_ENERGY_LABEL_MAX);
    if (json_array_size(l->agents) != (size_t)l->n_agents)
        return bad(l, "system %" PRId64 ": n_agents is %" PRId64 ", but there are %zu agents",
                   l->system_id, l->n_agents, json_array_size(l->agents));
    if ((l->pairs && !json_is_array(l->pairs)) || (l->edges && !json_is_array(l->edges)))
        return bad(l, "pairs and hyperedges: arrays are needed");
    return read_scalars(l);
}

static bool
bad_agent(struct load *l, size_t i)
{
    return bad(
        l, "agents[%zu]: [agent_no, \"agent_id\", [h...], p_e, p_s, p_o, capability, mem_util]", i);
}

// Before memory is taken for them: what a few bytes name could be a gigabyte.
static bool
check_shapes(struct load *l)
{
    for (size_t i = 0; i < (size_t)l->n_agents; i++) {
        const json_t *agent = json_array_get(l->agents, i);
        size_t len = json_array_size(json_array_get(agent, 2));

        if (json_array_size(agent) != AGENT_FIELDS)
            return bad_agent(l, i);
        if (len != (size_t)l->dim)
            return bad(l, "agents[%zu]: h has %zu numbers, dim is %" PRId64, i, len, l->dim);
    }
    return true;
}

static bool
allocate(struct load *l)
{
    int rc = sc_energy_system_new((size_t)l->n_agents, (size_t)l->dim, l->n_edges, &l->checked);

    if (rc != 0) {
        sc_error_set(&l->err, rc, "system %" PRId64 ": %s", l->system_id, sc_error_text(rc));
        return false;
    }
    l->agent_values = calloc((size_t)l->n_agents * AGENT_PARAMS, sizeof *l->agent_values);
    l->pair_values = calloc(l->n_pairs * PAIR_PARAMS + 1, sizeof *l->pair_values);
    l->edge_values = calloc(l->n_edges * EDGE_PARAMS + 1, sizeof *l->edge_values);
    return (l->agent_values && l->pair_values && l->edge_values) || no_memory(l);
}

static bool
read_embedding(struct load *l, const json_t *h, int64_t no)
{
    float *row = l->checked->h + no * l->dim;

    for (size_t k = 0; k < (size_t)l->dim; k++) {
        const json_t *value = json_array_get(h, k);

        if (!json_is_number(value))
            return bad(l, "agent %" PRId64 ": h[%zu] is no number", no, k);
        row[k] = (float)json_number_value(value);
    }
    return true;
}

static bool
read_agent(struct load *l, size_t i)
{
    const json_t *agent = json_array_get(l->agents, i);
    const char *name;
    double numbers[SC_ENERGY_ROLES + 2];
    sc_value *values;
    int64_t no;

    if (!sc_args_get_int(json_array_get(agent, 0), 0, l->n_agents - 1, &no) ||
        !read_text(json_array_get(agent, 1), &name))
        return bad_agent(l, i);
    values = l->agent_values + no * AGENT_PARAMS;
    if (values[0].type != SC_VALUE_NULL)
        return bad(l, "agent %" PRId64 " is given twice", no);
    for (size_t k = 0; k < SC_ENERGY_ROLES + 2; k++) {
        const json_t *value = json_array_get(agent, 3 + k);

        if (!json_is_number(value))
            return bad(l, "agent %" PRId64 ": field %zu is no number", no, 3 + k);
        numbers[k] = json_number_value(value);
        values[4 + k] = sc_value_double(numbers[k]);
    }
    for (int r = 0; r < SC_ENERGY_ROLES; r++)
        l->checked->p[no * SC_ENERGY_ROLES + r] = (float)numbers[r];
    l->checked->capability[no] = numbers[SC_ENERGY_ROLES];
    l->checked->mem_util[no] = numbers[SC_ENERGY_ROLES + 1];
    values[0] = sc_value_int(l->system_id);
    values[1] = sc_value_int(no);
    values[2] = sc_value_text(name);
    values[3] =
        sc_value_blob(l->checked->h + no * l->dim, (uint32_t)((size_t)l->dim * sizeof(float)));
    return read_embedding(l, json_array_get(agent, 2), no);
}

/* Three numbers, the first of them whole. */
static bool
read_triple(struct load *l, const json_t *list, size_t i, double out[TRIPLE_FIELDS])
{
    const json_t *row = json_array_get(list, i);
    const char *name = list == l->pairs ? "pairs" : "hyperedges";
    int64_t first;

    for (size_t k = 0; k < TRIPLE_FIELDS; k++) {
        if (json_array_size(row) != TRIPLE_FIELDS || !json_is_number(json_array_get(row, k)))
            return bad(l, "%s[%zu]: three numbers are needed", name, i);
        out[k] = json_number_value(json_array_get(row, k));
    }
    return sc_args_get_int(json_array_get(row, 0), 0, max_id, &first) ||
           bad(l, "%s[%zu]: the first of the numbers is a whole one", name, i);
}

static bool
read_pairs(struct load *l)
{
    sc_energy_pair *pairs = calloc(l->n_pairs + 1, sizeof *pairs);
    bool is_good = pairs || no_memory(l);

    for (size_t i = 0; i < l->n_pairs && is_good; i++) {
        sc_value *values = l->pair_values + i * PAIR_PARAMS;
        double row[TRIPLE_FIELDS];

        is_good = read_triple(l, l->pairs, i, row);
        if (!is_good)
            break;
        if (!(row[1] >= 0 && row[1] < (double)l->n_agents) || row[1] != floor(row[1]) ||
            row[0] >= (double)l->n_agents) {
            is_good = bad(l, "pairs[%zu]: no such agent", i);
            break;
        }
        pairs[i] = (sc_energy_pair){(uint32_t)row[0], (uint32_t)row[1], row[2]};
        values[0] = sc_value_int(l->system_id);
        values[1] = sc_value_int((int64_t)row[0]);
        values[2] = sc_value_int((int64_t)row[1]);
        values[3] = sc_value_double(row[2]);
        tell(l);
    }
    if (is_good)
        is_good = sc_energy_system_set_pairs(l->checked, pairs, l->n_pairs, &l->err) == 0;
    free(pairs);
    return is_good;
}

static bool
read_edges(struct load *l)
{
    for (size_t i = 0; i < l->n_edges; i++) {
        sc_value *values = l->edge_values + i * EDGE_PARAMS;
        double row[TRIPLE_FIELDS];

        if (!read_triple(l, l->edges, i, row))
            return false;
        l->checked->sel[i] = (float)row[1];
        l->checked->we[i] = (float)row[2];
        values[0] = sc_value_int(l->system_id);
        values[1] = sc_value_int((int64_t)row[0]);
        values[2] = sc_value_double(row[1]);
        values[3] = sc_value_double(row[2]);
        tell(l);
    }
    return true;
}

static bool
read_all(struct load *l, const json_t *args)
{
    if (!read_system(l, args) || !check_shapes(l) || !allocate(l))
        return false;
    for (size_t i = 0; i < (size_t)l->n_agents; i++, tell(l))
        if (!read_agent(l, i))
            return false;
    if (!read_pairs(l) || !read_edges(l))
        return false;
    l->checked->s_norm = l->scalars[0];
    l->checked->r_effective = l->scalars[1];
    l->checked->p_compress = l->scalars[2];
    l->checked->drift = l->scalars[3];
    l->checked->anomaly = l->scalars[4];
    return sc_energy_system_check(l->checked, &l->err) == 0;
}

/* ---- writing ---- */

static int
write_all(sc_task *task, struct load *l)
{
    static const char *const deletes[N_DELETES] = {
        "DELETE FROM energy_system WHERE system_id = ?1",
        "DELETE FROM energy_agent WHERE system_id = ?1",
        "DELETE FROM energy_pair WHERE system_id = ?1",
        "DELETE FROM energy_hyperedge WHERE system_id = ?1",
    };
    sc_value id = sc_value_int(l->system_id);
    sc_value system[SYSTEM_PARAMS] = {id, sc_value_text(l->label), sc_value_int(l->n_agents),
                                      sc_value_int(l->dim)};
    const sc_statement inserts[] = {
        {.sql = "INSERT INTO energy_system VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
         .params = system,
         .n_params = SYSTEM_PARAMS,
         .n_rows = 1},
        {.sql = "INSERT INTO energy_agent VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
         .params = l->agent_values,
         .n_params = AGENT_PARAMS,
         .n_rows = (size_t)l->n_agents},
        {.sql = "INSERT INTO energy_pair VALUES (?1, ?2, ?3, ?4)",
         .params = l->pair_values,
         .n_params = PAIR_PARAMS,
         .n_rows = l->n_pairs},
        {.sql = "INSERT INTO energy_hyperedge VALUES (?1, ?2, ?3, ?4)",
         .params = l->edge_values,
         .n_params = EDGE_PARAMS,
         .n_rows = l->n_edges},
    };
    sc_statement statements[MAX_STATEMENTS] = {0};
    sc_result *none;
    size_t n = 0;
    int rc;

    for (int i = 0; i < N_SCALARS; i++)
        system[4 + i] = sc_value_double(l->scalars[i]);
    for (int i = 0; i < SC_ENERGY_N_TABLES; i++)
        statements[n++].sql = sc_energy_tables_sql()[i];
    for (int i = 0; i < N_DELETES; i++)
        statements[n++] = (sc_statement){.sql = deletes[i], .params = &id, .n_params = 1};
    for (size_t i = 0; i < sizeof inserts / sizeof *inserts; i++)
        if (inserts[i].n_rows > 0)
            statements[n++] = inserts[i];
    for (size_t i = 0; i < n; i++)
        statements[i].flags = SC_STATEMENT_IDEMPOTENT; // all of it again leaves the same
    rc = sc_task_query(task, statements, n, &none, &l->err);
    sc_result_free(&none);
    return rc;
}

static void
end(sc_task *task, const struct load *l)
{
    char value[160];
    int len = snprintf(value, sizeof value,
                       "{\"systems\":1,\"agents\":%" PRId64 ",\"pairs\":%zu,\"hyperedges\":%zu}",
                       l->n_agents, l->n_pairs, l->n_edges);

    sc_task_done(task, value, (size_t)len);
}

void
sc_energy_load_run(sc_task *task, void *state)
{
    json_t *args = sc_args_object(task);
    struct load l = {.task = task};

    (void)state;
    if (!args)
        return;
    if (read_all(&l, args) && write_all(task, &l) == 0)
        end(task, &l);
    else if (strcmp(l.err.sqlstate, "23505") == 0) // agents and pairs were checked
        sc_task_fail(task, "bad_arguments", false, "two hyperedges have the same edge_no");
    else
        sc_energy_fail(task, &l.err);
    sc_energy_system_free(&l.checked);
    free(l.agent_values);
    free(l.pair_values);
    free(l.edge_values);
    json_decref(args);
}
