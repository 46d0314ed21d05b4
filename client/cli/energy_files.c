/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and checking the files of `energy load`, see energy_files.h. What a person may have typed
 * wrong is found here, with its line, before anything is sent; ranges of numbers are checked by the
 * handler, which sees other sources as well. */
#include "client/cli/energy_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/utf8.h"

enum { MAX_COLUMNS = 9 };

/* What a field must be: the characters of `kinds`. */
enum { COUNT = 'c', NUMBER = 'n', TEXT = 't', NUMBERS = 'h' };

static const struct file {
    const char *name;
    const char *columns[MAX_COLUMNS];
    const char *kinds; // one a column
    size_t n_keys;     // columns behind system_id that tell its rows apart
    const char *row;   // what one is called
    bool is_needed;
} table[SC_ENERGY_N_FILES] = {
    {"energy_system.csv",
     {"system_id", "label", "n_agents", "dim", "s_norm", "r_effective", "p_compress", "drift",
      "anomaly"},
     "ctccnnnnn",
     0,
     "system",
     true},
    {"energy_agent.csv",
     {"system_id", "agent_no", "agent_id", "h", "p_e", "p_s", "p_o", "capability", "mem_util"},
     "ccthnnnnn",
     1,
     "agent",
     true},
    {"energy_pair.csv", {"system_id", "i", "j", "w"}, "cccn", 2, "pair", false},
    {"energy_hyperedge.csv",
     {"system_id", "edge_no", "selection", "weight"},
     "ccnn",
     1,
     "hyperedge",
     false},
};

/* Columns that are looked at here. */
enum { SYSTEM_ID = 0, SYSTEM_N_AGENTS = 2, SYSTEM_DIM = 3, AGENT_H = 3 };

/* "FILE:LINE: "; line 0: the file as a whole. */
static void
add_place(sc_out *reason, const char *path, uint64_t line)
{
    sc_out_printf(reason, line ? "%s:%llu: " : "%s: ", path, (unsigned long long)line);
}

/* The next of numbers separated by spaces. @return false behind the last */
static bool
next_number(const char **at, const char *end, sc_csv_field *number)
{
    while (*at < end && **at == ' ')
        ++*at;
    number->text = *at;
    while (*at < end && **at != ' ')
        ++*at;
    number->len = (uint32_t)(*at - number->text);
    return number->len > 0;
}

static bool
is_of_kind(const sc_csv_field *field, char kind)
{
    const char *at = field->text, *end = at + field->len;
    sc_csv_field number;
    uint64_t count;

    switch (kind) {
    case COUNT:
        return sc_csv_count(field, &count);
    case NUMBER:
        return sc_csv_is_number(field);
    case NUMBERS:
        while (next_number(&at, end, &number))
            if (!sc_csv_is_number(&number))
                return false;
        return true;
    default:
        return field->len <= SC_LABEL_MAX && sc_utf8_printable(field->text, field->len);
    }
}

static int
check_fields(const sc_csv *csv, const struct file *file, const char *path, sc_out *reason)
{
    static const char *const wanted[] = {
        [COUNT] = "a whole number",
        [NUMBER] = "a number",
        [NUMBERS] = "a list of numbers",
        [TEXT] = "UTF-8 of at most 200 bytes without control characters"};

    for (size_t row = 0; row < csv->n_rows; row++) {
        for (size_t i = 0; i < csv->n_columns; i++) {
            const sc_csv_field *field = &sc_csv_row(csv, row)[i];

            if (is_of_kind(field, file->kinds[i]))
                continue;
            add_place(reason, path, csv->lines[row]);
            sc_out_printf(reason, "%s: \"%.*s\" is not %s", file->columns[i],
                          field->len < 40 ? (int)field->len : 40, field->text,
                          wanted[(int)file->kinds[i]]);
            return SC_EMALFORMED;
        }
    }
    return 0;
}

/* Of a column that was found to hold whole numbers. */
static uint64_t
count_at(const sc_csv *csv, size_t row, size_t column)
{
    uint64_t count = 0;

    sc_csv_count(&sc_csv_row(csv, row)[column], &count);
    return count;
}

static uint64_t
system_id(const sc_csv *csv, size_t row)
{
    return count_at(csv, row, SYSTEM_ID);
}

/* An order of rows: by the first columns, then as they stand in the file. */
struct order {
    const sc_csv *csv;
    size_t n_columns;
};

