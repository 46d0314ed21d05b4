/* SPDX-License-Identifier: Apache-2.0 */
/* Results: pages of a job, and the one of a call. Behind client/seedcore.h. Rows point into the
 * message that came and lie in an array that the client keeps for the next page. */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "client/args.h"
#include "client/client_int.h"
#include "proto/run.h"

enum { PAGE_BYTES = 1024 * 1024, TIMEOUT_MAX_MS = 86400000 };

_Static_assert((int)SC_RESULT_DONE == SC_DONE && (int)SC_RESULT_DEAD == SC_DEAD &&
                   (int)SC_RESULT_CANCELLED == SC_CANCELLED,
               "outcomes are handed out by number");
_Static_assert((int)SC_BY_INDEX == SC_READ_INDEX && (int)SC_BY_INDEX_ENDED == SC_READ_INDEX_ENDED &&
                   (int)SC_AS_ENDED == SC_READ_ENDED && (int)SC_DEAD_BY_INDEX == SC_READ_DEAD &&
                   (int)SC_TRIES_BY_INDEX == SC_READ_TRIES,
               "orders are asked for by number");

// Room for n items of `size` bytes; what was there need not stay.
static int
reserve(void *array, size_t *capacity, size_t n, size_t size)
{
    void **items = array;
    void *grown;

    if (n <= *capacity)
        return 0;
    grown = malloc(n * size);
    if (!grown)
        return SC_ENOMEM;
    free(*items);
    *items = grown;
    *capacity = n;
    return 0;
}

static sc_result_row
row_of(const sc_record *record, const uint8_t *value, uint64_t base, const char *worker)
{
    return (sc_result_row){
        .index = base + record->offset,
        .status = (sc_result_status)record->outcome,
        .attempt = record->attempt,
        .worker = worker,
        .value = (const char *)value,
        .value_len = record->len,
    };
}

static int
take_workers(sc_client *c, const sc_list *list)
{
    const sc_worker_name *names = list->items;
    int rc = reserve(&c->workers, &c->workers_capacity, list->n, sizeof *c->workers);

    if (rc)
        return rc;
    for (uint32_t i = 0; i < list->n; i++)
        sc_text_copy(names[i].name, c->workers[i], sizeof c->workers[i]);
    return 0;
}

// The rows of a page in c->rows. @return 0, SC_EMALFORMED, SC_ETOOLARGE, SC_ENOMEM
static int
take_rows(sc_client *c, const sc_message *message, uint32_t *n_rows)
{
    const sc_page *page = &message->page;
    const uint8_t *value = message->bytes.data;
    uint32_t n = sc_records_count(message->table);
    int rc = take_workers(c, &page->workers);

    *n_rows = n;
    if (message->table.len > 0 && rc == 0)
        rc = sc_records_check(message->table, message->bytes, SC_TASK_MAX_BYTES);
    if (rc == 0)
        rc = reserve(&c->rows, &c->rows_capacity, n, sizeof *c->rows);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < n; i++) {
        sc_record record = sc_records_get(message->table, i);
        const char *worker = record.worker < page->workers.n ? c->workers[record.worker] : "";

        c->rows[i] = row_of(&record, value, page->base, worker);
        value += record.len;
    }
    return 0;
}

static void
on_page(sc_client_request *base, const sc_message *answer, const sc_failure *why)
{
    sc_client_ask *ask = sc_client_ask_of(base);
    uint32_t n_rows = 0;
    int rc = answer ? take_rows(ask->client, answer, &n_rows) : why->number;

    if (rc == 0) {
        sc_result_page page = {
            .rows = ask->client->rows,
            .n_rows = n_rows,
            .next = answer->page.next,
            .is_end = answer->page.is_end,
            .n_dropped = answer->page.n_dropped,
        };

        ask->cb.read(ask->arg, &page, NULL);
    } else {
        sc_failure failure = why ? *why : sc_client_failure(rc);

        ask->cb.read(ask->arg, NULL, &failure);
    }
    sc_client_ask_free(ask);
}

int
sc_client_read(sc_client *client, const char *job, uint64_t from, sc_result_order order,
               uint32_t max_bytes, bool wait, sc_read_cb cb, void *arg)
{
    sc_read read = {.from = from, .order = order, .max_bytes = max_bytes, .wait = wait};
    sc_client_ask *ask;

    if (order > SC_TRIES_BY_INDEX || !sc_uuid_parse(job, strlen(job), &read.job))
        return -EINVAL;
    if (max_bytes == 0)
        read.max_bytes = PAGE_BYTES;
    if (max_bytes > SC_TASK_MAX_BYTES)
        read.max_bytes = SC_TASK_MAX_BYTES;
    ask = sc_client_ask_new(client, arg, 0);
    if (!ask)
        return -ENOMEM;
    ask->cb.read = cb;
    ask->base.on_end = on_page;
    ask->base.message = (sc_message){.type = SC_MSG_READ, .read = read};
    return sc_client_ask_start(ask);
}

/* ---- calls ---- */

static void
on_reply(sc_client_request *base, const sc_message *answer, const sc_failure *why)
{
    sc_client_ask *ask = sc_client_ask_of(base);
    int rc = why ? why->number : sc_records_check(answer->table, answer->bytes, SC_TASK_MAX_BYTES);

    if (rc == 0 && sc_records_count(answer->table) != 1)
        rc = SC_EMALFORMED;
    if (rc == 0) {
        sc_record record = sc_records_get(answer->table, 0);
        char worker[SC_NAME_MAX + 1];
        sc_result_row row = row_of(&record, answer->bytes.data, 0,
                                   sc_text_copy(answer->reply.worker, worker, sizeof worker));

        ask->cb.call(ask->arg, &row, NULL);
    } else {
        sc_failure failure = why ? *why : sc_client_failure(rc);

        ask->cb.call(ask->arg, NULL, &failure);
    }
    sc_client_ask_free(ask);
}

int
sc_client_call(sc_client *client, const char *handler, const void *args, size_t len,
               int64_t timeout_ms, sc_call_cb cb, void *arg)
{
    size_t name_len = strlen(handler);
    sc_client_ask *ask;
    int rc;

    if (name_len == 0 || name_len > SC_NAME_MAX || !sc_utf8_printable(handler, name_len) ||
        len == 0 || timeout_ms < 0 || timeout_ms > TIMEOUT_MAX_MS)
        return -EINVAL;
    ask = sc_client_ask_new(client, arg, name_len);
    if (!ask)
        return -ENOMEM;
    memcpy(ask->texts, handler, name_len);
    ask->cb.call = cb;
    ask->base.on_end = on_reply;
    ask->base.message = (sc_message){
        .type = SC_MSG_CALL,
        .call = {.handler = {ask->texts, (uint32_t)name_len}, .timeout_ms = (uint64_t)timeout_ms},
    };
    rc = sc_args_whole(args, len, &ask->base.message);
    if (rc) {
        sc_client_ask_free(ask);
        return rc;
    }
    return sc_client_ask_start(ask);
}
