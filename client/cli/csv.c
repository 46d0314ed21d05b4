/* SPDX-License-Identifier: Apache-2.0 */
/* The CSV reader, see csv.h. Called by `energy load`; one pass, fields point into the text. */
#include "client/cli/csv.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FILE_MAX_BYTES = 1 << 30,
    FIRST_ROWS = 1024,
};

/* The text while it is read. */
struct scanner {
    char *at, *end;
    uint64_t line;
};

/* One field and what ends it: ',' or '\n', which the end of the text stands for. A quoted one is
 * unescaped in place.
 * @return false where a quote does not fit */
static bool
next_field(struct scanner *s, sc_csv_field *field, char *end)
{
    char *to = s->at;
    bool is_quoted = s->at < s->end && *s->at == '"';

    field->text = s->at;
    s->at += is_quoted;
    for (; s->at < s->end; *to++ = *s->at++) {
        if (is_quoted && *s->at == '"') {
            if (s->at + 1 == s->end || s->at[1] != '"')
                break;
            s->at++;
        } else if (!is_quoted && (*s->at == ',' || *s->at == '\n' || *s->at == '"')) {
            break;
        }
        s->line += *s->at == '\n';
    }
    if (is_quoted && s->at++ == s->end)
        return false; // it never ends
    if (!is_quoted && to > field->text && to[-1] == '\r' && (s->at == s->end || *s->at == '\n'))
        to--;
    if (is_quoted && s->at < s->end && *s->at == '\r')
        s->at++;
    field->len = (uint32_t)(to - field->text);
    if (s->at == s->end) {
        *end = '\n';
        return true;
    }
    *end = *s->at++;
    s->line += *end == '\n';
    return *end == ',' || *end == '\n';
}

/* A whole record; n counts all its fields, also those beyond `max`. @return false where it is
 * malformed */
static bool
next_record(struct scanner *s, sc_csv_field *fields, size_t max, size_t *n)
{
    sc_csv_field field;
    char end;

    for (*n = 0;; ++*n) {
        if (!next_field(s, &field, &end))
            return false;
        if (*n < max)
            fields[*n] = field;
        if (end != ',')
            break;
    }
    ++*n;
    return true;
}

/* Finds the wanted columns in the first line. */
static int
read_head(sc_csv *csv, struct scanner *s, const char *const *columns, size_t *places, size_t *n_all,
          sc_error *err)
{
    sc_csv_field names[SC_CSV_MAX_COLUMNS];

    if (s->at == s->end)
        return sc_error_set(err, SC_EMALFORMED, "the file is empty");
    csv->line = s->line;
    if (!next_record(s, names, SC_CSV_MAX_COLUMNS, n_all))
        return sc_error_set(err, SC_EMALFORMED, "a quote is not closed or stands inside a field");
    if (*n_all > SC_CSV_MAX_COLUMNS)
        return sc_error_set(err, SC_EMALFORMED, "more than %d columns", SC_CSV_MAX_COLUMNS);
    for (size_t i = 0; i < csv->n_columns; i++) {
        size_t k = 0;

        while (k < *n_all && (names[k].len != strlen(columns[i]) ||
                              memcmp(names[k].text, columns[i], names[k].len) != 0))
            k++;
        if (k == *n_all)
            return sc_error_set(err, SC_EMALFORMED, "no column \"%s\"", columns[i]);
        places[i] = k;
    }
    return 0;
}

/* Room for one more row. */
static int
grow(sc_csv *csv)
{
    size_t capacity = csv->capacity ? csv->capacity * 2 : FIRST_ROWS;
    void *moved;

    if (csv->n_rows < csv->capacity)
        return 0;
    if (!(moved = realloc(csv->fields, capacity * csv->n_columns * sizeof(*csv->fields))))
        return SC_ENOMEM;
    csv->fields = moved;
    if (!(moved = realloc(csv->lines, capacity * sizeof(*csv->lines))))
        return SC_ENOMEM;
    csv->lines = moved;
    csv->capacity = capacity;
    return 0;
}

