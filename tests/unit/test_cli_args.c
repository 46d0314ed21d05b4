/* SPDX-License-Identifier: Apache-2.0 */
/* Options and words of a command, the table of verbs, and what is suggested for a slip. */
#include <string.h>

#include <criterion/criterion.h>

#include "client/cli/args.h"
#include "client/cli/verbs.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

enum { MAX_WORDS = 8 };

/* The words of a row up to the first NULL. */
static int
count_words(const char *const *words)
{
    int n = 0;

    while (n < MAX_WORDS && words[n])
        n++;
    return n;
}

Test(cli_args, parse)
{
    static const struct {
        const char *name, *words[MAX_WORDS];
        const char *handler, *priority; // what was found
        bool waits;
        const char *wrong; // in the error; NULL: none
    } rows[] = {
        {"word", {"echo"}, "echo", NULL, false, NULL},
        {"options behind", {"echo", "--wait", "--priority", "3"}, "echo", "3", true, NULL},
        {"options before", {"--priority", "3", "--wait", "echo"}, "echo", "3", true, NULL},
        {"equals sign", {"--priority=3", "echo"}, "echo", "3", false, NULL},
        {"last one counts",
         {"echo", "--priority", "3", "--priority", "4"},
         "echo",
         "4",
         false,
         NULL},
        {"end of options", {"--wait", "--", "--priority"}, "--priority", NULL, true, NULL},
        {"negative value", {"echo", "--priority", "-1"}, "echo", "-1", false, NULL},
        {"value like an option", {"echo", "--name", "--wait"}, "echo", NULL, false, NULL},
        {"unknown", {"echo", "--wiat"}, NULL, NULL, false, "--wiat"},
        {"no value", {"echo", "--priority"}, NULL, NULL, false, "--priority"},
        {"value for a switch", {"echo", "--wait=1"}, NULL, NULL, false, "--wait"},
        {"short", {"echo", "-w"}, NULL, NULL, false, "-w"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        sc_error err = {0};
        sc_args args;
        int rc =
            sc_args_parse(&args, &sc_verb_submit, count_words(rows[i].words), rows[i].words, &err);

        cr_expect_eq(rc, rows[i].wrong ? SC_EBADARG : 0, "%s: %s", rows[i].name, err.text);
        if (rows[i].wrong) {
            cr_expect_not_null(strstr(err.text, rows[i].wrong), "%s: %s", rows[i].name, err.text);
        } else if (rc == 0) {
            const char *priority = sc_args_text(&args, SC_OPT_PRIORITY);

            cr_expect_eq(args.n_words, 1, "%s", rows[i].name);
            cr_expect_str_eq(args.words[0], rows[i].handler, "%s", rows[i].name);
            cr_expect_str_eq(priority ? priority : "", rows[i].priority ? rows[i].priority : "",
                             "%s", rows[i].name);
            cr_expect_eq(sc_args_has(&args, SC_OPT_WAIT), rows[i].waits, "%s", rows[i].name);
        }
        sc_args_fini(&args);
    }
}

Test(cli_args, words)
{
    static const struct {
        const char *name;
        const sc_verb *verb;
        const char *words[MAX_WORDS], *wrong;
    } rows[] = {
        {"enough", &sc_verb_submit, {"echo"}, NULL},
        {"missing", &sc_verb_submit, {NULL}, "HANDLER"},
        {"missing of many", &sc_verb_wait, {NULL}, "JOB"},
        {"many", &sc_verb_wait, {"1", "2", "3"}, NULL},
        {"optional", &sc_verb_status, {NULL}, NULL},
        {"surplus", &sc_verb_jobs, {"surplus"}, "surplus"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        sc_error err = {0};
        sc_args args;

        cr_assert_eq(
            sc_args_parse(&args, rows[i].verb, count_words(rows[i].words), rows[i].words, &err), 0);
        cr_expect_eq(sc_args_check_words(&args, rows[i].verb, &err), rows[i].wrong ? SC_EBADARG : 0,
                     "%s", rows[i].name);
        if (rows[i].wrong)
            cr_expect_not_null(strstr(err.text, rows[i].wrong), "%s: %s", rows[i].name, err.text);
        sc_args_fini(&args);
    }
}

Test(cli_args, numbers)
{
    static const struct {
        const char *name, *text;
        int rc;
        int64_t want;
    } rows[] = {
        {"lowest", "0", 0, 0},
        {"highest", "9", 0, 9},
        {"below", "-1", SC_EBADARG, 4},
        {"above", "10", SC_EBADARG, 4},
        {"no number", "x", SC_EBADARG, 4},
        {"empty", "", SC_EBADARG, 4},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *words[] = {"echo", "--priority", rows[i].text};
        sc_error err = {0};
        sc_args args;
        int64_t value = 4;

        cr_assert_eq(sc_args_parse(&args, &sc_verb_submit, 3, words, &err), 0);
        cr_expect_eq(sc_args_number(&args, SC_OPT_PRIORITY, "--priority", 0, 9, &value, &err),
                     rows[i].rc, "%s", rows[i].name);
        cr_expect_eq(value, rows[i].want, "%s", rows[i].name);
        if (rows[i].rc)
            cr_expect_not_null(strstr(err.text, "0 to 9"), "%s: %s", rows[i].name, err.text);
        sc_args_fini(&args);
    }
}

Test(cli_args, tables_hold_what_help_prints)
{
    for (size_t i = 0; sc_verbs_at(i); i++) {
        const sc_verb *verb = sc_verbs_at(i);
        sc_option_table table;

        sc_option_table_init(&table, verb);
        cr_expect_eq(sc_verbs_find(verb->name), verb, "%s", verb->name);
        cr_expect_leq(verb->min_words, verb->run ? verb->max_words : 1, "%s", verb->name);
        cr_expect_gt(strlen(verb->summary), 0, "%s", verb->name);
        for (size_t k = 0; k < table.n_rows; k++) {
            cr_expect_not_null(table.rows[k].descrip, "%s --%s", verb->name,
                               table.rows[k].longName);
            for (size_t n = 0; n < k; n++)
                cr_expect_str_neq(table.rows[k].longName, table.rows[n].longName, "%s", verb->name);
        }
    }
}

Test(cli_args, suggestions)
{
    static const struct {
        const char *group, *word, *want;
    } rows[] = {
        {"", "submti", "submit"},
        {"", "worker", "workers"},
        {"", "job", "jobs"},
        {"", "stats", "status"},
        {"", "quite-something-else", NULL},
        {"", "x", NULL},
        {"energy", "lode", "load"},
        {"energy", "bacth", "batch"},
        {"energy", "submit", NULL},
        {"", "stop", "down"},
        {"", "start", "up"},
        {"energy", "stop", NULL},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *near = sc_verbs_suggest(rows[i].group, rows[i].word);

        cr_expect_str_eq(near ? near : "", rows[i].want ? rows[i].want : "", "%s", rows[i].word);
    }
}
