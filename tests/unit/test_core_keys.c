/* SPDX-License-Identifier: Apache-2.0 */
/* Keys in the core: one job for one key while it is kept, over a restart too, and whoever said it
 * second is told of the first. */
#include <string.h>

#include <criterion/criterion.h>

#include "tests/support/fake_core.h"

enum { CLIENT = 1, OTHER = 2, WORKER = 3 };

static sc_open
keyed(uint8_t content)
{
    sc_open o = {.is_durable = true, .key = sc_text_of("nightly")};
    memset(&o.digest, content, sizeof o.digest);
    return o;
}

static void
join(sc_fake *f)
{
    sc_fake_client(f, CLIENT);
    sc_fake_client(f, OTHER);
    sc_fake_worker_ready(f, WORKER, &(sc_fake_worker){.handlers = "a"});
    sc_fake_forget_sent(f);
}

static void
begin(sc_fake *f)
{
    sc_fake_init(f);
    sc_fake_start(f);
    f->holds_writes = true;
    join(f);
}

static void
array(sc_fake *f, uint64_t link, uint32_t job, uint8_t content)
{
    sc_open o = keyed(content);
    sc_fake_array(f, link, job, 0, 2, &o);
}

// An upload of one task as a client says it that does not know the digest before its end.
static void
upload(sc_fake *f, uint64_t link, uint32_t job)
{
    sc_open o = keyed(0);
    sc_fake_open(f, link, job, &o);
    sc_fake_written(f, f->n_writes);
    sc_fake_chunk(f, link, job, &(sc_chunk){.count = 1}, 10);
    sc_fake_written(f, f->n_writes);
    sc_fake_forget_sent(f);
}

static void
commit(sc_fake *f, uint64_t link, uint32_t job, uint8_t content)
{
    sc_message m = {.type = SC_MSG_COMMIT};
    m.commit = (sc_commit){.request = 9, .job = sc_fake_job(job), .n_chunks = 1, .n_tasks = 1};
    memset(&m.commit.digest, content, sizeof m.commit.digest);
    sc_fake_say(f, link, &m);
}

// The job that a client is told of; 0: none, or a refusal.
static uint32_t
told(sc_fake *f, uint64_t link)
{
    sc_message m;
    if (!sc_fake_take(f, link, SC_MSG_ACK, &m))
        return 0;
    for (uint32_t n = 1; n < 10; n++) {
        sc_uuid id = sc_fake_job(n);
        if (memcmp(&id, &m.ack.job, sizeof id) == 0)
            return n;
    }
    return 0;
}

static void
expect_refused(sc_fake *f, uint64_t link, int code, const char *what)
{
    sc_message m;
    cr_assert(sc_fake_take(f, link, SC_MSG_REFUSED, &m), "%s", what);
    cr_expect_eq(m.refused.code, code, "%s: %.*s", what, (int)m.refused.text.len,
                 m.refused.text.data);
}

Test(core_keys, arrays)
{
    sc_fake f;
    begin(&f);
    array(&f, CLIENT, 1, 'x');
    array(&f, OTHER, 2, 'x');
    cr_expect_eq(told(&f, OTHER), 0, "the first is not safe yet");
    array(&f, OTHER, 3, 'y');
    expect_refused(&f, OTHER, SC_EKEYTAKEN, "other content, though the first is not safe");
    sc_fake_written(&f, f.n_writes);
    sc_core_turn(f.core, f.now_ms);
    cr_expect_eq(told(&f, CLIENT), 1);
    cr_expect_eq(told(&f, OTHER), 1, "the same job");
    cr_expect_eq(sc_fake_work(&f, WORKER, 1000), 2);
    sc_fake_written(&f, f.n_writes);
    array(&f, OTHER, 4, 'x');
    cr_expect_eq(told(&f, OTHER), 1, "also when it has ended");
    cr_expect(sc_text_equal(sc_fake_ask(&f, CLIENT, 1).key, "nightly"));
    array(&f, CLIENT, 1, 'x');
    cr_expect_eq(told(&f, CLIENT), 1, "the first reply was lost");
    array(&f, CLIENT, 5, 0);
    expect_refused(&f, CLIENT, SC_EBADARG, "a key without a digest");
    sc_fake_stop(&f);
}

