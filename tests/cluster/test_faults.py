# SPDX-License-Identifier: Apache-2.0
"""Processes die, stall and stop; every task ends once, with its result."""
import json
import os
import signal

import pytest

from cluster import wait_for


def submit(c, *args, **options):
    return c.ok("submit", *args, "--json", **options).json["job"]


def status(c, job):
    return c.ok("status", job, "--json").json


def worker_pids(c):
    return {row["worker"]: row["pid"] for row in c.workers()}


@pytest.mark.tsan
def test_killed_worker_processes(cluster):
    c = cluster(workers=2)
    job = submit(c, "sleep", "--array", "0-299", "--args", '{"ms": 30, "n": "$index"}')
    for _ in range(4):
        pids = worker_pids(c)
        if pids:
            os.kill(next(iter(pids.values())), signal.SIGKILL)
            wait_for(lambda: set(worker_pids(c).values()) - set(pids.values()), what="a new process")
    c.ok("wait", job, timeout=60)
    rows = c.ok("results", job).rows
    assert len(rows) == 300 and all(r["status"] == "done" and r["attempt"] == 1 for r in rows)


def test_poison_among_good_tasks(cluster):
    c = cluster(workers=2, args=["--test-handlers"], crashes=True)
    sleeps = submit(c, "sleep", "--array", "0-49", "--args", '{"ms": 200, "n": "$index"}')
    bad = submit(c, "crash", "--array", "0-1")
    assert c.run("wait", bad, timeout=60).status == 1
    assert {r["error"]["code"] for r in c.ok("results", bad).rows} == {"poison"}
    c.ok("wait", sleeps, timeout=60)
    assert status(c, sleeps)["done"] == 50


def test_failing_tasks(cluster):
    c = cluster(workers=1, args=["--test-handlers"])
    lines = "\n".join(json.dumps({"code": f"e{i}", "message": f"m{i}"}) for i in range(5))
    job = submit(c, "fail", "--input", "-", input=lines)
    assert c.run("wait", job).status == 1
    rows = c.ok("results", job).rows
    assert [(r["status"], r["error"]) for r in rows] == [
        ("dead", {"code": f"e{i}", "message": f"m{i}"}) for i in range(5)]
    assert status(c, job)["state"] == "failed"


def test_killed_coordinator(cluster):
    """Volatile jobs end with it, by name; a new one takes its place and the workers come back."""
    c = cluster(workers=2)
    job = submit(c, "sleep", "--volatile", "--array", "0-3", "--args", '{"ms": 60000}')
    waiting = c.start("wait", job)
    wait_for(lambda: status(c, job)["running"] == 4, what="all run")
    wait_for(lambda: c.ok("status", "--json").json["clients"] == 2, what="the one that waits, beside the one that looks")
    os.kill(c.coordinator_pid(), signal.SIGKILL)
    result = waiting.result()
    assert result.status == 1 and "lost" in result.stderr, repr(result)
    c.wait_for_workers(2)
    assert c.ok("call", "echo", "--args", "5").stdout == "5\n"


def test_client_killed_during_its_upload(cluster):
    """Nothing of a half-uploaded job is seen or kept."""
    c = cluster(workers=1, env={"SEEDCORE_STAGED_TIMEOUT": "300ms"})
    fifo = c.folder / "lines"
    os.mkfifo(fifo)
    client = c.start("submit", "echo", "--volatile", "--input", str(fifo))
    with open(fifo, "w") as lines:
        for i in range(20000):
            lines.write(f"{i}\n")
        lines.flush()
        wait_for(lambda: c.ok("status", "--json").json["memory_bytes"] > 0, what="part of it has arrived")
        client.signal(signal.SIGKILL)
        client.popen.wait()
    wait_for(lambda: c.ok("status", "--json").json["memory_bytes"] == 0, what="it is dropped")
    assert c.ok("jobs", "--json").stdout == ""


def test_drain_without_a_coordinator(sandbox):
    """What runs is finished; nobody will acknowledge its result, and nobody waits for that until DRAIN_TIMEOUT."""
    coordinator = sandbox.start("seedcore-coordinator")
    worker = sandbox.start("seedcore-worker", "--processes", 1, "--drain-timeout", "1h")
    wait_for(lambda: sandbox.run("workers", "--json").stdout, what="a worker")
    job = submit(sandbox, "sleep", "--args", '{"ms": 1000}')
    wait_for(lambda: status(sandbox, job)["running"] == 1, what="it runs")
    coordinator.signal(signal.SIGKILL)
    coordinator.popen.wait()
    worker.signal(signal.SIGTERM)
    result = worker.result()
    assert result.status == 0 and "has ended" in result.stderr, repr(result)
