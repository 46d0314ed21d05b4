/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges of indexes as they are typed: "0-9". */
#ifndef SC_CLI_RANGE_H
#define SC_CLI_RANGE_H

#include <stdint.h>

#include "base/error.h"

/** "A-B" is `n` indexes from `first`: 1 to SC_JOB_MAX_TASKS of them.
 *  @return 0, or SC_EBADARG saying what it is not */
SC_MUST_USE int sc_range_parse(const char *text, uint64_t *first, uint64_t *n, sc_error *err);

#endif
