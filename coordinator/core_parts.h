/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the core do for each other, file by file; core_int.h, which includes this, has
 * the structs and says what each file is for. */
#ifndef SC_CORE_PARTS_H
#define SC_CORE_PARTS_H

#include "coordinator/core_int.h"

/* core.c */
void sc_core_timer_set(sc_core *core, timer *t, timer_kind kind, int64_t deadline_ms);
void sc_core_timer_stop(sc_core *core, timer *t);
void sc_core_send(sc_core *core, peer *p, const sc_message *message);
void sc_core_send_link(sc_core *core, uint64_t link, const sc_message *message);
void sc_core_refuse(sc_core *core, peer *p, uint64_t request, int code, const char *format, ...)
    SC_PRINTF(5, 6);
void sc_core_refuse_link(sc_core *core, uint64_t link, uint64_t request, int code,
                         const char *text);
void sc_core_write(sc_core *core, job *j, sc_action *action);
void sc_core_count_rate(sc_core *core, uint64_t started, uint64_t ended);
void sc_core_news(sc_core *core, job *j);
int64_t sc_core_unix_ms(const sc_core *core);

/* peers.c */
void sc_peers_message(sc_core *core, uint64_t link, const sc_message *message);
peer *sc_peers_find_instance(sc_core *core, uint64_t instance);
void sc_peers_unreachable(sc_core *core, peer *p);
void sc_peers_gone(sc_core *core, peer *p, const char *why);
void sc_peers_probe(sc_core *core);
void sc_peers_timer(sc_core *core, peer *p);
void sc_peers_stop(sc_core *core, peer *asker, uint64_t request);
void sc_peers_stop_timer(sc_core *core);
void sc_peers_check_stopped(sc_core *core, bool is_late);
void sc_peers_free_all(sc_core *core);
void sc_peers_who(sc_core *core, uint64_t link);

/* workers.c */
int sc_workers_new(sc_core *core, peer *p, const sc_hello *h);
void sc_workers_relist(sc_core *core, worker *w);
void sc_workers_ready(sc_core *core, peer *p, const sc_ready *m);
void sc_workers_heartbeat(sc_core *core, worker *w, const sc_heartbeat *m);
void sc_workers_died(sc_core *core, const sc_died *m);
bool sc_workers_may_have_started(const run *r, uint32_t offset);
void sc_workers_free(sc_core *core, worker *w, bool was_lost);

/* held.c */
run *sc_held_find_run(sc_core *core, worker *w, const sc_held_run *held, uint64_t *offset);
void sc_held_take(sc_core *core, worker *w, const sc_held *m);
void sc_held_requeue_rest(sc_core *core, worker *w);

/* saved.c */
void sc_saved_put_open(sc_core *core, job *j, const sc_ticket *ticket, const sc_message *open);
void sc_saved_put_commit(sc_core *core, job *j, const sc_ticket *ticket);
void sc_saved_put_state(sc_core *core, job *j);
void sc_saved_put_attempt(sc_core *core, const chunk *c, uint32_t offset,
                          const sc_saved_attempt *next, const failure *why);
void sc_saved_put_due(sc_core *core, const exception *e);
void sc_saved_progress(sc_core *core, job *j);
bool sc_saved_may_hand_out(sc_core *core, job *j, uint64_t until);
bool sc_saved_may_begin(sc_core *core, const exception *e);
void sc_saved_confirm(sc_core *core);
void sc_saved_written(sc_core *core);
void sc_saved_wait_from(sc_core *core, int64_t ms);
void sc_saved_check_restored(sc_core *core);
void sc_saved_listed(sc_core *core);
void sc_saved_handed_drop(sc_core *core, job *j);
bool sc_job_is_safe(const sc_core *core, const job *j);

/* restore.c */
int sc_restore_again(sc_core *core, job *j, const sc_saved_job *saved, const sc_saved_tasks *t);

/* jobs.c */
void sc_jobs_staged_timer(sc_core *core, job *j);
void sc_jobs_client_left(sc_core *core, uint64_t instance);
void sc_jobs_await_client(sc_core *core, uint64_t instance);
job *sc_jobs_find(sc_core *core, const sc_uuid *id);
void sc_jobs_move(sc_core *core, job *j, sc_job_state to);
void sc_jobs_drop_tasks(sc_core *core, job *j);
void sc_jobs_maybe_end(sc_core *core, job *j);
void sc_jobs_stored(sc_core *core, job *j, uint64_t bytes);
void sc_jobs_enter_order(sc_core *core, job *j);
handler *sc_jobs_get_handler(sc_core *core, sc_text name);
void sc_jobs_unqueued(sc_core *core, job *j, uint64_t bytes);
void sc_jobs_make_room(sc_core *core);
void sc_jobs_pin(sc_core *core, job *j);
void sc_jobs_unpin(sc_core *core, job *j);
void sc_jobs_free(sc_core *core, job *j);
void sc_jobs_remove(sc_core *core, job *j);
bool sc_jobs_may_forget(const sc_core *core, const job *j);
void sc_jobs_retention_timer(sc_core *core);
void sc_jobs_set_staged_timer(sc_core *core, job *j);
handler *sc_jobs_find_handler(sc_core *core, sc_text name);
bool sc_jobs_refuse_bytes(sc_core *core, peer *p, uint64_t request, uint64_t bytes);
void sc_jobs_refuse_handler(sc_core *core, peer *p, uint64_t request, sc_text name);

