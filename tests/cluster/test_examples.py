# SPDX-License-Identifier: Apache-2.0
"""The commands in examples/ work as they are written."""
import shutil

from cluster import BIN, TOP


def test_plugin(sandbox):
    for name in ("base", "pool", "worker", "examples"):
        shutil.copytree(TOP / name, sandbox.folder / name)
    (sandbox.folder / "build").symlink_to(BIN.parent)
    readme = (TOP / "examples/plugin/README.md").read_text()
    commands = [line.strip() for line in readme.splitlines() if line.startswith("    ")]
    assert len(commands) == 9, commands
    outputs = [sandbox.ok("/bin/sh", "-c", command, timeout=120).stdout for command in commands]
    assert outputs.count("78498\n") == 2, outputs
