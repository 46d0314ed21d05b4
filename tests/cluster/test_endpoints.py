# SPDX-License-Identifier: Apache-2.0
"""Several endpoints, a coordinator at one of them: it is found, and found again where another takes its place."""
import re
import signal
import time

import pytest

from cluster import free_tcp_endpoint, wait_for

FAILOVER_S = 5  # for a session to find the coordinator that took over; a lease is 0.8 to 2 s


def start_coordinator(sandbox, endpoint, *args):
    process = sandbox.start("seedcore-coordinator", "--endpoint", endpoint, *args)
    process.endpoint()  # until it is ready
    return process


def start_workers(sandbox, endpoints, count=1):
    return sandbox.start("seedcore-worker", "--connect", endpoints, "--processes", count, "--name", "w")


def workers(sandbox, endpoints):
    result = sandbox.run("workers", "--json", "--endpoint", endpoints, "--connect-timeout", "500ms")
    return result.rows if result.status == 0 else []


def status(sandbox, endpoints, *job):
    return sandbox.ok("status", *job, "--json", "--endpoint", endpoints).json


@pytest.fixture
def places(sandbox):
    """Three endpoints, and all of them as a list."""
    ends = free_tcp_endpoint(), f"ipc://{sandbox.folder}/b", free_tcp_endpoint()
    return *ends, ",".join(ends)


@pytest.mark.tsan
def test_killed_and_started_elsewhere(sandbox, places):
    """Workers, their supervisor and a client that waits find it at the next endpoint; the job ends, once a task."""
    a, b, c, all_of_them = places
    first = start_coordinator(sandbox, a)
    start_workers(sandbox, all_of_them, 2)
    wait_for(lambda: len(workers(sandbox, all_of_them)) == 2, what="workers are ready")
    pids = {row["pid"] for row in workers(sandbox, all_of_them)}
    job = sandbox.ok("submit", "sleep", "--array", "0-29", "--args", '{"ms": 3000}', "--json", "--endpoint",
                     all_of_them).json["job"]
    waiting = sandbox.start("wait", job, "--endpoint", all_of_them)
    wait_for(lambda: status(sandbox, all_of_them, job)["running"] > 0, what="it runs")
    wait_for(lambda: status(sandbox, all_of_them)["clients"] == 2, what="the one that waits, beside the one that looks")
    first.signal(signal.SIGKILL)
    first.result()
    start_coordinator(sandbox, c)
    result = waiting.result(60)
    assert result.status == 0, repr(result)
    assert f"lost the coordinator at {a}; looking for it at {all_of_them}" in result.stderr, repr(result)
    assert f"the coordinator is back at {c}" in result.stderr, repr(result)
    rows = sandbox.ok("results", job, "--endpoint", all_of_them).rows
    assert [(r["index"], r["status"], r["attempt"]) for r in rows] == [(i, "done", 1) for i in range(30)]
    assert {row["pid"] for row in workers(sandbox, c)} == pids, "they did not start anew"


def test_stopped_and_started_elsewhere(sandbox, places):
    """One that is stopped listens and says nothing: it is left for its successor, and not gone back to."""
    a, b, c, all_of_them = places
    stopped = start_coordinator(sandbox, a)
    other = "--dir", sandbox.folder / "other"
    for _ in range(2):  # so that the epoch of the third is greater than that of the one that is stopped
        early = start_coordinator(sandbox, b, *other)
        early.signal(signal.SIGTERM)
        assert early.result().status == 0
    start_workers(sandbox, all_of_them)
    wait_for(lambda: len(workers(sandbox, all_of_them)) == 1, what="a worker is ready")
    stopped.signal(signal.SIGSTOP)
    try:
        start_coordinator(sandbox, b, *other)
        wait_for(lambda: len(workers(sandbox, b)) == 1, FAILOVER_S, "the worker is there")
        start = time.monotonic()
        assert status(sandbox, all_of_them)["endpoint"] == b
        assert time.monotonic() - start < 3, "a stopped one at the head of the list costs some hundred ms"
        assert sandbox.ok("call", "echo", "--args", "1", "--endpoint", all_of_them).stdout == "1\n"
    finally:
        stopped.signal(signal.SIGCONT)
    assert len(workers(sandbox, b)) == 1


def test_a_waiting_client_leaves_what_is_stopped(sandbox, places):
    a, b, c, all_of_them = places
    stopped = start_coordinator(sandbox, a)
    waiting = sandbox.start("call", "echo", "--args", "1", "--endpoint", all_of_them, "--connect-timeout", "60s")
    wait_for(lambda: status(sandbox, a)["clients"] == 2, what="it is there, beside the one that looks")
    stopped.signal(signal.SIGSTOP)
    try:
        start_coordinator(sandbox, b, "--dir", sandbox.folder / "other")
        start_workers(sandbox, b)
        result = waiting.result()
        assert (result.status, result.stdout) == (0, "1\n"), repr(result)
    finally:
        stopped.signal(signal.SIGCONT)


