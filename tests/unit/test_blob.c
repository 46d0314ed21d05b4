/* SPDX-License-Identifier: Apache-2.0 */
/* Who owns which bytes, and until when. */
#include "proto/blob.h"

#include <signal.h>
#include <string.h>

#include <criterion/criterion.h>
#include <uv.h>

#include "base/fault.h"

static void
count_release(sc_blob *self)
{
    self->len++; // the blobs of this file lie on the stack
}

static sc_blob
counted_blob(void)
{
    sc_blob blob = {.data = (uint8_t *)"abcdef", .len = 0, .release = count_release};
    atomic_init(&blob.refs, 1);
    return blob;
}

Test(blob, released_with_the_last_reference)
{
    static const struct {
        const char *name;
        unsigned n_refs, n_unrefs, n_released;
    } rows[] = {{"one", 0, 1, 1}, {"held", 1, 1, 0}, {"two", 1, 2, 1}, {"many", 99, 100, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_blob blob = counted_blob();
        for (unsigned k = 0; k < rows[i].n_refs; k++)
            cr_expect_eq(sc_blob_ref(&blob), &blob, "%s", rows[i].name);
        for (unsigned k = 0; k < rows[i].n_unrefs; k++)
            sc_blob_unref(&blob);
        cr_expect_eq(blob.len, rows[i].n_released, "%s", rows[i].name);
    }
    cr_expect_null(sc_blob_ref(NULL));
    sc_blob_unref(NULL);
}

Test(blob, copies)
{
    static const struct {
        const char *name, *text;
    } rows[] = {{"empty", ""}, {"text", "abc"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t len = strlen(rows[i].text);
        sc_blob *blob = sc_blob_copy(rows[i].text, len);
        cr_assert_not_null(blob, "%s", rows[i].name);
        sc_slice all = sc_slice_of(blob);
        cr_expect_eq(all.len, len, "%s", rows[i].name);
        cr_expect_eq(memcmp(all.data, rows[i].text, len), 0, "%s", rows[i].name);
        cr_expect_eq(all.owner, blob, "%s", rows[i].name);
        sc_blob_unref(blob);
    }
    sc_blob *empty = sc_blob_copy(NULL, 0);
    cr_expect_eq(empty->len, 0u);
    sc_blob_unref(empty);
}

Test(slice, parts)
{
    static const struct {
        const char *name;
        size_t offset, len;
        const char *want;
    } rows[] = {
        {"all", 0, 6, "abcdef"}, {"middle", 2, 3, "cde"}, {"none", 3, 0, ""}, {"end", 6, 0, ""}};
    sc_slice whole = sc_slice_borrow("abcdef", 6);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_slice part = sc_slice_part(whole, rows[i].offset, rows[i].len);
        cr_expect_eq(part.len, rows[i].len, "%s", rows[i].name);
        cr_expect_eq(memcmp(part.data, rows[i].want, part.len), 0, "%s", rows[i].name);
    }
    cr_expect_null(sc_slice_part((sc_slice){0}, 0, 0).data, "nothing of nothing");
}

Test(slice, parts_beyond, .signal = SIGABRT)
{
    sc_slice_part(sc_slice_borrow("abcdef", 6), 2, SIZE_MAX);
}

Test(slice, kept_with_an_owner)
{
    sc_blob blob = counted_blob();
    sc_slice part = {blob.data + 1, 3, &blob};
    sc_slice kept = sc_slice_keep(part);
    sc_blob_unref(&blob);
    cr_expect_eq(blob.len, 0u, "the slice holds it");
    cr_expect_eq(kept.data, part.data, "no copy");
    sc_slice_drop(&kept);
    cr_expect_eq(blob.len, 1u, "released");
    cr_expect(!kept.data && !kept.owner && kept.len == 0, "emptied");
    sc_slice_drop(&kept);
    cr_expect_eq(blob.len, 1u, "dropping nothing");
}

Test(slice, kept_without_an_owner)
{
    char text[] = "abc";
    sc_slice kept = sc_slice_keep(sc_slice_borrow(text, 3));
    memset(text, 'x', 3);
    cr_assert_not_null(kept.owner);
    cr_expect_eq(memcmp(kept.data, "abc", 3), 0, "a copy");
    sc_slice_drop(&kept);
    sc_fault_set("blob.new", 1);
    kept = sc_slice_keep(sc_slice_borrow(text, 3));
    cr_expect(!kept.data && !kept.owner && kept.len == 0, "no memory");
}

Test(slice, retained)
{
    char text[] = "abc";
    sc_slice s = sc_slice_borrow(text, 3), empty = sc_slice_borrow(text, 0);
    cr_expect_eq(sc_slice_retain(&s), 0);
    cr_expect(s.data != (uint8_t *)text && memcmp(s.data, "abc", 3) == 0, "a copy");
    sc_slice_drop(&s);
    sc_fault_set("blob.new", 1);
    cr_expect_eq(sc_slice_retain(&empty), 0, "nothing needs no memory");
    cr_expect(!empty.data && !empty.owner);
    s = sc_slice_borrow(text, 3);
    cr_expect_eq(sc_slice_retain(&s), SC_ENOMEM);
    cr_expect(!s.data && !s.owner && s.len == 0, "it is not what it was");
}

enum { N_THREADS = 4, N_TIMES = 20000 };

static void
take_and_give(void *arg)
{
    for (int i = 0; i < N_TIMES; i++)
        sc_blob_unref(sc_blob_ref(arg));
    sc_blob_unref(arg);
}

Test(blob, references_from_threads)
{
    sc_blob blob = counted_blob();
    uv_thread_t threads[N_THREADS];
    for (int i = 0; i < N_THREADS; i++)
        cr_assert_eq(uv_thread_create(&threads[i], take_and_give, sc_blob_ref(&blob)), 0);
    for (int i = 0; i < N_THREADS; i++)
        uv_thread_join(&threads[i]);
    cr_expect_eq(blob.len, 0u, "one reference is left");
    sc_blob_unref(&blob);
    cr_expect_eq(blob.len, 1u, "released once");
}
