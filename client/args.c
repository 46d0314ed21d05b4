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

static bool
is_key(const char *behind, const char *end)
{
    while (behind < end && strchr(" \t\r\n", *behind) && *behind)
        behind++;
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
