# SPDX-License-Identifier: Apache-2.0
"""What bash offers behind a part of a command line."""
import pytest

# As bash calls it: the words are cut at = as well, which is a word of its own.
SCRIPT = """
source <(seedcore __completion)
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_seedcore
printf '%s\n' "${COMPREPLY[@]}"
"""


def offers(sandbox, *words):
    return set(sandbox.ok("/bin/bash", "-c", SCRIPT, "bash", "seedcore", *words).stdout.split("\n")) - {""}


@pytest.fixture
def folder(sandbox):
    (sandbox.folder / "crates.jsonl").write_text("")
    (sandbox.folder / "a file").write_text("")
    return sandbox


@pytest.mark.parametrize("words, some, not_some", [
    ([""], {"up", "submit", "energy", "help"}, {"--help", "energy load"}),
    (["s"], {"submit", "status"}, {"up"}),
    (["--"], {"--help", "--version"}, {"up"}),
    (["energy", ""], {"load", "batch"}, {"up"}),
    (["workers", ""], {"drain"}, {"--json"}),
    (["workers", "--"], {"--json"}, {"--no-wait"}),
    (["workers", "drain", "--"], {"--no-wait"}, {"--json"}),
    (["help", ""], {"up", "submit"}, {"--help"}),
    (["submit", "echo", "--in"], {"--input"}, {"--output"}),
    (["submit", "echo", "--input", ""], {"crates.jsonl", "a file"}, {"--input"}),
    (["submit", "echo", "--input", "=", "cr"], {"crates.jsonl"}, {"a file"}),
    (["submit", "echo", "--input", "="], {"crates.jsonl"}, {"--input"}),
    (["submit", "echo", "--args", ""], set(), {"--input", "crates.jsonl"}),
    (["energy", "load", ""], {"crates.jsonl"}, {"--json"}),
    (["energy", "load", "--"], {"--json", "--endpoint"}, {"crates.jsonl"}),
    (["energy", "batch", "--systems", "1", "--"], {"--json"}, set()),
    (["jobs", "--state", ""], {"open", "running", "succeeded", "failed", "cancelled"}, {"--state"}),
    (["jobs", "--state", "=", "su"], {"succeeded"}, {"failed"}),
    (["jobs", ""], {"--state", "--limit"}, {"open"}),
    (["up", "--plugin", "cr"], {"crates.jsonl"}, set()),
    (["up", "--dir", "cr"], {"crates.jsonl"}, set()),
    (["results", "--output", "cr"], {"crates.jsonl"}, set()),
    (["up", "--detach", ""], {"--workers"}, {"crates.jsonl"}),
    (["up", "--log", ""], {"error", "warn", "info", "debug"}, {"--log"}),
    (["submit", ""], {"--input"}, {"echo"}),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_offers(folder, words, some, not_some):
    found = offers(folder, *words)
    assert some <= found and not found & not_some, found


def test_offers_of_a_cluster(cluster):
    """Handlers and jobs, where one is called for."""
    c = cluster(workers=1)
    jobs = {c.ok("submit", "echo", "--json").json["job"] for _ in range(2)}
    for verb in ("submit", "call"):
        assert {"echo", "sleep", "energy.compute"} <= offers(c, verb, "")
        assert offers(c, verb, "ec") == {"echo"} and "echo" not in offers(c, verb, "echo", "")
        assert "--args" in offers(c, verb, "--")
    assert offers(c, "workers", "drain", "") == {row["worker"] for row in c.workers()}
    for verb in ("wait", "results", "status"):
        assert offers(c, verb, "") == jobs
