/* SPDX-License-Identifier: Apache-2.0 */
/* Text for people: how wide it is, how it is shown safely, numbers with their units. Pure. */
#ifndef SC_CLI_TEXT_H
#define SC_CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/cli/out.h"

enum { SC_FORMAT_BYTES = 48 }; /* room for each sc_format_... */

/** Columns that `text` takes on a terminal. */
int sc_text_width(const char *text, size_t len, bool is_utf8);
/** Appends text that came from elsewhere: control characters as \x1b, \n or \u009b, bytes that are
 * no UTF-8 as \xff; in ASCII everything beyond it as \u00e4. */
void sc_text_add(sc_out *o, const char *text, size_t len, bool is_utf8);
/** Appends the error of a task as it came, in words: "code: message"; what is no {"code","message"}
 * stays as it is. Nothing is made safe. */
void sc_text_error(sc_out *o, const char *json, size_t len);
/** Appends the beginning of `text` (already shown safely) that fits `columns`, with an ellipsis
 * where it was cut. */
void sc_text_cut(sc_out *o, const char *text, int columns, bool is_utf8);
/** Appends `text` as lines of at most `columns`, each after `indent` spaces. Line breaks of the
 * text stay; a line that begins with spaces keeps them and is not broken. */
void sc_text_wrap(sc_out *o, const char *text, int indent, int columns);
/** Insertions, deletions, exchanges and swaps of neighbours that lead from a to b; texts of more
 * than 63 bytes count as far apart. */
int sc_text_distance(const char *a, const char *b);

/** "1,234,567". All of these return `out`. */
char *sc_format_count(uint64_t count, char out[SC_FORMAT_BYTES]);
/** "950/s", "12.3 k/s", "1.2 M/s". */
char *sc_format_rate(double per_s, char out[SC_FORMAT_BYTES]);
/** "12 ms", "3.2 s", "2 min 5 s", "3 h 12 min", "5 d 2 h"; negative counts as 0. */
char *sc_format_duration(int64_t ms, char out[SC_FORMAT_BYTES]);
/** "512 B", "1.5 MiB". */
char *sc_format_bytes(uint64_t bytes, char out[SC_FORMAT_BYTES]);
/** "2026-11-23 08:11:02" in local time; "-" for 0. */
char *sc_format_time(int64_t unix_ms, char out[SC_FORMAT_BYTES]);

#endif
