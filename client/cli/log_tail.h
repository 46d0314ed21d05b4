/* SPDX-License-Identifier: Apache-2.0 */
/* The line of a log that says why a program did not come up. */
#ifndef SC_CLI_LOG_TAIL_H
#define SC_CLI_LOG_TAIL_H

#include <stddef.h>
#include <sys/types.h>

/** The last error or warning among the last lines of a log, else its last line; without time, level
 * and program; "" where there is none. @param from  older lines do not count. Returns `out`. */
char *sc_log_tail(int fd, off_t from, char *out, size_t size);

#endif
