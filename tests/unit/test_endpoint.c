/* SPDX-License-Identifier: Apache-2.0 */
/* Where links listen and connect, and where they refuse to. */
#include "proto/endpoint.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/limits.h"
#include "tests/support/stations.h"

Test(endpoint, wrong_endpoints)
{
    static const struct {
        const char *name, *endpoint;
        bool is_listening;
        int want;
    } rows[] = {
        {"no kind", "127.0.0.1:5570", true, SC_EBADARG},
        {"empty", "", true, SC_EBADARG},
        {"other kind", "inproc://x", true, SC_EBADARG},
        {"other kind", "udp://127.0.0.1:1", false, SC_EBADARG},
        {"no port", "tcp://127.0.0.1", true, SC_EBADARG},
        {"empty port", "tcp://127.0.0.1:", false, SC_EBADARG},
        {"port is no number", "tcp://127.0.0.1:http", true, SC_EBADARG},
        {"port too large", "tcp://127.0.0.1:65536", true, SC_EBADARG},
        {"connect to a port too large", "tcp://127.0.0.1:65537", false, SC_EBADARG},
        {"connect to any port", "tcp://127.0.0.1:*", false, SC_EBADARG},
        {"no path", "ipc://", true, SC_EBADARG},
        {"an address of another host", "tcp://192.0.2.1:0", true, -EADDRNOTAVAIL},
        {"a name", "tcp://name.invalid:0", true, -ENODEV},
        {"no such folder", "ipc:///nonexistent/x", true, -ENOENT},
        {"percent signs", "tcp://%s%n:0", true, SC_EBADARG},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        world w;
        world_init(&w);
        sc_link_events events = station_events(&w.stations[0]);
        sc_error err = {0};
        int rc =
            rows[i].is_listening
                ? sc_link_listen(&w.loop, rows[i].endpoint, &events, &w.stations[0].link, &err)
                : sc_link_connect(&w.loop, rows[i].endpoint, &events, &w.stations[0].link, &err);
        cr_expect_eq(rc, rows[i].want, "%s: got %d %s", rows[i].name, rc, err.text);
        cr_expect_eq(err.code, rc, "%s: error is filled in", rows[i].name);
        cr_expect(strstr(err.text, rows[i].endpoint), "%s: %s names it", rows[i].name, err.text);
        cr_expect_null(w.stations[0].link, "%s", rows[i].name);
        world_fini(&w);
    }
}

Test(endpoint, endpoint_is_local)
{
    static const struct {
        const char *endpoint;
        bool want;
    } rows[] = {
        {"ipc:///run/x", true},
        {"tcp://127.0.0.1:1", true},
        {"tcp://127.255.0.9:1", true},
        {"tcp://[::1]:1", true},
        {"tcp://localhost:1", true},
        {"tcp://LocalHost:1", true},
        {"tcp://0.0.0.0:1", false},
        {"tcp://*:1", false},
        {"tcp://[::]:1", false},
        {"tcp://[::ffff:10.0.0.1]:1", false},
        {"tcp://128.0.0.1:1", false},
        {"tcp://127.0.0.1.example.com:1", false},
        {"tcp://localhost.example.com:1", false},
        {"tcp://127.0.0.1:0;10.0.0.1:1", false},
        {"tcp://127.0.0.1", false},
        {"tcp://:1", false},
        {"127.0.0.1:1", false},
        {"ipc://", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_expect_eq(sc_endpoint_is_local(rows[i].endpoint), rows[i].want, "%s", rows[i].endpoint);
}

static void
make_path(char *path, size_t size, const char *name)
{
    snprintf(path, size, "/tmp/sc_test_link_%d_%s", (int)getpid(), name);
    unlink(path);
}

static void
lay_dead_socket(const char *path)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    cr_assert_eq(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(listen(fd, 1), 0);
    close(fd); // the path stays behind
}

Test(endpoint, ipc_path_is_taken_over_only_from_the_dead)
{
    static const struct {
        const char *name;
        int want;
    } rows[] = {{"nothing", 0}, {"dead", 0}, {"live", UV_EADDRINUSE}, {"file", UV_EEXIST}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[64], endpoint[80];
        world w;
        world_init(&w);
        make_path(path, sizeof path, rows[i].name);
        snprintf(endpoint, sizeof endpoint, "ipc://%s", path);
        if (strcmp(rows[i].name, "dead") == 0)
            lay_dead_socket(path);
        if (strcmp(rows[i].name, "live") == 0)
            station_listen(&w, 1, endpoint);
        if (strcmp(rows[i].name, "file") == 0)
            fclose(fopen(path, "w"));
        sc_link_events events = station_events(&w.stations[0]);
        sc_error err = {0};
        int rc = sc_link_listen(&w.loop, endpoint, &events, &w.stations[0].link, &err);
        cr_expect_eq(rc, rows[i].want, "%s: got %d %s", rows[i].name, rc, err.text);
        struct stat status;
        cr_expect_eq(lstat(path, &status), 0, "%s: the path is there", rows[i].name);
        if (rows[i].want != UV_EEXIST)
            station_introduce(&w, &w.stations[rc == 0 ? 0 : 1], station_connect(&w, 2, endpoint));
        world_fini(&w);
        unlink(path);
    }
}

Test(endpoint, tcp_port_in_use)
{
    world w;
    world_init(&w);
    station *first = station_listen(&w, 0, "tcp://127.0.0.1:0");
    sc_link_events events = station_events(&w.stations[1]);
    sc_error err = {0};
    int rc =
        sc_link_listen(&w.loop, sc_link_endpoint(first->link), &events, &w.stations[1].link, &err);
    cr_expect_eq(rc, UV_EADDRINUSE, "got %d %s", rc, err.text);
    world_fini(&w);
}

Test(endpoint, faults_while_opening)
{
    for (uint64_t nth = 1;; nth++) {
        world w;
        world_init(&w);
        sc_link_events events = station_events(&w.stations[0]);
        sc_error err = {0};
        sc_fault_set("link.new", nth);
        int rc = sc_link_listen(&w.loop, "tcp://127.0.0.1:0", &events, &w.stations[0].link, &err);
        bool is_untouched = rc == 0;
        cr_expect(is_untouched || rc == SC_ENOMEM, "pass %d: got %d", (int)nth, rc);
        world_fini(&w);
        if (is_untouched)
            break;
    }
}
