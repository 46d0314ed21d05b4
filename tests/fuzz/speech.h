/* SPDX-License-Identifier: Apache-2.0 */
/* Messages from bytes, for the targets that talk to a state machine: a target says what would be
 * right to say, and the bytes bend it: other values in some fields, another payload. Every message
 * takes the way over the wire, so that nothing reaches a state machine that could not. */
#ifndef SC_SPEECH_H
#define SC_SPEECH_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/message.h"
#include "proto/run.h"

enum { SC_SPEECH_KNOWN = 8, SC_SPEECH_JOBS = 4, SC_SPEECH_ITEM_BYTES = 16384 };

typedef struct sc_speech {
    const uint8_t *at, *end; /* of the input */
    /* What bent fields are likely to name: the last that were told. */
    uint64_t numbers[SC_SPEECH_KNOWN];
    sc_token tokens[SC_SPEECH_KNOWN];
    uint32_t n_numbers, n_tokens; /* told so far */
    /* of the present message */
    _Alignas(16) uint8_t items[SC_SPEECH_ITEM_BYTES];
    size_t n_item_bytes;
    sc_blob *table, *bytes;
    sc_buffer header;
    sc_decoder *decoder;
    uint64_t hash; /* of all messages that were checked */
} sc_speech;

void sc_speech_init(sc_speech *s, const uint8_t *data, size_t size);
void sc_speech_fini(sc_speech *s);

/** The next byte of the input; 0 behind its end. */
uint8_t sc_speech_byte(sc_speech *s);
bool sc_speech_is_over(const sc_speech *s);
/** From now on bent fields may have this value, or one close by. */
void sc_speech_tell(sc_speech *s, uint64_t number);
void sc_speech_tell_token(sc_speech *s, sc_token token);
/** Id number `n` of SC_SPEECH_JOBS, the first of which is nil. */
sc_uuid sc_speech_job(uint32_t n);

/** Payload of `count` tasks (or pieces) of `len` bytes. */
void sc_speech_tasks(sc_speech *s, sc_message *m, uint32_t count, uint32_t len);
/** Payload of `count` ended tasks from offset `first` on, with values of `len` digits. */
void sc_speech_records(sc_speech *s, sc_message *m, uint32_t first, uint32_t count, sc_record like);

/** Bends a message as the next bytes say and sends it over the wire. What `out` points to lives
 * until the next message. @return false where it is none that can be encoded */
bool sc_speech_say(sc_speech *s, const sc_message *m, sc_message *out);
/** The next bytes as they are, as a header. @return false where they are none */
bool sc_speech_raw(sc_speech *s, sc_message *out);

/** What a state machine says: can be encoded, decoded, and has the payload of its type. */
void sc_speech_check(sc_speech *s, const sc_message *m);

#endif
