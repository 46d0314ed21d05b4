/* SPDX-License-Identifier: Apache-2.0 */
/* Reading systems: see energy_rows.h. What is in the database was checked when it was loaded, and
 * is checked again: other programs may write the file. */
#include "worker/tasks/energy_rows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const tables[SC_ENERGY_N_TABLES] = {
    "CREATE TABLE IF NOT EXISTS energy_system (system_id INTEGER PRIMARY KEY, label TEXT NOT NULL, "
    "n_agents INTEGER NOT NULL, dim INTEGER NOT NULL, s_norm REAL NOT NULL, r_effective REAL NOT "
    "NULL, "
    "p_compress REAL NOT NULL, drift REAL NOT NULL, anomaly REAL NOT NULL)",
    "CREATE TABLE IF NOT EXISTS energy_agent (system_id INTEGER NOT NULL, agent_no INTEGER NOT "
    "NULL, "
    "agent_id TEXT NOT NULL, h BLOB NOT NULL, p_e REAL NOT NULL, p_s REAL NOT NULL, p_o REAL NOT "
    "NULL, "
    "capability REAL NOT NULL, mem_util REAL NOT NULL, PRIMARY KEY (system_id, agent_no)) WITHOUT "
    "ROWID",
    "CREATE TABLE IF NOT EXISTS energy_pair (system_id INTEGER NOT NULL, i INTEGER NOT NULL, "
    "j INTEGER NOT NULL, w REAL NOT NULL, PRIMARY KEY (system_id, i, j)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS energy_hyperedge (system_id INTEGER NOT NULL, edge_no INTEGER NOT "
    "NULL, "
    "selection REAL NOT NULL, weight REAL NOT NULL, PRIMARY KEY (system_id, edge_no)) WITHOUT "
    "ROWID",
};

// One statement is one snapshot. The first column says which table a row is of; the others depend
// on that.
static const char select_sql[] =
    "SELECT 0, n_agents, dim, s_norm, r_effective, p_compress, drift, anomaly, label"
    " FROM energy_system WHERE system_id = ?1 "
    "UNION ALL SELECT 1, agent_no, h, p_e, p_s, p_o, capability, mem_util, NULL"
    " FROM energy_agent WHERE system_id = ?1 "
    "UNION ALL SELECT 2, i, j, w, NULL, NULL, NULL, NULL, NULL"
    " FROM energy_pair WHERE system_id = ?1 "
    "UNION ALL SELECT 3, edge_no, selection, weight, NULL, NULL, NULL, NULL, NULL"
    " FROM energy_hyperedge WHERE system_id = ?1";

enum row_kind { ROW_SYSTEM, ROW_AGENT, ROW_PAIR, ROW_EDGE, N_ROW_KINDS };
enum {
    MAX_ROWS = SC_ENERGY_MAX_PAIRS,
    MAX_BYTES = 1 << 30,
};

const char *const *
sc_energy_tables_sql(void)
{
    return tables;
}

static int64_t
integer(const sc_value *cell)
{
    return cell->type == SC_VALUE_INT ? cell->integer : -1;
}

/* Whole numbers in a REAL column may come back as integers. */
static double
real(const sc_value *cell)
{
    return cell->type == SC_VALUE_DOUBLE ? cell->real : (double)integer(cell);
}

static int
bad_row(sc_error *err, const char *table)
{
    return sc_error_set(err, SC_EDATABASE, "%s: a row that does not fit its system", table);
}

static int
read_agent(sc_energy_system *s, const sc_value *row, sc_error *err)
{
    int64_t no = integer(&row[1]);

    if (no < 0 || (size_t)no >= s->n_agents || row[2].type != SC_VALUE_BLOB ||
        row[2].len != s->dim * sizeof(float))
        return bad_row(err, "energy_agent");
    memcpy(s->h + (size_t)no * s->dim, row[2].blob, row[2].len);
    for (int r = 0; r < SC_ENERGY_ROLES; r++)
        s->p[no * SC_ENERGY_ROLES + r] = (float)real(&row[3 + r]);
    s->capability[no] = real(&row[6]);
    s->mem_util[no] = real(&row[7]);
    return 0;
}

