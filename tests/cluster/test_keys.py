# SPDX-License-Identifier: Apache-2.0
"""One job for one key: the same again is the same job, also from other processes, after its end and over a restart."""
import json
import os
import signal
import subprocess

from cluster import BIN


def submit(c, *args, **kwargs):
    return c.ok("submit", *args, "--json", **kwargs).json["job"]


def test_same_again(cluster):
    c = cluster()
    lines = "".join(json.dumps({"n": n}) + "\n" for n in range(5000))
    upload = ["echo", "--input", "-", "--key", "lines"]
    array = ["echo", "--array", "1-50", "--args", '{"n": "$index"}', "--key", "array"]
    single = ["echo", "--args", "17", "--key", "single"]
    jobs = {name: submit(c, *args, input=lines if "-" in args else None)
            for name, args in (("lines", upload), ("array", array), ("single", single))}
    assert len(set(jobs.values())) == 3
    for again in ("at once", "after its end", "after a restart"):
        if again != "at once":
            c.ok("wait", *jobs.values())
        if again == "after a restart":
            os.kill(c.coordinator_pid(), signal.SIGKILL)
        assert submit(c, *upload, input=lines) == jobs["lines"], again
        assert submit(c, *array, "--name", "another label") == jobs["array"], again
        assert submit(c, *single) == jobs["single"], again
    assert len(c.ok("jobs", "--json").rows) == 3, "what was uploaded again is gone"
    assert c.ok("status", jobs["lines"], "--json").json["key"] == "lines"


def test_other_content(cluster):
    c = cluster()
    job = submit(c, "echo", "--array", "1-5", "--key", "k")
    for other in (["echo", "--array", "1-6"], ["sleep", "--array", "1-5"], ["echo", "--array", "1-5", "--retries", "1"],
                  ["echo", "--args", "1"], ["echo", "--array", "1-5", "--volatile"]):
        result = c.run("submit", *other, "--key", "k")
        assert result.status == 1 and job in result.stderr and "key k" in result.stderr, repr(result)
    assert len(c.ok("jobs", "--json").rows) == 1


def test_many_at_once(cluster):
    """Ten processes submit the same: one job, and its tasks run once."""
    c = cluster()
    lines = "".join(f"{n}\n" for n in range(3000))
    programs = [subprocess.Popen([BIN / "seedcore", "submit", "echo", "--input", "-", "--key", "k", "--endpoint", c.endpoint],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(10)]
    for program in programs:
        program.stdin.write(lines)
    said = {program.communicate()[0] for program in programs}
    assert len(said) == 1 and all(program.returncode == 0 for program in programs)
    assert c.ok("wait", said.pop().strip(), "--json").json["done"] == 3000
    assert len(c.ok("jobs", "--json").rows) == 1


def test_bad_key(sandbox):
    for key in ("", "x" * 201, "a\tb"):
        result = sandbox.run("submit", "echo", "--key", key)
        assert result.status == 2 and "--key" in result.stderr, repr(result)
