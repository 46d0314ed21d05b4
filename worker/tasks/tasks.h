/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in handlers. */
#ifndef SC_TASKS_H
#define SC_TASKS_H

#include "worker/handler.h"

/** Offer all of them; with `with_test` also those that fail on purpose. @return 0, or what
 * sc_registry_add says */
int sc_tasks_add(sc_registry *registry, bool with_test);

/** Those of one file each. */
int sc_tasks_add_echo(sc_registry *registry);
int sc_tasks_add_sleep(sc_registry *registry);
int sc_tasks_add_energy(sc_registry *registry);
int sc_tasks_add_test(sc_registry *registry);

#endif
