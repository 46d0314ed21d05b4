/* SPDX-License-Identifier: Apache-2.0 */
/* A membership at one of several endpoints, by scripts. What happens:
 *   wE  WHO of epoch E; WE: WELCOME of it; x: REFUSED, it is ending; h: HEARTBEAT
 *   kN  N ms pass in ticks of 10 ms; lN: a tick that comes N ms late
 *   s   nothing can be sent from now on; S: it can
 * What is said and done: H HELLO, > next endpoint; J after the step that made it JOINED. */
#include "worker/member.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

enum { HEARTBEAT = 100, LEASE = 400, TICK = 10 };

struct world {
    sc_member member;
    int64_t now_ms;
    bool is_mute;
    char got[200];
};

static void
say(struct world *w, char c)
{
    size_t len = strlen(w->got);

    cr_assert(len + 1 < sizeof w->got);
    w->got[len] = c;
}

static int
on_send(void *arg, const sc_message *message)
{
    struct world *w = arg;

    if (w->is_mute)
        return SC_ECLOSED;
    if (message->type == SC_MSG_HELLO)
        say(w, 'H');
    return 0;
}

static void
on_next(void *arg)
{
    say(arg, '>');
}

static void
pass(struct world *w, int64_t ms)
{
    for (int64_t end_ms = w->now_ms + ms; w->now_ms < end_ms;) {
        w->now_ms += TICK;
        sc_member_tick(&w->member, w->now_ms, 0);
    }
}

static void
hear(struct world *w, sc_message message)
{
    if (sc_member_message(&w->member, &message, w->now_ms))
        say(w, 'J');
}

static void
step(struct world *w, const char *text)
{
    int64_t n = strtoll(text + 1, NULL, 10);

    switch (*text) {
    case 'w':
        hear(w, (sc_message){.type = SC_MSG_WHO, .who = {(uint64_t)n}});
        break;
    case 'W':
        hear(w, (sc_message){.type = SC_MSG_WELCOME,
                             .welcome = {.protocol = 1, .epoch = (uint64_t)n}});
        break;
    case 'x':
        hear(w, (sc_message){.type = SC_MSG_REFUSED, .refused = {.code = SC_ESHUTDOWN}});
        break;
    case 'h':
        hear(w, (sc_message){.type = SC_MSG_HEARTBEAT});
        break;
    case 'k':
        pass(w, n);
        break;
    case 'l':
        w->now_ms += n;
        sc_member_tick(&w->member, w->now_ms, n);
        break;
    case 'b':
        (void)!sc_member_send(&w->member, &(sc_message){.type = SC_MSG_HEARTBEAT}, w->now_ms);
        break;
    case 'm':
        sc_member_back(&w->member, w->now_ms);
        break;
    case 's':
    case 'S':
        w->is_mute = *text == 's';
        break;
    default:
        cr_assert_fail("what is %s?", text);
    }
}

Test(member, places)
{
    static const struct {
        const char *name;
        unsigned n_endpoints;
        const char *script, *want;
    } rows[] = {
        {"one endpoint is never left", 1, "k1000 W5 k410", "HHHHHHHHHHHJH"},
        {"one endpoint, its journal made anew", 1, "W5 w1 W1", "HJHJ"},
        {"nobody listens at the first", 2, "s k190 S k10 W5", "H>HJ"},
        {"nobody listens at all", 3, "s k190 k200 k200 k10", "H>>>"},
        {"it does not answer", 2, "k390 k10 W5", "HHHH>HJ"},
        {"it falls silent", 2, "W5 k400 k10 W6", "HJ>HJ"},
        {"nothing can be said to it for a lease", 2, "W5 s b m S k10 W6", "HJ>HJ"},
        {"nothing was said, but could be", 2, "W5 b m W6", "HJHJ"},
        {"it is alive", 2, "W5 k390 h k390 h k390", "HJ"},
        {"this process stood still", 2, "W5 l60000 k390", "HJ"},
        {"and while it joins", 2, "l60000 k300", "HHHHH"},
        {"it ends", 2, "W5 x k90 k10 W6", "HJH>HJ"},
        {"a successor at the same place", 2, "W5 w6 W6", "HJHJ"},
        {"what was deposed is not gone back to", 2, "W5 w6 W6 k410 W5 k100 W6", "HJHJ>H>HJ"},
        {"it says so itself", 2, "W6 w5 k100 W6", "HJ>HJ"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static const sc_hello hello = {.role = SC_ROLE_WORKER, .name = {"w-1", 3}};
        struct world w = {.now_ms = 1000};
        sc_member_config config = {.hello = &hello,
                                   .heartbeat_ms = HEARTBEAT,
                                   .lease_ms = LEASE,
                                   .send = on_send,
                                   .n_endpoints = rows[i].n_endpoints,
                                   .next = on_next,
                                   .arg = &w};
        char copy[100], *rest;

        sc_member_init(&w.member, &config, w.now_ms);
        strcpy(copy, rows[i].script);
        for (char *text = strtok_r(copy, " ", &rest); text; text = strtok_r(NULL, " ", &rest))
            step(&w, text);
        cr_expect_str_eq(w.got, rows[i].want, "%s: %s, not %s", rows[i].name, w.got, rows[i].want);
    }
}
