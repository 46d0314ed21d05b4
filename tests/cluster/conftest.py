# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the cluster tests: programs in a sandbox, and clusters, each judged when its test has ended."""
import contextlib

import pytest

from cluster import Cluster, Sandbox


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
def figures(record_property):
    """figures("12 lost"): said in the report of a run."""
    return lambda text: record_property("figures", text)
