# SPDX-License-Identifier: Apache-2.0
"""A worker on the other side of a network that is cut, and healed: its tasks run elsewhere, its late results do not count."""
import contextlib
import os
import subprocess
import time

import pytest

from cluster import BIN, PLUGIN, begun_tasks, wait_for
from history import History

IP = "/usr/sbin/ip"
NEAR, FAR = f"sc-near-{os.getpid()}", f"sc-far-{os.getpid()}"
ENDPOINT = "tcp://10.213.7.1:5570"


def ip(*words):
    subprocess.run([IP, *words], check=True, capture_output=True, text=True)


@pytest.fixture
def network(sandbox):
    """Two network namespaces with a cable between them; what runs in one of them: network(NEAR, program, ...)."""
    with contextlib.ExitStack() as stack:
        try:
            for name in (NEAR, FAR):
                ip("netns", "add", name)
                stack.callback(ip, "netns", "del", name)
            ip("link", "add", "cable", "netns", NEAR, "type", "veth", "peer", "name", "cable", "netns", FAR)
        except (OSError, subprocess.CalledProcessError) as e:
            pytest.skip(f"no network namespaces here: {getattr(e, 'stderr', None) or e}".strip())
        for name, address in ((NEAR, "10.213.7.1/30"), (FAR, "10.213.7.2/30")):
            ip("-n", name, "addr", "add", address, "dev", "cable")
            ip("-n", name, "link", "set", "cable", "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield lambda where, program, *args: (IP, "netns", "exec", where, BIN / program, *args)


def test_cut_and_healed(sandbox, network, figures):
    def client(*args, timeout=60):
        return sandbox.ok(*network(NEAR, "seedcore", *args, "--endpoint", ENDPOINT), timeout=timeout)

    history, log = History(), sandbox.folder / "begun.log"

    def begun(name):
        return {task.index for task in begun_tasks(log) if task.pid == pids[name]}

    def workers():
        return {row["worker"]: row for row in client("workers", "--json").rows}

    sandbox.start(*network(NEAR, "seedcore-coordinator", "--endpoint", ENDPOINT, "--insecure")).endpoint()
    for where, name in ((NEAR, "near"), (FAR, "far")):
        sandbox.start(*network(where, "seedcore-worker", "--connect", ENDPOINT, "--processes", "1", "--name", name,
                               "--plugin", PLUGIN), env={"FAULTS_LOG": str(log)})
    wait_for(lambda: len(workers()) == 2, what="both workers")
    pids = {name: row["pid"] for name, row in workers().items()}
    job = client("submit", "t.timed", "--array", "0-1999", "--args", "700", "--json").json["job"]
    history.accept(job, 2000)
    wait_for(lambda: all(row["running"] > 0 for row in workers().values()), what="both run some")
    start = time.monotonic()
    ip("-n", FAR, "link", "set", "cable", "down")
    wait_for(lambda: "far-1" not in workers(), what="the far one is taken as gone")
    gone = time.monotonic() - start
    wait_for(lambda: begun("far-1") & begun("near-1"), what="its tasks run elsewhere")
    ip("-n", FAR, "link", "set", "cable", "up")
    healed = time.monotonic()
    wait_for(lambda: "far-1" in workers(), what="it is back")
    back = time.monotonic() - healed
    client("wait", job)
    rows = history.see(client, job)
    n_again = len(begun("far-1") & begun("near-1"))
    figures(f"cut for {healed - start:.1f} s: gone after {gone:.1f} s, {n_again} tasks begin again, back after {back:.1f} s; "
            f"{history.judge()}")
    assert all(row["status"] == "done" and row["attempt"] == 1 for row in rows)