/* All records behind the head. */
static int
read_rows(sc_csv *csv, struct scanner *s, const size_t *places, size_t n_all, sc_error *err)
{
    sc_csv_field all[SC_CSV_MAX_COLUMNS];
    size_t n;

    while (s->at < s->end) {
        csv->line = s->line;
        if (*s->at == '\n' || (*s->at == '\r' && s->at + 1 < s->end && s->at[1] == '\n')) {
            s->at += *s->at == '\r' ? 2 : 1;
            s->line++;
            continue;
        }
        if (!next_record(s, all, SC_CSV_MAX_COLUMNS, &n))
            return sc_error_set(err, SC_EMALFORMED,
                                "a quote is not closed or stands inside a field");
        if (n != n_all)
            return sc_error_set(err, SC_EMALFORMED, "%zu fields where the first line has %zu", n,
                                n_all);
        if (grow(csv))
            return sc_error_set(err, SC_ENOMEM, "out of memory");
        csv->lines[csv->n_rows] = csv->line;
        for (size_t i = 0; i < csv->n_columns; i++)
            csv->fields[csv->n_rows * csv->n_columns + i] = all[places[i]];
        csv->n_rows++;
    }
    return 0;
}

int
sc_csv_parse(sc_csv *csv, char *text, size_t len, const char *const *columns, size_t n_columns,
             sc_error *err)
{
    struct scanner s = {.at = text, .end = text + len, .line = 1};
    size_t places[SC_CSV_MAX_COLUMNS];
    size_t n_all = 0;
    int rc;

    *csv = (sc_csv){.text = text, .n_columns = n_columns};
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        s.at += 3;
    rc = read_head(csv, &s, columns, places, &n_all, err);
    return rc ? rc : read_rows(csv, &s, places, n_all, err);
}

/* The whole file, malloc'd. */
static int
read_file(const char *path, char **text, size_t *len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat s;
    ssize_t n = 0;
    int rc = 0;

    *len = 0;
    *text = NULL;
    if (fd < 0)
        return -errno;
    if (fstat(fd, &s) != 0)
        rc = -errno;
    else if (S_ISDIR(s.st_mode))
        rc = -EISDIR;
    else if (s.st_size > FILE_MAX_BYTES)
        rc = -EFBIG;
    else if (!(*text = malloc((size_t)s.st_size + 1)))
        rc = SC_ENOMEM;
    // A file that grows meanwhile is read as far as it reached at first.
    while (rc == 0 && *len < (size_t)s.st_size &&
           (n = read(fd, *text + *len, (size_t)s.st_size - *len)) > 0)
        *len += (size_t)n;
    if (rc == 0 && n < 0)
        rc = -errno;
    close(fd);
    return rc;
}

int
sc_csv_read(sc_csv *csv, const char *path, const char *const *columns, size_t n_columns,
            sc_error *err)
{
    char *text;
    size_t len;
    int rc = read_file(path, &text, &len);

    if (rc == 0)
        return sc_csv_parse(csv, text, len, columns, n_columns, err);
    free(text);
    *csv = (sc_csv){0};
    return sc_error_set(err, rc, "%s", rc == -EFBIG ? "larger than 1 GiB" : sc_error_text(rc));
}

void
sc_csv_fini(sc_csv *csv)
{
    free(csv->text);
    free(csv->fields);
    free(csv->lines);
    *csv = (sc_csv){0};
}

const sc_csv_field *
sc_csv_row(const sc_csv *csv, size_t row)
{
    return csv->fields + row * csv->n_columns;
}

/* The place behind the digits at `p`. */
static const char *
skip_digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

bool
sc_csv_is_number(const sc_csv_field *field)
{
    const char *p = field->text, *end = p + field->len, *digits;

    p += p < end && *p == '-';
    digits = p;
    p = skip_digits(p, end);
    if (p == digits || (*digits == '0' && p > digits + 1))
        return false;
    if (p < end && *p == '.') {
        digits = ++p;
        if ((p = skip_digits(p, end)) == digits)
            return false;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        p += p < end && (*p == '+' || *p == '-');
        digits = p;
        if ((p = skip_digits(p, end)) == digits)
            return false;
    }
    return p == end;
}

bool
sc_csv_count(const sc_csv_field *field, uint64_t *count)
{
    *count = 0;
    if (field->len == 0 || field->len > 18)
        return false;
    for (uint32_t i = 0; i < field->len; i++) {
        if (field->text[i] < '0' || field->text[i] > '9')
            return false;
        *count = *count * 10 + (uint64_t)(field->text[i] - '0');
    }
    return true;
}
