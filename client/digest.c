/* SPDX-License-Identifier: Apache-2.0 */
/* See digest.h. Called when a job with a key is made. */
#include "client/digest.h"

#include <stdlib.h>

#include <sodium/crypto_generichash_blake2b.h>

#include "base/buffer.h"
#include "base/limits.h"

struct sc_digest {
    crypto_generichash_blake2b_state state;
};

int
sc_digest_new(const sc_message *open, sc_digest **out)
{
    sc_message policy = *open;
    sc_digest *d = aligned_alloc(_Alignof(sc_digest), sizeof *d);
    sc_buffer header;
    int rc;

    policy.open.request = 0;
    policy.open.job = policy.open.digest = (sc_uuid){0};
    policy.open.name = (sc_text){0};
    sc_buffer_init(&header, SC_HEADER_MAX_BYTES);
    rc = d ? sc_message_encode(&policy, &header) : SC_ENOMEM;
    if (rc == 0) {
        crypto_generichash_blake2b_init(&d->state, NULL, 0, sizeof(sc_uuid));
        sc_digest_add(d, header.data, header.len);
        *out = d;
    } else {
        free(d);
    }
    sc_buffer_fini(&header);
    return rc;
}

void
sc_digest_add(sc_digest *d, const void *data, size_t len)
{
    uint8_t bytes[8];

    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)len >> (8 * i));
    crypto_generichash_blake2b_update(&d->state, bytes, sizeof bytes);
    crypto_generichash_blake2b_update(&d->state, data, len);
}

sc_uuid
sc_digest_end(sc_digest **d)
{
    sc_uuid digest;

    crypto_generichash_blake2b_final(&(*d)->state, (uint8_t *)&digest, sizeof digest);
    sc_digest_drop(d);
    return digest;
}

void
sc_digest_drop(sc_digest **d)
{
    free(*d);
    *d = NULL;
}
