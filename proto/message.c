/* SPDX-License-Identifier: Apache-2.0 */
/* Encoding and decoding of all messages from one description: for each struct a table of fields
 * (key, kind, place, bound). docs/protocol.md is the same tables in words. Nothing here knows what
 * a message means. */
#include "proto/message.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <msgpack.h>

#include "base/fault.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "proto/scan.h"
#include "proto/schema.h"

static const sc_scan_limits header_limits = {SC_HEADER_MAX_BYTES, SC_HEADER_MAX_DEPTH,
                                             SC_HEADER_MAX_OBJECTS};

struct sc_decoder {
    msgpack_zone zone; // unpacked objects and the items of lists
};

/* ---- encode ---- */

static int
write_bytes(void *data, const char *bytes, size_t len)
{
    return sc_buffer_add(data, bytes, len);
}

// A number's bits, whatever its kind.
static uint64_t
load_unsigned(const void *at, uint8_t field_kind)
{
    uint64_t bits;
    if (field_kind == SC_FIELD_U32)
        return *(const uint32_t *)at;
    if (field_kind == SC_FIELD_BOOL)
        return *(const bool *)at;
    memcpy(&bits, at, sizeof bits);
    return bits;
}

static bool
is_zero(const sc_field *f, const void *at)
{
    static const sc_uuid nil_uuid;
    switch (f->kind) {
    case SC_FIELD_TEXT:
        return ((const sc_text *)at)->len == 0;
    case SC_FIELD_UUID:
        return memcmp(at, &nil_uuid, sizeof nil_uuid) == 0;
    case SC_FIELD_TOKEN:
        return ((const sc_token *)at)->epoch == 0 && ((const sc_token *)at)->run == 0;
    case SC_FIELD_LIST:
        return ((const sc_list *)at)->n == 0;
    default:
        return load_unsigned(at, f->kind) == 0;
    }
}

static int encode_struct(msgpack_packer *packer, const sc_schema *s, const void *object, int type);

// What decode would refuse is not sent: it would cost this peer its session.
static bool
is_in_range(const sc_field *f, const void *at)
{
    const sc_text *text = at;
    double number;
    switch (f->kind) {
    case SC_FIELD_TEXT:
        return text->len <= f->max && sc_utf8_printable(text->data, text->len);
    case SC_FIELD_LIST:
        return ((const sc_list *)at)->n <= f->max;
    case SC_FIELD_F64:
        memcpy(&number, at, sizeof number);
        return isfinite(number);
    case SC_FIELD_U32:
    case SC_FIELD_U64:
        return load_unsigned(at, f->kind) <= f->max;
    default:
        return true;
    }
}

static int
encode_list(msgpack_packer *packer, const sc_field *f, const sc_list *list)
{
    int rc = msgpack_pack_array(packer, list->n);
    for (uint32_t i = 0; rc == 0 && i < list->n; i++)
        rc = encode_struct(packer, f->items,
                           (const char *)list->items + (size_t)i * f->items->struct_bytes, -1);
    return rc;
}

static int
encode_value(msgpack_packer *packer, const sc_field *f, const void *at)
{
    const sc_text *text = at;
    const sc_token *token = at;
    int rc;
    switch (f->kind) {
    case SC_FIELD_I64:
        return msgpack_pack_int64(packer, *(const int64_t *)at);
    case SC_FIELD_F64:
        return msgpack_pack_double(packer, *(const double *)at);
    case SC_FIELD_BOOL:
        return msgpack_pack_true(packer);
    case SC_FIELD_TEXT:
        rc = msgpack_pack_str(packer, text->len);
        return rc ? rc : msgpack_pack_str_body(packer, text->data, text->len);
    case SC_FIELD_UUID:
        rc = msgpack_pack_bin(packer, sizeof(sc_uuid));
        return rc ? rc : msgpack_pack_bin_body(packer, at, sizeof(sc_uuid));
    case SC_FIELD_TOKEN:
        rc = msgpack_pack_array(packer, 2);
        rc = rc ? rc : msgpack_pack_uint64(packer, token->epoch);
        return rc ? rc : msgpack_pack_uint64(packer, token->run);
    case SC_FIELD_LIST:
        return encode_list(packer, f, at);
    default:
        return msgpack_pack_uint64(packer, load_unsigned(at, f->kind));
    }
}

