/* SPDX-License-Identifier: Apache-2.0 */
/* `seedcore version`: of the program, the protocol and the libraries that it runs with. */
#include <stdio.h>

#include <jansson.h>
#include <uv.h>
#include <zmq.h>

#include "client/cli/cli.h"
#include "client/cli/verbs.h"
#include "proto/message.h"

static void
zmq_text(char out[32])
{
    int major, minor, patch;

    zmq_version(&major, &minor, &patch);
    snprintf(out, 32, "%d.%d.%d", major, minor, patch);
}

static int
run(sc_cli *cli)
{
    sc_out *o = &cli->out;
    char zmq[32];

    zmq_text(zmq);
    if (!sc_args_has(&cli->args, SC_OPT_JSON)) {
        sc_out_printf(
            o, "seedcore  %s\nprotocol  %d to %d\nlibuv     %s\nlibzmq    %s\njansson   %s\n",
            SC_VERSION, SC_PROTOCOL_MIN, SC_PROTOCOL_MAX, uv_version_string(), zmq,
            jansson_version_str());
        return SC_EXIT_DONE;
    }
    sc_out_begin(o);
    sc_out_field_text(o, "version", SC_VERSION);
    sc_out_field_number(o, "protocol", SC_PROTOCOL_MAX);
    sc_out_field_number(o, "protocol_min", SC_PROTOCOL_MIN);
    sc_out_field_text(o, "libuv", uv_version_string());
    sc_out_field_text(o, "libzmq", zmq);
    sc_out_field_text(o, "jansson", jansson_version_str());
    sc_out_end(o);
    return SC_EXIT_DONE;
}

const sc_verb sc_verb_version = {
    .name = "version",
    .summary = "show versions of the program, the protocol and the libraries",
    .arguments = "",
    .description = "",
    .has_json = true,
    .run = run,
};
