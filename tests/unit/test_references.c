/* SPDX-License-Identifier: Apache-2.0 */
/* What arguments become that name results, in whatever pages these come, and what goes wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/fault.h"
#include "base/limits.h"
#include "proto/run.h"
#include "worker/references.h"

#define A     "01a21897-68c0-7a80-ae1e-0b8c91d67317"
#define B     "01a21897-6b96-7c6b-8656-80ecbe163efd"
#define R(id) "{\"$results\":\"" id "\"}"

/* A job of a results, each a word: -: dead, else done. */
static const char *const a_values[] = {"1", "-", "[2,3]", NULL}, *const b_values[] = {"\"x\"",
                                                                                      NULL};

static const struct {
    const char *name;
    const char *pieces[4];
    const char *want; // joined by |; NULL: no results are named
} rows[] = {
    {"alone", {R(A)}, "[1,null,[2,3]]"},
    {"within", {"{\"of\":" R(A) "}"}, "{\"of\":[1,null,[2,3]]}"},
    {"twice", {"[" R(A) "," R(A) "]"}, "[[1,null,[2,3]],[1,null,[2,3]]]"},
    {"two jobs", {"[" R(A) "," R(B) "]"}, "[[1,null,[2,3]],[\"x\"]]"},
    {"around the index", {"[", "," R(B) "]"}, "[|,[\"x\"]]"},
    {"in each piece", {R(B) ",", R(A), ",", R(B)}, "[\"x\"],|[1,null,[2,3]]|,|[\"x\"]"},
    {"with an empty piece", {"", R(B), ""}, "|[\"x\"]|"},
    {"behind one that is none", {"{\"$results\":\"nope\"}" R(B)}, "{\"$results\":\"nope\"}[\"x\"]"},
    {"none", {"{\"$result\":\"" A "\"}"}, NULL},
    {"in a string", {"\"{\\\"$results\\\":\\\"" A "\\\"}\""}, NULL},
    {"no id", {"{\"$results\":\"01a21897-68c0-7a80-ae1e-0b8c91d6731z\"}"}, NULL},
    {"cut off", {"{\"$results\":\"" A "\""}, NULL},
    {"across pieces", {"{\"$results\":\"01a21897-68c0-7a80", "-ae1e-0b8c91d67317\"}"}, NULL},
};

/* A RUN of an array with these pieces; its payload lives until the next call. */
static sc_message
make_run(uint8_t job, const char *const *pieces, size_t n)
{
    static uint32_t lens[4];
    static char bytes[1000];
    sc_message m = {.type = SC_MSG_RUN, .run = {.is_array = true, .job = {{job}}}};
    size_t len = 0;

    for (size_t i = 0; i < n && pieces[i]; i++) {
        lens[i] = (uint32_t)strlen(pieces[i]);
        memcpy(bytes + len, pieces[i], lens[i]);
        len += lens[i];
        m.table = sc_slice_borrow(lens, (i + 1) * sizeof *lens);
    }
    m.bytes = sc_slice_borrow(bytes, len);
    return m;
}

/* Answers a READ with at most `n` results. */
static sc_reference *
answer(sc_references *r, const sc_read *read, uint32_t n)
{
    sc_record records[8];
    char bytes[100] = "";
    sc_uuid a;
    sc_message m = {.type = SC_MSG_PAGE};

    cr_assert(sc_uuid_parse(A, strlen(A), &a));
    const char *const *values = memcmp(&a, &read->job, sizeof a) == 0 ? a_values : b_values;
    uint32_t k = 0;
    for (; k < n && values[read->from + k]; k++) {
        const char *value = values[read->from + k];

        records[k] = (sc_record){.offset = k,
                                 .len = (uint32_t)strlen(value),
                                 .attempt = 1,
                                 .outcome = *value == '-' ? SC_DEAD : SC_DONE};
        strcat(bytes, value);
    }
    m.page = (sc_page){.request = read->request,
                       .job = read->job,
                       .base = read->from,
                       .next = read->from + k,
                       .is_end = !values[read->from + k]};
    m.table = sc_slice_borrow(records, k * sizeof *records);
    m.bytes = sc_slice_borrow(bytes, strlen(bytes));
    return sc_references_answer(r, &m);
}

