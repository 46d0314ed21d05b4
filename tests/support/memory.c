/* SPDX-License-Identifier: Apache-2.0 */
/* Requests for memory that are refused: see memory.h. */
#include "tests/support/memory.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"

#ifdef __SANITIZE_ADDRESS__
size_t __sanitizer_get_current_allocated_bytes(void); // its header is not in Debian's gcc
#define ALLOCATED_BYTES() __sanitizer_get_current_allocated_bytes()
#else
#define ALLOCATED_BYTES() 0
#endif

enum { TOO_LONG_S = 30 }; // for what takes some milliseconds

/* ---- what the linker puts in the place of the library's ---- */

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t n, size_t bytes);
void *__real_realloc(void *old, size_t bytes);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t max);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t max);

void *
__wrap_malloc(size_t bytes)
{
    return sc_fault_hit("memory") ? NULL : __real_malloc(bytes);
}

void *
__wrap_calloc(size_t n, size_t bytes)
{
    return sc_fault_hit("memory") ? NULL : __real_calloc(n, bytes);
}

void *
__wrap_realloc(void *old, size_t bytes)
{
    return sc_fault_hit("memory") ? NULL : __real_realloc(old, bytes);
}

char *
__wrap_strdup(const char *text)
{
    return sc_fault_hit("memory") ? NULL : __real_strdup(text);
}

char *
__wrap_strndup(const char *text, size_t max)
{
    return sc_fault_hit("memory") ? NULL : __real_strndup(text, max);
}

/* ---- a life in which one is refused ---- */

static const char *at; // the point
static uint64_t which; // of the requests is to be refused; 0: none, or it has been
static bool is_counting;

void
sc_memory_count(void)
{
    sc_fault_set(at, which);
    is_counting = true;
}

void
sc_memory_spare(void)
{
    if (is_counting && sc_fault_count(at) >= which)
        which = 0;
    sc_fault_set(at, 0);
    is_counting = false;
}

static sc_memory_ending
live_on(const char *point, uint64_t nth, bool (*live)(void))
{
    at = point;
    (void)live(); // what libraries keep for good
    size_t before = ALLOCATED_BYTES();
    which = nth;
    sc_memory_count();
    bool is_good = live();
    sc_memory_spare();
    if (ALLOCATED_BYTES() != before)
        return SC_MEMORY_LEAKED;
    if (!is_good)
        return SC_MEMORY_WRONG;
    return which > 0 ? SC_MEMORY_UNTOUCHED : SC_MEMORY_WENT_ON;
}

static sc_memory_ending
refuse(const char *point, uint64_t nth, bool (*live)(void))
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGABRT, SIG_DFL);
        alarm(TOO_LONG_S);
        dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
        _exit(live_on(point, nth, live));
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return SC_MEMORY_ASTRAY;
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGABRT ? SC_MEMORY_GAVE_UP : SC_MEMORY_ASTRAY;
    return WEXITSTATUS(status) < SC_MEMORY_ASTRAY ? (sc_memory_ending)WEXITSTATUS(status)
                                                  : SC_MEMORY_ASTRAY;
}

uint64_t
sc_memory_refuse_each(const char *point, bool (*live)(void), sc_memory_ending worst)
{
    sc_memory_ending ending;
    uint64_t nth = 1;
    bool is_good = true;
    for (; (ending = refuse(point, nth, live)) != SC_MEMORY_UNTOUCHED; nth++)
        if (ending > worst) {
            fprintf(stderr, "%s, request %d: ending %d\n", point, (int)nth, (int)ending);
            is_good = false;
        }
    return is_good ? nth - 1 : 0;
}
