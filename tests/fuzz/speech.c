/* SPDX-License-Identifier: Apache-2.0 */
/* See speech.h. Fields are found by the tables of the wire, so a new field or message is bent as
 * soon as it exists. */
#include "tests/fuzz/speech.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "proto/schema.h"

enum { MAX_TASKS = 64, MAX_BENT = 3, MAX_ITEMS = 15 };

void
sc_speech_init(sc_speech *s, const uint8_t *data, size_t size)
{
    *s = (sc_speech){.at = data, .end = data + size};
    sc_buffer_init(&s->header, SC_HEADER_MAX_BYTES);
    SC_ASSERT(sc_decoder_new(&s->decoder) == 0);
}

static void
forget(sc_speech *s)
{
    sc_blob_unref(s->table);
    sc_blob_unref(s->bytes);
    s->table = s->bytes = NULL;
    s->n_item_bytes = 0;
}

void
sc_speech_fini(sc_speech *s)
{
    forget(s);
    sc_buffer_fini(&s->header);
    sc_decoder_free(&s->decoder);
}

/* ---- the input ---- */

uint8_t
sc_speech_byte(sc_speech *s)
{
    return s->at < s->end ? *s->at++ : 0;
}

bool
sc_speech_is_over(const sc_speech *s)
{
    return s->at == s->end;
}

// At most so many of the next bytes, where they lie.
static const uint8_t *
take(sc_speech *s, size_t *len)
{
    const uint8_t *at = s->at;
    size_t left = (size_t)(s->end - s->at);
    *len = *len < left ? *len : left;
    s->at += *len;
    return at;
}

void
sc_speech_tell(sc_speech *s, uint64_t number)
{
    s->numbers[s->n_numbers++ % SC_SPEECH_KNOWN] = number;
}

void
sc_speech_tell_token(sc_speech *s, sc_token token)
{
    s->tokens[s->n_tokens++ % SC_SPEECH_KNOWN] = token;
}

sc_uuid
sc_speech_job(uint32_t n)
{
    sc_uuid id = {{0}};
    if (n % SC_SPEECH_JOBS)
        memset(&id, (int)(n % SC_SPEECH_JOBS), sizeof id);
    return id;
}

/* ---- payloads ---- */

static void
set_payload(sc_speech *s, sc_message *m, sc_blob *table, sc_blob *bytes)
{
    SC_ASSERT(table && bytes);
    forget(s);
    s->table = table;
    s->bytes = bytes;
    m->table = sc_slice_of(table);
    m->bytes = sc_slice_of(bytes);
}

static sc_blob *
digits(size_t len)
{
    sc_blob *blob = sc_blob_new(len);
    SC_ASSERT(blob);
    memset(blob->data, '7', len);
    return blob;
}

void
sc_speech_tasks(sc_speech *s, sc_message *m, uint32_t count, uint32_t len)
{
    uint32_t lens[MAX_TASKS];
    count = count < MAX_TASKS ? count : MAX_TASKS;
    for (uint32_t i = 0; i < count; i++)
        lens[i] = len;
    set_payload(s, m, sc_blob_copy(lens, count * sizeof *lens), digits((size_t)count * len));
}

void
sc_speech_records(sc_speech *s, sc_message *m, uint32_t first, uint32_t count, sc_record like)
{
    sc_record records[MAX_TASKS];
    count = count < MAX_TASKS ? count : MAX_TASKS;
    for (uint32_t i = 0; i < count; i++) {
        records[i] = like;
        records[i].offset = first + i;
    }
    set_payload(s, m, sc_blob_copy(records, count * sizeof *records),
                digits((size_t)count * like.len));
}

