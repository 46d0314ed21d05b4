# SPDX-License-Identifier: Apache-2.0
"""Jobs that wait for others."""
import os
import signal

import pytest


def submit(c, *args, **kwargs):
    return c.ok("submit", *args, "--json", **kwargs).json["job"]


def status(c, job):
    return c.ok("status", job, "--json").json


def test_waits_for_success(cluster):
    """The later job is open while the earlier one runs, over a restart of the coordinator too."""
    c = cluster()
    first = submit(c, "sleep", "--args", '{"ms": 2000}')
    other = submit(c, "echo")
    second = submit(c, "echo", "--array", "0-9", "--after", f"{first[:20]},{other}")
    assert status(c, second)["state"] == "open" and status(c, second)["queued"] == 10
    os.kill(c.coordinator_pid(), signal.SIGKILL)
    assert c.ok("wait", second, "--json").json["done"] == 10
    row = status(c, second)
    assert row["after"] == [{"job": first, "state": "succeeded"}, {"job": other, "state": "succeeded"}]
    assert row["on"] == "success"
    assert status(c, first)["ended_at"] <= row["ended_at"]
    human = c.ok("status", second).stdout
    assert f"{first} succeeded" in human, human


def test_a_failed_parent_cancels(cluster):
    c = cluster(args=["--test-handlers"])
    first = submit(c, "fail", "--args", '{"code": "no", "message": "no"}')
    c.run("wait", first)
    second = submit(c, "echo", "--array", "0-2", "--after", first)
    third = submit(c, "echo", "--after", second)
    anyway = submit(c, "echo", "--after", f"{first},{second}", "--on", "any")
    result = c.run("wait", second, third)
    assert result.status == 1
    assert f"job {second} was cancelled since job {first}, which it waited for, failed" in result.stderr, repr(result)
    assert status(c, second)["state"] == status(c, third)["state"] == "cancelled"
    row = c.ok("results", second).rows[0]
    assert row["status"] == "cancelled" and row["error"] == {
        "code": "parent_failed", "message": f"job {first}, which it waited for, failed"}
    assert f"job {second}, which it waited for, was cancelled" in c.ok("results", third).stdout
    assert c.ok("wait", anyway, "--json").json["state"] == "succeeded"


@pytest.mark.parametrize("args, exit_status, text", [
    (["--after", "0123"], 1, "no such job"),
    (["--after", "xyz"], 1, "xyz"),
    (["--after", ""], 2, '--after: "" is not a job'),
    (["--after", ","], 2, '--after: "" is not a job'),
    (["--after", ",".join(["0123"] * 17)], 2, "at most 16"),
    (["--on", "any"], 2, "--after"),
    (["--after", "01", "--on", "never"], 2, "neither success nor any"),
])
def test_bad_parents(cluster, args, exit_status, text):
    result = cluster(workers=1).run("submit", "echo", *args)
    assert result.status == exit_status and text in result.stderr, repr(result)


def test_volatile_parent(cluster):
    c = cluster(workers=1)
    first = submit(c, "echo", "--volatile")
    result = c.run("submit", "echo", "--after", first)
    assert result.status == 1 and "volatile" in result.stderr, repr(result)
    assert c.ok("submit", "echo", "--after", first, "--volatile", "--wait").status == 0
