/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments of the built-in handlers: a JSON object with fields, of which those that a handler does
 * not know are ignored. What cannot be used ends the task with the code bad_arguments and the
 * reason. */
#ifndef SC_ARGS_H
#define SC_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "worker/handler.h"

/** The arguments as an object (json_decref it), or NULL: then the task has ended. */
json_t *sc_args_object(sc_task *task);
/** A whole number min..max in a JSON value; integers are exact up to 2^53. */
bool sc_args_get_int(const json_t *value, int64_t min, int64_t max, int64_t *out);
/** The same in a field that must be there. @return false where it is not: then the task has ended
 */
bool sc_args_int(sc_task *task, const json_t *object, const char *name, int64_t max, int64_t *out);

#endif
