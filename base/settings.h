/* SPDX-License-Identifier: Apache-2.0 */
/* One table of settings (settings.c): name, type, range, default, unit, meaning. It feeds parsing
 * of flags and environment variables, `--help`, `seedcore config`, the manual pages and
 * deploy/env.example. Precedence: flag, environment variable SEEDCORE_<NAME>, default. */
#ifndef SC_SETTINGS_H
#define SC_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/limits.h"

typedef enum sc_setting_type {
    SC_SETTING_TEXT,
    SC_SETTING_COUNT,    /* whole number */
    SC_SETTING_DURATION, /* milliseconds; read as 250ms, 30s, 5m, 2h, 7d, a bare number seconds */
    SC_SETTING_BYTES,    /* bytes; read as 64KiB, 10MB, 1GiB, a bare number is bytes */
    SC_SETTING_FLAG,     /* 0 or 1; read as 1/0, yes/no, true/false, on/off */
} sc_setting_type;

typedef enum sc_setting_source {
    SC_FROM_DEFAULT,
    SC_FROM_ENVIRONMENT,
    SC_FROM_FLAG,
} sc_setting_source;

/* X(symbol, "NAME", type, "default", min, max, "meaning"). Environment: SEEDCORE_NAME; flag: --name
 * with hyphens. A text's min and max are its length. */
#define SC_SETTINGS(X)                                                                             \
    X(SC_SET_ENDPOINT, "ENDPOINT", SC_SETTING_TEXT, "tcp://127.0.0.1:5570", 1,                     \
      SC_ENDPOINTS_TEXT_MAX,                                                                       \
      "where the coordinator listens (one), and where everything else finds it (several, "         \
      "separated by commas, where it may be at any): tcp://HOST:PORT or ipc://PATH")               \
    X(SC_SET_DIR, "DIR", SC_SETTING_TEXT, "", 0, 4000,                                             \
      "folder for state and logs (empty: $XDG_STATE_HOME/seedcore, else ~/.local/state/seedcore)") \
    X(SC_SET_DATA, "DATA", SC_SETTING_TEXT, "", 0, 4000,                                           \
      "embedded database of the workers (empty: data.sqlite in DIR)")                              \
    X(SC_SET_INSECURE, "INSECURE", SC_SETTING_FLAG, "0", 0, 1,                                     \
      "listen beyond loopback although nothing is encrypted and nobody is asked for a key")        \
    X(SC_SET_LOG, "LOG", SC_SETTING_TEXT, "info", 4, 5,                                            \
      "what is logged: error, warn, info or debug")                                                \
    X(SC_SET_HEARTBEAT, "HEARTBEAT", SC_SETTING_DURATION, "200ms", 10, 60000,                      \
      "how often each side of a link says that it is alive")                                       \
    X(SC_SET_PEER_LEASE, "PEER_LEASE", SC_SETTING_DURATION, "800ms", 50, 600000,                   \
      "a peer that is silent for this long is gone; at least twice HEARTBEAT")                     \
    X(SC_SET_TASK_LEASE, "TASK_LEASE", SC_SETTING_DURATION, "5s", 100, 3600000,                    \
      "a worker process whose loop stands still for this long is killed by its supervisor")        \
    X(SC_SET_CONNECT_TIMEOUT, "CONNECT_TIMEOUT", SC_SETTING_DURATION, "5s", 0, 3600000,            \
      "how long a command tries to reach the coordinator")                                         \
    X(SC_SET_DRAIN_TIMEOUT, "DRAIN_TIMEOUT", SC_SETTING_DURATION, "30s", 0, 86400000,              \
      "how long a drain waits for running tasks before it ends them")                              \
    X(SC_SET_CANCEL_GRACE, "CANCEL_GRACE", SC_SETTING_DURATION, "5s", 1, 86400000,                 \
      "how long a cancelled task may run on before its worker process is replaced")                \
    X(SC_SET_PROCESSES, "PROCESSES", SC_SETTING_COUNT, "0", 0, 1024,                               \
      "worker processes of a supervisor (0: one a core)")                                          \
    X(SC_SET_WORKER_THREADS, "WORKER_THREADS", SC_SETTING_COUNT, "1", 1, 256,                      \
      "threads of a worker process for handlers that compute")                                     \
    X(SC_SET_WORKER_ASYNC_SLOTS, "WORKER_ASYNC_SLOTS", SC_SETTING_COUNT, "256", 1, 65536,          \
      "asynchronous handlers that a worker process runs at once")                                  \
    X(SC_SET_WORKER_CREDIT_TASKS, "WORKER_CREDIT_TASKS", SC_SETTING_COUNT, "16384", 1, 1000000,    \
      "tasks that a worker process may hold, running and waiting")                                 \
    X(SC_SET_WORKER_CREDIT_BYTES, "WORKER_CREDIT_BYTES", SC_SETTING_BYTES, "32MiB", 1048576,       \
      17179869184, "payload bytes that a worker process may hold")                                 \
    X(SC_SET_WORKER_RESULT_BYTES, "WORKER_RESULT_BYTES", SC_SETTING_BYTES, "32MiB", 1048576,       \
      17179869184,                                                                                 \
      "result bytes that a worker process keeps until they are acknowledged; beyond it starts "    \
      "nothing new")                                                                               \
    X(SC_SET_WAITING_TIME, "WAITING_TIME", SC_SETTING_DURATION, "50ms", 1, 60000,                  \
      "measured work that may wait in a worker process")                                           \
    X(SC_SET_QUEUE_BYTES, "QUEUE_BYTES", SC_SETTING_BYTES, "8GiB", 1048576, 1099511627776,         \
      "payload bytes that may be queued in all; beyond it a job is refused")                       \
    X(SC_SET_RESULT_MEMORY, "RESULT_MEMORY", SC_SETTING_BYTES, "64MiB", 0, 1099511627776,          \
      "payloads and results kept in memory; beyond it they go to a file in DIR")                   \
    X(SC_SET_SPILL_MAX, "SPILL_MAX", SC_SETTING_BYTES, "8GiB", 1048576, 17592186044416,            \
      "size of that file; beyond it the results of the job that ended first are dropped")          \
    X(SC_SET_STAGED_TIMEOUT, "STAGED_TIMEOUT", SC_SETTING_DURATION, "60s", 100, 86400000,          \
      "an upload whose client is silent for this long is dropped")                                 \
    X(SC_SET_JOBS_MAX, "JOBS_MAX", SC_SETTING_COUNT, "100000", 1, 10000000,                        \
      "jobs that the coordinator remembers; beyond it the one that ended first is forgotten")      \
    X(SC_SET_JOB_RETENTION, "JOB_RETENTION", SC_SETTING_DURATION, "7d", 1000, 3153600000000,       \
      "ended jobs and their results are forgotten after this")                                     \
    X(SC_SET_JOURNAL, "JOURNAL", SC_SETTING_TEXT, "", 0, 4000,                                     \
      "where jobs are kept: sqlite:PATH (empty: sqlite:journal.sqlite in DIR), or "                \
      "postgresql://USER@HOST/DATABASE")                                                           \
    X(SC_SET_SQLITE_POOL_SIZE, "SQLITE_POOL_SIZE", SC_SETTING_COUNT, "2", 1, 64,                   \
      "connections of a worker process to the embedded database")                                  \
    X(SC_SET_SQLITE_MAX_OVERFLOW, "SQLITE_MAX_OVERFLOW", SC_SETTING_COUNT, "0", 0, 64,             \
      "further connections under load, closed when given back")                                    \
    X(SC_SET_SQLITE_POOL_TIMEOUT, "SQLITE_POOL_TIMEOUT", SC_SETTING_DURATION, "30s", 0, 3600000,   \
      "how long a statement waits for a connection")                                               \
    X(SC_SET_SQLITE_POOL_RECYCLE, "SQLITE_POOL_RECYCLE", SC_SETTING_DURATION, "0", 0, 86400000,    \
      "connections older than this are replaced (0: never)")                                       \
    X(SC_SET_SQLITE_BUSY_TIMEOUT, "SQLITE_BUSY_TIMEOUT", SC_SETTING_DURATION, "10s", 0, 3600000,   \
      "how long a statement waits for the lock of another process")

