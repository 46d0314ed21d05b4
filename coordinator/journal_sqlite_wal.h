/* SPDX-License-Identifier: Apache-2.0 */
/* What SQLite would pass over in silence: it reads a -wal up to the first frame that does not fit
 * and takes that for its end. The format: https://www.sqlite.org/fileformat2.html#walformat */
#ifndef SC_JOURNAL_SQLITE_WAL_H
#define SC_JOURNAL_SQLITE_WAL_H

#include <stdint.h>

#include "base/error.h"

/** Transactions in the -wal `path` that lie, whole, behind its first frame that does not fit; 1
 * where the header does not and frames follow. After a process was killed there are none: what it
 * had not finished has no end. No such file: none. Reads all of it, some 1 GB a second.
 *  @return 0, a system error, SC_ENOMEM */
SC_MUST_USE int sc_sqlite_wal_lost(const char *path, uint64_t *n_lost);

#endif
