/* SPDX-License-Identifier: Apache-2.0 */
/* The spill file: where payloads and results of volatile jobs lie that memory has no room for. One
 * unlinked, unsynced file; what is given back is used again or punched out of it, so that the disk
 * holds at most a quarter more than what is in use, and a few MiB. Reads and writes run on libuv's
 * thread pool. Used by the store alone. */
#ifndef SC_SPILL_H
#define SC_SPILL_H

#include <stdint.h>

#include <uv.h>

#include "base/error.h"
#include "proto/blob.h"

typedef struct sc_spill sc_spill;

/** Make the file in `dir` (it has no name and goes with the process). @return 0, or a system error
 * with the folder in err */
SC_MUST_USE int sc_spill_new(uv_loop_t *loop, const char *dir, sc_spill **out, sc_error *err);

/** Write two pieces one after another. References to them are held until on_done, which runs once,
 * later.
 *  @return where they lie, or a negative error (then on_done never runs) */
SC_MUST_USE int64_t sc_spill_write(sc_spill *spill, sc_slice first, sc_slice second,
                                   void (*on_done)(void *arg, int status), void *arg);

/** Read into a new blob, which on_done owns (NULL where status < 0). Runs once, later. @return 0,
 * SC_ENOMEM */
SC_MUST_USE int sc_spill_read(sc_spill *spill, int64_t offset, size_t len,
                              void (*on_done)(void *arg, int status, sc_blob *blob), void *arg);

/** Give back a place that is neither being read nor written: it may be another's at once. */
void sc_spill_free(sc_spill *spill, int64_t offset, size_t len);

/** Bytes in use. */
uint64_t sc_spill_bytes(const sc_spill *spill);
/** Bytes on their way to the file. */
uint64_t sc_spill_writing(const sc_spill *spill);

/** Waits for what is on its way, calling back as promised, then closes the file and calls on_closed
 * (may be NULL). */
void sc_spill_close(sc_spill **at, void (*on_closed)(void *arg), void *arg);

#endif
