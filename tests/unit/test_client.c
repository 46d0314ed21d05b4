/* SPDX-License-Identifier: Apache-2.0 */
/* libseedcore against a scripted coordinator: calls, results, questions, beginning and end. Every
 * test ends with the loop empty. */
#include "tests/unit/test_client_support.h"

/* ---- calls and pages ---- */

// A payload of results: record i has offset 2i, attempt i + 1, worker i % 3 and the given value.
typedef struct results {
    sc_record records[8];
    char bytes[256];
    uint32_t n;
    size_t len;
} results;

static void
add_result(results *r, uint8_t outcome, const char *value)
{
    r->records[r->n] = (sc_record){.offset = 2 * r->n,
                                   .len = (uint32_t)strlen(value),
                                   .attempt = (uint16_t)(r->n + 1),
                                   .worker = (uint16_t)(r->n % 3),
                                   .outcome = outcome};
    memcpy(r->bytes + r->len, value, strlen(value));
    r->len += strlen(value);
    r->n++;
}

static sc_message
with_results(sc_message m, const results *r)
{
    m.table = sc_slice_borrow(r->records, r->n * sizeof *r->records);
    m.bytes = sc_slice_borrow(r->bytes, r->len);
    return m;
}

static void
note_row(world *w, const sc_result_row *row)
{
    note(w, "%llu,%d,%u,%s,%.*s ", (unsigned long long)row->index, (int)row->status, row->attempt,
         row->worker, (int)row->value_len, row->value);
}

static void
on_reply(void *arg, const sc_result_row *row, const sc_failure *why)
{
    world *w = arg;

    cr_assert_eq(row == NULL, why != NULL);
    if (row)
        note_row(w, row);
    ended(w, why);
}

static void
answer_call(world *w, const sc_message *m)
{
    results r = {0};
    sc_message reply = {.type = SC_MSG_REPLY, .reply = {m->call.request, {"w1", 2}}};

    cr_assert_eq(m->type, SC_MSG_CALL);
    cr_assert_eq(sc_tasks_check(m->table, m->bytes, 1, SC_TASK_MAX_BYTES), 0);
    cr_assert(sc_text_equal(m->call.handler, "echo"));
    if (m->bytes.len == 1) { // "0": two results for one call
        add_result(&r, SC_DONE, "1");
        add_result(&r, SC_DONE, "2");
    } else {
        add_result(&r, m->bytes.len > 5 ? SC_DEAD : SC_DONE, "{}");
    }
    say(w, with_results(reply, &r));
}

static const struct {
    const char *name, *args;
    int64_t timeout_ms;
    const char *want;
} calls[] = {
    {"done", "{\"a\"}", 0, "0,0,1,w1,{} ok "},
    {"dead", "{\"ab\"}", 86400000, "0,1,1,w1,{} ok "},
    {"not one result", "0", 0, "(malformed) "},
};

Test(client, calls)
{
    world *w = begin(answer_call);

    for (int i = 0; i < (int)(sizeof calls / sizeof *calls); i++) {
        cr_assert_eq(sc_client_call(w->client, "echo", calls[i].args, strlen(calls[i].args),
                                    calls[i].timeout_ms, on_reply, w),
                     0);
        cr_assert_eq(w->n_ends, i, "%s: never before it returned", calls[i].name);
        run_until(w, i + 1);
        cr_assert_str_eq(i ? w->log : w->log + 3, calls[i].want, "%s: %s", calls[i].name, w->log);
        w->log[0] = '\0';
    }
    end(w);
}

