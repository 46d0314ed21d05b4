# SPDX-License-Identifier: Apache-2.0
"""What was accepted survives the coordinator: every task ends once, with its result."""
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import time

import pytest

from cluster import wait_for
from history import History


def submit(c, *args, **options):
    return c.ok("submit", *args, "--json", **options).json["job"]


def status(c, job):
    return c.ok("status", job, "--json").json


def kill_coordinator(c):
    """SIGKILL, then wait for the one that takes its place."""
    pid = c.coordinator_pid()
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: c.pids("seedcore-coordinator") not in ([], [pid]), what="a new coordinator")


def check_results(c, *jobs, history=None):
    """Every task of these (job, n, first) done once, at its first attempt, and as it was seen before."""
    history = history or History()
    for job, *range_of in jobs:
        history.accept(job, *range_of)
        rows = history.see(c.ok, job)
        assert all(row["status"] == "done" and row["attempt"] == 1 for row in rows)
    return history.judge()


@pytest.mark.tsan
def test_coordinator_killed_ten_times(timed, figures):
    """Tasks that last longer than the killing run once: workers come back with what they have started."""
    c = timed(workers=2)
    job = submit(c, "t.timed", "--array", "0-99", "--args", "6000")
    short = submit(c, "echo", "--array", "0-49999", "--args", '"$index"')
    history = History()
    waiting = c.start("wait", job)
    wait_for(lambda: len(c.begun()) == 100, what="all run")
    wait_for(lambda: c.ok("status", "--json").json["clients"] == 2, what="the one that waits, beside the one that looks")
    history.see(c.ok, short)
    for _ in range(10):
        kill_coordinator(c)
        c.wait_for_workers(2)  # one that dies before they are back is started again later each time
    wait_for(lambda: status(c, job)["queued"] == 0 or status(c, job)["done"] == 100, what="all are adopted")
    assert waiting.result(60).status == 0
    c.ok("wait", short, timeout=60)
    n_again = len(c.begun()) - 100
    figures(f"killed ten times, {n_again} of 100 tasks begin again: "
            f"{check_results(c, (job, 100), (short, 50000), history=history)}")
    assert n_again < 50, "they are adopted, but for those of a worker that a busy machine made late"


def test_upload_goes_on_when_the_coordinator_comes_back(cluster):
    c = cluster(workers=1)
    fifo = c.folder / "lines"
    os.mkfifo(fifo)
    client = c.start("submit", "echo", "--input", str(fifo), "--json")
    with open(fifo, "w") as lines:
        for i in range(60000):
            lines.write(f"{i}\n")
            if i == 30000:
                lines.flush()
                kill_coordinator(c)
    result = client.result(60)
    assert result.status == 0, repr(result)
    job = json.loads(result.stdout)["job"]
    c.ok("wait", job, timeout=60)
    check_results(c, (job, 60000))
    assert [row["value"] for row in c.ok("results", job).rows] == list(range(60000))


def test_ended_jobs_come_back(cluster):
    c = cluster(workers=1, args=["--test-handlers"])
    good = submit(c, "echo", "--array", "5-9", "--args", '"$index"', "--wait", "--name", "good")
    assert c.run("submit", "fail", "--args", '{"code": "no", "message": "m"}', "--wait", "--json").status == 1
    before = c.ok("jobs", "--json").rows, c.ok("results", good).rows
    kill_coordinator(c)
    c.wait_for_workers(1)  # whether somebody offers its handler is said of a job, too
    assert (c.ok("jobs", "--json").rows, c.ok("results", good).rows) == before


def test_retries_survive(cluster):
    """A delayed task keeps its attempt; the last failure is the result."""
    c = cluster(workers=1, args=["--test-handlers"])
    args = '{"code": "no", "message": "m", "retryable": true}'
    job = submit(c, "fail", "--args", args, "--retries", "3", "--backoff", "exp:300ms..300ms")
    wait_for(lambda: status(c, job)["delayed"] == 1, what="it is delayed")
    kill_coordinator(c)
    assert c.run("wait", job).status == 1
    assert [(r["status"], r["attempt"], r["error"]["code"]) for r in c.ok("results", job).rows] == [("dead", 4, "no")]


