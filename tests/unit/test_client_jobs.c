/* SPDX-License-Identifier: Apache-2.0 */
/* libseedcore against a scripted coordinator: arrays and uploads. */
#include "tests/unit/test_client_support.h"

static void
take_array(world *w, const sc_message *m)
{
    const sc_open *o = &m->open;
    size_t at = 0;
    int len = snprintf(
        w->text, sizeof w->text, "%.*s,%.*s,%.*s,%u,%u,%llu,%llu,%llu,%llu%s:", (int)o->handler.len,
        o->handler.data, (int)o->name.len, o->name.data, (int)o->queue.len, o->queue.data,
        o->priority, o->retries, (unsigned long long)o->backoff_base_ms,
        (unsigned long long)o->backoff_max_ms, (unsigned long long)o->first_index,
        (unsigned long long)o->n_tasks, o->is_durable ? "" : ",volatile");

    cr_assert(o->is_array);
    for (uint32_t i = 0; i < sc_tasks_count(m->table); i++) {
        len += snprintf(w->text + len, sizeof w->text - (size_t)len, "%s%.*s", i ? "|" : "",
                        (int)sc_tasks_len(m->table, i), m->bytes.data + at);
        at += sc_tasks_len(m->table, i);
    }
    say(w, (sc_message){.type = SC_MSG_ACK,
                        .ack = {.request = o->request, .job = o->job, .of = SC_MSG_OPEN}});
}

static const struct {
    const char *name;
    sc_job_spec spec;
    uint64_t first, n;
    const char *args;
    int rc;
    const char *want;
} arrays[] = {
    {"defaults",
     {.handler = "h", .priority = -1},
     0,
     1,
     "1",
     0,
     "h,,default,4,0,1000,300000,0,1:1"},
    {"all of it",
     {.handler = "h",
      .name = "name",
      .queue = "q",
      .priority = 9,
      .retries = 65534,
      .backoff_base_ms = 1,
      .backoff_max_ms = 2,
      .is_volatile = true,
      .timeout_ms = 3,
      .kill_after_ms = 4,
      .expires_ms = 5,
      .key = "k",
      .on_any = true},
     5,
     1u << 31,
     "[\"$index\"]",
     0,
     "h,name,q,9,65534,1,2,5,2147483648,volatile:[|]"},
    {"no handler", {.handler = NULL}, 0, 1, "1", -EINVAL, NULL},
    {"an empty handler", {.handler = ""}, 0, 1, "1", -EINVAL, NULL},
    {"a handler with a line feed", {.handler = "h\n"}, 0, 1, "1", -EINVAL, NULL},
    {"a long handler",
     {.handler = long_name + SC_LABEL_MAX - SC_NAME_MAX},
     0,
     1,
     "1",
     -EINVAL,
     NULL},
    {"a long name", {.handler = "h", .name = long_name}, 0, 1, "1", -EINVAL, NULL},
    {"no id",
     {.handler = "h", .after = (const char *const[]){"18af"}, .n_after = 1},
     0,
     1,
     "1",
     -EINVAL,
     NULL},
    {"too many", {.handler = "h", .after = NULL, .n_after = 17}, 0, 1, "1", -EINVAL, NULL},
    {"a long key", {.handler = "h", .key = long_name}, 0, 1, "1", -EINVAL, NULL},
    {"a name that is no UTF-8", {.handler = "h", .name = "\xff"}, 0, 1, "1", -EINVAL, NULL},
    {"time limit", {.handler = "h", .timeout_ms = -1}, 0, 1, "1", -EINVAL, NULL},
    {"long time limit",
     {.handler = "h", .kill_after_ms = SC_LIMIT_MAX_MS + 1LL},
     0,
     1,
     "1",
     -EINVAL,
     NULL},
    {"priority", {.handler = "h", .priority = 10}, 0, 1, "1", -EINVAL, NULL},
    {"retries", {.handler = "h", .retries = 65535}, 0, 1, "1", -EINVAL, NULL},
    {"backoff", {.handler = "h", .backoff_base_ms = -1}, 0, 1, "1", -EINVAL, NULL},
    {"longest backoff", {.handler = "h", .backoff_max_ms = 86400001}, 0, 1, "1", -EINVAL, NULL},
    {"the longest backoff there is",
     {.handler = "h", .backoff_max_ms = 86400000},
     0,
     1,
     "1",
     0,
     "h,,default,0,0,1000,86400000,0,1:1"},
    {"no tasks", {.handler = "h"}, 0, 0, "1", -EINVAL, NULL},
    {"too many tasks", {.handler = "h"}, 0, (1ull << 31) + 1, "1", -EINVAL, NULL},
    {"past the last index", {.handler = "h"}, UINT64_MAX, 1, "1", -EINVAL, NULL},
    {"no arguments", {.handler = "h"}, 0, 1, "", -EINVAL, NULL},
};

