/* SPDX-License-Identifier: Apache-2.0 */
/* Every message by its description: filled with the least and the most that its fields may hold,
 * there and back, and each cut of it refused. And what others may send instead. */
#include "proto/message.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/fault.h"
#include "base/limits.h"
#include "proto/schema.h"

typedef enum filling { EMPTY, SMALL, MOST } filling;
enum { LONGEST_TEXT = 8 * SC_MESSAGE_TEXT_MAX, N_ITEMS = 3, N_TYPES = 128 };

static const char *const filling_names[] = {"empty", "small", "most"};
static char letters[LONGEST_TEXT];

/* ---- any message ---- */

static void *fill_items(const sc_schema *s, filling how);

static uint64_t
number_for(const sc_field *f, filling how)
{
    uint64_t most = f->kind == SC_FIELD_U32 && f->max > UINT32_MAX ? UINT32_MAX : f->max;
    return how == MOST ? most : 1;
}

static void
fill_field(const sc_field *f, void *at, filling how)
{
    switch ((sc_field_kind)f->kind) {
    case SC_FIELD_U32:
        *(uint32_t *)at = (uint32_t)number_for(f, how);
        break;
    case SC_FIELD_U64:
        *(uint64_t *)at = number_for(f, how);
        break;
    case SC_FIELD_I64:
        *(int64_t *)at = how == MOST ? INT64_MIN : INT64_MAX;
        break;
    case SC_FIELD_F64:
        *(double *)at = how == MOST ? -DBL_MAX : 0.5;
        break;
    case SC_FIELD_BOOL:
        *(bool *)at = true;
        break;
    case SC_FIELD_TEXT:
        *(sc_text *)at = (sc_text){letters, how == MOST ? (uint32_t)f->max : 1};
        break;
    case SC_FIELD_UUID:
        memset(at, how == MOST ? 0xff : 1, sizeof(sc_uuid));
        break;
    case SC_FIELD_TOKEN:
        *(sc_token *)at = how == MOST ? (sc_token){UINT64_MAX, UINT64_MAX} : (sc_token){0, 1};
        break;
    case SC_FIELD_LIST:
        *(sc_list *)at = (sc_list){fill_items(f->items, how), N_ITEMS};
    }
}

static void
fill_struct(const sc_schema *s, void *object, filling how)
{
    for (unsigned i = 0; how != EMPTY && i < s->n_fields; i++)
        fill_field(&s->fields[i], (char *)object + s->fields[i].offset, how);
}

// The middle one stays empty: items of a list have a map even where nothing is in it.
static void *
fill_items(const sc_schema *s, filling how)
{
    char *items = calloc(N_ITEMS, s->struct_bytes);
    fill_struct(s, items, how);
    fill_struct(s, items + (size_t)2 * s->struct_bytes, how);
    return items;
}

static void
free_lists(const sc_schema *s, void *object)
{
    for (unsigned i = 0; i < s->n_fields; i++)
        if (s->fields[i].kind == SC_FIELD_LIST)
            free((void *)((sc_list *)((char *)object + s->fields[i].offset))->items);
}

static bool is_equal(const sc_schema *s, const void *a, const void *b);

static bool
is_equal_field(const sc_field *f, const void *a, const void *b)
{
    static const uint8_t sizes[] = {
        [SC_FIELD_U32] = 4,  [SC_FIELD_U64] = 8,   [SC_FIELD_I64] = 8,   [SC_FIELD_F64] = 8,
        [SC_FIELD_BOOL] = 1, [SC_FIELD_UUID] = 16, [SC_FIELD_TOKEN] = 16};
    if (f->kind == SC_FIELD_TEXT) {
        const sc_text *x = a, *y = b;
        return x->len == y->len && (x->len == 0 || memcmp(x->data, y->data, x->len) == 0);
    }
    if (f->kind != SC_FIELD_LIST)
        return memcmp(a, b, sizes[f->kind]) == 0;
    const sc_list *x = a, *y = b;
    bool is_same = x->n == y->n;
    for (uint32_t i = 0; is_same && i < x->n; i++)
        is_same = is_equal(f->items, (const char *)x->items + (size_t)i * f->items->struct_bytes,
                           (const char *)y->items + (size_t)i * f->items->struct_bytes);
    return is_same;
}

static bool
is_equal(const sc_schema *s, const void *a, const void *b)
{
    for (unsigned i = 0; i < s->n_fields; i++) {
        const sc_field *f = &s->fields[i];
        if (!is_equal_field(f, (const char *)a + f->offset, (const char *)b + f->offset))
            return false;
    }
    return true;
}

