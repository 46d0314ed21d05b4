# SPDX-License-Identifier: Apache-2.0
"""check-history reads what the programs print and finds what is wrong in it; its unit tests are in tests/unit/test_history.c."""
import subprocess

import pytest

from cluster import BIN

JOB = "01890a5d-ac96-774b-bcce-b302099a8057"
ACCEPTED, RESULTS = f"accepted {JOB} 0 2", f"results {JOB}"
DONE = '{"index":0,"status":"done","attempt":1,"worker":"w-1","value":99999999999999999999}'
DEAD = '{"index":1,"status":"dead","attempt":2,"worker":"","error":{"code":"no","message":"}\\"value\\":1"}}'
ENDED = f'{{"job":"{JOB}","name":"","state":"failed","total":2,"done":1,"dead":1,"cancelled":0}}'


def check(*lines):
    run = subprocess.run([BIN / "tests/check-history"], input="".join(f"{line}\n" for line in lines),
                         capture_output=True, text=True)
    return run.returncode, run.stdout.strip(), run.stderr


@pytest.mark.parametrize("name, lines, status, said, why", [
    ("nothing", [], 0, "lost 0 twice 0", ""),
    ("well", [ACCEPTED, RESULTS, DONE, ENDED, RESULTS, DONE, DEAD, ENDED], 0, "lost 0 twice 0", ""),
    ("open", [ENDED.replace("failed", "running"), ACCEPTED, RESULTS, DONE, DEAD], 0, "lost 0 twice 0", ""),
    ("retried", [ACCEPTED, RESULTS, DONE, DEAD, f"retried {JOB} dead", RESULTS, DONE, DONE.replace(":0", ":1")],
     0, "lost 0 twice 0", ""),
    ("lost", [ACCEPTED, RESULTS, DONE], 1, "lost 1 twice 0", f"job {JOB} task 1 (lost)"),
    ("twice", [ACCEPTED, RESULTS, DONE, DEAD, DEAD], 1, "lost 0 twice 1", "task 1 (twice)"),
    ("changed", [ACCEPTED, RESULTS, DONE, DEAD, RESULTS, DONE.replace("99}", "98}")], 1, "lost 0 twice 0 changed 1",
     "with another value"),
    ("strange", [RESULTS, DONE], 1, "lost 0 twice 0 strange 1", "never accepted"),
    ("no command", ["accept", ACCEPTED], 2, "", "<stdin>:1:"),
    ("no number", [f"accepted {JOB} 0 x"], 2, "", "<stdin>:1:"),
    ("no job", ["results x"], 2, "", "<stdin>:1:"),
    ("too many words", [ACCEPTED + " 1"], 2, "", "<stdin>:1:"),
    ("a result of no job", [ACCEPTED, DONE], 2, "", "<stdin>:2:"),
    ("no outcome", [RESULTS, DONE.replace("done", "gone")], 2, "", "<stdin>:2:"),
    ("no value", [RESULTS, '{"index":0,"status":"done"}'], 2, "", "<stdin>:2:"),
    ("no state", [ENDED.replace("failed", "gone")], 2, "", "<stdin>:1:")])
def test_lines(name, lines, status, said, why):
    run = check(*lines)
    assert run[:2] == (status, said) and why in run[2], (name, run)
