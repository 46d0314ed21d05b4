# SPDX-License-Identifier: Apache-2.0
"""Build and run the tests of the tree; called by tests/run, which installs what is needed.

A group is what runs in one process: one Criterion program, one file of pytest, one fuzz target. Groups are found in the
tree, so a suite that has no files does not exist. A group yields cases, which is what is counted.
"""
import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as xml
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, Optional

import sanitizers

TOP = Path(__file__).resolve().parents[2]
TESTS = TOP / "tests"
CORES = len(os.sched_getaffinity(0))

# What the time is spent on: the whole has to stay inside 20 minutes on two cores with nothing built.
FUZZ_S = 200          # core-seconds for all targets together
SIM_SEEDS = {"asan": 2000, "sim": 10000}  # in all
LONG = 10             # --long multiplies both
UNIT_LIMIT_S = 120    # a group that takes longer hangs
CLUSTER_LIMIT_S = 600
SIM_LIMIT_S = 600
GRACE_S = 60          # a group that is told to stop

STOPPING = threading.Event()  # set once: the run was interrupted


class Case(NamedTuple):
    name: str
    outcome: str  # passed, failed or skipped
    seconds: float
    message: str
    figures: str = ""  # what it has measured


class Group(NamedTuple):
    name: str               # "unit/heap"
    preset: Optional[str]   # what has to be built for it; None: nothing
    run: object             # run(group, job) -> [Case]
    source: Path
    is_alone: bool          # needs the machine for itself


class Job(NamedTuple):
    """What a group is told beside itself."""
    folder: Path   # its own, empty
    case: str      # only this case; empty: all
    effort: float  # LONG or 1
    share_s: float  # seconds for a fuzz target


def built(preset):
    return TOP / f"build-{preset}/bin"


def wait(process, limit_s):
    """Exit status, or None where it had to be ended: at the limit, or because the whole run stops. SIGINT comes first,
    for pytest ends its clusters then; the group gets SIGKILL in any case."""
    deadline = time.monotonic() + limit_s
    status = None
    while status is None and time.monotonic() < deadline and not STOPPING.is_set():
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = process.wait(0.5)
    if status is None:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return status


def execute(command, folder, limit_s, **env):
    """Run to the end in a process group of its own.
    Returns (exit status or None at the limit, seconds, output, reports)."""
    start = time.monotonic()
    environment = {**os.environ, **sanitizers.environment(folder), **{k: str(v) for k, v in env.items()}}
    with open(folder / "output", "w+b") as output:
        process = subprocess.Popen([str(word) for word in command], cwd=TESTS, env=environment, stdout=output,
                                   stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, start_new_session=True)
        status = wait(process, limit_s)
        output.seek(0)
        text = output.read().decode(errors="replace")
    return status, time.monotonic() - start, text, sanitizers.reports(folder)


def one_case(group, status, seconds, text, reports, wanted=0):
    """A group that is a single case, or one that ended without saying how its cases did."""
    if status == wanted and not reports:
        return [Case(group.name, "passed", seconds, "")]
    ending = "over its time limit" if status is None else f"exit {status}"
    return [Case(group.name, "failed", seconds, "\n".join([ending, text[-6000:], *reports]))]


def criterion_suites(results):
    """What Criterion wrote; None where it is no JSON: it does not escape the quotes in its messages."""
    try:
        return json.loads(results.read_text(), strict=False)["test_suites"]
    except (OSError, ValueError):
        return None


def run_unit(group, job):
    """A Criterion program. Its JSON has the messages, its XML the seconds."""
    results, times = job.folder / "results.json", job.folder / "results.xml"
    program = built(group.preset) / f"tests/{group.source.stem}"
    only = [f"--filter=*/{job.case}"] if job.case else []
    done = execute([program, f"--json={results}", f"--xml={times}", "--jobs=1", *only], job.folder, UNIT_LIMIT_S)
    status, seconds, text, reports = done
    suites = criterion_suites(results)
    if status is None or suites is None or not times.exists():
        return one_case(group, *done, wanted=None)
    took = {(suite.get("name"), case.get("name")): float(case.get("time"))
            for suite in xml.parse(times).getroot() for case in suite}
    outcomes = {"PASSED": "passed", "SKIPPED": "skipped"}
    cases = []
    for suite in suites:
        for test in suite["tests"]:
            if job.case not in ("", test["name"]):  # it says of what was left out that it was skipped
                continue
            cases.append(Case(f"{group.name}/{test['name']}", outcomes.get(test["status"], "failed"),
                              took[suite["name"], test["name"]], "\n".join(test.get("messages", []))))
    # Criterion does not see what is found after a test has ended (leaks), and has no message from a sanitizer.
    if not cases or reports or (status != 0 and not any(case.outcome == "failed" for case in cases)):
        cases += one_case(group, *done, wanted=None)
    return cases


