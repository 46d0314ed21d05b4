/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs of which an upload was refused. What comes of them from there on is refused, too, until the
 * core has heard and drops them: else a COMMIT that was on its way could be written of a job with a
 * hole. Of the journal's thread (journal_thread.c). */
#ifndef SC_JOURNAL_GIVEN_UP_H
#define SC_JOURNAL_GIVEN_UP_H

#include <stdbool.h>
#include <stdint.h>

typedef struct sc_given_up sc_given_up; /* NULL: none */

void sc_given_up_add(sc_given_up **all, uint64_t number);
bool sc_given_up_has(sc_given_up *all, uint64_t number);
void sc_given_up_remove(sc_given_up **all, uint64_t number);
void sc_given_up_clear(sc_given_up **all);

#endif
