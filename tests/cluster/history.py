# SPDX-License-Identifier: Apache-2.0
"""What was accepted and what was seen of it, judged by check-history (tests/support/check_history.c)."""
import subprocess

from cluster import BIN


class History:
    """Of any number of jobs, over restarts. What was seen once must be seen again, so look as often as you like."""

    def __init__(self):
        self.lines = []

    def accept(self, job, count, first=0):
        """A job of these indexes was accepted."""
        self.lines.append(f"accepted {job} {first} {count}\n")

    def see(self, ok, job, *args):
        """Look at state and results of a job with ok("status", ...), ok("results", ...); returns the rows of results."""
        status, results = ok("status", job, "--json", *args), ok("results", job, *args, timeout=60)
        self.lines += [status.stdout, f"results {job}\n", results.stdout]
        return results.rows

    def judge(self):
        """"lost 0 twice 0" once everything has ended and was seen; fails with the first task of which that is not so."""
        run = subprocess.run([BIN / "tests/check-history"], input="".join(self.lines), capture_output=True, text=True)
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout.strip()
