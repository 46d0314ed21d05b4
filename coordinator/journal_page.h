/* SPDX-License-Identifier: Apache-2.0 */
/* A page of results made of rows of a journal, given one after the other: the answer to a question
 * to the store. Pure. */
#ifndef SC_JOURNAL_PAGE_H
#define SC_JOURNAL_PAGE_H

#include "base/buffer.h"
#include "coordinator/journal_backend.h"

typedef struct sc_page_entry sc_page_entry;

/* Filled by the functions below; the message, once made, points into it. */
typedef struct sc_journal_page {
    sc_store_read read;
    sc_page_entry *entries; /* by index: read.from.. ; else as they ended */
    uint64_t n_entries;     /* room, or how many there are */
    uint64_t n_tries;       /* of the last place */
    uint64_t n_found;       /* by index: entries that are there */
    uint64_t until;         /* by index: from here on not all rows were seen; else the position
                               behind the last entry */
    sc_buffer values;       /* of all entries */
    sc_buffer names;        /* of workers, one after the other */
    sc_worker_name workers[1000];
    uint32_t n_workers;
    sc_buffer table, bytes; /* of the page */
    sc_message message;     /* PAGE */
    uint32_t n_rows;        /* that were looked at */
    uint64_t last_place;    /* of the last of them, where tries are read */
    bool is_cut;            /* at PAGE_ROWS: more may follow though nothing was found */
    bool has_failed;        /* without memory */
} sc_journal_page;

/** @return NULL without memory */
sc_journal_page *sc_journal_page_new(const sc_store_read *read);
void sc_journal_page_free(sc_journal_page **at);
/** sc_ended_row_cb for reads by index (sc_journal_backend.ended_between) */
bool sc_journal_page_by_index(void *page, const sc_ended_row *row);
/** the same as they ended (ended_from) */
bool sc_journal_page_as_ended(void *page, const sc_ended_row *row);
/** sc_attempt_row_cb for failed tries (sc_journal_backend.tries); of a task the last 100 */
int sc_journal_page_tries(void *page, const sc_attempt_row *row);
/** No more rows. @return 0, SC_ENOMEM; then page.message is the answer */
int sc_journal_page_finish(sc_journal_page *page);

#endif
