/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints as text: see endpoint.h. */
#include "proto/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char *
ipc_path(const char *endpoint)
{
    return strncmp(endpoint, "ipc://", 6) == 0 && endpoint[6] != 0 ? endpoint + 6 : NULL;
}

// The host of "tcp://HOST:PORT" without brackets; false for anything else.
static bool
tcp_host(const char *endpoint, char host[SC_ENDPOINT_MAX])
{
    if (strncmp(endpoint, "tcp://", 6) != 0)
        return false;
    const char *start = endpoint + 6, *end = strrchr(start, ':');
    if (!end || end == start || end[1] == 0)
        return false;
    if (*start == '[' && end[-1] == ']')
        start++, end--;
    if (end <= start || end - start >= SC_ENDPOINT_MAX)
        return false;
    memcpy(host, start, (size_t)(end - start));
    host[end - start] = 0;
    return true;
}

// ZeroMQ takes a port beyond 65535 where it connects, and connects to another.
static bool
is_beyond_ports(const char *port)
{
    return strspn(port, "0123456789") == strlen(port) && strtoul(port, NULL, 10) > UINT16_MAX;
}

int
sc_endpoint_resolve(const char *endpoint, char out[SC_ENDPOINT_MAX], sc_error *err)
{
    char host[SC_ENDPOINT_MAX];
    bool is_tcp = tcp_host(endpoint, host);
    if ((!is_tcp && !ipc_path(endpoint)) || strlen(endpoint) >= SC_ENDPOINT_MAX)
        return sc_error_set(err, SC_EBADARG, "%s: not tcp://HOST:PORT or ipc://PATH", endpoint);
    if (!is_tcp && strlen(ipc_path(endpoint)) >= sizeof((struct sockaddr_un *)0)->sun_path)
        return sc_error_set(err, SC_EBADARG, "%s: the path of a socket has at most %d bytes",
                            endpoint, (int)sizeof((struct sockaddr_un *)0)->sun_path - 1);
    if (is_tcp && is_beyond_ports(strrchr(endpoint, ':') + 1))
        return sc_error_set(err, SC_EBADARG, "%s: ports end at 65535", endpoint);
    if (is_tcp && strcasecmp(host, "localhost") == 0)
        snprintf(out, SC_ENDPOINT_MAX, "tcp://127.0.0.1%s", strrchr(endpoint, ':'));
    else
        snprintf(out, SC_ENDPOINT_MAX, "%s", endpoint);
    return 0;
}

// ZeroMQ would remove whatever lies at the path.
int
sc_endpoint_check_free(const char *endpoint, sc_error *err)
{
    const char *path = ipc_path(endpoint);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat status;
    if (!path || lstat(path, &status) < 0)
        return 0; // what else is wrong with it, ZeroMQ finds
    if (!S_ISSOCK(status.st_mode))
        return sc_error_set(err, -EEXIST, "%s: a file that is no socket is there", endpoint);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return sc_error_set(err, -errno, "%s: %s", endpoint, strerror(errno));
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    bool is_live =
        connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 || errno == EAGAIN;
    close(fd);
    if (is_live)
        return sc_error_set(err, -EADDRINUSE, "%s: another process listens there", endpoint);
    return 0;
}

bool
sc_endpoint_is_local(const char *endpoint)
{
    char host[SC_ENDPOINT_MAX];
    struct in_addr v4;
    struct in6_addr v6;
    if (ipc_path(endpoint))
        return true;
    if (!tcp_host(endpoint, host))
        return false;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
    if (inet_pton(AF_INET6, host, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6);
    return strcasecmp(host, "localhost") == 0;
}

bool
sc_endpoint_is_fixed(const char *endpoint)
{
    const char *port = strrchr(endpoint, ':');

    if (strncmp(endpoint, "tcp://", 6) != 0)
        return true;
    return port[1] >= '1' && port[1] <= '9' && strspn(port + 1, "0123456789") == strlen(port + 1) &&
           strlen(port + 1) <= 5 && atoi(port + 1) <= 65535;
}
