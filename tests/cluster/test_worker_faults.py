# SPDX-License-Identifier: Apache-2.0
"""Handlers that stall, crash or return too much, and what becomes of them, of their neighbours and of their worker."""
import os
import signal
import time

import pytest

import peer
from cluster import BIN, wait_for
from peer import Peer

PLUGIN = BIN.parent / "plugins/plugin_faults.so"


@pytest.fixture
def faulty(cluster):
    """A cluster with the handlers of plugin_faults.c, and what they have noted."""
    def start(workers=1, env=None, args=()):
        c = cluster(workers=workers, args=["--plugin", str(PLUGIN), *args], env={"FAULTS_LOG": "faults.log", **(env or {})},
                    crashes=True)
        log = c.folder / "faults.log"
        c.noted = lambda: [line.split() for line in log.read_text().splitlines()] if log.exists() else []
        return c
    return start


def submit(c, *args):
    return c.ok("submit", *args, "--json").json["job"]


def codes(c, job):
    """How the tasks of a job ended: the codes of their errors, None where there is none."""
    c.run("wait", job, timeout=60)
    return [row.get("error", {}).get("code") for row in c.ok("results", job).rows]


def test_task_that_blocks_its_worker_from_the_start(faulty):
    """After its first death it runs alone in a new process, where it comes before the loop has turned once."""
    c = faulty(env={"SEEDCORE_TASK_LEASE": "1s"})
    assert codes(c, submit(c, "t.block")) == ["poison"]
    assert c.noted() == [["block", "0"]] * 3


def test_task_that_blocks_for_longer_than_a_lease(faulty):
    """Its worker is taken as gone and it is queued again; it ends all the same, and so do the others."""
    c = faulty(workers=2)
    job = submit(c, "t.pause", "--array", "0-2")
    c.ok("wait", job, timeout=60)
    assert [(row["status"], row["attempt"]) for row in c.ok("results", job).rows] == [("done", 1)] * 3


def test_values_and_codes_that_are_none(faulty):
    c = faulty()
    job = submit(c, "t.wrong", "--array", "0-3")
    assert c.run("wait", job).status == 1
    rows = c.ok("results", job).rows
    assert [row["error"]["code"] for row in rows] == ["bad_value"] * 3 + ["bad_code"], rows
    assert "t.wrong" in rows[0]["error"]["message"] and "Bad Code!" in rows[3]["error"]["message"], rows


def test_results_that_are_too_large_together(faulty):
    """Each may be sent, both in one message may not; what comes after them is not held up."""
    c = faulty()
    job = submit(c, "t.large", "--array", "0-1")
    c.ok("wait", job)
    assert c.ok("call", "echo", "--args", "1").stdout == "1\n"
    assert [len(row["value"]) for row in c.ok("results", job).rows] == [(256 << 10) - 3, (16 << 20) - 2]


def test_tasks_that_may_not_be_repeated(faulty):
    """Those that ended in the same turn in which their worker died have started too, although none executes any more."""
    c = faulty()
    ended = codes(c, submit(c, "t.once", "--array", "0-9"))
    assert sorted(c.noted()) == [["once", str(i)] for i in range(10)]
    assert ended[9] == "unknown_outcome" and set(ended) <= {None, "unknown_outcome"}, ended


def test_task_that_blocks_in_a_callback(faulty):
    """It says whose callback it is, so its neighbours, which wait too, are not blamed with it."""
    c = faulty(env={"SEEDCORE_TASK_LEASE": "1s"})
    innocent = submit(c, "sleep", "--array", "0-9", "--args", '{"ms": 2000}')
    assert codes(c, submit(c, "t.stall")) == ["poison"]
    assert codes(c, innocent) == [None] * 10
    assert c.noted() == [["stall", "0"]] * 3


def test_task_that_blocks_in_a_callback_and_does_not_say_so(faulty):
    """Then each task that waited is suspected, and the others clear themselves by ending alone."""
    c = faulty(env={"SEEDCORE_TASK_LEASE": "1s"})
    innocent = submit(c, "sleep", "--array", "0-2", "--args", '{"ms": 2000}')
    assert codes(c, submit(c, "t.stall.silent")) == ["poison"]
    assert codes(c, innocent) == [None] * 3
    assert c.noted() == [["stall", "0"]] * 3


def test_stopped_worker_throws_away_what_waits(faulty):
    """It was stopped for longer than its lease: what ran goes on, what only waited does not start, told so or not."""
    c = faulty(env={"SEEDCORE_WORKER_ASYNC_SLOTS": "1"})
    job = submit(c, "t.short", "--array", "0-599")
    worker, coordinator = c.workers()[0]["pid"], c.coordinator_pid()
    wait_for(lambda: len(c.noted()) > 100, what="the handler is measured, so that tasks wait in the worker")
    os.kill(worker, signal.SIGSTOP)
    wait_for(lambda: not c.workers(), what="silent for its lease")
    os.kill(coordinator, signal.SIGSTOP)
    os.kill(worker, signal.SIGCONT)
    wait_for(lambda: "thrown away" in c.up.peek().stderr, what="it goes on")
    time.sleep(0.2)  # the fault itself: the time in which ten that waited would run
    os.kill(coordinator, signal.SIGCONT)
    assert codes(c, job) == [None] * 600
    started = [int(index) for _, index in c.noted()]
    # One ran, and the result of one more may have been on its way out.
    assert set(started) == set(range(600)) and len(started) <= 602


def test_worker_without_a_coordinator_says_so(sandbox):
    worker = sandbox.start("seedcore-worker", "--connect", sandbox.endpoint, "--processes", "1")
    wait_for(lambda: f"no coordinator answers at {sandbox.endpoint}" in worker.peek().stderr, what="the warning")
    worker.signal(signal.SIGTERM)
    assert worker.result().status == 0


def test_worker_that_is_told_to_stop(sandbox):
    """By its coordinator, not by a supervisor: it drains and says BYE."""
    with Peer(sandbox.endpoint, listen=True) as p:
        sandbox.start("seedcore-worker", "--processes", 1)
        worker = None
        while worker is None:
            _, fields, _ = p.hear(peer.HELLO)
            p.say(peer.WELCOME, {1: 1, 2: 7, 6: 10000, 7: 60000})
            worker = p.other if fields[1] == peer.WORKER else None
        p.hear(peer.READY)
        p.other = worker
        p.say(peer.STOP)
        p.hear(peer.BYE)
        assert p.other == worker
