/* SPDX-License-Identifier: Apache-2.0 */
/* JSON lines of a file or stdin as the source of an upload. Files are read where they are needed;
 * what can be waited for (pipes, terminals) never blocks the loop. */
#ifndef SC_CLI_INPUT_H
#define SC_CLI_INPUT_H

#include "client/cli/cli.h"
#include "client/cli/feed.h"
#include "client/cli/lines.h"

typedef struct sc_input {
    sc_cli *cli;
    sc_feed *feed;
    const char *name; /* of the file in messages, "<stdin>" */
    int fd;
    bool can_wait; /* the descriptor is watched by `poll` */
    uv_poll_t poll;
    sc_lines lines;
    uint64_t n_tasks;
} sc_input;

/** Opens a file ("-": stdin). @return 0, or the exit status (said why) */
SC_MUST_USE int sc_input_open(sc_input *input, sc_cli *cli, const char *path);
/** Puts it on the loop; `feed` will be woken. */
void sc_input_start(sc_input *input, sc_feed *feed);
/** The source: sc_feed.next with a sc_input as its argument. Says "FILE:LINE: reason" and ends the
 * command at a bad line. */
int sc_input_next(void *arg, const char **task, size_t *len);
void sc_input_fini(sc_input *input);

#endif
