/* SPDX-License-Identifier: Apache-2.0 */
/* The digest of what a job consists of: two jobs under one key are the same where theirs are equal.
 * BLAKE2b of 16 bytes (RFC 7693, by libsodium) over the OPEN without what names the job (request,
 * job, name), then over each payload with its length. The same on every machine; fields that OPEN
 * gains change it only where they are used. */
#ifndef SC_DIGEST_H
#define SC_DIGEST_H

#include <stddef.h>

#include "base/error.h"
#include "base/uuid.h"
#include "proto/message.h"

typedef struct sc_digest sc_digest;

/** @param open  an OPEN as it is about to be said @return 0 or SC_ENOMEM */
SC_MUST_USE int sc_digest_new(const sc_message *open, sc_digest **out);
/** The next payload: a task, or a piece of an array's arguments. */
void sc_digest_add(sc_digest *d, const void *data, size_t len);
/** The digest. Sets *d NULL. */
sc_uuid sc_digest_end(sc_digest **d);
/** Without one; NULL is accepted. */
void sc_digest_drop(sc_digest **d);

#endif
