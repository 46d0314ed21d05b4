/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the spill file and of the store share: the file, which has no name, and a disk
 * that is full. Included by one file of a test program. */
#ifndef SC_TEST_SPILL_SUPPORT_H
#define SC_TEST_SPILL_SUPPORT_H

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <criterion/criterion.h>

// The descriptor of the file without a name in `dir`.
static int
spill_fd(const char *dir)
{
    for (int fd = 3; fd < 100; fd++) {
        char link[40], path[200] = "";

        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        if (readlink(link, path, sizeof path - 1) > 0 && strncmp(path, dir, strlen(dir)) == 0 &&
            strstr(path, "(deleted)"))
            return fd;
    }
    cr_assert_fail("no file in %s", dir);
    return -1;
}

// From now on a file may have so many bytes; what would pass that is written in part.
static void
limit_files(rlim_t max_bytes)
{
    struct rlimit limit = {max_bytes, RLIM_INFINITY};

    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

#endif
