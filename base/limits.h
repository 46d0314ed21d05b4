/* SPDX-License-Identifier: Apache-2.0 */
/* Every bound of the system that is not a setting, in one place, with where its number is from. */
#ifndef SC_LIMITS_H
#define SC_LIMITS_H

enum {
    /* Chunks: cost is per message (about 20 us), so 1,000 tasks make it negligible; 256 KiB keeps
     * one message below what a socket buffer takes at once. */
    SC_CHUNK_MAX_TASKS = 1000,
    SC_CHUNK_MAX_BYTES = 256 * 1024,
    /* One task's payload or result: TASK_MAX_BYTES. */
    SC_TASK_MAX_BYTES = 16 * 1024 * 1024,
    /* A message on the wire: the largest task, its table and a header. */
    SC_MESSAGE_MAX_BYTES = SC_TASK_MAX_BYTES + 256 * 1024,
    /* The header frame of a message (msgpack): the longest are lists, which are cut into
     * several messages. */
    SC_HEADER_MAX_BYTES = 128 * 1024,
    SC_HEADER_MAX_DEPTH = 8,
    SC_HEADER_MAX_OBJECTS = 65536,
    /* A HELD list is cut so that a worker that holds much cannot stop the coordinator's loop. */
    SC_HELD_MAX_BYTES = 64 * 1024,

    /* Names: a handler, a worker, a job label, a host. */
    SC_NAME_MAX = 64,
    SC_LABEL_MAX = 200,
    SC_DESCRIPTION_MAX = 200,
    SC_CODE_MAX = 32,           /* an error code of a handler */
    SC_MESSAGE_TEXT_MAX = 1000, /* an error message of a handler; longer ones are cut */

    /* Places that a coordinator may be at, of which one serves: a leader and its standbys. Each is
     * tried for some hundred ms, so that all are tried within the connect timeout. */
    SC_MAX_ENDPOINTS = 8,
    SC_ENDPOINT_TEXT_MAX = 200, /* one of them; the path of a socket has at most 107 (unix(7)) */
    SC_ENDPOINTS_TEXT_MAX = SC_MAX_ENDPOINTS * (SC_ENDPOINT_TEXT_MAX + 1) - 1, /* with commas */

    SC_PRIORITIES = 10, /* 0..9, 9 first */
    SC_PRIORITY_DEFAULT = 4,

    /* Registry of the coordinator. */
    SC_MAX_PEERS = 4096,
    SC_MAX_HANDLERS = 256, /* different handlers in one cluster */
    SC_MAX_HANDLERS_A_WORKER = 256,
    SC_MAX_CALLS = 65536,                /* calls in flight */
    SC_MAX_WATCHES = 65536,              /* clients waiting for something */
    SC_LIMIT_MAX_MS = 20 * 86400 * 1000, /* time limits of tasks: 20 days */
    SC_MAX_PARENTS = 16,                 /* jobs that another can wait for */
    SC_MAX_ARRAY_PIECES = 256,           /* "$index" may stand 255 times in the arguments */

    /* A job that is tried again, from its first open task to the last that has ended. A chunk is
     * found anew for each that lies there, some microseconds and 300 bytes each: this many are some
     * 100 ms of the loop. What lies between stretches that have ended is queued again, 64 bytes
     * each. */
    SC_RETRY_MAX_CHUNKS = 65536,
    SC_RETRY_MAX_STRETCHES = 1 << 20,

    /* Poison: a task whose worker process died this often while it was executing is dead. */
    SC_POISON_COUNT = 3,

    /* Tasks of a worker process that may not be repeated, from their start until their results are
     * acknowledged. If it dies they must all be named in one DIED, beside those that execute: about
     * 54 bytes each, and a header has room for some 2,400. */
    SC_ONCE_MAX = 1024,

    /* Progress of running tasks. What a worker says of it with one heartbeat: a coordinator looks
     * up 320 tasks a second for each worker at most; more take turns. What is told of a job: a
     * terminal has not many more lines. What a coordinator keeps: what 250 workers run at once,
     * about 10 MB; beyond it new reports are dropped. */
    SC_PROGRESS_A_MESSAGE = 64,
    SC_PROGRESS_A_JOB = 32,
    SC_MAX_REPORTS = 65536,

    /* One turn of a loop handles at most this many messages of a socket, then gives others
     * their turn. */
    SC_LINK_TURN_MESSAGES = 256,

    /* A client. Requests open at once: as many as the coordinator takes calls. */
    SC_CLIENT_MAX_REQUESTS = 65536,
    /* Calls of them that are on their way; the others wait in the client. Their answers may all
     * come at once and must fit a quarter of the coordinator's send queue. */
    SC_CLIENT_MAX_CALLS = 1024,
    /* An upload holds this many chunks until they are acknowledged: 64,000 tasks a round trip of
     * 1 ms is far beyond what a coordinator takes. */
    SC_UPLOAD_MAX_CHUNKS = 64,
    /* What it holds before the coordinator has said its window: four full chunks. */
    SC_UPLOAD_WINDOW_BYTES = 4 * SC_CHUNK_MAX_BYTES,
};

/* Tasks a job; index is a uint64, but a job spans at most this many of them. */
#define SC_JOB_MAX_TASKS ((uint64_t)1 << 31)

#endif
