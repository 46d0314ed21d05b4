# SPDX-License-Identifier: Apache-2.0
"""Tasks from the command line: what is submitted, what comes back, what happens on the way."""
import contextlib
import json
import os
import signal

import pytest

from cluster import Cluster, wait_for


@pytest.fixture(scope="module")
def c():
    """One cluster for the tests that leave no trace."""
    with contextlib.closing(Cluster(workers=2, args=["--test-handlers"])) as cluster:
        yield cluster


def submit(c, *args, **options):
    return c.ok("submit", *args, "--json", **options).json["job"]


def results(c, job):
    return c.ok("results", job, "--wait").rows


def jobs(c):
    return [row["job"] for row in c.ok("jobs", "--json").rows]


@pytest.mark.parametrize("text, values", [
    ("1\n2\n", [1, 2]),
    ("1\r\n\r\n2", [1, 2]),
    ("\n  \n\"a\"\n\n", ["a"]),
    ('{"n": 123456789012345678901234567890}\n', [{"n": 123456789012345678901234567890}]),
    ('{"a":\t1}\n', [{"a": 1}]),
], ids=["lines", "CRLF", "blank lines", "large integer", "tab"])
def test_lines(c, text, values):
    rows = results(c, submit(c, "echo", "--input", "-", input=text))
    assert [row["value"] for row in rows] == values
    assert [row["index"] for row in rows] == list(range(len(values)))
    assert all(row["status"] == "done" and row["attempt"] == 1 and row["worker"] for row in rows), rows


@pytest.mark.parametrize("text, where", [
    (b"1\n{\n3\n", "<stdin>:2: "),
    (b"1\n\n\n1 2\n", "<stdin>:4: "),
    (b'1\n"\xff"\n', "<stdin>:2: "),
    (b"1\nnul", "<stdin>:2: "),
    (b"", "<stdin>: "),
    (b"\n \n", "<stdin>: "),
], ids=["second line", "two values", "UTF-8", "last line", "empty", "blank"])
def test_bad_input_queues_nothing(c, text, where):
    file = c.folder / "input"
    file.write_bytes(text)
    before = jobs(c)
    result = c.run("/bin/sh", "-c", f"seedcore submit echo --input - <{file}")
    assert result.status == 1 and result.stdout == "" and where in result.stderr, repr(result)
    result = c.run("submit", "echo", "--input", file)
    assert result.status == 1 and where.replace("<stdin>", str(file)) in result.stderr, repr(result)
    assert jobs(c) == before


def test_input_that_cannot_be_read(c):
    for path in ("/nonexistent/file", c.folder):
        result = c.run("submit", "echo", "--input", path)
        assert result.status == 1 and str(path) in result.stderr, repr(result)


@pytest.mark.parametrize("options, values", [
    ([], {0: None}),
    (["--args", "[1.0]"], {0: [1.0]}),
    (["--args", '"$index"'], {0: "$index"}),
    (["--array", "3-3"], {3: None}),
    (["--array", "18446744073709551614-18446744073709551614"],
     {18446744073709551614: None}),
    (["--array", "5-7", "--args", '{"i":"$index","x":"$index!"}'],
     {i: {"i": i, "x": "$index!"} for i in (5, 6, 7)}),
], ids=["nothing", "args", "args without array", "one index", "largest index",
        "array"])
def test_tasks_without_lines(c, options, values):
    rows = results(c, submit(c, "echo", *options))
    assert {row["index"]: row["value"] for row in rows} == values


@pytest.mark.parametrize("args, is_said", [
    ('{"name":"item-$index"}', True),
    ('{"name":"item-$index","n":"$index"}', False),
    ('"$index"', False),
    ('"index"', False),
])
def test_index_inside_a_string_is_said(c, args, is_said):
    for options, is_array in (["--array", "1-2"], True), ([], False):
        result = c.ok("submit", "echo", "--args", args, *options)
        assert ("here it stays as it is" in result.stderr) == (is_said and is_array), repr(result)


