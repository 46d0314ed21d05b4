/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of the core: HELLO and its refusals, lists of what a worker holds, questions. */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/limits.h"
#include "tests/support/fake_core.h"

static sc_fake f;

static void
start(void)
{
    memset(&f, 0, sizeof f);
    sc_fake_start(&f);
}

static void
stop(void)
{
    sc_fake_stop(&f);
}

TestSuite(sessions, .init = start, .fini = stop);

static int64_t
refusal(uint64_t link)
{
    sc_message m;
    return sc_fake_take(&f, link, SC_MSG_REFUSED, &m) ? m.refused.code : 0;
}

Test(sessions, hello)
{
    static const struct {
        const char *name;
        uint32_t role, protocol_min, protocol_max;
        const char *peer;
        uint64_t instance;
        uint32_t slots, credit;
        const char *handler;
        int64_t want; // 0: WELCOME
    } rows[] = {
        {"client", SC_ROLE_CLIENT, 1, 1, "c", 9, 0, 0, NULL, 0},
        {"worker", SC_ROLE_WORKER, 1, 1, "w", 9, 1, 1, "a", 0},
        {"supervisor", SC_ROLE_SUPERVISOR, 1, 1, "s", 9, 0, 0, NULL, 0},
        {"speaks more", SC_ROLE_CLIENT, 0, 5, "c", 9, 0, 0, NULL, 0},
        {"too new", SC_ROLE_CLIENT, 2, 5, "c", 9, 0, 0, NULL, SC_EVERSION},
        {"too old", SC_ROLE_CLIENT, 0, 0, "c", 9, 0, 0, NULL, SC_EVERSION},
        {"no role", 0, 1, 1, "c", 9, 0, 0, NULL, SC_EBADARG},
        {"no name", SC_ROLE_CLIENT, 1, 1, "", 9, 0, 0, NULL, SC_EBADARG},
        {"no instance", SC_ROLE_CLIENT, 1, 1, "c", 0, 0, 0, NULL, SC_EBADARG},
        {"worker without slots", SC_ROLE_WORKER, 1, 1, "w", 9, 0, 1, "a", SC_EBADARG},
        {"worker without credit", SC_ROLE_WORKER, 1, 1, "w", 9, 1, 0, "a", SC_EBADARG},
        {"worker without handlers", SC_ROLE_WORKER, 1, 1, "w", 9, 1, 1, NULL, SC_EBADARG},
        {"handler without name", SC_ROLE_WORKER, 1, 1, "w", 9, 1, 1, "", SC_ELIMIT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_hello_handler h = {.name = sc_text_of(rows[i].handler)};
        sc_message m = {.type = SC_MSG_HELLO};
        stop();
        start();
        m.hello.role = rows[i].role;
        m.hello.name = sc_text_of(rows[i].peer);
        m.hello.instance = rows[i].instance;
        m.hello.protocol_min = rows[i].protocol_min;
        m.hello.protocol_max = rows[i].protocol_max;
        m.hello.slots_async = rows[i].slots;
        m.hello.credit_tasks = rows[i].credit;
        m.hello.handlers = (sc_list){&h, rows[i].handler != NULL};
        sc_fake_say(&f, 1, &m);
        bool is_welcome = sc_fake_take(&f, 1, SC_MSG_WELCOME, &m) != NULL;
        cr_expect_eq(is_welcome, rows[i].want == 0, "%s", rows[i].name);
        cr_expect_eq(is_welcome ? m.welcome.epoch : 7, 7, "%s", rows[i].name);
        cr_expect_eq(is_welcome ? m.welcome.protocol : 1, 1, "%s", rows[i].name);
        int64_t code = refusal(1);
        cr_expect_eq(code, rows[i].want, "%s: %lld", rows[i].name, (long long)code);
    }
}

Test(sessions, welcome_names_the_hello)
{
    sc_message m = {.type = SC_MSG_HELLO};
    m.hello = (sc_hello){.role = SC_ROLE_SUPERVISOR,
                         .name = sc_text_of("s"),
                         .instance = 9,
                         .protocol_min = 1,
                         .protocol_max = 1};
    for (m.hello.number = 3; m.hello.number < 5; m.hello.number++) {
        sc_message answer;
        sc_fake_say(&f, 2, &m);
        cr_assert(sc_fake_take(&f, 2, SC_MSG_WELCOME, &answer));
        cr_expect_eq(answer.welcome.hello, m.hello.number);
    }
}

// An old connection is slower than the new one: what is said there counts no more, or the session
// would move to a connection that nobody reads.
Test(sessions, a_hello_that_was_overtaken)
{
    sc_message answer, m = {.type = SC_MSG_HELLO};
    m.hello = (sc_hello){.role = SC_ROLE_SUPERVISOR,
                         .name = sc_text_of("s"),
                         .instance = 9,
                         .protocol_min = 1,
                         .protocol_max = 1,
                         .number = 2};
    sc_fake_say(&f, 3, &m);
    cr_assert(sc_fake_take(&f, 3, SC_MSG_WELCOME, &answer));
    m.hello.number = 1;
    sc_fake_say(&f, 2, &m);
    cr_expect_eq(sc_fake_count(&f, 2, SC_MSG_WELCOME), 0);
    sc_fake_say(&f, 3, &(sc_message){.type = SC_MSG_HEARTBEAT});
    cr_expect_eq(sc_fake_count(&f, 3, SC_MSG_WHO), 0, "the session is still there");
}

Test(sessions, refusal_of_a_version_names_both)
{
    sc_message m = {.type = SC_MSG_HELLO};
    m.hello = (sc_hello){.role = SC_ROLE_CLIENT,
                         .name = sc_text_of("c"),
                         .instance = 1,
                         .protocol_min = 3,
                         .protocol_max = 4};
    sc_fake_say(&f, 1, &m);
    cr_assert(sc_fake_take(&f, 1, SC_MSG_REFUSED, &m));
    cr_expect_eq(m.refused.protocol_min, SC_PROTOCOL_MIN);
    cr_expect_eq(m.refused.protocol_max, SC_PROTOCOL_MAX);
    cr_expect(sc_text_equal(m.refused.version, SC_VERSION));
}

// Whoever has not said HELLO is asked WHO, and nothing else happens.
Test(sessions, unknown_connection)
{
    static const sc_message_type types[] = {SC_MSG_HEARTBEAT, SC_MSG_BYE,    SC_MSG_OPEN,
                                            SC_MSG_READY,     SC_MSG_READ,   SC_MSG_RESULTS,
                                            SC_MSG_DIED,      SC_MSG_WELCOME};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        sc_fake_say(&f, 1, &(sc_message){.type = types[i]});
        cr_expect_eq(sc_fake_count(&f, 1, SC_MSG_WHO), 1, "%s", sc_message_name(types[i]));
        cr_expect_eq(f.n_sent, 1, "%s", sc_message_name(types[i]));
        sc_fake_forget_sent(&f);
    }
}

