/* SPDX-License-Identifier: Apache-2.0 */
/* See action.h. The switches name the actions that point to something; SEND is carried out at once.
 */
#include "coordinator/action.h"

#include <stdlib.h>
#include <string.h>

// What is to be written must not be lost.
static void
keep_slice(sc_slice *s)
{
    SC_ASSERT(sc_slice_retain(s) == 0);
}

static void
keep_text(sc_text *t)
{
    char *copy = malloc(t->len + 1ul);
    SC_ASSERT(copy);
    if (t->len)
        memcpy(copy, t->data, t->len);
    t->data = copy;
}

static void
keep_put(sc_kept_action *to)
{
    sc_action *a = &to->action;
    keep_slice(&a->put.table);
    keep_slice(&a->put.bytes);
    if (!a->put.saved)
        return;
    to->saved = *a->put.saved;
    a->put.saved = &to->saved;
    keep_slice(&to->saved.open);
    keep_slice(&to->saved.table);
    keep_slice(&to->saved.bytes);
    keep_slice(&to->saved.chunks);
}

static void
drop_put(sc_kept_action *kept)
{
    sc_slice_drop(&kept->action.put.table);
    sc_slice_drop(&kept->action.put.bytes);
    if (!kept->action.put.saved)
        return;
    sc_slice_drop(&kept->saved.open);
    sc_slice_drop(&kept->saved.table);
    sc_slice_drop(&kept->saved.bytes);
    sc_slice_drop(&kept->saved.chunks);
}

void
sc_action_keep(const sc_action *action, sc_kept_action *to)
{
    sc_action *a = &to->action;
    *a = *action;
    switch (a->type) {
    case SC_ACTION_PUT_OPEN:
    case SC_ACTION_PUT_CHUNK:
    case SC_ACTION_PUT_COMMIT:
        keep_put(to);
        break;
    case SC_ACTION_PUT_RESULTS:
        keep_slice(&a->results.table);
        keep_slice(&a->results.bytes);
        keep_text(&a->results.worker);
        break;
    case SC_ACTION_PUT_RANGE:
        keep_text(&a->range.worker);
        keep_text(&a->range.error);
        break;
    case SC_ACTION_PUT_ATTEMPT:
        keep_text(&a->attempt.worker);
        keep_text(&a->attempt.error);
        break;
    default:
        SC_ASSERT(a->type != SC_ACTION_SEND);
    }
}

void
sc_action_drop(sc_kept_action *kept)
{
    sc_action *a = &kept->action;
    switch (a->type) {
    case SC_ACTION_PUT_OPEN:
    case SC_ACTION_PUT_CHUNK:
    case SC_ACTION_PUT_COMMIT:
        drop_put(kept);
        break;
    case SC_ACTION_PUT_RESULTS:
        sc_slice_drop(&a->results.table);
        sc_slice_drop(&a->results.bytes);
        free((char *)a->results.worker.data);
        break;
    case SC_ACTION_PUT_RANGE:
        free((char *)a->range.worker.data);
        free((char *)a->range.error.data);
        break;
    case SC_ACTION_PUT_ATTEMPT:
        free((char *)a->attempt.worker.data);
        free((char *)a->attempt.error.data);
        break;
    default:
        break;
    }
}