def test_many_lines_keep_their_order(c):
    file = c.folder / "many"
    file.write_text("".join(f'{{"n":{i}}}\n' for i in range(20000)))
    output = c.folder / "out"
    result = c.ok("submit", "echo", "--input", file, "--output", output)
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert [(row["index"], row["value"]["n"]) for row in rows] == [(i, i) for i in range(20000)]
    assert c.ok("wait", result.stdout.strip(), "--json").json["done"] == 20000


def test_job_is_shown_as_it_is(c):
    job = submit(c, "echo", "--name", "a label", "--array", "1-3", "--wait")
    row = c.ok("status", job, "--json").json
    assert (row["job"], row["name"], row["handler"], row["state"]) == (job, "a label", "echo", "succeeded")
    assert (row["total"], row["done"]) == (3, 3)
    assert row["total"] == sum(row[k] for k in ("queued", "delayed", "running", "done", "dead", "cancelled"))
    assert row["submitted_at"] and row["ended_at"]
    shown = {name: value for name, value in row.items() if name not in ("progress", "reporting")}  # of one job alone
    assert c.ok("jobs", "--limit", "1", "--json").json == shown
    assert c.ok("status", job[:30], "--json").json["job"] == job, "by a prefix"
    assert "a label" in c.ok("status", job).stdout


def test_unknown_job(c):
    for verb in ("status", "wait", "results"):
        for job in ("ffffffff", "no-id-at-all"):
            result = c.run(verb, job)
            assert result.status == 1 and result.stdout == "" and job in result.stderr, repr(result)


def test_failed_tasks(c):
    args = '{"code":"odd","message":"it is odd"}'
    result = c.run("submit", "fail", "--args", args, "--wait")
    assert result.status == 1, repr(result)
    job = result.stdout.strip()
    assert c.run("wait", job).status == 1
    row = c.ok("results", job).json
    assert row["status"] == "dead" and "value" not in row, row
    assert row["error"]["code"] == "odd" and row["error"]["message"] == "it is odd", row
    assert job in [row["job"] for row in c.ok("jobs", "--state", "failed", "--json").rows]


def test_wait_for_several(c):
    good, bad = submit(c, "echo"), submit(c, "fail", "--args", '{"code":"x","message":"y"}')
    result = c.run("wait", good, bad, "--json")
    assert result.status == 1, repr(result)
    assert [(row["job"], row["state"]) for row in result.rows] == [(good, "succeeded"), (bad, "failed")]
    assert c.run("wait", good, good).status == 0


def test_call(c):
    assert c.ok("call", "echo", "--args", '{"a": 1}').json == {"a": 1}
    row = c.ok("call", "echo", "--args", "7", "--json").json
    assert row["status"] == "done" and row["value"] == 7, row
    result = c.run("call", "fail", "--args", '{"code":"odd","message":"it is odd"}')
    assert result.status == 1 and result.stdout == "" and "it is odd" in result.stderr, repr(result)
    result = c.run("call", "sleep", "--args", '{"ms":60000}', "--timeout", "50ms")
    assert result.status == 1 and result.stdout == "", repr(result)


@pytest.mark.parametrize("task, code", [
    (["fail", "--args", '{"code":"odd","message":"it is odd"}'], "odd"),
    (["crash"], "poison"),
    (["sleep", "--args", '{"ms":60000}', "--timeout", "50ms"], "timeout"),
], ids=["fail", "crash", "timeout"])
def test_call_that_ends_badly_has_a_result_line(cluster, task, code):
    c = cluster(workers=1, args=["--test-handlers"], crashes=True, env={"SEEDCORE_DRAIN_TIMEOUT": "50ms"})
    result = c.run("call", *task, "--json")
    assert result.status == 1 and result.stderr == "", repr(result)
    row = result.json
    assert set(row) == {"index", "status", "attempt", "worker", "error"}, row
    assert (row["index"], row["status"], row["error"]["code"]) == (0, "dead", code) and row["error"]["message"], row
    result = c.run("call", "nothing", "--json")
    assert result.status == 1 and result.stdout == "", "a refusal is no result"


