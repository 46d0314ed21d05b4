# SPDX-License-Identifier: Apache-2.0
"""Arrows between folders point one way, and a header needs nothing that it does not include."""
import re
import subprocess

import pytest

from tree import TOP, assert_none, sources

MAY_INCLUDE = {
    "base": set(),
    "proto": {"base"},
    "pool": {"base"},
    "coordinator": {"base", "proto"},
    "worker": {"base", "proto", "pool"},
    "client": {"base", "proto"},
    "gateway": {"base", "proto", "client", "pool"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)', re.MULTILINE)
FLAGS = ["-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{TOP}",
         *subprocess.check_output(["pkgconf", "--cflags", "libpq"], text=True).split()]  # not in /usr/include itself


@pytest.mark.parametrize("folder", [f for f in MAY_INCLUDE if (TOP / f).is_dir()])
def test_direction(folder):
    forbidden = {*MAY_INCLUDE, "tests", "bench"} - MAY_INCLUDE[folder] - {folder}
    wrong = [f"{file.relative_to(TOP)}: {name}" for file in sources(folder)
             for _, name in INCLUDE.findall(file.read_text()) if name.split("/")[0] in forbidden]
    assert_none(wrong)


def test_includes_are_written_from_the_root():
    wrong = [f"{file.relative_to(TOP)}: {name}" for file in sources()
             for quote, name in INCLUDE.findall(file.read_text())
             if quote == '"' and ("/" not in name or not (TOP / name).is_file())]
    assert_none(wrong)


def test_headers_compile_alone():
    headers = [file.relative_to(TOP) for file in sources() if file.suffix == ".h"]
    wrong = [run.stderr for run in (
        subprocess.run(["cc", *FLAGS, "-fsyntax-only", "-x", "c", "-"], cwd=TOP, text=True,
                       input=f'#include "{header}"\n', capture_output=True) for header in headers)
        if run.returncode != 0]
    assert_none(wrong)
