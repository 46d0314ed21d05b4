/* SPDX-License-Identifier: Apache-2.0 */
/* What happened last, for a person; and a hash over all that happened, to compare two runs of one
 * seed. Nothing that goes in depends on an address. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/sim/world.h"

static void
print_process(const trace_line *l)
{
    switch (l->kind) {
    case TRACE_TICK:
        fprintf(stderr, "coordinator at %" PRIu64 " ticks\n", l->a);
        break;
    case TRACE_LATE:
        fprintf(stderr, "coordinator stops for %" PRIu64 " ms\n", l->a);
        break;
    case TRACE_END:
        fprintf(stderr, "worker %" PRIu64 " ends task %" PRIu64 " of job %" PRId64 "\n", l->a, l->b,
                (int64_t)l->c);
        break;
    case TRACE_DIE:
        fprintf(stderr, "worker %" PRIu64 " dies, death %" PRIu64 ", %" PRIu64 " tasks started\n",
                l->a, l->b, l->c);
        break;
    case TRACE_START:
        fprintf(stderr, "process %" PRIu64 " of kind %" PRIu64 " starts\n", l->a, l->b);
        break;
    case TRACE_STALL:
        fprintf(stderr, "process %" PRIu64 " of kind %" PRIu64 " stands still for %" PRIu64 " ms\n",
                l->a, l->b, l->c);
        break;
    case TRACE_LEAVE:
        fprintf(stderr, "client %" PRIu64 " leaves\n", l->a);
        break;
    case TRACE_RESTART:
        fprintf(stderr, "coordinator %" PRIu64 " dies, another starts\n", l->a);
        break;
    case TRACE_TAKEOVER:
        fprintf(stderr, "coordinator %" PRIu64 " at %" PRIu64 " is deposed\n", l->a, l->b);
        break;
    case TRACE_DEPOSED:
        fprintf(stderr, "coordinator at %" PRIu64 " ends: another leads\n", l->a);
        break;
    case TRACE_DRAIN:
        fprintf(stderr, "worker %" PRIu64 " drains: %" PRIu64 " tasks wait, %" PRIu64 " run\n",
                l->a, l->b, l->c);
        break;
    default:
        fprintf(stderr, "phase %" PRIu64 "\n", l->a);
    }
}

static void
print_connection(const trace_line *l)
{
    switch (l->kind) {
    case TRACE_TO_CORE:
        fprintf(stderr, "link %" PRIu64 " (%s) says %s\n", l->a, (const char[2]){(char)l->c, 0},
                sc_message_name((sc_message_type)l->b));
        break;
    case TRACE_TO_PEER:
        fprintf(stderr, "link %" PRIu64 " (%s) is told %s\n", l->a, (const char[2]){(char)l->c, 0},
                sc_message_name((sc_message_type)l->b));
        break;
    case TRACE_LOST:
        fprintf(stderr, "coordinator finds link %" PRIu64 " broken\n", l->a);
        break;
    case TRACE_STORE:
        fprintf(stderr, "store answers question %" PRIu64 ", %" PRIu64 ": status %d\n", l->a, l->b,
                -(int)l->c);
        break;
    case TRACE_CUT:
        fprintf(stderr, "link %" PRIu64 " breaks\n", l->a);
        break;
    case TRACE_DISK:
        fprintf(stderr, "the disk has room for %" PRIu64 " bytes, %" PRIu64 " are there\n", l->a,
                l->b);
        break;
    case TRACE_FULL:
        fprintf(stderr, "link %" PRIu64 " is full for %s, %" PRIu64 " us\n", l->a,
                l->b == TO_CORE ? "its process" : "the coordinator", l->c);
        break;
    default:
        print_process(l);
    }
}

static void
print_line(const trace_line *l)
{
    fprintf(stderr, "  %10.3f ms  ", (double)l->at_us / US_A_MS);
    print_connection(l);
}

void
sc_trace(world *w, trace_kind kind, uint64_t a, uint64_t b, uint64_t c)
{
    trace_line l = {w->now_us, kind, a, b, c};
    const uint64_t parts[] = {(uint64_t)w->now_us, kind, a, b, c};
    w->traced[w->n_traced++ % N_TRACED] = l;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        w->hash = (w->hash ^ parts[i]) * 0x100000001b3;
    if (w->is_verbose)
        print_line(&l);
}

void
sc_trace_print(const world *w)
{
    uint64_t from = w->n_traced > N_TRACED ? w->n_traced - N_TRACED : 0;
    fprintf(stderr, "seed %" PRIu64 ", event %" PRIu64 ", %s world; the last %" PRIu64 ":\n",
            w->seed, w->n_events, w->shape.is_large ? "large" : "small", w->n_traced - from);
    for (uint64_t i = from; i < w->n_traced; i++)
        print_line(&w->traced[i % N_TRACED]);
}

void
sc_sim_fail(const world *w, const char *format, ...)
{
    va_list args;
    sc_trace_print(w);
    fprintf(stderr, "FAILED seed %" PRIu64 " event %" PRIu64 ": ", w->seed, w->n_events);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
    _exit(1); // what is still held is no leak
}