/* All rows but the first, which is the system's own. */
static int
fill(sc_energy_system *s, const sc_result *rows, sc_energy_pair *pairs, sc_error *err)
{
    size_t n[N_ROW_KINDS] = {0};
    int rc = 0;

    for (size_t i = 1; i < rows->n_rows && rc == 0; i++) {
        const sc_value *row = sc_result_get(rows, i, 0);
        int64_t kind = integer(&row[0]);

        if (kind == ROW_AGENT) {
            rc = read_agent(s, row, err);
        } else if (kind == ROW_PAIR) {
            // A number beyond 32 bits is no agent either.
            uint64_t a = (uint64_t)integer(&row[1]), b = (uint64_t)integer(&row[2]);

            pairs[n[kind]] =
                (sc_energy_pair){a < UINT32_MAX ? (uint32_t)a : UINT32_MAX,
                                 b < UINT32_MAX ? (uint32_t)b : UINT32_MAX, real(&row[3])};
        } else {
            s->sel[n[kind]] = (float)real(&row[2]);
            s->we[n[kind]] = (float)real(&row[3]);
        }
        n[kind]++;
    }
    if (rc == 0 && n[ROW_AGENT] != s->n_agents)
        return bad_row(err, "energy_agent");
    return rc != 0 ? rc : sc_energy_system_set_pairs(s, pairs, n[ROW_PAIR], err);
}

static size_t
count(const sc_result *rows, enum row_kind kind)
{
    size_t n = 0;

    for (size_t i = 0; i < rows->n_rows; i++)
        n += integer(sc_result_get(rows, i, 0)) == (int64_t)kind;
    return n;
}

static int
build(const sc_result *rows, sc_energy_label *label, sc_energy_system **out, sc_error *err)
{
    const sc_value *row = sc_result_get(rows, 0, 0);
    sc_energy_pair *pairs = calloc(count(rows, ROW_PAIR) + 1, sizeof *pairs);
    int64_t n_agents = integer(&row[1]), dim = integer(&row[2]);
    sc_energy_system *s = NULL;
    int rc = pairs ? sc_energy_system_new(n_agents > 0 ? (size_t)n_agents : 0,
                                          dim > 0 ? (size_t)dim : 0, count(rows, ROW_EDGE), &s)
                   : SC_ENOMEM;

    if (rc != 0) {
        free(pairs);
        return sc_error_set(err, rc, "system %" PRId64 ": %s", label->system_id, sc_error_text(rc));
    }
    s->s_norm = real(&row[3]);
    s->r_effective = real(&row[4]);
    s->p_compress = real(&row[5]);
    s->drift = real(&row[6]);
    s->anomaly = real(&row[7]);
    if (row[8].type == SC_VALUE_TEXT && row[8].len <= SC_ENERGY_LABEL_MAX)
        memcpy(label->text, row[8].text, row[8].len + 1);
    rc = fill(s, rows, pairs, err);
    if (rc == 0)
        rc = sc_energy_system_check(s, err);
    if (rc != 0)
        sc_energy_system_free(&s);
    free(pairs);
    *out = s;
    return rc;
}

bool
sc_energy_has_no_tables(const sc_error *err)
{
    return err->code == SC_EDATABASE && strstr(err->text, "no such table") != NULL;
}

int
sc_energy_rows_read(sc_task *task, int64_t system_id, sc_energy_label *label,
                    sc_energy_system **out, sc_error *err)
{
    sc_value id = sc_value_int(system_id);
    sc_statement select = {.sql = select_sql,
                           .params = &id,
                           .n_params = 1,
                           .flags = SC_STATEMENT_READ_ONLY,
                           .max_rows = MAX_ROWS,
                           .max_bytes = MAX_BYTES};
    sc_result *rows;
    int rc = sc_task_query(task, &select, 1, &rows, err);

    *label = (sc_energy_label){.system_id = system_id};
    if (rc != 0)
        return sc_energy_has_no_tables(err) ? SC_ENOTFOUND : rc;
    // The parts of a UNION ALL come in order; the check costs nothing.
    rc = rows->n_rows > 0 && integer(sc_result_get(rows, 0, 0)) == ROW_SYSTEM ? 0 : SC_ENOTFOUND;
    if (rc == 0)
        rc = build(rows, label, out, err);
    sc_result_free(&rows);
    return rc;
}

void
sc_energy_fail(sc_task *task, const sc_error *err)
{
    sc_task_fail(task, sc_error_name(err->code), sc_task_may_retry(task, err), "%s", err->text);
}
