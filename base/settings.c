/* SPDX-License-Identifier: Apache-2.0 */
/* The settings: texts from defaults, environment and flags, checked against the one table and
 * turned into values. Called by the mains and by `seedcore config`; it never prints and never
 * exits. */
#include "base/settings.h"

#include <ctype.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/endpoints.h"

enum {
    LABEL_BYTES = 64,  // "SEEDCORE_WORKER_CREDIT_TASKS", "--worker-credit-tasks"
    VALUE_BYTES = 32,  // a number with its unit
    PATH_BYTES = 4200, // longest DIR and what is put behind it
};

/* A unit and what it is worth; tables go from the smallest to the largest. */
struct unit {
    const char *name;
    int64_t factor;
};

struct value {
    char *text;     // as it was given; ours
    int64_t number; // ms, bytes, count, 0 or 1; 0 for a text
    sc_setting_source source;
};

struct folders {
    char dir[PATH_BYTES]; // DIR, DATA and JOURNAL, resolved
    char data[PATH_BYTES];
    char journal[PATH_BYTES + 32];
};

struct sc_settings {
    struct value values[SC_N_SETTINGS];
    struct folders folders; // of these values
};

static const sc_setting_info infos[] = {
#define SETTING_INFO(symbol, name, type, text, min, max, meaning)                                  \
    {name, type, text, min, max, meaning},
    SC_SETTINGS(SETTING_INFO)
#undef SETTING_INFO
};

static const struct unit duration_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {NULL, 0},
};

/* What sizes are written with; sizes in powers of ten are only read. */
static const struct unit binary_units[] = {
    {"B", 1},           {"KiB", 1LL << 10}, {"MiB", 1LL << 20},
    {"GiB", 1LL << 30}, {"TiB", 1LL << 40}, {NULL, 0},
};

static const struct unit decimal_units[] = {
    {"kB", 1000},       {"KB", 1000},          {"MB", 1000000},
    {"GB", 1000000000}, {"TB", 1000000000000}, {NULL, 0},
};

static int64_t
unit_factor(const struct unit *units, const char *name)
{
    for (; units->name; units++)
        if (strcmp(units->name, name) == 0)
            return units->factor;
    return 0;
}

/* Reads digits with an optional fraction as number = digits / scale, and gives the place behind it;
 * NULL where there is no number or it is too large. */
static const char *
read_decimal(const char *text, int64_t *digits, int64_t *scale)
{
    bool has_point = false;

    *digits = 0;
    *scale = 1;
    if (!isdigit((unsigned char)*text))
        return NULL;
    for (; isdigit((unsigned char)*text) || (*text == '.' && !has_point); text++) {
        if (*text == '.') {
            has_point = true;
            if (!isdigit((unsigned char)text[1]))
                return NULL;
            continue;
        }
        if (__builtin_mul_overflow(*digits, 10, digits) ||
            __builtin_add_overflow(*digits, *text - '0', digits) ||
            (has_point && __builtin_mul_overflow(*scale, 10, scale)))
            return NULL;
    }
    return text;
}

/* Number times factor, where that is a whole number that fits. */
static int
scale_decimal(int64_t digits, int64_t scale, int64_t factor, int64_t *value)
{
    if (factor == 0 || __builtin_mul_overflow(digits, factor, value) || *value % scale != 0)
        return SC_EBADARG;
    *value /= scale;
    return 0;
}

static int
parse_flag(const char *text, int64_t *value)
{
    static const char *const words[][2] = {
        {"0", "1"}, {"no", "yes"}, {"false", "true"}, {"off", "on"}};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        for (*value = 0; *value <= 1; ++*value)
            if (strcasecmp(text, words[i][*value]) == 0)
                return 0;
    return SC_EBADARG;
}

