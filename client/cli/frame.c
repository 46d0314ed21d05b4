/* SPDX-License-Identifier: Apache-2.0 */
/* Drawing in place, see frame.h. Called by `status --watch`. Sequences that every terminal of the
 * last decades knows (ECMA-48; DECAWM, private mode 7). */
#include "client/cli/frame.h"

#include <string.h>
#include <unistd.h>

void
sc_frame_init(sc_frame *f, sc_cli *cli)
{
    *f = (sc_frame){.cli = cli, .n_said = cli->n_said};
}

/* A line that went on in the next would count as one and take two: while it is drawn, the terminal
 * breaks none. */
void
sc_frame_draw(sc_frame *f, const sc_out *text, bool is_last)
{
    sc_out *o = &f->cli->out;
    const char *at = (const char *)text->buffer.data, *end = at + text->buffer.len;
    int max_lines = f->cli->term.rows - 1; // the cursor stands below

    sc_out_text(o, "\033[?7l");
    if (f->n_lines > 0 && f->n_said == f->cli->n_said)
        sc_out_printf(o, "\033[%dA", f->n_lines);
    f->n_said = f->cli->n_said;
    for (f->n_lines = 0; at < end && (is_last || f->n_lines < max_lines); f->n_lines++) {
        const char *line = memchr(at, '\n', (size_t)(end - at));
        size_t len = line ? (size_t)(line - at) : (size_t)(end - at);

        sc_out_add(o, at, len);
        sc_out_text(o, "\033[K\n");
        at += len + 1;
    }
    sc_out_text(o, "\033[J\033[?7h");
}
