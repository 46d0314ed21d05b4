# SPDX-License-Identifier: Apache-2.0
"""Each way in which a process can die or stand still, and what it costs: nothing is lost, nothing counts twice, and tasks
run again soon. How soon is taken from what the tasks themselves note when they begin, so that no command that looks is in
the figures."""
import fcntl
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import termios
import time

import pytest

from cluster import BIN, PLUGIN, longest_pause, wait_for
from history import History

# A second is promised; these programs carry sanitizers and share the machine.
AGAIN_S = 3
LEASE_S = 0.8


def submit(c, *args):
    return c.ok("submit", *args, "--json").json["job"]


def status(c, job):
    return c.ok("status", job, "--json").json


class Job:
    """N tasks of t.timed, judged when they have ended."""

    def __init__(self, c, n, ms):
        self.c, self.n = c, n
        self.id = submit(c, "t.timed", "--array", f"0-{n - 1}", "--args", str(ms))

    def judge(self):
        """All done at their first attempt; returns the verdict of the history."""
        self.c.ok("wait", self.id, timeout=60)
        history = History()
        history.accept(self.id, self.n)
        rows = history.see(self.c.ok, self.id)
        assert all(row["status"] == "done" and row["attempt"] == 1 for row in rows)
        return history.judge()


def begun_again(begun, pids, since):
    """What had begun in these processes before `since`, and when it began again: {index: seconds after it}."""
    before = {b.index for b in begun if b.pid in pids and b.at < since}
    return {b.index: b.at - since for b in begun if b.index in before and b.at >= since}