// A map of the fields that are not zero; with type >= 0 also key 0.
static int
encode_struct(msgpack_packer *packer, const sc_schema *s, const void *object, int type)
{
    size_t n = type >= 0;
    for (uint16_t i = 0; i < s->n_fields; i++)
        n += !is_zero(&s->fields[i], (const char *)object + s->fields[i].offset);
    int rc = msgpack_pack_map(packer, n);
    if (rc == 0 && type >= 0) {
        rc = msgpack_pack_uint8(packer, 0);
        rc = rc ? rc : msgpack_pack_uint8(packer, (uint8_t)type);
    }
    for (uint16_t i = 0; rc == 0 && i < s->n_fields; i++) {
        const sc_field *f = &s->fields[i];
        const void *at = (const char *)object + f->offset;
        if (is_zero(f, at))
            continue;
        if (!is_in_range(f, at))
            return SC_EBADARG;
        rc = msgpack_pack_uint8(packer, f->key);
        rc = rc ? rc : encode_value(packer, f, at);
    }
    return rc;
}

int
sc_message_encode(const sc_message *message, sc_buffer *header)
{
    const sc_schema *s = sc_schema_find(message->type);
    SC_ASSERT(s);
    size_t start = header->len;
    msgpack_packer packer;
    msgpack_packer_init(&packer, header, write_bytes);
    int rc = encode_struct(&packer, s, &message->hello, (int)message->type);
    // Only lists get near the bound of values, and a value takes a byte at least.
    if (rc == 0 && header->len - start > SC_HEADER_MAX_OBJECTS &&
        sc_scan_msgpack(header->data + start, header->len - start, &header_limits) < 0)
        rc = SC_ELIMIT;
    if (rc < 0)
        header->len = start;
    return rc;
}

/* ---- decode ---- */

int
sc_decoder_new(sc_decoder **out)
{
    sc_decoder *d = calloc(1, sizeof *d);
    if (!d)
        return SC_ENOMEM;
    if (!msgpack_zone_init(&d->zone, MSGPACK_ZONE_CHUNK_SIZE)) {
        free(d);
        return SC_ENOMEM;
    }
    *out = d;
    return 0;
}

void
sc_decoder_free(sc_decoder **decoder)
{
    if (!*decoder)
        return;
    msgpack_zone_destroy(&(*decoder)->zone);
    free(*decoder);
    *decoder = NULL;
}

static int
bad_field(const sc_schema *s, const sc_field *f, sc_error *err)
{
    return sc_error_set(err, SC_EMALFORMED, "%s: %s is of the wrong kind or out of range", s->name,
                        f->name);
}

static int decode_struct(sc_decoder *d, const sc_schema *s, const msgpack_object *map, void *out,
                         sc_error *err);

static int
decode_list(sc_decoder *d, const sc_schema *s, const sc_field *f, const msgpack_object *value,
            sc_list *out, sc_error *err)
{
    if (value->type != MSGPACK_OBJECT_ARRAY || value->via.array.size > f->max)
        return bad_field(s, f, err);
    uint32_t n = value->via.array.size;
    *out = (sc_list){NULL, 0};
    if (n == 0)
        return 0;
    char *items = SC_FAULT("message.list")
                      ? NULL
                      : msgpack_zone_malloc(&d->zone, (size_t)n * f->items->struct_bytes);
    if (!items)
        return SC_ENOMEM;
    memset(items, 0, (size_t)n * f->items->struct_bytes);
    for (uint32_t i = 0; i < n; i++) {
        int rc = decode_struct(d, f->items, &value->via.array.ptr[i],
                               items + (size_t)i * f->items->struct_bytes, err);
        if (rc < 0)
            return rc;
    }
    *out = (sc_list){items, n};
    return 0;
}

