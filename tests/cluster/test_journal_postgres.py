# SPDX-License-Identifier: Apache-2.0
"""The journal in PostgreSQL: its server is restarted and sessions are ended under load; one leads, others take over."""
import json
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from cluster import PLUGIN, begun_tasks, longest_pause, wait_for
from history import History

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import postgres  # noqa: E402

TAKEOVER_S = 5
N_RUNNING = 16  # 2 processes of 8 slots
AGAIN_S = 10  # 5 are promised; these programs carry sanitizers and share the machine

pytestmark = pytest.mark.skipif(postgres.missing() is not None, reason=str(postgres.missing()))


@pytest.fixture(scope="module")
def server():
    with postgres.Server() as server:
        yield server


@pytest.fixture
def journal(server):
    """The location of a journal of the test's own."""
    return server.new_database()


def status(c, job, *args):
    return c.ok("status", job, "--json", *args).json


class Trouble:
    """Restarts the server as after a crash, ends sessions, in turn, each once groups are written again."""

    def __init__(self, server, journal):
        self.server, self.n, self.error = server, 0, None
        self.database = postgres.database_of(journal)
        self.must_stop = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _group(self):
        return int(self.server.sql("SELECT last_group FROM seedcore.meta", self.database))

    def _run(self):
        try:
            while not self.must_stop.is_set():
                before = self._group()
                self.server.restart() if self.n % 3 == 2 else self.server.kill()
                self.n += 1
                wait_for(lambda: self._group() > before + 2 or self.must_stop.is_set(), what="groups are written again")
        except AssertionError as e:
            self.error = e

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.must_stop.set()
        self.thread.join()
        assert self.error is None, self.error


def submit(c, *args):
    """Until it is taken: while the server is away it is refused, with the reason. Returns the job and the refusals."""
    refusals = []

    def is_taken():
        result = c.run("submit", *args, "--json")
        if result.status == 0:
            return result.json["job"]
        assert result.status == 1 and "postgresql://" in result.stderr, repr(result)
        refusals.append(result.stderr)
        return None
    return wait_for(is_taken, 60, "a job is taken"), refusals


def test_server_restarted_under_load(server, journal, cluster, figures):
    """0 tasks lost, 0 twice, and exactly the jobs that were taken; also an upload during it all."""
    c = cluster(workers=2, env={"SEEDCORE_JOURNAL": journal})
    lines = c.folder / "lines"
    lines.write_text("".join(f"{i}\n" for i in range(50000)))
    slow, _ = submit(c, "sleep", "--array", "0-59999", "--args", '{"ms": 50}')
    with Trouble(server, journal) as trouble:
        quick = [submit(c, "echo", "--array", "0-4999", "--args", '"$index"') for _ in range(8)]
        upload, _ = submit(c, "echo", "--input", str(lines))
        wait_for(lambda: status(c, slow)["ended_at"] or trouble.error, 120, "it has ended under all that")
    history = History()
    for job, n in [(slow, 60000), (upload, 50000)] + [(job, 5000) for job, _ in quick]:
        history.accept(job, n)
        c.ok("wait", job, timeout=60)
        assert all(row["status"] == "done" and row["attempt"] == 1 for row in history.see(c.ok, job))
    assert [row["value"] for row in c.ok("results", upload).rows] == list(range(50000))
    assert len(c.ok("jobs", "--json").rows) == 10
    n_refused = sum(len(refusals) for _, refusals in quick)
    figures(f"{trouble.n} times ended or restarted, {n_refused} submissions refused: {history.judge()}")


def coordinator(sandbox, journal, name):
    """One with its own folder and endpoint."""
    process = sandbox.start("seedcore-coordinator", "--dir", sandbox.folder / name, "--endpoint",
                            f"ipc://{sandbox.folder}/{name}.socket", env={"SEEDCORE_JOURNAL": journal})
    process.address = f"ipc://{sandbox.folder}/{name}.socket"
    return process


