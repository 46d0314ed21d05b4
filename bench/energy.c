/* SPDX-License-Identifier: Apache-2.0 */
/* How fast are energy and gradient, on one thread? Prints one JSON row a line, each with the limit
 * that was measured beside it in the same run, repetition by repetition; all figures are medians.
 *   energy         dense W, N = 1000, d = 384; limit: NumPy's two products on OpenBLAS; a
 * repetition that is not counted goes before each, so that neither finds its cache filled by the
 * other energy.sparse  N = 100000, d = 384, 16 neighbours an agent, far out of the cache; limit:
 * reading at the bandwidth of a plain streaming sum as many bytes as the product must move: a row
 * of H for each entry of W and for each agent, the entry itself (12 bytes), and the row of the
 * gradient once (that a store first reads its line is not counted) */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/random.h"
#include "worker/energy/energy.h"

enum {
    DIM = 384,
    DENSE_AGENTS = 1000,
    DENSE_REPETITIONS = 51,
    SPARSE_AGENTS = 100000,
    SPARSE_DEGREE = 16,
    SPARSE_REPETITIONS = 11,
    STREAM_FLOATS = 1 << 27, /* 512 MiB */
};

typedef struct peer {
    FILE *to, *from;
    pid_t pid;
} peer;

static _Noreturn void
fail(const char *what)
{
    fprintf(stderr, "energy: %s failed\n", what);
    exit(1);
}

static double
now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double
median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, compare);
    return values[n / 2];
}

static void
print_row(const char *name, double value, double limit)
{
    printf("{\"name\":\"%s\",\"value\":%.6f,\"unit\":\"s\",\"limit\":%.6f,\"ratio\":%.3f}\n", name,
           value, limit, value / limit);
    fflush(stdout);
}

static peer
start_numpy(void)
{
    int down[2], up[2];
    if (pipe(down) != 0 || pipe(up) != 0)
        fail("pipe");
    peer p = {.pid = fork()};
    if (p.pid < 0)
        fail("fork");
    if (p.pid == 0) {
        char n[16], d[16];
        snprintf(n, sizeof n, "%d", DENSE_AGENTS);
        snprintf(d, sizeof d, "%d", DIM);
        dup2(down[0], STDIN_FILENO);
        dup2(up[1], STDOUT_FILENO);
        close(down[1]);
        close(up[0]);
        setenv("OPENBLAS_NUM_THREADS", "1", 1);
        execl("/usr/bin/python3", "python3", SC_BENCH_DIR "/energy_numpy.py", n, d, (char *)NULL);
        _exit(127);
    }
    close(down[0]);
    close(up[1]);
    p.to = fdopen(down[1], "w");
    p.from = fdopen(up[0], "r");
    if (p.to == NULL || p.from == NULL)
        fail("fdopen");
    return p;
}

static double
ask_numpy(const peer *p)
{
    double seconds;
    if (fputs("go\n", p->to) < 0 || fflush(p->to) != 0 || fscanf(p->from, "%lf", &seconds) != 1)
        fail("python3 with NumPy");
    return seconds;
}

static void
stop_numpy(peer *p)
{
    fclose(p->to);
    fclose(p->from);
    waitpid(p->pid, NULL, 0);
}

static sc_energy_system *
make_system(size_t n_agents, sc_random *random)
{
    sc_energy_system *s;
    if (sc_energy_system_new(n_agents, DIM, 0, &s) != 0)
        fail("sc_energy_system_new");
    for (size_t k = 0; k < n_agents * DIM; k++)
        s->h[k] = (float)sc_random_double(random) - 0.5F;
    for (size_t k = 0; k < n_agents * SC_ENERGY_ROLES; k++)
        s->p[k] = (float)sc_random_double(random);
    return s;
}