def run_program(group, job):
    """A program that says with its exit status how it did."""
    return one_case(group, *execute([built(group.preset) / f"tests/{group.source.stem}"], job.folder, UNIT_LIMIT_S))


def run_pytest(group, job):
    """One file of pytest, with the programs of the group's preset; the TSan build runs the cases marked for it."""
    results = job.folder / "results.xml"
    only = ["-m", "tsan"] if group.preset == "tsan" else []
    what = f"{group.source}::{job.case}" if job.case else group.source
    done = execute(["/usr/bin/python3", "-m", "pytest", "-q", "--tb=short", f"--junit-xml={results}", *only, what],
                   job.folder, CLUSTER_LIMIT_S, SEEDCORE_BIN=built(group.preset or "asan"), TMPDIR=job.folder)
    if not results.exists():
        return one_case(group, *done, wanted=None)
    cases = {}
    for node in xml.parse(results).getroot().iter("testcase"):
        name = f"{group.name}/{node.get('name')}"
        said = [child for child in node if child.tag in ("failure", "error", "skipped")]
        outcome = "passed" if not said else "skipped" if all(c.tag == "skipped" for c in said) else "failed"
        message = "\n".join(c.get("message") if c.tag == "skipped" else c.text or c.get("message") for c in said)
        if outcome == "failed":
            message += "\n" + node.findtext("system-out", "")
        # A case that failed and whose fixture failed too appears twice.
        before = cases.get(name)
        if before and before.outcome == "failed":
            outcome, message = "failed", f"{before.message}\n{message}"
        figures = "; ".join(p.get("value") for p in node.iter("property") if p.get("name") == "figures")
        cases[name] = Case(name, outcome, float(node.get("time")), message, figures)
    return list(cases.values()) or one_case(group, *done, wanted=None)


