/* SPDX-License-Identifier: Apache-2.0 */
/* Draining: one worker, or a supervisor with all its workers, is asked to leave for good. Who does
 * the work is the supervisor; a request changes nothing here. Part of the core. */
#include "coordinator/core_int.h"

#include <stdio.h>
#include <string.h>

enum { NAMES_BYTES = 300 }; // in a refusal: enough to see what names look like

static peer *
find_named(sc_core *core, sc_role role, sc_text name)
{
    for (peer *p = core->by_instance; p; p = p->by_instance.next)
        if (p->role == role && strlen(p->name) == name.len &&
            memcmp(p->name, name.data, name.len) == 0)
            return p;
    return NULL;
}

// The names that there are, as many as have room.
static const char *
list_names(const sc_core *core, char text[NAMES_BYTES])
{
    size_t len = 0;
    for (const peer *p = core->by_instance; p; p = p->by_instance.next) {
        const char *comma = len > 0 ? ", " : "";
        if (p->role == SC_ROLE_CLIENT)
            continue;
        if (len + strlen(comma) + strlen(p->name) + sizeof ", ..." > NAMES_BYTES) {
            snprintf(text + len, NAMES_BYTES - len, ", ...");
            return text;
        }
        len += (size_t)snprintf(text + len, NAMES_BYTES - len, "%s%s", comma, p->name);
    }
    return len > 0 ? text : "none";
}

// Itself and those that it looks after.
static uint32_t
count_processes(const sc_core *core, const peer *supervisor)
{
    uint32_t n = 1;
    for (const peer *p = core->by_instance; p; p = p->by_instance.next)
        n += p->worker && p->worker->supervisor == supervisor->instance;
    return n;
}

static void
answer(sc_core *core, peer *client, uint64_t request, uint32_t n_processes)
{
    sc_message m = {.type = SC_MSG_DRAINING, .draining = {request, n_processes}};
    sc_core_send(core, client, &m);
}

static void
drain_worker(sc_core *core, peer *client, uint64_t request, peer *p)
{
    uint64_t instance = p->worker->supervisor;
    peer *supervisor = instance ? sc_peers_find_instance(core, instance) : p;
    sc_message m = {.type = SC_MSG_STOP};
    if (!supervisor && core->is_restoring) {
        answer(core, client, request, 0);
        return;
    }
    if (!supervisor) {
        sc_core_refuse(core, client, request, SC_ESTATE,
                       "the supervisor of %s is out of touch; try again", p->name);
        return;
    }
    if (instance)
        m = (sc_message){.type = SC_MSG_DRAIN, .drain = {0, sc_text_of(p->name)}};
    sc_core_send(core, supervisor, &m);
    answer(core, client, request, 1);
}

void
sc_drain_take(sc_core *core, peer *client, const sc_drain *m)
{
    sc_message stop = {.type = SC_MSG_STOP};
    char names[NAMES_BYTES];
    peer *p = find_named(core, SC_ROLE_WORKER, m->name);
    if (p) {
        drain_worker(core, client, m->request, p);
        return;
    }
    p = find_named(core, SC_ROLE_SUPERVISOR, m->name);
    if (!p && core->is_restoring) { // it may not have come back yet
        answer(core, client, m->request, 0);
        return;
    }
    if (!p) {
        sc_core_refuse(core, client, m->request, SC_ENOTFOUND,
                       "no worker or supervisor is named %.*s; there are: %s", (int)m->name.len,
                       m->name.len ? m->name.data : "", list_names(core, names));
        return;
    }
    uint32_t n = count_processes(core, p);
    sc_core_send(core, p, &stop);
    answer(core, client, m->request, n);
}
