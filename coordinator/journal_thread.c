/* SPDX-License-Identifier: Apache-2.0 */
/* The journal's thread: it opens the journal, waits until it leads, reads what is there, then
 * writes groups and answers questions. While a group cannot be written, uploads are refused and all
 * other writes are kept, in order, and tried again.
 *
 *     opening -> waiting -> leading: group written -> questions -> housekeeping -> ...
 *                                    group failed  -> questions -> wait -> the group again */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "coordinator/journal_numbers.h"
#include "coordinator/journal_int.h"

enum {
    GROUP_REQUESTS = 4096, // in one transaction
    GROUP_BYTES = 8 << 20,
    LEAD_MS = 250,        // between two looks at whether another leads
    TEND_MS = 500,        // the longest time without housekeeping
    AT_ONCE_MS = 1000,    // between two sessions that may be lost without a pause
    RETRY_FIRST_MS = 100, // after a group that failed, doubling
    RETRY_MAX_MS = 1000,
    BEAT_MS = 500,   // between two signs to those who wait to lead
    ALIVE_MS = 1000, // a loop that has given no sign for so long gives none to them
};

/* The thread's own. */
typedef struct state {
    sc_journal *journal;
    void *backend;
    request *writes;    // not written yet, in order
    request *questions; // not answered yet
    uint64_t taken;     // the last write that came
    uint64_t written;   // all writes up to here are safe or refused
    // Uploads of which a part was refused. What comes of them from there on is refused, too, until
    // the core has heard and drops them: else a COMMIT that was on its way could be written of a
    // job with a hole.
    sc_numbers *given_up;
    bool is_in_trouble;
    sc_error trouble; // why
    bool must_stop;
    bool has_failed;    // and nothing may be written any more
    bool has_more;      // housekeeping is left
    bool is_reading;    // the rest of a job's tasks
    int64_t retry_ms;   // when to try again, and
    int64_t backoff_ms; // how long it waited last
    int64_t at_once_ms; // when it was tried without waiting; 0: never
    int64_t beat_ms;    // the last sign
    // The last group may be there or not: the same is the next that is written.
    bool is_unknown;
    size_t n_unknown; // writes in it
} state;

/* ---- answers ---- */

static void
post(state *s, answer *answers)
{
    sc_journal *j = s->journal;
    if (!answers)
        return;
    uv_mutex_lock(&j->lock);
    DL_CONCAT(j->answers, answers);
    uv_mutex_unlock(&j->lock);
    uv_async_send(&j->async);
}

static void
post_one(state *s, int type, int status, const sc_error *err, uint64_t n)
{
    answer *list = NULL, *a = sc_journal_answer_new(type);
    a->status = status;
    a->n = n;
    if (err)
        a->err = *err;
    DL_APPEND(list, a);
    post(s, list);
}

// It cannot go on.
static void
fail(state *s, const sc_error *err)
{
    post_one(s, ANSWER_FAILED, err->code, err, 0);
    s->must_stop = s->has_failed = true;
}

/* ---- beginning ---- */

// Waits until something is to be done, at most so long. @return false: the journal is being closed
static bool
wait_for_news(sc_journal *j, int64_t wait_ms)
{
    uv_mutex_lock(&j->lock);
    if (!j->requests && !j->is_closing && wait_ms > 0)
        uv_cond_timedwait(&j->has_news, &j->lock, (uint64_t)wait_ms * 1000000);
    bool goes_on = !j->is_closing;
    uv_mutex_unlock(&j->lock);
    return goes_on;
}

// The database is away, and may come back.
static bool
is_away(int rc)
{
    return rc == SC_ELOST || rc == SC_ETIMEOUT || rc == SC_EUNKNOWN;
}

// The epoch has to be kept before anybody hears of it.
static int
keep_epoch(state *s, sc_error *err)
{
    const sc_journal_backend *b = s->journal->backend;
    int rc = b->begin(s->backend, true, err);
    if (rc == 0)
        rc = b->commit(s->backend, err);
    if (rc < 0)
        b->rollback(s->backend);
    return rc;
}

