/* SPDX-License-Identifier: Apache-2.0 */
/* One command of the command line: what was typed, the streams, and (where the verb wants one) a
 * loop with a client on it. A verb's run() either works at once, or starts something and returns
 * sc_cli_run(), which turns the loop until someone calls sc_cli_end(). */
#ifndef SC_CLI_H
#define SC_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/settings.h"
#include "client/cli/args.h"
#include "client/cli/out.h"
#include "client/cli/term.h"
#include "client/seedcore.h"

typedef enum sc_exit {
    SC_EXIT_DONE = 0,
    SC_EXIT_FAILED = 1,
    SC_EXIT_USAGE = 2,
    SC_EXIT_NO_COORDINATOR = 3,
    SC_EXIT_INTERRUPTED = 130,
} sc_exit;

typedef struct sc_cli {
    const sc_verb *verb;
    sc_args args;
    sc_settings *settings;
    sc_term term;       /* of stdout */
    sc_term term_error; /* of stderr */
    sc_out out;         /* stdout */
    bool has_times;     /* stderr is a log: what is said begins with the time */
    unsigned n_said;    /* lines on stderr */
    bool has_progress;  /* the last line of stderr is a progress bar */
    /* " --endpoint E" for commands to copy; "" where E was not an option */
    char option[SC_ENDPOINTS_TEXT_MAX + 16];

    bool has_loop, is_ended;
    int status;
    uv_loop_t loop;
    uv_signal_t signals[3];
    uv_timer_t limit; /* until something must have answered */

    sc_client *client;
    const char *job; /* the JOB that was asked for last, named in errors that do not name it */
    bool is_connected;
    bool is_lost;    /* that was said, and not yet that it is back */
    bool is_patient; /* set by a verb once it waits for work: a lost coordinator is looked for
                        without limit */
    bool is_waiting_for_workers;
    int64_t patience_ms; /* set by a verb: it waits for a first worker no longer than this, either;
                            0: no such limit */
    int64_t workers_by;  /* loop time when that is over; 0: it has not waited */
    void (*on_workers)(void *arg); /* see sc_cli_with_workers */
    const char *handler; /* set by a verb: that of which it is to know whether it is offered */
    bool is_offered;     /* it is, by a worker that was there when sc_cli_with_workers looked */
    bool has_workers;    /* some handler is */
    void (*on_interrupt)(void *arg); /* SIGINT, SIGTERM, SIGHUP; NULL: says so and ends with 130 */
    void *arg;                       /* of both */
} sc_cli;

/** The whole program: finds the verb, reads options, runs it. @return the exit status */
int sc_cli_main(int argc, const char *const *argv);

/** "seedcore: ..." on stderr, one line, made safe for a terminal. */
void sc_cli_say(sc_cli *cli, const char *format, ...) SC_PRINTF(2, 3);
/** sc_cli_say where stderr is a terminal: an empty answer is no mystery to a person, and nothing to
 * a program. */
void sc_cli_note(sc_cli *cli, const char *format, ...) SC_PRINTF(2, 3);
/** As sc_cli_say, then how to get help. @return SC_EXIT_USAGE */
int sc_cli_usage(sc_cli *cli, const char *format, ...) SC_PRINTF(2, 3);
/** sc_out_open for an option's value. @return 0, or SC_EXIT_FAILED (said why) */
SC_MUST_USE int sc_cli_open_out(sc_cli *cli, sc_out *out, const char *path);
/** sc_out_close; a reader that went away has seen what it wanted.
 *  @return `status`, or where that is 0 and the data is not whole SC_EXIT_FAILED (said why) */
int sc_cli_close_out(sc_cli *cli, sc_out *out, int status);
/** Draws `line` over the progress bar; NULL takes the bar away. Only where stderr can redraw a
 * line. */
void sc_cli_progress(sc_cli *cli, const sc_out *line);

/* ---- the loop (loop.c) ---- */

/** Makes the loop and catches signals. @return 0, or the exit status (said why) */
SC_MUST_USE int sc_cli_start(sc_cli *cli);
/** The same with a client that looks for the coordinator. @return as above */
SC_MUST_USE int sc_cli_connect(sc_cli *cli);
/** Turn the loop until sc_cli_end, then close all handles that are on it. A callback that may run
 * meanwhile looks at is_ended first. @return the exit status */
int sc_cli_run(sc_cli *cli);
/** Decides the exit status and ends; only the first call counts. */
void sc_cli_end(sc_cli *cli, int status);
/** Says why a request failed and ends with 3 (no coordinator) or 1. NULL `why`: nothing happens.
 *  @return true where it failed: the caller has nothing more to do */
bool sc_cli_failed(sc_cli *cli, const sc_failure *why);
/** For functions that fail at once (negative code). @return true where rc is one */
bool sc_cli_refused(sc_cli *cli, int rc);
/** Interrupted while waiting: says how to wait for `jobs` (separated by spaces) and ends with 130.
 */
void sc_cli_interrupted(sc_cli *cli, const char *jobs);
/** sc_client_job for a JOB that was typed: errors name it, and a text that is no id names no job.
 */
void sc_cli_ask_job(sc_cli *cli, const char *job, bool wait, sc_job_cb cb, void *arg);
/** Is it a text that may name a handler or a job (`what`)? @return 0, or SC_EXIT_USAGE (said why)
 */
SC_MUST_USE int sc_cli_check_name(sc_cli *cli, const char *what, const char *name,
                                  size_t max_bytes);
/** Calls `next` once some handler is known; ends with 1 where no worker joins within the connect
 * timeout, or patience_ms. */
void sc_cli_with_workers(sc_cli *cli, void (*next)(void *arg));

#endif
