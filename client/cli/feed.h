/* SPDX-License-Identifier: Apache-2.0 */
/* The upload of a job from a source that gives one task after the other, as fast as the coordinator
 * takes them. */
#ifndef SC_CLI_FEED_H
#define SC_CLI_FEED_H

#include "client/cli/cli.h"
#include "client/cli/progress.h"

typedef struct sc_feed {
    sc_cli *cli;
    /* The next task, valid until the next call. 1: there is one; 0: that was all (at least one
     * came); -EAGAIN: none now, the source calls sc_feed_wake; other: the source has ended the
     * command. */
    int (*next)(void *arg, const char **task, size_t *len);
    void (*on_accepted)(void *arg, const char *job);
    void *arg;

    /* the feed's */
    sc_upload *upload;
    uv_idle_t idle;
    const char *task; /* got from the source, not yet taken; NULL: none */
    size_t len;
    uint64_t n_tasks;
    int64_t drawn_ms;
    sc_progress progress;
} sc_feed;

/** Starts an upload. Every failure ends the command, which drops what was uploaded. */
void sc_feed_start(sc_feed *feed, const sc_job_spec *spec);
/** The source has tasks again. */
void sc_feed_wake(sc_feed *feed);

#endif