static bool
decode_unsigned(const sc_field *f, const msgpack_object *value, void *at)
{
    if (f->kind == SC_FIELD_BOOL) {
        if (value->type != MSGPACK_OBJECT_BOOLEAN)
            return false;
        *(bool *)at = value->via.boolean;
        return true;
    }
    if (value->type != MSGPACK_OBJECT_POSITIVE_INTEGER || value->via.u64 > f->max)
        return false;
    if (f->kind == SC_FIELD_U32 && value->via.u64 > UINT32_MAX)
        return false;
    if (f->kind == SC_FIELD_U32)
        *(uint32_t *)at = (uint32_t)value->via.u64;
    else
        *(uint64_t *)at = value->via.u64;
    return true;
}

static bool
decode_signed(const msgpack_object *value, int64_t *at)
{
    bool fits = value->type == MSGPACK_OBJECT_NEGATIVE_INTEGER ||
                (value->type == MSGPACK_OBJECT_POSITIVE_INTEGER && value->via.u64 <= INT64_MAX);
    if (fits)
        *at = value->via.i64;
    return fits;
}

static bool
decode_double(const msgpack_object *value, double *at)
{
    *at = value->via.f64;
    return value->type == MSGPACK_OBJECT_FLOAT64 && isfinite(*at);
}

static bool
decode_text(const sc_field *f, const msgpack_object *value, sc_text *at)
{
    if (value->type != MSGPACK_OBJECT_STR || value->via.str.size > f->max)
        return false;
    *at = (sc_text){value->via.str.ptr, value->via.str.size};
    return sc_utf8_printable(at->data, at->len);
}

static bool
decode_uuid(const msgpack_object *value, sc_uuid *at)
{
    if (value->type != MSGPACK_OBJECT_BIN || value->via.bin.size != sizeof *at)
        return false;
    memcpy(at, value->via.bin.ptr, sizeof *at);
    return true;
}

static bool
decode_token(const msgpack_object *value, sc_token *at)
{
    if (value->type != MSGPACK_OBJECT_ARRAY || value->via.array.size != 2)
        return false;
    const msgpack_object *part = value->via.array.ptr;
    if (part[0].type != MSGPACK_OBJECT_POSITIVE_INTEGER ||
        part[1].type != MSGPACK_OBJECT_POSITIVE_INTEGER)
        return false;
    *at = (sc_token){part[0].via.u64, part[1].via.u64};
    return true;
}

static int
decode_value(sc_decoder *d, const sc_schema *s, const sc_field *f, const msgpack_object *value,
             void *at, sc_error *err)
{
    bool is_good;
    switch (f->kind) {
    case SC_FIELD_LIST:
        return decode_list(d, s, f, value, at, err);
    case SC_FIELD_I64:
        is_good = decode_signed(value, at);
        break;
    case SC_FIELD_F64:
        is_good = decode_double(value, at);
        break;
    case SC_FIELD_TEXT:
        is_good = decode_text(f, value, at);
        break;
    case SC_FIELD_UUID:
        is_good = decode_uuid(value, at);
        break;
    case SC_FIELD_TOKEN:
        is_good = decode_token(value, at);
        break;
    default:
        is_good = decode_unsigned(f, value, at);
    }
    return is_good ? 0 : bad_field(s, f, err);
}

static const sc_field *
find_field(const sc_schema *s, uint64_t key)
{
    // Keys are dense from 1 in every table so far: look where it should be, then search.
    if (key >= 1 && key <= s->n_fields && s->fields[key - 1].key == key)
        return &s->fields[key - 1];
    for (uint16_t i = 0; i < s->n_fields; i++)
        if (s->fields[i].key == key)
            return &s->fields[i];
    return NULL;
}

