/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded into one program (LD_PRELOAD), it counts the allocations of all its threads in the
 * first eight bytes of the file that BENCH_ALLOCATIONS names, where another process reads them.
 * File-scope data cannot be avoided here: the functions have the C library's signatures. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static _Atomic(uint64_t) *counter;

static void __attribute__((constructor)) open_counter(void)
{
    const char *path = getenv("BENCH_ALLOCATIONS");
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    void *at = fd < 0 ? MAP_FAILED
                      : mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED)
        counter = at;
    if (fd >= 0)
        close(fd);
}

static void
count(void)
{
    if (counter != NULL)
        atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

void *
malloc(size_t size)
{
    count();
    return __libc_malloc(size);
}

void *
calloc(size_t nmemb, size_t size)
{
    count();
    return __libc_calloc(nmemb, size);
}

void *
realloc(void *ptr, size_t size)
{
    count();
    return __libc_realloc(ptr, size);
}

void *
aligned_alloc(size_t alignment, size_t size)
{
    count();
    return __libc_memalign(alignment, size);
}

int
posix_memalign(void **memptr, size_t alignment, size_t size)
{
    count();
    *memptr = __libc_memalign(alignment, size);
    return *memptr == NULL ? ENOMEM : 0;
}
