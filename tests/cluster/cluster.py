# SPDX-License-Identifier: Apache-2.0
"""Real programs under test: a Sandbox runs them in a folder and an environment of their own, a Cluster is up in one.

The folder of the programs is SEEDCORE_BIN (default: build-asan/bin). Nothing here sleeps to let something happen:
wait_for() looks until a condition holds. When a sandbox is closed, nothing that was started from it may still run, and
no process may have written a sanitizer report.
"""
import contextlib
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from pathlib import Path
from typing import NamedTuple

import sanitizers

TOP = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("SEEDCORE_BIN", TOP / "build-asan/bin"))
SAMPLE = TOP / "deploy/sample"
PLUGIN = BIN.parent / "plugins/plugin_faults.so"
PATIENCE_S = 20  # for what takes well under a second on an idle machine


def wait_for(condition, timeout=PATIENCE_S, what="", interval=0.02):
    """The first true value of condition(); fails after `timeout` seconds, naming `what`."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what or condition.__name__}; last seen: {value!r}")
        time.sleep(interval)


class Result:
    """What a command did: exit status (negative: the signal that ended it), stdout, stderr."""

    def __init__(self, command, status, stdout, stderr):
        self.command, self.status, self.stdout, self.stderr = command, status, stdout, stderr

    def __repr__(self):
        return f"{' '.join(map(str, self.command))}: exit {self.status}\n{self.stdout}{self.stderr}"

    @property
    def json(self):
        """stdout as one object."""
        return json.loads(self.stdout)

    @property
    def rows(self):
        """stdout as an object a line."""
        return [json.loads(line) for line in self.stdout.splitlines()]


class Process:
    """A program in the background, as the head of a session of its own; what it writes is in files, so it never blocks
    on a pipe."""

    def __init__(self, sandbox, command, env):
        stem = sandbox.folder / f"{Path(command[0]).name}-{len(sandbox.started)}"
        self.command, self.out, self.err = command, stem.with_suffix(".out"), stem.with_suffix(".err")
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=env,
                                          cwd=sandbox.folder, start_new_session=True)
        self.pid = self.popen.pid

    @property
    def is_running(self):
        return self.popen.poll() is None

    def signal(self, number):
        self.popen.send_signal(number)

    def result(self, timeout=PATIENCE_S):
        """Wait until it has ended."""
        try:
            status = self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout} s: {self.peek()!r}") from None
        return self.peek(status)

    def endpoint(self):
        """Where it listens, as it says when it is ready; for an endpoint with a port that the system chooses."""
        def said():
            assert self.is_running, repr(self.peek())
            return re.search(r"\bready\b.*\bendpoint=(\S+)", self.peek().stderr)
        return wait_for(said, what=f"ready line with an endpoint: {self.command}")[1]

    def peek(self, status=None):
        """What it has written until now."""
        return Result(self.command, status, self.out.read_text(errors="replace"), self.err.read_text(errors="replace"))


class Sandbox:
    """A private folder and environment for programs; also holds what was started in it.

    crashes: processes kill themselves on purpose (handler `crash`), which is then no sanitizer report.
    """

    def __init__(self, crashes=False):
        # Short, since the path of an ipc socket holds at most 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="seedcore-"))
        self.dir = self.folder / "state"
        self.endpoint = f"ipc://{self.folder}/socket"
        self.started = []
        self.mark = f"SEEDCORE_TEST_MARK={uuid.uuid4()}"
        name, value = self.mark.split("=")
        self.env = {"PATH": f"{BIN}:{os.environ['PATH']}", "LANG": "C.UTF-8", "HOME": str(self.folder),
                    "TMPDIR": str(self.folder), "SEEDCORE_ENDPOINT": self.endpoint, "SEEDCORE_DIR": str(self.dir),
                    name: value, **sanitizers.environment(self.folder, crashes)}

    def _command(self, args):
        """A first argument that is a path or a program of ours is run itself, otherwise it is a verb of seedcore."""
        words = [str(arg) for arg in args]
        if words and words[0].startswith(("/", "seedcore")):
            return [str(BIN / words[0]), *words[1:]]
        return [str(BIN / "seedcore"), *words]

    def _env(self, env):
        return {k: v for k, v in {**self.env, **(env or {})}.items() if v is not None}

    def run(self, *args, input=None, env=None, timeout=30):
        """Run a verb to its end. env: changes of the environment; None removes a variable."""
        command = self._command(args)
        stdin = {"input": input} if input is not None else {"stdin": subprocess.DEVNULL}
        try:
            done = subprocess.run(command, **stdin, capture_output=True, text=True, errors="replace",
                                  env=self._env(env), cwd=self.folder, timeout=timeout)
        except subprocess.TimeoutExpired as e:
            raise AssertionError(f"not within {timeout} s: {' '.join(command)}\n{e.stdout}\n{e.stderr}") from None
        result = Result(command, done.returncode, done.stdout, done.stderr)
        assert not sanitizers.REPORT.search(done.stderr), repr(result)
        return result

    def ok(self, *args, **options):
        """Run a verb that must succeed."""
        result = self.run(*args, **options)
        assert result.status == 0, repr(result)
        return result

    def start(self, *args, env=None):
        """Start a program or a verb in the background."""
        process = Process(self, self._command(args), self._env(env))
        self.started.append(process)
        return process

    def run_on_terminal(self, *args, env=None, columns=80, timeout=30):
        """Run a verb with a terminal as stdin, stdout and stderr; the result's stdout is what the terminal got."""
        command = self._command(args)
        ours, theirs = pty.openpty()
        os.set_blocking(ours, False)
        env = self._env({"TERM": "xterm", "COLUMNS": str(columns), **(env or {})})
        popen = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, cwd=self.folder,
                                 start_new_session=True)
        os.close(theirs)
        text = bytearray()

        def has_ended():
            ended = popen.poll() is not None
            try:
                while chunk := os.read(ours, 65536):
                    text.extend(chunk)
            except (BlockingIOError, OSError):  # nothing more now; EIO: no process has the terminal any more
                pass
            return ended

        try:
            wait_for(has_ended, timeout, f"end of {' '.join(command)}")
        finally:
            popen.kill()
            popen.wait()
            os.close(ours)
        return Result(command, popen.returncode, text.decode(errors="replace"), "")

    def pids(self, program=None):
        """Processes that were started from this sandbox, directly or not, and still run; those of one program."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and self.mark.encode() in (entry / "environ").read_bytes().split(b"\0"):
                    if program in (None, Path(os.readlink(entry / "exe")).name):
                        found.append(int(entry.name))
            except OSError:  # ended meanwhile, or not ours
                continue
        return sorted(found)

    def left(self):
        """What still runs, for a person to read."""
        lines = []
        for pid in self.pids():
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
                state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
                lines.append(f"{pid} {state} {' '.join(words)}")
        return lines

    def close(self):
        """End what the test left in the background (SIGTERM), then judge: nothing runs, nothing was reported."""
        for process in reversed(self.started):
            if process.is_running:
                process.signal(signal.SIGTERM)
        problems = []
        for process in self.started:
            try:
                process.result()
            except AssertionError as e:
                problems.append(f"did not end on SIGTERM: {e}")
        with contextlib.suppress(AssertionError):
            wait_for(lambda: not self.pids(), 10)
        left = self.left()
        for pid in self.pids():
            os.kill(pid, signal.SIGKILL)
        for process in self.started:
            process.popen.wait()
            print(repr(process.peek(process.popen.returncode))[-6000:])  # shown when the test has failed
        problems += [f"left running: {line}" for line in left] + sanitizers.reports(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        assert not problems, "\n".join(problems)


class Cluster(Sandbox):
    """A cluster that `seedcore up` started in the foreground, its workers ready."""

    def __init__(self, workers=2, args=(), env=None, endpoint=None, crashes=False):
        """args: further ones of `up`; env: changes of its environment; endpoint: default ipc in the sandbox."""
        super().__init__(crashes)
        self.endpoint = self.env["SEEDCORE_ENDPOINT"] = endpoint or self.endpoint
        self.up = self.start("up", "--workers", workers, *args, env=env)
        try:
            self.wait_for_workers(workers)
        except AssertionError:
            self.close()
            raise

    def workers(self):
        """Rows of the workers that are ready; empty while no coordinator answers."""
        result = self.run("workers", "--json", "--connect-timeout", "500ms")
        assert result.status in (0, 3), repr(result)
        return result.rows if result.status == 0 else []

    def wait_for_workers(self, count):
        """Wait until exactly so many worker processes are ready."""
        def are_ready():
            assert self.up.is_running, repr(self.up.result())
            return len(self.workers()) == count
        wait_for(are_ready, what=f"{count} workers ready; up wrote: {self.up.peek()!r}")

    def coordinator_pid(self):
        pids = self.pids("seedcore-coordinator")
        assert len(pids) == 1, pids
        return pids[0]

    def supervisor_pid(self):
        """The worker program whose children are the worker processes."""
        workers = self.pids("seedcore-worker")
        pids = [pid for pid in workers if parent_of(pid) not in workers]
        assert len(pids) == 1, pids
        return pids[0]

    def down(self):
        """End it as a user would."""
        self.ok("down")
        result = self.up.result()
        assert self.left() == [], repr(result)
        return result

    def close(self):
        """Ask for the end, then judge as a sandbox does."""
        if self.up.is_running:
            self.run("down")
        super().close()


def free_tcp_endpoint():
    """A port of this machine that nobody listens on now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{s.getsockname()[1]}"


def parent_of(pid):
    # The second field, the name in parentheses, may hold anything; the fourth is the parent.
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


class Begun(NamedTuple):
    """A task of t.timed (plugin_faults.c) has begun."""
    index: int
    at: float  # time.monotonic()
    pid: int


def begun_tasks(log):
    """What they have noted in the file that FAULTS_LOG names."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [Begun(int(index), int(ns) / 1e9, int(pid)) for _, index, ns, pid in map(str.split, lines)]


def longest_pause(begun, since):
    """The longest time around and after `since` in which no task began."""
    times = sorted(b.at for b in begun)
    return max(b - a for a, b in zip(times, times[1:]) if b > since)
