/* SPDX-License-Identifier: Apache-2.0 */
/* `seedcore config`: every setting, its value and where that came from. */
#include <stdio.h>
#include <string.h>

#include "client/cli/cli.h"
#include "client/cli/text.h"
#include "client/cli/verbs.h"

enum { VALUE_BYTES = 4200, RANGE_BYTES = 64, INDENT = 4 };

static const char *const sources[] = {
    [SC_FROM_DEFAULT] = "default",
    [SC_FROM_ENVIRONMENT] = "environment",
    [SC_FROM_FLAG] = "flag",
};

/* What a location of a database says is for all to see but for its password. */
static void
hide(char *from, const char *ends)
{
    static const char hidden[] = "***";
    char *rest = from + strcspn(from, ends);
    // VALUE_BYTES has room for a few bytes more than a setting has
    memmove(from + sizeof(hidden) - 1, rest, strlen(rest) + 1);
    memcpy(from, hidden, sizeof(hidden) - 1);
}

/* A setting's value as it is shown. */
static char *
shown(const sc_settings *settings, sc_setting which, char *out, size_t size)
{
    sc_settings_format(settings, which, out, size);
    char *user = which == SC_SET_JOURNAL ? strstr(out, "://") : NULL;
    if (!user)
        return out;
    user += strlen("://");
    size_t user_len = strcspn(user, "@/?"), name_len = strcspn(user, ":@/?");
    if (user[user_len] == '@' && name_len < user_len)
        hide(user + name_len + 1, "@");
    for (char *at = strchr(user, '?'); at; at = strchr(at + 1, '&'))
        if (strncmp(at + 1, "password=", strlen("password=")) == 0)
            hide(at + 1 + strlen("password="), "&");
    return out;
}

static void
write_json(const sc_settings *settings, sc_setting which, sc_out *o)
{
    const sc_setting_info *info = sc_setting_info_of(which);
    char value[VALUE_BYTES], range[RANGE_BYTES];

    sc_out_begin(o);
    sc_out_field_text(o, "name", info->name);
    sc_out_field_text(o, "value", shown(settings, which, value, sizeof(value)));
    sc_out_field_text(o, "source", sources[sc_settings_source(settings, which)]);
    sc_out_field_text(o, "default", info->default_text);
    sc_out_field_text(o, "range", sc_setting_range(which, range, sizeof(range)));
    sc_out_field_text(o, "meaning", info->meaning);
    sc_out_end(o);
}

/* Name, value and source on a line, the meaning below it. */
static void
write_block(const sc_settings *settings, sc_setting which, const sc_term *term, sc_out *o)
{
    const sc_setting_info *info = sc_setting_info_of(which);
    sc_setting_source source = sc_settings_source(settings, which);
    char value[VALUE_BYTES], range[RANGE_BYTES];
    sc_out text;

    shown(settings, which, value, sizeof(value));
    sc_out_printf(o, "%s%s%s = ", sc_term_colour(term, SC_COLOUR_BOLD), info->name,
                  sc_term_colour(term, SC_COLOUR_NONE));
    sc_text_add(o, value, strlen(value), term->is_utf8);
    sc_out_printf(
        o, "  %s(%s)%s",
        sc_term_colour(term, source == SC_FROM_DEFAULT ? SC_COLOUR_DIM : SC_COLOUR_YELLOW),
        sources[source], sc_term_colour(term, SC_COLOUR_NONE));
    sc_out_init(&text);
    sc_out_printf(&text, "%s [default %s", info->meaning,
                  *info->default_text ? info->default_text : "empty");
    if (*sc_setting_range(which, range, sizeof(range)))
        sc_out_printf(&text, "; %s", range);
    sc_out_add(&text, "]", 2); // with its zero
    sc_out_text(o, "\n");
    if (!text.error)
        sc_text_wrap(o, (const char *)text.buffer.data, INDENT, term->columns);
    sc_out_fini(&text);
}

static int
run(sc_cli *cli)
{
    for (int i = 0; i < SC_N_SETTINGS; i++) {
        if (sc_args_has(&cli->args, SC_OPT_JSON))
            write_json(cli->settings, (sc_setting)i, &cli->out);
        else
            write_block(cli->settings, (sc_setting)i, &cli->term, &cli->out);
    }
    return SC_EXIT_DONE;
}

const sc_verb sc_verb_config = {
    .name = "config",
    .summary = "show every setting and where its value came from",
    .arguments = "",
    .description =
        "Every setting: value, where it came from, meaning, default, range. An option comes "
        "before the variable SEEDCORE_<NAME>, that before the default.\n"
        "\n"
        "Durations: 250ms, 30s, 5m, 2h, 7d; a bare number is seconds. Sizes: 64KiB, 10MB.\n",
    .settings = SC_VERB_ALL_SETTINGS,
    .has_json = true,
    .run = run,
};
