# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the cluster tests: programs in a sandbox, and clusters, each judged when its test has ended."""
import contextlib

import pytest

from cluster import PLUGIN, Cluster, Sandbox, begun_tasks


@pytest.fixture
def sandbox():
    """Programs without a cluster."""
    with contextlib.closing(Sandbox()) as sandbox:
        yield sandbox


@pytest.fixture
def cluster():
    """Start clusters: cluster(workers=2, args=["--test-handlers"]); they end with the test."""
    with contextlib.ExitStack() as stack:
        def start(**options):
            return stack.enter_context(contextlib.closing(Cluster(**options)))
        yield start


@pytest.fixture
def timed(cluster):
    """A cluster with the handler t.timed (plugin_faults.c), and which of its tasks have begun: begun()."""
    def start(workers=2, env=None, args=()):
        c = cluster(workers=workers, args=["--test-handlers", "--plugin", str(PLUGIN), *args],
                    env={"FAULTS_LOG": "begun.log", **(env or {})})
        log = c.folder / "begun.log"
        c.begun = lambda: begun_tasks(log)
        return c
    return start


@pytest.fixture
def figures(record_property):
    """figures("12 lost"): said in the report of a run."""
    return lambda text: record_property("figures", text)