// Bytes that end before an unreadable page. The page is never given back: the test's process ends
// soon.
static uint8_t *
at_the_edge(const uint8_t *data, size_t len)
{
    enum { ROOM = 1 << 18 };
    static uint8_t *end;
    if (!end) {
        uint8_t *map =
            mmap(NULL, ROOM + 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        cr_assert_neq(map, MAP_FAILED);
        cr_assert_eq(mprotect(map + ROOM, 65536, PROT_NONE), 0);
        end = map + ROOM;
    }
    return memcpy(end - len, data, len);
}

Test(message, there_and_back)
{
    sc_decoder *decoder;
    cr_assert_eq(sc_decoder_new(&decoder), 0);
    memset(letters, 'a', sizeof letters);
    unsigned n_types = 0;
    for (uint32_t type = 0; type < N_TYPES; type++) {
        const sc_schema *s = sc_schema_find(type);
        n_types += s != NULL;
        for (filling how = EMPTY; s && how <= MOST; how++) {
            sc_message m = {.type = type}, got;
            sc_error err = {0};
            sc_buffer header;
            sc_buffer_init(&header, SC_HEADER_MAX_BYTES);
            fill_struct(s, &m.hello, how);
            cr_assert_eq(sc_message_encode(&m, &header), 0, "%s, %s", s->name, filling_names[how]);
            int rc = sc_message_decode(decoder, at_the_edge(header.data, header.len), header.len,
                                       &got, &err);
            cr_assert_eq(rc, 0, "%s, %s: %s", s->name, filling_names[how], err.text);
            cr_expect_eq(got.type, type, "%s", s->name);
            cr_expect(is_equal(s, &m.hello, &got.hello), "%s, %s: equal", s->name,
                      filling_names[how]);
            for (size_t cut = 0; cut < header.len; cut++) {
                rc = sc_message_decode(decoder, at_the_edge(header.data, cut), cut, &got, NULL);
                cr_assert_eq(rc, SC_EMALFORMED, "%s, %s: first %d bytes", s->name,
                             filling_names[how], (int)cut);
            }
            if (how != EMPTY)
                free_lists(s, &m.hello);
            sc_buffer_fini(&header);
        }
    }
    cr_expect_eq(n_types, 35u, "messages there are: %d", (int)n_types);
    sc_decoder_free(&decoder);
    sc_decoder_free(&decoder);
}

/* ---- what others send ---- */

static const struct {
    const char *name, *data;
    size_t len;
    int want;
    const char *reason; // part of the text
} headers[] = {
    {"WHO", "\x81\x00\x02", 3, 0, NULL},
    {"type at the end", "\x82\x01\x05\x00\x02", 5, 0, NULL},
    {"unknown key", "\x82\x00\x02\x63\x92\x01\xa1x", 8, 0, NULL},
    {"key that is no number", "\x82\x00\x02\xa1k\x01", 6, 0, NULL},
    {"negative key", "\x82\x00\x02\xff\x01", 5, 0, NULL},
    {"numbers in long forms", "\x82\xd3\0\0\0\0\0\0\0\0\xcd\0\2\xcc\1\xcf\0\0\0\0\0\0\0\x05", 24, 0,
     NULL},
    {"empty", "", 0, SC_EMALFORMED, "header of 0 bytes"},
    {"no map", "\x93\x00\x02\x01", 4, SC_EMALFORMED, "type"},
    {"no type", "\x81\x01\x02", 3, SC_EMALFORMED, "type"},
    {"unknown type", "\x81\x00\x41", 3, SC_EMALFORMED, "type"},
    {"a gap in the types", "\x81\x00\x08", 3, SC_EMALFORMED, "type"},
    {"type 0", "\x81\x00\x00", 3, SC_EMALFORMED, "type"},
    {"huge type", "\x81\x00\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 11, SC_EMALFORMED, "type"},
    {"type that is no number",
     "\x81\x00\xa1"
     "2",
     4, SC_EMALFORMED, "type"},
    {"trailing byte", "\x81\x00\x02\x00", 4, SC_EMALFORMED, "header"},
    {"text for a number", "\x82\x00\x02\x01\xa1x", 6, SC_EMALFORMED, "WHO: epoch"},
    {"negative for a number", "\x82\x00\x02\x01\xff", 5, SC_EMALFORMED, "WHO: epoch"},
    {"number for a bool", "\x82\x00\x05\x01\x01", 5, SC_EMALFORMED, "READY: is_draining"},
    {"false", "\x82\x00\x05\x01\xc2", 5, 0, NULL},
    {"number over its bound", "\x82\x00\x01\x01\x04", 5, SC_EMALFORMED, "HELLO: role"},
    {"number over 32 bits", "\x82\x00\x06\x01\xcf\0\0\0\1\0\0\0\0", 13, SC_EMALFORMED,
     "HEARTBEAT: running"},
    {"number for a text", "\x82\x00\x01\x02\x01", 5, SC_EMALFORMED, "HELLO: name"},
    {"bytes for a text", "\x82\x00\x01\x02\xc4\x01x", 7, SC_EMALFORMED, "HELLO: name"},
    {"text with a newline", "\x82\x00\x01\x02\xa1\n", 6, SC_EMALFORMED, "HELLO: name"},
    {"text that is no UTF-8", "\x82\x00\x01\x02\xa1\xff", 6, SC_EMALFORMED, "HELLO: name"},
    {"short job id",
     "\x82\x00\x0e\x01\xc4\x0f"
     "123456789012345",
     21, SC_EMALFORMED, "DROP: job"},
    {"job id",
     "\x82\x00\x0e\x01\xc4\x10"
     "1234567890123456",
     22, 0, NULL},
    {"job id as text",
     "\x82\x00\x0e\x01\xb0"
     "1234567890123456",
     21, SC_EMALFORMED, "DROP: job"},
    {"token of three", "\x82\x00\x15\x03\x93\x01\x02\x03", 8, SC_EMALFORMED, "RESULTS: token"},
    {"token of texts", "\x82\x00\x15\x03\x92\x01\xa1x", 8, SC_EMALFORMED, "RESULTS: token"},
    {"token that is no list", "\x82\x00\x15\x03\x01", 5, SC_EMALFORMED, "RESULTS: token"},
    {"list that is none", "\x82\x00\x19\x01\x80", 5, SC_EMALFORMED, "HELD: runs"},
    {"item that is no map", "\x82\x00\x19\x01\x91\x01", 6, SC_EMALFORMED, "held run: not a map"},
    {"bad item", "\x82\x00\x19\x01\x91\x81\x05\x01", 8, SC_EMALFORMED, "held run: is_started"},
    {"empty list", "\x82\x00\x19\x01\x90", 5, 0, NULL},
    {"float 32", "\x82\x00\x2c\x13\xca\0\0\0\0", 9, SC_EMALFORMED, "CLUSTER: started_per_s"},
    {"infinity", "\x82\x00\x2c\x13\xcb\x7f\xf0\0\0\0\0\0\0", 13, SC_EMALFORMED,
     "CLUSTER: started_per_s"},
    {"not a number", "\x82\x00\x2c\x13\xcb\x7f\xf8\0\0\0\0\0\0", 13, SC_EMALFORMED,
     "CLUSTER: started_per_s"},
    {"signed beyond 63 bits", "\x82\x00\x04\x02\xcf\x80\0\0\0\0\0\0\0", 13, SC_EMALFORMED,
     "REFUSED: code"},
    {"signed, negative", "\x82\x00\x04\x02\xd1\xec\x78", 7, 0, NULL},
    {"array of 4 G", "\x82\x00\x19\x01\xdd\xff\xff\xff\xff", 9, SC_EMALFORMED, "header"},
};

Test(message, decode_rows)
{
    sc_decoder *decoder;
    cr_assert_eq(sc_decoder_new(&decoder), 0);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        const uint8_t *data = at_the_edge((const uint8_t *)headers[i].data, headers[i].len);
        sc_message got;
        sc_error err = {0};
        int rc = sc_message_decode(decoder, data, headers[i].len, &got, &err);
        cr_expect_eq(rc, headers[i].want, "%s: got %d %s", headers[i].name, rc, err.text);
        if (headers[i].reason)
            cr_expect(strstr(err.text, headers[i].reason), "%s: %s", headers[i].name, err.text);
        cr_expect_eq(sc_message_decode(decoder, data, headers[i].len, &got, NULL), headers[i].want,
                     "%s", headers[i].name);
    }
    sc_decoder_free(&decoder);
}

// A field alone in its message: a text of so many letters, or a list of so many empty items.
static size_t
one_field(uint8_t *out, uint32_t type, const sc_field *f, uint32_t n)
{
    bool is_text = f->kind == SC_FIELD_TEXT;
    uint8_t head[] = {0x82, 0, (uint8_t)type,     f->key,    is_text ? 0xdb : 0xdd,
                      0,    0, (uint8_t)(n >> 8), (uint8_t)n};
    memcpy(out, head, sizeof head);
    memset(out + sizeof head, is_text ? 'a' : 0x80, n);
    return sizeof head + n;
}

// Every text and list of every message, as long as it may be and one longer.
Test(message, decode_longest)
{
    static uint8_t data[16 + UINT16_MAX];
    sc_decoder *decoder;
    cr_assert_eq(sc_decoder_new(&decoder), 0);
    for (uint32_t type = 0; type < N_TYPES; type++) {
        const sc_schema *s = sc_schema_find(type);
        for (unsigned i = 0; s && i < s->n_fields; i++) {
            const sc_field *f = &s->fields[i];
            if (f->kind != SC_FIELD_TEXT && f->kind != SC_FIELD_LIST)
                continue;
            cr_assert_lt(f->max, UINT16_MAX);
            for (uint32_t more = 0; more <= 1; more++) {
                size_t len = one_field(data, type, f, (uint32_t)f->max + more);
                sc_message got;
                int rc = sc_message_decode(decoder, at_the_edge(data, len), len, &got, NULL);
                cr_expect_eq(rc, more ? SC_EMALFORMED : 0, "%s: %s, %u more: %d", s->name, f->name,
                             more, rc);
            }
        }
    }
    sc_decoder_free(&decoder);
}

Test(message, a_key_counts_as_it_came_last)
{
    static const char twice[] =
        "\x85\x00\x19\x01\x91\x80\x01\x90\x02\x01\x02\x02"; // HELD, runs [{}], then []
    sc_decoder *decoder;
    sc_message got;
    cr_assert_eq(sc_decoder_new(&decoder), 0);
    cr_assert_eq(sc_message_decode(decoder, (const uint8_t *)twice, sizeof twice - 1, &got, NULL),
                 0);
    cr_expect_eq(got.held.runs.n, 0u);
    sc_decoder_free(&decoder);
}

/* ---- what is not encoded ---- */

Test(message, encode_refuses)
{
    static const sc_range ranges[SC_CHUNK_MAX_TASKS + 1];
    static const char many[SC_NAME_MAX + 1] =
        "12345678901234567890123456789012345678901234567890123456789012345";
    static const struct {
        const char *name;
        sc_message message;
        size_t max_bytes;
        int want;
    } rows[] = {
        {"text over its bound",
         {SC_MSG_HELLO, .hello.name = {many, SC_NAME_MAX + 1}},
         0,
         SC_EBADARG},
        {"text at its bound", {SC_MSG_HELLO, .hello.name = {many, SC_NAME_MAX}}, 0, 0},
        {"text that is none", {SC_MSG_HELLO, .hello.name = {"\xff", 1}}, 0, SC_EBADARG},
        {"number over its bound", {SC_MSG_OPEN, .open.priority = SC_PRIORITIES}, 0, SC_EBADARG},
        {"infinity", {SC_MSG_CLUSTER, .cluster.ended_per_s = HUGE_VAL}, 0, SC_EBADARG},
        {"list over its bound",
         {SC_MSG_RECALLED, .recalled.ranges = {ranges, SC_CHUNK_MAX_TASKS + 1}},
         0,
         SC_EBADARG},
        {"list at its bound",
         {SC_MSG_RECALLED, .recalled.ranges = {ranges, SC_CHUNK_MAX_TASKS}},
         0,
         0},
        {"no room", {SC_MSG_HELLO, .hello.name = {many, SC_NAME_MAX}}, 40, SC_ELIMIT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_buffer header;
        sc_buffer_init(&header, rows[i].max_bytes);
        cr_assert_eq(sc_buffer_add(&header, "x", 1), 0);
        int rc = sc_message_encode(&rows[i].message, &header);
        cr_expect_eq(rc, rows[i].want, "%s: got %d", rows[i].name, rc);
        cr_expect_eq(header.len == 1, rc != 0, "%s: nothing is left of it", rows[i].name);
        sc_buffer_fini(&header);
    }
}

// However long a list is: what is encoded is decoded, what would not be is refused.
Test(message, long_lists)
{
    enum { N = 16000 };
    static const struct {
        const char *name;
        sc_held_run run;
    } rows[] = {
        {"too many bytes first", {{{1}}, {1795421462123, 1}, 1000, 1000, true, 1, 0, false}},
        {"too many values first", {.first = 1, .count = 1}},
    };
    sc_decoder *decoder;
    cr_assert_eq(sc_decoder_new(&decoder), 0);
    sc_held_run *runs = calloc(N, sizeof *runs);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int last = 0;
        for (uint32_t k = 0; k < N; k++)
            runs[k] = rows[i].run;
        for (uint32_t n = 1; n <= N; n = n < N && n + n / 4 >= N ? N : n + 1 + n / 4) {
            sc_message m = {SC_MSG_HELD, .held.runs = {runs, n}}, got;
            sc_buffer header;
            sc_buffer_init(&header, SC_HEADER_MAX_BYTES);
            int rc = sc_message_encode(&m, &header);
            cr_expect(rc == 0 || rc == SC_ELIMIT, "%s: %u: %d", rows[i].name, n, rc);
            if (rc == 0)
                cr_expect_eq(sc_message_decode(decoder, header.data, header.len, &got, NULL), 0,
                             "%s: %u", rows[i].name, n);
            cr_expect(rc == 0 || n > 1000, "%s: %u are few", rows[i].name, n);
            last = rc;
            sc_buffer_fini(&header);
        }
        cr_expect_eq(last, SC_ELIMIT, "%s: at last it is too long", rows[i].name);
    }
    free(runs);
    sc_decoder_free(&decoder);
}

Test(message, no_memory)
{
    static const char *const points[] = {"message.list", "buffer.grow"};
    sc_held_run run = {.count = 1};
    sc_message m = {SC_MSG_HELD, .held.runs = {&run, 1}}, got;
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        sc_decoder *decoder;
        sc_buffer header;
        cr_assert_eq(sc_decoder_new(&decoder), 0);
        int rc = SC_ENOMEM;
        for (uint64_t nth = 1; rc == SC_ENOMEM; nth++) {
            sc_buffer_init(&header, 0);
            sc_fault_set(points[i], nth);
            rc = sc_message_encode(&m, &header);
            if (rc == 0)
                rc = sc_message_decode(decoder, header.data, header.len, &got, NULL);
            cr_expect(rc == 0 || nth < 5, "%s: pass %d got %d", points[i], (int)nth, rc);
            sc_buffer_fini(&header);
        }
        cr_expect_eq(rc, 0, "%s: got %d", points[i], rc);
        cr_expect_gt(sc_fault_count(points[i]), 0u, "%s was passed", points[i]);
        sc_decoder_free(&decoder);
    }
}

