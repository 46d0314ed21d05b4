# SPDX-License-Identifier: Apache-2.0
"""`up` and `down`: readiness, restarts, ends, and what is in the way of a start."""
import os
import re
import select
import signal
import socket
import stat
import subprocess
import time

import pytest

import peer
from cluster import BIN, Cluster, free_tcp_endpoint, parent_of, wait_for
from peer import Peer


def test_ready_line(cluster):
    c = cluster(workers=1)
    wait_for(lambda: "up at" in c.up.peek().stderr, what="the line that says it is ready")
    assert c.up.peek().stdout == ""
    assert "rates" not in c.ok("status").stdout, "there was nothing to do yet"
    assert c.ok("call", "echo", "--args", "1").json == 1


def test_detach(sandbox):
    result = sandbox.ok("up", "--detach", "--workers", "2")
    log = sandbox.dir / "log"
    assert str(log) in result.stdout + result.stderr, repr(result)
    assert {p.name for p in log.iterdir()} == {"up.log", "coordinator.log", "worker.log"}
    lines = (log / "up.log").read_text().splitlines()
    assert lines and all(re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z seedcore: ", line) for line in lines), lines
    assert stat.S_IMODE(sandbox.dir.stat().st_mode) == 0o700
    assert len(sandbox.ok("workers", "--json").rows) == 2
    again = sandbox.run("up", "--detach")
    coordinator = sandbox.pids("seedcore-coordinator")
    assert again.status == 1 and str(coordinator[0]) in again.stderr, repr(again)
    sandbox.ok("down")
    assert sandbox.left() == []
    assert sandbox.run("down", "--connect-timeout", "100ms").status == 3


def test_detached_cluster_holds_nothing_of_its_caller(sandbox):
    """A lock or a pipe that the caller had open ends with the caller."""
    reader, writer = os.pipe()
    done = subprocess.run([BIN / "seedcore", "up", "--detach", "--workers", "1", "--dir", sandbox.dir, "--endpoint", sandbox.endpoint],
                          pass_fds=[writer], env=sandbox.env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    os.close(writer)
    assert select.select([reader], [], [], 5)[0] and os.read(reader, 1) == b"", "nobody else has it open"
    os.close(reader)
    sandbox.ok("down")


def test_reason_of_a_child_that_does_not_come_up(sandbox):
    """The text of its log, without time and program."""
    plugin = sandbox.folder / "no-plugin.so"
    plugin.write_text("this is none")
    result = sandbox.run("up", "--detach", "--workers", "1", "--plugin", plugin)
    assert result.status == 1 and str(plugin) in result.stderr, repr(result)
    assert "seedcore-worker[" not in result.stderr and f"the logs are in {sandbox.dir}/log" in result.stderr, repr(result)


def test_detached_cluster_survives_the_terminal(sandbox):
    result = sandbox.run_on_terminal("up", "--detach", "--workers", "1")
    assert result.status == 0, repr(result)
    [up] = sandbox.pids("seedcore")
    os.kill(up, signal.SIGHUP)
    assert sandbox.ok("call", "echo", "--args", "1").json == 1
    sandbox.ok("down")


def test_folder_of_another_cluster(sandbox):
    sandbox.ok("up", "--detach", "--workers", "1")
    [pid] = sandbox.pids("seedcore-coordinator")
    other = f"ipc://{sandbox.folder}/other"
    worker_log = sandbox.dir / "log/worker.log"
    wait_for(lambda: worker_log.read_text().count(" joined ") == 2, what="the worker's and its supervisor's last words")
    logs = {path: path.read_text() for path in (sandbox.dir / "log").iterdir()}
    assert "Ctrl-C" not in logs[sandbox.dir / "log/up.log"]
    for args in ([], ["--detach"]):
        result = sandbox.run("up", "--workers", "1", "--endpoint", other, *args)
        assert result.status == 1 and str(pid) in result.stderr, repr(result)
    assert {path: path.read_text() for path in logs} == logs, "the logs of the other"
    assert len(sandbox.ok("workers", "--json").rows) == 1
    sandbox.ok("down")


@pytest.mark.parametrize("detach", [[], ["--detach"]], ids=["foreground", "detached"])
def test_endpoint_of_something_else(sandbox, detach):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        endpoint = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        result = sandbox.run("up", "--endpoint", endpoint, *detach)
    assert result.status == 1 and endpoint in result.stderr, repr(result)


def test_endpoint_of_another_version(sandbox):
    endpoint = free_tcp_endpoint()
    with Peer(endpoint, listen=True) as p:
        up = sandbox.start("up", "--endpoint", endpoint)
        p.hear(peer.HELLO)
        p.say(peer.REFUSED, {2: peer.EVERSION, 3: "protocol 7 to 9", 4: 7, 5: 9, 6: "42.0"})
        result = up.result()
    version = sandbox.ok("version", "--json").json["version"]
    assert result.status == 1 and "42.0" in result.stderr and version in result.stderr, repr(result)


def test_endpoint_of_a_coordinator_that_hangs(cluster):
    c = cluster(workers=1)
    os.kill(c.coordinator_pid(), signal.SIGSTOP)
    try:
        result = c.run("up")
    finally:
        os.kill(c.coordinator_pid(), signal.SIGCONT)
    assert result.status == 1 and "does not answer" in result.stderr and "no coordinator" not in result.stderr, repr(result)


def test_folder_that_cannot_be_used(sandbox):
    file = sandbox.folder / "file"
    file.write_text("")
    for folder in (file / "state", file):
        result = sandbox.run("up", "--dir", folder)
        assert result.status == 1 and f"{folder}: Not a directory" in result.stderr, repr(result)


def test_plugin_that_cannot_be_read(sandbox):
    result = sandbox.run("up", "--plugin", "/nonexistent/plugin.so")
    assert result.status == 1 and "/nonexistent/plugin.so" in result.stderr, repr(result)


@pytest.mark.parametrize("detach", [[], ["--detach"]], ids=["foreground", "detached"])
def test_listening_beyond_loopback_is_refused(sandbox, detach):
    result = sandbox.run("up", "--endpoint", "tcp://0.0.0.0:5599", *detach)
    assert result.status == 1 and "--insecure" in result.stderr, repr(result)
    wait_for(lambda: not sandbox.pids(), what="the end of all processes")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_drains(cluster, number):
    c = cluster(workers=1)
    process = c.start("call", "sleep", "--args", '{"ms":500}')
    wait_for(lambda: c.workers()[0]["running"] == 1, what="the task")
    c.up.signal(number)
    assert process.result().status == 0, "a task that runs is finished"
    assert c.up.result().status == 0
    assert c.left() == []


def test_down_says_what_it_waits_for(cluster):
    c = cluster(workers=1)
    process = c.start("call", "sleep", "--args", '{"ms":500}')
    wait_for(lambda: c.workers()[0]["running"] == 1, what="the task")
    result = c.run_on_terminal("down")
    assert result.status == 0 and "running tasks are finished first" in result.stdout, repr(result)
    assert result.stdout.endswith("has ended\r\n"), repr(result)
    assert process.result().status == 0


def test_down_says_what_it_waits_for_without_a_terminal(cluster):
    """A line once it takes long; test_down_says_what_will_not_run has those that do not."""
    c = cluster(workers=1)
    process = c.start("call", "sleep", "--args", '{"ms":4000}')
    wait_for(lambda: c.workers()[0]["running"] == 1, what="the task")
    result = c.ok("down")
    waits, ended = result.stderr.splitlines()
    assert re.fullmatch(r"seedcore: ending: running tasks are finished first, \d process(es)? left", waits), repr(result)
    assert ended.endswith("has ended") and process.result().status == 0


@pytest.mark.parametrize("tasks, says", [
    ([], None),
    ([["--array", "0-0"]], "1 job is open: what is durable goes on with the next start, what is volatile is gone"),
    ([["--array", "0-1"]], "1 job is open: what is durable goes on with the next start, what is volatile is gone; 1 task did not run"),
    ([["--array", "0-0"], ["--array", "1-2000"]], "2 jobs are open: what is durable goes on with the next start, what is volatile is gone; 2,000 tasks did not run"),
], ids=["nothing", "what runs", "one", "many"])
def test_down_says_what_will_not_run(cluster, tasks, says):
    c = cluster(workers=1, env={"SEEDCORE_WORKER_ASYNC_SLOTS": "1", "SEEDCORE_DRAIN_TIMEOUT": "50ms"})
    for options in tasks:
        c.ok("submit", "sleep", *options, "--args", '{"ms":60000}')
    wait_for(lambda: c.ok("status", "--json").json["running"] == min(1, len(tasks)), what="the first task")
    result = c.ok("down")
    want = f"seedcore: the cluster at {c.endpoint} has ended\n"
    assert result.stderr == (f"seedcore: {says}\n" if says else "") + want, repr(result)


def test_second_signal_stops_at_once(cluster):
    c = cluster(workers=1)
    c.ok("submit", "sleep", "--args", '{"ms":60000}')
    wait_for(lambda: c.workers()[0]["running"] == 1, what="the task")
    c.up.signal(signal.SIGINT)
    wait_for(lambda: "ending" in c.up.peek().stderr, what="the drain")
    c.up.signal(signal.SIGINT)
    assert c.up.result(timeout=5).status == 130
    wait_for(lambda: not c.pids(), what="the end of all processes")


@pytest.mark.parametrize("which", ["coordinator", "supervisor"])
def test_what_dies_is_started_again(cluster, which):
    c = cluster(workers=2)
    wait_for(lambda: "up at" in c.up.peek().stderr, what="the line that says it is ready")
    pid = c.coordinator_pid() if which == "coordinator" else c.supervisor_pid()
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: pid not in c.pids() and c.workers(), what="new workers")
    c.wait_for_workers(2)
    assert c.ok("call", "echo", "--args", "1").json == 1
    assert "starting it again" in c.up.peek().stderr
    assert c.down().status == 0


@pytest.mark.parametrize("which", ["coordinator", "supervisor"])
def test_what_dies_often_is_started_again_at_once(cluster, which):
    """Each time it was ready before; only what dies before it is ready is started later each time."""
    c = cluster(workers=1)
    for _ in range(8):
        [worker] = c.workers()
        pid = c.coordinator_pid() if which == "coordinator" else c.supervisor_pid()
        os.kill(pid, signal.SIGKILL)
        killed = time.monotonic()
        wait_for(lambda: pid not in c.pids() and [row["pid"] == worker["pid"] for row in c.workers()]
                 == [which == "coordinator"], what="the worker, or a new one")
        assert time.monotonic() - killed < 2


def test_children_end_with_up(cluster):
    c = cluster(workers=1)
    c.up.signal(signal.SIGKILL)
    c.up.result()
    wait_for(lambda: not c.pids(), what="the end of all processes")


def test_children_are_away_from_the_terminal(cluster):
    c = cluster(workers=1)
    for pid in (c.coordinator_pid(), c.supervisor_pid()):
        assert parent_of(pid) == c.up.pid
        assert os.getsid(pid) != os.getsid(c.up.pid)


def test_settings_reach_the_children(sandbox):
    sandbox.ok("up", "--detach", "--workers", "1", "--worker-async-slots", "7", "--worker-threads", "2")
    assert sandbox.ok("workers", "--json").json["slots"] == 9
    sandbox.ok("down")


def test_wait_survives_a_new_coordinator():
    c = Cluster(workers=1)
    try:
        job = c.ok("submit", "sleep", "--args", '{"ms":4000}', "--json").json["job"]
        lost = c.ok("submit", "sleep", "--volatile", "--args", '{"ms":60000}', "--json").json["job"]
        process, losing = c.start("wait", job), c.start("wait", lost)
        wait_for(lambda: c.ok("status", "--json").json["clients"] > 2, what="their sessions")
        wait_for(lambda: "up at" in c.up.peek().stderr, what="the line that says it is ready")
        os.kill(c.coordinator_pid(), signal.SIGKILL)
        result = process.result()
        assert result.status == 0 and result.stderr.count("is back") == result.stderr.count("lost the coordinator"), repr(result)
        result = losing.result()
        assert result.status == 1 and "lost with the coordinator" in result.stderr, repr(result)
    finally:
        c.close()


def test_call_is_lost_with_the_coordinator(cluster):
    c = cluster(workers=1, env={"SEEDCORE_DRAIN_TIMEOUT": "50ms"})
    wait_for(lambda: "up at" in c.up.peek().stderr, what="the line that says it is ready")
    process = c.start("call", "sleep", "--args", '{"ms":60000}')
    wait_for(lambda: c.workers()[0]["running"] == 1, what="the task")
    os.kill(c.coordinator_pid(), signal.SIGKILL)
    result = process.result()
    assert result.status == 1 and "the call was lost with the coordinator" in result.stderr, repr(result)
