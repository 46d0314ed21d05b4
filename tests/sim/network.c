/* SPDX-License-Identifier: Apache-2.0 */
/* Connections: messages travel encoded, each takes its time, their order holds within a connection
 * and nowhere else. A broken connection loses what is on it; its process finds out by nothing but
 * silence, and says its next word on a new one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/world.h"

enum { KIND_BYTES = 3 }; // of a message: a map, its key 0, the type

static void
drop_packet(packet *p)
{
    sc_slice_drop(&p->header);
    sc_slice_drop(&p->table);
    sc_slice_drop(&p->bytes);
    free(p);
}

static void
drop_packets(conn *c, direction to)
{
    for (packet *p; (p = STAILQ_FIRST(&c->packets[to]));) {
        STAILQ_REMOVE_HEAD(&c->packets[to], node);
        drop_packet(p);
    }
}

// To whoever listens where it looks.
static conn *
new_conn(process *p, host *h)
{
    world *w = p->world;
    conn *c = calloc(1, sizeof *c);
    if (w->n_conns == w->max_conns) {
        w->max_conns = w->max_conns ? 2 * w->max_conns : 64;
        w->conns = realloc(w->conns, w->max_conns * sizeof(conn *));
    }
    SC_ASSERT(c && w->conns);
    w->conns[w->n_conns++] = c;
    c->link = w->n_conns;
    c->peer = p;
    c->host = h;
    c->is_open = true;
    STAILQ_INIT(&c->packets[TO_CORE]);
    STAILQ_INIT(&c->packets[TO_PEER]);
    return c;
}

/* ---- arriving ---- */

static int
decode(world *w, const packet *p, sc_message *out, void **memory, sc_error *err)
{
    // A copy of the exact size, gone after the call: whoever keeps a text too long is found.
    *memory = malloc(p->header.len);
    SC_ASSERT(*memory);
    memcpy(*memory, p->header.data, p->header.len);
    int rc = sc_message_decode(w->decoder, *memory, p->header.len, out, err);
    out->table = p->table;
    out->bytes = p->bytes;
    return rc < 0 ? rc : 0;
}

static void
hand_to_core(conn *c, const packet *p, const sc_message *m, const sc_error *err)
{
    if (c->peer->kind == A_BYSTANDER)
        sc_host_nonsense(c, m, err);
    else if (m)
        sc_host_message(c, m);
    else
        sc_sim_fail(c->peer->world, "%s does not decode: %s", sc_message_name(p->type), err->text);
}

static void
hand_to_peer(conn *c, const sc_message *m)
{
    switch (c->peer->kind) {
    case A_WORKER:
        sc_worker_message(c->peer, m);
        break;
    case A_SUPERVISOR:
        sc_supervisor_message(c->peer, m);
        break;
    case A_CLIENT:
        sc_client_message(c->peer, m);
        break;
    case A_BYSTANDER:
        sc_bystander_message(c->peer, m);
        break;
    }
}

static void
deliver(world *w, event *e)
{
    conn *c = e->object;
    direction to = (direction)e->number;
    int64_t stalled_until_us =
        to == TO_CORE ? c->host->stalled_until_us : c->peer->stalled_until_us;
    packet *p = STAILQ_FIRST(&c->packets[to]);
    if (!p)
        return;
    if (stalled_until_us > w->now_us) {
        sc_sim_after(w, stalled_until_us - w->now_us, deliver, c, to);
        return;
    }
    STAILQ_REMOVE_HEAD(&c->packets[to], node);
    sc_message m;
    void *memory;
    if (to == TO_CORE ? !c->host->is_dead : c->is_open && !c->peer->is_dead) {
        sc_error err = {0};
        int rc = decode(w, p, &m, &memory, &err);
        sc_trace(w, to == TO_CORE ? TRACE_TO_CORE : TRACE_TO_PEER, c->link, p->type,
                 (uint8_t)c->peer->name[0]);
        if (to == TO_CORE)
            hand_to_core(c, p, rc < 0 ? NULL : &m, &err);
        else
            hand_to_peer(c, &m);
        free(memory);
    }
    drop_packet(p);
}

/* ---- sending ---- */

// False: nobody listens where it looks.
static bool
reach(process *p)
{
    host *h = p->conn ? NULL : sc_host_at(p->world, p->endpoint);
    if (h)
        p->conn = new_conn(p, h);
    return p->conn != NULL;
}

