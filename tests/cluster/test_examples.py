# SPDX-License-Identifier: Apache-2.0
"""The commands in examples/ work as they are written."""
import os
import re
import shutil

from cluster import BIN, TOP

CLIENT = """
#include <seedcore.h>
int main(void) { sc_client *client = 0; sc_client_close(&client, 0, 0); return 0; }
"""


def sanitizer_flags():
    """What a program is linked with to load the libraries under test."""
    cache = (BIN.parent / "CMakeCache.txt").read_text()
    names = {"SC_ASAN": "address", "SC_UBSAN": "undefined", "SC_TSAN": "thread"}
    return " ".join(f"-fsanitize={flag}" for name, flag in names.items() if re.search(f"^{name}:.*=ON$", cache, re.M))


def test_installed_library(sandbox):
    """seedcore.pc names the folder that it was installed in, nothing of others, and links both libraries."""
    prefix = sandbox.folder / "a prefix"
    sandbox.ok("/bin/sh", "-c", f"cmake --install {BIN.parent} --prefix '{prefix}'")
    prefix = prefix.rename(sandbox.folder / "moved")
    env = {"PKG_CONFIG_PATH": str(next(prefix.rglob("pkgconfig")))}
    flags = sandbox.ok("/bin/sh", "-c", "pkg-config --cflags seedcore", env=env).stdout
    assert [os.path.normpath(flag) for flag in flags.split()] == [f"-I{prefix}/include"], flags
    (sandbox.folder / "client.c").write_text(CLIENT)
    for library, options in (("", "--libs"), (next(prefix.rglob("libseedcore.a")), "--static --libs")):
        sandbox.ok("/bin/sh", "-c", f"cc {sanitizer_flags()} -Werror -o client client.c {library} "
                   f"$(pkg-config --cflags {options} seedcore)", env=env)
        sandbox.ok(sandbox.folder / "client", env={"LD_LIBRARY_PATH": str(next(prefix.rglob("libseedcore.so")).parent)})


def test_plugin(sandbox):
    for name in ("base", "pool", "worker", "examples"):
        shutil.copytree(TOP / name, sandbox.folder / name)
    (sandbox.folder / "build").symlink_to(BIN.parent)
    readme = (TOP / "examples/plugin/README.md").read_text()
    commands = [line.strip() for line in readme.splitlines() if line.startswith("    ")]
    assert len(commands) == 9, commands
    outputs = [sandbox.ok("/bin/sh", "-c", command, timeout=120).stdout for command in commands]
    assert outputs.count("78498\n") == 2, outputs
