/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the store share.
 *
 *   store.c          the root: actions in, answers out, jobs and their chunks
 *   store_extent.c   where bytes lie: in memory, on their way, in the file
 *   store_results.c  keeping results
 *   pages.c          reading them */
#ifndef SC_STORE_INT_H
#define SC_STORE_INT_H

#define HASH_NONFATAL_OOM 1

#include <uthash.h>
#include <utlist.h>

#include "base/log.h"
#include "base/slab.h"
#include "coordinator/spill.h"
#include "coordinator/store.h"
#include "coordinator/store_index.h"
#include "proto/run.h"

enum {
    PAGE_TASKS = 4096, // a page by index looks at no more indexes
    NO_PLACE = -1,
    MALLOC_BYTES = 16, // what the allocator takes beside each piece
};

/* A table and its bytes, somewhere. While results are gathered in it, it grows: its blobs are
 * longer than the slices, and ours alone to write beyond them. */
typedef struct extent extent;
struct extent {
    sc_store *store;
    sc_slice table, bytes; // empty once it lies in the file alone
    size_t table_len, bytes_len;
    size_t memory;     // what it takes, counted in store.memory_bytes
    int64_t offset;    // in the file; NO_PLACE while it is in memory alone
    uint32_t n_reads;  // on their way
    bool is_gathering; // more may be appended: stays in memory
    bool is_writing;   // on its way: in memory too
    bool is_dropped;   // nobody wants it; freed when nothing of it is on its way
    bool is_result;    // may be written to make room for what comes later
    bool is_waiting;   // for that: in store.waiting
    extent *prev, *next;
};

/* Results in the order in which they came: of one large message, of many small ones, or of tasks
 * that share one outcome. */
typedef struct segment {
    uint64_t position; // ended tasks before it
    uint64_t base;     // of its records; of a range: its first index
    uint64_t count;
    extent *records;    // NULL for a range
    uint32_t worker;    // in the job's names; of gathered ones the record says it
    bool is_gathered;   // of many messages
    sc_record record;   // of a range, for each of its tasks
    char *error;        // of a range: JSON; owned
    uint64_t last_read; // number of the last read by index that needs it
} segment;

/* A worker's name in a job. */
typedef struct kept_name {
    uint32_t number;
    uint32_t in_page;  // its number in the page that was made last
    uint64_t page;     // number of that page
    UT_hash_handle hh; // kept_job.names_by_text
    uint32_t len;
    char text[];
} kept_name;

typedef struct kept_chunk {
    uint32_t number;
    extent *payload;
    UT_hash_handle hh; // kept_job.chunks
} kept_chunk;

typedef struct kept_job {
    sc_uuid id;
    // Two jobs may have one id, one after the other: what was asked of the first is not answered
    // with what is the second's.
    uint64_t number;
    uint64_t generation; // of its results; new where they begin again
    kept_chunk *chunks;
    segment *segments;
    uint32_t n_segments, segments_max;
    sc_index index; // in which segment an index is
    uint64_t n_ended;
    uint64_t lowest;   // base of pages: no index is below it
    kept_name **names; // by number; owned
    uint32_t n_names, names_max;
    kept_name *names_by_text, *last_name; // results of one worker follow each other
    uint64_t memory;     // of what lies in arrays here, counted in store.memory_bytes
    uint64_t text_bytes; // of names and errors; part of it
    extent *gathering;   // records of the newest segment while small results are appended to it
    struct kept_job *gathering_prev, *gathering_next; // store.gathering
    UT_hash_handle hh;                                // store.jobs
} kept_job;

/* One segment's records on their way from the file, or here. */
typedef struct load {
    uint32_t segment;
    sc_slice table, bytes;
} load;

