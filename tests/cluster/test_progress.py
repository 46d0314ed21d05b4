# SPDX-License-Identifier: Apache-2.0
"""Handlers say how far they are: who watches a job sees it, on a terminal and off, and nothing gets slower by it."""
import json
import os
import re
import signal
import time

import pytest

import peer
from cluster import BIN, wait_for
from peer import Peer

PLUGIN = BIN.parent / "plugins/plugin_faults.so"


def submit(c, handler, args, *options):
    return c.ok("submit", handler, "--args", json.dumps(args), *options, "--json").json["job"]


def status(c, job):
    return c.ok("status", job, "--json").json


def reports(c, job):
    """How far the tasks of a job say they are, by index."""
    return {row["index"]: row["n"] for row in status(c, job)["progress"]}


def screen(text):
    """The lines that a terminal shows in the end, of what `status --watch` sends it, without colours."""
    lines, row = [""], 0
    for part in re.findall(r"\x1b\[[?0-9;]*[A-Za-z]|\r\n|[^\x1b\r\n]+|.", re.sub(r"\x1b\[[0-9;]*m", "", text), re.S):
        if up := re.fullmatch(r"\x1b\[(\d+)A", part):
            row -= int(up[1])
            lines[row] = ""  # each line is written from its start, and cleared behind its end
        elif part == "\x1b[J":
            del lines[row + 1:]
        elif part == "\r\n":
            row += 1
            lines[row:row + 1] = [""]
        elif not part.startswith("\x1b"):
            lines[row] += part
        else:
            assert part in ("\x1b[K", "\x1b[?7l", "\x1b[?7h"), repr(part)
        assert row >= 0 and len(lines) > row
    return lines


def test_a_job_on_a_terminal(cluster):
    c = cluster(workers=1)
    job = submit(c, "sleep", {"ms": 1500}, "--array", "1-3", "--name", "three")
    result = c.run_on_terminal("status", job, "--watch", columns=70)
    assert result.status == 0, repr(result)
    assert re.search(r"task 2 .*%", result.stdout), "while it runs"
    lines = screen(result.stdout)
    assert [line.split()[0] for line in lines if line] == ["job", "name", "handler", "state", "tasks", "submitted", "ended"]
    assert any(line.split() == ["state", "succeeded"] for line in lines), lines
    assert result.stdout.endswith("\x1b[?7h"), "the terminal breaks lines again"


def test_without_colour(cluster):
    c = cluster(workers=1)
    job = submit(c, "sleep", {"ms": 700})
    result = c.run_on_terminal("status", job, "--watch", env={"NO_COLOR": "1"})
    assert result.status == 0 and "\x1b[K" in result.stdout and not re.search(r"\x1b\[[0-9;]*m", result.stdout), repr(result)


def test_a_terminal_that_draws_nothing(cluster):
    c = cluster(workers=1)
    job = submit(c, "sleep", {"ms": 700})
    result = c.run_on_terminal("status", job, "--watch", env={"TERM": "dumb"})
    assert result.status == 0 and "\x1b" not in result.stdout, repr(result)
    assert re.search(r"^running: .*; task 0: \d+/700\r$", result.stdout, re.M), repr(result)


def test_a_job_off_a_terminal(cluster):
    c = cluster(workers=1)
    job = submit(c, "sleep", {"ms": 1100}, "--array", "5-6")
    result = c.ok("status", job, "--watch")
    lines = result.stdout.splitlines()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", result.stdout), repr(result)
    told = [int(n) for line in lines for n in re.findall(r"task 5: (\d+)/1100", line)]
    assert told and told == sorted(set(told)), lines
    assert lines[-1].startswith("succeeded: 2 tasks done"), lines


def test_json_and_the_exit_status(cluster):
    c = cluster(workers=1, args=["--test-handlers"])
    job = submit(c, "sleep", {"ms": 700})
    rows = c.ok("status", job, "--watch", "--json").rows
    told = [row["progress"][0] for row in rows if row["progress"]]
    assert all(row["job"] == job for row in rows) and rows[-1]["state"] == "succeeded"
    assert told and all(one == {"index": 0, "n": one["n"], "of": 700} for one in told), rows
    assert rows[-1]["reporting"] == 0 and rows[-1]["progress"] == []
    assert all(a != b for a, b in zip(rows, rows[1:])), "each is a change"
    failed = submit(c, "fail", {"code": "odd", "message": "no"})
    result = c.run("status", failed, "--watch", "--json")
    assert result.status == 1 and result.rows[-1]["state"] == "failed" and "odd" in result.stderr, repr(result)
    assert c.run("status", "0123", "--watch").status == 1


def test_watching_is_interrupted(cluster):
    c = cluster(workers=1)
    job = submit(c, "sleep", {"ms": 60000})
    for words in ([job], []):
        watch = c.start("status", *words, "--watch")
        wait_for(lambda: b"running" in watch.out.read_bytes(), what="first line")
        watch.signal(signal.SIGINT)
        assert watch.result().status == 130
    assert status(c, job)["state"] == "running"
    c.ok("cancel", job)


