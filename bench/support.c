/* SPDX-License-Identifier: Apache-2.0 */
/* The frame of a benchmark. The program is two processes: one measures and may end in any way, the
 * other watches it. The watcher is the subreaper, so whatever the measuring process leaves behind
 * becomes its child and is killed; only then is the folder removed. */
#include "bench/support.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

static const char log_name[] = "log"; // in the private folder

enum {
    TIME_LIMIT_S = 50,    /* below what bench/run allows, so that the reason is printed here */
    TREE_DESCRIPTORS = 8, /* of nftw */
    LOG_BYTES = 4096,     /* its end is shown */
};

_Noreturn void
sc_bench_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s: ", program_invocation_short_name);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

double
sc_bench_now_s(void)
{
    return 1e-9 * (double)sc_clock_ns();
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double
sc_bench_quantile(double *values, size_t n, unsigned per_mille)
{
    qsort(values, n, sizeof *values, compare);
    return values[n * per_mille / 1000];
}

double
sc_bench_median(double *values, size_t n)
{
    return sc_bench_quantile(values, n, 500);
}

char *
sc_bench_payloads(size_t n)
{
    char *payloads = malloc(n * SC_BENCH_TASK_BYTES + 1);
    if (payloads == NULL)
        sc_bench_fail("no memory for %zu payloads", n);
    for (size_t i = 0; i < n; i++)
        sprintf(payloads + i * SC_BENCH_TASK_BYTES, "\"%0*zu\"", SC_BENCH_TASK_BYTES - 2, i);
    return payloads;
}

void
sc_bench_row(const char *name, double value, const char *unit, double limit)
{
    printf("{\"name\":\"%s\",\"value\":%.9g,\"unit\":\"%s\",", name, value, unit);
    if (limit > 0)
        printf("\"limit\":%.9g,\"ratio\":%.3f}\n", limit, value / limit);
    else
        printf("\"limit\":null,\"ratio\":null}\n");
    fflush(stdout);
}

/* ---- processes ---- */

pid_t
sc_bench_fork(void)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0)
        sc_bench_fail("fork: %s", strerror(errno));
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) // it ended before the line above
            _exit(1);
    }
    return pid;
}

/* Where a program of the project lies. */
static void
find_program(const char *name, char path[PATH_MAX])
{
    const char *folder = getenv("SEEDCORE_BIN");
    char self[PATH_MAX] = "";
    if (folder == NULL) {
        if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
            sc_bench_fail("/proc/self/exe: %s", strerror(errno));
        *strrchr(self, '/') = '\0';
        strcat(self, "/..");
        folder = self;
    }
    if (snprintf(path, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX || access(path, X_OK) != 0)
        sc_bench_fail("no program %s", path);
}

pid_t
sc_bench_spawn(const char *dir, const char *const argv[], const char *const env[])
{
    char path[PATH_MAX], log[PATH_MAX];
    find_program(argv[0], path);
    snprintf(log, sizeof log, "%s/%s", dir, log_name);
    pid_t pid = sc_bench_fork();
    if (pid > 0)
        return pid;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    for (; env != NULL && *env != NULL; env++)
        putenv((char *)*env);
    if (null >= 0 && log_fd >= 0 && dup2(null, STDIN_FILENO) >= 0 &&
        dup2(null, STDOUT_FILENO) >= 0 && dup2(log_fd, STDERR_FILENO) >= 0)
        execv(path, (char *const *)argv);
    _exit(127);
}

void
sc_bench_kill(pid_t *pid)
{
    if (*pid == 0)
        return;
    kill(*pid, SIGKILL);
    waitpid(*pid, NULL, 0);
    *pid = 0;
}

/* ---- the watcher ---- */

/* Kill every child; their own children become ours when they are gone. */
static void
kill_children(void)
{
    char name[64];
    int pid;
    snprintf(name, sizeof name, "/proc/self/task/%d/children", getpid());
    FILE *list = fopen(name, "re");
    while (list != NULL && fscanf(list, "%d", &pid) == 1)
        kill(pid, SIGKILL);
    if (list != NULL)
        fclose(list);
}

static int
remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status, (void)type, (void)walk;
    return remove(path);
}

/* Show how the log of the programs ends. */
static void
show_log(const char *dir)
{
    char path[PATH_MAX], text[LOG_BYTES];
    snprintf(path, sizeof path, "%s/%s", dir, log_name);
    FILE *log = fopen(path, "re");
    if (log == NULL)
        return;
    if (fseek(log, -LOG_BYTES, SEEK_END) != 0)
        rewind(log); // it is shorter
    fwrite(text, 1, fread(text, 1, sizeof text, log), stderr);
    fclose(log);
}

/* Wait for the end of the measuring process. Returns the exit status of the program. */
static int
watch(pid_t pid, const sigset_t *signals)
{
    const int64_t end_ms = sc_clock_ms() + 1000 * TIME_LIMIT_S;
    for (;;) {
        int64_t left_ms = end_ms - sc_clock_ms();
        if (left_ms <= 0) {
            fprintf(stderr, "%s: not ended after %d s\n", program_invocation_short_name,
                    TIME_LIMIT_S);
            return 1;
        }
        struct timespec left = {left_ms / 1000, left_ms % 1000 * 1000000};
        int caught = sigtimedwait(signals, NULL, &left);
        if (caught > 0 && caught != SIGCHLD)
            return 130;
        int status;
        if (waitpid(pid, &status, WNOHANG) != pid)
            continue;
        if (WIFEXITED(status))
            return WEXITSTATUS(status);
        fprintf(stderr, "%s: killed by signal %d\n", program_invocation_short_name,
                WTERMSIG(status));
        return 1;
    }
}

int
sc_bench_main(void (*measure)(const char *dir))
{
    static const int wanted[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD};
    char dir[] = "/tmp/seedcore-bench-XXXXXX";
    sigset_t signals, before;
    sigemptyset(&signals);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        sigaddset(&signals, wanted[i]);
    if (sigprocmask(SIG_BLOCK, &signals, &before) != 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
        sc_bench_fail("signals: %s", strerror(errno));
    if (mkdtemp(dir) == NULL)
        sc_bench_fail("%s: %s", dir, strerror(errno));
    pid_t pid = sc_bench_fork();
    if (pid == 0) {
        setpgid(0, 0); // Ctrl-C reaches the watcher alone
        sigprocmask(SIG_SETMASK, &before, NULL);
        measure(dir);
        exit(0);
    }
    int status = watch(pid, &signals);
    do
        kill_children();
    while (wait(NULL) > 0);
    if (status == 1)
        show_log(dir);
    nftw(dir, remove_entry, TREE_DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
    return status;
}
