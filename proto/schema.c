/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of fields: keys, kinds and bounds of everything on the wire. docs/protocol.md says the
 * same in words; both change in one commit. A key is never reused and never changes its meaning. */
#include "proto/schema.h"

#include "base/limits.h"

#define F(key, kind, type, member, max)                                                            \
    {                                                                                              \
        key, SC_FIELD_##kind, offsetof(type, member), max, #member, NULL                           \
    }
#define L(key, type, member, max, items)                                                           \
    {                                                                                              \
        key, SC_FIELD_LIST, offsetof(type, member), max, #member, items                            \
    }
#define SCHEMA(type, text)                                                                         \
    {                                                                                              \
        text, sizeof(type), sizeof type##_fields / sizeof *type##_fields, type##_fields            \
    }

enum { LIST_MAX = 16384 };
#define ANY UINT64_MAX

/* ---- the structs in lists ---- */

static const sc_field sc_hello_handler_fields[] = {
    F(1, TEXT, sc_hello_handler, name, SC_NAME_MAX),
    F(2, TEXT, sc_hello_handler, description, SC_DESCRIPTION_MAX),
    F(3, U32, sc_hello_handler, kind, SC_N_SLOT_KINDS - 1),
    F(4, BOOL, sc_hello_handler, is_once, 1),
};
static const sc_schema hello_handler = SCHEMA(sc_hello_handler, "offered handler");

static const sc_field sc_range_fields[] = {
    F(1, U64, sc_range, first, ANY),
    F(2, U64, sc_range, count, ANY),
};
static const sc_schema range = SCHEMA(sc_range, "range");

static const sc_field sc_held_run_fields[] = {
    F(1, UUID, sc_held_run, job, 0),        F(2, TOKEN, sc_held_run, token, 0),
    F(3, U64, sc_held_run, first, ANY),     F(4, U64, sc_held_run, count, SC_CHUNK_MAX_TASKS),
    F(5, BOOL, sc_held_run, is_started, 1), F(6, U32, sc_held_run, attempt, 65535),
    F(7, U64, sc_held_run, life, ANY),      F(8, BOOL, sc_held_run, is_ended, 1),
};
static const sc_schema held_run = SCHEMA(sc_held_run, "held run");

static const sc_field sc_parent_fields[] = {
    F(1, UUID, sc_parent, job, 0),
    F(2, U32, sc_parent, state, SC_N_JOB_STATES - 1),
};
static const sc_schema parent = SCHEMA(sc_parent, "parent");

static const sc_field sc_progress_row_fields[] = {
    F(1, TOKEN, sc_progress_row, token, 0),
    F(2, U64, sc_progress_row, index, ANY),
    F(3, U64, sc_progress_row, n, ANY),
    F(4, U64, sc_progress_row, of, ANY),
};
static const sc_schema progress_row = SCHEMA(sc_progress_row, "progress of a task");

static const sc_field sc_job_info_fields[] = {
    F(1, UUID, sc_job_info, id, 0),
    F(2, TEXT, sc_job_info, name, SC_LABEL_MAX),
    F(3, TEXT, sc_job_info, handler, SC_NAME_MAX),
    F(4, U32, sc_job_info, state, SC_N_JOB_STATES - 1),
    F(5, U32, sc_job_info, priority, SC_PRIORITIES - 1),
    F(6, U64, sc_job_info, total, ANY),
    F(7, U64, sc_job_info, queued, ANY),
    F(8, U64, sc_job_info, delayed, ANY),
    F(9, U64, sc_job_info, running, ANY),
    F(10, U64, sc_job_info, done, ANY),
    F(11, U64, sc_job_info, dead, ANY),
    F(12, U64, sc_job_info, cancelled, ANY),
    F(13, I64, sc_job_info, submitted_at, 0),
    F(14, I64, sc_job_info, ended_at, 0),
    F(15, TEXT, sc_job_info, key, SC_LABEL_MAX),
    F(16, BOOL, sc_job_info, on_any, 1),
    F(17, BOOL, sc_job_info, is_unoffered, 1),
    F(18, BOOL, sc_job_info, is_retried, 1),
    F(20, U64, sc_job_info, n_reporting, ANY),
};
static const sc_schema job_info = SCHEMA(sc_job_info, "job");

