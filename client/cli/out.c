/* SPDX-License-Identifier: Apache-2.0 */
/* Buffered data output, see out.h. Called by every verb; never prints an error itself. */
#include "client/cli/out.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"

enum { FLUSH_BYTES = 64 * 1024 }; // a pipe takes as much at once

void
sc_out_init(sc_out *o)
{
    sc_out_init_fd(o, -1);
}

void
sc_out_init_fd(sc_out *o, int fd)
{
    *o = (sc_out){.fd = fd};
    sc_buffer_init(&o->buffer, 0);
}

/* stdout or stderr, where this is what they already are: a second description of a file would write
 * over theirs, and a file in its place would take the rest from them. -1: neither. */
static int
standard_stream(const struct stat *file)
{
    struct stat s;

    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
        if (fstat(fd, &s) == 0 && s.st_dev == file->st_dev && s.st_ino == file->st_ino)
            return fd;
    return -1;
}

/* A name beside the file for as long as it is written. @param old  the file; NULL: there is none */
static int
open_temporary(const char *path, const struct stat *old, char **temporary)
{
    int fd;

    if (asprintf(temporary, "%s.%ld.part", path, (long)getpid()) < 0) {
        *temporary = NULL;
        return -ENOMEM;
    }
    fd = open(*temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, old ? 0600 : 0666);
    if (fd < 0)
        return -errno;
    if (old)
        fchmod(fd, old->st_mode & 07777); // where that fails it stays ours alone
    return fd;
}

static int
open_direct(const char *path)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

/* Opens what `path` names, which is `s`. @return 0 or a system error */
static int
open_existing(sc_out *o, const char *path, const struct stat *s)
{
    int fd = standard_stream(s);

    if (fd >= 0) {
        o->fd = fd;
        return 0;
    }
    o->path = realpath(path, NULL); // a link stays one
    if (!o->path)
        return -errno;
    fd = S_ISREG(s->st_mode) ? open_temporary(o->path, s, &o->temporary) : open_direct(path);
    o->fd = fd < 0 ? -1 : fd;
    return fd < 0 ? fd : 0;
}

static int
open_new(sc_out *o, const char *path)
{
    struct stat s;
    int fd;

    if (lstat(path, &s) == 0)
        return -ENOLINK; // a file here would replace the link
    o->path = strdup(path);
    fd = o->path ? open_temporary(path, NULL, &o->temporary) : -ENOMEM;
    o->fd = fd < 0 ? -1 : fd;
    return fd < 0 ? fd : 0;
}

int
sc_out_open(sc_out *o, const char *path, sc_error *err)
{
    struct stat s;
    int rc;

    sc_out_init_fd(o, STDOUT_FILENO);
    if (strcmp(path, "-") == 0)
        return 0;
    o->fd = -1;
    if (!*path)
        return sc_error_set(err, -EINVAL, "cannot write a file whose name is empty");
    rc = stat(path, &s) == 0 ? open_existing(o, path, &s) : open_new(o, path);
    if (rc == 0)
        return 0;
    free(o->path);
    free(o->temporary);
    sc_out_init(o);
    return sc_error_set(err, rc, "cannot write %.100s: %s", path,
                        rc == -ENOLINK ? "a link that leads nowhere" : sc_error_text(rc));
}

/* All of it, also where the descriptor does not block. */
static int
write_all(int fd, const uint8_t *data, size_t len)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    ssize_t n;

    for (size_t at = 0; at<len; at += n> 0 ? (size_t)n : 0) {
        n = write(fd, data + at, len - at);
        if (n < 0 && errno == EAGAIN)
            poll(&p, 1, -1);
        else if (n < 0 && errno != EINTR)
            return -errno;
    }
    return 0;
}

void
sc_out_flush(sc_out *o)
{
    if (o->fd < 0)
        return;
    if (!o->error && o->written < o->buffer.len)
        o->error = write_all(o->fd, o->buffer.data + o->written, o->buffer.len - o->written);
    sc_buffer_clear(&o->buffer);
    o->written = 0;
}

/* A file never waits. The others are shared with processes that do not expect O_NONBLOCK; but what
 * is writable takes PIPE_BUF bytes without waiting (pipe(7)). */
bool
sc_out_drain(sc_out *o)
{
    struct pollfd p = {.fd = o->fd, .events = POLLOUT};
    struct stat s;

    if (o->fd < 0 || o->error || (fstat(o->fd, &s) == 0 && S_ISREG(s.st_mode))) {
        sc_out_flush(o);
        return true;
    }
    while (o->written < o->buffer.len && !o->error) {
        size_t left = o->buffer.len - o->written;
        ssize_t n;

        if (poll(&p, 1, 0) == 0)
            return false;
        n = write(o->fd, o->buffer.data + o->written, left < PIPE_BUF ? left : PIPE_BUF);
        if (n >= 0)
            o->written += (size_t)n;
        else if (errno != EINTR && errno != EAGAIN)
            o->error = -errno;
    }
    sc_out_flush(o);
    return true;
}

