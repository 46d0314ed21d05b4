/* SPDX-License-Identifier: Apache-2.0 */
/* A request and its copy of the statements in one piece of memory, so that callers may forget what
 * they passed and a request costs one allocation. Called by pool.c; knows no connection. */
#include "pool/pool_int.h"

#include <stdlib.h>

#define REQUEST_MAGIC 0x72657173u

/* Where the parts of the copy go, each aligned for its type: statements, values, bytes. */
typedef struct layout {
    size_t n_values, n_bytes;
} layout;

static size_t
count_values(const sc_statement *s)
{
    return (s->n_rows == 0 ? 1 : s->n_rows) * s->n_params;
}

static bool
has_bytes(const sc_value *v)
{
    return v->type == SC_VALUE_TEXT || v->type == SC_VALUE_BLOB;
}

// Adds one statement to the sizes. Each addition is far below SIZE_MAX, and the bound is checked
// after each of them.
static int
measure(const sc_statement *s, layout *l)
{
    if (s->sql == NULL || s->n_params > SC_STATEMENT_MAX_PARAMS ||
        (s->n_params > 0 && s->params == NULL)) {
        return SC_EBADARG;
    }
    if (s->n_rows > SC_STATEMENT_MAX_BYTES) {
        return SC_ETOOLARGE;
    }
    size_t n_values = count_values(s);
    l->n_values += n_values;
    l->n_bytes += strlen(s->sql) + 1;
    if (l->n_values > SC_STATEMENT_MAX_BYTES / sizeof(sc_value)) {
        return SC_ETOOLARGE;
    }
    for (size_t i = 0; i < n_values; i++) {
        const sc_value *v = &s->params[i];
        if ((unsigned)v->type > SC_VALUE_BLOB || (has_bytes(v) && v->len > 0 && v->blob == NULL)) {
            return SC_EBADARG;
        }
        l->n_bytes += has_bytes(v) ? v->len : 0;
        if (l->n_bytes > SC_STATEMENT_MAX_BYTES) {
            return SC_ETOOLARGE;
        }
    }
    return l->n_bytes > SC_STATEMENT_MAX_BYTES ? SC_ETOOLARGE : 0;
}

static char *
copy_bytes(char **to, const void *bytes, size_t len)
{
    char *copy = *to;
    if (len > 0) {
        memcpy(copy, bytes, len);
    }
    *to += len;
    return copy;
}

static void
copy_statement(sc_statement *to, const sc_statement *from, sc_value **values, char **bytes)
{
    *to = *from;
    to->sql = copy_bytes(bytes, from->sql, strlen(from->sql) + 1);
    to->params = *values;
    size_t n_values = count_values(from);
    for (size_t i = 0; i < n_values; i++) {
        sc_value *v = (*values)++;
        *v = from->params[i];
        if (has_bytes(v)) {
            v->blob = copy_bytes(bytes, v->blob, v->len);
        }
    }
}

static void
set_traits(sc_request *r)
{
    r->may_repeat = r->op.is_read_only = true;
    for (size_t i = 0; i < r->op.n_statements; i++) {
        unsigned flags = r->op.statements[i].flags;
        r->may_repeat &= flags != 0;
        r->op.is_read_only &= (flags & SC_STATEMENT_READ_ONLY) != 0;
    }
    r->may_share = r->op.is_read_only && r->op.n_statements == 1;
}

int
sc_request_new(const sc_batch *batch, const sc_pool_call *call, sc_request **out)
{
    if (call->cb == NULL || call->timeout_ms < 0) {
        return SC_EBADARG;
    }
    layout l = {0, 0};
    if (batch->n_statements > SC_STATEMENT_MAX_BYTES / sizeof(sc_statement)) {
        return SC_ETOOLARGE;
    }
    for (size_t i = 0; i < batch->n_statements; i++) {
        int rc = measure(&batch->statements[i], &l);
        if (rc != 0) {
            return rc;
        }
    }
    size_t statements_bytes = batch->n_statements * sizeof(sc_statement);
    size_t values_bytes = l.n_values * sizeof(sc_value);
    size_t n_bytes = sizeof(sc_request) + statements_bytes + values_bytes + l.n_bytes;
    sc_request *r = malloc(n_bytes);
    if (r == NULL) {
        return SC_ENOMEM;
    }
    sc_statement *statements = (sc_statement *)(void *)(r + 1);
    sc_value *values = (sc_value *)(void *)((char *)statements + statements_bytes);
    char *bytes = (char *)values + values_bytes;
    *r = (sc_request){.magic = REQUEST_MAGIC, .call = *call, .n_bytes = n_bytes};
    for (size_t i = 0; i < batch->n_statements; i++) {
        copy_statement(&statements[i], &batch->statements[i], &values, &bytes);
    }
    r->op.statements = statements;
    r->op.n_statements = batch->n_statements;
    set_traits(r);
    *out = r;
    return 0;
}

void
sc_request_free(sc_request **r)
{
    if (*r == NULL) {
        return;
    }
    SC_ASSERT((*r)->magic == REQUEST_MAGIC);
    (*r)->magic = 0;
    sc_result_free(&(*r)->result);
    free(*r);
    *r = NULL;
}