// Mostly as it is; else without an end, without its table, or any bytes.
static void
bend_payload(sc_speech *s, sc_message *m)
{
    uint8_t how = sc_speech_byte(s);
    if (how == 1 && m->bytes.len > 0) {
        m->bytes.len--;
    } else if (how == 2) {
        m->table = m->bytes = (sc_slice){0};
    } else if (how == 3 && m->table.len > 0) {
        m->table.len -= 1 + sc_speech_byte(s) % m->table.len;
    } else if (how == 4) {
        size_t table_len = sc_speech_byte(s), len = sc_speech_byte(s);
        const uint8_t *table = take(s, &table_len), *bytes = take(s, &len);
        set_payload(s, m, sc_blob_copy(table, table_len), sc_blob_copy(bytes, len));
    }
}

/* ---- fields ---- */

static uint64_t
choose_number(sc_speech *s, uint64_t max)
{
    uint8_t b = sc_speech_byte(s);
    uint64_t number = 0;
    if (b < 64)
        return b;
    if (b < 128)
        return s->numbers[b % SC_SPEECH_KNOWN] + (b / SC_SPEECH_KNOWN) % 8 - 3;
    if (b < 192)
        return (uint64_t)1 << (b - 128);
    if (b < 208)
        return max - 8 + b % 16; // around the bound
    for (int i = 0; i <= b % 8; i++)
        number = number << 8 | sc_speech_byte(s);
    return number;
}

static sc_text
choose_text(sc_speech *s)
{
    static const char *const names[] = {"a", "b", "c", "w1", "w2", "s", "", "default"};
    uint8_t b = sc_speech_byte(s);
    size_t len = b % 128;
    if (b < 128)
        return sc_text_of(names[b % (sizeof names / sizeof *names)]);
    const uint8_t *at = take(s, &len);
    return (sc_text){(const char *)at, (uint32_t)len};
}

static sc_token
choose_token(sc_speech *s)
{
    uint8_t b = sc_speech_byte(s);
    sc_token token = s->tokens[b % SC_SPEECH_KNOWN];
    token.run += (b >> 3) % 4;
    token.epoch += (b >> 5) % 4;
    return token;
}

static void bend_field(sc_speech *s, const sc_field *field, void *at);

// A list of new items, every field of which is chosen.
static sc_list
choose_list(sc_speech *s, const sc_schema *schema)
{
    uint32_t n = sc_speech_byte(s) % (MAX_ITEMS + 1);
    size_t start = (s->n_item_bytes + 15) / 16 * 16;
    if (start + (size_t)n * schema->struct_bytes > sizeof s->items)
        return (sc_list){0};
    uint8_t *items = s->items + start;
    memset(items, 0, (size_t)n * schema->struct_bytes);
    s->n_item_bytes = start + (size_t)n * schema->struct_bytes;
    for (uint32_t i = 0; i < n; i++)
        for (uint16_t k = 0; k < schema->n_fields; k++)
            bend_field(s, &schema->fields[k], items + (size_t)i * schema->struct_bytes);
    return (sc_list){items, n};
}

// Gives a field of the struct at `at` another value.
static void
bend_field(sc_speech *s, const sc_field *field, void *at)
{
    void *member = (uint8_t *)at + field->offset;
    switch ((sc_field_kind)field->kind) {
    case SC_FIELD_U32:
        *(uint32_t *)member = (uint32_t)choose_number(s, field->max);
        break;
    case SC_FIELD_U64:
    case SC_FIELD_I64:
        *(uint64_t *)member = choose_number(s, field->max);
        break;
    case SC_FIELD_F64:
        *(double *)member = (double)choose_number(s, field->max);
        break;
    case SC_FIELD_BOOL:
        *(bool *)member = sc_speech_byte(s) & 1;
        break;
    case SC_FIELD_TEXT:
        *(sc_text *)member = choose_text(s);
        break;
    case SC_FIELD_UUID:
        *(sc_uuid *)member = sc_speech_job(sc_speech_byte(s));
        break;
    case SC_FIELD_TOKEN:
        *(sc_token *)member = choose_token(s);
        break;
    case SC_FIELD_LIST:
        *(sc_list *)member = choose_list(s, field->items);
        break;
    }
}

