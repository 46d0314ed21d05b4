/* SPDX-License-Identifier: Apache-2.0 */
/* The payloads that a client makes in one piece: the arguments of an array, cut where the index
 * goes, and those of a call. */
#ifndef SC_ARGS_H
#define SC_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "proto/message.h"

/** Cut JSON text at each string value that is exactly "$index" (quotes included; a key of that name
 * stays, and so does a spelling with escapes). The text is not checked otherwise.
 *  @return 0 and the payload in out->table and out->bytes, which share one reference: give it back
 * with sc_args_drop(); -EMSGSIZE (over SC_TASK_MAX_BYTES), -EINVAL (over SC_MAX_ARRAY_PIECES),
 * -ENOMEM */
SC_MUST_USE int sc_args_cut(const char *text, size_t len, sc_message *out);
/* An object {"$results": "JOB"} in JSON text: offsets of all of it, and the text of JOB. */
typedef struct sc_args_results {
    size_t from, to;
    sc_text job;
} sc_args_results;
/** The next one at or after offset `at` (spaces as you like; no other member, no escapes). A text
 * that is no JSON may have any. @return false: none */
bool sc_args_next_results(const char *text, size_t len, size_t at, sc_args_results *out);
/** The same payload with one piece: the whole text. @return 0, -EMSGSIZE, -ENOMEM */
SC_MUST_USE int sc_args_whole(const char *text, size_t len, sc_message *out);
/** Gives the payload back, if there is one. */
void sc_args_drop(sc_message *message);

#endif
