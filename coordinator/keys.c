/* SPDX-License-Identifier: Apache-2.0 */
/* Keys: while a job that has one is kept, whoever submits the same content under it is told of that
 * job, and whoever submits another content is refused. A job has its key from its COMMIT (an array
 * from its OPEN) until it is forgotten. Part of the core. */
#include "coordinator/core_int.h"

#include <stdlib.h>
#include <string.h>

// What OPEN says. @return 0 or SC_ENOMEM
int
sc_keys_set(job *j, sc_text key)
{
    if (key.len == 0)
        return 0;
    j->key = sc_core_alloc(1, key.len + 1);
    if (!j->key)
        return SC_ENOMEM;
    memcpy(j->key, key.data, key.len);
    return 0;
}

// Is there a job of this key? Then the asker is answered.
bool
sc_keys_answer(sc_core *core, peer *p, uint64_t request, uint32_t of, sc_text key,
               const sc_uuid *digest)
{
    job *j = NULL;
    char id[SC_UUID_TEXT];
    if (key.len)
        HASH_FIND(by_key, core->keys, key.data, key.len, j);
    if (!j)
        return false;
    if (memcmp(&j->digest, digest, sizeof j->digest) != 0) {
        sc_core_refuse(core, p, request, SC_EKEYTAKEN,
                       "the key %s is that of job %s, whose handler, tasks or options are others; "
                       "choose another key, or leave it out",
                       j->key, sc_uuid_format(&j->id, id));
    } else if (j->state != SC_JOB_STAGED) { // the store has answered: it is safe
        sc_uploads_ack(core, p, request, j, of, 0);
    } else {
        watch *w = sc_watch_new(core, p, j, request);
        if (!w)
            return true;
        w->of = of;
        sc_core_news(core, j);
    }
    return true;
}

// All of it is known now. Nobody else has its key.
void
sc_keys_take(sc_core *core, job *j, const sc_uuid *digest)
{
    if (!j->key)
        return;
    j->digest = *digest;
    HASH_ADD_KEYPTR(by_key, core->keys, j->key, strlen(j->key), j);
    SC_ASSERT(j->by_key.tbl);
}

void
sc_keys_drop(sc_core *core, job *j)
{
    if (j->by_key.tbl)
        HASH_DELETE(by_key, core->keys, j);
    free(j->key);
    j->key = NULL;
}
