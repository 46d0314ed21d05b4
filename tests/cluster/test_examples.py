# SPDX-License-Identifier: Apache-2.0
"""The commands in examples/ work as they are written."""
import os
import re
import shutil

from cluster import BIN, TOP, wait_for

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


def commands_of(sandbox, example, n_commands):
    """What the indented lines of its README print, one after the other, in a tree with build/."""
    for name in ("base", "pool", "worker", "examples"):
        shutil.copytree(TOP / name, sandbox.folder / name)
    (sandbox.folder / "build").symlink_to(BIN.parent)
    readme = (TOP / "examples" / example / "README.md").read_text()
    commands = [line.strip() for line in readme.splitlines() if line.startswith("    ")]
    assert len(commands) == n_commands, commands
    env = {"CFLAGS": sanitizer_flags()} if example == "client" else {}
    return [sandbox.ok("/bin/sh", "-c", command, env=env, timeout=120).stdout for command in commands]


def test_plugin(sandbox):
    outputs = commands_of(sandbox, "plugin", 10)
    assert outputs.count("78498\n") == 2 and outputs.count("3\n") == 1, outputs


def test_client(sandbox):
    assert "".join(f'{i} done {{"n": {i}}}\n' for i in range(10)) in commands_of(sandbox, "client", 6)
    result = sandbox.run("/bin/sh", "-c", "build-client/tasks", env={"SEEDCORE_ENDPOINT": "nowhere"})
    assert result.status == 1 and "cannot connect to nowhere" in result.stderr, repr(result)


def test_asynchronous_plugin(sandbox, cluster):
    """It ends early where it is cancelled, and says what is wrong with its arguments."""
    plugin = sandbox.folder / "pulse.so"
    sandbox.ok("/bin/sh", "-c", f"cc -std=gnu17 -Wall -Wextra -Werror -shared -fPIC -I{TOP} -o {plugin} "
               f"{TOP}/examples/plugin/pulse.c")
    c = cluster(workers=1, args=["--plugin", plugin])
    assert c.run("call", "pulse", "--args", "[1000000, 1]", "--timeout", "50ms").status == 1
    wait_for(lambda: c.workers()[0]["running"] == 0, what="the end of what was cancelled")
    assert "[n, ms] is needed" in c.run("call", "pulse", "--args", "[0, 1]").stderr
    assert c.ok("call", "pulse", "--args", "[2, 1]").json == 2