static packet *
new_packet(world *w, const sc_message *m)
{
    packet *p = calloc(1, sizeof *p);
    SC_ASSERT(p);
    sc_buffer_clear(&w->encoded);
    int rc = sc_message_encode(m, &w->encoded);
    if (rc < 0)
        sc_sim_fail(w, "%s does not encode: %s", sc_message_name(m->type), sc_error_text(rc));
    p->type = m->type;
    p->header = sc_slice_of(sc_blob_copy(w->encoded.data, w->encoded.len));
    p->table = sc_slice_keep(m->table);
    p->bytes = sc_slice_keep(m->bytes);
    return p;
}

static packet *
copy_packet(const packet *from)
{
    packet *p = calloc(1, sizeof *p);
    SC_ASSERT(p);
    p->type = from->type;
    p->header = sc_slice_of(sc_blob_copy(from->header.data, from->header.len));
    p->table = sc_slice_keep(from->table);
    p->bytes = sc_slice_keep(from->bytes);
    return p;
}

// Keeps some of what is said, but for what a session of one's own may well say: HELLO of another's
// instance takes its session over, and nobody can tell.
static void
overhear(world *w, const packet *p)
{
    if (!w->shape.has_bystanders || p->type == SC_MSG_HELLO || p->type == SC_MSG_OPEN ||
        p->type == SC_MSG_CANCEL || p->type == SC_MSG_CALL || p->type == SC_MSG_STOP)
        return;
    packet **at = &w->overheard[sc_sim_random(w, N_OVERHEARD)];
    if (*at)
        drop_packet(*at);
    *at = copy_packet(p);
}

static void
send_packet(conn *c, direction to, packet *p)
{
    world *w = c->peer->world;
    int64_t at_us = w->now_us + 20 + (int64_t)sc_sim_random(w, (uint64_t)w->shape.delay_us);
    STAILQ_INSERT_TAIL(&c->packets[to], p, node);
    if (at_us < c->last_us[to])
        at_us = c->last_us[to];
    c->last_us[to] = at_us;
    sc_sim_after(w, at_us - w->now_us, deliver, c, to);
}

static void
put(conn *c, direction to, const sc_message *m)
{
    packet *p = new_packet(c->peer->world, m);
    if (to == TO_CORE && c->peer->kind != A_BYSTANDER)
        overhear(c->peer->world, p);
    send_packet(c, to, p);
}

void
sc_net_replay(process *p)
{
    world *w = p->world;
    const packet *from = w->overheard[sc_sim_random(w, N_OVERHEARD)];
    if (!from || p->is_dead || !reach(p))
        return;
    packet *copy = copy_packet(from);
    if (copy->header.len > KIND_BYTES && sc_sim_random(w, 2))
        ((uint8_t *)(uintptr_t)
             copy->header.data)[KIND_BYTES + sc_sim_random(w, copy->header.len - KIND_BYTES)] ^=
            (uint8_t)(1 << sc_sim_random(w, 8));
    send_packet(p->conn, TO_CORE, copy);
}

// Messages that may be said twice and change nothing the second time; an OPEN that is refused for
// want of a worker might be accepted then, which no session says twice.
static bool
may_repeat(sc_message_type type)
{
    return type == SC_MSG_CHUNK || type == SC_MSG_COMMIT || type == SC_MSG_CALL ||
           type == SC_MSG_RESULTS;
}

static void
room(world *w, event *e)
{
    process *p = e->object;
    (void)w;
    if (p->kind == A_CLIENT && !p->is_dead)
        sc_client_room(p);
}

// A queue is full for a moment, sometimes for longer than a lease.
static int64_t
fill(world *w, conn *c, direction to)
{
    static const uint64_t most_us[] = {500, 20000, 100000, 1500000};
    int64_t us =
        1 + (int64_t)sc_sim_random(w, most_us[sc_sim_random(w, 16) ? sc_sim_random(w, 3) : 3]);
    sc_trace(w, TRACE_FULL, c->link, to, (uint64_t)us);
    sc_sim_trouble(c->peer, us);
    return w->now_us + us;
}

int
sc_net_say(process *p, const sc_message *m)
{
    world *w = p->world;
    if (p->is_dead)
        return -EPIPE;
    if (!reach(p))
        return -EAGAIN;
    if (p->full_until_us <= w->now_us && sc_sim_chance(w, w->shape.p_full)) {
        p->full_until_us = fill(w, p->conn, TO_CORE);
        sc_sim_after(w, p->full_until_us - w->now_us, room, p, 0);
    }
    if (p->full_until_us > w->now_us)
        return -EAGAIN;
    put(p->conn, TO_CORE, m);
    if (may_repeat(m->type) && sc_sim_chance(w, w->shape.p_duplicate))
        put(p->conn, TO_CORE, m);
    return 0;
}