static void
answer_read(world *w, const sc_message *m)
{
    static const sc_worker_name names[] = {{{"wa", 2}}, {{"wb", 2}}, {{"wc", 2}}};
    results r = {0};
    sc_message page = {.type = SC_MSG_PAGE,
                       .page = {.request = m->read.request,
                                .base = 100,
                                .next = m->read.from + 3,
                                .workers = {names, m->read.from == 9 ? 3 : 2}}};

    cr_assert_eq(m->type, SC_MSG_READ);
    snprintf(w->text, sizeof w->text, "%u,%u,%d", m->read.order, m->read.max_bytes, m->read.wait);
    if (m->read.from % 9 == 0) {
        add_result(&r, SC_DONE, "[1]");
        add_result(&r, SC_DEAD, "");
        add_result(&r, SC_CANCELLED, "{\"code\":\"x\"}");
        page.page.n_dropped = 4;
    } else if (m->read.from == 3) {
        page.page.is_end = true;
    } else {
        add_result(&r, SC_DONE, "[1]");
        r.records[0].len = 9; // more than there is
    }
    say(w, with_results(page, &r));
}

static void
on_page(void *arg, const sc_result_page *page, const sc_failure *why)
{
    world *w = arg;

    cr_assert_eq(page == NULL, why != NULL);
    if (page) {
        for (size_t i = 0; i < page->n_rows; i++)
            note_row(w, &page->rows[i]);
        note(w, "next=%llu,%d,%llu ", (unsigned long long)page->next, page->is_end,
             (unsigned long long)page->n_dropped);
    }
    ended(w, why);
}

static const struct {
    const char *name;
    uint64_t from;
    sc_result_order order;
    uint32_t max_bytes;
    bool wait;
    const char *asked, *want;
} reads[] = {
    {"each with its worker", 9, SC_BY_INDEX, 0, true, "0,1048576,1",
     "100,0,1,wa,[1] 102,1,2,wb, 104,2,3,wc,{\"code\":\"x\"} next=12,0,4 ok "},
    {"a worker that is not named", 0, SC_BY_INDEX, 0, true, "0,1048576,1",
     "100,0,1,wa,[1] 102,1,2,wb, 104,2,3,,{\"code\":\"x\"} next=3,0,4 ok "},
    {"an empty last page", 3, SC_AS_ENDED, 5000, false, "2,5000,0", "next=6,1,0 ok "},
    {"a table that does not fit", 6, SC_BY_INDEX_ENDED, UINT32_MAX, false, "1,16777216,0",
     "(malformed) "},
};

Test(client, reads)
{
    world *w = begin(answer_read);

    for (int i = 0; i < (int)(sizeof reads / sizeof *reads); i++) {
        cr_assert_eq(sc_client_read(w->client, JOB_ID, reads[i].from, reads[i].order,
                                    reads[i].max_bytes, reads[i].wait, on_page, w),
                     0, "%s", reads[i].name);
        run_until(w, i + 1);
        cr_assert_str_eq(i ? w->log : w->log + 3, reads[i].want, "%s: %s", reads[i].name, w->log);
        cr_assert_str_eq(w->text, reads[i].asked, "%s: %s", reads[i].name, w->text);
        w->log[0] = '\0';
    }
    end(w);
}

/* ---- questions ---- */

