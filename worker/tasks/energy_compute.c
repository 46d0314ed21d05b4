/* SPDX-License-Identifier: Apache-2.0 */
/* `energy.compute` {"system"}: reads a system from the database and computes its energy and
 * gradient; `energy.systems`: which systems there are. Both run in a thread. */
#include "worker/tasks/energy_rows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "worker/energy/energy.h"
#include "worker/tasks/args.h"
#include "worker/tasks/tasks.h"

enum {
    DENSE_SHARE = 10,        // a full matrix pays where more than one pair in ten is there,
    DENSE_MAX_AGENTS = 4096, // and while it is no larger than 64 MiB
    MAX_SYSTEMS = 1000000,
};
static const int64_t max_id = (int64_t)1 << 53; // beyond it JSON numbers are not exact

static bool
is_dense(const sc_energy_system *s)
{
    size_t n_possible = s->n_agents * (s->n_agents - 1) / 2;

    return s->n_agents <= DENSE_MAX_AGENTS && s->n_pairs * DENSE_SHARE > n_possible;
}

static void
compute(const sc_energy_system *s, sc_energy_terms *terms, sc_energy_gradient *g)
{
    sc_energy_coefficients c;
    float *w = is_dense(s) ? sc_energy_floats(s->n_agents * s->n_agents) : NULL;

    sc_energy_coefficients_init(&c);
    if (w && sc_energy_dense_weights(s, w) == 0)
        sc_energy_dense(s, w, &c, terms, g);
    else
        sc_energy_sparse(s, &c, terms, g);
    free(w);
}

static int
add_number(sc_buffer *out, const char *name, double value)
{
    int rc = sc_buffer_printf(out, ",\"%s\":", name);

    return rc == 0 ? sc_json_add_double(out, value + 0.0) : rc; // no -0
}

static int
write_value(const sc_energy_system *s, const sc_energy_label *label, const sc_energy_terms *t,
            const sc_energy_gradient *g, sc_buffer *out)
{
    const struct {
        const char *name;
        double value;
    } numbers[] = {
        {"pair", t->pair},
        {"hyper", t->hyper},
        {"entropy", t->entropy},
        {"reg", t->reg},
        {"mem", t->mem},
        {"drift_term", t->drift_term},
        {"anomaly_term", t->anomaly_term},
        {"total", t->total},
        {"grad_h_norm", g->h_norm},
        {"grad_h_0_0", g->h[0]},
        {"grad_h_last", g->h[s->n_agents * s->dim - 1]},
    };
    int rc = sc_buffer_printf(out, "{\"system_id\":%" PRId64 ",\"label\":", label->system_id);

    if (rc == 0)
        rc = sc_json_add_string(out, label->text, strlen(label->text));
    if (rc == 0)
        rc = sc_buffer_printf(out, ",\"n_agents\":%zu", s->n_agents);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && rc == 0; i++)
        rc = add_number(out, numbers[i].name, numbers[i].value);
    return rc == 0 ? sc_buffer_add(out, "}", 1) : rc;
}

/* Ends the task. */
static void
compute_system(sc_task *task, const sc_energy_system *s, const sc_energy_label *label)
{
    sc_energy_terms terms;
    sc_energy_gradient gradient;
    sc_buffer value;
    int rc = sc_energy_gradient_init(&gradient, s);

    sc_buffer_init(&value, 0);
    if (rc == 0) {
        compute(s, &terms, &gradient);
        rc = write_value(s, label, &terms, &gradient, &value);
    }
    if (rc == 0)
        sc_task_done(task, (const char *)value.data, value.len);
    else
        sc_task_fail(task, sc_error_name(rc), true, "%s", sc_error_text(rc));
    sc_buffer_fini(&value);
    sc_energy_gradient_fini(&gradient);
}

static void
run_compute(sc_task *task, void *state)
{
    json_t *args = sc_args_object(task);
    sc_error err = {0};
    sc_energy_label label;
    sc_energy_system *system = NULL;
    int64_t id;
    int rc;

    (void)state;
    if (args && sc_args_int(task, args, "system", max_id, &id)) {
        rc = sc_energy_rows_read(task, id, &label, &system, &err);
        if (rc == 0)
            compute_system(task, system, &label);
        else if (rc == SC_ENOTFOUND)
            sc_task_fail(task, "unknown_system", false, "there is no system %" PRId64, id);
        else
            sc_energy_fail(task, &err);
    }
    sc_energy_system_free(&system);
    json_decref(args);
}

/* ---- energy.systems ---- */

static int
write_systems(const sc_result *rows, sc_buffer *out)
{
    int rc = sc_buffer_printf(out, "{\"systems\":[");

    for (size_t i = 0; rows && i < rows->n_rows && rc == 0; i++) {
        const sc_value *row = sc_result_get(rows, i, 0);

        rc = sc_buffer_printf(out, "%s{\"system_id\":%" PRId64 ",\"label\":", i ? "," : "",
                              row[0].integer);
        if (rc == 0)
            rc = sc_json_add_string(out, row[1].type == SC_VALUE_TEXT ? row[1].text : "",
                                    row[1].len);
        if (rc == 0)
            rc = sc_buffer_printf(out, ",\"n_agents\":%" PRId64 "}", row[2].integer);
    }
    return rc == 0 ? sc_buffer_add(out, "]}", 2) : rc;
}

static void
run_systems(sc_task *task, void *state)
{
    sc_statement select = {
        .sql = "SELECT system_id, label, n_agents FROM energy_system ORDER BY system_id",
        .flags = SC_STATEMENT_READ_ONLY,
        .max_rows = MAX_SYSTEMS};
    sc_error err = {0};
    sc_result *rows;
    sc_buffer value;
    int rc = sc_task_query(task, &select, 1, &rows, &err);

    (void)state;
    if (rc != 0 && !sc_energy_has_no_tables(&err)) {
        sc_energy_fail(task, &err);
        return;
    }
    sc_buffer_init(&value, 0);
    rc = write_systems(rows, &value);
    if (rc == 0)
        sc_task_done(task, (const char *)value.data, value.len);
    else
        sc_task_fail(task, sc_error_name(rc), true, "%s", sc_error_text(rc));
    sc_buffer_fini(&value);
    sc_result_free(&rows);
}

int
sc_tasks_add_energy(sc_registry *registry)
{
    static const sc_handler handlers[] = {
        {.name = "energy.compute",
         .description = "{\"system\"}: energy and gradient of a system",
         .kind = SC_HANDLER_THREAD,
         .run = run_compute},
        {.name = "energy.load",
         .description = "replaces a system in the database",
         .kind = SC_HANDLER_THREAD,
         .run = sc_energy_load_run},
        {.name = "energy.systems",
         .description = "the systems in the database",
         .kind = SC_HANDLER_THREAD,
         .run = run_systems},
    };
    int rc = 0;

    for (size_t i = 0; i < sizeof handlers / sizeof *handlers && rc == 0; i++)
        rc = sc_registry_add(registry, &handlers[i]);
    return rc;
}
