/* SPDX-License-Identifier: Apache-2.0 */
/* The settings: what each text is worth, which range holds, what a person is told, and who wins. */
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/settings.h"

enum { REFUSED = -1 }; // no setting of the rows below has this value

/* An environment that holds nothing of ours and a home folder. */
static void
clear_environment(void)
{
    clearenv();
    setenv("HOME", "/home/u", 1);
}

static sc_settings *
new_settings(void)
{
    sc_settings *s = NULL;
    sc_error err = {0};

    cr_assert_eq(sc_settings_new(&s, &err), 0, "%s", err.text);
    return s;
}

Test(settings, durations)
{
    static const struct {
        const char *text;
        int64_t want;
    } rows[] = {
        {"0", 0},
        {"1", 1000},
        {"250ms", 250},
        {"30s", 30000},
        {"5m", 300000},
        {"2h", 7200000},
        {"7d", 604800000},
        {"1.5s", 1500},
        {"0.5", 500},
        {"0.25m", 15000},
        {"1.50s", 1500},
        {"007s", 7000},
        {"0.001s", 1},
        {"106751991167d", 9223372036828800000},
        {"", REFUSED},
        {"s", REFUSED},
        {"3x", REFUSED},
        {"3 s", REFUSED},
        {" 3s", REFUSED},
        {"3s ", REFUSED},
        {"3S", REFUSED},
        {"-3s", REFUSED},
        {"+3s", REFUSED},
        {"1.s", REFUSED},
        {".5s", REFUSED},
        {"1.5.5s", REFUSED},
        {"1.5ms", REFUSED},
        {"0.0001s", REFUSED},
        {"1e3s", REFUSED},
        {"0x10", REFUSED},
        {"3sm", REFUSED},
        {"1s500ms", REFUSED},
        {"106751991168d", REFUSED},
        {"9223372036854775808", REFUSED},
        {"10MB", REFUSED},
        {"0.00000000000000000000000000001s", REFUSED},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t ms = 0;
        int rc = sc_parse_duration(rows[i].text, &ms);

        cr_expect_eq(rc, rows[i].want == REFUSED ? SC_EBADARG : 0, "%s", rows[i].text);
        cr_expect(rc || ms == rows[i].want, "%s: %" PRId64, rows[i].text, ms);
    }
}

Test(settings, sizes)
{
    static const struct {
        const char *text;
        int64_t want;
    } rows[] = {
        {"0", 0},
        {"512", 512},
        {"512B", 512},
        {"1kB", 1000},
        {"1KB", 1000},
        {"64KiB", 65536},
        {"10MB", 10000000},
        {"32MiB", 33554432},
        {"1GB", 1000000000},
        {"1GiB", 1073741824},
        {"2TB", 2000000000000},
        {"16TiB", 17592186044416},
        {"1.5GiB", 1610612736},
        {"8388607TiB", 9223370937343148032},
        {"", REFUSED},
        {"MiB", REFUSED},
        {"1M", REFUSED},
        {"1mib", REFUSED},
        {"1 MiB", REFUSED},
        {"-1", REFUSED},
        {"1.5", REFUSED},
        {"1.5B", REFUSED},
        {"8388608TiB", REFUSED},
        {"10s", REFUSED},
        {"1PiB", REFUSED},
        {"1MiBs", REFUSED},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t bytes = 0;
        int rc = sc_parse_bytes(rows[i].text, &bytes);

        cr_expect_eq(rc, rows[i].want == REFUSED ? SC_EBADARG : 0, "%s", rows[i].text);
        cr_expect(rc || bytes == rows[i].want, "%s: %" PRId64, rows[i].text, bytes);
    }
}

