/* SPDX-License-Identifier: Apache-2.0 */
/* Each piece of memory that a worker's session asks for is refused once: what it was given it
 * answers for all the same, with results or by giving it back. */
#include "tests/support/memory.h"
#include "tests/unit/test_worker_script.h"

enum { N_TASKS = 5 + 4 + 3, SECONDS = 10 };

static struct world w;
static uint32_t n_answered;

static int
count_answers(void *arg, const sc_message *m)
{
    (void)arg;
    if (m->type == SC_MSG_RESULTS) {
        sc_message ack = {.type = SC_MSG_RESULTS_ACK, .results_ack.number = m->results.number};
        n_answered += sc_records_count(m->table);
        sc_session_message(w.session, &ack, w.now_ms);
    } else if (m->type == SC_MSG_READ) {
        w.read = m->read;
    }
    for (uint32_t i = 0; m->type == SC_MSG_RECALLED && i < m->recalled.ranges.n; i++)
        n_answered += (uint32_t)((const sc_range *)m->recalled.ranges.items)[i].count;
    return 0;
}

static bool
has_begun(void)
{
    sc_session_config config = {.hello = &hello,
                                .heartbeat_ms = HEARTBEAT,
                                .lease_ms = LEASE,
                                .result_max_bytes = 1 << 24,
                                .actions = {count_answers, on_cancel, on_release, &w}};
    memset(&w, 0, sizeof w);
    n_answered = 0;
    for (int i = 0; i < 3 && !w.session; i++)
        if (sc_session_new(&config, 0, &w.session) != 0)
            w.session = NULL;
    return w.session != NULL;
}

// Whatever can be taken is taken, and ends with a little or with much.
static void
work(void)
{
    static char much[300 * 1024];
    sc_ending ending = {.outcome = SC_DONE, .data = much};
    for (int i = 0; i < MAX_STARTED; i++) {
        sc_started *task = &w.tasks[i];
        if (!sc_session_take(w.session, SC_SLOT_ASYNC, task) &&
            !sc_session_take(w.session, SC_SLOT_THREAD, task))
            break;
        sc_session_progress(w.session, task, 1, 2);
        ending.len = i % 2 ? sizeof much : 3;
        sc_session_end(w.session, task, &ending, w.now_ms);
        sc_session_flush(w.session, w.now_ms);
    }
}

static void
give(const char *words)
{
    char copy[40];
    snprintf(copy, sizeof copy, "%s", words);
    step_run(&w, copy);
}

static bool
live(void)
{
    sc_message welcome = {.type = SC_MSG_WELCOME, .welcome.epoch = 9};
    if (!has_begun())
        return false;
    sc_session_message(w.session, &welcome, w.now_ms);
    give("1:0+5");
    work();
    give("2:10+4T");
    give("3:20+3$");
    for (int i = 0; i < 10 * SECONDS; i++) { // what was refused is asked for again
        w.now_ms += HEARTBEAT;
        if (w.read.request != 0)
            step_answer(&w, 'G', 0);
        w.read = (sc_read){0};
        sc_session_message(w.session, &(sc_message){.type = SC_MSG_HEARTBEAT}, w.now_ms);
        sc_session_tick(w.session, w.now_ms, 0);
        work();
    }
    bool is_good = sc_session_check(w.session) && n_answered == N_TASKS &&
                   sc_session_n_running(w.session) == 0 && sc_session_n_waiting(w.session) == 0;
    sc_session_free(&w.session);
    return is_good;
}

Test(worker_memory, each_request_is_refused_once)
{
    cr_expect_gt(sc_memory_refuse_each("memory", live, SC_MEMORY_WENT_ON), 19);
}
