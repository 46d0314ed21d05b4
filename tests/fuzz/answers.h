/* SPDX-License-Identifier: Apache-2.0 */
/* A coordinator for a client under test: it keeps what was said to it last and says what would be
 * right, or a refusal; speech.h bends that. */
#ifndef SC_ANSWERS_H
#define SC_ANSWERS_H

#include "tests/fuzz/speech.h"

enum { SC_ANSWERS_KEPT = 16, SC_N_ANSWERS = 8 };

/* What a client has said and may be answered. */
typedef struct sc_word {
    sc_message_type type;
    uint64_t request;
    sc_uuid job;
    uint32_t number; /* of a chunk, or of a kind of question */
} sc_word;

typedef struct sc_answers {
    sc_speech *speech;
    uint64_t epoch;
    sc_word words[SC_ANSWERS_KEPT];
    uint32_t n_words;
    uint32_t next_chunk; /* after the last that was acknowledged */
} sc_answers;

/** A client says this. */
void sc_answers_hear(sc_answers *a, const sc_message *m);
/** Says something of kind 0..SC_N_ANSWERS-1, as sc_speech_say. */
bool sc_answers_say(sc_answers *a, uint8_t kind, sc_message *out);

#endif