def test_failed_job_says_its_first_error(c):
    lines = ['{"code":"%s","message":"it is %s","retryable":false}' % (word, word) for word in ("odd", "even")]
    result = c.run("submit", "fail", "--input", "-", "--wait", input="\n".join(lines))
    job = result.stdout.strip()
    assert result.status == 1, repr(result)
    want = f"seedcore: task 0: odd: it is odd; see: seedcore dead {job}\n"
    assert want in result.stderr, repr(result)
    result = c.run("wait", submit(c, "echo", "--wait"), job[:30])
    assert result.status == 1 and result.stderr == want, repr(result)
    assert "task 0: odd: it is odd\n" in c.ok("status", job).stdout
    result = c.run("call", "fail", "--args", lines[1])
    assert result.stderr == "seedcore: fail failed: even: it is even\n", repr(result)


def test_unknown_handler(c):
    for command in (["submit", "nothing"], ["call", "nothing"], ["submit", "nothing", "--array", "1-2"]):
        result = c.run(*command)
        assert result.status == 1 and "nothing" in result.stderr, repr(result)


@pytest.mark.parametrize("job", ["ffffffff", "nonsense", "0193a5e0-0000-7000-8000-000000000001"])
@pytest.mark.parametrize("verb", ["status", "wait", "results"])
def test_no_such_job(c, verb, job):
    result = c.run(verb, job)
    assert result.status == 1 and result.stderr.startswith(f"seedcore: job {job}: no such job"), repr(result)


def test_control_characters_are_escaped(c):
    job = submit(c, "echo", "--args", '"\x7f\u009b"', "--wait")
    for command in (["jobs"], ["status", job], ["wait", job], ["results", job]):
        result = c.ok(*command)
        assert "\x1b" not in result.stdout and "\x7f" not in result.stdout and "\u009b" not in result.stdout, \
            repr(result)
    assert results(c, job)[0]["value"] == "\x7f\u009b"
    assert c.run("submit", "echo", "--name", "a\x1b[31mb").status == 2


def test_value_on_several_lines_is_printed_on_one(c):
    assert c.ok("call", "echo", "--args", '{"a":\n1}').stdout.count("\n") == 1


def test_reader_that_ends_early(c):
    job = submit(c, "echo", "--array", "1-20000", "--wait")
    result = c.run("/bin/sh", "-c", f"seedcore results {job} | head -n 1")
    assert result.status == 0 and result.stderr == "" and len(result.rows) == 1, repr(result)


@pytest.mark.parametrize("command", ["results", "submit"])
def test_slow_reader_does_not_cost_the_session(cluster, command):
    c = cluster(workers=1, env={"SEEDCORE_HEARTBEAT": "20ms", "SEEDCORE_PEER_LEASE": "200ms"})
    tasks, fifo = ["echo", "--array", "1-20000"], c.folder / "go"
    os.mkfifo(fifo)
    what = f"results {submit(c, *tasks, '--wait')}" if command == "results" else f"submit {' '.join(tasks)} --output -"
    process = c.start("/bin/sh", "-c", f"seedcore {what} | (read line <{fifo}; cat)")
    wait_for(lambda: c.ok("status", "--json").json["clients"] > 1, what="its session")
    c.ok("call", "sleep", "--args", '{"ms":600}')  # three leases
    fifo.write_text("go\n")
    result = process.result()
    assert result.status == 0 and "lost" not in result.stderr, result.stderr
    assert [row["index"] for row in result.rows] == list(range(1, 20001))
    assert c.ok("status", "--json").json["peers_lost"] == 0


def test_full_disk(c):
    job = submit(c, "echo", "--wait")
    for command in (f"seedcore results {job} >/dev/full", f"seedcore results {job} --output /dev/full"):
        result = c.run("/bin/sh", "-c", command)
        assert result.status == 1 and "No space left" in result.stderr, repr(result)


