/* SPDX-License-Identifier: Apache-2.0 */
/* How many tasks a second does the cluster carry? A job of `echo` tasks of 64 bytes is uploaded and
 * all results are read back as they end, each checked: every index once, its value unchanged. The
 * time is from the first task added to the last result. Limits: plain ZeroMQ through a broker, in
 * turn with ours, with one task a message and with 1,000. Last, in a run of its own, how often the
 * coordinator allocates memory for a task while the job is between 20 % and 80 % done. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench/cluster.h"
#include "bench/hand.h"
#include "bench/raw.h"

enum {
    REPETITIONS = 5,
    TASKS = 1000000,
    WARM_UP = 100000,
    RAW_ONE_TASKS = 200000, /* takes about as long as TASKS of ours */
    BATCH = 1000,
    PAGE_BYTES = 4 * 1024 * 1024,
};

typedef struct job {
    sc_bench_cluster *cluster;
    const char *payloads;
    uint64_t n_tasks, n_added, n_read;
    bool is_durable;
    uint8_t *is_read; /* for each task */
    sc_upload *upload;
    char id[SC_JOB_ID_TEXT];
    bool is_done;
    const volatile uint64_t *counter; /* the coordinator's allocations; NULL: not counted */
    struct {
        uint64_t n_read, n_allocations;
    } early, late; /* from 20 % read on, and up to 80 % */
} job;

/* ---- upload ---- */

static void
add_tasks(void *arg)
{
    job *j = arg;
    for (; j->n_added < j->n_tasks; j->n_added++) {
        int rc = sc_upload_add(j->upload, j->payloads + j->n_added * SC_BENCH_TASK_BYTES,
                               SC_BENCH_TASK_BYTES);
        if (rc == -EAGAIN)
            return;
        if (rc != 0)
            sc_bench_fail("task %llu: code %d", (unsigned long long)j->n_added, rc);
    }
    if (sc_upload_commit(j->upload) != 0)
        sc_bench_fail("commit: refused by the library");
}

/* ---- results ---- */

static void read_page(job *j, uint64_t from);

static void
take_row(job *j, const sc_result_row *row)
{
    if (row->index >= j->n_tasks || j->is_read[row->index])
        sc_bench_fail("index %llu twice, or not of this job", (unsigned long long)row->index);
    if (row->status != SC_RESULT_DONE || row->value_len != SC_BENCH_TASK_BYTES ||
        memcmp(row->value, j->payloads + row->index * SC_BENCH_TASK_BYTES, row->value_len) != 0)
        sc_bench_fail("task %llu: %.*s", (unsigned long long)row->index, (int)row->value_len,
                      row->value);
    j->is_read[row->index] = 1;
    j->n_read++;
}

static void
count_allocations(job *j)
{
    uint64_t now = *j->counter;
    if (j->n_read >= j->n_tasks / 5 && j->early.n_read == 0) {
        j->early.n_read = j->n_read;
        j->early.n_allocations = now;
    }
    if (j->n_read <= j->n_tasks / 5 * 4) {
        j->late.n_read = j->n_read;
        j->late.n_allocations = now;
    }
}

static void
on_page(void *arg, const sc_result_page *page, const sc_failure *why)
{
    job *j = arg;
    sc_bench_check(why, "results");
    for (size_t i = 0; i < page->n_rows; i++)
        take_row(j, &page->rows[i]);
    if (j->counter != NULL)
        count_allocations(j);
    if (page->is_end && (page->n_dropped > 0 || j->n_read != j->n_tasks))
        sc_bench_fail("%llu of %llu results", (unsigned long long)j->n_read,
                      (unsigned long long)j->n_tasks);
    j->is_done = page->is_end;
    if (!j->is_done)
        read_page(j, page->next);
}

static void
read_page(job *j, uint64_t from)
{
    if (sc_client_read(j->cluster->client, j->id, from, SC_AS_ENDED, PAGE_BYTES, true, on_page,
                       j) != 0)
        sc_bench_fail("results: refused by the library");
}

static void
on_accepted(void *arg, const char *id, const sc_failure *why)
{
    job *j = arg;
    sc_bench_check(why, "upload");
    snprintf(j->id, sizeof j->id, "%s", id);
    read_page(j, 0);
}

