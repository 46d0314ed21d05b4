/* SPDX-License-Identifier: Apache-2.0 */
/* Submitting: arrays in one message, other jobs task by task. Behind client/seedcore.h; the chunks
 * of an upload are chunks.c's, when they are said is the session's. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "client/args.h"
#include "client/client_int.h"
#include "client/digest.h"

enum {
    BACKOFF_BASE_MS = 1000,
    BACKOFF_LONGEST_MS = 300000, // where the caller names none
    BACKOFF_MAX_MS = 86400000,
    RETRIES_MAX = 65534,
    SPEC_TEXT_BYTES = 2 * SC_LABEL_MAX + 2 * SC_NAME_MAX,
};

/* What an OPEN points to. */
typedef struct spec_parts {
    sc_parent after[SC_MAX_PARENTS];
    char texts[SPEC_TEXT_BYTES];
} spec_parts;

struct sc_upload {
    sc_client_request base;
    sc_client *client;
    void (*on_room)(void *arg);
    sc_submit_cb on_done;
    void *arg;
    bool has_ended;    // on_done is running, the memory goes after it
    sc_digest *digest; // of a job with a key, until it is complete
    sc_chunks chunks;
    spec_parts parts;
};

/* ---- what both kinds of job say in OPEN ---- */

// Copies a text to *at, moves that behind it and lets `out` point to the copy; false where it is no
// such text.
static bool
keep_text(const char *text, size_t max, char **at, sc_text *out)
{
    size_t len = strlen(text);

    if (len > max || !sc_utf8_printable(text, len))
        return false;
    memcpy(*at, text, len);
    *out = (sc_text){*at, (uint32_t)len};
    *at += len;
    return true;
}

static bool
is_backoff(int64_t ms)
{
    return ms >= 0 && ms <= BACKOFF_MAX_MS;
}

static bool
is_limit(int64_t ms)
{
    return ms >= 0 && ms <= SC_LIMIT_MAX_MS;
}

static bool
keep_parents(const sc_job_spec *spec, sc_parent *after, sc_list *out)
{
    if (spec->n_after > SC_MAX_PARENTS)
        return false;
    for (size_t i = 0; i < spec->n_after; i++) {
        after[i].state = 0;
        if (!sc_uuid_parse(spec->after[i], strlen(spec->after[i]), &after[i].job))
            return false;
    }
    *out = (sc_list){after, (uint32_t)spec->n_after};
    return true;
}

static int
fill_open(sc_client *c, const sc_job_spec *spec, spec_parts *parts, sc_message *out)
{
    char *texts = parts->texts;
    uint64_t random[2] = {sc_random_u64(&c->random), sc_random_u64(&c->random)};
    sc_open open = {
        .job = sc_uuid_v7(sc_clock_unix_ms(), random),
        .priority = spec->priority < 0 ? SC_PRIORITY_DEFAULT : (uint32_t)spec->priority,
        .retries = spec->retries,
        .backoff_base_ms =
            (uint64_t)(spec->backoff_base_ms ? spec->backoff_base_ms : BACKOFF_BASE_MS),
        .backoff_max_ms =
            (uint64_t)(spec->backoff_max_ms ? spec->backoff_max_ms : BACKOFF_LONGEST_MS),
        .is_durable = !spec->is_volatile,
        .timeout_ms = (uint64_t)spec->timeout_ms,
        .kill_after_ms = (uint64_t)spec->kill_after_ms,
        .expires_ms = (uint64_t)spec->expires_ms,
        .on_any = spec->on_any,
    };

    if (!spec->handler || *spec->handler == '\0' || open.priority >= SC_PRIORITIES ||
        open.retries > RETRIES_MAX || !is_backoff(spec->backoff_base_ms) ||
        !is_backoff(spec->backoff_max_ms) || !is_limit(spec->timeout_ms) ||
        !is_limit(spec->kill_after_ms) || !is_limit(spec->expires_ms))
        return -EINVAL;
    if (!keep_text(spec->handler, SC_NAME_MAX, &texts, &open.handler) ||
        !keep_text(spec->name ? spec->name : "", SC_LABEL_MAX, &texts, &open.name) ||
        !keep_text(spec->queue ? spec->queue : "default", SC_NAME_MAX, &texts, &open.queue) ||
        !keep_text(spec->key ? spec->key : "", SC_LABEL_MAX, &texts, &open.key) ||
        !keep_parents(spec, parts->after, &open.after))
        return -EINVAL;
    *out = (sc_message){.type = SC_MSG_OPEN, .open = open};
    return 0;
}

// The job that was accepted: ours, or one from before that has our key. Where none was, ours.
static const sc_uuid *
accepted(const sc_client_request *r, const sc_message *answer)
{
    return answer ? &answer->ack.job : &r->message.open.job;
}

/* ---- arrays ---- */

