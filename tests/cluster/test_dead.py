# SPDX-License-Identifier: Apache-2.0
"""Dead tasks: which there are, why, and how they were tried."""
import json

import pytest

from cluster import BIN

PLUGIN = ["--plugin", str(BIN.parent / "plugins/plugin_faults.so")]
NOT_YET = {"code": "not_yet", "message": "the file is not there"}


def submit(c, *args):
    return c.ok("submit", *args, "--json").json["job"]


def failing(c, n, retries):
    """A job of which every tenth task is dead, until `file` is there."""
    file, tasks = c.folder / "there", c.folder / "tasks"
    tasks.write_text(f"{json.dumps(str(file))}\n" * n)
    job = submit(c, "t.until", "--input", str(tasks), "--retries", str(retries), "--backoff", "exp:1ms..1ms")
    assert c.run("wait", job, timeout=60).status == 1
    return job, file


def test_every_try_is_told(cluster):
    c = cluster(workers=2, args=PLUGIN)
    assert c.ok("dead", "--json").stdout == c.ok("dead").stdout == ""
    fine = submit(c, "echo")
    job, _ = failing(c, 3000, 2)
    c.ok("wait", fine)
    assert [row["job"] for row in c.ok("dead", "--json").rows] == [job]
    rows = c.ok("dead", job[:13], "--json").rows
    assert [row["index"] for row in rows] == list(range(3, 3000, 10))
    for row in rows:
        assert set(row) == {"index", "attempt", "worker", "error", "history"}
        assert row["attempt"] == 3 and row["error"] == NOT_YET and row["worker"] in ("w-1", "w-2")
        assert [one["attempt"] for one in row["history"]] == [1, 2]
        for one in row["history"]:
            assert set(one) == {"attempt", "at", "worker", "error"}
            assert one["error"] == NOT_YET and one["worker"] in ("w-1", "w-2") and one["at"].endswith("Z")
    assert len(c.ok("dead", job, "--json", "--limit", "7").rows) == 7
    lines = c.ok("dead", job).stdout.splitlines()
    assert lines[0].split() == ["TASK", "ATTEMPT", "AT", "WORKER", "ERROR"]
    assert len(lines) == 1 + 3 * 100 and "not_yet: the file is not there" in lines[1]


def test_after_a_retry(cluster):
    """What was tried again and is done is in no list; what failed again has the tries since then."""
    c = cluster(workers=1, args=PLUGIN)
    job, file = failing(c, 40, 1)
    c.ok("retry", job)
    assert c.run("wait", job).status == 1
    rows = c.ok("dead", job, "--json").rows
    assert [(row["index"], row["attempt"], len(row["history"])) for row in rows] == [
        (3, 2, 1), (13, 2, 1), (23, 2, 1), (33, 2, 1)]
    file.touch()
    c.ok("retry", job)
    c.ok("wait", job)
    assert c.ok("dead", job, "--json").stdout == c.ok("dead", "--json").stdout == ""


def test_one_among_many(cluster):
    """One dead task of a million is found without reading the others."""
    c = cluster(workers=2, args=["--test-handlers"])
    job = submit(c, "echo", "--array", "0-999999")
    c.ok("wait", job, timeout=120)
    last = submit(c, "crash", "--array", "7-7")
    assert c.run("wait", last, timeout=60).status == 1
    assert c.ok("dead", job, "--json").stdout == ""
    row = c.ok("dead", last, "--json").json
    assert row["index"] == 7 and row["error"]["code"] == "poison"
    assert [one["error"]["code"] for one in row["history"]] == ["died", "died"]
    assert all(one["at"].endswith("Z") and one["worker"] == "" for one in row["history"]) and row["worker"] == ""
    table = [line.split() for line in c.ok("dead", last).stdout.splitlines()[1:]]
    assert [line[2] != "-" for line in table] == [False, True, True], "of the last nobody keeps when"


@pytest.mark.parametrize("args", [["--volatile"], []])
def test_volatile_too(cluster, args):
    c = cluster(workers=1, args=["--test-handlers"])
    job = submit(c, "fail", "--array", "0-4", "--args", '{"code": "no", "message": "it may not"}', *args)
    c.run("wait", job)
    rows = c.ok("dead", job, "--json").rows
    assert [row["index"] for row in rows] == [0, 1, 2, 3, 4]
    assert all(row["error"] == {"code": "no", "message": "it may not"} and row["history"] == [] for row in rows)


@pytest.mark.parametrize("args, exit_status, text", [
    (["zz"], 1, ""),
    (["--limit", "0"], 2, "--limit"),
    (["1", "2"], 2, ""),
])
def test_refused(cluster, args, exit_status, text):
    result = cluster(workers=1).run("dead", *args)
    assert result.status == exit_status and text in result.stderr and result.stdout == "", repr(result)