static const sc_field sc_worker_info_fields[] = {
    F(1, TEXT, sc_worker_info, name, SC_NAME_MAX),  F(2, TEXT, sc_worker_info, host, SC_NAME_MAX),
    F(3, TEXT, sc_worker_info, state, SC_NAME_MAX), F(4, U64, sc_worker_info, pid, ANY),
    F(5, U32, sc_worker_info, slots_async, ANY),    F(6, U32, sc_worker_info, slots_thread, ANY),
    F(7, U32, sc_worker_info, credit, ANY),         F(8, U32, sc_worker_info, running, ANY),
    F(9, U32, sc_worker_info, waiting, ANY),        F(10, U64, sc_worker_info, done, ANY),
};
static const sc_schema worker_info = SCHEMA(sc_worker_info, "worker");

static const sc_field sc_handler_info_fields[] = {
    F(1, TEXT, sc_handler_info, name, SC_NAME_MAX),
    F(2, TEXT, sc_handler_info, description, SC_DESCRIPTION_MAX),
    F(3, U32, sc_handler_info, workers, ANY),
};
static const sc_schema handler_info = SCHEMA(sc_handler_info, "handler");

static const sc_field sc_worker_name_fields[] = {F(1, TEXT, sc_worker_name, name, SC_NAME_MAX)};
static const sc_schema worker_name = SCHEMA(sc_worker_name, "worker name");

static const sc_field sc_task_ref_fields[] = {
    F(1, UUID, sc_task_ref, job, 0),        F(2, TOKEN, sc_task_ref, token, 0),
    F(3, U64, sc_task_ref, index, ANY),     F(4, BOOL, sc_task_ref, is_executing, 1),
    F(5, BOOL, sc_task_ref, is_on_loop, 1),
};
static const sc_schema task_ref = SCHEMA(sc_task_ref, "task");

static const sc_field sc_process_fields[] = {F(1, U64, sc_process, pid, ANY)};
static const sc_schema process = SCHEMA(sc_process, "process");

/* ---- the messages; key 0 is the type ---- */

