/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers for the cluster tests that go wrong in ways that the built-in ones do not: on the loop,
 * in callbacks, with large results. What starts is noted in the file of FAULTS_LOG, a line a task:
 * its handler and its index. And one that goes well, and notes when and where it has begun. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <uv.h>

#include "base/limits.h"
#include "worker/handler.h"

const unsigned sc_plugin_abi = SC_PLUGIN_ABI;

int sc_plugin_init(sc_registry *registry);

static int
open_log(void)
{
    int fd = open(getenv("FAULTS_LOG"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        abort();
    return fd;
}

static void
note(const char *handler, const sc_task *task)
{
    int fd = open_log();

    dprintf(fd, "%s %d\n", handler, (int)sc_task_index(task));
    close(fd);
}

/* Never lets the loop go on. */
static void
block(sc_task *task, void *state)
{
    (void)state;
    note("block", task);
    for (;;)
        pause();
}

/* Keeps the loop standing still for longer than the lease of a peer. */
static void
pause_loop(sc_task *task, void *state)
{
    (void)state;
    usleep(1200 * 1000);
    sc_task_done(task, "1", 1);
}

/* Waits, and then blocks the loop in a callback, for ever; with a state, it says whose that is. */
static void
on_timer(uv_timer_t *timer)
{
    sc_task *task = timer->data;

    if (sc_task_data(task))
        sc_task_enter(task);
    for (;;)
        pause();
}

static void
stall(sc_task *task, void *state)
{
    uv_timer_t *timer = malloc(sizeof *timer);

    if (!timer)
        abort();
    note("stall", task);
    sc_task_set_data(task, state);
    uv_timer_init(sc_task_loop(task), timer);
    timer->data = task;
    uv_timer_start(timer, on_timer, 1, 0);
}

static void
on_wait_closed(uv_handle_t *handle)
{
    sc_task *task = handle->data;

    free(handle);
    sc_task_done(task, "1", 1);
}

static void
on_wait_over(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, on_wait_closed);
}

static void
end_after(sc_task *task, uint64_t ms)
{
    uv_timer_t *timer = malloc(sizeof *timer);

    if (!timer)
        abort();
    uv_timer_init(sc_task_loop(task), timer);
    timer->data = task;
    uv_timer_start(timer, on_wait_over, ms, 0);
}

/* Waits for 5 ms. */
static void
wait_shortly(sc_task *task, void *state)
{
    (void)state;
    note("short", task);
    end_after(task, 5);
}

static long
number_of(const sc_task *task)
{
    char text[16];
    size_t len;
    const char *args = sc_task_args(task, &len);

    snprintf(text, sizeof text, "%.*s", (int)len, args);
    return strtol(text, NULL, 10);
}

/* Waits for so many ms; its note has the monotonic time in ns and the process, too. */
static void
wait_timed(sc_task *task, void *state)
{
    struct timespec now;
    int fd = open_log();

    (void)state;
    clock_gettime(CLOCK_MONOTONIC, &now);
    dprintf(fd, "timed %d %lld%09ld %d\n", (int)sc_task_index(task), (long long)now.tv_sec,
            now.tv_nsec, (int)getpid());
    close(fd);
    end_after(task, (uint64_t)number_of(task));
}

static _Noreturn void
crash(void)
{
    struct rlimit none = {0};

    setrlimit(RLIMIT_CORE, &none);
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
    abort();
}

/* The last of ten kills its process, in the same turn in which the others end. */
static void
once(sc_task *task, void *state)
{
    (void)state;
    note("once", task);
    if (sc_task_index(task) == 9)
        crash();
    sc_task_done(task, "1", 1);
}

/* The largest value that is not sent at once, then the largest there is. */
static void
large(sc_task *task, void *state)
{
    size_t len = sc_task_index(task) == 0 ? SC_CHUNK_MAX_BYTES - 1 : SC_TASK_MAX_BYTES;
    char *text = malloc(len);

    (void)state;
    if (!text)
        abort();
    memset(text, 'x', len);
    text[0] = text[len - 1] = '"';
    sc_task_done(task, text, len);
    free(text);
}

/* What no handler should return; its index says what. */
static void
wrong(sc_task *task, void *state)
{
    static const char *const values[] = {"not json", "1\n{\"index\":0}", "\"\xff\""};

    (void)state;
    if (sc_task_index(task) < 3)
        sc_task_done(task, values[sc_task_index(task)], strlen(values[sc_task_index(task)]));
    else
        sc_task_fail(task, "Bad Code!", false, "its code is none");
}

/* Runs in a thread for so many ms, and never looks whether anybody wants it to. */
static void
stubborn(sc_task *task, void *state)
{
    const struct timespec ms = {.tv_nsec = 1000000};
    long n = number_of(task);

    (void)state;
    for (long i = 0; i < n; i++)
        nanosleep(&ms, NULL);
    sc_task_done(task, "null", 4);
}

/* Says how far it is after each of as many steps as it is given, and returns what a step took, in
 * nanoseconds. */
static void
count(sc_task *task, void *state)
{
    uint64_t begin_ns = uv_hrtime(), n;
    char text[24];
    size_t len;
    const char *args = sc_task_args(task, &len);

    (void)state;
    snprintf(text, sizeof text, "%.*s", (int)len, args);
    n = strtoull(text, NULL, 10);
    for (uint64_t i = 1; i <= n; i++)
        sc_task_progress(task, i, n);
    len = (size_t)snprintf(text, sizeof text, "%.1f", (double)(uv_hrtime() - begin_ns) / (double)n);
    sc_task_done(task, text, len);
}

/* Every tenth task fails while the file that its argument names is not there. */
static void
until(sc_task *task, void *state)
{
    char path[256];
    size_t len;
    const char *args = sc_task_args(task, &len);

    (void)state;
    snprintf(path, sizeof path, "%.*s", len > 2 ? (int)len - 2 : 0, args + 1); // in quotes
    if (sc_task_index(task) % 10 == 3 && access(path, F_OK) < 0)
        sc_task_fail(task, "not_yet", true, "the file is not there");
    else
        sc_task_done(task, "\"here\"", 6);
}

int
sc_plugin_init(sc_registry *registry)
{
    static char says[] = "whose callback it is";
    static const sc_handler handlers[] = {
        {.name = "t.block", .run = block},
        {.name = "t.count", .kind = SC_HANDLER_THREAD, .run = count},
        {.name = "t.large", .run = large},
        {.name = "t.pause", .run = pause_loop},
        {.name = "t.short", .run = wait_shortly},
        {.name = "t.stall", .run = stall, .state = says},
        {.name = "t.stall.silent", .run = stall},
        {.name = "t.once", .run = once, .flags = SC_HANDLER_ONCE},
        {.name = "t.timed", .run = wait_timed},
        {.name = "t.stubborn", .kind = SC_HANDLER_THREAD, .run = stubborn},
        {.name = "t.until", .run = until},
        {.name = "t.wrong", .run = wrong},
    };

    for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++) {
        int rc = sc_registry_add(registry, &handlers[i]);

        if (rc != 0)
            return rc;
    }
    return 0;
}