static const char *
joined(const sc_reference *ref)
{
    static char text[1000];
    size_t len = 0, at = 0;

    cr_assert_eq(sc_tasks_check(ref->table, ref->bytes, sc_tasks_count(ref->table), UINT32_MAX), 0);
    for (uint32_t i = 0; i < sc_tasks_count(ref->table); i++) {
        uint32_t n = sc_tasks_len(ref->table, i);

        len += (size_t)snprintf(text + len, sizeof text - len, "%s%.*s", i ? "|" : "", (int)n,
                                ref->bytes.data + at);
        at += n;
    }
    return text;
}

/* Until it is ready or has failed. */
static const sc_reference *
read_all(sc_references *r, uint32_t page)
{
    const sc_reference *ref = NULL;
    sc_message m;

    for (int i = 0; !ref && i < 100; i++) {
        if (!sc_references_next(r, &m))
            continue; // a fault
        sc_references_said(r);
        ref = answer(r, &m.read, page);
    }
    return ref;
}

Test(references, rows)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (uint32_t page = 1; page < 4; page++) {
            sc_references r;
            sc_message run = make_run(1, rows[i].pieces, 4);

            cr_expect_eq(sc_references_are_in(&run), rows[i].want != NULL, "%s", rows[i].name);
            if (!rows[i].want)
                continue;
            sc_references_init(&r);
            sc_reference *held = sc_references_hold(&r, &run);
            const sc_reference *ref = read_all(&r, page);
            cr_assert(ref == held && ref->state == SC_REFERENCE_READY, "%s", rows[i].name);
            cr_expect_str_eq(joined(ref), rows[i].want, "%s", rows[i].name);
            sc_reference_release(held);
            sc_references_fini(&r);
        }
}

/* Each allocation fails once: it is read all the same, or fails with a reason. */
Test(references, faults)
{
    static const char *const points[] = {"blob.new", "buffer.grow"};

    for (size_t p = 0; p < 2; p++) {
        bool was_hit = true;
        int n_failed = 0;

        for (uint64_t nth = 1; was_hit; nth++) {
            sc_references r;
            sc_message run = make_run(1, rows[3].pieces, 4);

            sc_references_init(&r);
            cr_assert(sc_fault_set(points[p], nth));
            sc_reference *held = sc_references_hold(&r, &run);
            const sc_reference *ref = held ? read_all(&r, 1) : NULL;
            was_hit = sc_fault_count(points[p]) >= nth;
            sc_fault_reset();
            n_failed += !held || ref->state == SC_REFERENCE_FAILED;
            if (held) {
                cr_assert_eq(ref, held);
                if (ref->state == SC_REFERENCE_READY)
                    cr_expect_str_eq(joined(ref), rows[3].want);
                else
                    cr_expect_eq(ref->code, SC_ENOMEM);
                sc_reference_release(held);
            }
            sc_references_fini(&r);
        }
        cr_expect(n_failed > 0, "%s", points[p]);
    }
}

Test(references, hostile_pages)
{
    static const struct {
        const char *name;
        uint64_t next;
        bool is_end;
        uint64_t n_dropped;
        uint32_t len; // of the one record, whose value has one byte
        int want;
    } pages[] = {
        {"no way ahead", 0, false, 0, 1, SC_ESTATE},
        {"a table that does not fit", 1, true, 0, 2, SC_EMALFORMED},
        {"dropped", 1, true, 5, 1, SC_ESTOREFULL},
    };

    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        sc_references r;
        sc_message m, run = make_run(1, rows[0].pieces, 4);
        sc_record record = {.len = pages[i].len, .attempt = 1};

        sc_references_init(&r);
        sc_reference *held = sc_references_hold(&r, &run);
        cr_assert(sc_references_next(&r, &m));
        sc_references_said(&r);
        uint64_t request = m.read.request;
        m = (sc_message){.type = SC_MSG_PAGE};
        m.page.request = request + 1;
        cr_expect_null(sc_references_answer(&r, &m), "of another request");
        m.page = (sc_page){.request = request,
                           .next = pages[i].next,
                           .is_end = pages[i].is_end,
                           .n_dropped = pages[i].n_dropped};
        m.table = sc_slice_borrow(&record, sizeof record);
        m.bytes = sc_slice_borrow("1", 1);
        const sc_reference *ref = sc_references_answer(&r, &m);
        cr_assert(ref == held && ref->state == SC_REFERENCE_FAILED, "%s", pages[i].name);
        cr_expect_eq(ref->code, pages[i].want, "%s: %s", pages[i].name, ref->text);
        cr_expect(strstr(ref->text, A), "%s", ref->text);
        sc_reference_release(held);
        sc_references_fini(&r);
    }
}

