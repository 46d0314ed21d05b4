/* SPDX-License-Identifier: Apache-2.0 */
/* Tables for people, see table.h. Called by the verbs that list; writes no line longer than the
 * terminal as long as the first column leaves room for it. */
#include "client/cli/table.h"

#include <stdlib.h>
#include <string.h>

#include "client/cli/text.h"

enum { GAP = 2, CUT_MIN = 8, PREFIX_MIN = 13 };

void
sc_table_init(sc_table *t, const sc_table_column *columns, size_t n_columns, const sc_term *term)
{
    *t = (sc_table){.columns = columns, .n_columns = n_columns, .term = term};
    sc_out_init(&t->cells);
    sc_buffer_init(&t->colours, 0);
    for (size_t i = 0; i < n_columns; i++)
        t->widths[i] = (int)strlen(columns[i].title);
}

void
sc_table_fini(sc_table *t)
{
    sc_out_fini(&t->cells);
    sc_buffer_fini(&t->colours);
}

void
sc_table_text(sc_table *t, const char *text, sc_colour colour)
{
    size_t column = t->colours.len % t->n_columns;
    size_t start = t->cells.buffer.len;
    uint8_t byte = (uint8_t)colour;
    int width;

    if (!text || !*text)
        text = "-";
    sc_text_add(&t->cells, text, strlen(text), t->term->is_utf8);
    width = sc_text_width((const char *)t->cells.buffer.data + start, t->cells.buffer.len - start,
                          t->term->is_utf8);
    sc_out_add(&t->cells, "", 1);
    if (width > t->widths[column])
        t->widths[column] = width;
    if (sc_buffer_add(&t->colours, &byte, 1) && !t->cells.error)
        t->cells.error = SC_ENOMEM;
}

void
sc_table_number(sc_table *t, uint64_t number)
{
    char text[SC_FORMAT_BYTES];

    sc_table_text(t, sc_format_count(number, text), SC_COLOUR_NONE);
}

static int
compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* How long prefixes must be so that different ones of these texts stay different. */
static int
distinct_prefix(const char **texts, size_t n)
{
    int most = PREFIX_MIN;

    qsort(texts, n, sizeof(*texts), compare_texts);
    for (size_t i = 1; i < n; i++) {
        int same = 0;

        while (texts[i][same] && texts[i][same] == texts[i - 1][same])
            same++;
        if (texts[i][same] && same + 1 > most)
            most = same + 1;
    }
    return most;
}

/* Of the column of ids; without memory they are not cut. */
static int
prefix_width(const sc_table *t, size_t column)
{
    size_t n_rows = t->colours.len / t->n_columns, n = 0;
    const char *cell = (const char *)t->cells.buffer.data;
    const char **ids = calloc(n_rows + 1, sizeof(*ids));
    int width = t->widths[column];

    for (size_t i = 0; ids && n < n_rows; i++, cell += strlen(cell) + 1)
        if (i % t->n_columns == column)
            ids[n++] = cell;
    if (ids)
        width = distinct_prefix(ids, n);
    free(ids);
    return width;
}

/* What a column needs at least. */
static int
least_width(const sc_table *t, size_t column)
{
    unsigned fit = t->columns[column].fit;
    int width = t->widths[column];
    int least = fit & SC_TABLE_CUT ? CUT_MIN : fit & SC_TABLE_PREFIX ? t->prefix : width;

    return width < least ? width : least;
}

/* Width of the table, with every column as narrow as it may be or as wide as it is. */
static int
total_width(const sc_table *t, bool is_least)
{
    int total = -GAP;

    for (size_t i = 0; i < t->n_columns; i++)
        if (t->widths[i] > 0)
            total += (is_least ? least_width(t, i) : t->widths[i]) + GAP;
    return total;
}

/* Leaves columns out from the right until cutting is enough. @param is_any  not only those that are
 * made for it */
static void
leave_out(sc_table *t, bool is_any)
{
    for (size_t i = t->n_columns; --i > 0 && total_width(t, true) > t->term->table_columns;)
        if (is_any || t->columns[i].fit & SC_TABLE_DROP)
            t->widths[i] = 0;
}

static void
cut_widest(sc_table *t)
{
    size_t widest = t->n_columns;

    for (size_t i = 0; i < t->n_columns; i++)
        if (t->widths[i] > least_width(t, i) &&
            (widest == t->n_columns || t->widths[i] > t->widths[widest]))
            widest = i;
    if (widest < t->n_columns)
        t->widths[widest]--;
}

static void
fit(sc_table *t)
{
    int over = total_width(t, false) - t->term->table_columns;

    for (size_t i = 0; i < t->n_columns && over > 0; i++)
        if (t->columns[i].fit & SC_TABLE_PREFIX)
            t->prefix = prefix_width(t, i);
    leave_out(t, false);
    leave_out(t, true);
    for (over = total_width(t, false) - t->term->table_columns; over > 0; over--)
        cut_widest(t);
}

/* The last column that is shown has nothing behind it. */
static bool
is_last(const sc_table *t, size_t column)
{
    while (++column < t->n_columns)
        if (t->widths[column] > 0)
            return false;
    return true;
}

static void
write_cell(const sc_table *t, sc_out *o, size_t column, const char *text, sc_colour colour)
{
    int room = t->widths[column];
    int width = sc_text_width(text, strlen(text), t->term->is_utf8);
    int padding = width < room ? room - width : 0;

    if (room == 0)
        return;
    if (t->columns[column].is_right)
        sc_out_repeat(o, " ", padding);
    if (colour)
        sc_out_text(o, sc_term_colour(t->term, colour));
    if (t->columns[column].fit & SC_TABLE_PREFIX)
        sc_out_add(o, text, strnlen(text, (size_t)room)); // ids are ASCII
    else
        sc_text_cut(o, text, room, t->term->is_utf8);
    if (colour)
        sc_out_text(o, sc_term_colour(t->term, SC_COLOUR_NONE));
    if (is_last(t, column))
        return;
    if (!t->columns[column].is_right)
        sc_out_repeat(o, " ", padding);
    sc_out_repeat(o, " ", GAP);
}

void
sc_table_write(sc_table *t, sc_out *o)
{
    const char *cell = (const char *)t->cells.buffer.data;

    if (t->cells.error && !o->error)
        o->error = t->cells.error;
    if (o->error || t->colours.len == 0)
        return;
    fit(t);
    for (size_t i = 0; i < t->n_columns; i++)
        write_cell(t, o, i, t->columns[i].title, SC_COLOUR_DIM);
    sc_out_text(o, "\n");
    for (size_t i = 0; i < t->colours.len; i++) {
        write_cell(t, o, i % t->n_columns, cell, (sc_colour)t->colours.data[i]);
        cell += strlen(cell) + 1;
        if ((i + 1) % t->n_columns == 0)
            sc_out_text(o, "\n");
    }
}
