/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments as payload. Called by the public interface when a job or a call is made. It reads JSON
 * only as far as needed to tell a string value from a key and from text inside another string. */
#include "client/args.h"

#include <string.h>

#include "base/limits.h"

static const char marker[] = "\"$index\"";
enum { MARKER_LEN = sizeof marker - 1 };

// Where the string that opens at `at` ends: behind its closing quote, or `end`.
static const char *
skip_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\' && at + 1 < end)
            at++;
    return at < end ? at + 1 : end;
}

static const char *
skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n'))
        at++;
    return at;
}

static bool
is_key(const char *behind, const char *end)
{
    behind = skip_space(behind, end);
    return behind < end && *behind == ':';
}

// The next marker from `at` on, or `end`.
static const char *
find_marker(const char *at, const char *end)
{
    while (at < end && (at = memchr(at, '"', (size_t)(end - at)))) {
        const char *behind = skip_string(at, end);

        if (behind - at == MARKER_LEN && memcmp(at, marker, MARKER_LEN) == 0 &&
            !is_key(behind, end))
            return at;
        at = behind;
    }
    return end;
}

// The object that opens at `from`, whose first key is the string at..behind.
static bool
is_results(const char *from, const char *at, const char *behind, const char *end, const char *text,
           sc_args_results *out)
{
    static const char key[] = "\"$results\"";
    const char *value, *close;

    if ((size_t)(behind - at) != sizeof key - 1 || memcmp(at, key, sizeof key - 1) != 0 ||
        !is_key(behind, end))
        return false;
    value = skip_space(skip_space(behind, end) + 1, end);
    if (value == end || *value != '"')
        return false;
    behind = skip_string(value, end);
    close = skip_space(behind, end);
    if (close == end || *close != '}' || memchr(value, '\\', (size_t)(behind - value)))
        return false;
    *out = (sc_args_results){(size_t)(from - text),
                             (size_t)(close + 1 - text),
                             {value + 1, (uint32_t)(behind - value - 2)}};
    return true;
}

bool
sc_args_next_results(const char *text, size_t len, size_t offset, sc_args_results *out)
{
    const char *end = text + len, *at = text + offset, *before = NULL; // the last {

    while (at < end) {
        const char *behind = at + 1;

        if (*at == '"') {
            behind = skip_string(at, end);
            if (before && is_results(before, at, behind, end, text, out))
                return true;
        }
        if (*at == '{')
            before = at;
        else if (skip_space(at, end) == at)
            before = NULL;
        at = behind;
    }
    return false;
}

// Table and bytes in one blob, `table_bytes` for the lengths in front of the text.
static int
new_payload(size_t table_bytes, size_t len, sc_message *out)
{
    sc_blob *blob;

    if (len > SC_TASK_MAX_BYTES)
        return -EMSGSIZE;
    blob = sc_blob_new(table_bytes + len);
    if (!blob)
        return -ENOMEM;
    out->table = sc_slice_part(sc_slice_of(blob), 0, 0);
    out->bytes = sc_slice_part(sc_slice_of(blob), table_bytes, 0);
    return 0;
}

static void
add_piece(sc_message *out, const char *text, size_t len)
{
    uint32_t piece = (uint32_t)len;

    // The blob is ours alone so far: it may be written.
    memcpy((uint8_t *)out->table.data + out->table.len, &piece, sizeof piece);
    out->table.len += sizeof piece;
    memcpy((uint8_t *)out->bytes.data + out->bytes.len, text, len);
    out->bytes.len += len;
}

int
sc_args_cut(const char *text, size_t len, sc_message *out)
{
    const char *end = text + len;
    uint32_t n_pieces = 1;
    int rc = new_payload(SC_MAX_ARRAY_PIECES * sizeof(uint32_t), len, out);

    if (rc)
        return rc;
    for (;;) {
        const char *at = find_marker(text, end);

        add_piece(out, text, (size_t)(at - text));
        if (at == end)
            return 0;
        if (n_pieces++ == SC_MAX_ARRAY_PIECES)
            break;
        text = at + MARKER_LEN;
    }
    sc_args_drop(out);
    return -EINVAL;
}

int
sc_args_whole(const char *text, size_t len, sc_message *out)
{
    int rc = new_payload(sizeof(uint32_t), len, out);

    if (rc)
        return rc;
    add_piece(out, text, len);
    return 0;
}

void
sc_args_drop(sc_message *message)
{
    sc_blob_unref(message->bytes.owner);
    message->table = message->bytes = (sc_slice){0};
}