static void
answer_ask(world *w, const sc_message *m)
{
    static const sc_worker_info workers[] = {
        {.name = {"w1", 2}, .host = {"h", 1}, .state = {"ready", 5}, .pid = 9}};
    static const sc_handler_info handlers[] = {{{"echo", 4}, {"says it", 7}, 2}};
    sc_job_info jobs[2] = {{.id = {{1}}, .name = {"a", 1}, .state = SC_JOB_RUNNING, .total = 5},
                           {.id = {{2}}, .name = {"b", 1}, .state = SC_JOB_SUCCEEDED}};
    sc_jobs list = {.request = m->ask.request, .jobs = {jobs, 2}};

    cr_assert_eq(m->type, SC_MSG_ASK);
    snprintf(w->text, sizeof w->text, "%u,%u,%d", m->ask.n_digits, m->ask.states, m->ask.wait);
    switch (m->ask.what) {
    case SC_ASK_JOB:
        list.jobs.n = m->ask.n_digits == 32 ? 1 : 0;
        say(w, (sc_message){.type = SC_MSG_JOBS, .jobs = list});
        break;
    case SC_ASK_JOBS: // three pages: 1 2, 3 4, 5 6
        jobs[0].id.bytes[0] = (uint8_t)(m->ask.job.bytes[0] + 1);
        jobs[1].id.bytes[0] = (uint8_t)(m->ask.job.bytes[0] + 2);
        list.has_more = m->ask.job.bytes[0] < 4;
        say(w, (sc_message){.type = SC_MSG_JOBS, .jobs = list});
        break;
    case SC_ASK_WORKERS: // three of one
        say(w, (sc_message){.type = SC_MSG_WORKERS,
                            .workers = {list.request, m->ask.offset < 2, {workers, 1}}});
        break;
    case SC_ASK_HANDLERS:
        say(w, (sc_message){.type = SC_MSG_HANDLERS,
                            .handlers = {list.request, false, {handlers, 1}}});
        break;
    default:
        say(w, (sc_message){.type = SC_MSG_CLUSTER,
                            .cluster = {.request = list.request, .version = {"9", 1}, .done = 3}});
        break;
    }
}

static void
on_job(void *arg, const sc_job_status *job, const sc_failure *why)
{
    world *w = arg;

    if (job)
        note(w, "%.2s,%s,%s,%d,%d ", job->id, job->name, job->state, job->has_ended,
             (int)job->total);
    else
        ended(w, why);
}

static void
on_one_job(void *arg, const sc_job_status *job, const sc_failure *why)
{
    on_job(arg, job, why);
    if (job)
        ended(arg, why);
}

static void
on_worker(void *arg, const sc_worker_status *worker, const sc_failure *why)
{
    world *w = arg;

    if (worker)
        note(w, "%s,%s,%s,%d ", worker->worker, worker->host, worker->state, (int)worker->pid);
    else
        ended(w, why);
}

static void
on_handler(void *arg, const sc_handler_status *handler, const sc_failure *why)
{
    world *w = arg;

    if (handler)
        note(w, "%s,%s,%u ", handler->handler, handler->description, handler->workers);
    else
        ended(w, why);
}

static void
on_cluster(void *arg, const sc_cluster_status *cluster, const sc_failure *why)
{
    world *w = arg;

    if (cluster)
        note(w, "%s,%d,%d ", cluster->version, (int)cluster->done,
             !strcmp(cluster->endpoint, w->endpoint));
    ended(w, why);
}

static int
ask(world *w, int what)
{
    switch (what) {
    case 0:
        return sc_client_job(w->client, JOB_ID, true, on_one_job, w);
    case 1:
        return sc_client_job(w->client, "0193a", false, on_one_job, w);
    case 2:
        return sc_client_jobs(w->client, NULL, 0, on_job, w);
    case 3:
        return sc_client_jobs(w->client, "running", 3, on_job, w);
    case 4:
        return sc_client_workers(w->client, on_worker, w);
    case 5:
        return sc_client_handlers(w->client, true, on_handler, w);
    default:
        return sc_client_cluster(w->client, on_cluster, w);
    }
}

static const struct {
    const char *name, *asked, *want;
} questions[] = {
    {"a job", "32,0,1", "01,a,running,0,5 ok "},
    {"a prefix, and a strange answer", "5,0,0", "(malformed) "},
    {"all jobs", "0,0,0",
     "01,a,running,0,5 02,b,succeeded,1,0 03,a,running,0,5 04,b,succeeded,1,0 05,a,running,0,5 "
     "06,b,succeeded,1,0 ok "},
    {"some jobs", "0,4,0", "01,a,running,0,5 02,b,succeeded,1,0 03,a,running,0,5 ok "},
    {"workers", "0,0,0", "w1,h,ready,9 w1,h,ready,9 w1,h,ready,9 ok "},
    {"handlers", "0,0,1", "echo,says it,2 ok "},
    {"the cluster", "0,0,0", "9,3,1 ok "},
};

