/* SPDX-License-Identifier: Apache-2.0 */
/* The shared page: see page.h. Written by a worker process, read by its supervisor. A process that
 * dies between two stores leaves a slot at SC_ACTIVITY_NONE: that task's code has not run yet. */
#include "worker/page.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAGIC = 0x5c9a6e01, MAX_SLOTS = 65536 };

static size_t
bytes_of(uint32_t n_threads, uint32_t n_async)
{
    return sizeof(sc_page_head) +
           (1 + (size_t)n_threads + n_async + SC_ONCE_MAX) * sizeof(sc_activity);
}

static int
map(sc_shared_page *page, int fd, size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (memory == MAP_FAILED)
        return -errno;
    *page =
        (sc_shared_page){.head = memory,
                         .slots = (sc_activity *)(void *)((char *)memory + sizeof(sc_page_head)),
                         .bytes = bytes,
                         .fd = fd};
    return 0;
}

int
sc_page_create(uint32_t n_threads, uint32_t n_async, uint64_t instance, sc_shared_page *out)
{
    size_t bytes = bytes_of(n_threads, n_async);
    int fd = memfd_create("seedcore-page", MFD_CLOEXEC);
    int rc;

    if (fd < 0)
        return -errno;
    rc = ftruncate(fd, (off_t)bytes) < 0 ? -errno : map(out, fd, bytes);
    if (rc < 0) {
        close(fd);
        return rc;
    }
    out->head->magic = MAGIC;
    out->head->n_threads = n_threads;
    out->head->n_async = n_async;
    out->head->instance = instance;
    return 0;
}

int
sc_page_open(int fd, sc_shared_page *out)
{
    struct stat status;
    int rc;

    if (fstat(fd, &status) < 0)
        return -errno;
    if ((size_t)status.st_size < sizeof(sc_page_head))
        return SC_EMALFORMED;
    rc = map(out, fd, (size_t)status.st_size);
    if (rc < 0)
        return rc;
    if (out->head->magic == MAGIC && out->head->n_threads <= MAX_SLOTS &&
        out->head->n_async <= MAX_SLOTS &&
        out->bytes == bytes_of(out->head->n_threads, out->head->n_async))
        return 0;
    munmap(out->head, out->bytes);
    return SC_EMALFORMED;
}

void
sc_page_close(sc_shared_page *page)
{
    if (!page->head)
        return;
    munmap(page->head, page->bytes);
    close(page->fd);
    *page = (sc_shared_page){0};
}

void
sc_page_tick(sc_shared_page *page)
{
    atomic_fetch_add_explicit(&page->head->n_ticks, 1, memory_order_relaxed);
}

void
sc_page_set_ready(sc_shared_page *page)
{
    atomic_store_explicit(&page->head->is_ready, true, memory_order_relaxed);
}

void
sc_page_set_leaving(sc_shared_page *page)
{
    atomic_store_explicit(&page->head->is_leaving, true, memory_order_relaxed);
}

void
sc_page_begin(sc_shared_page *page, uint32_t slot, const sc_task_ref *task)
{
    sc_activity *a = &page->slots[slot];
    unsigned state = task->is_executing ? SC_ACTIVITY_EXECUTING : SC_ACTIVITY_STARTED;
    // Token numbers are given once, so the same token is the same job.
    bool is_same_run = atomic_load_explicit(&a->state, memory_order_relaxed) == state &&
                       a->token.run == task->token.run && a->token.epoch == task->token.epoch;

    if (!is_same_run) {
        sc_page_end(page, slot);
        atomic_thread_fence(memory_order_release);
        a->job = task->job;
        a->token = task->token;
    }
    atomic_store_explicit(&a->index, task->index, memory_order_relaxed);
    if (!is_same_run)
        atomic_store_explicit(&a->state, state, memory_order_release);
}

void
sc_page_end(sc_shared_page *page, uint32_t slot)
{
    atomic_store_explicit(&page->slots[slot].state, SC_ACTIVITY_NONE, memory_order_release);
}

uint32_t
sc_page_once(const sc_shared_page *page, uint32_t once)
{
    return 1 + page->head->n_threads + page->head->n_async + once;
}

/* What is read, and how far. */
struct reading {
    sc_task_ref *out;
    uint32_t n, max;
};

static bool
is_read(const struct reading *r, const sc_task_ref *ref)
{
    for (uint32_t i = 0; i < r->n; i++)
        if (r->out[i].index == ref->index && r->out[i].token.run == ref->token.run &&
            r->out[i].token.epoch == ref->token.epoch)
            return true;
    return false;
}

/* Slots from..to-1 of one state. A task that may not be repeated has a slot beside the one in which
 * it executes or waits. */
static void
read_slots(const sc_shared_page *page, unsigned state, uint32_t from, uint32_t to,
           struct reading *r)
{
    for (uint32_t i = from; i < to && r->n < r->max; i++) {
        const sc_activity *a = &page->slots[i];
        sc_task_ref ref;

        if (atomic_load_explicit(&a->state, memory_order_acquire) != state)
            continue;
        ref = (sc_task_ref){.job = a->job,
                            .token = a->token,
                            .index = atomic_load_explicit(&a->index, memory_order_relaxed),
                            .is_executing = state == SC_ACTIVITY_EXECUTING,
                            .is_on_loop = i == SC_PAGE_LOOP};
        if (!is_read(r, &ref))
            r->out[r->n++] = ref;
    }
}

uint32_t
sc_page_read(const sc_shared_page *page, sc_task_ref *out, uint32_t max)
{
    struct reading r = {.out = out, .max = max};
    uint32_t once = sc_page_once(page, 0);

    read_slots(page, SC_ACTIVITY_EXECUTING, 0, once, &r);
    read_slots(page, SC_ACTIVITY_STARTED, once, once + SC_ONCE_MAX, &r);
    read_slots(page, SC_ACTIVITY_STARTED, 0, once, &r);
    return r.n;
}
