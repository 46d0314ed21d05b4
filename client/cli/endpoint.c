/* SPDX-License-Identifier: Apache-2.0 */
/* A connection to an endpoint, opened and closed at once, and names of hosts. Called by `up` before
 * it starts anything, and where no coordinator answered. */
#include "client/cli/endpoint.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { WAIT_MS = 200, HOST_BYTES = 256 };

static bool
can_connect(const struct sockaddr *address, socklen_t len)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    socklen_t size = sizeof(int);
    int error = 0;

    if (fd < 0)
        return false;
    if (connect(fd, address, len) != 0)
        error = errno;
    if (error == EINPROGRESS) {
        error = poll(&p, 1, WAIT_MS) == 1 ? 0 : ETIMEDOUT;
        if (!error)
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    }
    close(fd);
    return error == 0 || error == EAGAIN; // EAGAIN: a full backlog (unix(7))
}

static bool
ipc_answers(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);

    if (len == 0 || len >= sizeof(address.sun_path))
        return false;
    memcpy(address.sun_path, path, len);
    if (path[0] == '@') // the abstract namespace, where nothing ends the name
        address.sun_path[0] = '\0';
    return can_connect(
        (const struct sockaddr *)&address,
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (path[0] != '@')));
}

/* "HOST:PORT". @return the port, the host goes to `host`; NULL where it is none */
static const char *
split(const char *place, char host[HOST_BYTES])
{
    const char *port = strrchr(place, ':');
    size_t len = port ? (size_t)(port - place) : 0;

    if (len == 0 || len >= HOST_BYTES)
        return NULL;
    memcpy(host, place, len);
    host[len] = '\0';
    if (host[0] == '[' && host[len - 1] == ']') { // an IPv6 address
        host[len - 1] = '\0';
        memmove(host, host + 1, len - 1);
    }
    return port + 1;
}

static bool
tcp_answers(const char *place)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *found;
    char host[HOST_BYTES];
    const char *port = split(place, host);
    bool answers;

    if (!port)
        return false;
    if (getaddrinfo(strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, port, &hints, &found) != 0)
        return false;
    answers = can_connect(found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return answers;
}

char *
sc_endpoint_local(const char *endpoint, char *out, size_t size)
{
    static const char *const all[] = {"tcp://*:", "tcp://0.0.0.0:"};

    snprintf(out, size, "%s", endpoint);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (strncmp(endpoint, all[i], strlen(all[i])) == 0)
            snprintf(out, size, "tcp://127.0.0.1:%s", endpoint + strlen(all[i]));
    return out;
}

bool
sc_endpoint_answers(const char *endpoint)
{
    if (strncmp(endpoint, "ipc://", 6) == 0)
        return ipc_answers(endpoint + 6);
    return strncmp(endpoint, "tcp://", 6) == 0 && tcp_answers(endpoint + 6);
}

const char *
sc_endpoint_unknown_host(const char *endpoint)
{
    struct addrinfo *found;
    char host[HOST_BYTES];
    int rc;

    if (strncmp(endpoint, "tcp://", 6) != 0 || !split(endpoint + 6, host))
        return NULL;
    rc = getaddrinfo(host, NULL, NULL, &found);
    if (rc == 0)
        freeaddrinfo(found);
    return rc ? gai_strerror(rc) : NULL;
}
