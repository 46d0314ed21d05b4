/* SPDX-License-Identifier: Apache-2.0 */
/* The table of fault points. Called through SC_FAULT by every folder, from any thread, and by the
 * tests that make a point fail. */
#include "base/fault.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_POINTS = 64, NAME_BYTES = 48 };

struct point {
    char name[NAME_BYTES]; // "" ends the used part of the table
    uint64_t count;
    uint64_t nth; // the passing that fails; 0: none
};

/* One of the two exceptions from "no globals": a point deep in a folder has nobody to pass it a
 * table. */
static struct point points[MAX_POINTS];
static pthread_mutex_t points_lock = PTHREAD_MUTEX_INITIALIZER;

/* The row of a name, a new one if there is none yet; NULL where the table is full or the name too
 * long. Under the lock. */
static struct point *
find_or_add(const char *name, size_t len)
{
    if (len == 0 || len >= NAME_BYTES)
        return NULL;
    for (int i = 0; i < MAX_POINTS; i++) {
        struct point *p = &points[i];

        if (p->name[0] == '\0')
            memcpy(p->name, name, len); // the rest of the row is zero
        if (strncmp(p->name, name, len) == 0 && p->name[len] == '\0')
            return p;
    }
    return NULL;
}

static bool
set_point(const char *name, size_t len, uint64_t nth)
{
    struct point *p;

    pthread_mutex_lock(&points_lock);
    p = find_or_add(name, len);
    if (p) {
        p->count = 0;
        p->nth = nth;
    }
    pthread_mutex_unlock(&points_lock);
    return p != NULL;
}

bool
sc_fault_hit(const char *name)
{
    struct point *p;
    bool fails;

    pthread_mutex_lock(&points_lock);
    p = find_or_add(name, strlen(name));
    fails = p && ++p->count == p->nth;
    pthread_mutex_unlock(&points_lock);
    return fails;
}

bool
sc_fault_set(const char *name, uint64_t nth)
{
    return set_point(name, strlen(name), nth);
}

uint64_t
sc_fault_count(const char *name)
{
    struct point *p;
    uint64_t count;

    pthread_mutex_lock(&points_lock);
    p = find_or_add(name, strlen(name));
    count = p ? p->count : 0;
    pthread_mutex_unlock(&points_lock);
    return count;
}

void
sc_fault_reset(void)
{
    pthread_mutex_lock(&points_lock);
    memset(points, 0, sizeof(points));
    pthread_mutex_unlock(&points_lock);
}

bool
sc_fault_from_environment(const char **bad)
{
    const char *word = getenv("SEEDCORE_FAULTS");

    while (word && *word) {
        size_t name_len = strcspn(word, ":,");
        const char *number = word + name_len + 1;
        char *end;
        uint64_t nth;

        *bad = word;
        if (word[name_len] != ':' || *number < '1' || *number > '9')
            return false;
        nth = strtoull(number, &end, 10);
        if ((*end != ',' && *end != '\0') || !set_point(word, name_len, nth))
            return false;
        word = *end ? end + 1 : end;
    }
    *bad = NULL;
    return true;
}
