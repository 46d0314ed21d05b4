# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL server of a test's own: a private folder, a unix socket in it, synced as in earnest.

For Python: `with Server() as server`. As a program, for tests in C: prints the location of a database, or why there is
none; then takes a command a line (restart, kill, stop, start, sql STATEMENT) and answers each with a line; ends with its
input, and the server with it.
"""
import contextlib
import glob
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

BOUND_S = 60  # for each program that is run


def programs():
    """The folder of the newest server's programs, or None."""
    found = glob.glob("/usr/lib/postgresql/*/bin/initdb")
    return Path(max(found, key=lambda path: int(Path(path).parts[-3]))).parent if found else None


def missing():
    """Why there can be no server, or None."""
    if not programs():
        return "no PostgreSQL server is installed"
    if os.getuid() == 0 and not any(user.pw_name == "postgres" for user in pwd.getpwall()):
        return "PostgreSQL does not run as root, and there is no user postgres"
    return None


def database_of(url):
    """The name in a location that Server.url gave."""
    return url.partition("@/")[2].partition("?")[0]


class Server:
    """Running from the beginning. The server refuses to be root's: then it is postgres's."""

    def __init__(self, settings=()):
        # Short, since the path of a socket holds at most 107 bytes; not in TMPDIR, which may be closed to others.
        self.folder = Path(tempfile.mkdtemp(prefix="sc-pg-", dir="/tmp"))
        self.data = self.folder / "data"
        self.user = "postgres" if os.getuid() == 0 else None
        self.n_databases = 0
        if self.user:
            shutil.chown(self.folder, self.user)
        self.folder.chmod(0o755)
        self._run("initdb", "-D", self.data, "-U", "seedcore", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        with open(self.data / "postgresql.conf", "a") as conf:
            conf.write(f"unix_socket_directories = '{self.folder}'\nlisten_addresses = ''\nfsync = on\n"
                       "shared_buffers = 64MB\nmax_connections = 40\nautovacuum = on\n")
            conf.writelines(f"{line}\n" for line in settings)
        self.start()

    def url(self, database="postgres"):
        return f"postgresql://seedcore@/{database}?host={self.folder}"

    def new_database(self):
        """The location of an empty one."""
        self.n_databases += 1
        self.sql(f"CREATE DATABASE d{self.n_databases}")
        return self.url(f"d{self.n_databases}")

    def _run(self, program, *args):
        command = [programs() / program, *map(str, args)]
        done = subprocess.run(command, cwd=self.folder, user=self.user, capture_output=True, text=True, timeout=BOUND_S,
                              env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"
        return done.stdout

    def _control(self, *args):
        # Its log goes to a file: a server that kept our pipe open would be waited for.
        self._run("pg_ctl", "-D", self.data, "-w", "-l", self.folder / "log", *args)

    def start(self):
        self._control("start")

    def stop(self, mode="immediate"):
        self._control("-m", mode, "stop")

    def restart(self, mode="immediate"):
        """`immediate`: as after a crash."""
        self._control("-m", mode, "restart")

    def backends(self):
        """Server processes of the coordinators."""
        rows = self.sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'seedcore-coordinator'")
        return [int(row) for row in rows.split()]

    def kill(self):
        """End the sessions of all coordinators."""
        self.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                 "WHERE application_name = 'seedcore-coordinator'")

    def sql(self, statement, database="postgres"):
        return self._run("psql", "-qAtX", "-h", self.folder, "-U", "seedcore", "-d", database, "-v", "ON_ERROR_STOP=1",
                         "-c", statement).strip()

    def pid(self):
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def signal(self, number):
        """To the server and all of its sessions: SIGSTOP makes it silent."""
        pids = subprocess.run(["pgrep", "-P", str(self.pid())], capture_output=True, text=True).stdout.split()
        for pid in [self.pid(), *map(int, pids)]:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def close(self):
        if (self.data / "postmaster.pid").exists():
            self.signal(signal.SIGCONT)
            with contextlib.suppress(AssertionError):  # it has ended meanwhile
                self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def serve():
    """See the top."""
    reason = missing()
    print(f"no: {reason}" if reason else "wait", flush=True)
    if reason:
        return
    with Server() as server:
        print(server.url(), flush=True)
        for line in sys.stdin:
            word, _, rest = line.strip().partition(" ")
            answer = {"restart": server.restart, "kill": server.kill, "stop": server.stop, "start": server.start,
                      "silent": lambda: server.signal(signal.SIGSTOP), "loud": lambda: server.signal(signal.SIGCONT),
                      "sql": lambda: server.sql(rest)}[word]()
            print((answer or "done").replace("\n", " "), flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # our starter ends us by closing our input
    serve()