Test(client, questions)
{
    world *w = begin(answer_ask);

    for (int i = 0; i < (int)(sizeof questions / sizeof *questions); i++) {
        cr_assert_eq(ask(w, i), 0, "%s", questions[i].name);
        run_until(w, i + 1);
        cr_assert_str_eq(i ? w->log : w->log + 3, questions[i].want, "%s: %s", questions[i].name,
                         w->log);
        cr_assert_str_eq(w->text, questions[i].asked, "%s: %s", questions[i].name, w->text);
        w->log[0] = '\0';
    }
    cr_assert_eq(sc_client_jobs(w->client, "walking", 0, on_job, w), -EINVAL);
    cr_assert_eq(sc_client_job(w->client, "xyz", false, on_job, w), -EINVAL);
    cr_assert_eq(sc_client_read(w->client, "0193a", 0, SC_BY_INDEX, 0, false, on_page, w), -EINVAL);
    cr_assert_eq(sc_client_call(w->client, "", "1", 1, 0, on_reply, w), -EINVAL);
    cr_assert_eq(sc_client_call(w->client, "h", "", 0, 0, on_reply, w), -EINVAL);
    cr_assert_eq(sc_client_call(w->client, "h", "1", 1, -1, on_reply, w), -EINVAL);
    cr_assert_eq(sc_client_call(w->client, "h", "1", 1, 86400001, on_reply, w), -EINVAL);
    cr_assert_eq(sc_client_read(w->client, JOB_ID, 0, (sc_result_order)5, 0, false, on_page, w),
                 -EINVAL);
    end(w);
}

static void
on_stop(void *arg, const char *host, const uint64_t *pids, size_t n_pids, const sc_failure *why)
{
    world *w = arg;

    if (host)
        note(w, "%s,%d,%d,%d ", host, (int)n_pids, (int)pids[0], (int)pids[1]);
    ended(w, why);
}

static void
answer_stop(world *w, const sc_message *m)
{
    static const sc_process processes[] = {{11}, {22}};

    cr_assert_eq(m->type, SC_MSG_STOP);
    say(w, (sc_message){.type = SC_MSG_STOPPING,
                        .stopping = {m->stop.request, {"here", 4}, {processes, 2}}});
}

Test(client, stop)
{
    world *w = begin(answer_stop);

    cr_assert_eq(sc_client_stop(w->client, on_stop, w), 0);
    run_until(w, 1);
    cr_assert_str_eq(w->log, "up here,2,11,22 ok ");
    end(w);
}

/* ---- beginning and end ---- */

Test(client, close_fails_what_is_open)
{
    world *w = begin(NULL); // answers nothing
    sc_job_spec spec = {.handler = "h"};

    cr_assert_eq(sc_client_call(w->client, "h", "1", 1, 0, on_reply, w), 0);
    cr_assert_eq(sc_client_jobs(w->client, NULL, 0, on_job, w), 0);
    cr_assert_eq(sc_client_upload(w->client, &spec, NULL, on_submitted, w, &w->upload), 0);
    sc_client_close(&w->client, on_client_closed, w);
    cr_assert_str_eq(w->log, "(closed) (closed) (closed) ");
    cr_assert_not(w->is_client_closed);
    end(w);
}

static void
close_in_list(void *arg, const sc_job_status *job, const sc_failure *why)
{
    world *w = arg;

    if (job)
        sc_client_close(&w->client, on_client_closed, w);
    on_job(arg, job, why);
}

Test(client, close_in_a_list)
{
    world *w = begin(answer_ask);

    cr_assert_eq(sc_client_jobs(w->client, NULL, 0, close_in_list, w), 0);
    run_until(w, 1);
    cr_assert_str_eq(w->log, "up (closed) 01,a,running,0,5 ", "%s", w->log);
    end(w);
}

