/* SPDX-License-Identifier: Apache-2.0 */
/* Energies of many systems, collected and shown, see energy_report.h. */
#include "client/cli/energy_report.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "client/cli/plot.h"
#include "client/cli/table.h"
#include "client/cli/text.h"

enum {
    N_SHOWN = 3,        // terms with a column of the tables: pair, hyper, entropy
    TOTAL = 7,          // place of the sum among the columns
    EXTREMES = 5,       // rows at either end
    RATE_SYSTEMS = 100, // fewer are done before a rate means anything
    PLOT_ROWS = 12,
    SHOWN_FAILED = 10,
    NUMBER_BYTES = 32,
};

static const char *const columns[SC_ENERGY_COLUMNS] = {
    "pair",         "hyper", "entropy",     "reg",        "mem",         "drift_term",
    "anomaly_term", "total", "grad_h_norm", "grad_h_0_0", "grad_h_last",
};

/* A number of the list. @return the place behind it, NULL where there is none */
static const char *
next_id(const char *text, int64_t *id)
{
    char *end;

    *id = 0;
    if (!isdigit((unsigned char)*text))
        return NULL;
    errno = 0;
    *id = strtoll(text, &end, 10);
    return errno ? NULL : end;
}

/* One piece of a list: a number or a range. @return the place behind it and its comma, or NULL */
static const char *
next_range(const char *text, int64_t *first, int64_t *last)
{
    text = next_id(text, first);
    *last = *first;
    if (text && *text == '-')
        text = next_id(text + 1, last);
    if (!text || *last < *first || (*text && *text != ','))
        return NULL;
    return *text == ',' && text[1] ? text + 1 : *text == ',' ? NULL : text;
}

/* Numbers of the list, each as often as it is in there; 0 where it is no list, or too long. */
static size_t
count_ranges(const char *ranges)
{
    int64_t first, last;
    size_t n = 0;

    do {
        ranges = next_range(ranges, &first, &last);
        if (!ranges || last - first >= SC_ENERGY_MAX_LISTED - (int64_t)n)
            return 0;
        n += (size_t)(last - first + 1);
    } while (*ranges);
    return n;
}

bool
sc_energy_ranges_check(const char *ranges)
{
    return count_ranges(ranges) > 0;
}

static int
compare_ids(const void *a, const void *b)
{
    const sc_energy_system *x = a, *y = b;

    return x->id < y->id ? -1 : x->id > y->id;
}

/* The systems of the list, in the order of their ids, each once. */
static void
take_ranges(sc_energy_report *r, const char *ranges)
{
    int64_t first, last;
    size_t n = 0, n_different = 0;

    while (*ranges) {
        ranges = next_range(ranges, &first, &last);
        for (int64_t id = first; id <= last; id++)
            r->systems[n++].id = id;
    }
    qsort(r->systems, n, sizeof(*r->systems), compare_ids);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || r->systems[i].id != r->systems[n_different - 1].id)
            r->systems[n_different++] = r->systems[i];
    r->n_systems = n_different;
}

/* What is known of a system, at its place. Without a list (`is_listed` false) it gets the next. */
static void
take_system(sc_energy_report *r, const json_t *item, bool is_listed)
{
    const char *label = json_string_value(json_object_get(item, "label"));
    json_int_t n_agents = json_integer_value(json_object_get(item, "n_agents"));
    sc_energy_system key = {.id = json_integer_value(json_object_get(item, "system_id"))};
    sc_energy_system *s = &r->systems[r->n_systems];

    if (is_listed)
        s = bsearch(&key, r->systems, r->n_systems, sizeof(key), compare_ids);
    else
        r->n_systems++;
    if (!s)
        return;
    s->id = key.id;
    s->n_agents = n_agents > 0 ? (uint64_t)n_agents : 0;
    snprintf(s->label, sizeof(s->label), "%s", label ? label : "");
}

