/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges of indexes as they are typed, see range.h. */
#include "client/cli/range.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/limits.h"

/* What comes behind the last index must be a number, too. */
static const uint64_t index_max = UINT64_MAX - 1;

/* Digits at the beginning of `text`, which moves behind them. @return false where there are none */
static bool
take_index(const char **text, uint64_t *index)
{
    char *end;

    if (**text < '0' || **text > '9')
        return false;
    *index = strtoull(*text, &end, 10); // UINT64_MAX where it is more
    *text = end;
    return true;
}

int
sc_range_parse(const char *text, uint64_t *first, uint64_t *n, sc_error *err)
{
    const char *at = text;
    uint64_t last;

    if (!take_index(&at, first) || *at++ != '-' || !take_index(&at, &last) || *at)
        return sc_error_set(err, SC_EBADARG, "\"%.60s\" is not A-B, such as 0-9", text);
    if (*first > index_max || last > index_max)
        return sc_error_set(err, SC_EBADARG, "\"%.60s\" has an index above %" PRIu64, text,
                            index_max);
    if (last < *first)
        return sc_error_set(err, SC_EBADARG, "\"%.60s\" does not go up", text);
    if (last - *first >= SC_JOB_MAX_TASKS)
        return sc_error_set(err, SC_EBADARG, "\"%.60s\" is more than %" PRIu64 " indexes", text,
                            SC_JOB_MAX_TASKS);
    *n = last - *first + 1;
    return 0;
}