/* Run a job to its end. Returns tasks a second. */
static double
run_job(job *j)
{
    sc_job_spec spec = {.handler = "echo", .priority = -1, .is_volatile = !j->is_durable};
    j->is_read = calloc(j->n_tasks, 1);
    if (j->is_read == NULL)
        sc_bench_fail("no memory");
    double start = sc_bench_now_s();
    if (sc_client_upload(j->cluster->client, &spec, add_tasks, on_accepted, j, &j->upload) != 0)
        sc_bench_fail("upload: refused by the library");
    add_tasks(j);
    sc_bench_cluster_run(j->cluster, &j->is_done);
    double seconds = sc_bench_now_s() - start;
    free(j->is_read);
    return (double)j->n_tasks / seconds;
}

/* ---- rates ---- */

static void
measure_rates(const char *dir, const char *payloads)
{
    double one[REPETITIONS], batched[REPETITIONS], ours[REPETITIONS];
    sc_raw raw;
    sc_bench_cluster cluster;
    sc_raw_start(&raw);
    sc_bench_cluster_start(&cluster, dir, NULL);
    sc_raw_rate(&raw, payloads, WARM_UP, 1);
    sc_raw_rate(&raw, payloads, WARM_UP, BATCH);
    run_job(&(job){.cluster = &cluster, .payloads = payloads, .n_tasks = WARM_UP});
    for (int r = 0; r < REPETITIONS; r++) {
        one[r] = sc_raw_rate(&raw, payloads, RAW_ONE_TASKS, 1);
        ours[r] = run_job(&(job){.cluster = &cluster, .payloads = payloads, .n_tasks = TASKS});
        batched[r] = sc_raw_rate(&raw, payloads, TASKS, BATCH);
    }
    sc_bench_cluster_stop(&cluster);
    sc_raw_stop(&raw);
    double rate = sc_bench_median(ours, REPETITIONS);
    sc_bench_row("tasks", rate, "tasks/s", sc_bench_median(one, REPETITIONS));
    sc_bench_row("tasks.batched", rate, "tasks/s", sc_bench_median(batched, REPETITIONS));
}

/* ---- durable ---- */

static void
measure_durable(const char *dir, const char *payloads)
{
    double hand[REPETITIONS], ours[REPETITIONS];
    sc_bench_cluster cluster;
    sc_bench_cluster_start(&cluster, dir, NULL);
    sc_hand_rate(dir, payloads, WARM_UP);
    run_job(
        &(job){.cluster = &cluster, .payloads = payloads, .n_tasks = WARM_UP, .is_durable = true});
    for (int r = 0; r < REPETITIONS; r++) {
        hand[r] = sc_hand_rate(dir, payloads, TASKS);
        ours[r] = run_job(&(job){
            .cluster = &cluster, .payloads = payloads, .n_tasks = TASKS, .is_durable = true});
    }
    sc_bench_cluster_stop(&cluster);
    sc_bench_row("tasks.durable", sc_bench_median(ours, REPETITIONS), "tasks/s",
                 sc_bench_median(hand, REPETITIONS));
}

/* ---- allocations ---- */

/* A file of one counter, shared with count_malloc.c in the coordinator. */
static const volatile uint64_t *
open_counter(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(uint64_t)) != 0)
        sc_bench_fail("%s: %s", path, strerror(errno));
    void *at = mmap(NULL, sizeof(uint64_t), PROT_READ, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        sc_bench_fail("%s: %s", path, strerror(errno));
    close(fd);
    return at;
}

static void
measure_allocations(const char *dir, const char *payloads)
{
    char path[PATH_MAX], variable[PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/allocations", dir);
    snprintf(variable, sizeof variable, "BENCH_ALLOCATIONS=%s", path);
    const char *const env[] = {"LD_PRELOAD=" SC_BENCH_COUNT_MALLOC, variable, NULL};
    sc_bench_cluster cluster;
    job j = {.cluster = &cluster, .payloads = payloads, .n_tasks = TASKS};
    j.counter = open_counter(path);
    sc_bench_cluster_start(&cluster, dir, env);
    if (*j.counter == 0)
        sc_bench_fail("the coordinator's allocations are not counted");
    run_job(&j);
    sc_bench_cluster_stop(&cluster);
    if (j.late.n_read <= j.early.n_read)
        sc_bench_fail("the pages are too large to count allocations between them");
    sc_bench_row("tasks.allocations",
                 (double)(j.late.n_allocations - j.early.n_allocations) /
                     (double)(j.late.n_read - j.early.n_read),
                 "allocations/task", 0);
}

static void
measure(const char *dir)
{
    char *payloads = sc_bench_payloads(TASKS);
    measure_rates(dir, payloads);
    measure_durable(dir, payloads);
    measure_allocations(dir, payloads);
    free(payloads);
}

int
main(void)
{
    return sc_bench_main(measure);
}
