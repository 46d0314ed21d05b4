/* SPDX-License-Identifier: Apache-2.0 */
/* See parents.h. Called by submit. */
#include "client/cli/parents.h"

#include <stdio.h>
#include <string.h>

#include "client/args.h"
#include "client/cli/job.h"

static int
add_word(sc_cli_parents *p, const char *what, sc_text word)
{
    if (word.len == 0 || word.len >= SC_JOB_ID_TEXT)
        return sc_cli_usage(p->cli, "%s: \"%.*s\" is not a job", what, (int)word.len, word.data);
    if (p->n_words == SC_CLI_MAX_WORDS || p->n_listed > SC_MAX_PARENTS)
        return sc_cli_usage(p->cli, "%s: a job waits for at most %d others", what, SC_MAX_PARENTS);
    p->words[p->n_words++] = word;
    return 0;
}

int
sc_cli_parents_read(sc_cli_parents *p, sc_cli *cli, const char *list, const char *args)
{
    sc_args_results found = {0};
    int status = 0;

    *p = (sc_cli_parents){.cli = cli, .args = args};
    while (list && status == 0) {
        size_t len = strcspn(list, ",");

        p->n_listed++;
        status = add_word(p, "--after", (sc_text){list, (uint32_t)len});
        list = list[len] ? list + len + 1 : NULL;
    }
    while (status == 0 && sc_args_next_results(args, strlen(args), found.to, &found)) {
        p->has_results = true;
        status = add_word(p, "--args: $results", found.job);
    }
    return status;
}

/* Whole ids in place of what was typed. */
static int
rewrite(sc_cli_parents *p)
{
    size_t len = strlen(p->args), at = 0, i = p->n_listed;
    sc_args_results found = {0};
    int rc = 0;

    sc_buffer_init(&p->text, 0);
    while (rc == 0 && sc_args_next_results(p->args, len, at, &found)) {
        rc = sc_buffer_add(&p->text, p->args + at, found.from - at);
        rc = rc ? rc : sc_buffer_printf(&p->text, "{\"$results\":\"%s\"}", p->ids[i++]);
        at = found.to;
    }
    rc = rc ? rc : sc_buffer_add(&p->text, p->args + at, len + 1 - at);
    p->args = (const char *)p->text.data;
    return rc;
}

/* Each once. @return false where there are too many */
static bool
collect(sc_cli_parents *p)
{
    for (size_t i = 0; i < p->n_words; i++) {
        size_t k = 0;

        while (k < p->n_after && strcmp(p->after[k], p->ids[i]) != 0)
            k++;
        if (k == SC_MAX_PARENTS)
            return false;
        if (k == p->n_after)
            p->after[p->n_after++] = p->ids[i];
    }
    return true;
}

static void ask_next(sc_cli_parents *p);

static void
on_job(void *arg, const sc_job_status *job, const sc_failure *why)
{
    sc_cli_parents *p = arg;

    if (sc_cli_failed(p->cli, why))
        return;
    memcpy(p->ids[p->n_found++], job->id, sizeof(job->id));
    ask_next(p);
}

static void
ask_next(sc_cli_parents *p)
{
    if (p->n_found < p->n_words) {
        sc_text word = p->words[p->n_found];

        sc_text_copy(word, p->word, sizeof(p->word));
        sc_cli_ask_job(p->cli, p->word, false, on_job, p);
    } else if (!collect(p)) {
        sc_cli_usage(p->cli, "a job waits for at most %d others", SC_MAX_PARENTS);
        sc_cli_end(p->cli, SC_EXIT_USAGE);
    } else if (!p->has_results || !sc_cli_refused(p->cli, rewrite(p))) {
        p->on_found(p->arg);
    }
}

void
sc_cli_parents_find(sc_cli_parents *p, void (*on_found)(void *arg), void *arg)
{
    p->on_found = on_found;
    p->arg = arg;
    ask_next(p);
}

void
sc_cli_parents_fini(sc_cli_parents *p)
{
    sc_buffer_fini(&p->text);
}