Test(client_jobs, arrays)
{
    world *w = begin(take_array);
    int n = 0;

    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        int rc = sc_client_submit_array(w->client, &arrays[i].spec, arrays[i].first, arrays[i].n,
                                        arrays[i].args, strlen(arrays[i].args), on_submitted, w);

        cr_assert_eq(rc, arrays[i].rc, "%s: %d", arrays[i].name, rc);
        if (rc)
            continue;
        run_until(w, ++n);
        cr_assert_str_eq(w->text, arrays[i].want, "%s: %s", arrays[i].name, w->text);
    }
    end(w);
}

// Takes chunks in order and checks that task k is k in decimal with blanks behind it.
static void
take_upload(world *w, const sc_message *m)
{
    sc_ack ack = {.request = m->stop.request, .of = m->type, .number = 0, .window_bytes = 300000};

    if (m->type == SC_MSG_CHUNK) {
        size_t at = 0;

        cr_assert_eq(m->chunk.number, w->n_chunks++);
        cr_assert_eq(m->chunk.first, w->n_tasks);
        cr_assert_eq(sc_tasks_check(m->table, m->bytes, m->chunk.count, SC_TASK_MAX_BYTES), 0);
        for (uint32_t i = 0; i < m->chunk.count; at += sc_tasks_len(m->table, i++))
            cr_assert_eq((uint64_t)atoi((const char *)m->bytes.data + at), w->n_tasks++);
        ack.number = m->chunk.number;
    } else if (m->type == SC_MSG_COMMIT) {
        cr_assert_eq(m->commit.n_tasks, w->n_tasks);
        cr_assert_eq(m->commit.n_chunks, w->n_chunks);
    } else if (m->type == SC_MSG_DROP) {
        ended(w, NULL);
        return;
    }
    say(w, (sc_message){.type = SC_MSG_ACK, .ack = ack});
}

static void
feed(void *arg)
{
    world *w = arg;
    char task[100];

    w->n_rooms++;
    while (w->n_added < w->n_to_add) {
        int len = snprintf(task, sizeof task, "%-64d", (int)w->n_added);
        int rc = sc_upload_add(w->upload, task, (size_t)len);

        if (rc == -EAGAIN)
            return;
        cr_assert_eq(rc, 0);
        w->n_added++;
    }
    cr_assert_eq(sc_upload_commit(w->upload), 0);
    cr_assert_eq(sc_upload_commit(w->upload), -EINVAL);
    cr_assert_eq(sc_upload_add(w->upload, "1", 1), -EINVAL);
}

Test(client_jobs, upload)
{
    world *w = begin(take_upload);
    sc_job_spec spec = {.handler = "h"};

    w->n_to_add = MAX_TASKS;
    cr_assert_eq(sc_client_upload(w->client, &spec, feed, on_submitted, w, &w->upload), 0);
    cr_assert_eq(sc_upload_commit(w->upload), -EINVAL, "not one task");
    cr_assert_eq(sc_upload_add(w->upload, "", 0), -EINVAL);
    feed(w);
    run_until(w, 1);
    cr_assert_str_eq(w->log, "up ok ");
    cr_assert_eq(w->n_tasks, MAX_TASKS);
    cr_assert_gt(w->n_rooms, 2, "it waited for room");
    end(w);
}