Test(settings, whole_numbers)
{
    static const struct {
        const char *text;
        int want_rc;
        int64_t want;
    } rows[] = {
        {"0", 0, 0},
        {"42", 0, 42},
        {"-42", 0, -42},
        {"+42", 0, 42},
        {"010", 0, 10},
        {"9223372036854775807", 0, INT64_MAX},
        {"-9223372036854775808", 0, INT64_MIN},
        {"9223372036854775808", SC_EBADARG, 0},
        {"-9223372036854775809", SC_EBADARG, 0},
        {"", SC_EBADARG, 0},
        {"-", SC_EBADARG, 0},
        {"+-1", SC_EBADARG, 0},
        {" 1", SC_EBADARG, 0},
        {"1 ", SC_EBADARG, 0},
        {"1.0", SC_EBADARG, 0},
        {"1k", SC_EBADARG, 0},
        {"0x1", SC_EBADARG, 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t value = 0;
        int rc = sc_parse_int(rows[i].text, &value);

        cr_expect_eq(rc, rows[i].want_rc, "%s", rows[i].text);
        cr_expect(rc || value == rows[i].want, "%s: %" PRId64, rows[i].text, value);
    }
}

Test(settings, the_table_holds_together)
{
    sc_settings *s;

    clear_environment();
    s = new_settings();
    for (int i = 0; i < SC_N_SETTINGS; i++) {
        sc_setting which = (sc_setting)i;
        const sc_setting_info *info = sc_setting_info_of(which);
        char text[256];
        sc_error err = {0};

        cr_expect_eq(sc_settings_source(s, which), SC_FROM_DEFAULT, "%s", info->name);
        cr_expect_leq(info->min, info->max, "%s", info->name);
        cr_expect_gt(strlen(info->meaning), 0, "%s", info->name);
        sc_settings_format(s, which, text, sizeof(text));
        cr_expect_eq(sc_settings_set(s, which, text, &err), 0, "%s reads back: %s", info->name,
                     err.text);
    }
    sc_settings_free(&s);
    cr_expect_null(s);
    sc_settings_free(&s);
}

Test(settings, defaults_are_written_as_in_the_table)
{
    sc_settings *s;

    clear_environment();
    s = new_settings();
    for (int i = 0; i < SC_N_SETTINGS; i++) {
        const sc_setting_info *info = sc_setting_info_of((sc_setting)i);
        char text[256];

        // 60s comes out as 1m; an empty folder comes out resolved.
        if (i == SC_SET_STAGED_TIMEOUT || info->default_text[0] == '\0')
            continue;
        sc_settings_format(s, (sc_setting)i, text, sizeof(text));
        cr_expect_str_eq(text, info->default_text, "%s: %s", info->name, text);
    }
    sc_settings_free(&s);
}

Test(settings, flags_and_what_they_answer)
{
    static const struct {
        sc_setting which;
        const char *text;
        int64_t want; // of a number
        const char *want_error;
    } rows[] = {
        {SC_SET_PEER_LEASE, "1s", 1000, NULL},
        {SC_SET_PEER_LEASE, "50ms", 50, NULL},
        {SC_SET_PEER_LEASE, "10m", 600000, NULL},
        {SC_SET_PEER_LEASE, "3x", 0, "--peer-lease: \"3x\" is not a duration (50ms to 10m)"},
        {SC_SET_PEER_LEASE, "", 0, "--peer-lease: \"\" is not a duration (50ms to 10m)"},
        {SC_SET_PEER_LEASE, "49ms", 0, "--peer-lease: \"49ms\" is out of range (50ms to 10m)"},
        {SC_SET_PEER_LEASE, "601", 0, "--peer-lease: \"601\" is out of range (50ms to 10m)"},
        {SC_SET_PROCESSES, "0", 0, NULL},
        {SC_SET_PROCESSES, "1024", 1024, NULL},
        {SC_SET_PROCESSES, "1025", 0, "--processes: \"1025\" is out of range (0 to 1024)"},
        {SC_SET_PROCESSES, "-1", 0, "--processes: \"-1\" is out of range (0 to 1024)"},
        {SC_SET_PROCESSES, "many", 0, "--processes: \"many\" is not a whole number (0 to 1024)"},
        {SC_SET_WORKER_CREDIT_BYTES, "1MiB", 1048576, NULL},
        {SC_SET_WORKER_CREDIT_BYTES, "1MB", 0,
         "--worker-credit-bytes: \"1MB\" is out of range (1MiB to 16GiB)"},
        {SC_SET_WORKER_CREDIT_BYTES, "1Mi", 0,
         "--worker-credit-bytes: \"1Mi\" is not a size (1MiB to 16GiB)"},
        {SC_SET_DRAIN_TIMEOUT, "2d", 0, "--drain-timeout: \"2d\" is out of range (0 to 1d)"},
        {SC_SET_INSECURE, "1", 1, NULL},
        {SC_SET_INSECURE, "0", 0, NULL},
        {SC_SET_INSECURE, "yes", 1, NULL},
        {SC_SET_INSECURE, "no", 0, NULL},
        {SC_SET_INSECURE, "True", 1, NULL},
        {SC_SET_INSECURE, "false", 0, NULL},
        {SC_SET_INSECURE, "ON", 1, NULL},
        {SC_SET_INSECURE, "off", 0, NULL},
        {SC_SET_INSECURE, "2", 0, "--insecure: \"2\" is not yes or no"},
        {SC_SET_INSECURE, "", 0, "--insecure: \"\" is not yes or no"},
    };
    sc_settings *s;

    clear_environment();
    s = new_settings();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t before = sc_settings_int(s, rows[i].which);
        int want_rc = rows[i].want_error ? SC_EBADARG : 0;
        int64_t want = rows[i].want_error ? before : rows[i].want;
        sc_error err = {0};

        cr_expect_eq(sc_settings_set(s, rows[i].which, rows[i].text, &err), want_rc, "row %zu: %s",
                     i, rows[i].text);
        cr_expect_eq(sc_settings_int(s, rows[i].which), want, "row %zu: %s", i, rows[i].text);
        cr_expect_str_eq(err.text, rows[i].want_error ? rows[i].want_error : "", "row %zu: %s", i,
                         err.text);
    }
    sc_settings_free(&s);
}

