/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as JSON lines, in pieces of a size that the first byte chooses: what comes is what
 * cutting the whole text at its line breaks gives. */
#include <string.h>

#include "base/json.h"
#include "client/cli/lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The text that was not yet cut. */
typedef struct rest {
    const char *at, *end;
    uint64_t line;
} rest;

static bool
is_blank(const char *line, size_t len)
{
    size_t i = 0;
    while (i < len && memchr(" \t\r", line[i], 3))
        i++;
    return i == len;
}

// The next line that is not blank.
static bool
cut(rest *r, const char **line, size_t *len)
{
    while (r->at < r->end) {
        const char *end = memchr(r->at, '\n', (size_t)(r->end - r->at));
        *line = r->at;
        *len = (size_t)((end ? end : r->end) - r->at);
        r->at += *len + (end != NULL);
        r->line++;
        if (is_blank(*line, *len))
            continue;
        *len -= (*line)[*len - 1] == '\r';
        return true;
    }
    return false;
}

// Every line that the reader has at present.
static void
drain(sc_lines *lines, rest *r)
{
    const char *got, *want;
    size_t got_len, want_len;
    int rc;
    while ((rc = sc_lines_next(lines, &got, &got_len, NULL)) != 0) {
        SC_ASSERT(cut(r, &want, &want_len));
        SC_ASSERT(lines->line == r->line);
        int wanted = sc_json_check(want, want_len, NULL);
        SC_ASSERT(rc == (wanted ? wanted : 1));
        SC_ASSERT(rc != 1 || (got_len == want_len && memcmp(got, want, got_len) == 0));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *text = (const char *)data + 1, *line;
    size_t left = size - 1, step = data[0] + 1u, len;
    rest r = {text, text + left, 0};
    sc_lines lines;
    sc_lines_init(&lines);
    do {
        char *room;
        size_t n;
        SC_ASSERT(sc_lines_room(&lines, &room, &n) == 0);
        n = n < step ? n : step;
        n = n < left ? n : left;
        if (n > 0)
            memcpy(room, text, n);
        sc_lines_added(&lines, n);
        text += n;
        left -= n;
        drain(&lines, &r);
    } while (!lines.is_ended);
    SC_ASSERT(!cut(&r, &line, &len));
    sc_lines_fini(&lines);
    return 0;
}