int
sc_out_close(sc_out *o, sc_error *err)
{
    const char *name = o->path ? o->path : "stdout";

    sc_out_flush(o);
    if (o->path) {
        if (close(o->fd) != 0 && !o->error)
            o->error = -errno;
        o->fd = -1;
        if (o->temporary && !o->error && rename(o->temporary, o->path) != 0)
            o->error = -errno;
        if (o->temporary && o->error)
            unlink(o->temporary);
        free(o->temporary);
        o->temporary = NULL;
    }
    if (o->error)
        sc_error_set(err, o->error, "cannot write %.100s: %s", name, sc_error_text(o->error));
    return o->error;
}

void
sc_out_fini(sc_out *o)
{
    if (o->path && o->fd >= 0)
        close(o->fd);
    if (o->temporary)
        unlink(o->temporary);
    free(o->temporary);
    free(o->path);
    sc_buffer_fini(&o->buffer);
    sc_out_init(o);
}

/* After each addition: keep the error, or hand over a full buffer. */
static void
added(sc_out *o, int rc)
{
    if (rc && !o->error)
        o->error = rc;
    if (o->buffer.len >= FLUSH_BYTES && !o->is_held)
        sc_out_flush(o);
}

void
sc_out_add(sc_out *o, const void *data, size_t len)
{
    added(o, sc_buffer_add(&o->buffer, data, len));
}

void
sc_out_text(sc_out *o, const char *text)
{
    sc_out_add(o, text, strlen(text));
}

void
sc_out_printf(sc_out *o, const char *format, ...)
{
    va_list args;
    char *text;
    int len;

    va_start(args, format);
    len = vasprintf(&text, format, args);
    va_end(args);
    if (len < 0) {
        added(o, SC_ENOMEM);
        return;
    }
    sc_out_add(o, text, (size_t)len);
    free(text);
}

void
sc_out_repeat(sc_out *o, const char *text, int n)
{
    for (int i = 0; i < n; i++)
        sc_out_text(o, text);
}

/* True where no byte needs a second look; the loop has no branch, so that it is done many bytes at
 * a time. */
static bool
is_plain(const unsigned char *text, size_t len)
{
    unsigned found = 0;

    for (size_t i = 0; i < len; i++)
        found |= (unsigned)(text[i] < 0x20) | (text[i] == 0x7f) | (text[i] == 0xc2);
    return found == 0;
}

void
sc_out_json(sc_out *o, const char *text, size_t len)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t plain = 0; // where the bytes begin that are not yet written

    if (is_plain(s, len)) {
        sc_out_add(o, text, len);
        return;
    }
    for (size_t i = 0; i < len; i++) {
        bool is_c1 = s[i] == 0xc2 && i + 1 < len && s[i + 1] >= 0x80 && s[i + 1] <= 0x9f;

        if (s[i] >= 0x20 && s[i] != 0x7f && !is_c1)
            continue;
        sc_out_add(o, text + plain, i - plain);
        if (s[i] < 0x20)
            sc_out_text(o, " ");
        else
            sc_out_printf(o, "\\u%04x", is_c1 ? s[i + 1] : s[i]);
        i += is_c1;
        plain = i + 1;
    }
    sc_out_add(o, text + plain, len - plain);
}

void
sc_out_begin(sc_out *o)
{
    sc_out_text(o, "{");
    o->has_field = false;
}

void
sc_out_field(sc_out *o, const char *name)
{
    sc_out_text(o, o->has_field ? ",\"" : "\"");
    sc_out_text(o, name);
    sc_out_text(o, "\":");
    o->has_field = true;
}

void
sc_out_field_text(sc_out *o, const char *name, const char *text)
{
    sc_buffer string;

    sc_out_field(o, name);
    if (!text) {
        sc_out_text(o, "null");
        return;
    }
    sc_buffer_init(&string, 0);
    added(o, sc_json_add_string(&string, text, strlen(text)));
    sc_out_json(o, (const char *)string.data, string.len);
    sc_buffer_fini(&string);
}

void
sc_out_field_number(sc_out *o, const char *name, uint64_t number)
{
    sc_out_field(o, name);
    sc_out_printf(o, "%llu", (unsigned long long)number);
}

void
sc_out_field_double(sc_out *o, const char *name, double number)
{
    sc_out_field(o, name);
    added(o, sc_json_add_double(&o->buffer, number));
}

void
sc_out_field_time(sc_out *o, const char *name, int64_t unix_ms)
{
    char text[SC_CLOCK_TEXT];

    sc_out_field_text(o, name, unix_ms ? sc_clock_format(unix_ms, text) : NULL);
}

void
sc_out_end(sc_out *o)
{
    sc_out_text(o, "}\n");
}