static int
compare_columns(const struct order *order, size_t x, size_t y)
{
    for (size_t k = 0; k < order->n_columns; k++) {
        uint64_t count_x = count_at(order->csv, x, k), count_y = count_at(order->csv, y, k);

        if (count_x != count_y)
            return count_x < count_y ? -1 : 1;
    }
    return 0;
}

static int
compare_rows(const void *a, const void *b, void *order)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    int by_columns = compare_columns(order, x, y);

    return by_columns ? by_columns : x < y ? -1 : x > y;
}

/* All rows in this order; the caller frees them. NULL without memory. */
static size_t *
sort_rows(struct order order)
{
    size_t n = order.csv->n_rows;
    size_t *rows = calloc(n + 1, sizeof(*rows));

    if (!rows)
        return NULL;
    for (size_t i = 0; i < n; i++)
        rows[i] = i;
    qsort_r(rows, n, sizeof(*rows), compare_rows, &order);
    return rows;
}

static int
read_file(sc_energy_files *all, int which, const char *path, sc_out *reason)
{
    const struct file *file = &table[which];
    sc_csv *csv = &all->files[which].csv;
    sc_error err = {0};
    int rc;

    if (all->files[which].path) {
        add_place(reason, path, 0);
        sc_out_printf(reason, "a second %s", file->name);
        return SC_EBADARG;
    }
    if (!(all->files[which].path = strdup(path)))
        return SC_ENOMEM;
    rc = sc_csv_read(csv, path, file->columns, strlen(file->kinds), &err);
    if (rc) {
        add_place(reason, path, csv->line);
        sc_out_text(reason, err.text);
        return rc;
    }
    rc = check_fields(csv, file, path, reason);
    if (rc)
        return rc;
    all->files[which].order = sort_rows((struct order){csv, 1});
    return all->files[which].order ? 0 : SC_ENOMEM;
}

static int
read_folder(sc_energy_files *all, const char *folder, sc_out *reason)
{
    int rc = 0;

    for (int i = 0; i < SC_ENERGY_N_FILES && rc == 0; i++) {
        struct stat s;
        char *path;

        if (asprintf(&path, "%s/%s", folder, table[i].name) < 0)
            return SC_ENOMEM;
        if (table[i].is_needed || stat(path, &s) == 0)
            rc = read_file(all, i, path, reason);
        free(path);
    }
    return rc;
}

/* A folder, or a file by its name. */
static int
read_path(sc_energy_files *all, const char *path, sc_out *reason)
{
    const char *slash = strrchr(path, '/');
    struct stat s;

    if (stat(path, &s) == 0 && S_ISDIR(s.st_mode))
        return read_folder(all, path, reason);
    for (int i = 0; i < SC_ENERGY_N_FILES; i++)
        if (strcmp(table[i].name, slash ? slash + 1 : path) == 0)
            return read_file(all, i, path, reason);
    add_place(reason, path, 0);
    sc_out_text(reason, "neither a folder nor one of energy_system.csv, energy_agent.csv, "
                        "energy_pair.csv and energy_hyperedge.csv");
    return SC_EBADARG;
}

