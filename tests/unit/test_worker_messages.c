/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's session, where the words of test_worker_session.c are too short: arguments of
 * tasks, the largest results, lists that need several messages. */
#include <string.h>

#include <criterion/criterion.h>

#include "base/log.h"
#include "proto/run.h"
#include "worker/session.h"

enum { N_RUNS = 1000, MAX_RESULT_BYTES = 10 };

struct world {
    sc_session *session;
    uint32_t n_held, n_items; // messages of the list, and items in them, runs from 1 on
    bool is_ready;
    sc_record result; // the last one
};

static const sc_hello_handler handlers[] = {{.name = {"quick", 5}, .kind = SC_SLOT_ASYNC}};
static const sc_hello hello = {.role = SC_ROLE_WORKER,
                               .name = {"w-1", 3},
                               .credit_tasks = N_RUNS,
                               .credit_bytes = 1 << 20,
                               .handlers = {handlers, 1}};

static int
on_send(void *arg, const sc_message *m)
{
    struct world *w = arg;
    const sc_held_run *runs = m->held.runs.items;

    switch (m->type) {
    case SC_MSG_HELD:
        cr_expect_not(w->is_ready, "READY comes last");
        for (uint32_t i = 0; i < m->held.runs.n; i++)
            cr_assert_eq(runs[i].token.run, ++w->n_items);
        w->n_held++;
        break;
    case SC_MSG_READY:
        w->is_ready = true;
        break;
    case SC_MSG_RESULTS:
        w->result = sc_records_get(m->table, 0);
        break;
    default:
        break;
    }
    return 0;
}

static void
welcome(struct world *w)
{
    sc_message m = {.type = SC_MSG_WELCOME,
                    .welcome = {.protocol = 1, .epoch = 9, .task_max_bytes = MAX_RESULT_BYTES}};

    sc_session_message(w->session, &m, 0);
}

static void
start(struct world *w)
{
    sc_session_config config = {.hello = &hello,
                                .heartbeat_ms = 100,
                                .lease_ms = 400,
                                .result_max_bytes = 1000,
                                .actions = {on_send, NULL, NULL, w}};

    *w = (struct world){0};
    sc_log_init(SC_LOG_ERROR, "test");
    cr_assert_eq(sc_session_new(&config, 0, &w->session), 0);
    welcome(w);
}

static void
add_run(struct world *w, uint64_t number, const uint32_t *lengths, uint32_t count,
        const char *bytes)
{
    sc_message m = {.type = SC_MSG_RUN,
                    .run = {.handler = {"quick", 5}, .token = {9, number}, .count = count},
                    .table = sc_slice_borrow(lengths, count * sizeof *lengths),
                    .bytes = sc_slice_borrow(bytes, strlen(bytes))};

    sc_session_message(w->session, &m, 0);
}

// Each task has its own arguments, also behind one that was given back.
Test(worker_messages, arguments)
{
    static const uint32_t lengths[] = {1, 2, 3, 2};
    static const char *const want[] = {"a", "ccc", "dd"};
    static const sc_ending ending = {.data = "1", .len = 1};
    struct world w;
    sc_started tasks[3];
    sc_message recall = {
        .type = SC_MSG_RECALL,
        .recall = {.token = {9, 1}, .first = 1, .count = 1, .mode = SC_RECALL_WAITING}};

    start(&w);
    add_run(&w, 1, lengths, 4, "abbcccdd");
    for (int i = 0; i < 3; i++) {
        sc_slice args;

        cr_assert(sc_session_take(w.session, SC_SLOT_ASYNC, &tasks[i]));
        cr_assert_eq(sc_started_args(&tasks[i], NULL, &args), 0);
        cr_expect(args.len == strlen(want[i]) && memcmp(args.data, want[i], args.len) == 0,
                  "task %d: %.*s", i, (int)args.len, (const char *)args.data);
        if (i == 0)
            sc_session_message(w.session, &recall, 0);
    }
    for (int i = 0; i < 3; i++)
        sc_session_end(w.session, &tasks[i], &ending, 0);
    cr_expect(sc_session_check(w.session));
    sc_session_free(&w.session);
}

// The coordinator says how large a result may be.
Test(worker_messages, largest_result)
{
    static const struct {
        const char *name;
        size_t len;
        uint8_t want;
    } rows[] = {
        {"as large as allowed", MAX_RESULT_BYTES, SC_DONE},
        {"one byte more", MAX_RESULT_BYTES + 1, SC_DEAD},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static const uint32_t length = 1;
        struct world w;
        sc_started task;
        sc_ending ending = {.data = "0123456789x", .len = rows[i].len};

        start(&w);
        add_run(&w, 1, &length, 1, "1");
        cr_assert(sc_session_take(w.session, SC_SLOT_ASYNC, &task), "%s", rows[i].name);
        sc_session_end(w.session, &task, &ending, 0);
        cr_expect_eq(w.result.outcome, rows[i].want, "%s", rows[i].name);
        cr_expect_eq(w.result.flags, 0, "%s: it would be as large again", rows[i].name);
        sc_session_free(&w.session);
    }
}

// What does not fit into one HELD comes in several, and READY after them.
Test(worker_messages, long_list)
{
    static const uint32_t length = 1;
    struct world w;

    start(&w);
    for (uint64_t i = 1; i <= N_RUNS; i++)
        add_run(&w, i, &length, 1, "1");
    w.is_ready = false;
    sc_session_message(w.session, &(sc_message){.type = SC_MSG_WHO}, 0);
    welcome(&w);
    cr_expect_eq(w.n_items, N_RUNS, "%u", w.n_items);
    cr_expect_gt(w.n_held, 1);
    cr_expect(w.is_ready);
    sc_session_free(&w.session);
}