/* uploads.c */
void sc_uploads_set_policy(job *j, handler *h, const sc_open *o);
void sc_uploads_open(sc_core *core, peer *p, const sc_message *message);
void sc_uploads_chunk(sc_core *core, peer *p, const sc_message *message);
void sc_uploads_commit(sc_core *core, peer *p, const sc_message *message);
void sc_uploads_drop(sc_core *core, peer *p, const sc_message *message);
void sc_uploads_ack(sc_core *core, peer *p, uint64_t request, const job *j, uint32_t of,
                    uint32_t number);

/* keys.c */
int sc_keys_set(job *j, sc_text key);
bool sc_keys_answer(sc_core *core, peer *p, uint64_t request, uint32_t of, sc_text key,
                    const sc_uuid *digest);
void sc_keys_take(sc_core *core, job *j, const sc_uuid *digest);
void sc_keys_drop(sc_core *core, job *j);

/* parents.c */
bool sc_parents_check(sc_core *core, peer *p, const sc_open *o);
int sc_parents_set(job *j, const sc_open *o);
void sc_parents_link(sc_core *core, job *j);
void sc_parents_unlink(sc_core *core, job *j);
void sc_parents_free(sc_core *core, job *j);
bool sc_parents_forbid(sc_core *core, const job *j, char *text, size_t size);
void sc_parents_keep(sc_core *core);
const char *sc_parents_why(const job *j, char *text, size_t size);
bool sc_parents_is_needed(const job *j, char *text, size_t size);
void sc_parents_settle(sc_core *core, job *j);
void sc_parents_moved(sc_core *core, job *j);
uint32_t sc_parents_list(sc_core *core, const job *j, sc_parent *out);

/* tasks.c */
uint32_t sc_tasks_chunk_of(const job *j, uint64_t place);
uint64_t sc_tasks_chunk_first(const job *j, uint32_t number);
uint32_t sc_tasks_chunk_count(const job *j, uint32_t number);
chunk *sc_tasks_touch(sc_core *core, job *j, uint32_t number);
chunk *sc_tasks_find_chunk(job *j, uint32_t number);
void sc_tasks_progress(sc_core *core, job *j);
void sc_tasks_drop_payload(chunk *c);
void sc_tasks_count_ended(sc_core *core, chunk *c, const outcomes *ended);
bool sc_tasks_reach(sc_core *core, job *j, uint64_t until);
bool sc_tasks_unwant(chunk *c, uint32_t offset);
void sc_tasks_undelay(sc_core *core, exception *e);
void sc_tasks_drop_range(sc_core *core, range *r);
void sc_tasks_cut(sc_core *core, range *r, uint32_t first, uint32_t count);
void sc_tasks_end_untouched(sc_core *core, job *j, int code);
bool sc_tasks_take_queued(sc_core *core, chunk *c, uint32_t offset, uint32_t wanted, range *taken);
void sc_tasks_again_unsure(sc_core *core, chunk *c, uint32_t offset, uint32_t attempt);
void sc_tasks_again(sc_core *core, chunk *c, uint32_t first, uint32_t count, uint32_t attempt);
void sc_tasks_requeue_run(sc_core *core, run *r, const bits *which, bool was_lost);
void sc_tasks_retry(sc_core *core, chunk *c, uint32_t offset, const failure *why);
void sc_tasks_due(sc_core *core, exception *e);
void sc_tasks_timer(sc_core *core, exception *e);
void sc_tasks_end_range(sc_core *core, const range *r, int code);
void sc_tasks_end_all(sc_core *core, job *j, int code);
void sc_tasks_forget(sc_core *core, job *j);

/* exceptions.c */
void sc_exceptions_suspect(sc_core *core, exception *e);
void sc_exceptions_unsuspect(sc_core *core, exception *e);
exception *sc_exceptions_get(sc_core *core, chunk *c, uint32_t offset);
exception *sc_exceptions_find(const chunk *c, uint32_t offset);
exception *sc_exceptions_next(const chunk *c, uint32_t from);
void sc_exceptions_drop(sc_core *core, exception *e);

