/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite as a driver of the pool: one file, many connections in many processes, in WAL mode.
 * Statements run on libuv's thread pool, one at a time a connection. A wait for the lock of another
 * writer never keeps a thread: it is given back every few milliseconds, so that the holder of the
 * lock finds one. */
#ifndef SC_SQLITE_H
#define SC_SQLITE_H

#include "pool/pool.h"

/* Errors: SC_EBUSY when the lock did not come within busy_timeout_ms (retryable, as nothing was
 * done); SC_ECANCELLED; SC_ETOOLARGE (result bounds, or beyond SQLite's); SC_EBADARG (number of
 * parameters, several statements in one text, a statement flagged read-only that writes); -ENOSPC,
 * -EROFS, -EIO, -ENOENT, -EACCES and other system errors; SC_EDATABASE for all else, with sqlstate
 * 23505 (unique), 23503 (foreign key), 23502 (not null), 23514 (check) or 23000 (other constraint).
 * Texts name the file where the file is at fault. */
typedef struct sc_sqlite_config {
    const char *path;        /* its folder must exist; the file is created */
    int64_t busy_timeout_ms; /* 0..: how long a statement waits for the lock of another one */
    unsigned page_size;      /* of a new file: 512..65536, a power of two; 0 = 4096 */
} sc_sqlite_config;

/** The driver; sc_pool_options.config is a `const sc_sqlite_config *`. */
const sc_driver *sc_sqlite_driver(void);

#endif
