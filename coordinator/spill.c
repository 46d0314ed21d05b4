/* SPDX-License-Identifier: Apache-2.0 */
/* The spill file: see spill.h. Places are given out by store_places.c; what is freed is used again,
 * and where much of it lies idle it is punched out in the background (fallocate, where the file
 * system can). What is being punched is nobody's place meanwhile. */
#include "coordinator/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "coordinator/store_places.h"

enum {
    PUNCH_FROM =
        4 << 20,    // idle bytes on the disk that are worth a visit; fewer are used again soon
    PUNCH_PART = 4, // and this part of what is used: 8 GiB in use may leave 2 GiB idle
    PUNCH_MAX = 64, // places a visit: what one visit takes of a thread
};

struct sc_spill {
    uv_loop_t *loop;
    int fd;
    sc_places *places;
    uint64_t used, writing;
    uint32_t n_requests;
    bool can_punch; // until the file system has said that it cannot
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
    int status;
    uint32_t n;
    sc_place places[PUNCH_MAX];
} punching;

int
sc_spill_new(uv_loop_t *loop, const char *dir, sc_spill **out, sc_error *err)
{
    sc_spill *s = calloc(1, sizeof *s);
    if (!s)
        return SC_ENOMEM;
    s->loop = loop;
    s->can_punch = true;
    if (sc_places_new(&s->places) < 0) {
        free(s);
        return SC_ENOMEM;
    }
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
        sc_places_free(&s->places);
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
    sc_places_free(&s->places);
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
    int64_t offset = sc_places_take(s->places, w->len);
    int rc = w->parts[0].data && w->parts[1].data && offset >= 0
                 ? uv_fs_write(s->loop, &w->request, s->fd, buffers, 2, offset, on_written)
                 : SC_ENOMEM;
    if (rc < 0) {
        if (offset >= 0)
            sc_places_give(s->places, offset, w->len);
        sc_slice_drop(&w->parts[0]);
        sc_slice_drop(&w->parts[1]);
        free(w);
        return rc;
    }
    s->used += w->len;
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

static void maybe_punch(sc_spill *s);

static void
punch(uv_work_t *request)
{
    punching *p = (punching *)request;
    for (uint32_t i = 0; i < p->n && p->status == 0; i++)
        if (fallocate(p->spill->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, p->places[i].offset,
                      p->places[i].len) < 0)
            p->status = -errno;
}

static void
on_punched(uv_work_t *request, int status)
{
    (void)status; // nobody cancels it
    punching *p = (punching *)request;
    sc_spill *s = p->spill;
    sc_places_put_back(s->places, p->places, p->n, p->status == 0);
    s->can_punch = p->status == 0; // if it cannot, the bytes stay and are used again
    free(p);
    s->is_punching = false;
    s->n_requests--;
    maybe_punch(s);
    maybe_closed(s);
}

// Too much of the file lies idle: a visit, and after it the next.
static void
maybe_punch(sc_spill *s)
{
    uint64_t idle = sc_places_unpunched(s->places);
    if (idle < PUNCH_FROM || idle < s->used / PUNCH_PART || s->is_punching || s->is_closing ||
        !s->can_punch)
        return;
    punching *p = calloc(1, sizeof *p);
    if (!p)
        return;
    p->spill = s;
    p->n = sc_places_take_out(s->places, p->places, PUNCH_MAX);
    if (uv_queue_work(s->loop, &p->request, punch, on_punched) < 0) {
        sc_places_put_back(s->places, p->places, p->n, false);
        free(p);
        return;
    }
    s->is_punching = true;
    s->n_requests++;
}

void
sc_spill_free(sc_spill *s, int64_t offset, size_t len)
{
    s->used -= len;
    sc_places_give(s->places, offset, len);
    maybe_punch(s);
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