def has_said(process, text):
    assert process.is_running, repr(process.result())
    return text in process.peek().stderr


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_takeover(journal, sandbox, number, figures):
    """Of two coordinators one leads; the other takes its place, and its jobs, when that one is killed or hangs. Workers and
    a client that know both find it, and keep what they run meanwhile."""
    first = coordinator(sandbox, journal, "first")
    wait_for(lambda: has_said(first, "ready endpoint"), what="the first leads")
    second = coordinator(sandbox, journal, "second")
    wait_for(lambda: has_said(second, f"pid {first.pid} leads"), what="the second waits")
    both, log = f"{first.address},{second.address}", sandbox.folder / "begun.log"
    sandbox.start("seedcore-worker", "--connect", both, "--processes", "2", "--plugin", PLUGIN,
                  env={"FAULTS_LOG": str(log), "SEEDCORE_WORKER_ASYNC_SLOTS": "8"})
    wait_for(lambda: len(sandbox.run("workers", "--json", "--endpoint", both).rows) == 2, what="workers are ready")
    job = sandbox.ok("submit", "t.timed", "--array", "0-1999", "--args", "100", "--endpoint", both, "--json").json["job"]
    waiting = sandbox.start("wait", job, "--endpoint", both)
    wait_for(lambda: len(begun_tasks(log)) > 100, what="tasks begin")
    history = History()
    history.accept(job, 2000)
    history.see(sandbox.ok, job, "--endpoint", both)
    began = time.monotonic()
    first.signal(number)
    wait_for(lambda: has_said(second, "ready endpoint"), what="the second leads", interval=0.005)
    took = time.monotonic() - began
    first.signal(signal.SIGCONT)
    result = first.result()
    if number == signal.SIGSTOP:
        assert result.status == 1 and "another coordinator leads" in result.stderr, repr(result)
    assert waiting.result(60).status == 0, repr(waiting.result())
    rows = history.see(sandbox.ok, job, "--endpoint", both)
    assert all(row["status"] == "done" for row in rows)
    begun = begun_tasks(log)
    pause = longest_pause(begun, began)
    figures(f"{number.name}: the second leads after {took:.2f} s, no task begins for {pause:.2f} s, "
            f"{len(begun) - 2000} begin twice; {history.judge()}")
    assert took < TAKEOVER_S and pause < AGAIN_S
    if number == signal.SIGKILL:
        assert len(begun) - 2000 < N_RUNNING / 2, "workers come back with what they run"


def test_a_leader_that_is_idle_stays(journal, sandbox):
    """Nothing happens for longer than it takes to depose one who is silent: its loop sleeps, and is woken to beat."""
    first = coordinator(sandbox, journal, "first")
    wait_for(lambda: has_said(first, "ready endpoint"), what="the first leads")
    second = coordinator(sandbox, journal, "second")
    wait_for(lambda: has_said(second, f"pid {first.pid} leads"), what="the second waits")
    until = time.monotonic() + TAKEOVER_S
    wait_for(lambda: time.monotonic() > until or not first.is_running or has_said(second, "ready endpoint"))
    assert first.is_running and not has_said(second, "ready endpoint"), repr(second.peek())


def test_the_server_is_restarted_under_who_waits(server, journal, sandbox):
    """Both stay, and one of them leads."""
    both = [coordinator(sandbox, journal, "first")]
    wait_for(lambda: has_said(both[0], "ready endpoint"), what="the first leads")
    both.append(coordinator(sandbox, journal, "second"))
    wait_for(lambda: has_said(both[1], f"pid {both[0].pid} leads"), what="the second waits")
    server.stop()
    server.start()

    wait_for(lambda: any(has_said(p, "connected again") for p in both[:1] if p.is_running) or
             has_said(both[1], "ready endpoint"), what="one of them leads")
    both[0].signal(signal.SIGKILL)
    wait_for(lambda: has_said(both[1], "ready endpoint"), what="the second leads")


def test_a_server_that_is_not_there(sandbox):
    """Exit 1 before anything listens, with where and why, without the password."""
    location = f"postgresql://me:secret@/jobs?host={sandbox.folder}"
    for command in (["seedcore-coordinator"], ["up", "--workers", "1"]):
        result = sandbox.start(*command, env={"SEEDCORE_JOURNAL": location}).result()
        assert result.status == 1 and f"postgresql://{sandbox.folder}/jobs" in result.stderr, repr(result)
        assert "secret" not in result.stderr and "ready endpoint" not in result.stderr, repr(result)


@pytest.mark.parametrize("location, shown", [
    ("postgresql://me:secret@host:5432/jobs", "postgresql://me:***@host:5432/jobs"),
    ("postgresql://host/jobs?user=me&password=secret&sslmode=require",
     "postgresql://host/jobs?user=me&password=***&sslmode=require"),
    ("postgresql://me@host/jobs", "postgresql://me@host/jobs"),
    ("postgresql://me:secret", "postgresql://me:secret")])
def test_config_hides_the_password(sandbox, location, shown):
    env = {"SEEDCORE_JOURNAL": location}
    rows = [json.loads(line) for line in sandbox.ok("config", "--json", env=env).stdout.splitlines()]
    assert [row["value"] for row in rows if row["name"] == "JOURNAL"] == [shown]
    assert shown in sandbox.ok("config", env=env).stdout
