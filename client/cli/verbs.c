/* SPDX-License-Identifier: Apache-2.0 */
/* The table of verbs, see verbs.h. Called by cli.c and help.c. */
#include "client/cli/verbs.h"

#include <stdbool.h>
#include <string.h>

#include "client/cli/text.h"

static const sc_verb *const verbs[] = {
    &sc_verb_up,
    &sc_verb_down,
    &sc_verb_submit,
    &sc_verb_call,
    &sc_verb_status,
    &sc_verb_wait,
    &sc_verb_cancel,
    &sc_verb_results,
    &sc_verb_dead,
    &sc_verb_retry,
    &sc_verb_jobs,
    &sc_verb_workers,
    &sc_verb_workers_drain,
    &sc_verb_handlers,
    &sc_verb_energy,
    &sc_verb_energy_load,
    &sc_verb_energy_batch,
    &sc_verb_config,
    &sc_verb_version,
    &sc_verb_help,
};

static const sc_verb *const hidden[] = {&sc_verb_manual, &sc_verb_completion};

enum { N_VERBS = sizeof(verbs) / sizeof(verbs[0]), N_HIDDEN = sizeof(hidden) / sizeof(hidden[0]) };

const sc_verb *
sc_verbs_at(size_t i)
{
    return i < N_VERBS ? verbs[i] : NULL;
}

const sc_verb *
sc_verbs_find(const char *name)
{
    for (size_t i = 0; i < N_VERBS; i++)
        if (strcmp(verbs[i]->name, name) == 0)
            return verbs[i];
    for (size_t i = 0; i < N_HIDDEN; i++)
        if (strcmp(hidden[i]->name, name) == 0)
            return hidden[i];
    return NULL;
}

/* The word of a verb below the group; NULL where it is not there. */
static const char *
word_in(const sc_verb *verb, const char *group)
{
    const char *space = strchr(verb->name, ' ');
    size_t len = strlen(group);

    if (len == 0)
        return space ? NULL : verb->name;
    return space && (size_t)(space - verb->name) == len && memcmp(verb->name, group, len) == 0
               ? space + 1
               : NULL;
}

const sc_verb *
sc_verbs_find_in(const char *group, const char *word)
{
    for (size_t i = 0; i < N_VERBS; i++) {
        const char *name = word_in(verbs[i], group);

        if (name && strcmp(name, word) == 0)
            return verbs[i];
    }
    return NULL;
}

/* Is it the second word of the verb? */
static bool
is_below(const sc_verb *verb, const char *word)
{
    const char *space = strchr(verb->name, ' ');

    return space && strcmp(space + 1, word) == 0;
}

/* What other programs call it. */
static const char *
other_word(const char *word)
{
    static const char *const words[][2] = {{"start", "up"}, {"stop", "down"}};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i][0], word) == 0)
            return words[i][1];
    return NULL;
}

const char *
sc_verbs_suggest(const char *group, const char *word)
{
    // A slip or two, and no more than every third character.
    int best = 3, most = (int)strlen(word) / 3 + 1;
    const char *near = *group ? NULL : other_word(word);

    if (near)
        return near;
    for (size_t i = 0; i < N_VERBS; i++) {
        const char *name = word_in(verbs[i], group);
        int distance = name ? sc_text_distance(word, name) : best;

        if (distance < best && distance <= most) {
            best = distance;
            near = name;
        }
    }
    for (size_t i = 0; i < N_VERBS && !near && !*group; i++)
        if (is_below(verbs[i], word))
            near = verbs[i]->name;
    return near;
}
