# SPDX-License-Identifier: Apache-2.0
"""Jobs that have ended are tried again: what is dead or cancelled, and nothing else."""
import json
import os
import signal

import pytest

from cluster import BIN, wait_for

PLUGIN = ["--plugin", str(BIN.parent / "plugins/plugin_faults.so")]


def submit(c, *args, **kwargs):
    return c.ok("submit", *args, "--json", **kwargs).json["job"]


def status(c, job):
    return c.ok("status", job, "--json").json


def failing(c, n):
    """A job of which every tenth task is dead, after two attempts, until `file` is there."""
    file, tasks = c.folder / "there", c.folder / "tasks"
    tasks.write_text(f"{json.dumps(str(file))}\n" * n)
    job = submit(c, "t.until", "--input", str(tasks), "--retries", "1", "--backoff", "exp:1ms..1ms")
    assert c.run("wait", job, timeout=60).status == 1
    assert status(c, job)["dead"] == n // 10
    return job, file


def check_all_done(c, job, n, again):
    rows = c.ok("results", job).rows
    assert [row["index"] for row in rows] == list(range(n))
    assert all(row["status"] == "done" and row["attempt"] == 1 for row in rows), again


def test_dead_tasks_run_again(cluster):
    c = cluster(workers=2, args=PLUGIN)
    job, file = failing(c, 5000)
    assert all(row["attempt"] == 2 for row in c.ok("results", job).rows if row["status"] == "dead")
    said = c.ok("retry", job[:13])
    assert job in said.stderr and "500 of 5,000" in said.stderr and said.stdout == ""
    assert c.run("wait", job, timeout=60).status == 1
    assert status(c, job)["dead"] == 500, "they fail again"
    file.touch()
    row = c.ok("retry", job, "--dead", "--json").json
    assert row["job"] == job and row["state"] == "running" and row["ended_at"] is None, row
    assert c.ok("wait", job, "--json", timeout=60).json["state"] == "succeeded"
    check_all_done(c, job, 5000, "after two retries")
    assert c.ok("retry", job, "--json").json["state"] == "succeeded", "nothing is left to try"


def test_cancelled_tasks_run_again(cluster):
    """Of an array, over a restart of the coordinator; a reader that follows sees every result once."""
    c = cluster(workers=1)
    job = submit(c, "sleep", "--array", "100-2099", "--args", '{"ms": 20}')
    wait_for(lambda: status(c, job)["done"] > 0, what="some are done")
    c.ok("cancel", job)
    assert c.run("wait", job).status == 1
    before = status(c, job)
    assert not before["retried"] and "retried" not in c.ok("jobs").stdout
    assert before["state"] == "cancelled" and before["cancelled"] > 0
    refused = c.run("retry", job, "--dead")
    assert refused.status == 1 and "none of its tasks is dead" in refused.stderr, repr(refused)
    c.ok("retry", job)
    reader = c.start("results", job, "--wait")
    os.kill(c.coordinator_pid(), signal.SIGKILL)
    row = c.ok("wait", job, "--json", timeout=60).json
    assert row["state"] == "succeeded" and row["retried"] and row["submitted_at"] == before["submitted_at"], row
    assert ", retried\n" in c.ok("jobs").stdout and "retried since" in c.ok("status", job).stdout
    rows = [json.loads(line) for line in reader.result(60).stdout.splitlines()]
    assert [row["index"] for row in rows] == list(range(100, 2100))
    assert all(row["status"] == "done" for row in rows)


def test_coordinator_killed_around_retry(cluster):
    """Before, while and after: the job has ended or is open again, and each task ends once."""
    c = cluster(workers=2, args=PLUGIN)
    job, file = failing(c, 1000)
    for i in range(6):
        if i == 5:
            file.touch()
        pid = c.coordinator_pid()
        client = c.start("retry", job, "--json")
        if i % 2:
            assert client.result(30).status == 0
        os.kill(pid, signal.SIGKILL)
        assert i % 2 or client.result(30).status == 0, "it is said again"
        c.run("wait", job, timeout=60)
        row = status(c, job)
        assert row["done"] + row["dead"] == 1000 and row["cancelled"] == 0, row
    if row["dead"]:  # the last ones had failed before the file was there
        c.ok("retry", job)
        c.ok("wait", job, timeout=60)
    check_all_done(c, job, 1000, "after the kills")


@pytest.mark.parametrize("args, state, text", [
    (["echo"], "succeeded", "nothing to try again"),
    (["fail", "--args", '{"code": "no", "message": "no"}', "--volatile"], "failed", "submit it again"),
    (["sleep", "--args", '{"ms": 3000}'], "running", "has not ended"),
])
def test_refused(cluster, args, state, text):
    c = cluster(workers=1, args=["--test-handlers"])
    job = submit(c, *args)
    wait_for(lambda: status(c, job)["state"] == state, what=state)
    result = c.run("retry", job)
    assert result.status == 1 and text in result.stderr and result.stdout == "", repr(result)
    assert status(c, job)["state"] == state


def test_what_waits_for_a_failed_job(cluster):
    """A child that was cancelled with its parent runs again once the parent has."""
    c = cluster(workers=1, args=PLUGIN)
    parent, file = failing(c, 10)
    child = submit(c, "echo", "--after", parent)
    assert c.run("wait", child).status == 1
    refused = c.run("retry", child)
    assert refused.status == 1 and parent in refused.stderr and "comes first" in refused.stderr, repr(refused)
    file.touch()
    c.ok("retry", parent)
    c.ok("retry", child)
    assert c.ok("wait", child, "--json").json["state"] == "succeeded"
    assert status(c, parent)["state"] == "succeeded"