Test(client, close_in_a_callback)
{
    world *w = begin(answer_call);

    for (int i = 0; i < 3; i++)
        cr_assert_eq(sc_client_call(w->client, "echo", "11", 2, 0, on_reply, w), 0);
    w->must_close = true;
    run_until(w, 3);
    cr_assert_str_eq(w->log, "up 0,0,1,w1,{} ok (closed) (closed) ", "%s", w->log);
    end(w);
}

static void
refuse(world *w, const sc_message *m)
{
    say(w,
        (sc_message){.type = SC_MSG_REFUSED,
                     .refused = {m->stop.request, SC_ENOHANDLER, {"no handler h", 12}, 0, 0, {0}}});
}

Test(client, refused)
{
    world *w = begin(refuse);

    cr_assert_eq(sc_client_call(w->client, "h", "1", 1, 0, on_reply, w), 0);
    run_until(w, 1);
    cr_assert_str_eq(w->log, "up (unknown_handler) ");
    end(w);
}

// The coordinator goes and another comes to its endpoint.
Test(client, another_coordinator)
{
    world *w = begin(NULL);
    sc_link_events events = {on_message, on_malformed, NULL, NULL, w};
    char endpoint[100];

    cr_assert_eq(sc_client_call(w->client, "h", "1", 1, 0, on_reply, w), 0);
    cr_assert_eq(sc_client_cluster(w->client, on_cluster, w), 0);
    while (w->n_questions < 2 && !w->is_late)
        uv_run(&w->loop, UV_RUN_ONCE);
    snprintf(endpoint, sizeof endpoint, "%s", w->endpoint);
    sc_link_close(&w->link, NULL, NULL);
    w->epoch = 8;
    w->react = answer_ask;
    w->known = 0;
    while (sc_link_listen(&w->loop, endpoint, &events, &w->link, NULL)) // until the port is free
        uv_run(&w->loop, UV_RUN_ONCE);
    run_until(w, 2);
    cr_assert_str_eq(w->log, "up up (lost) 9,3,1 ok ", "%s", w->log);
    end(w);
}

Test(client, unreachable)
{
    world *w = begin(NULL);
    sc_client *lonely = NULL;
    sc_client_options options = {.endpoint = "ipc:///nonexistent/seedcore",
                                 .connect_timeout_ms = 20,
                                 .on_event = on_client_event,
                                 .arg = w};

    cr_assert_eq(sc_client_new(&w->loop, &options, &lonely), 0);
    cr_assert_eq(sc_client_call(lonely, "h", "1", 1, 0, on_reply, w), 0);
    run_until(w, 1);
    while (!strstr(w->log, "unreachable") && !w->is_late)
        uv_run(&w->loop, UV_RUN_ONCE);
    cr_assert(strstr(w->log, "(no_coordinator) unreachable=no_coordinator"), "%s", w->log);
    cr_assert_eq(sc_client_call(lonely, "h", "1", 1, 0, on_reply, w), SC_ENOCOORD);
    sc_client_set_timeout(lonely, -1);
    cr_assert_eq(sc_client_call(lonely, "h", "1", 1, 0, on_reply, w), 0);
    sc_client_close(&lonely, NULL, NULL);
    end(w);
}

static const struct {
    const char *name;
    sc_client_options options;
} wrong[] = {
    {"no kind of endpoint", {.endpoint = "here"}},
    {"an empty name", {.name = ""}},
    {"a long name", {.name = long_name}},
    {"a name with a bell", {.name = "a\a"}},
};

Test(client, options)
{
    uv_loop_t loop;
    sc_client *client = NULL;

    uv_loop_init(&loop);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int rc = sc_client_new(&loop, &wrong[i].options, &client);

        cr_assert_eq(rc, -EINVAL, "%s: %d", wrong[i].name, rc);
    }
    sc_client_close(&client, NULL, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&loop), 0);
}
