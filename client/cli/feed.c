/* SPDX-License-Identifier: Apache-2.0 */
/* Uploads, see feed.h. Called by submit and energy. Works in short turns, so that the loop keeps up
 * with its link. */
#include "client/cli/feed.h"

enum {
    TURN_TASKS = 4000, // about a millisecond
    REDRAW_MS = 100,
};

static void
draw(sc_feed *f)
{
    int64_t now = (int64_t)uv_now(&f->cli->loop);
    sc_out line;

    if (!f->cli->term_error.is_terminal || now < f->drawn_ms + REDRAW_MS)
        return;
    f->drawn_ms = now;
    sc_progress_add(&f->progress, f->n_tasks, now);
    sc_out_init(&line);
    sc_progress_draw(&f->progress, "task", 0, &f->cli->term_error, &line);
    sc_cli_progress(f->cli, &line);
    sc_out_fini(&line);
}

static void
finish(sc_feed *f)
{
    uv_idle_stop(&f->idle);
    sc_cli_progress(f->cli, NULL);
    sc_cli_refused(f->cli, sc_upload_commit(f->upload));
}

/* Moves one task. @return false where the feed stands still */
static bool
step(sc_feed *f)
{
    int rc = 1;

    if (!f->task)
        rc = f->next(f->arg, &f->task, &f->len);
    if (rc <= 0)
        f->task = NULL;
    if (rc == 0)
        finish(f);
    if (rc <= 0)
        return false;
    rc = sc_upload_add(f->upload, f->task, f->len);
    if (rc == -EAGAIN)
        return false;
    f->task = NULL;
    f->n_tasks++;
    return !sc_cli_refused(f->cli, rc);
}

static void
on_idle(uv_idle_t *idle)
{
    sc_feed *f = idle->data;

    for (int i = 0; i < TURN_TASKS; i++) {
        if (!f->cli->is_ended && f->upload && step(f))
            continue;
        uv_idle_stop(idle); // until there is room, or the source has more
        break;
    }
    draw(f);
}

void
sc_feed_wake(sc_feed *feed)
{
    if (!feed->cli->is_ended && feed->upload)
        uv_idle_start(&feed->idle, on_idle);
}

static void
on_room(void *arg)
{
    sc_feed_wake(arg);
}

static void
on_done(void *arg, const char *job, const sc_failure *why)
{
    sc_feed *f = arg;

    f->upload = NULL;
    uv_idle_stop(&f->idle);
    if (!sc_cli_failed(f->cli, why))
        f->on_accepted(f->arg, job);
}

void
sc_feed_start(sc_feed *feed, const sc_job_spec *spec)
{
    feed->progress.label = "uploading";
    feed->drawn_ms = (int64_t)uv_now(&feed->cli->loop);
    uv_idle_init(&feed->cli->loop, &feed->idle);
    feed->idle.data = feed;
    if (!sc_cli_refused(feed->cli, sc_client_upload(feed->cli->client, spec, on_room, on_done, feed,
                                                    &feed->upload)))
        sc_feed_wake(feed);
}
