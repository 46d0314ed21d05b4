/* SPDX-License-Identifier: Apache-2.0 */
/* The coordinator's folder: made where it is missing, and locked, so that two coordinators never
 * share one. */
#ifndef SC_STATE_DIR_H
#define SC_STATE_DIR_H

#include "base/error.h"

/** Make `dir` (mode 0700, parents too) and lock DIR/lock for as long as this process lives (flock:
 * a lock that a dead process left is none).
 *  @return a descriptor to keep open; SC_ESTATE with the holder's pid in `err`; a system error with
 * the path */
SC_MUST_USE int sc_state_dir_lock(const char *dir, sc_error *err);

#endif
