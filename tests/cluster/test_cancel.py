# SPDX-License-Identifier: Apache-2.0
"""Cancelling: what waits ends at once, what runs is asked, and after the grace period its process is replaced."""
import os
import signal

import pytest

from cluster import BIN, wait_for

PLUGIN = ["--plugin", str(BIN.parent / "plugins/plugin_faults.so")]


def submit(c, *args):
    return c.ok("submit", *args, "--json").json["job"]


def status(c, job):
    return c.ok("status", job, "--json").json


def test_queued_and_running(cluster):
    c = cluster(workers=1)
    job = submit(c, "sleep", "--array", "0-999999", "--args", '{"ms": 600000}')
    wait_for(lambda: status(c, job)["running"] > 0, what="some run")
    said = c.ok("cancel", job[:13])
    assert job in said.stderr and "cancelled" in said.stderr and said.stdout == ""
    done = c.ok("cancel", job, "--json").json
    assert done["cancelled"] + done["running"] == 1000000 and "first" not in done
    assert c.run("wait", job).status == 1
    assert status(c, job)["cancelled"] == 1000000 and status(c, job)["state"] == "cancelled"
    rows = c.ok("results", job).stdout
    assert rows.count('"status":"cancelled"') == 1000000
    assert c.ok("cancel", job).status == 0


def test_a_range(cluster):
    c = cluster(workers=1)
    job = submit(c, "sleep", "--array", "100-199", "--args", '{"ms": 300}')
    said = c.ok("cancel", job, "150-159")
    assert f"cancelling tasks 150 to 159 of job {job}: in all " in said.stderr and " of 100 tasks cancelled" in said.stderr, repr(said)
    row = c.ok("cancel", job, "150-159", "--json").json
    assert (row["total"], row["first"], row["last"]) == (100, 150, 159)
    assert c.run("wait", job).status == 1
    rows = c.ok("results", job).rows
    assert [row["index"] for row in rows if row["status"] == "cancelled"] == list(range(150, 160))
    assert all(row["status"] == "done" for row in rows if not 150 <= row["index"] < 160)
    assert rows[50]["error"]["code"] == "cancelled"
    said = c.ok("cancel", job, "150-150")
    assert said.stderr == f"seedcore: cancelling task 150 of job {job}: it has ended (cancelled), in all 10 of 100 tasks are cancelled\n"


def test_what_does_not_end_loses_its_process(cluster):
    """`t.stubborn` never looks whether it is wanted; what ran beside it runs again, at its first attempt."""
    c = cluster(workers=1, args=[*PLUGIN, "--cancel-grace", "200ms"])
    beside = submit(c, "sleep", "--array", "0-9", "--args", '{"ms": 1500}')
    job = submit(c, "t.stubborn", "--args", "600000")
    wait_for(lambda: status(c, job)["running"] == 1 and status(c, beside)["running"] == 10, what="both run")
    before = c.pids("seedcore-worker")
    c.ok("cancel", job)
    assert c.run("wait", job, timeout=20).status == 1
    assert status(c, job)["state"] == "cancelled"
    wait_for(lambda: len(set(c.pids("seedcore-worker")) - set(before)) == 1, what="another process")
    assert c.ok("wait", beside, timeout=20).status == 0
    assert all(row["attempt"] == 1 for row in c.ok("results", beside).rows)


def test_a_cancel_survives_the_coordinator(cluster):
    c = cluster(workers=1, args=PLUGIN)
    job = submit(c, "t.stubborn", "--array", "0-9", "--args", "2000")
    wait_for(lambda: status(c, job)["running"] > 0, what="some run")
    c.ok("cancel", job)
    pid = c.coordinator_pid()
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: c.pids("seedcore-coordinator") not in ([], [pid]), what="a new coordinator")
    assert c.run("wait", job, timeout=20).status == 1
    assert status(c, job)["cancelled"] == 10


@pytest.mark.parametrize("words, status, text", [
    (["ffffffff"], 1, "no such job"),
    (["nonsense"], 1, "no such job"),
    (["JOB", "7-3"], 2, "does not go up"),
    (["JOB", "x"], 2, "is not A-B"),
    (["JOB", "5-10"], 1, "the tasks of the job are 0 to 9"),
    (["JOB"], 1, "the job has ended: succeeded"),
    ([], 2, "JOB"),
    (["JOB", "1-2", "3-4"], 2, "3-4"),
])
def test_refusals(cluster, words, status, text):
    c = cluster(workers=1)
    job = submit(c, "echo", "--array", "0-9", "--wait")
    result = c.run("cancel", *[job if word == "JOB" else word for word in words])
    assert result.status == status and text in result.stderr, repr(result)
