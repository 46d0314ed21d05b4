/* SPDX-License-Identifier: Apache-2.0 */
/* An example of a client: submits a job of ten tasks and prints their results as they come. Each
 * request has a callback, which starts the next; the program ends when the loop has nothing left.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <seedcore.h>

static const char args[] = "{\"n\": \"$index\"}"; // of each task; "$index" becomes its number

struct example {
    sc_client *client;
    char job[SC_JOB_ID_TEXT];
    int status;
};

/* @return true where it failed: the client is closed, and the loop ends */
static bool
has_failed(struct example *e, int rc, const sc_failure *why)
{
    if (rc == 0 && !why)
        return false;
    fprintf(stderr, "tasks: %s\n", why ? why->text : "cannot send the request");
    e->status = EXIT_FAILURE;
    sc_client_close(&e->client, NULL, NULL);
    return true;
}

static void on_page(void *arg, const sc_result_page *page, const sc_failure *why);

/* The next page, once there is a row in it, or the job has ended. */
static void
read_from(struct example *e, uint64_t index)
{
    has_failed(e, sc_client_read(e->client, e->job, index, SC_BY_INDEX, 0, true, on_page, e), NULL);
}

static void
on_page(void *arg, const sc_result_page *page, const sc_failure *why)
{
    struct example *e = arg;

    if (has_failed(e, 0, why))
        return;
    for (size_t i = 0; i < page->n_rows; i++) {
        const sc_result_row *row = &page->rows[i];

        printf("%" PRIu64 " %s %.*s\n", row->index,
               row->status == SC_RESULT_DONE ? "done" : "not done", (int)row->value_len,
               row->value);
    }
    if (page->is_end)
        sc_client_close(&e->client, NULL, NULL);
    else
        read_from(e, page->next);
}

static void
on_submitted(void *arg, const char *job, const sc_failure *why)
{
    struct example *e = arg;

    if (has_failed(e, 0, why))
        return;
    snprintf(e->job, sizeof e->job, "%s", job);
    read_from(e, 0);
}

int
main(void)
{
    const char *endpoint =
        getenv("SEEDCORE_ENDPOINT"); // else the one that a cluster has by default
    sc_client_options options = {.endpoint = endpoint, .connect_timeout_ms = 5000};
    sc_job_spec spec = {.handler = "echo", .priority = -1};
    struct example e = {0};
    uv_loop_t loop;
    int rc;

    uv_loop_init(&loop);
    if (sc_client_new(&loop, &options, &e.client)) {
        fprintf(stderr, "tasks: cannot connect to %s\n", endpoint ? endpoint : "the cluster");
        e.status = EXIT_FAILURE;
    } else {
        rc = sc_client_submit_array(e.client, &spec, 0, 10, args, strlen(args), on_submitted, &e);
        has_failed(&e, rc, NULL);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    return e.status;
}
