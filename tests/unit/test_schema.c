/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of proto/schema.c are in order, and docs/protocol.md has the same. When they differ,
 * write the section anew: SEEDCORE_WRITE_FIELDS=FILE test_schema writes it to FILE. */
#include "proto/schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/buffer.h"

enum { N_TYPES = 128, MAX_ITEMS = 32 };

static const char *const kinds[] = {
    [SC_FIELD_U32] = "u32", [SC_FIELD_U64] = "u64",     [SC_FIELD_I64] = "i64",
    [SC_FIELD_F64] = "f64", [SC_FIELD_BOOL] = "bool",   [SC_FIELD_TEXT] = "text",
    [SC_FIELD_UUID] = "id", [SC_FIELD_TOKEN] = "token", [SC_FIELD_LIST] = "list of",
};

/* Structs that stand in lists, in the order in which messages name them. */
typedef struct items {
    const sc_schema *schemas[MAX_ITEMS];
    size_t n;
} items;

static void
add_items(items *all, const sc_schema *s)
{
    for (unsigned i = 0; i < s->n_fields; i++) {
        const sc_schema *item = s->fields[i].items;
        size_t k = 0;
        while (k < all->n && all->schemas[k] != item)
            k++;
        if (item && k == all->n) {
            cr_assert_lt(all->n, (size_t)MAX_ITEMS);
            all->schemas[all->n++] = item;
        }
    }
}

static bool
has_bound(const sc_field *f)
{
    return f->kind == SC_FIELD_TEXT || f->kind == SC_FIELD_LIST ||
           ((f->kind == SC_FIELD_U32 || f->kind == SC_FIELD_U64) && f->max != UINT64_MAX);
}

static void
print_struct(const sc_schema *s, const char *number, sc_buffer *out)
{
    for (unsigned i = 0; i < s->n_fields; i++) {
        const sc_field *f = &s->fields[i];
        char bound[24] = "";
        if (has_bound(f))
            snprintf(bound, sizeof bound, "%" PRIu64, f->max);
        cr_assert_eq(sc_buffer_printf(out, "| %s%s | %u | %s | %s%s%s | %s |\n", i ? "" : number,
                                      i ? "" : s->name, f->key, f->name, kinds[f->kind],
                                      f->items ? " " : "", f->items ? f->items->name : "", bound),
                     0);
    }
}

static void
print_tables(sc_buffer *out)
{
    static const char head[] = " | key | field | kind | at most |\n|---|---|---|---|---|\n";
    items all = {.n = 0};
    cr_assert_eq(sc_buffer_printf(out, "| message%s", head), 0);
    for (unsigned type = 0; type < N_TYPES; type++) {
        const sc_schema *s = sc_schema_find(type);
        char number[8];
        snprintf(number, sizeof number, "%u ", type);
        if (s)
            print_struct(s, number, out);
        if (s)
            add_items(&all, s);
    }
    cr_assert_eq(sc_buffer_printf(out, "\n| in a list%s", head), 0);
    for (size_t i = 0; i < all.n; i++)
        print_struct(all.schemas[i], "", out);
}

static char *
read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    cr_assert(file, "%s", path);
    char *text = calloc(1, 1 << 20);
    cr_assert_lt(fread(text, 1, (1 << 20) - 1, file), (size_t)(1 << 20) - 1);
    fclose(file);
    return text;
}

// The first line in which the two differ.
static void
compare_lines(const char *docs, const char *want)
{
    for (unsigned line = 1; *want; line++) {
        int n_docs = (int)strcspn(docs, "\n"), n_want = (int)strcspn(want, "\n");
        cr_assert(n_docs == n_want && memcmp(docs, want, (size_t)n_want) == 0,
                  "line %u of the fields in docs/protocol.md is\n  %.*s\nand should be\n  %.*s",
                  line, n_docs, docs, n_want, want);
        docs += n_docs + (docs[n_docs] == '\n');
        want += n_want + (want[n_want] == '\n');
    }
    cr_assert_eq(strncmp(docs, "<!-- end of fields -->", 22), 0,
                 "docs/protocol.md has more fields: %.60s", docs);
}

Test(schema, docs_say_the_same)
{
    static const char start[] = "<!-- fields, as test_schema writes them -->\n";
    sc_buffer out;
    sc_buffer_init(&out, 0);
    print_tables(&out);
    cr_assert_eq(sc_buffer_add(&out, "", 1), 0);
    const char *path = getenv("SEEDCORE_WRITE_FIELDS");
    if (path) {
        FILE *file = fopen(path, "w");
        cr_assert(file && fputs((char *)out.data, file) >= 0 && fclose(file) == 0, "%s", path);
    }
    char *docs = read_file(SC_PROTOCOL_DOCS);
    const char *section = strstr(docs, start);
    cr_assert_not_null(section, "docs/protocol.md has no section of fields");
    compare_lines(section + sizeof start - 1, (char *)out.data);
    free(docs);
    sc_buffer_fini(&out);
}

static void
check_struct(const sc_schema *s)
{
    for (unsigned i = 0; i < s->n_fields; i++) {
        const sc_field *f = &s->fields[i];
        cr_expect_gt(f->key, i ? s->fields[i - 1].key : 0, "%s: %s: keys ascend from 1", s->name,
                     f->name);
        cr_expect_lt(f->offset, s->struct_bytes, "%s: %s: in the struct", s->name, f->name);
        cr_expect_eq(f->kind == SC_FIELD_LIST, f->items != NULL, "%s: %s: items", s->name, f->name);
        for (unsigned k = 0; k < i; k++) {
            cr_expect_neq(s->fields[k].offset, f->offset, "%s: %s: a place of its own", s->name,
                          f->name);
            cr_expect_str_neq(s->fields[k].name, f->name, "%s: %s: a name of its own", s->name,
                              f->name);
        }
    }
}

Test(schema, tables_are_in_order)
{
    items all = {.n = 0};
    for (unsigned type = 0; type < N_TYPES; type++) {
        const sc_schema *s = sc_schema_find(type);
        if (!s)
            continue;
        cr_expect_eq(sc_schema_type(s), type, "%s", s->name);
        check_struct(s);
        add_items(&all, s);
    }
    for (size_t i = 0; i < all.n; i++) {
        check_struct(all.schemas[i]);
        for (unsigned k = 0; k < all.schemas[i]->n_fields; k++)
            cr_expect_null(all.schemas[i]->fields[k].items, "%s: no lists in lists",
                           all.schemas[i]->name);
        for (size_t k = 0; k < i; k++)
            cr_expect_str_neq(all.schemas[k]->name, all.schemas[i]->name, "a name of its own");
    }
    static const uint64_t none[] = {0,         8, 9, 65, N_TYPES, UINT32_MAX, (uint64_t)1 << 32 | 1,
                                    UINT64_MAX};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        cr_expect_null(sc_schema_find(none[i]), "%" PRIu64, none[i]);
}
