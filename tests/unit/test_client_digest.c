/* SPDX-License-Identifier: Apache-2.0 */
/* The digest of a job: the same for the same content, another for any other. */
#include <string.h>

#include <criterion/criterion.h>

#include "client/digest.h"

static sc_uuid
digest_of(const sc_open *open, const char *const *payloads)
{
    sc_message m = {.type = SC_MSG_OPEN, .open = *open};
    sc_digest *d;

    cr_assert_eq(sc_digest_new(&m, &d), 0);
    for (; *payloads; payloads++)
        sc_digest_add(d, *payloads, strlen(*payloads));
    return sc_digest_end(&d);
}

static bool
equal(sc_uuid a, sc_uuid b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static const char *const two[] = {"1", "23", NULL};

Test(client_digest, names_do_not_count)
{
    sc_open open = {.handler = sc_text_of("echo"), .priority = 4};
    sc_uuid want = digest_of(&open, two);

    open.request = 7;
    open.job.bytes[3] = 1;
    open.digest.bytes[3] = 1;
    open.name = sc_text_of("a label");
    cr_expect(equal(digest_of(&open, two), want));
}

Test(client_digest, anything_else_counts)
{
    static const char *const other[] = {"12", "3", NULL}, *const one[] = {"123", NULL},
                             *const none[] = {NULL};
    sc_open opens[] = {
        {.handler = sc_text_of("echo")},
        {.handler = sc_text_of("sleep")},
        {.handler = sc_text_of("echo"), .priority = 4},
        {.handler = sc_text_of("echo"), .is_array = true},
        {.handler = sc_text_of("echo"), .n_tasks = 5},
        {.handler = sc_text_of("echo"), .first_index = 5},
        {.handler = sc_text_of("echo"), .retries = 5},
        {.handler = sc_text_of("echo"), .timeout_ms = 5},
        {.handler = sc_text_of("echo"), .is_durable = true},
    };
    enum { N = sizeof opens / sizeof *opens };
    sc_uuid seen[N + 3];

    for (int i = 0; i < N; i++)
        seen[i] = digest_of(&opens[i], two);
    seen[N] = digest_of(&opens[0], other);
    seen[N + 1] = digest_of(&opens[0], one);
    seen[N + 2] = digest_of(&opens[0], none);
    for (int i = 0; i < N + 3; i++)
        for (int k = 0; k < i; k++)
            cr_expect(!equal(seen[i], seen[k]), "%d and %d", i, k);
}

// It is kept in journals: another version of the program finds the same.
Test(client_digest, stays_as_it_is)
{
    sc_open open = {.handler = sc_text_of("echo"), .priority = 4, .is_durable = true};
    sc_uuid digest = digest_of(&open, two);
    char text[SC_UUID_TEXT];

    cr_expect_str_eq(sc_uuid_format(&digest, text), "8ec52be1-876e-1a66-6d4a-8bb5ad863f32");
}
