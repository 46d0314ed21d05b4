/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and checking the files of `energy load`, see energy_files.h. What only a whole system can
 * show (i < j < n_agents, ranges) is checked by the handler, which sees other sources as well. */
#include "client/cli/energy_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"

enum { MAX_COLUMNS = 9 };

/* What a field must be: the characters of `kinds`. */
enum { COUNT = 'c', NUMBER = 'n', TEXT = 't', NUMBERS = 'h' };

static const struct file {
    const char *name;
    const char *columns[MAX_COLUMNS];
    const char *kinds; // one a column
    bool is_needed;
} table[SC_ENERGY_N_FILES] = {
    {"energy_system.csv",
     {"system_id", "label", "n_agents", "dim", "s_norm", "r_effective", "p_compress", "drift",
      "anomaly"},
     "ctccnnnnn",
     true},
    {"energy_agent.csv",
     {"system_id", "agent_no", "agent_id", "h", "p_e", "p_s", "p_o", "capability", "mem_util"},
     "ccthnnnnn",
     true},
    {"energy_pair.csv", {"system_id", "i", "j", "w"}, "cccn", false},
    {"energy_hyperedge.csv", {"system_id", "edge_no", "selection", "weight"}, "ccnn", false},
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
        return true;
    }
}

static int
check_fields(const sc_csv *csv, const struct file *file, const char *path, sc_out *reason)
{
    static const char *const wanted[] = {
        [COUNT] = "a whole number", [NUMBER] = "a number", [NUMBERS] = "a list of numbers"};

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

static uint64_t
system_id(const sc_csv *csv, size_t row)
{
    uint64_t id = 0;

    sc_csv_count(&sc_csv_row(csv, row)[SYSTEM_ID], &id);
    return id;
}

static int
compare_rows(const void *a, const void *b, void *csv)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    uint64_t id_x = system_id(csv, x), id_y = system_id(csv, y);

    if (id_x != id_y)
        return id_x < id_y ? -1 : 1;
    return x < y ? -1 : x > y;
}

static int
sort_rows(sc_energy_files *all, int which)
{
    sc_csv *csv = &all->files[which].csv;
    size_t *order = calloc(csv->n_rows + 1, sizeof(*order));

    if (!order)
        return SC_ENOMEM;
    for (size_t i = 0; i < csv->n_rows; i++)
        order[i] = i;
    qsort_r(order, csv->n_rows, sizeof(*order), compare_rows, csv);
    all->files[which].order = order;
    return 0;
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
    return rc ? rc : sort_rows(all, which);
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

/* Every row belongs to a system, and no system is there twice. */
static int
check_ids(const sc_energy_files *all, int which, sc_out *reason)
{
    const sc_csv *csv = &all->files[which].csv;
    uint64_t last = UINT64_MAX; // ids have at most 18 digits

    for (size_t i = 0; i < csv->n_rows; i++) {
        size_t row = all->files[which].order[i];
        uint64_t id = system_id(csv, row);
        size_t end = first_row(all, SC_ENERGY_SYSTEMS, id + 1);
        bool is_known = end > first_row(all, SC_ENERGY_SYSTEMS, id);

        if (is_known && (which != SC_ENERGY_SYSTEMS || id != last)) {
            last = id;
            continue;
        }
        add_place(reason, all->files[which].path, csv->lines[row]);
        sc_out_printf(reason,
                      is_known ? "system %llu is there twice"
                               : "system %llu is not in energy_system.csv",
                      (unsigned long long)id);
        return SC_EMALFORMED;
    }
    return 0;
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
    uint64_t id = system_id(systems, system), n_agents, dim;
    size_t first = first_row(all, SC_ENERGY_AGENTS, id);
    size_t end = first_row(all, SC_ENERGY_AGENTS, id + 1);

    sc_csv_count(&sc_csv_row(systems, system)[SYSTEM_N_AGENTS], &n_agents);
    sc_csv_count(&sc_csv_row(systems, system)[SYSTEM_DIM], &dim);
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
    for (int i = 0; i < SC_ENERGY_N_FILES && rc == 0; i++)
        rc = check_ids(all, i, reason);
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