typedef struct answer answer;
struct answer {
    enum { ANSWER_STORED, ANSWER_CHUNK, ANSWER_RESULTS } type;
    sc_store *store;
    int status;
    sc_ticket ticket;      // STORED
    sc_uuid job;           // CHUNK
    uint32_t number;       // CHUNK
    sc_slice table, bytes; // CHUNK; kept
    extent *payload;       // CHUNK from the file: what is being read
    sc_store_read read;    // RESULTS
    uint64_t from;         // RESULTS: as it was asked; read.from skips gaps
    uint64_t job_number;   // CHUNK, RESULTS: of the job asked; 0: there was none
    uint64_t generation;   // RESULTS
    load *loads;           // RESULTS: the segments it needs
    uint32_t n_loads, n_waiting;
    answer *prev, *next; // store.answers once it is complete, or store.held
};

struct sc_store {
    uv_loop_t *loop;
    sc_store_events events;
    char dir[4096];
    sc_spill *spill;                   // made at first need
    uint64_t memory_max, memory_bytes; // with what we need to find things
    uint64_t gathering_bytes;          // of memory: of what is gathered
    kept_job *gathering;               // jobs that gather, the least recently used first
    uint64_t kept_bytes;               // payloads and results, as the core counts them
    uint64_t limit;  // what the core was told last; UINT64_MAX while the disk takes all
    extent *waiting; // results in memory that may be written, the oldest first
    kept_job *jobs;
    answer *answers;    // ready, in order
    answer *held;       // STORED, in order, until fewer bytes are on their way to the disk
    uint32_t n_loading; // answers that wait for the file
    sc_log_limit full_log, room_log;
    int64_t probe_ms, probe_offset; // of the next trial of a full disk; of the one on its way
    bool is_probing;
    uint64_t n_reads;   // by index, so far
    uint64_t n_pages;   // made so far
    uint64_t n_numbers; // of jobs and of generations
    bool is_closing;
    void (*on_closed)(void *arg);
    void *closed_arg;
};

/* store.c */
kept_job *sc_store_find(sc_store *store, const sc_uuid *id);
void sc_store_answer(sc_store *store, answer *a);
void sc_store_loaded(sc_store *store, answer *a);
void sc_store_written(sc_store *store);

/* store_extent.c */
/** Keeps both slices. Where memory has no room the oldest results go to the file; with none left, a
 * chunk itself. */
extent *sc_extent_new(sc_store *s, sc_slice table, sc_slice bytes, bool is_result);
/** One that is empty, to be gathered in. */
extent *sc_extent_gather(sc_store *s);
/** Copies a table and bytes behind what is there. @return where the table lies now, to be
 * corrected; NULL without memory */
uint8_t *sc_extent_append(extent *r, sc_slice table, sc_slice bytes);
/** It is whole, and may go to the file. */
void sc_extent_close(extent *r);
void sc_extent_free(extent *r);
/** Read one that lies in the file alone. on_done calls sc_extent_loaded, which keeps its place
 * until then. @return 0, SC_ENOMEM (then on_done never runs) */
int sc_extent_load(extent *r, void (*on_done)(void *arg, int status, sc_blob *blob), void *arg);
/** It has been read. Takes `blob` (may be NULL) over and cuts it; the slices keep it. */
void sc_extent_loaded(extent *r, sc_blob *blob, sc_slice *table, sc_slice *bytes);
/** Called each turn of the loop: tries now and then whether a full disk has room again. The core
 * refuses what a full disk has no room for, so nothing else may ever be written. */
void sc_extent_probe(sc_store *s);

/* store_results.c */
/** SC_ACTION_PUT_RESULTS. @return false without memory */
bool sc_kept_results(sc_store *s, kept_job *j, const sc_action *action);
/** SC_ACTION_PUT_RANGE. @return false without memory */
bool sc_kept_range(sc_store *s, kept_job *j, const sc_action *action);
/** Forget all results of a job. */
void sc_kept_drop(sc_store *s, kept_job *j);

/* pages.c */
/** Note which segments a read needs and start loading those that lie in the file. @return true
 * where all are here */
bool sc_pages_prepare(sc_store *store, kept_job *j, answer *a);
/** Make the page of an answer whose segments are here, and give it. */
void sc_pages_give(sc_store *store, answer *a);

#endif
