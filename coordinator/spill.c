/* SPDX-License-Identifier: Apache-2.0 */
/* The spill file: see spill.h. Places are given out in order; what is freed is punched out in the
 * background (fallocate, where the file system can), and an empty file starts again from its
 * beginning. */
#include "coordinator/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"

enum {
    PAGE_BYTES = 4096,
    ALIGN_FROM =
        4 * PAGE_BYTES,   // larger pieces start on a page, so that all of them can be punched out
    PUNCH_FROM = 4 << 20, // this much freed is worth a visit
    PUNCH_MAX = 1024,     // stretches a visit
};

typedef struct stretch {
    int64_t offset;
    int64_t len;
} stretch;

struct sc_spill {
    uv_loop_t *loop;
    int fd;
    int64_t end; // where the next piece goes
    uint64_t used, writing;
    uint32_t n_requests;
    stretch *freed; // to be punched out
    uint32_t n_freed, freed_max;
    int64_t freed_bytes;
    bool is_punching, is_closing;
    void (*on_closed)(void *arg);
    void *closed_arg;
};

typedef struct writing {
    uv_fs_t request; // first member: the request is the writing
    sc_spill *spill;
    sc_slice parts[2];
    size_t len;
    void (*on_done)(void *arg, int status);
    void *arg;
} writing;

typedef struct reading {
    uv_fs_t request;
    sc_spill *spill;
    sc_blob *blob;
    void (*on_done)(void *arg, int status, sc_blob *blob);
    void *arg;
} reading;

typedef struct punching {
    uv_work_t request;
    sc_spill *spill;
    int fd;
    uint32_t n;
    stretch stretches[PUNCH_MAX];
} punching;

int
sc_spill_new(uv_loop_t *loop, const char *dir, sc_spill **out, sc_error *err)
{
    sc_spill *s = calloc(1, sizeof *s);
    if (!s)
        return SC_ENOMEM;
    s->loop = loop;
    s->fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (s->fd < 0) { // a file system without O_TMPFILE
        char path[4200];
        snprintf(path, sizeof path, "%s/spill.XXXXXX", dir);
        s->fd = mkostemp(path, O_CLOEXEC);
        if (s->fd >= 0)
            unlink(path);
    }
    if (s->fd < 0) {
        int rc = -errno;
        free(s);
        return sc_error_set(err, rc, "cannot make a file in %s: %s", dir, sc_error_text(rc));
    }
    *out = s;
    return 0;
}

static void
maybe_closed(sc_spill *s)
{
    if (!s->is_closing || s->n_requests > 0)
        return;
    close(s->fd);
    free(s->freed);
    if (s->on_closed)
        s->on_closed(s->closed_arg);
    free(s);
}

/* ---- write ---- */

static void
on_written(uv_fs_t *request)
{
    writing *w = (writing *)request;
    sc_spill *s = w->spill;
    int status = SC_FAULT("spill.written")          ? -ENOSPC
                 : request->result < 0              ? (int)request->result
                 : (size_t)request->result < w->len ? -ENOSPC // a short write: the disk is full
                                                    : 0;
    uv_fs_req_cleanup(request);
    s->writing -= w->len;
    w->on_done(w->arg, status);
    sc_slice_drop(&w->parts[0]);
    sc_slice_drop(&w->parts[1]);
    free(w);
    s->n_requests--;
    maybe_closed(s);
}

// Nothing is in use and nothing on its way: the file starts again from its beginning. What was to
// be punched goes with it, or it would be punched out of what comes next. @return true where it is
// so
static bool
start_again(sc_spill *s)
{
    if (s->used > 0 || s->n_requests > 0)
        return false;
    s->end = 0;
    s->n_freed = 0;
    s->freed_bytes = 0;
    return true;
}