/* ---- names and texts ---- */

Test(message, names)
{
    static const struct {
        uint32_t number;
        const char *message, *state, *outcome;
        bool has_ended;
    } rows[] = {
        {0, "?", "staged", "done", false},         {1, "HELLO", "open", "dead", false},
        {2, "WHO", "running", "cancelled", false}, {3, "WELCOME", "succeeded", "?", true},
        {4, "REFUSED", "failed", "?", true},       {5, "READY", "cancelled", "?", true},
        {6, "HEARTBEAT", "?", "?", false},         {62, "STOPPING", "?", "?", false},
        {64, "DRAINING", "?", "?", false},         {65, "?", "?", "?", false},
        {UINT32_MAX, "?", "?", "?", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t number = rows[i].number;
        cr_expect_str_eq(sc_message_name((sc_message_type)number), rows[i].message, "%u", number);
        cr_expect_str_eq(sc_job_state_name(number), rows[i].state, "%u", number);
        cr_expect_str_eq(sc_outcome_name(number), rows[i].outcome, "%u", number);
        cr_expect_eq(sc_job_has_ended(number), rows[i].has_ended, "%u", number);
    }
}

Test(text, rows)
{
    static const struct {
        const char *name;
        sc_text text;
        const char *string, *cut; // cut: as it fits into four bytes
        bool want;
    } rows[] = {
        {"equal", {"abc", 3}, "abc", "abc", true},   {"longer", {"abcd", 4}, "abc", "abc", false},
        {"shorter", {"ab", 2}, "abc", "ab", false},  {"other", {"abd", 3}, "abc", "abd", false},
        {"empty", {NULL, 0}, "", "", true},          {"empty and not", {NULL, 0}, "a", "", false},
        {"not and empty", {"a", 1}, "", "a", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[4];
        cr_expect_eq(sc_text_equal(rows[i].text, rows[i].string), rows[i].want, "%s", rows[i].name);
        cr_expect_str_eq(sc_text_copy(rows[i].text, out, sizeof out), rows[i].cut, "%s",
                         rows[i].name);
        cr_expect(sc_text_equal(sc_text_of(rows[i].string), rows[i].string), "%s", rows[i].name);
    }
    cr_expect_eq(sc_text_of(NULL).len, 0u, "no string is the empty text");
}