Test(settings, texts)
{
    static const struct {
        sc_setting which;
        const char *text, *want_error;
    } rows[] = {
        {SC_SET_LOG, "debug", NULL},
        {SC_SET_LOG, "error", NULL},
        {SC_SET_LOG, "trace", "--log: \"trace\" is not error, warn, info or debug"},
        {SC_SET_LOG, "verbose", "--log: \"verbose\" is not error, warn, info or debug"},
        {SC_SET_LOG, "", "--log: \"\" is not error, warn, info or debug"},
        {SC_SET_ENDPOINT, "tcp://10.0.0.1:5570", NULL},
        {SC_SET_ENDPOINT, "ipc:///run/seedcore", NULL},
        {SC_SET_ENDPOINT, "10.0.0.1:5570",
         "--endpoint: \"10.0.0.1:5570\" is not tcp://HOST:PORT or ipc://PATH"},
        {SC_SET_ENDPOINT, "tcp://[::1]:0", NULL},
        {SC_SET_ENDPOINT, "tcp://host:*", NULL},
        {SC_SET_ENDPOINT, "tcp://host:65535", NULL},
        {SC_SET_ENDPOINT, "tcp://host:65536",
         "--endpoint: \"tcp://host:65536\" is not tcp://HOST:PORT or ipc://PATH"},
        {SC_SET_ENDPOINT, "tcp://host",
         "--endpoint: \"tcp://host\" is not tcp://HOST:PORT or ipc://PATH"},
        {SC_SET_ENDPOINT,
         "tcp://host:", "--endpoint: \"tcp://host:\" is not tcp://HOST:PORT or ipc://PATH"},
        {SC_SET_ENDPOINT, "tcp://:5570",
         "--endpoint: \"tcp://:5570\" is not tcp://HOST:PORT or ipc://PATH"},
        {SC_SET_ENDPOINT, "ipc://", "--endpoint: \"ipc://\" is not tcp://HOST:PORT or ipc://PATH"},
        {SC_SET_ENDPOINT, "tcp://", "--endpoint: \"tcp://\" is not tcp://HOST:PORT or ipc://PATH"},
        {SC_SET_ENDPOINT, "", "--endpoint: \"\" is not tcp://HOST:PORT or ipc://PATH"},
    };
    char long_text[4100], before[256], want[256];
    sc_settings *s;
    sc_error err;

    clear_environment();
    s = new_settings();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *name = rows[i].text;

        err.text[0] = '\0';
        snprintf(before, sizeof(before), "%s", sc_settings_text(s, rows[i].which));
        cr_expect_eq(sc_settings_set(s, rows[i].which, name, &err),
                     rows[i].want_error ? SC_EBADARG : 0, "%s", name);
        cr_expect_str_eq(sc_settings_text(s, rows[i].which), rows[i].want_error ? before : name,
                         "%s", name);
        cr_expect_str_eq(err.text, rows[i].want_error ? rows[i].want_error : "", "%s", err.text);
    }
    memset(long_text, 'd', sizeof(long_text));
    long_text[4000] = '\0';
    cr_expect_eq(sc_settings_set(s, SC_SET_DIR, long_text, &err), 0);
    long_text[4000] = 'd';
    long_text[4001] = '\0';
    cr_expect_eq(sc_settings_set(s, SC_SET_DIR, long_text, &err), SC_EBADARG);
    snprintf(want, sizeof(want), "--dir: \"%.40s...\" is longer than 4000 characters", long_text);
    cr_expect_str_eq(err.text, want, "%s", err.text);
    sc_settings_free(&s);
}

