/* SPDX-License-Identifier: Apache-2.0 */
/* What a descriptor can show, from the environment, the locale and the terminal itself. Called once
 * per stream by the command line; never writes. */
#include "client/cli/term.h"

#include <langinfo.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/settings.h"

enum {
    ROWS_DEFAULT = 24,
    COLUMNS_DEFAULT = 80,
    COLUMNS_MIN = 20,
    TABLE_MIN = 40,
    COLUMNS_MAX = 1000
};

static int
clamp_columns(int64_t columns)
{
    if (columns < COLUMNS_MIN)
        return COLUMNS_MIN;
    return columns > COLUMNS_MAX ? COLUMNS_MAX : (int)columns;
}

/* 0 where nobody knows. */
static int
known_columns(int fd)
{
    const char *text = getenv("COLUMNS");
    struct winsize window;
    int64_t columns;

    if (text && sc_parse_int(text, &columns) == 0 && columns > 0)
        return clamp_columns(columns);
    if (ioctl(fd, TIOCGWINSZ, &window) == 0 && window.ws_col > 0)
        return clamp_columns(window.ws_col);
    return 0;
}

static int
rows_of(int fd)
{
    struct winsize window;

    return ioctl(fd, TIOCGWINSZ, &window) == 0 && window.ws_row > 0 ? window.ws_row : ROWS_DEFAULT;
}

void
sc_term_init(sc_term *term, int fd)
{
    const char *type = getenv("TERM");
    const char *no_colour = getenv("NO_COLOR");
    int columns = known_columns(fd);

    term->is_terminal = isatty(fd) && type && strcmp(type, "dumb") != 0;
    term->has_colour = term->is_terminal && !(no_colour && *no_colour);
    term->is_utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    term->columns = columns ? columns : COLUMNS_DEFAULT;
    term->table_columns = columns || isatty(fd) ? term->columns : INT_MAX;
    if (term->table_columns < TABLE_MIN)
        term->table_columns = TABLE_MIN;
    term->rows = rows_of(fd);
}

const char *
sc_term_colour(const sc_term *term, sc_colour colour)
{
    static const char *const sequences[] = {
        [SC_COLOUR_NONE] = "\033[0m",   [SC_COLOUR_BOLD] = "\033[1m",
        [SC_COLOUR_DIM] = "\033[2m",    [SC_COLOUR_RED] = "\033[31m",
        [SC_COLOUR_GREEN] = "\033[32m", [SC_COLOUR_YELLOW] = "\033[33m",
        [SC_COLOUR_BLUE] = "\033[34m",
    };

    return term->has_colour ? sequences[colour] : "";
}
