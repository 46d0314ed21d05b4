/* SPDX-License-Identifier: Apache-2.0 */
/* Reading arguments: see args.h. Called by the built-in handlers, on the loop and in threads. */
#include "worker/tasks/args.h"

#include <inttypes.h>
#include <math.h>

json_t *
sc_args_object(sc_task *task)
{
    size_t len;
    const char *text = sc_task_args(task, &len);
    json_error_t error;
    // Integers as doubles: one beyond 64 bits in a field that nobody asks for is no error.
    const size_t flags = JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL;
    json_t *args = json_loadb(text, len, flags, &error);

    if (json_is_object(args))
        return args;
    if (args)
        sc_task_fail(task, "bad_arguments", false, "the arguments are no object");
    else
        sc_task_fail(task, "bad_arguments", false, "the arguments cannot be read: %s", error.text);
    json_decref(args);
    return NULL;
}

bool
sc_args_get_int(const json_t *value, int64_t min, int64_t max, int64_t *out)
{
    double number = json_is_number(value) ? json_number_value(value) : NAN;

    if (!(number >= (double)min && number <= (double)max) || number != floor(number))
        return false;
    *out = (int64_t)number;
    return true;
}

bool
sc_args_int(sc_task *task, const json_t *object, const char *name, int64_t max, int64_t *out)
{
    if (sc_args_get_int(json_object_get(object, name), 0, max, out))
        return true;
    sc_task_fail(task, "bad_arguments", false, "%s: a whole number 0 to %" PRId64 " is needed",
                 name, max);
    return false;
}