def run_sim(group, job):
    """The simulation: the seeds are shared among the cores."""
    seeds = -(-int(SIM_SEEDS[group.preset] * job.effort) // CORES)  # not fewer in all

    def share(i):
        folder = job.folder / str(i)
        folder.mkdir()
        command = [built(group.preset) / "tests/sim", "--first", 1 + i * seeds, "--seeds", seeds]
        return execute(command, folder, SIM_LIMIT_S * job.effort)

    with ThreadPoolExecutor(CORES) as pool:
        done = list(pool.map(share, range(CORES)))
    return [case._replace(name=f"{group.name}/seeds-{1 + i * seeds}-{(i + 1) * seeds}")
            for i, result in enumerate(done) for case in one_case(group, *result)]


def run_fuzz(group, job):
    """A fuzz target for its share of the time; what it finds by itself stays in the corpus of the build folder."""
    name = group.source.stem
    found = TOP / f"build-{group.preset}/corpus" / name
    found.mkdir(parents=True, exist_ok=True)
    seconds = max(1, int(job.share_s * job.effort))
    artifact = found.parent / f"{name}-"
    # Not `execute`'s log_path: libFuzzer reports to stderr and keeps the input that it failed with.
    done = execute([built(group.preset) / "fuzz" / name, found, *corpus_of(group), f"-max_total_time={seconds}",
                    f"-artifact_prefix={artifact}", "-timeout=10", "-rss_limit_mb=2048"],
                   job.folder, seconds + 120, ASAN_OPTIONS="", UBSAN_OPTIONS="print_stacktrace=1")
    return one_case(group, *done)


def corpus_of(group):
    folder = TESTS / "fuzz/corpus" / group.source.stem.removeprefix("fuzz_")
    return [folder] if folder.is_dir() else []


def groups():
    """All groups of the tree, in the order in which they run."""
    def found(suite, prefix, pattern, preset, run, is_alone):
        return [Group(f"{suite}/{file.stem.removeprefix(prefix)}", preset, run, file, is_alone)
                for file in sorted(TESTS.glob(pattern))]

    cluster = found("cluster", "test_", "cluster/test_*.py", "asan", run_pytest, True)
    tsan = [group._replace(name=group.name.replace("cluster", "tsan"), preset="tsan") for group in cluster
            if "mark.tsan" in group.source.read_text()]
    sim = [Group(f"sim/{preset}", preset, run_sim, TESTS / "sim/CMakeLists.txt", True) for preset in SIM_SEEDS]
    return (found("layers", "test_", "layers/test_*.py", None, run_pytest, False)
            + found("unit", "test_", "unit/test_*.c", "asan", run_unit, False)
            + found("threads", "threads_", "threads/threads_*.c", "tsan", run_program, False)
            + cluster + tsan + sim + found("fuzz", "fuzz_", "fuzz/fuzz_*.c", "fuzz", run_fuzz, False))


def choose(everything, names):
    """[(group, case)]: a name is a group, the beginning of some (`unit`), or one case of a group. None: no such name."""
    whole, cases = set(), []
    for name in names:
        hits = [g for g in everything if g.name == name or g.name.startswith(name + "/")]
        case_of = [g for g in everything if name.startswith(g.name + "/") and g.run is not run_sim]
        if not hits and not case_of:
            return None
        whole.update(hits)
        cases += [(group, name.removeprefix(group.name + "/")) for group in case_of]
    return ([(group, "") for group in everything if group in whole or not names]
            + [(group, case) for group, case in dict.fromkeys(cases) if group not in whole])


class Report:
    """Prints a line a group as it ends, and what failed; keeps all cases."""

    def __init__(self):
        self.cases = []

    def add(self, name, cases):
        count = {outcome: sum(case.outcome == outcome for case in cases) for outcome in ("passed", "failed", "skipped")}
        said = ", ".join(f"{n} {outcome}" for outcome, n in count.items() if n)
        print(f"{name:28} {said:32} {sum(case.seconds for case in cases):7.1f} s", flush=True)
        for case in cases:
            if case.outcome == "failed":
                print(f"FAILED {case.name}\n    " + case.message.strip().replace("\n", "\n    "), flush=True)
            elif case.outcome == "skipped":
                print(f"SKIPPED {case.name}: {case.message}", flush=True)
            if case.figures:
                print(f"    {case.name}: {case.figures}", flush=True)
        self.cases += cases

    def count(self, outcome):
        return sum(case.outcome == outcome for case in self.cases)

    def write(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([case._asdict() for case in self.cases], indent=1) + "\n")

    def last_line(self):
        shown = [o for o in ("passed", "failed", "skipped") if o != "skipped" or self.count(o)]
        return ", ".join(f"{self.count(outcome)} {outcome}" for outcome in shown)


def build(presets, report):
    """Build what is needed; a preset that does not build is a failed case. Returns the presets that can be used."""
    usable = {None}
    for preset in presets:
        start = time.monotonic()
        output = []
        with subprocess.Popen([TOP / "deploy/build", preset], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace") as process:
            for line in process.stdout:
                output.append(line)
                if line.startswith("Building "):  # takes a while: say so at once
                    print(line, end="", flush=True)
        if process.returncode == 0:
            usable.add(preset)
        else:
            name, said = f"build/{preset}", "".join(output)[-6000:]
            report.add(name, [Case(name, "failed", time.monotonic() - start, said)])
    return usable


def run_groups(chosen, effort, report):
    """Groups that can share the machine run beside each other, the others one by one."""
    targets = sum(group.run is run_fuzz for group, _ in chosen)

    def run(item):
        group, case = item
        if STOPPING.is_set():
            return group, []
        folder = Path(tempfile.mkdtemp(prefix="seedcore-tests-"))
        try:
            return group, group.run(group, Job(folder, case, effort, FUZZ_S / max(targets, CORES)))
        except OSError as e:
            return group, [Case(group.name, "failed", 0, f"{e} (is it in a CMake file of its folder?)")]
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    with ThreadPoolExecutor(CORES) as pool:
        rest = list(chosen)
        while rest:
            n = next((i for i, (group, _) in enumerate(rest) if group.is_alone), len(rest)) or 1
            for group, cases in pool.map(run, rest[:n]):
                report.add(group.name, cases)
            rest = rest[n:]


def stop_on(number, _):
    """The groups that run are ended first; their threads must not wait for what else there is to do."""
    STOPPING.set()
    raise SystemExit(128 + number)


def main():
    parser = argparse.ArgumentParser(prog="tests/run", description="Build and run the tests.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="as --list prints them, a beginning (unit), or one case")
    parser.add_argument("--list", action="store_true", help="print the names and do nothing else")
    parser.add_argument("--long", action="store_true", help="ten times the time for fuzzing and simulation")
    parser.add_argument("--report", type=Path, metavar="FILE.json",
                        help="write a list of all cases: name, outcome, seconds, message")
    args = parser.parse_args()
    everything = groups()
    chosen = choose(everything, args.names)
    if chosen is None:
        parser.error("no such test among " + ", ".join(args.names) + "; there are:\n"
                     + "\n".join(group.name for group in everything))
    if args.list:
        print("\n".join(group.name for group, _ in chosen))
        return 0
    report = Report()
    usable = build(dict.fromkeys(group.preset for group, _ in chosen if group.preset), report)
    run_groups([(group, case) for group, case in chosen if group.preset in usable], LONG if args.long else 1, report)
    if args.report:
        report.write(args.report)
    print(report.last_line())
    return 0 if report.count("failed") == 0 and report.count("passed") > 0 else 1


if __name__ == "__main__":
    signal.signal(signal.SIGINT, stop_on)
    signal.signal(signal.SIGTERM, stop_on)
    sys.exit(main())