def test_poison_survives(cluster):
    """Deaths are counted over restarts of the coordinator: one crash among many good tasks gives one dead task."""
    c = cluster(workers=2, args=["--test-handlers"], crashes=True)
    good = submit(c, "echo", "--array", "0-999", "--args", '"$index"')
    bad = submit(c, "crash")
    kill_coordinator(c)
    c.run("wait", bad, timeout=60)
    assert [r["error"]["code"] for r in c.ok("results", bad).rows] == ["poison"]
    c.ok("wait", good, timeout=60)
    check_results(c, (good, 1000))


def start_coordinator(sandbox):
    process = sandbox.start("seedcore-coordinator")
    wait_for(lambda: not process.is_running or "ready endpoint" in process.peek().stderr, what="ready or ended")
    return process


def end(process):
    process.signal(signal.SIGTERM)
    return process.result()


def make_journal(sandbox):
    assert end(start_coordinator(sandbox)).status == 0
    return sandbox.dir / "journal.sqlite"


def no_database(path):
    path.write_bytes(b"nonsense\n" * 5000)


def truncate_to_nothing(path):
    path.write_bytes(b"")


def cut_in_half(path):
    data = path.read_bytes()
    path.write_bytes(data[:len(data) // 2 // 16384 * 16384 + 100])


def overwrite_pages(path):
    data = bytearray(path.read_bytes())
    for at in range(16384, len(data), 16384):
        data[at:at + 200] = b"\x55" * 200
    path.write_bytes(data)


def cut_a_little(path):
    with open(path, "r+b") as f:
        f.truncate(path.stat().st_size - 100)


def other_program(path):
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE t (x)")


def newer_version(path):
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize("damage, wanted", [
    (no_database, "damaged or no journal"), (truncate_to_nothing, "damaged or no journal"), (cut_in_half, "damaged"),
    (overwrite_pages, "damaged"), (cut_a_little, "its last page is cut"), (other_program, "another program's"), (newer_version, "version 99")])
def test_a_journal_that_cannot_be_used(sandbox, damage, wanted):
    """Exit 1 before anything listens, with the path and what to do; the file stays as it is."""
    path = make_journal(sandbox)
    damage(path)
    before = path.read_bytes()
    result = start_coordinator(sandbox).result(10)
    assert result.status == 1 and str(path) in result.stderr and wanted in result.stderr, repr(result)
    assert path.read_bytes() == before
    assert "ready endpoint" not in result.stderr


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_journal_that_is_no_file(sandbox, make):
    make_journal(sandbox).unlink()
    make(sandbox.dir / "journal.sqlite")
    result = start_coordinator(sandbox).result(10)
    assert result.status == 1 and "journal.sqlite is no file" in result.stderr, repr(result)


def test_a_wal_without_its_journal(sandbox):
    path = make_journal(sandbox)
    path.rename(path.with_name("elsewhere"))
    wal = path.with_name("journal.sqlite-wal")
    wal.write_bytes(b"x" * 1000)
    result = start_coordinator(sandbox).result(10)
    assert result.status == 1 and "-wal" in result.stderr and not path.exists(), repr(result)
    assert wal.read_bytes() == b"x" * 1000


def test_a_creation_that_was_cut_off(sandbox):
    """What a start left that was killed while it made the journal is no obstacle."""
    sandbox.dir.mkdir(parents=True, exist_ok=True)
    (sandbox.dir / "journal.sqlite.new").write_bytes(b"half")
    result = end(start_coordinator(sandbox))
    assert result.status == 0 and "new journal" in result.stderr, repr(result)


def test_journal_settings(sandbox):
    elsewhere = sandbox.folder / "elsewhere.sqlite"
    process = sandbox.start("seedcore-coordinator", "--journal", f"sqlite:{elsewhere}")
    wait_for(lambda: "ready endpoint" in process.peek().stderr, what="ready")
    assert end(process).status == 0 and elsewhere.exists()
    for wrong in ("mysql://x", "sqlite:", "journal.sqlite"):
        result = sandbox.start("seedcore-coordinator", "--journal", wrong).result(10)
        assert result.status == 1 and "JOURNAL" in result.stderr, repr(result)


def test_two_coordinators_with_one_journal(sandbox):
    """One leads, the other says who and waits, and takes over when that one is killed."""
    journal = f"sqlite:{sandbox.folder}/shared.sqlite"
    first = sandbox.start("seedcore-coordinator", "--journal", journal)
    wait_for(lambda: "ready endpoint" in first.peek().stderr, what="the first leads")
    second = sandbox.start("seedcore-coordinator", "--journal", journal, "--dir", sandbox.folder / "second",
                           "--endpoint", f"ipc://{sandbox.folder}/second.socket")
    wait_for(lambda: f"pid {first.pid} leads" in second.peek().stderr, what="the second waits")
    first.signal(signal.SIGKILL)
    wait_for(lambda: "ready endpoint" in second.peek().stderr, what="the second leads")
    assert end(second).status == 0


def test_retention(cluster):
    c = cluster(workers=1, env={"SEEDCORE_JOB_RETENTION": "1s"})
    job = submit(c, "echo", "--wait")
    wait_for(lambda: c.run("status", job).status == 1, what="it is forgotten")
    kill_coordinator(c)
    assert c.ok("jobs", "--json").rows == []


@pytest.mark.parametrize("text", ["exp", "exp:1s", "1s..5m", "exp:5m..1s", "exp:0..1s", "exp:x..y", "exp:1s..2d"])
def test_bad_backoff(sandbox, text):
    result = sandbox.run("submit", "echo", "--backoff", text)
    assert result.status == 2 and "--backoff" in result.stderr, repr(result)


@pytest.fixture
def small_disk(sandbox):
    """A file system of 8 MiB."""
    folder = sandbox.folder / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], capture_output=True).returncode != 0:
        pytest.skip("needs to mount a file system")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_full_disk_under_the_journal(small_disk, timed, figures):
    """New jobs are refused with the reason, tasks end and others begin, nothing accepted is lost, and it ends by itself."""
    c = timed(workers=1, args=["--journal", f"sqlite:{small_disk}/journal.sqlite"],
              env={"SEEDCORE_WORKER_ASYNC_SLOTS": "8"})
    job = submit(c, "t.timed", "--array", "0-499", "--args", "100")
    wait_for(lambda: len(c.begun()) > 20, what="tasks begin")
    short = submit(c, "t.timed", "--array", "1000-1003", "--args", "1000", "--priority", "9")
    wait_for(lambda: sum(b.index >= 1000 for b in c.begun()) == 4, what="those of the short one run")
    with open(small_disk / "filler", "wb", buffering=0) as filler, contextlib.suppress(OSError):
        while filler.write(b"x" * 4096):
            pass

    def is_refused():
        result = c.run("submit", "echo", "--args", f'"{"x" * 100000}"')
        return result.status == 1 and "the disk is full" in result.stderr
    wait_for(is_refused, what="a refusal that says why")
    full = time.monotonic()
    before = len(c.begun())
    assert c.ok("call", "echo", "--args", "1").stdout == "1\n", "calls need no journal"
    assert submit(c, "echo", "--volatile", "--wait"), "nor do volatile jobs"
    wait_for(lambda: len(c.begun()) > before + 160, what="tasks end, and others begin")
    assert status(c, short)["state"] == "running", "its end is not told before it is safe"
    full = time.monotonic() - full
    (small_disk / "filler").unlink()
    c.ok("wait", job, short, timeout=60)
    history = History()
    check_results(c, (job, 500), (short, 4, 1000), history=history)
    wait_for(lambda: c.run("submit", "echo", "--wait").status == 0, what="jobs are taken again")
    kill_coordinator(c)
    figures(f"disk full for {full:.1f} s, {len(c.begun()) - 504} tasks begin twice: "
            f"{check_results(c, (job, 500), (short, 4, 1000), history=history)}")
