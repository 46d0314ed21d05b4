/* SPDX-License-Identifier: Apache-2.0 */
/* One link at a time to one of several endpoints: see uplink.h. */
#include "proto/uplink.h"

#include <stdio.h>
#include <stdlib.h>

struct sc_uplink {
    uv_loop_t *loop;
    sc_link_events events;
    sc_link *link; // never NULL, but while it closes
    sc_endpoints endpoints;
    unsigned at; // of endpoints
    void (*on_closed)(void *arg);
    void *closed_arg;
    char text[SC_ENDPOINTS_TEXT_MAX + 1];
};

/* What can be known of an endpoint before it is tried, said before anything starts. */
static int
check(const sc_endpoints *all, sc_error *err)
{
    char resolved[SC_ENDPOINT_MAX];
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < all->n; i++) {
        if (!sc_endpoint_is_fixed(all->items[i]))
            return sc_error_set(err, SC_EBADARG, "cannot connect to %s: its port is not 1 to 65535",
                                all->items[i]);
        rc = sc_endpoint_resolve(all->items[i], resolved, err);
    }
    return rc;
}

int
sc_uplink_open(uv_loop_t *loop, const char *endpoints, const sc_link_events *events,
               sc_uplink **out, sc_error *err)
{
    sc_uplink *u = calloc(1, sizeof *u);
    int rc;

    if (!u)
        return sc_error_set(err, SC_ENOMEM, "%s", sc_error_text(SC_ENOMEM));
    u->loop = loop;
    u->events = *events;
    rc = sc_endpoints_parse(endpoints, &u->endpoints, err);
    if (rc == 0)
        rc = check(&u->endpoints, err);
    if (rc == 0)
        rc = sc_link_connect(loop, u->endpoints.items[0], events, &u->link, err);
    if (rc < 0) {
        free(u);
        return rc;
    }
    snprintf(u->text, sizeof u->text, "%s", endpoints);
    *out = u;
    return 0;
}

void
sc_uplink_next(sc_uplink *u)
{
    sc_link *link;

    u->at = (u->at + 1) % u->endpoints.n;
    if (sc_link_connect(u->loop, u->endpoints.items[u->at], &u->events, &link, NULL) < 0)
        return;
    sc_link_close(&u->link, NULL, NULL);
    u->link = link;
}

int
sc_uplink_send(sc_uplink *u, const sc_message *message)
{
    return sc_link_send(u->link, 0, message);
}

void
sc_uplink_drain(sc_uplink *u)
{
    sc_link_drain(u->link);
}

static void
on_link_closed(void *arg)
{
    sc_uplink *u = arg;
    void (*on_closed)(void *arg) = u->on_closed;
    void *closed_arg = u->closed_arg;

    free(u);
    if (on_closed)
        on_closed(closed_arg);
}

void
sc_uplink_close(sc_uplink **u, void (*on_closed)(void *arg), void *arg)
{
    sc_uplink *own = *u;

    if (!own)
        return;
    *u = NULL;
    own->on_closed = on_closed;
    own->closed_arg = arg;
    sc_link_close(&own->link, on_link_closed, own);
}

const char *
sc_uplink_endpoint(const sc_uplink *u)
{
    return sc_link_endpoint(u->link);
}

const char *
sc_uplink_endpoints(const sc_uplink *u)
{
    return u->text;
}

unsigned
sc_uplink_count(const sc_uplink *u)
{
    return u->endpoints.n;
}
