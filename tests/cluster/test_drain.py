# SPDX-License-Identifier: Apache-2.0
"""Workers leave: what runs ends in them, what waits runs elsewhere, and they are not started again."""
import os
import re
import signal

import pytest

from cluster import BIN, wait_for

PLUGIN = ["--plugin", str(BIN.parent / "plugins/plugin_faults.so")]


def submit(c, *args):
    return c.ok("submit", *args, "--json").json["job"]


def status(c, job):
    return c.ok("status", job, "--json").json


def names(c):
    return {row["worker"]: row for row in c.workers()}


def prefix_of(worker):
    return worker.rpartition("-")[0]


def check_results(c, job, n):
    c.ok("wait", job, timeout=60)
    rows = c.ok("results", job).rows
    assert [(r["index"], r["status"], r["attempt"]) for r in rows] == [(i, "done", 1) for i in range(n)]


@pytest.mark.tsan
def test_one_worker(cluster):
    """It is seen draining, ends what it runs, and does not come back; the other does the rest."""
    c = cluster(workers=2, env={"SEEDCORE_WORKER_ASYNC_SLOTS": "4"})
    first, second = sorted(names(c))
    job = submit(c, "sleep", "--array", "0-19", "--args", '{"ms": 1500}')
    wait_for(lambda: all(row["running"] for row in names(c).values()), what="both run")
    draining = c.start("workers", "drain", first)
    wait_for(lambda: names(c)[first]["state"] == "draining", what="it is seen")
    result = draining.result()
    assert result.status == 0 and result.stderr == f"seedcore: {first} has left\n", repr(result)
    assert set(names(c)) == {second}
    check_results(c, job, 20)
    os.kill(names(c)[second]["pid"], signal.SIGKILL)
    wait_for(lambda: len(names(c)) == 1, what="the other is started again")
    assert set(names(c)) == {second}, "only the other"
    result = c.run("workers", "drain", first)
    assert result.status == 1 and second in result.stderr and prefix_of(second) in result.stderr, repr(result)


def test_all_of_a_supervisor(cluster):
    """It ends with its last worker, and `up` neither ends nor starts it again."""
    c = cluster(workers=2)
    pid = c.supervisor_pid()
    c.ok("workers", "drain", prefix_of(next(iter(names(c)))))
    wait_for(lambda: not c.pids("seedcore-worker"), what="no worker, no supervisor")
    assert not os.path.exists(f"/proc/{pid}") and c.up.is_running
    more = c.start("seedcore-worker", "--connect", c.endpoint, "--processes", 1)
    c.wait_for_workers(1)
    assert c.ok("call", "echo", "--args", "1").stdout == "1\n"
    c.down()
    assert more.result().status == 0


def test_the_last_worker(cluster):
    c = cluster(workers=1)
    c.ok("workers", "drain", next(iter(names(c))))
    wait_for(lambda: not c.pids("seedcore-worker"), what="the supervisor has ended, too")
    assert c.up.is_running
    c.up.signal(signal.SIGTERM)
    assert c.up.result().status == 0


def test_without_waiting(cluster):
    c = cluster(workers=2, env={"SEEDCORE_DRAIN_TIMEOUT": "300ms"})
    first, second = sorted(names(c))
    job = submit(c, "sleep", "--array", "0-3", "--args", '{"ms": 4000}')
    wait_for(lambda: status(c, job)["running"] == 4, what="all run")
    result = c.ok("workers", "drain", first, "--no-wait")
    assert result.stderr == f"seedcore: {first} drains: 1 process\n", repr(result)
    wait_for(lambda: set(names(c)) == {second}, what="it has left")
    c.ok("wait", job, timeout=60)
    assert status(c, job)["done"] == 4, "what it ran after the drain timeout has run elsewhere"


def test_sigterm_to_a_worker_process(cluster):
    """The same, but that its supervisor starts another."""
    c = cluster(workers=1, env={"SEEDCORE_WORKER_ASYNC_SLOTS": "4"})
    (name, row), = names(c).items()
    job = submit(c, "sleep", "--array", "0-9", "--args", '{"ms": 1000}')
    wait_for(lambda: names(c)[name]["running"] == 4, what="some run, some wait")
    os.kill(row["pid"], signal.SIGTERM)
    wait_for(lambda: names(c).get(name, row)["pid"] != row["pid"], what="its successor")
    check_results(c, job, 10)
    assert f"worker {name} pid={row['pid']} has ended" in c.up.peek().stderr, "an end, no death"


@pytest.mark.parametrize("args, says", [
    ([], "WORKER"), (["a", "b"], "b"), ([""], "is not 1 to 64 bytes"), (["x" * 65], "is not 1 to 64 bytes"),
])
def test_usage(sandbox, args, says):
    result = sandbox.run("workers", "drain", *args)
    assert result.status == 2 and says in result.stderr, repr(result)


def test_unknown(sandbox):
    coordinator = sandbox.start("seedcore-coordinator")
    coordinator.endpoint()
    result = sandbox.run("workers", "drain", "w\x1b[1m-1".replace("\x1b", ""))
    assert result.status == 1 and "no worker or supervisor is named w[1m-1; there are: none" in result.stderr, repr(result)


def test_what_nobody_offers_any_more(cluster):
    """A job of it is accepted, says what it waits for, and runs once there is a worker again."""
    c, file = cluster(workers=1), ["--args", '"/dev/null"']
    offering = ["seedcore-worker", "--processes", 1, "--name", "p", *PLUGIN]
    c.start(*offering)
    wait_for(lambda: "p-1" in names(c), what="its worker")
    quiet = c.ok("submit", "t.until", *file, "--wait")
    assert "no worker offers" not in quiet.stderr and status(c, quiet.stdout.strip())["offered"]
    c.ok("workers", "drain", "p")
    said = c.ok("submit", "t.until", *file)
    job, waits = said.stdout.strip(), "no worker offers t.until now"
    assert said.stderr == f"seedcore: {waits}: what has not run yet waits for one\n", repr(said)
    assert re.search(f"^waiting +{waits}$", c.ok("status", job).stdout, re.M)
    assert status(c, job)["offered"] is False and c.ok("jobs", "--json").rows[0]["offered"] is False
    refused = c.run("submit", "t.nothing")
    assert refused.status == 1 and "there are: echo, " in refused.stderr and "t.until" not in refused.stderr, repr(refused)
    c.start(*offering)
    c.ok("wait", job)
    assert status(c, job)["offered"] and "waiting" not in c.ok("status", job).stdout
