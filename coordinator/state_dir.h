/* SPDX-License-Identifier: Apache-2.0 */
/* The coordinator's folder: made where it is missing, and locked, so that two coordinators never
 * share one. */
#ifndef SC_STATE_DIR_H
#define SC_STATE_DIR_H

#include "base/error.h"

/** Take the lock file `path`, made where it is not there, for as long as the descriptor is open
 * (flock: a lock that a dead process left is none).
 *  @param holder  pid of who has it, where it is SC_EBUSY
 *  @return a descriptor; SC_EBUSY; a system error with the path */
SC_MUST_USE int sc_lock_file(const char *path, long *holder, sc_error *err);

/** Make `dir` (mode 0700, parents too) and lock DIR/lock for as long as this process lives.
 *  @return a descriptor to keep open; SC_ESTATE with the holder's pid in `err`; a system error with
 * the path */
SC_MUST_USE int sc_state_dir_lock(const char *dir, sc_error *err);

#endif
