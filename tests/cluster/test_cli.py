# SPDX-License-Identifier: Apache-2.0
"""What holds for every command: exit statuses, help, usage errors, streams; and the verbs that need no cluster."""
import re

import pytest

from settings import settings

VERBS = ["up", "down", "submit", "call", "status", "wait", "cancel", "results", "dead", "retry", "jobs", "workers", "handlers", "energy", "config",
         "version"]
NEED_A_COORDINATOR = [["down"], ["call", "echo"], ["submit", "echo"], ["status"], ["status", "1f"], ["wait", "1f"], ["cancel", "1f"], ["retry", "1f"], ["dead"], ["dead", "1f"],
                      ["results", "1f"], ["jobs"], ["workers"], ["handlers"], ["energy", "batch"]]
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def words(command):
    return " ".join(command) or "(none)"


def test_bare_command_prints_usage(sandbox):
    result = sandbox.run()
    assert result.status == 2, repr(result)
    assert result.stdout == "" and "seedcore VERB" in result.stderr, repr(result)
    for verb in VERBS:
        assert verb in result.stderr, verb


@pytest.mark.parametrize("option", ["--help", "help", "-h"])
def test_help_goes_to_stdout(sandbox, option):
    result = sandbox.run(option)
    assert result.status == 0 and result.stderr == "", repr(result)
    for verb in VERBS:
        assert re.search(rf"\b{verb}\b", result.stdout), verb


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(sandbox, verb):
    by_option, by_verb = sandbox.run(verb, "--help"), sandbox.run("help", verb)
    assert by_option.status == 0 and by_option.stderr == "", repr(by_option)
    assert f"seedcore {verb}" in by_option.stdout, repr(by_option)
    assert (by_verb.status, by_verb.stdout) == (0, by_option.stdout), repr(by_verb)
    assert sandbox.ok(verb, "-h").stdout == by_option.stdout
    usage = by_option.stdout.partition("\n\n")[0].splitlines()
    assert all(line.startswith("       ") for line in usage[1:]), usage
    assert not CONTROL.search(by_option.stdout), repr(by_option)


@pytest.mark.parametrize("program", ["seedcore-coordinator", "seedcore-worker"])
def test_every_program_has_help(sandbox, program):
    result = sandbox.run(program, "--help")
    assert result.status == 0 and result.stderr == "" and program in result.stdout, repr(result)


def see_also(page):
    return set(re.findall(r"^\.BR (\S+) \(1\)$", page.replace("\\-", "-"), re.M))


def test_manual_pages(sandbox):
    """What a page says of itself, of its values and of the others."""
    programs = {"seedcore-coordinator", "seedcore-worker"}
    page = sandbox.ok("__manual").stdout
    pages = {f"seedcore-{verb}" for verb in VERBS if verb != "energy"}
    pages |= {"seedcore-energy-load", "seedcore-energy-batch", "seedcore-workers-drain"}
    assert see_also(page) == pages | programs
    for text in ("ipc://PATH", "64KiB", "250ms", "a prefix of it"):
        assert text in page, text
    assert see_also(sandbox.ok("__manual", "energy", "load").stdout) == {"seedcore"} | programs
    for program, option in (("seedcore-worker", "connect=ENDPOINT"), ("seedcore-coordinator", "queue\\-bytes=SIZE")):
        page = sandbox.ok("/bin/sh", "-c", f"{program} --help | seedcore __manual {program}").stdout
        assert see_also(page) == {"seedcore"} | programs - {program}
        assert "a program of" not in page and f"\n.TP\n\\fB\\-\\-{option}\\fR\n" in page, page
        assert not re.search("^ |Usage:", page, re.M), page


