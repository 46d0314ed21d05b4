/* SPDX-License-Identifier: Apache-2.0 */
/* The program `seedcore`: what a process needs before the command line is read (cli.c does that).
 */
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fault.h"
#include "client/cli/cli.h"

/* A stream that the caller closed must not become the number of a socket. Nothing can be read from
 * or written to what stands in for it. */
static void
hold_streams(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
            abort();
}

int
main(int argc, char **argv)
{
    const char *bad;

    hold_streams();
    setlocale(LC_CTYPE, "");
    signal(SIGPIPE, SIG_IGN); // a reader that went away is an error of write(2)
    sc_fault_from_environment(&bad);
    return sc_cli_main(argc, (const char *const *)argv);
}
