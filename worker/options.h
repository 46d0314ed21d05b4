/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of seedcore-worker, for the supervisor and for the worker processes that it
 * starts. */
#ifndef SC_WORKER_OPTIONS_H
#define SC_WORKER_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/settings.h"

enum { SC_OPTIONS_PLUGINS = 64 };

typedef struct sc_worker_options {
    sc_settings *settings;
    char *plugins[SC_OPTIONS_PLUGINS];
    unsigned n_plugins;
    bool has_test_handlers;
    char prefix[SC_NAME_MAX + 1]; /* name of the supervisor */
    int parent_fd;                /* -1 = none */
    /* A worker process, and only that, has: */
    char *process;       /* its name, else NULL */
    uint64_t supervisor; /* instance */
    int64_t parent;      /* pid */
    int page_fd;
} sc_worker_options;

/** Read them. Prints and ends the process for --help and --version (0) and for what cannot be read
 * (2). */
void sc_worker_options_read(int argc, char **argv, sc_worker_options *out);
void sc_worker_options_fini(sc_worker_options *o);

#endif
