/* SPDX-License-Identifier: Apache-2.0 */
/* The one thing that the database side of a task needs to know of it. */
#ifndef SC_TASK_DATABASE_H
#define SC_TASK_DATABASE_H

#include "worker/database.h"

/** Where its statements go; NULL where there is no database. */
sc_database *sc_task_database(const sc_task *task);

#endif