def test_output_replaces_a_file_only_when_it_is_whole(c):
    file = c.folder / "results"
    file.write_text("old")
    result = c.run("results", "ffffffff", "--output", file)
    assert result.status == 1 and file.read_text() == "old", repr(result)
    c.ok("results", submit(c, "echo", "--wait"), "--output", file)
    assert json.loads(file.read_text())["status"] == "done"
    assert [p.name for p in c.folder.glob("results*")] == ["results"]


def test_status_says_what_lies_on_disk(cluster):
    c = cluster(workers=1, env={"SEEDCORE_RESULT_MEMORY": "64KiB"})
    submit(c, "echo", "--volatile", "--array", "1-300", "--args", f'"{"x" * 10000}"', "--wait")
    wait_for(lambda: c.ok("status", "--json").json["spill_bytes"] > 2_500_000, what="results in the file")
    assert c.ok("status", "--json").json["memory_bytes"] < 500_000


def test_output_without_all_results_does_not_appear(cluster):
    c = cluster(workers=1, env={"SEEDCORE_RESULT_MEMORY": "0", "SEEDCORE_SPILL_MAX": "1MiB"})
    file = c.folder / "results"
    file.write_text("old")
    first = submit(c, "echo", "--volatile", "--wait")
    c.run("submit", "echo", "--volatile", "--array", "1-300", "--args", f'"{"x" * 10000}"', "--wait")  # needs the room of the first
    result = c.run("results", first, "--output", file)
    assert result.status == 1 and "dropped" in result.stderr, repr(result)
    assert file.read_text() == "old"
    assert [p.name for p in c.folder.glob("results*")] == ["results"]


def test_output_to_stdout(c):
    for options in (["-"], ["-", "--json"], ["/dev/stdout"]):
        result = c.ok("submit", "echo", "--array", "1-2", "--output", *options)
        assert [row["index"] for row in result.rows] == [1, 2], repr(result)
        job = result.stderr.splitlines()[0].removeprefix("seedcore: job ")
        assert [row["index"] for row in c.ok("results", job, "--output", "-").rows] == [1, 2]
    result = c.run("/bin/sh", "-c", "seedcore submit echo --array 1-20000 --output - | head -n 1")
    assert result.status == 0 and len(result.stdout.splitlines()) == 1, repr(result)


def test_results_follow(c):
    job = submit(c, "sleep", "--input", "-", input='{"ms":1}\n{"ms":500}\n')
    process = c.start("results", job, "--wait")
    wait_for(lambda: process.peek().rows, what="the first line, before the job has ended")
    assert [row["index"] for row in process.result().rows] == [0, 1]


def test_interrupt_while_waiting_leaves_the_job(c):
    process = c.start("submit", "sleep", "--args", '{"ms":300}', "--wait")
    job = wait_for(lambda: process.peek().stdout.strip(), what="the id")
    process.signal(signal.SIGINT)
    result = process.result()
    assert result.status == 130 and f"seedcore wait {job}" in result.stderr, repr(result)
    assert c.ok("wait", job, "--json").json["state"] == "succeeded"


def test_interrupt_says_how_to_wait(cluster):
    c = cluster(workers=1, env={"SEEDCORE_DRAIN_TIMEOUT": "50ms"})
    job = submit(c, "sleep", "--args", '{"ms":60000}')
    clients = c.ok("status", "--json").json["clients"]
    for command in (["wait"], ["results", "--wait"]):
        for option in ([], ["--endpoint", c.endpoint]):
            process = c.start(*command, job, *option, env={"SEEDCORE_ENDPOINT": None} if option else None)
            wait_for(lambda: c.ok("status", "--json").json["clients"] > clients, what="its session")
            process.signal(signal.SIGINT)
            result = process.result()
            line = " ".join(["seedcore wait", job, *option])
            assert result.status == 130 and f"{line}\n" in result.stderr, repr(result)
            wait_for(lambda: c.ok("status", "--json").json["clients"] == clients, what="the end of its session")


