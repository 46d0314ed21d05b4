/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers by name, and plugins that are good or wrong in one way. */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/limits.h"
#include "worker/registry.h"

static void
run(sc_task *task, void *state)
{
    (void)state;
    sc_task_done(task, "1", 1);
}

static const char long_name[] = "a234567890123456789012345678901234567890123456789012345678901234";

Test(registry, names)
{
    static const struct {
        const char *name;
        sc_handler handler;
        int want;
    } rows[] = {
        {"plain", {.name = "energy.load-2_x", .run = run}, 0},
        {"longest", {.name = long_name, .run = run}, 0},
        {"too long",
         {.name = "a2345678901234567890123456789012345678901234567890123456789012345", .run = run},
         SC_EBADARG},
        {"empty", {.name = "", .run = run}, SC_EBADARG},
        {"none", {.name = NULL, .run = run}, SC_EBADARG},
        {"space", {.name = "a b", .run = run}, SC_EBADARG},
        {"taken", {.name = "echo", .run = run}, SC_ENAMETAKEN},
        {"no function", {.name = "x"}, SC_EBADARG},
        {"unknown kind", {.name = "x", .run = run, .kind = (sc_handler_kind)2}, SC_EBADARG},
        {"two lines", {.name = "x", .run = run, .description = "a\nb"}, SC_EBADARG},
        {"no text", {.name = "x", .run = run, .description = "\xff"}, SC_EBADARG},
    };
    static const sc_handler echo = {.name = "echo", .run = run};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_registry *r;

        cr_assert_eq(sc_registry_new(&r), 0);
        cr_assert_eq(sc_registry_add(r, &echo), 0);
        cr_expect_eq(sc_registry_add(r, &rows[i].handler), rows[i].want, "%s", rows[i].name);
        cr_expect_eq(sc_registry_error(r)->code, rows[i].want, "%s", rows[i].name);
        cr_expect_eq(sc_registry_count(r), rows[i].want == 0 ? 2u : 1u, "%s", rows[i].name);
        sc_registry_free(&r);
    }
}

Test(registry, bound)
{
    static char names[SC_MAX_HANDLERS_A_WORKER + 1][8];
    static sc_handler handlers[SC_MAX_HANDLERS_A_WORKER + 1];
    sc_registry *r;

    cr_assert_eq(sc_registry_new(&r), 0);
    for (int i = 0; i <= SC_MAX_HANDLERS_A_WORKER; i++) {
        snprintf(names[i], sizeof names[i], "h%d", i);
        handlers[i] = (sc_handler){.name = names[i], .run = run};
        cr_assert_eq(sc_registry_add(r, &handlers[i]), i < SC_MAX_HANDLERS_A_WORKER ? 0 : SC_ELIMIT,
                     "%d", i);
    }
    cr_assert_eq(sc_registry_get(r, 17), &handlers[17]);
    sc_registry_free(&r);
    cr_assert_null(r);
    sc_registry_free(&r);
}

Test(registry, plugins)
{
    static const struct {
        const char *file, *want; // NULL: it loads
    } rows[] = {
        {SC_PLUGIN_DIR "/plugin_good.so", NULL},
        {SC_PLUGIN_DIR "/plugin_no_init.so", "no symbol sc_plugin_init"},
        {SC_PLUGIN_DIR "/plugin_no_abi.so", "no symbol sc_plugin_abi"},
        {SC_PLUGIN_DIR "/plugin_other_abi.so", "plugin interface 2, this program has 1"},
        {SC_PLUGIN_DIR "/plugin_taken.so", "there is a handler 'echo' already"},
        {SC_PLUGIN_DIR "/none.so", "No such file"},
        {"/etc/passwd", "plugin /etc/passwd: "},
        {"", "No such file"},
    };
    static const sc_handler echo = {.name = "echo", .run = run};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sc_error err = {0};
        sc_registry *r;
        int rc;

        cr_assert_eq(sc_registry_new(&r), 0);
        cr_assert_eq(sc_registry_add(r, &echo), 0);
        rc = sc_registry_load(r, rows[i].file, &err);
        cr_expect_eq(rc, rows[i].want ? SC_EBADARG : 0, "%s: %s", rows[i].file, err.text);
        cr_expect(!rows[i].want || strstr(err.text, rows[i].want), "%s: %s", rows[i].file,
                  err.text);
        cr_expect_eq(sc_registry_count(r), rows[i].want ? 1u : 2u, "%s", rows[i].file);
        sc_registry_free(&r);
    }
}