// What a role may not say, or what does not decode, costs the session.
Test(sessions, malformed_costs_the_session)
{
    static const struct {
        const char *name;
        int role; // 0 client, 1 worker, 2 supervisor
        sc_message_type type;
    } rows[] = {
        {"client says READY", 0, SC_MSG_READY},   {"client says RESULTS", 0, SC_MSG_RESULTS},
        {"client says DIED", 0, SC_MSG_DIED},     {"worker says OPEN", 1, SC_MSG_OPEN},
        {"worker says STOP", 1, SC_MSG_STOP},     {"supervisor says CALL", 2, SC_MSG_CALL},
        {"supervisor says HELD", 2, SC_MSG_HELD}, {"client says RUN", 0, SC_MSG_RUN},
        {"worker: no record", 1, SC_MSG_RESULTS},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stop();
        start();
        if (rows[i].role == 0)
            sc_fake_client(&f, 1);
        else if (rows[i].role == 1)
            sc_fake_worker_ready(&f, 1, NULL);
        else
            sc_fake_supervisor(&f, 1);
        sc_fake_say(&f, 1, &(sc_message){.type = rows[i].type, .results = {.number = 1}});
        cr_expect_eq(refusal(1), SC_EMALFORMED, "%s", rows[i].name);
        sc_fake_say(&f, 1, &(sc_message){.type = SC_MSG_HEARTBEAT});
        cr_expect_eq(sc_fake_count(&f, 1, SC_MSG_WHO), 1, "%s", rows[i].name);
    }
    sc_cluster counters;
    sc_core_counters(f.core, &counters);
    cr_expect_eq(counters.malformed, 1);
}

