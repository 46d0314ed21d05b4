/* SPDX-License-Identifier: Apache-2.0 */
/* Results on their way: see delivery.h. Called by the session only. */
#include "worker/delivery.h"

#include "base/log.h"
#include "proto/run.h"

static const char cannot_send_text[] =
    "{\"code\":\"too_large\",\"message\":\"the result cannot be sent\"}";

void
sc_delivery_init(sc_delivery *d, const sc_delivery_config *config)
{
    *d = (sc_delivery){.config = *config};
    TAILQ_INIT(&d->dirty);
    sc_outbox_init(&d->outbox, config->once);
}

void
sc_delivery_fini(sc_delivery *d)
{
    sc_outbox_fini(&d->outbox);
}

void
sc_delivery_flush(sc_delivery *d, sc_assignment *a)
{
    size_t n_bytes = a->records.len + a->values.len;
    sc_results results = {.job = a->job,
                          .token = a->token,
                          .base = a->first,
                          .cost_ns = sc_cost_p90(&d->config.costs[a->handler])};

    if (sc_outbox_add(&d->outbox, &results, a->life, &a->records, &a->values) != 0)
        return;
    d->dirty_bytes -= n_bytes;
    TAILQ_REMOVE(&d->dirty, a, dirty_node);
    a->is_dirty = false;
    sc_backlog_settle(d->config.backlog, a);
}

void
sc_delivery_flush_all(sc_delivery *d)
{
    sc_assignment *next;

    for (sc_assignment *a = TAILQ_FIRST(&d->dirty); a; a = next) {
        next = TAILQ_NEXT(a, dirty_node);
        sc_delivery_flush(d, a);
    }
}

/* The values of one message are together no larger than one value may be: with 1,000 records and a
 * header that stays below SC_MESSAGE_MAX_BYTES. */
static int
make_room(sc_delivery *d, sc_assignment *a, size_t len)
{
    if (a->values.len > 0 && a->values.len + len > SC_TASK_MAX_BYTES)
        sc_delivery_flush(d, a);
    return a->values.len > 0 && a->values.len + len > SC_TASK_MAX_BYTES ? SC_ENOMEM : 0;
}

int
sc_delivery_collect(sc_delivery *d, sc_assignment *a, uint32_t offset, const sc_ending *ending)
{
    sc_record record = {.offset = offset,
                        .len = (uint32_t)ending->len,
                        .attempt = (uint16_t)a->attempt,
                        .outcome = (uint8_t)ending->outcome,
                        .flags = ending->is_retryable ? SC_RECORD_RETRY : 0};
    int rc = make_room(d, a, ending->len);

    if (rc == 0)
        rc = sc_buffer_reserve(&a->records, sizeof record);
    if (rc == 0)
        rc = sc_buffer_add(&a->values, ending->data, ending->len);
    if (rc == 0)
        rc = sc_buffer_add(&a->records, &record, sizeof record);
    if (rc != 0)
        return rc;
    d->dirty_bytes += sizeof record + ending->len;
    if (!a->is_dirty) {
        TAILQ_INSERT_TAIL(&d->dirty, a, dirty_node);
        a->is_dirty = true;
    }
    return 0;
}

/* The link will never take this message, later no more than now. */
static bool
is_for_good(int code)
{
    return code == SC_ETOOLARGE || code == SC_EBADARG;
}

void
sc_delivery_send(sc_delivery *d, int64_t now_ms)
{
    sc_message message;
    int rc;

    while (sc_outbox_next(&d->outbox, &message)) {
        rc = sc_member_send(d->config.member, &message, now_ms);
        if (rc == 0) {
            sc_outbox_sent(&d->outbox);
            continue;
        }
        if (!is_for_good(rc))
            return; // not joined, or no room: the next turn tries again
        sc_log_error("results cannot be sent: %s; their tasks end with an error",
                     sc_error_text(rc));
        if (sc_outbox_replace(&d->outbox, cannot_send_text, sizeof cannot_send_text - 1) != 0)
            return;
    }
}

size_t
sc_delivery_n_bytes(const sc_delivery *d)
{
    return d->outbox.n_bytes + d->dirty_bytes;
}

bool
sc_delivery_check(const sc_delivery *d)
{
    size_t n_bytes = 0;
    const sc_assignment *a;

    for (a = TAILQ_FIRST(&d->dirty); a; a = TAILQ_NEXT(a, dirty_node)) {
        if (!a->is_dirty || a->records.len == 0 || a->values.len > SC_TASK_MAX_BYTES)
            return false;
        n_bytes += a->records.len + a->values.len;
    }
    return n_bytes == d->dirty_bytes;
}
