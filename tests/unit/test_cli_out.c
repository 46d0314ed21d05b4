/* SPDX-License-Identifier: Apache-2.0 */
/* Data output: files that appear whole, the first error that sticks, JSON on one line. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "client/cli/out.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* A folder of its own for each test. */
static void
make_folder(char folder[64])
{
    snprintf(folder, 64, "/tmp/test-cli-out-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
}

static int
count_files(const char *folder)
{
    DIR *dir = opendir(folder);
    int n = 0;

    cr_assert_not_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n - 2; // . and ..
}

static void
expect_content(const char *path, const char *want)
{
    char text[64] = "";
    int fd = open(path, O_RDONLY);

    cr_assert_geq(fd, 0, "%s", path);
    cr_assert_geq(read(fd, text, sizeof(text) - 1), 0);
    close(fd);
    cr_expect_str_eq(text, want);
}

Test(cli_out, file_appears_when_it_is_closed)
{
    char folder[64], path[80];
    sc_out o;

    make_folder(folder);
    snprintf(path, sizeof(path), "%s/file", folder);
    cr_assert_eq(sc_out_open(&o, path, NULL), 0);
    sc_out_text(&o, "new");
    sc_out_flush(&o);
    cr_expect_neq(access(path, F_OK), 0);
    cr_expect_eq(sc_out_close(&o, NULL), 0);
    sc_out_fini(&o);
    expect_content(path, "new");
    cr_expect_eq(count_files(folder), 1);
    unlink(path);
    rmdir(folder);
}

Test(cli_out, file_that_is_not_closed_leaves_the_old_one)
{
    char folder[64], path[80];
    sc_out o;

    make_folder(folder);
    snprintf(path, sizeof(path), "%s/file", folder);
    cr_assert_eq(sc_out_open(&o, path, NULL), 0);
    sc_out_text(&o, "old");
    cr_assert_eq(sc_out_close(&o, NULL), 0);
    sc_out_fini(&o);
    cr_assert_eq(sc_out_open(&o, path, NULL), 0);
    sc_out_text(&o, "new");
    sc_out_fini(&o);
    expect_content(path, "old");
    cr_expect_eq(count_files(folder), 1);
    unlink(path);
    rmdir(folder);
}

Test(cli_out, link_stays_and_device_is_written)
{
    char folder[64], path[80], link_path[80];
    struct stat s;
    sc_out o;

    make_folder(folder);
    snprintf(path, sizeof(path), "%s/file", folder);
    snprintf(link_path, sizeof(link_path), "%s/link", folder);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    cr_assert_eq(symlink(path, link_path), 0);
    cr_assert_eq(sc_out_open(&o, link_path, NULL), 0);
    sc_out_text(&o, "through");
    cr_assert_eq(sc_out_close(&o, NULL), 0);
    sc_out_fini(&o);
    expect_content(path, "through");
    cr_assert_eq(lstat(link_path, &s), 0);
    cr_expect(S_ISLNK(s.st_mode));
    cr_assert_eq(sc_out_open(&o, "/dev/null", NULL), 0);
    cr_expect_eq(sc_out_close(&o, NULL), 0);
    sc_out_fini(&o);
    cr_assert_eq(stat("/dev/null", &s), 0);
    cr_expect(S_ISCHR(s.st_mode));
    unlink(link_path);
    unlink(path);
    rmdir(folder);
}

Test(cli_out, mode_of_the_old_file_stays)
{
    static const mode_t modes[] = {0600, 0640, 0444};
    char folder[64], path[80];
    struct stat s;
    sc_out o;

    make_folder(folder);
    snprintf(path, sizeof(path), "%s/file", folder);
    for (size_t i = 0; i < COUNT(modes); i++) {
        close(open(path, O_CREAT | O_WRONLY, 0600));
        cr_assert_eq(chmod(path, modes[i]), 0);
        cr_assert_eq(sc_out_open(&o, path, NULL), 0);
        cr_assert_eq(stat(o.temporary, &s), 0);
        cr_expect_eq(s.st_mode & 07777, modes[i], "%o while it is written", (unsigned)s.st_mode);
        cr_assert_eq(sc_out_close(&o, NULL), 0);
        sc_out_fini(&o);
        cr_assert_eq(stat(path, &s), 0);
        cr_expect_eq(s.st_mode & 07777, modes[i], "%o instead of %o", (unsigned)s.st_mode,
                     (unsigned)modes[i]);
        unlink(path);
    }
    rmdir(folder);
}

/* What stdout is redirected to is written behind what is there, by whatever name. */
Test(cli_out, stdout_by_name)
{
    static const char *const names[] = {"-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"};
    char folder[64], path[80];
    int old = dup(STDOUT_FILENO);

    make_folder(folder);
    snprintf(path, sizeof(path), "%s/file", folder);
    for (size_t i = 0; i < COUNT(names); i++) {
        int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600), rc;
        sc_out o;

        dup2(fd, STDOUT_FILENO);
        dprintf(STDOUT_FILENO, "before ");
        rc = sc_out_open(&o, names[i], NULL);
        sc_out_text(&o, "text ");
        rc = rc ? rc : sc_out_close(&o, NULL);
        sc_out_fini(&o);
        dprintf(STDOUT_FILENO, "behind");
        dup2(old, STDOUT_FILENO);
        close(fd);
        cr_expect_eq(rc, 0, "%s: %d", names[i], rc);
        expect_content(path, "before text behind");
    }
    cr_expect_eq(count_files(folder), 1);
    unlink(path);
    rmdir(folder);
}