Test(sessions, malformed_bytes)
{
    sc_error err = {.code = SC_EMALFORMED, .text = "not a map"};
    sc_fake_client(&f, 1);
    sc_core_malformed(f.core, 1, &err, f.now_ms);
    cr_expect_eq(refusal(1), SC_EMALFORMED);
    sc_core_malformed(f.core, 2, &err, f.now_ms);
    cr_expect_eq(sc_fake_count(&f, 2, SC_MSG_WHO), 1);
    sc_core_check(f.core);
}

Test(sessions, names)
{
    sc_fake_worker a = {.name = "w", .instance = 1}, b = {.name = "w", .instance = 2};
    sc_fake_worker_ready(&f, 1, &a);
    sc_fake_worker_ready(&f, 2, &b);
    cr_expect_eq(refusal(2), SC_ENAMETAKEN, "another process has the name");
    sc_fake_worker_ready(&f, 3, &a);
    cr_expect_eq(sc_fake_count(&f, 3, SC_MSG_WELCOME), 1, "the same one on a new connection");
    sc_fake_say(&f, 1, &(sc_message){.type = SC_MSG_HEARTBEAT});
    cr_expect_eq(sc_fake_count(&f, 1, SC_MSG_WHO), 1, "its old connection is unknown now");
    sc_fake_pass(&f, 802, 0);
    sc_fake_worker_ready(&f, 2, &b);
    cr_expect_eq(sc_fake_count(&f, 2, SC_MSG_WELCOME), 1, "free after the lease");
    sc_fake_client(&f, 4);
    sc_fake_client(&f, 5);
    cr_expect_eq(sc_fake_count(&f, 5, SC_MSG_WELCOME), 1, "a client's name is never refused");
}

Test(sessions, name_is_free_once_reported_dead)
{
    sc_fake_worker a = {.name = "w", .instance = 1}, b = {.name = "w", .instance = 2};
    sc_run none = {0};
    sc_fake_supervisor(&f, 3);
    sc_fake_worker_ready(&f, 1, &a);
    sc_fake_died(&f, 3, 1, &none, 0, 0, false, SC_DEATH_KILLED);
    sc_fake_worker_ready(&f, 2, &b);
    cr_expect_eq(sc_fake_count(&f, 2, SC_MSG_WELCOME), 1);
}

// One connection is one session: who says HELLO on it ends the one before.
Test(sessions, another_on_the_same_connection)
{
    sc_cluster c;
    sc_fake_client(&f, 1);
    sc_fake_worker w = {.instance = 55};
    sc_fake_worker_ready(&f, 1, &w);
    sc_core_counters(f.core, &c);
    cr_expect(c.clients == 0 && c.workers == 1, "%u clients, %u workers", c.clients, c.workers);
}

Test(sessions, an_instance_keeps_its_role)
{
    sc_fake_worker w = {.instance = 101}; // that of the client on link 1
    sc_fake_client(&f, 1);
    sc_fake_hello_worker(&f, 2, &w);
    cr_expect_eq(refusal(2), SC_EBADARG);
}