Test(settings, environment)
{
    static const struct {
        const char *name, *value;
        sc_setting which;
        int64_t want;
        sc_setting_source want_source;
        const char *want_error;
    } rows[] = {
        {"SEEDCORE_HEARTBEAT", "100ms", SC_SET_HEARTBEAT, 100, SC_FROM_ENVIRONMENT, NULL},
        {"SEEDCORE_HEARTBEAT", "", SC_SET_HEARTBEAT, 200, SC_FROM_DEFAULT, NULL},
        {"SEEDCORE_INSECURE", "yes", SC_SET_INSECURE, 1, SC_FROM_ENVIRONMENT, NULL},
        {"SEEDCORE_heartbeat", "100ms", SC_SET_HEARTBEAT, 200, SC_FROM_DEFAULT, NULL},
        {"SEEDCORE_HEARTBEATS", "100ms", SC_SET_HEARTBEAT, 200, SC_FROM_DEFAULT, NULL},
        {"SEEDCORE_PEER_LEASE", "3x", SC_SET_PEER_LEASE, 0, SC_FROM_DEFAULT,
         "SEEDCORE_PEER_LEASE: \"3x\" is not a duration (50ms to 10m)"},
        {"SEEDCORE_HEARTBEAT", "500ms", SC_SET_HEARTBEAT, 0, SC_FROM_DEFAULT,
         "PEER_LEASE: 800ms is less than twice HEARTBEAT (500ms)"},
        {"SEEDCORE_SQLITE_BUSY_TIMEOUT", "0", SC_SET_SQLITE_BUSY_TIMEOUT, 0, SC_FROM_ENVIRONMENT,
         NULL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sc_settings *s = NULL;
        sc_error err = {0};

        clear_environment();
        setenv(rows[i].name, rows[i].value, 1);
        cr_expect_eq(sc_settings_new(&s, &err), rows[i].want_error ? SC_EBADARG : 0, "row %zu", i);
        cr_expect_str_eq(err.text, rows[i].want_error ? rows[i].want_error : "", "%s", err.text);
        cr_expect_eq(s == NULL, rows[i].want_error != NULL, "row %zu", i);
        if (!s)
            continue;
        cr_expect_eq(sc_settings_int(s, rows[i].which), rows[i].want, "row %zu", i);
        cr_expect_eq(sc_settings_source(s, rows[i].which), rows[i].want_source, "row %zu", i);
        sc_settings_free(&s);
    }
}

Test(settings, a_flag_wins_over_the_environment)
{
    sc_settings *s;
    sc_error err;

    clear_environment();
    setenv("SEEDCORE_PROCESSES", "3", 1);
    s = new_settings();
    cr_expect_eq(sc_settings_int(s, SC_SET_PROCESSES), 3);
    cr_expect_eq(sc_settings_set(s, SC_SET_PROCESSES, "x", &err), SC_EBADARG);
    cr_expect_eq(sc_settings_source(s, SC_SET_PROCESSES), SC_FROM_ENVIRONMENT);
    cr_expect_eq(sc_settings_set(s, SC_SET_PROCESSES, "5", &err), 0);
    cr_expect_eq(sc_settings_int(s, SC_SET_PROCESSES), 5);
    cr_expect_eq(sc_settings_source(s, SC_SET_PROCESSES), SC_FROM_FLAG);
    sc_settings_free(&s);
}

Test(settings, lease_and_heartbeat_fit)
{
    static const struct {
        const char *heartbeat, *lease;
        int want;
    } rows[] = {
        {"200ms", "400ms", 0},
        {"200ms", "399ms", SC_EBADARG},
        {"1m", "2m", 0},
        {"1m", "1m", SC_EBADARG},
    };
    sc_settings *s;

    clear_environment();
    s = new_settings();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sc_error err = {0};

        cr_assert_eq(sc_settings_set(s, SC_SET_HEARTBEAT, rows[i].heartbeat, NULL), 0, "row %zu",
                     i);
        cr_assert_eq(sc_settings_set(s, SC_SET_PEER_LEASE, rows[i].lease, NULL), 0, "row %zu", i);
        cr_expect_eq(sc_settings_check(s, &err), rows[i].want, "row %zu: %s", i, err.text);
    }
    sc_settings_free(&s);
}

