# SPDX-License-Identifier: Apache-2.0
"""Jobs whose arguments are the results of others."""
import json
import os
import signal


def submit(c, *args, **kwargs):
    return c.ok("submit", *args, "--json", **kwargs).json["job"]


def status(c, job):
    return c.ok("status", job, "--json").json


def test_results_as_arguments(cluster):
    """The values of an earlier job, in task order, wherever its results are named."""
    c = cluster(args=["--test-handlers"])
    for how in ([], ["--volatile"]):
        first = submit(c, "echo", "--array", "5-7", "--args", '{"i": "$index", "big": 12345678901234567890}', *how)
        second = submit(c, "echo", "--args", json.dumps({"of": {"$results": first[:25]}, "text": "{\"$results\":\"x\"}"}), *how)
        third = submit(c, "echo", "--array", "0-2", "--args", json.dumps(["$index", {"$results": first}, {"$results": second}]),
                       *how)
        c.ok("wait", third)
        values = [{"i": i, "big": 12345678901234567890} for i in (5, 6, 7)]
        assert c.ok("results", second).rows[0]["value"] == {"of": values, "text": "{\"$results\":\"x\"}"}
        for i, row in enumerate(c.ok("results", third).rows):
            assert row["value"] == [i, values, [{"of": values, "text": "{\"$results\":\"x\"}"}]]
        assert {row["job"] for row in status(c, third)["after"]} == {first, second}


def test_results_of_tasks_that_failed(cluster):
    """null in their places, where the later job does not ask for success."""
    c = cluster(args=["--test-handlers"])
    first = submit(c, "fail", "--array", "0-1", "--args", '{"code": "no", "message": "no"}')
    second = submit(c, "echo", "--args", json.dumps({"$results": first}), "--on", "any")
    c.ok("wait", second)
    assert c.ok("results", second).rows[0]["value"] == [None, None]


def test_results_over_a_restart(cluster):
    c = cluster()
    first = submit(c, "echo", "--array", "0-9999", "--args", '"$index"')
    pause = submit(c, "sleep", "--args", '{"ms": 1500}')
    second = submit(c, "echo", "--array", "0-3", "--args", json.dumps({"$results": first}), "--after", pause)
    c.ok("wait", first)
    os.kill(c.coordinator_pid(), signal.SIGKILL)
    c.ok("wait", second, timeout=60)
    assert [row["value"] for row in c.ok("results", second).rows] == [list(range(10000))] * 4


def test_results_that_are_too_large(cluster):
    c = cluster()
    first = submit(c, "echo", "--input", "-", input=(json.dumps("x" * 1000000) + "\n") * 20)
    second = submit(c, "echo", "--args", json.dumps([{"$results": first}]))
    assert c.run("wait", second, timeout=60).status == 1
    error = c.ok("results", second).rows[0]["error"]
    assert error["code"] == "too_large" and first in error["message"], error
