/* SPDX-License-Identifier: Apache-2.0 */
/* The two children of `up`: coordinator and supervisor of the workers. They are started at once,
 * started again when they die, and ended in order: workers first. They end by themselves (drain)
 * when `up` is gone: each has the read end of a pipe
 * (--parent-fd 3) whose write end only `up` holds.
 *
 *   running --died--> waiting --delay--> running
 *   running --exit status 0, or died after sc_children_stop--> ended (nothing is started again from
 * then on); but where all workers have left once they were ready, the coordinator goes on */
#ifndef SC_CLI_CHILDREN_H
#define SC_CLI_CHILDREN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <uv.h>

#include "client/cli/restart.h"

enum { SC_CHILD_COORDINATOR, SC_CHILD_WORKERS, SC_N_CHILDREN };
enum { SC_CHILD_MAX_ARGS = 64 };

struct sc_children;

typedef enum sc_child_state { SC_CHILD_ENDED, SC_CHILD_RUNNING, SC_CHILD_WAITING } sc_child_state;

typedef struct sc_child {
    struct sc_children *children;
    const char *title;                   /* "coordinator" */
    const char *program;                 /* "seedcore-coordinator" */
    const char *args[SC_CHILD_MAX_ARGS]; /* argv, ended by NULL; the caller's texts */
    int log_fd;                          /* its stderr; 2: that of `up` */
    off_t log_start;                     /* in a log that others have written before */
    sc_child_state state;
    uv_process_t process;
    uv_timer_t timer;
    sc_restart restart;
    bool is_ready; /* set by sc_children_ready */
    bool has_left; /* the workers: asked to, by a drain; the coordinator goes on */
} sc_child;

typedef struct sc_children {
    uv_loop_t *loop;
    sc_child all[SC_N_CHILDREN];
    int parent_fds[2]; /* the pipe */
    bool is_stopping;  /* nothing is started again */
    bool was_ready;    /* all were, once */
    /* One died and will be started again (delay_ms), or has not come up at all (`is_final`: the end
     * follows). */
    void (*on_died)(void *arg, const sc_child *child, int64_t status, int signum, bool is_final);
    void (*on_ended)(void *arg); /* all have ended; nothing more will happen */
    void *arg;
} sc_children;

/** Starts both. `title`, `program`, `args`, `log_fd` of each child, the callbacks and `loop` are
 * set.
 *  @return 0 or a system error; then nothing runs that would not end by itself */
int sc_children_start(sc_children *c);
/** All are ready; from now on they are started again at once. */
void sc_children_ready(sc_children *c);
/** Ends them in order (SIGTERM). */
void sc_children_stop(sc_children *c);
/** Ends them now (SIGKILL). */
void sc_children_kill(sc_children *c);
void sc_children_fini(sc_children *c);

#endif