Test(sessions, too_many_peers)
{
    for (uint64_t i = 1; i <= SC_MAX_PEERS; i++) {
        sc_fake_client(&f, 1000 + i);
        sc_fake_forget_sent(&f);
    }
    sc_fake_client(&f, 999);
    cr_expect_eq(refusal(999), SC_ELIMIT);
}

Test(sessions, too_many_handlers)
{
    char handlers[64];
    for (uint32_t i = 0; i < SC_MAX_HANDLERS; i++) {
        snprintf(handlers, sizeof handlers, "h%u", i);
        sc_fake_worker w = {.handlers = handlers, .instance = i + 1, .name = handlers};
        sc_fake_hello_worker(&f, 1, &w);
        sc_fake_say(&f, 1, &(sc_message){.type = SC_MSG_BYE});
        sc_fake_forget_sent(&f);
    }
    sc_fake_worker w = {.handlers = "one-more"};
    sc_fake_hello_worker(&f, 2, &w);
    cr_expect_eq(refusal(2), SC_ELIMIT);
    sc_fake_worker known = {.handlers = "h0 h7"};
    sc_fake_hello_worker(&f, 3, &known);
    cr_expect_eq(sc_fake_count(&f, 3, SC_MSG_WELCOME), 1, "known handlers are still welcome");
}

// More sets of handlers than there may be peers, one after the other.
Test(sessions, sets_of_handlers_that_nobody_offers)
{
    char handlers[32];
    for (uint32_t i = 0, n = 0; n <= SC_MAX_PEERS; i++)
        for (uint32_t k = 0; k < i && n <= SC_MAX_PEERS; k++, n++) {
            snprintf(handlers, sizeof handlers, "h%u h%u", i, k);
            sc_fake_worker w = {.handlers = handlers};
            sc_fake_hello_worker(&f, 1, &w);
            cr_assert_eq(sc_fake_count(&f, 1, SC_MSG_WELCOME), 1, "set %u: %s", n, handlers);
            sc_fake_say(&f, 1, &(sc_message){.type = SC_MSG_BYE});
            sc_fake_forget_sent(&f);
        }
}

/* ---- what a worker holds ---- */

Test(sessions, held)
{
    static const struct {
        const char *name;
        bool is_other_epoch, is_known;
        uint64_t first, count;
        uint32_t want_forget; // RECALL forget
        uint64_t want_again;  // tasks handed out again after READY
    } rows[] = {
        {"nothing listed", false, true, 0, 0, 0, 4},   {"all listed", false, true, 10, 4, 0, 0},
        {"a part listed", false, true, 11, 2, 0, 2},   {"unknown run", false, false, 10, 4, 1, 4},
        {"of another epoch", true, true, 10, 4, 1, 4}, {"beyond the run", false, true, 12, 3, 1, 4},
        {"before the run", false, true, 9, 1, 1, 4},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stop();
        start();
        sc_fake_worker four = {.slots_async = 4};
        sc_fake_client(&f, 1);
        sc_fake_worker_ready(&f, 2, &four);
        sc_fake_array(&f, 1, 1, 10, 4, NULL);
        sc_message m;
        cr_assert(sc_fake_take(&f, 2, SC_MSG_RUN, &m));
        sc_held_run one = {m.run.job, m.run.token, rows[i].first, rows[i].count, false,
                           1,         0,           false};
        one.token.epoch += rows[i].is_other_epoch;
        one.token.run += rows[i].is_known ? 0 : 100;
        sc_fake_hello_worker(&f, 3, &four); // another name, so as not to be mixed up
        sc_fake_forget_sent(&f);
        four.instance = 102;
        four.name = "w2";
        sc_fake_hello_worker(&f, 4, &four);
        if (rows[i].count > 0) {
            m = (sc_message){.type = SC_MSG_HELD, .held = {{&one, 1}}};
            sc_fake_say(&f, 4, &m);
        }
        cr_expect_eq(sc_fake_count(&f, 4, SC_MSG_RUN), 0, "%s: too early", rows[i].name);
        sc_fake_say(&f, 4, &(sc_message){.type = SC_MSG_READY});
        cr_expect_eq(sc_fake_count(&f, 4, SC_MSG_RECALL), rows[i].want_forget, "%s", rows[i].name);
        uint64_t again = 0;
        while (sc_fake_take(&f, 4, SC_MSG_RUN, &m))
            again += m.run.count;
        cr_expect_eq(again, rows[i].want_again, "%s: %llu again", rows[i].name,
                     (unsigned long long)again);
    }
}

