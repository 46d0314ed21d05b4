/* SPDX-License-Identifier: Apache-2.0 */
/* check-history: reads from stdin what was accepted and what the programs have shown, prints
 * "lost N twice N" (and each other kind of offence that there is), and ends with 1 where something
 * does not fit, with the first offender on stderr; with 2 where it cannot read a line. The lines:
 *
 *   accepted JOB FIRST COUNT    a job was accepted
 *   results JOB                 what follows is what `seedcore results JOB` prints, from its start
 *   {"index":...}               a line of it
 *   {"job":...}                 a line of `seedcore status JOB --json`; counts once it has ended
 *   retried JOB [dead]          its dead and cancelled tasks, or only its dead ones, run again */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/error.h"
#include "tests/support/history.h"

typedef struct reader {
    sc_history *history;
    sc_uuid job; // whose results are read
    bool has_job;
} reader;

static bool
parse_job(const char *word, sc_uuid *job)
{
    return word && sc_uuid_parse(word, strlen(word), job);
}

static bool
parse_number(const char *word, uint64_t *out)
{
    char *end = NULL;
    if (!word || *word < '0' || *word > '9')
        return false;
    *out = strtoull(word, &end, 10);
    return *end == '\0';
}

// The number of a name among so many, as name_of says them; -1: none.
static int
find_name(const char *name, const char *(*name_of)(uint32_t), uint32_t n)
{
    for (uint32_t i = 0; name && i < n; i++)
        if (strcmp(name, name_of(i)) == 0)
            return (int)i;
    return -1;
}

static uint64_t
hash_of(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325; // FNV-1a
    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * 0x100000001b3;
    return hash;
}

// The value is compared as the text that it is, numbers beyond a double too; it comes last.
static bool
read_result(reader *r, char *line)
{
    char *value = strstr(line, ",\"value\":");
    if (!value)
        value = strstr(line, ",\"error\":");
    if (!value || !r->has_job)
        return false;
    sc_seen_result result = {.value = hash_of(value + 1)};
    memcpy(value, "}", 2);
    json_t *row = json_loads(line, 0, NULL);
    int outcome = find_name(json_string_value(json_object_get(row, "status")), sc_outcome_name,
                            SC_N_OUTCOMES);
    bool is_good = row && outcome >= 0 && json_is_integer(json_object_get(row, "index"));
    result.index = (uint64_t)json_integer_value(json_object_get(row, "index"));
    result.attempt = (uint32_t)json_integer_value(json_object_get(row, "attempt"));
    result.outcome = outcome < 0 ? SC_DONE : (sc_outcome)outcome;
    json_decref(row);
    if (is_good)
        sc_history_result(r->history, &r->job, &result);
    return is_good;
}

static bool
read_status(reader *r, const char *line)
{
    json_t *row = json_loads(line, 0, NULL);
    sc_uuid job;
    bool is_good = parse_job(json_string_value(json_object_get(row, "job")), &job);
    int state = find_name(json_string_value(json_object_get(row, "state")), sc_job_state_name,
                          SC_N_JOB_STATES);
    if (is_good && state >= 0 && sc_job_has_ended((uint32_t)state))
        sc_history_end(
            r->history, &job,
            &(sc_seen_end){
                .state = (sc_job_state)state,
                .done = (uint64_t)json_integer_value(json_object_get(row, "done")),
                .dead = (uint64_t)json_integer_value(json_object_get(row, "dead")),
                .cancelled = (uint64_t)json_integer_value(json_object_get(row, "cancelled")),
            });
    json_decref(row);
    return is_good && state >= 0;
}

static bool
read_words(reader *r, char *line)
{
    char *rest = NULL;
    const char *words[5] = {NULL};
    uint64_t first, count;
    sc_uuid job;
    for (int i = 0; i < 5; i++)
        words[i] = strtok_r(i ? NULL : line, " ", &rest);
    if (words[4] || !words[0] || !parse_job(words[1], &job))
        return false;
    if (strcmp(words[0], "accepted") == 0 && parse_number(words[2], &first) &&
        parse_number(words[3], &count)) {
        sc_history_accept(r->history, &job, first, count);
    } else if (strcmp(words[0], "results") == 0 && !words[2]) {
        r->job = job;
        r->has_job = true;
        sc_history_read(r->history, &job);
    } else if (strcmp(words[0], "retried") == 0 && !words[3]) {
        if (words[2] && strcmp(words[2], "dead") != 0)
            return false;
        sc_history_retry(r->history, &job, words[2] != NULL);
    } else {
        return false;
    }
    return true;
}

static bool
read_line(reader *r, char *line)
{
    if (strncmp(line, "{\"index\":", 9) == 0)
        return read_result(r, line);
    return *line == '{' ? read_status(r, line) : read_words(r, line);
}

static int
judge(sc_history *h)
{
    char job[SC_UUID_TEXT];
    sc_history_finish(h);
    for (int kind = 0; kind < SC_N_OFFENCES; kind++) {
        uint64_t n = sc_history_n(h, (sc_offence_kind)kind);
        if (n > 0 || kind <= SC_OFFENCE_TWICE)
            printf("%s%s %" PRIu64, kind ? " " : "", sc_offence_name((sc_offence_kind)kind), n);
    }
    printf("\n");
    const sc_offence *first = sc_history_first(h);
    if (first)
        fprintf(stderr, "job %s task %" PRIu64 " (%s): %s\n", sc_uuid_format(&first->job, job),
                first->index, sc_offence_name(first->kind), first->text);
    return first ? 1 : 0;
}

int
main(void)
{
    reader r = {.history = sc_history_new()};
    char *line = NULL;
    size_t size = 0;
    int status = 0;
    for (uint64_t n = 1; status == 0 && getline(&line, &size, stdin) >= 0; n++) {
        line[strcspn(line, "\n")] = '\0';
        if (!read_line(&r, line)) {
            fprintf(stderr, "<stdin>:%" PRIu64 ": no line of a history\n", n);
            status = 2;
        }
    }
    if (status == 0)
        status = judge(r.history);
    free(line);
    sc_history_free(&r.history);
    return status;
}
