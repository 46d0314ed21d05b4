/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers by name: see registry.h. Called at the start of a worker process, and of its supervisor,
 * which finds a bad plugin before it starts anything. */
#include "worker/registry.h"

#include <ctype.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"

enum { MAX_PLUGINS = 64 };

struct sc_registry {
    const sc_handler *handlers[SC_MAX_HANDLERS_A_WORKER];
    uint32_t n_handlers;
    uint32_t n_own;             // of these, built in: the first ones
    void *plugins[MAX_PLUGINS]; // of dlopen
    uint32_t n_plugins;
    sc_error err;
};

int
sc_registry_new(sc_registry **out)
{
    *out = calloc(1, sizeof **out);
    return *out ? 0 : SC_ENOMEM;
}

static bool
is_name(const char *name)
{
    size_t len = name ? strlen(name) : 0;

    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i]))
            return false;
    return len > 0 && len <= SC_NAME_MAX;
}

static const sc_handler *
find(const sc_registry *r, const char *name)
{
    for (uint32_t i = 0; i < r->n_handlers; i++)
        if (strcmp(r->handlers[i]->name, name) == 0)
            return r->handlers[i];
    return NULL;
}

int
sc_registry_add(sc_registry *r, const sc_handler *handler)
{
    const char *text = handler->description ? handler->description : "";

    if (!is_name(handler->name))
        return sc_error_set(&r->err, SC_EBADARG, "'%.64s' is no name for a handler",
                            handler->name ? handler->name : "");
    if (find(r, handler->name))
        return sc_error_set(&r->err, SC_ENAMETAKEN, "there is a handler '%s' already",
                            handler->name);
    if (!handler->run || handler->kind > SC_HANDLER_THREAD)
        return sc_error_set(&r->err, SC_EBADARG, "handler '%s' has no function or no known kind",
                            handler->name);
    if (strlen(text) > SC_DESCRIPTION_MAX || !sc_utf8_printable(text, strlen(text)))
        return sc_error_set(&r->err, SC_EBADARG,
                            "the description of handler '%s' is no line of up to %d bytes",
                            handler->name, SC_DESCRIPTION_MAX);
    if (r->n_handlers == SC_MAX_HANDLERS_A_WORKER)
        return sc_error_set(&r->err, SC_ELIMIT, "more than %d handlers", SC_MAX_HANDLERS_A_WORKER);
    r->handlers[r->n_handlers++] = handler;
    r->n_own += r->n_plugins == 0;
    return 0;
}

static int
start_plugin(sc_registry *r, void *plugin, const char *path, sc_error *err)
{
    const unsigned *abi = dlsym(plugin, "sc_plugin_abi");
    int (*init)(sc_registry *);
    void *symbol = dlsym(plugin, "sc_plugin_init");
    int rc;

    memcpy(&init, &symbol, sizeof init); // ISO C has no cast from an object to a function
    if (!abi || !symbol)
        return sc_error_set(err, SC_EBADARG, "plugin %s: no symbol %s", path,
                            abi ? "sc_plugin_init" : "sc_plugin_abi");
    if (*abi != SC_PLUGIN_ABI)
        return sc_error_set(err, SC_EBADARG,
                            "plugin %s: built for plugin interface %u, this program has %d", path,
                            *abi, SC_PLUGIN_ABI);
    r->err.code = 0;
    rc = init(r);
    if (rc != 0 || r->err.code != 0)
        return sc_error_set(err, SC_EBADARG, "plugin %s: %s", path,
                            r->err.code ? r->err.text : sc_error_text(rc));
    return 0;
}

int
sc_registry_load(sc_registry *r, const char *path, sc_error *err)
{
    char *real = realpath(path, NULL); // a bare name would be searched among the system's libraries
    void *plugin;

    if (!real)
        return sc_error_set(err, SC_EBADARG, "plugin %s: %s", path, strerror(errno));
    plugin = r->n_plugins < MAX_PLUGINS ? dlopen(real, RTLD_NOW | RTLD_LOCAL) : NULL;
    free(real);
    if (!plugin)
        return sc_error_set(err, SC_EBADARG, "plugin %s: %s", path,
                            r->n_plugins < MAX_PLUGINS ? dlerror() : "too many plugins");
    r->plugins[r->n_plugins++] = plugin;
    return start_plugin(r, plugin, path, err);
}

const sc_error *
sc_registry_error(const sc_registry *r)
{
    return &r->err;
}

uint32_t
sc_registry_count(const sc_registry *r)
{
    return r->n_handlers;
}

const sc_handler *
sc_registry_get(const sc_registry *r, uint32_t i)
{
    SC_ASSERT(i < r->n_handlers);
    return r->handlers[i];
}

bool
sc_registry_is_plugin(const sc_registry *r, uint32_t i)
{
    return i >= r->n_own;
}

void
sc_registry_free(sc_registry **r)
{
    if (!*r)
        return;
    for (uint32_t i = (*r)->n_plugins; i-- > 0;)
        dlclose((*r)->plugins[i]);
    free(*r);
    *r = NULL;
}