// Lead, and know what is there. @param out  then the answer
static int
take_over(state *s, answer **out, sc_error *err)
{
    answer *a = sc_journal_answer_new(ANSWER_LEADING);
    *err = (sc_error){0};
    int rc = s->journal->backend->lead(s->backend, &a->epoch, &a->next_number, err);
    if (rc == 0)
        rc = sc_journal_load(s->journal->backend, s->backend, a, err);
    if (rc == 0)
        rc = keep_epoch(s, err);
    if (rc < 0 && err->code == 0)
        sc_error_set(err, rc, "the journal cannot be read: %s", sc_error_text(rc));
    if (rc < 0)
        sc_journal_answer_free(a);
    else
        *out = a;
    return rc;
}

// Opened, it waits for its turn, also through times when the database is away.
// @return false where it ends here
static bool
begin(state *s)
{
    sc_journal *j = s->journal;
    sc_error err = {0};
    answer *list = NULL, *a = NULL;
    bool is_said = false;
    int rc = j->backend->open(j->location, &j->should_stop, &s->backend, &err);
    if (rc == 0)
        rc = take_over(s, &a, &err);
    while (rc == SC_EBUSY || (s->backend && is_away(rc))) {
        if (rc == SC_EBUSY && !is_said)
            post_one(s, ANSWER_WAITING, 0, &err, 0);
        is_said |= rc == SC_EBUSY;
        if (!wait_for_news(j, LEAD_MS))
            return false;
        rc = take_over(s, &a, &err);
    }
    if (rc < 0) {
        fail(s, &err);
        return false;
    }
    DL_APPEND(list, a);
    post(s, list);
    return true;
}

/* ---- groups ---- */

static bool
is_upload(const request *r)
{
    return r->kept.action.type == SC_ACTION_PUT_OPEN ||
           r->kept.action.type == SC_ACTION_PUT_CHUNK ||
           r->kept.action.type == SC_ACTION_PUT_COMMIT;
}

// Chunks may wait for the COMMIT that needs them; nobody waits for what is dropped.
static bool
must_be_safe(const request *r)
{
    return r->kept.action.type != SC_ACTION_PUT_CHUNK &&
           r->kept.action.type != SC_ACTION_DROP_CHUNK && r->kept.action.type != SC_ACTION_DROP_JOB;
}

static void
add_stored(answer **list, const request *r, int status, const sc_error *err)
{
    answer *a = sc_journal_answer_new(ANSWER_STORED);
    a->ticket = r->kept.action.put.ticket;
    a->status = status;
    if (err)
        a->err = *err;
    DL_APPEND(*list, a);
}

// Writes have left the list: all before the first that is left are safe or refused.
static void
add_written(state *s, answer **list)
{
    uint64_t written = s->writes ? s->writes->write - 1 : s->taken;
    if (written == s->written)
        return;
    s->written = written;
    answer *a = sc_journal_answer_new(ANSWER_WRITTEN);
    a->n = written;
    DL_APPEND(*list, a);
}

// Writes have room in the group of the first n.
static bool
has_room(const state *s, const request *next, size_t n, size_t bytes)
{
    if (s->is_unknown)
        return n < s->n_unknown;
    return n < GROUP_REQUESTS && (n == 0 || bytes + next->bytes <= GROUP_BYTES);
}

// The end of the first group in the list (the first that does not belong to it).
static request *
end_of_group(state *s, bool *is_safe)
{
    request *r = s->writes;
    size_t n = 0, bytes = 0;
    *is_safe = false;
    for (; r && has_room(s, r, n, bytes); r = r->next) {
        *is_safe |= must_be_safe(r);
        bytes += r->bytes;
        n++;
    }
    return r;
}

static int
write_group(state *s, const request *end, bool is_safe, sc_error *err)
{
    const sc_journal_backend *b = s->journal->backend;
    size_t n = 0;
    int rc = b->begin(s->backend, is_safe, err);
    for (request *r = s->writes; rc == 0 && r != end; r = r->next)
        rc = b->put(s->backend, &r->kept.action, err);
    if (rc == 0)
        rc = b->commit(s->backend, err);
    if (rc < 0)
        b->rollback(s->backend);
    for (request *r = s->writes; r != end; r = r->next)
        n++;
    s->is_unknown = rc == SC_EUNKNOWN;
    s->n_unknown = s->is_unknown ? n : 0;
    return rc;
}

static void
group_written(state *s, const request *end)
{
    answer *list = NULL;
    for (request *r; (r = s->writes) != end;) {
        if (is_upload(r))
            add_stored(&list, r, 0, NULL);
        DL_DELETE(s->writes, r);
        sc_journal_request_free(r);
    }
    add_written(s, &list);
    post(s, list);
}

