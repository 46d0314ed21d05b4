/* SPDX-License-Identifier: Apache-2.0 */
/* sim --seeds N [--first S] [--verbose]: runs N worlds, each from its own seed. A world that breaks
 * an invariant prints its seed, the last events and why, and ends the program with 1; the same seed
 * replays it. Each tenth seed runs twice: both runs must leave the same trace. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/sim/world.h"

/* What sanitizers find ends with SIGABRT, too. */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

enum { TWICE_EVERY = 10 };

static void
say_where(void)
{
    if (sc_sim_current())
        sc_trace_print(sc_sim_current());
}

// The code under test aborts, crashes, or takes too long: say where in the world.
static void
on_signal(int number)
{
    (void)number;
    say_where();
    _exit(1);
}

static void
catch_ends(void)
{
#ifdef __SANITIZE_ADDRESS__
    static const int signals[] = {SIGABRT, SIGTERM};
#else
    static const int signals[] = {SIGABRT, SIGTERM, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
#endif
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        signal(signals[i], on_signal);
}

const char *
__asan_default_options(void)
{
    return "abort_on_error=1";
}

const char *
__ubsan_default_options(void)
{
    return "abort_on_error=1:print_stacktrace=1";
}

static int
usage(void)
{
    fprintf(stderr, "usage: sim --seeds N [--first S] [--verbose]\n");
    return 2;
}

static bool
parse(int argc, char **argv, uint64_t *n_seeds, uint64_t *first, bool *is_verbose)
{
    for (int i = 1; i < argc; i++) {
        uint64_t *number = strcmp(argv[i], "--seeds") == 0   ? n_seeds
                           : strcmp(argv[i], "--first") == 0 ? first
                                                             : NULL;
        if (strcmp(argv[i], "--verbose") == 0)
            *is_verbose = true;
        else if (number && i + 1 < argc && argv[i + 1][0] >= '0' && argv[i + 1][0] <= '9')
            *number = strtoull(argv[++i], NULL, 10);
        else
            return false;
    }
    return *n_seeds > 0;
}

int
main(int argc, char **argv)
{
    uint64_t n_seeds = 0, first = 1;
    bool is_verbose = false;
    if (!parse(argc, argv, &n_seeds, &first, &is_verbose))
        return usage();
    sc_log_init(is_verbose ? SC_LOG_DEBUG : SC_LOG_ERROR, "sim");
    catch_ends();
    for (uint64_t seed = first; seed < first + n_seeds; seed++) {
        uint64_t hash = sc_sim_world(seed, is_verbose);
        if (seed % TWICE_EVERY == 0 && sc_sim_world(seed, false) != hash) {
            fprintf(stderr, "FAILED seed %" PRIu64 ": two runs differ\n", seed);
            return 1;
        }
    }
    printf("%" PRIu64 " worlds from seed %" PRIu64 ": all invariants hold\n", n_seeds, first);
    return 0;
}
