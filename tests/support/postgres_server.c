/* SPDX-License-Identifier: Apache-2.0 */
/* See postgres_server.h. */
#include "tests/support/postgres_server.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"

static void
read_line(sc_test_server *s, char *out, int size)
{
    SC_ASSERT(fgets(out, size, s->from) && "the helper has ended; what it said is above");
    out[strcspn(out, "\n")] = 0;
}

bool
sc_test_server_start(sc_test_server *s)
{
    int to[2], from[2];
    SC_ASSERT(pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0);
    fflush(NULL);
    s->pid = fork();
    if (s->pid == 0) {
        dup2(to[0], 0);
        dup2(from[1], 1);
        execl("/usr/bin/python3", "python3", SC_TEST_SUPPORT "/postgres.py", (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    s->to = fdopen(to[1], "w");
    s->from = fdopen(from[0], "r");
    read_line(s, s->location, sizeof s->location);
    bool is_there = strcmp(s->location, "wait") == 0;
    if (is_there)
        read_line(s, s->location, sizeof s->location);
    else
        sc_test_server_end(s);
    return is_there;
}

const char *
sc_test_server_do(sc_test_server *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(s->to, format, args);
    va_end(args);
    fputc('\n', s->to);
    fflush(s->to);
    read_line(s, s->answer, sizeof s->answer);
    return s->answer;
}

void
sc_test_server_end(sc_test_server *s)
{
    fclose(s->to);
    waitpid(s->pid, NULL, 0);
    fclose(s->from);
    s->to = s->from = NULL;
}
