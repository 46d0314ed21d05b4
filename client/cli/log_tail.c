/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a log, see log_tail.h. Called by `up` when a child did not come up. */
#include "client/cli/log_tail.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LOOK_BYTES = 8192 };

/* What a line says: behind "2026-11-23T08:11:02.123Z warn seedcore-worker[7] " (base/log.c), if it
 * begins so. */
static const char *
text_of(const char *line, bool *is_bad)
{
    char time[32] = "", level[8] = "";
    int n = 0;

    *is_bad = false;
    if (sscanf(line, "%31[0-9TZ:.-] %7[a-z] %*[^ ] %n", time, level, &n) != 2 || n == 0)
        return line;
    *is_bad = strcmp(level, "error") == 0 || strcmp(level, "warn") == 0;
    return line + n;
}

char *
sc_log_tail(int fd, off_t from, char *out, size_t size)
{
    char text[LOOK_BYTES + 1];
    off_t end = lseek(fd, 0, SEEK_END);
    off_t start = end - from > LOOK_BYTES ? end - LOOK_BYTES : from;
    ssize_t n = pread(fd, text, LOOK_BYTES, start);
    bool has_bad = false;
    char *rest, *line;

    *out = '\0';
    text[n > 0 ? n : 0] = '\0';
    line = strtok_r(text, "\n", &rest);
    if (line && start > from) // its beginning is missing
        line = strtok_r(NULL, "\n", &rest);
    for (; line; line = strtok_r(NULL, "\n", &rest)) {
        bool is_bad;
        const char *said = text_of(line, &is_bad);

        if (is_bad || !has_bad)
            snprintf(out, size, "%s", said);
        has_bad = has_bad || is_bad;
    }
    return out;
}
