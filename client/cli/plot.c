/* SPDX-License-Identifier: Apache-2.0 */
/* The line plot, see plot.h. Called by `energy batch`. Values are joined by straight lines on a
 * grid of dots; the y axis is labelled at round numbers. */
#include "client/cli/plot.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/text.h"

enum {
    LABEL_BYTES = 24,
    AREA_MAX = 120, // columns; a wider line is harder to read, not easier
    LABEL_GAP = 3,  // columns between two labels of the x axis
};

/* The area while it is drawn. */
struct grid {
    int columns, rows;  // of characters
    int dots_x, dots_y; // a character: 2 by 4 in UTF-8, 1 by 1 in ASCII
    bool *dots;         // [y * columns * dots_x + x], y from the top
    double low, high;   // values at the bottom and top dot
    double step;        // between two labels
};

/* 1, 2 or 5 times a power of ten: the least that cuts `span` into at most n pieces. */
static double
round_step(double span, int n)
{
    double power = pow(10, floor(log10(span / n)));
    double mantissa = span / n / power;

    return power * (mantissa <= 1 ? 1 : mantissa <= 2 ? 2 : mantissa <= 5 ? 5 : 10);
}

/* Range of the finite values. @return false where there is none */
static bool
find_range(const sc_plot *plot, struct grid *g)
{
    double low = INFINITY, high = -INFINITY;

    for (size_t i = 0; i < plot->n_values; i++) {
        if (!isfinite(plot->values[i]))
            continue;
        low = fmin(low, plot->values[i]);
        high = fmax(high, plot->values[i]);
    }
    if (low > high)
        return false;
    if (high - low < fabs(high) * 1e-9 || high == low) {
        low -= fabs(low) > 0 ? fabs(low) / 2 : 1;
        high += fabs(high) > 0 ? fabs(high) / 2 : 1;
    }
    g->step = round_step(high - low, plot->rows / 3 > 2 ? plot->rows / 3 : 2);
    g->low = low;
    g->high = high;
    return true;
}

static int
dot_y(const struct grid *g, double value)
{
    int last = g->rows * g->dots_y - 1;

    return last - (int)lround((value - g->low) / (g->high - g->low) * last);
}

static void
set_dot(struct grid *g, int x, int y)
{
    g->dots[(size_t)y * (size_t)(g->columns * g->dots_x) + (size_t)x] = true;
}

/* A straight line between two dots; vertical pieces are closed. */
static void
draw_line(struct grid *g, int x0, int y0, int x1, int y1)
{
    int steps = abs(x1 - x0) > abs(y1 - y0) ? abs(x1 - x0) : abs(y1 - y0);

    for (int i = 0; i <= steps; i++) {
        double share = steps ? (double)i / steps : 0;

        set_dot(g, x0 + (int)lround(share * (x1 - x0)), y0 + (int)lround(share * (y1 - y0)));
    }
}

/* Place of value i on the x axis, in dots. */
static int
dot_x(const struct grid *g, const sc_plot *plot, size_t i)
{
    int last = g->columns * g->dots_x - 1;

    return plot->n_values > 1 ? (int)lround((double)i * last / (double)(plot->n_values - 1)) : 0;
}

static void
draw(struct grid *g, const sc_plot *plot)
{
    bool has_last = false;
    int last_x = 0, last_y = 0;

    for (size_t i = 0; i < plot->n_values; i++) {
        if (!isfinite(plot->values[i])) {
            has_last = false; // a gap
            continue;
        }
        int x = dot_x(g, plot, i), y = dot_y(g, plot->values[i]);

        draw_line(g, has_last ? last_x : x, has_last ? last_y : y, x, y);
        has_last = true;
        last_x = x;
        last_y = y;
    }
}