def test_interrupt_during_the_upload_drops_the_job(c):
    before = jobs(c)
    fifo = c.folder / "fifo"
    os.mkfifo(fifo)
    process = c.start("submit", "echo", "--input", fifo)
    with open(fifo, "w") as writer:
        writer.write("1\n")
        writer.flush()
        wait_for(lambda: c.ok("status", "--json").json["clients"] > 1, what="its session")
        process.signal(signal.SIGINT)
        result = process.result()
    assert result.status == 130 and result.stdout == "", repr(result)
    assert jobs(c) == before


def test_progress_only_on_a_terminal(c):
    command = ["submit", "sleep", "--array", "1-3", "--args", '{"ms":400}', "--wait"]
    on_terminal = c.run_on_terminal(*command)
    assert on_terminal.status == 0 and "\x1b[K" in on_terminal.stdout and "%" in on_terminal.stdout, repr(on_terminal)
    assert max(map(len, on_terminal.stdout.replace("\x1b[K", "\r").replace("\n", "\r").split("\r"))) < 110
    result = c.ok(*command)
    assert "\x1b" not in result.stderr and "\r" not in result.stderr, repr(result)
    dumb = c.run_on_terminal(*command, env={"TERM": "dumb"})
    assert "\x1b" not in dumb.stdout, repr(dumb)


def test_empty_answers_are_said_on_a_terminal(cluster):
    c = cluster(workers=1, env={"SEEDCORE_DRAIN_TIMEOUT": "50ms"})

    def said(*command):
        assert c.ok(*command).stderr == "", command
        return c.run_on_terminal(*command).stdout
    assert said("jobs") == "seedcore: no jobs\r\n"
    assert said("jobs", "--state", "open") == "seedcore: no open jobs\r\n"
    job = submit(c, "sleep", "--args", '{"ms":60000}', "--array", "1-2000")
    assert said("results", job) == "seedcore: none of 2,000 tasks has ended yet; --wait follows\r\n"
    assert "no jobs" not in said("jobs") and "no worker" not in said("workers")


def test_colour(c):
    submit(c, "echo", "--wait")
    assert "\x1b[32m" in c.run_on_terminal("jobs").stdout
    assert "\x1b[" not in c.run_on_terminal("jobs", env={"NO_COLOR": "1"}).stdout
    assert "\x1b" not in c.ok("jobs").stdout


@pytest.mark.parametrize("columns", [40, 50, 80, 120])
def test_tables_fit_the_terminal(c, columns):
    submit(c, "echo", "--name", "n" * 150, "--array", "1-100000", "--wait")
    for command in (["jobs"], ["workers"], ["handlers"], *([["status"]] if columns >= 80 else [])):
        lines = c.run_on_terminal(*command, columns=columns, env={"NO_COLOR": "1"}).stdout.splitlines()
        assert max(map(len, lines)) <= columns, (command, lines)


def test_no_worker_has_joined(sandbox):
    coordinator = sandbox.start("seedcore-coordinator", "--endpoint", sandbox.endpoint, "--dir", sandbox.dir)
    wait_for(lambda: "ready" in coordinator.peek().stderr, what="the coordinator")
    assert sandbox.run_on_terminal("workers").stdout == "seedcore: no worker is ready\r\n"
    for command in (["submit", "echo"], ["call", "echo"], ["submit", "echo", "--array", "1-2"]):
        result = sandbox.run(*command, "--connect-timeout", "1s")
        assert result.status == 1 and "no worker has joined yet" in result.stderr, repr(result)


def test_the_time_of_a_call_holds_without_workers(sandbox):
    """It gives up when it is over, however long others would wait for a first worker; one that joins in time is in time."""
    sandbox.start("seedcore-coordinator").endpoint()
    call = ["call", "echo", "--args", "1", "--connect-timeout", "60s"]
    result = sandbox.run(*call, "--timeout", "300ms")
    assert result.status == 1 and "no worker has joined yet" in result.stderr and result.stdout == "", repr(result)
    waiting = sandbox.start(*call, "--timeout", "60s")
    wait_for(lambda: sandbox.ok("status", "--json").json["clients"] == 2, what="its session")
    sandbox.start("seedcore-worker", "--processes", 1)
    assert waiting.result().stdout == "1\n"
