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

struct sc_settings {
    struct value values[SC_N_SETTINGS];
    char dir[PATH_BYTES]; // DIR and DATA, resolved after each change
    char data[PATH_BYTES];
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

    if (which == SC_SET_ENDPOINT &&
        ((strncmp(text, "tcp://", 6) != 0 && strncmp(text, "ipc://", 6) != 0) || !text[6]))
        return "is not tcp://HOST:PORT or ipc://PATH";
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

    if (len > info->max)
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
    char min[VALUE_BYTES], max[VALUE_BYTES];
    int rc = parse_number(info->type, text, number);

    if (rc && info->type == SC_SETTING_FLAG)
        return sc_error_set(err, rc, "%s: \"%.40s\" is not yes or no", label, text);
    if (rc == 0 && *number >= info->min && *number <= info->max)
        return 0;
    format_number(info->type, info->min, min, sizeof(min));
    format_number(info->type, info->max, max, sizeof(max));
    if (rc)
        return sc_error_set(err, rc, "%s: \"%.40s\" is not %s (%s to %s)", label, text,
                            nouns[info->type], min, max);
    return sc_error_set(err, SC_EBADARG, "%s: \"%.40s\" is out of range (%s to %s)", label, text,
                        min, max);
}

/* Checks and takes over one value; on an error the old one stays. */
static int
assign(struct sc_settings *s, sc_setting which, const char *label, const char *text, sc_error *err)
{
    struct value *v = &s->values[which];
    int64_t number = 0;
    char *copy;
    int rc;

    if (infos[which].type == SC_SETTING_TEXT)
        rc = check_text(which, label, text, err);
    else
        rc = check_number(which, label, text, &number, err);
    if (rc)
        return rc;
    copy = strdup(text);
    if (!copy)
        return sc_error_set(err, SC_ENOMEM, "%s", sc_error_text(SC_ENOMEM));
    free(v->text);
    v->text = copy;
    v->number = number;
    return 0;
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

/* Works out DIR and DATA. */
static int
resolve(struct sc_settings *s, sc_error *err)
{
    const char *dir = s->values[SC_SET_DIR].text;
    const char *data = s->values[SC_SET_DATA].text;
    int len;

    len = *dir ? snprintf(s->dir, sizeof(s->dir), "%s", dir) : default_dir(s->dir, sizeof(s->dir));
    if (len >= PATH_BYTES)
        return sc_error_set(err, SC_EBADARG, "DIR: the home folder's name is too long");
    len = *data ? snprintf(s->data, sizeof(s->data), "%s", data)
                : snprintf(s->data, sizeof(s->data), "%s/data.sqlite", s->dir);
    if (len >= PATH_BYTES)
        return sc_error_set(err, SC_EBADARG, "DATA: the name of the folder is too long");
    return 0;
}

/* The default, or what the environment says. An empty variable is as good as none. */
static int
assign_first(struct sc_settings *s, sc_setting which, sc_error *err)
{
    const sc_setting_info *info = &infos[which];
    char label[LABEL_BYTES];
    const char *text;

    snprintf(label, sizeof(label), "SEEDCORE_%s", info->name);
    text = getenv(label);
    if (!text || !*text)
        return assign(s, which, label, info->default_text, err);
    s->values[which].source = SC_FROM_ENVIRONMENT;
    return assign(s, which, label, text, err);
}

int
sc_settings_new(sc_settings **out, sc_error *err)
{
    sc_settings *s = calloc(1, sizeof(*s));
    int rc = 0;

    if (!s)
        return sc_error_set(err, SC_ENOMEM, "%s", sc_error_text(SC_ENOMEM));
    for (int i = 0; i < SC_N_SETTINGS && rc == 0; i++)
        rc = assign_first(s, (sc_setting)i, err);
    if (rc == 0)
        rc = resolve(s, err);
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
    char label[LABEL_BYTES];
    int rc = assign(s, which, sc_setting_flag(which, label, sizeof(label)), text, err);

    if (rc)
        return rc;
    s->values[which].source = SC_FROM_FLAG;
    return resolve(s, err);
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
        return s->dir;
    return which == SC_SET_DATA ? s->data : s->values[which].text;
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
