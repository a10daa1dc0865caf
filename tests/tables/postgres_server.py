"""A PostgreSQL server for tests, from Debian's package or another, in a folder of its own with a socket."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

NEEDED = "initdb", "pg_ctl", "psql"


def programs():
    """The folder with initdb and pg_ctl; None if PostgreSQL isn't installed."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    others = [Path(found).parent] if (found := shutil.which("initdb")) else []
    whole = [folder for folder in [*debian, *others] if all((folder / name).exists() for name in NEEDED)]
    return whole[-1] if whole else None


def server_user():
    """The user that may run the server: root may not."""
    if os.geteuid():
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


class Server:
    """A running server."""

    def __init__(self, folder):
        self.folder, self.user = folder, server_user()

    def run(self, program, *arguments, **options):
        """Calls one of PostgreSQL's programs as the server's user."""
        given = {} if self.user is None else {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
        return subprocess.run(
            [programs() / program, *arguments], check=True, capture_output=True, text=True, cwd=self.folder,
            **given, **options,
        ).stdout  # fmt: skip

    def control(self, *arguments):
        self.run("pg_ctl", "-D", self.folder / "data", "-l", self.folder / "log", "-w", *arguments)

    def start(self):
        self.control("-o", f"-k {self.folder} -c listen_addresses='' -c fsync=off -c max_connections=200", "start")

    def stop(self):
        self.control("-m", "immediate", "stop")

    def ask(self, sql, base="postgres"):
        """The lines of an answer."""
        return self.run("psql", "-h", self.folder, "-U", "thalweg", "-At", "-c", sql, base).splitlines()

    def database(self, name):
        """The URL of a new database."""
        self.ask(f'CREATE DATABASE "{name}"')
        return f"postgresql://thalweg@/{name}?host={self.folder}"

    def backends(self, name="thalweg"):
        """The processes of the server that serve the connections of a database."""
        return [int(line) for line in self.ask(f"SELECT pid FROM pg_stat_activity WHERE datname = '{name}'")]

    def kill(self, pid):
        """Kills one of them without a word: the server ends all others, and recovers."""
        os.kill(pid, signal.SIGKILL)


@contextmanager
def serving():
    """A server for a while."""
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as name:  # a socket's path has to be short
        folder = Path(name)
        server = Server(folder)
        if server.user is not None:
            os.chown(folder, server.user.pw_uid, server.user.pw_gid)
        server.run("initdb", "-D", folder / "data", "-U", "thalweg", "-A", "trust", "--no-sync", "-E", "UTF8")
        server.start()
        try:
            yield server
        finally:
            server.stop()