// All uploads that wait are refused but for those that may be there; what they wrote before, the
// core drops.
static void
refuse_uploads(state *s, const sc_error *err)
{
    answer *list = NULL;
    size_t n = 0;
    for (request *r = s->writes, *next; r; r = next) {
        next = r->next;
        if (n++ < s->n_unknown || !is_upload(r))
            continue;
        sc_numbers_add(&s->given_up, r->kept.action.number);
        add_stored(&list, r, err->code, err);
        DL_DELETE(s->writes, r);
        sc_journal_request_free(r);
    }
    add_written(s, &list);
    post(s, list);
}

// A session that was lost may have been ended by who leads now, or be all that is wrong: that is
// known before anybody is told that the journal cannot be written. @return 0: it can again
static int
try_at_once(state *s, sc_error *err)
{
    bool is_safe;
    *err = (sc_error){0};
    s->at_once_ms = sc_clock_ms();
    if (!s->is_unknown)
        return keep_epoch(s, err);
    request *end = end_of_group(s, &is_safe);
    int rc = write_group(s, end, true, err);
    if (rc == 0)
        group_written(s, end);
    return rc;
}

static void
group_failed(state *s, const sc_error *first)
{
    sc_error again, *err = &again;
    bool is_often = s->at_once_ms && sc_clock_ms() - s->at_once_ms < AT_ONCE_MS;
    if (s->is_in_trouble || is_often || !is_away(first->code)) {
        again = *first;
    } else if (try_at_once(s, err) == 0) {
        s->has_more = true; // without waiting
        return;
    }
    if (err->code == SC_ESTATE || err->code == SC_EMALFORMED) {
        fail(s, err);
        return;
    }
    if (!s->is_in_trouble) {
        sc_log_error("the journal cannot be written: %s; trying again", err->text);
        post_one(s, ANSWER_TROUBLE, err->code, err, 0);
    }
    s->is_in_trouble = true;
    s->trouble = *err;
    refuse_uploads(s, err);
    s->backoff_ms = s->backoff_ms == 0                 ? RETRY_FIRST_MS
                    : s->backoff_ms < RETRY_MAX_MS / 2 ? s->backoff_ms * 2
                                                       : RETRY_MAX_MS;
    s->retry_ms = sc_clock_ms() + s->backoff_ms;
}

static void
trouble_over(state *s)
{
    if (!s->is_in_trouble)
        return;
    s->is_in_trouble = false;
    s->backoff_ms = 0;
    sc_log_info("the journal can be written again");
    post_one(s, ANSWER_TROUBLE, 0, NULL, 0);
}

// Everything that waits to be written; in trouble, a group without writes tells whether it is over.
// @return false where writing does not work, or is not yet to be tried
static bool
write_all(state *s)
{
    sc_error err = {0};
    if (s->is_in_trouble && sc_clock_ms() < s->retry_ms) {
        refuse_uploads(s, &s->trouble);
        return false;
    }
    for (bool is_trial = s->is_in_trouble || s->is_unknown;
         (s->writes || is_trial) && !s->must_stop; is_trial = false) {
        bool is_safe;
        request *end = end_of_group(s, &is_safe);
        if (write_group(s, end, is_safe || is_trial, &err) < 0) {
            group_failed(s, &err);
            return false;
        }
        group_written(s, end);
    }
    return !s->must_stop;
}

/* ---- questions ---- */

// @return a code where the database is away, or damaged: then it is not answered, and the answer is
// gone
static int
answered(state *s, answer *a, sc_error *err)
{
    answer *list = NULL;
    int rc = a->status;
    if (rc == SC_EMALFORMED && err->code != rc)
        sc_error_set(err, rc,
                     "the journal is damaged: what it has of the tasks of a job does not fit "
                     "together; put a copy back, or begin with a new one");
    if (is_away(rc) || rc == SC_EMALFORMED) {
        sc_journal_answer_free(a);
        return rc;
    }
    if (rc < 0 && rc != SC_ELIMIT) // more than may be asked for: nothing is wrong with the journal
        sc_log_error("the journal cannot be read: %s", err->text);
    DL_APPEND(list, a);
    post(s, list);
    return 0;
}

// Payload of tasks that are to be handed out was safe before; results and tasks wait for the writes
// that they rest on.
static bool
may_answer(const state *s, const sc_action *a)
{
    return a->type == SC_ACTION_GET_RESULTS ? a->read.after <= s->written
           : a->type == SC_ACTION_GET_TASKS ? a->tasks.after <= s->written
                                            : true;
}

