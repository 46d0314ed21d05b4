/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a file of comma-separated values: the rows lie within the text and come back from a
 * file written anew with every field quoted; numbers are what C and JSON take for numbers. */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json.h"
#include "client/cli/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const columns[] = {"id", "a", "b"};
enum { N_COLUMNS = sizeof columns / sizeof *columns };

static void
check_number(const sc_csv_field *field)
{
    uint64_t count;
    bool is_number = sc_csv_is_number(field);
    bool is_digit = field->len > 0 && strchr("-0123456789", field->text[0]) && field->text[0];
    char *text = strndup(field->text, field->len);
    // JSON numbers are followed by nothing here, so spaces must not be taken for a part of them.
    bool is_json = is_digit && sc_json_check(field->text, field->len, NULL) == 0 &&
                   !memchr(" \t\r\n", field->text[field->len - 1], 4);
    SC_ASSERT(text);
    is_json = is_json && strcspn(text, " \t\r\n") == field->len;
    SC_ASSERT(is_number == is_json);
    if (sc_csv_count(field, &count))
        SC_ASSERT(strtoull(text, NULL, 10) == count);
    free(text);
}

static void
add(sc_buffer *out, const void *data, size_t len)
{
    SC_ASSERT(sc_buffer_add(out, data, len) == 0);
}

static void
quote(sc_buffer *out, const char *text, size_t len)
{
    add(out, "\"", 1);
    for (size_t i = 0; i < len; i++)
        add(out, text[i] == '"' ? "\"\"" : text + i, text[i] == '"' ? 2 : 1);
    add(out, "\"", 1);
}

static void
write_row(sc_buffer *out, const sc_csv_field *row)
{
    for (int i = 0; i < N_COLUMNS; i++) {
        quote(out, row ? row[i].text : columns[i], row ? row[i].len : strlen(columns[i]));
        add(out, i + 1 < N_COLUMNS ? "," : "\r\n", i + 1 < N_COLUMNS ? 1 : 2);
    }
}

static void
read_again(const sc_csv *csv)
{
    sc_csv again;
    sc_buffer out;
    size_t len;
    sc_buffer_init(&out, 0);
    write_row(&out, NULL);
    for (size_t i = 0; i < csv->n_rows; i++)
        write_row(&out, sc_csv_row(csv, i));
    char *text = (char *)sc_buffer_take(&out, &len);
    SC_ASSERT(sc_csv_parse(&again, text, len, columns, N_COLUMNS, NULL) == 0);
    SC_ASSERT(again.n_rows == csv->n_rows);
    for (size_t i = 0; i < csv->n_rows * N_COLUMNS; i++) {
        const sc_csv_field *a = &csv->fields[i], *b = &again.fields[i];
        SC_ASSERT(a->len == b->len && memcmp(a->text, b->text, a->len) == 0);
    }
    sc_csv_fini(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sc_csv csv;
    sc_error err = {0};
    char *text = malloc(size ? size : 1);
    SC_ASSERT(text);
    memcpy(text, data, size);
    if (sc_csv_parse(&csv, text, size, columns, N_COLUMNS, &err) == 0) {
        for (size_t i = 0; i < csv.n_rows * N_COLUMNS; i++) {
            const sc_csv_field *field = &csv.fields[i];
            SC_ASSERT(field->text >= text && field->text + field->len <= text + size);
            check_number(field);
        }
        for (size_t i = 1; i < csv.n_rows; i++)
            SC_ASSERT(csv.lines[i] > csv.lines[i - 1]);
        read_again(&csv);
    } else {
        SC_ASSERT(err.text[0] != '\0');
    }
    sc_csv_fini(&csv);
    return 0;
}
