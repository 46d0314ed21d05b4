/* SPDX-License-Identifier: Apache-2.0 */
/* See journal_sqlite_wal.h. Called before SQLite opens the journal. */
#include "coordinator/journal_sqlite_wal.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEADER = 32,
    FRAME_HEADER = 24,
    SALT_AT = 16,      // in the header, 8 bytes; in a frame's header they are at
    FRAME_SALT_AT = 8, // and its sum covers what stands before them, and the page
    COMMIT_AT = 4,     // in a frame's header: pages of the file after this transaction, else 0
    FRAME_SUM_AT = 16,
    HEADER_SUM_AT = 24,
    PAGE_BYTES_AT = 8,
    MAX_PAGE = 65536,
};
static const uint32_t magic = 0x377f0682; // with bit 0: sums are of big-endian numbers

typedef struct wal {
    FILE *file;
    bool is_big;
    uint32_t page_bytes, sum[2];
    uint8_t salt[8];
} wal;

static uint32_t
big(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void
add(wal *w, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i += 8) {
        uint32_t words[2];
        memcpy(words, data + i, sizeof words);
        if (w->is_big)
            words[0] = big(data + i), words[1] = big(data + i + 4);
        w->sum[0] += words[0] + w->sum[1];
        w->sum[1] += words[1] + w->sum[0];
    }
}

static bool
fits(const wal *w, const uint8_t *at)
{
    return big(at) == w->sum[0] && big(at + 4) == w->sum[1];
}

// @return false: it is no header
static bool
read_header(wal *w, const uint8_t *header)
{
    w->is_big = big(header) & 1;
    w->page_bytes = big(header + PAGE_BYTES_AT);
    memcpy(w->salt, header + SALT_AT, sizeof w->salt);
    add(w, header, HEADER_SUM_AT);
    return (big(header) & ~1u) == magic && fits(w, header + HEADER_SUM_AT) &&
           w->page_bytes >= 512 && w->page_bytes <= MAX_PAGE &&
           (w->page_bytes & (w->page_bytes - 1)) == 0;
}

static uint64_t
count_lost(wal *w, uint8_t *frame)
{
    uint64_t n_lost = 0;
    bool is_broken = false;
    while (fread(frame, FRAME_HEADER + w->page_bytes, 1, w->file) == 1) {
        bool is_ours = memcmp(frame + FRAME_SALT_AT, w->salt, sizeof w->salt) == 0;
        if (!is_broken) {
            add(w, frame, FRAME_SALT_AT);
            add(w, frame + FRAME_HEADER, w->page_bytes);
            is_broken = !is_ours || !fits(w, frame + FRAME_SUM_AT);
        }
        // older salts are those of frames from before the log was begun anew
        n_lost += is_broken && is_ours && big(frame + COMMIT_AT) != 0;
    }
    return n_lost;
}

int
sc_sqlite_wal_lost(const char *path, uint64_t *n_lost)
{
    uint8_t header[HEADER];
    wal w = {.file = fopen(path, "rbe")};
    *n_lost = 0;
    if (!w.file)
        return errno == ENOENT ? 0 : -errno;
    uint8_t *frame = malloc(FRAME_HEADER + MAX_PAGE);
    int rc = frame ? 0 : SC_ENOMEM;
    if (frame && fread(header, sizeof header, 1, w.file) == 1) {
        if (read_header(&w, header))
            *n_lost = count_lost(&w, frame);
        else
            *n_lost = fread(frame, FRAME_HEADER, 1, w.file);
    }
    if (rc == 0 && ferror(w.file))
        rc = -EIO;
    free(frame);
    fclose(w.file);
    return rc;
}