/* Past 16 MiB it fails, and at 64 MiB in all the next waits until the runs of others have ended. */
Test(references, bounds)
{
    sc_references r;
    sc_reference *held[70];
    char *value = malloc(SC_TASK_MAX_BYTES);
    uint32_t n_ready = 0;

    memset(value, '1', SC_TASK_MAX_BYTES);
    sc_references_init(&r);
    for (uint8_t job = 1; job <= 6; job++) {
        sc_record record = {.attempt = 1};
        sc_message m, run = make_run(job, rows[0].pieces, 4);

        record.len = job == 1 ? SC_TASK_MAX_BYTES - 1 : SC_TASK_MAX_BYTES - 2;
        held[job] = sc_references_hold(&r, &run);
        if (!sc_references_next(&r, &m))
            break;
        sc_references_said(&r);
        uint64_t request = m.read.request;
        m = (sc_message){.type = SC_MSG_PAGE, .page = {.request = request, .is_end = true}};
        m.table = sc_slice_borrow(&record, sizeof record);
        m.bytes = sc_slice_borrow(value, record.len);
        cr_assert_eq(sc_references_answer(&r, &m), held[job]);
        cr_expect_eq(held[job]->code, job == 1 ? SC_ETOOLARGE : 0);
        n_ready += held[job]->state == SC_REFERENCE_READY;
    }
    cr_expect_eq(n_ready, 4);
    cr_expect_eq(r.n_bytes, SC_REFERENCES_MAX_BYTES);
    sc_reference_release(held[2]);
    sc_message m;
    cr_expect(sc_references_next(&r, &m), "there is room again");
    for (int i = 1; i <= 6; i++)
        if (i != 2)
            sc_reference_release(held[i]);
    sc_references_fini(&r);
    free(value);
}

/* What a job named may have other results when it is retried. */
Test(references, lives)
{
    sc_references r;
    sc_message run = make_run(1, rows[0].pieces, 4);

    sc_references_init(&r);
    sc_reference *first = sc_references_hold(&r, &run);
    cr_assert_eq(read_all(&r, 8), first);
    run.run.life = 7;
    sc_reference *second = sc_references_hold(&r, &run);
    cr_expect(second != first && second->state == SC_REFERENCE_WAITING);
    sc_reference_release(first);
    sc_reference_release(second);
    sc_references_fini(&r);
}

/* Refused for what may pass, a READ is said again, but not for ever; for anything else, never. */
Test(references, refused)
{
    static const struct {
        const char *name;
        int code, want;
    } codes[] = {
        {"disk", -EIO, 65},        {"memory", SC_ENOMEM, 65},     {"no room", SC_EBUSY, 65},
        {"unknown", SC_ENOJOB, 1}, {"damaged", SC_EMALFORMED, 1}, {"no code", 0, 1}};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        sc_references r;
        sc_message run = make_run(1, rows[0].pieces, 4), m;
        const sc_reference *failed = NULL;
        int n = 0;

        sc_references_init(&r);
        sc_reference *held = sc_references_hold(&r, &run);
        for (; !failed && n < 1000; n++) {
            cr_assert(sc_references_next(&r, &m), "%s", codes[i].name);
            sc_references_said(&r);
            sc_message no = {.type = SC_MSG_REFUSED, .refused = {.request = m.read.request}};
            no.refused.code = codes[i].code;
            failed = sc_references_answer(&r, &no);
        }
        cr_expect_eq(n, codes[i].want, "%s: said %d times", codes[i].name, n);
        cr_expect(failed == held && held->state == SC_REFERENCE_FAILED, "%s", codes[i].name);
        sc_reference_release(held);
        sc_references_fini(&r);
    }
}

/* Of those that nobody holds a few are kept. */
Test(references, kept)
{
    sc_references r;

    sc_references_init(&r);
    for (uint8_t job = 1; job <= 100; job++) {
        sc_message run = make_run(job, rows[0].pieces, 4);
        sc_reference *held = sc_references_hold(&r, &run);

        cr_assert_eq(read_all(&r, 8), held);
        sc_reference_release(held);
        cr_assert_leq(r.n_all, 17);
    }
    sc_message run = make_run(100, rows[0].pieces, 4);
    sc_reference *held = sc_references_hold(&r, &run);
    cr_expect_eq(held->state, SC_REFERENCE_READY, "the last is still there");
    sc_reference_release(held);
    sc_references_fini(&r);
}