Test(core_keys, uploads)
{
    sc_fake f;
    begin(&f);
    upload(&f, CLIENT, 1);
    upload(&f, OTHER, 2);
    commit(&f, CLIENT, 1, 'x');
    commit(&f, OTHER, 2, 'x');
    cr_expect_eq(told(&f, OTHER), 0, "the first is not safe yet");
    sc_fake_written(&f, f.n_writes);
    sc_core_turn(f.core, f.now_ms);
    cr_expect_eq(told(&f, CLIENT), 1);
    cr_expect_eq(told(&f, OTHER), 1);
    commit(&f, OTHER, 2, 'x');
    expect_refused(&f, OTHER, SC_ENOJOB, "what was uploaded is gone");
    sc_open again = keyed('x'); // it lost the answer, and knows the digest now
    sc_fake_open(&f, OTHER, 2, &again);
    cr_expect_eq(told(&f, OTHER), 1);
    upload(&f, OTHER, 3);
    commit(&f, OTHER, 3, 'y');
    expect_refused(&f, OTHER, SC_EKEYTAKEN, "other content");
    upload(&f, OTHER, 4);
    commit(&f, OTHER, 4, 0);
    expect_refused(&f, OTHER, SC_EBADARG, "no digest");
    sc_fake_stop(&f);
}

// Of two uploads the first fails: its key is free again, and the other is told.
Test(core_keys, first_is_not_accepted)
{
    sc_fake f;
    begin(&f);
    array(&f, CLIENT, 1, 'x');
    array(&f, OTHER, 2, 'x');
    sc_uuid first = sc_fake_job(1);
    sc_ticket t = {first, 0, 0, SC_MSG_OPEN, 0, 1};
    for (uint64_t instance = 1; instance < 200; instance++) { // whoever opened it
        t.client = instance;
        sc_core_stored(f.core, &t, -ENOSPC, "the disk is full", f.now_ms);
    }
    expect_refused(&f, CLIENT, SC_EJOURNAL, "the first");
    expect_refused(&f, OTHER, SC_EBUSY, "the second");
    sc_fake_written(&f, f.n_writes);
    sc_fake_forget_sent(&f);
    array(&f, OTHER, 3, 'y');
    sc_fake_written(&f, f.n_writes);
    cr_expect_eq(told(&f, OTHER), 3);
    sc_fake_stop(&f);
}

Test(core_keys, restart)
{
    for (int is_upload = 0; is_upload < 2; is_upload++) {
        sc_fake f;
        begin(&f);
        if (is_upload) {
            upload(&f, CLIENT, 1);
            commit(&f, CLIENT, 1, 'x');
        } else {
            array(&f, CLIENT, 1, 'x');
        }
        sc_fake_written(&f, f.n_writes);
        sc_fake_restart(&f, f.n_writes);
        join(&f);
        array(&f, OTHER, 2, 'x');
        cr_expect_eq(told(&f, OTHER), 1, "%d", is_upload);
        array(&f, OTHER, 3, 'y');
        expect_refused(&f, OTHER, SC_EKEYTAKEN, "other content after a restart");
        sc_fake_stop(&f);
    }
}

Test(core_keys, forgotten)
{
    sc_fake f;
    sc_fake_init(&f);
    f.options.retention_ms = 1000;
    sc_fake_start(&f);
    join(&f);
    array(&f, CLIENT, 1, 'x');
    cr_expect_eq(sc_fake_work(&f, WORKER, 1000), 2);
    sc_fake_pass(&f, 2000, 4);
    sc_fake_forget_sent(&f);
    array(&f, CLIENT, 2, 'y');
    cr_expect_eq(told(&f, CLIENT), 2, "the key is free again");
    sc_fake_stop(&f);
}