Test(cli_out, link_that_leads_nowhere_stays)
{
    char folder[64], path[80];
    struct stat s;
    sc_error err = {0};
    sc_out o;

    make_folder(folder);
    snprintf(path, sizeof(path), "%s/link", folder);
    cr_assert_eq(symlink("nothing", path), 0);
    cr_expect_neq(sc_out_open(&o, path, &err), 0);
    cr_expect_not_null(strstr(err.text, path), "%s", err.text);
    sc_out_fini(&o);
    cr_assert_eq(lstat(path, &s), 0);
    cr_expect(S_ISLNK(s.st_mode));
    unlink(path);
    rmdir(folder);
}

Test(cli_out, errors)
{
    static const struct {
        const char *name, *path;
        int want;
    } rows[] = {
        {"no folder", "/nonexistent/folder/file", -ENOENT},
        {"a folder", "/tmp", -EISDIR},
        {"full", "/dev/full", -ENOSPC},
        {"no name", "", -EINVAL},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        sc_error err = {0};
        sc_out o;
        int rc = sc_out_open(&o, rows[i].path, &err);

        if (rc == 0) {
            sc_out_text(&o, "text");
            rc = sc_out_close(&o, &err);
        }
        cr_expect_eq(rc, rows[i].want, "%s: %d", rows[i].name, rc);
        cr_expect_not_null(strstr(err.text, rows[i].path), "%s: %s", rows[i].name, err.text);
        sc_out_fini(&o);
    }
}

Test(cli_out, reader_that_went_away)
{
    sc_out o;
    int fds[2];

    signal(SIGPIPE, SIG_IGN);
    cr_assert_eq(pipe(fds), 0);
    close(fds[0]);
    sc_out_init_fd(&o, fds[1]);
    sc_out_text(&o, "text");
    sc_out_flush(&o);
    sc_out_text(&o, "more");
    cr_expect_eq(sc_out_close(&o, NULL), -EPIPE);
    sc_out_fini(&o);
    close(fds[1]);
}

Test(cli_out, json_on_one_line)
{
    static const struct {
        const char *name, *text, *want;
    } rows[] = {
        {"plain", "{\"a\":1}", "{\"a\":1}"},
        {"line breaks between tokens", "{\"a\":\r\n\t1}", "{\"a\":   1}"},
        {"delete", "\"\x7f\"", "\"\\u007f\""},
        {"C1 in a string",
         "\"\xc2\x9b"
         "31m\"",
         "\"\\u009b31m\""},
        {"other characters of that byte", "\"\xc2\xa0\xc2\xbf\"", "\"\xc2\xa0\xc2\xbf\""},
        {"cut character", "\"\xc2", "\"\xc2"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        sc_out o;

        sc_out_init(&o);
        sc_out_json(&o, rows[i].text, strlen(rows[i].text));
        sc_out_add(&o, "", 1);
        cr_expect_str_eq((const char *)o.buffer.data, rows[i].want, "%s", rows[i].name);
        sc_out_fini(&o);
    }
}

Test(cli_out, object)
{
    sc_out o;

    sc_out_init(&o);
    sc_out_begin(&o);
    sc_out_field_text(&o, "text", "a\"\033");
    sc_out_field_text(&o, "none", NULL);
    sc_out_field_number(&o, "number", UINT64_MAX);
    sc_out_field_double(&o, "double", 0.5);
    sc_out_field_time(&o, "never", 0);
    sc_out_field_time(&o, "time", 1000);
    sc_out_end(&o);
    sc_out_add(&o, "", 1);
    cr_expect_str_eq((const char *)o.buffer.data,
                     "{\"text\":\"a\\\"\\u001b\",\"none\":null,\"number\":18446744073709551615,"
                     "\"double\":0.5,\"never\":null,\"time\":\"1970-01-01T00:00:01.000Z\"}\n");
    sc_out_fini(&o);
}
