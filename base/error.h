/* SPDX-License-Identifier: Apache-2.0 */
/* Error codes of all folders, and the error text that a person will read. A function returns 0 or a
 * negative code: system errors keep the value libuv gives them (-errno), ours start at -5000. */
#ifndef SC_ERROR_H
#define SC_ERROR_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SC_MUST_USE                   __attribute__((warn_unused_result))
#define SC_PRINTF(f, a)               __attribute__((format(printf, f, a)))
#define SC_CONTAINER(p, type, member) ((type *)(void *)((char *)(p)-offsetof(type, member)))

/* X(symbol, number, wire name, text). The wire name is what `code` shows in results and refusals;
 * names and numbers never change their meaning. */
#define SC_ERRORS(X)                                                                               \
    X(SC_EMALFORMED, -5000, "malformed", "malformed message or value")                             \
    X(SC_EVERSION, -5001, "version", "no common protocol version")                                 \
    X(SC_ELIMIT, -5002, "limit", "a bound was reached")                                            \
    X(SC_ETOOLARGE, -5003, "too_large", "larger than allowed")                                     \
    X(SC_EBUSY, -5004, "busy", "no room now, try again later")                                     \
    X(SC_ECLOSED, -5005, "closed", "closed or closing")                                            \
    X(SC_ETIMEOUT, -5006, "timeout", "the time limit has passed")                                  \
    X(SC_ECANCELLED, -5007, "cancelled", "cancelled")                                              \
    X(SC_ENAMETAKEN, -5008, "name_taken", "the name is in use by a live peer")                     \
    X(SC_ENOHANDLER, -5009, "unknown_handler", "no worker offers this handler")                    \
    X(SC_ENOJOB, -5010, "unknown_job", "no such job")                                              \
    X(SC_EAMBIGUOUS, -5011, "ambiguous_job", "the prefix names several jobs")                      \
    X(SC_EBADARG, -5012, "bad_arguments", "the arguments are not what is expected")                \
    X(SC_ENOTFOUND, -5013, "not_found", "not found")                                               \
    X(SC_EPOISON, -5014, "poison", "its worker process died three times while running it")         \
    X(SC_EUNKNOWN, -5015, "unknown_outcome",                                                       \
      "its worker was lost while running it, and it may not be repeated")                          \
    X(SC_ESTOREFULL, -5016, "store_full", "the result store is full")                              \
    X(SC_ELOST, -5017, "lost", "lost with the coordinator that held it")                           \
    X(SC_EHANDLER, -5018, "failed", "the handler failed")                                          \
    X(SC_EDATABASE, -5019, "database", "the database refused or failed")                           \
    X(SC_ENOCOORD, -5020, "no_coordinator", "no coordinator answers")                              \
    X(SC_ESTATE, -5021, "wrong_state", "not possible in this state")                               \
    X(SC_ESHUTDOWN, -5022, "shutting_down", "the cluster is ending")                               \
    X(SC_EQUEUE, -5023, "unknown_queue", "no such queue")                                          \
    X(SC_EJOURNAL, -5024, "journal", "the journal cannot be written")                              \
    X(SC_EEXPIRED, -5025, "expired", "it had not begun in time")                                   \
    X(SC_EKILLED, -5026, "killed", "it ran for longer than its hard time limit")                   \
    X(SC_EKEYTAKEN, -5027, "key_taken", "another job has this key")                                \
    X(SC_EPARENT, -5028, "parent_failed", "a job that it waited for has not succeeded")            \
    X(SC_EINTERNAL, -5099, "internal", "a bug of ours")

enum sc_errors {
#define SC_ERROR_ENUM(symbol, number, name, text) symbol = number,
    SC_ERRORS(SC_ERROR_ENUM)
#undef SC_ERROR_ENUM
        SC_ENOMEM = -ENOMEM,
};

enum { SC_ERROR_TEXT = 480 };

/* What a person reads. `code` is 0 while there is no error. */
typedef struct sc_error {
    int code;                 /* 0 or negative */
    char sqlstate[6];         /* five characters where a database gave one, else "" */
    char text[SC_ERROR_TEXT]; /* always terminated; cut at 479 bytes or a character before */
} sc_error;

/** Wire name of a code ("poison"); "system" for a system error, "unknown" for any other. */
const char *sc_error_name(int code);

/** Code for a wire name; SC_EHANDLER where the name is none of ours (handlers choose their own). */
int sc_error_from_name(const char *name, size_t len);

/** One line of text for a code; system errors by strerror. Never NULL. */
const char *sc_error_text(int code);

/** May the same succeed a little later? No memory or no room now, a disk or a database that fails;
 *  not what is missing, damaged or wrong. */
bool sc_error_may_pass(int code);

/** Fill `err` (may be NULL) and return `code`, so that a failing function can `return
 *  sc_error_set(...)`. */
int sc_error_set(sc_error *err, int code, const char *format, ...) SC_PRINTF(3, 4);

/* A bug of ours: prints expression and place, then aborts. Stays on in release builds. */
#define SC_ASSERT(expr) ((expr) ? (void)0 : sc_assert_failed(#expr, __FILE__, __LINE__, __func__))
_Noreturn void sc_assert_failed(const char *expr, const char *file, int line, const char *function);

#endif
