/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a header: what decodes must encode, and that must decode to the same message. */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "proto/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
encode(const sc_message *message, sc_buffer *out)
{
    sc_buffer_init(out, SC_HEADER_MAX_BYTES);
    SC_ASSERT(sc_message_encode(message, out) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sc_decoder *decoder;
    sc_message message;
    sc_buffer first, second;
    if (sc_decoder_new(&decoder) < 0)
        return 0;
    if (sc_message_decode(decoder, data, size, &message, NULL) == 0) {
        encode(&message, &first);
        SC_ASSERT(first.len <= size);
        SC_ASSERT(sc_message_decode(decoder, first.data, first.len, &message, NULL) == 0);
        encode(&message, &second);
        SC_ASSERT(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
        sc_buffer_fini(&first);
        sc_buffer_fini(&second);
    }
    sc_decoder_free(&decoder);
    return 0;
}
