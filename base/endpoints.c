/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of endpoints: see endpoints.h. */
#include "base/endpoints.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* tcp://HOST:PORT with a PORT that can be, or `*`; ipc://PATH. ZeroMQ takes larger ports modulo
 * 65536. */
static bool
is_endpoint(const char *text)
{
    const char *port = strrchr(text, ':');

    if (strncmp(text, "ipc://", 6) == 0)
        return text[6] != '\0';
    if (strncmp(text, "tcp://", 6) != 0 || port < text + 7)
        return false;
    if (strcmp(port, ":*") == 0)
        return true;
    return port[1] != '\0' && strspn(port + 1, "0123456789") == strlen(port + 1) &&
           strtoul(port + 1, NULL, 10) <= UINT16_MAX;
}

static bool
is_there(const sc_endpoints *all, const char *text)
{
    for (unsigned i = 0; i < all->n; i++)
        if (strcmp(all->items[i], text) == 0)
            return true;
    return false;
}

static int
add(sc_endpoints *all, const char *text, size_t len, sc_error *err)
{
    char *item;

    if (all->n == SC_MAX_ENDPOINTS)
        return sc_error_set(err, SC_EBADARG, "\"%.*s\" is one too many: at most %d endpoints",
                            (int)(len < 60 ? len : 60), text, SC_MAX_ENDPOINTS);
    if (len > SC_ENDPOINT_TEXT_MAX)
        return sc_error_set(err, SC_EBADARG, "\"%.40s...\" is longer than %d characters", text,
                            SC_ENDPOINT_TEXT_MAX);
    item = all->items[all->n];
    memcpy(item, text, len);
    item[len] = '\0';
    if (!is_endpoint(item))
        return sc_error_set(err, SC_EBADARG, "\"%.60s\" is not tcp://HOST:PORT or ipc://PATH",
                            item);
    if (is_there(all, item))
        return sc_error_set(err, SC_EBADARG, "\"%.60s\" is there twice", item);
    all->n++;
    return 0;
}

int
sc_endpoints_parse(const char *text, sc_endpoints *out, sc_error *err)
{
    size_t len;
    int rc;

    out->n = 0;
    do {
        len = strcspn(text, ",");
        rc = add(out, text, len, err);
        text += len;
    } while (rc == 0 && *text++ == ',');
    return rc;
}

bool
sc_endpoints_are_many(const char *text)
{
    return strchr(text, ',') != NULL;
}