Test(settings, folders_are_resolved)
{
    static const struct {
        const char *name, *state, *home, *dir, *data; // NULL: not set
        const char *want_dir, *want_data;
    } rows[] = {
        {"home", NULL, "/home/u", NULL, NULL, "/home/u/.local/state/seedcore",
         "/home/u/.local/state/seedcore/data.sqlite"},
        {"state home", "/s", "/home/u", NULL, NULL, "/s/seedcore", "/s/seedcore/data.sqlite"},
        {"empty state home", "", "/home/u", NULL, NULL, "/home/u/.local/state/seedcore",
         "/home/u/.local/state/seedcore/data.sqlite"},
        {"relative state home", "s", "/home/u", NULL, NULL, "/home/u/.local/state/seedcore",
         "/home/u/.local/state/seedcore/data.sqlite"},
        {"DIR", "/s", "/home/u", "/d", NULL, "/d", "/d/data.sqlite"},
        {"DATA", "/s", "/home/u", NULL, "/x.db", "/s/seedcore", "/x.db"},
        {"both", "/s", "/home/u", "/d", "/x.db", "/d", "/x.db"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sc_settings *s;

        clearenv();
        setenv("HOME", rows[i].home, 1);
        if (rows[i].state)
            setenv("XDG_STATE_HOME", rows[i].state, 1);
        s = new_settings();
        if (rows[i].dir)
            cr_assert_eq(sc_settings_set(s, SC_SET_DIR, rows[i].dir, NULL), 0, "%s", rows[i].name);
        if (rows[i].data)
            cr_assert_eq(sc_settings_set(s, SC_SET_DATA, rows[i].data, NULL), 0, "%s",
                         rows[i].name);
        cr_expect_str_eq(sc_settings_text(s, SC_SET_DIR), rows[i].want_dir, "%s", rows[i].name);
        cr_expect_str_eq(sc_settings_text(s, SC_SET_DATA), rows[i].want_data, "%s", rows[i].name);
        sc_settings_free(&s);
    }
}

// An empty DIR means the home folder, whose name may not fit: then everything stays as it was.
Test(settings, a_refused_folder_changes_nothing)
{
    static const struct {
        const char *name;
        size_t len; // of XDG_STATE_HOME
        int want_rc;
        const char *want_dir, *want_data; // NULL: below XDG_STATE_HOME
    } rows[] = {
        {"it fits", 4000, 0, NULL, NULL},
        {"DIR does not", 4500, SC_EBADARG, "/d", "/d/data.sqlite"},
        {"DATA does not", 4185, SC_EBADARG, "/d", "/d/data.sqlite"},
    };
    char state[4600];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *name = rows[i].name;
        sc_settings *s;

        clear_environment();
        s = new_settings();
        cr_assert_eq(sc_settings_set(s, SC_SET_DIR, "/d", NULL), 0, "%s", name);
        memset(state, 's', rows[i].len);
        state[0] = '/';
        state[rows[i].len] = '\0';
        setenv("XDG_STATE_HOME", state, 1);
        cr_expect_eq(sc_settings_set(s, SC_SET_DIR, "", NULL), rows[i].want_rc, "%s", name);
        if (rows[i].want_dir) {
            cr_expect_str_eq(sc_settings_text(s, SC_SET_DIR), rows[i].want_dir, "%s", name);
            cr_expect_str_eq(sc_settings_text(s, SC_SET_DATA), rows[i].want_data, "%s", name);
        } else {
            cr_expect_eq(strncmp(sc_settings_text(s, SC_SET_DIR), state, rows[i].len), 0, "%s",
                         name);
        }
        // Nothing of the refused text is left: another setting resolves the folders again.
        cr_expect_eq(sc_settings_set(s, SC_SET_LOG, "warn", NULL), 0, "%s", name);
        sc_settings_free(&s);
    }
}

