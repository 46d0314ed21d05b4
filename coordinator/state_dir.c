/* SPDX-License-Identifier: Apache-2.0 */
/* The coordinator's folder, and lock files: see state_dir.h. Called by main before anything else is
 * made, and by the journal. */
#include "coordinator/state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int
make(const char *dir, sc_error *err)
{
    char path[4200];
    snprintf(path, sizeof path, "%s", dir);
    for (char *at = path + 1;; at++) {
        if (*at != '/' && *at != 0)
            continue;
        char was = *at;
        *at = 0;
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
            return sc_error_set(err, -errno, "cannot make the folder %s: %s", path,
                                strerror(errno));
        if ((*at = was) == 0)
            return 0;
    }
}

static long
read_pid(int fd)
{
    char text[32] = "";
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    return n > 0 ? atol(text) : 0;
}

int
sc_lock_file(const char *path, long *holder, sc_error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return sc_error_set(err, -errno, "cannot open %s: %s", path, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        int rc = errno == EWOULDBLOCK ? SC_EBUSY : -errno;
        *holder = read_pid(fd);
        sc_error_set(err, rc, "cannot lock %s: %s", path, sc_error_text(rc));
        close(fd);
        return rc;
    }
    char pid[32];
    int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    errno = ENOSPC; // what a short write means
    if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)n, 0) != n) {
        int rc = sc_error_set(err, -errno, "cannot write %s: %s", path, strerror(errno));
        close(fd);
        return rc;
    }
    return fd;
}

int
sc_state_dir_lock(const char *dir, sc_error *err)
{
    char path[4300];
    long holder;
    int rc = make(dir, err);
    if (rc < 0)
        return rc;
    snprintf(path, sizeof path, "%s/lock", dir);
    rc = sc_lock_file(path, &holder, err);
    if (rc == SC_EBUSY)
        return sc_error_set(
            err, SC_ESTATE,
            "%s is in use by the coordinator with pid %ld; end it, or choose another --dir", dir,
            holder);
    return rc;
}
