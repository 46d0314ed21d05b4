#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The table of settings (base/settings.h) as rows, and deploy/env.example as it follows from them.

    /usr/bin/python3 tests/support/settings.py > deploy/env.example
"""
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

TOP = Path(__file__).resolve().parents[2]

PROGRAM = r"""
#include <stdio.h>
#include "base/settings.h"
#define ROW(symbol, name, type, standard, min, max, meaning) \
    printf("%s\t%s\t%s\t%lld\t%lld\t%s\n", name, #type, standard, (long long)(min), (long long)(max), meaning);
int main(void) { SC_SETTINGS(ROW) return 0; }
"""

HEAD = """\
# SPDX-License-Identifier: Apache-2.0
# Every setting as an environment variable, with its default. A flag (--peer-lease for SEEDCORE_PEER_LEASE) comes before
# the variable; `seedcore config` prints what this shell's commands use, and why. Durations: 250ms, 30s, 5m, 2h, 7d, a bare
# number is seconds; sizes: 64KiB, 10MB, 1GiB, a bare number is bytes.
# Written by tests/support/settings.py from the table in base/settings.h.
"""

UNITS = {"DURATION": [(86400000, "d"), (3600000, "h"), (60000, "m"), (1000, "s"), (1, "ms")],
         "BYTES": [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B")]}


class Setting(NamedTuple):
    name: str
    type: str  # TEXT, COUNT, DURATION, BYTES, FLAG
    default: str
    min: int
    max: int
    meaning: str

    def range(self):
        """The range as a person would type it; empty for a text."""
        if self.type == "TEXT":
            return ""
        if self.type == "FLAG":
            return "0 or 1"
        return f"{self._typed(self.min)} to {self._typed(self.max)}"

    def _typed(self, value):
        for size, unit in UNITS.get(self.type, []):
            if value and value % size == 0:
                return f"{value // size}{unit}"
        return str(value)


def settings(compiler="cc"):
    """The rows of the table, read by a program that is compiled from the header."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "settings")
        subprocess.run([compiler, "-I", TOP, "-x", "c", "-", "-o", program], input=PROGRAM, text=True, check=True)
        lines = subprocess.check_output([program], text=True).splitlines()
    rows = [line.split("\t") for line in lines]
    return [Setting(name, type.removeprefix("SC_SETTING_"), default, int(low), int(high), meaning)
            for name, type, default, low, high, meaning in rows]


def env_example(rows):
    """The text of deploy/env.example."""
    parts = [HEAD]
    for row in rows:
        range = f" [{row.range()}]" if row.range() else ""
        parts.append(f"\n# {row.meaning}{range}\n#SEEDCORE_{row.name}={row.default}\n")
    return "".join(parts)


if __name__ == "__main__":
    print(env_example(settings()), end="")
