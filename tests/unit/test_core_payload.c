/* SPDX-License-Identifier: Apache-2.0 */
/* Payload that the store or the journal cannot give: what is missing or damaged ends the tasks; a
 * disk that fails or a want of memory may pass. */
#include <criterion/criterion.h>

#include "tests/support/fake_core.h"

enum { CLIENT = 1, WORKER = 2, N = 3 };

static const struct {
    const char *name;
    int status;
    uint32_t n_bad;
    int64_t after_ms; // from the first to the last that is bad: so long, at most half as much more
    uint64_t done;
} rows[] = {
    {"missing", SC_ENOTFOUND, 1, 0, 0},
    {"damaged", SC_EMALFORMED, 1, 0, 0},
    {"the disk, once", -EIO, 1, 0, N},
    {"no memory, for some seconds", SC_ENOMEM, 7, 6000, N},
    {"the disk, for good", -EIO, 21, 70000, 0},
};

// It has asked for the payload, now or a while later.
static void
await_question(sc_fake *f)
{
    for (int n = 0; f->n_questions == 0 && n < 200; n++)
        sc_fake_pass(f, 50, WORKER + 1);
}

Test(core_payload, cannot_be_read)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_fake f;
        sc_fake_init(&f);
        sc_fake_start(&f);
        sc_fake_client(&f, CLIENT);
        sc_fake_worker_ready(&f, WORKER, NULL);
        sc_fake_open(&f, CLIENT, 1, NULL);
        sc_fake_chunk(&f, CLIENT, 1, &(sc_chunk){.count = N}, 1);
        f.holds_answers = true;
        sc_fake_commit(&f, CLIENT, 1, 1, N);
        sc_fake_answer(&f, 0);
        int64_t since_ms = f.now_ms;
        f.store_status = rows[i].status;
        for (uint32_t n = 0; n < rows[i].n_bad; n++) {
            await_question(&f);
            cr_assert_eq(f.n_questions, 1, "%s: asked %d times", rows[i].name, (int)n);
            sc_fake_answer(&f, 0);
        }
        int64_t took_ms = f.now_ms - since_ms;
        cr_expect(took_ms >= rows[i].after_ms && took_ms <= rows[i].after_ms * 3 / 2, "%s: %d ms",
                  rows[i].name, (int)took_ms);
        f.store_status = 0;
        f.holds_answers = false;
        await_question(&f);
        while (f.n_questions > 0)
            sc_fake_answer(&f, 0);
        while (sc_fake_work(&f, WORKER, 1000) > 0)
            continue;
        sc_job_info info = sc_fake_ask(&f, CLIENT, 1);
        cr_expect(info.done == rows[i].done && info.dead == N - rows[i].done,
                  "%s: %d done, %d dead", rows[i].name, (int)info.done, (int)info.dead);
        sc_fake_stop(&f);
    }
}
