# SPDX-License-Identifier: Apache-2.0
"""Time limits of tasks: told to end, ended hard, and not begun in time."""
import pytest

from cluster import BIN, wait_for

PLUGIN = ["--plugin", str(BIN.parent / "plugins/plugin_faults.so")]


def submit(c, *args):
    return c.ok("submit", *args, "--json").json["job"]


def rows(c, job, timeout=30):
    c.run("wait", job, timeout=timeout)
    return [(row["status"], row.get("error", {}).get("code"), row["attempt"]) for row in c.ok("results", job).rows]


def test_timeout(cluster):
    """Each attempt has its time anew; `sleep` ends when it is told, and that is a failure."""
    c = cluster(workers=1)
    job = submit(c, "sleep", "--array", "0-2", "--args", '{"ms": 600000}', "--timeout", "150ms", "--retries", "2",
                 "--backoff", "exp:1ms..1ms")
    assert rows(c, job) == [("dead", "timeout", 3)] * 3
    assert rows(c, submit(c, "sleep", "--args", '{"ms": 50}', "--timeout", "10s")) == [("done", None, 1)]


def test_kill_after(cluster):
    """The process is replaced, twice; what ran beside runs again and has used up no attempt."""
    c = cluster(workers=1, args=PLUGIN)
    beside = submit(c, "sleep", "--args", '{"ms": 1000}')
    job = submit(c, "t.stubborn", "--args", "600000", "--kill-after", "200ms", "--retries", "1", "--backoff",
                 "exp:1ms..1ms")
    wait_for(lambda: c.ok("status", job, "--json").json["running"] == 1, what="it runs")
    before = c.pids("seedcore-worker")
    assert rows(c, job) == [("dead", "killed", 2)]
    wait_for(lambda: not set(c.pids("seedcore-worker")[1:]) & set(before[1:]), what="another process")
    assert rows(c, beside) == [("done", None, 1)]


def test_expires(cluster):
    """One runs, and is left alone; the others have not begun when their time is over."""
    c = cluster(workers=1, args=PLUGIN)
    job = submit(c, "t.stubborn", "--array", "0-9999", "--args", "1500", "--expires", "300ms")
    ended = rows(c, job)
    assert ended[0] == ("done", None, 1) and ended[1:] == [("dead", "expired", 1)] * 9999


@pytest.mark.parametrize("options, text", [
    (["--timeout", "0"], "--timeout: \"0\" is not a duration from 1ms to 20d"),
    (["--kill-after", "21d"], "--kill-after: \"21d\" is not a duration"),
    (["--expires", "soon"], "--expires: \"soon\" is not a duration"),
    (["--timeout", "2s", "--kill-after", "2s"], "--kill-after is no longer than --timeout"),
])
def test_bad_durations(sandbox, options, text):
    result = sandbox.run("submit", "echo", *options)
    assert result.status == 2 and text in result.stderr, repr(result)
