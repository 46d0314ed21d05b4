/* SPDX-License-Identifier: Apache-2.0 */
/* JSON lines from a descriptor, see input.h. Called by submit. */
#include "client/cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int
sc_input_open(sc_input *input, sc_cli *cli, const char *path)
{
    bool is_stdin = strcmp(path, "-") == 0;
    struct stat s;

    *input = (sc_input){.cli = cli, .name = is_stdin ? "<stdin>" : path};
    sc_lines_init(&input->lines);
    input->fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (input->fd >= 0 && fstat(input->fd, &s) == 0 && S_ISDIR(s.st_mode)) {
        close(input->fd);
        input->fd = -1;
        errno = EISDIR;
    }
    if (input->fd >= 0)
        return 0;
    sc_cli_say(cli, "cannot read %s: %s", path, strerror(errno));
    return SC_EXIT_FAILED;
}

/* One read. @return false where the command has ended */
static bool
fill(sc_input *input)
{
    char *room;
    size_t len;
    ssize_t n;

    if (sc_cli_refused(input->cli, sc_lines_room(&input->lines, &room, &len)))
        return false;
    do
        n = read(input->fd, room, len);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return true;
    if (n < 0) {
        sc_cli_say(input->cli, "cannot read %s: %s", input->name, strerror(errno));
        sc_cli_end(input->cli, SC_EXIT_FAILED);
        return false;
    }
    sc_lines_added(&input->lines, (size_t)n);
    return true;
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
    sc_input *input = poll->data;

    (void)status; // the read tells
    (void)events;
    uv_poll_stop(poll);
    if (!input->cli->is_ended && fill(input))
        sc_feed_wake(input->feed);
}

void
sc_input_start(sc_input *input, sc_feed *feed)
{
    int flags = fcntl(input->fd, F_GETFL);

    input->feed = feed;
    // Fails for files, which are always readable.
    input->can_wait = uv_poll_init(&input->cli->loop, &input->poll, input->fd) == 0;
    if (!input->can_wait)
        return;
    // libuv makes it non-blocking; others who hold stdin open do not expect that.
    fcntl(input->fd, F_SETFL, flags);
    input->poll.data = input;
}

/* The end of the lines. */
static int
ended(sc_input *input)
{
    if (input->n_tasks > 0)
        return 0;
    sc_cli_say(input->cli, "%s: there is no task in it; nothing was queued", input->name);
    sc_cli_end(input->cli, SC_EXIT_FAILED);
    return SC_EMALFORMED;
}

int
sc_input_next(void *arg, const char **task, size_t *len)
{
    sc_input *input = arg;
    sc_error err = {0};
    int rc;

    while ((rc = sc_lines_next(&input->lines, task, len, &err)) == 0) {
        if (input->lines.is_ended)
            return ended(input);
        if (input->can_wait) {
            uv_poll_start(&input->poll, UV_READABLE, on_readable);
            return -EAGAIN;
        }
        if (!fill(input))
            return SC_ECLOSED;
    }
    if (rc > 0) {
        input->n_tasks++;
        return 1;
    }
    sc_cli_say(input->cli, "%s:%llu: %s; nothing was queued", input->name,
               (unsigned long long)input->lines.line, err.text);
    sc_cli_end(input->cli, SC_EXIT_FAILED);
    return rc;
}

void
sc_input_fini(sc_input *input)
{
    if (input->fd > STDERR_FILENO)
        close(input->fd);
    sc_lines_fini(&input->lines);
}