// A key that comes twice counts as it came last. `out` is zeroed by the caller.
static int
decode_struct(sc_decoder *d, const sc_schema *s, const msgpack_object *map, void *out,
              sc_error *err)
{
    if (map->type != MSGPACK_OBJECT_MAP)
        return sc_error_set(err, SC_EMALFORMED, "%s: not a map", s->name);
    for (uint32_t i = 0; i < map->via.map.size; i++) {
        const msgpack_object_kv *kv = &map->via.map.ptr[i];
        if (kv->key.type != MSGPACK_OBJECT_POSITIVE_INTEGER)
            continue;
        const sc_field *f = find_field(s, kv->key.via.u64);
        int rc = f ? decode_value(d, s, f, &kv->val, (char *)out + f->offset, err) : 0;
        if (rc < 0)
            return rc;
    }
    return 0;
}

static const sc_schema *
find_type(const msgpack_object *map)
{
    if (map->type != MSGPACK_OBJECT_MAP)
        return NULL;
    for (uint32_t i = 0; i < map->via.map.size; i++) {
        const msgpack_object_kv *kv = &map->via.map.ptr[i];
        if (kv->key.type == MSGPACK_OBJECT_POSITIVE_INTEGER && kv->key.via.u64 == 0 &&
            kv->val.type == MSGPACK_OBJECT_POSITIVE_INTEGER)
            return sc_schema_find(kv->val.via.u64);
    }
    return NULL;
}

int
sc_message_decode(sc_decoder *d, const uint8_t *data, size_t len, sc_message *out, sc_error *err)
{
    int rc = sc_scan_msgpack(data, len, &header_limits);
    if (rc < 0)
        return sc_error_set(err, SC_EMALFORMED, "header of %zu bytes: %s", len,
                            rc == SC_ETOOLARGE ? "too large"
                                               : "no single msgpack value within the limits");
    msgpack_zone_clear(&d->zone);
    msgpack_object object;
    size_t used = 0;
    if (msgpack_unpack((const char *)data, len, &used, &d->zone, &object) != MSGPACK_UNPACK_SUCCESS)
        return SC_ENOMEM; // the scan has let it through, so only memory can be missing
    const sc_schema *s = find_type(&object);
    if (!s)
        return sc_error_set(err, SC_EMALFORMED, "header without a known type");
    memset(out, 0, sizeof *out);
    out->type = (sc_message_type)sc_schema_type(s);
    return decode_struct(d, s, &object, &out->hello, err);
}

/* ---- names ---- */

const char *
sc_message_name(sc_message_type type)
{
    const sc_schema *s = sc_schema_find(type);
    return s ? s->name : "?";
}

const char *
sc_job_state_name(uint32_t state)
{
    static const char *const names[] = {"staged",    "open",   "running",
                                        "succeeded", "failed", "cancelled"};
    return state < SC_N_JOB_STATES ? names[state] : "?";
}

const char *
sc_outcome_name(uint32_t outcome)
{
    static const char *const names[] = {"done", "dead", "cancelled"};
    return outcome < SC_N_OUTCOMES ? names[outcome] : "?";
}

bool
sc_job_has_ended(uint32_t state)
{
    return state == SC_JOB_SUCCEEDED || state == SC_JOB_FAILED || state == SC_JOB_CANCELLED;
}

sc_text
sc_text_of(const char *string)
{
    return string ? (sc_text){string, (uint32_t)strlen(string)} : (sc_text){NULL, 0};
}

bool
sc_text_equal(sc_text text, const char *string)
{
    size_t len = strlen(string);
    return len == text.len && (len == 0 || memcmp(text.data, string, len) == 0);
}

char *
sc_text_copy(sc_text text, char *out, size_t size)
{
    size_t n = text.len < size ? text.len : size - 1;
    if (n)
        memcpy(out, text.data, n);
    out[n] = 0;
    return out;
}