/* runs.c */
run *sc_runs_open(sc_core *core, const run *from);
run *sc_runs_adopt(sc_core *core, const run *from);
void sc_runs_add(sc_core *core, run *r, const bits *which, uint32_t n);
bool sc_runs_take(sc_core *core, chunk *c, uint32_t offset, uint32_t wanted);
run *sc_runs_find(sc_core *core, const sc_token *token);
uint64_t sc_runs_base(const run *r);
void sc_runs_give_up(sc_core *core, run *r, const bits *which, uint32_t n);
void sc_runs_forget(sc_core *core, const run *r, uint32_t offset, uint32_t count);
uint32_t sc_runs_attempt(const chunk *c, uint32_t offset, uint32_t otherwise);
void sc_runs_close(sc_core *core, run *r);
void sc_runs_ended(sc_core *core, run *r, uint32_t n);

/* room.c */
handler *sc_room_new_handler(sc_core *core, const sc_hello_handler *from);
int sc_room_offer(sc_core *core, worker *w, const sc_list *list);
void sc_room_join(sc_core *core, worker *w);
void sc_room_leave(sc_core *core, worker *w);
void sc_room_update(sc_core *core, worker *w);
uint64_t sc_room_n_out(const worker *w, sc_slot_kind kind);
worker *sc_room_find(sc_core *core, const demand *d, uint32_t *room);
void sc_room_reserve(sc_core *core, worker *w);
void sc_room_unreserve(sc_core *core, worker *w);

/* schedule.c */
void sc_schedule(sc_core *core);
void sc_schedule_lane(sc_core *core, job *j);
void sc_schedule_calls(sc_core *core, handler *h);
void sc_schedule_unread(sc_core *core, chunk *c);
void sc_schedule_alone(sc_core *core, worker *w, exception *e);

/* recall.c */
void sc_recall_for_idle(sc_core *core);
void sc_recall_answered(sc_core *core, worker *w, const sc_recalled *m);

/* cancel.c */
void sc_drain_take(sc_core *core, peer *client, const sc_drain *m);
void sc_cancel_take(sc_core *core, peer *p, const sc_cancel *m);
void sc_cancel_set_expiry(sc_core *core, job *j);
void sc_cancel_expires_timer(sc_core *core, job *j);
void sc_cancel_ask_again(sc_core *core, const worker *w);

/* retry.c */
void sc_retry_take(sc_core *core, peer *p, const sc_retry *m);

/* poison.c */
bool sc_poison_is_open(sc_core *core, const sc_task_ref *ref);
void sc_poison_blame(sc_core *core, const sc_task_ref *ref, uint64_t instance);
void sc_poison_schedule(sc_core *core);

/* results.c */
void sc_results_learn_cost(handler *h, uint64_t cost_ns, uint32_t n);
void sc_results_take(sc_core *core, worker *w, const sc_message *message);
void sc_results_flush_acks(sc_core *core);
void sc_results_written(sc_core *core);
void sc_results_leave(sc_core *core, worker *w);
void sc_results_read(sc_core *core, peer *p, const sc_read *read);
bool sc_results_news(sc_core *core);

/* progress.c */
void sc_progress_take(sc_core *core, worker *w, const sc_worker_progress *m);
void sc_progress_settle(sc_core *core, run *r);
uint32_t sc_progress_fill(const job *j, sc_progress_row rows[SC_PROGRESS_A_JOB]);

/* calls.c */
void sc_calls_open(sc_core *core, peer *p, const sc_message *message);
void sc_calls_result(sc_core *core, run *r, const sc_message *message);
void sc_calls_lost(sc_core *core, call *c, bool was_started);
void sc_calls_note_lost(sc_core *core, call *c, uint64_t run_number);
call *sc_calls_find_run(sc_core *core, const sc_token *token);
bool sc_calls_adopt(sc_core *core, worker *w, const sc_token *token);
void sc_calls_leave(sc_core *core, call *c, bool was_lost);
void sc_calls_free_all(sc_core *core);
void sc_calls_fail(sc_core *core, call *c, int code, const char *text);
void sc_calls_timer(sc_core *core, call *c);
void sc_calls_passed(sc_core *core);

/* ask.c */
void sc_ask_answer(sc_core *core, peer *p, const sc_ask *ask);
sc_job_state sc_ask_told_state(const sc_core *core, const job *j);
void sc_ask_job(sc_core *core, peer *p, uint64_t request, const job *j);
void sc_ask_ready(sc_core *core);
void sc_ask_stopping(sc_core *core);
watch *sc_watch_new(sc_core *core, peer *p, job *j, uint64_t request);
void sc_watch_free(sc_core *core, watch *w);

#endif
