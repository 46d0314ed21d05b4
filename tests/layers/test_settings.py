# SPDX-License-Identifier: Apache-2.0
"""deploy/env.example says what the table of settings says."""
from settings import TOP, env_example, settings


def test_env_example():
    assert (TOP / "deploy/env.example").read_text() == env_example(settings()), \
        "write it anew: /usr/bin/python3 tests/support/settings.py > deploy/env.example"


def test_names_are_given_once():
    names = [row.name for row in settings()]
    assert len(names) == len(set(names))
