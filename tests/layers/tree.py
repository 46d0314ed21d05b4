# SPDX-License-Identifier: Apache-2.0
"""The files of the tree that are ours to judge."""
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
FOLDERS = ("base", "proto", "pool", "coordinator", "worker", "client", "gateway", "tests", "bench")


def assert_none(wrong):
    """Fails with a line for each thing that is wrong."""
    assert not wrong, "\n" + "\n".join(map(str, wrong))


def sources(*folders):
    """The C files and headers of these folders (default: of all)."""
    return [file for folder in folders or FOLDERS for file in sorted((TOP / folder).rglob("*.[ch]"))]


def scripts():
    """Everything else that is written by hand and has comments: Python, CMake and shell."""
    named = [file for folder in (*FOLDERS, "cmake", "deploy") for pattern in ("*.py", "*.cmake", "CMakeLists.txt")
             for file in sorted((TOP / folder).rglob(pattern))]
    return named + [TOP / name for name in
                    ("CMakeLists.txt", "deploy/packages", "deploy/build", "deploy/quickstart", "deploy/env.example",
                     "tests/run", "bench/run", ".ci/run")]