int
sc_energy_report_systems(sc_energy_report *report, const char *json, size_t len, const char *ranges,
                         sc_error *err)
{
    json_t *answer = json_loadb(json, len, 0, NULL);
    json_t *list = json_object_get(answer, "systems"), *item;
    bool is_good = json_is_array(list);
    size_t i, n_loaded = json_array_size(list);

    *report = (sc_energy_report){0};
    report->systems =
        calloc((ranges ? count_ranges(ranges) : n_loaded) + 1, sizeof(*report->systems));
    if (report->systems && n_loaded > 0 && ranges)
        take_ranges(report, ranges);
    json_array_foreach(list, i, item) if (report->systems)
        take_system(report, item, ranges != NULL);
    json_decref(answer);
    if (!is_good)
        return sc_error_set(err, SC_EMALFORMED, "energy.systems gave no list of systems");
    if (!report->systems)
        return sc_error_set(err, SC_ENOMEM, "out of memory");
    if (n_loaded == 0)
        return sc_error_set(err, SC_ENOTFOUND, "no system is loaded");
    return 0;
}

static bool
read_value(sc_energy_system *s, const char *json, size_t len)
{
    json_t *value = json_loadb(json, len, 0, NULL);
    bool is_whole = value != NULL;

    for (size_t i = 0; i < SC_ENERGY_COLUMNS && is_whole; i++) {
        const json_t *number = json_object_get(value, columns[i]);

        is_whole = json_is_number(number);
        s->values[i] = json_number_value(number);
    }
    json_decref(value);
    return is_whole;
}

int
sc_energy_report_result(sc_energy_report *report, const sc_result_row *row)
{
    static const char unreadable[] =
        "{\"code\":\"malformed\",\"message\":\"energy.compute gave no energies\"}";
    sc_energy_system *s;

    if (row->index >= report->n_systems)
        return 0;
    s = &report->systems[row->index];
    s->is_done = row->status == SC_RESULT_DONE && read_value(s, row->value, row->value_len);
    if (s->is_done)
        return 0;
    s->error =
        row->status == SC_RESULT_DONE ? strdup(unreadable) : strndup(row->value, row->value_len);
    return s->error ? 0 : SC_ENOMEM;
}

void
sc_energy_report_fini(sc_energy_report *report)
{
    for (size_t i = 0; i < report->n_systems; i++)
        free(report->systems[i].error);
    free(report->systems);
    *report = (sc_energy_report){0};
}

size_t
sc_energy_report_failed(const sc_energy_report *report)
{
    size_t n = 0;

    for (size_t i = 0; i < report->n_systems; i++)
        n += !report->systems[i].is_done;
    return n;
}

void
sc_energy_report_json(const sc_energy_report *report, sc_out *o)
{
    for (size_t i = 0; i < report->n_systems; i++) {
        const sc_energy_system *s = &report->systems[i];

        sc_out_begin(o);
        sc_out_field_number(o, "system_id", (uint64_t)s->id);
        if (s->is_done) {
            for (size_t k = 0; k < SC_ENERGY_COLUMNS; k++)
                sc_out_field_double(o, columns[k], s->values[k]);
        } else {
            sc_out_field(o, "error");
            sc_out_json(o, s->error ? s->error : "null", s->error ? strlen(s->error) : 4);
        }
        sc_out_end(o);
    }
}

static double
per_agent(const sc_energy_system *s)
{
    return s->n_agents ? s->values[TOTAL] / (double)s->n_agents : s->values[TOTAL];
}

