/* SPDX-License-Identifier: Apache-2.0 */
/* One line per fact on stderr, subject first: `task 81f2 queued -> running worker=3`. error: a
 * person must act; warn: degraded; info: life cycle; debug: per message.
 * No secrets, no payloads. */
#ifndef SC_LOG_H
#define SC_LOG_H

#include <stdint.h>

#include "base/error.h"

typedef enum sc_log_level { SC_LOG_ERROR, SC_LOG_WARN, SC_LOG_INFO, SC_LOG_DEBUG } sc_log_level;

/** Set once in main: what is written, and the program's name in each line (kept by pointer). */
void sc_log_init(sc_log_level level, const char *program);
/** True where lines of this level are written; guards costly arguments. */
int sc_log_enabled(sc_log_level level);
/** Writes "TIME LEVEL PROGRAM[PID] text": TIME as sc_clock_format, LEVEL as its name; control
 *  characters and what is no UTF-8 escaped (\x1b), cut at 1,000 bytes. One write(2) a line, so
 *  lines of several processes do not mix; errno stays. */
void sc_log_write(sc_log_level level, const char *format, ...) SC_PRINTF(2, 3);

#define sc_log_error(...) sc_log_write(SC_LOG_ERROR, __VA_ARGS__)
#define sc_log_warn(...)  sc_log_write(SC_LOG_WARN, __VA_ARGS__)
#define sc_log_info(...)  sc_log_write(SC_LOG_INFO, __VA_ARGS__)
#define sc_log_debug(...)                                                                          \
    (sc_log_enabled(SC_LOG_DEBUG) ? sc_log_write(SC_LOG_DEBUG, __VA_ARGS__) : (void)0)

/* For facts that can repeat without end (a hostile peer): at most one line a second, the next one
 * says how many were left out. */
typedef struct sc_log_limit {
    int64_t next_ms; /* no line before this time */
    uint64_t n_left_out;
} sc_log_limit;
/** True where the caller should write its line now; `left_out` is then how many lines went
 *  unwritten since the last. */
int sc_log_may_repeat(sc_log_limit *limit, int64_t now_ms, uint64_t *left_out);

#endif
