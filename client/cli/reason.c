/* SPDX-License-Identifier: Apache-2.0 */
/* The first error of a job, see reason.h. Called by wait, submit and status. What fails here is not
 * worth a word: the job's state is known. */
#include "client/cli/reason.h"

#include <string.h>

#include "client/cli/text.h"

// A job whose first 16 MiB of results are good has few dead tasks, and `results` shows them.
enum { PAGE_BYTES = 1 << 20, MAX_PAGES = 16 };

static void
found(sc_reason *r, const sc_result_row *row)
{
    sc_out text;

    sc_out_init(&text);
    sc_out_printf(&text, "task %llu: ", (unsigned long long)row->index);
    sc_text_error(&text, row->value, row->value_len);
    sc_out_add(&text, "", 1);
    r->on_found(r->arg, text.error ? NULL : (const char *)text.buffer.data);
    sc_out_fini(&text);
}

static void read_page(sc_reason *r);

static void
on_page(void *arg, const sc_result_page *page, const sc_failure *why)
{
    sc_reason *r = arg;

    if (r->cli->is_ended)
        return;
    for (size_t i = 0; page && i < page->n_rows; i++)
        if (page->rows[i].status == SC_RESULT_DEAD) {
            found(r, &page->rows[i]);
            return;
        }
    if (why || page->is_end || page->n_rows == 0 || ++r->n_pages == MAX_PAGES) {
        r->on_found(r->arg, NULL);
        return;
    }
    r->next = page->next;
    read_page(r);
}

static void
read_page(sc_reason *r)
{
    sc_cli_refused(r->cli, sc_client_read(r->cli->client, r->job, r->next, SC_DEAD_BY_INDEX,
                                          PAGE_BYTES, false, on_page, r));
}

void
sc_reason_find(sc_reason *reason)
{
    reason->next = 0;
    reason->n_pages = 0;
    read_page(reason);
}

void
sc_reason_say(const sc_reason *reason, const char *text)
{
    sc_cli_say(reason->cli, "%s%ssee: seedcore dead %s%s", text ? text : "", text ? "; " : "",
               reason->job, reason->cli->option);
}

static const sc_parent_status *
failed_parent(const sc_job_status *job)
{
    if (!job->on_any && job->state && strcmp(job->state, "cancelled") == 0)
        for (size_t i = 0; i < job->n_after; i++)
            if (strcmp(job->after[i].state, "failed") == 0 ||
                strcmp(job->after[i].state, "cancelled") == 0)
                return &job->after[i];
    return NULL;
}

void
sc_reason_say_parent(sc_cli *cli, const sc_job_status *job)
{
    const sc_parent_status *parent = failed_parent(job);

    if (parent)
        sc_cli_say(cli, "job %s was cancelled since job %s, which it waited for, %s", job->id,
                   parent->id, strcmp(parent->state, "failed") == 0 ? "failed" : "was cancelled");
}