@pytest.mark.parametrize("dead", ["nobody", "unknown host", "unreachable"])
def test_the_first_is_dead_at_the_start(sandbox, places, dead):
    """The others are found well within the connect timeout."""
    a, b, c, _ = places
    first = {"nobody": a, "unknown host": "tcp://nowhere.invalid:5570", "unreachable": "tcp://192.0.2.1:5570"}[dead]
    start_coordinator(sandbox, b)
    start = time.monotonic()
    assert status(sandbox, f"{first},{b}")["endpoint"] == b
    assert time.monotonic() - start < 3, "some hundred ms"
    start_workers(sandbox, f"{first},{b}")
    wait_for(lambda: len(workers(sandbox, b)) == 1, FAILOVER_S, "the worker is there")


def test_the_last_of_eight(sandbox):
    ends = [f"ipc://{sandbox.folder}/{i}" for i in range(8)]
    start_coordinator(sandbox, ends[7])
    assert status(sandbox, ",".join(ends))["endpoint"] == ends[7]
    result = sandbox.run("status", "--endpoint", ",".join([*ends, "ipc:///ninth"]))
    assert result.status == 2 and '"ipc:///ninth" is one too many: at most 8' in result.stderr, repr(result)


def test_down(sandbox, places):
    """It ends the one that leads and says which; nothing there: all are named."""
    a, b, c, all_of_them = places
    coordinator = start_coordinator(sandbox, b)
    supervisor = start_workers(sandbox, all_of_them)
    wait_for(lambda: len(workers(sandbox, all_of_them)) == 1, what="a worker is ready")
    result = sandbox.ok("down", "--endpoint", all_of_them)
    assert f"the cluster at {b} has ended" in result.stderr, repr(result)
    assert coordinator.result().status == supervisor.result().status == 0
    result = sandbox.run("down", "--endpoint", all_of_them, "--connect-timeout", "300ms")
    assert result.status == 3 and f"no coordinator answered at {all_of_them} within 300ms" in result.stderr, repr(result)
    assert f"seedcore up --endpoint {a}\n" in result.stderr, repr(result)


def test_by_the_variable(sandbox, places):
    a, b, c, all_of_them = places
    env = {"SEEDCORE_ENDPOINT": all_of_them}
    start_coordinator(sandbox, c)
    sandbox.start("seedcore-worker", "--processes", 1, env=env)
    wait_for(lambda: len(workers(sandbox, c)) == 1, what="the worker is there")
    assert sandbox.ok("status", "--json", env=env).json["endpoint"] == c
    assert f"\ncoordinator  {c}\n" in re.sub(" +", "  ", "\n" + sandbox.ok("status", env=env).stdout)


@pytest.mark.parametrize("wrong, says", [
    ("tcp://127.0.0.1:1,here", '"here" is not tcp://HOST:PORT or ipc://PATH'),
    ("tcp://127.0.0.1:1,,tcp://127.0.0.1:2", '"" is not tcp://HOST:PORT or ipc://PATH'),
    ("tcp://127.0.0.1:1,tcp://127.0.0.1:1", '"tcp://127.0.0.1:1" is there twice'),
    ("tcp://127.0.0.1:1,tcp://127.0.0.1:*", "cannot connect to tcp://127.0.0.1:*: its port is not 1 to 65535"),
])
def test_lists_that_cannot_be(sandbox, wrong, says):
    """Each program names the one that is wrong and how it was given, and does not start."""
    result = sandbox.run("status", "--endpoint", wrong)
    assert result.status == 2 and says in result.stderr, repr(result)
    result = sandbox.run("seedcore-worker", "--connect", wrong)
    assert result.status in (1, 2) and says in result.stderr, repr(result)


def test_what_takes_one(sandbox, places):
    """A coordinator listens at one endpoint, so `up` takes one, too."""
    all_of_them = places[-1]
    for program in ("up", "seedcore-coordinator"):
        for args, env in (["--endpoint", all_of_them], {}), ([], {"SEEDCORE_ENDPOINT": all_of_them}):
            result = sandbox.run(program, *args, env=env)
            assert result.status in (1, 2) and all_of_them in result.stderr, repr(result)
            assert "one endpoint: give it" in result.stderr and "--endpoint" in result.stderr, repr(result)