/* The number in the largest unit that leaves it whole. */
static void
format_unit(int64_t number, const struct unit *units, char *out, size_t size)
{
    const struct unit *best = units;

    for (const struct unit *u = units; u->name; u++)
        if (number % u->factor == 0)
            best = u;
    if (number == 0)
        snprintf(out, size, "0");
    else
        snprintf(out, size, "%lld%s", (long long)(number / best->factor), best->name);
}

static void
format_number(sc_setting_type type, int64_t number, char *out, size_t size)
{
    if (type == SC_SETTING_DURATION)
        format_unit(number, duration_units, out, size);
    else if (type == SC_SETTING_BYTES && number % 1024 == 0)
        format_unit(number, binary_units, out, size);
    else
        snprintf(out, size, "%lld", (long long)number);
}

static int
parse_number(sc_setting_type type, const char *text, int64_t *number)
{
    switch (type) {
    case SC_SETTING_TEXT:
        break;
    case SC_SETTING_COUNT:
        return sc_parse_int(text, number);
    case SC_SETTING_DURATION:
        return sc_parse_duration(text, number);
    case SC_SETTING_BYTES:
        return sc_parse_bytes(text, number);
    case SC_SETTING_FLAG:
        return parse_flag(text, number);
    }
    return SC_EBADARG;
}

/* What is wrong with a text whose form is known; NULL where nothing is. */
static const char *
find_fault(sc_setting which, const char *text)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};

    if (which != SC_SET_LOG)
        return NULL;
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
        if (strcmp(text, levels[i]) == 0)
            return NULL;
    return "is not error, warn, info or debug";
}

/* Checks one value against the table; `label` is what the person typed it behind. */
static int
check_text(sc_setting which, const char *label, const char *text, sc_error *err)
{
    const sc_setting_info *info = &infos[which];
    int64_t len = (int64_t)strlen(text);
    const char *wrong = find_fault(which, text);
    sc_endpoints endpoints;
    sc_error why;

    if (which == SC_SET_ENDPOINT && sc_endpoints_parse(text, &endpoints, &why) != 0)
        return sc_error_set(err, why.code, "%s: %s", label, why.text);
    if (len > info->max && !wrong)
        return sc_error_set(err, SC_EBADARG, "%s: \"%.40s...\" is longer than %lld characters",
                            label, text, (long long)info->max);
    if (!wrong && len < info->min)
        wrong = "is too short";
    return wrong ? sc_error_set(err, SC_EBADARG, "%s: \"%.60s\" %s", label, text, wrong) : 0;
}

static int
check_number(sc_setting which, const char *label, const char *text, int64_t *number, sc_error *err)
{
    static const char *const nouns[] = {
        [SC_SETTING_COUNT] = "a whole number",
        [SC_SETTING_DURATION] = "a duration",
        [SC_SETTING_BYTES] = "a size",
    };
    const sc_setting_info *info = &infos[which];
    char range[2 * VALUE_BYTES + 4]; // " to "
    int rc = parse_number(info->type, text, number);

    if (rc && info->type == SC_SETTING_FLAG)
        return sc_error_set(err, rc, "%s: \"%.40s\" is not yes or no", label, text);
    if (rc == 0 && *number >= info->min && *number <= info->max)
        return 0;
    sc_setting_range(which, range, sizeof(range));
    if (rc)
        return sc_error_set(err, rc, "%s: \"%.40s\" is not %s (%s)", label, text, nouns[info->type],
                            range);
    return sc_error_set(err, SC_EBADARG, "%s: \"%.40s\" is out of range (%s)", label, text, range);
}

/* Checks one value and copies it. */
static int
read_value(sc_setting which, const char *label, const char *text, struct value *out, sc_error *err)
{
    int rc;

    *out = (struct value){0};
    if (infos[which].type == SC_SETTING_TEXT)
        rc = check_text(which, label, text, err);
    else
        rc = check_number(which, label, text, &out->number, err);
    if (rc)
        return rc;
    out->text = strdup(text);
    return out->text ? 0 : sc_error_set(err, SC_ENOMEM, "%s", sc_error_text(SC_ENOMEM));
}