// @return 1: it goes on; else as `answered`
static int
answer_one(state *s, request *r, sc_error *err)
{
    answer *a = sc_journal_answer(s->journal->backend, s->backend, r, err);
    s->is_reading |= !a;
    return a ? answered(s, a, err) : 1;
}

// @return false: the database is away, and what is left is asked again; or it is damaged, and that
// is the end
static bool
answer_questions(state *s)
{
    sc_error err = {0};
    s->is_reading = false;
    for (request *r = s->questions, *next; r; r = next) {
        next = r->next;
        int rc = may_answer(s, &r->kept.action) ? answer_one(s, r, &err) : 1;
        if (rc < 0) {
            group_failed(s, &err);
            return false;
        }
        if (rc == 1)
            continue;
        DL_DELETE(s->questions, r);
        sc_journal_request_free(r);
    }
    return true;
}

/* ---- the thread ---- */

static void
take_requests(state *s)
{
    sc_journal *j = s->journal;
    uv_mutex_lock(&j->lock);
    request *list = j->requests;
    j->requests = NULL;
    s->must_stop |= j->is_closing;
    uv_mutex_unlock(&j->lock);
    answer *answers = NULL;
    for (request *r; (r = list);) {
        DL_DELETE(list, r);
        s->taken = r->write ? r->write : s->taken;
        if (r->kept.action.type == SC_ACTION_DROP_JOB)
            sc_numbers_remove(&s->given_up, r->kept.action.number);
        if (is_upload(r) && sc_numbers_has(s->given_up, r->kept.action.number)) {
            add_stored(&answers, r, s->trouble.code, &s->trouble);
            sc_journal_request_free(r);
        } else if (r->write) {
            DL_APPEND(s->writes, r);
        } else {
            DL_APPEND(s->questions, r);
        }
    }
    add_written(s, &answers);
    post(s, answers);
}

static int64_t
wait_ms(const state *s)
{
    int64_t left_ms = s->retry_ms - sc_clock_ms();
    if (s->is_in_trouble)
        return left_ms < 0 ? 0 : left_ms;
    return s->has_more || s->is_reading ? 0 : TEND_MS;
}

// @return false where it failed, as a group does
static bool
tend(state *s)
{
    sc_error err = {0};
    int rc = s->journal->backend->tend(s->backend, &err);
    s->has_more = rc == 1;
    if (rc < 0)
        group_failed(s, &err);
    return rc >= 0;
}

// Says to those who wait to lead that we are alive, as long as the loop is: it is woken to give its
// sign. @return false where it failed, as a group does
static bool
beat(state *s)
{
    sc_journal *j = s->journal;
    sc_error err = {0};
    int64_t now_ms = sc_clock_ms();
    if (!j->backend->beat || now_ms - s->beat_ms < BEAT_MS)
        return true;
    uv_async_send(&j->async);
    if (now_ms - atomic_load(&j->alive_ms) > ALIVE_MS)
        return true;
    s->beat_ms = now_ms;
    if (j->backend->beat(s->backend, &err) == 0)
        return true;
    group_failed(s, &err);
    return false;
}

static void
serve(state *s)
{
    while (!s->must_stop) {
        wait_for_news(s->journal, wait_ms(s));
        take_requests(s);
        bool works = write_all(s);
        if (s->must_stop)
            break; // nobody hears answers any more
        if (works || !is_away(s->trouble.code))
            works &= answer_questions(s);
        if (works && tend(s) && beat(s))
            trouble_over(s);
    }
}

// One more try for what was acted before the end.
static void
finish(state *s)
{
    sc_error err = {0};
    bool is_safe;
    take_requests(s);
    while (s->writes) {
        request *end = end_of_group(s, &is_safe);
        if (write_group(s, end, true, &err) < 0)
            break;
        group_written(s, end);
    }
}

static void
free_requests(request **list)
{
    for (request *r; (r = *list);) {
        DL_DELETE(*list, r);
        sc_journal_request_free(r);
    }
}

void
sc_journal_thread(void *arg)
{
    state s = {.journal = arg};
    if (begin(&s)) {
        serve(&s);
        if (!s.has_failed)
            finish(&s);
    }
    take_requests(&s);
    free_requests(&s.writes);
    free_requests(&s.questions);
    sc_numbers_clear(&s.given_up);
    if (s.backend)
        s.journal->backend->close(s.backend);
}
