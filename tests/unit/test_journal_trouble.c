/* SPDX-License-Identifier: Apache-2.0 */
/* While a group of the journal cannot be written (coordinator/journal_thread.c), and what it may
 * not survive: a back end that does as it is told. */
#include "tests/unit/test_journal_script.h"

#define FULL "because of -28" // -ENOSPC

// All that was acted up to an upload that is refused is safe or refused, also where it is the last
// and something before it had to wait.
Test(journal_trouble, counts_what_is_refused, .timeout = 60)
{
    world w;
    begin(&w, 0);
    set_code(COMMIT, -ENOSPC, 2);
    act_state(&w, 1, 0);
    act(&w, SC_ACTION_PUT_CHUNK, 2, 0);
    act(&w, SC_ACTION_PUT_CHUNK, 2, 1);
    ask_results(&w, 1, SC_READ_ENDED, 3);
    await(&w, "works");
    cr_expect_str_eq(w.said,
                     "trouble:" FULL " stored:chunk2.0:-28:" FULL " stored:chunk2.1:-28:" FULL
                     " written:3 results:1:0:2 works ",
                     "%s", w.said);
    end(&w);
}
