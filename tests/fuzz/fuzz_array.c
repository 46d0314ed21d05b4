/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the arguments of an array: cutting and joining them is the same as replacing each
 * string "$index" that is no key; JSON stays JSON. The first byte says the index. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "client/args.h"
#include "proto/run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
add(sc_buffer *out, const void *data, size_t len)
{
    SC_ASSERT(sc_buffer_add(out, data, len) == 0);
}

// The length of the string that opens here, quotes included; as much as there is where it stays
// open.
static size_t
string_len(const char *text, size_t len)
{
    size_t i = 1;
    while (i < len && text[i] != '"')
        i += text[i] == '\\' && i + 1 < len ? 2 : 1;
    return i < len ? i + 1 : len;
}

static bool
is_key(const char *text, size_t len, size_t at)
{
    while (at < len && memchr(" \t\r\n", text[at], 4))
        at++;
    return at < len && text[at] == ':';
}

// @return how many were replaced
static uint32_t
replace(const char *text, size_t len, uint64_t index, sc_buffer *out)
{
    static const char marker[] = "\"$index\"";
    uint32_t n = 0;
    for (size_t i = 0; i < len;) {
        size_t part = text[i] == '"' ? string_len(text + i, len - i) : 1;
        if (part == sizeof marker - 1 && memcmp(text + i, marker, part) == 0 &&
            !is_key(text, len, i + part)) {
            SC_ASSERT(sc_buffer_printf(out, "%" PRIu64, index) == 0);
            n++;
        } else {
            add(out, text + i, part);
        }
        i += part;
    }
    return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *text = (const char *)data + 1;
    uint64_t index = data[0] == 0xff ? UINT64_MAX : (uint64_t)1 << (data[0] & 63);
    sc_buffer want, got;
    sc_message message = {0};
    sc_buffer_init(&want, 0);
    sc_buffer_init(&got, 0);
    uint32_t n = replace(text, --size, index, &want);
    int rc = sc_args_cut(text, size, &message);
    SC_ASSERT(rc == (n < SC_MAX_ARRAY_PIECES ? 0 : -EINVAL));
    if (rc == 0) {
        SC_ASSERT(sc_tasks_check(message.table, message.bytes, n + 1, SC_TASK_MAX_BYTES) == 0);
        SC_ASSERT(sc_array_join(message.table, message.bytes, index, &got) == 0);
        SC_ASSERT(got.len == want.len && (!got.len || !memcmp(got.data, want.data, got.len)));
        if (sc_json_check(text, size, NULL) == 0)
            SC_ASSERT(sc_json_check((const char *)got.data, got.len, NULL) == 0);
    }
    sc_args_drop(&message);
    sc_buffer_fini(&want);
    sc_buffer_fini(&got);
    return 0;
}
