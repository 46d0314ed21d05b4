# SPDX-License-Identifier: Apache-2.0
"""Run the programs of build-bench/bin/bench and show the rows that they print; called by bench/run.

A row is an object a line: {"name", "value", "unit", "limit", "ratio"}, unscaled. With --json the rows pass through as
they are; otherwise they become a table for people.
"""
import argparse
import json
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parent  # NAME.cmake makes the program NAME
PROGRAMS = BENCH.parent / "build-bench/bin/bench"
LIMIT_S = 60  # a name takes at most 20 s; beyond three times that it hangs
SECONDS = ((1, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))
RATES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""))


def human(value, unit):
    """0.000187 s as 187 us, 4200000 tasks/s as 4.2 Mtasks/s."""
    if value is None:
        return "-"
    scales = SECONDS if unit == "s" else [(size, f"{prefix}{unit}") for size, prefix in RATES]
    size, name = next((pair for pair in scales if abs(value) >= pair[0]), scales[-1])
    return f"{value / size:.3g} {name}"


def table(row):
    ratio = "-" if row["ratio"] is None else f"{row['ratio']:.2f}"
    value, limit = human(row["value"], row["unit"]), human(row["limit"], row["unit"])
    return f"{row['name']:20} {value:>18} {limit:>18} {ratio:>8}"


def run(name, as_json):
    """Run one program and print its rows as they come. Returns whether it succeeded."""
    with subprocess.Popen([PROGRAMS / name], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as program:
        try:
            rows, _ = program.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            program.kill()
            rows, _ = program.communicate()
            print(f"bench/run: {name}: not ended after {LIMIT_S} s", file=sys.stderr)
    for line in rows.splitlines():
        print(line if as_json else table(json.loads(line)), flush=True)
    if program.returncode != 0:
        print(f"bench/run: {name}: exit {program.returncode}", file=sys.stderr)
    return program.returncode == 0


def main():
    names = sorted(file.stem for file in BENCH.glob("*.cmake"))
    parser = argparse.ArgumentParser(prog="bench/run", description="Measure, each value beside its limit.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(names)} (default: all)")
    parser.add_argument("--json", action="store_true", help="print the rows as they are, an object a line")
    args = parser.parse_args()
    unknown = [name for name in args.names if name not in names]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are: {', '.join(names)}")
    if not args.json:
        print(f"{'name':20} {'value':>18} {'limit':>18} {'ratio':>8}")
    results = [run(name, args.json) for name in args.names or names]
    return 0 if all(results) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
