/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting until jobs have ended, with a progress bar on a terminal or with whatever else follows
 * how they go. A lost coordinator is looked for without limit; an interrupt leaves the jobs running
 * and says how to wait for them. */
#ifndef SC_CLI_WATCH_H
#define SC_CLI_WATCH_H

#include "client/cli/cli.h"
#include "client/cli/progress.h"

struct sc_watch;

typedef struct sc_watched {
    struct sc_watch *watch;
    const char *job;      /* the id or a prefix; the caller's */
    sc_job_status status; /* as it was last seen; `state` is NULL before */
} sc_watched;

typedef struct sc_watch {
    sc_cli *cli;
    sc_watched *jobs;
    size_t n_jobs, n_ended;
    size_t n_asked; /* answers under way for the progress bar */
    uv_timer_t timer;
    sc_progress progress;
    void (*on_state)(void *arg, const sc_job_status *job); /* see sc_watch_follow; else NULL */
    void (*on_end)(void *arg); /* all have ended; their states are in `jobs` */
    void *arg;
} sc_watch;

/** Starts; `jobs` is borrowed until the end. Fini it in any case. Every failure ends the command.
 */
void sc_watch_start(sc_watch *watch, sc_cli *cli, const char *const *jobs, size_t n_jobs,
                    void (*on_end)(void *arg), void *arg);
/** Once it was started: hands each answer to the question how a job is to `on_state` (with the
 * `arg` of the start), the first at once and then ten a second, and draws no bar. */
void sc_watch_follow(sc_watch *watch, void (*on_state)(void *arg, const sc_job_status *job));
void sc_watch_fini(sc_watch *watch);

#endif