@pytest.mark.parametrize("command, named", [
    (["submti"], "submit"),
    (["worker"], "workers"),
    (["stop"], 'did you mean "down"?'),
    (["up", "--log", "verbose"], "error, warn, info or debug"),
    (["quite-something-else"], "quite-something-else"),
    (["help", "submti"], "submit"),
    (["jobs", "--no-such-option"], "--no-such-option"),
    (["jobs", "--jsno"], "did you mean --json?"),
    (["submit", "echo", "--inptu=x"], "did you mean --input?"),
    (["up", "--processes", "2"], "no option --processes; here it is --workers"),
    (["jobs", "surplus"], "surplus"),
    (["submit"], "HANDLER"),
    (["call"], "HANDLER"),
    (["wait"], "JOB"),
    (["results"], "JOB"),
    (["energy"], "load"),
    (["energy", "lode"], "load"),
    (["energy", "load"], "FILE"),
    (["workers", "drian"], 'there is no verb "drian"; did you mean "drain"?'),
    (["workers", "drian", "w-1"], 'did you mean "drain"?'),
    (["workers", "surplus"], '"surplus" is one argument too many'),
    (["drain", "w-1"], 'did you mean "workers drain"?'),
    (["help", "drain"], 'did you mean "workers drain"?'),
    (["workers", "drain", "w-1", "--no-wiat"], "did you mean --no-wait?"),
    (["jobs", "-json"], "there is no option -json; did you mean --json?"),
    (["jobs", "-x"], "there is no option -x\n"),
    (["jobs", "--x"], "there is no option --x\n"),
    (["up", "--workers"], "--workers"),
    (["up", "--workers", "many"], "many"),
    (["up", "--workers", "100000"], "1024"),
    (["jobs", "--limit", "-1"], "-1"),
    (["jobs", "--connect-timeout", "5x"], "5x"),
    (["submit", "echo", "--priority", "10"], "0 to 9"),
    (["submit", "echo", "--array", "3"], '"3" is not A-B, such as 0-9'),
    (["submit", "echo", "--array", "3-"], '"3-" is not A-B'),
    (["submit", "echo", "--array", "1-2-3"], '"1-2-3" is not A-B'),
    (["submit", "echo", "--array", "9-5"], '"9-5" does not go up'),
    (["submit", "echo", "--array", "1-18446744073709551615"], "an index above 18446744073709551614"),
    (["submit", "echo", "--array", "0-99999999999999999999"], "an index above 18446744073709551614"),
    (["submit", "echo", "--array", "99999999999999999999-3"], "an index above 18446744073709551614"),
    (["submit", "echo", "--array", "0-2147483648"], '"0-2147483648" is more than 2147483648 indexes'),
    (["submit", "echo", "--args", "{"], "--args"),
    (["seedcore-coordinator", "--no-such-option"], "--no-such-option"),
    (["seedcore-worker", "--processes", "x"], "x"),
    (["seedcore-worker", "--connect", "x"], "--connect: \"x\""),
], ids=lambda value: words(value) if isinstance(value, list) else "")
def test_usage_errors_name_what_is_wrong(sandbox, command, named):
    result = sandbox.run(*command)
    assert result.status == 2 and result.stdout == "", repr(result)
    assert named in result.stderr, repr(result)


@pytest.mark.parametrize("command", NEED_A_COORDINATOR, ids=words)
def test_no_coordinator(sandbox, command):
    result = sandbox.run(*command, "--connect-timeout", "100ms")
    assert result.status == 3 and result.stdout == "", repr(result)
    assert sandbox.endpoint in result.stderr and "seedcore up" in result.stderr, repr(result)


@pytest.mark.parametrize("endpoint, says", [
    ("ipc:///nonexistent/s", "seedcore up --endpoint ipc:///nonexistent/s\n"),
    ("tcp://127.0.0.1:1", "seedcore up --endpoint tcp://127.0.0.1:1\n"),
    ("tcp://192.0.2.1:1", "on its host with: seedcore up --insecure --endpoint tcp://0.0.0.0:1\n"),
    ("tcp://name.invalid:1", "its host cannot be found"),
])
def test_no_coordinator_at_an_endpoint_of_the_option(sandbox, endpoint, says):
    """What is said to copy works as it stands, and is said only where it helps."""
    result = sandbox.run("jobs", "--connect-timeout", "100ms", "--endpoint", endpoint)
    assert result.status == 3 and says in result.stderr, repr(result)
    result = sandbox.run("jobs", "--connect-timeout", "100ms", env={"SEEDCORE_ENDPOINT": endpoint})
    assert result.status == 3 and says.replace(f"up --endpoint {endpoint}", "up") in result.stderr, repr(result)


