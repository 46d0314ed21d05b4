# SPDX-License-Identifier: Apache-2.0
"""Processes are killed all the while, and every accepted task ends once, with its own result."""
import os
import random
import signal
import time

import pytest

from cluster import longest_pause, wait_for
from history import History

N_SHORT = 10000


def submit(c, *args):
    return c.ok("submit", *args, "--json").json["job"]


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return 0
    return 1


def kill_until_done(c, waiting, victims, pause_s):
    """Every pause_s one of victims(), until the job that `waiting` waits for has ended. Returns how many."""
    n_kills = 0
    due = time.monotonic()
    while waiting.is_running:
        due += pause_s
        pids = victims()
        n_kills += kill(random.choice(pids)) if pids else 0
        wait_for(lambda: time.monotonic() >= due or not waiting.is_running, what="the next kill", timeout=60)
    return n_kills


def worker_processes(c):
    """Without their supervisor, which is the first."""
    return c.pids("seedcore-worker")[1:]


def run(c, figures, victims, pause_s, n_tasks=100000, ms=20):
    history = History()
    job = submit(c, "t.timed", "--array", f"0-{n_tasks - 1}", "--args", str(ms))
    history.accept(job, n_tasks)
    short = submit(c, "echo", "--array", f"0-{N_SHORT - 1}", "--args", '"$index"')
    history.accept(short, N_SHORT)
    waiting = c.start("wait", job, short)
    n_kills = kill_until_done(c, waiting, victims, pause_s)
    assert waiting.result(60).status == 0
    slept, echoed = history.see(c.ok, job), history.see(c.ok, short)
    begun = c.begun()
    pause = longest_pause(begun, begun[0].at)
    figures(f"{n_kills} kills during {n_tasks + N_SHORT} tasks, {len(begun) - n_tasks} begin again, none begins for at most "
            f"{pause * 1000:.0f} ms: {history.judge()}")
    assert all(row["status"] == "done" and row["attempt"] == 1 for row in slept + echoed)
    assert all(row["value"] == row["index"] for row in echoed)
    assert n_kills >= 2


def test_worker_processes_every_200_ms(timed, figures):
    c = timed(workers=2)
    run(c, figures, lambda: worker_processes(c), 0.2)


def test_the_coordinator_every_1500_ms(timed, figures):
    """One that starts again gives workers 500 ms to come back before it hands anything out."""
    c = timed(workers=2)
    run(c, figures, lambda: c.pids("seedcore-coordinator"), 1.5)


@pytest.mark.timeout(300)
def test_anything_every_700_ms(timed, figures):
    """Coordinator, supervisor or a worker process, during a million tasks."""
    c = timed(workers=2)
    run(c, figures, lambda: c.pids("seedcore-coordinator") + c.pids("seedcore-worker"), 0.7, n_tasks=1000000, ms=1)
