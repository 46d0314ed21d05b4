# SPDX-License-Identifier: Apache-2.0
"""Where sanitizers report, for every process that a test starts, and what they reported."""
import re
from pathlib import Path

# libzmq is not instrumented: what it orders between threads is invisible to TSan.
TSAN_SUPPRESSIONS = Path(__file__).with_name("tsan.supp")
REPORT = re.compile(r"^.*(?:ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:).*$", re.MULTILINE)


def environment(folder, crashes=False):
    """Variables that make each process write its reports to `folder`. With `crashes`, a process that kills itself with
    a fault signal is no report: the test wants it to."""
    log = f"log_path={folder}/sanitizer"
    names = ("segv", "sigbus", "abort", "sigill", "sigfpe") if crashes else ()
    signals = ":".join(f"handle_{name}=0" for name in names)
    return {
        "ASAN_OPTIONS": f"{log}:exitcode=99:print_legend=0:detect_stack_use_after_return=1:{signals}",
        "UBSAN_OPTIONS": f"{log}:print_stacktrace=1",
        "TSAN_OPTIONS": f"{log}:exitcode=99:second_deadlock_stack=1:suppressions={TSAN_SUPPRESSIONS}:{signals}",
    }


def reports(folder):
    """What was reported: the files that sanitizers wrote, and lines in any other file of `folder` (UBSan of gcc beside
    ASan writes to stderr)."""
    found = []
    for file in sorted(Path(folder).rglob("*")):
        if not file.is_file():
            continue
        if file.name.startswith("sanitizer."):
            found.append(file.read_text(errors="replace")[:8000])
        elif file.suffix in (".log", ".out", ".err") or file.parent.name == "log":
            found += REPORT.findall(file.read_text(errors="replace"))[:5]
    return found
