/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of endpoints as a person types them. */
#include "base/endpoints.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#define FORM " is not tcp://HOST:PORT or ipc://PATH"

Test(endpoints, rows)
{
    static const struct {
        const char *text;
        unsigned n;       // 0: it is refused
        const char *want; // the last one, or why not
    } rows[] = {
        {"tcp://a:1", 1, "tcp://a:1"},
        {"tcp://a:1,tcp://b:1", 2, "tcp://b:1"},
        {"ipc:///a b,tcp://[::1]:0,tcp://a:*", 3, "tcp://a:*"},
        {"tcp://a:1,tcp://a:2,tcp://a:3,tcp://a:4,tcp://a:5,tcp://a:6,tcp://a:7,tcp://a:8", 8,
         "tcp://a:8"},
        {"tcp://a:1,tcp://a:2,tcp://a:3,tcp://a:4,tcp://a:5,tcp://a:6,tcp://a:7,tcp://a:8,tcp://"
         "a:9",
         0, "\"tcp://a:9\" is one too many: at most 8 endpoints"},
        {"tcp://a:1,tcp://b:1,tcp://a:1", 0, "\"tcp://a:1\" is there twice"},
        {"", 0, "\"\"" FORM},
        {",", 0, "\"\"" FORM},
        {"tcp://a:1,", 0, "\"\"" FORM},
        {",tcp://a:1", 0, "\"\"" FORM},
        {"tcp://a:1,,tcp://b:1", 0, "\"\"" FORM},
        {"tcp://a:1, tcp://b:1", 0, "\" tcp://b:1\"" FORM},
        {"tcp://a:1;tcp://b:x", 0, "\"tcp://a:1;tcp://b:x\"" FORM},
        {"tcp://a:1,b:1", 0, "\"b:1\"" FORM},
        {"tcp://a:1,tcp://b:65536", 0, "\"tcp://b:65536\"" FORM},
        {"tcp://a:1,tcp://b:99999999999999999999", 0, "\"tcp://b:99999999999999999999\"" FORM},
        {"tcp://a:-1", 0, "\"tcp://a:-1\"" FORM},
        {"tcp://a:", 0, "\"tcp://a:\"" FORM},
        {"tcp://:1", 0, "\"tcp://:1\"" FORM},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_endpoints all;
        sc_error err = {0};
        int rc = sc_endpoints_parse(rows[i].text, &all, &err);

        cr_expect_eq(rc, rows[i].n > 0 ? 0 : SC_EBADARG, "%s: %d", rows[i].text, rc);
        if (rc != 0)
            cr_expect_str_eq(err.text, rows[i].want, "%s", rows[i].text);
        else
            cr_expect(all.n == rows[i].n && strcmp(all.items[all.n - 1], rows[i].want) == 0,
                      "%s: %u, %s", rows[i].text, all.n, all.items[all.n - 1]);
    }
}

Test(endpoints, the_longest)
{
    char text[SC_ENDPOINT_TEXT_MAX + 20];
    sc_endpoints all;
    sc_error err;

    snprintf(text, sizeof text, "tcp://a:1,ipc://%0*d", SC_ENDPOINT_TEXT_MAX - 6, 0);
    cr_expect_eq(sc_endpoints_parse(text, &all, &err), 0, "%s", err.text);
    snprintf(text, sizeof text, "tcp://a:1,ipc://%0*d", SC_ENDPOINT_TEXT_MAX - 5, 0);
    cr_expect_eq(sc_endpoints_parse(text, &all, &err), SC_EBADARG);
    cr_expect(strstr(err.text, "\"ipc://0000") && strstr(err.text, "longer than 200"), "%s",
              err.text);
}

Test(endpoints, are_many)
{
    cr_expect_not(sc_endpoints_are_many("tcp://a:1"));
    cr_expect(sc_endpoints_are_many("tcp://a:1,tcp://b:1"));
}
