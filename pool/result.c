/* SPDX-License-Identifier: Apache-2.0 */
/* Results as drivers build them, cell after cell, within a bound of rows and bytes. Called on
 * whatever thread runs the driver; a result is touched by one thread at a time and knows nothing of
 * pools. */
#include "pool/statement.h"

#include <stdlib.h>

enum {
    BLOCK_MIN_BYTES = 2048,
    BLOCK_MAX_BYTES = 256 * 1024, /* larger cells get a block of their own */
    FIRST_CELLS = 32,
};

struct sc_result_block {
    sc_result_block *next;
    size_t used, capacity;
    char data[];
};

// Doubles up to a bound, so that a small result costs one small block and a large one few blocks.
static sc_result_block *
add_block(sc_result *r, size_t bytes)
{
    size_t capacity = BLOCK_MIN_BYTES;
    if (r->blocks != NULL) {
        capacity =
            r->blocks->capacity < BLOCK_MAX_BYTES / 2 ? 2 * r->blocks->capacity : BLOCK_MAX_BYTES;
    }
    if (capacity < bytes) {
        capacity = bytes;
    }
    sc_result_block *block = malloc(sizeof *block + capacity);
    if (block == NULL) {
        return NULL;
    }
    block->next = r->blocks;
    block->used = 0;
    block->capacity = capacity;
    r->blocks = block;
    return block;
}

// Copies with a terminating zero, which len does not count. NULL without memory.
static const char *
copy_bytes(sc_result *r, const void *bytes, size_t len)
{
    sc_result_block *block = r->blocks;
    if (block == NULL || block->capacity - block->used < len + 1) {
        block = add_block(r, len + 1);
        if (block == NULL) {
            return NULL;
        }
    }
    char *copy = block->data + block->used;
    if (len > 0) {
        memcpy(copy, bytes, len);
    }
    copy[len] = '\0';
    block->used += len + 1;
    return copy;
}

static int
charge(sc_result *r, size_t bytes)
{
    if (bytes > r->max_bytes - r->n_bytes) {
        return SC_ETOOLARGE;
    }
    r->n_bytes += bytes;
    return 0;
}

static int
grow_cells(sc_result *r)
{
    size_t capacity = r->cells_capacity == 0 ? FIRST_CELLS : 2 * r->cells_capacity;
    sc_value *cells = realloc(r->cells_memory, capacity * sizeof *cells);
    if (cells == NULL) {
        return SC_ENOMEM;
    }
    r->cells = r->cells_memory = cells;
    r->cells_capacity = capacity;
    return 0;
}

int
sc_result_new(size_t max_rows, size_t max_bytes, sc_result **out)
{
    sc_result *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return SC_ENOMEM;
    }
    r->max_rows = max_rows != 0 ? max_rows : SC_RESULT_MAX_ROWS;
    r->max_bytes = max_bytes != 0 ? max_bytes : SC_RESULT_MAX_BYTES;
    *out = r;
    return 0;
}

int
sc_result_add_column(sc_result *r, const char *name)
{
    SC_ASSERT(r->n_cells == 0);
    size_t len = strlen(name);
    int rc = charge(r, len);
    if (rc != 0) {
        return rc;
    }
    if (r->n_columns == r->columns_capacity) {
        unsigned capacity = r->columns_capacity == 0 ? 8 : 2 * r->columns_capacity;
        const char **columns = realloc(r->columns, capacity * sizeof *columns);
        if (columns == NULL) {
            return SC_ENOMEM;
        }
        r->columns = columns;
        r->columns_capacity = capacity;
    }
    const char *copy = copy_bytes(r, name, len);
    if (copy == NULL) {
        return SC_ENOMEM;
    }
    r->columns[r->n_columns++] = copy;
    return 0;
}

int
sc_result_add(sc_result *r, const sc_value *value)
{
    SC_ASSERT(r->n_columns > 0);
    if (r->n_rows == r->max_rows) {
        return SC_ETOOLARGE;
    }
    int rc = charge(r, sizeof *value + value->len);
    if (rc == 0 && r->n_cells == r->cells_capacity) {
        rc = grow_cells(r);
    }
    if (rc != 0) {
        return rc;
    }
    sc_value copy = *value;
    if (value->type == SC_VALUE_TEXT || value->type == SC_VALUE_BLOB) {
        copy.text = copy_bytes(r, value->blob, value->len);
        if (copy.text == NULL) {
            return SC_ENOMEM;
        }
    }
    r->cells_memory[r->n_cells++] = copy;
    if (r->n_cells % r->n_columns == 0) {
        r->n_rows++;
    }
    return 0;
}

void
sc_result_free(sc_result **r)
{
    if (*r == NULL) {
        return;
    }
    while ((*r)->blocks != NULL) {
        sc_result_block *block = (*r)->blocks;
        (*r)->blocks = block->next;
        free(block);
    }
    free((*r)->columns);
    free((*r)->cells_memory);
    free(*r);
    *r = NULL;
}
