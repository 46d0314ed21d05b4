/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of results, see reader.h. Called by results, submit, call and energy. */
#include "client/cli/reader.h"

#include <fcntl.h>
#include <string.h>

#include "base/json.h"
#include "client/cli/text.h"

enum { PAGE_BYTES = 1 << 20, DIGITS = 20 };

static void read_page(sc_reader *r);
static void go_on(sc_reader *r);

static void
on_writable(uv_poll_t *poll, int status, int events)
{
    sc_reader *r = poll->data;

    (void)status; // the write tells
    (void)events;
    uv_poll_stop(poll);
    if (!r->cli->is_ended)
        go_on(r);
}

/* Until whoever reads `out` has taken some; the loop goes on meanwhile. */
static void
wait_for_reader(sc_reader *r)
{
    int flags = fcntl(r->out->fd, F_GETFL), rc = 0;

    if (!r->has_poll) {
        rc = uv_poll_init(&r->cli->loop, &r->writable, r->out->fd);
        fcntl(r->out->fd, F_SETFL, flags); // libuv makes it non-blocking; others have it open, too
    }
    if (sc_cli_refused(r->cli, rc))
        return;
    r->has_poll = true;
    r->writable.data = r;
    uv_poll_start(&r->writable, UV_WRITABLE, on_writable);
}

/* A page is in `out`. */
static void
go_on(sc_reader *r)
{
    if (r->out && !sc_out_drain(r->out))
        wait_for_reader(r);
    else if (r->out && r->out->error)
        sc_cli_end(r->cli, SC_EXIT_DONE); // whoever closes it says what is wrong
    else if (r->is_last)
        r->on_end(r->arg);
    else
        read_page(r);
}

static void
on_page(void *arg, const sc_result_page *page, const sc_failure *why)
{
    sc_reader *r = arg;

    if (sc_cli_failed(r->cli, why))
        return;
    for (size_t i = 0; i < page->n_rows; i++)
        r->on_row(r->arg, &page->rows[i]);
    // a page without rows that gets on has left out what is tried again
    bool is_over = page->n_rows == 0 && page->next == r->next && !r->wait;
    r->next = page->next;
    r->n_dropped = page->n_dropped;
    r->is_last = page->is_end || is_over;
    go_on(r);
}

static void
read_page(sc_reader *r)
{
    int rc =
        sc_client_read(r->cli->client, r->job, r->next, r->order, PAGE_BYTES, r->wait, on_page, r);

    sc_cli_refused(r->cli, rc);
}

void
sc_reader_start(sc_reader *reader)
{
    reader->next = 0;
    reader->n_dropped = 0;
    reader->has_poll = false;
    if (reader->out)
        reader->out->is_held = true;
    reader->cli->is_patient |= reader->wait;
    read_page(reader);
}

static void
add_number(sc_out *o, uint64_t number)
{
    char digits[DIGITS];
    int at = DIGITS;

    do
        digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    sc_out_add(o, digits + at, (size_t)(DIGITS - at));
}

/* Written by hand: a million of these are printed in a second. */
void
sc_result_line(const sc_result_row *row, sc_out *o)
{
    static const char *const parts[] = {
        [SC_RESULT_DONE] = ",\"status\":\"done\",\"attempt\":",
        [SC_RESULT_DEAD] = ",\"status\":\"dead\",\"attempt\":",
        [SC_RESULT_CANCELLED] = ",\"status\":\"cancelled\",\"attempt\":",
    };
    int rc;

    sc_out_add(o, "{\"index\":", 9);
    add_number(o, row->index);
    sc_out_text(o, parts[row->status]);
    add_number(o, row->attempt);
    sc_out_add(o, ",\"worker\":", 10);
    rc = sc_json_add_string(&o->buffer, row->worker, strlen(row->worker));
    if (rc && !o->error)
        o->error = rc;
    sc_out_text(o, row->status == SC_RESULT_DONE ? ",\"value\":" : ",\"error\":");
    sc_out_json(o, row->value, row->value_len);
    sc_out_add(o, "}\n", 2);
}

int
sc_reader_status(const sc_reader *reader)
{
    char count[SC_FORMAT_BYTES];

    if (reader->n_dropped == 0)
        return SC_EXIT_DONE;
    sc_cli_say(reader->cli, "%s results of job %s were dropped: the result store was full",
               sc_format_count(reader->n_dropped, count), reader->job);
    return SC_EXIT_FAILED;
}