// Nothing else is on its way when chunks are full: they go out by themselves.
Test(client_jobs, upload_after_a_pause)
{
    world *w = begin(take_upload);
    sc_job_spec spec = {.handler = "h"};

    w->n_to_add = MAX_TASKS;
    cr_assert_eq(sc_client_upload(w->client, &spec, feed, on_submitted, w, &w->upload), 0);
    cr_assert_eq(sc_client_submit_array(w->client, &spec, 0, 1, "1", 1, on_submitted, w), 0);
    run_until(w, 1); // the array's ACK came behind the upload's
    feed(w);
    run_until(w, 2);
    cr_assert_eq(w->n_tasks, MAX_TASKS);
    end(w);
}

static void
drop_at_end(void *arg, const char *job, const sc_failure *why)
{
    world *w = arg;

    sc_upload_drop(&w->upload);
    cr_assert_null(w->upload);
    on_submitted(arg, job, why);
}

Test(client_jobs, upload_dropped_at_its_end)
{
    world *w = begin(take_upload);
    sc_job_spec spec = {.handler = "h"};

    cr_assert_eq(sc_client_upload(w->client, &spec, NULL, drop_at_end, w, &w->upload), 0);
    cr_assert_eq(sc_upload_add(w->upload, "0", 1), 0);
    cr_assert_eq(sc_upload_commit(w->upload), 0);
    run_until(w, 1);
    cr_assert_str_eq(w->log, "up ok ");
    end(w);
}

// The content is that of a job from before; it is known once the upload is complete.
static void
take_again(world *w, const sc_message *m)
{
    sc_ack ack = {.request = m->stop.request, .of = m->type, .window_bytes = 300000};
    static const sc_uuid nil;
    const sc_uuid *digest = m->type == SC_MSG_COMMIT ? &m->commit.digest : &m->open.digest;
    bool is_known = m->type != SC_MSG_CHUNK && memcmp(digest, &nil, sizeof nil) != 0;

    ack.job = m->type == SC_MSG_COMMIT ? m->commit.job : m->open.job;
    if (is_known)
        memset(&ack.job, 0xab, sizeof ack.job);
    cr_assert(is_known || m->type == SC_MSG_CHUNK || (m->type == SC_MSG_OPEN && !m->open.is_array));
    say(w, (sc_message){.type = SC_MSG_ACK, .ack = ack});
}

static void
on_old_job(void *arg, const char *job, const sc_failure *why)
{
    cr_expect_str_eq(job, "abababab-abab-abab-abab-abababababab");
    on_submitted(arg, job, why);
}

Test(client_jobs, key)
{
    world *w = begin(take_again);
    sc_job_spec spec = {.handler = "h", .key = "k"};

    cr_assert_eq(sc_client_upload(w->client, &spec, NULL, on_old_job, w, &w->upload), 0);
    cr_assert_eq(sc_upload_add(w->upload, "0", 1), 0);
    cr_assert_eq(sc_upload_commit(w->upload), 0);
    cr_assert_eq(sc_client_submit_array(w->client, &spec, 0, 1, "1", 1, on_old_job, w), 0);
    run_until(w, 2);
    cr_assert_str_eq(w->log, "up ok ok ");
    end(w);
}

Test(client_jobs, upload_dropped)
{
    world *w = begin(take_upload);
    sc_job_spec spec = {.handler = "h"};

    w->react = take_array; // acknowledges OPEN alone
    cr_assert_eq(sc_client_submit_array(w->client, &spec, 0, 1, "1", 1, on_submitted, w), 0);
    run_until(w, 1);
    w->react = take_upload;
    cr_assert_eq(sc_client_upload(w->client, &spec, NULL, on_submitted, w, &w->upload), 0);
    cr_assert_eq(sc_upload_add(w->upload, "1", 1), 0);
    sc_upload_drop(&w->upload);
    cr_assert_null(w->upload);
    sc_upload_drop(&w->upload);
    run_until(w, 2); // DROP has come
    end(w);
}