/* The folder that state goes to where DIR is empty. A relative XDG_STATE_HOME does not count (XDG
 * Base Directory Specification). */
static int
default_dir(char *out, size_t size)
{
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    const struct passwd *user;

    if (state && state[0] == '/')
        return snprintf(out, size, "%s/seedcore", state);
    if (!home || !*home) {
        user = getpwuid(getuid());
        home = user ? user->pw_dir : "";
    }
    return snprintf(out, size, "%s/.local/state/seedcore", home);
}

/* Works out DIR, DATA and JOURNAL from their texts. */
static int
resolve(const char *dir, const char *data, const char *journal, struct folders *out, sc_error *err)
{
    int len = *dir ? snprintf(out->dir, sizeof(out->dir), "%s", dir)
                   : default_dir(out->dir, sizeof(out->dir));

    if (len >= PATH_BYTES)
        return sc_error_set(err, SC_EBADARG, "DIR: the home folder's name is too long");
    len = *data ? snprintf(out->data, sizeof(out->data), "%s", data)
                : snprintf(out->data, sizeof(out->data), "%s/data.sqlite", out->dir);
    if (len >= PATH_BYTES)
        return sc_error_set(err, SC_EBADARG, "DATA: the name of the folder is too long");
    len = *journal
              ? snprintf(out->journal, sizeof(out->journal), "%s", journal)
              : snprintf(out->journal, sizeof(out->journal), "sqlite:%s/journal.sqlite", out->dir);
    if (len >= PATH_BYTES)
        return sc_error_set(err, SC_EBADARG, "JOURNAL: the name of the folder is too long");
    return 0;
}

/* The default, or what the environment says. An empty variable is as good as none. */
static int
read_first(sc_setting which, struct value *out, sc_error *err)
{
    char label[LABEL_BYTES];
    const char *text;
    bool is_given;
    int rc;

    snprintf(label, sizeof(label), "SEEDCORE_%s", infos[which].name);
    text = getenv(label);
    is_given = text && *text;
    rc = read_value(which, label, is_given ? text : infos[which].default_text, out, err);
    out->source = is_given ? SC_FROM_ENVIRONMENT : SC_FROM_DEFAULT;
    return rc;
}

int
sc_settings_new(sc_settings **out, sc_error *err)
{
    sc_settings *s = calloc(1, sizeof(*s));
    int rc = 0;

    if (!s)
        return sc_error_set(err, SC_ENOMEM, "%s", sc_error_text(SC_ENOMEM));
    for (int i = 0; i < SC_N_SETTINGS && rc == 0; i++)
        rc = read_first((sc_setting)i, &s->values[i], err);
    if (rc == 0)
        rc = resolve(s->values[SC_SET_DIR].text, s->values[SC_SET_DATA].text,
                     s->values[SC_SET_JOURNAL].text, &s->folders, err);
    if (rc == 0)
        rc = sc_settings_check(s, err);
    if (rc)
        sc_settings_free(&s);
    else
        *out = s;
    return rc;
}

void
sc_settings_free(sc_settings **settings)
{
    sc_settings *s = *settings;

    if (!s)
        return;
    for (int i = 0; i < SC_N_SETTINGS; i++)
        free(s->values[i].text);
    free(s);
    *settings = NULL;
}

int
sc_settings_set(sc_settings *s, sc_setting which, const char *text, sc_error *err)
{
    const char *dir = which == SC_SET_DIR ? text : s->values[SC_SET_DIR].text;
    const char *data = which == SC_SET_DATA ? text : s->values[SC_SET_DATA].text;
    const char *journal = which == SC_SET_JOURNAL ? text : s->values[SC_SET_JOURNAL].text;
    char label[LABEL_BYTES];
    struct folders folders;
    struct value value;
    int rc = read_value(which, sc_setting_flag(which, label, sizeof(label)), text, &value, err);

    rc = rc ? rc : resolve(dir, data, journal, &folders, err);
    if (rc) {
        free(value.text);
        return rc;
    }
    free(s->values[which].text);
    s->values[which] = value;
    s->values[which].source = SC_FROM_FLAG;
    s->folders = folders;
    return 0;
}