static void
on_submitted(sc_client_request *base, const sc_message *answer, const sc_failure *why)
{
    sc_client_ask *ask = sc_client_ask_of(base);
    char job[SC_UUID_TEXT];

    ask->cb.submit(ask->arg, sc_uuid_format(accepted(base, answer), job), why);
    sc_client_ask_free(ask);
}

static int
add_digest(sc_message *m)
{
    sc_digest *digest;
    int rc = m->open.key.len ? sc_digest_new(m, &digest) : 0;

    if (rc || m->open.key.len == 0)
        return rc;
    sc_digest_add(digest, m->table.data, m->table.len);
    sc_digest_add(digest, m->bytes.data, m->bytes.len);
    m->open.digest = sc_digest_end(&digest);
    return 0;
}

int
sc_client_submit_array(sc_client *client, const sc_job_spec *spec, uint64_t first, uint64_t n,
                       const char *args, size_t args_len, sc_submit_cb cb, void *arg)
{
    sc_client_ask *ask;
    int rc;

    if (n == 0 || n > SC_JOB_MAX_TASKS || first > UINT64_MAX - n || args_len == 0)
        return -EINVAL;
    ask = sc_client_ask_new(client, arg, sizeof(spec_parts));
    if (!ask)
        return -ENOMEM;
    ask->cb.submit = cb;
    ask->base.on_end = on_submitted;
    rc = fill_open(client, spec, (spec_parts *)(void *)ask->texts, &ask->base.message);
    if (rc)
        goto fail;
    ask->base.message.open.is_array = true;
    ask->base.message.open.first_index = first;
    ask->base.message.open.n_tasks = n;
    rc = sc_args_cut(args, args_len, &ask->base.message);
    if (rc == 0)
        rc = add_digest(&ask->base.message);
    if (rc)
        goto fail;
    return sc_client_ask_start(ask);

fail:
    sc_client_ask_free(ask);
    return rc;
}

/* ---- uploads ---- */

static void
free_upload(sc_upload *u)
{
    sc_chunks_fini(&u->chunks);
    sc_digest_drop(&u->digest);
    free(u);
}

static void
on_upload_end(sc_client_request *base, const sc_message *answer, const sc_failure *why)
{
    sc_upload *u = SC_CONTAINER(base, sc_upload, base);
    char job[SC_UUID_TEXT];

    u->has_ended = true;
    u->on_done(u->arg, sc_uuid_format(accepted(base, answer), job), why);
    free_upload(u);
}

static void
on_upload_room(sc_client_request *base)
{
    sc_upload *u = SC_CONTAINER(base, sc_upload, base);

    if (u->on_room)
        u->on_room(u->arg);
}

int
sc_client_upload(sc_client *client, const sc_job_spec *spec, void (*on_room)(void *arg),
                 sc_submit_cb on_done, void *arg, sc_upload **out)
{
    sc_upload *u = calloc(1, sizeof *u);
    int rc;

    if (!u)
        return -ENOMEM;
    u->client = client;
    u->on_room = on_room;
    u->on_done = on_done;
    u->arg = arg;
    sc_chunks_init(&u->chunks);
    u->base.chunks = &u->chunks;
    u->base.on_end = on_upload_end;
    u->base.on_room = on_upload_room;
    rc = fill_open(client, spec, &u->parts, &u->base.message);
    if (rc == 0 && u->base.message.open.key.len)
        rc = sc_digest_new(&u->base.message, &u->digest);
    if (rc == 0)
        rc = sc_client_session_start(client->session, &u->base, sc_clock_ms());
    if (rc) {
        free_upload(u);
        return rc;
    }
    sc_client_arm(client);
    *out = u;
    return 0;
}

int
sc_upload_add(sc_upload *u, const void *payload, size_t len)
{
    uint32_t n_sealed = u->chunks.n_sealed;
    int rc;

    if (u->has_ended || u->base.has_commit || len == 0)
        return -EINVAL;
    rc = sc_chunks_add(&u->chunks, payload, len);
    if (rc == 0 && u->digest)
        sc_digest_add(u->digest, payload, len);
    if (u->chunks.n_sealed != n_sealed) {
        sc_client_session_push(u->client->session, &u->base, sc_clock_ms());
        sc_client_arm(u->client);
    }
    return rc;
}

int
sc_upload_commit(sc_upload *u)
{
    if (u->has_ended || u->base.has_commit || u->chunks.n_tasks == 0)
        return -EINVAL;
    if (u->digest)
        u->base.message.open.digest = sc_digest_end(&u->digest);
    sc_client_session_commit(u->client->session, &u->base, sc_clock_ms());
    sc_client_arm(u->client);
    return 0;
}

void
sc_upload_drop(sc_upload **upload)
{
    sc_upload *u = *upload;

    *upload = NULL;
    if (!u || u->has_ended)
        return;
    sc_client_session_drop(u->client->session, &u->base);
    free_upload(u);
}
