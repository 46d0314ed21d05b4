/* SPDX-License-Identifier: Apache-2.0 */
/* The completion for bash, from the tables of the verbs. */
#ifndef SC_CLI_COMPLETION_H
#define SC_CLI_COMPLETION_H

#include "client/cli/out.h"

void sc_completion_write(sc_out *o);

#endif