static int
compare_per_agent(const void *a, const void *b)
{
    const sc_energy_system *x = *(const sc_energy_system *const *)a;
    const sc_energy_system *y = *(const sc_energy_system *const *)b;

    if (per_agent(x) != per_agent(y))
        return per_agent(x) < per_agent(y) ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Four decimals; what is rounded to zero has no sign. */
static void
add_value(double value, sc_colour colour, sc_table *table)
{
    char text[NUMBER_BYTES];

    snprintf(text, sizeof(text), "%.4f", fabs(value) < 0.00005 ? 0 : value);
    sc_table_text(table, text, colour);
}

static void
add_row(const sc_energy_system *s, sc_colour colour, sc_table *table)
{
    double other = 0;
    char text[NUMBER_BYTES];

    snprintf(text, sizeof(text), "%lld", (long long)s->id);
    sc_table_text(table, text, SC_COLOUR_NONE);
    sc_table_text(table, s->label, SC_COLOUR_NONE);
    sc_table_number(table, s->n_agents);
    add_value(per_agent(s), colour, table);
    for (size_t k = 0; k < N_SHOWN; k++)
        add_value(s->values[k], SC_COLOUR_NONE, table);
    for (size_t k = N_SHOWN; k < TOTAL; k++)
        other += s->values[k];
    add_value(other, SC_COLOUR_NONE, table);
    add_value(s->values[TOTAL], SC_COLOUR_NONE, table);
}

static void
write_some(const char *title, const sc_energy_system *const *systems, size_t n, sc_colour colour,
           const sc_term *term, sc_out *o)
{
    static const sc_table_column heads[] = {
        {"SYSTEM", true, SC_TABLE_KEEP},  {"LABEL", false, SC_TABLE_CUT},
        {"AGENTS", true, SC_TABLE_DROP},  {"PER AGENT", true, SC_TABLE_KEEP},
        {"PAIR", true, SC_TABLE_DROP},    {"HYPER", true, SC_TABLE_DROP},
        {"ENTROPY", true, SC_TABLE_DROP}, {"OTHER", true, SC_TABLE_DROP},
        {"TOTAL", true, SC_TABLE_KEEP},
    };
    sc_table table;

    sc_out_printf(o, "%s%s%s\n", sc_term_colour(term, SC_COLOUR_BOLD), title,
                  sc_term_colour(term, SC_COLOUR_NONE));
    sc_table_init(&table, heads, sizeof(heads) / sizeof(heads[0]), term);
    for (size_t i = 0; i < n; i++)
        add_row(systems[i], colour, &table);
    sc_table_write(&table, o);
    sc_table_fini(&table);
    sc_out_text(o, "\n");
}

/* Systems with the lowest and the highest energy per agent. */
static void
write_extremes(const sc_energy_report *r, const sc_term *term, sc_out *o)
{
    const sc_energy_system **sorted = calloc(r->n_systems + 1, sizeof(sc_energy_system *));
    size_t n = 0;

    if (!sorted) {
        o->error = o->error ? o->error : SC_ENOMEM;
        return;
    }
    for (size_t i = 0; i < r->n_systems; i++)
        if (r->systems[i].is_done)
            sorted[n++] = &r->systems[i];
    qsort(sorted, n, sizeof(sc_energy_system *), compare_per_agent);
    if (n > 2 * EXTREMES) {
        write_some("Lowest energy per agent", sorted, EXTREMES, SC_COLOUR_GREEN, term, o);
        write_some("Highest energy per agent", sorted + n - EXTREMES, EXTREMES, SC_COLOUR_RED, term,
                   o);
    } else if (n > 1) {
        write_some("Lowest energy per agent", sorted, 1, SC_COLOUR_GREEN, term, o);
        write_some("Highest energy per agent", sorted + n - 1, 1, SC_COLOUR_RED, term, o);
    }
    free(sorted);
}

/* Every system that has a value. */
static void
write_all(const sc_energy_report *r, const sc_term *term, sc_out *o)
{
    const sc_energy_system **done = calloc(r->n_systems + 1, sizeof(sc_energy_system *));
    size_t n = 0;

    if (!done) {
        o->error = o->error ? o->error : SC_ENOMEM;
        return;
    }
    for (size_t i = 0; i < r->n_systems; i++)
        if (r->systems[i].is_done)
            done[n++] = &r->systems[i];
    if (n > 0)
        write_some("Systems", done, n, SC_COLOUR_NONE, term, o);
    free(done);
}

static bool
is_month(const char *label)
{
    static const char form[] = "0000-00";

    for (size_t i = 0; i < sizeof(form); i++)
        if (form[i] == '0' ? !isdigit((unsigned char)label[i]) : label[i] != form[i])
            return false;
    return true;
}

static int
compare_label(const void *a, const void *b)
{
    const sc_energy_system *x = *(const sc_energy_system *const *)a;
    const sc_energy_system *y = *(const sc_energy_system *const *)b;

    return strcmp(x->label, y->label);
}

/* The total energy over the months; nothing where there are fewer than two. */
static void
write_plot(const sc_energy_report *r, const sc_term *term, sc_out *o)
{
    const sc_energy_system **months = calloc(r->n_systems + 1, sizeof(sc_energy_system *));
    const char **labels = calloc(r->n_systems + 1, sizeof(*labels));
    double *values = calloc(r->n_systems + 1, sizeof(*values));
    sc_plot plot = {"Total energy by month", values, labels, 0, PLOT_ROWS};

    if (!months || !labels || !values)
        o->error = o->error ? o->error : SC_ENOMEM;
    for (size_t i = 0; !o->error && i < r->n_systems; i++)
        if (is_month(r->systems[i].label))
            months[plot.n_values++] = &r->systems[i];
    if (!o->error)
        qsort(months, plot.n_values, sizeof(sc_energy_system *), compare_label);
    for (size_t i = 0; i < plot.n_values; i++) {
        labels[i] = months[i]->label;
        values[i] = months[i]->is_done ? months[i]->values[TOTAL] : NAN;
    }
    if (plot.n_values > 1) {
        sc_plot_write(&plot, term, o);
        sc_out_text(o, "\n");
    }
    free(months);
    free(labels);
    free(values);
}

static void
write_failed(const sc_energy_report *r, const sc_term *term, sc_out *o)
{
    size_t n = 0;

    for (size_t i = 0; i < r->n_systems; i++) {
        const char *error = r->systems[i].error ? r->systems[i].error : "no result";
        sc_out text;

        if (r->systems[i].is_done || n++ >= SHOWN_FAILED)
            continue;
        sc_out_printf(o, "%ssystem %lld failed:%s ", sc_term_colour(term, SC_COLOUR_RED),
                      (long long)r->systems[i].id, sc_term_colour(term, SC_COLOUR_NONE));
        sc_out_init(&text);
        sc_text_error(&text, error, strlen(error));
        sc_text_add(o, (const char *)text.buffer.data, text.buffer.len, term->is_utf8);
        sc_out_fini(&text);
        sc_out_text(o, "\n");
    }
    if (n > SHOWN_FAILED)
        sc_out_printf(o, "... and %zu more\n", n - SHOWN_FAILED);
}

void
sc_energy_report_write(const sc_energy_report *report, const sc_term *term, sc_out *o)
{
    char count[SC_FORMAT_BYTES], time[SC_FORMAT_BYTES], rate[SC_FORMAT_BYTES];
    double seconds = (double)report->taken_ms / 1000;

    write_all(report, term, o);
    write_extremes(report, term, o);
    write_plot(report, term, o);
    write_failed(report, term, o);
    sc_out_printf(o, "%s system%s in %s", sc_format_count(report->n_systems, count),
                  report->n_systems == 1 ? "" : "s", sc_format_duration(report->taken_ms, time));
    if (report->n_systems >= RATE_SYSTEMS && report->taken_ms > 0)
        sc_out_printf(o, ", %s tasks/s",
                      sc_format_count((uint64_t)((double)report->n_systems / seconds), rate));
    sc_out_text(o, "\n");
}