static const sc_field sc_hello_fields[] = {
    F(1, U32, sc_hello, role, SC_ROLE_SUPERVISOR),
    F(2, TEXT, sc_hello, name, SC_NAME_MAX),
    F(3, U64, sc_hello, instance, ANY),
    F(4, U32, sc_hello, protocol_min, ANY),
    F(5, U32, sc_hello, protocol_max, ANY),
    F(6, TEXT, sc_hello, version, SC_NAME_MAX),
    F(7, TEXT, sc_hello, host, SC_NAME_MAX),
    F(8, U64, sc_hello, pid, ANY),
    F(9, U64, sc_hello, supervisor, ANY),
    F(10, U32, sc_hello, slots_async, 65536),
    F(11, U32, sc_hello, slots_thread, 65536),
    F(12, U32, sc_hello, credit_tasks, 1000000),
    F(13, U64, sc_hello, credit_bytes, ANY),
    L(14, sc_hello, handlers, SC_MAX_HANDLERS_A_WORKER, &hello_handler),
    F(15, U64, sc_hello, number, ANY),
};
static const sc_field sc_who_fields[] = {F(1, U64, sc_who, epoch, ANY)};
static const sc_field sc_welcome_fields[] = {
    F(1, U32, sc_welcome, protocol, ANY),
    F(2, U64, sc_welcome, epoch, ANY),
    F(3, TEXT, sc_welcome, version, SC_NAME_MAX),
    F(4, TEXT, sc_welcome, host, SC_NAME_MAX),
    F(5, U64, sc_welcome, pid, ANY),
    F(6, U64, sc_welcome, heartbeat_ms, 600000),
    F(7, U64, sc_welcome, lease_ms, 600000),
    F(8, U64, sc_welcome, task_max_bytes, ANY),
    F(9, U64, sc_welcome, hello, ANY),
};
static const sc_field sc_refused_fields[] = {
    F(1, U64, sc_refused, request, ANY),
    F(2, I64, sc_refused, code, 0),
    F(3, TEXT, sc_refused, text, 8 * SC_MESSAGE_TEXT_MAX),
    F(4, U32, sc_refused, protocol_min, ANY),
    F(5, U32, sc_refused, protocol_max, ANY),
    F(6, TEXT, sc_refused, version, SC_NAME_MAX),
};
static const sc_field sc_ready_fields[] = {F(1, BOOL, sc_ready, is_draining, 1)};
static const sc_field sc_heartbeat_fields[] = {
    F(1, U32, sc_heartbeat, running, ANY),
    F(2, U32, sc_heartbeat, waiting, ANY),
    F(3, BOOL, sc_heartbeat, is_draining, 1),
};
static const sc_field sc_bye_fields[] = {F(1, TEXT, sc_bye, reason, SC_LABEL_MAX)};
static const sc_field sc_open_fields[] = {
    F(1, U64, sc_open, request, ANY),
    F(2, UUID, sc_open, job, 0),
    F(3, TEXT, sc_open, name, SC_LABEL_MAX),
    F(4, TEXT, sc_open, handler, SC_NAME_MAX),
    F(5, TEXT, sc_open, queue, SC_NAME_MAX),
    F(6, U32, sc_open, priority, SC_PRIORITIES - 1),
    F(7, BOOL, sc_open, is_array, 1),
    F(8, U64, sc_open, first_index, ANY),
    F(9, U64, sc_open, n_tasks, SC_JOB_MAX_TASKS),
    F(10, U32, sc_open, retries, 65534),
    F(11, U64, sc_open, backoff_base_ms, 86400000),
    F(12, U64, sc_open, backoff_max_ms, 86400000),
    F(13, BOOL, sc_open, is_durable, 1),
    F(14, U64, sc_open, timeout_ms, SC_LIMIT_MAX_MS),
    F(15, U64, sc_open, kill_after_ms, SC_LIMIT_MAX_MS),
    F(16, U64, sc_open, expires_ms, SC_LIMIT_MAX_MS),
    F(17, TEXT, sc_open, key, SC_LABEL_MAX),
    F(18, UUID, sc_open, digest, 0),
    L(19, sc_open, after, SC_MAX_PARENTS, &parent),
    F(20, BOOL, sc_open, on_any, 1),
};
static const sc_field sc_chunk_fields[] = {
    F(1, U64, sc_chunk, request, ANY),
    F(2, UUID, sc_chunk, job, 0),
    F(3, U32, sc_chunk, number, ANY),
    F(4, U64, sc_chunk, first, SC_JOB_MAX_TASKS),
    F(5, U32, sc_chunk, count, SC_CHUNK_MAX_TASKS),
};
static const sc_field sc_commit_fields[] = {
    F(1, U64, sc_commit, request, ANY),  F(2, UUID, sc_commit, job, 0),
    F(3, U32, sc_commit, n_chunks, ANY), F(4, U64, sc_commit, n_tasks, SC_JOB_MAX_TASKS),
    F(5, UUID, sc_commit, digest, 0),
};
static const sc_field sc_ack_fields[] = {
    F(1, U64, sc_ack, request, ANY),      F(2, UUID, sc_ack, job, 0),
    F(3, U32, sc_ack, of, ANY),           F(4, U32, sc_ack, number, ANY),
    F(5, U64, sc_ack, window_bytes, ANY),
};
static const sc_field sc_drop_fields[] = {F(1, UUID, sc_drop, job, 0)};
static const sc_field sc_cancel_fields[] = {
    F(1, U64, sc_cancel, request, ANY),
    F(2, UUID, sc_cancel, job, 0),
    F(3, U64, sc_cancel, first, ANY),
    F(4, U64, sc_cancel, count, ANY),
};
static const sc_field sc_retry_fields[] = {
    F(1, U64, sc_retry, request, ANY),
    F(2, UUID, sc_retry, job, 0),
    F(3, BOOL, sc_retry, is_dead_only, 1),
};
static const sc_field sc_run_fields[] = {
    F(1, UUID, sc_run, job, 0),
    F(2, TEXT, sc_run, handler, SC_NAME_MAX),
    F(3, TOKEN, sc_run, token, 0),
    F(4, U64, sc_run, first, ANY),
    F(5, U32, sc_run, count, SC_CHUNK_MAX_TASKS),
    F(6, U32, sc_run, class, SC_CLASS_CALL),
    F(7, U32, sc_run, attempt, 65535),
    F(8, BOOL, sc_run, is_array, 1),
    F(9, U64, sc_run, timeout_ms, SC_LIMIT_MAX_MS),
    F(10, U64, sc_run, kill_after_ms, SC_LIMIT_MAX_MS),
    F(11, U64, sc_run, life, ANY),
};
static const sc_field sc_results_fields[] = {
    F(1, U64, sc_results, number, ANY),  F(2, UUID, sc_results, job, 0),
    F(3, TOKEN, sc_results, token, 0),   F(4, U64, sc_results, base, ANY),
    F(5, U64, sc_results, cost_ns, ANY),
};
static const sc_field sc_results_ack_fields[] = {F(1, U64, sc_results_ack, number, ANY)};
static const sc_field sc_recall_fields[] = {
    F(1, UUID, sc_recall, job, 0),
    F(2, TOKEN, sc_recall, token, 0),
    F(3, U64, sc_recall, first, ANY),
    F(4, U64, sc_recall, count, ANY),
    F(5, U32, sc_recall, mode, SC_RECALL_FORGET),
    F(6, U64, sc_recall, grace_ms, 86400000),
};
static const sc_field sc_recalled_fields[] = {
    F(1, UUID, sc_recalled, job, 0),
    F(2, TOKEN, sc_recalled, token, 0),
    L(3, sc_recalled, ranges, SC_CHUNK_MAX_TASKS, &range),
};
static const sc_field sc_held_fields[] = {L(1, sc_held, runs, LIST_MAX, &held_run)};
static const sc_field sc_worker_progress_fields[] = {
    L(1, sc_worker_progress, tasks, SC_PROGRESS_A_MESSAGE, &progress_row),
};
static const sc_field sc_call_fields[] = {
    F(1, U64, sc_call, request, ANY),
    F(2, TEXT, sc_call, handler, SC_NAME_MAX),
    F(3, U64, sc_call, timeout_ms, 86400000),
};
static const sc_field sc_reply_fields[] = {
    F(1, U64, sc_reply, request, ANY),
    F(2, TEXT, sc_reply, worker, SC_NAME_MAX),
};
static const sc_field sc_ask_fields[] = {
    F(1, U64, sc_ask, request, ANY), F(2, U32, sc_ask, what, SC_ASK_HANDLERS),
    F(3, UUID, sc_ask, job, 0),      F(4, U32, sc_ask, n_digits, 32),
    F(5, BOOL, sc_ask, wait, 1),     F(6, U32, sc_ask, states, ANY),
    F(7, U32, sc_ask, offset, ANY),
};
static const sc_field sc_jobs_fields[] = {
    F(1, U64, sc_jobs, request, ANY),
    F(2, BOOL, sc_jobs, has_more, 1),
    L(3, sc_jobs, jobs, LIST_MAX, &job_info),
    L(4, sc_jobs, progress, SC_PROGRESS_A_JOB, &progress_row),
    L(5, sc_jobs, after, SC_MAX_PARENTS, &parent),
};
static const sc_field sc_workers_fields[] = {
    F(1, U64, sc_workers, request, ANY),
    F(2, BOOL, sc_workers, has_more, 1),
    L(3, sc_workers, workers, LIST_MAX, &worker_info),
};
static const sc_field sc_handlers_fields[] = {
    F(1, U64, sc_handlers, request, ANY),
    F(2, BOOL, sc_handlers, has_more, 1),
    L(3, sc_handlers, handlers, LIST_MAX, &handler_info),
};
static const sc_field sc_cluster_fields[] = {
    F(1, U64, sc_cluster, request, ANY),
    F(2, TEXT, sc_cluster, version, SC_NAME_MAX),
    F(3, TEXT, sc_cluster, host, SC_NAME_MAX),
    F(4, U64, sc_cluster, pid, ANY),
    F(5, U64, sc_cluster, epoch, ANY),
    F(6, I64, sc_cluster, started_at, 0),
    F(7, U64, sc_cluster, workers, ANY),
    F(8, U64, sc_cluster, clients, ANY),
    F(9, U64, sc_cluster, jobs, ANY),
    F(10, U64, sc_cluster, jobs_open, ANY),
    F(11, U64, sc_cluster, queued, ANY),
    F(12, U64, sc_cluster, delayed, ANY),
    F(13, U64, sc_cluster, running, ANY),
    F(14, U64, sc_cluster, done, ANY),
    F(15, U64, sc_cluster, dead, ANY),
    F(16, U64, sc_cluster, cancelled, ANY),
    F(17, U64, sc_cluster, calls_running, ANY),
    F(18, U64, sc_cluster, calls_done, ANY),
    F(19, F64, sc_cluster, started_per_s, 0),
    F(20, F64, sc_cluster, ended_per_s, 0),
    F(21, U64, sc_cluster, memory_bytes, ANY),
    F(22, U64, sc_cluster, spill_bytes, ANY),
    F(23, U64, sc_cluster, refused, ANY),
    F(24, U64, sc_cluster, malformed, ANY),
    F(25, U64, sc_cluster, unknown_results, ANY),
    F(26, U64, sc_cluster, peers_lost, ANY),
};
static const sc_field sc_read_fields[] = {
    F(1, U64, sc_read, request, ANY),   F(2, UUID, sc_read, job, 0),
    F(3, U64, sc_read, from, ANY),      F(4, U32, sc_read, order, SC_N_READ_ORDERS - 1),
    F(5, U32, sc_read, max_bytes, ANY), F(6, BOOL, sc_read, wait, 1),
};
static const sc_field sc_page_fields[] = {
    F(1, U64, sc_page, request, ANY),
    F(2, UUID, sc_page, job, 0),
    F(3, U64, sc_page, base, ANY),
    F(4, U64, sc_page, next, ANY),
    F(5, BOOL, sc_page, is_end, 1),
    F(6, U64, sc_page, n_dropped, ANY),
    L(7, sc_page, workers, SC_CHUNK_MAX_TASKS, &worker_name),
};
static const sc_field sc_died_fields[] = {
    F(1, TEXT, sc_died, worker, SC_NAME_MAX),    F(2, U64, sc_died, instance, ANY),
    F(3, U32, sc_died, death, SC_DEATH_STOPPED), F(4, U32, sc_died, detail, ANY),
    L(5, sc_died, started, LIST_MAX, &task_ref),
};
static const sc_field sc_stop_fields[] = {F(1, U64, sc_stop, request, ANY)};
static const sc_field sc_stopping_fields[] = {
    F(1, U64, sc_stopping, request, ANY),
    F(2, TEXT, sc_stopping, host, SC_NAME_MAX),
    L(3, sc_stopping, processes, SC_MAX_PEERS, &process),
};
static const sc_field sc_drain_fields[] = {
    F(1, U64, sc_drain, request, ANY),
    F(2, TEXT, sc_drain, name, SC_NAME_MAX),
};
static const sc_field sc_draining_fields[] = {
    F(1, U64, sc_draining, request, ANY),
    F(2, U32, sc_draining, n_processes, ANY),
};

// Messages by wire number; a gap has no name.
static const sc_schema schemas[] = {
#define MESSAGE_SCHEMA(number, symbol, member, type) [number] = SCHEMA(type, #symbol),
    SC_MESSAGES(MESSAGE_SCHEMA)
#undef MESSAGE_SCHEMA
};
enum { N_SCHEMAS = sizeof schemas / sizeof *schemas };

const sc_schema *
sc_schema_find(uint64_t type)
{
    return type < N_SCHEMAS && schemas[type].name ? &schemas[type] : NULL;
}

uint32_t
sc_schema_type(const sc_schema *schema)
{
    return (uint32_t)(schema - schemas);
}