static void
bench_dense(sc_random *random)
{
    const size_t n = DENSE_AGENTS;
    double ours[DENSE_REPETITIONS], theirs[DENSE_REPETITIONS];
    sc_energy_system *s = make_system(n, random);
    sc_energy_coefficients c;
    sc_energy_gradient g;
    sc_energy_terms terms;
    float *w = sc_energy_floats(n * n);
    if (w == NULL || sc_energy_gradient_init(&g, s) != 0)
        fail("memory");
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            w[i * n + j] = w[j * n + i] = (float)sc_random_double(random);
    sc_energy_coefficients_init(&c);
    peer numpy = start_numpy();
    for (int r = 0; r < DENSE_REPETITIONS; r++) {
        ask_numpy(&numpy);
        theirs[r] = ask_numpy(&numpy);
        sc_energy_dense(s, w, &c, &terms, &g);
        double start = now_s();
        sc_energy_dense(s, w, &c, &terms, &g);
        ours[r] = now_s() - start;
    }
    stop_numpy(&numpy);
    print_row("energy", median(ours, DENSE_REPETITIONS), median(theirs, DENSE_REPETITIONS));
    sc_energy_gradient_fini(&g);
    free(w);
    sc_energy_system_free(&s);
}

/* A ring whose agents are also joined to others anywhere: no order of the rows is kind to the
 * cache. */
static void
set_random_pairs(sc_energy_system *s, sc_random *random)
{
    const size_t each = SPARSE_DEGREE / 2, n = s->n_agents;
    sc_energy_pair *pairs = calloc(n * each, sizeof *pairs);
    uint32_t *order = calloc(n, sizeof *order);
    if (pairs == NULL || order == NULL)
        fail("memory");
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    for (size_t i = n - 1; i > 0; i--) {
        size_t other = sc_random_below(random, i + 1);
        uint32_t kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
    for (size_t k = 0; k < n * each; k++) {
        uint32_t a = order[k / each], b = order[(k / each + 1 + 37 * (k % each)) % n];
        pairs[k] =
            (sc_energy_pair){.i = a < b ? a : b, .j = a < b ? b : a, .w = sc_random_double(random)};
    }
    if (sc_energy_system_set_pairs(s, pairs, n * each, NULL) != 0)
        fail("sc_energy_system_set_pairs");
    free(order);
    free(pairs);
}

/* Seconds a byte of a sum over an array that no cache holds: one integer addition for 8 bytes. */
static double
stream_s(const uint64_t *words, size_t n)
{
    uint64_t a = 0, b = 0, c = 0, d = 0;
    double start = now_s();
    for (size_t k = 0; k < n; k += 4) {
        a += words[k];
        b += words[k + 1];
        c += words[k + 2];
        d += words[k + 3];
    }
    double seconds = now_s() - start;
    if (a + b + c + d != 0)
        fail("the streaming sum");
    return seconds / (double)(n * sizeof *words);
}

static void
bench_sparse(sc_random *random)
{
    const double entries = (double)SPARSE_AGENTS * SPARSE_DEGREE, row = DIM * sizeof(float);
    const double bytes =
        entries * (row + sizeof(uint32_t) + sizeof(double)) + 2 * SPARSE_AGENTS * row;
    double ours[SPARSE_REPETITIONS], streams[SPARSE_REPETITIONS];
    sc_energy_system *s = make_system(SPARSE_AGENTS, random);
    set_random_pairs(s, random);
    sc_energy_coefficients c;
    sc_energy_gradient g;
    sc_energy_terms terms;
    float *stream = sc_energy_floats(STREAM_FLOATS);
    if (stream == NULL || sc_energy_gradient_init(&g, s) != 0)
        fail("memory");
    sc_energy_coefficients_init(&c);
    for (int r = 0; r < SPARSE_REPETITIONS; r++) {
        streams[r] = bytes * stream_s((const uint64_t *)(void *)stream, STREAM_FLOATS / 2);
        double start = now_s();
        sc_energy_sparse(s, &c, &terms, &g);
        ours[r] = now_s() - start;
    }
    print_row("energy.sparse", median(ours, SPARSE_REPETITIONS),
              median(streams, SPARSE_REPETITIONS));
    free(stream);
    sc_energy_gradient_fini(&g);
    sc_energy_system_free(&s);
}

int
main(void)
{
    sc_random random;
    sc_random_init(&random, 1);
    sc_energy_single_thread();
    bench_dense(&random);
    bench_sparse(&random);
    return 0;
}
