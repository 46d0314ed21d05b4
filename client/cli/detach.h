/* SPDX-License-Identifier: Apache-2.0 */
/* Going on in the background: a child without a terminal does the work, the parent waits until the
 * child reports. Before any loop or thread is made. */
#ifndef SC_CLI_DETACH_H
#define SC_CLI_DETACH_H

#include <stddef.h>

#include "base/error.h"

/** Forks. In the child stdin is /dev/null, stdout and stderr are appended to `log_path`, and
 * *report is where it reports with sc_detach_report. In the parent *report is -1 and the child's
 * report is in `text` ("": it is ready); Ctrl-C there ends the child (SIGTERM).
 *  @return 0, -EINTR (interrupted, in the parent), or a system error with its text in `err` */
int sc_detach(const char *log_path, int *report, char *text, size_t size, sc_error *err);
/** In the child, once: "" for ready, else why not. Closes `report`. */
void sc_detach_report(int *report, const char *text);

#endif