/* One character of the area. Braille: U+2800 and a bit a dot (Unicode, section 21.1). */
static void
write_character(const struct grid *g, int column, int row, sc_out *o)
{
    static const int bits[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    int line = g->columns * g->dots_x;
    int pattern = 0;
    char braille[3];

    for (int y = 0; y < g->dots_y; y++)
        for (int x = 0; x < g->dots_x; x++)
            if (g->dots[(row * g->dots_y + y) * line + column * g->dots_x + x])
                pattern |= bits[y][x];
    if (g->dots_x == 1 || pattern == 0) {
        sc_out_text(o, pattern ? "*" : " ");
        return;
    }
    braille[0] = (char)0xe2;
    braille[1] = (char)(0xa0 | pattern >> 6);
    braille[2] = (char)(0x80 | (pattern & 0x3f));
    sc_out_add(o, braille, sizeof(braille));
}

/* The label of a row, "" for most. */
static void
row_label(const struct grid *g, int row, char out[LABEL_BYTES])
{
    int decimals = g->step < 1 ? (int)ceil(-log10(g->step) - 1e-9) : 0;

    out[0] = '\0';
    for (double i = ceil(g->low / g->step); i * g->step <= g->high; i++) {
        double value = i * g->step;

        if (dot_y(g, value) / g->dots_y == row)
            snprintf(out, LABEL_BYTES, "%.*f", decimals, fabs(value) < g->step / 1e6 ? 0 : value);
    }
}

static int
label_width(const struct grid *g)
{
    char label[LABEL_BYTES];
    int width = 0;

    for (int row = 0; row < g->rows; row++) {
        row_label(g, row, label);
        width = (int)strlen(label) > width ? (int)strlen(label) : width;
    }
    return width;
}

static void
write_rows(const struct grid *g, int margin, const sc_term *term, sc_out *o)
{
    char label[LABEL_BYTES];

    for (int row = 0; row < g->rows; row++) {
        int last = g->columns;

        row_label(g, row, label);
        sc_out_text(o, sc_term_colour(term, SC_COLOUR_DIM));
        sc_out_printf(o, "%*s ", margin, label);
        if (term->is_utf8)
            sc_out_text(o, *label ? "\xe2\x94\xa4" : "\xe2\x94\x82");
        else
            sc_out_text(o, *label ? "+" : "|");
        sc_out_text(o, sc_term_colour(term, SC_COLOUR_NONE));
        sc_out_text(o, sc_term_colour(term, SC_COLOUR_BLUE));
        for (int column = 0; column < last; column++)
            write_character(g, column, row, o);
        sc_out_text(o, sc_term_colour(term, SC_COLOUR_NONE));
        sc_out_text(o, "\n");
    }
}

/* The line of the x axis, and labels below it as long as there is room for them. */
static void
write_x_axis(const struct grid *g, const sc_plot *plot, int margin, const sc_term *term, sc_out *o)
{
    int width = (int)strlen(plot->labels[0]);
    int n = (g->columns + LABEL_GAP) / (width + LABEL_GAP);
    int at = 0;

    n = n > (int)plot->n_values ? (int)plot->n_values : n > 7 ? 7 : n < 1 ? 1 : n;
    sc_out_text(o, sc_term_colour(term, SC_COLOUR_DIM));
    sc_out_repeat(o, " ", margin + 1);
    sc_out_text(o, term->is_utf8 ? "\xe2\x94\x94" : "+");
    sc_out_repeat(o, term->is_utf8 ? "\xe2\x94\x80" : "-", g->columns);
    sc_out_text(o, "\n");
    sc_out_repeat(o, " ", margin + 2);
    for (int k = 0; k < n; k++) {
        size_t i = n > 1 ? (size_t)k * (plot->n_values - 1) / (size_t)(n - 1) : 0;
        int place = dot_x(g, plot, i) / g->dots_x - (k == 0       ? 0
                                                     : k == n - 1 ? width - 1
                                                                  : width / 2);

        if (place < at)
            continue;
        sc_out_repeat(o, " ", place - at);
        sc_out_text(o, plot->labels[i]);
        at = place + (int)strlen(plot->labels[i]);
    }
    sc_out_text(o, sc_term_colour(term, SC_COLOUR_NONE));
    sc_out_text(o, "\n");
}

void
sc_plot_write(const sc_plot *plot, const sc_term *term, sc_out *o)
{
    struct grid g = {.rows = plot->rows, .dots_x = 1, .dots_y = 1};
    int margin;

    if (!find_range(plot, &g))
        return;
    if (term->is_utf8) {
        g.dots_x = 2;
        g.dots_y = 4;
    }
    margin = label_width(&g);
    g.columns = term->columns - margin - 2 > AREA_MAX ? AREA_MAX : term->columns - margin - 2;
    if (g.columns < 1)
        return;
    g.dots = calloc((size_t)g.columns * g.dots_x * g.rows * g.dots_y, sizeof(*g.dots));
    if (!g.dots) {
        o->error = o->error ? o->error : SC_ENOMEM;
        return;
    }
    draw(&g, plot);
    sc_out_text(o, sc_term_colour(term, SC_COLOUR_BOLD));
    sc_out_text(o, plot->title);
    sc_out_text(o, sc_term_colour(term, SC_COLOUR_NONE));
    sc_out_text(o, "\n");
    write_rows(&g, margin, term, o);
    write_x_axis(&g, plot, margin, term, o);
    free(g.dots);
}
