/* SPDX-License-Identifier: Apache-2.0 */
/* The completion, see completion.h. Called by the verb `__completion` when the project is built.
 *
 * What a value or an argument is, its description in the tables says: FILE, F.so and DIR are paths,
 * a|b|c is one of these, VERB a verb, HANDLER, JOB and WORKER what the cluster knows if it answers
 * at once; all others are the user's alone. */
#include "client/cli/completion.h"

#include <string.h>

#include "client/cli/verbs.h"

static const char head[] =
    "# bash completion for seedcore; written by `seedcore __completion`\n"
    "_seedcore_names()  # the first of each line\n"
    "{\n"
    "  seedcore \"$@\" --json --connect-timeout 200ms 2>/dev/null |\n"
    "    sed -n 's/^{\"[a-z]*\":\"\\([A-Za-z0-9._-]*\\)\".*/\\1/p'\n"
    "}\n"
    "_seedcore()\n"
    "{\n"
    "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb=${COMP_WORDS[1]}\n"
    "  local words= options= files=\n"
    "  [[ $prev != = ]] || prev=${COMP_WORDS[COMP_CWORD-2]}  # bash cuts --input=FILE in three\n"
    "  [[ $cur != = ]] || cur=\n"
    "  [[ $verb != energy || $COMP_CWORD -lt 3 ]] || verb=\"$verb ${COMP_WORDS[2]}\"\n"
    "  [[ $verb != workers || $COMP_CWORD -lt 3 || ${COMP_WORDS[2]} != drain ]] ||\n"
    "    verb='workers drain'\n"
    "  [[ $COMP_CWORD -gt 1 ]] || verb=\n";

static const char tail[] = "  if [[ $files && $cur != -* ]]; then\n"
                           "    compopt -o filenames 2>/dev/null\n"
                           "    mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
                           "    return\n"
                           "  fi\n"
                           "  [[ $words && $cur != -* ]] || words=$options\n"
                           "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
                           "}\n"
                           "complete -F _seedcore seedcore\n";

/* Verbs, without those below a group. */
static void
add_verbs(sc_out *o)
{
    for (size_t i = 0; sc_verbs_at(i); i++)
        if (!strchr(sc_verbs_at(i)->name, ' '))
            sc_out_printf(o, "%s ", sc_verbs_at(i)->name);
}

static bool
is_path(const char *what)
{
    return strstr(what, "FILE") || strstr(what, "F.so") || strstr(what, "DIR");
}

/* Those below a verb that is also one by itself. */
static void
add_below(const sc_verb *verb, sc_out *o)
{
    size_t len = strlen(verb->name);

    sc_out_text(o, "words='");
    for (size_t i = 0; sc_verbs_at(i); i++) {
        const char *name = sc_verbs_at(i)->name;

        if (strncmp(name, verb->name, len) == 0 && name[len] == ' ')
            sc_out_printf(o, "%s ", name + len + 1);
    }
    sc_out_text(o, "'");
}

/* Sets `files` or `words` for what is described so. */
static void
add_choice(const char *what, sc_out *o)
{
    if (is_path(what)) {
        sc_out_text(o, "files=1");
    } else if (strstr(what, "VERB")) {
        sc_out_text(o, "words='");
        add_verbs(o);
        sc_out_text(o, "'");
    } else if (strstr(what, "HANDLER")) {
        sc_out_text(o,
                    "[[ $COMP_CWORD -ne 2 || $cur == -* ]] || words=$(_seedcore_names handlers)");
    } else if (strstr(what, "WORKER")) {
        sc_out_text(o, "[[ $COMP_CWORD -ne 3 || $cur == -* ]] || words=$(_seedcore_names workers)");
    } else if (strstr(what, "JOB")) {
        sc_out_text(o, "[[ $COMP_CWORD -ne 2 || $cur == -* ]] || "
                       "words=$(_seedcore_names jobs --limit 50)");
    } else if (strchr(what, '|')) {
        sc_out_text(o, "words='");
        for (; *what; what++)
            sc_out_add(o, *what == '|' ? " " : what, 1);
        sc_out_text(o, "'");
    }
}

/* Settings say by what they are which values they have. */
static const char *
describe(const struct poptOption *row)
{
    bool is_folder = row->val == SC_OPT_SETTING + SC_SET_DIR;
    bool is_file = row->val == SC_OPT_SETTING + SC_SET_DATA;
    bool is_level = row->val == SC_OPT_SETTING + SC_SET_LOG;

    return is_folder  ? "DIR"
           : is_file  ? "FILE"
           : is_level ? "error|warn|info|debug"
                      : row->argDescrip;
}

/* Behind an option with a value its values, else options, and arguments where they are known. */
static void
add_verb(const sc_verb *verb, sc_out *o)
{
    sc_option_table table;

    sc_option_table_init(&table, verb);
    sc_out_printf(o, "    '%s')\n      options='", verb->name);
    for (size_t i = 0; i < table.n_rows; i++)
        sc_out_printf(o, "--%s ", table.rows[i].longName);
    sc_out_text(o, "'\n      case $prev in\n");
    for (size_t i = 0; i < table.n_rows; i++) {
        if (!table.rows[i].argDescrip)
            continue;
        sc_out_printf(o, "        --%s) options= ", table.rows[i].longName);
        add_choice(describe(&table.rows[i]), o);
        sc_out_text(o, " ;;\n");
    }
    sc_out_text(o, "        *) ");
    if (*verb->arguments)
        add_choice(verb->arguments, o);
    else
        add_below(verb, o);
    sc_out_text(o, " ;;\n      esac ;;\n");
}

void
sc_completion_write(sc_out *o)
{
    sc_out_text(o, head);
    sc_out_text(o, "  case $verb in\n    '') words='");
    add_verbs(o);
    sc_out_text(o, "' options='--help --version' ;;\n");
    for (size_t i = 0; sc_verbs_at(i); i++)
        add_verb(sc_verbs_at(i), o);
    sc_out_text(o, "  esac\n");
    sc_out_text(o, tail);
}