def test_the_cluster_is_watched(cluster):
    c = cluster(workers=1)
    watch = c.start("status", "--watch", "--json")
    wait_for(lambda: watch.out.read_bytes().count(b"\n") >= 1, what="first line")
    c.ok("call", "echo")
    wait_for(lambda: watch.out.read_bytes().count(b"\n") >= 2, what="a change")
    assert json.loads(watch.out.read_bytes().splitlines()[-1])["calls_done"] == 1
    watch.signal(signal.SIGINT)
    assert watch.result().status == 130


def test_progress_ends_with_the_attempt(cluster):
    c = cluster(workers=1)
    job = submit(c, "sleep", {"ms": 30000}, "--array", "3-4")
    wait_for(lambda: reports(c, job).get(3, 0) > 800, what="progress of task 3")
    os.kill(c.workers()[0]["pid"], signal.SIGKILL)
    wait_for(lambda: reports(c, job).get(3, 30000) < 800, what="that of the next attempt")
    c.ok("cancel", job)
    wait_for(lambda: status(c, job)["state"] == "cancelled", what="end")
    assert status(c, job)["reporting"] == 0


def test_another_coordinator_is_told_again(cluster):
    c = cluster(workers=1)
    job = submit(c, "sleep", {"ms": 6000})
    watch = c.start("status", job, "--watch", "--json")
    wait_for(lambda: reports(c, job).get(0, 0) > 500, what="progress")
    os.kill(c.coordinator_pid(), signal.SIGKILL)
    result = watch.result(timeout=30)
    rows = result.rows
    assert result.status == 0 and rows[-1]["state"] == "succeeded", repr(result)
    assert result.stderr.count("is back") == result.stderr.count("lost the coordinator"), repr(result)
    told = [row["progress"][0]["n"] for row in rows if row["progress"]]
    assert told == sorted(told) and told[-1] > 5000, "the worker went on with it"


def hello_of_a_worker(p):
    """Of the worker process behind a scripted coordinator; its supervisor is welcomed, too."""
    while True:
        _, fields, _ = p.hear(peer.HELLO)
        p.say(peer.WELCOME, {1: 1, 2: 7, 6: 200, 7: 60000})
        if fields[1] == peer.WORKER:
            return p.other


def test_a_handler_that_says_it_a_million_times_a_second(sandbox, figures):
    """Its coordinator hears one PROGRESS a heartbeat, and the last word is the last one."""
    with Peer(sandbox.endpoint, listen=True) as p:
        program = sandbox.start("seedcore-worker", "--processes", 1, "--plugin", PLUGIN)
        worker = hello_of_a_worker(p)
        p.hear(peer.READY)
        p.other, begin = worker, time.monotonic()
        args = b"300000000"
        p.say(peer.RUN, {1: b"j" * 16, 2: "t.count", 3: [7, 1], 5: 1, 6: 4, 7: 1},
              [len(args).to_bytes(4, "little"), args])
        told = []
        while True:
            kind, fields, payload = p.hear(timeout=60)
            if kind == peer.RESULTS:
                break
            if kind == peer.PROGRESS:
                told += fields[1]
        took = time.monotonic() - begin
        p.say(peer.RESULTS_ACK, {1: 1})
        program.signal(signal.SIGTERM)
        p.hear(peer.BYE)  # without the acknowledgement it would wait for another coordinator
    assert 0 < len(told) <= took / 0.2 + 1, told
    assert all(row[1] == [7, 1] and row.get(2, 0) == 0 and row[4] == 300000000 for row in told)
    assert [row[3] for row in told] == sorted(row[3] for row in told)
    figures(f"{payload[1].decode()} ns a word, {len(told)} messages in {took:.1f} s")


@pytest.mark.parametrize("rows", [
    [{1: [7, 1], 2: 1, 3: 9, 4: 4}] * 65, [{1: [7, 1], 2: 1, 3: -1}], [{1: [7, 1], 2: "1"}], [{1: 7}], [7],
], ids=["too many", "less than nothing", "no index", "no token", "no map"])
def test_progress_that_is_none(cluster, rows):
    c = cluster(workers=1)
    with Peer(c.endpoint) as p:
        assert p.hello(peer.WORKER)[0] == peer.WELCOME
        p.say(peer.PROGRESS, {1: rows})
        assert p.hear(peer.REFUSED)[1][2] == peer.EMALFORMED
    c.ok("call", "echo")


def test_progress_of_what_is_not_ones_own(cluster):
    c = cluster(workers=1)
    job = submit(c, "sleep", {"ms": 60000})
    wait_for(lambda: reports(c, job), what="progress")
    epoch = c.ok("status", "--json").json["pid"]
    with Peer(c.endpoint) as p:
        welcome = p.hello(peer.WORKER)
        tokens = [[welcome[1][2], run] for run in range(64)] + [[epoch, 1]]
        p.say(peer.PROGRESS, {1: [{1: token, 3: 9999999, 4: 1} for token in tokens[:64]]})
        p.say(peer.PROGRESS, {1: [{1: tokens[64], 2: 2 ** 64 - 1, 3: 2 ** 64 - 1, 4: 2 ** 64 - 1}]})
        p.say(peer.READY)
        p.hear(peer.HEARTBEAT)
        row, = status(c, job)["progress"]
        assert row["of"] == 60000 and row["n"] < 60000
        assert c.ok("status", "--json").json["malformed"] == 0
    c.ok("cancel", job)