static void
lost(world *w, event *e)
{
    const conn *c = e->object;
    if (c->host->stalled_until_us > w->now_us)
        sc_sim_after(w, c->host->stalled_until_us - w->now_us, lost, e->object, 0);
    else if (!c->host->is_dead)
        sc_host_lost(c->host, c->link);
}

static void
ended(world *w, event *e)
{
    const conn *c = e->object;
    if (c->host->stalled_until_us > w->now_us)
        sc_sim_after(w, c->host->stalled_until_us - w->now_us, ended, e->object, 0);
    else if (!c->host->is_dead)
        sc_host_connection_ended(c->host);
}

// What the coordinator says, whether it arrives or not.
static void
note(conn *c, const sc_message *m)
{
    static const sc_uuid nil;
    world *w = c->peer->world;
    if (m->type == SC_MSG_WHO)
        c->host->who_link = c->link;
    else if (m->type == SC_MSG_RUN && memcmp(&m->run.job, &nil, sizeof nil) == 0)
        sc_calls_handed(w, c->peer, m);
    else if (m->type == SC_MSG_RUN && !c->host->is_deposed)
        sc_plan_handed(w, c->peer, &m->run);
    else if (m->type == SC_MSG_JOBS && !c->host->is_deposed)
        sc_retry_told(c->peer, m->jobs.request);
    else if (m->type == SC_MSG_REPLY)
        sc_calls_told(c->peer, m->reply.request);
}

void
sc_net_tell(host *h, uint64_t link, const sc_message *m)
{
    world *w = h->world;
    conn *c = w->conns[link - 1];
    note(c, m);
    if (c->full_until_us <= w->now_us && sc_sim_chance(w, w->shape.p_core_full))
        c->full_until_us = fill(w, c, TO_PEER);
    if (c->full_until_us > w->now_us) // its peer lives: what was said before still arrives
        sc_sim_after(w, 10, lost, c, 0);
    else if (c->is_open && !c->peer->is_dead)
        put(c, TO_PEER, m);
    else if (sc_sim_random(w, 4) > 0) // or it is not known yet, and vanishes
        sc_sim_after(w, 10, lost, c, 0);
}

void
sc_net_cut(process *p, bool keeps_sent)
{
    conn *c = p->conn;
    if (!c)
        return;
    sc_trace(p->world, TRACE_CUT, c->link, 0, 0);
    p->world->n_cuts++;
    sc_sim_trouble(p, 0);
    c->is_open = false;
    p->conn = NULL;
    drop_packets(c, TO_PEER);
    if (!keeps_sent)
        drop_packets(c, TO_CORE);
    if (sc_sim_random(p->world, 4) > 0) // or nobody is told: the host behind it is gone
        sc_sim_after(p->world, (int64_t)sc_sim_random(p->world, 3000), ended, c, 0);
}

void
sc_net_next(process *p)
{
    sc_net_cut(p, sc_sim_random(p->world, 2));
    p->endpoint = (p->endpoint + 1) % N_ENDPOINTS;
}

void
sc_net_host_gone(host *h)
{
    world *w = h->world;
    for (uint32_t i = 0; i < w->n_processes; i++) {
        process *p = w->processes[i];
        if (w->shape.has_standby) // a lease until it misses it, then it looks for the other
            sc_sim_trouble(p, 2 * LEASE_MS * US_A_MS);
        if (p->conn && p->conn->host == h)
            sc_net_cut(p, !w->shape.is_restarts_only && sc_sim_random(w, 2));
    }
}

void
sc_net_delay(process *p, int64_t us)
{
    if (!p->conn)
        return;
    sc_sim_trouble(p, us);
    for (int to = 0; to < N_DIRECTIONS; to++)
        p->conn->last_us[to] = p->world->now_us + us;
}

void
sc_net_free(world *w)
{
    for (int i = 0; i < N_OVERHEARD; i++)
        if (w->overheard[i])
            drop_packet(w->overheard[i]);
    for (uint64_t i = 0; i < w->n_conns; i++) {
        drop_packets(w->conns[i], TO_CORE);
        drop_packets(w->conns[i], TO_PEER);
        free(w->conns[i]);
    }
    free(w->conns);
}
