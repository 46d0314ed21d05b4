/* SPDX-License-Identifier: Apache-2.0 */
/* The progress bar, see progress.h. Called by the verbs that wait or upload; owns no terminal and
 * no clock. */
#include "client/cli/progress.h"

#include <stdio.h>
#include <string.h>

#include "client/cli/text.h"

enum {
    BAR_MAX = 30,
    BAR_MIN = 5,
    TAIL_BYTES = 200,
    UNIT_BYTES = 32,
};

/* Sample number i (from 0, ever). */
#define SAMPLE(p, i) ((p)->samples[(i) % SC_PROGRESS_SAMPLES])

void
sc_progress_add(sc_progress *p, uint64_t done, int64_t now_ms)
{
    SAMPLE(p, p->n_samples).ms = now_ms;
    SAMPLE(p, p->n_samples).done = done;
    p->n_samples++;
}

double
sc_progress_rate(const sc_progress *p)
{
    unsigned last = p->n_samples - 1;
    unsigned first = p->n_samples > SC_PROGRESS_SAMPLES ? p->n_samples - SC_PROGRESS_SAMPLES : 0;
    int64_t ms;

    if (p->n_samples < 2)
        return 0;
    ms = SAMPLE(p, last).ms - SAMPLE(p, first).ms;
    if (ms <= 0 || SAMPLE(p, last).done < SAMPLE(p, first).done)
        return 0;
    return (double)(SAMPLE(p, last).done - SAMPLE(p, first).done) * 1000 / (double)ms;
}

/* In UTF-8 the last cell of the bar is cut to eighths. */
static void
draw_bar(sc_out *o, double share, int width, const sc_term *term)
{
    static const char *const eighths[] = {"",
                                          "\xe2\x96\x8f",
                                          "\xe2\x96\x8e",
                                          "\xe2\x96\x8d",
                                          "\xe2\x96\x8c",
                                          "\xe2\x96\x8b",
                                          "\xe2\x96\x8a",
                                          "\xe2\x96\x89"};
    int filled = (int)(share * width * 8);
    int part = term->is_utf8 ? filled % 8 : 0;

    sc_out_text(o, sc_term_colour(term, SC_COLOUR_GREEN));
    sc_out_repeat(o, term->is_utf8 ? "\xe2\x96\x88" : "#", filled / 8);
    sc_out_text(o, eighths[part]);
    sc_out_text(o, sc_term_colour(term, SC_COLOUR_NONE));
    sc_out_text(o, sc_term_colour(term, SC_COLOUR_DIM));
    sc_out_repeat(o, term->is_utf8 ? "\xc2\xb7" : ".", width - filled / 8 - (part > 0));
    sc_out_text(o, sc_term_colour(term, SC_COLOUR_NONE));
}

/* What stands behind the bar; the parts that come later are the first to go. */
static void
draw_tail(char tail[TAIL_BYTES], const char *unit, uint64_t done, uint64_t total, double rate,
          int columns)
{
    char count[SC_FORMAT_BYTES], all[SC_FORMAT_BYTES], speed[SC_FORMAT_BYTES],
        left[SC_FORMAT_BYTES], units[UNIT_BYTES] = "";
    int len = 0, n;

    sc_format_count(done, count);
    if (unit)
        snprintf(units, sizeof units, " %s%s", unit, (total ? total : done) == 1 ? "" : "s");
    if (total > 0)
        len = snprintf(tail, TAIL_BYTES, " %3d %%", (int)(100.0 * (double)done / (double)total));
    else
        len = snprintf(tail, TAIL_BYTES, "%s%s", count, units);
    n = total ? snprintf(tail + len, (size_t)(TAIL_BYTES - len), "  %s/%s%s", count,
                         sc_format_count(total, all), units)
              : 0;
    if (len + n > columns)
        n = 0;
    len += n;
    if (rate > 0 && len + 12 <= columns)
        len +=
            snprintf(tail + len, (size_t)(TAIL_BYTES - len), "  %s", sc_format_rate(rate, speed));
    sc_format_duration(
        rate > 0 && total > done ? (int64_t)((double)(total - done) / rate * 1000) : 0, left);
    if (rate > 0 && total > done && len + 20 <= columns)
        len += snprintf(tail + len, (size_t)(TAIL_BYTES - len), "  %s left", left);
    tail[len] = '\0';
}

void
sc_progress_draw(const sc_progress *p, const char *unit, uint64_t total, const sc_term *term,
                 sc_out *o)
{
    uint64_t done = p->n_samples ? SAMPLE(p, p->n_samples - 1).done : 0;
    int columns = term->columns - 1; // the last one stays free: some terminals break the line there
    int bar = 0;
    char tail[TAIL_BYTES];

    if (total > 0 && done > total)
        done = total;
    if (*p->label)
        columns -= (int)strlen(p->label) + 1;
    if (total > 0)
        bar = columns - 60 > BAR_MAX ? BAR_MAX : columns - 60 < BAR_MIN ? BAR_MIN : columns - 60;
    draw_tail(tail, unit, done, total, sc_progress_rate(p), columns - bar);
    if (*p->label)
        sc_out_printf(o, "%s ", p->label);
    if (bar > 0)
        draw_bar(o, (double)done / (double)total, bar, term);
    sc_out_text(o, tail);
}