// The struct of the message's type: all of them begin where the union begins.
static void *
body(sc_message *m)
{
    return &m->hello;
}

static void
bend(sc_speech *s, sc_message *m)
{
    const sc_schema *schema = sc_schema_find(m->type);
    uint8_t n = sc_speech_byte(s) % (MAX_BENT + 1);
    for (; n > 0 && schema->n_fields > 0; n--)
        bend_field(s, &schema->fields[sc_speech_byte(s) % schema->n_fields], body(m));
    bend_payload(s, m);
}

/* ---- over the wire ---- */

bool
sc_speech_say(sc_speech *s, const sc_message *m, sc_message *out)
{
    sc_message bent = *m;
    bend(s, &bent);
    sc_buffer_clear(&s->header);
    if (sc_message_encode(&bent, &s->header) != 0)
        return false;
    SC_ASSERT(sc_message_decode(s->decoder, s->header.data, s->header.len, out, NULL) == 0);
    out->table = bent.table;
    out->bytes = bent.bytes;
    return true;
}

bool
sc_speech_raw(sc_speech *s, sc_message *out)
{
    size_t len = sc_speech_byte(s);
    const uint8_t *header = take(s, &len);
    sc_message payload = {0};
    forget(s);
    sc_buffer_clear(&s->header);
    SC_ASSERT(sc_buffer_add(&s->header, header, len) == 0);
    bend_payload(s, &payload);
    if (sc_message_decode(s->decoder, s->header.data, s->header.len, out, NULL) != 0)
        return false;
    out->table = payload.table;
    out->bytes = payload.bytes;
    return true;
}

/* ---- what is said to us ---- */

static void
add_to_hash(sc_speech *s, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        s->hash = (s->hash ^ data[i]) * 0x100000001b3;
}

static void
check_payload(const sc_message *m)
{
    int rc = 0;
    uint32_t n = sc_tasks_count(m->table);
    switch (m->type) {
    case SC_MSG_RUN:
        SC_ASSERT(m->run.count > 0 && m->run.handler.len > 0 && m->run.attempt > 0);
        rc = sc_tasks_check(m->table, m->bytes, m->run.is_array ? n : m->run.count,
                            SC_TASK_MAX_BYTES);
        break;
    case SC_MSG_CHUNK:
        rc = sc_tasks_check(m->table, m->bytes, m->chunk.count, SC_TASK_MAX_BYTES);
        break;
    case SC_MSG_RESULTS:
    case SC_MSG_REPLY:
        SC_ASSERT(m->table.len > 0);
        rc = sc_records_check(m->table, m->bytes, SC_TASK_MAX_BYTES);
        break;
    case SC_MSG_PAGE:
        if (m->table.len > 0)
            rc = sc_records_check(m->table, m->bytes, SC_TASK_MAX_BYTES);
        break;
    case SC_MSG_OPEN:
    case SC_MSG_CALL:
        rc = sc_tasks_check(m->table, m->bytes, n, SC_TASK_MAX_BYTES);
        break;
    default:
        SC_ASSERT(m->table.len == 0 && m->bytes.len == 0);
    }
    SC_ASSERT(rc == 0);
}

void
sc_speech_check(sc_speech *s, const sc_message *m)
{
    sc_decoder *decoder; // the present message may be what is being answered
    sc_message decoded;
    sc_buffer header;
    sc_buffer_init(&header, SC_HEADER_MAX_BYTES);
    SC_ASSERT(sc_decoder_new(&decoder) == 0);
    SC_ASSERT(sc_message_encode(m, &header) == 0);
    SC_ASSERT(sc_message_decode(decoder, header.data, header.len, &decoded, NULL) == 0);
    check_payload(m);
    add_to_hash(s, header.data, header.len);
    add_to_hash(s, m->table.data, m->table.len);
    add_to_hash(s, m->bytes.data, m->bytes.len);
    sc_decoder_free(&decoder);
    sc_buffer_fini(&header);
}