def is_there(pid):
    """It runs, or stands still; one that has ended and whose parent has not looked yet is gone."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def ms(seconds):
    return f"{seconds * 1000:.0f} ms"


def test_killed_worker_process(timed, figures):
    """A supervisor says so at once; no lease has to run out."""
    c = timed(workers=2)
    slowest = []
    for _ in range(3):
        c.wait_for_workers(2)
        n = len(c.begun())
        job = Job(c, 100, 1000)
        wait_for(lambda: len(c.begun()) == n + 100, what="all run")
        pid = c.begun()[n].pid
        killed = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        verdict = job.judge()
        slowest.append(max(begun_again(c.begun()[n:], {pid}, killed).values()))
    figures(f"all that ran in a killed process runs again after {ms(min(slowest))} to {ms(max(slowest))}; {verdict}")
    assert max(slowest) < AGAIN_S
    assert min(slowest) < LEASE_S, "it waited for a lease"


def test_killed_supervisor(timed, figures):
    """Its processes end with it, and what they ran goes to those of another."""
    c = timed(workers=2)
    supervisor = c.supervisor_pid()
    pids = {row["pid"] for row in c.workers()}
    job = Job(c, 200, 3000)
    wait_for(lambda: len(c.begun()) == 200, what="all run")
    c.start("seedcore-worker", "--connect", c.endpoint, "--processes", 1, "--name", "other", "--plugin", PLUGIN,
            env={"FAULTS_LOG": "begun.log"})
    c.wait_for_workers(3)
    killed = time.monotonic()
    os.kill(supervisor, signal.SIGKILL)
    wait_for(lambda: not any(is_there(pid) for pid in pids), what="its processes end", interval=0.002)
    ended = time.monotonic() - killed
    verdict = job.judge()
    again = begun_again(c.begun(), pids, killed)
    figures(f"its processes have ended after {ms(ended)}, what they ran runs again after {ms(min(again.values()))} to "
            f"{ms(max(again.values()))}; {verdict}")
    assert max(again.values()) < AGAIN_S
    wait_for(lambda: len(c.workers()) == 3, what="`up` has started it again")


def test_killed_coordinator(timed, figures):
    """Workers go on with what they have; the next coordinator waits 500 ms for them, then hands out more."""
    c = timed(workers=2, env={"SEEDCORE_WORKER_ASYNC_SLOTS": "8"})
    job = Job(c, 4000, 10)
    pauses = []
    for _ in range(3):
        n = len(c.begun())
        wait_for(lambda: len(c.begun()) > n + 100, what="tasks begin")
        killed = time.monotonic()
        os.kill(c.coordinator_pid(), signal.SIGKILL)
        wait_for(lambda: sum(b.at > killed + 0.3 for b in c.begun()) > 100, what="tasks begin again")
        pauses.append(longest_pause([b for b in c.begun() if b.at > killed - 0.2], killed))
    figures(f"no task begins for {ms(min(pauses))} to {ms(max(pauses))}; {job.judge()}")
    assert max(pauses) < AGAIN_S


def test_stopped_worker_process(timed, figures):
    """SIGSTOP for longer than its lease, then SIGCONT: its tasks have run elsewhere, its late results do not count."""
    c = timed(workers=2)
    job = Job(c, 100, 1500)
    wait_for(lambda: len(c.begun()) == 100, what="all run")
    pid = c.begun()[0].pid
    stopped = time.monotonic()
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: {b.index for b in c.begun() if b.pid == pid} <= {b.index for b in c.begun() if b.pid != pid},
             what="what it ran runs elsewhere")
    again = begun_again(c.begun(), {pid}, stopped)
    os.kill(pid, signal.SIGCONT)
    c.wait_for_workers(2)
    figures(f"what a stopped process ran runs again after {ms(min(again.values()))} to {ms(max(again.values()))}, most of "
            f"it its lease; {job.judge()}")
    assert max(again.values()) < AGAIN_S


def test_stopped_coordinator(timed, figures):
    """For 10 s: it does not believe that anybody died meanwhile, and no task begins a second time."""
    c = timed(workers=2)
    job = Job(c, 2000, 1000)
    waiting = c.start("wait", job.id)
    wait_for(lambda: c.ok("status", "--json").json["clients"] == 2, what="the one that waits, beside the one that looks")
    wait_for(lambda: len(c.begun()) > 100, what="tasks begin")
    before = {row["worker"]: row["pid"] for row in c.workers()}
    pid = c.coordinator_pid()
    os.kill(pid, signal.SIGSTOP)
    until = time.monotonic() + 10
    wait_for(lambda: time.monotonic() >= until, what="the fault itself")
    went_on = time.monotonic()
    os.kill(pid, signal.SIGCONT)
    verdict = job.judge()
    begun = c.begun()
    again = min(b.at for b in begun if b.at > went_on) - went_on
    lost = c.ok("status", "--json").json["peers_lost"]
    figures(f"stopped for 10 s: tasks begin {ms(again)} after it goes on, {lost} peers taken as dead, "
            f"{len(begun) - job.n} tasks begun twice; {verdict}")
    assert waiting.result().status == 0
    assert {row["worker"]: row["pid"] for row in c.workers()} == before
    assert lost == 0 and len(begun) == job.n and again < AGAIN_S


def test_one_crash_among_a_thousand(cluster, figures):
    """The one that kills each process that it runs in is dead after three; nobody else is blamed for it."""
    c = cluster(workers=2, args=["--test-handlers"], crashes=True)
    history = History()
    good = submit(c, "echo", "--array", "0-999", "--args", '"$index"')
    bad = submit(c, "crash")
    history.accept(good, 1000)
    history.accept(bad, 1)
    assert c.run("wait", good, bad, timeout=60).status == 1
    rows, [dead] = history.see(c.ok, good), history.see(c.ok, bad)
    n_deaths = len(re.findall(r"worker w-\d pid=\d+ died", c.up.peek().stderr))
    figures(f"1 crash among 1,000: 1 dead ({dead['error']['code']}) after {n_deaths} deaths; {history.judge()}")
    assert dead["status"] == "dead" and dead["error"]["code"] == "poison"
    assert [(r["status"], r["value"]) for r in rows] == [("done", i) for i in range(1000)]
    c.wait_for_workers(2)


def test_client_killed_while_it_waits(timed, figures):
    """Its job goes on, and whoever waits next sees the end."""
    c = timed(workers=1)
    job = Job(c, 100, 1000)
    waiting = c.start("wait", job.id)
    wait_for(lambda: c.ok("status", "--json").json["clients"] == 2, what="the one that waits, beside the one that looks")
    waiting.signal(signal.SIGKILL)
    waiting.popen.wait()
    wait_for(lambda: c.ok("status", "--json").json["clients"] == 1, what="it is seen to be gone")
    assert status(c, job.id)["ended_at"] is None
    figures(f"a client killed while it waited: {job.judge()}")


def rows_of(journal, table):
    with sqlite3.connect(f"file:{journal}?mode=ro", uri=True, timeout=10) as db:
        return db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


@pytest.mark.parametrize("is_restarted", [False, True])
def test_client_killed_during_its_upload(cluster, figures, is_restarted):
    """Nothing of the job is ever seen, and nothing of it stays, also where the coordinator is killed before it is gone."""
    c = cluster(workers=1, env={"SEEDCORE_STAGED_TIMEOUT": "500ms"})
    journal, fifo = c.dir / "journal.sqlite", c.folder / "lines"
    os.mkfifo(fifo)
    client = c.start("submit", "echo", "--input", str(fifo))
    with open(fifo, "w") as lines:
        lines.writelines(f"{i}\n" for i in range(20000))
        lines.flush()
        wait_for(lambda: rows_of(journal, "chunks") > 5, what="a part of it is kept")
        n_chunks = rows_of(journal, "chunks")
        client.signal(signal.SIGKILL)
        client.popen.wait()
    killed = time.monotonic()
    if is_restarted:
        pid = c.coordinator_pid()
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: c.pids("seedcore-coordinator") not in ([], [pid]), what="a new coordinator")
    wait_for(lambda: rows_of(journal, "jobs") == 0 and rows_of(journal, "chunks") == 0, what="it is dropped")
    figures(f"{n_chunks} chunks of a staged job are gone {time.monotonic() - killed:.1f} s after its client was killed")
    assert c.ok("jobs", "--json").stdout == ""
    assert c.ok("call", "echo", "--args", "1").stdout == "1\n"


def memory_of(pid, line):
    """MiB, of /proc/PID/status."""
    with open(f"/proc/{pid}/status") as text:
        return next(int(words[1]) for words in map(str.split, text) if words[0] == f"{line}:") / 1024


def is_full(pipe):
    """Nothing more fits into it for now."""
    held = bytearray(4)
    fcntl.ioctl(pipe, termios.FIONREAD, held)
    return int.from_bytes(held, sys.byteorder) > 60000


def test_reader_that_stops_reading(sandbox, figures):
    """100 MB of results for one that reads no more cost the coordinator nothing, and nobody else has to wait."""
    # what has been freed is to be gone, or it counts as memory
    env = {"ASAN_OPTIONS": sandbox.env["ASAN_OPTIONS"] + ":quarantine_size_mb=1"}
    pid = sandbox.start("seedcore-coordinator", env=env).pid
    sandbox.start("seedcore-worker", "--processes", 2)
    wait_for(lambda: len(sandbox.run("workers", "--json").rows) == 2, what="both workers")

    def fastest():
        times = []
        for _ in range(3):
            began = time.monotonic()
            sandbox.ok("submit", "echo", "--array", "0-19999", "--args", '"$index"', "--wait")
            times.append(time.monotonic() - began)
        return min(times)
    job = submit(sandbox, "echo", "--array", "0-9999", "--args", json.dumps("x" * 10000))
    sandbox.ok("wait", job)
    alone, before = fastest(), memory_of(pid, "VmRSS")
    ours, theirs = os.pipe()
    reader = subprocess.Popen([BIN / "seedcore", "results", job], stdin=subprocess.DEVNULL, stdout=theirs,
                              stderr=subprocess.DEVNULL, env=sandbox.env, cwd=sandbox.folder)
    os.close(theirs)
    try:
        wait_for(lambda: is_full(ours), what="the pipe is full")
        beside, grown = fastest(), memory_of(pid, "VmRSS") - before
        assert reader.poll() is None
    finally:
        reader.kill()
        reader.wait()
        os.close(ours)
    history = History()
    history.accept(job, 10000)
    history.see(sandbox.ok, job)
    figures(f"beside a reader that stopped the coordinator grew by {grown:.0f} MiB, 20,000 tasks took {ms(beside)}, before "
            f"{ms(alone)}; {history.judge()}")
    assert grown < 32 and beside < 3 * alone
