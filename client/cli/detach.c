/* SPDX-License-Identifier: Apache-2.0 */
/* `up --detach`: fork, report through a pipe, see detach.h. */
#include "client/cli/detach.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char ready[] = "ready"; // a report that begins otherwise is the reason

static void
on_interrupt(int signum)
{
    (void)signum; // read(2) ends with EINTR
}

/* The parent: what the child says, until it closes the pipe. */
static int
wait_for_report(pid_t child, int fd, char *text, size_t size)
{
    struct sigaction action = {.sa_handler = on_interrupt};
    bool is_interrupted = false;
    size_t len = 0;
    ssize_t n;

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    while ((n = read(fd, text + len, size - 1 - len)) != 0 && len < size - 1) {
        if (n > 0) {
            len += (size_t)n;
            continue;
        }
        if (errno != EINTR)
            break;
        is_interrupted = true;
        kill(child, SIGTERM);
    }
    close(fd);
    text[len] = '\0';
    if (is_interrupted)
        return -EINTR;
    if (strcmp(text, ready) == 0)
        text[0] = '\0';
    else if (len == 0)
        snprintf(text, size, "it ended before it was ready");
    return 0;
}

/* The child: away from the terminal. */
static void
leave_terminal(int log)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    setsid();
    if (null >= 0)
        dup2(null, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    close(log);
    close(null);
}

/* What the caller had open for others, a lock or a pipe, must not live as long as the cluster. */
static void
leave_files(int report)
{
    close_range(STDERR_FILENO + 1, (unsigned)report - 1, 0);
    close_range((unsigned)report + 1, UINT_MAX, 0);
}

int
sc_detach(const char *log_path, int *report, char *text, size_t size, sc_error *err)
{
    int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int fds[2];
    pid_t child;

    if (log < 0)
        return sc_error_set(err, -errno, "cannot write %s: %s", log_path, strerror(errno));
    if (pipe2(fds, O_CLOEXEC) != 0 || (child = fork()) < 0) {
        int rc = -errno;

        close(log);
        return sc_error_set(err, rc, "cannot start in the background: %s", sc_error_text(rc));
    }
    if (child == 0) {
        leave_terminal(log);
        leave_files(fds[1]);
        *report = fds[1];
        return 0;
    }
    close(log);
    close(fds[1]);
    *report = -1;
    return wait_for_report(child, fds[0], text, size);
}

void
sc_detach_report(int *report, const char *text)
{
    ssize_t n;

    if (*report < 0)
        return;
    if (!*text)
        text = ready;
    n = write(*report, text, strlen(text)); // short enough for a pipe to take at once
    (void)n;                                // the parent may be gone
    close(*report);
    *report = -1;
}
