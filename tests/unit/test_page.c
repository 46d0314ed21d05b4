/* SPDX-License-Identifier: Apache-2.0 */
/* The shared page between two processes that really are two, and descriptors that are no page. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "worker/page.h"

enum { N_THREADS = 2, N_ASYNC = 3, N_SLOTS = 1 + N_THREADS + N_ASYNC, ONCE = N_SLOTS };

static sc_task_ref
task(uint64_t run, uint64_t index, bool is_executing)
{
    sc_task_ref ref = {.token = {5, run}, .index = index, .is_executing = is_executing};

    ref.job.bytes[0] = (uint8_t)run;
    return ref;
}

struct step {
    int run; // 0: no further step
    uint32_t slot;
    uint64_t index;
    enum { END, START, EXECUTE } act;
};
enum { MAX_STEPS = 5 };

static void
take_steps(sc_shared_page *page, const struct step steps[MAX_STEPS])
{
    for (int k = 0; k < MAX_STEPS && steps[k].run; k++) {
        sc_task_ref ref = task((uint64_t)steps[k].run, steps[k].index, steps[k].act == EXECUTE);

        if (steps[k].act == END)
            sc_page_end(page, steps[k].slot);
        else
            sc_page_begin(page, steps[k].slot, &ref);
    }
}

Test(page, slots)
{
    static const struct {
        const char *name;
        struct step steps[MAX_STEPS];
        const char *want; // "run/index" with x: executing, l: on the loop
    } rows[] = {
        {"nothing", {{0}}, ""},
        {"the loop", {{1, 0, 7, EXECUTE}}, "1/7xl "},
        {"the next of the same run", {{1, 0, 7, EXECUTE}, {1, 0, 8, EXECUTE}}, "1/8xl "},
        {"of another run", {{1, 0, 7, EXECUTE}, {2, 0, 3, EXECUTE}}, "2/3xl "},
        {"ended", {{1, 0, 7, EXECUTE}, {1, 0, 7, END}}, ""},
        {"ended, then the same run",
         {{1, 0, 7, EXECUTE}, {1, 0, 7, END}, {1, 0, 9, EXECUTE}},
         "1/9xl "},
        {"executing first",
         {{1, 3, 1, START}, {1, 5, 2, START}, {2, 2, 4, EXECUTE}},
         "2/4x 1/1 1/2 "},
        {"not to be repeated, before those that wait",
         {{1, 3, 1, START}, {2, ONCE + 7, 5, START}, {3, 1, 6, EXECUTE}},
         "3/6x 2/5 1/1 "},
        {"not to be repeated, executing and waiting: named once",
         {{1, ONCE, 1, START},
          {1, 0, 1, EXECUTE},
          {2, ONCE + 1, 9, START},
          {2, 4, 9, START},
          {3, ONCE + SC_ONCE_MAX - 1, 2, START}},
         "1/1xl 2/9 3/2 "},
        {"started, then executing", {{1, 3, 1, START}, {1, 3, 1, EXECUTE}}, "1/1x "},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_task_ref refs[N_SLOTS];
        char got[128] = "";
        sc_shared_page page;
        uint32_t n;

        cr_assert_eq(sc_page_create(N_THREADS, N_ASYNC, 99, &page), 0);
        cr_assert_eq(sc_page_once(&page, 0), ONCE);
        take_steps(&page, rows[i].steps);
        n = sc_page_read(&page, refs, N_SLOTS);
        for (uint32_t k = 0; k < n; k++) {
            cr_expect_eq(refs[k].job.bytes[0], refs[k].token.run, "%s", rows[i].name);
            snprintf(got + strlen(got), sizeof got - strlen(got), "%d/%d%s%s ",
                     (int)refs[k].token.run, (int)refs[k].index, refs[k].is_executing ? "x" : "",
                     refs[k].is_on_loop ? "l" : "");
        }
        cr_expect_str_eq(got, rows[i].want, "%s", rows[i].name);
        sc_page_close(&page);
        sc_page_close(&page);
    }
}

Test(page, read_is_bounded)
{
    sc_task_ref refs[2];
    sc_shared_page page;

    cr_assert_eq(sc_page_create(N_THREADS, N_ASYNC, 99, &page), 0);
    for (uint32_t slot = 0; slot < N_SLOTS; slot++) {
        sc_task_ref ref = task(1 + slot, slot, slot == 2 || slot == 0);

        sc_page_begin(&page, slot, &ref);
    }
    cr_assert_eq(sc_page_read(&page, refs, 1), 1);
    cr_assert(refs[0].is_on_loop);
    cr_assert_eq(sc_page_read(&page, refs, 2), 2);
    cr_assert(refs[1].is_executing && !refs[1].is_on_loop);
    sc_page_close(&page);
}

/* A child opens the page by its descriptor, writes, and is killed. */
Test(page, survives_its_writer)
{
    sc_task_ref refs[N_SLOTS];
    sc_shared_page page;
    int status;
    pid_t pid;

    cr_assert_eq(sc_page_create(N_THREADS, N_ASYNC, 42, &page), 0);
    pid = fork();
    if (pid == 0) {
        sc_task_ref ref = task(3, 1000000007, true);
        sc_shared_page theirs;

        if (sc_page_open(dup(page.fd), &theirs) != 0 || theirs.head->instance != 42)
            _exit(1);
        sc_page_tick(&theirs);
        sc_page_set_ready(&theirs);
        sc_page_begin(&theirs, 1, &ref);
        raise(SIGKILL);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFSIGNALED(status));
    cr_assert_eq(sc_page_read(&page, refs, N_SLOTS), 1);
    cr_assert_eq(refs[0].index, 1000000007);
    cr_assert_eq(atomic_load(&page.head->n_ticks), 1);
    cr_assert(atomic_load(&page.head->is_ready) && !atomic_load(&page.head->is_leaving));
    sc_page_close(&page);
}

Test(page, no_page)
{
    static const struct {
        const char *name;
        size_t bytes;
        int want;
    } rows[] = {{"empty", 0, SC_EMALFORMED},
                {"short", sizeof(sc_page_head) - 1, SC_EMALFORMED},
                {"zeroes", 4096, SC_EMALFORMED}};
    sc_shared_page page;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int fd = memfd_create("test", 0);

        cr_assert_eq(ftruncate(fd, (off_t)rows[i].bytes), 0);
        cr_expect_eq(sc_page_open(fd, &page), rows[i].want, "%s", rows[i].name);
        close(fd);
    }
    cr_expect_eq(sc_page_open(-1, &page), -EBADF);
}

/* A head that promises more slots than there is memory. */
Test(page, wrong_counts)
{
    sc_shared_page page, again;

    cr_assert_eq(sc_page_create(N_THREADS, N_ASYNC, 1, &page), 0);
    page.head->n_async++;
    cr_expect_eq(sc_page_open(page.fd, &again), SC_EMALFORMED);
    page.head->n_async = UINT32_MAX;
    cr_expect_eq(sc_page_open(page.fd, &again), SC_EMALFORMED);
    sc_page_close(&page);
}