/* Place in the file's order of its first row with this system or a later one. */
static size_t
first_row(const sc_energy_files *all, int which, uint64_t id)
{
    const sc_csv *csv = &all->files[which].csv;
    size_t low = 0, high = csv->n_rows;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (system_id(csv, all->files[which].order[middle]) < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Row of a system; SIZE_MAX where there is none. */
static size_t
find_system(const sc_energy_files *all, uint64_t id)
{
    size_t at = first_row(all, SC_ENERGY_SYSTEMS, id);

    return at < first_row(all, SC_ENERGY_SYSTEMS, id + 1) ? all->files[SC_ENERGY_SYSTEMS].order[at]
                                                          : SIZE_MAX;
}

/* Every row belongs to a system. */
static int
check_ids(const sc_energy_files *all, int which, sc_out *reason)
{
    const sc_csv *csv = &all->files[which].csv;

    for (size_t row = 0; row < csv->n_rows; row++) {
        if (find_system(all, system_id(csv, row)) != SIZE_MAX)
            continue;
        add_place(reason, all->files[which].path, csv->lines[row]);
        sc_out_printf(reason, "system %llu is not in energy_system.csv",
                      (unsigned long long)system_id(csv, row));
        return SC_EMALFORMED;
    }
    return 0;
}

/* Agents are numbered below n_agents, and those of a pair rise: i < j. */
static int
check_indexes(const sc_energy_files *all, int which, sc_out *reason)
{
    const sc_csv *csv = &all->files[which].csv;
    const sc_csv *systems = &all->files[SC_ENERGY_SYSTEMS].csv;
    size_t n = table[which].n_keys; // columns of agents

    for (size_t row = 0; row < csv->n_rows; row++) {
        uint64_t id = system_id(csv, row);
        uint64_t n_agents = count_at(systems, find_system(all, id), SYSTEM_N_AGENTS);
        uint64_t first = count_at(csv, row, 1), last = count_at(csv, row, n);

        if (last < n_agents && (n == 1 || first < last))
            continue;
        add_place(reason, all->files[which].path, csv->lines[row]);
        if (n == 1)
            sc_out_printf(reason, "agent_no %llu", (unsigned long long)last);
        else
            sc_out_printf(reason, "i %llu, j %llu", (unsigned long long)first,
                          (unsigned long long)last);
        sc_out_printf(reason,
                      n == 1 ? " is not below %llu, the agents of system %llu"
                             : " are not i < j < %llu, the agents of system %llu",
                      (unsigned long long)n_agents, (unsigned long long)id);
        return SC_EMALFORMED;
    }
    return 0;
}

/* No row is there twice. */
static int
check_twice(const sc_energy_files *all, int which, sc_out *reason)
{
    const sc_csv *csv = &all->files[which].csv;
    struct order order = {csv, table[which].n_keys + 1};
    size_t *rows = sort_rows(order);
    int rc = rows ? 0 : SC_ENOMEM;

    for (size_t i = 1; i < csv->n_rows && rc == 0; i++) {
        if (compare_columns(&order, rows[i - 1], rows[i]) != 0)
            continue;
        add_place(reason, all->files[which].path, csv->lines[rows[i]]);
        sc_out_printf(reason, "%s", table[which].row);
        for (size_t k = 1; k < order.n_columns; k++)
            sc_out_printf(reason, " %llu", (unsigned long long)count_at(csv, rows[i], k));
        sc_out_printf(reason, "%s %llu is there twice", order.n_columns > 1 ? " of system" : "",
                      (unsigned long long)system_id(csv, rows[i]));
        rc = SC_EMALFORMED;
    }
    free(rows);
    return rc;
}

static uint64_t
count_numbers(const sc_csv_field *field)
{
    const char *at = field->text;
    sc_csv_field number;
    uint64_t n = 0;

    while (next_number(&at, field->text + field->len, &number))
        n++;
    return n;
}

/* As many agents and numbers as the system says. */
static int
check_system(const sc_energy_files *all, size_t system, sc_out *reason)
{
    const sc_csv *systems = &all->files[SC_ENERGY_SYSTEMS].csv;
    const sc_csv *agents = &all->files[SC_ENERGY_AGENTS].csv;
    uint64_t id = system_id(systems, system);
    uint64_t n_agents = count_at(systems, system, SYSTEM_N_AGENTS);
    uint64_t dim = count_at(systems, system, SYSTEM_DIM);
    size_t first = first_row(all, SC_ENERGY_AGENTS, id);
    size_t end = first_row(all, SC_ENERGY_AGENTS, id + 1);

    if (end - first != n_agents) {
        add_place(reason, all->files[SC_ENERGY_SYSTEMS].path, systems->lines[system]);
        sc_out_printf(reason, "system %llu has %llu agents here and %zu in energy_agent.csv",
                      (unsigned long long)id, (unsigned long long)n_agents, end - first);
        return SC_EMALFORMED;
    }
    for (size_t i = first; i < end; i++) {
        size_t row = all->files[SC_ENERGY_AGENTS].order[i];
        uint64_t n = count_numbers(&sc_csv_row(agents, row)[AGENT_H]);

        if (n == dim)
            continue;
        add_place(reason, all->files[SC_ENERGY_AGENTS].path, agents->lines[row]);
        sc_out_printf(reason, "h: %llu numbers where dim is %llu", (unsigned long long)n,
                      (unsigned long long)dim);
        return SC_EMALFORMED;
    }
    return 0;
}

static int
check_whole(const sc_energy_files *all, sc_out *reason)
{
    int rc = 0;

    for (int i = 0; i < SC_ENERGY_N_FILES; i++) {
        if (!table[i].is_needed || all->files[i].path)
            continue;
        sc_out_printf(reason, "%s is missing", table[i].name);
        return SC_EBADARG;
    }
    for (int i = 0; i < SC_ENERGY_N_FILES && rc == 0; i++) {
        rc = check_ids(all, i, reason);
        if (rc == 0 && (i == SC_ENERGY_AGENTS || i == SC_ENERGY_PAIRS))
            rc = check_indexes(all, i, reason);
        if (rc == 0)
            rc = check_twice(all, i, reason);
    }
    for (size_t i = 0; i < sc_energy_files_count(all, SC_ENERGY_SYSTEMS) && rc == 0; i++)
        rc = check_system(all, i, reason);
    if (rc == 0 && sc_energy_files_count(all, SC_ENERGY_SYSTEMS) == 0) {
        add_place(reason, all->files[SC_ENERGY_SYSTEMS].path, 0);
        sc_out_text(reason, "there is no system in it");
        return SC_EMALFORMED;
    }
    return rc;
}

int
sc_energy_files_read(sc_energy_files *files, const char *const *paths, size_t n_paths,
                     sc_out *reason)
{
    int rc = 0;

    *files = (sc_energy_files){0};
    for (size_t i = 0; i < n_paths && rc == 0; i++)
        rc = read_path(files, paths[i], reason);
    if (rc == 0)
        rc = check_whole(files, reason);
    if (rc == SC_ENOMEM)
        sc_out_text(reason, "out of memory");
    return rc;
}

void
sc_energy_files_fini(sc_energy_files *files)
{
    for (int i = 0; i < SC_ENERGY_N_FILES; i++) {
        sc_csv_fini(&files->files[i].csv);
        free(files->files[i].path);
        free(files->files[i].order);
    }
}

size_t
sc_energy_files_count(const sc_energy_files *files, int which)
{
    return files->files[which].csv.n_rows;
}

static void
add_field(const sc_csv_field *field, char kind, sc_out *o)
{
    const char *at = field->text;
    sc_csv_field number;
    int rc = 0;

    if (kind == TEXT) {
        rc = sc_json_add_string(&o->buffer, field->text, field->len);
        o->error = o->error ? o->error : rc;
        return;
    }
    if (kind != NUMBERS) {
        sc_out_add(o, field->text, field->len);
        return;
    }
    sc_out_text(o, "[");
    for (int i = 0; next_number(&at, field->text + field->len, &number); i++) {
        if (i > 0)
            sc_out_text(o, ",");
        sc_out_add(o, number.text, number.len);
    }
    sc_out_text(o, "]");
}

/* "agents":[[0,"a0001",...],...] without the column system_id. */
static void
add_rows(const sc_energy_files *all, int which, uint64_t id, sc_out *o)
{
    size_t end = all->files[which].path ? first_row(all, which, id + 1) : 0;
    const sc_csv *csv = &all->files[which].csv;

    sc_out_text(o, "[");
    for (size_t i = end ? first_row(all, which, id) : 0, n = 0; i < end; i++, n++) {
        const sc_csv_field *fields = sc_csv_row(csv, all->files[which].order[i]);

        sc_out_text(o, n ? ",[" : "[");
        for (size_t k = SYSTEM_ID + 1; k < csv->n_columns; k++) {
            if (k > SYSTEM_ID + 1)
                sc_out_text(o, ",");
            add_field(&fields[k], table[which].kinds[k], o);
        }
        sc_out_text(o, "]");
    }
    sc_out_text(o, "]");
}

void
sc_energy_files_task(const sc_energy_files *files, size_t system, sc_out *o)
{
    const sc_csv *csv = &files->files[SC_ENERGY_SYSTEMS].csv;
    uint64_t id = system_id(csv, system);

    sc_out_text(o, "{\"system\":");
    sc_out_begin(o);
    for (size_t i = 0; i < csv->n_columns; i++) {
        sc_out_field(o, table[SC_ENERGY_SYSTEMS].columns[i]);
        add_field(&sc_csv_row(csv, system)[i], table[SC_ENERGY_SYSTEMS].kinds[i], o);
    }
    sc_out_text(o, "},\"agents\":");
    add_rows(files, SC_ENERGY_AGENTS, id, o);
    sc_out_text(o, ",\"pairs\":");
    add_rows(files, SC_ENERGY_PAIRS, id, o);
    sc_out_text(o, ",\"hyperedges\":");
    add_rows(files, SC_ENERGY_HYPEREDGES, id, o);
    sc_out_text(o, "}");
}
