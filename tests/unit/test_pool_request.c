/* SPDX-License-Identifier: Apache-2.0 */
/* What the pool core is asked and told: options, statements and their copies, bounds, results. */
#include "tests/unit/test_pool_fake.h"

static void
begin(fake *f)
{
    sc_pool_options o;
    fake_options(f, &o);
    fake_start(f, &o);
}

Test(pool_request, statements_are_copied)
{
    fake f;
    begin(&f);
    char sql[] = "INSERT ?1 ?2", text[] = "abc", blob[] = {1, 2, 3};
    sc_value params[6] = {sc_value_text(text),  sc_value_blob(blob, 3), sc_value_int(7),
                          sc_value_double(0.5), sc_value_null(),        sc_value_text("")};
    sc_statement s[2] = {{.sql = sql, .params = params, .n_params = 2, .n_rows = 3}, {.sql = "x"}};
    fake_call call;
    sc_pool_call to = fake_reply_to(&f, &call, 0);
    cr_assert_eq(sc_pool_batch(f.pool, &(sc_batch){s, 2}, &to, NULL), 0);
    memset(sql, 'x', sizeof sql - 1);
    memset(text, 'x', sizeof text - 1);
    memset(blob, 0, sizeof blob);
    memset(params, 0, sizeof params);
    memset(s, 0, sizeof s);
    fake_done(f.conns[0], 0);
    const sc_op *op = f.conns[0]->ops[0];
    cr_assert_eq(op->n_statements, 2);
    cr_assert(op->is_transaction);
    const sc_statement *copy = &op->statements[0];
    cr_assert_str_eq(copy->sql, "INSERT ?1 ?2");
    cr_assert_str_eq(op->statements[1].sql, "x");
    cr_assert_eq(copy->n_rows, 3);
    cr_assert_arr_eq(copy->params[0].text, "abc", 3);
    cr_assert_arr_eq(copy->params[1].blob, "\1\2\3", 3);
    cr_assert_eq(copy->params[2].integer, 7);
    cr_assert_eq(copy->params[3].real, 0.5);
    cr_assert_eq(copy->params[4].type, SC_VALUE_NULL);
    cr_assert_eq(copy->params[5].len, 0);
    fake_end(&f);
}

static void
ignore_reply(void *arg, sc_pool_reply *reply)
{
    (void)arg;
    (void)reply;
}

Test(pool_request, bad_calls_fail_now)
{
    static const sc_value ok = {.type = SC_VALUE_INT}, wild = {.type = (sc_value_type)77},
                          hollow = {.type = SC_VALUE_TEXT, .len = 3},
                          huge = {.type = SC_VALUE_BLOB, .len = UINT32_MAX, .blob = "x"};
    static const struct {
        const char *name;
        sc_statement s;
        int64_t timeout_ms;
        bool no_cb;
        int want;
    } rows[] = {
        {"no text", {.sql = NULL}, 0, false, SC_EBADARG},
        {"no parameters", {.sql = "x", .n_params = 1}, 0, false, SC_EBADARG},
        {"too many parameters",
         {.sql = "x", .params = &ok, .n_params = 32767},
         0,
         false,
         SC_EBADARG},
        {"a type that is none", {.sql = "x", .params = &wild, .n_params = 1}, 0, false, SC_EBADARG},
        {"text without bytes",
         {.sql = "x", .params = &hollow, .n_params = 1},
         0,
         false,
         SC_EBADARG},
        {"rows in a query",
         {.sql = "x", .params = &ok, .n_params = 1, .n_rows = 2},
         0,
         false,
         SC_EBADARG},
        {"more than the bound",
         {.sql = "x", .params = &huge, .n_params = 1},
         0,
         false,
         SC_ETOOLARGE},
        {"no callback", {.sql = "x"}, 0, true, SC_EBADARG},
        {"time before now", {.sql = "x"}, -1, false, SC_EBADARG},
    };
    fake f;
    begin(&f);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sc_pool_call to = {rows[i].no_cb ? NULL : ignore_reply, NULL, rows[i].timeout_ms};
        int rc = sc_pool_query(f.pool, &rows[i].s, &to, NULL);
        cr_assert_eq(rc, rows[i].want, "%s: %d", rows[i].name, rc);
    }
    sc_statement many = {.sql = "x", .params = &ok, .n_params = 1, .n_rows = SIZE_MAX};
    sc_pool_call to = {ignore_reply, NULL, 0};
    cr_assert_eq(sc_pool_batch(f.pool, &(sc_batch){&many, 1}, &to, NULL), SC_ETOOLARGE);
    cr_assert_eq(sc_pool_batch(f.pool, &(sc_batch){&many, 0}, &to, NULL), SC_EBADARG);
    cr_assert_eq(f.n_opens, 0);
    fake_end(&f);
}