Test(settings, without_home_the_password_file_tells)
{
    const struct passwd *user = getpwuid(getuid());
    char want[4200];
    sc_settings *s;

    snprintf(want, sizeof(want), "%s/.local/state/seedcore", user ? user->pw_dir : "");
    clearenv();
    s = new_settings();
    cr_expect_str_eq(sc_settings_text(s, SC_SET_DIR), want, "%s", sc_settings_text(s, SC_SET_DIR));
    sc_settings_free(&s);
}

Test(settings, flags_are_named_after_the_table)
{
    static const struct {
        sc_setting which;
        const char *want;
    } rows[] = {
        {SC_SET_DIR, "--dir"},
        {SC_SET_PEER_LEASE, "--peer-lease"},
        {SC_SET_SQLITE_MAX_OVERFLOW, "--sqlite-max-overflow"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char flag[64];

        cr_expect_eq(sc_setting_flag(rows[i].which, flag, sizeof(flag)), flag);
        cr_expect_str_eq(flag, rows[i].want, "%s", flag);
    }
}

Test(settings, ranges)
{
    static const struct {
        sc_setting which;
        const char *want;
    } rows[] = {
        {SC_SET_HEARTBEAT, "10ms to 1m"},
        {SC_SET_PROCESSES, "0 to 1024"},
        {SC_SET_QUEUE_BYTES, "1MiB to 1TiB"},
        {SC_SET_INSECURE, "0 to 1"},
        {SC_SET_DIR, ""},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *name = sc_setting_info_of(rows[i].which)->name;
        char range[64];

        cr_expect_eq(sc_setting_range(rows[i].which, range, sizeof(range)), range, "%s", name);
        cr_expect_str_eq(range, rows[i].want, "%s: %s", name, range);
    }
}

Test(settings, format)
{
    static const struct {
        sc_setting which;
        const char *text, *want;
    } rows[] = {
        {SC_SET_DRAIN_TIMEOUT, "0", "0"},
        {SC_SET_DRAIN_TIMEOUT, "1500ms", "1500ms"},
        {SC_SET_DRAIN_TIMEOUT, "90", "90s"},
        {SC_SET_DRAIN_TIMEOUT, "120", "2m"},
        {SC_SET_DRAIN_TIMEOUT, "7200s", "2h"},
        {SC_SET_DRAIN_TIMEOUT, "24h", "1d"},
        {SC_SET_QUEUE_BYTES, "1048577", "1048577"},
        {SC_SET_QUEUE_BYTES, "10MB", "10000000"},
        {SC_SET_QUEUE_BYTES, "1025KiB", "1025KiB"},
        {SC_SET_QUEUE_BYTES, "2048MiB", "2GiB"},
        {SC_SET_PROCESSES, "012", "12"},
        {SC_SET_INSECURE, "yes", "1"},
        {SC_SET_LOG, "warn", "warn"},
    };
    sc_settings *s;

    clear_environment();
    s = new_settings();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[64];

        cr_assert_eq(sc_settings_set(s, rows[i].which, rows[i].text, NULL), 0, "%s", rows[i].text);
        cr_expect_eq(sc_settings_format(s, rows[i].which, text, sizeof(text)), text);
        cr_expect_str_eq(text, rows[i].want, "%s: %s", rows[i].text, text);
    }
    sc_settings_free(&s);
}