// What a worker says it holds counts for itself, and until it says HELLO again.
Test(sessions, lists_that_do_not_count)
{
    static const struct {
        const char *name;
        bool is_others;
        uint32_t want_forget, want_again; // at the worker that listed
    } rows[] = {{"another's run", true, 1, 0}, {"listed before the last HELLO", false, 0, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t link = rows[i].is_others ? 3 : 2;
        sc_message m;
        stop();
        start();
        sc_fake_client(&f, 1);
        sc_fake_worker_ready(&f, 2, NULL);
        sc_fake_array(&f, 1, 1, 10, 2, NULL);
        cr_assert(sc_fake_take(&f, 2, SC_MSG_RUN, &m));
        sc_held_run one = {m.run.job, m.run.token, 10, 2, false, 1, 0, false};
        sc_fake_hello_worker(&f, link, NULL);
        m = (sc_message){.type = SC_MSG_HELD, .held = {{&one, 1}}};
        sc_fake_say(&f, link, &m);
        cr_expect_eq(sc_fake_count(&f, link, SC_MSG_RECALL), rows[i].want_forget, "%s",
                     rows[i].name);
        sc_fake_worker_ready(&f, link, NULL);
        cr_expect_eq(sc_fake_count(&f, link, SC_MSG_RUN), rows[i].want_again, "%s", rows[i].name);
    }
}

Test(sessions, draining_worker_gets_nothing)
{
    static const struct {
        const char *name;
        bool says_in_ready;
    } rows[] = {{"in READY", true}, {"in HEARTBEAT", false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stop();
        start();
        sc_fake_client(&f, 1);
        sc_fake_hello_worker(&f, 2, NULL);
        sc_message ready = {.type = SC_MSG_READY, .ready = {rows[i].says_in_ready}};
        sc_message heartbeat = {.type = SC_MSG_HEARTBEAT, .heartbeat = {.is_draining = true}};
        sc_fake_say(&f, 2, &ready);
        if (!rows[i].says_in_ready)
            sc_fake_say(&f, 2, &heartbeat);
        sc_fake_say(&f, 2, &(sc_message){.type = SC_MSG_READY}); // without HELLO: nothing
        sc_fake_array(&f, 1, 1, 0, 4, NULL);
        cr_expect_eq(sc_fake_count(&f, 2, SC_MSG_RUN), 0, "%s", rows[i].name);
    }
}

/* ---- questions ---- */

Test(sessions, ask_job)
{
    static const struct {
        const char *name;
        uint32_t job, n_digits;
        int64_t want;
    } rows[] = {
        {"whole id", 0x11, 32, 0},
        {"prefix of one", 0x11, 2, 0},
        {"prefix of two", 0x10, 1, SC_EAMBIGUOUS},
        {"unknown", 0x33, 32, SC_ENOJOB},
        {"unknown prefix", 0x33, 2, SC_ENOJOB},
        {"no digits", 0, 0, SC_ENOJOB},
        {"staged is not shown", 0x44, 32, SC_ENOJOB},
        {"staged by prefix", 0x44, 2, SC_ENOJOB},
    };
    sc_fake_client(&f, 1);
    sc_fake_worker_ready(&f, 2, NULL);
    sc_fake_array(&f, 1, 0x11, 0, 1, NULL);
    sc_fake_array(&f, 1, 0x12, 0, 1, NULL);
    sc_fake_open(&f, 1, 0x44, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_message m = {.type = SC_MSG_ASK};
        m.ask = (sc_ask){.request = 500 + i,
                         .what = SC_ASK_JOB,
                         .job = sc_fake_job(rows[i].job),
                         .n_digits = rows[i].n_digits};
        sc_fake_say(&f, 1, &m);
        cr_expect_eq(sc_fake_count(&f, 1, SC_MSG_JOBS), rows[i].want == 0, "%s", rows[i].name);
        sc_fake_take(&f, 1, SC_MSG_JOBS, &m);
        cr_expect_eq(refusal(1), rows[i].want, "%s", rows[i].name);
    }
}

Test(sessions, ask_lists)
{
    sc_message m = {.type = SC_MSG_ASK};
    sc_fake_worker b = {.name = "w-b", .handlers = "b"}, a = {.name = "w-a", .handlers = "a c"};
    sc_fake_client(&f, 1);
    m.ask = (sc_ask){.request = 1, .what = SC_ASK_HANDLERS, .wait = true};
    sc_fake_say(&f, 1, &m);
    cr_expect_eq(sc_fake_count(&f, 1, SC_MSG_HANDLERS), 0, "nobody is ready");
    sc_fake_worker_ready(&f, 2, &b);
    cr_assert(sc_fake_take(&f, 1, SC_MSG_HANDLERS, &m), "somebody is");
    cr_expect_eq(m.handlers.handlers.n, 1);
    sc_fake_worker_ready(&f, 3, &a);
    m = (sc_message){.type = SC_MSG_ASK, .ask = {.request = 2, .what = SC_ASK_HANDLERS}};
    m.ask.offset = 1;
    sc_fake_say(&f, 1, &m);
    cr_assert(sc_fake_take(&f, 1, SC_MSG_HANDLERS, &m));
    const sc_handler_info *handlers = m.handlers.handlers.items;
    cr_assert_eq(m.handlers.handlers.n, 2);
    cr_expect(sc_text_equal(handlers[0].name, "b") && sc_text_equal(handlers[1].name, "c"));
    m = (sc_message){.type = SC_MSG_ASK, .ask = {.request = 3, .what = SC_ASK_WORKERS}};
    sc_fake_say(&f, 1, &m);
    cr_assert(sc_fake_take(&f, 1, SC_MSG_WORKERS, &m));
    const sc_worker_info *workers = m.workers.workers.items;
    cr_assert_eq(m.workers.workers.n, 2);
    cr_expect(sc_text_equal(workers[0].name, "w-a"), "by name");
    m = (sc_message){.type = SC_MSG_ASK, .ask = {.request = 4, .what = SC_ASK_CLUSTER}};
    sc_fake_say(&f, 1, &m);
    cr_assert(sc_fake_take(&f, 1, SC_MSG_CLUSTER, &m));
    cr_expect(m.cluster.workers == 2 && m.cluster.clients == 1 && m.cluster.request == 4);
    m = (sc_message){.type = SC_MSG_ASK, .ask = {.request = 5}};
    sc_fake_say(&f, 1, &m);
    cr_expect_eq(refusal(1), SC_EMALFORMED, "no such question");
}

Test(sessions, ask_jobs_in_pages)
{
    sc_message m = {.type = SC_MSG_ASK, .ask = {.request = 1, .what = SC_ASK_JOBS}};
    stop();
    memset(&f, 0, sizeof f);
    sc_fake_init(&f);
    f.options.max_jobs = 300;
    sc_fake_start(&f);
    sc_fake_client(&f, 1);
    sc_fake_worker_ready(&f, 2, NULL);
    for (uint32_t i = 1; i <= 200; i++)
        sc_fake_array(&f, 1, i, 0, 1, NULL);
    sc_fake_say(&f, 1, &m);
    cr_assert(sc_fake_take(&f, 1, SC_MSG_JOBS, &m));
    const sc_job_info *infos = m.jobs.jobs.items;
    sc_uuid newest = sc_fake_job(200), last = infos[m.jobs.jobs.n - 1].id;
    cr_expect(m.jobs.has_more && memcmp(&infos[0].id, &newest, sizeof newest) == 0);
    uint32_t n = m.jobs.jobs.n;
    m = (sc_message){.type = SC_MSG_ASK, .ask = {.request = 2, .what = SC_ASK_JOBS, .job = last}};
    sc_fake_say(&f, 1, &m);
    cr_assert(sc_fake_take(&f, 1, SC_MSG_JOBS, &m));
    cr_expect(!m.jobs.has_more && m.jobs.jobs.n + n == 200);
    m = (sc_message){.type = SC_MSG_ASK, .ask = {.request = 3, .what = SC_ASK_JOBS}};
    m.ask.states = 1 << SC_JOB_SUCCEEDED;
    sc_fake_say(&f, 1, &m);
    cr_assert(sc_fake_take(&f, 1, SC_MSG_JOBS, &m));
    cr_expect_eq(m.jobs.jobs.n, 0, "none has ended");
}

// What only workers offered that have left is no longer offered.
Test(sessions, handlers_leave_with_their_workers)
{
    sc_fake_worker ab = {.handlers = "a b"}, b = {.handlers = "b"};
    sc_message m = {.type = SC_MSG_ASK, .ask = {.request = 1, .what = SC_ASK_HANDLERS}};
    sc_fake_client(&f, 1);
    sc_fake_worker_ready(&f, 2, &ab);
    sc_fake_worker_ready(&f, 3, &b);
    sc_fake_say(&f, 2, &(sc_message){.type = SC_MSG_BYE});
    sc_fake_say(&f, 1, &m);
    cr_assert(sc_fake_take(&f, 1, SC_MSG_HANDLERS, &m));
    const sc_handler_info *handlers = m.handlers.handlers.items;
    cr_assert_eq(m.handlers.handlers.n, 1);
    cr_expect(sc_text_equal(handlers[0].name, "b") && handlers[0].workers == 1);
}

// The watches of a client that says HELLO again are gone: it asks again.
Test(sessions, hello_again_forgets_watches)
{
    sc_message m = {.type = SC_MSG_ASK};
    m.ask = (sc_ask){.request = 1, .what = SC_ASK_HANDLERS, .wait = true};
    sc_fake_client(&f, 1);
    sc_fake_say(&f, 1, &m);
    sc_fake_client(&f, 1);
    m.ask.request = 2;
    sc_fake_say(&f, 1, &m);
    sc_fake_worker_ready(&f, 2, NULL);
    cr_expect_eq(sc_fake_count(&f, 1, SC_MSG_HANDLERS), 1);
}

// An upload that its client gave up while it was out of touch: DROP was lost, and after HELLO it
// says OPEN of the others only.
Test(sessions, upload_that_is_not_said_again)
{
    sc_open spec = {.handler = sc_text_of("a")};
    sc_fake_worker_ready(&f, 5, NULL);
    sc_fake_client(&f, 2);
    sc_fake_open(&f, 2, 1, &spec);
    sc_fake_open(&f, 2, 2, &spec);
    sc_fake_client(&f, 2);
    sc_fake_open(&f, 2, 2, &spec);
    sc_fake_pass(&f, f.options.staged_timeout_ms + 1000, 6);
    sc_fake_forget_sent(&f);
    sc_fake_commit(&f, 2, 1, 0, 0);
    cr_expect_eq(refusal(2), SC_ENOJOB, "given up");
    sc_fake_commit(&f, 2, 2, 0, 0);
    cr_expect_eq(refusal(2), SC_ESTATE, "still here: a commit of nothing is wrong");
}