typedef enum sc_setting {
#define SC_SETTING_ENUM(symbol, ...) symbol,
    SC_SETTINGS(SC_SETTING_ENUM)
#undef SC_SETTING_ENUM
        SC_N_SETTINGS
} sc_setting;

/* What the table says of one setting. */
typedef struct sc_setting_info {
    const char *name; /* "PEER_LEASE" */
    sc_setting_type type;
    const char *default_text;
    int64_t min, max; /* of the value; of the length where it is text */
    const char *meaning;
} sc_setting_info;

typedef struct sc_settings sc_settings;

/** All settings from defaults and the environment; an empty variable counts as none.
 *  `err` names the variable, the value and the range.
 *  @return 0, SC_EBADARG, SC_ENOMEM */
int sc_settings_new(sc_settings **out, sc_error *err);
void sc_settings_free(sc_settings **settings);
/** Set one as by a flag; on an error the old value stays.
 *  @return 0, SC_ENOMEM, or SC_EBADARG with the flag, the value and the range in `err` */
int sc_settings_set(sc_settings *s, sc_setting which, const char *text, sc_error *err);
/** What one value alone cannot show: PEER_LEASE is at least twice HEARTBEAT. sc_settings_new checks
 *  it for the environment; call it again after the last flag.
 *  @return 0, or SC_EBADARG with both values in `err` */
SC_MUST_USE int sc_settings_check(const sc_settings *s, sc_error *err);
/** Value of a number, duration (ms), size (bytes) or flag. */
int64_t sc_settings_int(const sc_settings *s, sc_setting which);
/** Value of a text; valid as long as `s` and until it is set again. DIR, DATA and JOURNAL come
 *  resolved, never empty. */
const char *sc_settings_text(const sc_settings *s, sc_setting which);
sc_setting_source sc_settings_source(const sc_settings *s, sc_setting which);
const sc_setting_info *sc_setting_info_of(sc_setting which);
/** The value as it would be typed ("200ms", "64MiB"). Returns `out`. */
char *sc_settings_format(const sc_settings *s, sc_setting which, char *out, size_t size);
/** "10ms to 1m": both ends as they would be typed; "" for a text. Returns `out`. */
char *sc_setting_range(sc_setting which, char *out, size_t size);
/** "--peer-lease" for SC_SET_PEER_LEASE. Returns `out`. */
char *sc_setting_flag(sc_setting which, char *out, size_t size);

/** "250ms", "30s", "5m", "2h", "7d"; a bare number is seconds; fractions allowed ("1.5s") where
 *  they come to whole ms. @return 0, SC_EBADARG */
int sc_parse_duration(const char *text, int64_t *ms);
/** "64KiB", "10MB", "1GiB", "512"; fractions as above. @return 0, SC_EBADARG */
int sc_parse_bytes(const char *text, int64_t *bytes);
/** A whole number, decimal, optional sign, nothing else. @return 0, SC_EBADARG */
int sc_parse_int(const char *text, int64_t *value);

#endif