static int64_t
take_place(sc_spill *s, size_t len)
{
    start_again(s);
    if (len >= ALIGN_FROM)
        s->end = (s->end + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    int64_t offset = s->end;
    s->end += (int64_t)len;
    s->used += len;
    return offset;
}

int64_t
sc_spill_write(sc_spill *s, sc_slice first, sc_slice second, void (*on_done)(void *arg, int status),
               void *arg)
{
    if (SC_FAULT("spill.write"))
        return -ENOSPC;
    writing *w = calloc(1, sizeof *w);
    if (!w)
        return SC_ENOMEM;
    w->spill = s;
    w->len = first.len + second.len;
    w->on_done = on_done;
    w->arg = arg;
    w->parts[0] = sc_slice_keep(first);
    w->parts[1] = sc_slice_keep(second);
    uv_buf_t buffers[2] = {uv_buf_init((char *)w->parts[0].data, (unsigned)first.len),
                           uv_buf_init((char *)w->parts[1].data, (unsigned)second.len)};
    int64_t offset = take_place(s, w->len);
    int rc = w->parts[0].data && w->parts[1].data
                 ? uv_fs_write(s->loop, &w->request, s->fd, buffers, 2, offset, on_written)
                 : SC_ENOMEM;
    if (rc < 0) {
        s->used -= w->len;
        sc_slice_drop(&w->parts[0]);
        sc_slice_drop(&w->parts[1]);
        free(w);
        return rc;
    }
    s->writing += w->len;
    s->n_requests++;
    return offset;
}

/* ---- read ---- */

static void
on_read(uv_fs_t *request)
{
    reading *r = (reading *)request;
    sc_spill *s = r->spill;
    int status = request->result < 0                      ? (int)request->result
                 : (size_t)request->result < r->blob->len ? -EIO
                                                          : 0;
    uv_fs_req_cleanup(request);
    if (status < 0) {
        sc_blob_unref(r->blob);
        r->blob = NULL;
    }
    r->on_done(r->arg, status, r->blob);
    free(r);
    s->n_requests--;
    maybe_closed(s);
}

int
sc_spill_read(sc_spill *s, int64_t offset, size_t len,
              void (*on_done)(void *arg, int status, sc_blob *blob), void *arg)
{
    reading *r = SC_FAULT("spill.read") ? NULL : calloc(1, sizeof *r);
    if (!r)
        return SC_ENOMEM;
    r->spill = s;
    r->on_done = on_done;
    r->arg = arg;
    r->blob = sc_blob_new(len);
    uv_buf_t buffer =
        r->blob ? uv_buf_init((char *)r->blob->data, (unsigned)len) : uv_buf_init(NULL, 0);
    int rc =
        r->blob ? uv_fs_read(s->loop, &r->request, s->fd, &buffer, 1, offset, on_read) : SC_ENOMEM;
    if (rc < 0) {
        sc_blob_unref(r->blob);
        free(r);
        return rc;
    }
    s->n_requests++;
    return 0;
}

/* ---- free ---- */

static void
punch(uv_work_t *request)
{
    punching *p = (punching *)request;
    for (uint32_t i = 0; i < p->n; i++)
        if (fallocate(p->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, p->stretches[i].offset,
                      p->stretches[i].len) < 0)
            return; // a file system that cannot: the bytes stay until the file is empty
}

static void
on_punched(uv_work_t *request, int status)
{
    (void)status;
    punching *p = (punching *)request;
    sc_spill *s = p->spill;
    free(p);
    s->is_punching = false;
    s->n_requests--;
    maybe_closed(s);
}

static void
start_punching(sc_spill *s)
{
    punching *p = calloc(1, sizeof *p);
    if (!p)
        return;
    p->spill = s;
    p->fd = s->fd;
    p->n = s->n_freed < PUNCH_MAX ? s->n_freed : PUNCH_MAX;
    memcpy(p->stretches, s->freed + (s->n_freed - p->n), p->n * sizeof *p->stretches);
    if (uv_queue_work(s->loop, &p->request, punch, on_punched) < 0) {
        free(p);
        return;
    }
    s->n_freed -= p->n;
    s->freed_bytes = s->n_freed ? s->freed_bytes : 0;
    s->is_punching = true;
    s->n_requests++;
}

void
sc_spill_free(sc_spill *s, int64_t offset, size_t len)
{
    s->used -= len;
    if (start_again(s)) { // all of it at once
        if (ftruncate(s->fd, 0) < 0)
            return;
        return;
    }
    if (s->n_freed == s->freed_max) {
        uint32_t max = s->freed_max ? s->freed_max * 2 : 64;
        stretch *grown = realloc(s->freed, max * sizeof *grown);
        if (!grown)
            return; // its bytes stay until the file is empty
        s->freed = grown;
        s->freed_max = max;
    }
    s->freed[s->n_freed++] = (stretch){offset, (int64_t)len};
    s->freed_bytes += (int64_t)len;
    if (s->freed_bytes >= PUNCH_FROM && !s->is_punching && !s->is_closing)
        start_punching(s);
}

uint64_t
sc_spill_bytes(const sc_spill *s)
{
    return s->used;
}

uint64_t
sc_spill_writing(const sc_spill *s)
{
    return s->writing;
}

void
sc_spill_close(sc_spill **at, void (*on_closed)(void *arg), void *arg)
{
    sc_spill *s = *at;
    *at = NULL;
    s->is_closing = true;
    s->on_closed = on_closed;
    s->closed_arg = arg;
    maybe_closed(s);
}
