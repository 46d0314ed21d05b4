/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a number, duration, size, and as the value of a setting: what is taken is what the
 * text says, lies in its range, and reads back as it is shown. The first byte chooses the setting.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 8192 };

static const struct unit {
    const char *name;
    double factor;
} durations[] = {{"ms", 1}, {"", 1000}, {"s", 1000}, {"m", 60e3}, {"h", 3600e3}, {"d", 86400e3}},
  sizes[] = {{"", 1},         {"B", 1},        {"KiB", 1024}, {"MiB", 0x1p20},
             {"GiB", 0x1p30}, {"TiB", 0x1p40}, {"kB", 1000},  {"KB", 1000},
             {"MB", 1e6},     {"GB", 1e9},     {"TB", 1e12}};

// As far as a double can tell, value is what the text says.
static void
expect(const char *text, const struct unit *units, size_t n_units, int64_t value)
{
    char *behind;
    double decimal = strtod(text, &behind);
    size_t i = 0;
    while (i < n_units && strcmp(units[i].name, behind) != 0)
        i++;
    SC_ASSERT(i < n_units && value >= 0);
    SC_ASSERT(fabs(decimal * units[i].factor - (double)value) <= 1e-9 * (double)value);
}

static void
parse(const char *text)
{
    int64_t value;
    char shown[32];
    if (sc_parse_duration(text, &value) == 0)
        expect(text, durations, sizeof durations / sizeof *durations, value);
    if (sc_parse_bytes(text, &value) == 0)
        expect(text, sizes, sizeof sizes / sizeof *sizes, value);
    if (sc_parse_int(text, &value) == 0) {
        int64_t again;
        SC_ASSERT(strtoll(text, NULL, 10) == value);
        snprintf(shown, sizeof shown, "%" PRId64, value);
        SC_ASSERT(sc_parse_int(shown, &again) == 0 && again == value);
    }
}

// The value of a setting that has one; 0 for a text.
static int64_t
number(const sc_settings *s, sc_setting which)
{
    return sc_setting_info_of(which)->type == SC_SETTING_TEXT ? 0 : sc_settings_int(s, which);
}

static void
set(sc_settings *s, sc_setting which, const char *text)
{
    const sc_setting_info *info = sc_setting_info_of(which);
    char shown[TEXT_MAX];
    sc_error err = {0};
    int64_t before = number(s, which);
    if (sc_settings_set(s, which, text, &err) != 0) {
        SC_ASSERT(err.text[0] != '\0' && number(s, which) == before);
        return;
    }
    int64_t value = number(s, which);
    SC_ASSERT(info->type == SC_SETTING_TEXT || (value >= info->min && value <= info->max));
    sc_settings_format(s, which, shown, sizeof shown);
    SC_ASSERT(sc_settings_set(s, which, shown, &err) == 0);
    SC_ASSERT(number(s, which) == value);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sc_settings *settings;
    if (size == 0 || size > TEXT_MAX / 2)
        return 0;
    char *text = strndup((const char *)data + 1, size - 1);
    SC_ASSERT(text && sc_settings_new(&settings, NULL) == 0);
    parse(text);
    set(settings, (sc_setting)(data[0] % SC_N_SETTINGS), text);
    sc_settings_free(&settings);
    free(text);
    return 0;
}