int
sc_settings_check(const sc_settings *s, sc_error *err)
{
    int64_t lease_ms = sc_settings_int(s, SC_SET_PEER_LEASE);
    int64_t heartbeat_ms = sc_settings_int(s, SC_SET_HEARTBEAT);
    char lease[VALUE_BYTES], heartbeat[VALUE_BYTES];

    if (lease_ms >= 2 * heartbeat_ms)
        return 0;
    format_number(SC_SETTING_DURATION, lease_ms, lease, sizeof(lease));
    format_number(SC_SETTING_DURATION, heartbeat_ms, heartbeat, sizeof(heartbeat));
    return sc_error_set(err, SC_EBADARG, "PEER_LEASE: %s is less than twice HEARTBEAT (%s)", lease,
                        heartbeat);
}

int64_t
sc_settings_int(const sc_settings *s, sc_setting which)
{
    SC_ASSERT(infos[which].type != SC_SETTING_TEXT);
    return s->values[which].number;
}

const char *
sc_settings_text(const sc_settings *s, sc_setting which)
{
    SC_ASSERT(infos[which].type == SC_SETTING_TEXT);
    if (which == SC_SET_DIR)
        return s->folders.dir;
    if (which == SC_SET_JOURNAL)
        return s->folders.journal;
    return which == SC_SET_DATA ? s->folders.data : s->values[which].text;
}

sc_setting_source
sc_settings_source(const sc_settings *s, sc_setting which)
{
    return s->values[which].source;
}

const sc_setting_info *
sc_setting_info_of(sc_setting which)
{
    return &infos[which];
}

char *
sc_settings_format(const sc_settings *s, sc_setting which, char *out, size_t size)
{
    if (infos[which].type == SC_SETTING_TEXT)
        snprintf(out, size, "%s", sc_settings_text(s, which));
    else
        format_number(infos[which].type, s->values[which].number, out, size);
    return out;
}

char *
sc_setting_range(sc_setting which, char *out, size_t size)
{
    const sc_setting_info *info = &infos[which];
    bool is_text = info->type == SC_SETTING_TEXT;
    char min[VALUE_BYTES], max[VALUE_BYTES];

    format_number(info->type, info->min, min, sizeof(min));
    format_number(info->type, info->max, max, sizeof(max));
    snprintf(out, size, "%s%s%s", is_text ? "" : min, is_text ? "" : " to ", is_text ? "" : max);
    return out;
}

char *
sc_setting_flag(sc_setting which, char *out, size_t size)
{
    snprintf(out, size, "--%s", infos[which].name);
    for (char *p = out; *p; p++)
        *p = *p == '_' ? '-' : (char)tolower((unsigned char)*p);
    return out;
}

int
sc_parse_duration(const char *text, int64_t *ms)
{
    int64_t digits, scale;
    const char *unit = read_decimal(text, &digits, &scale);

    if (!unit)
        return SC_EBADARG;
    return scale_decimal(digits, scale, unit_factor(duration_units, *unit ? unit : "s"), ms);
}

int
sc_parse_bytes(const char *text, int64_t *bytes)
{
    int64_t digits, scale, factor;
    const char *unit = read_decimal(text, &digits, &scale);

    if (!unit)
        return SC_EBADARG;
    factor = unit_factor(binary_units, *unit ? unit : "B");
    return scale_decimal(digits, scale, factor ? factor : unit_factor(decimal_units, unit), bytes);
}

int
sc_parse_int(const char *text, int64_t *value)
{
    const char *digits = *text == '-' || *text == '+' ? text + 1 : text;
    char *end;

    errno = 0;
    if (!isdigit((unsigned char)*digits))
        return SC_EBADARG;
    *value = strtoll(text, &end, 10);
    return *end || errno ? SC_EBADARG : 0;
}