def test_endpoint_option_comes_before_the_variable(sandbox):
    result = sandbox.run("jobs", "--connect-timeout", "100ms", "--endpoint", "ipc:///nonexistent/by-option")
    assert result.status == 3 and "ipc:///nonexistent/by-option" in result.stderr, repr(result)


def test_endpoint_default(sandbox):
    rows = {row["name"]: row for row in sandbox.ok("config", "--json", env={"SEEDCORE_ENDPOINT": None}).rows}
    assert rows["ENDPOINT"]["value"] == "tcp://127.0.0.1:5570", rows["ENDPOINT"]


def test_config_says_where_values_come_from(sandbox):
    result = sandbox.ok("config", "--json", "--connect-timeout", "7s", env={"SEEDCORE_HEARTBEAT": "250ms"})
    rows = {row["name"]: row for row in result.rows}
    sources = {name: rows[name]["source"] for name in ("CONNECT_TIMEOUT", "HEARTBEAT", "PEER_LEASE")}
    assert sources == {"CONNECT_TIMEOUT": "flag", "HEARTBEAT": "environment", "PEER_LEASE": "default"}
    assert (rows["HEARTBEAT"]["value"], rows["HEARTBEAT"]["default"]) == ("250ms", "200ms"), rows["HEARTBEAT"]
    for row in rows.values():
        assert row["meaning"], row


def test_config_says_so_in_text(sandbox):
    text = sandbox.ok("config", "--connect-timeout", "7s", env={"SEEDCORE_HEARTBEAT": "250ms"}).stdout
    for line in ("CONNECT_TIMEOUT = 7s  (flag)", "HEARTBEAT = 250ms  (environment)", "PEER_LEASE = 800ms  (default)"):
        assert f"{line}\n" in text, text


def test_config_lists_every_setting(sandbox):
    rows = {row["name"]: row for row in sandbox.ok("config", "--json").rows}
    assert set(rows) == {setting.name for setting in settings()}
    text = sandbox.ok("config").stdout
    assert [name for name in rows if name not in text] == []


def test_config_refuses_what_is_out_of_range(sandbox):
    result = sandbox.run("config", env={"SEEDCORE_PEER_LEASE": "1ms"})
    assert result.status != 0 and "SEEDCORE_PEER_LEASE" in result.stderr and "1ms" in result.stderr, repr(result)


def test_version(sandbox):
    version = sandbox.ok("version", "--json").json
    assert {"version", "protocol"} <= set(version), version
    for args in (["version"], ["--version"]):
        result = sandbox.ok(*args)
        assert version["version"] in result.stdout and result.stderr == "", repr(result)


def test_full_disk_under_stdout_is_an_error(sandbox):
    result = sandbox.run("/bin/sh", "-c", "seedcore config >/dev/full")
    assert result.status == 1 and result.stderr != "", repr(result)


def test_nothing_is_written_to_the_current_folder(sandbox):
    before = set(sandbox.folder.iterdir())
    for args in (["config"], ["version"], ["jobs", "--connect-timeout", "50ms"]):
        sandbox.run(*args)
    assert set(sandbox.folder.iterdir()) == before


@pytest.mark.tsan
def test_up_and_down(cluster):
    c = cluster(workers=2)
    assert [set(row) >= {"worker", "host", "pid", "state", "slots"} for row in c.workers()] == [True, True]
    assert {row["worker"] for row in c.workers()} == {"w-1", "w-2"}
    assert c.down().status == 0
    assert c.run("status", "--connect-timeout", "100ms").status == 3


@pytest.mark.parametrize("verb", ["status", "up"])
@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:*", "tcp://127.0.0.1:0", "tcp://127.0.0.1:65536", "tcp://nowhere", "udp://127.0.0.1:1", "ipc://"])
def test_endpoints_that_cannot_be(sandbox, verb, endpoint):
    """No command dies of an endpoint that nobody can connect to; it is named."""
    result = sandbox.run(verb, "--endpoint", endpoint)
    assert result.status == 2 and endpoint in result.stderr, repr(result)
