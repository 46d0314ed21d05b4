/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers of a process by name: built-in ones and those of plugins. Filled at start, then only
 * read. Handlers are added with sc_registry_add (handler.h). */
#ifndef SC_REGISTRY_H
#define SC_REGISTRY_H

#include "base/error.h"
#include "worker/handler.h"

/** @return 0, SC_ENOMEM */
int sc_registry_new(sc_registry **out);
/** Load a plugin. @return 0, or SC_EBADARG (cannot be loaded, no plugin, another ABI, a handler
 * that was refused) with the file and the reason in `err` */
int sc_registry_load(sc_registry *r, const char *path, sc_error *err);
/** Why the last sc_registry_add failed; code 0 where none has. */
const sc_error *sc_registry_error(const sc_registry *r);
uint32_t sc_registry_count(const sc_registry *r);
/** Handler i of those, in the order in which they were added. */
const sc_handler *sc_registry_get(const sc_registry *r, uint32_t i);
/** Is handler i from a plugin, and not built in? */
bool sc_registry_is_plugin(const sc_registry *r, uint32_t i);
/** Unloads the plugins too. */
void sc_registry_free(sc_registry **r);

#endif
