/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of JSON lines, see lines.h. Called by `submit`; never reads a descriptor itself. */
#include "client/cli/lines.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"

enum {
    FIRST_BYTES = 512 * 1024, // a read of this size costs little against its lines
    LEAST_ROOM = 64 * 1024,   // what a pipe holds
    LINE_MAX_BYTES = SC_TASK_MAX_BYTES,
};

void
sc_lines_init(sc_lines *lines)
{
    *lines = (sc_lines){0};
}

void
sc_lines_fini(sc_lines *lines)
{
    free(lines->data);
    *lines = (sc_lines){0};
}

int
sc_lines_room(sc_lines *lines, char **room, size_t *len)
{
    size_t used = lines->end - lines->start;

    if (used)
        memmove(lines->data, lines->data + lines->start, used);
    lines->scanned -= lines->start;
    lines->start = 0;
    lines->end = used;
    if (lines->capacity - used < LEAST_ROOM) {
        size_t capacity = lines->capacity ? lines->capacity * 2 : FIRST_BYTES;
        char *data = realloc(lines->data, capacity);

        if (!data)
            return SC_ENOMEM;
        lines->data = data;
        lines->capacity = capacity;
    }
    *room = lines->data + used;
    *len = lines->capacity - used;
    return 0;
}

void
sc_lines_added(sc_lines *lines, size_t len)
{
    lines->end += len;
    lines->is_ended = len == 0;
}

/* Cuts the next line off, with its line break. @return false where it is not complete */
static bool
cut_line(sc_lines *lines, const char **line, size_t *len)
{
    char *found = memchr(lines->data + lines->scanned, '\n', lines->end - lines->scanned);
    size_t next = found ? (size_t)(found - lines->data) + 1 : lines->end;

    lines->scanned = next;
    if (!found && (!lines->is_ended || lines->start == lines->end))
        return false;
    *line = lines->data + lines->start;
    *len = next - lines->start - (found != NULL);
    lines->start = next;
    lines->line++;
    return true;
}

static bool
is_blank(const char *line, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
            return false;
    return true;
}

/* JSON over several lines: an array or an object is still open where its first line ends. */
static bool
is_open(const char *line, size_t len)
{
    char first, last;

    while (len > 0 && strchr(" \t\r", line[len - 1]))
        len--;
    while (len > 0 && (*line == ' ' || *line == '\t'))
        line++, len--;
    if (len == 0)
        return false;
    first = *line, last = line[len - 1];
    return (first == '[' && last != ']') || (first == '{' && last != '}');
}

static int
check_line(const sc_lines *lines, const char *line, size_t len, sc_error *err)
{
    int rc;

    if (len > LINE_MAX_BYTES)
        return sc_error_set(err, SC_ETOOLARGE, "the line is longer than 16 MiB");
    if (lines->line == 1 && len >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0)
        return sc_error_set(err, SC_EMALFORMED, "it begins with a byte order mark; leave it out");
    rc = sc_json_check(line, len, err);
    if (rc == SC_EMALFORMED && is_open(line, len))
        return sc_error_set(err, rc, "the JSON goes on behind the line; a task is one line");
    return rc;
}

int
sc_lines_next(sc_lines *lines, const char **line, size_t *len, sc_error *err)
{
    int rc;

    while (lines->data && cut_line(lines, line, len)) {
        if (is_blank(*line, *len))
            continue;
        if ((*line)[*len - 1] == '\r')
            --*len;
        rc = check_line(lines, *line, *len, err);
        return rc ? rc : 1;
    }
    if (lines->end - lines->start > LINE_MAX_BYTES) {
        lines->line++;
        return sc_error_set(err, SC_ETOOLARGE, "the line is longer than 16 MiB");
    }
    return 0;
}