Test(pool_request, bad_options_are_named)
{
    static const struct {
        const char *name; /* and what the text must hold */
        size_t offset, size;
        int64_t value;
    } rows[] = {
#define ROW(field, value)                                                                          \
    {#field, offsetof(sc_pool_options, field), sizeof((sc_pool_options){0}.field), value}
        ROW(driver, 0),
        ROW(name, 0),
        ROW(pool_size, 0),
        ROW(pool_size, 1001),
        ROW(max_overflow, 1001),
        ROW(pool_timeout_ms, -1),
        ROW(pool_recycle_ms, -1),
        ROW(pre_ping_ms, -2),
        ROW(connect_timeout_ms, 0),
        ROW(breaker_open_ms, 0),
        ROW(breaker_failures, 0),
        ROW(dial_limit, 0),
        ROW(max_requests, 0),
        ROW(max_request_bytes, 0),
#undef ROW
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fake f;
        sc_pool_options o;
        sc_error err = {.code = 0};
        sc_pool *pool = NULL;
        fake_options(&f, &o);
        memcpy((char *)&o + rows[i].offset, &rows[i].value, rows[i].size); // little-endian
        cr_assert_eq(sc_pool_new(&f.loop, &o, &pool, &err), SC_EBADARG, "%s", rows[i].name);
        cr_assert_not_null(strstr(err.text, rows[i].name), "%s: %s", rows[i].name, err.text);
    }
}

Test(pool_request, calls_and_their_bytes_are_bounded)
{
    fake f;
    sc_pool_options o;
    fake_call calls[4];
    fake_options(&f, &o);
    o.max_requests = 3;
    o.max_request_bytes = 100000;
    fake_start(&f, &o);
    static const char big[99900];
    sc_value blob = sc_value_blob(big, sizeof big);
    sc_statement large = {.sql = "x", .params = &blob, .n_params = 1}, small = {.sql = "x"};
    sc_pool_call to = fake_reply_to(&f, &calls[3], 0);
    cr_assert_eq(sc_pool_query(f.pool, &large, &to, NULL), SC_EBUSY, "bytes");
    for (int i = 0; i < 3; i++) {
        fake_query(&f, &calls[i]);
    }
    cr_assert_eq(sc_pool_query(f.pool, &small, &to, NULL), SC_EBUSY, "calls");
    cr_assert_eq(fake_stats(&f).n_refused, 2);
    fake_settle(&f);
    cr_assert_eq(sc_pool_query(f.pool, &small, &to, NULL), 0, "there is room again");
    fake_end(&f);
    cr_assert_eq(calls[3].n_called, 1);
}

/* ---- results ---- */

Test(pool_request, results_keep_what_they_are_given)
{
    enum { N_ROWS = 3000 };
    sc_result *r = NULL;
    char text[200];
    memset(text, 'x', sizeof text);
    cr_assert_eq(sc_result_new(0, 0, &r), 0);
    for (int i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof name, "column%d", i);
        cr_assert_eq(sc_result_add_column(r, name), 0);
    }
    for (int i = 0; i < N_ROWS * 20; i++) {
        sc_value v = {.type = SC_VALUE_TEXT, .len = (uint32_t)i % 200, .text = text};
        cr_assert_eq(sc_result_add(r, &v), 0, "cell %d", i);
    }
    cr_assert_eq(r->n_rows, N_ROWS);
    cr_assert_str_eq(r->columns[19], "column19");
    for (size_t row = 0; row < N_ROWS; row++) {
        for (unsigned column = 0; column < 20; column++) {
            const sc_value *v = sc_result_get(r, row, column);
            cr_assert_eq(v->len, (row * 20 + column) % 200, "row %zu column %u", row, column);
            cr_assert_eq(strlen(v->text), v->len, "row %zu column %u", row, column);
        }
    }
    sc_result_free(&r);
    cr_assert_null(r);
    sc_result_free(&r);
}

Test(pool_request, results_are_bounded)
{
    static const struct {
        const char *name;
        size_t max_rows, max_bytes;
        unsigned want_cells; /* that go in, of one column of 10 bytes: 26 with the cell itself */
    } rows[] = {{"rows", 3, 0, 3}, {"bytes", 0, 1 + 3 * 26, 3}, {"a byte less", 0, 3 * 26, 2}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sc_result *r = NULL;
        sc_value v = {.type = SC_VALUE_BLOB, .len = 10, .blob = "0123456789"};
        unsigned n = 0;
        cr_assert_eq(sc_result_new(rows[i].max_rows, rows[i].max_bytes, &r), 0);
        cr_assert_eq(sc_result_add_column(r, "c"), 0);
        while (n < 10 && sc_result_add(r, &v) == 0) {
            n++;
        }
        cr_assert_eq(n, rows[i].want_cells, "%s: %u", rows[i].name, n);
        cr_assert_eq(sc_result_add(r, &v), SC_ETOOLARGE, "%s", rows[i].name);
        sc_result_free(&r);
    }
}
